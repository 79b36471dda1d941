"""Every lesson in a real JupyterLab, in a real browser: run, and each of its widgets moved."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pages
import pytest
from film_in_browser import move_by_keyboard, move_by_mouse, play_to_the_end, ready
from in_browser import (
    NEEDS_BROWSER,
    chromium,
    lab_over,
    open_notebook,
    run_all,
    seconds_of_cells,
)
from shown import NOTEBOOKS, assert_pictures_say_what_they_are

from avlib import course

pytestmark = [pytest.mark.slow, NEEDS_BROWSER]

# What a widget rightly says of settings for which there is nothing to show.
NOT_THERE = ("there is no such clip here",)
SCREENSHOTS = Path(__file__).parent / "screenshots"
# Widgets of each lesson and their controls.
WIDGETS = {"00": 1, "01": 1, "02": 2, "03": 2, "04": 2, "05": 1, "06": 1}
WIDGETS |= {"07": 3, "08": 2, "09": 3, "10": 2}
CONTROLS = {"00": 5, "01": 5, "02": 6, "03": 5, "04": 4, "05": 1, "06": 2}
CONTROLS |= {"07": 6, "08": 3, "09": 5, "10": 4}

FILMS = {"00": 2, "01": 1, "02": 1, "04": 1, "05": 1}  # that each lesson shows

MADE = r"widgets\.\w+_(chooser|inspector|scrubber|viewer|slider|probe|browser|map)\("
# What is shown is new elements, whenever anything in it changed. To compare its text, a megabyte,
# would take as long as many a redraw.
SHOWN = "[...explorer.querySelectorAll('.widget-html-content')].pop().firstElementChild"
MARK = f"(explorer) => {{ {SHOWN}.seen = true }}"
CHANGED = f"(explorer) => {SHOWN} && !{SHOWN}.seen"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a JupyterLab over a copy of the notebooks, and where they lie."""
    place = tmp_path_factory.mktemp("lab")
    course.recordings()
    shutil.copytree(NOTEBOOKS[0].parent, place / "notebooks")
    with lab_over(place) as address:
        yield address, place / "notebooks"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as started:
        yield started


def _picture(explorer: object) -> str:
    return explorer.locator(".widget-html-content").last.inner_html()


def _lies_left(slider: object, handle: object) -> bool:
    box, at = slider.bounding_box(), handle.bounding_box()
    return at["x"] + at["width"] / 2 < box["x"] + box["width"] / 2


def _moves(explorer: object) -> list[tuple[str, object]]:
    """Each control of a widget, to be moved by mouse and by keyboard."""
    moves = []
    for slider in explorer.locator(".noUi-target").all():
        handle = slider.locator(".noUi-handle")

        def by_mouse(slider: object = slider, handle: object = handle) -> None:
            """Click where the handle is not."""
            box, left = slider.bounding_box(), _lies_left(slider, handle)
            place = {"x": (0.95 if left else 0.05) * box["width"], "y": box["height"] / 2}
            slider.click(position=place, force=True)

        def by_keyboard(slider: object = slider, handle: object = handle) -> None:
            handle.focus()
            handle.press("ArrowRight" if _lies_left(slider, handle) else "ArrowLeft")

        moves += [("mouse", by_mouse), ("keyboard", by_keyboard)]
    for box in explorer.locator("input[type=checkbox]").all():

        def press_space(box: object = box) -> None:
            box.focus()
            box.press("Space")

        moves += [("mouse", box.click), ("keyboard", press_space)]
    for matrix in explorer.locator(".avlib-confusion").all():
        pressed = matrix.locator("[aria-pressed=true]")

        def press_enter(pressed: object = pressed) -> None:
            """On the first cell that an arrow leads to."""
            pressed.focus()
            for arrow in ("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"):
                pressed.page.keyboard.press(arrow)
                if not pressed.evaluate("(cell) => cell === document.activeElement"):
                    break
            pressed.page.keyboard.press("Enter")

        other = matrix.locator("[aria-pressed=false]").last
        moves += [("mouse", other.click), ("keyboard", press_enter)]
    return moves


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_runs_in_the_browser_and_its_widgets_move(
    notebook: Path,
    lab: tuple[str, Path],
    browser: object,
    record_property: Callable[[str, object], None],
) -> None:
    address, folder = lab
    began = time.monotonic()
    page = open_notebook(browser, f"{address}/lab/tree/{notebook.name}")
    run_all(page)
    seconds = time.monotonic() - began
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.count() == 0, errors.first.inner_text()
    made = seconds_of_cells(page, folder / notebook.name, MADE)
    pages.take(folder / notebook.name, notebook, course.data_folder() / "executed", seconds)
    print(f"\n{notebook.stem}: cells that make a widget take {sorted(made)} s")
    films = page.locator(".avlib-film").all()
    assert len(films) == FILMS.get(notebook.name[:2], 0)
    for number, film in enumerate(films, 1):
        off = play_to_the_end(page, film)
        print(f"\n{notebook.stem}: film {number} played, cursor off by {1000 * off:.0f} ms at most")
        move_by_keyboard(page, film)
        move_by_mouse(page, film)
    pictures = page.locator(".jp-OutputArea-output img").all()
    assert_pictures_say_what_they_are([each.get_attribute("alt") for each in pictures])
    explorers = page.locator(".jp-OutputArea-output .widget-vbox").all()
    explorers = [each for each in explorers if each.locator(".widget-html-content").count() >= 2]
    moved, waits = {"mouse": 0, "keyboard": 0}, []
    for number, explorer in enumerate(explorers, 1):
        explorer.scroll_into_view_if_needed()
        for way, move in reversed(_moves(explorer)):
            shown = explorer.element_handle()
            shown.evaluate(MARK)
            started = time.monotonic()
            move()
            page.wait_for_function(CHANGED, arg=shown)
            for film in explorer.locator(".avlib-film").all():
                ready(page, film)
            waits.append(time.monotonic() - started)
            after = _picture(explorer)
            assert re.search("<img|<svg", after) or any(words in after for words in NOT_THERE), (
                after
            )
            moved[way] += 1
        SCREENSHOTS.mkdir(exist_ok=True)
        explorer.screenshot(path=SCREENSHOTS / f"{notebook.stem}-{number}.png")
    print(f"\n{notebook.stem}: redrawn in {median(waits):.2f} s (median), {max(waits):.2f} at most")
    lesson = notebook.name[:2]
    if lesson == "07":
        shown = explorers[0].element_handle()
        shown.evaluate(MARK)
        explorers[0].locator(".widget-play button").first.click()
        page.wait_for_function(CHANGED, arg=shown)
    if lesson == "10":
        _answer_the_quiz(page)
    page.close()
    assert len(explorers) == WIDGETS[lesson]
    assert moved["mouse"] == moved["keyboard"] == CONTROLS[lesson]
    numbers = {"widgets": len(explorers), "moved by mouse": moved["mouse"]}
    numbers |= {"moved by keyboard": moved["keyboard"], "seconds in a browser": round(seconds)}
    record_property("lesson", (lesson, numbers))


def _answer_the_quiz(page: object) -> None:
    """By mouse and keyboard in turns, to its end."""
    buttons = page.locator(".widget-button", has_text="angry")
    for number in range(1, 17):
        page.get_by_text(f"Clip {number} of 16.").wait_for()
        buttons.click() if number % 2 else buttons.press("Enter")
    page.get_by_text("You knew 2 of 16, the recogniser").wait_for()
