"""How large avlib is: lines of each folder, the longest file and the longest function.

``python tests/tools/size.py`` prints it; the test report does, too.
"""

import argparse
import ast
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "avlib"
MOST_LINES = {"function": 60, "file": 450}


def files() -> dict[str, int]:
    """The lines of each file."""
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8").count("\n")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def functions() -> dict[str, int]:
    """The lines of each function, with its docstring, without its decorators."""
    return {
        f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno} {node.name}": node.end_lineno
        - node.lineno
        + 1
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def report() -> str:
    """Lines in all, of each folder, and the longest."""
    folders = Counter()
    for name, lines in files().items():
        folders[name.partition("/")[0] if "/" in name else "files of no folder"] += lines
    longest = [max(each.items(), key=lambda item: item[1]) for each in (files(), functions())]
    said = ", ".join(f"{folder} {lines:,}" for folder, lines in sorted(folders.items()))
    return (
        f"avlib has {folders.total():,} lines ({said}); longest file {longest[0][0]}, "
        f"{longest[0][1]}; longest function {longest[1][0]}, {longest[1][1]}"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print(report())
