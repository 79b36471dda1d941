"""What is computed of each clip: a `Recipe` holds every setting that changes a number.

Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from avlib.features import audio, functionals, video
from avlib.features.spoil import Spoil

Visual = Literal["pairs", "frames", "vector", "none"]


@dataclass(frozen=True)
class Recipe:
    """Every setting that changes a feature; the defaults are the ``paper`` preset.

    Source: the paper's pre-processing section; what it leaves open (rate, mean or sequence, which
    frames, their size) is our decision. The shortest speech clip of RAVDESS lasts 2.94 s, so that
    a sequence of 2.9 s needs no padding: padding would tell the network how long a clip is, and
    length differs by emotion.
    """

    # Raised by whoever changes what comes out of the same settings; the files of clips are named
    # by it, so that old numbers are never read as new ones. tests/features/test_golden.py asks.
    revision: ClassVar[int] = 1

    sample_rate: int = 22_050  # Hz; sound is resampled to it with kaiser_best
    coefficients: int = 40  # MFCCs to keep; of a spectrogram, its mel bands
    hop: int = 512  # samples from one MFCC frame to the next
    analysis_window: int = 2048  # samples in one MFCC frame
    # The MFCCs' mean over time, or all of them; or the log-mel spectrogram that they are made of;
    # or the functionals of the voice, which have settings of their own.
    sound: Literal["mean", "sequence", "spectrogram", "voice"] = "mean"
    sequence_seconds: float = 2.9  # s; a sequence is cut from the middle of the clip
    # Frame pairs; or one strip of frames, the first of every pair; or, where films are not at hand,
    # a vector of action units for each clip (see action_units.join); or nothing, for sound alone.
    visual: Visual = "pairs"
    pair_window: float = 0.5  # s; one pair is cut from every window
    pair_offset: float = 0.25  # s from the first frame of a pair to its second
    pair_limit: float = 3.0  # s; windows begin before this
    frame_size: int = 64  # pixels; frames are cut square and resized to this side

    @classmethod
    def preset(cls, name: str, visual: Visual = "pairs") -> Recipe:
        """The recipe of a name in `PRESETS`; `ValueError` if there is no such.

        >>> Recipe.preset("sequence").sequence_frames
        125
        """
        if name not in PRESETS:
            raise ValueError(f"recipe: there is no {name!r}; choose from {', '.join(PRESETS)}")
        return replace(PRESETS[name], visual=visual)

    @property
    def media(self) -> list[str]:
        """The columns of a table of clips that name the files which features are made of."""
        return ["sound", "picture"] if self.has_pictures else ["sound"]

    @property
    def has_pictures(self) -> bool:
        """Whether frames are cut from films."""
        return self.visual in ("pairs", "frames")

    @property
    def sequence_frames(self) -> int:
        """Frames of sound in a sequence or a spectrogram."""
        return round(self.sequence_seconds * self.sample_rate / self.hop)

    @property
    def pairs_a_clip(self) -> int:
        """Frame pairs in a clip that is long enough: 6 with the defaults."""
        return round(self.pair_limit / self.pair_window)

    @property
    def frames_side_by_side(self) -> int:
        """Frames in a picture of the store: 2 of a pair, 6 of a strip with the defaults."""
        return self.pairs_a_clip if self.visual == "frames" else 2


PRESETS = {
    "paper": Recipe(),
    "sequence": Recipe(sound="sequence"),
    "spectrogram": Recipe(sound="spectrogram", coefficients=64),
    "voice": Recipe(sound="voice"),
}


def clip_features(sound: Path, picture: Path | None, recipe: Recipe) -> dict[str, np.ndarray]:
    """Whatever a recipe computes of one clip, by name; a new kind of feature is one entry here.

    ``mfcc`` as `clip_mfcc` or ``voice`` as `clip_voice`, and ``pairs`` as `clip_pairs` or
    `clip_frames` where the recipe has them; raises as these do.
    """
    heard = {"voice": clip_voice} if recipe.sound == "voice" else {"mfcc": clip_mfcc}
    found = {name: compute(sound, recipe) for name, compute in heard.items()}
    if recipe.has_pictures:
        cut = clip_pairs if recipe.visual == "pairs" else clip_frames
        found["pairs"] = cut(picture, recipe)
    return found


def clip_mfcc(path: str | Path, recipe: Recipe, spoil: Spoil | None = None) -> np.ndarray:
    """The MFCCs of one recording, a wav file or an mp4 file with sound, as a recipe asks.

    Returns float32: ``(coefficients,)`` for a mean, ``(coefficients, sequence_frames)`` for a
    sequence, or for a spectrogram, which then stands in the MFCCs' place. Raises `ValueError` if
    the file cannot be read, or is shorter than the sequence or than one analysis window.

    With `spoil`, one of `avlib.features.spoil`, the recording is spoilt first. What that draws at
    random follows from the file's name: the same file is spoilt in the same way each time.
    """
    sound, rate = audio.load(path)
    if spoil is not None:
        drawn = np.random.default_rng(zlib.crc32(Path(path).name.encode()))
        sound, rate = spoil(sound, rate, drawn)
    if len(sound) * recipe.sample_rate < recipe.analysis_window * rate:
        raise ValueError(
            f"{path}: lasts {len(sound) / rate:.4f} s, shorter than one analysis window; use a "
            "whole recording"
        )
    described = audio.spectrogram if recipe.sound == "spectrogram" else audio.mfcc
    with audio.one_thread():
        resampled = audio.resample(sound, rate, recipe.sample_rate)
        coefficients = described(
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


def clip_voice(path: str | Path, recipe: Recipe) -> np.ndarray:
    """The functionals of one recording's voice, ``(len(functionals.described()),)`` float32.

    Raises `ValueError` if the file cannot be read, or holds no voice.
    """
    sound, rate = audio.load(path)
    try:
        return functionals.compute(sound, rate)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def clip_pairs(path: str | Path, recipe: Recipe) -> np.ndarray:
    """The frame pairs of one mp4 file, as a recipe asks.

    Returns ``(pairs, frame_size, 2 × frame_size, 3)`` uint8, RGB: six pairs with the default
    recipe, fewer from a clip shorter than 2.75 s. Raises `ValueError` if the file cannot be
    decoded, has no picture, or is shorter than one window.
    """
    seconds = video.duration(path)
    try:
        times = video.pair_times(seconds, recipe.pair_window, recipe.pair_offset, recipe.pair_limit)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; use a whole recording") from error
    return video.frame_pairs(path, times, recipe.frame_size)


def clip_frames(path: str | Path, recipe: Recipe) -> np.ndarray:
    """One frame from every window of an mp4 file, side by side: a film strip.

    Returns ``(1, frame_size, frames × frame_size, 3)`` uint8, RGB: six frames with the default
    recipe. Raises `ValueError` if the file cannot be decoded, has no picture, or ends before the
    last window begins.
    """
    times = recipe.pair_window * np.arange(recipe.frames_side_by_side)
    return np.concatenate(video.frames_at(path, times, size=recipe.frame_size), axis=1)[None]
