"""Whole experiments by name: each a few lines of plan for one runner, and the table they come to.

A result is plain JSON. It says what it was measured on, with which settings and versions, and
nothing that differs between two equal runs, such as seconds.
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from avlib.evaluation import metrics, runner
from avlib.evaluation.runner import REGRESSIONS, SIDES, Trial, run
from avlib.features.store import FeatureStore
from avlib.learning import loaders, networks, training
from avlib.learning.loaders import Normalisation
from avlib.learning.training import Training

# Table I of the paper, in per cent.
PAPER_TABLE_1 = {
    "audio": {"train": 98, "validation": 70, "test": 70},
    "image": {"train": 98, "validation": 85, "test": 85},
    "fusion": {"train": 98, "validation": 89, "test": 89},
}
# What the balanced fusion network is trained with, each beside the first: weights of the auxiliary
# losses (the joint loss has weight 1), and whose sounds a row hears.
VARIANTS = {
    "auxiliary": {
        "none": {"audio_weight": 0.0, "image_weight": 0.0},
        "audio": {"audio_weight": 1.0, "image_weight": 0.0},
        "image": {"audio_weight": 0.0, "image_weight": 1.0},
        "both": {"audio_weight": 1.0, "image_weight": 1.0},
        "both at a third": {"audio_weight": 1 / 3, "image_weight": 1 / 3},
        "both at three": {"audio_weight": 3.0, "image_weight": 3.0},
    },
    "pairing": {
        "own sounds": {"pairing": "clip"},
        "mixed in training": {"pairing": "class"},
        "mixed in the test": {"pairing": "clip"},
        "mixed in both": {"pairing": "class"},
    },
}
TRAINED = Path(training.__file__).parent / "trained"  # networks that come with avlib


def table1(
    store: FeatureStore,
    unit: str = "actor",
    settings: Training = Training(),  # noqa: B008 (frozen)
    normalisation: Normalisation = "training",
    **how: object,
) -> dict[str, object]:
    """Train the paper's three networks and our fusion on one split: Table I and Fig. 4.

    The seed of `settings` draws the split. Returns what `run`, which gets `how`, returns. Raises
    ValueError if the store holds no pictures, or too little for the split.
    """
    trials = [
        Trial(name, unit, settings.for_network(name), normalisation=normalisation)
        for name in networks.NETWORKS
    ]
    return run("table1", store, trials, **how)


def audio(
    store: FeatureStore,
    unit: str = "actor",
    folds: int | str = 4,
    settings: Training = Training(),  # noqa: B008 (frozen)
    normalisation: Normalisation = "training",
    **how: object,
) -> dict[str, object]:
    """Train the audio network on every fold, so that each clip is tested once; as `table1`."""
    trials = [
        Trial("audio", unit, settings, folds, fold, normalisation=normalisation)
        for fold in range(runner.count(store, unit, folds))
    ]
    return run("audio", store, trials, **how)


def protocols(
    store: FeatureStore,
    units: Sequence[str] = ("pair", "clip", "actor"),
    seeds: int = 3,
    settings: Training = Training(),  # noqa: B008 (frozen)
    folds: int | str | None = None,
    normalisation: Normalisation = "training",
    **how: object,
) -> dict[str, object]:
    """Train the networks under several splits: what an accuracy owes to the split; as `table1`.

    Each seed, 0 to `seeds` less one, draws its own split, first weights and order of rows. From a
    store of action units, logistic regression on clip means is run beside the networks.
    """
    names = [*networks.NETWORKS, *(REGRESSIONS if store.vectors is not None else ())]
    trials = [
        Trial(name, unit, replace(settings.for_network(name), seed=seed), folds, fold,
              normalisation=normalisation)
        for seed, unit in product(runner.seeds(seeds), units)
        for fold in range(runner.count(store, unit, folds))
        for name in names
    ]  # fmt: skip
    compared = [["fusion", "audio"], ["fusion", "image"], ["balanced", "audio"],
                ["balanced", "image"], ["balanced", "fusion"]]  # fmt: skip
    return run("protocols", store, trials, compared, **how)


def variants(
    store: FeatureStore,
    experiment: str,
    unit: str = "actor",
    seeds: int = 5,
    settings: Training = Training(),  # noqa: B008 (frozen)
    folds: int | str | None = None,
    normalisation: Normalisation = "training",
    **how: object,
) -> dict[str, object]:
    """Train the balanced fusion network in each way of `VARIANTS`, on the same splits; as `table1`.

    ``auxiliary``: with and without each auxiliary loss, and with other weights; the paper shows no
    run without. ``pairing``: with each clip's own sound, or one of its emotion; the paper does not
    say which. To exchange sounds in the test flatters, and shows by how much.
    """
    ways, ours = VARIANTS[experiment], settings.for_network("balanced")
    trials = [
        Trial("balanced", unit, replace(ours, seed=seed, **way), folds, fold, name, normalisation,
              mixed_test=name in ("mixed in the test", "mixed in both"))
        for seed, fold in product(runner.seeds(seeds), range(runner.count(store, unit, folds)))
        for name, way in ways.items()
    ]  # fmt: skip
    first, *others = (f"balanced, {name}" for name in ways)
    return run(experiment, store, trials, [[other, first] for other in others], **how)


def table(result: dict[str, object]) -> pd.DataFrame:
    """What the runs of an experiment come to: a row for each split and network.

    Columns are those of `metrics.summarise`, over the test clips of all seeds and folds together,
    and the number of runs. For each split there is also what always answering the training side's
    most frequent emotion would give, and how much accuracy and UAR of the networks that are
    ``compared`` differ on the same clips.
    """
    rows = {}
    for unit in dict.fromkeys(each["unit"] for each in result["runs"]):
        runs: dict[str, list] = {}
        for each in result["runs"]:
            if each["unit"] == unit:
                named = f"{each['network']}, {each['variant']}".removesuffix(", ")
                runs.setdefault(named, []).append(each)
        tables = {
            who: [metrics.from_log_probabilities(each["predictions"]) for each in same]
            for who, same in runs.items()
        }
        pooled = {who: pd.concat(each, ignore_index=True) for who, each in tables.items()}
        for who, predictions in pooled.items():
            rows[unit, who] = {"runs": len(runs[who])} | metrics.summarise(predictions)
        first = next(iter(runs))
        common = [
            metrics.majority(predictions, np.repeat(metrics.CODES, each["training_rows"]))
            for predictions, each in zip(tables[first], runs[first], strict=True)
        ]
        rows[unit, "always the most frequent"] = metrics.summarise(pd.concat(common))
        for who, than in result["compared"]:
            rows[unit, f"{who} less {than}"] = metrics.difference(pooled[who], pooled[than])
    return pd.DataFrame(rows).T


def table1_beside_paper(result: dict[str, object]) -> pd.DataFrame:
    """Table I from the result of `table1`: per cent, beside the paper's."""
    rows = {}
    for found in result["runs"]:
        name, sides = found["network"], found["sides"]
        rows[name] = {
            **{("clip accuracy", side): 100 * sides[side]["clip_accuracy"] for side in SIDES},
            **{("pair accuracy", side): 100 * sides[side]["pair_accuracy"] for side in SIDES},
            ("UAR", "test"): 100 * sides["test"]["uar"],
            **{("paper", side): PAPER_TABLE_1.get(name, {}).get(side) for side in SIDES},
        }
    return pd.DataFrame(rows).T.round(1)


def counts_by_actor() -> pd.DataFrame:
    """How often networks were right about each actor, none of whom they had met.

    One row for each ``corpus``, ``network`` of `networks.NETWORKS`, ``seed`` and ``actor``, with
    ``right`` and ``clips``. Each actor is tested once a seed, on one of four folds; which commands
    made it stands in ``wins.json`` and in RESULTS.md.
    """
    kept = json.loads(Path(__file__).with_name("wins.json").read_text("utf-8"))
    rows = [
        {key: row[key] for key in ("corpus", "network", "seed")}
        | {"actor": int(actor), "right": right, "clips": clips}
        for row in kept["rows"]
        for actor, (right, clips) in row["right of"].items()
    ]
    return pd.DataFrame(rows)


def trained(
    name: str, store: FeatureStore, folder: Path = TRAINED
) -> tuple[nn.Module, pd.DataFrame]:
    """A network that comes with avlib, trained on the practice corpus, and its history.

    Made by ``python -m avlib run table1 --weights avlib/learning/trained`` from the practice corpus
    of seed 0: split by actor, seed 0, 30 epochs. Raises ValueError if the store is not of what the
    network was trained on, or has another recipe, or the file is damaged.
    """
    tensors, header = training.load_weights(folder / f"{name}.safetensors")
    for what, asked in (("measured_on", store.corpus), ("recipe", asdict(store.recipe))):
        if header[what] != asked:
            raise ValueError(
                f"{folder / name}.safetensors: trained with {what} {header[what]}, and the store "
                f"has {asked}; train a network of your own"
            )
    network = networks.make(name, store, seed=0)
    network.load_state_dict(tensors)
    return network.to(loaders.best_device()), pd.DataFrame(header["history"])
