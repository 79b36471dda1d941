"""The exercises of 02-mfcc-and-frame-pairs.ipynb."""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import soundfile

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise
from avlib.features import audio


@exercise("2.1")
def _mel_filter(answer: object) -> None:
    rng = np.random.default_rng()
    tones = np.linspace(0, 11_025, 1025)
    low = float(rng.uniform(500, 4000))
    centre = low * float(rng.uniform(1.1, 1.3))
    high = centre + (centre - low) * float(rng.uniform(1.3, 2))
    found = array(call(answer, tones, low, centre, high), "the result")
    if found.shape != tones.shape:
        raise AnswerError(f"one weight for each of the {len(tones)} tones; yours: {found.shape}.")
    up, down = (tones - low) / (centre - low), (high - tones) / (high - centre)
    lines, area = np.minimum(up, down), 2 / (high - low)
    triangle = np.maximum(0, lines)
    even = np.maximum(0, 1 - np.abs(tones - centre) * area)
    inside = (tones > low) & (tones < high)
    rise, fall = (np.where(inside & side, triangle, 0) for side in (up <= 1, up > 1))
    unscaled = "the shape is right, but its highest weight is 1. Multiply by 2 / (high − low)."
    slopes = "both sides are equally steep in yours. The way down, from centre to high, is longer."
    mistakes = [
        (triangle, unscaled),
        (triangle * (high - low) / 2, "you divide by the 2 / (high − low) that you should "
         "multiply by."),
        (triangle * area / 2, "only half as high as it should be: it is 2 / (high − low)."),
        (triangle / triangle.sum(), "your weights add up to 1. Multiply the triangle, whose "
         "highest weight is 1, by 2 / (high − low)."),
        (even * area, slopes), (even, slopes),
        (inside * area, "inside the band all tones count equally in yours. The weight should rise "
         "to `centre` and fall again."),
        (rise * area, "it rises and never comes down: what holds from `centre` to `high`?"),
        (fall * area, "it falls and never goes up: what holds from `low` to `centre`?"),
    ]  # fmt: skip
    otherwise = "straight from 0 at `low` to 1 at `centre` to 0 at `high`, times 2 / (high − low)."
    if (np.abs(found - np.maximum(0, np.maximum(up, down)) * area) < 1e-6).all():
        otherwise = "you take the larger of the two lines. It has to be the smaller one."
    elif (found < 0).any():
        otherwise = "outside of the band your weights are negative. They should be 0 there."
    elif found[~inside].any():
        otherwise = "tones below `low` or above `high` should have the weight 0."
    compare(found, triangle * area, mistakes, otherwise, within=1e-9)


@exercise("2.2")
def _cosine_step(answer: object) -> None:
    rng = np.random.default_rng()
    mel = rng.uniform(-80, 0, (128, int(rng.integers(150, 170))))
    found = array(call(answer, mel), "the result")
    bands = np.arange(128)
    raw = np.cos(np.pi * bands[:, None] * (bands + 0.5) / 128) @ mel
    size = np.where(bands == 0, np.sqrt(1 / 128), np.sqrt(2 / 128))[:, None]
    right = (raw * size)[:40]
    unshifted = np.cos(np.pi * bands[:40, None] * bands / 128) @ mel
    half = "the waves lack the ½: wave k has the value cos(π k (n + ½) / 128) at band n."
    zeroth = "Row 0 has another factor than the other rows: √(1/128)."
    mistakes = [
        (right.T, "the axes are swapped: one *row* for each MFCC, one column for each frame."),
        (raw[:40], "the sums are right, but not scaled: √(1/128) for row 0, √(2/128) for others."),
        (2 * raw[:40], "the sums are twice as large, and not scaled. Is that scipy's `dct`? Here "
         "the point is to add up yourself."),
        (raw[:40] * size[1], zeroth), (raw[:40] * size[0], zeroth),
        ((raw * size**2)[:40], "you scale by 1/128 and 2/128. Take the square root of these."),
        ((raw * size[1])[1:41], "yours begins with wave 1. It should begin with wave 0, the flat "
         "one."),
        (unshifted * size[:40], half), (unshifted * size[1], half), (unshifted, half),
    ]  # fmt: skip
    otherwise = "for each frame, the sum over the bands of the curve times `wave(k)`, scaled."
    if found.shape == raw.shape:
        otherwise = "those are 128 rows. Keep the first 40."
    elif found.shape == (128, 40):
        otherwise = "that has a row for each band: you transform along time. Add up over bands."
    elif found.shape != right.shape:
        wanted = f"40 rows and a column for each of the {mel.shape[1]} frames"
        otherwise = f"{wanted} should come out; yours has the shape {found.shape}."
    compare(found, right, mistakes, otherwise, within=1e-3)


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


@exercise("2.4")
def _frame_pairs(answer: object) -> None:
    for shape in ((128, 160), (160, 128)):
        _judge_pairs(answer, *shape)


def _judge_pairs(answer: object, height: int, width: int) -> None:
    """Frames of a film that is wide, or high; they come at uneven times."""
    rng = np.random.default_rng()
    coarse = rng.integers(0, 256, (7, 8, 8, 3), np.uint8)
    frames = np.stack([cv2.resize(one, (width, height)) for one in coarse])
    frames = np.clip(frames + rng.normal(0, 20, frames.shape), 0, 255).astype(np.uint8)
    begins = np.cumsum(rng.uniform(0.045, 0.06, len(frames)))  # no thirtieths of a second
    begins -= begins[0]
    gaps = np.diff(begins)
    # The first time is that of a frame, the others lie nearer to the next frame than to theirs.
    at = np.array([[2, 4], [1, 3]])
    times = begins[at] + gaps[at] * [[0, 0.9], [0.8, 0.7]]
    found = array(call(answer, frames, begins, times), "the result")

    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2

    def small(pictures: np.ndarray, way: int = cv2.INTER_AREA) -> np.ndarray:
        return np.stack([cv2.resize(one, (64, 64), interpolation=way) for one in pictures])

    def joined(halves: np.ndarray, numbers: np.ndarray = at, axis: int = 1) -> np.ndarray:
        return np.concatenate([halves[numbers[:, 0]], halves[numbers[:, 1]]], axis=axis + 1)

    square = frames[:, top : top + side, left : left + side]
    halves = small(square)
    right = joined(halves)
    times_of = "Do not count frames by 30 a second: they come at the times in `begins`."
    mistakes = [
        (joined(halves, at + 1), "you are one frame late: on screen is the last one that began "
         "at or before the time. `bisect_right(…) - 1`."),
        (joined(halves, at - [[1, 0], [0, 0]]), "at the very time of a frame, that frame is on "
         "screen already: `bisect_right`, not `bisect_left`."),
        (joined(halves, np.abs(begins - times[..., None]).argmin(-1)), "you take the frame whose "
         "time is nearest. It may not have begun yet: take the last one that has."),
        (joined(halves, np.minimum((times * 30).astype(int), 6)), times_of),
        (joined(halves, np.minimum(np.round(times * 30).astype(int), 6)), times_of),
        (joined(halves, np.minimum((times * 29.97).astype(int), 6)), times_of),
        (joined(small(frames)), "the whole frame is squeezed into a square. Cut out the square in "
         "the middle first."),
        (joined(small(frames[:, :side, :side])), "you cut the square out of the upper left corner. "
         "It should be in the middle, in height and in width."),
        (joined(halves[..., ::-1]), "red and blue are exchanged. The frames are RGB already."),
        (joined(halves, at[:, ::-1]), "the other way round: the earlier frame to the left."),
        (joined(halves, axis=0), "your frames stand one above the other. Side by side: "
         "`np.hstack`."),
        (halves[at], "two frames of a pair are still apart: an axis of 2. Join them side by side."),
        (right / 255, "whole numbers from 0 to 255, as in the frames: do not divide by 255."),
        *((joined(small(square, way)), "the pixels differ a little: make it smaller with "
           "`interpolation=cv2.INTER_AREA`.") for way in (cv2.INTER_NEAREST, cv2.INTER_LINEAR,
                                                         cv2.INTER_CUBIC)),
    ]  # fmt: skip
    otherwise = "the shape is right, the pixels differ: are frame, square and order as asked?"
    if found.shape != right.shape:
        otherwise = (
            f"two pairs should have the shape {right.shape}; yours has {found.shape}: pairs, "
            "rows, columns, colours."
        )
    compare(found, right, mistakes, otherwise, within=1)
