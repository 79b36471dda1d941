"""What a face does, as numbers: action units, one vector a clip.

An *action unit* is one movement of the face, such as AU12, the corners of the mouth pulled up. The
program OpenFace measures 17 of them on a scale from 0 to 5 (``AU12_r``) and says of 18 whether they
are there (``AU12_c``), frame by frame. Where films are too much to fetch, such a table is enough to
see the face by.
Taught in notebooks/06-honest-splits.ipynb.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from avlib.ravdess import ClipName

_COLUMN = re.compile(r"AU\d\d_[rc]")


def read(path: str | Path) -> pd.DataFrame:
    """Read the action units of clips.

    Parameters
    ----------
    path : str or Path
        A CSV file with a row a clip: ``name`` (of the film) and columns like ``AU12_r`` and
        ``AU12_c``, averaged over the clip. Or a folder of what OpenFace writes, a CSV file for each
        film with a row a frame, as RAVDESS's own face tracking (doi:10.5281/zenodo.3255102): frames
        in which no face was found are left out, the others averaged.

    Returns
    -------
    DataFrame, float32
        A column for each action unit, sorted; the index is the clip (last six codes of the name).

    Raises
    ------
    ValueError
        If a file has no such columns, a name is not RAVDESS or stands there twice, or a number is
        missing.

    Notes
    -----
    Taught in lesson 06. Source: Baltrušaitis et al. 2018, *OpenFace 2.0*,
    doi:10.1109/FG.2018.00019.
    """
    path = Path(path)
    if path.is_dir():
        found = _averaged(path)
    else:
        found = pd.read_csv(path, skipinitialspace=True)
        if "name" not in found:
            raise ValueError(f"{path}: has no column “name”; it should hold a row for each clip")
        found = found.set_index("name")
    columns = sorted(filter(_COLUMN.fullmatch, map(str, found.columns)))
    if not columns:
        raise ValueError(f"{path}: has no column like AU12_r or AU12_c")
    found = found[columns].astype(np.float32)
    found.index = pd.Index([ClipName.parse(str(name)).clip for name in found.index], name="clip")
    twice = found.index[found.index.duplicated()]
    if len(twice):
        raise ValueError(f"{path}: holds clip {twice[0]} more than once")
    lacking = found.index[~np.isfinite(found).all(axis=1)]
    if len(lacking):
        raise ValueError(f"{path}: clip {lacking[0]} lacks a number, or it is not finite")
    return found


def _averaged(folder: Path) -> pd.DataFrame:
    files = sorted(folder.rglob("*.csv"))
    if not files:
        raise ValueError(f"{folder}: holds no CSV file")
    rows = {}
    for file in files:
        frames = pd.read_csv(file, skipinitialspace=True)
        if "success" in frames:
            frames = frames[frames["success"] == 1]
        if frames.empty:
            raise ValueError(f"{file}: no face was found in any frame; remove the file")
        rows[file.stem] = frames.mean(numeric_only=True)
    return pd.DataFrame(rows).T


def join(clips: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Set the action units of each clip beside it, for a recipe with ``visual="vector"``.

    Parameters
    ----------
    clips : DataFrame
        What `ravdess.index` returned.
    path : str or Path
        As `read`. Modalities are not compared: the sound of a clip has the face of its film.

    Returns
    -------
    DataFrame
        With a column ``vector``: an array of float32 a clip, or None for one without action units.

    Raises
    ------
    ValueError
        As `read`.

    Notes
    -----
    Taught in lesson 06.
    """
    known = read(path)
    vectors = dict(zip(known.index, known.to_numpy(), strict=True))
    found = pd.Series([vectors.get(clip) for clip in clips["clip"]], clips.index, dtype=object)
    return clips.assign(vector=found)
