"""What several test files share: a corpus on disk, a store in memory, the real recordings."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import size
from exercises import exercises
from media import store_of, table, write_clip
from shown import NOTEBOOKS, cells

from avlib import features, files
from avlib.corpus import ravdess

# The same examples on every machine, no time limit on a busy one, and nothing left on disk.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("house")

# What tests pass is nobody's progress; kernels and other processes inherit this.
os.environ["AVLIB_NO_PROGRESS"] = "1"

REAL = Path(__file__).parents[2] / "shared" / "ravdess"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 actors × 4 emotions × 2 repetitions, as wav and mp4, marked as practice."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / ravdess.PRACTICE_MARK).write_text("tones and colours\n")
    for actor in (1, 2, 3, 4):
        for emotion in (1, 3, 4, 5):
            for repetition in (1, 2):
                name = ravdess.ClipName(1, 1, emotion, 1, 1, repetition, actor)
                write_clip(folder / f"Actor_{actor:02d}", name)
    return folder


@pytest.fixture(scope="session")
def clips(corpus: Path) -> pd.DataFrame:
    """The table of the corpus on disk."""
    return ravdess.index(corpus)


@pytest.fixture(scope="session")
def built(clips: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> features.FeatureStore:
    """The paper's features of the corpus on disk."""
    folder = tmp_path_factory.mktemp("built") / "store"
    return features.build(clips, features.Recipe(), folder, jobs=1, progress=False)


@pytest.fixture
def easy() -> features.FeatureStore:
    """A store in memory: 6 actors × 8 emotions × 2 repetitions × 2 pairs, plain to tell apart."""
    random = np.random.default_rng(0)
    names = [
        ravdess.ClipName(1, 1, emotion, 1, 1, repetition, actor)
        for actor in range(1, 7)
        for emotion in range(1, 9)
        for repetition in (1, 2)
    ]
    clips = table(names)
    emotion = clips["emotion"].to_numpy()
    mfcc = random.normal(0, 0.3, (len(clips), 40))
    for clip, code in enumerate(emotion):
        mfcc[clip, 5 * (code - 1) : 5 * code] += 3
    pairs = random.integers(0, 60, (2 * len(clips), 64, 128, 3), np.uint8)
    for pair, code in enumerate(np.repeat(emotion, 2)):
        pairs[pair, 8 * (code - 1) : 8 * code, :, code % 3] += 180
    return store_of(clips, mfcc, pairs, pairs_a_clip=2)


@pytest.fixture(scope="session")
def real_speech() -> Path:
    """The zip of real speech recordings; a test without them is skipped."""
    path = REAL / "Audio_Speech_Actors_01-16.zip"
    if not path.exists():
        pytest.skip(f"needs the real recordings in {path}")
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk whose size (kB) a test can set again and again; it needs a Linux root to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def resize(kilobytes: int) -> Path:
        again = ["-o", "remount"] if disk.is_mount() else []
        done = subprocess.run(
            ["mount", "-t", "tmpfs", *again, "-o", f"size={kilobytes}k", "tmpfs", disk],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
        return disk

    if sys.platform != "linux":
        pytest.skip("mounts a small disk, which needs Linux")
    yield resize
    if disk.is_mount():
        subprocess.run(["umount", disk], check=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests, too")
    parser.addoption("--json", type=Path, help="write the lessons in numbers here too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out, unless all are asked for or they are named one by one."""
    if config.getoption("--all") or any("::" in argument for argument in config.args):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run `python -m pytest --all`"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The size of avlib, and the lessons in numbers, where tests counted something of them."""
    terminalreporter.write_line(size.report())
    counted = {path.name[:2]: {"cells": len(cells(path)), "exercises": 0} for path in NOTEBOOKS}
    for exercise in exercises():
        counted[exercise.lesson]["exercises"] += 1
    found = [
        numbers
        for report in terminalreporter.getreports("passed")
        for name, numbers in report.user_properties
        if name == "lesson"
    ]
    for lesson, numbers in found:
        for what, number in numbers.items():
            counted[lesson][what] = counted[lesson].get(what, 0) + number
    if found:
        lessons = pd.DataFrame.from_dict(counted, orient="index")
        lessons.loc["all"] = lessons.sum()
        terminalreporter.section("lessons in numbers")
        terminalreporter.write_line(lessons.to_string(na_rep="", float_format="%.0f"))
        if path := terminalreporter.config.getoption("--json"):
            lessons.index.name = "lesson"
            files.save_json(path, {"rows": lessons.reset_index().to_dict("records")})
