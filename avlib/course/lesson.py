"""What the first cell of a lesson calls: recordings, or a practice corpus; features that are kept.

And what runs the lessons.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import metadata, version
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from avlib import __version__, files
from avlib.corpus import ravdess
from avlib.features.recipe import Recipe
from avlib.features.store import FeatureStore, build

if TYPE_CHECKING:
    from nbclient import NotebookClient

DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts a learner's Google Drive


def home() -> Path:
    """The folder that holds ``notebooks/`` and ``data/``: the checkout, else where one stands."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "notebooks").is_dir() else Path.cwd()


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


def checkpoints() -> Path:
    """Where a training leaves what it has done so far; see `training.fit`."""
    return data_folder() / "checkpoints"


def hand_on() -> None:
    """Tell the kernels that this process starts where the data and this very avlib lie.

    A kernel runs in the notebook's folder, where a relative ``AVLIB_DATA`` means another place, and
    its Python may have another avlib installed.
    """
    os.environ |= {"AVLIB_DATA": str(data_folder()), "PYTHONPATH": search_path()}


def search_path() -> str:
    """Where another Python finds this very avlib, before any other."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, paths))


def recordings(make: bool = True, few: bool = False) -> Path:
    """The folder of recordings that the lessons use: the real ones, else the practice corpus.

    With `make`, what is missing of the practice corpus is written; with `few`, only a handful of
    its clips are waited for, and the rest are written while this process lives.
    """
    folder = data_folder()
    try:
        ravdess.index(folder)
    except FileNotFoundError:
        folder = folder / "practice"
        if make:
            from avlib import practice

            practice.write(folder, names=practice.first() if few else None)
        if make and few:
            _write_the_rest(folder)
    return folder


# It ends when its standard input does: a pipe from the process that started it.
_REST = """
import os, sys, threading
from avlib import practice
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
practice.write(sys.argv[1], names=practice.half(range(16, 0, -1)), jobs=1, progress=False)
"""
_writers: dict[Path, subprocess.Popen] = {}


def _write_the_rest(folder: Path) -> None:
    """Write the practice corpus beside what the reader does, on one core, from its last actor on.

    Whoever needs all of it begins at the first actor, and the two meet.
    """
    if folder not in _writers or _writers[folder].poll() is not None:
        _writers[folder] = subprocess.Popen(
            [sys.executable, "-c", _REST, folder], env=os.environ | {"PYTHONPATH": search_path()},
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
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
    """What pip fetches a release from: the archive of its tag, never of a branch that moves."""
    return f"https://github.com/{repository()}/archive/refs/tags/v{version}.zip"


def start(lesson: str = __version__, few: bool = False) -> Path:
    """Make a lesson ready, say in one line what it runs on, and return its folder of recordings.

    `lesson` is the version of avlib that the lesson belongs to; where another is installed, this
    raises OtherReleaseError, which says what to run. `few` is as in `recordings`: lesson 00 needs
    a handful of clips, and begins with these. Raises ValueError if no actor among the recordings
    shows all eight emotions.
    """
    if lesson != __version__:
        raise OtherReleaseError(
            f"This lesson belongs to avlib {lesson}, and avlib {__version__} is installed: run "
            f'`%pip install "avlib @ {address(lesson)}"` in a cell, restart the kernel, and run '
            "the lesson from the top."
        )
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
    """The clips of a table (`ravdess.index`) that hold a picture, or those of the practice corpus.

    RAVDESS's sound comes as one archive and its picture as twenty-four large ones. With the sound
    alone, or where no actor's films show all emotions, the lessons show pictures from the practice
    corpus, and this says so.
    """
    pictured = clips[clips["picture"].notna()]
    if _shows_all_emotions(pictured):
        return pictured
    from avlib import practice

    films = f"{len(pictured)} films" if len(pictured) else "No video"
    print(f"{films} among these recordings: the picture half uses the practice corpus.")
    return ravdess.index(practice.write(data_folder() / "practice"))


def store(clips: pd.DataFrame, recipe: Recipe) -> FeatureStore:
    """The features of these clips, which `ravdess.index` returned, by this recipe.

    All lessons share a folder for each recipe, in ``features/`` of the data folder: a clip's
    features are computed once.
    """
    name = files.digest(asdict(recipe))[:12]
    return build(clips, recipe, data_folder() / "features" / name)


def lessons() -> list[Path]:
    """The lessons' notebooks, in order; FileNotFoundError where avlib is installed without them."""
    folder = home() / "notebooks"
    found = sorted(folder.glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise FileNotFoundError(f"{folder}: no lessons here; run from a clone of the repository")
    return found


def run_lesson(notebook: Path, keep: Path | None = None) -> float:
    """Run a lesson from top to bottom on a fresh kernel; return how long that took, in seconds.

    The executed copy goes into the folder `keep`; what its checks say is nobody's progress. Raises
    nbclient's CellExecutionError if a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    lesson = nbformat.read(notebook, as_version=4)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="avlib-", ignore_cleanup_errors=True) as folder:
        # Others cannot listen at sockets in a folder of our own, as they can at ports. Windows has
        # no such sockets, and their names must be short.
        transport = "ipc" if os.name == "posix" and len(os.fsencode(folder)) < 80 else "tcp"
        kernel = {"connection_file": f"{folder}/kernel.json", "transport": transport}
        client = NotebookClient(
            lesson, timeout=1800, resources={"metadata": {"path": str(notebook.parent)}},
            config=Config(KernelManager=kernel),
        )  # fmt: skip
        try:
            _execute(client)
        finally:
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                nbformat.write(lesson, keep / notebook.name)
    return time.perf_counter() - began


def _execute(client: NotebookClient) -> None:
    """Run a notebook; whoever interrupts this ends its kernel.

    In a thread, where nbclient cannot set handlers of its own for Ctrl-C and `kill`: they leave
    its run half ended, and remove ours.
    """
    with asyncio.Runner() as runner, ThreadPoolExecutor(1) as thread:
        loop = runner.get_loop()
        environment = os.environ | {"AVLIB_NO_PROGRESS": "1"}  # a program ran it, no learner
        run = loop.create_task(client.async_execute(env=environment))
        try:
            thread.submit(loop.run_until_complete, run).result()
        except KeyboardInterrupt:
            client.shutdown_kernel = "immediate"
            loop.call_soon_threadsafe(run.cancel)
            raise
