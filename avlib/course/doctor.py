"""Is this machine ready for the lessons? ``python -m avlib doctor`` tells. Of no lesson."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
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
    python, fits = ".".join(map(str, sys.version_info[:3])), (3, 11) <= sys.version_info < (3, 14)
    return [
        Finding("Python", fits, python, "use Python 3.11, 3.12 or 3.13"),
        *_packages(),
        _try(_voice, "voice of the practice corpus", "python -m pip install espeakng-loader"),
        _try(_film, "film encoder", "python -m pip install --force-reinstall av"),
        _try(_device, "device", "python -m pip install --force-reinstall torch"),
        _try(_room, "data folder", "make room, or set AVLIB_DATA to a folder on another disk"),
        _try(_recordings, "recordings", "see data/README.md"),
    ]


def _try(check: Callable[[], str], name: str, remedy: str) -> Finding:
    """Report any failure of a check as a finding: a doctor does not fall ill."""
    try:
        return Finding(name, True, check())
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", remedy)


def _packages() -> Iterator[Finding]:
    remedy = "python -m pip install -r requirements.txt -e ."
    for wanted in map(Requirement, requires("avlib") or []):
        if wanted.marker and not wanted.marker.evaluate({"extra": "lab"}):
            continue
        try:
            found, fits = version(wanted.name), True
        except PackageNotFoundError:
            found, fits = "not installed", False
        if fits and not wanted.specifier.contains(found, prereleases=True):
            found, fits = f"{found}, and the lessons need {wanted.specifier}", False
        yield Finding(wanted.name, fits, found, remedy)


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
    tempfile.TemporaryFile(dir=folder).close()  # whether it is writable
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
