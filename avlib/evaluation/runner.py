"""One runner for every experiment: trials are carried out on all cores, kept, and described.

Of no lesson; `experiments` is.
"""

import ast
import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

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
from avlib.evaluation import metrics
from avlib.features.store import FeatureStore
from avlib.learning import loaders, networks, splits, training
from avlib.learning.loaders import Normalisation, Samples
from avlib.learning.splits import Split
from avlib.learning.training import Training

REGRESSIONS = {
    "regression on sound": ("sound",),
    "regression on face": ("face",),
    "regression on both": ("sound", "face"),
}
SIDES = ("train", "validation", "test")
_RUN_FORM = {
    "network": str, "variant": str, "unit": str, "seed": int, "fold": int, "settings": dict,
    "sides": dict, "training_rows": list, "confusion": list, "predictions": dict, "history": list,
    "weights": str, "kept_as": str,
}  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One network to train on one split and to test."""

    network: str  # a name of `networks.NETWORKS` or of `REGRESSIONS`
    unit: str  # what the split keeps whole: pair, clip, take or actor
    settings: Training  # its seed draws the split, the first weights and the order of rows
    folds: int | str | None = None  # as in `splits.cuts`
    fold: int = 0  # which of them is tested
    variant: str = ""  # what sets it apart from others of the same network, in words
    normalisation: Normalisation = "training"
    mixed_test: bool = False  # whether the test side's sounds are class-matched too

    code = ()  # modules beside the usual ones that decide what a run of this kind comes to
    lasts = True  # whether its runs may be kept

    def about(self, store: FeatureStore, split: Split) -> Split:
        """The rows of a split that this trial is about."""
        return split

    def given(self, samples: Samples) -> Samples:
        """The samples as this trial wants them."""
        return samples

    def learn(
        self, store: FeatureStore, samples: Samples, split: Split
    ) -> tuple[nn.Module, pd.DataFrame]:
        """A trained network and its history."""
        network = networks.make(self.network, store, self.settings.seed)
        return network, training.fit(network, samples, split, self.settings, progress=False)

    def predict(self, network: nn.Module, samples: Samples, rows: np.ndarray) -> np.ndarray:
        """What it says of rows: log-probabilities, ``(rows, 8)``."""
        return training.predict(network, samples, rows)

    def examine(
        self, network: nn.Module, store: FeatureStore, samples: Samples, split: Split
    ) -> dict[str, object]:
        """What else is to be kept of the run, by name, as JSON holds it."""
        return {}


def run(
    experiment: str,
    store: FeatureStore,
    trials: Sequence[Trial],
    compared: Sequence[Sequence[str]] = (),
    jobs: int | None = None,
    progress: bool = True,
    keep: Path | None = None,
    fresh: bool = False,
    weights_to: Path | None = None,
) -> dict[str, object]:
    """Carry trials out, or take what is kept of them, and say what they were carried out on.

    `jobs` trials run at a time (one for each processor by default), each on one thread, so that the
    result depends on the seeds alone; on a GPU they take turns. In the folder `keep` every run that
    has ended is kept; one that lies there, of the same recordings, settings, code and versions, is
    not made again, unless it is damaged or `fresh` is set. `weights_to` is a folder for the trained
    networks, a safetensors file each, whose header says what this returns of that network.

    Returns the circumstances, ``compared`` (which networks `table` compares) and ``runs``: for each
    its ``network``, ``variant``, ``unit``, ``seed``, ``fold`` and ``settings``; ``sides`` (rows,
    clips, actors, accuracy by pair and by clip, UAR of each); how many ``training_rows`` each
    emotion has; of the test side the ``confusion`` by clip (true × predicted) and the
    ``predictions``, eight log-probabilities a clip; the ``history`` of `training.fit` and a digest
    of the ``weights``.
    """
    if store.image_shape is None and any(trial.network != "audio" for trial in trials):
        raise ValueError(
            f"{store.folder}: holds sound alone, and {experiment} needs faces; build a "
            "store with frame pairs or action units, or use `run audio`"
        )
    places = {trial: _place(keep, store, trial) if keep and trial.lasts else None
              for trial in trials}  # fmt: skip
    runs = {} if fresh else _kept({t: place for t, place in places.items() if place}, progress)
    missing = [trial for trial in trials if trial not in runs]
    if loaders.best_device().type == "cuda":
        found = _on_one_device(store, missing, places, progress, weights_to)
    else:
        tasks = [delayed(_run_one)(store, trial, places[trial], weights_to) for trial in missing]
        found = list(workers.results(tasks, jobs, "networks", "run", progress, ordered=True))
    runs |= dict(zip(missing, found, strict=True))
    return _circumstances(experiment, store, trials[0]) | {
        "folds": trials[0].folds,
        "compared": [list(pair) for pair in compared],
        "runs": [runs[trial] for trial in trials],
    }


def _place(keep: Path, store: FeatureStore, trial: Trial) -> Path:
    """Where a run is kept: under a name that all that it depends on goes into."""
    name = files.digest([_circumstances("", store, trial), asdict(trial), _code(*trial.code)])[:16]
    return keep / name[:2] / f"{name}.json"


@cache
def _code(*more: ModuleType) -> str:
    """A digest of the code that decides what a run comes to: change a network, and runs are new.

    Comments and docstrings decide nothing.
    """
    modules = (metrics, loaders, networks, splits, training, *more)
    found = hashlib.sha256()
    for path in (Path(__file__), *(Path(module.__file__) for module in modules)):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
        found.update(ast.dump(tree).encode())
    return found.hexdigest()


def _kept(places: Mapping[Trial, Path], progress: bool) -> dict[Trial, dict[str, object]]:
    """The runs that were kept whole, and in words how many and since when."""
    found, since = {}, []
    for trial, place in places.items():
        try:
            kept = files.unseal(place, _RUN_FORM)
            if kept.pop("kept_as") != place.stem:
                raise files.DamagedError(f"{place}: is another run's file")
            found[trial] = kept
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
    weights_to: Path | None = None,
) -> list[dict[str, object]]:
    """Runs that share a device, one after another: the pictures are there once."""
    samples, found = None, []
    for trial in tqdm(trials, "networks", unit="run", disable=not progress):
        split = cut(store, trial)
        samples = samples or loaders.to_device(store, split.train)
        own = loaders.normalise_again(samples, store, split.train, trial.normalisation)
        found.append(_carry_out(trial, store, own, split, places[trial], weights_to))
    return found


def _run_one(
    store: FeatureStore, trial: Trial, place: Path | None, weights_to: Path | None
) -> dict[str, object]:
    with on_one_thread():
        split = cut(store, trial)
        samples = loaders.to_device(store, split.train, normalisation=trial.normalisation)
        return _carry_out(trial, store, samples, split, place, weights_to)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Within it PyTorch works on one thread: others train beside it, and sums keep their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cut(store: FeatureStore, trial: Trial) -> Split:
    """The rows of a trial; without warnings, which were told when the trials were made."""
    with warnings.catch_warnings(action="ignore"):
        cuts = splits.cuts(store.rows, trial.unit, trial.folds, trial.settings.seed)
    return trial.about(store, cuts[trial.fold])


def seeds(number: int) -> range:
    """The seeds of so many runs; ValueError for less than one."""
    if number < 1:
        raise ValueError(f"seeds: should be 1 or more, got {number}")
    return range(number)


def count(store: FeatureStore, unit: str, folds: int | str | None) -> int:
    """How many of `splits.cuts` there are."""
    return len(splits.cuts(store.rows, unit, folds, seed=0))


def _carry_out(
    trial: Trial,
    store: FeatureStore,
    samples: Samples,
    split: Split,
    place: Path | None,
    weights_to: Path | None,
) -> dict[str, object]:
    """Train, test, and keep what comes of it."""
    samples = trial.given(samples)
    if trial.network in REGRESSIONS:
        network, history, log_probabilities = None, [], _regression(trial.network, samples, split)
    else:
        network, table = trial.learn(store, samples, split)
        history = table.to_dict("records")
        log_probabilities = partial(trial.predict, network)
    tested = samples
    if trial.mixed_test:
        drawn = torch.Generator().manual_seed(trial.settings.seed)
        tested = loaders.class_matched(samples, split.test, drawn)
    predictions = {}
    for side, given in zip(SIDES, (samples, samples, tested), strict=True):
        rows = getattr(split, side)
        predictions[side] = metrics.prediction_table(store, rows, log_probabilities(given, rows))
    done = _described(trial, store, split, predictions) | {
        "history": history,
        "weights": training.digest(network) if network else "",
        **trial.examine(network, store, samples, split),
    }
    if place is not None:
        files.seal(place, done | {"kept_as": place.stem})
    if weights_to is not None:
        header = _circumstances("weights", store, trial) | done
        del header["predictions"]
        path = weights_to / f"{trial.network}.safetensors"
        training.save_weights(path, network.state_dict(), header)
    return done


def _described(
    trial: Trial, store: FeatureStore, split: Split, predictions: Mapping[str, pd.DataFrame]
) -> dict[str, object]:
    """What a run came to, as JSON holds it."""
    clips = metrics.by_clip(predictions["test"])
    logs = clips[metrics.LOG_COLUMNS].to_numpy().tolist()
    emotions = store.rows["emotion"].iloc[split.train]
    return {
        "network": trial.network,
        "variant": trial.variant,
        "unit": trial.unit,
        "seed": trial.settings.seed,
        "fold": trial.fold,
        "settings": asdict(trial.settings),
        "sides": {side: accuracies(table) for side, table in predictions.items()},
        "training_rows": np.bincount(emotions, minlength=9)[1:].tolist(),
        "confusion": metrics.confusion(clips).to_numpy().tolist(),
        "predictions": dict(zip(clips["clip"], logs, strict=True)),
    }


def _regression(
    name: str, samples: Samples, split: Split
) -> Callable[[Samples, np.ndarray], np.ndarray]:
    """Logistic regression on means over time: what a network should be better than."""

    def given(samples: Samples, rows: np.ndarray) -> np.ndarray:
        sound = samples.mfcc if samples.mfcc.ndim == 2 else samples.mfcc.mean(dim=2)
        modalities = {"sound": sound[samples.clip_of_row], "face": samples.vectors}
        chosen = [modalities[modality] for modality in REGRESSIONS[name]]
        return torch.cat(chosen, dim=1).cpu().numpy()[rows]

    def log_probabilities(samples: Samples, rows: np.ndarray) -> np.ndarray:
        logs = np.full((len(rows), networks.CLASSES), np.log(np.finfo(np.float32).tiny))
        logs[:, machine.classes_] = machine.predict_log_proba(given(samples, rows))
        return logs

    machine = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    machine.fit(given(samples, split.train), samples.label.cpu().numpy()[split.train])
    return log_probabilities


def accuracies(predictions: pd.DataFrame) -> dict[str, object]:
    """Accuracy by pair and by clip, UAR by clip, and how many rows and whose they rest on."""
    clips = metrics.by_clip(predictions)
    return {
        "pair_accuracy": metrics.accuracy(predictions),
        "clip_accuracy": metrics.accuracy(clips),
        "uar": metrics.uar(clips),
        "rows": len(predictions),
        "clips": len(clips),
        "actors": sorted(int(actor) for actor in clips["actor"].unique()),
    }


def circumstances(experiment: str, store: FeatureStore) -> dict[str, object]:
    """What a number means nothing without."""
    return {
        "experiment": experiment,
        "measured_on": store.corpus,
        "clips": len(store.clips),
        "rows": len(store.rows),
        "actors": sorted(int(actor) for actor in store.clips["actor"].unique()),
        "recipe": asdict(store.recipe),
        "recordings": store.header["recordings"],
        "versions": {"avlib": __version__}
        | {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
    }


def _circumstances(experiment: str, store: FeatureStore, trial: Trial) -> dict[str, object]:
    return circumstances(experiment, store) | {
        "training": asdict(trial.settings),
        "normalisation": trial.normalisation,
        "device": str(loaders.best_device()),
    }
