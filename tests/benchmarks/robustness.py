"""How well the recogniser of any voice hears through other microphones, rooms and lines.

``python tests/benchmarks/robustness.py DIR [--json FILE] [--cache FILE]`` (half an hour for 960
clips) spoils every recording in turn: softer and louder, with noise, in rooms, on the telephone, as
mp3. On folds of actors the recogniser is trained on clean recordings, and again on clean and some
spoilt ones (`TRAINED_WITH`); both are asked about strangers under every condition. A recording in
which no voice is found is refused, as `predict` does, and counts as a guess.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import delayed

from avlib import files, workers
from avlib.corpus import ravdess
from avlib.evaluation import metrics, recogniser
from avlib.features import audio, functionals
from avlib.features.spoil import CONDITIONS
from avlib.learning import splits
from avlib.learning.fusion import LateFusion

# Chosen before anything was measured: one of each kind, and the milder one.
TRAINED_WITH = ("clean", "noise 20 dB", "room 0.4 s", "telephone")


def spoilt(path: Path, number: int) -> np.ndarray:
    """The functionals of a clip under every condition; NaN where no voice is found."""
    sound, rate = audio.load(path)
    found = []
    for place, spoil in enumerate(CONDITIONS.values()):
        try:
            found.append(
                functionals.compute(*spoil(sound, rate, np.random.default_rng([number, place])))
            )
        except ValueError:
            found.append(np.full(len(functionals.described()), np.nan, np.float32))
    return np.stack(found)


def tested(
    clips: pd.DataFrame, heard: np.ndarray, folds: str, train: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """What a recogniser that was trained under some conditions says of strangers under each."""
    columns = recogniser.columns(recogniser.load("own-voice")[1]["functionals"])
    emotion, actor = clips["emotion"].to_numpy(), clips["actor"].to_numpy()
    places, found = [list(CONDITIONS).index(name) for name in train], {}
    for split in splits.cuts(clips, "actor", folds, seed=0):
        learn = np.setdiff1d(np.arange(len(clips)), split.test)
        rows = [(clip, place) for place in places for clip in learn
                if not np.isnan(heard[clip, place, 0])]  # fmt: skip
        clip, place = np.array(rows).T
        given = {"sound": heard[clip, place][:, columns]}
        # Who is heard through another microphone is, to the normalisation, another speaker.
        model = LateFusion().fit(given, emotion[clip], actor[clip] * 100 + place)
        for number, name in enumerate(CONDITIONS):
            asked = heard[split.test, number][:, columns]
            refused = np.isnan(asked[:, 0])
            logs = np.full((len(asked), 8), -np.log(8))
            logs[~refused] = model.log_posteriors({"sound": asked[~refused]})
            table = clips.iloc[split.test].rename(columns={"emotion": "label"})
            named = dict(zip(metrics.LOG_COLUMNS, logs.T, strict=True)) | {"refused": refused}
            found.setdefault(name, []).append(table.assign(**named))
    return {name: pd.concat(each, ignore_index=True) for name, each in found.items()}


def measure(folder: Path, folds: str, cache: Path | None) -> dict[str, object]:
    """A row for each condition and each way of training."""
    index = ravdess.index(folder)
    clips = index[["clip", "actor", "emotion"]].copy()
    if cache is not None and cache.exists():
        heard = np.load(cache)
    else:
        tasks = [delayed(spoilt)(path, number) for number, path in enumerate(index["sound"])]
        heard = np.stack(list(workers.results(tasks, None, "spoiling", "clip", ordered=True)))
        if cache is not None:
            np.save(cache, heard)
    rows, ways = [], {"clean recordings": ("clean",), "spoilt ones, too": TRAINED_WITH}
    tables = {way: tested(clips, heard, folds, train) for way, train in ways.items()}
    for name in CONDITIONS:
        for way, by_condition in tables.items():
            found = metrics.summarise(by_condition[name])
            rows.append({"heard": name, "trained on": way} | found
                        | {"refused": int(by_condition[name]["refused"].sum())})  # fmt: skip
        both = [tables[way][name] for way in reversed(ways)]
        rows.append({"heard": name, "trained on": "the second less the first"}
                    | metrics.difference(*both))  # fmt: skip
    return {"experiment": "robustness", "measured_on": ravdess.corpus(index), "rows": rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="recordings")
    parser.add_argument("--folds", default="hicmae")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="functionals, kept between runs")
    options = parser.parse_args()
    result = measure(options.folder, options.folds, options.cache)
    if options.json:
        files.save_json(options.json, result)
    print(pd.DataFrame(result["rows"]).to_string(float_format="%.3f"))
