"""What the lessons ask for, read from the lessons as they were published. Of no lesson."""

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from avlib.course.checks import exercises
from avlib.course.lesson import lessons

_KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
HEADING = r"^#+ Exercise (\d+\.\d+)\b"


@dataclass(frozen=True)
class Exercise:
    """What an exercise asks for: its number, and the names that its check is called with."""

    number: str
    names: tuple[str, ...]  # what the learner defines
    arguments: tuple[str, ...]  # as the check cell writes them
    stub: ast.Module  # the cell to be filled in
    place: int  # of that cell, among the code cells; its check is the next


@dataclass(frozen=True)
class Lesson:
    """A published lesson: its exercises, and its code."""

    name: str  # of its file, without ``.ipynb``
    exercises: tuple[Exercise, ...]
    code: tuple[ast.Module, ...]  # of its cells after the set-up, without the stubs

    @cached_property
    def statements(self) -> frozenset[str]:
        """Every statement of the lesson, for comparison: layout and comments do not count."""
        return frozenset(ast.dump(each) for cell in self.code for each in cell.body)

    @cached_property
    def prepared(self) -> tuple[str, ...]:
        """The imports, constants, functions and classes: what an answer finds there."""
        return tuple(
            ast.unparse(each)
            for cell in self.code
            for each in cell.body
            if isinstance(each, _KEPT) or _is_constant(each)
        )


def _is_constant(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign):
        return False
    name = re.sub(r"[(), _]", "", ast.unparse(statement.targets[0]))
    return name.isupper()


def published() -> list[Lesson]:
    """All lessons; ``FileNotFoundError`` where avlib is installed without them.

    Raises ``ValueError`` if an exercise has no stub or no check cell: a lesson was changed.
    """
    return [read(path) for path in lessons()]


def read(path: Path) -> Lesson:
    """Read a lesson; ``ValueError`` if its exercises and its checks do not fit together."""
    stored = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [ast.parse(_source(each)) for each in stored if each["cell_type"] == "code"][1:]
    found, others = [], list(code)
    for place, (stub, check) in enumerate(pairwise(code), 1):
        if call := check_call(check):
            number, *arguments = call.args
            asked = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
            names = tuple(name for name in _defined(stub) if name in asked)
            written = tuple(map(ast.unparse, arguments))
            found.append(Exercise(number.value, names, written, stub, place))
            others = [each for each in others if each is not stub]
    asked = {each.number for each in found if each.names}
    headings = "\n".join("".join(each["source"]) for each in stored)
    if asked != set(re.findall(HEADING, headings, re.M)) or not asked <= set(exercises()):
        raise ValueError(f"{path}: its exercises and their checks do not fit together")
    return Lesson(path.stem, tuple(found), tuple(others))


def _source(cell: dict) -> str:
    """Without what IPython alone understands: the line that installs avlib on Colab."""
    return re.sub(r"^( *)%.*", r"\1pass", "".join(cell["source"]), flags=re.M)


def check_call(cell: ast.AST) -> ast.Call | None:
    """The call of ``checks.check`` with a number in a cell, if there is one."""
    for node in ast.walk(cell):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("checks.check", "check")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            return node
    return None


def _defined(cell: ast.Module) -> list[str]:
    """The names that a stub defines, in order."""
    found = []
    for each in cell.body:
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            found.append(each.name)
        else:
            stored = (node for node in ast.walk(each) if isinstance(node, ast.Name))
            found += [node.id for node in stored if isinstance(node.ctx, ast.Store)]
    return found
