"""Open every recording of a folder to its last frame and sample, and say what is wrong with it.

Downloads break off, disks rot, and RAVDESS has oddities of its own: a few stereo files, one
performance under two names. Whoever knows them before training need not wonder after it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pandas as pd
from joblib import delayed

from avlib import files, workers
from avlib.corpus import archives, manifest, recording
from avlib.corpus.ravdess import CHANNELS, PRACTICE_MARK, ClipName, speech_names

MEMORY = ".verified.json"  # what was found, so that a second look opens only what has changed
_VERSION = 3  # of what is remembered
SOUND_RATE = 48_000  # Hz
FRAME_RATE = 30_000 / 1001  # frames a second
SIZE = {False: (1280, 720), True: (320, 180)}  # of RAVDESS's pictures, of the practice corpus's
# All else is worth knowing, no more.
UNUSABLE = {"unreadable", "empty", "silent", "no sound", "changed"}
LOST = {"missing", "wrong size", "wrong checksum"}  # to be fetched again
_FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
LONGEST_GAP_S = 0.1  # between the ends of sound and picture


def verify(
    folder: str | Path, jobs: int | None = None, progress: bool = True, again: bool = False
) -> pd.DataFrame:
    """Look at every wav and mp4 file in a folder and below, and at archives of RAVDESS.

    Where a manifest tells what the files were when they were written, each is compared with it.
    What was found is remembered in the folder, in ``.verified.json``: a run that was stopped goes
    on where it was, and another one opens only files whose size or time has changed.

    Parameters
    ----------
    folder : str or Path
    jobs : int, optional
        Processes; one for each processor by default.
    progress : bool
        Show a bar.
    again : bool
        Open every file, whatever is remembered: a disk can change bytes and leave the time.

    Returns
    -------
    DataFrame
        One row for each thing found: ``file`` (below the folder), ``finding`` (see `look`, or
        ``changed`` and ``missing``: not as the manifest has it; ``incomplete``: RAVDESS holds
        more of that actor; ``same bytes``; of an archive ``wrong size`` or ``wrong checksum``)
        and ``detail``; sorted by file. Its ``attrs["files"]`` counts the files, and
        ``attrs["remembered"]`` those that were not opened this time.

    Raises
    ------
    FileNotFoundError
        If the folder holds no wav or mp4 file.
    """
    folder = Path(folder)
    registry, listed = archives.registry(), manifest.read(folder)
    found = [
        path
        for path in files.below(folder)
        if (path.suffix.lower() in (".wav", ".mp4") or path.name in registry)
        and not path.name.startswith(".")
    ]
    if not found:
        raise FileNotFoundError(f"{folder}: no wav or mp4 files here or below")
    memory = {} if again else _remembered(folder)
    before = {name: seen["stamp"] for name, seen in memory.items() if seen["findings"] is not None}
    known = _examine(folder, found, jobs, progress, memory=memory)
    rows = [(name, *finding) for name in known for finding in known[name]["findings"]]
    rows += _twins({name: seen["digest"] for name, seen in known.items()})
    rows += _against_manifest(listed, {name: seen["crc32"] for name, seen in known.items()})
    if not (folder / PRACTICE_MARK).is_file():
        rows += _against_design(known)
    table = pd.DataFrame(sorted(rows), columns=["file", "finding", "detail"])
    table.attrs["files"] = len(found)
    table.attrs["remembered"] = sum(
        before.get(name) == seen["stamp"] for name, seen in known.items()
    )
    return table


def unusable(
    files: Mapping[Path, bool], jobs: int | None = None, progress: bool = True
) -> dict[Path, str]:
    """Which files no feature can be computed from, and why.

    A file that is, byte for byte, what a manifest says was written need not be decoded; another
    one is opened to its end, unless an earlier look is remembered.

    Parameters
    ----------
    files : mapping of Path to bool
        wav and mp4 files, and whether their sound is needed.
    jobs : int, optional
        Processes; one for each processor by default.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of Path to str
    """
    folder = _root(files)
    listed = manifest.read(folder)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    written = [path for name, path in names.items() if name in listed]
    found = {
        names[name]: f"is not the file that came from {listed[name].source}"
        for name, seen in _examine(folder, written, jobs, progress, opened=False).items()
        if (seen["stamp"][0], seen["crc32"]) != (listed[name].bytes, listed[name].crc32)
    }
    unsure = [path for name, path in names.items() if name not in listed]
    for name, seen in _examine(folder, unsure, jobs, progress).items():
        wrong = UNUSABLE if files[names[name]] else {"unreadable"}
        for finding, said in seen["findings"]:
            if finding in wrong:
                found[names[name]] = said
    return found


def digests(
    files: Iterable[Path], jobs: int | None = None, progress: bool = True
) -> dict[Path, str]:
    """The MD5 of each file; one that has not changed since it was last read is not read again.

    Parameters
    ----------
    files : iterable of Path
        wav and mp4 files.
    jobs : int, optional
        Processes; one for each processor by default.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of Path to str
        In the order of `files`.
    """
    files = list(files)
    folder = _root(files)
    seen = _examine(folder, files, jobs, progress, opened=False)
    return {path: seen[path.relative_to(folder).as_posix()]["digest"] for path in files}


def _root(files: Iterable[Path]) -> Path:
    """The folder that knows about these files: the nearest with a manifest or a memory."""
    common = Path(os.path.commonpath([path.parent for path in files]))
    for folder in (common, *common.parents):
        if manifest.is_ours(folder / manifest.NAME) or (folder / MEMORY).is_file():
            return folder
    return common


def _examine(
    folder: Path,
    paths: list[Path],
    jobs: int | None,
    progress: bool,
    opened: bool = True,
    memory: dict[str, dict[str, object]] | None = None,
) -> dict[str, dict[str, object]]:
    """What is found in each file; only those not remembered, or changed since, are read.

    Where `opened` is false the checksums are enough, and nothing is decoded.
    """
    memory = _remembered(folder) if memory is None else memory
    registry = archives.registry()
    stamps = {path.relative_to(folder).as_posix(): _stamp(path) for path in paths}
    known = {
        name: memory[name]
        for name, stamp in stamps.items()
        if name in memory
        and memory[name]["stamp"] == stamp
        and (memory[name]["findings"] is not None or not opened)
    }
    practice = any((place / PRACTICE_MARK).is_file() for place in (folder, *folder.parents))
    tasks = [
        delayed(_look)(folder, name, registry.get(Path(name).name), practice, opened)
        for name in stamps
        if name not in known
    ]
    looked = workers.results(tasks, jobs, "verify" if opened else "checksums", "file", progress)
    try:
        for name, findings, digest, crc32 in looked:
            known[name] = {
                "stamp": stamps[name], "findings": findings, "digest": digest, "crc32": crc32,
            }  # fmt: skip
    finally:
        if tasks:
            _remember(folder / MEMORY, {"version": _VERSION, "files": memory | known})
    return {name: known[name] for name in stamps}


def look(path: str | Path, practice: bool = False) -> list[tuple[str, str]]:
    """Open one file to its end.

    Parameters
    ----------
    path : str or Path
        A wav or mp4 file.
    practice : bool
        Whether it should have the practice corpus's picture size.

    Returns
    -------
    list of tuple of str
        Each a finding and its detail. ``unreadable`` (not whole, not media, or not to be decoded
        to its end), ``empty``, ``silent`` and ``no sound`` (of a 01 mp4) make a file unusable;
        ``stereo``, ``odd rate``, ``odd size``, ``turned``, ``starts apart``, ``ends apart`` and
        ``odd name`` do not.
    """
    path = Path(path)
    try:
        return _look_at_mp4(path, practice) if path.suffix.lower() == ".mp4" else _listen(path)
    except ValueError as error:
        said = str(error).removeprefix(f"{path}: ")
        return [("empty" if "no sound samples" in said else "unreadable", said)]


def _listen(path: Path) -> list[tuple[str, str]]:
    channels, rate = recording.load_channels(path)
    return _about_sound(channels, rate)


def _about_sound(channels: np.ndarray, rate: int) -> list[tuple[str, str]]:
    findings = []
    if channels.shape[1] > 1:
        findings.append(("stereo", f"{channels.shape[1]} channels; they are averaged"))
    if rate != SOUND_RATE:
        findings.append(("odd rate", f"sound at {rate} Hz instead of {SOUND_RATE}"))
    loudest, mixed = float(np.abs(channels).max()), float(np.abs(channels.mean(axis=1)).max())
    if loudest < recording.SILENT:
        findings.append(("silent", f"nowhere above {loudest:.6f} of full scale"))
    elif mixed < recording.SILENT:
        findings.append(("silent", "its channels cancel each other out"))
    return findings


def _look_at_mp4(path: Path, practice: bool) -> list[tuple[str, str]]:
    size, promised_size = path.stat().st_size, _promised_size(path)
    if size < promised_size:
        return [("unreadable", f"is cut short, {size} of {promised_size} bytes are there")]
    findings = []
    try:
        with av.open(path, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                return [("unreadable", "has no picture that can be decoded")]
            packets, frames, turned = 0, [], 0
            late = recording.starts_late(container)
            for packet in container.demux(stream):
                packets += packet.size > 0
                for frame in packet.decode():
                    frames.append((frame.time, frame.width, frame.height))
                    turned = frame.rotation
            rate, promised = float(stream.average_rate or 0), stream.frames
            heard = bool(container.streams.audio)
    except av.FFmpegError as error:
        return [("unreadable", f"its picture cannot be decoded to its end ({error.strerror})")]
    if not frames or packets < promised:  # some that are there may lie before the film's start
        return [("unreadable", f"is cut short, {packets} of {promised} frames are there")]
    if any(time is None for time, _, _ in frames):
        return [("unreadable", "a frame carries no time")]
    if {frame[1:] for frame in frames} != {SIZE[practice]}:
        width, height = frames[0][1:]
        wanted = "{} × {}".format(*SIZE[practice])
        findings.append(("odd size", f"{width} × {height} pixels instead of {wanted}"))
    if abs(rate - FRAME_RATE) > 0.01:
        findings.append(("odd rate", f"{rate:.3f} frames a second instead of {FRAME_RATE:.3f}"))
    if turned:
        findings.append(("turned", f"by {turned} degrees; it is turned back"))
    if abs(late) > recording.APART_S:
        which = "later" if late > 0 else "earlier"
        findings.append(
            ("starts apart", f"the sound starts {abs(late):.2f} s {which}; they are aligned")
        )
    if heard:
        channels, sound_rate = recording.load_channels(path)
        findings += _about_sound(channels, sound_rate)
        gap = len(channels) / sound_rate - (frames[-1][0] - frames[0][0] + 1 / rate)
        if abs(gap) > LONGEST_GAP_S:
            which = "later" if gap > 0 else "earlier"
            findings.append(("ends apart", f"the sound ends {abs(gap):.2f} s {which}"))
    elif not _is_silent_film(path):
        findings.append(("no sound", "a 01 file should have a sound track"))
    return findings


def _promised_size(path: Path) -> int:
    """Where the last box of an mp4 file ends: the file is a row of boxes, each with its length."""
    end, size = 0, path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] not in _FIRST_BOXES:
            return 0  # another kind of film; its decoder will tell
        while end < size:
            file.seek(end)
            length = int.from_bytes(file.read(4), "big")
            if length == 1:  # the length is a long one, and stands after the box's kind
                length = int.from_bytes(file.read(12)[4:], "big")
            if length < 8:  # up to the file's end, or no box at all
                break
            end += length
    return end


def _is_silent_film(path: Path) -> bool:
    """Whether its name says that it has no sound."""
    try:
        return ClipName.parse(path).modality == 2
    except ValueError:
        return False


def _look(
    folder: Path, name: str, archive: archives.Archive | None, practice: bool, opened: bool
) -> tuple[str, list[tuple[str, str]] | None, str, int]:
    path, found = folder / name, None
    try:
        if opened:
            found = look(path, practice) if archive is None else archives.faults(path, archive)
        return name, found, archives.md5(path), manifest.crc32(path)
    except OSError as error:  # may not be read, or gone meanwhile: the others go on
        return name, [("unreadable", f"cannot be read ({error.strerror})")], "", -1


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:  # gone meanwhile
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


def _remembered(folder: Path) -> dict[str, dict[str, object]]:
    try:
        content = files.unseal(folder / MEMORY, {"version": int, "files": dict})
    except (OSError, files.DamagedError):  # no memory, or one that was damaged: look anew
        return {}
    return content["files"] if content["version"] == _VERSION else {}


def _remember(path: Path, content: dict[str, object]) -> None:
    with suppress(OSError):  # a folder that may only be read, or a full disk: look again next time
        files.seal(path, content)


def _twins(digests: dict[str, str]) -> list[tuple[str, str, str]]:
    """Files of the same bytes under two names; a second copy under one name is no riddle."""
    same = defaultdict(list)
    for name, digest in digests.items():
        if digest:
            same[digest].append(name)
    return [
        (name, "same bytes", f"as {others[0]}")
        for names in same.values()
        for name in names
        if (others := [other for other in names if Path(other).name != Path(name).name])
    ]


def _against_manifest(
    listed: dict[str, manifest.Entry], found: dict[str, int]
) -> list[tuple[str, str, str]]:
    """Files that are not there any more, or not as they were written."""
    return [
        (name, "missing", f"was here, from {entry.source}")
        if name not in found
        else (name, "changed", f"is not the file that came from {entry.source}; get it again")
        for name, entry in listed.items()
        if found.get(name) != entry.crc32
    ]


def _against_design(files: Iterable[str]) -> list[tuple[str, str, str]]:
    """What RAVDESS holds and the folder does not, for each actor, suffix and modality there."""
    here: dict[tuple[int, int, str], set[str]] = defaultdict(set)
    for file in files:
        try:
            name = ClipName.parse(file)
        except ValueError:
            continue
        if CHANNELS[name.channel - 1] == "speech":
            here[name.actor, name.modality, Path(file).suffix.lower()].add(str(name))
    rows = []
    for (actor, modality, suffix), names in here.items():
        official = [str(name) for name in speech_names([actor], modality)]
        lacking = [name for name in official if name not in names]
        if lacking:
            first = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
            detail = f"{len(lacking)} of {len(official)} that RAVDESS holds: {first}"
            rows.append((f"{modality:02d}-01-*-{actor:02d}{suffix}", "incomplete", detail))
    return rows
