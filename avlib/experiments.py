"""Whole runs by name, as plain results that JSON can hold.

A result says what it was measured on, with which settings and versions, and nothing that
differs between two equal runs, such as seconds.
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import nn
from tqdm.auto import tqdm

from avlib import (
    __version__,
    atomic,
    evaluation,
    loaders,
    networks,
    ravdess,
    splits,
    together,
    training,
    verify,
)
from avlib.features import FeatureStore
from avlib.splits import Split
from avlib.together import Run
from avlib.training import Training

# Table I of the paper, in per cent.
PAPER_TABLE_1 = {
    "audio": {"train": 98, "validation": 70, "test": 70},
    "image": {"train": 98, "validation": 85, "test": 85},
    "fusion": {"train": 98, "validation": 89, "test": 89},
}
SIDES = ("train", "validation", "test")
_FULL_DESIGN = ravdess.speech_names(range(1, 25))
_PAIRS_A_CLIP = 6  # of the paper's recipe


def table1(
    store: FeatureStore,
    unit: str = "actor",
    settings: Training = Training(),  # noqa: B008 (frozen)
    progress: bool = True,
) -> dict[str, object]:
    """Train the audio, image and fusion networks on one split: Table I and Fig. 4.

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

    Returns
    -------
    dict
        ``networks`` → ``audio``, ``image``, ``fusion`` → accuracy by pair and by clip and UAR
        by clip on each side, the history of every epoch and a fingerprint of the weights.

    Raises
    ------
    ValueError
        If the store holds no pictures, or there is too little data for the split.

    Notes
    -----
    Taught in lesson 05. Source: the paper's Table I and Fig. 4.
    """
    _require_pictures(store, "table1")
    split = splits.split(store.rows, unit, settings.seed)
    samples = loaders.to_device(store, split.train)
    result = _circumstances("table1", store, settings) | {"split": _describe(store, split)}
    result["networks"] = {}
    for name in PAPER_TABLE_1:
        network = make_network(name, store, settings.seed)
        history = training.fit(network, samples, split, settings, progress)
        result["networks"][name] = {
            **{side: scores(_answers(network, store, samples, split, side)) for side in SIDES},
            "history": history.to_dict("records"),
            "weights": training.digest(network),
        }
    return result


def audio_folds(
    store: FeatureStore,
    unit: str = "actor",
    count: int = 4,
    settings: Training = Training(),  # noqa: B008 (frozen)
    progress: bool = True,
) -> dict[str, object]:
    """Train the audio network on every fold, so that each clip is tested once.

    Parameters
    ----------
    store : FeatureStore
        With or without pictures.
    unit, settings, progress
        As `table1`.
    count : int
        How many folds.

    Returns
    -------
    dict
        ``folds``, the scores of each fold's test side with its actors, and ``test``, the scores
        of all folds' test sides together.

    Raises
    ------
    ValueError
        If there is too little data for the folds.

    Notes
    -----
    Taught in lesson 05.
    """
    tested, each_fold = [], []
    for split in splits.folds(store.rows, unit, count, settings.seed):
        samples = loaders.to_device(store, split.train)
        network = make_network("audio", store, settings.seed)
        training.fit(network, samples, split, settings, progress)
        answers = _answers(network, store, samples, split, "test")
        tested.append(answers)
        each_fold.append(scores(answers) | {"actors": _actors(store, split.test)})
    return _circumstances("audio", store, settings) | {
        "split": {"unit": unit, "folds": count, "seed": settings.seed},
        "folds": each_fold,
        "test": scores(pd.concat(tested)),
    }


def protocols(
    store: FeatureStore,
    units: Sequence[str] = ("pair", "clip", "actor"),
    seeds: int = 3,
    settings: Training = Training(),  # noqa: B008 (frozen)
    jobs: int | None = None,
    progress: bool = True,
    keep: Path | None = None,
) -> dict[str, object]:
    """Train the three networks under several splits: what an accuracy owes to the split.

    Parameters
    ----------
    store : FeatureStore
        With pictures, on disk.
    units : sequence of {"pair", "clip", "take", "actor"}
        What the splits keep whole.
    seeds : int
        Runs of each network and unit, with seeds 0 to this less one; each seed draws its split,
        its first weights and its order of rows.
    settings : Training
        Its seed is not used.
    jobs : int, optional
        Runs at a time, each on one processor; by default one for each processor.
    progress : bool
        Show a bar.
    keep : Path, optional
        Folder in which every run that has ended is kept; one that lies there, of the same
        recordings, settings and versions, is not made again.

    Returns
    -------
    dict
        ``runs``: for each its ``network``, ``unit``, ``seed``, the scores of its test side as
        `scores` gives them, the actors there, the ``confusion`` by clip (acted × decided), and
        the ``answers`` about each clip: its name and eight log-probabilities.

    Raises
    ------
    ValueError
        As `table1`.

    Notes
    -----
    One thread a run, so that the result depends on the seeds alone and not on how many
    processors there are. On a GPU all runs of a network are trained at once where that is
    faster; see `together`. Taught in lesson 05.
    """
    _require_pictures(store, "protocols")
    planned = list(product(range(seeds), units, PAPER_TABLE_1))
    circumstances = _circumstances("protocols", store, settings)
    files = _kept(keep, circumstances, planned)
    missing = [plan for plan in planned if files[plan] is None or not files[plan].exists()]
    if loaders.best_device().type == "cuda":
        found = _on_one_device(store, missing, settings, progress)
        for plan, run in zip(missing, found, strict=True):
            if keep is not None:
                atomic.save_json(files[plan], run)
    else:
        tasks = [
            delayed(_protocol_run)(
                store.folder, name, unit, replace(settings, seed=seed), files[plan]
            )
            for plan in missing
            for seed, unit, name in [plan]
        ]
        done = Parallel(n_jobs=jobs or os.cpu_count(), return_as="generator")(tasks)
        found = list(tqdm(done, "networks", len(tasks), unit="run", disable=not progress))
    runs = dict(zip(missing, found, strict=True))
    return circumstances | {
        "runs": [
            runs[plan] if plan in runs else json.loads(files[plan].read_text(encoding="utf-8"))
            for plan in planned
        ]
    }


def _kept(
    keep: Path | None, circumstances: dict[str, object], planned: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Path | None]:
    """Where each run is kept: under a name that all that it depends on goes into."""
    said = json.dumps(circumstances | {"training": circumstances["training"] | {"seed": None}})
    place = hashlib.sha256(said.encode()).hexdigest()[:12]
    return {
        (seed, unit, name): keep and keep / place / f"{name}-{unit}-{seed}.json"
        for seed, unit, name in planned
    }


def _on_one_device(
    store: FeatureStore,
    planned: Sequence[tuple[int, str, str]],
    settings: Training,
    progress: bool,
) -> list[dict[str, object]]:
    """Runs that share a device: the pictures are there once, whatever the number of runs."""
    samples, found = None, {}
    for name in PAPER_TABLE_1:
        runs = {}
        for seed, unit, network_name in planned:
            if network_name != name:
                continue
            split = splits.split(store.rows, unit, seed)
            samples = samples or loaders.to_device(store, split.train)
            own = loaders.standardise_again(samples, store, split.train)
            runs[seed, unit] = Run(make_network(name, store, seed), own, split, seed)
        if together.pays(list(runs.values()), settings):
            together.fit_together(list(runs.values()), settings, progress)
        else:
            for run in tqdm(runs.values(), name, unit="run", disable=not progress):
                one = replace(settings, seed=run.seed)
                training.fit(run.network, run.samples, run.split, one, progress=False)
        for (seed, unit), run in runs.items():
            found[seed, unit, name] = _tested(
                run.network, name, store, run.samples, run.split, seed
            )
    return [found[plan] for plan in planned]


def _protocol_run(
    folder: Path, name: str, unit: str, settings: Training, kept: Path | None
) -> dict[str, object]:
    torch.set_num_threads(1)
    store = FeatureStore.open(folder)
    split = splits.split(store.rows, unit, settings.seed)
    samples = loaders.to_device(store, split.train)
    network = make_network(name, store, settings.seed)
    training.fit(network, samples, split, settings, progress=False)
    run = _tested(network, name, store, samples, split, settings.seed)
    if kept is not None:
        atomic.save_json(kept, run)
    return run


def _tested(
    network: nn.Module,
    name: str,
    store: FeatureStore,
    samples: loaders.Samples,
    split: Split,
    seed: int,
) -> dict[str, object]:
    answers = _answers(network, store, samples, split, "test")
    clips = evaluation.by_clip(answers)
    return {
        "network": name,
        "unit": split.unit,
        "seed": seed,
        "actors": _actors(store, split.test),
        **scores(answers),
        "confusion": evaluation.confusion(clips).to_numpy().tolist(),
        "answers": dict(
            zip(clips["clip"], clips.filter(like="log_prob").to_numpy().tolist(), strict=True)
        ),
    }


def protocol_table(result: dict[str, object]) -> pd.DataFrame:
    """What the runs of `protocols` come to: a row for each split and network.

    Parameters
    ----------
    result : dict
        What `protocols` returned.

    Returns
    -------
    DataFrame
        As `judged`, over the test clips of all seeds together, and the number of runs; for each
        split also what always answering the most frequent emotion would give.

    Notes
    -----
    Taught in lesson 05.
    """
    runs = pd.DataFrame(result["runs"])
    rows = {}
    for unit, ofunit in runs.groupby("unit", sort=False):
        for name, same in ofunit.groupby("network", sort=False):
            answers = pd.concat([evaluation.table(each) for each in same["answers"]])
            rows[unit, name] = {"runs": len(same)} | judged(answers)
        rows[unit, "always the most frequent"] = judged(evaluation.majority(answers))
    return pd.DataFrame(rows).T


def make_network(name: str, store: FeatureStore, seed: int) -> nn.Module:
    """The ``audio``, ``image`` or ``fusion`` network that fits a store's features.

    Notes
    -----
    Taught in lesson 05.
    """
    mfcc_shape, size = store.mfcc.shape[1:], store.recipe.frame_size
    if name == "audio":
        return training.seeded(networks.AudioNetwork, mfcc_shape, seed=seed)
    if name == "image":
        return training.seeded(networks.ImageNetwork, size, seed=seed)
    return training.seeded(networks.FusionNetwork, mfcc_shape, size, seed=seed)


def scores(answers: pd.DataFrame) -> dict[str, float]:
    """Accuracy by pair and by clip, UAR by clip, and how many clips they rest on.

    Notes
    -----
    Taught in lesson 05.
    """
    clips = evaluation.by_clip(answers)
    return {
        "pair_accuracy": evaluation.accuracy(answers),
        "clip_accuracy": evaluation.accuracy(clips),
        "uar": evaluation.uar(clips),
        "clips": len(clips),
    }


def summary(result: dict[str, object]) -> pd.DataFrame:
    """Table I from the result of `table1`: per cent, beside the paper's.

    Notes
    -----
    Taught in lesson 05.
    """
    rows = {}
    for name, found in result["networks"].items():
        rows[name] = {
            **{("clip accuracy", side): 100 * found[side]["clip_accuracy"] for side in SIDES},
            **{("pair accuracy", side): 100 * found[side]["pair_accuracy"] for side in SIDES},
            ("UAR", "test"): 100 * found["test"]["uar"],
            **{("paper", side): PAPER_TABLE_1[name][side] for side in SIDES},
        }
    return pd.DataFrame(rows).T.round(1)


def _require_pictures(store: FeatureStore, experiment: str) -> None:
    if store.pairs is None:
        raise ValueError(
            f"{store.folder}: holds sound alone, and {experiment} needs frame pairs; build a "
            "store with pictures, or use `run audio`"
        )


def _answers(
    network: nn.Module, store: FeatureStore, samples: loaders.Samples, split: Split, side: str
) -> pd.DataFrame:
    rows = getattr(split, side)
    return evaluation.predictions(store, rows, training.predict(network, samples, rows))


def _circumstances(experiment: str, store: FeatureStore, settings: Training) -> dict[str, object]:
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
        "device": str(loaders.best_device()),
        "versions": {"avlib": __version__, "torch": version("torch"), "numpy": version("numpy")},
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


def judged(answers: pd.DataFrame) -> dict[str, float]:
    """Accuracy and UAR with their 95 % intervals over actors, and the calibration error.

    Parameters
    ----------
    answers : DataFrame
        What `evaluation.by_clip` returned.

    Returns
    -------
    dict of float
        Without intervals where there are fewer than three actors.

    Notes
    -----
    Taught in lesson 05.
    """
    found = {"clips": len(answers)}
    for name, score in (("accuracy", evaluation.accuracy), ("UAR", evaluation.uar)):
        found[name] = score(answers)
        if answers["actor"].nunique() >= 3:
            found[f"{name} from"], found[f"{name} to"] = evaluation.interval(answers, score)
    return found | {"calibration error": evaluation.calibration_error(answers)}


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

    Notes
    -----
    Taught in lesson 05.
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
