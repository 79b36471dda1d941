"""The exercises of 05-the-accuracy-comparison.ipynb."""

from math import isclose

import numpy as np
import pandas as pd

from avlib.course.checks.judging import AnswerError, array, call, exercise, mistaken, number


@exercise("5.1")
def _always_calm(answer: object) -> None:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise AnswerError("two numbers are asked for: accuracy and UAR.")
    accuracy, uar = (number(part, "each of the two") for part in answer)
    if isclose(accuracy, 192 / 1440, abs_tol=1e-3) or isclose(uar, 1 / 8):
        raise AnswerError("in per cent, please: times 100.")
    if not isclose(accuracy, 100 * 192 / 1440, abs_tol=0.05):
        raise AnswerError("the accuracy is the share of clips that *are* calm.")
    if isclose(uar, 100):
        raise AnswerError("the recall of calm is 100 %, but the other seven count as well.")
    if isclose(uar, accuracy, abs_tol=0.05):
        raise AnswerError("the UAR counts each *emotion* the same, however many clips it has.")
    if not isclose(uar, 12.5, abs_tol=0.05):
        raise AnswerError("the UAR is the mean of eight recalls, seven of which are 0.")


@exercise("5.2")
def _uar(answer: object) -> None:
    rng = np.random.default_rng()
    label = rng.choice([1, 2, 4, 5, 8], 300, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    decided = np.where(rng.random(300) < 0.5, label, rng.choice([1, 2, 4, 5], 300))
    found = number(call(answer, label, decided), "the result")
    recalls = [(decided[label == code] == code).mean() for code in np.unique(label)]
    right = float(np.mean(recalls))
    if isclose(found, right, abs_tol=1e-6):
        return
    precisions = [(label[decided == code] == code).mean() for code in np.unique(decided)]
    mistakes = [
        ((label == decided).mean(), "that is the accuracy. Each *emotion* should count the same."),
        (
            np.mean(precisions),
            "those are precisions: look at the clips *labelled* so.",
        ),
        (np.sum(recalls) / 8, "you divide by 8, and not all eight emotions occur: `np.unique`."),
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
        (np.sum(recalls), "that is the sum of the recalls. The UAR is their mean."),
    ]
    mistaken(found, mistakes, f"a UAR of {right:.3f} came out as {found:.3f}.")


@exercise("5.3")
def _colleagues_split(answer: object) -> None:
    rng = np.random.default_rng()
    pairs = rng.integers(4, 7, 30)
    names = [f"clip-{number:02d}" for number in rng.permutation(30)]
    rows = pd.DataFrame({"clip": np.repeat(names, pairs)})
    rows["clip_number"] = np.repeat(np.arange(30), pairs)
    rows["actor"], rows["emotion"] = rows["clip_number"] % 5, rows["clip_number"] % 8 + 1
    found = call(answer, rows)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise AnswerError("return two arrays: train, test.")
    train, test = (_row_numbers(side, len(rows)) for side in found)
    first = np.flatnonzero(~rows.duplicated("clip").to_numpy()).tolist()
    later = sorted(set(range(len(rows))) - set(first))
    if (sorted(train), sorted(test)) == (later, first):
        return
    if (sorted(train), sorted(test)) == (first, later):
        raise AnswerError("the sides are swapped: train first, then test.")
    if train & test:
        raise AnswerError("some rows are on both sides.")
    if test == set(range(0, len(rows), 6)):
        raise AnswerError("you take every sixth row; but some clips have fewer than six pairs.")
    if neither := len(rows) - len(train | test):
        raise AnswerError(f"{neither} rows are on neither side.")
    raise AnswerError("for testing: the *first* row of each clip, and no other.")


def _row_numbers(side: object, rows: int) -> set[int]:
    """One side of a split; what cannot choose rows is a hint."""
    found = array(side, "each side")
    if found.ndim != 1:
        raise AnswerError(f"each side is a row of row numbers; yours has the shape {found.shape}.")
    chosen = set(found.tolist())
    if len(chosen) < len(found):
        raise AnswerError("a row stands twice on one side.")
    if not chosen <= set(range(rows)):
        raise AnswerError(f"row numbers are whole, and go from 0 to {rows - 1}.")
    return {int(row) for row in chosen}
