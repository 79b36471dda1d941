"""What the recogniser hears in any recording: stretches of voice, and eight probabilities for each.

A recording goes the same way as in training: `recording.load`, `functionals.compute`.
Of no lesson yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from joblib import delayed

from avlib import workers
from avlib.corpus import recording
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import recogniser
from avlib.features import audio, functionals
from avlib.features.functionals import HOP, RATE
from avlib.learning.fusion import LateFusion

LONGEST = 6.0  # s; up to this a recording is one performance, as each one in training was
PAUSE = 0.4  # s of silence, between which a longer recording is cut
SHORTEST = 0.3  # s of sound; what is shorter is no sentence
STANDS_OUT = 0.4  # the probability from which on an emotion is named
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", *recording.FILMS)


@dataclass(frozen=True)
class Stretch:
    """A stretch of voice in a recording."""

    start: float  # s
    end: float  # s
    functionals: np.ndarray  # (functionals,)


@dataclass(frozen=True)
class Heard:
    """What is heard in one file."""

    file: str
    probabilities: dict[str, float]  # of the whole, by emotion
    segments: list[dict[str, object]]  # ``start`` and ``end`` (s) and ``probabilities`` of each

    @property
    def emotion(self) -> str:
        """The likeliest emotion."""
        return max(self.probabilities, key=self.probabilities.get)

    def sentence(self) -> str:
        """The three likeliest, and an honest word where none stands out."""
        likeliest = sorted(self.probabilities, key=self.probabilities.get, reverse=True)[:3]
        said = ", ".join(f"{name} {self.probabilities[name]:.2f}" for name in likeliest)
        doubt = self.probabilities[self.emotion] < STANDS_OUT
        return f"no emotion stands out ({said})" if doubt else said

    def as_json(self) -> dict[str, object]:
        """As ``predict --json`` lists it."""
        return {
            "file": self.file,
            "probabilities": self.probabilities,
            "emotion": self.emotion,
            "segments": self.segments,
        }


def stretches(sound: np.ndarray, rate: int) -> list[Stretch]:
    """Cut a sound at its pauses, and compute the functionals of each stretch that holds a voice.

    A sound of up to `LONGEST` seconds is one stretch. Raises ValueError if no stretch holds a
    voice, with what is wrong where there is one stretch alone.
    """
    if len(sound) <= LONGEST * rate:
        found = functionals.compute(sound, rate)
        return [Stretch(0.0, len(sound) / rate, found)]
    sound, done = audio.resample(sound, rate, RATE), []
    for start, end in _sounding(sound):
        cut = sound[max(0, round((start - PAUSE / 2) * RATE)) : round((end + PAUSE / 2) * RATE)]
        try:
            done.append(Stretch(start, end, functionals.compute(cut, RATE)))
        except ValueError:  # a cough, a door
            continue
    if not done:
        raise ValueError("holds no voice (silence, noise, music?); use a recording of speech")
    return done


def _sounding(sound: np.ndarray) -> list[tuple[float, float]]:
    """Where a sound at `RATE` is louder than silence: start and end in seconds, between pauses."""
    level = functionals.levels(sound)
    second, quiet = HOP / RATE, np.percentile(level, 10)
    # Rooms are never silent: what lies a third of the way from the quietest to the loudest counts.
    on = np.flatnonzero(level > quiet + (level.max() - quiet) / 3)
    breaks = np.flatnonzero(np.diff(on) * second > PAUSE)
    begins, ends = on[np.r_[0, breaks + 1]], on[np.r_[breaks, len(on) - 1]]
    pieces = []
    for begin, end in zip(begins * second, (ends + 1) * second, strict=True):
        parts = int(np.ceil((end - begin) / LONGEST))  # who speaks without a pause is cut evenly
        edges = np.linspace(begin, end, parts + 1)
        pieces += [(a, b) for a, b in pairwise(edges) if b - a >= SHORTEST]
    return [(float(a), float(b)) for a, b in pieces]


def predict(
    paths: Sequence[Path],
    same_speaker: bool = False,
    jobs: int | None = None,
    progress: bool = True,
) -> tuple[list[Heard], dict[str, str]]:
    """What the shipped voice recogniser hears in each file, and why others cannot be heard.

    With `same_speaker` all files are by one person, and set the normalisation together; without,
    each file is by a stranger. Files are read by `jobs` processes.
    """
    model, header = recogniser.load("own-voice")
    chosen = recogniser.columns(header["functionals"])
    tasks = [delayed(_listen)(path) for path in paths]
    listened = list(workers.results(tasks, jobs, "listening", "file", progress, ordered=True))
    found = {p: each for p, each in zip(paths, listened, strict=True) if isinstance(each, list)}
    failed = {str(p): e for p, e in zip(paths, listened, strict=True) if isinstance(e, str)}
    rows = {path: np.array([s.functionals[chosen] for s in each]) for path, each in found.items()}
    known = np.concatenate(list(rows.values())) if same_speaker and rows else None
    return [_judge(path, found[path], rows[path], known, model) for path in found], failed


def _listen(path: Path) -> list[Stretch] | str:
    """The stretches of one file, or why there are none."""
    try:
        sound, rate = recording.load(path)
        return stretches(sound, rate)
    except (ValueError, OSError) as error:
        return str(error).removeprefix(f"{path}: ")


def _judge(
    path: Path,
    found: Sequence[Stretch],
    rows: np.ndarray,
    known: np.ndarray | None,
    model: LateFusion,
) -> Heard:
    """One judgement for each stretch, and one for all of them, weighted by how long they last."""
    logs = model.log_posteriors({"sound": rows}, None if known is None else {"sound": known})
    lengths = np.array([each.end - each.start for each in found])
    whole = np.average(logs, axis=0, weights=lengths)
    segments = [
        {"start": each.start, "end": each.end, "probabilities": _named(own)}
        for each, own in zip(found, logs, strict=True)
    ]
    return Heard(str(path), _named(whole), segments)


def _named(logs: np.ndarray) -> dict[str, float]:
    """Probabilities by emotion; they sum to one."""
    shares = np.exp(logs - logs.max())
    return dict(zip(EMOTIONS, (shares / shares.sum()).tolist(), strict=True))


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The sound files and films that are meant: files as they are, of folders what lies in them.

    Raises FileNotFoundError for a path that is not there, ValueError for a folder without any.
    """
    listed: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: is not there; name a sound file, a film or a folder")
        inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES]
        if path.is_dir() and not inside:
            raise ValueError(f"{path}: holds no sound file and no film ({', '.join(SUFFIXES)})")
        listed += inside if path.is_dir() else [path]
    return listed


def worth(header: Mapping[str, object], same_speaker: bool) -> str:
    """How often the recogniser is right about people whom it never heard, in one sentence."""
    known = "all" if same_speaker else 0
    row = next(row for row in header["rows"] if row["speaker_clips"] == known)
    who = "whose clips it knew, without labels" if same_speaker else "it had never heard"
    return (
        f"Trained on {header['measured_on']}, {header['clips']} clips of {len(header['actors'])} "
        f"actors, sound alone. It was right about {100 * row['accuracy']:.0f} % "
        f"({100 * row['low']:.0f} to {100 * row['high']:.0f}) of clips of actors {who}; chance is "
        "12.5 %. Acted emotion is not felt emotion: do not judge people by this."
    )
