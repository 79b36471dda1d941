"""The names of RAVDESS recordings, and the table of clips in a folder.

A RAVDESS file name is seven two-digit codes: modality, channel, emotion,
intensity, statement, repetition, actor. Everything a recording is *about* is in
its name, so this module needs no media library.

Source: Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391.
Taught in notebooks/01-explore-the-dataset.ipynb.
"""

from __future__ import annotations

import filecmp
import itertools
import re
import warnings
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import pandas as pd

from avlib import files

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
INTENSITIES = ("normal", "strong")
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")
MODALITIES = ("audio and video", "video only", "audio only")
CHANNELS = ("speech", "song")
ACTORS = 24
PRACTICE_MARK = "SYNTHETIC.txt"  # lies in the top folder of every practice corpus

_FIELDS = ("modality", "channel", "emotion", "intensity", "statement", "repetition", "actor")
_HIGHEST = {
    "modality": len(MODALITIES),
    "channel": len(CHANNELS),
    "emotion": len(EMOTIONS),
    "intensity": len(INTENSITIES),
    "statement": len(STATEMENTS),
    "repetition": 2,
    "actor": ACTORS,
}
_NAME = re.compile(r"[0-9]{2}(?:-[0-9]{2}){6}")


@dataclass(frozen=True, order=True)
class ClipName:
    """The seven codes of a RAVDESS file name, as numbers that start at 1.

    Attributes
    ----------
    modality : int
        1 audio and video, 2 video only, 3 audio only.
    channel : int
        1 speech, 2 song.
    emotion : int
        1 neutral, 2 calm, 3 happy, 4 sad, 5 angry, 6 fearful, 7 disgust, 8 surprised.
    intensity : int
        1 normal, 2 strong. Neutral has normal only.
    statement : int
        1 "Kids are talking by the door", 2 "Dogs are sitting by the door".
    repetition : int
        1 or 2.
    actor : int
        1 to 24; odd numbers are men, even numbers are women.

    Notes
    -----
    Source: doi:10.1371/journal.pone.0196391.
    """

    modality: int
    channel: int
    emotion: int
    intensity: int
    statement: int
    repetition: int
    actor: int

    def __post_init__(self) -> None:
        for field, code in zip(_FIELDS, astuple(self), strict=True):
            if not 1 <= code <= _HIGHEST[field]:
                raise ValueError(
                    f"{self}: {field} {code:02d} does not exist in RAVDESS; "
                    f"it goes from 01 to {_HIGHEST[field]:02d}"
                )
        if self.emotion == 1 and self.intensity == 2:
            raise ValueError(f"{self}: neutral has no strong intensity in RAVDESS")

    @classmethod
    def parse(cls, name: str | Path) -> ClipName:
        """Read a file name.

        Parameters
        ----------
        name : str or Path
            A name such as ``03-01-05-02-01-01-12.wav``; folders and suffix are ignored.

        Returns
        -------
        ClipName

        Raises
        ------
        ValueError
            If the name is not seven two-digit codes, or a code does not exist.
        """
        stem = Path(name).stem
        if not _NAME.fullmatch(stem):
            raise ValueError(
                f"{str(name)[:200]}: not a RAVDESS name. It should be seven two-digit codes, "
                f"{'-'.join(_FIELDS)}, such as 03-01-05-02-01-01-12.wav"
            )
        return cls(*(int(code) for code in stem.split("-")))

    def __str__(self) -> str:
        return "-".join(f"{code:02d}" for code in astuple(self))

    @property
    def clip(self) -> str:
        """The last six codes: what the clip's copies in several modalities share."""
        return str(self)[3:]

    @property
    def sex(self) -> str:
        """``"male"`` for odd actors, ``"female"`` for even ones."""
        return "male" if self.actor % 2 else "female"

    def as_modality(self, modality: int) -> ClipName:
        """The name of the same clip in another modality (1, 2 or 3)."""
        return replace(self, modality=modality)


def speech_names(actors: Iterable[int], modality: int = 1) -> list[ClipName]:
    """Name the 60 speech clips that RAVDESS holds for each actor.

    Parameters
    ----------
    actors : iterable of int
        Actor numbers, 1 to 24.
    modality : int
        1, 2 or 3 (see `ClipName`).

    Returns
    -------
    list of ClipName
        ``60 × actors`` names in order of actor, then of name.
    """
    cells = itertools.product(range(1, 9), (1, 2), (1, 2), (1, 2))
    design = [cell for cell in cells if cell[:2] != (1, 2)]
    return [ClipName(modality, 1, *cell, actor) for actor in actors for cell in design]


def index(folder: str | Path, channel: int = 1) -> pd.DataFrame:
    """List the clips in a folder, one row a clip, whatever copies of it are there.

    Sub-folders are searched too, and the order of the rows depends on the names
    alone, never on the file system. A practice corpus that lies inside a folder of
    real recordings is left out, so that the two never mix.

    Parameters
    ----------
    folder : str or Path
        Where the ``.wav`` and ``.mp4`` files lie, at any depth.
    channel : int
        1 speech (the default), 2 song.

    Returns
    -------
    DataFrame
        Sorted by actor, then by clip, with the columns ``clip`` (the last six codes of the
        name), ``emotion``, ``intensity``, ``statement``, ``repetition``, ``actor``
        (codes), ``sex``, ``sound`` and ``picture`` (paths, or None where there is no
        such file; sound comes from the 03 wav, else from the 01 mp4, and picture from
        the 01 mp4, else from the 02 mp4) and ``practice`` (bool).

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds no recording of that channel.
    NotADirectoryError
        If it is a file.

    Warns
    -----
    UserWarning
        If a ``.wav`` or ``.mp4`` file is left out because its name is not RAVDESS, or because
        another one of the same name, with other bytes, comes before it; or if a folder below may
        not be read.

    Notes
    -----
    Source: doi:10.1371/journal.pone.0196391.
    """
    folder = Path(folder)
    if folder.is_file():
        raise NotADirectoryError(f"{folder}: is a file; name the folder that it lies in")
    copies: dict[tuple[ClipName, str], Path] = {}
    strangers = []
    for path in _media(folder):
        try:
            taken = copies.setdefault((ClipName.parse(path), path.suffix.lower()), path)
        except ValueError:
            strangers.append(path)
            continue
        if taken is not path and not filecmp.cmp(taken, path, shallow=False):
            warnings.warn(
                f"{path}: another recording under the name of {taken}, which is taken; remove one",
                stacklevel=2,
            )
    if strangers:
        shown = ", ".join(path.relative_to(folder).as_posix() for path in strangers[:5])
        warnings.warn(
            f"{folder}: {len(strangers)} media files left out, their names are not RAVDESS "
            f"({shown}{', …' if len(strangers) > 5 else ''}); rename or remove them",
            stacklevel=2,
        )
    clips = sorted({name.as_modality(1) for name, _ in copies if name.channel == channel})
    if not clips:
        raise FileNotFoundError(
            f"{folder}: no RAVDESS {CHANNELS[channel - 1]} recordings here or below. "
            "Name the folder that holds them, or write a practice corpus with "
            f"`python -m avlib practice --out {folder}`"
        )
    whole = folder.resolve()
    practice = any((place / PRACTICE_MARK).exists() for place in (whole, *whole.parents))
    rows = [_row(name, copies, practice) for name in clips]
    return pd.DataFrame(rows).sort_values(["actor", "clip"], ignore_index=True)


def _media(folder: Path) -> list[Path]:
    """All wav and mp4 files below a folder, outside any practice corpus nested in it."""
    everything = files.below(folder)
    nested = {path.parent for path in everything if path.name == PRACTICE_MARK} - {folder}
    return [
        path
        for path in everything
        if path.suffix.lower() in (".wav", ".mp4")
        and not path.name.startswith(".")
        and not nested.intersection(path.parents)
    ]


def _row(
    name: ClipName, copies: dict[tuple[ClipName, str], Path], practice: bool
) -> dict[str, object]:
    full, silent = (copies.get((name.as_modality(modality), ".mp4")) for modality in (1, 2))
    heard, extracted = (copies.get((name.as_modality(modality), ".wav")) for modality in (3, 1))
    return {
        "clip": name.clip,
        **{field: getattr(name, field) for field in _FIELDS[2:]},
        "sex": name.sex,
        "sound": heard or extracted or full,
        "picture": full or silent,
        "practice": practice,
    }


def corpus(clips: pd.DataFrame) -> str:
    """What a number measured on these clips was measured on.

    Returns
    -------
    str
        ``"practice corpus"`` or ``"RAVDESS"``.
    """
    return "practice corpus" if clips["practice"].all() else "RAVDESS"


def holdings(clips: pd.DataFrame) -> dict[str, object]:
    """Compare a table of speech clips with what RAVDESS holds for the same actors.

    Parameters
    ----------
    clips : DataFrame
        What `index` returned for channel 1.

    Returns
    -------
    dict
        ``clips``, ``actors``, ``expected`` (60 an actor), ``with_sound``, ``with_picture``,
        ``pictures_from_silent_films`` (02, where there is no 01), ``sound_from_films`` (where
        there is no wav), ``corpus``, ``emotions`` (name → count) and ``missing`` (the clips
        that RAVDESS holds and the folder does not). Ready for JSON.

    Notes
    -----
    Source: doi:10.1371/journal.pone.0196391.
    """
    actors = sorted(int(actor) for actor in clips.actor.unique())
    official = [name.clip for name in speech_names(actors)]
    counts = clips.emotion.value_counts()
    return {
        "clips": len(clips),
        "actors": actors,
        "expected": len(official),
        "with_sound": int(clips.sound.notna().sum()),
        "with_picture": int(clips.picture.notna().sum()),
        "pictures_from_silent_films": sum(
            path is not None and path.name.startswith("02") for path in clips.picture
        ),
        "sound_from_films": sum(
            path is not None and path.suffix.lower() == ".mp4" for path in clips.sound
        ),
        "corpus": corpus(clips),
        "emotions": {name: int(counts.get(code, 0)) for code, name in enumerate(EMOTIONS, 1)},
        "missing": sorted(set(official) - set(clips["clip"])),
    }
