"""What the first cell of a lesson calls, and what runs the lessons.

Knows where the recordings lie, makes a practice corpus where there are none, and keeps the
features that several lessons share.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import metadata, version
from pathlib import Path

import pandas as pd

from avlib import __version__, files
from avlib.corpus import ravdess
from avlib.features.recipe import Recipe
from avlib.features.store import FeatureStore, build


def home() -> Path:
    """The folder that holds ``notebooks/`` and ``data/``: the checkout, else where one stands."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "notebooks").is_dir() else Path.cwd()


DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts a learner's Google Drive


def on_colab() -> bool:
    """Whether this runs in Google Colab."""
    return "google.colab" in sys.modules


def data_folder() -> Path:
    """Where recordings, features and checkpoints lie.

    ``AVLIB_DATA``, where that is set; on Colab ``avlib`` on the learner's Drive, where that is
    mounted; else ``data/``.
    """
    if os.environ.get("AVLIB_DATA"):
        return Path(os.environ["AVLIB_DATA"]).expanduser().absolute()
    return DRIVE / "avlib" if on_colab() and DRIVE.is_dir() else home() / "data"


def hand_on() -> None:
    """Tell the kernels that this process starts where the data and this avlib lie.

    A kernel runs in the notebook's folder, where a relative ``AVLIB_DATA`` means another place, and
    may find another avlib.
    """
    os.environ["AVLIB_DATA"] = str(data_folder())
    os.environ["PYTHONPATH"] = _search_path()


def _search_path() -> str:
    """Where another Python finds this very avlib."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, paths))


def checkpoints() -> Path:
    """Where a training leaves what it has done so far; see `training.fit`."""
    return data_folder() / "checkpoints"


def recordings(make: bool = True, few: bool = False) -> Path:
    """The folder of recordings that the lessons use.

    Real recordings in the data folder come first; without any, the practice corpus.

    Parameters
    ----------
    make : bool
        Write the practice corpus, or what is missing of it, if there are no real recordings.
    few : bool
        Wait for a handful of its clips only; the rest are written while this process lives.

    Returns
    -------
    Path
    """
    folder = data_folder()
    try:
        ravdess.index(folder)
    except FileNotFoundError:
        folder = folder / "practice"
        if make:
            from avlib import practice

            if few:
                practice.write(folder, names=practice.first())
                _write_the_rest(folder)
            else:
                practice.write(folder)
    return folder


_REST = """
import os, sys, threading
from avlib import practice
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
practice.write(sys.argv[1], names=practice.half(range(16, 0, -1)), jobs=1, progress=False)
"""
_writers: dict[Path, subprocess.Popen] = {}


def _write_the_rest(folder: Path) -> None:
    """Write the practice corpus beside what the reader does, on one core, from its last actor on.

    Whoever needs all of it begins at the first actor, and the two meet. Its standard input is a
    pipe from this process, so that it ends when this one does, however that is.
    """
    if folder in _writers and _writers[folder].poll() is None:
        return
    _writers[folder] = subprocess.Popen(
        [sys.executable, "-c", _REST, str(folder.absolute())],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": _search_path()}, start_new_session=True,
    )  # fmt: skip


class OtherReleaseError(RuntimeError):
    """A lesson and the installed avlib are of two releases."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, and no traceback."""
        return [str(self)]


def repository() -> str:
    """``OWNER/NAME`` of the repository that this avlib was published from."""
    addresses = dict(line.split(", ") for line in metadata("avlib").get_all("Project-URL"))
    return addresses["Repository"].removeprefix("https://github.com/")


def address(version: str) -> str:
    """What pip fetches a release from: the archive of its tag, never of a branch that moves.

    Parameters
    ----------
    version : str

    Returns
    -------
    str
    """
    return f"https://github.com/{repository()}/archive/refs/tags/v{version}.zip"


def _belong_together(lesson: str) -> None:
    """See that a lesson and this avlib are of one release; else say what to run."""
    if lesson != __version__:
        raise OtherReleaseError(
            f"This lesson belongs to avlib {lesson}, and avlib {__version__} is installed: run "
            f'`%pip install "avlib @ {address(lesson)}"` in a cell, restart the kernel, and run '
            "the lesson from the top."
        )


def start(lesson: str = __version__, few: bool = False) -> Path:
    """Make a lesson ready, and say in one line what it runs on.

    Parameters
    ----------
    lesson : str
        The version of avlib that the lesson belongs to.
    few : bool
        As `recordings`: lesson 00 needs a handful of clips, and begins with these.

    Returns
    -------
    Path
        The folder of recordings.

    Raises
    ------
    OtherReleaseError
        If another version is installed; says what to run.
    ValueError
        If no actor among the recordings shows all eight emotions.
    """
    _belong_together(lesson)
    from avlib.evaluation import plots
    from avlib.learning import loaders

    plots.set_style()
    if on_colab() and not os.environ.get("AVLIB_DATA"):
        if DRIVE.is_dir():  # for `!python -m avlib …` too, a process that does not know of Colab
            os.environ["AVLIB_DATA"] = str(data_folder())
        else:
            print(
                "Colab forgets its files. To keep recordings, features and trainings for your next "
                "visit, run `from google.colab import drive; drive.mount('/content/drive')`, and "
                "then this cell once more."
            )
    folder = recordings(few=few)
    clips = ravdess.index(folder)
    if not _shows_all_emotions(clips[clips["sound"].notna()]):
        raise ValueError(
            f"{folder}: {len(clips)} clips, and no actor among them with a strong clip, with "
            "sound, of every emotion, which the lessons compare. `python -m avlib download --audio "
            "--video --actors 1` fetches a whole actor. To see the practice corpus, name an empty "
            "folder in AVLIB_DATA."
        )
    print(
        f"avlib {__version__} · torch {version('torch')} · device {loaders.best_device()} · "
        f"{len(clips)} clips of {ravdess.corpus(clips)} in {folder}"
    )
    return folder


def _shows_all_emotions(clips: pd.DataFrame) -> bool:
    """Whether an actor has a clip of each emotion, strong wherever RAVDESS has it strong."""
    strong = clips[(clips["intensity"] == 2) | (clips["emotion"] == 1)]
    return bool((strong.groupby("actor")["emotion"].nunique() == len(ravdess.EMOTIONS)).any())


def with_picture(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips that hold a picture; those of the practice corpus where no actor has them all.

    RAVDESS's sound comes as one archive and its picture as twenty-four large ones. With the sound
    alone, the lessons show pictures from the practice corpus, and this says so.

    Parameters
    ----------
    clips : DataFrame
        What `ravdess.index` returned.

    Returns
    -------
    DataFrame
    """
    pictured = clips[clips["picture"].notna()]
    if _shows_all_emotions(pictured):
        return pictured
    from avlib import practice

    folder = data_folder() / "practice"
    films = f"{len(pictured)} films" if len(pictured) else "No video"
    print(f"{films} among these recordings: the picture half uses the practice corpus.")
    return ravdess.index(practice.write(folder))


def store(clips: pd.DataFrame, recipe: Recipe) -> FeatureStore:
    """The features of these clips, which `ravdess.index` returned, by this recipe.

    All lessons share a folder for each recipe, in ``features/`` of the data folder: a clip's
    features are computed once.
    """
    name = files.digest(asdict(recipe))[:12]
    return build(clips, recipe, data_folder() / "features" / name)


def lessons() -> list[Path]:
    """The lessons' notebooks, in order.

    Raises
    ------
    FileNotFoundError
        If avlib was installed without its lessons.
    """
    found = sorted((home() / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise FileNotFoundError(
            f"{home() / 'notebooks'}: no lessons here; run from a clone of the repository"
        )
    return found


def run_lesson(notebook: Path, keep: Path | None = None) -> float:
    """Run a lesson from top to bottom on a fresh kernel.

    Parameters
    ----------
    notebook : Path
    keep : Path, optional
        Folder for the executed copy.

    Returns
    -------
    float
        Seconds from the kernel's start to the last cell's end.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    lesson = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        lesson, timeout=1800, resources={"metadata": {"path": str(notebook.parent)}}
    )
    began = time.perf_counter()
    try:
        client.execute()
    finally:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            nbformat.write(lesson, keep / notebook.name)
    return time.perf_counter() - began
