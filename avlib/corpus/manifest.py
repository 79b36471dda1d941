"""What a folder of recordings should hold: each file's length and checksum, beside the files.

Whoever wrote the files knew them whole: an archive carries a CRC-32 of each of its members, and
the practice corpus knows what it wrote. A damaged film often still decodes, to other pictures;
only a checksum tells.
"""

from __future__ import annotations

import threading
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from avlib import files

NAME = "manifest.csv"
_COLUMNS = ["file", "bytes", "crc32", "source"]
_writing = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """One file as it was when it was whole.

    Attributes
    ----------
    bytes : int
        Its length.
    crc32 : int
        Its checksum, as zip archives use it.
    source : str
        The archive that it came from, or ``practice corpus``.
    """

    bytes: int
    crc32: int
    source: str


def is_ours(path: Path) -> bool:
    """Whether a file is a manifest that avlib wrote: its first line tells."""
    wanted = ",".join(_COLUMNS).encode()
    try:
        with path.open("rb") as file:
            return file.readline(len(wanted) + 2).strip() == wanted
    except OSError:
        return False


def read(folder: str | Path) -> dict[str, Entry]:
    """The manifest of a folder.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict of str to Entry
        By path below the folder, with forward slashes; empty where there is no manifest.

    Raises
    ------
    ValueError
        If there is one of ours that cannot be read.

    Warns
    -----
    UserWarning
        If a file of that name is there that avlib did not write.
    """
    path = Path(folder) / NAME
    if path.exists() and not is_ours(path):
        warnings.warn(f"{path}: avlib did not write it, and leaves it alone", stacklevel=2)
        return {}
    try:
        table = pd.read_csv(path, dtype={"file": str, "crc32": str})
        rows = table[_COLUMNS].itertuples(index=False)
        return {file: Entry(int(size), int(crc, 16), source) for file, size, crc, source in rows}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{path}: is damaged ({error}); move it away. What it listed can then no longer be "
            "compared, and `download` fetches it again"
        ) from error


def add(folder: str | Path, entries: Mapping[str, Entry]) -> None:
    """Write entries into a folder's manifest, beside those that are there.

    Parameters
    ----------
    folder : str or Path
    entries : mapping of str to Entry
        By path below the folder.

    Raises
    ------
    FileExistsError
        If a file of that name is there that avlib did not write.

    Notes
    -----
    The manifest is replaced in one step.
    """
    folder = Path(folder)
    if (folder / NAME).exists() and not is_ours(folder / NAME):
        raise FileExistsError(
            f"{folder / NAME}: avlib did not write it, and needs that name for its list of "
            "checksums; move the file, or name another folder"
        )
    with _writing:
        known = read(folder)
        both = known | dict(entries)
        if both == known:
            return
        rows = [(file, e.bytes, f"{e.crc32:08x}", e.source) for file, e in sorted(both.items())]
        table = pd.DataFrame(rows, columns=_COLUMNS).to_csv(index=False)
        files.save(folder / NAME, table.encode())


def crc32(path: str | Path) -> int:
    """The CRC-32 of a file."""
    value = 0
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def is_whole(folder: str | Path, file: str, entry: Entry) -> bool:
    """Whether a file is, byte for byte, what the manifest says.

    Parameters
    ----------
    folder : str or Path
    file : str
        Its path below the folder.
    entry : Entry

    Returns
    -------
    bool
    """
    path = Path(folder) / file
    return path.is_file() and path.stat().st_size == entry.bytes and crc32(path) == entry.crc32
