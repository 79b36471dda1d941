"""The package itself: what importing it does, and does not do."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def layers() -> dict[str, int]:
    """The layer of each module, as CONTRIBUTING.md has them."""
    rows = re.findall(r"^\| (\d) \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    return {name: int(layer) for layer, row in rows for name in re.findall(r"`(\w+)`", row)}


def imported(path: Path) -> Iterator[str]:
    """The modules of avlib that a file imports when it is imported itself."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module == "avlib":
            yield from (each.name for each in node.names if each.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("avlib."):
            yield node.module.split(".")[1]


def test_modules_import_from_the_layers_above_them_alone() -> None:
    found = layers()
    paths = {path for path in (ROOT / "avlib").rglob("*.py") if not path.name.startswith("__main")}
    modules = {
        path: path.relative_to(ROOT / "avlib").parts[0].removesuffix(".py") for path in paths
    }
    assert set(modules.values()) - {"__init__"} == set(found)
    wrong = [
        f"{path.name} imports {other}"
        for path, module in modules.items()
        for other in imported(path)
        if other != module and found[other] >= found[module]
    ]
    assert not wrong


def test_every_module_can_be_named() -> None:
    names = {path.stem for path in (ROOT / "avlib").glob("[a-z]*.py")} | {"checks", "practice"}
    assert set(avlib.__all__) - {"__version__"} == names
    assert all(getattr(avlib, name).__name__ == f"avlib.{name}" for name in names)
