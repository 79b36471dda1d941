"""Where lessons find their recordings, and how they are run."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from media import write_clip
from nbclient.exceptions import CellExecutionError

import avlib
from avlib import course, features
from avlib.corpus import ravdess


def whole_actor(folder: Path) -> None:
    for emotion in range(1, 9):
        write_clip(folder / "Actor_05", ravdess.ClipName(1, 1, emotion, 1 + (emotion > 1), 1, 1, 5))


def notebook_of(folder: Path, *cells: str) -> Path:
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = folder / "99-a-lesson.ipynb"
    nbformat.write(lesson, path)
    return path


def test_the_data_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVLIB_DATA", raising=False)
    assert course.data_folder() == course.home() / "data"
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path))
    assert course.data_folder() == tmp_path


def test_on_colab_a_mounted_drive_keeps_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("AVLIB_DATA", "")
    drive = tmp_path / "MyDrive"
    monkeypatch.setattr(course.lesson, "DRIVE", drive)
    monkeypatch.setattr(course.lesson, "home", lambda: tmp_path / "content")
    assert course.data_folder() == tmp_path / "content" / "data"
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    whole_actor(tmp_path / "content" / "data")
    course.start()
    assert "drive.mount('/content/drive')" in capsys.readouterr().out
    whole_actor(drive / "avlib")
    assert course.start() == course.data_folder() == drive / "avlib"
    assert course.checkpoints() == drive / "avlib" / "checkpoints"
    assert "drive.mount" not in capsys.readouterr().out
    command = "from avlib import course; print(course.data_folder())"  # in a cell after a “!”
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert told.stdout.strip() == str(drive / "avlib")


def test_real_recordings_come_before_the_practice_corpus(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path))
    shutil.copytree(corpus, tmp_path / "practice")
    assert course.recordings(make=False) == tmp_path / "practice"
    real = tmp_path / "Actor_01"
    real.mkdir()
    shutil.copy(next(corpus.glob("Actor_01/03-*.wav")), real)
    assert course.recordings(make=False) == tmp_path


def test_clips_without_enough_picture_give_way_to_practice_clips(
    clips: pd.DataFrame, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path))
    monkeypatch.setattr("avlib.practice.write", lambda folder: corpus)
    whole_actor(tmp_path)
    whole = ravdess.index(tmp_path)
    assert course.with_picture(whole).equals(whole)
    assert len(course.with_picture(whole.assign(picture=None))) == len(clips)
    assert "No video among these recordings" in capsys.readouterr().out
    assert len(course.with_picture(whole[whole["emotion"] != 8])) == len(clips)
    assert "7 films among these recordings" in capsys.readouterr().out


def test_too_few_clips_for_the_lessons_are_told_at_the_start(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVLIB_DATA", str(corpus))
    with pytest.raises(ValueError, match="32 clips, and no actor among them with a strong clip"):
        course.start()


def test_lessons_share_what_is_computed_of_a_clip_by_a_recipe(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path))

    def computed() -> set[Path]:
        return set((tmp_path / "features").rglob("*.clip"))

    few = clips.head(3)
    paper, sequence = (features.Recipe.preset(name) for name in ("paper", "sequence"))
    first = course.store(few, paper)
    assert len(computed()) == 3
    assert course.store(few, paper).folder == first.folder
    assert course.store(few, sequence).folder != first.folder
    assert len(computed()) == 6
    more = course.store(clips.head(4), paper)
    assert len(computed()) == 7
    assert (more.mfcc[:3] == first.mfcc).all()
    assert (len(more.clips), len(first.clips)) == (4, 3)


def test_a_lesson_runs_on_a_fresh_kernel_and_its_copy_is_kept(tmp_path: Path) -> None:
    lesson = notebook_of(tmp_path, "answer = 6 * 7", "print(answer)")
    assert course.run_lesson(lesson, keep=tmp_path / "kept") > 0
    kept = nbformat.read(tmp_path / "kept" / lesson.name, as_version=4)
    assert kept.cells[1].outputs[0].text == "42\n"


@pytest.mark.slow
@pytest.mark.parametrize("long", [False, True])
def test_a_kernel_is_spoken_to_in_private_wherever_a_name_is_short_enough(
    long: bool, tmp_path: Path
) -> None:
    """Where it is not, ipykernel warns that others on the machine can listen."""
    lesson = notebook_of(tmp_path, "import os; print(os.environ['TMPDIR'])")
    code = (
        f"import pathlib as p; from avlib import course; course.run_lesson(p.Path({str(lesson)!r}))"
    )
    with tempfile.TemporaryDirectory(prefix="x" * 80 * long) as place:
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"TMPDIR": place}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        assert not os.listdir(place)
    assert not done.stdout
    assert ("over TCP without encryption" in done.stderr) == long
    assert long or not done.stderr


def test_a_lesson_that_fails_says_where(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        course.run_lesson(notebook_of(tmp_path, "1 / 0"))


@pytest.mark.parametrize("given", ["data", "~/data"])
def test_a_data_folder_means_the_same_place_in_every_process(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to where the command was started, and ~ is the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("AVLIB_DATA", given)
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert course.data_folder() == tmp_path / "data"
    course.hand_on()
    (tmp_path / "notebooks").mkdir()
    code = "import avlib; from avlib import course; print(course.data_folder(), avlib.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "notebooks", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(tmp_path / "data"), avlib.__file__]


@pytest.mark.slow
def test_lesson_00_waits_for_a_few_clips_and_the_rest_are_written_while_it_lives(
    tmp_path: Path,
) -> None:
    def written() -> int:
        return len(list((tmp_path / "practice").rglob("*.wav")))

    code = "from avlib import course; import time; course.start(few=True); time.sleep(60)"
    reader = subprocess.Popen(
        [sys.executable, "-u", "-c", code], env=os.environ | {"AVLIB_DATA": str(tmp_path)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "15 clips of practice corpus" in reader.stdout.readline()
        limit = time.monotonic() + 50
        while written() < 18:
            assert time.monotonic() < limit
            time.sleep(0.2)
    finally:
        reader.kill()
        reader.wait()  # not for joblib's processes, which have its output open for minutes
    time.sleep(1)  # for a clip that is being written
    found = written()
    assert 18 <= found < 480
    time.sleep(3)
    assert written() == found
    clips = ravdess.index(tmp_path / "practice")
    assert set(clips["actor"]) <= {1, 16, 15}
    assert len(clips[clips["actor"] == 1].groupby(["emotion", "intensity"])) == 15
