"""Which exercises were passed: a file in the data folder that only grows, one line of JSON a pass.

Of no lesson. Nothing is sent anywhere. A line is written at its end in one go, and none is ever
changed: two notebooks at once lose nothing, and a damaged line costs that line alone.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from avlib.course.lesson import data_folder

_told: set[str] = set()


def is_kept() -> bool:
    """Whether passes are kept: not in tests and graders.

    These set ``AVLIB_NO_PROGRESS``, or are nbgrader, which sets ``NBGRADER_EXECUTION``.
    """
    return not (os.environ.get("AVLIB_NO_PROGRESS") or os.environ.get("NBGRADER_EXECUTION"))


def path() -> Path:
    """Where passes are kept."""
    return data_folder() / "progress.jsonl"


def numbers() -> set[str]:
    """The numbers of the exercises that were passed; what cannot be read is told, once."""
    if not is_kept():
        return set()
    try:
        lines = path().read_bytes().splitlines()
    except FileNotFoundError:
        return set()
    except OSError as error:
        _tell(f"Your progress cannot be read ({error.strerror}): {path()}")
        return set()
    found = [_number(line) for line in lines if line.strip()]
    if damaged := found.count(None):
        _tell(f"Lines of your progress that cannot be read, and are skipped: {damaged} of {path()}")
    return {number for number in found if number is not None}


def remember(number: str) -> None:
    """Keep that an exercise was passed; where that fails it is told, once, and nothing else."""
    if not is_kept() or number in numbers():
        return
    line = json.dumps({"exercise": number, "passed": datetime.now(UTC).isoformat("T", "seconds")})
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        with path().open("ab") as file:
            file.write(f"\n{line}".encode())  # after whatever a killed process left of its own
    except OSError as error:
        _tell(f"Your progress cannot be kept ({error.strerror}): {path()}. The check counts.")


def _number(line: bytes) -> str | None:
    try:
        number = json.loads(line)["exercise"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return number if isinstance(number, str) else None


def _tell(hint: str) -> None:
    if hint not in _told:
        _told.add(hint)
        print(hint)
