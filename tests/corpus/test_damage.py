"""Five hundred damaged recordings: none ends the process, none is waited for, none goes unseen."""

import random
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from damages import DAMAGES

from avlib import features, practice
from avlib.corpus import manifest, ravdess, verify

DAMAGED = 500
LONGEST_S = 10.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wav and the mp4 files of five practice clips."""
    folder = tmp_path_factory.mktemp("whole")
    names = [ravdess.ClipName(1, 1, emotion, 1, 1, 1, emotion) for emotion in (1, 2, 3, 5, 8)]
    practice.write(folder, names=names, progress=False)
    return sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".mp4"))


@pytest.fixture(scope="module")
def damaged(whole: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of damaged copies, and a manifest that knows what they were."""
    folder, rng, entries = tmp_path_factory.mktemp("damaged"), random.Random(0), {}
    for number in range(DAMAGED):
        original = whole[number % len(whole)]
        content = bytearray(original.read_bytes())
        DAMAGES[number // len(whole) % len(DAMAGES)](content, rng)
        assert content != original.read_bytes()
        path = folder / f"{number:03d}" / original.name
        path.parent.mkdir()
        path.write_bytes(content)
        size, crc32 = original.stat().st_size, manifest.crc32(original)
        entries[path.relative_to(folder).as_posix()] = manifest.Entry(size, crc32, "a corpus")
    manifest.add(folder, entries)
    return folder


def open_it(path: Path) -> tuple[float, set[str]]:
    """How long the house takes over a file, and what it says is wrong."""
    begun = time.monotonic()
    found = {finding for finding, _ in verify.look(path, practice=True)}
    try:
        if path.suffix == ".wav":
            features.clip_mfcc(path, features.Recipe())
        else:
            features.clip_pairs(path, features.Recipe())
            features.clip_mfcc(path, features.Recipe())
    except ValueError as error:
        found.add("refused" if path.name in str(error) else "refused without its name")
    return time.monotonic() - begun, found


@pytest.mark.slow
def test_no_damage_ends_the_process_or_holds_it_up(damaged: Path) -> None:
    files = sorted(path for path in damaged.rglob("*") if path.suffix in (".wav", ".mp4"))
    assert len(files) == DAMAGED
    with ProcessPoolExecutor(2) as processes:  # a crash would break the pool
        results = list(processes.map(open_it, files, timeout=300))
    assert max(seconds for seconds, _ in results) < LONGEST_S
    assert not any("refused without its name" in found for _, found in results)
    assert sum(bool(found) for _, found in results) > DAMAGED / 3


@pytest.mark.slow
def test_every_damage_is_reported_by_name(damaged: Path, whole: list[Path]) -> None:
    table = verify.verify(damaged, progress=False)
    changed = set(table.loc[table["finding"] == "changed", "file"])
    assert len(changed) == DAMAGED
    files = {path: True for path in damaged.rglob("*") if path.suffix in (".wav", ".mp4")}
    assert set(verify.unusable(files, progress=False)) == set(files)
    mended = damaged / "000" / whole[0].name
    shutil.copy2(whole[0], mended)
    assert set(files) - set(verify.unusable(files, progress=False)) == {mended}
