"""Is this machine ready for the lessons? One check for each thing that they need.

Of no lesson; ``python -m avlib doctor`` runs it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from avlib import course

ROOM = 1_000_000_000  # bytes: the practice corpus and its features, with some to spare


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str  # what was looked at
    ok: bool
    detail: str  # what is there
    remedy: str = ""  # what to do where it is not ok

    def __str__(self) -> str:
        mark, remedy = ("[ok] ", "") if self.ok else ("[fix]", f" → {self.remedy}")
        return f"{mark} {self.name}: {self.detail}{remedy}"


def examine() -> list[Finding]:
    """Look at everything that a lesson needs."""
    again = "python -m pip install --force-reinstall"
    return [
        _python(),
        *_packages(),
        _try(_voice, "voice of the practice corpus", "python -m pip install espeakng-loader"),
        _try(_film, "film encoder", f"{again} av"),
        _try(_device, "device", f"{again} torch"),
        _try(_room, "data folder", "make room, or set AVLIB_DATA to a folder on another disk"),
        _try(_recordings, "recordings", "see data/README.md"),
    ]


def _try(check: Callable[[], str], name: str, remedy: str) -> Finding:
    """Report any failure of a check as a finding: a doctor does not fall ill."""
    try:
        return Finding(name, True, check())
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", remedy)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", fits, found, "use Python 3.11, 3.12 or 3.13")


def _packages() -> list[Finding]:
    wanted = map(Requirement, requires("avlib") or [])
    return [
        _package(each)
        for each in wanted
        if not each.marker or each.marker.evaluate({"extra": "lab"})
    ]


def _package(requirement: Requirement) -> Finding:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        found, fits = "not installed", False
    else:
        fits = requirement.specifier.contains(found, prereleases=True)
        found += "" if fits else f", and the lessons need {requirement.specifier}"
    remedy = "python -m pip install -r requirements.txt -e ."
    return Finding(requirement.name, fits, found, remedy)


def _voice() -> str:
    from avlib.practice import voice

    seconds = len(voice.sentence_of(1, 1).sound) / voice.ESPEAK_RATE
    return f"eSpeak NG says a sentence of {seconds:.1f} s"


def _film() -> str:
    import av

    for codec in ("libx264", "aac"):
        av.Codec(codec, "w")
    return "H.264 and AAC"


def _device() -> str:
    import torch

    from avlib.learning import loaders, training

    device = loaders.best_device()
    if device.type == "cuda":
        numbers = "bfloat16" if training.has_bfloat16(device) else "float32 (no bfloat16)"
        return f"{device}, {torch.cuda.get_device_name()}, computes in {numbers}"
    if device.type == "mps":
        return f"{device}, Apple's GPU; there is no CUDA GPU here"
    why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "no GPU found"
    return f"{device}, {torch.get_num_threads()} threads; {why}"


def _room() -> str:
    folder = course.data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    probe.touch()
    probe.unlink()
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise OSError(f"{free / 1e9:.1f} GB free, and the lessons need {ROOM / 1e9:.0f} GB")
    return f"{folder} is writable, {free / 1e9:.0f} GB free"


def _recordings() -> str:
    from avlib.corpus import ravdess

    folder = course.recordings(make=False)
    try:
        clips = ravdess.index(folder)
    except FileNotFoundError:
        return "none yet; the first lesson writes a practice corpus"
    return f"{len(clips)} clips of {ravdess.corpus(clips)} in {folder}"
