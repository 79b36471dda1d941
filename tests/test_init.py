"""The package itself: what importing it does, and does not do."""

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import size

import avlib

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("own", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_asleep_unless_the_user_says_otherwise(own: str | None, found: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if own:
        environment["OMP_WAIT_POLICY"] = own
    code = (
        "import sys, os, avlib; assert 'torch' not in sys.modules;"
        "print(os.environ['OMP_WAIT_POLICY'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == found


def folders() -> dict[str, set[str]]:
    """The modules of each folder, in the order that CONTRIBUTING.md gives them."""
    rows = re.findall(
        r"^\| \(?`?(\w+)`?\)? \|[^|]*\| (`.+) \|$",
        (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
        re.M,
    )
    return {folder: set(re.findall(r"`(\w+)/?`", row)) for folder, row in rows}


def imported(path: Path) -> Iterator[str]:
    """The modules of avlib that a file imports, as “folder.module”."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "avlib":
            inside = node.module.split(".")[1:]
            for each in node.names:
                if each.name != "__version__":
                    yield ".".join([*inside, each.name][:2])


def test_a_folder_imports_from_those_above_it_alone() -> None:
    order = list(folders())
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in (ROOT / "avlib").rglob("*/**/*.py")
        for other in imported(path)
        for here, there in [(path.relative_to(ROOT / "avlib").parts[0], other.split(".")[0])]
        if there in order and order.index(there) > order.index(here)
    ]
    assert not wrong


def test_the_table_of_folders_holds_every_module() -> None:
    found = {
        folder.name: {
            path.stem
            for path in folder.iterdir()
            if path.stem[0] not in "_."
            and (path.suffix == ".py" or (path / "__init__.py").exists())
        }
        for folder in (ROOT / "avlib").iterdir()
        if (folder / "__init__.py").exists()
    }
    found["none"] = {path.stem for path in (ROOT / "avlib").glob("[a-z]*.py")}
    assert found == folders()


def test_every_module_can_be_named() -> None:
    for folder, modules in folders().items():
        inside = avlib if folder == "none" else getattr(avlib, folder)
        written = Path(inside.__file__).read_text(encoding="utf-8")
        for name in modules:  # by the package itself, whoever has imported it before
            assert re.search(rf'"{name}"|import .*\b{name}\b', written), name
            assert getattr(inside, name).__name__ == f"{inside.__name__}.{name}"
    assert not hasattr(avlib.features, "download")


def test_an_mfcc_needs_neither_downloads_nor_tables() -> None:
    code = (
        "import sys; from avlib.features import audio;"
        "print(sorted({'pandas', 'requests', 'torch', 'avlib.corpus.manifest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_file_and_every_function_can_be_taken_in_at_once() -> None:
    long = {
        name: lines
        for found, kind in ((size.files(), "file"), (size.functions(), "function"))
        for name, lines in found.items()
        if lines > size.MOST_LINES[kind]
    }
    assert not long


EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "avlib").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_in_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted
    assert not found.failed


def test_what_is_no_module_goes_with_the_package() -> None:
    root = Path(avlib.__file__).parents[1]
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    carried = {
        path
        for package, patterns in settings["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in (root / package.replace(".", "/")).glob(pattern)
    }
    others = {
        path
        for path in (root / "avlib").rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert others == carried
