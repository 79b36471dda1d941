"""How far a learner is: the exercises of each lesson that were passed, and where to go on.

Shown in notebooks/00-start-here.ipynb.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass

from avlib import __version__
from avlib.course import checks, lesson, passed


@dataclass(frozen=True)
class Line:
    """A lesson, and which of its exercises were passed."""

    notebook: str  # the name of its file
    title: str
    headings: dict[str, str]  # number of an exercise → what stands above it
    passed: frozenset[str]

    @property
    def count(self) -> str:
        """How many were passed."""
        return f"{len(self.passed)} of {len(self.headings)}"

    @property
    def open(self) -> list[str]:
        """The numbers of the others, in order."""
        return [number for number in self.headings if number not in self.passed]

    def address(self, number: str | None = None) -> str:
        """Where the lesson lies, for a link from a lesson, or an exercise in it."""
        if lesson.on_colab():
            place = f"github/{lesson.repository()}/blob/v{__version__}/notebooks"
            return f"https://colab.research.google.com/{place}/{self.notebook}"
        heading = self.headings[number].replace(" ", "-") if number else ""
        return f"{self.notebook}#{heading}" if heading else self.notebook


@dataclass(frozen=True)
class Progress:
    """What `progress` found; a notebook shows it as a table, a terminal as text."""

    lines: tuple[Line, ...]

    @property
    def next(self) -> tuple[Line, str] | None:
        """The first lesson with something open, and its next exercise; None if all is passed."""
        return next(((line, line.open[0]) for line in self.lines if line.open), None)

    def __str__(self) -> str:
        width = max(len(line.title) for line in self.lines)
        rows = [f"{line.title:<{width}}  {line.count}" for line in self.lines]
        return "\n".join([*rows, *self._sentences()])

    def html(self) -> str:
        """A table with a link to each lesson."""
        rows = "".join(
            f'<tr><th scope="row" style="text-align: left">{_link(line.address(), line.title)}'
            f'</th><td style="text-align: right">{line.count}</td></tr>'
            for line in self.lines
        )
        total, on, kept = map(html.escape, self._sentences())
        if self.next:
            line, number = self.next
            on = f"Go on with {_link(line.address(number), f'{line.title}, exercise {number}')}."
        head = '<th scope="col" style="text-align: left">lesson</th><th scope="col">passed</th>'
        return (
            f"<table><caption>{total}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{on}</p><p>{kept}</p>"
        )

    def _sentences(self) -> tuple[str, str, str]:
        done = sum(len(line.passed) for line in self.lines)
        everything = sum(len(line.headings) for line in self.lines)
        on = "There is nothing left to do."
        if self.next:
            on = f"Go on with {self.next[0].title}, exercise {self.next[1]}."
        kept = f"Kept in {passed.path()}, and sent nowhere."
        if not passed.is_kept():
            kept = "Nothing is kept in this run."
        return f"{done} of {everything} exercises passed", on, kept

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": str(self)}


def progress() -> Progress:
    """How many exercises of each lesson were passed on this computer, and where to go on."""
    found, lines = passed.numbers(), {}
    for number in checks.exercises():
        lines.setdefault(checks.notebook(number), []).append(number)
    return Progress(tuple(_line(name, numbers, found) for name, numbers in lines.items()))


def _line(notebook: str, numbers: list[str], found: set[str]) -> Line:
    """Title and headings as the notebook has them, where it is at hand."""
    title = f"{notebook[:2]} · {notebook[3:-6].replace('-', ' ').capitalize()}"
    headings = dict.fromkeys(numbers, "")
    try:
        stored = (lesson.home() / "notebooks" / notebook).read_text(encoding="utf-8")
        cells = json.loads(stored)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    except (OSError, ValueError, TypeError, KeyError):
        text = ""
    if first := re.search(r"^# (.+)", text, re.M):
        title = first[1].strip()
    for heading, number in re.findall(r"^### (Exercise (\d+\.\d+).*)", text, re.M):
        if number in headings:
            headings[number] = heading.strip()
    return Line(notebook, title, headings, frozenset(found & set(numbers)))


def _link(address: str, text: str) -> str:
    return f'<a href="{html.escape(address, quote=True)}">{html.escape(text)}</a>'
