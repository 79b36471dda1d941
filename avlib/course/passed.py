"""Which exercises were passed, and what was predicted: a file in the data folder that only grows.

Of no lesson. One line of JSON for each. Nothing is sent anywhere. A line is written at its end in
one go, and none is ever changed: two notebooks at once lose nothing, and a damaged line costs that
line alone.
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
    return {line["exercise"] for line in _lines() if "exercise" in line}


def remember(number: str) -> None:
    """Keep that an exercise was passed; where that fails it is told, once, and nothing else."""
    if is_kept() and number not in numbers():
        now = datetime.now(UTC).isoformat("T", "seconds")
        _add({"exercise": number, "passed": now}, "progress", "The check counts.")


def guesses() -> dict[str, str]:
    """What the learner predicted last, by the names of the predictions."""
    return {line["guess"]: line["answer"] for line in _lines() if "guess" in line}


def keep_guess(name: str, answer: str) -> None:
    """Keep what the learner predicts; where that fails it is told, once, and nothing else."""
    if is_kept() and answer and guesses().get(name) != answer:
        _add({"guess": name, "answer": answer}, "prediction", "It stands here until you close.")


def _add(line: dict[str, str], what: str, otherwise: str) -> None:
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        with path().open("ab") as file:
            # After whatever a killed process left of its own.
            file.write(f"\n{json.dumps(line)}".encode())
    except OSError as error:
        _tell(f"Your {what} cannot be kept ({error.strerror}): {path()}. {otherwise}")


def _lines() -> list[dict[str, str]]:
    if not is_kept():
        return []
    try:
        lines = path().read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        _tell(f"Your progress cannot be read ({error.strerror}): {path()}")
        return []
    found = [_line(line) for line in lines if line.strip()]
    if damaged := found.count(None):
        _tell(f"Lines of your progress that cannot be read, and are skipped: {damaged} of {path()}")
    return [line for line in found if line is not None]


def _line(text: bytes) -> dict[str, str] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(line, dict) and all(isinstance(each, str) for each in line.values())
    return line if texts and ("exercise" in line or {"guess", "answer"} <= line.keys()) else None


def _tell(hint: str) -> None:
    if hint not in _told:
        _told.add(hint)
        print(hint)
