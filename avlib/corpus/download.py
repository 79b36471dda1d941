"""Fetch RAVDESS from its record: resumed rather than restarted, checked, and never half there.

pooch starts a broken download afresh and does not wait when a host asks for it; with half a
gigabyte an archive both matter, so the transfer here is by requests, and urllib3 reads the wait.
Source: Zenodo record 1188976, doi:10.5281/zenodo.1188976.
"""

from __future__ import annotations

import json
import lzma
import shutil
import stat
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import requests
from tqdm.auto import tqdm
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import HTTPError

from avlib import files
from avlib.corpus import manifest
from avlib.corpus.manifest import Archive
from avlib.corpus.ravdess import name_of

RECORD = "1188976"
LICENSE = """\
RAVDESS is licensed CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/): use it for
non-commercial purposes, name its authors, share what you make of it under the same licence.
Livingstone SR, Russo FA (2018), doi:10.1371/journal.pone.0196391."""
AT_ONCE = 2  # the host limits its clients
_GROWTH = {"audio": 2.6, "video": 1.02}  # unpacked over packed; films do not shrink in a zip
_MOST_GROWTH = 20  # of anything that holds recordings
_MOST_MEMBERS = 10_000  # the largest of RAVDESS's archives has 1440
_LONGEST_RECORD = 10_000_000  # bytes; the record's own page has 0.1 MB
_LONGEST_WAIT_S = 600.0  # whoever is asked to wait longer comes back by themselves
_WAIT_STATUS = {429, 500, 502, 503, 504}
# What zipfile raises of an archive that is not as it was written.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError)


class _BrokenOffError(OSError):
    """A connection that ended early; another one may go on from there."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s  # that the host asks for


Answer = tuple[int, int | None, Iterator[bytes]]  # its first byte, bytes to come if told, these
Advance = Callable[[int], object]  # is told of bytes that came


@dataclass(frozen=True)
class Host:
    """Where to fetch from, and how long to put up with it."""

    address: str = "https://zenodo.org"  # or a mirror in a classroom, with the same paths
    tries: int = 5  # in a row that bring nothing new, before giving up
    patience_s: float = 30.0  # a connection that brings less than `slowest` in it is opened anew
    slowest: float = 1000.0  # bytes a second
    pause_s: float = 1.0  # before the second try; doubled for each further one

    def __post_init__(self) -> None:
        if not self.address.startswith(("http://", "https://")):
            raise ValueError(f"{self.address}: an address should begin with https:// or http://")

    @contextmanager
    def ask(self, path: str, there: int = 0) -> Iterator[Answer]:
        """What the host has at a path after the bytes that are there, or all of it."""
        address = self.address + path
        # Packed on the way, the bytes could neither be counted nor gone on with.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        ask = partial(requests.get, headers=headers, stream=True, timeout=self.patience_s)
        try:
            with ask(address) as answer:
                code, body = answer.status_code, answer.raw
                if code in _WAIT_STATUS:
                    raise _BrokenOffError(f"{address}: answers {code}", _asked_wait(body))
                span = answer.headers.get("Content-Range", "")
                goes_on = code == 206 and span.startswith(f"bytes {there}-")
                if goes_on or code == 200:
                    yield there if goes_on else 0, body.length_remaining, self._blocks(body)
                elif there and code in (206, 416):  # it cannot go on where we are
                    with self.ask(path) as whole:
                        yield whole
                else:
                    raise OSError(f"{address}: answers {code}; it lacks that, or is no mirror")
        except (requests.RequestException, HTTPError) as error:
            raise _told(address, error) from error

    def _blocks(self, body: BaseHTTPResponse) -> Iterator[bytes]:
        """An answer as it comes, and as long as it does come."""
        begun, got = time.monotonic(), 0
        while block := body.read1(1 << 18):
            yield block
            got += len(block)
            passed = time.monotonic() - begun
            if passed > self.patience_s:
                if got < self.slowest * passed:
                    raise requests.Timeout
                begun, got = time.monotonic(), 0

    def record(self) -> dict[str, tuple[int, str | None]]:
        """Length and MD5 of each file, as the record itself lists them.

        Raises ``OSError`` if the host cannot be asked, ``ValueError`` if it answers with no record.
        """
        path, page, listed = f"/api/records/{RECORD}", b"", {}
        try:
            with self.ask(path) as (_, _, blocks):
                for block in blocks:
                    page += block
                    if len(page) > _LONGEST_RECORD:
                        raise ValueError("longer than any record")
            for file in json.loads(page)["files"]:
                key, size, checksum = file["key"], int(file["size"]), file.get("checksum") or ""
                if not isinstance(key, str) or not isinstance(checksum, str) or size < 0:
                    raise ValueError("an entry is no file")
                kind, _, value = checksum.partition(":")
                listed[key] = size, value if kind == "md5" else None
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{self.address}{path}: does not answer with a record") from error
        return listed


def _asked_wait(body: BaseHTTPResponse) -> float | None:
    """Seconds that the host asks to wait, however many; None where it names no time."""
    reader = Retry()
    reader.retry_after_max = 1e9  # newer versions would make a day six hours
    try:
        return reader.get_retry_after(body)
    except (HTTPError, ValueError, OverflowError):  # neither seconds nor a date
        return None


def _told(address: str, error: Exception) -> OSError:
    """A request that failed, in our words; a `_BrokenOffError` where another try may help."""
    if isinstance(error, requests.exceptions.SSLError):
        said = "its certificate is not trusted; check the clock, and whether a proxy stands between"
        return OSError(f"{address}: {said} ({error})")
    if "Failed to resolve" in str(error):
        return OSError(f"{address}: its name is not known; check the address and the network")
    said = "did not answer in time" if isinstance(error, requests.Timeout) else str(error)
    return _BrokenOffError(f"{address}: {said}")


def differences(host: Host) -> list[str]:
    """A sentence for each archive of which our registry and the record's own list differ."""
    ours = {name: (each.bytes, each.md5) for name, each in manifest.registry().items()}
    theirs, said = host.record(), []
    for name in sorted(ours.keys() | theirs.keys()):
        told = ["{} bytes, md5 {}".format(*of[name]) if name in of else "" for of in (theirs, ours)]
        if told[0] != told[1]:
            listed, known = (each or "not" for each in told)
            said.append(f"{name}: {listed} in the record, {known} in the registry")
    return said


@dataclass(frozen=True)
class Plan:
    """What a download will do."""

    archives: tuple[Archive, ...]  # still to be fetched or unpacked
    done: tuple[Archive, ...]  # those whose recordings are all here
    actors: frozenset[int]
    folder: Path
    keep: bool  # keep the archives once they are unpacked

    def left(self, archive: Archive) -> int:
        """Bytes of an archive that are not here yet, roughly where no source says exactly."""
        whole, part = (_length(self.folder / f"{archive.name}{end}") for end in ("", ".part"))
        return max(archive.size - (whole or part), 0)

    def room(self) -> int:
        """Bytes of free disk that the work needs at its worst moment."""
        sizes = sorted(archive.size for archive in self.archives)
        # Without `keep`, only the archives at work lie beside their recordings.
        packed = sum(map(self.left, self.archives)) if self.keep else sum(sizes[-AT_ONCE:])
        return packed + sum(int(_GROWTH[each.kind] * each.size) for each in self.archives)

    def __str__(self) -> str:
        lines = [f"RAVDESS, record {RECORD}, into {self.folder}"]
        for archive in self.archives:
            about = "" if archive.bytes else " (about)"
            here = archive.size - self.left(archive)
            begun = f", {here / 1e6:.0f} MB of it here" if here else ""
            lines.append(f"  {archive.name:<32}{archive.size / 1e6:6.0f} MB{about}{begun}")
        lines += [f"  {archive.name:<32}is here" for archive in self.done]
        left = sum(map(self.left, self.archives))
        lines.append(
            f"to fetch: {left / 1e9:.2f} GB, {left / 2.5e6 / 60:.0f} min at 20 Mbit/s; free disk: "
            f"needs {self.room() / 1e9:.2f} GB, has {_free(self.folder) / 1e9:.1f} GB"
        )
        return "\n".join(lines)


def plan(
    archives: Iterable[Archive], actors: Iterable[int], folder: Path, host: Host, keep: bool = False
) -> Plan:
    """Find out what is to be done to have the recordings of some archives, moving nothing.

    The host is asked for what the registry lacks; ``OSError`` if nobody knows a checksum.
    """
    here, actors, wanted, done = manifest.read(folder), frozenset(actors), [], []
    for archive in archives:
        (done if _is_unpacked(archive, actors, folder, here) else wanted).append(archive)
    if any(archive.bytes is None or archive.md5 is None for archive in wanted):
        why = "the record lists no such file, or no checksum of it"
        try:
            listed = host.record()
        except (OSError, ValueError) as error:
            listed, why = {}, f"the record could not be asked: {error}"
        for place, archive in enumerate(wanted):
            size, md5 = listed.get(archive.name, (None, None))
            if (archive.md5 or md5) is None:
                raise OSError(f"{archive.name}: its checksum stands in no list here, and {why}")
            wanted[place] = replace(archive, bytes=archive.bytes or size, md5=archive.md5 or md5)
    return Plan(tuple(wanted), tuple(done), actors, folder, keep)


def _is_unpacked(
    archive: Archive, actors: frozenset[int], folder: Path, here: dict[str, manifest.Entry]
) -> bool:
    from_it = {file: entry for file, entry in here.items() if entry.source == archive.name}
    there = {name.actor for name in map(name_of, from_it) if name is not None}
    whole = (_length(folder / file) == entry.bytes for file, entry in from_it.items())
    return archive.actors(actors) <= there and all(whole)


def fetch_all(work: Plan, host: Host, progress: bool = True) -> None:
    """Download, check and unpack what a plan says, two archives at a time, with bars.

    Stopped or failed at any point, it goes on from there when it is called again. Raises
    ``OSError`` if the disk is too small or fills up, or one or more archives cannot be had; the
    others have been seen to.
    """
    free = _free(work.folder)
    if work.room() > free:
        raise OSError(
            f"{work.folder}: needs {work.room() / 1e9:.2f} GB of free disk and has "
            f"{free / 1e9:.2f}; fetch fewer actors, or name a folder on a larger disk"
        )
    work.folder.mkdir(parents=True, exist_ok=True)
    stop, problems = threading.Event(), []
    bar = partial(tqdm, unit="B", unit_scale=True, disable=not progress)

    def see_to(archive: Archive) -> None:
        def advance(got: int) -> None:
            if stop.is_set():
                raise OSError(f"{archive.name}: stopped")
            own.update(got)
            whole.update(got)

        with bar(desc=archive.name, total=work.left(archive), leave=False) as own:
            try:
                path = fetch(archive, work.folder, host, advance)
                unpack(path, work.folder, archive.actors(work.actors))
                if not work.keep:
                    path.unlink()
            except (OSError, ValueError) as error:
                problems.append(error)

    # The pool's threads are daemons: one that waits for a silent host cannot be woken, and whoever
    # presses Ctrl-C need not wait with it. A part only ever grows, so nothing is half done.
    total = sum(map(work.left, work.archives))
    with bar(desc="all", total=total) as whole, ThreadPool(AT_ONCE) as pool:
        running = pool.map_async(see_to, work.archives, chunksize=1)
        try:
            while not running.ready():
                running.wait(0.1)  # Windows hears Ctrl-C between waits alone
        finally:
            stop.set()
            running.wait(1.0)
        running.get()  # raises what nobody foresaw
    if problems:
        # What was refused for what it holds is refused again.
        again = any(isinstance(error, OSError) for error in problems)
        kept = "what is whole is kept" + ("; the same command goes on" if again else "")
        raise OSError("\n".join([*map(str, problems), kept]))


def fetch(archive: Archive, folder: Path, host: Host, advance: Advance = lambda got: None) -> Path:
    """Download one archive, or what is missing of it, and check it.

    It appears in the folder under its name when it is whole, until then as ``NAME.part``. `advance`
    is told how many bytes came in, less than zero when some are thrown away; what it raises stops
    the download where it is. Raises ``OSError`` if the host cannot be reached or gives up, or the
    disk is full, and ``ValueError`` if what the host holds has another length or checksum.
    """
    whole, part = (folder / f"{archive.name}{end}" for end in ("", ".part"))
    if whole.is_file() and not manifest.faults(whole, archive):
        return whole
    for _ in range(2):
        _receive(archive, part, host, advance)
        found = manifest.faults(part, archive)
        if not found:
            return part.replace(whole)
        # Perhaps it went on from a part of a damaged download: once more, from zero.
        advance(-_length(part))
        part.unlink()
    finding, detail = found[0]
    raise ValueError(
        f"{archive.name}: came twice with a {finding} ({detail}). It is changed on the way, or "
        "the record has changed: see `download --refresh-registry`"
    )


def _receive(archive: Archive, part: Path, host: Host, advance: Advance) -> None:
    """Bring the rest of an archive, over as many connections as it takes."""
    name, fruitless = archive.name, 0
    while (before := _length(part)) != archive.bytes:
        try:
            with host.ask(f"/records/{RECORD}/files/{name}?download=1", before) as answer:
                return _append(archive, part, answer, advance)
        except _BrokenOffError as broken:
            fruitless = 0 if _length(part) > before else fruitless + 1
            wait = host.pause_s * 2**fruitless if broken.wait_s is None else broken.wait_s
            if fruitless >= host.tries:
                why = (
                    f"gave up after {fruitless} tries that brought nothing new ({broken}); what "
                    "came is kept, the same command goes on from there"
                )
            elif wait > _LONGEST_WAIT_S:
                why = f"the host asks to come back in {wait / 60:.0f} minutes; start it again then"
            else:
                time.sleep(wait)
                continue
            raise OSError(f"{name}: {why}") from broken


def _append(archive: Archive, part: Path, answer: Answer, advance: Advance) -> None:
    """Write what comes; if it is another file, a log-in page say, nothing that is here is lost."""
    name, wanted, (end, length, blocks) = archive.name, archive.bytes, answer
    if None not in (wanted, length) and end + length != wanted:
        raise ValueError(
            f"{name}: the host offers {end + length} bytes instead of {wanted}; a log-in page on "
            "the way, or the record has changed (`download --refresh-registry`)"
        )
    with _disk_named(part), part.open("ab") as file:
        for block in blocks:
            if not end:
                if length is None and not b"PK".startswith(block[:2]):
                    raise ValueError(
                        f"{name}: what the host sends is no zip archive; a log-in page on the way? "
                        "What came earlier is kept"
                    )
                advance(-file.tell())  # a host that cannot go on sends all of it again
                file.truncate(0)
            end += len(block)
            if wanted is not None and end > wanted:
                raise ValueError(
                    f"{name}: the host sends more than its {wanted} bytes; that is another file"
                )
            file.write(block)
            advance(len(block))


@contextmanager
def _disk_named(path: Path) -> Iterator[None]:
    """Say which file could not be written, and what to do about it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not the disk's
            raise
        said = f"could not be written ({error.strerror}); {files.remedy(error)} and run the same"
        raise OSError(error.errno, f"{path}: {said} command again, what came is kept") from error


def unpack(path: Path, folder: Path, actors: Collection[int]) -> list[str]:
    """Unpack the recordings of some actors, and enter them in the folder's manifest.

    Nothing is written outside the folder, whatever the archive says; files that are there and whole
    are left alone. Returns the recordings, by path below the folder; other files stay in the
    archive. Raises ``OSError`` if the disk is full, and ``ValueError`` if the archive is damaged,
    lacks one of the actors, leads out of the folder, holds a link, or would grow beyond recordings.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_what_is_unsafe(path, folder, archive.infolist())
            names = {member: name_of(member.filename) for member in archive.infolist()}
            wanted = [m for m, name in names.items() if name is not None and name.actor in actors]
            lacking = sorted(set(actors) - {names[member].actor for member in wanted})
            if lacking:
                raise ValueError(
                    f"{path}: holds no recording of the actors {lacking}; look into it"
                )
            entries = {m.filename: manifest.Entry(m.file_size, m.CRC, path.name) for m in wanted}
            for file, entry in entries.items():
                if not manifest.is_whole(folder, file, entry):
                    content = archive.read(file)  # its CRC is checked
                    with _disk_named(folder / file):
                        files.save(folder / file, content)
    except _BROKEN as error:
        if getattr(error, "errno", None) is not None:  # the disk's; bz2's own has no number
            raise
        raise ValueError(f"{path}: is damaged ({error}); remove it and download again") from error
    manifest.add(folder, entries)
    return sorted(entries)


def _refuse_what_is_unsafe(path: Path, folder: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"{path}: holds {len(members)} files, no archive of RAVDESS does")
    inside = folder.resolve()
    for member in members:
        name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
        # A link that lies in the folder could lead out of it as well as one in the archive.
        if ":" in name or not (folder / name).parent.resolve().is_relative_to(inside):
            raise ValueError(f"{path}: would write {name!r}, which is or leads outside {folder}")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{path}: holds a link or device ({name!r})")
    packed, grown = path.stat().st_size, sum(member.file_size for member in members)
    # Members that lie over one another in the archive would count more than once.
    overlapping = sum(member.compress_size for member in members) > packed
    if overlapping or grown > _MOST_GROWTH * packed:
        raise ValueError(f"{path}: {packed} bytes would grow to {grown}; that is no recording")


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _free(folder: Path) -> int:
    """Bytes of free disk where a folder is, or will be."""
    folder = folder.absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free
