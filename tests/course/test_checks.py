"""Every check lets the solution pass, tells what to do with the stub, and names real mistakes."""

import decimal
import itertools
import re
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from exercises import Exercise, exercises
from shown import NOTEBOOKS, shown

from avlib.corpus.ravdess import EMOTIONS
from avlib.course import checks

EXERCISES = exercises()
ANSWERS = [
    pytest.param(exercise, answer, hint, id=f"{exercise.number}-{number}")
    for exercise in EXERCISES
    for number, (answer, hint) in enumerate(exercise.mistakes)
]


@pytest.fixture(scope="module")
def lessons() -> dict[str, dict[str, object]]:
    """The names that each lesson defines."""
    return {path.name[:2]: vars(shown(path.name[:2])) for path in NOTEBOOKS}


def judged(
    exercise: Exercise, code: str, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
) -> str | None:
    names = {**lessons[exercise.lesson], "clips": clips}
    exec(code, names)
    return checks.judge(exercise.number, *(eval(each, names) for each in exercise.arguments))


def test_every_exercise_has_a_check_and_every_check_an_exercise() -> None:
    numbers = [exercise.number for exercise in EXERCISES]
    assert numbers == checks.exercises()
    assert all(len(exercise.mistakes) >= 2 for exercise in EXERCISES)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
class TestEveryExercise:
    def test_the_folded_solution_passes(
        self, exercise: Exercise, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
    ) -> None:
        assert judged(exercise, exercise.solution, lessons, clips) is None

    def test_the_untouched_stub_is_told_what_to_do(
        self, exercise: Exercise, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
    ) -> None:
        assert "run both cells again" in judged(exercise, exercise.stub, lessons, clips)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the mistakes themselves
@pytest.mark.parametrize(("exercise", "answer", "hint"), ANSWERS)
def test_a_mistake_is_refused_by_name(
    exercise: Exercise,
    answer: str,
    hint: str,
    lessons: dict[str, dict[str, object]],
    clips: pd.DataFrame,
    record_property: Callable[[str, object], None],
) -> None:
    assert re.search(hint, judged(exercise, answer, lessons, clips))
    record_property("lesson", (exercise.lesson, {"wrong answers refused": 1}))


def test_a_check_prints_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.check("4.1", 740)
    assert not checks.check("4.1", 1280)
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "✓ Exercise 4.1: right."
    assert wrong.startswith("✗ Exercise 4.1: that is with equal dimension")


def test_a_wrong_answer_raises_where_nbgrader_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert checks.check("4.1", 740)
    with pytest.raises(checks.AnswerError, match=r"Exercise 4\.1: that is with equal dimension"):
        checks.check("4.1", 1280)


class Thorny:
    """An answer that fails whatever is done with it."""

    def __getattribute__(self, name: str) -> object:
        if name == "__class__":
            return Thorny
        raise ZeroDivisionError("every name of mine fails")

    def _fails(self, *_: object) -> None:
        raise ZeroDivisionError("whatever is done with me fails")

    __eq__ = __hash__ = __len__ = __iter__ = __float__ = __bool__ = __repr__ = __str__ = _fails
    __array__ = __getitem__ = __contains__ = __index__ = _fails


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("and this fails, too")


def in_itself() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


def unspeakable(*_: object) -> None:
    raise UnspeakableError


def endless(*_: object) -> Iterator[int]:
    yield from itertools.count()


# What no exercise asks for. None of it may end in anything but a hint.
HOSTILE = {
    "no answer": None, "an empty text": "", "a text": "many", "a long text": "1" * 10_000,
    "bytes": b"\x00\xff", "yes": True, "no": np.False_, "not a number": float("nan"),
    "infinite": float("-inf"), "below zero": -7, "far too large": 10**400, "complex": 1 + 2j,
    "decimal": decimal.Decimal("NaN"), "an empty list": [], "a ragged list": [[1.0], [2.0, 3.0]],
    "a list of texts": ["0.4", "0.6"], "a list in itself": in_itself(),
    "unequal sides": ([0], [[1, 2]]), "two numbers": (1, 2), "five empty tuples": ((),) * 5,
    "an empty dictionary": {}, "a dictionary": {"happy": [1, 2]},
    "a set": {(1, 2), "a"}, "an object": object(), "a class": dict, "a module": sys,
    "a generator": endless(), "a range": range(3), "an empty array": np.array([]),
    "three axes": np.zeros((2, 2, 2)),
    "texts": np.array(["a", "b"]), "marks": np.array([True, False]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "records": np.zeros(3, dtype=[("a", int)]), "objects": np.array([None, {}], dtype=object),
    "an empty table": pd.DataFrame(), "a table": pd.DataFrame({"a": ["x"], "b": [1]}),
    "no time": pd.NaT, "missing": pd.NA, "a tensor": torch.tensor([1.0, 2.0]),
    "with a gradient": torch.ones(9, 8, requires_grad=True) * torch.nan,
    "sparse": torch.eye(3).to_sparse(), "of no device": torch.empty(3, device="meta"),
    "a recogniser": torch.nn.Linear(3, 2), "thorny": Thorny(),
}  # fmt: skip
FUNCTIONS = {
    "no arguments": lambda: 1, "too many": lambda a, b, c, d, e, f, g: 1, "leaves": sys.exit,
    "too deep": lambda *given: FUNCTIONS["too deep"](*given), "for ever": endless,
    "unspeakable": unspeakable, "what it got": lambda *given: given,
    "its first": lambda first=0, *_: first, "its last": lambda *given: given[-1],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
def test_whatever_an_answer_is_the_learner_gets_a_hint(
    exercise: Exercise, clips: pd.DataFrame
) -> None:
    given = (clips,) if len(exercise.arguments) == 2 else ()
    answers: dict[str, object] = dict(FUNCTIONS)
    for name, value in HOSTILE.items():
        answers |= {
            name: value,
            f"returns {name}": lambda *_, value=value: value,
            f"two: {name}": (value, value),
            f"three: {name}": (value, value, value),
            f"returns two: {name}": lambda *_, value=value: (value, value),
            f"returns eight: {name}": lambda *_, value=value: dict.fromkeys(EMOTIONS, value),
        }
    for name, answer in answers.items():
        hint = checks.judge(exercise.number, answer, *given)
        assert hint, name
        assert "at fault" not in hint, f"{name}: {hint}"
        assert len(hint) < 500, name


def test_a_judge_of_ours_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(answer: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setitem(checks.judging._judges, "9.9", fails)
    monkeypatch.delenv("AVLIB_DEBUG", raising=False)
    said = checks.judge("9.9", 1)
    assert "itself is at fault, not your answer" in said
    assert "ZeroDivisionError: ours" in said
    monkeypatch.setenv("AVLIB_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        checks.judge("9.9", 1)
    with pytest.raises(KeyError, match=r"no exercise '99\.1'"):
        checks.judge("99.1", 1)


def test_an_answer_works_on_copies() -> None:
    def widened(named: pd.DataFrame) -> float:
        named["loudness (dB)"] = 0.0  # a judge that looked at this table would find it right
        return 1.0

    assert "came out as 1.000" in checks.judge("1.3", widened)
