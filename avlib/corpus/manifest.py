"""What the bytes should be: of the record's archives, and of the recordings in a folder.

Whoever wrote the files knew them whole: the record publishes a checksum of each archive, an archive
carries one of each of its members, and the practice corpus knows what it wrote. A damaged film
often still decodes, to other pictures; only a checksum tells.
Source: Zenodo record 1188976, doi:10.5281/zenodo.1188976.
"""

import hashlib
import threading
import warnings
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from avlib import files
from avlib.corpus.ravdess import ACTORS, CHANNELS

NAME = "manifest.csv"
_COLUMNS = ["file", "bytes", "crc32", "source"]
_writing = threading.Lock()


@dataclass(frozen=True)
class Archive:
    """One file of the record."""

    name: str
    kind: str  # audio or video
    channel: str  # speech or song
    actor: int | None  # whose video it holds; None for sound, which comes in one archive
    bytes: int | None  # its exact length, where a source says so
    md5: str | None
    source: str  # who says so

    @property
    def size(self) -> int:
        """Its length, roughly where no source says exactly: all films of an actor are alike."""
        return self.bytes or 555_000_000

    def actors(self, wanted: Collection[int]) -> set[int]:
        """Whose recordings it holds, of those that are wanted."""
        held = set(wanted) if self.actor is None else {self.actor}
        return held - {18} if self.channel == "song" else held  # who did not sing


@dataclass(frozen=True)
class Entry:
    """One file in a folder as it was when it was whole."""

    bytes: int
    crc32: int  # its checksum, as zip archives use it
    source: str  # the archive that it came from, or ``practice corpus``


def registry() -> dict[str, Archive]:
    """The archives that avlib knows, by name, as ``archives.csv`` beside this file lists them."""
    numbers = {"actor": "Int64", "bytes": "Int64"}
    table = pd.read_csv(Path(__file__).with_name("archives.csv"), dtype=numbers).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    return {row["name"]: Archive(**row) for row in rows}


def select(
    channels: Collection[str], kinds: Collection[str], actors: Collection[int]
) -> list[Archive]:
    """The archives of some channels (``speech``, ``song``), kinds (``audio``, ``video``), actors.

    Raises ``ValueError`` if nothing is wanted, or an actor does not exist.
    """
    if not actors or not set(actors) <= set(range(1, ACTORS + 1)):
        raise ValueError(f"actors: should be some of 1 to {ACTORS}, got {sorted(actors)}")
    if not channels or not set(channels) <= set(CHANNELS):
        raise ValueError("channels: say speech, song or both")
    if not kinds or not set(kinds) <= {"audio", "video"}:
        raise ValueError("kinds: say what to fetch: audio, video or both")
    return [
        each
        for each in registry().values()
        if each.channel in channels and each.kind in kinds and each.actor in {None, *actors}
    ]


def faults(path: Path, archive: Archive) -> list[tuple[str, str]]:
    """What is wrong with an archive on the disk: ``wrong size`` or ``wrong checksum``, and how."""
    size = path.stat().st_size
    if archive.bytes is not None and size != archive.bytes:
        return [("wrong size", f"{size} bytes instead of {archive.bytes}; download it again")]
    if archive.md5 is not None and (found := md5(path)) != archive.md5:
        return [("wrong checksum", f"md5 {found} instead of {archive.md5}; download it again")]
    return []


def is_ours(path: Path) -> bool:
    """Whether a file is a manifest that avlib wrote: its first line tells."""
    wanted = ",".join(_COLUMNS).encode()
    with suppress(OSError), path.open("rb") as file:
        return file.readline(len(wanted) + 2).strip() == wanted
    return False


def read(folder: str | Path) -> dict[str, Entry]:
    """The manifest of a folder: by path below it, with forward slashes; empty if there is none.

    A file of that name that avlib did not write is warned of. Raises ``ValueError`` if it is ours
    and cannot be read.
    """
    path = Path(folder) / NAME
    if not is_ours(path):
        if path.exists():
            warnings.warn(f"{path}: avlib did not write it, and leaves it alone", stacklevel=2)
        return {}
    try:
        table = pd.read_csv(path, dtype={"file": str, "crc32": str})
        rows = table[_COLUMNS].itertuples(index=False)
        return {file: Entry(int(size), int(crc, 16), source) for file, size, crc, source in rows}
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{path}: is damaged ({error}); move it away. What it listed can then no longer be "
            "compared, and `download` fetches it again"
        ) from error


def add(folder: str | Path, entries: Mapping[str, Entry]) -> None:
    """Write entries, by path below the folder, into its manifest, beside those that are there.

    The manifest is replaced in one step. Raises ``FileExistsError`` if a file of that name is there
    that avlib did not write.
    """
    path = Path(folder) / NAME
    if path.exists() and not is_ours(path):
        raise FileExistsError(
            f"{path}: avlib did not write it, and needs that name for its list of checksums; move "
            "the file, or name another folder"
        )
    with _writing:
        known = read(folder)
        both = known | dict(entries)
        if both != known:
            rows = [(file, e.bytes, f"{e.crc32:08x}", e.source) for file, e in sorted(both.items())]
            table = pd.DataFrame(rows, columns=_COLUMNS).to_csv(index=False)
            files.save(path, table.encode())


def md5(path: Path) -> str:
    """The MD5 checksum of a file, which is what the record publishes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def crc32(path: Path) -> int:
    """The CRC-32 of a file."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def is_whole(folder: str | Path, file: str, entry: Entry) -> bool:
    """Whether a file, named by its path below the folder, is byte for byte what its entry says."""
    path = Path(folder) / file
    return path.is_file() and path.stat().st_size == entry.bytes and crc32(path) == entry.crc32
