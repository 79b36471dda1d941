"""The exercises of 05-the-accuracy-comparison.ipynb."""

import numpy as np
import pandas as pd
from scipy import stats

from avlib.course.checks.judging import (
    AnswerError,
    array,
    call,
    compare,
    exercise,
    number,
    refuse,
)


def _call(answer: object, hints: dict[str, str], *given: object) -> object:
    """What the learner's function returns; of errors of these names it is said what to do.

    By name, since a grader's process rebuilds an error as a class of its own.
    """
    try:
        return call(answer, *given)
    except AnswerError as wrong:
        hint = hints.get(type(wrong.__cause__).__name__)
        if hint is None:
            raise
        raise AnswerError(f"{hint} It stopped with") from wrong.__cause__


@exercise("5.1")
def _colleagues_split(answer: object) -> None:
    rng = np.random.default_rng()
    clip = np.repeat(np.arange(30), rng.integers(4, 7, 30))
    names = rng.permutation([f"clip-{number:02d}" for number in range(30)])
    rows = pd.DataFrame({"clip": names[clip], "clip_number": clip})
    rows["actor"], rows["emotion"] = clip % 5, clip % 8 + 1
    rows["repetition"], rows["statement"], rows["intensity"] = clip % 2 + 1, clip % 2 + 1, 1
    column = "which clip a row is of stands in `clip`; the rows of a clip follow one another."
    found = _call(answer, {"KeyError": f"`rows` has no such column: {column}"}, rows)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise AnswerError("return two arrays: train, test.")
    train, test = (_row_numbers(side, len(rows)) for side in found)
    first = np.flatnonzero(~rows.duplicated("clip").to_numpy()).tolist()
    later = sorted(set(range(len(rows))) - set(first))
    sides = (sorted(train), sorted(test))
    if sides == (later, first):
        return
    refuse(sides == (first, later), "the sides are swapped: train first, then test.")
    refuse(train & test, "some rows are on both sides.")
    if test == set(range(0, len(rows), 6)):
        raise AnswerError("you take every sixth row; but some clips have fewer than six pairs.")
    neither = len(rows) - len(train | test)
    refuse(neither, f"{neither} rows are on neither side.")
    raise AnswerError("for testing: the *first* row of each clip, and no other.")


def _row_numbers(side: object, rows: int) -> set[float]:
    """One side of a split; what cannot choose rows is a hint."""
    try:
        found = array(side, "each side")
    except AnswerError as wrong:
        raise AnswerError(f"{wrong} A side is row numbers: no table, no names, no marks.") from None
    if found.ndim != 1:
        raise AnswerError(f"each side is a row of row numbers; yours has the shape {found.shape}.")
    chosen = set(found.tolist())
    refuse(len(chosen) < len(found), "a row stands twice on one side.")
    if not chosen <= set(range(rows)):
        raise AnswerError(f"row numbers are whole, and go from 0 to {rows - 1}.")
    return chosen


@exercise("5.2")
def _uar(answer: object) -> None:
    rng = np.random.default_rng()
    label = rng.choice([1, 2, 4, 5, 8], 300, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    decided = np.where(rng.random(300) < 0.5, label, rng.choice([1, 2, 4, 5], 300))
    found = call(answer, label, decided)
    if isinstance(found, float) and np.isnan(found):
        raise AnswerError(
            "that is NaN. Some emotions do not occur here, and the mean of no clips is NaN: go "
            "over `np.unique(label)`, not over all eight."
        )
    found = number(found, "the result")
    recalls = [(decided[label == code] == code).mean() for code in np.unique(label)]
    right = float(np.mean(recalls))
    precisions = [(label[decided == code] == code).mean() for code in np.unique(decided)]
    mistakes = [
        ((label == decided).mean(), "that is the accuracy. Each *emotion* should count the same."),
        (np.mean(precisions), "those are precisions: look at the clips *labelled* so."),
        (np.sum(recalls) / 8, "you divide by 8, and not all eight emotions occur: `np.unique`."),
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
        (np.sum(recalls), "that is the sum of the recalls. The UAR is their mean."),
    ]
    compare(found, right, mistakes, f"a UAR of {right:.3f} came out as {found:.3f}.")


@exercise("5.3")
def _confusion(answer: object) -> None:
    rng = np.random.default_rng()
    label = rng.choice([1, 2, 4, 5, 8], 200)
    decided = np.where(rng.random(200) < 0.5, label, rng.choice([1, 2, 4, 7], 200))
    beyond = "codes begin at 1 and rows at 0, so take 1 away."
    found = array(_call(answer, {"IndexError": beyond}, label, decided), "the matrix")
    right = np.zeros((8, 8))
    np.add.at(right, (label - 1, decided - 1), 1)
    occur = [len(np.unique(codes)) for codes in (label, decided, [label, decided])]
    refuse(found.shape == (9, 9), f"there are nine rows and columns: {beyond}")
    if found.shape in {tuple(occur[:2]), tuple(occur[1::-1]), (occur[2], occur[2])}:
        raise AnswerError("emotions that do not occur have a row and a column, too: 8 by 8.")
    refuse(found.shape != (8, 8), f"the matrix is 8 by 8, and yours has the shape {found.shape}.")
    marked = (right > 0).astype(float)
    shares = right / right.sum(axis=1, keepdims=True).clip(min=1)
    mistakes = [
        (right.T, "rows and columns are swapped: a row for each *true* label."),
        (np.roll(right, (1, 1), (0, 1)), "all is moved by one: code 1 belongs into row 0."),
        (marked, "each cell holds 1 at most: several clips share a cell, so *add* 1 for each."),
        (shares, "those are shares of the rows. Counts are asked for."),
        (np.diag(np.diag(right)), "only the right ones are counted, and the mistakes matter most."),
    ]
    total = f"{found.sum():.0f} clips are counted, of {len(label)}, or they stand in other cells."
    compare(found, right, mistakes, total)


@exercise("5.4")
def _paired_interval(answer: object) -> None:
    rng = np.random.default_rng()
    actors = int(rng.integers(6, 17))
    theirs = rng.uniform(0.3, 0.7, actors)  # some actors are hard for both
    ours = theirs + rng.normal(0.05, 0.04, actors)
    three = "return three numbers: the mean difference, its lower bound, its upper bound."
    found = call(answer, ours, theirs)
    refuse(not isinstance(found, tuple | list | np.ndarray), three)
    try:
        found = array(found, "the result")
    except AnswerError as wrong:
        raise AnswerError(f"{three} {wrong}") from None
    refuse(found.shape != (3,), three)
    gain = ours - theirs
    middle, spread, root = gain.mean(), gain.std(ddof=1), np.sqrt(actors)
    t = stats.t.ppf(0.975, actors - 1)
    apart = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / actors)

    def around(reach: float) -> list[float]:
        return [middle, middle - reach, middle + reach]

    right = around(t * spread / root)
    mistakes = [
        (around(t * apart), "you spread the two systems apart: take each *actor's* difference "
         "first. What makes an actor hard for both then drops out."),
        (around(t * gain.std() / root), "`np.std` divides by n. Of a sample, divide by n - 1: "
         "`ddof=1`."),
        (around(t * spread), "that is how far *actors* spread. Their mean spreads less: divide by "
         "the square root of how many they are."),
        (around(t * spread / actors), "divide by the *square root* of the number of actors."),
        (around(1.96 * spread / root), "1.96 is of the normal distribution, for very many actors. "
         "For so few take Student's t."),
        (around(stats.t.ppf(0.95, actors - 1) * spread / root), "5 % are left on *each* side: "
         "95 % between the bounds leaves 2.5 % on each."),
        (around(stats.t.ppf(0.975, actors) * spread / root), "n actors leave n - 1 degrees of "
         "freedom."),
        ([-right[0], -right[2], -right[1]], "the sign is turned round: `ours - theirs`."),
        ([right[0], right[2], right[1]], "the lower bound comes before the upper one."),
        ([middle, middle - right[1], right[2] - middle], "the bounds are the mean less and plus "
         "the reach, not the reach itself."),
        (100 * np.array(right), "shares lie between 0 and 1; this is in per cent."),
    ]  # fmt: skip
    said = f"{right[0]:.3f} ({right[1]:.3f} to {right[2]:.3f})"
    yours = f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})"
    otherwise = f"the difference of {said} came out as {yours}."
    if np.isclose(found[0], middle):
        otherwise = f"the mean is right; bounds of {right[1]:.3f} and {right[2]:.3f} came out as "
        otherwise += f"{found[1]:.3f} and {found[2]:.3f}."
    compare(found, right, mistakes, otherwise)
