"""How an answer is judged: what comes from a learner is made plain first, and compared then.

A learner's answer can be anything. `call`, `number` and `array` turn it into plain numbers, or
into a hint. So an error that is left is the judge's own, and `judge` says that it is.
"""

import copy
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import torch

from avlib.course import passed

Numbers = float | Sequence[float] | np.ndarray | torch.Tensor
Mistakes = Iterable[tuple[Numbers, str]]  # what a mistaken learner computes, and the hint
ROUNDS = 3  # fresh inputs each time: a wrong answer can be right by luck once
_judges: dict[str, Callable[..., None]] = {}


class AnswerError(Exception):
    """What is wrong with an answer, told to the learner; and the error that it is raised from."""


def refuse(wrong: object, hint: str) -> None:
    """Go on if nothing is wrong; else this is what the learner is told."""
    if wrong:
        raise AnswerError(hint)


def check(number: str, answer: object, *given: object) -> bool:
    """Say whether an answer is right, and if not, what to look at; return whether it is.

    `given` is what else the exercise speaks of, a table of clips for instance. Where nbgrader runs
    the lesson, a wrong answer raises `AnswerError`: a cell that fails gives no points.
    """
    hint = judge(number, answer, *given)
    if hint is not None and os.environ.get("NBGRADER_EXECUTION"):
        raise AnswerError(f"Exercise {number}: {hint}")
    print(f"✓ Exercise {number}: right." if hint is None else f"✗ Exercise {number}: {hint}")
    if hint is None:
        passed.remember(number)
    return hint is None


def judge(number: str, answer: object, *given: object) -> str | None:
    """What is wrong with an answer; None if nothing is; `KeyError` if there is no such exercise."""
    if number not in _judges:
        raise KeyError(f"there is no exercise {number!r}. There are {', '.join(exercises())}.")
    if any(part is ... for part in (answer if isinstance(answer, tuple) else [answer])):
        return "replace the dots by your answer, then run both cells again."
    try:
        for _ in range(ROUNDS):
            _judges[number](answer, *given)
    except AnswerError as wrong:
        return f"{wrong} {told(wrong.__cause__)}" if wrong.__cause__ else str(wrong)
    except Exception as error:
        if os.environ.get("AVLIB_DEBUG"):
            raise
        return (
            f"this check itself is at fault, not your answer: it stopped with {told(error)}. "
            "Please tell us, and compare with the solution below."
        )
    return None


def exercises() -> list[str]:
    """The numbers of all exercises, in order."""
    return sorted(_judges, key=lambda each: [int(part) for part in each.split(".")])


def notebook(number: str) -> str:
    """The name of the notebook that an exercise stands in, from the head of its judge's file."""
    head = sys.modules[_judges[number].__module__].__doc__ or ""
    return re.search(r"\d\d-[\w-]+\.ipynb", head)[0]


def exercise(number: str) -> Callable:
    """Enter the judge of an exercise: to be written above it, with an @."""
    return partial(_judges.setdefault, number)


def told(error: BaseException) -> str:
    """An error in one line, even where it cannot be told, as a learner's own class may fail to."""
    return " ".join("".join(traceback.format_exception_only(error)).split())[:250]


def call(function: object, *arguments: object) -> object:
    """What the learner's function returns for copies of the arguments; its errors become hints."""
    refuse(not callable(function), "should be a function; do not call it here, only name it.")
    name = str(getattr(function, "__name__", "your function"))[:40]
    handed = copy.deepcopy(arguments)
    try:
        result = function(*handed)
    except (Exception, SystemExit) as error:
        raise AnswerError(f"{name} stopped with") from error
    for before, after in zip(arguments, handed, strict=True):
        if isinstance(before, np.ndarray | torch.Tensor) and not np.array_equal(before, after):
            raise AnswerError("you changed the array that was given to you. Write into a copy.")
    if result is None:
        raise AnswerError(
            f"{name} returns nothing yet. Write it, then run both cells again. "
            "If you have written it: is there a `return`?"
        )
    return result


def _plain(value: object, hint: str) -> np.ndarray:
    """As NumPy's array of float64 or bool, whatever library it is of; anything else is a hint."""
    try:
        plain = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
        refuse(plain.dtype.kind not in "biufO", hint)
        return plain if plain.dtype == bool else np.vectorize(float, otypes=[float])(plain)
    except Exception:
        raise AnswerError(hint) from None


def number(value: object, of: str) -> float:
    """One finite number; anything else is a hint."""
    hint = f"{of} should be one number, and is of the kind {type(value).__name__}."
    found = _plain(value, hint)
    refuse(found.ndim or found.dtype == bool, hint)
    if not np.isfinite(found):
        raise AnswerError(f"{of} is {found}, and no finite number. Was something divided by 0?")
    return float(found)


def array(value: object, of: str) -> np.ndarray:
    """Finite numbers of any shape, as float64; anything else is a hint."""
    hint = (
        f"{of} should be an array of numbers, all rows equally long. Yours is of the kind "
        f"{type(value).__name__}, and cannot be read as one."
    )
    found = _plain(value, hint)
    marks = f"{of} holds marks, True or False. `np.flatnonzero` makes row numbers of them."
    refuse(found.dtype == bool, marks)
    refuse(not np.isfinite(found).all(), f"{of} holds NaN or infinity. Was something divided by 0?")
    return found


def compare(
    found: Numbers, right: Numbers, mistakes: Mistakes, otherwise: str, within: float = 1e-6
) -> None:
    """Let pass what is near `right`; else name the mistake that leads to these numbers."""

    def near(value: Numbers) -> bool:
        return np.shape(found) == np.shape(value) and np.allclose(found, value, 1e-6, within)

    refuse(not near(right), next((hint for value, hint in mistakes if near(value)), otherwise))
