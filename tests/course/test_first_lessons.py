"""What lessons 00 and 01 say of the practice corpus is what they find in it."""

import re
from pathlib import Path

import pytest
from shown import executed, said_by

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
def ran(request: pytest.FixtureRequest) -> tuple[str, list[dict]]:
    """The number of a lesson, and its cells as they ran."""
    return request.param, executed(request.param)


def test_each_prediction_comes_out_as_the_text_has_it(ran: tuple[str, list[dict]]) -> None:
    number, cells = ran
    asked = sum("course.guess(" in "".join(cell["source"]) for cell in cells)
    found = [
        text.removeprefix("It came out as: ").removesuffix(".")
        for text in said_by(cells)
        if text.startswith("It came out as: ")
    ]
    assert len(found) == asked
    for outcome, wanted in zip(found, OUTCOMES[number], strict=True):
        assert wanted in (outcome, None)


def test_the_first_cell_says_where_the_clips_lie(ran: tuple[str, list[dict]]) -> None:
    first = next(cell for cell in ran[1] if cell["cell_type"] == "code")
    (said,) = said_by([first])
    assert Path(re.search(r"clips of practice corpus in (.+)", said)[1]) == course.recordings()
