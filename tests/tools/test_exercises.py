"""One source for each exercise: its lesson. With nbgrader itself where it is installed."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import exercises as source
import pytest
from shown import NOTEBOOKS, cells

EXERCISES = {each.number: each for each in source.exercises()}
WITH_NBGRADER = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None,
    reason="needs nbgrader: pip install nbgrader==0.9.6, in an environment of its own",
)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Copies of all lessons."""
    for notebook in NOTEBOOKS:
        shutil.copy(notebook, tmp_path)
    return tmp_path


def stored(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def test_answers_checks_and_solutions_are_marked() -> None:
    for notebook in NOTEBOOKS:
        each = [e for e in EXERCISES.values() if e.lesson == notebook.name[:2]]
        found = stored(notebook)
        ids = []
        for exercise in each:
            answer, check, solution = found[exercise.at : exercise.at + 3]
            tags = [one["metadata"]["tags"] for one in (answer, check, solution)]
            assert tags == [["answer"], ["check"], ["solution"]]
            assert f'checks.check("{exercise.number}"' in "".join(check["source"])
            for told, scored in ((answer, False), (check, True)):
                told = told["metadata"]["nbgrader"]
                assert told["schema_version"] == 3
                assert (not told["solution"]) == told["grade"] == told["locked"] == scored
                assert told.get("points") == (1 if scored else None)
                ids.append(told["grade_id"])
        assert len(set(ids)) == 2 * len(each)
        assert len(ids) == sum("nbgrader" in cell["metadata"] for cell in found)


def test_marking_the_lessons_changes_nothing(
    copies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert source.main(["mark", str(copies)]) == 0
    assert f"0 of {len(NOTEBOOKS)} lessons changed" in capsys.readouterr().out
    for notebook in NOTEBOOKS:
        assert (copies / notebook.name).read_bytes() == notebook.read_bytes()


def test_lost_marks_come_back(copies: Path) -> None:
    lesson = copies / NOTEBOOKS[4].name
    bare = json.loads(lesson.read_text(encoding="utf-8"))
    for cell in bare["cells"]:
        cell["metadata"].pop("nbgrader", None)
        if cell["metadata"].get("tags") in (["answer"], ["check"], ["solution"]):
            del cell["metadata"]["tags"]
    lesson.write_text(json.dumps(bare), encoding="utf-8")
    source.main(["mark", str(copies)])
    assert stored(lesson) == stored(NOTEBOOKS[4])


def test_the_teachers_copy_is_solved_and_tells_the_mistakes(tmp_path: Path) -> None:
    assert source.main(["solutions", str(tmp_path / "teacher")]) == 0
    for notebook in NOTEBOOKS:
        solved = stored(tmp_path / "teacher" / notebook.name)
        sources = ["".join(cell["source"]) for cell in solved]
        assert len({cell["id"] for cell in solved}) == len(solved)
        for exercise in (e for e in EXERCISES.values() if e.lesson == notebook.name[:2]):
            assert exercise.stub not in sources
            at = sources.index(exercise.solution)
            assert f'checks.check("{exercise.number}"' in sources[at + 1]
            assert all(answer in sources[at + 2] for answer, _ in exercise.mistakes)
        unsolved = [cell for cell in stored(notebook) if cell["metadata"].get("tags") != ["answer"]]
        assert [each for each in unsolved if each in solved] == unsolved


def test_an_exercise_without_a_solution_is_told(copies: Path) -> None:
    lesson = copies / NOTEBOOKS[4].name
    lesson.write_text(lesson.read_text("utf-8").replace("<summary>Solution<", "<summary>So<", 1))
    with pytest.raises(ValueError, match=r"4\.1 is not stub, check and folded solution"):
        source.read(lesson)


def test_a_folder_without_lessons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        source.main(["mark", str(tmp_path)])


def nbgrader(course: Path, *words: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *words]
    # It starts alembic, which may lie in an environment that is not active.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(NOTEBOOKS[0].parents[1])}
    done = subprocess.run(
        command, cwd=course, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def only_exercises(notebook: Path, to: Path, answers: dict[str, str]) -> None:
    """A lesson without what takes minutes: its exercises, with these answers."""
    whole = json.loads(notebook.read_text(encoding="utf-8"))
    kept = [cell for cell in whole["cells"] if "nbgrader" in cell["metadata"]]
    for cell in kept:
        text = "".join(cell["source"])
        cell["source"] = answers.get(text, text)
    begin = {"cell_type": "code", "id": "begin", "metadata": {}, "outputs": []}
    begin |= {
        "execution_count": None,
        "source": "import numpy as np\nfrom avlib.course import checks",
    }
    whole["cells"] = [begin, *kept]
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(whole), encoding="utf-8")


@WITH_NBGRADER
@pytest.mark.slow
class TestWithNbgraderItself:
    @pytest.fixture
    def course(self, copies: Path) -> Path:
        folder = copies / "course"
        (folder / "source" / "all").mkdir(parents=True)
        (folder / "nbgrader_config.py").write_text(f"c = get_config()\n{source.CONFIG}")
        return folder

    def test_what_is_released_keeps_our_stubs(self, copies: Path, course: Path) -> None:
        for notebook in NOTEBOOKS:
            shutil.copy(copies / notebook.name, course / "source" / "all")
        nbgrader(course, "generate_assignment", "all")
        for notebook in NOTEBOOKS:
            assert cells(course / "release" / "all" / notebook.name) == cells(notebook)

    def test_a_right_answer_scores_and_a_wrong_one_gets_its_hint(
        self, copies: Path, course: Path
    ) -> None:
        lesson = copies / "10-your-own-voice-and-face.ipynb"
        only_exercises(lesson, course / "source" / "all" / "ten.ipynb", {})
        nbgrader(course, "generate_assignment", "all")
        answers = {EXERCISES["10.2"].stub: EXERCISES["10.2"].solution}
        answers[EXERCISES["10.1"].stub], hint = EXERCISES["10.1"].mistakes[1]
        submitted = course / "submitted" / "ann" / "all" / "ten.ipynb"
        only_exercises(course / "release" / "all" / "ten.ipynb", submitted, answers)
        nbgrader(course, "autograde", "all")
        nbgrader(course, "export")
        rows = (course / "grades.csv").read_text().splitlines()
        found = dict(zip(rows[0].split(","), rows[1].split(","), strict=True))
        assert (found["student_id"], float(found["score"]), float(found["max_score"])) == (
            "ann", 1, 3,
        )  # fmt: skip
        nbgrader(course, "generate_feedback", "all")
        told = (course / "feedback" / "ann" / "all" / "ten.html").read_text(encoding="utf-8")
        assert hint in re.sub(r"\s+", " ", re.sub("<[^>]+>", "", told))
