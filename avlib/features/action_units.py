"""What a face does, as numbers: action units, one vector a clip.

An *action unit* is one movement of the face, such as AU12, the corners of the mouth pulled up. The
program OpenFace measures 17 of them on a scale from 0 to 5 (``AU12_r``) and says of 18 whether they
are there (``AU12_c``), frame by frame. Where films are too much to fetch, such a table is enough to
see the face by.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from avlib import files
from avlib.corpus.ravdess import ClipName

_COLUMN = re.compile(r"AU0*(\d{1,2})_([RC])", re.IGNORECASE)
_HIGHEST = {"r": 5, "c": 1}  # of a strength, of a presence, as OpenFace measures them


def read(path: str | Path) -> pd.DataFrame:
    """Read the action units of clips.

    `path` is a text table (commas, semicolons or tabs) with a row a clip: ``name`` (of the film)
    and columns like ``AU12_r`` and ``AU12_c``, averaged over the clip. Or it is a folder of what
    OpenFace writes, a CSV file for each film with a row a frame, as RAVDESS's own face tracking
    (doi:10.5281/zenodo.3255102): frames in which no face was found are left out, the others
    averaged.

    Returns a table of float32 with a sorted column for each action unit; its index is the clip
    (last six codes of the name). Raises `ValueError` if a file has no such columns, or some that
    only resemble them, a name is not RAVDESS or stands there twice, or a number is missing or
    outside OpenFace's scale (0 to 5; 0 to 1).
    Source: Baltrušaitis et al. 2018, *OpenFace 2.0*, doi:10.1109/FG.2018.00019.
    """
    path = Path(path)
    found = _averaged(path) if path.is_dir() else _table(path)
    if "name" not in found:
        raise ValueError(f"{path}: has no column “name”; it should hold a row for each clip")
    found = found.set_index("name")
    columns = sorted(filter(_COLUMN.fullmatch, found.columns))
    if not columns:
        raise ValueError(f"{path}: has no column like AU12_r or AU12_c")
    found = found[columns].astype(np.float32)
    try:
        found.index = pd.Index(
            [ClipName.parse(str(name)).clip for name in found.index], name="clip"
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    twice = found.index[found.index.duplicated()]
    if len(twice):
        raise ValueError(f"{path}: holds clip {twice[0]} more than once")
    lacking = found.index[~np.isfinite(found).all(axis=1)]
    if len(lacking):
        raise ValueError(f"{path}: clip {lacking[0]} lacks a number, or it is not finite")
    for name in columns:
        outside = found.index[~found[name].between(0, _HIGHEST[name[-1]])]
        if len(outside):
            raise ValueError(
                f"{path}: clip {outside[0]}: {name} is {found.loc[outside[0], name]:g}, and goes "
                f"from 0 to {_HIGHEST[name[-1]]}"
            )
    return found


def _table(path: Path) -> pd.DataFrame:
    """A text table, with the names of action units as OpenFace writes them."""
    mark, decimal, _ = files.dialect(path)
    try:
        table = pd.read_csv(
            path, sep=mark, decimal=decimal, skipinitialspace=True, encoding="utf-8-sig"
        )
    except ValueError as error:
        raise ValueError(f"{path}: cannot be read as a table ({error})") from error
    names = [str(name).strip() for name in table.columns]
    parts = [_COLUMN.fullmatch(name) for name in names]
    odd = [name for name, part in zip(names, parts, strict=True)
           if part is None and re.match(r"AU\d", name, re.IGNORECASE)]  # fmt: skip
    if odd:
        raise ValueError(
            f"{path}: the column {odd[0]!r} looks like an action unit; name it like AU12_r "
            "(strength) or AU12_c (presence), or remove it"
        )
    table.columns = [
        f"AU{int(part[1]):02d}_{part[2].lower()}" if part else name.lower()
        for name, part in zip(names, parts, strict=True)
    ]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"{path}: has the column {twice[0]} twice")
    for name in filter(_COLUMN.fullmatch, table.columns):
        # As texts: pandas cannot make a float of an int beyond all floats.
        table[name] = pd.to_numeric(table[name].astype(str), errors="coerce")
    return table


def _averaged(folder: Path) -> pd.DataFrame:
    """As `_table`, of a folder with a table for each film."""
    tables = [path for path in files.below(folder) if path.suffix.lower() == ".csv"]
    if not tables:
        raise ValueError(f"{folder}: holds no CSV file")
    rows = {}
    for file in tables:
        frames = _table(file)
        if "success" in frames:
            frames = frames[frames["success"] == 1]
        if frames.empty:
            raise ValueError(f"{file}: no face was found in any frame; remove the file")
        rows[file.stem] = frames.mean(numeric_only=True)
    return pd.DataFrame(rows).T.rename_axis("name").reset_index()


def join(clips: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Set the action units of each clip beside it, for a recipe with ``visual="vector"``.

    `clips` is what `ravdess.index` returned, and `path` as in `read`, which also says what is
    raised. Modalities are not compared: the sound of a clip has the face of its film. Returns the
    table with a column ``vector``: ``(action units,)`` float32 a clip, or None for a clip without.
    """
    known = read(path)
    vectors = dict(zip(known.index, known.to_numpy(), strict=True))
    found = pd.Series([vectors.get(clip) for clip in clips["clip"]], clips.index, dtype=object)
    return clips.assign(vector=found)
