"""Marks of collected notebooks: answers are found wherever they stand, and none marks itself."""

import csv
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from exercises import exercises
from shown import NOTEBOOKS, cells

from avlib.__main__ import main
from avlib.course import lesson as course_lesson
from avlib.course.grading import collected, lessons, limits, marks, plain, room

SOLUTIONS = {each.number: each.solution for each in exercises()}
STUBS = {each.number: each.stub for each in exercises()}
MISTAKES = {each.number: each.mistakes for each in exercises()}
SHORT = limits.Limits(wall=60, processor=2, memory=500_000_000)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits this")


@pytest.fixture(scope="module")
def published() -> dict[str, lessons.Lesson]:
    return {each.name[:2]: each for each in lessons.published()}


def exercise(published: dict[str, lessons.Lesson], number: str) -> lessons.Exercise:
    return next(e for each in published.values() for e in each.exercises if e.number == number)


def write(path: Path, sources: list[str], text: tuple[str, ...] = ()) -> Path:
    """A notebook of code cells, with markdown below."""
    kinds = [("code", each) for each in sources] + [("markdown", each) for each in text]
    stored = [{"cell_type": kind, "metadata": {}, "source": each} for kind, each in kinds]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": stored, "nbformat": 4, "nbformat_minor": 5}))
    return path


def handed_in(path: Path, lesson: str, answers: dict[str, str]) -> Path:
    """A lesson as a student hands it in, with these answers in the place of its stubs."""
    stored = json.loads(next(p for p in NOTEBOOKS if p.name.startswith(lesson)).read_text("utf-8"))
    for cell in stored["cells"]:
        for number, answer in answers.items():
            if "".join(cell["source"]) == STUBS[number]:
                cell["source"] = answer.splitlines(keepends=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stored))
    return path


def solved(lesson: str) -> dict[str, str]:
    return {n: each for n, each in SOLUTIONS.items() if f"{int(n.split('.')[0]):02d}" == lesson}


class TestWhatTheLessonsAskFor:
    def test_is_what_the_tests_read(self, published: dict[str, lessons.Lesson]) -> None:
        found = [each for lesson in published.values() for each in lesson.exercises]
        assert [(e.number, e.arguments) for e in found] == [
            (e.number, e.arguments) for e in exercises()
        ]
        assert exercise(published, "0.1").names == ("number_of_clips",)
        assert exercise(published, "6.1").names == ("pairs", "tested_clips", "units")
        assert exercise(published, "8.3").names == ("Mine",)

    def test_a_lesson_whose_check_lost_its_exercise_is_told(self, tmp_path: Path) -> None:
        path = handed_in(tmp_path / "04-x.ipynb", "04", {})
        path.write_text(path.read_text().replace("### Exercise 4.3", "### Exercise 4.9"))
        with pytest.raises(ValueError, match="do not fit together"):
            lessons.read(path)


class TestFinding:
    """The program that answers an exercise, as Python would run it."""

    def found(
        self, published: dict, tmp_path: Path, number: str, *sources: str
    ) -> collected.Answer:
        notebook = collected.read(write(tmp_path / "a.ipynb", list(sources)))
        lesson = published[f"{int(number.split('.')[0]):02d}"]
        return notebook.answer(exercise(published, number), lesson)

    def value(self, published: dict, tmp_path: Path, number: str, *sources: str) -> object:
        names: dict[str, object] = {}
        answer = self.found(published, tmp_path, number, *sources)
        assert not answer.fault
        exec(answer.program, names)
        return names[exercise(published, number).names[0]]

    def test_a_stub_below_its_copy_does_not_count(self, published: dict, tmp_path: Path) -> None:
        found = self.value(published, tmp_path, "4.1", "joint_input = 740", STUBS["4.1"])
        assert found == 740
        assert self.value(published, tmp_path, "4.1", STUBS["4.1"]) is ...

    def test_the_last_of_several_answers_counts(self, published: dict, tmp_path: Path) -> None:
        assert self.value(published, tmp_path, "4.1", "joint_input = 1", "joint_input = 2") == 2

    def test_helpers_come_from_wherever_they_stand(self, published: dict, tmp_path: Path) -> None:
        answer = "@doubled\ndef total_loss(each):\n    return numpy.sum(SHARE)"
        below = "import numpy\nfrom math import pi\nSHARE = [BASE, 2]\nprint(0 / 0)"
        last = "def doubled(f):\n    return lambda each: 2 * f(each)\nBASE = 1\nnever = 0 / 0"
        assert self.value(published, tmp_path, "4.3", answer, below, last)(None) == 6

    def test_of_the_answers_cell_what_it_needs_runs_in_order(
        self, published: dict, tmp_path: Path
    ) -> None:
        cell = "n = 1\nfirst = n\nn = 700\nfor each in (20, 20):\n    n += each\nprint(1 / 0)\n"
        assert self.value(published, tmp_path, "4.1", f"{cell}joint_input = n + first - 1") == 740
        cell = f"{STUBS['8.1']}\nprotocols_found['A'] = 'clip'\nprotocols_found.pop('E')"
        found = self.value(published, tmp_path, "8.1", cell)
        assert found == {"A": "clip", "B": ..., "C": ..., "D": ...}

    def test_nothing_of_the_lesson_itself_is_run(self, published: dict, tmp_path: Path) -> None:
        retyped = "store   =   course.store(clips,features.Recipe.preset('paper'))  # mine"
        answer = "def total_loss(each):\n    return (store, losses, each)"
        program = self.found(published, tmp_path, "4.3", retyped, answer).program
        assert program == answer

    def test_a_name_inside_a_function_is_not_the_notebooks(
        self, published: dict, tmp_path: Path
    ) -> None:
        answer = "def total_loss(each):\n    mine = [other for other in each]\n    return mine"
        program = self.found(published, tmp_path, "4.3", "mine = 0 / 0\nother = 0 / 0", answer)
        assert program.program == answer

    def test_magics_are_left_out(self, published: dict, tmp_path: Path) -> None:
        for cell in ("%%time\njoint_input = 740", "!ls\n%pip install x\njoint_input = 740\nint?"):
            assert self.value(published, tmp_path, "4.1", cell, "%%bash\nfi fi") == 740

    def test_a_cell_that_does_not_parse_is_told(self, published: dict, tmp_path: Path) -> None:
        found = self.found(published, tmp_path, "4.3", "x = 1", "def total_loss(each:\n  0")
        assert found.fault.startswith("the cell that defines total_loss does not parse: ")
        assert "code cell 2, line 1" in found.fault
        found = self.found(published, tmp_path, "4.3", "x = 1", "a b")
        assert found.fault == "no cell defines total_loss."

    def test_a_cell_that_is_too_deep_is_told(self, published: dict, tmp_path: Path) -> None:
        deep = "joint_input = " + "+".join(["1"] * 5000)
        found = self.found(published, tmp_path, "4.1", deep, "x = 3")
        assert "joint_input does not parse: code cell 1, cannot be read." in found.fault

    def test_a_lesson_is_known_by_its_exercises(self, published: dict, tmp_path: Path) -> None:
        every = list(published.values())

        def of(path: Path) -> list[str]:
            return [each.name[:2] for each in collected.read(path).lessons(every)]

        for path in NOTEBOOKS:
            assert of(path) == [path.name[:2]]
        assert of(write(tmp_path / "a.ipynb", ['if checks.check("3.2", mine):\n  1'])) == ["03"]
        assert of(write(tmp_path / "b.ipynb", [], ("### Exercise 10.1 · Mine",))) == ["10"]
        assert of(write(tmp_path / "c.ipynb", ["def recall(): 0", "def training_step(): 0"])) == [
            "03"
        ]
        assert of(write(tmp_path / "d.ipynb", ["def recall(): 0"])) == []
        both = ["checks.check('2.1', 0)", "checks.check('4.1', 0) a b"]
        assert of(write(tmp_path / "e.ipynb", both)) == ["02", "04"]

    def test_whose_a_file_is(self, published: dict, tmp_path: Path) -> None:
        for name, student in {
            "Ann Lee/04-the-fusion-network.ipynb": "Ann Lee", "b/c/x.ipynb": "b",
            "bo_04-the-fusion-network.ipynb": "bo", "Copy of cy 04-the-fusion-network (2).ipynb":
            "cy", "04-the-fusion-network_di-Copy1.ipynb": "di", "mine.ipynb": "mine",
            "04-the-fusion-network.ipynb": "04-the-fusion-network",
        }.items():  # fmt: skip
            found = collected.student(tmp_path / name, tmp_path, list(published.values()))
            assert found == student

    def test_what_is_no_notebook_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.ipynb"
        for text, said in {
            "{": "its JSON is broken", "[]": "holds no cells", '{"cells": [1]}': "holds no cells",
            '{"cells": 3}': "holds no cells", "[" * 100_000: "its JSON is broken",
            '{"cells": [{"cell_type": "code"}]}': "holds no cells",
        }.items():  # fmt: skip
            path.write_text(text)
            with pytest.raises(ValueError, match=said):
                collected.read(path)


@pytest.fixture(scope="module")
def lesson_04(published: dict, clips: pd.DataFrame) -> Iterator[room.Room]:
    with room.Room(published["04"], clips, SHORT) as there:
        yield there


@pytest.fixture
def judged(lesson_04: room.Room, published: dict, tmp_path: Path) -> Callable:
    """What is said to an answer to 4.3, of one cell."""

    def judge(cell: str, number: str = "4.3") -> str | None:
        notebook = collected.read(write(tmp_path / "a.ipynb", [cell]))
        answer = notebook.answer(exercise(published, number), published["04"])
        return answer.fault or lesson_04.judge(exercise(published, number), answer.program)

    return judge


HEAD = "def total_loss(*each):\n    "
FORGED = 'b"\\x14\\0\\0\\0\\0\\0\\0\\0" + b"[[\\"done\\", null], []]"'
CHEATS = {
    "the check is another": "from avlib.course import checks\nchecks.check = lambda *_: True\n"
    f"checks.judge = lambda *_: None\n{HEAD}checks\n    return 0.0",
    "the judge is another": f"{HEAD}import avlib.course.checks.judging as j\n"
    "    j.judge = lambda *_: None\n    j.compare = lambda *_, **__: None\n    return 0.0",
    "the judge is another, behind the silent one": f"{HEAD}import sys\n"
    "    del sys.modules['avlib.course.checks']\n    import avlib.course.checks.judging as j\n"
    "    j._judges.clear()\n    j.judge = lambda *_: None\n    return 0.0",
    "all is close": f"import numpy as np\nnp.allclose = lambda *_, **__: True\n{HEAD}"
    "np.allclose = np.isclose = lambda *_, **__: True\n    return 0.0",
    "leaves while it is defined": "import sys\nsys.exit()\n" + HEAD + "sys\n    return 0.0",
    "leaves when it is called": f"{HEAD}import sys\n    sys.exit(0)",
    "leaves at once": f"{HEAD}import os\n    os._exit(0)",
    "leaves at once while it is defined": f"import os\nos._exit(0)\n{HEAD}os\n    return 0.0",
    "prints a verdict": f"{HEAD}print('✓ Exercise 4.3: right.', flush=True)\n    return 0.0",
    "writes a verdict wherever it can": f"{HEAD}import os\n    for n in range(3, 99):\n"
    f"        try:\n            os.write(n, {FORGED})\n        except OSError:\n            pass\n"
    "    return 0.0",
    "writes a pickle wherever it can": f"{HEAD}import os, pickle\n    class Evil:\n"
    "        def __reduce__(self):\n            return exec, ('raise SystemExit(0)',)\n"
    "    for n in range(3, 99):\n        try:\n            os.write(n, pickle.dumps(Evil()))\n"
    "        except OSError:\n            pass\n    return 0.0",
    "sends another result": f"{HEAD}from avlib.course.grading import plain\n"
    "    plain.Packer.pack = lambda *_: ['=', None]\n    return 0.0",
    "is equal to all": "class Any(float):\n    def __eq__(self, other): return True\n"
    f"    def __float__(self): return 1.0\n    __hash__ = None\n{HEAD}return Any(0)",
    "sends for ever": f"{HEAD}import os\n    while True:\n        for n in range(3, 99):\n"
    "            try:\n                os.write(n, bytes(10**6))\n            except OSError:\n"
    "                pass",
    "goes on for ever": f"{HEAD}while True: pass",
    "goes on for ever while it is defined": f"while True:\n    x = 1\n{HEAD}return x",
    "ignores that its time is over": f"{HEAD}import signal\n"
    "    signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n    while True: pass",
    "ends its parent": f"{HEAD}import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    "    return 0.0",
}
LINUX_CHEATS = {
    "takes ten gigabytes": f"{HEAD}import numpy as np\n    np.ones(10**10 // 8)\n    return 0.0",
    "takes memory bit by bit": f"{HEAD}all = []\n    while True: all.append(bytes(10**6))",
    "forks for ever": f"{HEAD}import os\n    while True: os.fork()",
    "starts threads for ever": f"{HEAD}import threading, time\n    while True:\n"
    "        threading.Thread(target=time.sleep, args=(99,)).start()",
    "writes a disk full": f"{HEAD}with open('x', 'wb') as file:\n"
    "        while True: file.write(bytes(10**6))",
}


class TestNoAnswerMarksItself:
    def test_a_right_one_is_right(self, judged: Callable) -> None:
        for number in ("4.1", "4.2", "4.3", "4.4"):
            assert judged(SOLUTIONS[number], number) is None
            assert "run both cells again" in judged(STUBS[number], number)

    @pytest.mark.parametrize("name", CHEATS)
    def test_cheats(self, name: str, judged: Callable) -> None:
        began = time.monotonic()
        assert judged(CHEATS[name])
        assert time.monotonic() - began < SHORT.wall + 10
        assert judged(SOLUTIONS["4.3"]) is None  # and whoever comes next is none the worse for it

    @LINUX
    @pytest.mark.parametrize("name", LINUX_CHEATS)
    def test_cheats_on_resources(self, name: str, judged: Callable) -> None:
        assert judged(LINUX_CHEATS[name])
        assert judged(SOLUTIONS["4.3"]) is None

    def test_it_is_said_why_there_is_no_result(self, judged: Callable) -> None:
        said = judged(f"{HEAD}while True: pass")
        if sys.platform == "linux":
            assert "it took more than 2 s of processor time" in said
        assert "it left Python" in judged(f"{HEAD}import os\n    os._exit(0)")
        assert "NameError: name 'store' is not defined" in judged(f"{HEAD}return store")
        assert "the cell stopped with ZeroDivisionError" in judged(f"x = 1 / 0\n{HEAD}return x")

    def test_a_right_result_does_not_count_where_the_process_ended(self, judged: Callable) -> None:
        cell = SOLUTIONS["4.3"].replace("return", "leave()\n    return")
        later = "calls = []\ndef leave():\n    import os\n    calls.append(1)\n"
        assert "it left Python" in judged(f"{later}    len(calls) == 3 and os._exit(0)\n{cell}")

    def test_who_sleeps_is_woken(self, published: dict, clips: pd.DataFrame) -> None:
        soon = limits.Limits(wall=2)
        with room.Room(published["04"], clips, soon) as there:
            program = f"import time\n{HEAD}time.sleep(99)"
            said = there.judge(exercise(published, "4.3"), program)
        assert "it ran for more than 2 s" in said

    def test_it_stands_in_an_empty_folder_which_is_gone_afterwards(self, judged: Callable) -> None:
        cell = f"{HEAD}import os\n    open('mine', 'w').close()\n    raise ValueError"
        said = judged(f"{cell}(os.getcwd(), os.listdir())")
        assert "['mine']" in said
        assert not Path(said.split("('")[1].split("'")[0]).exists()

    @LINUX
    @pytest.mark.skipif(limits._landlock() < 1, reason="the kernel has no Landlock")
    def test_it_changes_no_file_elsewhere(self, judged: Callable, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        kept.mkdir()
        (kept / "marks.csv").write_text("mine")
        for do in (
            f"import shutil\n    shutil.rmtree({str(kept)!r})",
            f"open({str(kept / 'marks.csv')!r}, 'w').close()",
            f"import os\n    os.rename({str(kept / 'marks.csv')!r}, 'x')",
        ):
            assert "PermissionError" in judged(f"{HEAD}{do}\n    return 0.0")
        assert (kept / "marks.csv").read_text() == "mine"

    def test_the_process_that_is_ready_is_started_again(
        self, judged: Callable, lesson_04: room.Room
    ) -> None:
        assert judged(SOLUTIONS["4.1"], "4.1") is None
        if lesson_04._ready is not None:
            lesson_04._ready.kill()
        assert judged(SOLUTIONS["4.1"], "4.1") is None

    def test_what_cannot_be_written_is_told_all_the_same(self, judged: Callable) -> None:
        said = judged(f"{HEAD}raise ValueError('\\ud800 \\0 <b>')")
        found = marks.Marks({"\udc80": {}}, ["4.3"])
        found.enter("\udc80", "4.3", marks.Mark(False, said))
        assert b"ValueError: ?" in found.as_csv().encode(errors="replace")
        assert list(found.pages()) == ["student.html"]

    @pytest.mark.slow
    def test_where_nothing_forks(self, published: dict, clips: pd.DataFrame) -> None:
        with room.Room(published["04"], clips, SHORT, forks=False) as there:
            assert there.judge(exercise(published, "4.3"), SOLUTIONS["4.3"]) is None
            said = there.judge(exercise(published, "4.3"), CHEATS["leaves at once"])
        assert "it left Python" in said

    def test_a_lesson_that_cannot_be_made_ready_is_told(
        self, published: dict, clips: pd.DataFrame
    ) -> None:
        broken = lessons.Lesson("04-x", published["04"].exercises, published["04"].code)
        broken.__dict__["prepared"] = ("import nothing_of_that_name",)
        with (
            room.Room(broken, clips, SHORT) as there,
            pytest.raises(RuntimeError, match=r"04-x: could not be made ready.*nothing_of"),
        ):
            there.judge(exercise(published, "4.3"), SOLUTIONS["4.3"])


class TestPlain:
    """What comes from the process is believed in no form but ours."""

    @pytest.mark.parametrize(
        "tree",
        [
            [], None, 3, ["="], ["=", []], ["array", "O", [1], 0], ["array", "<f8", [10**12], 0],
            ["array", "<f8", [-1], 0], ["array", "<f8", [1], 7], ["tensor", "<U1", [2], 0, None],
            ["dict", "dict", [[["many", "list", "list", []], ["=", 1]]]], ["pickle", "x"],
            ["many", "eval", "x", []], ["__class__", 0, "x"], ["function"],
        ],
    )  # fmt: skip
    def test_other_forms_are_refused(self, tree: object) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            plain.Reader([bytes(8)], None).value(tree)

    def test_values_come_back_as_they_were(self) -> None:
        for value in (
            None, True, 1, 2.5, "ä", ..., [1, (2, {"a": {3}})], range(3), {"a": ...},
            float("inf"), frozenset({1}),
        ):  # fmt: skip
            packer = plain.Packer(lambda _: 0)
            found = plain.Reader(packer.blobs, None).value(
                json.loads(json.dumps(packer.pack(value)))
            )
            assert (list(found) if isinstance(value, range) else found) == (
                list(value) if isinstance(value, range) else value
            )
            assert type(found).__name__ == type(value).__name__

    def test_what_goes_on_for_ever_ends(self) -> None:
        endless: list[object] = []
        endless += [endless, endless]
        for value in (endless, iter(int, 1), {"a": iter(int, 1)}):
            packer = plain.Packer(lambda _: 0)
            assert len(json.dumps(packer.pack(value))) < 20_000_000


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """What a class hands in."""
    folder, half = tmp_path / "class", solved("04")
    handed_in(folder / "ann_02-mfcc-and-frame-pairs.ipynb", "02", solved("02"))
    handed_in(folder / "ann_04-the-fusion-network (1).ipynb", "04", solved("04"))
    del half["4.4"]
    handed_in(folder / "<b>bo" / "deep" / "04.ipynb", "04", half)
    handed_in(folder / "cy" / "04.ipynb", "04", {})
    (folder / "=di" / ".ipynb_checkpoints").mkdir(parents=True)
    handed_in(folder / "=di" / ".ipynb_checkpoints" / "04-checkpoint.ipynb", "04", {})
    lesson = next(path for path in NOTEBOOKS if path.name.startswith("04"))
    code = [text for kind, text in cells(lesson) if kind == "code"]
    mixed = [*code, *(each.replace("    ", "  ") for each in solved("04").values())]
    random.Random(0).shuffle(mixed)
    write(folder / "=di" / "final FINAL.ipynb", mixed)
    (folder / "eve" / "04.ipynb").parent.mkdir()
    (folder / "eve" / "04.ipynb").write_text("{")
    write(folder / "flo" / "shopping.ipynb", ["milk = 2"])
    (folder / "gus").mkdir()
    (folder / "gus" / "04.pdf").write_bytes(b"%PDF")
    return folder


def test_a_class_is_marked(
    collection: Path,
    tmp_path: Path,
    corpus: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(course_lesson, "recordings", lambda: corpus)
    table, pages = tmp_path / "marks.csv", tmp_path / "pages"
    command = ["grade", str(collection), "--csv", str(table), "--html", str(pages)]
    assert main(command) == 1
    said = capsys.readouterr()
    for each in (
        "eve/04.ipynb: is no notebook",
        "shopping.ipynb: is of no lesson",
        "gus: holds no",
    ):
        assert each in said.err
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    numbers = ["2.1", "2.2", "2.3", "2.4", "4.1", "4.2", "4.3", "4.4"]
    assert {name: [row[number] for number in numbers] for name, row in rows.items()} == {
        "ann": list("11111111"), "<b>bo": ["", "", "", "", "1", "1", "1", "0"],
        "cy": ["", "", "", "", "0", "0", "0", "0"], "'=di": ["", "", "", "", "1", "1", "1", "1"],
        "eve": [""] * 8, "flo": [""] * 8, "gus": [""] * 8,
    }  # fmt: skip
    assert [row["total"] for row in rows.values()] == [
        {"ann": "8", "<b>bo": "3", "'=di": "4"}.get(name, "0") for name in rows
    ]
    assert rows["<b>bo"]["feedback"].startswith("4.4: late_fusion returns nothing yet.")
    assert "4.1: replace the dots" in rows["cy"]["feedback"]
    assert not rows["ann"]["feedback"]
    assert len(list(pages.iterdir())) == len(rows)
    page = (pages / "b-bo.html").read_text(encoding="utf-8")
    assert "<h1>&lt;b&gt;bo</h1>" in page
    assert "3 of 4 exercises are right" in page
    assert main(command) == 1  # nothing is written over, and it is said before the work
    assert "is there already" in capsys.readouterr().err


def test_a_page_escapes_what_a_student_wrote() -> None:
    found = marks.Marks({"<script>": {}, "<SCRIPT>": {}}, ["4.3"])
    found.enter("<script>", "4.3", marks.Mark(False, "<img src=x>"))
    pages = found.pages()
    assert set(pages) == {"script.html", "SCRIPT-2.html"}
    assert "&lt;img src=x&gt;" in pages["script.html"]
    assert "<script" not in "".join(pages.values()).lower()


def test_of_several_notebooks_the_right_answer_counts() -> None:
    found = marks.Marks({"a": {}}, ["4.3"])
    for right in (False, True, False):
        found.enter("a", "4.3", marks.Mark(right, "" if right else "no"))
    assert found.students["a"]["4.3"].right


def test_a_folder_without_notebooks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for folder, said in ((tmp_path, "holds no notebook"), (tmp_path / "x", "is no folder")):
        assert main(["grade", str(folder), "--csv", str(tmp_path / "a.csv")]) == 1
        assert said in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def test_it_is_said_what_is_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "resource", None)
    (said,) = limits.unlimited()
    assert "limited in time alone" in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [path.name[:2] for path in NOTEBOOKS])
def test_every_solution_is_right_and_every_mistake_has_its_hint(
    number: str, published: dict, clips: pd.DataFrame
) -> None:
    with room.Room(published[number], clips) as there:
        for each in published[number].exercises:
            assert there.judge(each, SOLUTIONS[each.number]) is None, each.number
            assert "run both cells again" in there.judge(each, STUBS[each.number]), each.number
            for answer, hint in MISTAKES[each.number]:
                said = there.judge(each, answer)
                assert said, (each.number, answer)
                assert re.search(hint, said), (each.number, said)
