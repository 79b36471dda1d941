"""Is modality dropout worth something where a modality is missing? Lesson 04 shows what it gives.

`python tests/benchmarks/missing.py [--json FILE]` trains the balanced fusion network by its joint
loss alone, with and without modality dropout, on the same folds of actors and from the same first
weights. Each is then tested three times: with both modalities, and with zeros in place of one
branch's vector in the joint classifier. Twenty minutes for two seeds on two busy cores.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from avlib import course, files
from avlib.corpus import ravdess
from avlib.evaluation import metrics
from avlib.features import FeatureStore, Recipe
from avlib.learning import loaders, networks, splits, training

CASES = {"both": (1.0, 1.0), "sound missing": (0.0, 1.0), "picture missing": (1.0, 0.0)}
WAYS = {"joint loss alone": 0.0, "modality dropout": 0.25}


@torch.no_grad()
def predicted(
    network: networks.FusionNetwork,
    store: FeatureStore,
    samples: loaders.Samples,
    rows: np.ndarray,
    present: tuple[float, float],
) -> pd.DataFrame:
    """What the joint classifier predicts of clips, where it gets these of sound and picture."""
    network.eval()
    logs = []
    for batch in loaders.batches(samples, rows, 512):
        given = torch.tensor([present] * len(batch.label), device=batch.label.device)
        logs.append(network(batch.mfcc, batch.image, given)["joint"].log_softmax(dim=1))
    return metrics.by_clip(metrics.prediction_table(store, rows, torch.cat(logs).cpu().numpy()))


def compare(
    store: FeatureStore, seeds: int, folds: int, epochs: int, progress: bool = True
) -> list[dict[str, object]]:
    """Accuracies by clip of both `WAYS` in all `CASES`, and their paired difference over actors."""
    asked = {(way, case): [] for way in WAYS for case in CASES}
    for seed in range(seeds):
        for split in splits.folds(store.rows, "actor", folds, seed=seed):
            samples = loaders.to_device(store, split.train)
            for way, share in WAYS.items():
                settings = training.Training(
                    epochs, audio_weight=0, image_weight=0, modality_dropout=share, seed=seed
                )
                network = networks.make("balanced", store, seed)
                training.fit(network, samples, split, settings, progress)
                for case, present in CASES.items():
                    asked[way, case].append(predicted(network, store, samples, split.test, present))
    pooled = {key: pd.concat(tables) for key, tables in asked.items()}
    rows = [
        {"who": way} | {case: metrics.accuracy(pooled[way, case]) for case in CASES} for way in WAYS
    ]
    without, dropped = WAYS
    less: dict[str, object] = {"who": f"{dropped} less {without}"}
    for case in CASES:
        one, than = pooled[dropped, case], pooled[without, case]
        less[case] = metrics.accuracy(one) - metrics.accuracy(than)
        less[f"{case} from"], less[f"{case} to"] = metrics.interval(one, than=than)
    return [*rows, less]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="recordings; those of the lessons by default")
    parser.add_argument("--seeds", type=int, default=2, help="runs on all folds (default 2)")
    parser.add_argument("--folds", type=int, default=4, help="of actors (default 4)")
    parser.add_argument("--epochs", type=int, default=15, help="as in the lesson (default 15)")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    options = parser.parse_args(arguments)
    if options.json:
        files.refuse_to_replace(options.json)
    clips = ravdess.index(options.data or course.recordings())
    store = course.store(clips, Recipe.preset("paper"))
    rows = compare(store, options.seeds, options.folds, options.epochs)
    if options.json:
        files.save_json(options.json, {"measured_on": store.corpus, "rows": rows})
    print(pd.DataFrame(rows).round(3).to_string(index=False, na_rep=""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
