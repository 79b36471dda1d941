"""The exercises of 02-mfcc-and-frame-pairs.ipynb."""

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from avlib.course.checks.judging import AnswerError, array, call, exercise, mistaken, noise, number
from avlib.features import audio


@exercise("2.1")
def _analysis_frames(answer: object) -> None:
    rng = np.random.default_rng()
    for hop, over in ((512, int(rng.integers(1, 512))), (160, 80), (160, 0)):
        samples = int(rng.integers(30, 90)) * hop + over
        found = number(call(answer, samples, hop), "the result")
        if found == 1 + samples // hop:
            continue
        if not over:
            raise AnswerError(
                f"nearly: {samples} samples are {samples // hop} whole hops, and the frame at "
                "their end counts, too. Round down, then add 1."
            )
        mistakes = [
            (samples // hop, "one too few: there is a frame at sample 0, too."),
            (samples / hop, "a number of frames is whole: `//`. And there is one at sample 0."),
            (1 + samples / hop, "a number of frames is whole: use `//`."),
            (1 + samples // 512, "you divide by 512 always. Use the argument `hop`."),
            (
                1 + (samples - 2048) // hop,
                "so many lie wholly inside the sound. Ours are *centred* on 0, 512, ….",
            ),
        ]
        mistaken(found, mistakes, f"{samples} samples with a hop of {hop} came out as {found:g}.")


@exercise("2.2")
def _pair_times_across(answer: object) -> None:
    found = array(call(answer), "the result")
    borders = np.arange(0.5, 3.0, 0.5)
    right = np.stack([borders - 0.1, borders + 0.1], axis=1)
    if found.shape == right.shape and np.allclose(found, right):
        return
    if found.shape == right.T.shape and np.allclose(found, right.T):
        raise AnswerError("the axes are swapped: one *row* a pair, so `axis=1`.")
    if found.ndim != 2 or found.shape[1] != 2:
        raise AnswerError(f"one row a pair, two columns; yours has the shape {found.shape}.")
    if found.shape == right.shape and np.allclose(found[:, ::-1], right):
        raise AnswerError("the earlier frame comes first.")
    if len(found) != 5:
        raise AnswerError(
            f"there are five borders, from 0.5 to 2.5 s, and you have {len(found)} pairs. At 0 and "
            "at 3.0 s there is no window on both sides."
        )
    raise AnswerError("the first pair should be 0.4 and 0.6 s, the next 0.9 and 1.1 s.")


@exercise("2.3")
def _mean_and_deviation(answer: object) -> None:
    rng = np.random.default_rng()
    rate = 48_000
    sound = noise(rng, 2 * rate) * np.linspace(0.05, 1, 2 * rate, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound, rate, subtype="FLOAT")
        loaded, _ = audio.load(path)
        found = array(call(answer, path), "the result")
    table = audio.mfcc(audio.resample(loaded, rate, 22_050), 22_050)
    means, deviations = table.mean(axis=1), table.std(axis=1)

    def equal(other: np.ndarray) -> bool:
        return found.shape == other.shape and np.allclose(found, other, atol=0.05)

    if equal(np.concatenate([means, deviations])):
        return
    if found.shape == (2, 40):
        raise AnswerError(
            "80 numbers in one row; yours are two rows of 40. `np.concatenate` joins them."
        )
    if found.shape == (2 * table.shape[1],):
        raise AnswerError("one number a *frame*: the wrong axis. Time is axis 1.")
    if equal(np.concatenate([deviations, means])):
        raise AnswerError("the means come first, then the deviations.")
    if equal(np.concatenate([means, table.var(axis=1)])):
        raise AnswerError("that is the variance, the square of the standard deviation: `std`.")
    if found.shape != (80,):
        raise AnswerError(f"80 numbers are asked for; yours has the shape {found.shape}.")
    raise AnswerError(
        "the numbers differ. Is the sound resampled to 22 050 Hz before `audio.mfcc`?"
    )
