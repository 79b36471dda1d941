"""A prediction is asked for, kept, and set beside what came out."""

from pathlib import Path

import pytest

from avlib import course
from avlib.course import passed

CHOICES = ("twice", "5 times", "20 times")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path))
    monkeypatch.delenv("AVLIB_NO_PROGRESS", raising=False)
    return tmp_path / "progress.jsonl"


def said(guess: course.guesses.Guess, found: object, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    guess.came_out(found)
    return capsys.readouterr().out.strip()


def test_the_outcome_says_how_the_prediction_went(capsys: pytest.CaptureFixture[str]) -> None:
    louder = course.guess("0 louder", "How many times louder?", *CHOICES)
    assert said(louder, "5 times", capsys) == "It came out as: 5 times."
    louder.control.value = "twice"
    assert said(louder, "5 times", capsys) == "You predicted: twice. It came out as: 5 times."
    louder.control.value = "5 times"
    assert said(louder, "5 times", capsys) == "As you predicted: 5 times."
    with pytest.raises(ValueError, match="'6 times' is none of the choices"):
        louder.came_out("6 times")


def test_a_line_is_set_beside_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    where = course.guess("2 aliasing", "Where does it go?")
    where.control.value = "  to 2000 Hz "
    assert said(where, 2_050, capsys) == "You predicted: to 2000 Hz. It came out as: 2050."


def test_a_prediction_stands_there_again_another_day(kept: Path) -> None:
    first = course.guess("0 louder", "How many times louder?", *CHOICES)
    assert first.predicted is None
    first.control.value = "twice"
    first.control.value = "20 times"
    written = course.guess("2 aliasing", "Where does it go?")
    written.control.value = "nowhere"
    passed.remember("0.1")
    assert course.guess("0 louder", "How many times louder?", *CHOICES).predicted == "20 times"
    assert course.guess("2 aliasing", "Where does it go?").predicted == "nowhere"
    assert course.guess("0 louder", "Another question?", "yes", "no").predicted is None
    assert passed.numbers() == {"0.1"}
    assert kept.is_file()


def test_where_nothing_can_be_kept_the_lesson_goes_on(
    kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passed, "_told", set())
    kept.mkdir()
    guess = course.guess("0 louder", "How many times louder?", *CHOICES)
    guess.control.value = "twice"
    assert "cannot be kept" in capsys.readouterr().out
    assert said(guess, "twice", capsys) == "As you predicted: twice."


def test_without_a_kernel_the_question_is_shown_with_its_choices() -> None:
    shown = course.guess("0 louder", "Louder & higher?", *CHOICES)._repr_mimebundle_()
    assert "Louder &amp; higher?" in shown["text/html"]
    assert all(f"<li>{choice}</li>" in shown["text/html"] for choice in CHOICES)


@pytest.mark.parametrize("choices", [("one",), ("one", "one")])
def test_choices_that_are_none_are_refused(choices: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="two or more different ones"):
        course.guess("0 louder", "How many times louder?", *choices)
