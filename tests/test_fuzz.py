"""Every kind of file that avlib reads, damaged at random, in every way that the seed says.

Whatever it is, there is an answer or one sentence that names the file: no traceback, nothing that
takes ten seconds or a gigabyte, nothing foreign touched, and what is made again is what it was.
`AVLIB_FUZZ` says how many (500, with `--all` 2,000); a failure prints the seeds, and
`AVLIB_FUZZ_SEED` tries one of them.
"""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from damages import DAMAGES, Damage, change_a_cell, change_a_value, repeat
from media import store_of, table, tone, write_clip, write_mp4
from server import zenodo

from avlib import features, files
from avlib.corpus import download, manifest, ravdess, verify
from avlib.evaluation import metrics, runner, scoring
from avlib.features import action_units
from avlib.learning import loaders, networks, splits, training

LONGEST_S = 10
MOST_BYTES = 10**9
RECIPE = features.Recipe()
NAMES = [ravdess.ClipName(1, 1, emotion, 1, 1, 1, 1) for emotion in (1, 5)]


BYTES: tuple[Damage, ...] = (*DAMAGES, repeat)
CELLS, VALUES = (*BYTES, change_a_cell), (*BYTES, change_a_value)


@dataclass(frozen=True)
class Kind:
    """A kind of file: how one comes to be in a folder, and what avlib does with it there."""

    make: Callable[[Path], Path]
    use: Callable[[Path, Path], object]
    damages: tuple[Damage, ...] = BYTES


def _film(folder: Path) -> Path:
    return write_mp4(folder / f"{NAMES[0]}.mp4", sound=tone(300), size=(160, 90))


def _sound(folder: Path) -> Path:
    write_clip(folder, NAMES[0])
    (folder / f"{NAMES[0]}.mp4").unlink()
    return folder / f"{NAMES[0].as_modality(3)}.wav"


def _recordings(folder: Path) -> pd.DataFrame:
    for name in NAMES:
        write_clip(folder / "data", name)
    return ravdess.index(folder / "data")


def _archive(folder: Path) -> Path:
    _recordings(folder)
    return Path(shutil.make_archive(str(folder / "Actor_01"), "zip", folder / "data"))


def _unpack(folder: Path, path: Path) -> object:
    manifest.faults(path, next(iter(manifest.registry().values())))
    return download.unpack(path, folder / "out", {1})


def _manifest(folder: Path) -> Path:
    manifest.add(folder, {f"{name}.wav": manifest.Entry(5, 7, "a.zip") for name in NAMES})
    return folder / "manifest.csv"


def _build(folder: Path) -> bytes:
    clips = ravdess.index(folder / "data")
    store = features.build(clips, RECIPE, folder / "store", jobs=1, progress=False)
    return np.asarray(store.mfcc).tobytes() + np.asarray(store.pairs).tobytes()


def _in_store(pattern: str, damages: tuple[Damage, ...]) -> Kind:
    def make(folder: Path) -> Path:
        _recordings(folder)
        _build(folder)
        return next((folder / "store").rglob(pattern))

    def use(folder: Path, path: Path) -> object:
        with suppress(files.DamagedError, FileNotFoundError, FileExistsError):
            _ = features.FeatureStore.open(folder / "store").mfcc
        return _build(folder)

    return Kind(make, use, damages)


def _verify(folder: Path) -> str:
    return verify.verify(folder / "data", jobs=1, progress=False).to_csv()


def _memory(folder: Path) -> Path:
    _recordings(folder)
    _verify(folder)
    return folder / "data" / verify.MEMORY


def _easy() -> features.FeatureStore:
    names = [ravdess.ClipName(1, 1, e, 1, 1, r, a) for a in (1, 2) for e in (1, 3) for r in (1, 2)]
    mfcc = np.random.default_rng(0).normal(size=(len(names), 40))
    return store_of(table(names), mfcc, None)


def _train(folder: Path) -> str:
    store = _easy()
    cut = splits.split(store.rows, "clip", 0)
    network = networks.seeded(networks.AudioNetwork, seed=0)
    settings = training.Training(epochs=1)
    samples = loaders.to_device(store, cut.train)
    training.fit(network, samples, cut, settings, progress=False, keep=folder / "kept")
    return training.digest(network)


def _checkpoint(folder: Path) -> Path:
    with mock.patch.object(Path, "unlink"):  # the last checkpoint stays
        _train(folder)
    return next((folder / "kept").glob("*.safetensors"))


def _weights(folder: Path) -> Path:
    network = networks.seeded(networks.AudioNetwork, seed=0)
    training.save_weights(folder / "w.safetensors", dict(network.state_dict()), {"seed": 0})
    return folder / "w.safetensors"


def _load(folder: Path, path: Path) -> str:
    tensors, header = training.load_weights(path)
    return f"{header} {sorted((name, float(t.sum())) for name, t in tensors.items())}"


def _run(folder: Path) -> Path:
    run = {name: kind() for name, kind in runner._RUN_FORM.items()} | {"kept_as": "abc"}
    files.seal(folder / "abc.json", run)
    return folder / "abc.json"


def _predictions(folder: Path) -> Path:
    rows = ["clip,label,fold," + ",".join(f"prob_{n}" for n in range(1, 9))]
    for actor in (1, 2, 3, 4):
        for emotion in range(1, 9):
            name = ravdess.ClipName(1, 1, emotion, 1, 1, 1, actor)
            rows.append(f"{name},{emotion},{actor}," + ",".join(["0.125"] * 8))
    (folder / "mine.csv").write_text("\n".join(rows) + "\n")
    return folder / "mine.csv"


def _score(folder: Path, path: Path) -> object:
    return metrics.summarise(scoring.read(path))


def _units(folder: Path) -> Path:
    rows = ["name,AU01_r,AU12_r,AU12_c"] + [f"{name},0.5,1.25,1" for name in NAMES]
    (folder / "units.csv").write_text("\n".join(rows) + "\n")
    return folder / "units.csv"


def _record(folder: Path) -> Path:
    entries = [{"key": name, "size": 5, "checksum": "md5:" + "0" * 32} for name in "ab"]
    files.save_json(folder / "record.json", {"files": entries})
    return folder / "record.json"


def _ask(folder: Path, path: Path) -> object:
    with zenodo({}) as server:
        server.record = path.read_bytes()
        host = download.Host(server.address, pause_s=0.01)
        try:
            return host.record()
        except ValueError as error:
            raise ValueError(str(error).replace("records/", f"{path.name} ")) from error


KINDS = {
    "sound": Kind(_sound, lambda folder, path: features.clip_mfcc(path, RECIPE)),
    "film": Kind(
        _film,
        lambda folder, path: (features.clip_pairs(path, RECIPE), features.clip_mfcc(path, RECIPE)),
    ),
    "a look at sound": Kind(_sound, lambda folder, path: verify.look(path)),
    "a look at a film": Kind(_film, lambda folder, path: verify.look(path)),
    "archive": Kind(_archive, _unpack),
    "manifest": Kind(_manifest, lambda folder, path: manifest.read(folder), CELLS),
    "header of a store": _in_store("header.json", VALUES),
    "clip of a store": _in_store("*.clip", BYTES),
    "memory": Kind(_memory, lambda folder, path: _verify(folder), VALUES),
    "checkpoint": Kind(_checkpoint, lambda folder, path: _train(folder)),
    "weights": Kind(_weights, _load),
    "kept run": Kind(
        _run,
        lambda folder, path: runner._kept({"plan": path}, progress=False),
        VALUES,
    ),
    "predictions": Kind(_predictions, _score, CELLS),
    "action units": Kind(_units, lambda folder, path: action_units.read(path), CELLS),
    "record": Kind(_record, _ask, VALUES),
}  # fmt: skip
# What is kept under a seal comes back as it was, is made again as it was, or is refused.
SEALED = {name for name in KINDS if "store" in name} | {"memory", "checkpoint", "weights"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Of each kind a folder with a whole file, and where in it that lies."""
    made = {}
    for name, kind in KINDS.items():
        folder = tmp_path_factory.mktemp("original")
        (folder / "theirs.txt").write_text("somebody's")
        made[name] = folder, kind.make(folder).relative_to(folder)
    return made


def _too_long(*_: object) -> None:
    raise TimeoutError("took more than ten seconds")


def _said(kind: Kind, folder: Path, path: Path) -> tuple[str, object]:
    """What avlib does with a file: its result, or its sentence."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST_S)
    try:
        with warnings.catch_warnings(action="ignore"):
            return "", kind.use(folder, path)
    except (ValueError, OSError) as error:
        named = path.name in str(error) or path.parent.name in str(error)
        if isinstance(error, TimeoutError) or not named or "\n" * 20 in str(error):
            return f"{type(error).__name__}: {error}", None
        return "", None
    except BaseException as error:
        return f"{type(error).__name__}: {error}", None
    finally:
        signal.alarm(0)


def _try(seed: int, originals: dict[str, tuple[Path, Path]], place: Path) -> str:
    """Damage a file by the seed and use it; what is wrong with what then happens."""
    rng = random.Random(seed)
    name = list(KINDS)[seed % len(KINDS)]
    kind, (original, target) = KINDS[name], originals[name]
    folder = Path(shutil.copytree(original, place / str(seed) / "house"))
    content = bytearray((folder / target).read_bytes())
    damage = rng.choice(kind.damages)
    damage(content, rng)
    (folder / target).write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    wrong, result = _said(kind, folder, folder / target)
    taken = time.monotonic() - begun
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if not wrong and result is not None and name in SEALED:
        _, wanted = _said(kind, folder, folder / target)  # by now mended
        whole = Path(shutil.copytree(original, place / str(seed) / "whole"))
        _, whole_result = _said(kind, whole, whole / target)
        if not (result == wanted == whole_result):
            wrong = "what came back is not what it was"
    if (folder / "theirs.txt").read_text() != "somebody's":
        wrong = "a foreign file was touched"
    if strays := {path.name for path in (place / str(seed)).iterdir()} - {"house", "whole"}:
        wrong = f"left {strays} outside its folder"
    if grown > MOST_BYTES:
        wrong = f"took {grown / 1e9:.1f} GB"
    if taken > LONGEST_S:
        wrong = f"took {taken:.0f} s"
    shutil.rmtree(place / str(seed))
    return wrong and f"seed {seed}, {damage.__name__} of {name}: {wrong[:300]}"


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    """Two, which a crash would break; born without PyTorch's threads, and ended if they hang."""
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    yield pool
    for process in list(pool._processes.values()):
        process.kill()
    pool.shutdown()


def test_whatever_befalls_a_file_there_is_an_answer_or_a_sentence(
    originals: dict[str, tuple[Path, Path]],
    tmp_path: Path,
    processes: ProcessPoolExecutor,
    pytestconfig: pytest.Config,
) -> None:
    usual = 2000 if pytestconfig.getoption("--all") else 200
    one = os.environ.get("AVLIB_FUZZ_SEED")
    seeds = [int(one)] if one else range(int(os.environ.get("AVLIB_FUZZ", usual)))
    print(f"seeds {seeds}")
    results = [processes.submit(_try, seed, originals, tmp_path) for seed in seeds]
    wrong = list(filter(None, (result.result(timeout=100) for result in results)))
    assert not wrong, "\n".join(wrong)
    assert not list(tmp_path.iterdir())


def test_whole_files_are_used(originals: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    """The instrument itself: undamaged, every kind gives a result."""
    for name, (original, target) in originals.items():
        folder = Path(shutil.copytree(original, tmp_path / name))
        wrong, result = _said(KINDS[name], folder, folder / target)
        assert not wrong, name
        assert result is not None, name
