"""How each practice clip is performed: 22 numbers drawn from what real clips measure.

A performance is the mean of its emotion and intensity, plus what its actor always does, plus
what that actor does in that emotion, plus what differs from clip to clip. The tables next to
this file hold the four parts (see the README there).

Source: statistics of RAVDESS, Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391.
"""

from collections.abc import Iterable
from dataclasses import astuple
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from avlib.corpus.ravdess import ClipName

VOICE_QUANTITIES = ("pitch_st", "pitch_range_st", "level_db", "log2_rate", "tilt_db")
ACTION_UNITS = (
    *("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12"),
    *("AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26", "AU45"),
)
QUANTITIES = VOICE_QUANTITIES + ACTION_UNITS
_UNITS = slice(len(VOICE_QUANTITIES), None)
HIGHEST_ACTION_UNIT = 5.0  # OpenFace's scale ends here

# What the mouth does to speak, and lids to blink, is no expression: it stays as measured.
_EXPRESSING = [unit not in ("AU25", "AU26", "AU45") for unit in ACTION_UNITS]
# Of what an actor's action units always are, this share is how the face is built (see `draw`).
AT_REST = 0.25
# A neutral face varies this much as others do. Measured on the action units published for 16
# actors of RAVDESS: within an actor's neutral clips they spread by 0.06, by 0.10 to 0.17 in others.
_NEUTRAL_SPREAD = 0.45

# A different first key for each part, so that no two parts share their random numbers.
_ACTOR, _ACTOR_EMOTION, _CLIP = 1, 2, 3


def draw(names: Iterable[ClipName], seed: int = 0, seen: bool = False) -> pd.DataFrame:
    """Draw how speech clips are performed: ``(clips, 22)`` float64, a row a name, in their order.

    Five voice quantities (semitones, dB, octaves) and 17 action units (0 to 5, clip means); the
    index is the last six codes of the name. What is drawn for a clip depends on its name and the
    seed alone, never on which other clips are asked for: any part of a corpus, on any number of
    processes, gets the same numbers. Raises ValueError if a name is not speech, or the seed is
    negative.

    As measured, or as it is `seen`. The tables hold what software read in each face without
    knowing it at rest: deep-set eyes pass for lowered brows, and every neutral face has raised
    brows to it. A face that is drawn, rest and all, moves by what is left without that.
    """
    if seed < 0:
        raise ValueError(f"seed: should be zero or more, got {seed}")
    names = list(names)
    rows = [_draw_clip(name, seed, seen) for name in names]
    index = pd.Index([name.clip for name in names], name="clip", dtype=object)
    rows = np.reshape(rows, (len(names), len(QUANTITIES)))
    return pd.DataFrame(rows, index, columns=list(QUANTITIES))


@cache
def cell_mean(emotion: int, intensity: int) -> pd.Series:
    """The mean performance of an emotion at an intensity (their codes), ``(22,)``, as `draw`."""
    return _table("cell_means", index=2).loc[(emotion, intensity), list(QUANTITIES)]


def covariance(part: str) -> pd.DataFrame:
    """How performances spread around their mean, ``(22, 22)`` float64.

    `part` is ``"actor"``, ``"actor_emotion"`` or ``"clip"``: what is the same for all clips that
    share an actor, an actor and an emotion, or nothing.
    """
    return _table(f"covariance_{part}").loc[list(QUANTITIES), list(QUANTITIES)]


def neutral_voice(actor: int) -> tuple[float, float]:
    """An actor's median pitch (Hz) and length of speech (s) in neutral clips."""
    pitch, seconds = _table("actor_neutral_voice").loc[actor]
    return float(pitch), float(seconds)


def clip_key(name: ClipName) -> tuple[int, ...]:
    """The numbers that tell a clip from every other, whatever its modality, to seed draws."""
    return astuple(name)[1:]


def _draw_clip(name: ClipName, seed: int, seen: bool) -> np.ndarray:
    if name.channel != 1:
        raise ValueError(f"{name}: is not speech; the practice corpus holds speech (channel 01)")
    mean = cell_mean(name.emotion, name.intensity).to_numpy()
    own = _gaussian("actor", (seed, _ACTOR, name.actor))
    varied = _gaussian("actor_emotion", (seed, _ACTOR_EMOTION, name.actor, name.emotion))
    varied += _gaussian("clip", (seed, _CLIP, *clip_key(name)))
    if seen:
        own[_UNITS] *= 1 - AT_REST
        rest = cell_mean(1, 1).to_numpy()[_UNITS]
        mean = np.concatenate([mean[: _UNITS.start], mean[_UNITS] - rest * _EXPRESSING])
        varied[_UNITS] *= _NEUTRAL_SPREAD if name.emotion == 1 else 1.0
    drawn = mean + own + varied
    drawn[_UNITS] = drawn[_UNITS].clip(0.0, HIGHEST_ACTION_UNIT)
    return drawn


def _gaussian(part: str, key: tuple[int, ...]) -> np.ndarray:
    return _root(part) @ np.random.default_rng(key).standard_normal(len(QUANTITIES))


@cache
def _root(part: str) -> np.ndarray:
    """The symmetric square root of a covariance: the one root that is unique."""
    variances, directions = np.linalg.eigh(covariance(part).to_numpy())
    # The tables are rounded, which can push a variance of nearly zero below it.
    return (directions * np.sqrt(variances.clip(0.0))) @ directions.T


@cache
def _table(stem: str, index: int = 1) -> pd.DataFrame:
    path = Path(__file__).parent / f"{stem}.csv"
    return pd.read_csv(path, index_col=list(range(index)))
