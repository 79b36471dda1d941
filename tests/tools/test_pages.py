"""Pages hold what a reader needs, and a fault in them is found."""

import base64
import re
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pages
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from avlib.course.widgets import player

WIDE = cv2.imencode(".png", np.full((300, 900, 3), 40, np.uint8))[1].tobytes()
INDEX = "# The lessons\n\n| [Two](02-two.ipynb) | ![a grey card](images/02.jpg) |\n|---|---|\n"


def picture(alt: str) -> str:
    return f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(WIDE).decode()}">'


def executed(folder: Path, alt: str = "Grey. Made from: practice corpus.") -> Path:
    """A lesson as it is after a run: prose with links, a widget, a sound."""
    shown = picture(alt) + player(np.zeros(80), 8000, "silence")
    widget = {"model_id": "7", "version_major": 2, "version_minor": 0}
    output = new_output(
        "display_data", {"text/html": shown, "application/vnd.jupyter.widget-view+json": widget}
    )
    text = "# 02 · Two\n\n## A part\n\nSee [a part](#A-part) and [this](02-two.ipynb#A-part)."
    lesson = new_notebook(
        cells=[
            new_markdown_cell(text),
            new_code_cell("explore()", outputs=[output], metadata={"tags": ["cover"]}),
        ],
        metadata={"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}}},
    )
    folder.mkdir(exist_ok=True)
    nbformat.write(lesson, folder / "02-two.ipynb")
    return folder / "02-two.ipynb"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    notebook = executed(tmp_path / "executed")
    index = tmp_path / "README.md"
    index.write_text(INDEX)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "02.jpg").write_bytes(pages.cover(notebook))
    made = pages.write([notebook], index, tmp_path / "out")
    assert [page.name for page in made] == ["index.html", "02-two.html"]
    return tmp_path / "out"


def test_a_page_shows_the_default_picture_and_plays_the_sound(written: Path) -> None:
    page = (written / "02-two.html").read_text(encoding="utf-8")
    assert page.count('alt="Grey. Made from: practice corpus."') == 1
    assert "data:audio/wav;base64,UklGR" in page
    assert "widget-view+json" not in page
    assert not re.search(r"https?://\S+\.m?js", page)  # what would move it


def test_links_lead_from_page_to_page(written: Path) -> None:
    assert 'href="02-two.html"' in (written / "index.html").read_text(encoding="utf-8")
    assert 'href="02-two.html#A-part"' in (written / "02-two.html").read_text(encoding="utf-8")
    assert pages.faults(written) == []


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        ('<a href="03-three.html">on</a>', "links to 03-three.html, which is not there"),
        ('<a href="#Another-part">up</a>', "no such heading"),
        ('<a href="index.html#top">up</a>', "index.html has no such heading"),
        ('<img src="images/02.jpg">', "1 pictures or sounds without a text"),
        ('<img src="images/03.jpg" alt="">', "1 pictures or sounds without a text"),
        ('<script src="https://cdn.example/a.js"></script>', "needs a script"),
    ],
)
def test_faults_are_named(written: Path, tag: str, fault: str) -> None:
    page = written / "02-two.html"
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{tag}</body>"))
    found = pages.faults(written)
    assert any(re.search(rf"^02-two\.html: .*{re.escape(fault)}", each) for each in found), found


def test_a_cover_is_small(tmp_path: Path) -> None:
    jpeg = pages.cover(executed(tmp_path / "executed"))
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
