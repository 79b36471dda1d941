"""The names of RAVDESS recordings, and the table of clips in a folder.

A RAVDESS file name is seven two-digit codes: modality, channel, emotion, intensity, statement,
repetition, actor. Everything a recording is *about* is in its name, so this module needs no media
library. Taught in notebooks/01-explore-the-dataset.ipynb.
Source: Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391.
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
CHANNELS = ("speech", "song")
ACTORS = 24
PRACTICE_MARK = "SYNTHETIC.txt"  # lies in the top folder of every practice corpus

_FIELDS = ("modality", "channel", "emotion", "intensity", "statement", "repetition", "actor")
_HIGHEST = (3, len(CHANNELS), len(EMOTIONS), 2, 2, 2, ACTORS)


@dataclass(frozen=True, order=True)
class ClipName:
    """The seven codes of a RAVDESS file name, as numbers that start at 1.

    >>> ClipName.parse("Actor_12/03-01-05-02-01-01-12.wav").emotion
    5
    """

    modality: int  # 1 audio and video, 2 video only, 3 audio only
    channel: int  # 1 speech, 2 song
    emotion: int  # 1 neutral, 2 calm, 3 happy, 4 sad, 5 angry, 6 fearful, 7 disgust, 8 surprised
    intensity: int  # 1 normal, 2 strong; neutral has normal only
    statement: int  # 1 "Kids are talking by the door", 2 "Dogs are sitting by the door"
    repetition: int  # 1 or 2
    actor: int  # 1 to 24; odd numbers are men, even numbers are women

    def __post_init__(self) -> None:
        for field, highest, code in zip(_FIELDS, _HIGHEST, astuple(self), strict=True):
            if not 1 <= code <= highest:
                raise ValueError(
                    f"{self}: {field} {code:02d} does not exist in RAVDESS; "
                    f"it goes from 01 to {highest:02d}"
                )
        if self.emotion == 1 and self.intensity == 2:
            raise ValueError(f"{self}: neutral has no strong intensity in RAVDESS")

    @classmethod
    def parse(cls, name: str | Path) -> ClipName:
        """Read a file name such as ``03-01-05-02-01-01-12.wav``; folders and suffix are ignored.

        Raises ``ValueError`` if it is not seven two-digit codes, or a code does not exist.
        """
        stem = Path(name).stem
        if not re.fullmatch("[0-9]{2}(?:-[0-9]{2}){6}", stem):
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


def is_media(path: Path) -> bool:
    """Whether a file is a wav or mp4, by its name, and not hidden (``._x.wav`` are macOS's)."""
    return path.suffix.lower() in (".wav", ".mp4") and not path.name.startswith(".")


def name_of(path: str | Path) -> ClipName | None:
    """The name of a recording, or None where a file is none of RAVDESS's."""
    try:
        return ClipName.parse(path) if is_media(Path(path)) else None
    except ValueError:
        return None


def is_practice(folder: Path) -> bool:
    """Whether a folder is a practice corpus or lies in one."""
    whole = folder.resolve()
    return any((place / PRACTICE_MARK).is_file() for place in (whole, *whole.parents))


def speech_names(actors: Iterable[int], modality: int = 1) -> list[ClipName]:
    """Name the 60 speech clips that RAVDESS holds for each actor, by actor, then by name."""
    cells = itertools.product(range(1, 9), (1, 2), (1, 2), (1, 2))
    design = [cell for cell in cells if cell[:2] != (1, 2)]
    return [ClipName(modality, 1, *cell, actor) for actor in actors for cell in design]


def index(folder: str | Path, channel: int = 1) -> pd.DataFrame:
    """List the clips of a channel (1 speech, 2 song) in a folder and below, one row a clip.

    The rows are sorted by actor, then by clip, and depend on the names alone, never on the file
    system. Columns: ``clip`` (the last six codes of the name), ``emotion``, ``intensity``,
    ``statement``, ``repetition``, ``actor`` (codes), ``sex``, ``sound`` (path of the 03 wav, else
    of the 01 mp4, else None), ``picture`` (of the 01 mp4, else of the 02) and ``practice`` (bool).
    A practice corpus inside a folder of real recordings is left out: the two never mix.

    Warnings name what else is left out: wav and mp4 files whose name is not RAVDESS's, or is that
    of another one with other bytes; folders that may not be read. Raises ``FileNotFoundError`` if
    there is no recording of that channel, ``NotADirectoryError`` if the folder is a file.
    """
    folder = Path(folder)
    if folder.is_file():
        raise NotADirectoryError(f"{folder}: is a file; name the folder that it lies in")
    copies = _copies(folder)
    clips = {name.as_modality(1) for name, _ in copies if name.channel == channel}
    if not clips:
        raise FileNotFoundError(
            f"{folder}: no RAVDESS {CHANNELS[channel - 1]} recordings here or below. "
            "Name the folder that holds them, or write a practice corpus with "
            f"`python -m avlib practice --out {folder}`"
        )
    table = pd.DataFrame([_row(name, copies) for name in clips])
    table["practice"] = is_practice(folder)
    return table.sort_values(["actor", "clip"], ignore_index=True)


def _copies(folder: Path) -> dict[tuple[ClipName, str], Path]:
    """The recordings in a folder and below, by name and suffix: of equal names the first."""
    everything = files.below(folder)
    nested = {path.parent for path in everything if path.name == PRACTICE_MARK} - {folder}
    copies, unknown = {}, []
    for path in everything:
        if not is_media(path) or nested.intersection(path.parents):
            continue
        name = name_of(path)
        if name is None:
            unknown.append(path.relative_to(folder).as_posix())
            continue
        taken = copies.setdefault((name, path.suffix.lower()), path)
        if taken is not path and not filecmp.cmp(taken, path, shallow=False):
            warnings.warn(
                f"{path}: another recording under the name of {taken}, which is taken; remove one",
                stacklevel=3,
            )
    if unknown:
        shown = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
        warnings.warn(
            f"{folder}: {len(unknown)} media files left out, their names are not RAVDESS "
            f"({shown}); rename or remove them",
            stacklevel=3,
        )
    return copies


def _row(name: ClipName, copies: dict[tuple[ClipName, str], Path]) -> dict[str, object]:
    film, silent = (copies.get((name.as_modality(modality), ".mp4")) for modality in (1, 2))
    heard, extracted = (copies.get((name.as_modality(modality), ".wav")) for modality in (3, 1))
    return {
        "clip": name.clip,
        **{field: getattr(name, field) for field in _FIELDS[2:]},
        "sex": name.sex,
        "sound": heard or extracted or film,
        "picture": film or silent,
    }


def find_clip(
    clips: pd.DataFrame, emotion: int, intensity: int, actor: int, **take: int
) -> tuple[pd.Series, str]:
    """The first clip of these codes in a table (see `index`), and what it is in words.

    `take` may name its ``statement`` and ``repetition``. Raises `ValueError`, which says what there
    is instead, if there is no such clip.
    """
    performed = clips.query("emotion == @emotion and intensity == @intensity and actor == @actor")
    found = performed[(performed[list(take)] == pd.Series(take, dtype=int)).all(axis=1)]
    manner = f"{EMOTIONS[emotion - 1]}, {INTENSITIES[intensity - 1]}"
    if found.empty:
        there = "; ".join(map(_take, performed.itertuples())) or "nothing"
        why = " (neutral has no strong intensity)" if (emotion, intensity) == (1, 2) else ""
        asked = ", ".join(f"{part} {number}" for part, number in take.items())
        asked = f" with {asked}" if take else ""
        raise ValueError(
            f"there is no such clip here{asked}. Actor {actor}, {manner}: {there}{why}"
        )
    clip = found.iloc[0]
    return clip, f"Actor {actor} ({clip.sex}), {manner}: {_take(clip)}"


def _take(clip: pd.Series) -> str:
    return f"“{STATEMENTS[clip.statement - 1]}”, repetition {clip.repetition}"


def corpus(clips: pd.DataFrame) -> str:
    """What a number measured on these clips was measured on: practice corpus or RAVDESS."""
    return "practice corpus" if clips["practice"].all() else "RAVDESS"


def holdings(clips: pd.DataFrame) -> dict[str, object]:
    """Compare a table of speech clips (see `index`) with what RAVDESS holds for the same actors.

    Returns, ready for JSON, ``clips``, ``actors``, ``expected`` (60 an actor), ``with_sound``,
    ``with_picture``, ``pictures_from_silent_films`` (02, where there is no 01),
    ``sound_from_films`` (where there is no wav), ``corpus``, ``emotions`` (name → count) and
    ``missing`` (the clips that RAVDESS holds and the table does not).
    """
    actors = sorted(int(actor) for actor in clips["actor"].unique())
    official = [name.clip for name in speech_names(actors)]
    sounds, pictures = clips["sound"].dropna(), clips["picture"].dropna()
    counts = clips["emotion"].value_counts()
    return {
        "clips": len(clips),
        "actors": actors,
        "expected": len(official),
        "with_sound": len(sounds),
        "with_picture": len(pictures),
        "pictures_from_silent_films": sum(path.name.startswith("02") for path in pictures),
        "sound_from_films": sum(path.suffix.lower() == ".mp4" for path in sounds),
        "corpus": corpus(clips),
        "emotions": {name: int(counts.get(code, 0)) for code, name in enumerate(EMOTIONS, 1)},
        "missing": sorted(set(official) - set(clips["clip"])),
    }
