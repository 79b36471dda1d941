"""Which avlib a lesson belongs to, and where both are published.

The address of the repository stands in ``pyproject.toml``; badges and set-up cells repeat it,
because a reader who has nothing yet follows them (`tests/tools/set_repository.py` rewrites all).
Used in every lesson.
"""

from __future__ import annotations

from importlib.metadata import metadata

from avlib import __version__


class OtherReleaseError(RuntimeError):
    """A lesson and the installed avlib are of two releases."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, and no traceback."""
        return [str(self)]


def repository() -> str:
    """``OWNER/NAME`` of the repository that this avlib was published from."""
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
    """
    if lesson != __version__:
        raise OtherReleaseError(
            f"This lesson belongs to avlib {lesson}, and avlib {__version__} is installed: run "
            f'`%pip install "avlib @ {address(lesson)}"` in a cell, restart the kernel, and run '
            "the lesson from the top."
        )
