"""Films in JupyterLab and a real browser, with a kernel and without; how long a reader waits."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import pages
import pytest
from film_in_browser import move_by_keyboard, move_by_mouse, play_to_the_end, ready
from in_browser import NEEDS_BROWSER, chromium, lab_over, open_notebook, run_all
from nbformat import v4

from avlib import course, practice
from avlib.corpus import ravdess

pytestmark = [pytest.mark.slow, NEEDS_BROWSER]

SCREENSHOTS = Path(__file__).parent / "screenshots"
MADE_READY = """\
import numpy as np
from avlib.corpus import ravdess
from avlib.course import comparison_widgets, feature_widgets, film, widgets
from avlib.evaluation import plots
plots.set_style()
clips = ravdess.index("corpus")
one = clips.iloc[0]
from avlib.evaluation import metrics
logs = np.random.default_rng(0).normal(0, 3, (len(clips), 8))
logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
predictions = clips[["clip", "actor"]].assign(label=clips["emotion"])
predictions[metrics.LOG_COLUMNS] = logs
"""
SHOWN = ("widgets.draw_clip(clips, one.emotion, one.intensity, one.actor)",
         "widgets.clip_chooser(clips)",
         "feature_widgets.pair_scrubber(one.picture, ravdess.corpus(clips), one.sound)",
         "comparison_widgets.confusion_browser(predictions, clips)")  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A JupyterLab over a notebook with the widgets alone; beside it a clip of every emotion."""
    place = tmp_path_factory.mktemp("film")
    folder = place / "notebooks"
    names = [ravdess.ClipName(1, 1, emotion, 1, 1, 1, actor=1) for emotion in range(1, 9)]
    practice.write(folder / "corpus", 1, names=names, progress=False, jobs=1)
    lesson = v4.new_notebook(cells=[v4.new_code_cell(each) for each in (MADE_READY, *SHOWN)])
    lesson.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    (folder / "films.ipynb").write_text(json.dumps(lesson))
    course.run_lesson(folder / "films.ipynb", place / "run")  # here no browser's loop is in its way
    with lab_over(place) as address:
        yield SimpleNamespace(address=address, folder=folder, run=place / "run" / "films.ipynb")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as started:
        yield started


def test_films_play_in_the_lab_and_are_there_at_once(lab: SimpleNamespace, browser: object) -> None:
    page = open_notebook(browser, f"{lab.address}/lab/tree/films.ipynb")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    cells.first.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.locator('.jp-InputPrompt:has-text("[1]")').wait_for()
    for number, name in enumerate(("a cell's film", "chooser", "pair scrubber", "matrix"), 1):
        began = time.monotonic()
        page.keyboard.press("Shift+Enter")
        film = cells.nth(number).locator(".avlib-film")
        film.wait_for()
        ready(page, film)
        print(f"\n{name}: first picture after {time.monotonic() - began:.2f} s", end="")
    for number in (1, 2, 3, 4):
        film = cells.nth(number).locator(".avlib-film")
        off = play_to_the_end(page, film)
        print(
            f"\nfilm {number} played to its end; cursor off by at most {1000 * off:.0f} ms", end=""
        )
        move_by_keyboard(page, film)
        move_by_mouse(page, film)
    for number, name in ((2, "chooser"), (3, "pair scrubber")):
        waits = [_redrawn(page, cells.nth(number), key) for key in 3 * ("ArrowRight", "ArrowLeft")]
        print(f"\n{name}: redrawn after {median(waits):.2f} s (median of {len(waits)})", end="")
    print(
        f"\n(from the key or the click to a film that can be played; load {os.getloadavg()[0]:.1f})"
    )
    assert page.locator(".avlib-film video").count() == 4
    SCREENSHOTS.mkdir(exist_ok=True)
    cells.nth(2).screenshot(path=SCREENSHOTS / "film.png")
    page.close()


def _redrawn(page: object, cell: object, key: str) -> float:
    """Seconds from a key on a widget's first slider to the new film's first picture."""
    old = cell.locator(".avlib-film video").element_handle()
    handle = cell.locator(".noUi-handle").first
    handle.focus()
    began = time.monotonic()
    handle.press(key)
    page.wait_for_function("(old) => !old.isConnected", arg=old, polling=10)
    ready(page, cell.locator(".avlib-film"))
    return time.monotonic() - began


def test_one_film_at_a_time_is_heard(lab: SimpleNamespace, browser: object) -> None:
    page = open_notebook(browser, f"{lab.address}/lab/tree/films.ipynb")
    run_all(page)
    one, other = (ready(page, page.locator(".avlib-film").nth(place)) for place in (0, 1))
    one.press("Space")
    page.wait_for_function("(video) => video.currentTime > 0.2", arg=one.element_handle())
    other.press("Space")
    page.wait_for_function("(video) => video.currentTime > 0.2", arg=other.element_handle())
    assert one.evaluate("(video) => video.paused")
    page.close()


def test_what_a_browser_cannot_play_is_said(lab: SimpleNamespace, browser: object) -> None:
    page = open_notebook(browser, f"{lab.address}/lab/tree/films.ipynb")
    run_all(page)
    film = page.locator(".avlib-film").first
    # A browser that takes no film from a data address gets it from another one.
    ready(page, film).evaluate("(video) => video.dispatchEvent(new Event('error'))")
    assert ready(page, film).get_attribute("src").startswith("blob:")
    play_to_the_end(page, film)
    film.locator("video").evaluate("(video) => { video.src = 'data:video/mp4;base64,AAAA'; }")
    film.get_by_text("This browser cannot play the film").wait_for()
    page.close()


@pytest.mark.parametrize("way", ["page", "saved"])
def test_a_film_plays_without_a_kernel(
    lab: SimpleNamespace, browser: object, tmp_path: Path, way: str
) -> None:
    if way == "page":  # of the book
        pytest.importorskip("sphinx", reason="tests/tools/book/requirements.txt is not installed")
        (tmp_path / "images").mkdir()
        (tmp_path / "book").mkdir()
        (tmp_path / "README.md").write_text("| Films |\n|---|\n| one |\n")
        source = shutil.copy(lab.run, tmp_path / "films.ipynb")
        pages.write_sources({source: lab.run}, tmp_path / "book", tmp_path / "out" / "media")
        pages.build(tmp_path / "book", tmp_path / "out")
        page = browser.new_page()
        page.goto((tmp_path / "out" / "films.html").as_uri())
        assert page.locator(".avlib-film").count() == 4
        for film in page.locator(".avlib-film").all():
            play_to_the_end(page, film)
            move_by_keyboard(page, film)
    else:  # in a JupyterLab that does not trust it: what may stay of it is the first frame
        (lab.folder / "saved.ipynb").write_text(lab.run.read_text())
        page = open_notebook(browser, f"{lab.address}/lab/tree/saved.ipynb")
        posters = page.locator('video[poster^="data:image/jpeg"]')
        posters.first.wait_for()
        print(f"\nuntrusted: {posters.count()} posters", end="")
        print(re.sub('"data:[^"]*"', '"…"', posters.first.evaluate("(v) => v.outerHTML")))
        page.screenshot(path=SCREENSHOTS / "film-untrusted.png")
    page.close()
