"""The exercises of 01-explore-the-dataset.ipynb."""

import itertools

import numpy as np
import pandas as pd

from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.course.checks.judging import AnswerError, call, compare, exercise, number, refuse


@exercise("1.1")
def _file_name(answer: object) -> None:
    refuse(not isinstance(answer, str), "should be a text, in quotation marks.")
    try:
        found = vars(ClipName.parse(answer))
    except ValueError:
        raise AnswerError(
            "that is no name of RAVDESS. It has seven codes of two digits, with dashes between, "
            "as 03-01-05-02-01-01-12.wav."
        ) from None
    asked = ClipName(3, 1, 7, 2, 2, 2, 7)
    wrong = [field for field, code in vars(asked).items() if found[field] != code]
    refuse(wrong, f"look again at {', '.join(wrong)}.")
    if answer != f"{asked}.wav":
        raise AnswerError("the codes are right. After them comes `.wav`, and nothing else.")


@exercise("1.2")
def _count_takes(answer: object) -> None:
    rng = np.random.default_rng()
    columns = ["actor", "emotion", "intensity", "statement"]
    every = itertools.product((2, 5, 9), range(2, 9), (1, 2), (1, 2))
    # Actor 9 says one statement only, so that each mistake comes to a number of its own.
    takes = pd.DataFrame(every, columns=columns).query("actor != 9 or statement == 1")
    takes = takes.sample(rng.integers(66, 69), random_state=rng)
    clips = pd.concat([takes.assign(repetition=1), takes[:50].assign(repetition=2)])
    clips = clips.sample(frac=1, random_state=rng).reset_index(drop=True)
    clips["clip"] = clips.index.astype(str)
    found = number(call(answer, clips), "the result")
    mistakes = [
        (len(clips), "that is the number of clips. Both repetitions belong to one take."),
        (len(clips) / 2, "not every take has two clips. Count the different combinations."),
        (len(clips) // 2, "not every take has two clips. Count the different combinations."),
    ]
    for column in columns:
        fewer = len(takes.drop(columns=column).drop_duplicates())
        mistakes.append((fewer, f"clips that differ in {column} are different takes."))
    otherwise = f"a table with {len(takes)} takes came out as {found:g}."
    compare(found, len(takes), mistakes, otherwise)


@exercise("1.3")
def _loudness_recogniser_accuracy(answer: object) -> None:
    rng = np.random.default_rng()
    emotion = rng.choice(EMOTIONS[:4], 200)
    loudness = rng.gamma(1.0, 4.0, 200) + 6 * np.array([EMOTIONS.index(name) for name in emotion])
    named = pd.DataFrame({"emotion": emotion, "loudness (dB)": loudness})
    found = number(call(answer, named), "the result")

    def less(centres: pd.Series) -> pd.DataFrame:
        return pd.DataFrame({name: centre - loudness for name, centre in centres.items()})

    def share(differences: pd.DataFrame) -> float:
        return float((emotion == differences.idxmin(axis=1)).mean())

    by_emotion = named.groupby("emotion")["loudness (dB)"]
    medians, means = less(by_emotion.median()), less(by_emotion.mean())
    right = share(medians.abs())
    mistakes = [
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
        (share(medians), "near means a small *absolute* difference: `abs`."),
        (share(-medians.abs()), "that is the *farthest* median: `idxmin`."),
        (share(means.abs()), "those are means. Take the medians."),
        (1 - right, "that is the share it gets *wrong*."),
    ]
    compare(found, right, mistakes, f"a table with a share of {right:.3f} came out as {found:.3f}.")
