"""What was passed is kept, whatever happens to the file, and a table says where to go on."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from shown import NOTEBOOKS, cells
from sklearn.metrics import recall_score

from avlib import course
from avlib.course import checks, passed


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a learner's progress is kept: as for a learner, in a data folder of its own."""
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("AVLIB_NO_PROGRESS")
    monkeypatch.setattr(passed, "_told", set())
    return tmp_path / "data" / "progress.jsonl"


def test_a_pass_is_kept_once_and_no_later_failure_takes_it_away(kept: Path) -> None:
    assert not checks.check("4.1", 1280)
    assert not kept.exists()
    assert checks.check("4.1", 740)
    (line,) = kept.read_text().strip().splitlines()
    assert set(json.loads(line)) == {"exercise", "passed"}
    assert not checks.check("4.1", 1280)
    assert checks.check("4.1", 740)
    assert passed.numbers() == {"4.1"}
    assert kept.read_text().strip() == line
    assert [each.name for each in kept.parent.iterdir()] == ["progress.jsonl"]


def test_a_judge_alone_and_tests_keep_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.judge("4.1", 740) is None
    assert not kept.exists()
    passed.remember("3.1")
    monkeypatch.setenv("AVLIB_NO_PROGRESS", "1")
    assert checks.check("4.1", 740)
    assert "4.1" not in kept.read_text()
    assert len(re.findall(r" 0 of \d+$", str(course.progress()), re.M)) == len(NOTEBOOKS)
    assert str(course.progress()).endswith("Nothing is kept in this run.")


def test_a_lesson_that_a_program_runs_is_nobodys_progress(kept: Path, tmp_path: Path) -> None:
    code = "from avlib.course import checks; print(checks.check('4.1', 740))"
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(lesson, tmp_path / "99-a-lesson.ipynb")
    course.run_lesson(tmp_path / "99-a-lesson.ipynb", keep=tmp_path / "out")
    assert "True" in (tmp_path / "out" / "99-a-lesson.ipynb").read_text()
    assert not kept.exists()


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00\xff\xfe", b"{", b"[" * 5000, b'{"exercise": 3}', b"3", b'["4.1"]', b"null",
        b'{"exercise": "2.1"', b'{"passed": "4.1"}',
    ],
)  # fmt: skip
def test_a_damaged_line_costs_that_line_and_is_told_once(
    kept: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    passed.remember("3.1")
    kept.write_bytes(kept.read_bytes() + b"\n" + damage)  # and no end of the line
    assert checks.check("4.1", 740)
    assert checks.check(
        "5.2",
        lambda label, found: recall_score(label, found, average="macro", labels=np.unique(label)),
    )
    assert passed.numbers() == {"3.1", "4.1", "5.2"}
    said = capsys.readouterr().out.splitlines()
    assert [line[0] for line in said] == ["✓", "L", "✓"]
    assert said[1].endswith(f"are skipped: 1 of {kept}")


@pytest.mark.parametrize("obstacle", ["a folder", "no folder", "not allowed"])
def test_a_file_that_cannot_be_written_breaks_no_check(
    kept: Path, obstacle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle == "a folder":
        kept.mkdir(parents=True)
    elif obstacle == "no folder":
        kept.parent.write_text("a file where the data should lie")
    else:

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    assert checks.check("4.1", 740)
    first = capsys.readouterr().out.splitlines()
    assert first[0] == "✓ Exercise 4.1: right."
    assert any("cannot be kept" in line and str(kept) in line for line in first[1:])
    assert checks.check("4.1", 740)
    assert capsys.readouterr().out == "✓ Exercise 4.1: right.\n"
    assert f"0 of {len(checks.exercises())}" in str(course.progress()) or obstacle == "not allowed"


def test_notebooks_that_write_at_once_lose_nothing(kept: Path) -> None:
    numbers = checks.exercises()
    code = (
        "import sys; from avlib.course import passed; sys.stdin.readline();"
        "[passed.remember(number) for number in sys.argv[1:]]"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, *numbers[start::3]], stdin=subprocess.PIPE, text=True
        )
        for start in range(3)
    ]
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert passed.numbers() == set(numbers)
    assert "There is nothing left to do." in str(course.progress())
    assert course.progress().next is None


def test_what_is_no_exercise_any_more_counts_for_nothing(kept: Path) -> None:
    for number in ("4.1", "99.1", "../3.1"):
        passed.remember(number)
    assert f"1 of {len(checks.exercises())} exercises passed" in str(course.progress())


def test_the_table_says_how_far_one_is_and_where_to_go_on(kept: Path) -> None:
    for number in ("0.1", "0.2", "0.3", "1.1", "1.3", "4.2"):
        passed.remember(number)
    found = course.progress()
    text = str(found)
    everything = len(checks.exercises())
    assert f"6 of {everything} exercises passed" in text
    assert re.search(r"^00 · Start here +3 of 3$", text, re.M)
    assert re.search(r"^01 · Explore the dataset +2 of 3$", text, re.M)
    assert "Go on with 01 · Explore the dataset, exercise 1.2." in text
    assert f"Kept in {kept}, and sent nowhere." in text
    shown = found._repr_mimebundle_()
    assert shown["text/plain"] == text
    page = shown["text/html"]
    for notebook in NOTEBOOKS:
        title = cells(notebook)[0][1].splitlines()[0].removeprefix("# ")
        assert f'<a href="{notebook.name}">{title}</a></th>' in page
    ((to, said),) = re.findall(r'Go on with <a href="(.*?)">(.*?)</a>', page)
    assert said == "01 · Explore the dataset, exercise 1.2"
    name, _, heading = to.partition("#")
    headings = [
        title.replace(" ", "-")
        for kind, source in cells(NOTEBOOKS[1])
        if kind == "markdown"
        for title in re.findall(r"^#+ (.*)", source, re.M)
    ]
    assert name == NOTEBOOKS[1].name
    assert heading.startswith("Exercise-1.2-")
    assert heading in headings


def test_every_exercise_is_counted_in_its_own_lesson() -> None:
    lines = course.progress().lines
    assert [line.notebook for line in lines] == [path.name for path in NOTEBOOKS]
    assert [number for line in lines for number in line.headings] == checks.exercises()
    assert all(all(line.headings.values()) for line in lines)


def test_without_notebooks_lessons_are_named_after_their_files_and_linked_on_colab(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course.lesson, "home", lambda: tmp_path)
    line = course.progress().lines[4]
    assert (line.title, line.address("4.2")) == (
        "04 · The fusion network", "04-the-fusion-network.ipynb",
    )  # fmt: skip
    monkeypatch.setattr(course.lesson, "on_colab", lambda: True)
    monkeypatch.setattr(course.lesson, "repository", lambda: "someone/avlib-course")
    assert re.fullmatch(
        r"https://colab\.research\.google\.com/github/someone/avlib-course/blob/v[\d.]+/notebooks/"
        r"04-the-fusion-network\.ipynb",
        line.address("4.2"),
    )


def test_lesson_00_ends_with_it_and_says_that_nothing_is_sent() -> None:
    *_, (_, told), (kind, code) = cells(NOTEBOOKS[0])
    assert (kind, code) == ("code", "course.progress()")
    assert "Nothing is sent anywhere" in told
