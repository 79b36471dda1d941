"""Mark the lessons' exercises as nbgrader's, in place: cells to fill in, and cells to score.

`python tests/tools/nbgrader_cells.py [DIR]`, by default the lessons of this checkout. Each check is
worth a point; it raises where nbgrader runs it and the answer is wrong. Stubs stay as they are only
where the course's `nbgrader_config.py` says `c.ClearSolutions.enabled = False`: the lessons fold
their solutions in text, and nbgrader would replace each stub by a stub of its own.
"""

import argparse
import json
import sys
from pathlib import Path

from avlib import files
from avlib.course.grading import lessons

CONFIG = """\
c.ClearSolutions.enabled = False
c.Execute.timeout = 1800
c.Execute.iopub_timeout = 60
"""  # lessons train for minutes, and a busy machine is late to tell what a cell printed
_SCHEMA = {"schema_version": 3, "task": False}


def mark(notebook: Path) -> bool:
    """Write the metadata into a lesson; whether that changed it.

    Raises ``ValueError`` if the exercises and checks of the lesson do not fit together.
    """
    before = notebook.read_bytes()
    stored = json.loads(before)
    lesson = lessons.read(notebook)
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    for exercise in lesson.exercises:
        name = f"exercise-{exercise.number.replace('.', '-')}"
        answer, check = code[exercise.place], code[exercise.place + 1]
        answer["metadata"]["nbgrader"] = _SCHEMA | {
            "grade": False, "grade_id": name, "locked": False, "solution": True,
        }  # fmt: skip
        check["metadata"]["nbgrader"] = _SCHEMA | {
            "grade": True, "grade_id": f"{name}-check", "locked": True, "points": 1,
            "solution": False,
        }  # fmt: skip
    after = (json.dumps(stored, indent=1, ensure_ascii=False) + "\n").encode()
    if after != before:
        files.save(notebook, after)
    return after != before


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    folder = Path(__file__).parents[2] / "notebooks"
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=folder)
    notebooks = sorted(parser.parse_args(arguments).folder.glob("[0-9][0-9]-*.ipynb"))
    if not notebooks:
        parser.error("there are no lessons in that folder")
    changed = [notebook.name for notebook in notebooks if mark(notebook)]
    print(*changed, sep="\n")
    print(
        f"{len(changed)} of {len(notebooks)} lessons changed. nbgrader_config.py needs:\n{CONFIG}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
