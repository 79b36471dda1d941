"""Are the networks better than a regression that was tuned as they were?

``python tests/benchmarks/regression.py STORE RESULT`` (about a minute): a feature store of action
units, and what ``run protocols --folds N --json RESULT`` wrote of it. On its folds with actors
apart, logistic regression is fitted with C = 1, as that command has it, and with the C that does
best on each fold's validation actors. Each network is compared with both on the same clips.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from avlib import files
from avlib.evaluation import metrics, runner
from avlib.features import FeatureStore
from avlib.learning import loaders, splits

BOUNDS = ("accuracy from", "accuracy to")
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)
NETWORK_BESIDE = dict(zip(runner.REGRESSIONS, ("audio", "image", "balanced"), strict=True))


def regressions(store: FeatureStore, name: str, result: dict) -> dict[str, pd.DataFrame]:
    """Predictions for every test clip, of all seeds and folds, as the networks' are kept."""
    predictions = {"C = 1": [], "C by validation": []}
    for seed in sorted({run["seed"] for run in result["runs"]}):
        for split in splits.folds(store.rows, "actor", result["folds"], seed):
            samples = loaders.to_device(
                store, split.train, "cpu", normalisation=result["normalisation"]
            )
            sound = samples.mfcc if samples.mfcc.ndim == 2 else samples.mfcc.mean(dim=2)
            modalities = {"sound": sound[samples.clip_of_row], "face": samples.vectors}
            given = [modalities[each] for each in runner.REGRESSIONS[name]]
            rows, label = torch.cat(given, dim=1).numpy(), samples.label.numpy()
            fitted, seen = {}, {}
            for strength in STRENGTHS:
                machine = LogisticRegression(C=strength, max_iter=2000)
                fitted[strength] = make_pipeline(StandardScaler(), machine)
                fitted[strength].fit(rows[split.train], label[split.train])
                seen[strength] = fitted[strength].score(
                    rows[split.validation], label[split.validation]
                )
            for how, strength in (("C = 1", 1), ("C by validation", max(seen, key=seen.get))):
                logs = fitted[strength].predict_log_proba(rows[split.test])
                rated = metrics.prediction_table(store, split.test, logs)
                predictions[how].append(metrics.by_clip(rated))
    return {how: pd.concat(each, ignore_index=True) for how, each in predictions.items()}


def compare(store: FeatureStore, result: dict) -> list[dict[str, object]]:
    """Each regression, and how far the network beside it is from it on the same clips."""
    rows = []
    for name, network in NETWORK_BESIDE.items():
        runs = [r for r in result["runs"] if (r["network"], r["unit"]) == (network, "actor")]
        ours = pd.concat(
            [metrics.from_log_probabilities(run["predictions"]) for run in runs], ignore_index=True
        )
        for how, theirs in regressions(store, name, result).items():
            found, gain = metrics.summarise(theirs), metrics.difference(ours, theirs)
            rows.append({
                "who": f"{name}, {how}",
                **{key: found[key] for key in ("accuracy", *BOUNDS)},
                **{f"network less this{key[8:]}": gain[key] for key in ("accuracy", *BOUNDS)},
            })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("store", help="of action units")
    parser.add_argument("result", help="what `run protocols … --json RESULT` wrote of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    options = parser.parse_args()
    store = FeatureStore.open(options.store)
    rows = compare(store, json.loads(Path(options.result).read_text(encoding="utf-8")))
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    if options.json:
        files.save_json(options.json, {"measured_on": store.corpus, "rows": rows})


if __name__ == "__main__":
    main()
