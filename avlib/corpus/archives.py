"""RAVDESS's archives: which there are, whether one is whole, and how it is unpacked safely.

Source: Zenodo record 1188976, doi:10.5281/zenodo.1188976.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import stat
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from avlib import files
from avlib.corpus import manifest
from avlib.corpus.ravdess import ACTORS, CHANNELS, ClipName

_MOST_MEMBERS = 10_000  # the largest of RAVDESS's archives has 1440
# What zipfile raises of an archive that is not as it was written.
_BROKEN = (
    zipfile.BadZipFile, zipfile.zlib.error, lzma.LZMAError, EOFError, NotImplementedError,
    RuntimeError,
)  # fmt: skip
_MOST_GROWTH = 20  # unpacked over packed; recordings shrink to a third at best


@dataclass(frozen=True)
class Archive:
    """One file of the record.

    Attributes
    ----------
    name : str
    kind : str
        ``audio`` or ``video``.
    channel : str
        ``speech`` or ``song``.
    actor : int or None
        Whose video it holds; None for sound, which comes in one archive.
    bytes : int or None
        Its exact length, where a source says so.
    about_bytes : int or None
        Its length, roughly.
    md5 : str or None
    source : str
        Who says so.
    """

    name: str
    kind: str
    channel: str
    actor: int | None
    bytes: int | None
    about_bytes: int | None
    md5: str | None
    source: str


def registry() -> dict[str, Archive]:
    """The archives that avlib knows, by name.

    Returns
    -------
    dict of str to Archive
        From ``archives.csv`` beside this file: sound and video of speech and song.
    """
    table = pd.read_csv(Path(__file__).with_suffix(".csv"), dtype=object).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    numbers = ("actor", "bytes", "about_bytes")
    return {
        row["name"]: Archive(
            **(row | {key: None if row[key] is None else int(row[key]) for key in numbers})
        )
        for row in rows
    }


def select(channels: Collection[str], kinds: Collection[str], actors: Iterable[int]) -> list[str]:
    """The names of the archives that hold what is wanted.

    Parameters
    ----------
    channels : collection of str
        Of ``speech`` and ``song``.
    kinds : collection of str
        Of ``audio`` and ``video``.
    actors : iterable of int
        1 to 24. There is no song of actor 18.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If nothing is wanted, or an actor does not exist.
    """
    actors = set(actors)
    strangers = actors - set(range(1, ACTORS + 1))
    if strangers or not actors:
        raise ValueError(f"actors: should be some of 1 to {ACTORS}, got {sorted(actors)}")
    if not channels or not set(channels) <= set(CHANNELS):
        raise ValueError("channels: say speech, song or both")
    if not kinds or not set(kinds) <= {"audio", "video"}:
        raise ValueError("kinds: say what to fetch: audio, video or both")
    return [
        archive.name
        for archive in registry().values()
        if archive.channel in channels
        and archive.kind in kinds
        and (archive.actor is None or archive.actor in actors)
    ]


def faults(path: str | Path, archive: Archive) -> list[tuple[str, str]]:
    """Compare an archive on the disk with what it should be.

    Parameters
    ----------
    path : str or Path
    archive : Archive

    Returns
    -------
    list of tuple of str
        Each a finding (``wrong size`` or ``wrong checksum``) and its detail; none if all is well.
    """
    path = Path(path)
    size = path.stat().st_size
    if archive.bytes is not None and size != archive.bytes:
        return [("wrong size", f"{size} bytes instead of {archive.bytes}; download it again")]
    if archive.md5 is not None and (found := md5(path)) != archive.md5:
        return [("wrong checksum", f"md5 {found} instead of {archive.md5}; download it again")]
    return []


def md5(path: str | Path) -> str:
    """The MD5 checksum of a file, which is what the record publishes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def unpack(path: str | Path, folder: str | Path, actors: Collection[int]) -> list[str]:
    """Unpack the recordings of some actors, and enter them in the folder's manifest.

    Nothing is written outside the folder, whatever the archive says; files that are there
    already and whole are left alone, so that an interrupted run goes on where it stopped.

    Parameters
    ----------
    path : str or Path
        A zip archive.
    folder : str or Path
    actors : collection of int
        Whose recordings to unpack.

    Returns
    -------
    list of str
        The recordings, by path below the folder; other files in the archive are left in it.

    Raises
    ------
    ValueError
        If the archive is damaged, or names a place outside the folder, or holds a link, or
        would grow beyond what recordings can.
    OSError
        If the disk has too little room.
    """
    path, folder = Path(path), Path(folder)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _refuse_what_is_unsafe(path, members)
            wanted = [member for member in members if _is_wanted(member, actors)]
            if not wanted:
                raise ValueError(
                    f"{path}: holds no recording of the actors {sorted(actors)}; it is kept as it "
                    "is, look into it"
                )
            entries = {
                member.filename: manifest.Entry(member.file_size, member.CRC, path.name)
                for member in wanted
            }
            folder.mkdir(parents=True, exist_ok=True)
            _refuse_links_in_the_way(folder, entries)
            lacking = [
                member
                for member in wanted
                if not manifest.is_whole(folder, member.filename, entries[member.filename])
            ]
            _require_room(folder, sum(member.file_size for member in lacking))
            for member in lacking:
                _extract(archive, member, folder)
    except _BROKEN as error:
        raise ValueError(f"{path}: is damaged ({error}); remove it and download again") from error
    manifest.add(folder, entries)
    return sorted(entries)


def _refuse_what_is_unsafe(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"{path}: holds {len(members)} files, no archive of RAVDESS does")
    seen = set()
    for member in members:
        place = PurePosixPath(member.filename)
        mode = member.external_attr >> 16
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise ValueError(f"{path}: would write outside the folder ({member.filename!r})")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{path}: holds a link or device ({member.filename!r})")
        if member.flag_bits & 1:
            raise ValueError(f"{path}: is encrypted ({member.filename!r})")
        if member.filename.lower() in seen:
            raise ValueError(f"{path}: holds {member.filename!r} twice")
        seen.add(member.filename.lower())
    packed, grown = path.stat().st_size, sum(member.file_size for member in members)
    # Members that lie over one another in the archive would count more than once.
    overlapping = sum(member.compress_size for member in members) > packed
    if overlapping or grown > _MOST_GROWTH * packed:
        raise ValueError(f"{path}: {packed} bytes would grow to {grown}; that is no recording")


def _refuse_links_in_the_way(folder: Path, files: Iterable[str]) -> None:
    """A link that lies in the folder already could lead out of it as well as one in an archive."""
    inside = folder.resolve()
    for parent in {(folder / file).parent for file in files}:
        if not parent.resolve().is_relative_to(inside):
            raise ValueError(f"{parent}: leads out of {folder}; remove that link")


def _is_wanted(member: zipfile.ZipInfo, actors: Collection[int]) -> bool:
    place = PurePosixPath(member.filename)
    if place.suffix.lower() not in (".wav", ".mp4"):
        return False
    try:
        return ClipName.parse(place.name).actor in actors
    except ValueError:
        return False


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f"{folder}: unpacking takes {needed / 1e9:.2f} GB, {free / 1e9:.2f} are free")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        # zipfile stops at the length that the archive promises, and checks the CRC there.
        with archive.open(member) as packed, part.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        os.replace(part, target)
    except OSError as error:
        if error.errno is None:  # bz2 says so of bytes that are not packed by it
            raise zipfile.BadZipFile(str(error)) from error
        raise OSError(
            error.errno,
            f"{target}: could not be written ({error.strerror or error}); {files.remedy(error)} "
            "and run the same command again, what is whole is kept",
        ) from error
    finally:
        part.unlink(missing_ok=True)
