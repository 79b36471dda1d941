"""Whole runs by name, as plain results that JSON can hold.

A result says what it was measured on, with which settings and versions, and nothing that
differs between two equal runs, such as seconds.
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from tqdm.auto import tqdm

from avlib import __version__, files, workers
from avlib.corpus import ravdess, verify
from avlib.evaluation import metrics
from avlib.features.store import FeatureStore
from avlib.learning import loaders, networks, splits, training, weights
from avlib.learning.loaders import Normalisation
from avlib.learning.splits import Split
from avlib.learning.training import Training

# Table I of the paper, in per cent.
PAPER_TABLE_1 = {
    "audio": {"train": 98, "validation": 70, "test": 70},
    "image": {"train": 98, "validation": 85, "test": 85},
    "fusion": {"train": 98, "validation": 89, "test": 89},
}
NETWORKS = (*PAPER_TABLE_1, "balanced")  # the paper's three, and the fusion network as we train it
REGRESSIONS = {
    "regression on sound": ("sound",),
    "regression on face": ("face",),
    "regression on both": ("sound", "face"),
}
# What the fusion network is trained with, each beside the first: weights of the auxiliary losses
# (the joint loss has weight 1), and whose sounds a row hears.
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
_RUN_FORM = {
    "network": str, "variant": str, "unit": str, "seed": int, "fold": int, "actors": list,
    "settings": dict,
    "training": list, "clip_accuracy": float, "uar": float, "confusion": list, "predictions": dict,
    "kept_as": str,
}  # fmt: skip
_MIXED_TESTS = ("mixed in the test", "mixed in both")
SIDES = ("train", "validation", "test")
TRAINED = Path(training.__file__).parent / "trained"  # networks that come with avlib
_FULL_DESIGN = ravdess.speech_names(range(1, 25))
_PAIRS_A_CLIP = 6  # of the paper's recipe


def table1(
    store: FeatureStore,
    unit: str = "actor",
    settings: Training = Training(),  # noqa: B008 (frozen)
    progress: bool = True,
    weights_to: Path | None = None,
    normalisation: Normalisation = "training",
) -> dict[str, object]:
    """Train the paper's three networks and our fusion on one split: Table I and Fig. 4.

    Parameters
    ----------
    store : FeatureStore
        With pictures.
    unit : {"pair", "clip", "take", "actor"}
        What the split keeps whole.
    settings : Training
        Its seed also draws the split.
    progress : bool
        Show bars.
    weights_to : Path, optional
        Folder for the trained networks, a safetensors file each; its header holds what this
        returns of that network, so that weights are never without their recipe and accuracy.
    normalisation : {"training", "actor", "neutral"}
        What features are normalised by; see `loaders.to_device`.

    Returns
    -------
    dict
        ``networks`` → a name of `NETWORKS` → accuracy by pair and by clip and UAR
        by clip on each side, its settings, the history of every epoch and a fingerprint of the
        weights.

    Raises
    ------
    ValueError
        If the store holds no pictures, or there is too little data for the split.

    Notes
    -----
    Source: the paper's Table I and Fig. 4.
    """
    _require_pictures(store, "table1")
    split = splits.split(store.rows, unit, settings.seed)
    samples = loaders.to_device(store, split.train, normalisation=normalisation)
    result = _circumstances("table1", store, settings, normalisation) | {
        "split": _describe(store, split)
    }
    circumstances, result["networks"] = dict(result), {}
    for name in NETWORKS:
        network, own = make_network(name, store, settings.seed), settings_of(name, settings)
        history = training.fit(network, samples, split, own, progress)
        result["networks"][name] = {
            **{
                side: accuracies(_predictions(network, store, samples, split, side))
                for side in SIDES
            },
            "settings": asdict(own),
            "history": history.to_dict("records"),
            "weights": training.digest(network),
        }
        if weights_to is not None:
            header = circumstances | {"network": name} | result["networks"][name]
            weights.save(weights_to / f"{name}.safetensors", network.state_dict(), header)
    return result


def trained(
    name: str, store: FeatureStore, folder: Path = TRAINED
) -> tuple[nn.Module, pd.DataFrame]:
    """A network that comes with avlib, trained on the practice corpus.

    Parameters
    ----------
    name : {"audio", "image", "fusion", "balanced"}
    store : FeatureStore
        What the network is to be used on.
    folder : Path
        Where the weights lie.

    Returns
    -------
    nn.Module
    DataFrame
        The history, as `training.fit` returned it.

    Raises
    ------
    ValueError
        If the store is not of the practice corpus, or has another recipe, or the file is damaged.

    Notes
    -----
    Made by ``python -m avlib run table1 --weights avlib/learning/trained`` from the practice corpus
    of seed 0: split by actor, seed 0, 30 epochs.
    """
    tensors, header = weights.load(folder / f"{name}.safetensors", sealed=False)
    for what, asked in (("measured_on", store.corpus), ("recipe", asdict(store.recipe))):
        if header[what] != asked:
            raise ValueError(
                f"{folder / name}.safetensors: trained with {what} {header[what]}, and the store "
                f"has {asked}; train a network of your own"
            )
    network = make_network(name, store, seed=0)
    network.load_state_dict(tensors)
    if training.digest(network) != header["weights"]:
        raise ValueError(f"{folder / name}.safetensors: damaged; install avlib again")
    return network.to(loaders.best_device()), pd.DataFrame(header["history"])


def audio_folds(
    store: FeatureStore,
    unit: str = "actor",
    folds: int | str = 4,
    settings: Training = Training(),  # noqa: B008 (frozen)
    progress: bool = True,
    normalisation: Normalisation = "training",
) -> dict[str, object]:
    """Train the audio network on every fold, so that each clip is tested once.

    Parameters
    ----------
    store : FeatureStore
        With or without pictures.
    unit, settings, progress, normalisation
        As `table1`.
    folds : int or str
        How many folds, or the name of published ones (`splits.PUBLISHED`).

    Returns
    -------
    dict
        ``folds``, the scores of each fold's test side with its actors, and ``test``, the scores
        of all folds' test sides together.

    Raises
    ------
    ValueError
        If there is too little data for the folds.
    """
    tested, each_fold = [], []
    for split in _cuts(store, unit, folds, settings.seed):
        samples = loaders.to_device(store, split.train, normalisation=normalisation)
        network = make_network("audio", store, settings.seed)
        training.fit(network, samples, split, settings, progress)
        predictions = _predictions(network, store, samples, split, "test")
        tested.append(predictions)
        each_fold.append(accuracies(predictions) | {"actors": _actors(store, split.test)})
    return _circumstances("audio", store, settings, normalisation) | {
        "split": {"unit": unit, "folds": folds, "seed": settings.seed},
        "folds": each_fold,
        "test": accuracies(pd.concat(tested)),
    }


@dataclass(frozen=True)
class Trial:
    """One network to train on one split and to test.

    Attributes
    ----------
    network : str
        A name of `NETWORKS` or of `REGRESSIONS`.
    unit : {"pair", "clip", "take", "actor"}
        What the split keeps whole.
    settings : Training
        Its seed draws the split, the first weights and the order of rows.
    folds : int, str or None
        How many folds, or the name of published ones (`splits.PUBLISHED`); None for one split into
        80, 10 and 10 per cent.
    fold : int
        Which of them is tested, from 0.
    variant : str
        What sets this run apart from others of the same network, in words.
    normalisation : {"training", "actor", "neutral"}
        What features are normalised by; see `loaders.to_device`.
    mixed_test : bool
        Whether the test side's sounds are class-matched too; see `loaders.class_matched`.
    """

    network: str
    unit: str
    settings: Training
    folds: int | str | None = None
    fold: int = 0
    variant: str = ""
    normalisation: Normalisation = "training"
    mixed_test: bool = False


def protocols(
    store: FeatureStore,
    units: Sequence[str] = ("pair", "clip", "actor"),
    seeds: int = 3,
    settings: Training = Training(),  # noqa: B008 (frozen)
    jobs: int | None = None,
    progress: bool = True,
    keep: Path | None = None,
    folds: int | str | None = None,
    normalisation: Normalisation = "training",
    fresh: bool = False,
) -> dict[str, object]:
    """Train the networks under several splits: what an accuracy owes to the split.

    Parameters
    ----------
    store : FeatureStore
        With pictures or action units, on disk.
    units : sequence of {"pair", "clip", "take", "actor"}
        What the splits keep whole.
    seeds : int
        Runs of each network and split, with seeds 0 to this less one; each seed draws its split,
        its first weights and its order of rows.
    settings : Training
        Its seed is not used.
    jobs : int, optional
        Runs at a time, each on one processor; by default one for each processor.
    progress : bool
        Show a bar.
    keep : Path, optional
        Folder in which every run that has ended is kept; one that lies there, of the same
        recordings, settings, code and versions, is not made again, unless it is damaged.
    normalisation : {"training", "actor", "neutral"}
        What features are normalised by; see `loaders.to_device`.
    fresh : bool
        Make every run again, whatever is kept.
    folds : int or str, optional
        Test on each of so many folds in turn, or on published ones (`splits.PUBLISHED`), so that
        every clip is tested; by default on a tenth.

    Returns
    -------
    dict
        ``runs``: for each its ``network``, ``variant``, ``unit``, ``seed``, ``fold``, the scores of
        its test side as `accuracies` gives them, the actors there, the ``confusion`` by clip
        (true × predicted), and the ``predictions`` about each clip: its
        name and eight log-probabilities.
        ``compared``: which of them `protocol_table` compares.

    Raises
    ------
    ValueError
        As `table1`.

    Notes
    -----
    One thread a run, so that the result depends on the seeds alone and not on how many
    processors there are. On a GPU they take turns. From a store of action units, logistic
    regression on clip means is run beside the networks.
    """
    _require_pictures(store, "protocols")
    names = NETWORKS if store.vectors is None else (*NETWORKS, *REGRESSIONS)
    trials = [
        Trial(name, unit, replace(settings_of(name, settings), seed=seed), folds, fold,
              normalisation=normalisation)
        for seed, unit in product(_seeds(seeds), units)
        for fold in range(_count(store, unit, folds))
        for name in names
    ]  # fmt: skip
    compared = [["fusion", "audio"], ["fusion", "image"], ["balanced", "audio"],
                ["balanced", "image"], ["balanced", "fusion"]]  # fmt: skip
    return _experiment("protocols", store, trials, compared, jobs, progress, keep, fresh)


def variants(
    store: FeatureStore,
    experiment: str,
    unit: str = "actor",
    seeds: int = 5,
    settings: Training = Training(),  # noqa: B008 (frozen)
    jobs: int | None = None,
    progress: bool = True,
    keep: Path | None = None,
    folds: int | str | None = None,
    normalisation: Normalisation = "training",
    fresh: bool = False,
) -> dict[str, object]:
    """Train the balanced fusion network in several ways, on the same splits.

    Parameters
    ----------
    store, seeds, settings, jobs, progress, keep, folds, normalisation, fresh
        As `protocols`.
    experiment : {"auxiliary", "pairing"}
        ``auxiliary``: with and without each auxiliary loss, and with other weights; the paper
        shows no run without. ``pairing``: with each clip's own sound, or one of its emotion; the
        paper does not say which. To exchange sounds in the test flatters, and shows by how much.
    unit : {"pair", "clip", "take", "actor"}
        What the split keeps whole.

    Returns
    -------
    dict
        As `protocols`; ``variant`` is a name in `VARIANTS`. All are compared with the first.

    Raises
    ------
    ValueError
        As `table1`.
    """
    _require_pictures(store, experiment)
    ways, ours = VARIANTS[experiment], settings_of("balanced", settings)
    trials = [
        Trial("balanced", unit, replace(ours, seed=seed, **way), folds, fold, name,
             normalisation, name in _MIXED_TESTS)
        for seed, fold in product(_seeds(seeds), range(_count(store, unit, folds)))
        for name, way in ways.items()
    ]  # fmt: skip
    first, *others = (f"balanced, {name}" for name in ways)
    compared = [[other, first] for other in others]
    return _experiment(experiment, store, trials, compared, jobs, progress, keep, fresh)


def _seeds(count: int) -> range:
    if count < 1:
        raise ValueError(f"seeds: should be 1 or more, got {count}")
    return range(count)


def _count(store: FeatureStore, unit: str, folds: int | str | None) -> int:
    return len(_cuts(store, unit, folds, seed=0))


def _cuts(store: FeatureStore, unit: str, folds: int | str | None, seed: int) -> list[Split]:
    if folds is None:
        return [splits.split(store.rows, unit, seed)]
    if isinstance(folds, int):
        return splits.folds(store.rows, unit, folds, seed)
    if unit != "actor":
        raise ValueError(f"folds: {folds!r} keeps actors apart; choose the unit 'actor'")
    return splits.published(store.rows, folds, seed)


def _cut(store: FeatureStore, trial: Trial) -> Split:
    with warnings.catch_warnings(action="ignore"):  # they were told when the trials were made
        return _cuts(store, trial.unit, trial.folds, trial.settings.seed)[trial.fold]


def _experiment(
    experiment: str,
    store: FeatureStore,
    trials: Sequence[Trial],
    compared: Sequence[Sequence[str]],
    jobs: int | None,
    progress: bool,
    keep: Path | None,
    fresh: bool,
) -> dict[str, object]:
    """Carry trials out, or take what is kept of them, and say what they were carried out on."""
    places = {trial: keep and _place(keep, store, trial) for trial in trials}
    runs = {} if fresh or keep is None else _kept(places, progress)
    missing = [trial for trial in trials if trial not in runs]
    if loaders.best_device().type == "cuda":
        found = _on_one_device(store, missing, places, progress)
    else:
        tasks = [delayed(_run_one)(store, trial, places[trial]) for trial in missing]
        found = list(workers.results(tasks, jobs, "networks", "run", progress, ordered=True))
    runs |= dict(zip(missing, found, strict=True))
    return _circumstances(experiment, store, trials[0].settings, trials[0].normalisation) | {
        "folds": trials[0].folds,
        "compared": [list(pair) for pair in compared],
        "runs": [runs[trial] for trial in trials],
    }


def _place(keep: Path, store: FeatureStore, trial: Trial) -> Path:
    """Where a run is kept: under a name that all that it depends on goes into."""
    depends = [
        _circumstances("", store, trial.settings, trial.normalisation),
        asdict(trial),
        _code(),
    ]
    name = files.digest(depends)[:16]
    return keep / name[:2] / f"{name}.json"


@lru_cache(maxsize=1)
def _code() -> str:
    """A digest of the code that decides what a run comes to: change a network, and runs are new."""
    modules = (metrics, loaders, networks, splits, training)
    sources = [Path(module.__file__) for module in modules] + [Path(__file__)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _kept(places: Mapping[Trial, Path], progress: bool) -> dict[Trial, dict[str, object]]:
    """The runs that were kept whole, and in words how many and since when."""
    found, since = {}, []
    for trial, place in places.items():
        try:
            run = files.unseal(place, _RUN_FORM)
            if run.pop("kept_as") != place.stem:
                raise files.DamagedError(f"{place}: is another run's file")
            found[trial] = run
            since.append(place.stat().st_mtime)
        except FileNotFoundError:
            continue
        except files.DamagedError as error:
            warnings.warn(f"{error}; this run is made again", stacklevel=4)
    if found and progress:
        first, last = (
            f"{datetime.fromtimestamp(t):%Y-%m-%d %H:%M}" for t in (min(since), max(since))
        )
        print(
            f"{len(found)} of {len(places)} runs kept from {first} to {last} "
            "(of the same recordings, settings and code; `--fresh` makes them again)"
        )
    return found


def _on_one_device(
    store: FeatureStore,
    trials: Sequence[Trial],
    places: Mapping[Trial, Path | None],
    progress: bool,
) -> list[dict[str, object]]:
    """Runs that share a device, one after another: the pictures are there once."""
    samples, found = None, []
    for trial in tqdm(trials, "networks", unit="run", disable=not progress):
        split = _cut(store, trial)
        samples = samples or loaders.to_device(store, split.train)
        own = loaders.normalise_again(samples, store, split.train, trial.normalisation)
        found.append(_carry_out(trial, store, own, split, places[trial]))
    return found


def _run_one(store: FeatureStore, trial: Trial, place: Path | None) -> dict[str, object]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        split = _cut(store, trial)
        samples = loaders.to_device(store, split.train, normalisation=trial.normalisation)
        return _carry_out(trial, store, samples, split, place)
    finally:
        torch.set_num_threads(threads)


def _carry_out(
    trial: Trial, store: FeatureStore, samples: loaders.Samples, split: Split, place: Path | None
) -> dict[str, object]:
    network = None
    if trial.network not in REGRESSIONS:
        network = make_network(trial.network, store, trial.settings.seed)
        training.fit(network, samples, split, trial.settings, progress=False)
    run = _tested(trial, store, samples, split, network)
    if place is not None:
        files.seal(place, run | {"kept_as": place.stem})
    return run


def _tested(
    trial: Trial,
    store: FeatureStore,
    samples: loaders.Samples,
    split: Split,
    network: nn.Module | None = None,
) -> dict[str, object]:
    """Test a network, or for want of one a regression."""
    if trial.mixed_test:
        drawn = torch.Generator().manual_seed(trial.settings.seed)
        samples = loaders.class_matched(samples, split.test, drawn)
    if network is None:
        predictions = _regression_predictions(trial.network, store, samples, split)
    else:
        predictions = _predictions(network, store, samples, split, "test")
    clips = metrics.by_clip(predictions)
    return {
        "network": trial.network,
        "variant": trial.variant,
        "unit": split.unit,
        "seed": trial.settings.seed,
        "settings": asdict(trial.settings),
        "fold": trial.fold,
        "actors": _actors(store, split.test),
        "training": np.bincount(store.rows["emotion"].iloc[split.train], minlength=9)[1:].tolist(),
        **accuracies(predictions),
        "confusion": metrics.confusion(clips).to_numpy().tolist(),
        "predictions": dict(
            zip(clips["clip"], clips.filter(like="log_prob").to_numpy().tolist(), strict=True)
        ),
    }


def _regression_predictions(
    name: str, store: FeatureStore, samples: loaders.Samples, split: Split
) -> pd.DataFrame:
    """Logistic regression on means over time: what a network should be better than."""
    sound = samples.mfcc if samples.mfcc.ndim == 2 else samples.mfcc.mean(dim=2)
    modalities = {"sound": sound[samples.clip_of_row], "face": samples.vectors}
    rows = torch.cat([modalities[modality] for modality in REGRESSIONS[name]], dim=1).cpu().numpy()
    label = samples.label.cpu().numpy()
    machine = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    machine.fit(rows[split.train], label[split.train])
    logs = np.full((len(split.test), 8), np.log(np.finfo(np.float32).tiny))
    logs[:, machine.classes_] = machine.predict_log_proba(rows[split.test])
    return metrics.prediction_table(store, split.test, logs)


def protocol_table(result: dict[str, object]) -> pd.DataFrame:
    """What the runs of an experiment come to: a row for each split and network.

    Parameters
    ----------
    result : dict
        What `protocols` or `variants` returned.

    Returns
    -------
    DataFrame
        As `metrics.summarise`, over the test clips of all seeds and folds together, and the
        number of runs; for each split also what always answering the training side's most
        frequent emotion would give, and how much accuracy and UAR networks differ on the same
        clips.
    """
    runs = pd.DataFrame(result["runs"])
    runs["who"] = [
        f"{run['network']}, {run['variant']}" if run["variant"] else run["network"]
        for run in result["runs"]
    ]
    rows = {}
    for unit, ofunit in runs.groupby("unit", sort=False):
        alike = dict(list(ofunit.groupby("who", sort=False)))
        predictions = {
            who: pd.concat(
                [metrics.from_log_probabilities(each) for each in same["predictions"]],
                ignore_index=True,
            )
            for who, same in alike.items()
        }
        counts = ofunit["who"].value_counts()
        for who, each in predictions.items():
            rows[unit, who] = {"runs": counts[who]} | metrics.summarise(each)
        common = [
            metrics.majority(
                metrics.from_log_probabilities(run["predictions"]),
                np.repeat(metrics.CODES, run["training"]),
            )
            for _, run in next(iter(alike.values())).iterrows()
        ]
        rows[unit, "always the most frequent"] = metrics.summarise(pd.concat(common))
        for who, than in result["compared"]:
            rows[unit, f"{who} less {than}"] = _difference(predictions[who], predictions[than])
    return pd.DataFrame(rows).T


def _difference(predictions: pd.DataFrame, than: pd.DataFrame) -> dict[str, float]:
    found = {"clips": len(predictions)}
    for name, score in metrics.METRICS.items():
        found[name] = score(predictions) - score(than)
        if predictions["actor"].nunique() >= 3:
            low, high = metrics.interval(predictions, score, than)
            found |= {f"{name} from": low, f"{name} to": high}
    return found


def make_network(name: str, store: FeatureStore, seed: int) -> nn.Module:
    """The network of a name, one of `NETWORKS`, that fits a store's features."""
    mfcc_shape, image_shape = store.mfcc.shape[1:], store.image_shape
    if name == "audio":
        return training.seeded(networks.AudioNetwork, mfcc_shape, seed=seed)
    if name == "image":
        return training.seeded(networks.ImageNetwork, image_shape, seed=seed)
    make = networks.FusionNetwork if name == "fusion" else networks.BalancedFusionNetwork
    return training.seeded(make, mfcc_shape, image_shape, seed=seed)


def settings_of(name: str, settings: Training) -> Training:
    """The settings that a network is trained with: the balanced one has modality dropout."""
    if name != "balanced":
        return settings
    return replace(settings, modality_dropout=Training.preset("avlib").modality_dropout)


def accuracies(predictions: pd.DataFrame) -> dict[str, float]:
    """Accuracy by pair and by clip, UAR by clip, and how many clips they rest on."""
    clips = metrics.by_clip(predictions)
    return {
        "pair_accuracy": metrics.accuracy(predictions),
        "clip_accuracy": metrics.accuracy(clips),
        "uar": metrics.uar(clips),
        "clips": len(clips),
    }


def table1_beside_paper(result: dict[str, object]) -> pd.DataFrame:
    """Table I from the result of `table1`: per cent, beside the paper's."""
    rows = {}
    for name, found in result["networks"].items():
        rows[name] = {
            **{("clip accuracy", side): 100 * found[side]["clip_accuracy"] for side in SIDES},
            **{("pair accuracy", side): 100 * found[side]["pair_accuracy"] for side in SIDES},
            ("UAR", "test"): 100 * found["test"]["uar"],
            **{("paper", side): PAPER_TABLE_1.get(name, {}).get(side) for side in SIDES},
        }
    return pd.DataFrame(rows).T.round(1)


def _require_pictures(store: FeatureStore, experiment: str) -> None:
    if store.image_shape is None:
        raise ValueError(
            f"{store.folder}: holds sound alone, and {experiment} needs faces; build a "
            "store with frame pairs or action units, or use `run audio`"
        )


def _predictions(
    network: nn.Module, store: FeatureStore, samples: loaders.Samples, split: Split, side: str
) -> pd.DataFrame:
    rows = getattr(split, side)
    return metrics.prediction_table(store, rows, training.predict(network, samples, rows))


def _circumstances(
    experiment: str, store: FeatureStore, settings: Training, normalisation: Normalisation
) -> dict[str, object]:
    """What a number means nothing without."""
    return {
        "experiment": experiment,
        "measured_on": store.corpus,
        "clips": len(store.clips),
        "rows": len(store.rows),
        "actors": sorted(int(actor) for actor in store.clips["actor"].unique()),
        "recipe": asdict(store.recipe),
        "recordings": store.header["recordings"],
        "training": asdict(settings),
        "normalisation": normalisation,
        "device": str(loaders.best_device()),
        "versions": {"avlib": __version__}
        | {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
    }


def _describe(store: FeatureStore, split: Split) -> dict[str, object]:
    return {"unit": split.unit} | {
        side: {
            "rows": len(getattr(split, side)),
            "clips": int(store.rows["clip_number"].iloc[getattr(split, side)].nunique()),
            "actors": _actors(store, getattr(split, side)),
        }
        for side in SIDES
    }


def _actors(store: FeatureStore, rows: np.ndarray) -> list[int]:
    return sorted(int(actor) for actor in store.rows["actor"].iloc[rows].unique())


def audit(folder: Path | None, unit: str, seeds: Sequence[int]) -> dict[str, object]:
    """What test sides share with training sides, over several random splits.

    Parameters
    ----------
    folder : Path or None
        Recordings; None for the names of all 1440 speech clips of RAVDESS.
    unit : {"pair", "file", "clip", "take", "actor"}
        What is never cut apart. With ``pair`` the rows are six pairs a clip; with ``file``, each
        film by itself, with sound (01) and without (02).
    seeds : sequence of int

    Returns
    -------
    dict
        ``measured_on``, ``rows``, ``what`` (the rows are), ``split`` and ``shares``: each of
        `splits.leaks`, its mean, least and most over seeds, or None where the names do not tell.

    Raises
    ------
    ValueError
        If there is too little for the split.
    """
    if folder is None:
        clips = pd.DataFrame([vars(n) | {"clip": n.clip, "sex": n.sex} for n in _FULL_DESIGN])
        clips, measured_on = clips.drop(columns="modality"), "the full design of RAVDESS"
    else:
        clips = ravdess.index(folder)
        measured_on = f"{folder}, {ravdess.corpus(clips)}"
        sounds = clips["sound"].dropna()
        if unit != "file" and len(sounds) == len(clips):
            digests = verify.digests([Path(path) for path in sounds])
            clips["digest"] = [digests[Path(path)] for path in sounds]
    rows, what = clips, "clips"
    if unit == "pair":
        rows, what = clips.loc[clips.index.repeat(_PAIRS_A_CLIP)].reset_index(drop=True), "pairs"
    elif unit == "file":
        films = [clips.assign(modality=modality) for modality in (1, 2)]
        rows, what = pd.concat(films, ignore_index=True), "films"
    alone = {"file": "pair"}.get(unit, unit)  # each row by itself
    found = pd.DataFrame([splits.leaks(rows, splits.split(rows, alone, seed)) for seed in seeds])
    return {
        "measured_on": measured_on,
        "rows": len(rows),
        "what": what,
        "split": unit,
        "shares": {
            name: None if shares.isna().any() else
            {"mean": shares.mean(), "least": shares.min(), "most": shares.max()}
            for name, shares in found.items()
        },
    }  # fmt: skip
