"""The command ``python -m avlib grade``. Of no lesson."""

import sys
from pathlib import Path

import typer

from avlib import files, terminal
from avlib.terminal import argument, command, option, say

app = typer.Typer(**terminal.PLAIN)


@command(app)
def grade(
    folder: argument(Path, "notebooks: a folder for each student, or a file", "FOLDER"),
    csv: option(Path, "write the marks there: a row a student", "FILE"),
    html: option(Path | None, "write a page for each student, into a new folder", "DIR") = None,
) -> int:
    """Mark the notebooks of a class, answer by answer.

    An answer is found by the name that its exercise asks for, wherever its cell stands. It runs in
    a process of its own, with limits, and is judged from outside. Mark what you do not trust in a
    container.
    """
    from avlib.course.grading import limits, marks

    files.refuse_to_replace(csv, marks.notebooks(folder))
    if html is not None:
        if html.exists() and (not html.is_dir() or any(html.iterdir())):
            raise FileExistsError(f"{html}: is there already; name a new folder for the pages")
        files.refuse_to_replace(html / "student.html")
    for each in limits.unlimited():
        say(each)
    found = marks.grade(folder, tell=say)
    files.save(csv, found.as_csv().encode(errors="replace"))
    for name, page in found.pages().items() if html is not None else ():
        files.save(html / name, page.encode(errors="replace"))
    for each in found.unread:
        say(each, file=sys.stderr)
    for name in found.students:
        say(f"{name}: {found.total(name)} of {len(found.students[name])}")
    say(f"{csv}: {len(found.students)} students, {len(found.exercises)} exercises")
    return int(bool(found.unread))
