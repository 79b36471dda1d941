"""What is computed of each clip: a `Recipe` holds every setting that changes a number.

Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from threadpoolctl import ThreadpoolController

from avlib.features import audio, video


@dataclass(frozen=True)
class Recipe:
    """Every setting that changes a feature; the defaults are the ``paper`` preset.

    Attributes
    ----------
    sample_rate : int
        Sound is resampled to this rate (Hz) with ``kaiser_best``.
    coefficients : int
        MFCCs to keep.
    hop, analysis_window : int
        Samples from one MFCC frame to the next, and in one.
    sound : {"mean", "sequence"}
        Average the MFCCs over time to ``(coefficients,)``, or keep the sequence.
    sequence_seconds : float
        A sequence is this long (s), cut from the middle of the clip. The shortest speech clip
        of RAVDESS lasts 2.94 s, so that no clip needs padding: padding would tell the
        network how long a clip is, and length differs by emotion.
    visual : {"pairs", "vector", "none"}
        What stands for the face: frame pairs; a vector of action units for each clip, in place of
        films that are not at hand (see `action_units.join`); or nothing, for sound alone.
    pair_window, pair_offset, pair_limit : float
        One frame pair from every window, its second frame this much after its first, windows up
        to this time (s).
    frame_size : int
        Frames are cut square and resized to this side (pixels).

    Notes
    -----
    Source: the paper's pre-processing section; what it leaves open
    (rate, mean or sequence, which frames, their size) is our decision.
    """

    sample_rate: int = 22_050
    coefficients: int = 40
    hop: int = 512
    analysis_window: int = 2048
    sound: Literal["mean", "sequence"] = "mean"
    sequence_seconds: float = 2.9
    visual: Literal["pairs", "vector", "none"] = "pairs"
    pair_window: float = 0.5
    pair_offset: float = 0.25
    pair_limit: float = 3.0
    frame_size: int = 64

    @classmethod
    def preset(cls, name: str, visual: Literal["pairs", "vector", "none"] = "pairs") -> Recipe:
        """The recipe called ``paper`` or ``sequence``.

        Raises
        ------
        ValueError
            If there is no preset of that name.
        """
        if name not in PRESETS:
            raise ValueError(f"recipe: there is no {name!r}; choose from {', '.join(PRESETS)}")
        return replace(PRESETS[name], visual=visual)

    @property
    def media(self) -> list[str]:
        """The columns of a table of clips that name the files which features are made of."""
        return ["sound", "picture"] if self.visual == "pairs" else ["sound"]

    @property
    def sequence_frames(self) -> int:
        """MFCC frames in a sequence."""
        return round(self.sequence_seconds * self.sample_rate / self.hop)

    @property
    def pairs_a_clip(self) -> int:
        """Frame pairs in a clip that is long enough: 6 with the defaults."""
        return round(self.pair_limit / self.pair_window)


PRESETS = {"paper": Recipe(), "sequence": Recipe(sound="sequence")}


def clip_mfcc(path: str | Path, recipe: Recipe) -> np.ndarray:
    """The MFCCs of one recording, as a recipe asks.

    Parameters
    ----------
    path : str or Path
        A wav file, or an mp4 file with sound.
    recipe : Recipe

    Returns
    -------
    ndarray, float32
        ``(coefficients,)`` for a mean, ``(coefficients, sequence_frames)`` for a sequence.

    Raises
    ------
    ValueError
        If the file cannot be read, or is shorter than the sequence.
    """
    sound, rate = audio.load(path)
    if len(sound) * recipe.sample_rate < recipe.analysis_window * rate:
        raise ValueError(
            f"{path}: lasts {len(sound) / rate:.4f} s, shorter than one analysis window; use a "
            "whole recording"
        )
    with _matrix_threads().limit(limits=1):  # a product's last bit depends on the threads
        resampled = audio.resample(sound, rate, recipe.sample_rate)
        coefficients = audio.mfcc(
            resampled, recipe.sample_rate, recipe.coefficients, recipe.hop, recipe.analysis_window
        )
    if recipe.sound == "mean":
        return coefficients.mean(axis=1)
    spare = coefficients.shape[1] - recipe.sequence_frames
    if spare < 0:
        raise ValueError(
            f"{path}: lasts {len(sound) / rate:.2f} s, shorter than the recipe's sequence of "
            f"{recipe.sequence_seconds} s; use a whole recording, or a shorter sequence_seconds"
        )
    return coefficients[:, spare // 2 : spare // 2 + recipe.sequence_frames]


@lru_cache(maxsize=1)
def _matrix_threads() -> ThreadpoolController:
    """What sets the threads of matrix products; to find the libraries takes milliseconds."""
    return ThreadpoolController()


def clip_pairs(path: str | Path, recipe: Recipe) -> np.ndarray:
    """The frame pairs of one recording, as a recipe asks.

    Parameters
    ----------
    path : str or Path
        An mp4 file.
    recipe : Recipe

    Returns
    -------
    ndarray, shape (pairs, frame_size, 2 × frame_size, 3), uint8
        RGB. Six pairs with the default recipe; fewer from a clip shorter than 2.75 s.

    Raises
    ------
    ValueError
        If the file cannot be decoded, has no picture, or is shorter than one window.
    """
    seconds = video.duration(path)
    try:
        times = video.pair_times(seconds, recipe.pair_window, recipe.pair_offset, recipe.pair_limit)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; use a whole recording") from error
    return video.frame_pairs(path, times, recipe.frame_size)
