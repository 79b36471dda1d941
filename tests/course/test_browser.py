"""Every lesson in a real JupyterLab, in a real browser: run, and each of its widgets moved."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shown import BROWSER, NOTEBOOKS, assert_pictures_say_what_they_are

from avlib import course

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="needs playwright, and Chromium (Debian's package `chromium`)"
    ),
]

LONGEST_S = 600  # for whatever is waited for: a busy machine must not turn a test red
# What a widget rightly says of settings for which there is nothing to show.
NOT_THERE = ("there is no such clip here", "clip was taken for")
SCREENSHOTS = Path(__file__).parent / "screenshots"
# Widgets of each lesson and their controls.
WIDGETS = {"00": 1, "01": 1, "02": 2, "03": 1, "04": 2, "05": 1, "06": 1, "09": 3}
CONTROLS = {"00": 3, "01": 3, "02": 6, "03": 2, "04": 4, "05": 3, "06": 2, "09": 5}

CHANGED = """([explorer, before]) =>
    [...explorer.querySelectorAll('.widget-html-content')].pop().innerHTML !== before"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab over a copy of the notebooks, ended when the tests are over."""
    place = tmp_path_factory.mktemp("lab")
    course.recordings()
    shutil.copytree(NOTEBOOKS[0].parent, place / "notebooks")
    settings = place / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # Cells out of sight would otherwise not be in the page.
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(place / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(place / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(place / "runtime"),
        "JUPYTER_CONFIG_DIR": str(place / "config"),
        "AVLIB_DATA": str(course.data_folder()),
    }
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.token=",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={place / 'notebooks'}", "--ServerApp.ip=127.0.0.1",
    ]  # fmt: skip
    with (place / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"{address}/api/status", server, place / "lab.log")
        yield address
    finally:
        server.terminate()  # JupyterLab ends its kernels
        server.wait(timeout=60)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=30).close()
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"JupyterLab did not answer: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=BROWSER, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


def _run_all(page: object) -> None:
    """Run every cell, and wait until the last one has its number."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    done = """() => {
        const prompts = [...document.querySelectorAll(
            '.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map(each => each.textContent.trim());
        return prompts.length && prompts.every(each => /^\\[\\d+\\]:?$/.test(each))
            || document.querySelector('[data-mime-type="application/vnd.jupyter.error"]');
    }"""
    page.wait_for_function(done)


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
    return moves


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_runs_in_the_browser_and_its_widgets_move(
    notebook: Path, lab: str, browser: object, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(1000 * LONGEST_S)
    page.goto(f"{lab}/lab/tree/{notebook.name}?reset")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    _run_all(page)
    seconds = time.monotonic() - began
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.count() == 0, errors.first.inner_text()
    pictures = page.locator(".jp-OutputArea-output img").all()
    assert_pictures_say_what_they_are([each.get_attribute("alt") for each in pictures])
    explorers = page.locator(".jp-OutputArea-output .widget-vbox").all()
    explorers = [each for each in explorers if each.locator(".widget-html-content").count() >= 2]
    moved = {"mouse": 0, "keyboard": 0}
    for number, explorer in enumerate(explorers, 1):
        explorer.scroll_into_view_if_needed()
        for way, move in reversed(_moves(explorer)):
            before = _picture(explorer)
            move()
            page.wait_for_function(CHANGED, arg=[explorer.element_handle(), before])
            after = _picture(explorer)
            assert "<img" in after or any(words in after for words in NOT_THERE), after
            moved[way] += 1
        SCREENSHOTS.mkdir(exist_ok=True)
        explorer.screenshot(path=SCREENSHOTS / f"{notebook.stem}-{number}.png")
    page.close()
    lesson = notebook.name[:2]
    assert len(explorers) == WIDGETS[lesson]
    assert moved["mouse"] == moved["keyboard"] == CONTROLS[lesson]
    numbers = {"widgets": len(explorers), "moved by mouse": moved["mouse"]}
    numbers |= {"moved by keyboard": moved["keyboard"], "seconds in a browser": round(seconds)}
    record_property("lesson", (lesson, numbers))
