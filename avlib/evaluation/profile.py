"""A person's profile: what their recordings so far tell of their voice, kept in a file of theirs.

It holds functionals of stretches of voice, no sound, no picture and no judgement. Of no lesson yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from avlib import files
from avlib.evaluation.listening import Stretch
from avlib.features import functionals

MOST = 120  # stretches that are kept, the latest; twice what any recogniser was fitted to know
_FORM = {"avlib profile": str, "functionals": list, "stretches": dict}


def load(path: Path) -> list[Stretch]:
    """The stretches of voice that a profile knows; none where there is no file yet.

    Raises `files.DamagedError` if it is no profile, or not as avlib wrote it; ValueError if it is
    of another release, with other functionals.
    """
    return [
        Stretch(0.0, 0.0, np.array(values, np.float32))
        for values in _read(path)["stretches"].values()
    ]


def update(path: Path, found: Mapping[Path, Sequence[Stretch]]) -> int:
    """Add recordings to a profile, whole or not at all; return how many stretches are known now.

    A recording whose bytes are known already is not counted twice. Raises as `load`.
    """
    names = {recording: _digest(recording) for recording in found}
    kept = _read(path)
    for recording, each in found.items():
        for stretch in each:
            place = f"{names[recording]} at {stretch.start:.2f} s"
            kept["stretches"][place] = stretch.functionals.astype(float).tolist()
    kept["stretches"] = dict(list(kept["stretches"].items())[-MOST:])
    files.seal(path, kept)
    return len(kept["stretches"])


def _digest(recording: Path) -> str:
    """A name for a recording's bytes."""
    with recording.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _read(path: Path) -> dict[str, object]:
    names = [each.name for each in functionals.described()]
    if not path.exists():
        about = "functionals of one person's voice; no sound, no picture, no judgement"
        return {"avlib profile": about, "functionals": names, "stretches": {}}
    try:
        kept = files.unseal(path, _FORM)
    except files.DamagedError as error:
        raise files.DamagedError(f"{error}; it is no profile: name another file") from error
    if kept["functionals"] != names:
        raise ValueError(
            f"{path}: was made by another release of avlib, which measured a voice otherwise; name "
            "a new file, and give it the recordings again"
        )
    return kept
