"""How far accuracies move from one number format, or device, to another.

``python tests/benchmarks/band.py`` trains the three networks on the practice corpus, actors apart,
five seeds each: on the processor in float32, there in bfloat16 as a GPU would, and on the GPU where
there is one.
"""

import argparse
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import torch

from avlib import course, features, files
from avlib.corpus import ravdess
from avlib.evaluation import metrics
from avlib.learning import loaders, networks, splits, training

NETWORKS = ("audio", "image", "balanced")
SEEDS = range(5)
BAND = 0.1  # between the means of all seeds; one seed alone moves as far by its last bits


def store() -> features.FeatureStore:
    clips = course.with_picture(ravdess.index(course.recordings()))
    return course.store(clips, features.Recipe.preset("paper"))


def accuracies(name: str, store: features.FeatureStore, device: torch.device | str) -> np.ndarray:
    """The accuracy by clip of one network, a seed each, on the same actors."""
    split = splits.split(store.rows, "actor", seed=0)
    samples = loaders.to_device(store, split.train, device)
    found = []
    for seed in SEEDS:
        network = networks.make(name, store, seed)
        settings = training.Training(seed=seed).for_network(name)
        training.fit(network, samples, split, settings, progress=False)
        logs = training.predict(network, samples, split.test)
        predictions = metrics.prediction_table(store, split.test, logs)
        found.append(metrics.accuracy(metrics.by_clip(predictions)))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    options = parser.parse_args()
    in_bfloat16 = mock.patch.object(
        training, "bfloat16_on_gpu", lambda device: torch.autocast(device.type, torch.bfloat16)
    )
    recordings, device = store(), loaders.best_device()
    rows = []
    for name in NETWORKS:
        found = {"processor, float32": accuracies(name, recordings, "cpu")}
        with in_bfloat16:
            found["processor, bfloat16"] = accuracies(name, recordings, "cpu")
        if device.type != "cpu":
            found[str(device)] = accuracies(name, recordings, device)
        wanted = found["processor, float32"].mean()
        rows += [
            {
                "network": name, "computed": how, "seeds": len(each), "accuracy": each.mean(),
                "deviation of a seed": each.std(ddof=1), "less float32": each.mean() - wanted,
            }
            for how, each in found.items()
        ]  # fmt: skip
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    if options.json:
        files.save_json(options.json, {"measured_on": recordings.corpus, "rows": rows})


if __name__ == "__main__":
    main()
