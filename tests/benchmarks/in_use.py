"""Is `predict` as often right as the table says, and how long does it take?

``python tests/benchmarks/in_use.py DIR [--json FILE]`` (minutes): on each fold of actors a
recogniser learns from the others' clips, is written to a file as ``run ladder --weights`` writes
it, and `listening.predict` hears the fold's recordings with it. Beside each actor stands what the
shipped recogniser's header says of that actor. ``--times`` measures instead how long a recording
takes, on one core: ten minutes of one actor's clips, and a film of four seconds.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from avlib import course, files
from avlib.corpus import ravdess
from avlib.evaluation import listening, recogniser, robustness, timeline
from avlib.features import Recipe, audio
from avlib.learning import fusion, splits

PAUSE = 0.8  # s of silence between the clips of a long recording


def accuracies(folder: Path, folds: str) -> list[dict[str, object]]:
    """For each actor: the share that is right in the table, and in use."""
    clips = ravdess.index(folder)
    store = course.store(clips, Recipe.preset("voice", "none"))
    keep = course.data_folder() / "features"
    heard = robustness.hear(clips, store.header["recordings"], keep)[:, :, robustness.columns()]
    _, header = recogniser.load("own-voice")
    table = header["accuracy_of_actor"]
    emotion, actor = store.clips["emotion"].to_numpy(), store.clips["actor"].to_numpy()
    paths, rows = np.array([str(path) for path in clips["sound"]]), []
    for split in splits.cuts(store.clips, "actor", folds, seed=0):
        train = np.setdiff1d(np.arange(len(clips)), split.test)
        with tempfile.TemporaryDirectory() as place:
            weights = Path(place) / "fold.safetensors"
            model = robustness.learn(
                heard[train], emotion[train], actor[train], robustness.TRAINED_WITH
            )
            fusion.save(model, weights, header)
            asked = [Path(path) for path in paths[split.test]]
            told, _ = listening.predict(asked, weights=weights)
        right = np.array([ravdess.EMOTIONS.index(each.emotion) + 1 for each in told])
        right = right == emotion[split.test]
        for one in np.unique(actor[split.test]).tolist():
            used = float(right[actor[split.test] == one].mean())
            rows.append({"actor": one, "in the table": table[str(one)], "in use": used})
    shares = {name: float(np.mean([row[name] for row in rows])) for name in list(rows[0])[1:]}
    return [*rows, {"actor": "all", **shares}]


def times(folder: Path, film: Path | None) -> list[dict[str, object]]:
    """How long it takes to hear a recording, and how many times faster than it lasts that is."""
    clips = ravdess.index(folder)
    own = clips[clips["actor"] == clips["actor"].min()]["sound"]
    with tempfile.TemporaryDirectory() as place:
        long = Path(place) / "ten-minutes.wav"
        rate = audio.load(own.iloc[0])[1]
        with soundfile.SoundFile(long, "w", rate, 1) as file:
            while file.tell() < 600 * rate:
                for path in own:
                    file.write(audio.load(path)[0])
                    file.write(np.zeros(round(PAUSE * rate)))
                    if file.tell() >= 600 * rate:
                        break
        work = {"sound of ten minutes": (long, None), "one clip": (own.iloc[0], None)}
        if film is not None:
            work |= {"a film": (film, None), "a film, written with its bars": (film, place)}
        return [_timed(name, *each) for name, each in work.items()]


def _timed(name: str, path: Path, place: str | None) -> dict[str, object]:
    """The median of three; libraries are loaded before."""
    listening.predict([path], progress=False)
    took = []
    for turn in range(3):
        begun = time.perf_counter()
        heard, _ = listening.predict([path], progress=False)
        if place is not None:
            timeline.annotate(heard[0], Path(place) / f"{turn}.mp4", progress=False)
        took.append(time.perf_counter() - begun)
    level = listening.loudness(listening.recording.blocks(path))
    lasts, seconds = len(level) / listening.FRAMES, float(np.median(took))
    return {
        "recording": name,
        "lasts (s)": lasts,
        "stretches": len(heard[0].segments),
        "takes (s)": seconds,
        "times faster than it lasts": lasts / seconds,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="recordings")
    parser.add_argument("--folds", default="hicmae")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--film", type=Path, metavar="FILE", help="to be timed, too")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.times:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {0})
        with threadpool_limits(1):
            rows = times(options.folder, options.film)
    else:
        rows = accuracies(options.folder, options.folds)
    corpus = ravdess.corpus(ravdess.index(options.folder))
    if options.json:
        files.save_json(options.json, {"experiment": "in use", "measured_on": corpus, "rows": rows})
    for row in rows:
        print("  ".join(f"{k}: {v:.3f}" if isinstance(v, float) else f"{k}: {v}"
                        for k, v in row.items()))  # fmt: skip
