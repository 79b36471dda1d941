"""The exercises of 00-start-here.ipynb."""

import reprlib
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.course.checks.judging import AnswerError, call, compare, exercise, number, refuse


@exercise("0.1")
def _number_of_clips(answer: object, clips: pd.DataFrame) -> None:
    if not isinstance(clips, pd.DataFrame) or "emotion" not in clips:
        raise AnswerError("`clips` is no table any more. Run the lesson's cells from the top.")
    found = number(answer, "number_of_clips")
    counted = clips[clips["emotion"] != 1]
    mistakes = [
        (len(clips), "that is how many clips there are. Leave out those with emotion 1."),
        (len(clips) - len(counted), "those are the neutral ones. Count the others."),
        (counted.size, "that is rows times columns. Count the rows alone."),
        (counted.shape[1], "that is the number of columns. Count the rows."),
    ]
    otherwise = f"{found:g} is not the number of rows without emotion 1. Try `query`, then `len`."
    compare(found, len(counted), mistakes, otherwise)


@exercise("0.2")
def _seconds_of(answer: object) -> None:
    rng = np.random.default_rng()
    for rate in (8000, 22_050):
        samples = int(rng.integers(rate, 3 * rate)) | 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sound.wav"
            soundfile.write(path, rng.uniform(-0.5, 0.5, samples), rate)
            found = number(call(answer, path), "the result")
        mistakes = [
            (samples, "that is the number of samples. How many of them make a second?"),
            (rate, "that is the sampling rate. How many samples are there?"),
            (rate / samples, "upside down: you divide the rate by the number of samples."),
            (samples // rate, "whole seconds only. Use `/`, which keeps the fraction, not `//`."),
            (samples / 48_000, "you divide by 48 000 always. Recordings differ: use their rate."),
        ]
        right = samples / rate
        compare(found, right, mistakes, f"a sound of {right:.3f} s came out as {found:.3f} s.")


@exercise("0.3")
def _loudest_values(answer: object) -> None:
    rng = np.random.default_rng()
    sounds = rng.uniform(-0.1, 0.08, (2, 2, 8, 900))
    sounds[..., 300] = -rng.uniform(0.1, 0.9, (2, 2, 8))  # found out where `abs` is forgotten
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for take, actor, code in np.ndindex(2, 2, 8):
            name = ClipName(3, 1, code + 1, 1, 1, take + 1, (3, 8)[actor])
            path = Path(folder) / f"{name}.wav"
            soundfile.write(path, sounds[take, actor, code], 8000, subtype="FLOAT")
            rows.append(asdict(name) | {"clip": name.clip, "sound": path})
        found = _values(answer, pd.DataFrame(rows))
    if not isinstance(found, dict):
        raise AnswerError("return a dictionary: from the emotion's name to its loudest value.")
    refuse(set(found) == set(range(1, 9)), "the keys are codes. Use the emotions' names.")
    if set(found) != set(EMOTIONS):
        keys = reprlib.repr(list(found))
        raise AnswerError(f"the keys should be the eight emotions' names, and are {keys}.")
    given = [number(found[name], "each value") for name in EMOTIONS]
    asked, other = sounds[0, 1], sounds[0, 0]
    mistakes = [
        (asked.max(axis=1), "sound swings below zero, too. Take `abs` before `max`."),
        (abs(other).max(axis=1), "that is another actor. Choose the rows of the actor asked for."),
        (abs(asked).mean(axis=1), "that is the mean. The loudest value is the maximum."),
    ]
    otherwise = "the values differ. Is it the *first* clip of each emotion, and its maximum?"
    compare(given, abs(asked).max(axis=1), mistakes, otherwise, within=1e-3)


def _values(answer: object, clips: pd.DataFrame) -> object:
    """What the answer returns about actor 8; where it finds no row it is told why."""
    try:
        return call(answer, clips, 8)
    except AnswerError as wrong:
        none = "IndexError" in f"{wrong} {wrong.__cause__!r}"  # a grader's process sends the text
        refuse(none, "no clip was found. Ask for actor and emotion alone: neutral is never strong.")
        raise
