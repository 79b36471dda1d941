"""JupyterLab over a folder of notebooks, and a browser in it: what its tests share."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from shown import BROWSER

from avlib import course

LONGEST_S = 600  # for whatever is waited for: a busy machine must not turn a test red
NEEDS_BROWSER = pytest.mark.skipif(
    BROWSER is None, reason="needs playwright, and Chromium (Debian's package `chromium`)"
)


@contextmanager
def lab_over(place: Path) -> Iterator[str]:
    """The address of a JupyterLab over `place`/notebooks, ended with the context."""
    settings = place / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # Cells out of sight would otherwise not be in the page.
    kept = {"windowingMode": "none", "recordTiming": True}
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(kept))
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


@contextmanager
def chromium(*flags: str) -> Iterator[object]:
    """Chromium without a window, started with `flags`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=BROWSER, args=["--headless", "--no-sandbox", "--disable-gpu", *flags]
        )
        yield started
        started.close()


def open_notebook(browser: object, address: str, **of_page: object) -> object:
    """A page with a notebook in it, its kernel ready."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000}, **of_page)
    page.set_default_timeout(1000 * LONGEST_S)
    page.goto(f"{address}?reset")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    return page


def run_all(page: object) -> None:
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


def seconds_of_cells(page: object, notebook: Path, pattern: str) -> list[float]:
    """How long each cell took whose source matches, of a notebook that was run and is saved now."""
    before = notebook.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    end = time.monotonic() + LONGEST_S
    while notebook.stat().st_mtime_ns == before and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(0.5)  # until it is written to its end
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if re.search(pattern, "".join(cell["source"])):
            told = cell["metadata"]["execution"]
            ends = (told[what] for what in ("iopub.execute_input", "shell.execute_reply"))
            began, ended = map(datetime.fromisoformat, ends)
            found.append((ended - began).total_seconds())
    return found
