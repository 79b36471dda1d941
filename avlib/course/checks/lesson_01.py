"""The exercises of 01-explore-the-dataset.ipynb."""

from collections.abc import Callable
from math import isclose

import numpy as np
import pandas as pd

from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.course.checks.judging import AnswerError, call, exercise, mistaken, number


@exercise("1.1")
def _file_name(answer: object) -> None:
    wanted = ClipName(3, 1, 7, 2, 2, 2, 7)
    fields = ("modality", "channel", "emotion", "intensity", "statement", "repetition", "actor")
    if not isinstance(answer, str):
        raise AnswerError("should be a text, in quotation marks.")
    try:
        found = ClipName.parse(answer)
    except ValueError as error:
        raise AnswerError(
            "that is no name of RAVDESS. It has seven codes of two digits, with dashes between, "
            "as 03-01-05-02-01-01-12.wav."
        ) from error
    wrong = [field for field in fields if getattr(found, field) != getattr(wanted, field)]
    if wrong:
        raise AnswerError(f"look again at {', '.join(wrong)}.")
    if not answer.endswith(".wav"):
        raise AnswerError("the codes are right. A file with sound alone ends in `.wav`.")


@exercise("1.2")
def _count_takes(answer: object) -> None:
    rng = np.random.default_rng()
    columns = ["actor", "emotion", "intensity", "statement"]
    takes = pd.DataFrame(
        [(a, e, i, s) for a in (2, 5, 9) for e in range(2, 9) for i in (1, 2) for s in (1, 2)],
        columns=columns,
    )
    # Actor 9 says one statement only, so that each mistake comes to a number of its own.
    takes = takes.query("actor != 9 or statement == 1").sample(
        rng.integers(66, 69), random_state=rng
    )
    clips = pd.concat([takes.assign(repetition=1), takes[:50].assign(repetition=2)])
    clips = clips.sample(frac=1, random_state=rng).reset_index(drop=True)
    clips["clip"] = clips.index.astype(str)
    found = number(call(answer, clips), "the result")
    if found == len(takes):
        return
    mistakes = [
        (len(clips), "that is the number of clips. Both repetitions belong to one take."),
        (len(clips) / 2, "not every take has two clips. Count the different combinations."),
        (len(clips) // 2, "not every take has two clips. Count the different combinations."),
    ]
    for column in columns:
        others = [other for other in columns if other != column]
        hint = f"clips that differ in {column} are different takes."
        mistakes.append((clips.groupby(others).ngroups, hint))
    mistaken(found, mistakes, f"a table with {len(takes)} takes came out as {found:g}.")


@exercise("1.3")
def _loudness_recogniser_accuracy(answer: object) -> None:
    rng = np.random.default_rng()
    emotion = rng.choice(EMOTIONS[:4], 200)
    loudness = rng.gamma(1.0, 4.0, 200) + 6 * np.array([EMOTIONS.index(name) for name in emotion])
    named = pd.DataFrame({"emotion": emotion, "loudness (dB)": loudness})
    found = number(call(answer, named), "the result")

    def share(centres: pd.Series, nearest: Callable[[pd.Series], str]) -> float:
        decided = [nearest(centres - value) for value in loudness]
        return float((emotion == np.array(decided)).mean())

    by_emotion = named.groupby("emotion")["loudness (dB)"]
    medians, means = by_emotion.median(), by_emotion.mean()

    def close(differences: pd.Series) -> str:
        return differences.abs().idxmin()

    right = share(medians, close)
    if isclose(found, right, abs_tol=1e-6):
        return
    mistakes = [
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
        (share(medians, pd.Series.idxmin), "near means a small *absolute* difference: `abs`."),
        (share(medians, lambda d: d.abs().idxmax()), "that is the *farthest* median: `idxmin`."),
        (share(means, close), "those are means. Take the medians."),
        (1 - right, "that is the share it gets *wrong*."),
    ]
    mistaken(found, mistakes, f"a table with a share of {right:.3f} came out as {found:.3f}.")
