"""Fetch RAVDESS from its record: resumed rather than restarted, checked, and never half there.

pooch, which many projects use, starts a broken download afresh and does not wait when a host
asks for it; with half a gigabyte an archive both matter, so the transfer here is requests alone.
Source: Zenodo record 1188976.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
from tqdm.auto import tqdm
from urllib3.exceptions import HTTPError

from avlib import files
from avlib.corpus import archives, manifest
from avlib.corpus.archives import Archive
from avlib.corpus.ravdess import ClipName

RECORD = "1188976"
HOST = "https://zenodo.org"
LICENSE = """\
RAVDESS is licensed CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/): use it for
non-commercial purposes, name its authors, share what you make of it under the same licence.
Livingstone SR, Russo FA (2018), doi:10.1371/journal.pone.0196391."""
AT_ONCE = 2  # the host limits its clients
_MEMORY = ".download.json"  # how fast the last download was
_GROWTH = {"audio": 2.6, "video": 1.02}  # unpacked over packed; films do not shrink in a zip
_WAIT_STATUS = {429, 500, 502, 503, 504}
_LONGEST_RECORD = 10_000_000  # bytes; the record's own page has 0.1 MB
_FINISHED_STATUS = 416  # "that range is not there": asked to go on after the end


@dataclass(frozen=True)
class Host:
    """Where to fetch from, and how long to put up with it.

    Attributes
    ----------
    address : str
        Of Zenodo, or of a mirror in a classroom that answers the same addresses.
    tries : int
        In a row that bring nothing new, before giving up.
    patience_s : float
        A connection that brings less than `slowest` over this time is closed and opened anew.
    slowest : float
        Bytes a second.
    longest_wait_s : float
        Ask again later ourselves if the host wants us to wait longer than this.
    pause_s : float
        Before the second try; doubled for each further one.
    """

    address: str = HOST
    tries: int = 5
    patience_s: float = 30.0
    slowest: float = 1000.0
    longest_wait_s: float = 600.0
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.address.startswith(("http://", "https://")):
            raise ValueError(f"{self.address}: an address should begin with https:// or http://")

    def record(self) -> dict[str, tuple[int, str | None]]:
        """Length and MD5 of each file, as the record itself lists them.

        Raises
        ------
        OSError
            If the host cannot be asked.
        ValueError
            If its answer is no record.
        """
        address = f"{self.address}/api/records/{RECORD}"
        try:
            listed = json.loads(self._page(address))["files"]
            return dict(_key_size_md5(file) for file in listed)
        except (requests.RequestException, HTTPError) as error:
            raise OSError(_why(address, error)) from error
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{address}: does not answer with a record") from error

    def _page(self, address: str) -> bytes:
        """What is at an address, if it is no longer than a record and comes in time."""
        begun, page = time.monotonic(), b""
        with requests.get(address, timeout=self.patience_s, stream=True) as answer:
            answer.raise_for_status()
            while block := answer.raw.read1(1 << 16, decode_content=True):
                page += block
                if len(page) > _LONGEST_RECORD:
                    raise ValueError("longer than any record")
                if time.monotonic() - begun > self.patience_s:
                    raise requests.Timeout(f"{len(page)} bytes came in {self.patience_s:.0f} s")
        return page


def _key_size_md5(file: dict[str, object]) -> tuple[str, tuple[int, str | None]]:
    """A file of the record; raises where an entry is none."""
    key, size, checksum = file["key"], int(file["size"]), file.get("checksum") or ""
    if not isinstance(key, str) or not isinstance(checksum, str) or size < 0:
        raise ValueError("an entry is no file")
    kind, _, value = checksum.partition(":")
    return key, (size, value if kind == "md5" else None)


def differences(host: Host) -> list[str]:
    """Where avlib's registry and the record's own list differ.

    Parameters
    ----------
    host : Host

    Returns
    -------
    list of str
        A sentence for each difference.

    Raises
    ------
    OSError, ValueError
        If the record cannot be asked.
    """
    known, listed = archives.registry(), host.record()
    said = [f"{name}: the record does not list it" for name in known if name not in listed]
    for name, (size, md5) in sorted(listed.items()):
        if name not in known:
            said.append(f"{name}: not in the registry; the record lists {size} bytes, md5 {md5}")
            continue
        ours = known[name]
        for what, mine, theirs in (("bytes", ours.bytes, size), ("md5", ours.md5, md5)):
            if mine != theirs:
                said.append(f"{name}: {what} {theirs} in the record, {mine} in the registry")
    return said


@dataclass(frozen=True)
class Plan:
    """What a download will do.

    Attributes
    ----------
    archives : tuple of Archive
        Still to be fetched or unpacked.
    done : tuple of str
        Names of those whose recordings are all here.
    actors : frozenset of int
    folder : Path
    keep : bool
        Keep the archives once they are unpacked.
    """

    archives: tuple[Archive, ...]
    done: tuple[str, ...]
    actors: frozenset[int]
    folder: Path
    keep: bool

    def to_fetch(self) -> int:
        """Bytes that are not here yet, roughly where no source says exactly."""
        return sum(max(_size(archive) - self.here(archive), 0) for archive in self.archives)

    def room(self) -> int:
        """Bytes of free disk that the work needs at its worst moment."""
        kept = sum(int(_GROWTH[archive.kind] * _size(archive)) for archive in self.archives)
        # Without `keep`, only the archives at work lie beside their recordings.
        largest = sorted(map(_size, self.archives), reverse=True)
        return kept + (self.to_fetch() if self.keep else sum(largest[:AT_ONCE]))

    def __str__(self) -> str:
        lines = [f"RAVDESS, record {RECORD}, into {self.folder}"]
        for archive in self.archives:
            size = f"{_size(archive) / 1e6:6.0f} MB" if _size(archive) else "size not known"
            about = "" if archive.bytes else " (about)"
            here = self.here(archive)
            begun = f", {here / 1e6:.0f} MB of it here" if here else ""
            checked = "" if archive.md5 else ", no checksum known"
            lines.append(f"  {archive.name:<32}{size}{about}{begun}{checked}")
        lines += [f"  {name:<32}is here" for name in self.done]
        free = shutil.disk_usage(_there(self.folder)).free
        total = self.to_fetch()
        lines.append(
            f"to fetch: {total / 1e9:.2f} GB, {_how_long(total, self.folder)}; "
            f"free disk: needs {self.room() / 1e9:.2f} GB, has {free / 1e9:.1f} GB"
        )
        return "\n".join(lines)

    def here(self, archive: Archive) -> int:
        """Bytes of an archive that an earlier run left."""
        whole = _whole(self.folder, archive)
        return next((p.stat().st_size for p in (whole, _part(whole)) if p.is_file()), 0)


def plan(
    names: Iterable[str],
    actors: Iterable[int],
    folder: str | Path,
    host: Host | None = None,
    keep: bool = False,
) -> Plan:
    """Find out what is to be done, moving nothing.

    Parameters
    ----------
    names : iterable of str
        What `archives.select` returned.
    actors : iterable of int
    folder : str or Path
    host : Host, optional
        Zenodo by default. It is asked for lengths and checksums that the registry lacks.
    keep : bool
        Keep the archives once they are unpacked.

    Returns
    -------
    Plan

    Raises
    ------
    OSError, ValueError
        If a checksum is known to nobody and the record cannot be asked.
    """
    folder, actors, host = Path(folder), frozenset(actors), host or Host()
    known = archives.registry()
    here = manifest.read(folder)
    done = [name for name in names if _is_unpacked(known[name], actors, folder, here)]
    wanted = [known[name] for name in names if name not in done]
    if any(archive.bytes is None or archive.md5 is None for archive in wanted):
        wanted = _completed(wanted, host)
    return Plan(tuple(wanted), tuple(done), actors, folder, keep)


def _completed(wanted: list[Archive], host: Host) -> list[Archive]:
    """Add the record's own figures where the registry has none; ours stand where it has."""
    try:
        listed = host.record()
    except (OSError, ValueError) as error:
        unknown = [archive.name for archive in wanted if archive.md5 is None]
        if unknown:
            raise type(error)(
                f"{unknown[0]}: its checksum stands in no list here, and the record could not be "
                f"asked: {error}"
            ) from error
        return wanted
    completed = []
    for archive in wanted:
        size, md5 = listed.get(archive.name, (None, None))
        if archive.md5 is None and md5 is None:
            raise ValueError(f"{archive.name}: the record lists no such file, or no checksum of it")
        completed.append(replace(archive, bytes=archive.bytes or size, md5=archive.md5 or md5))
    return completed


def _is_unpacked(
    archive: Archive, actors: frozenset[int], folder: Path, here: dict[str, manifest.Entry]
) -> bool:
    files = {file: entry for file, entry in here.items() if entry.source == archive.name}
    unpacked = {ClipName.parse(file).actor for file in files}
    return _actors_of(archive, actors) <= unpacked and all(
        (folder / file).is_file() and (folder / file).stat().st_size == entry.bytes
        for file, entry in files.items()
    )


def _actors_of(archive: Archive, actors: frozenset[int]) -> frozenset[int]:
    """Whose recordings an archive should hold, of those that are wanted."""
    wanted = frozenset([archive.actor]) if archive.actor else actors
    return wanted - {18} if archive.channel == "song" else wanted  # who did not sing


def fetch_all(work: Plan, host: Host | None = None, progress: bool = True) -> None:
    """Download, check and unpack what a plan says, two archives at a time.

    Stopped or failed at any point, it goes on from there when it is called again.

    Parameters
    ----------
    work : Plan
    host : Host, optional
        Zenodo by default.
    progress : bool
        Show a bar for each archive and one for all.

    Raises
    ------
    OSError
        If the disk is too small or fills up, or one or more archives cannot be had; the others
        have been seen to.
    """
    host = host or Host()
    free = shutil.disk_usage(_there(work.folder)).free
    if work.room() > free:
        raise OSError(
            f"{work.folder}: needs {work.room() / 1e9:.2f} GB of free disk and has "
            f"{free / 1e9:.2f}; fetch fewer actors, or name a folder on a larger disk"
        )
    work.folder.mkdir(parents=True, exist_ok=True)
    begun, before = time.monotonic(), work.to_fetch()
    with ExitStack() as bars:
        whole = bars.enter_context(_bar("all", before, 0, progress))
        todo = []
        for place, archive in enumerate(work.archives, 1):
            left = max(_size(archive) - work.here(archive), 0)
            todo.append((archive, bars.enter_context(_bar(archive.name, left, place, progress))))
        problems = _side_by_side(todo, work, host, whole)
    if not problems and before:
        _remember_speed(work.folder, before / (time.monotonic() - begun))
    if problems:
        said = [
            str(error) if archive.name in str(error) else f"{archive.name}: {error}"
            for archive, error in problems.items()
        ]
        # What was refused for what it holds is refused again.
        again = any(isinstance(error, OSError) for error in problems.values())
        raise OSError(
            "\n".join([*said, "what is whole is kept" + "; the same command goes on" * again])
        )


def _side_by_side(
    todo: list[tuple[Archive, tqdm]], work: Plan, host: Host, whole: tqdm
) -> dict[Archive, Exception]:
    """See to archives, two at a time; what went wrong with which.

    The threads are daemons: one that waits for a silent host cannot be woken, and whoever presses
    Ctrl-C need not wait with it. A part only ever grows, so nothing is half done.
    """
    stop, problems, waiting = threading.Event(), {}, deque(todo)

    def see_to() -> None:
        while waiting and not stop.is_set():
            with suppress(IndexError):  # the other thread took the last one
                archive, bar = waiting.popleft()
                try:
                    _fetch_one(archive, work, host, (whole, bar), stop)
                except Exception as error:  # told, or raised, by who waits for the threads
                    problems[archive] = error

    threads = [threading.Thread(target=see_to, daemon=True) for _ in range(AT_ONCE)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(1.0)
        raise
    for error in problems.values():
        if not isinstance(error, OSError | ValueError):
            raise error
    return {archive: problems[archive] for archive, _ in todo if archive in problems}


def _fetch_one(
    archive: Archive, work: Plan, host: Host, bars: tuple[tqdm, tqdm], stop: threading.Event
) -> None:
    path = fetch(archive, work.folder, host, lambda got: [bar.update(got) for bar in bars], stop)
    unpacked = {
        ClipName.parse(name).actor for name in archives.unpack(path, work.folder, work.actors)
    }
    lacking = sorted(_actors_of(archive, work.actors) - unpacked)
    if lacking:
        raise ValueError(f"{archive.name}: holds nothing of the actors {lacking}; it is kept")
    if not work.keep:
        path.unlink()


def fetch(
    archive: Archive,
    folder: str | Path,
    host: Host | None = None,
    advance: Callable[[int], object] = lambda got: None,
    stop: threading.Event | None = None,
) -> Path:
    """Download one archive, or what is missing of it, and check it.

    Parameters
    ----------
    archive : Archive
    folder : str or Path
        The archive appears here under its name when it is whole, until then as ``NAME.part``.
    host : Host, optional
        Zenodo by default.
    advance : callable
        Told how many bytes came in; less than zero when some are thrown away.
    stop : threading.Event, optional
        Set it to make the download stop where it is.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If the host cannot be reached, gives up, or the disk is full.
    ValueError
        If what the host holds is not the archive: its length or checksum differ.
    """
    folder, host, stop = Path(folder), host or Host(), stop or threading.Event()
    whole = _whole(folder, archive)
    if whole.is_file() and not archives.faults(whole, archive):
        return whole
    part = _part(whole)
    for _ in range(2):
        _receive(archive, part, host, advance, stop)
        found = archives.faults(part, archive)
        if not found:
            os.replace(part, whole)
            return whole
        # Perhaps it went on from a part of a damaged download: once more, from zero.
        advance(-part.stat().st_size)
        part.unlink()
    finding, detail = found[0]
    raise ValueError(
        f"{archive.name}: came twice with a {finding} ({detail}). It is changed on the way, or "
        "the record has changed: see `download --refresh-registry`"
    )


class _BrokenOffError(Exception):
    """A try that ended early; another may go on from there."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


def _receive(
    archive: Archive,
    part: Path,
    host: Host,
    advance: Callable[[int], object],
    stop: threading.Event,
) -> None:
    """Bring the rest of a file, over as many connections as it takes."""
    fruitless = 0
    while True:
        before = _length(part)
        if before and before == archive.bytes:
            return
        try:
            return _receive_once(archive, part, host, advance, stop)
        except _BrokenOffError as broken:
            fruitless = 0 if _length(part) > before else fruitless + 1
            if fruitless >= host.tries:
                raise OSError(
                    f"{archive.name}: gave up after {host.tries} tries that brought nothing new "
                    f"({broken}); what came is kept, the same command goes on from there"
                ) from broken
            wait = broken.wait_s
            if wait is None:
                wait = host.pause_s * 2**fruitless
            if wait > host.longest_wait_s:
                raise OSError(
                    f"{archive.name}: the host asks to come back in {wait / 60:.0f} minutes; "
                    "start the same command again then"
                ) from broken
            if stop.wait(wait):
                raise OSError(f"{archive.name}: stopped") from broken


def _receive_once(
    archive: Archive,
    part: Path,
    host: Host,
    advance: Callable[[int], object],
    stop: threading.Event,
) -> None:
    address = f"{host.address}/records/{RECORD}/files/{archive.name}?download=1"
    there = _length(part)
    # Packed on the way, the bytes could neither be counted nor gone on with.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    try:
        with requests.get(address, headers=headers, stream=True, timeout=host.patience_s) as answer:
            if answer.status_code in _WAIT_STATUS:
                raise _BrokenOffError(f"status {answer.status_code}", _asked_wait(answer))
            goes_on = answer.status_code == 206 and _first_byte(answer) == there
            if answer.status_code == _FINISHED_STATUS or (
                answer.status_code == 206 and not goes_on
            ):
                if not there:
                    raise OSError(
                        f"{archive.name}: {address} answers {answer.status_code} to who asks for "
                        "the whole; that is no mirror of the record"
                    )
                advance(-there)
                part.unlink()
                raise _BrokenOffError("the host would not go on where we were")
            if not answer.ok:
                raise OSError(f"{archive.name}: {address} answers {answer.status_code}")
            start = there if goes_on else 0
            _check_length(archive, answer, start)
            first = b"" if goes_on else _first_block(archive, answer)
            if there and not goes_on:
                advance(-there)  # a host that cannot go on sends all of it again
            with part.open("ab" if goes_on else "wb") as file:
                file.write(first)
                advance(len(first))
                _copy(answer, file, host, advance, stop, archive)
    except requests.exceptions.SSLError as error:
        raise OSError(f"{archive.name}: {_why(address, error)}") from error
    except (requests.RequestException, HTTPError) as error:
        if "NameResolution" in str(error) or "resolve" in str(error):
            raise OSError(f"{archive.name}: {_why(address, error)}") from error
        raise _BrokenOffError(_why(address, error)) from error
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(
            error.errno,
            f"{part}: could not be written ({error.strerror}); {files.remedy(error)} and run the "
            "same command again, it goes on from there",
        ) from error


def _copy(
    answer: requests.Response,
    file: object,
    host: Host,
    advance: Callable[[int], object],
    stop: threading.Event,
    archive: Archive,
) -> None:
    begun, got = time.monotonic(), 0
    while block := answer.raw.read1(1 << 18):
        if archive.bytes is not None and file.tell() + len(block) > archive.bytes:
            raise ValueError(
                f"{archive.name}: the host sends more than its {archive.bytes} bytes; that is "
                "another file"
            )
        file.write(block)
        advance(len(block))
        got += len(block)
        if stop.is_set():
            raise OSError(f"{archive.name}: stopped")
        passed = time.monotonic() - begun
        if passed > host.patience_s:
            if got < host.slowest * passed:
                raise _BrokenOffError(f"only {got / passed:.0f} bytes a second came")
            begun, got = time.monotonic(), 0
    expected = answer.raw.length_remaining
    if expected:
        raise _BrokenOffError(f"the connection ended {expected} bytes early")


def _first_block(archive: Archive, answer: requests.Response) -> bytes:
    """The first bytes of an answer. Of one whose length nobody tells, only a zip archive's will do:
    until then nothing takes the place of what is here.
    """
    first = b""
    while len(first) < 4 and (block := answer.raw.read1(1 << 16)):
        first += block
    told = "Content-Length" in answer.headers
    if not told and first[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise ValueError(
            f"{archive.name}: what the host sends is no zip archive; a log-in page on the way? "
            "What came earlier is kept"
        )
    return first


def _check_length(archive: Archive, answer: requests.Response, start: int) -> None:
    """Refuse another file (a log-in page, say) before it takes the place of what is here."""
    length = answer.headers.get("Content-Length")
    if archive.bytes is None or length is None or start + int(length) == archive.bytes:
        return
    raise ValueError(
        f"{archive.name}: the host offers {start + int(length)} bytes instead of "
        f"{archive.bytes}; a log-in page on the way, or the record has changed "
        "(`download --refresh-registry`)"
    )


def _first_byte(answer: requests.Response) -> int | None:
    span = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(span) if span.isdigit() else None


def _asked_wait(answer: requests.Response) -> float | None:
    asked = answer.headers.get("Retry-After")
    if asked is None:
        return None
    try:
        if asked.isdigit():
            return float(asked)
        return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
    except ValueError:  # neither seconds nor a date
        return None


def _why(address: str, error: Exception) -> str:
    said = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"{address}: its certificate is not trusted; check the clock, and whether a proxy "
            f"stands between ({said})"
        )
    if "NameResolution" in said or "resolve" in said:
        return f"{address}: its name is not known; check the address and the network"
    if isinstance(error, requests.Timeout):
        return f"{address}: did not answer in time"
    return f"{address}: {said}"


def _bar(name: str, total: int, place: int, progress: bool) -> tqdm:
    return tqdm(
        desc=name, total=total or None, position=place, unit="B", unit_scale=True,
        leave=place == 0, disable=not progress,
    )  # fmt: skip


def _size(archive: Archive) -> int:
    return archive.bytes or archive.about_bytes or 0


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _whole(folder: Path, archive: Archive) -> Path:
    return Path(folder) / archive.name


def _part(whole: Path) -> Path:
    return whole.with_name(f"{whole.name}.part")


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _how_long(total: int, folder: Path) -> str:
    try:
        speed = files.unseal(folder / _MEMORY, {"bytes_a_second": int})["bytes_a_second"]
    except (OSError, files.DamagedError):  # a guess is as good
        return (
            f"{total / 2.5e6 / 60:.0f} min at 20 Mbit/s (nothing was measured here yet, "
            "the bar will tell)"
        )
    return f"{total / speed / 60:.0f} min at {speed / 1e6:.1f} MB/s, as measured here last time"


def _remember_speed(folder: Path, speed: float) -> None:
    with suppress(OSError):  # all is fetched; a disk without a byte left is no failure now
        files.seal(folder / _MEMORY, {"bytes_a_second": max(1, round(speed))})
