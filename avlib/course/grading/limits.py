"""What a student's process may use, and what no system can hold it to. Of no lesson."""

import ctypes
import os
import struct
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

try:
    import resource
except ImportError:  # on Windows
    resource = None

_NOBODY = 65534
_KEEP_CAPABILITIES, _NO_NEW_PRIVILEGES = 8, 38  # of prctl
_READ_ALL = 1 << 2  # the capability to read any file, and no other
_LANDLOCK = 444  # the first of its three system calls, which have these numbers everywhere
_WRITE, _CHANGES = 1 << 1, 0b1_1111_1111_0010  # a file; and make or remove files and folders


@dataclass(frozen=True)
class Limits:
    """What one answer may use, from its definition to the last call of its judge."""

    wall: float = 60.0  # seconds, of a machine that may be busy
    processor: int = 20  # seconds
    memory: int = 1_000_000_000  # bytes, above what the lesson takes
    written: int = 20_000_000  # bytes of a file


def unlimited() -> list[str]:
    """What cannot be limited on this system, a sentence each."""
    if resource is None:
        return [
            "On this system an answer is limited in time alone: it may take all memory, start "
            "processes and change your files. Mark on Linux, or in a container, what you do not "
            "trust."
        ]
    version, said = _landlock(), []
    if sys.platform != "linux":
        said.append("On this system memory is not limited.")
        if os.geteuid() == 0:
            said.append("Run by root, answers may start processes and change any file.")
    if os.geteuid() != 0 and version < 3:  # before that, files elsewhere can be shortened
        said.append(
            "Answers run in an empty folder, but as you: they may change whatever you may. Mark in "
            "a container what you do not trust."
        )
    if version < 4:
        said.append("Answers may open network connections.")
    return said


def apply(limits: Limits, folder: Path) -> None:
    """Limit this process for good: from now on it runs somebody else's code in that folder.

    On Linux it can change the content of no file outside the folder, as far as `unlimited` does
    not say otherwise. Run by root there, it becomes nobody, who may read all: root's own processes
    no system counts.
    """
    os.chdir(folder)
    os.environ |= dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP"), str(folder))
    tempfile.tempdir = str(folder)
    if resource is None:
        return
    memory = limits.memory
    with suppress(OSError):  # elsewhere than on Linux nothing says how much there is
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        memory += pages * resource.getpagesize()
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    seconds = int(used) + limits.processor
    for name, soft, hard in (
        ("RLIMIT_AS", memory, memory),
        ("RLIMIT_CPU", seconds, seconds + 2),
        ("RLIMIT_FSIZE", limits.written, limits.written),
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_NPROC", 0, 0),  # no process and no thread more
    ):
        with suppress(ValueError, OSError):  # not there, or lower already
            resource.setrlimit(getattr(resource, name), (soft, hard))
    if sys.platform == "linux":
        _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if os.geteuid() == 0:
            _become_nobody(folder)
        _fence(folder)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _become_nobody(folder: Path) -> None:
    """Give up what root may do, but for reading: Python itself may lie in root's home."""
    os.chown(folder, _NOBODY, _NOBODY)
    _libc().prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    kept = ctypes.create_string_buffer(struct.pack("6I", _READ_ALL, _READ_ALL, 0, 0, 0, 0))
    if _libc().capset(header, kept):
        raise OSError(ctypes.get_errno(), "capset")


def _landlock() -> int:
    """Which version of Landlock the kernel has; less than 1 for none."""
    if sys.platform != "linux":
        return 0
    return _libc().syscall(_LANDLOCK, None, ctypes.c_size_t(0), ctypes.c_uint(1))


def _fence(folder: Path) -> None:
    """Change files in that folder alone; with later kernels, call no server and end no process."""
    version = _landlock()
    if version < 1:
        return
    changes = _CHANGES | (version >= 2) << 13 | (version >= 3) << 14  # move, shorten
    bounds = struct.pack("QQQ", changes, 3 * (version >= 4), 3 * (version >= 6))
    system = _libc().syscall
    rules = system(_LANDLOCK, bounds, ctypes.c_size_t(len(bounds)), ctypes.c_uint(0))
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for place, allowed in ((folder, changes), (os.devnull, _WRITE)):
        handle = os.open(place, os.O_PATH)
        rule = struct.pack("=Qi", allowed, handle)
        if system(_LANDLOCK + 1, ctypes.c_int(rules), ctypes.c_int(1), rule, ctypes.c_uint(0)):
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
        os.close(handle)
    if system(_LANDLOCK + 2, ctypes.c_int(rules), ctypes.c_uint(0)):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(rules)
