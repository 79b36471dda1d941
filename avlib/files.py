"""Files that are written whole or not at all, and what we kept read back with a check."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, a quota, a limit
Form = Mapping[str, type | tuple[type, ...]]


class DamagedError(ValueError):
    """A file that avlib wrote is not as it was written. The message begins with its name."""


def save(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    The bytes go to a new name in the same folder, which then takes the place of `path` in one
    step: whoever looks sees the old file or the new one, never a half.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.
    content : bytes

    Raises
    ------
    OSError
        If it cannot be written (disk full, no permission); names the file.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        # A full disk is reported without a name; the reader needs one.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def remedy(error: OSError) -> str:
    """What to do about a file that could not be written."""
    return "make room" if error.errno in _FULL else "mend that"


def below(folder: Path) -> list[Path]:
    """All files in a folder and below, in order of their paths; links to folders are followed.

    A folder that two links lead to, or a link back up, is searched once.

    Warns
    -----
    UserWarning
        Naming each folder that may not be read: what lies in it is not in the list.
    """
    found, searched = [], set()

    def say(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):  # gone meanwhile, or never there
            return
        warnings.warn(
            f"{error.filename}: may not be read ({error.strerror}); what lies in it is left out",
            stacklevel=4,
        )

    for place, inner, names in os.walk(folder, followlinks=True, onerror=say):
        inner.sort(key=lambda name: (Path(place, name).is_symlink(), name))  # real folders first
        real = os.path.realpath(place)
        if real in searched:
            inner.clear()
            continue
        searched.add(real)
        found += [Path(place, name) for name in names]
    return sorted(path for path in found if path.is_file())


def save_json(path: Path, content: object) -> None:
    """Write plain values as JSON, whole or not at all.

    Parameters
    ----------
    path : Path
    content : object
        Of dicts, lists, texts, numbers and None.

    Raises
    ------
    OSError
        As `save`.
    """
    save(path, (json.dumps(content, indent=1) + "\n").encode())


def refuse_to_replace(path: Path, inputs: Iterable[Path] = ()) -> None:
    """See, before any work starts, that a JSON result may be written and replaces nothing else.

    Parameters
    ----------
    path : Path
        Where the result is to go; an earlier result there may be replaced.
    inputs : iterable of Path
        Files that the result is made of.

    Raises
    ------
    OSError
        If it is one of the inputs, by whatever name; if a file is there that holds no JSON (a
        recording, a table); or if it cannot be written there.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; name a file for the result")
    if path.exists():
        if any(each.exists() and path.samefile(each) for each in inputs):
            raise FileExistsError(f"{path}: is read by this command; name another file")
        # A lesson and the header of a store are JSON, too; an empty file is mktemp's.
        if not path.is_file() or (path.stat().st_size and path.suffix.lower() != ".json"):
            raise FileExistsError(
                f"{path}: is there already and is no earlier result; name a new file, or a .json"
            )
        try:
            found = json.loads(path.read_bytes() or b"{}")
        except (ValueError, RecursionError) as error:
            raise FileExistsError(
                f"{path}: is there and holds no JSON, so it is no earlier result; name another file"
            ) from error
        if isinstance(found, dict) and ("digest" in found or "nbformat" in found):
            raise FileExistsError(f"{path}: is not a result; name another file")
    folder = next(place for place in path.absolute().parents if place.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: cannot be written, {folder} does not allow it")


def dialect(path: Path) -> tuple[str, str, list[str]]:
    """How a text table is written: its separator, its decimal mark, the names of its columns.

    Tables are published with commas, semicolons (often with decimal commas) and tabs.

    Raises
    ------
    ValueError
        If it is not text in UTF-8.
    """
    with path.open("rb") as file:
        head = file.read(20_000)
    try:
        lines = codecs.getincrementaldecoder("utf-8-sig")().decode(head).splitlines() or [""]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text; save it as “CSV UTF-8”") from error
    mark = max(",;\t", key=lines[0].count)
    comma = mark != "," and len(lines) > 1 and re.search(r"\d,\d", lines[1])
    names = [name.strip().strip('"') for name in lines[0].split(mark)]
    return mark, "," if comma else ".", names


def seal(path: Path, content: Mapping[str, object]) -> None:
    """Write plain values as JSON together with their digest, for `unseal` to check.

    Parameters
    ----------
    path : Path
    content : mapping
        Of texts to plain values, without NaN or infinity; no key ``digest``.

    Raises
    ------
    OSError
        As `save`.
    ValueError
        If a number is not finite: a result that is none is not kept.
    """
    save_json(path, {"digest": digest(content), **content})


def unseal(path: Path, form: Form) -> dict[str, object]:
    """Read what `seal` wrote: the one door for whatever avlib kept as JSON.

    Parameters
    ----------
    path : Path
    form : mapping of str to type or tuple of types
        The keys that must be there, and what their values must be.

    Returns
    -------
    dict
        Without the digest.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedError
        If it is no JSON, lacks a key, holds a value of another type, or was changed since. Who
        keeps it as a cache makes it anew; who cannot, says so to the user.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: is no JSON any more ({error})") from error
    if not isinstance(content, dict):
        raise DamagedError(f"{path}: should hold named values, and holds {content!r:.40}")
    for key, kind in form.items():
        if not isinstance(content.get(key), kind):
            raise DamagedError(f"{path}: its {key!r} is {content.get(key)!r:.40}")
    kept = content.pop("digest", None)
    try:
        if kept == digest(content):
            return content
    except ValueError:  # NaN: never written
        pass
    raise DamagedError(f"{path}: was changed since avlib wrote it")


def digest(content: object) -> str:
    """A fingerprint (SHA-256) of plain values, whatever the order of their keys.

    Parameters
    ----------
    content : object
        Of dicts with texts as keys, lists, texts, finite numbers and None.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    plain = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()
