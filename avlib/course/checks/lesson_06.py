"""The exercises of 06-honest-splits.ipynb."""

import reprlib
from collections.abc import Callable
from itertools import islice

import numpy as np
import pandas as pd

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number, refuse


@exercise("6.1")
def _witnesses(answer: object) -> None:
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise AnswerError("three numbers are asked for: pairs, clips and units.")
    pairs, tested, units = (number(part, "each of the three") for part in answer)
    if (pairs, tested) == (4 * 60, 4 * 60 * 6):
        raise AnswerError("pairs first, then clips: there are six pairs in a clip.")
    refuse(tested != 4 * 60, "the test holds 60 clips of *each* of 4 actors.")
    refuse(pairs != 4 * 60 * 6, "six pairs are cut from each of the clips.")
    if units in (tested, pairs):
        raise AnswerError("those come from the same few people. Draw what could have been others.")
    refuse(units != 4, "the units are people. How many of them are in the test?")


@exercise("6.2")
def _crossing(answer: object) -> None:
    rng = np.random.default_rng()
    actor = rng.permutation(np.repeat(np.arange(1, 9), 5))
    rows = pd.DataFrame({"actor": actor, "clip": [f"clip-{n:02d}" for n in range(len(actor))]})
    rows.index = rng.permutation(len(rows)) + 100
    test_actors, planted = rng.permutation(np.arange(1, 9))[:4].reshape(2, 2)
    tested = np.isin(actor, test_actors)
    for one in planted:  # two rows of theirs leak to the other side
        tested[np.flatnonzero(actor == one)[-2:]] = True
    train, test = np.flatnonzero(~tested), np.flatnonzero(tested)
    right = sorted(planted.tolist())
    try:
        found = call(answer, rows, train, test, "actor")
    except AnswerError as error:
        by_label = isinstance(error.__cause__, KeyError)
        refuse(by_label, "row numbers count from the top of the table: `iloc`, not `loc`.")
        raise
    if isinstance(found, set | frozenset):
        raise AnswerError("a set has no order. `sorted` makes a sorted list of it.")
    found = _values(found, len(rows))
    if found == right:
        if _values(call(answer, rows, train[:0], test, "actor"), len(rows)):
            raise AnswerError("with an empty side nothing can stand on both.")
        return
    refuse(len(found) > len(set(found)), "each value once, please: a `set`.")
    refuse(sorted(found) == right, "the values are right, but not sorted.")
    if set(found) == set(actor.tolist()):
        raise AnswerError("those are the values of either side: `|`. Which stand on *both*: `&`.")
    if set(found) <= set(range(len(rows))) and len(found) > len(right):
        raise AnswerError("return values of the column, not row numbers.")
    raise AnswerError(f"{right} stand on both sides here, and you found {reprlib.repr(found)}.")


def _values(found: object, most: int) -> list[float]:
    """The values of a column that an answer lists; what lists none is a hint."""
    if isinstance(found, int | np.integer):
        raise AnswerError("that is a number. *Which* values stand on both sides?")
    try:
        listed = list(islice(found, most + 1))  # it may go on for ever
    except Exception as error:
        raise AnswerError("return a list of the column's values.") from error
    values = array(listed, "the result")
    if values.ndim != 1:
        raise AnswerError("return one list of the column's values, and no list within a list.")
    return [int(value) if value.is_integer() else value for value in values.tolist()]


@exercise("6.3")
def _by_actor(answer: object) -> None:
    rng = np.random.default_rng()
    actor = rng.permutation(np.repeat([3, 5, 8], [7, 11, 9]))
    mfcc = (actor[:, None] * rng.normal(size=40) + rng.normal(size=(len(actor), 40))).astype("f4")
    mfcc *= 1 + actor[:, None]
    found = array(call(answer, mfcc, actor), "the result")
    if found.shape != mfcc.shape:
        raise AnswerError(f"the shape should stay {mfcc.shape}; yours is {found.shape}.")

    def each(part: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        made = np.empty(mfcc.shape)
        for one in np.unique(actor):
            made[actor == one] = part(mfcc[actor == one].astype(float))
        return made

    def scaled(own: np.ndarray, axis: int | None = 0, ddof: int = 0) -> np.ndarray:
        return (own - own.mean(axis, keepdims=True)) / own.std(axis, ddof=ddof, keepdims=True)

    mistakes = [
        (scaled(mfcc.astype(float)), "that is over all clips. Each *actor* is a standard of their "
         "own: go through `np.unique(actor)`."),
        (each(lambda own: own - own.mean(axis=0)), "the mean is 0, but the deviation is not 1: "
         "divide by `own.std(axis=0)`."),
        (each(lambda own: own / own.std(axis=0)), "the deviation is 1, but the mean is not 0: "
         "subtract `own.mean(axis=0)` first."),
        (each(lambda own: scaled(own, ddof=1)), "nearly: pandas divides by the number of clips "
         "less one. `np.std`, or `std(ddof=0)`."),
        (each(lambda own: scaled(own, 1)), "that is over the coefficients of each clip. Over the "
         "*clips*: `axis=0`."),
        (each(lambda own: scaled(own, None)), "each coefficient has a mean of its own: "
         "`own.mean(axis=0)`."),
    ]  # fmt: skip
    otherwise = "for each actor every coefficient should have mean 0 and deviation 1."
    compare(found, each(scaled), mistakes, otherwise, within=1e-3)
