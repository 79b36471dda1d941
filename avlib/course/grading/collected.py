"""Find a student's answers in the notebooks that were collected. Of no lesson.

An answer is found by the name that its exercise asks for, wherever its cell stands:

- Of the cells that define the name, the last one counts whose definition is not the stub.
- Of that cell, the statements count that define or change the name, or a name that these use.
- Names that they use and that another cell of the student defines come along, with imports,
  functions, classes and values, and what these use in turn. What stands in the lesson as published
  is not taken: its imports, constants, functions and classes are there already, and nothing else of
  it is run.
"""

import ast
import builtins
import json
import re
import symtable
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from avlib.course.grading.lessons import HEADING, Exercise, Lesson, check_call

MOST_BYTES = 50_000_000  # of a notebook; with all outputs of a lesson it is far from it
_COPIES = r"(?i)^copy of |[ _-]*copy\d*$|[ _-]*\(\d+\)$"


@dataclass(frozen=True)
class Answer:
    """What a student wrote for an exercise: a program, or why there is none."""

    program: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Notebook:
    """A student's notebook: its text, and the code cells that can be read as Python."""

    path: Path
    text: str  # of its markdown
    code: tuple[ast.Module, ...]
    unread: tuple[tuple[str, str], ...]  # source and error of the cells that do not parse

    @cached_property
    def definitions(self) -> frozenset[str]:
        """The names that its cells define."""
        return frozenset(
            name for cell in self.code for each in cell.body for name in _changed(each)
        )

    def lessons(self, published: list[Lesson]) -> list[Lesson]:
        """The lessons that it is of, by the numbers of its exercises, or else by their names."""
        numbers = set(re.findall(HEADING, self.text, re.M))
        numbers |= {call.args[0].value for cell in self.code if (call := check_call(cell))}
        for source, _ in self.unread:
            numbers |= set(re.findall(r"check\(\s*[\"'](\d+\.\d+)[\"']", source))
        named = [each for each in published if numbers & {e.number for e in each.exercises}]
        if named:
            return named
        found = Counter(
            {
                each.name: sum(set(e.names) <= self.definitions for e in each.exercises)
                for each in published
            }
        )
        (best, count), (_, second) = found.most_common(2)
        return [each for each in published if each.name == best and count > max(second, 1)]

    def answer(self, exercise: Exercise, lesson: Lesson) -> Answer:
        """What answers an exercise."""
        missing = [name for name in exercise.names if name not in self.definitions]
        for source, error in self.unread:
            if any(re.search(rf"\b{name}\b\s*(\(|=|:)", source) for name in missing):
                return Answer(fault=f"the cell that defines {missing[0]} does not parse: {error}")
        if missing:
            return Answer(fault=f"no cell defines {missing[0]}.")
        try:
            return Answer(_program(self.code, exercise, lesson))
        except RecursionError:
            return Answer(fault="its cells need each other too deeply to be followed.")


def read(path: Path) -> Notebook:
    """Read a notebook of any version 3 or later.

    Raises ``ValueError`` if it is none, and ``OSError`` if it cannot be read.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: is larger than {MOST_BYTES / 1e6:.0f} MB, and was not opened")
    try:
        stored = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is no notebook, its JSON is broken ({error})") from error
    try:
        sheets = stored.get("worksheets", [stored])
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        kinds = [
            (cell["cell_type"], _text(cell.get("source", cell.get("input")))) for cell in cells
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: is no notebook, it holds no cells") from error
    code, unread = [], []
    for number, source in enumerate(source for kind, source in kinds if kind == "code"):
        try:
            cell = _parsed(source)
            ast.dump(cell), ast.unparse(cell)  # too deep for us is found out here
            code.append(cell)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            at = f"code cell {number + 1}" + (f", line {line}" if line else "")
            unread.append((source, f"{at}, {getattr(error, 'msg', None) or 'cannot be read'}."))
    text = "\n".join(source for kind, source in kinds if kind != "code")
    return Notebook(path, text, tuple(code), tuple(unread))


def _text(source: object) -> str:
    return source if isinstance(source, str) else "".join(source)


def _parsed(source: str) -> ast.Module:
    """A cell without its magics: they are IPython's, and no part of an answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the student's, for example "\d" in a text
        if re.match(r"\s*%%(?!(time|timeit|capture|prun)\b)", source):
            return ast.parse("")  # of another language
        source = re.sub(r"\A\s*%%.*", "", source)
        if not re.search(r"^\s*([%!?]|.*\?\s*$|.*= *[%!])", source, re.M):
            return ast.parse(source)
        return ast.parse(TransformerManager().transform_cell(source))


@lru_cache(maxsize=20_000)
def _changed(statement: ast.stmt) -> frozenset[str]:
    """The names that a statement defines or changes, as ``found[0] = 1`` changes found."""
    names = {
        each.get_name()
        for each in _table(statement).get_symbols()
        if each.is_assigned() or each.is_imported()
    }
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return frozenset(names)
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            names.add(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            names.add(_root(node.value.func) if isinstance(node.value.func, ast.Attribute) else "")
    return frozenset(names - {""})


@lru_cache(maxsize=20_000)
def _used(statement: ast.stmt) -> frozenset[str]:
    """The names of the notebook that a statement uses: what is local to a function is none."""
    found, tables = set(), [_table(statement)]
    for table in tables:
        for each in table.get_symbols():
            if each.is_referenced() and (each.is_global() or table.get_type() == "module"):
                found.add(each.get_name())
        tables += table.get_children()
    return frozenset(found)


def _table(statement: ast.stmt) -> symtable.SymbolTable:
    try:
        return symtable.symtable(ast.unparse(statement), "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # `return` outside a function
        return symtable.symtable("", "cell", "exec")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _program(code: tuple[ast.Module, ...], exercise: Exercise, lesson: Lesson) -> str:
    """The statements that answer an exercise, those first that others need."""
    stub = frozenset(ast.dump(each) for each in exercise.stub.body)
    cells: dict[int, set[int]] = {}  # which statements of which cell
    needs: dict[int, set[int]] = {}  # which cells a cell needs
    seen, waiting = set(), [(name, None) for name in exercise.names]
    while waiting:
        name, user = waiting.pop(0)
        if name in exercise.names:
            chosen = _last(code, name, stub | lesson.statements) or _last(code, name, frozenset())
        else:
            own = user is not None and _defines(code[user], name, lesson.statements)
            chosen = (user,) if own else _last(code, name, lesson.statements)
        if chosen is None:
            continue  # of the lesson, of Python, or not there
        (at,) = chosen
        needs.setdefault(at, set())
        if user is not None:
            needs[user].add(at)
        if (name, at) in seen:
            continue
        seen.add((name, at))
        for number, each in enumerate(code[at].body):
            theirs = ast.dump(each) not in lesson.statements
            if name in _changed(each) and theirs and not check_call(each):
                cells.setdefault(at, set()).add(number)
                waiting += [(used, at) for used in _used(each) if not hasattr(builtins, used)]
    order: list[int] = []
    for at in cells:
        _in_order(at, needs, order, set())
    body = [code[at].body[number] for at in order for number in sorted(cells.get(at, ()))]
    return ast.unparse(ast.Module(body, []))


def _last(code: tuple[ast.Module, ...], name: str, but: frozenset[str]) -> tuple | None:
    """The number of the last cell that defines a name, by other statements than these."""
    found = [at for at, cell in enumerate(code) if _defines(cell, name, but)]
    return (found[-1],) if found else None


def _defines(cell: ast.Module, name: str, but: frozenset[str]) -> bool:
    return any(
        name in _changed(each)
        and not isinstance(each, ast.Expr)
        and ast.dump(each) not in but
        and not check_call(each)
        for each in cell.body
    )


def _in_order(at: int, needs: dict[int, set[int]], order: list[int], above: set[int]) -> None:
    """Enter a cell behind the cells that it needs; where two need each other, as they stand."""
    if at in order or at in above:
        return
    for other in sorted(needs.get(at, ())):
        _in_order(other, needs, order, above | {at})
    order.append(at)


def student(path: Path, folder: Path, published: list[Lesson]) -> str:
    """Whose a file is: the folder in the collection that holds it, or else its name.

    Of a file's name the lesson's is left out, and what browsers and Colab add to a copy.
    """
    inside = path.relative_to(folder).parts
    if len(inside) > 1:
        return inside[0]
    name = stem = path.stem
    for _ in range(3):
        name = re.sub(_COPIES, "", name)
        for lesson in published:
            name = re.sub(rf"[ _-]*{re.escape(lesson.name)}[ _-]*", " ", name)
        name = name.strip(" _-.")
    return name or stem
