"""Files that are written whole or not at all.

Taught in notebooks/01-explore-the-dataset.ipynb.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path


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

    Notes
    -----
    Taught in lesson 01.
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

    Notes
    -----
    Taught in lesson 01.
    """
    save(path, (json.dumps(content, indent=1) + "\n").encode())
