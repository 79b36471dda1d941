"""Mark a folder of collected notebooks, and write the marks. Of no lesson."""

import csv
import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from avlib import files
from avlib.corpus import ravdess
from avlib.course import lesson as lessons_data
from avlib.course.grading import collected, lessons
from avlib.course.grading.collected import Notebook
from avlib.course.grading.lessons import Lesson
from avlib.course.grading.room import Room

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{name}</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }}
td, th {{ text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0 }}
td {{ overflow-wrap: anywhere }}
</style>
<h1>{name}</h1>
<p>{right} of {handed_in} exercises are right.</p>
<table><tr><th>Exercise</th><th>Verdict</th><th>Hint</th></tr>
{rows}
</table></html>
"""


@dataclass(frozen=True)
class Mark:
    """Whether an exercise is right, and what is said if it is not."""

    right: bool
    hint: str = ""


@dataclass
class Marks:
    """The marks of a class: of each student, by the exercises' numbers."""

    students: dict[str, dict[str, Mark]] = field(default_factory=dict)
    exercises: list[str] = field(default_factory=list)  # of all lessons that someone handed in
    unread: list[str] = field(default_factory=list)  # files that could not be marked, and why

    def enter(self, student: str, number: str, mark: Mark) -> None:
        """Enter a mark; of several of one exercise, a right one counts, else the last."""
        before = self.students[student].get(number)
        if before is None or not before.right:
            self.students[student][number] = mark

    def total(self, student: str) -> int:
        """How many exercises are right."""
        return sum(mark.right for mark in self.students[student].values())

    def as_csv(self) -> str:
        """A row a student: 1, 0 or nothing for each exercise, the total, and all hints."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["student", *self.exercises, "total", "feedback"])
        for name, marks in self.students.items():
            each = [int(marks[n].right) if n in marks else "" for n in self.exercises]
            hinted = (n for n in self.exercises if n in marks and marks[n].hint)
            said = " | ".join(f"{n}: {marks[n].hint}" for n in hinted)
            # A spreadsheet would take a name like =1+1 for a formula.
            safe = f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
            table.writerow([safe, *each, self.total(name), said])
        return text.getvalue()

    def pages(self) -> dict[str, str]:
        """A page for each student, by the names of the files."""
        found: dict[str, str] = {}
        taken: set[str] = set()
        for name, marks in self.students.items():
            plain = re.sub(r"[^\w-]+", "-", name).strip("-")[:80] or "student"
            names = chain([f"{plain}.html"], (f"{plain}-{n}.html" for n in count(2)))
            file = next(each for each in names if each.lower() not in taken)
            taken.add(file.lower())
            rows = "\n".join(
                f"<tr><td>{number}</td><td>{'right' if mark.right else 'not yet'}</td>"
                f"<td>{html.escape(mark.hint)}</td></tr>"
                for number in self.exercises
                if (mark := marks.get(number))
            )
            found[file] = _PAGE.format(
                name=html.escape(name), right=self.total(name), handed_in=len(marks), rows=rows
            )
        return found


def grade(folder: Path, tell: Callable[[str], None] = lambda _: None) -> Marks:
    """Mark all notebooks in a folder and below; `tell` gets a line for each lesson.

    Of `folder`, each folder inside is a student, and each file by itself one by its name. What
    cannot be marked is listed in `unread`. Raises ``ValueError`` if there is no notebook at all,
    ``FileNotFoundError`` if the folder or the lessons are not there, and ``RuntimeError`` if a
    lesson cannot be made ready.
    """
    published = lessons.published()
    marks, handed_in = Marks(), []
    for student, path, notebook in _read(folder, published):
        marks.students.setdefault(student, {})
        if isinstance(notebook, str):
            marks.unread.append(notebook)
        elif of := notebook.lessons(published):
            handed_in.append((student, notebook, of))
        else:
            marks.unread.append(f"{path}: is of no lesson: it holds none of their exercises")
    marks.students = dict(sorted(marks.students.items()))
    clips = ravdess.index(lessons_data.recordings()) if handed_in else None
    for lesson in published:
        those = [(who, each) for who, each, of in handed_in if lesson in of]
        if those:
            tell(f"{lesson.name}: {len(those)} notebooks")
            marks.exercises += [exercise.number for exercise in lesson.exercises]
            with Room(lesson, clips) as room:
                for who, notebook in those:
                    _mark(marks, who, notebook, lesson, room)
    return marks


def _read(folder: Path, published: list[Lesson]) -> list[tuple[str, Path, Notebook | str]]:
    """Whose a notebook is, where it lies, and what it holds, or else why it cannot be read."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: is no folder")
    found, holders = [], set()
    for path in notebooks(folder):
        student = collected.student(path, folder, published)
        holders.add(path.relative_to(folder).parts[0])
        try:
            found.append((student, path, collected.read(path)))
        except (ValueError, OSError) as error:
            found.append((student, path, str(error)))
    if not found:
        raise ValueError(f"{folder}: holds no notebook (.ipynb)")
    for each in sorted(folder.iterdir()):
        if each.is_dir() and each.name not in holders and each.name[0] not in "._":
            found.append((each.name, each, f"{each}: holds no notebook"))
    return found


def notebooks(folder: Path) -> list[Path]:
    """The notebooks in a folder and below, without JupyterLab's checkpoints and macOS's marks."""
    return [
        path
        for path in files.below(folder)
        if path.suffix.lower() == ".ipynb"
        and not any(
            part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts
        )
    ]


def _mark(marks: Marks, student: str, notebook: Notebook, lesson: Lesson, room: Room) -> None:
    for exercise in lesson.exercises:
        answer = notebook.answer(exercise, lesson)
        hint = answer.fault or room.judge(exercise, answer.program)
        marks.enter(student, exercise.number, Mark(not hint, hint or ""))
