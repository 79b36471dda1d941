"""How the face of a practice clip moves: its action units and its head, in each frame."""

from collections.abc import Mapping

import numpy as np

from avlib.practice.media import FRAME_RATE, SOUND_RATE
from avlib.practice.performance import ACTION_UNITS, HIGHEST_ACTION_UNIT


def time_course(
    row: Mapping[str, float], sound: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How strong each action unit is in each frame, ``(frames, 17)`` float64, 0 to 5.

    An expression rises before the words (onset), holds through them (apex) and falls off after
    (offset); the mouth opens with the loudness; blinks come at random. A column's mean is the
    clip mean asked for, but for values cut at 5.
    """
    count = round(len(sound) / SOUND_RATE * FRAME_RATE)
    edges = np.linspace(0, len(sound), count + 1).astype(int)
    energy = np.add.reduceat(np.square(sound, dtype=np.float64), edges[:-1])
    loudness = np.sqrt(energy / np.diff(edges))
    loudness = np.convolve(loudness, (0.25, 0.5, 0.25), mode="same")
    heard = np.flatnonzero(loudness > 0.1 * loudness.max())
    seconds = np.arange(count) / float(FRAME_RATE)
    onset = ease((seconds - seconds[heard[0]] + 0.45) / 0.5)
    offset = ease((seconds - seconds[heard[-1]]) / 0.6)
    held = 0.4 + 0.6 * onset * (1 - offset)
    held /= held.mean()
    spoken = np.sqrt(loudness / loudness.max())  # the mouth opens for soft vowels too
    spoken = 0.4 * held + 0.6 * spoken / spoken.mean()

    course = {unit: row[unit] * held for unit in ACTION_UNITS}
    course |= {unit: row[unit] * spoken for unit in ("AU25", "AU26")}
    course["AU45"] = _blinks(row["AU45"], seconds, rng)
    return np.stack(list(course.values()), axis=1).clip(0.0, HIGHEST_ACTION_UNIT)


def _blinks(mean: float, seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lids that close fully now and then, and hang a little in between, to a given mean."""
    one_blink_s = 0.17  # of full closure, spread over its going down and up
    wanted = mean / HIGHEST_ACTION_UNIT * seconds[-1] / one_blink_s
    moments = rng.uniform(0.1, seconds[-1] - 0.2, size=int(min(wanted, 5)))
    bumps = np.exp(-0.5 * ((seconds[:, None] - moments) / 0.065) ** 2)
    closed = HIGHEST_ACTION_UNIT * bumps.max(axis=1, initial=0.0)
    return closed + max(mean - closed.mean(), 0.0)


def sway(count: int, rng: np.random.Generator) -> np.ndarray:
    """Small movements of the head: (right px, down px, clockwise rad) in each frame."""
    phases = rng.uniform(0, 2 * np.pi, size=(2, 3))
    cycles = np.arange(count)[:, None] / float(FRAME_RATE) * rng.uniform(0.2, 0.6, size=(2, 1, 3))
    waves = np.sin(2 * np.pi * cycles + phases[:, None]).mean(axis=0)
    return waves * (1.2, 0.8, 0.015) + rng.normal(0, (0.6, 0.5, 0.01))


def ease(progress: np.ndarray) -> np.ndarray:
    """From 0 to 1 without a jerk at either end."""
    inside = np.clip(progress, 0.0, 1.0)
    return inside * inside * (3 - 2 * inside)
