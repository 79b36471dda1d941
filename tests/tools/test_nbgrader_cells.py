"""The lessons as nbgrader's: on copies, with nbgrader itself where it is installed."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbgrader_cells
import pytest
from shown import NOTEBOOKS, cells, exercises

WITH_NBGRADER = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None,
    reason="needs nbgrader: pip install nbgrader==0.9.6, in an environment of its own",
)


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """Copies of all lessons, with the metadata."""
    for notebook in NOTEBOOKS:
        shutil.copy(notebook, tmp_path)
    assert nbgrader_cells.main([str(tmp_path)]) == 0
    return tmp_path


def metadata(notebook: Path) -> list[tuple[str, dict]]:
    stored = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        ("".join(cell["source"]), cell["metadata"]["nbgrader"])
        for cell in stored
        if "nbgrader" in cell["metadata"]
    ]


def test_answers_and_checks_are_marked_and_nothing_else_changes(marked: Path) -> None:
    for original in NOTEBOOKS:
        found = metadata(marked / original.name)
        each = [e for e in exercises() if e.lesson == original.name[:2]]
        assert [text for text, _ in found[::2]] == [e.stub for e in each]
        for exercise, (text, _) in zip(each, found[1::2], strict=True):
            assert f'checks.check("{exercise.number}"' in text
        for _, told in found:
            assert told["schema_version"] == 3
            assert told["solution"] != told["grade"] == told["locked"]
            assert told.get("points") == (1 if told["grade"] else None)
        assert len({told["grade_id"] for _, told in found}) == len(found) == 2 * len(each)
        stored = json.loads((marked / original.name).read_text(encoding="utf-8"))
        for cell in stored["cells"]:
            cell["metadata"].pop("nbgrader", None)
        assert stored == json.loads(original.read_text(encoding="utf-8"))


def test_a_second_time_nothing_changes(marked: Path, capsys: pytest.CaptureFixture) -> None:
    before = {path: path.read_bytes() for path in marked.iterdir()}
    capsys.readouterr()
    assert nbgrader_cells.main([str(marked)]) == 0
    assert f"0 of {len(NOTEBOOKS)} lessons changed" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in marked.iterdir()} == before


def test_a_folder_without_lessons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        nbgrader_cells.main([str(tmp_path)])


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
    stored = json.loads(notebook.read_text(encoding="utf-8"))
    kept = [cell for cell in stored["cells"] if "nbgrader" in cell["metadata"]]
    for cell in kept:
        source = "".join(cell["source"])
        cell["source"] = answers.get(source, source)
    begin = {"cell_type": "code", "id": "begin", "metadata": {}, "outputs": []}
    begin |= {
        "execution_count": None,
        "source": "import numpy as np\nfrom avlib.course import checks",
    }
    stored["cells"] = [begin, *kept]
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(stored), encoding="utf-8")


@WITH_NBGRADER
@pytest.mark.slow
class TestWithNbgraderItself:
    @pytest.fixture
    def course(self, marked: Path) -> Path:
        folder = marked / "course"
        (folder / "source" / "all").mkdir(parents=True)
        (folder / "nbgrader_config.py").write_text(f"c = get_config()\n{nbgrader_cells.CONFIG}")
        return folder

    def test_what_is_released_keeps_our_stubs(self, marked: Path, course: Path) -> None:
        for notebook in NOTEBOOKS:
            shutil.copy(marked / notebook.name, course / "source" / "all")
        nbgrader(course, "generate_assignment", "all")
        for notebook in NOTEBOOKS:
            assert cells(course / "release" / "all" / notebook.name) == cells(notebook)

    def test_a_right_answer_scores_and_a_wrong_one_does_not(
        self, marked: Path, course: Path
    ) -> None:
        lesson = marked / "10-your-own-voice-and-face.ipynb"
        each = {e.number: e for e in exercises()}
        only_exercises(lesson, course / "source" / "all" / "ten.ipynb", {})
        nbgrader(course, "generate_assignment", "all")
        answers = {each["10.2"].stub: each["10.2"].solution}
        answers[each["10.1"].stub] = "def answer(probabilities, least):\n    return 'happy'"
        submitted = course / "submitted" / "ann" / "all" / "ten.ipynb"
        only_exercises(course / "release" / "all" / "ten.ipynb", submitted, answers)
        nbgrader(course, "autograde", "all")
        nbgrader(course, "export")
        rows = (course / "grades.csv").read_text().splitlines()
        found = dict(zip(rows[0].split(","), rows[1].split(","), strict=True))
        assert (found["student_id"], float(found["score"]), float(found["max_score"])) == (
            "ann", 1, 3,
        )  # fmt: skip
