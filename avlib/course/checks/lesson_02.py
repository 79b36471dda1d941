"""The exercises of 02-mfcc-and-frame-pairs.ipynb."""

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number
from avlib.features import audio


@exercise("2.1")
def _analysis_frames(answer: object) -> None:
    rng = np.random.default_rng()
    for hop, over in ((512, int(rng.integers(1, 512))), (160, 80), (160, 0)):
        samples = int(rng.integers(30, 90)) * hop + over
        found = number(call(answer, samples, hop), "the result")
        right = 1 + samples // hop
        if found != right and not over:
            raise AnswerError(
                f"nearly: {samples} samples are {samples // hop} whole hops, and the frame at "
                "their end counts, too. Round down, then add 1."
            )
        mistakes = [
            (samples // hop, "one too few: there is a frame at sample 0, too."),
            (samples / hop, "a number of frames is whole: `//`. And there is one at sample 0."),
            (1 + samples / hop, "a number of frames is whole: use `//`."),
            (1 + samples // 512, "you divide by 512 always. Use the argument `hop`."),
            (1 + (samples - 2048) // hop, "so many lie wholly inside the sound. Ours are "
             "*centred* on 0, 512, ….",),
        ]  # fmt: skip
        otherwise = f"{samples} samples with a hop of {hop} came out as {found:g}."
        compare(found, right, mistakes, otherwise)


@exercise("2.2")
def _pair_times_across(answer: object) -> None:
    found = array(call(answer), "the result")
    borders = np.arange(0.5, 3.0, 0.5)
    right = np.stack([borders - 0.1, borders + 0.1], axis=1)
    otherwise = "the first pair should be 0.4 and 0.6 s, the next 0.9 and 1.1 s."
    if found.ndim != 2 or found.shape[1] != 2:
        otherwise = f"one row a pair, two columns; yours has the shape {found.shape}."
    elif len(found) != 5:
        otherwise = (
            f"there are five borders, from 0.5 to 2.5 s, and you have {len(found)} pairs. At 0 and "
            "at 3.0 s there is no window on both sides."
        )
    mistakes = [
        (right.T, "the axes are swapped: one *row* a pair, so `axis=1`."),
        (right[:, ::-1], "the earlier frame comes first."),
    ]
    compare(found, right, mistakes, otherwise)


@exercise("2.3")
def _mean_and_deviation(answer: object) -> None:
    rng = np.random.default_rng()
    rate = 48_000
    sound = rng.uniform(-0.5, 0.5, 2 * rate) * np.linspace(0.05, 1, 2 * rate)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound, rate, subtype="FLOAT")
        loaded, _ = audio.load(path)
        found = array(call(answer, path), "the result")
    table = audio.mfcc(audio.resample(loaded, rate, 22_050), 22_050)
    means, deviations = table.mean(axis=1), table.std(axis=1)
    otherwise = "the numbers differ. Is the sound resampled to 22 050 Hz before `audio.mfcc`?"
    if found.shape == (2, 40):
        otherwise = "80 numbers in one row; yours are two rows of 40. `np.concatenate` joins them."
    elif found.shape == (2 * table.shape[1],):
        otherwise = "one number a *frame*: the wrong axis. Time is axis 1."
    elif found.shape != (80,):
        otherwise = f"80 numbers are asked for; yours has the shape {found.shape}."
    mistakes = [
        (np.concatenate([deviations, means]), "the means come first, then the deviations."),
        (np.concatenate([means, table.var(axis=1)]), "that is the variance, the square of the "
         "standard deviation: `std`."),
    ]  # fmt: skip
    compare(found, np.concatenate([means, deviations]), mistakes, otherwise, within=0.05)
