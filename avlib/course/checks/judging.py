"""How an answer is judged: what comes from a learner is made plain first, and compared then.

A learner's answer can be anything. `call`, `number` and `array` turn it into plain numbers, or
into a hint. So an error that is left is the judge's own, and `judge` says that it is. Of no lesson;
every lesson's judges use it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable
from math import inf, isclose, isfinite

import numpy as np
import torch

ROUNDS = 3  # fresh inputs each time: a wrong answer can be right by luck once
Judge = Callable[..., None]
_judges: dict[str, Judge] = {}


class AnswerError(Exception):
    """What is wrong with an answer, told to the learner."""


def check(number: str, answer: object, *given: object) -> bool:
    """Say whether an answer is right, and if not, what to look at.

    Parameters
    ----------
    number : str
        Of the exercise, as ``"0.2"``.
    answer : object
        The learner's value or function.
    *given : object
        What else the exercise speaks of, a table of clips for instance.

    Returns
    -------
    bool
        Whether it is right, so that a cell can go on with it.

    Raises
    ------
    KeyError
        If there is no exercise of that number.

    Examples
    --------
    >>> check("4.1", 740)
    ✓ Exercise 4.1: right.
    True
    """
    hint = judge(number, answer, *given)
    print(f"✓ Exercise {number}: right." if hint is None else f"✗ Exercise {number}: {hint}")
    return hint is None


def judge(number: str, answer: object, *given: object) -> str | None:
    """What is wrong with an answer; None if nothing is. Arguments and errors as in `check`."""
    if number not in _judges:
        raise KeyError(f"there is no exercise {number!r}. There are {', '.join(exercises())}.")
    if any(part is ... for part in (answer if isinstance(answer, tuple) else [answer])):
        return "replace the dots by your answer, then run both cells again."
    try:
        for _ in range(ROUNDS):
            _judges[number](answer, *given)
    except AnswerError as wrong:
        return str(wrong)
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
    return sorted(_judges)


def exercise(number: str) -> Callable[[Judge], Judge]:
    """Enter the judge of an exercise."""

    def enter(judge: Judge) -> Judge:
        _judges[number] = judge
        return judge

    return enter


def told(error: BaseException) -> str:
    """An error in one line."""
    try:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".removesuffix(": ")
    except Exception:  # a learner's error class can fail, too
        return type(error).__name__


def call(function: object, *arguments: object) -> object:
    """What the learner's function returns for copies of the arguments; its errors become hints."""
    if not callable(function):
        raise AnswerError("should be a function; do not call it here, only name it.")
    name = str(getattr(function, "__name__", "your function"))[:40]
    handed = copy.deepcopy(arguments)
    try:
        result = function(*handed)
    except (Exception, SystemExit) as error:
        raise AnswerError(f"{name} stopped with {told(error)}") from error
    for before, after in zip(arguments, handed, strict=True):
        if isinstance(before, np.ndarray | torch.Tensor) and not np.array_equal(before, after):
            raise AnswerError("you changed the array that was given to you. Write into a copy.")
    if result is None:
        raise AnswerError(
            f"{name} returns nothing yet. Write it, then run both cells again. "
            "If you have written it: is there a `return`?"
        )
    return result


def _plain(value: object) -> np.ndarray:
    """As NumPy's array, whatever library it is of."""
    return np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)


def number(value: object, of: str) -> float:
    """One finite number; anything else is a hint."""
    try:
        plain = _plain(value)
        if plain.ndim or plain.dtype.kind not in "iufO":
            raise TypeError
        found = float(plain.item())
    except OverflowError:
        found = inf
    except Exception as error:
        kind = type(value).__name__
        raise AnswerError(f"{of} should be one number, and is of the kind {kind}.") from error
    if not isfinite(found):
        raise AnswerError(f"{of} is {found}, and no finite number. Was something divided by 0?")
    return found


def array(value: object, of: str) -> np.ndarray:
    """Finite numbers of any shape, as float64; anything else is a hint."""
    try:
        plain = _plain(value)
        if plain.dtype.kind not in "biufO":
            raise TypeError
        found = plain.astype(float)
    except Exception as error:
        kind = type(value).__name__
        raise AnswerError(
            f"{of} should be an array of numbers, all rows equally long. Yours is of the kind "
            f"{kind}, and cannot be read as one."
        ) from error
    if plain.dtype.kind == "b":
        raise AnswerError(
            f"{of} holds marks, True or False. `np.flatnonzero` makes row numbers of them."
        )
    if not np.isfinite(found).all():
        raise AnswerError(f"{of} holds NaN or infinity. Was something divided by 0?")
    return found


def mistaken(found: float, mistakes: Iterable[tuple[float, str]], otherwise: str) -> None:
    """Name the mistake that leads to this number."""
    for value, hint in mistakes:
        if isclose(found, value, rel_tol=1e-4, abs_tol=1e-6):
            raise AnswerError(hint)
    raise AnswerError(otherwise)


def noise(rng: np.random.Generator, samples: int, loudest: float = 0.5) -> np.ndarray:
    """Noise whose loudest sample is negative."""
    sound = rng.uniform(-0.5, 0.4, samples) * loudest
    sound[samples // 3] = -loudest
    return sound.astype(np.float32)
