"""The practice corpus: RAVDESS-named recordings of nobody, drawn from what the real ones measure.

RAVDESS is large and may not be passed on here, so the lessons and tests begin with this: a voice
by eSpeak NG, a face by OpenCV, both moved by numbers with the means and spreads of the real clips.
Taught in notebooks/01-explore-the-dataset.ipynb.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from avlib import ravdess
from avlib.practice import performance
from avlib.ravdess import PRACTICE_MARK, ClipName

VERSION = 1  # goes up whenever the same seed would give other recordings

_NOTICE = """\
These recordings are SYNTHETIC. No person was recorded: eSpeak NG spoke, OpenCV drew.
They carry RAVDESS names so that the same code reads them, and they are not RAVDESS.

How they are performed was drawn from means and covariances measured on RAVDESS: Livingstone SR,
Russo FA (2018), PLoS ONE 13(5): e0196391, https://doi.org/10.1371/journal.pone.0196391. No
recording can be had back from these figures.

avlib practice corpus, version {version}, seed {seed}
"""


def write(
    folder: str | Path,
    actors: int = 8,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
    names: Iterable[ClipName] | None = None,
) -> Path:
    """Write a practice corpus: a wav (03) and an mp4 (01) for each speech clip of each actor.

    A file that is already there is kept, so a run that was interrupted goes on where it stopped,
    and two runs at once write the same bytes.

    Parameters
    ----------
    folder : str or Path
        Becomes ``Actor_01/``, ``Actor_02/`` … and ``SYNTHETIC.txt``, which says what this is.
    actors : int
        1 to 24; sixty clips each.
    seed : int
        Zero or more. The same seed gives the same recordings.
    jobs : int, optional
        Processes; one for each core by default.
    progress : bool
        Show a bar.
    names : iterable of ClipName, optional
        Write these clips alone.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If there are no such actors, or the seed is negative.
    FileExistsError
        If the folder holds other recordings: real ones, or practice clips of another seed.
    RuntimeError
        If eSpeak NG cannot be loaded.
    OSError
        If a file cannot be written; names it.

    Notes
    -----
    Taught in lesson 01.
    """
    folder = Path(folder)
    if not 1 <= actors <= ravdess.ACTORS:
        raise ValueError(f"actors: should be from 1 to {ravdess.ACTORS}, got {actors}")
    names = ravdess.speech_names(range(1, actors + 1)) if names is None else list(names)
    rows = performance.draw(names, seed).to_dict("records")
    _claim(folder, seed)
    todo = [(name, row) for name, row in zip(names, rows, strict=True) if not _done(folder, name)]
    work = (delayed(_write_clip)(folder, name, row, seed) for name, row in todo)
    written = Parallel(n_jobs=jobs or os.cpu_count(), return_as="generator_unordered")(work)
    for _ in tqdm(
        written, "practice corpus", len(todo), unit="clip", disable=not (progress and todo)
    ):
        pass
    return folder


def is_practice(folder: str | Path) -> bool:
    """Whether a folder is a practice corpus.

    Notes
    -----
    Taught in lesson 01.
    """
    return (Path(folder) / PRACTICE_MARK).is_file()


def contact_sheet(actors: int = 6, seed: int = 0) -> np.ndarray:
    """All emotions of several actors on one page, at their most expressive.

    Parameters
    ----------
    actors : int
        Columns: actors 1, 2, …
    seed : int

    Returns
    -------
    ndarray, shape (8 × 150, 90 + actors × 170, 3), uint8
        RGB. A row is an emotion, its name on the left; strong, but neutral normal.

    Notes
    -----
    Taught in lesson 01.
    """
    import cv2

    from avlib.practice import face

    lines = []
    for emotion, label in enumerate(ravdess.EMOTIONS, 1):
        names = [
            ClipName(1, 1, emotion, min(emotion, 2), 1, 1, actor) for actor in range(1, actors + 1)
        ]
        drawn = performance.draw(names, seed).to_dict("records")
        faces = [face.apex(name, row) for name, row in zip(names, drawn, strict=True)]
        margin = np.full((150, 90, 3), 255, np.uint8)
        style = cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA
        cv2.putText(margin, label, (4, 80), *style)
        lines.append(np.hstack([margin, *(frame[12:162, 75:245] for frame in faces)]))
    return np.vstack(lines)


def _claim(folder: Path, seed: int) -> None:
    """Mark a folder as practice, unless it holds something else."""
    from avlib.practice import media

    notice = _NOTICE.format(version=VERSION, seed=seed)
    mark = folder / PRACTICE_MARK
    if mark.is_file():
        if mark.read_text(encoding="utf-8") != notice:
            said = mark.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise FileExistsError(
                f"{folder}: holds another practice corpus ({' '.join(said)}), not version "
                f"{VERSION}, seed {seed}; name another folder, or remove this one"
            )
        return
    if folder.exists() and any(
        path.suffix.lower() in (".wav", ".mp4") for path in folder.rglob("*")
    ):
        raise FileExistsError(
            f"{folder}: holds recordings that are not practice clips, and the two are never mixed; "
            "name an empty folder"
        )
    media.save(mark, notice.encode())


def _files(folder: Path, name: ClipName) -> tuple[Path, Path]:
    place = folder / f"Actor_{name.actor:02d}"
    return place / f"{name.as_modality(3)}.wav", place / f"{name.as_modality(1)}.mp4"


def _done(folder: Path, name: ClipName) -> bool:
    return all(path.exists() for path in _files(folder, name))


def _write_clip(folder: Path, name: ClipName, row: dict[str, float], seed: int) -> None:
    from avlib.practice import face, media, voice

    sound = voice.speak(name, row, seed)
    heard, seen = _files(folder, name)
    media.save(heard, media.wav(sound))
    media.save(seen, media.mp4(face.frames(name, row, seed, sound), sound))
