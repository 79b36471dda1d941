"""Which avlib a lesson belongs to, and where both are published.

The address of the repository stands in ``pyproject.toml``; badges and set-up cells repeat it,
because a reader who has nothing yet follows them. `set_repository` rewrites them all.
Used in every lesson.
"""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path

from avlib import __version__, files

_NAME = re.compile(r"[A-Za-z0-9][\w-]*/(?!\.+$)[\w.-]+", re.ASCII)
_TEXTS = ("*.md", "pyproject.toml", "notebooks/*.ipynb", "notebooks/*.md", "data/*.md",
          ".github/workflows/*.yml")  # fmt: skip


class OtherReleaseError(RuntimeError):
    """A lesson and the installed avlib are of two releases.

    Notes
    -----
    Used in every lesson.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, and no traceback."""
        return [str(self)]


def repository() -> str:
    """``OWNER/NAME`` of the repository that this avlib was published from.

    Notes
    -----
    Used in every lesson.
    """
    addresses = dict(line.split(", ") for line in metadata("avlib").get_all("Project-URL"))
    return addresses["Repository"].removeprefix("https://github.com/")


def address(version: str) -> str:
    """What pip fetches a release from: the archive of its tag, never of a branch that moves.

    Parameters
    ----------
    version : str

    Returns
    -------
    str

    Notes
    -----
    Used in every lesson.
    """
    return f"https://github.com/{repository()}/archive/refs/tags/v{version}.zip"


def belong_together(lesson: str) -> None:
    """See that a lesson and this avlib are of one release.

    Parameters
    ----------
    lesson : str
        The version that the lesson's set-up cell names.

    Raises
    ------
    OtherReleaseError
        With the sentence that tells what to run.

    Notes
    -----
    Used in every lesson.
    """
    if lesson != __version__:
        raise OtherReleaseError(
            f"This lesson belongs to avlib {lesson}, and avlib {__version__} is installed: run "
            f'`%pip install "avlib @ {address(lesson)}"` in a cell, restart the kernel, and run '
            "the lesson from the top."
        )


def set_repository(name: str, root: Path) -> list[Path]:
    """Write the address of another repository wherever the present one stands.

    Parameters
    ----------
    name : str
        ``OWNER/NAME`` on GitHub.
    root : Path
        A checkout.

    Returns
    -------
    list of Path
        The files that changed.

    Raises
    ------
    ValueError
        If that is no name of a repository, or the folder is no checkout.

    Notes
    -----
    Used in every lesson.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name}: should look like OWNER/NAME, as in https://github.com/OWNER/NAME"
        )
    project = root / "pyproject.toml"
    if not project.is_file():
        raise ValueError(f"{root}: no pyproject.toml here; run from a clone of the repository")
    now = re.search(r'Repository = "https://github\.com/([^"]+)"', project.read_text("utf-8"))[1]
    changed = []
    standing = re.compile(rb"(?<![\w.-])" + re.escape(now.encode()) + rb"(?![\w-])")
    for path in sorted({path for pattern in _TEXTS for path in root.glob(pattern)}):
        before = path.read_bytes()
        after = standing.sub(name.encode(), before)
        if after != before:
            files.save(path, after)
            changed.append(path)
    return changed
