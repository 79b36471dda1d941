"""The figures of a lesson are written for slides, with their texts."""

import csv
from pathlib import Path

import cv2
import figures
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from avlib import course
from avlib.evaluation import plots

WORDS = 'A line & what “half” of it means, "up" to 3.'


def draw() -> plots.Picture:
    figure, axes = plt.subplots()
    axes.plot([0, 3], [1, 2])
    return plots.Picture.of(figure, WORDS, "practice corpus")


def run(notebook: Path, keep: Path) -> Path:
    """A lesson as it is after a run: the same figure twice, one drawn as SVG, one of pixels."""
    picture = draw()
    pixels = cv2.imencode(".png", np.full((3, 9, 3), 40, np.uint8))[1].tobytes()
    scatter = plots.image("svg+xml", b"<svg/>", "Points.")
    each = [picture.html(), picture.html() + scatter, plots.image("png", pixels, "Grey.")]
    outputs = [new_output("display_data", {"text/html": shown}) for shown in each]
    cells = [
        new_markdown_cell("# 04 · Lines"),
        new_markdown_cell("## The first\n\nText.\n\n### A line"),
        new_code_cell("draw()", outputs=outputs[:2]),
        new_markdown_cell("## Grey"),
        new_code_cell("print()", outputs=[new_output("stream", text="1"), outputs[2]]),
    ]
    keep.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells), keep / notebook.name)
    return keep / notebook.name


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path))
    monkeypatch.setenv("AVLIB_SVG", "")
    monkeypatch.setattr(course, "recordings", lambda: tmp_path)
    monkeypatch.setattr(course, "lessons", lambda: [Path("03-other.ipynb"), Path("04-two.ipynb")])
    monkeypatch.setattr(figures.pages, "run", run)
    return tmp_path


def captions(out: Path) -> list[list[str]]:
    with (out / "captions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_each_figure_is_a_file_and_a_line_with_its_text(lesson: Path) -> None:
    out = lesson / "slides"
    assert figures.main([str(out), "--only", "04"]) == 0
    made = "Made from: practice corpus."
    assert captions(out) == [
        list(figures.COLUMNS),
        ["04-01.png", "04 · Lines", "A line", f"{WORDS} {made}"],
        ["04-02.svg", "04 · Lines", "A line", "Points."],
        ["04-03.png", "04 · Lines", "Grey", "Grey."],
    ]
    assert cv2.imread(str(out / "04-03.png")).shape == (3, 9, 3)
    assert (out / "04-02.svg").read_bytes() == b"<svg/>"


def test_what_was_drawn_is_there_as_svg_beside_its_pixels(lesson: Path) -> None:
    out = lesson / "slides"
    assert figures.main([str(out), "--svg"]) == 0
    names = [line[0] for line in captions(out)[1:]]
    each = ["01.png", "01.svg", "02.svg", "03.png"]
    assert names == [f"{number}-{name}" for number in ("03", "04") for name in each]
    assert {path.name for path in out.iterdir()} == {*names, "captions.csv"}
    assert "<path" in (out / "04-01.svg").read_text(encoding="utf-8")
    assert (out / "04-01.png").read_bytes() == draw().png  # and the pixels are as they were
