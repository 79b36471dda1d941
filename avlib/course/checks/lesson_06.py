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


_TRIED = range(24)


@exercise("6.2")
def _over_actors(answer: object) -> None:
    # Of so many inputs each was tried with each mistake: two mistakes can be told apart in all.
    rng = np.random.default_rng(np.random.default_rng().choice(_TRIED))
    right, actor = _few_actors(rng)
    seed = int(rng.integers(1000))
    found = array(call(answer, right, actor, 3000, seed), "the result")
    if found.size > 2:
        raise AnswerError("those are all the draws. Return the two bounds between which 95 % lie.")
    refuse(found.shape != (2,), "return two numbers, the lower bound and the upper one.")
    refuse(
        np.ptp(found) < 1e-9,
        "all your draws give the same. Draw *with* replacement, `rng.choice(…, replace=True)`, and "
        "make `rng` once, before the first draw.",
    )
    refuse(found[0] > found[1], "the lower bound comes first.")
    refuse(found[1] > 1, "as shares, 0 to 1, please, not in per cent.")
    wanted, mistakes = _drawn(right, actor, rng)

    def away(bounds: np.ndarray) -> float:
        return np.abs(found - bounds).max() / np.ptp(wanted)

    # 3000 draws leave less than 0.025 to chance; the mistakes lie 0.05 away, and more.
    if away(wanted) > 0.035:
        likely, hint = min(mistakes, key=lambda each: away(each[0]))
        refuse(away(likely) < 0.12, hint)
        raise AnswerError(
            f"with the actors here, right in {right.mean():.2f} of clips, the interval is about "
            f"{wanted[0]:.2f} to {wanted[1]:.2f}. Yours is {found[0]:.3g} to {found[1]:.3g}."
        )


def _few_actors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Right or not, and whose clip, shuffled: four actors with four clips, two with many.

    They were searched for: each mistake moves a bound further than chance does, and its own way.
    """
    clips, hits = [4, 4, 4, 4, 15, 28], [4, 2, 2, 2, 5, 3]
    right = np.concatenate([np.arange(of) < these for of, these in zip(clips, hits, strict=True)])
    actor = np.repeat(rng.permutation(np.arange(1, 25))[: len(clips)], clips)
    order = rng.permutation(len(actor))
    return right[order] != (rng.random() < 0.5), actor[order]  # or the other way round


def _drawn(
    right: np.ndarray, actor: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]]:
    """The interval over actors, and what mistaken learners find."""
    whose = np.unique(actor, return_inverse=True)[1]
    hits, clips = np.bincount(whose, right), np.bincount(whose)
    many, few, times = len(right), len(clips), 20_000

    def shares(chosen: np.ndarray) -> np.ndarray:
        return hits[chosen].sum(axis=1) / clips[chosen].sum(axis=1)

    def bounds(drawn: np.ndarray, out: float = 0.025) -> np.ndarray:
        return np.quantile(drawn, [out, 1 - out])

    chosen = rng.integers(few, size=(times, few))
    drawn = shares(chosen)
    inside = rng.binomial(clips[chosen], (hits / clips)[chosen]).sum(axis=1)
    once = np.zeros((times, few))
    np.put_along_axis(once, chosen, 1, axis=1)
    around = np.array([-1, 1]) * drawn.std()
    deviation = "that is a mean and standard deviations. Sort the draws, and leave out the lowest "
    deviation += "and the highest 2.5 %: `np.quantile`."
    mistakes = [
        (bounds(right[rng.integers(many, size=(times, many))].mean(axis=1)), "you draw clips: "
         "other clips of the same people. Draw *actors*, each with all of their clips."),
        (bounds(inside / clips[chosen].sum(axis=1)), "you draw each actor's clips again, too. An "
         "actor who is drawn brings all of their clips, each once."),
        (bounds(drawn, 0.05), "those bounds leave out 5 % at *each* end, and hold 90 %. For 95 %, "
         "leave out 2.5 % at each: `np.quantile(shares, [0.025, 0.975])`."),
        (bounds((once @ hits) / (once @ clips)), "an actor who is drawn twice must count twice: "
         "`np.isin` asks only whether they were drawn at all."),
        (bounds(shares(rng.integers(few, size=(times, many)))), "you draw as many actors as there "
         "are clips. Draw as many as there are *actors*: `np.unique(actor)`."),
        (bounds(shares(whose[rng.integers(many, size=(times, few))])), "whoever has many clips is "
         "drawn more often so. Draw from `np.unique(actor)`, in which each stands once."),
        (bounds((hits / clips)[chosen].mean(axis=1)), "that is the mean of the actors' accuracies. "
         "Put the clips of all who were drawn together, and take the share of right ones."),
        *((drawn.mean() + reach * around, deviation) for reach in (1, 1.96, 2)),
    ]  # fmt: skip
    return bounds(drawn), mistakes


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
        (each(lambda own: scaled(own, ddof=1)), "nearly: this deviation divides by the number of "
         "clips minus one, as pandas and torch do unless told. Say `ddof=0`, or use `np.std`."),
        (each(lambda own: scaled(own, 1)), "that is over the coefficients of each clip. Over the "
         "*clips*: `axis=0`."),
        (each(lambda own: scaled(own, None)), "each coefficient has a mean of its own: "
         "`own.mean(axis=0)`."),
    ]  # fmt: skip
    otherwise = "for each actor every coefficient should have mean 0 and deviation 1."
    compare(found, each(scaled), mistakes, otherwise, within=1e-3)


@exercise("6.4")
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
