"""What lessons 00 and 01 say of the practice corpus is what they find in it."""

import json
import re
from pathlib import Path

import pytest
from shown import NOTEBOOKS

from avlib import course

pytestmark = pytest.mark.slow

OUTCOMES = {
    "00": [
        "a quarter or less",  # the text says of whom the recogniser learned
        "1.5 to 5 times",
        "neutral",
        "less than a hundredth",
    ],
    "01": [
        "modality sound only, channel speech, emotion angry, intensity strong, statement Kids are "
        "talking by the door, repetition 1, actor 12, sex female",
        "the last two",
        "half as high",  # neutral
        "half",  # missing
        None,  # two faces, by their pixels
        "angry",
        "emotion to emotion",
        "calm",
    ],
}


@pytest.fixture(scope="module", params=OUTCOMES)
def executed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict]:
    """The number of a lesson, and the lesson as it ran."""
    notebook = next(path for path in NOTEBOOKS if path.name.startswith(request.param))
    place = tmp_path_factory.mktemp("executed")
    course.recordings()
    course.run_lesson(notebook, place)
    return request.param, json.loads((place / notebook.name).read_text(encoding="utf-8"))


def test_each_prediction_comes_out_as_the_text_has_it(executed: tuple[str, dict]) -> None:
    number, lesson = executed
    asked = sum("course.guess(" in "".join(cell["source"]) for cell in lesson["cells"])
    texts = [
        "".join(output["data"]["text/plain"])
        for cell in lesson["cells"]
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    found = [
        text.removeprefix("It came out as: ").removesuffix(".")
        for text in texts
        if text.startswith("It came out as: ")
    ]
    assert len(found) == asked
    for outcome, wanted in zip(found, OUTCOMES[number], strict=True):
        assert wanted in (outcome, None)


def test_the_first_cell_says_where_the_clips_lie(executed: tuple[str, dict]) -> None:
    _, lesson = executed
    first = next(cell for cell in lesson["cells"] if cell["cell_type"] == "code")
    (said,) = ("".join(output["text"]) for output in first["outputs"])
    assert Path(re.search(r"clips of practice corpus in (.+)", said)[1]) == course.recordings()
