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
    """What one check found.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool
    detail : str
        What is there.
    remedy : str
        What to do where it is not ok.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = "[ok] " if self.ok else "[fix]"
        return f"{mark} {self.name}: {self.detail}" + ("" if self.ok else f" → {self.remedy}")


def examine() -> list[Finding]:
    """Look at everything that a lesson needs.

    Returns
    -------
    list of Finding
    """
    return [_python(), *_packages(), _voice(), _film(), _device(), _room(), _recordings()]


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", fits, found, "use Python 3.11, 3.12 or 3.13")


def _packages() -> list[Finding]:
    wanted = [Requirement(line) for line in requires("avlib") or []]
    return [
        _package(requirement)
        for requirement in wanted
        if requirement.marker is None or requirement.marker.evaluate({"extra": "lab"})
    ]


def _package(requirement: Requirement) -> Finding:
    remedy = "python -m pip install -r requirements.txt -e ."
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return Finding(requirement.name, False, "not installed", remedy)
    fits = requirement.specifier.contains(found, prereleases=True)
    detail = found if fits else f"{found}, and the lessons need {requirement.specifier}"
    return Finding(requirement.name, fits, detail, remedy)


def _try(name: str, check: Callable[[], str], remedy: str) -> Finding:
    """Report any failure of a check as a finding: a doctor does not fall ill."""
    try:
        return Finding(name, True, check())
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", remedy)


def _voice() -> Finding:
    def check() -> str:
        from avlib.practice import voice

        seconds = len(voice.sentence_of(1, 1).sound) / voice.ESPEAK_RATE
        return f"eSpeak NG says a sentence of {seconds:.1f} s"

    return _try("voice of the practice corpus", check, "python -m pip install espeakng-loader")


def _film() -> Finding:
    def check() -> str:
        import av

        for codec in ("libx264", "aac"):
            av.Codec(codec, "w")
        return "H.264 and AAC"

    return _try("film encoder", check, "python -m pip install --force-reinstall av")


def _device() -> Finding:
    def check() -> str:
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

    return _try("device", check, "python -m pip install --force-reinstall torch")


def _room() -> Finding:
    folder = course.data_folder()
    remedy = "make room, or set AVLIB_DATA to a folder on another disk"

    def check() -> str:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
        free = shutil.disk_usage(folder).free
        if free < ROOM:
            raise OSError(f"{free / 1e9:.1f} GB free, and the lessons need {ROOM / 1e9:.0f} GB")
        return f"{folder} is writable, {free / 1e9:.0f} GB free"

    return _try("data folder", check, remedy)


def _recordings() -> Finding:
    def check() -> str:
        from avlib.corpus import ravdess

        folder = course.recordings(make=False)
        try:
            clips = ravdess.index(folder)
        except FileNotFoundError:
            return "none yet; the first lesson writes a practice corpus"
        return f"{len(clips)} clips of {ravdess.corpus(clips)} in {folder}"

    return _try("recordings", check, "see data/README.md")
