"""The exercises of 00-start-here.ipynb."""

import reprlib
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from math import isclose
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.course.checks.judging import AnswerError, call, exercise, mistaken, noise, number


@exercise("0.1")
def _number_of_clips(answer: object, clips: pd.DataFrame) -> None:
    if not isinstance(clips, pd.DataFrame):
        raise AnswerError("`clips` is no table any more. Run the lesson's cells from the top.")
    found = number(answer, "number_of_clips")
    if found != len(clips):
        mistakes = [
            (clips.shape[1], "that is the number of columns. Count the rows."),
            (clips.size, "that is rows times columns. Count the rows alone."),
            (clips["actor"].nunique(), "that is the number of actors. Count the rows."),
        ]
        mistaken(found, mistakes, f"{found:g} is not the number of rows. Try `len`.")


@exercise("0.2")
def _seconds_of(answer: object) -> None:
    rng = np.random.default_rng()
    for rate in (8000, 22_050):
        samples = int(rng.integers(rate, 3 * rate)) | 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sound.wav"
            soundfile.write(path, noise(rng, samples), rate)
            found = number(call(answer, path), "the result")
        if isclose(found, samples / rate, rel_tol=1e-6):
            continue
        mistakes = [
            (samples, "that is the number of samples. How many of them make a second?"),
            (rate, "that is the sampling rate. How many samples are there?"),
            (rate / samples, "upside down: you divide the rate by the number of samples."),
            (samples // rate, "whole seconds only. Use `/`, which keeps the fraction, not `//`."),
            (samples / 48_000, "you divide by 48 000 always. Recordings differ: use their rate."),
        ]
        right = samples / rate
        mistaken(found, mistakes, f"a sound of {right:.3f} s came out as {found:.3f} s.")


@exercise("0.3")
def _loudest_values(answer: object) -> None:
    rng = np.random.default_rng()
    rows, sounds = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for actor in (3, 8):
            for code in range(1, 9):
                for take in (1, 2):
                    path = Path(folder) / f"{actor}-{code}-{take}.wav"
                    sounds[actor, code, take] = noise(rng, 900, rng.uniform(0.1, 0.9))
                    soundfile.write(path, sounds[actor, code, take], 8000, subtype="FLOAT")
                    name = ClipName(3, 1, code, 1, 1, take, actor)
                    columns = asdict(name) | {"clip": f"{actor}-{code}-{take}", "sound": path}
                    rows.append(columns)
        found = call(answer, pd.DataFrame(rows), 8)
    if not isinstance(found, dict):
        raise AnswerError("return a dictionary: from the emotion's name to its loudest value.")
    if set(found) != set(EMOTIONS):
        if set(found) == set(range(1, 9)):
            raise AnswerError("the keys are codes. Use the emotions' names.")
        raise AnswerError(
            f"the keys should be the eight emotions' names, and are {reprlib.repr(list(found))}."
        )

    def values(actor: int, take: int, measure: Callable[[np.ndarray], float]) -> list[float]:
        return [measure(sounds[actor, code, take]) for code in range(1, 9)]

    given = [number(found[name], "each value") for name in EMOTIONS]
    if np.allclose(given, values(8, 1, lambda sound: abs(sound).max()), rtol=1e-3):
        return
    if np.allclose(given, values(8, 1, np.max), rtol=1e-3):
        raise AnswerError("sound swings below zero, too. Take `abs` before `max`.")
    if np.allclose(given, values(3, 1, lambda sound: abs(sound).max()), rtol=1e-3):
        raise AnswerError("that is another actor. Choose the rows of the actor asked for.")
    if np.allclose(given, values(8, 1, lambda sound: abs(sound).mean()), rtol=1e-3):
        raise AnswerError("that is the mean. The loudest value is the maximum.")
    raise AnswerError("the values differ. Is it the *first* clip of each emotion, and its maximum?")
