"""Lessons, their avlib and the address of both."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import set_repository
from shown import NOTEBOOKS, cells

import avlib
from avlib import course

ROOT = NOTEBOOKS[0].parents[1]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that names the repository."""
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "README.md", tmp_path / "data")
    for name in ("notebooks", ".github"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setattr(course.lesson, "home", lambda: tmp_path)
    return tmp_path


def named(checkout: Path) -> list[str]:
    """Whatever follows github.com/ or github/ in an address."""
    texts = [
        path for path in checkout.rglob("*") if path.suffix in (".md", ".toml", ".ipynb", ".yml")
    ]
    found = []
    for path in texts:
        text = path.read_text(encoding="utf-8")
        found += re.findall(r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/", text)
        found += re.findall(r"github\.com/([\w.-]+/[\w.-]+?)(?:/archive/refs/tags|\")", text)
    return found


def test_a_lesson_of_another_release_says_what_to_run_and_nothing_else(
    capsys: pytest.CaptureFixture,
) -> None:
    with pytest.raises(course.OtherReleaseError) as raised:
        course.start("9.9.9")
    (sentence,) = raised.value._render_traceback_()
    assert sentence.count(". ") == 0
    assert f"belongs to avlib 9.9.9, and avlib {avlib.__version__} is installed" in sentence
    assert f"github.com/{course.repository()}/archive/refs/tags/v9.9.9.zip" in sentence
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_lesson_belongs_to_this_avlib(notebook: Path) -> None:
    set_up = next(source for kind, source in cells(notebook) if kind == "code")
    assert f'AVLIB = "{avlib.__version__}"' in set_up
    assert "refs/tags/v{AVLIB}.zip" in set_up
    assert set_up.count("\n") < 16


def test_every_address_is_the_one_of_the_project(checkout: Path) -> None:
    found = named(checkout)
    assert len(found) >= 2 * len(NOTEBOOKS) + 1
    assert set(found) == {course.repository()}


def test_another_repository_is_written_everywhere_and_back(checkout: Path) -> None:
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    assert set_repository.main(["someone/emotion.course"], checkout) == 0
    assert set(named(checkout)) == {"someone/emotion.course"}
    assert not any(course.repository().encode() in path.read_bytes() for path in before)
    assert set_repository.main([course.repository()], checkout) == 0
    assert {path: path.read_bytes() for path in before} == before


def test_what_is_no_repository_is_refused(
    checkout: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("emotion", "a/..", "https://github.com/a/b", "a/b/c", "a b/c"):
        with pytest.raises(SystemExit):
            set_repository.main([name], checkout)
        assert "should look like OWNER/NAME" in capsys.readouterr().err
    (checkout / "pyproject.toml").unlink()
    with pytest.raises(SystemExit):
        set_repository.main(["a/b"], checkout)
    assert "no pyproject.toml here" in capsys.readouterr().err


def test_a_lesson_of_another_release_shows_one_sentence_in_a_notebook(tmp_path: Path) -> None:
    code = "from avlib import course\ncourse.start('9.9.9')"
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        f"InteractiveShell.instance().run_cell({code!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("This lesson belongs to avlib 9.9.9")
