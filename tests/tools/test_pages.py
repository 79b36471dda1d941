"""What the book is made of holds what a reader needs, and a fault in its pages is found."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pages
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from shown import NOTEBOOKS, cells

from avlib import course
from avlib.course.widgets import player

WIDE = cv2.imencode(".png", np.full((300, 900, 3), 40, np.uint8))[1].tobytes()
INDEX = "# Lessons\n\n| [Two](02-two.ipynb) | ![a grey card](images/02.jpg) |\n|---|---|\n\nRun.\n"
PROSE = """# 02 · Two

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://example.org)

## A part, shown

**Predict.** It is warm.

A thing is cut (Who et al. 2001). That is a **slice**. Each is thin. **Time:** 3.
"""


def picture(alt: str) -> str:
    return f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(WIDE).decode()}">'


def executed(folder: Path, alt: str = "Grey. Made from: practice corpus.") -> Path:
    """A lesson as it is after a run: prose with links, a widget, a sound."""
    shown = picture(alt) + player(np.zeros(80), 8000, "silence")
    widget = {"model_id": "7", "version_major": 2, "version_minor": 0}
    outputs = [
        new_output("stream", text=f"clips in {course.data_folder()}/practice"),
        new_output(
            "display_data", {"text/html": shown, "application/vnd.jupyter.widget-view+json": widget}
        ),
        new_output(
            "display_data",
            {"text/plain": "clips: 0%", "application/vnd.jupyter.widget-view+json": widget},
        ),
    ]
    code = new_code_cell("explore()", outputs=outputs, metadata={"tags": ["cover"]})
    folder.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell(PROSE), code]), folder / "02-two.ipynb")
    return folder / "02-two.ipynb"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    notebook = executed(tmp_path)
    (tmp_path / "README.md").write_text(INDEX)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "02.jpg").write_bytes(pages.cover(notebook))
    (tmp_path / "place").mkdir()
    pages.write_sources({notebook: notebook}, tmp_path / "place", tmp_path / "media")
    return tmp_path / "place"


def test_a_lesson_keeps_its_default_picture_and_sound_as_files_beside_it(sources: Path) -> None:
    text, shown = nbformat.read(sources / "02-two.ipynb", 4).cells[1].outputs
    assert text.text == "clips in data/practice"  # no folder of this machine
    assert list(shown.data) == ["text/html"]
    places = re.findall(r'src="(media/\w{16}\.(?:png|flac))"', shown.data["text/html"])
    first, second = ((sources.parent / place).read_bytes() for place in places)
    assert first == WIDE
    assert second.startswith(b"fLaC")


def test_the_index_leads_to_all_pages(sources: Path) -> None:
    index = (sources / "index.md").read_text()
    assert index.startswith(INDEX.removesuffix("\nRun.\n"))
    assert "\n02-two\nglossary\n" in index
    assert (sources / "images" / "02.jpg").is_file()
    assert "badge" not in (sources / "02-two.ipynb").read_text()


def test_the_glossary_has_the_terms_with_their_sentences(sources: Path) -> None:
    found = (sources / "glossary.md").read_text()
    assert found.count("**") == 2  # one word
    said = "slice\n  A thing is cut (Who et al. 2001). That is a **slice**. Each is thin.\n"
    link = "  [02 · Two › A part, shown](<02-two.ipynb#A-part,-shown>)\n"
    assert f"{said}\n{link}" in found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_stands_in_bold_is_a_term_or_ends_like_a_sentence(notebook: Path) -> None:
    prose = " ".join(
        re.sub(r"```.*?```", "", text, flags=re.S)
        for kind, text in cells(notebook)
        if kind == "markdown"
    )
    bold = set(re.findall(r"\*\*(\w[^*]*[^.:?])\*\*", prose)) - {"After this lesson you can"}
    longer = {word for word in bold if word.count(" ") > 3}
    assert {term.word for term in pages.terms(notebook)} == bold - longer


def test_a_lesson_runs_again_only_for_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run_lesson(notebook: Path, keep: Path) -> float:
        ran.append(notebook.read_text())
        (keep / notebook.name).write_text(ran[-1])
        return 3.0

    monkeypatch.setattr(course, "run_lesson", run_lesson)
    notebook, keep = executed(tmp_path / "lessons"), tmp_path / "keep"
    first = pages.run(notebook, keep)
    assert nbformat.read(first, 4).metadata["seconds"] == 3
    notebook.write_text(notebook.read_text().replace("A thing is cut", "A thing is torn"))
    assert pages.run(notebook, keep) == first
    assert len(ran) == 1
    notebook.write_text(notebook.read_text().replace("explore()", "exploit()"))
    assert pages.run(notebook, keep) != first
    assert len(ran) == 2
    assert len(list(keep.iterdir())) == 1  # what nobody needs is not kept


@pytest.fixture
def page(tmp_path: Path) -> Callable[[str], list[str]]:
    """What is wrong with a page of this content, beside one that is right."""

    def faults(content: str) -> list[str]:
        (tmp_path / "02.html").write_text(f'<h1 id="top">Two</h1><a href="#top">up</a>{content}')
        (tmp_path / "index.html").write_text('<a href="02.html#top">on</a>')
        return pages.faults(tmp_path)

    return faults


def test_a_good_page_has_no_faults(page: Callable[[str], list[str]]) -> None:
    assert page('<img src="data:,AA" alt="a dot"><a href="https://example.org">a</a>') == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('<a href="03-three.html">on</a>', "links to 03-three.html, which is not there"),
        ('<a href="#Another-part">up</a>', "no such heading"),
        ('<a href="index.html#top">up</a>', "index.html has no such heading"),
        ('<img src="index.html">', "1 pictures or sounds without a text"),
        ('<audio src="a.wav" aria-label="a voice"></audio>', "links to a.wav, which is not there"),
        ('<script src="https://cdn.example/a.js"></script>', "fetches https://cdn.example/a.js"),
        ('<link href="//cdn.example/a.css">', "fetches //cdn.example/a.css"),
        ("heavy " * 400_000, "2.4 MB of text"),
    ],
)
def test_faults_are_named(page: Callable[[str], list[str]], content: str, fault: str) -> None:
    (found,) = page(content)
    assert re.search(rf"^02\.html: .*{re.escape(fault)}", found)


@pytest.mark.parametrize("alt", ["Grey. Made from: practice corpus.", "A drawing of a network."])
def test_a_cover_is_small(tmp_path: Path, alt: str) -> None:
    jpeg = pages.cover(executed(tmp_path / "executed", alt))
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (120, 360, 3)
    assert len(jpeg) < 60_000


def test_a_picture_of_real_recordings_is_no_cover(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"02-two.*practice corpus"):
        pages.cover(executed(tmp_path / "executed", "Grey. Made from: RAVDESS."))


def test_a_lesson_without_a_cover_is_told(tmp_path: Path) -> None:
    notebook = executed(tmp_path / "executed")
    notebook.write_text(notebook.read_text().replace('"cover"', '"other"'))
    with pytest.raises(ValueError, match=r"02-two.*tagged"):
        pages.cover(notebook)


def test_the_measured_seconds_go_into_the_card(tmp_path: Path) -> None:
    lesson = tmp_path / "99-a-lesson.ipynb"
    lesson.write_text("**Runs in** 0 s on two CPU cores.")
    pages.stamp(lesson, 41.6)
    assert "**Runs in** 42 s on two CPU cores." in lesson.read_text()
    lesson.write_text("no card")
    with pytest.raises(ValueError, match=r"99-a-lesson\.ipynb.*has 0"):
        pages.stamp(lesson, 1)
