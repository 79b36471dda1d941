"""The exercises of 05-the-accuracy-comparison.ipynb."""

from math import isclose

import numpy as np
import pandas as pd

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number, refuse


@exercise("5.1")
def _always_calm(answer: object) -> None:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise AnswerError("two numbers are asked for: accuracy and UAR.")
    accuracy, uar = (number(part, "each of the two") for part in answer)
    if isclose(accuracy, 192 / 1440, abs_tol=1e-3) or isclose(uar, 1 / 8):
        raise AnswerError("in per cent, please: times 100.")
    right = 100 * 192 / 1440
    compare(accuracy, right, [], "the accuracy is the share of clips that *are* calm.", 0.05)
    mistakes = [
        (100, "the recall of calm is 100 %, but the other seven count as well."),
        (right, "the UAR counts each *emotion* the same, however many clips it has."),
    ]
    otherwise = "the UAR is the mean of eight recalls, seven of which are 0."
    compare(uar, 12.5, mistakes, otherwise, within=0.05)


@exercise("5.2")
def _uar(answer: object) -> None:
    rng = np.random.default_rng()
    label = rng.choice([1, 2, 4, 5, 8], 300, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    decided = np.where(rng.random(300) < 0.5, label, rng.choice([1, 2, 4, 5], 300))
    found = number(call(answer, label, decided), "the result")
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
def _colleagues_split(answer: object) -> None:
    rng = np.random.default_rng()
    clip = np.repeat(np.arange(30), rng.integers(4, 7, 30))
    names = rng.permutation([f"clip-{number:02d}" for number in range(30)])
    rows = pd.DataFrame({"clip": names[clip], "clip_number": clip})
    rows["actor"], rows["emotion"] = clip % 5, clip % 8 + 1
    found = call(answer, rows)
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
    found = array(side, "each side")
    if found.ndim != 1:
        raise AnswerError(f"each side is a row of row numbers; yours has the shape {found.shape}.")
    chosen = set(found.tolist())
    refuse(len(chosen) < len(found), "a row stands twice on one side.")
    if not chosen <= set(range(rows)):
        raise AnswerError(f"row numbers are whole, and go from 0 to {rows - 1}.")
    return chosen
