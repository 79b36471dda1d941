"""How fast the course's own code is, beside the common way to do the same, in one run.

`python tests/benchmarks/speed.py [WHAT …] [--data DIR] [--film FILE …] [--json FILE]`. References
stand in `references.py` beside this. Both sides take turns, so that a machine that slows down slows
both; the ratio is that of the medians. Where two ways should give the same numbers, these are
compared in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import count
from pathlib import Path

import av
import numpy as np
import pandas as pd
import references as common
import torch
from joblib import Parallel, delayed
from torch import nn

from avlib import course, features, files
from avlib.corpus import manifest, ravdess
from avlib.corpus.ravdess import ClipName
from avlib.evaluation import metrics, recogniser
from avlib.features import FeatureStore, Recipe, audio, functionals, video
from avlib.learning import loaders, networks, splits, training
from avlib.learning.fusion import LateFusion

# The most memory that a process held (MiB); getrusage would count what its parent held before, too.
PEAK = """
import resource, sys
from pathlib import Path
def peak():
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
"""
# A process of its own, so that its peak of memory is its own.
_GROWTH_PROGRAM = f"""{PEAK}
import json, time
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from avlib import features
from avlib.corpus import ravdess
folder, number, store = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
parts = [ravdess.index(part).assign(part=part.name) for part in sorted(folder.iterdir())
         if part.is_dir()]
clips = pd.concat(parts, ignore_index=True)[:number]
clips["clip"] += "-" + clips["part"]
begun = time.perf_counter()
features.build(clips, features.Recipe(), store, progress=False)
seconds = time.perf_counter() - begun
get_reusable_executor().shutdown(wait=True)
workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
workers /= 2**20 if sys.platform == "darwin" else 2**10
print(json.dumps([seconds, peak(), workers]))
"""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what : str
        What was measured, on what.
    ours, reference : float
        Medians, in `unit`.
    unit : str
    against : str
        What the reference is.
    ratio : float
        How many times better ours is.
    least : float or None
        The ratio that we want.
    same : str
        How equal the results of both were found to be.
    """

    what: str
    ours: float
    reference: float
    unit: str
    against: str
    ratio: float
    least: float | None
    same: str = ""


def turns(
    ours: Callable[[], object], reference: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Median seconds of two pieces of work that take turns, after one unmeasured turn each.

    Parameters
    ----------
    ours, reference : callable
    repeats : int

    Returns
    -------
    tuple of float
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for work, kept in zip((ours, reference), seconds, strict=True):
            begun = time.perf_counter()
            work()
            if turn:
                kept.append(time.perf_counter() - begun)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def sound(paths: Sequence[Path], repeats: int) -> list[Row]:
    """Load, resample and 40 MFCCs, one process and one thread each, against librosa + resampy."""
    recipe = Recipe(sound="sequence", sequence_seconds=0.5)
    ours = {path: features.clip_mfcc(path, recipe) for path in paths[:20]}
    apart = []
    for path, found in ours.items():
        theirs = common.mfcc(path)
        spare = theirs.shape[1] - recipe.sequence_frames
        middle = theirs[:, spare // 2 : spare // 2 + recipe.sequence_frames]
        apart.append(np.abs(found - middle).max())
    mine, theirs = turns(
        lambda: [features.clip_mfcc(path, recipe) for path in paths],
        lambda: [common.mfcc(path) for path in paths],
        repeats,
    )
    return [
        Row(
            f"resample + 40 MFCCs, {len(paths)} recordings", mine, theirs, "s",
            "librosa + resampy", theirs / mine, 8, f"{max(apart):.3f} dB apart at most",
        )
    ]  # fmt: skip


def voice(paths: Sequence[Path], repeats: int) -> list[Row]:
    """Functionals of a voice, one process; Praat's pitch beside pYIN's; learning and predicting."""
    recipe, rate = Recipe.preset("voice", "none"), functionals.RATE
    sounds = [audio.resample(*audio.load(path), rate) for path in paths[:10]]
    apart = []
    for sound in sounds:
        cut = sound[slice(*functionals.trim(sound))]
        found, theirs = functionals.analyse(cut, rate), common.pitch(cut, rate)
        frames = min(len(found.voiced), len(theirs))
        ours = np.full(frames, np.nan)
        ours[found.voiced[:frames]] = found.pitch[: found.voiced[:frames].sum()]
        apart.append(np.abs(ours - 12 * np.log2(theirs[:frames] / 27.5)))
    semitones = np.concatenate(apart)
    semitones = semitones[~np.isnan(semitones)]
    mine, theirs = turns(
        lambda: [functionals.analyse(sound, rate) for sound in sounds],
        lambda: [common.pitch(sound, rate) for sound in sounds],
        repeats,
    )
    every, _ = turns(lambda: [features.clip_voice(path, recipe) for path in paths], int, repeats)
    model, _ = recogniser.load("voice")
    heard = features.clip_voice(paths[0], recipe)[None]

    def predict() -> None:
        model.log_posteriors({"sound": features.clip_voice(paths[0], recipe)[None]})

    one, _ = turns(predict, int, 4 * repeats)
    drawn = np.random.default_rng(0).normal(size=(960, heard.shape[1]))
    emotion, speakers = np.tile(np.arange(1, 9), 120), np.repeat(np.arange(16), 60)
    learned, _ = turns(lambda: LateFusion().fit({"sound": drawn}, emotion, speakers), int, 1)
    close = f"{(semitones < 1).mean():.3f} of {len(semitones)} frames within a semitone"
    return [
        Row(f"all that is followed of {len(sounds)} voices, pitch included", mine, theirs, "s",
            "the pitch alone, by pYIN", theirs / mine, 1, close),
        Row(f"functionals of {len(paths)} recordings, a second and core", len(paths) / every, 20,
            "1/s", "the least we wanted", len(paths) / every / 20, 1),
        Row("predict one clip, wav to probabilities", 1000 * one, 100, "ms",
            "the most we wanted", 0.1 / one, 1),
        Row("learn from 960 clips (numbers drawn at random)", learned, 60, "s",
            "the most we wanted", 60 / learned, 1),
    ]  # fmt: skip


def picture(films: Sequence[Path], repeats: int, again: int = 5) -> list[Row]:
    """Frame pairs, one thread each: against OpenCV's seeking, and against the decoder alone."""
    rows = []
    for film in films:
        times = video.pair_times(video.duration(film))

        def ours(film: Path = film, times: np.ndarray = times) -> None:
            for _ in range(again):
                video.frame_pairs(film, times)

        def seeking(film: Path = film, times: np.ndarray = times) -> None:
            for _ in range(again):
                common.frame_pairs(film, times)

        found = video.frame_pairs(film, times).astype(int)
        apart = np.abs(found - common.frame_pairs(film, times)).mean(axis=(1, 2, 3))
        mine, theirs = turns(ours, seeking, repeats)
        what = f"frame pairs of {film.name}, {_describe(film)}"
        rows.append(
            Row(
                what, 1e3 * mine / again, 1e3 * theirs / again, "ms a clip", "OpenCV seeking",
                theirs / mine, 3, f"{sum(apart < 2)} of {len(apart)} pairs show the same frames",
            )
        )  # fmt: skip
        if shutil.which("ffmpeg"):
            begins = _begins(film)
            passed, every = sum(begins <= times.max()), len(begins)
            mine, theirs = turns(ours, lambda film=film: common.decode(film, again), repeats)
            rows.append(
                Row(
                    what, again * passed / mine, again * every / theirs, "frames/s",
                    "ffmpeg -f null", (passed / mine) / (every / theirs), 0.85,
                )
            )  # fmt: skip
    return [*rows, _side_by_side(films[0], repeats)]


def _side_by_side(film: Path, repeats: int, again: int = 8) -> Row:
    """Many films, a process a core, against one after another with as many threads."""
    times, cores = video.pair_times(video.duration(film)).ravel(), os.cpu_count()
    mine, theirs = turns(
        lambda: Parallel(cores)(delayed(_squares)(film, times, 1) for _ in range(again)),
        lambda: [_squares(film, times, cores) for _ in range(again)],
        repeats,
    )
    return Row(
        f"{again} × {film.name}, a process a core", mine, theirs, "s",
        f"one after another, {cores} threads", theirs / mine, 1,
    )  # fmt: skip


def _squares(film: Path, times: np.ndarray, threads: int) -> np.ndarray:
    return video.square(video.frames_at(film, times, threads))


def _begins(film: Path) -> np.ndarray:
    """When each frame of a film comes on (s after the first)."""
    with av.open(film) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * frame.time_base) for frame in container.decode(stream)]
    return np.array(times) - times[0]


def _describe(film: Path) -> str:
    with av.open(film) as container:
        stream = container.streams.video[0]
        return f"{stream.height} lines, {container.bit_rate / 1e6:.1f} Mbit/s"


def write_film(path: Path, megabits: float = 10.0, seconds: float = 3.5) -> Path:
    """Encode a film of 720 lines with so much to see that it fills this bit rate.

    Parameters
    ----------
    path : Path
    megabits : float
        A second.
    seconds : float

    Returns
    -------
    Path
    """
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 64, (8, 720, 1280, 3), np.uint8)
    scene = np.kron(rng.integers(0, 192, (45, 90, 3)), np.ones((32, 32, 1))).astype(np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.bit_rate = int(megabits * 1e6)
        stream.options = {"maxrate": f"{megabits}M", "bufsize": f"{megabits / 2}M"}
        for number in range(round(30 * seconds)):
            moved = scene[4 * number % 700 :][:720, 8 * number % 1500 :][:, :1280]
            frame = av.VideoFrame.from_ndarray(moved + grain[number % 8], format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def second_build(clips: pd.DataFrame, repeats: int) -> list[Row]:
    """A store that is there already, against making it."""
    with tempfile.TemporaryDirectory() as place:
        fresh = count(1)
        again, once = turns(
            lambda: features.build(clips, Recipe(), f"{place}/0", progress=False),
            lambda: features.build(clips, Recipe(), f"{place}/{next(fresh)}", progress=False),
            repeats,
        )
    return [
        Row(
            f"features of {len(clips)} clips, built again", 1e3 * again, 1e3 * once, "ms",
            "the first build", once / again, 50,
        )
    ]  # fmt: skip


def fusion(store: FeatureStore, repeats: int, epochs: int) -> list[Row]:
    """Train the fusion network, a seed a turn, against a ``DataLoader`` over image files."""
    split = splits.split(store.rows, "actor", 0)
    samples = loaders.to_device(store, split.train)
    device = samples.label.device
    on_cpu = loaders.to_device(store, split.train, "cpu")
    found: dict[str, list[float]] = {"ours": [], "reference": []}

    def accuracy(network: nn.Module) -> float:
        predictions = training.predict(network, samples, split.test)
        table = metrics.prediction_table(store, split.test, predictions)
        return metrics.accuracy(metrics.by_clip(table))

    with tempfile.TemporaryDirectory() as place:
        common.write_images(store.pairs, Path(place))
        seeds = {"ours": count(), "reference": count()}

        def ours() -> None:
            seed = next(seeds["ours"])
            network = networks.make("balanced", store, seed)
            settings = replace(training.Training.preset("avlib"), epochs=epochs, seed=seed)
            training.fit(network, samples, split, settings, progress=False)
            found["ours"].append(accuracy(network))

        def dataloader() -> None:
            seed = next(seeds["reference"])
            network = networks.make("balanced", store, seed)
            torch.manual_seed(seed)
            train, validation = split.train, split.validation
            common.fit(network, on_cpu, train, validation, Path(place), epochs, device)
            found["reference"].append(accuracy(network))

        mine, theirs = turns(ours, dataloader, repeats)
    said = " and ".join(
        f"{np.mean(each):.3f} ± {np.std(each, ddof=1):.3f}" for each in found.values()
    )
    return [
        Row(
            f"fusion network, {epochs} epochs, {len(store.clips)} clips, {device.type}", mine,
            theirs, "s", "Dataset + DataLoader(num_workers=2)", theirs / mine,
            30 if device.type == "cuda" else 2.5,
            f"test accuracy, mean ± deviation of {repeats + 1} seeds: {said}",
        )
    ]  # fmt: skip


def growth(clips: pd.DataFrame, counts: Sequence[int] = (480, 1440, 14_400)) -> list[Row]:
    """Clips a second, and the most memory, as the number of clips grows.

    Films are copied under new names with a few bytes behind their end, so that each is another
    recording; their sound comes from the films.
    """
    measured = {}
    with tempfile.TemporaryDirectory() as place:
        corpus = Path(place) / "corpus"
        _copy_films(clips, corpus, max(counts))
        for number in (counts[0], *counts):  # the first one warms the disk's cache
            command = [sys.executable, "-c", _GROWTH_PROGRAM, corpus, number, f"{place}/store"]
            told = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
            measured[number] = json.loads(told.stdout)
            shutil.rmtree(f"{place}/store")
    speed = {number: number / seconds for number, (seconds, _, _) in measured.items()}
    first = counts[0]
    return [
        Row(
            f"features of {number} clips", speed[number], speed[first], "clips/s",
            f"{first} clips", speed[number] / speed[first], 0.9,
            "peak memory {:.0f} MiB, largest worker {:.0f} MiB".format(*measured[number][1:]),
        )
        for number in counts
    ]  # fmt: skip


def _copy_films(clips: pd.DataFrame, folder: Path, number: int) -> None:
    sources = [Path(path) for path in clips["picture"]]
    entries = {}
    for copy in range(number):
        name = ClipName.parse(sources[copy % len(sources)])
        film = folder / f"{copy // len(sources):04d}" / f"{name.as_modality(1)}.mp4"
        film.parent.mkdir(parents=True, exist_ok=True)
        box = (16).to_bytes(4, "big") + b"free" + copy.to_bytes(8, "big")  # players skip it
        content = sources[copy % len(sources)].read_bytes() + box
        film.write_bytes(content)
        key = film.relative_to(folder).as_posix()
        entries[key] = manifest.Entry(len(content), zlib.crc32(content), "bench")
    manifest.add(folder, entries)


def importing(repeats: int) -> list[Row]:
    """``import avlib`` in a fresh process."""
    program = (
        "import time; begun = time.perf_counter(); import avlib; print(time.perf_counter() - begun)"
    )
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
        )
        for _ in range(repeats)
    ]
    median = statistics.median(seconds)
    return [Row("import avlib", 1e3 * median, 250, "ms", "the limit we set", 250 / median / 1e3, 1)]


def machine() -> dict[str, str]:
    """What the figures were measured on: processor, cores, device and versions."""
    names = ("torch", "numpy", "scipy", "librosa", "resampy", "av", "opencv-python", "joblib")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "device": str(loaders.best_device()),
        "python": platform.python_version(),
    } | {name: version(name) for name in names}


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as they are printed."""
    return pd.DataFrame(map(asdict, rows)).round(3)


BENCHES = ("sound", "voice", "picture", "fusion", "again", "growth", "import")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "only", nargs="*", metavar="WHAT", choices=[*BENCHES, []],
        help=f"of {', '.join(BENCHES)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help="recordings (default: the lessons')")
    parser.add_argument("--film", type=Path, nargs="+", default=[], help="more films for `picture`")
    parser.add_argument("--repeats", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--epochs", type=int, default=30, help="of fusion (default 30)")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: should be 1 or more")
    if options.json:
        files.refuse_to_replace(options.json)
    clips = ravdess.index(options.data or course.recordings())
    corpus, repeats = ravdess.corpus(clips), options.repeats

    def pictures() -> list[Row]:
        with tempfile.TemporaryDirectory() as place:
            encoded = write_film(Path(place) / "encoded.mp4")
            return picture([*options.film, encoded, *clips["picture"].dropna()[:1]], repeats)

    benches = {
        "sound": lambda: sound([Path(path) for path in clips["sound"].dropna()[:200]], repeats),
        "voice": lambda: voice([Path(path) for path in clips["sound"].dropna()[:40]], repeats),
        "picture": pictures,
        "fusion": lambda: fusion(
            course.store(clips, Recipe.preset("paper")), repeats, options.epochs
        ),
        "again": lambda: second_build(clips, repeats),
        "growth": lambda: growth(clips),
        "import": lambda: importing(repeats),
    }
    rows, failed = [], []
    for name in options.only or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            rows += benches[name]()
        except (ValueError, OSError, RuntimeError) as error:  # what is measured is kept
            failed.append(f"{name}: {error}")
    circumstances = machine()
    said = ", ".join(f"{key} {value}" for key, value in circumstances.items())
    print(f"Medians of {repeats} on {corpus}; {said}")
    print(table(rows).to_string(index=False, na_rep="", max_colwidth=None))
    if options.json:
        result = {"measured_on": corpus, "repeats": repeats, **circumstances}
        files.save_json(
            options.json, result | {"rows": [asdict(row) for row in rows], "failed": failed}
        )
    for each in failed:
        print(each, file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
