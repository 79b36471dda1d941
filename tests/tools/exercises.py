"""Each exercise stands in its lesson, whole: this reads it there, marks it, and solves it.

`python tests/tools/exercises.py mark [DIR]` marks the cells of the exercises, in place. A cell to
fill in has the tag `answer`, its check the tag `check`, and the text with hints and solution the
tag `solution`; both cells carry nbgrader's metadata besides. Each check is worth a point; it raises
where nbgrader runs it and the answer is wrong. Stubs stay as they are only where the course's
`nbgrader_config.py` says `c.ClearSolutions.enabled = False`: the lessons fold their solutions in
text, and nbgrader would replace each stub by a stub of its own.

`python tests/tools/exercises.py solutions OUT [DIR]` writes the teacher's copies: each stub is
replaced by its solution, and below each check stand the mistakes that it knows by name.

The mistakes lie in the metadata of the cell to fill in: `"mistakes": [{"answer": lines, "hint":
what the check's hint must match}]`. The tests give every one of them to the check.
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from avlib import files
from avlib.course.grading import lessons

FOLDER = Path(__file__).parents[2] / "notebooks"
CONFIG = """\
c.ClearSolutions.enabled = False
c.Execute.timeout = 1800
c.Execute.iopub_timeout = 60
"""  # lessons train for minutes, and a busy machine is late to tell what a cell printed
_SCHEMA = {"schema_version": 3, "task": False}
_SOLUTION = re.compile(r"<summary>Solution</summary>\s+```python\n(.*?)```", re.S)


@dataclass(frozen=True)
class Exercise:
    """An exercise as it stands in its notebook, and what its check is called with."""

    number: str
    stub: str
    solution: str
    arguments: tuple[str, ...]
    mistakes: tuple[tuple[str, str], ...]  # answers that students give, and what the hint matches
    at: int  # of the cell to fill in, among all cells; check and solution follow

    @property
    def lesson(self) -> str:
        """The number that its notebook's name begins with."""
        return f"{int(self.number.split('.')[0]):02d}"


def read(notebook: Path) -> list[Exercise]:
    """The exercises of a lesson; ``ValueError`` if one lacks its check or its solution."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [at for at, cell in enumerate(cells) if cell["cell_type"] == "code"]
    found = []
    for each in lessons.read(notebook).exercises:
        at = code[each.place]
        solution = _SOLUTION.search("".join(cells[at + 2]["source"]))
        if code[each.place + 1] != at + 1 or not solution:
            raise ValueError(f"{notebook}: {each.number} is not stub, check and folded solution")
        mistakes = tuple(
            ("".join(one["answer"]), one["hint"]) for one in cells[at]["metadata"]["mistakes"]
        )
        stub = "".join(cells[at]["source"])
        found.append(Exercise(each.number, stub, solution[1], each.arguments, mistakes, at))
    return found


def exercises() -> list[Exercise]:
    """Every exercise of every lesson."""
    return [each for notebook in _lessons(FOLDER) for each in read(notebook)]


def mark(notebook: Path) -> bool:
    """Write tags and nbgrader's metadata into a lesson; whether that changed it."""
    before = notebook.read_bytes()
    stored = json.loads(before)
    for exercise in read(notebook):
        name = f"exercise-{exercise.number.replace('.', '-')}"
        answer, check, solution = (
            each["metadata"] for each in stored["cells"][exercise.at : exercise.at + 3]
        )
        answer["tags"], check["tags"], solution["tags"] = ["answer"], ["check"], ["solution"]
        answer["nbgrader"] = _SCHEMA | {
            "grade": False, "grade_id": name, "locked": False, "solution": True,
        }  # fmt: skip
        check["nbgrader"] = _SCHEMA | {
            "grade": True, "grade_id": f"{name}-check", "locked": True, "points": 1,
            "solution": False,
        }  # fmt: skip
    after = _written(stored)
    if after != before:
        files.save(notebook, after)
    return after != before


def solve(notebook: Path, to: Path) -> None:
    """Write the teacher's copy of a lesson."""
    stored = json.loads(notebook.read_text(encoding="utf-8"))
    for exercise in reversed(read(notebook)):
        stored["cells"][exercise.at]["source"] = exercise.solution.splitlines(keepends=True)
        refused = "\n".join(f"# {hint}\n{answer}" for answer, hint in exercise.mistakes)
        text = f"**Answers that the check of {exercise.number} refuses by name**\n\n"
        text += f"```python\n{refused}```"
        cell = {"cell_type": "markdown", "id": f"refused-{exercise.number.replace('.', '-')}"}
        cell |= {"metadata": {}, "source": text.splitlines(keepends=True)}
        stored["cells"].insert(exercise.at + 2, cell)
    files.save(to, _written(stored))


def _written(stored: dict) -> bytes:
    return (json.dumps(stored, indent=1, ensure_ascii=False) + "\n").encode()


def _lessons(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]-*.ipynb"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    marking = commands.add_parser("mark", help="write tags and nbgrader's metadata, in place")
    solving = commands.add_parser("solutions", help="write the teacher's copies")
    solving.add_argument("out", metavar="OUT", type=Path)
    for each in (marking, solving):
        each.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=FOLDER)
    given = parser.parse_args(arguments)
    notebooks = _lessons(given.folder)
    if not notebooks:
        parser.error("there are no lessons in that folder")
    if given.command == "solutions":
        given.out.mkdir(parents=True, exist_ok=True)
        for notebook in notebooks:
            solve(notebook, given.out / notebook.name)
        print(f"{given.out}: {len(notebooks)} lessons with solutions")
        return 0
    changed = [notebook.name for notebook in notebooks if mark(notebook)]
    print(*changed, sep="\n")
    print(
        f"{len(changed)} of {len(notebooks)} lessons changed. nbgrader_config.py needs:\n{CONFIG}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
