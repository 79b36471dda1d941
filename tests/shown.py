"""What the lessons show, read from the notebooks themselves, so that text and test cannot part."""

import ast
import importlib.util
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from avlib.course.grading import lessons

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]-*.ipynb"))

# What drives the lessons in JupyterLab as a reader would, where it is at hand.
BROWSER = shutil.which("chromium") if importlib.util.find_spec("playwright") else None
# The resampler's filter (lesson 02), boxes (lesson 08), the interval of a test and RAVDESS's own
# figures (lesson 10).
_OF_NO_RECORDING_HERE = ("A tall peak at the centre", "A drawing of", "A test of", "On RAVDESS")


def assert_pictures_say_what_they_are(texts: list[str]) -> None:
    """Every picture's alternative text ends with what recordings it was made from."""
    of_recordings = [text for text in texts if not text.startswith(_OF_NO_RECORDING_HERE)]
    assert of_recordings
    assert all(text.endswith("Made from: practice corpus.") for text in of_recordings)


def cells(notebook: Path) -> list[tuple[str, str]]:
    """Kind and source of each cell."""
    stored = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in stored]


def shown(number: str) -> SimpleNamespace:
    """The imports, constants, functions and classes that a lesson shows, without running it."""
    notebook = next(path for path in NOTEBOOKS if path.name.startswith(number))
    names: dict[str, object] = {}
    for statement in lessons.read(notebook).prepared:
        exec(compile(statement, notebook.name, "exec"), names)
    return SimpleNamespace(**names)


@dataclass(frozen=True)
class Exercise:
    """An exercise as it stands in its notebook, and what its check is called with."""

    number: str
    stub: str
    solution: str
    arguments: tuple[str, ...]

    @property
    def lesson(self) -> str:
        """The number that its notebook's name begins with."""
        return f"{int(self.number.split('.')[0]):02d}"


def exercises() -> list[Exercise]:
    """Every exercise of every lesson."""
    found = []
    for notebook in NOTEBOOKS:
        each = cells(notebook)
        for at, (kind, text) in enumerate(each):
            headings = re.findall(r"^### Exercise (\d+\.\d+)", text, re.M)
            if kind != "markdown" or not headings:
                continue
            (_, stub), (_, check), (_, folded) = each[at + 1 : at + 4]
            solution = re.search(
                r"<summary>Solution</summary>\s+```python\n(.*?)```", folded, re.S
            ).group(1)
            (call,) = (
                node
                for node in ast.walk(ast.parse(check))
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "checks.check"
            )
            number, *arguments = call.args
            assert number.value == headings[-1], notebook
            found.append(Exercise(headings[-1], stub, solution, tuple(map(ast.unparse, arguments))))
    return found
