"""Files that are written whole or not at all, and what we kept read back with a check."""

import errno
import hashlib
import json
import os
import re
import uuid
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, a quota, a limit
Form = Mapping[str, type | tuple[type, ...]]


class DamagedError(ValueError):
    """A file that avlib wrote is not as it was written. The message begins with its name."""


def save(path: Path, content: bytes) -> None:
    """Write a file, and its folder, whole or not at all; an ``OSError`` names the file.

    A new file takes the place of the old one in one step: whoever looks sees either, never a half.
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

    A folder that links lead to is searched once; a warning names each that may not be read.
    """
    found, searched = [], set()

    def say(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # gone meanwhile, or never there
            why = f"may not be read ({error.strerror}); what lies in it is left out"
            warnings.warn(f"{error.filename}: {why}", stacklevel=4)

    for place, inner, names in os.walk(folder, followlinks=True, onerror=say):
        inner.sort(key=lambda name: (Path(place, name).is_symlink(), name))  # real folders first
        if (real := os.path.realpath(place)) in searched:
            inner.clear()
        else:
            searched.add(real)
            found += [Path(place, name) for name in names]
    return sorted(path for path in found if path.is_file())


def refuse_to_replace(path: Path, inputs: Iterable[Path] = ()) -> None:
    """See, before any work starts, that a JSON result may be written and replaces nothing else.

    An earlier result may be replaced. Raises ``OSError`` if `path` is one of the `inputs` that the
    result is made of, by whatever name; if something else is there (a recording, a table, a lesson,
    a store's header); or if it cannot be written there.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; name a file for the result")
    if path.exists():
        if any(each.exists() and path.samefile(each) for each in inputs):
            raise FileExistsError(f"{path}: is read by this command; name another file")
        if not _is_a_result(path):
            raise FileExistsError(
                f"{path}: is there already and is no earlier result; name a new file"
            )
    folder = next(place for place in path.absolute().parents if place.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: cannot be written, {folder} does not allow it")


def _is_a_result(path: Path) -> bool:
    """Whether a file is JSON that a command may have written; an empty one is mktemp's."""
    if not path.is_file() or (path.stat().st_size and path.suffix.lower() != ".json"):
        return False
    try:
        found = json.loads(path.read_bytes() or b"{}")
    except (ValueError, RecursionError):
        return False
    return not (isinstance(found, dict) and ("digest" in found or "nbformat" in found))


def dialect(path: Path) -> tuple[str, str, list[str]]:
    """How a text table is written: its separator, its decimal mark, the names of its columns.

    Published are commas, semicolons (often with decimal commas) and tabs. Raises ``ValueError`` if
    it is not text in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            heading, first = file.readline(20_000), file.readline(20_000)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text; save it as “CSV UTF-8”") from error
    mark = max(",;\t", key=heading.count)
    decimal = "," if mark != "," and re.search(r"\d,\d", first) else "."
    return mark, decimal, [name.strip().strip('"') for name in heading.split(mark)]


def save_json(path: Path, content: object) -> None:
    """Write dicts, lists, texts, numbers and None as JSON, whole or not at all."""
    save(path, (json.dumps(content, indent=1) + "\n").encode())


def seal(path: Path, content: Mapping[str, object]) -> None:
    """Write named plain values (none is ``digest``) with their `digest`, for `unseal` to check."""
    save_json(path, {"digest": digest(content), **content})


def unseal(path: Path, form: Form) -> dict[str, object]:
    """Read what `seal` wrote: the one door for whatever avlib kept as JSON.

    `form` names the keys that must be there and the types of their values. Raises
    ``FileNotFoundError`` if there is no such file, `DamagedError` if it is no JSON, does not have
    that form, or was changed since: who keeps it as a cache makes it anew.
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
    with suppress(ValueError):  # a number that is not finite: never written
        if kept == digest(content):
            return content
    raise DamagedError(f"{path}: was changed since avlib wrote it")


def digest(content: object) -> str:
    """The SHA-256 of plain values, in whatever order; ``ValueError`` if a number is not finite."""
    plain = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()
