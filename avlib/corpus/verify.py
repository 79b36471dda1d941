"""Open every recording of a folder to its last frame and sample, and say what is wrong with it.

Downloads break off, disks rot, and RAVDESS has oddities of its own: a few stereo files, one
performance under two names. Whoever knows them before training need not wonder after it.
"""

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
from avlib.corpus import manifest, recording
from avlib.corpus.ravdess import is_media, is_practice, name_of, speech_names

MEMORY = ".verified.json"  # what was found, so that a second look opens only what has changed
_VERSION = 3  # of what is remembered
SOUND_RATE = 48_000  # Hz
FRAME_RATE = 30_000 / 1001  # frames a second
SIZE = {False: (1280, 720), True: (320, 180)}  # of RAVDESS's pictures, of the practice corpus's
# All else is worth knowing, no more.
UNUSABLE = {"unreadable", "empty", "silent", "no sound", "changed"}
LOST = {"missing", "wrong size", "wrong checksum"}  # to be fetched again
LONGEST_GAP_S = 0.1  # between the ends of sound and picture
_FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")

Findings = list[tuple[str, str]]  # each a finding and its detail
Rows = list[tuple[str, str, str]]  # of the table: file, finding, detail
# What is remembered of a file: its "stamp" (size and time), "findings" (None where it was only
# read, not opened), "digest" (MD5) and "crc32".
Seen = dict[str, object]


def verify(
    folder: str | Path, jobs: int | None = None, progress: bool = True, again: bool = False
) -> pd.DataFrame:
    """Look at every wav and mp4 file in a folder and below, and at archives of RAVDESS.

    What was found is remembered in the folder, in ``.verified.json``: a run that was stopped goes
    on where it was, and another one opens only files whose size or time has changed. With `again`
    it opens all of them: a disk can change bytes and leave the time.

    Returns a row for each thing found: ``file`` (below the folder), ``finding`` (see `look`, or
    ``changed`` and ``missing``: not as the manifest has it; ``incomplete``: RAVDESS holds more of
    that actor; ``same bytes``; see `manifest.faults` for archives) and ``detail``. ``attrs`` counts
    the ``files``, and those ``remembered``, which were not opened this time. Raises
    ``FileNotFoundError`` if there is no wav or mp4 file.
    """
    folder = Path(folder)
    registry, listed = manifest.registry(), manifest.read(folder)
    found = [path for path in files.below(folder) if is_media(path) or path.name in registry]
    if not found:
        raise FileNotFoundError(f"{folder}: no wav or mp4 files here or below")
    known, fresh = _examine(folder, found, jobs, progress, again=again)
    rows = [(name, *finding) for name, seen in known.items() for finding in seen["findings"]]
    rows += _twins(known) + _against_manifest(listed, known)
    if not is_practice(folder):
        rows += _against_design(known)
    table = pd.DataFrame(sorted(rows), columns=["file", "finding", "detail"])
    table.attrs |= {"files": len(known), "remembered": len(known) - fresh}
    return table


def unusable(
    files: Mapping[Path, bool], jobs: int | None = None, progress: bool = True
) -> dict[Path, str]:
    """Which wav and mp4 files no feature can be computed from, and why.

    `files` says of each whether its sound is needed. A file that is, byte for byte, what a manifest
    says was written need not be decoded; another one is opened to its end, unless an earlier look
    is remembered.
    """
    folder = _root(files)
    listed = manifest.read(folder)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    written = [path for name, path in names.items() if name in listed]
    unsure = [path for name, path in names.items() if name not in listed]
    found = {}
    for name, seen in _examine(folder, written, jobs, progress, opened=False)[0].items():
        if (seen["stamp"][0], seen["crc32"]) != (listed[name].bytes, listed[name].crc32):
            found[names[name]] = f"is not the file that came from {listed[name].source}"
    for name, seen in _examine(folder, unsure, jobs, progress)[0].items():
        wrong = UNUSABLE if files[names[name]] else {"unreadable"}
        for finding, said in seen["findings"]:
            if finding in wrong:
                found[names[name]] = said
    return found


def digests(
    files: Iterable[Path], jobs: int | None = None, progress: bool = True
) -> dict[Path, str]:
    """The MD5 of each wav or mp4 file, in order; one that has not changed is not read again."""
    files = list(files)
    folder = _root(files)
    seen, _ = _examine(folder, files, jobs, progress, opened=False)
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
    again: bool = False,
) -> tuple[dict[str, Seen], int]:
    """What is found in each file, and how many were read for it: those not remembered as they are.

    Where `opened` is false the checksums are enough, and nothing is decoded.
    """
    memory = {}
    if not again:
        with suppress(OSError, files.DamagedError):  # none, or a damaged one: look anew
            kept = files.unseal(folder / MEMORY, {"version": int, "files": dict})
            memory = kept["files"] if kept["version"] == _VERSION else {}
    stamps = {path.relative_to(folder).as_posix(): _stamp(path) for path in paths}
    known = {
        name: seen
        for name, seen in memory.items()
        if seen["stamp"] == stamps.get(name) and (seen["findings"] is not None or not opened)
    }
    registry, practice = manifest.registry(), is_practice(folder)
    tasks = [
        delayed(_look)(folder, name, registry.get(Path(name).name), practice, opened)
        for name in stamps
        if name not in known
    ]
    looked = workers.results(tasks, jobs, "verify" if opened else "checksums", "file", progress)
    try:
        for name, seen in looked:
            known[name] = {"stamp": stamps[name], **seen}
    finally:
        with suppress(OSError):  # may only be read, or a full disk: look again next time
            if tasks:
                files.seal(folder / MEMORY, {"version": _VERSION, "files": memory | known})
    return {name: known[name] for name in stamps}, len(tasks)


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:  # gone meanwhile
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


def _look(
    folder: Path, name: str, archive: manifest.Archive | None, practice: bool, opened: bool
) -> tuple[str, Seen]:
    path, found = folder / name, None
    try:
        if opened:
            found = look(path, practice) if archive is None else manifest.faults(path, archive)
        digest, crc32 = manifest.md5(path), manifest.crc32(path)
    except OSError as error:  # may not be read, or gone meanwhile: the others go on
        found = [("unreadable", f"cannot be read ({error.strerror})")]
        digest, crc32 = "", -1
    return name, {"findings": found, "digest": digest, "crc32": crc32}


def look(path: str | Path, practice: bool = False) -> Findings:
    """Open a wav or mp4 file to its end, and list what is found.

    ``unreadable`` (not whole, not media, or not to be decoded to its end), ``empty``, ``silent``
    and ``no sound`` (of a 01 mp4) make a file unusable; ``stereo``, ``odd rate``, ``odd size`` (not
    RAVDESS's, or the `practice` corpus's), ``turned``, ``starts apart`` and ``ends apart`` do not.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".mp4":
            return _look_at_mp4(path, practice)
        return _about_sound(*recording.load_channels(path))
    except ValueError as error:
        said = str(error).removeprefix(f"{path}: ")
        return [("empty" if "no sound samples" in said else "unreadable", said)]


def _about_sound(channels: np.ndarray, rate: int) -> Findings:
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


def _look_at_mp4(path: Path, practice: bool) -> Findings:
    size, promised_size = path.stat().st_size, _promised_size(path)
    if size < promised_size:
        return [("unreadable", f"is cut short, {size} of {promised_size} bytes are there")]
    try:
        with av.open(path, metadata_errors="replace") as film:
            stream = film.streams.best("video")
            if stream is None or stream.codec_context is None:
                return [("unreadable", "has no picture that can be decoded")]
            packets, times, sizes, turned = 0, [], set(), 0
            late, heard = recording.starts_late(film), bool(film.streams.audio)
            for packet in film.demux(stream):
                packets += packet.size > 0
                for frame in packet.decode():
                    times.append(frame.time)
                    sizes.add((frame.width, frame.height))
                    turned = frame.rotation
            rate, promised = float(stream.average_rate or 0), stream.frames
    except av.FFmpegError as error:
        return [("unreadable", f"its picture cannot be decoded to its end ({error.strerror})")]
    if not times or packets < promised:  # some that are there may lie before the film's start
        return [("unreadable", f"is cut short, {packets} of {promised} frames are there")]
    if None in times:
        return [("unreadable", "a frame carries no time")]
    findings = []
    for width, height in sorted(sizes - {SIZE[practice]})[:1]:
        wanted = "{} × {}".format(*SIZE[practice])
        findings.append(("odd size", f"{width} × {height} pixels instead of {wanted}"))
    if abs(rate - FRAME_RATE) > 0.01:
        findings.append(("odd rate", f"{rate:.3f} frames a second instead of {FRAME_RATE:.3f}"))
    if turned:
        findings.append(("turned", f"by {turned} degrees; it is turned back"))
    if abs(late) > recording.APART_S:
        findings.append(("starts apart", f"the sound starts {_when(late)}; they are aligned"))
    if heard:
        channels, sound_rate = recording.load_channels(path)
        findings += _about_sound(channels, sound_rate)
        gap = len(channels) / sound_rate - (times[-1] - times[0] + 1 / (rate or FRAME_RATE))
        if abs(gap) > LONGEST_GAP_S:
            findings.append(("ends apart", f"the sound ends {_when(gap)}"))
    elif (name := name_of(path)) is None or name.modality != 2:
        findings.append(("no sound", "a 01 file should have a sound track"))
    return findings


def _when(late: float) -> str:
    return f"{abs(late):.2f} s {'later' if late > 0 else 'earlier'}"


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


def _twins(known: Mapping[str, Seen]) -> Rows:
    """Files of the same bytes under two names; a second copy under one name is no riddle."""
    same = defaultdict(list)
    for name, seen in known.items():
        if seen["digest"]:
            same[seen["digest"]].append(name)
    return [
        (name, "same bytes", f"as {others[0]}")
        for names in same.values()
        for name in names
        if (others := [other for other in names if Path(other).name != Path(name).name])
    ]


def _against_manifest(listed: Mapping[str, manifest.Entry], known: Mapping[str, Seen]) -> Rows:
    """Files that are not there any more, or not as they were written."""
    rows = []
    for name, entry in listed.items():
        if name not in known:
            rows.append((name, "missing", f"was here, from {entry.source}"))
        elif known[name]["crc32"] != entry.crc32:
            detail = f"is not the file that came from {entry.source}; get it again"
            rows.append((name, "changed", detail))
    return rows


def _against_design(known: Iterable[str]) -> Rows:
    """What RAVDESS holds and the folder does not, for each actor, suffix and modality there."""
    here = defaultdict(set)
    for file in known:
        name = name_of(file)
        if name is not None and name.channel == 1:
            here[name.actor, name.modality, Path(file).suffix.lower()].add(name)
    rows = []
    for (actor, modality, suffix), names in here.items():
        official = speech_names([actor], modality)
        lacking = [str(name) for name in official if name not in names]
        if lacking:
            first = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
            detail = f"{len(lacking)} of {len(official)} that RAVDESS holds: {first}"
            rows.append((f"{modality:02d}-01-*-{actor:02d}{suffix}", "incomplete", detail))
    return rows
