"""Table II, run: the systems that the paper names, on the same clips and folds as its own network.

`table` is what the runs come to.
Taught in notebooks/08-table-two-run.ipynb.
"""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from joblib import delayed
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from avlib import workers
from avlib.evaluation import ladder, metrics, runner
from avlib.features.store import FeatureStore
from avlib.learning import loaders, splits, systems
from avlib.learning.fusion import LateFusion
from avlib.learning.loaders import Samples
from avlib.learning.splits import Split
from avlib.learning.systems import SYSTEMS
from avlib.learning.training import Training

PAPER = "fusion"  # the paper's own network, of lesson 04
VOICE, BOTH = "discriminants, voice", "discriminants, voice and face"  # of lesson 09
COMPARED = (PAPER, VOICE)  # every system is compared with these


@dataclass(frozen=True)
class CostedTrial(runner.Trial):
    """A training of which is kept what it costs."""

    code = (sys.modules[__name__],)

    def learn(
        self, store: FeatureStore, samples: Samples, split: Split
    ) -> tuple[nn.Module, pd.DataFrame]:
        """As `Trial`, and the seconds of the processor that it takes: others may work beside it."""
        begun = process_time()
        network, history = self.train(store, samples, split)
        network.seconds = process_time() - begun
        return network, history

    def train(
        self, store: FeatureStore, samples: Samples, split: Split
    ) -> tuple[nn.Module, pd.DataFrame]:
        """What is timed."""
        return super().learn(store, samples, split)

    def examine(
        self, network: nn.Module, store: FeatureStore, samples: Samples, split: Split
    ) -> dict[str, object]:
        """Parameters, multiply-adds a clip and processor seconds of training."""
        rows = len(store.rows) / len(store.clips)
        cost = {
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "multiply-adds": round(rows * multiply_adds(network, samples)),
            "seconds": network.seconds,
        }
        return {"cost": cost}


@dataclass(frozen=True)
class SystemTrial(CostedTrial):
    """A published system on one split; `network` is its name in `SYSTEMS`."""

    weights: str = ""  # a file of pretrained weights; `variant` holds its digest

    # A system that a notebook has put into `SYSTEMS` goes with its trial to the other processes.
    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"system": SYSTEMS[self.network]}

    def __setstate__(self, state: dict[str, object]) -> None:
        SYSTEMS[state["network"]] = state.pop("system")
        vars(self).update(state)

    code = tuple(
        module for name, module in sorted(sys.modules.items())
        if name in (__name__, systems.__name__) or name.startswith(f"{systems.__name__}.")
    )  # fmt: skip

    @property
    def lasts(self) -> bool:
        """Not where the network is a notebook's own: it may be another at the next run."""
        return SYSTEMS[self.network].network.__module__.startswith("avlib.")

    def about(self, store: FeatureStore, split: Split) -> Split:
        """The rows of the emotions that the system tells apart."""
        known = store.rows["emotion"].isin(SYSTEMS[self.network].emotions).to_numpy()
        sides = {side: getattr(split, side) for side in runner.SIDES}
        return replace(split, **{side: rows[known[rows]] for side, rows in sides.items()})

    def train(
        self, store: FeatureStore, samples: Samples, split: Split
    ) -> tuple[nn.Module, pd.DataFrame]:
        """The network, and with it every stage that may decide after it."""
        weights = self.weights or None
        trained = systems.train(self.network, store, samples, split, self.settings, weights)
        trained.network.trained = trained
        return trained.network, trained.history

    def predict(self, network: nn.Module, samples: Samples, rows: np.ndarray) -> np.ndarray:
        """What the stage says that is right most often on the validation rows."""
        return network.trained.log_posteriors(samples, rows)

    def examine(
        self, network: nn.Module, store: FeatureStore, samples: Samples, split: Split
    ) -> dict[str, object]:
        """What it costs, and where there are several stages, what each predicts of test clips."""
        trained, found = network.trained, super().examine(network, store, samples, split)
        if len(trained.stages) < 2:
            return found
        said = {}
        for variant, logs in trained.by_variant(samples, split.test).items():
            table = metrics.by_clip(metrics.prediction_table(store, split.test, logs))
            logs = table[metrics.LOG_COLUMNS].to_numpy().tolist()
            said[variant] = dict(zip(table["clip"], logs, strict=True))
        return found | {"chosen": trained.chosen, "stages": said}


def multiply_adds(network: nn.Module, samples: Samples) -> int:
    """How often a network multiplies two numbers and adds the product, for one row.

    Counted by PyTorch on tensors that hold no numbers, where an LSTM is taken apart, too: matrix
    products, convolutions and attention, which all but a few are in.
    """
    batch = next(loaders.batches(samples, np.array([0]), 1, image=network.needs_image))
    empty = copy.deepcopy(network).eval().to("meta")
    image = None if batch.image is None else batch.image.to("meta")
    with FlopCounterMode(display=False) as counted:
        empty(batch.mfcc.to("meta"), image)
    return counted.get_total_flops() // 2


def run(
    store: FeatureStore,
    mfccs: FeatureStore,
    voices: FeatureStore,
    units: Sequence[str] = ("clip", "actor"),
    folds: int | str = "emobox",
    seeds: int = 1,
    settings: Training = Training(),  # noqa: B008 (frozen)
    names: Sequence[str] | None = None,
    published: Mapping[str, pd.DataFrame] | None = None,
    weights: Path | None = None,
    jobs: int | None = None,
    progress: bool = True,
    **how: object,
) -> dict[str, object]:
    """Train systems (all by default), the paper's network and discriminants on the same folds.

    `store` is by the recipe ``spectrogram``, `mfccs` by ``sequence`` for the paper's network and
    `voices` by ``voice`` for the discriminants; all of the same clips. `published` holds anybody's
    predictions by name, as `scoring.read` reads them; `weights` is a file for the systems that take
    one (`System.weights`). `how` goes to `runner.run`. Published folds keep actors apart: split by
    clip, there are as many folds as they have.

    Returns what `runner.run` does; each of the ``runs`` also has its ``cost`` (``parameters``,
    ``multiply-adds`` a clip, processor ``seconds`` of training), and where a system has several
    stages, what each predicts (``stages``) and which decided (``chosen``).
    """
    names = systems.built() if names is None else names
    if unknown := [name for name in names if name not in systems.built()]:
        said = ", ".join(systems.built())
        raise ValueError(f"systems: {unknown[0]!r} cannot be run; choose from {said}")
    how |= {"jobs": jobs, "progress": progress}
    given = {"weights": str(weights.absolute()), "variant": _digest(weights)} if weights else {}

    def trials(kind: type[CostedTrial], names: Sequence[str]) -> list[CostedTrial]:
        return [
            kind(name, unit, replace(settings, seed=seed), _folds(unit, folds), fold,
                 **given if name in SYSTEMS and SYSTEMS[name].weights else {})
            for seed, unit in product(runner.seeds(seeds), units)
            for fold in range(runner.count(store, unit, _folds(unit, folds)))
            for name in names
        ]  # fmt: skip

    result = runner.run("systems", store, trials(SystemTrial, names), **how)
    paper = trials(CostedTrial, [PAPER])
    own = runner.run("systems", mfccs, paper, **how)["runs"]
    tasks = [delayed(_discriminants)(voices, trial) for trial in paper if trial.settings.seed == 0]
    found = workers.results(tasks, jobs, "discriminants", "fold", progress, ordered=True)
    said = {
        name: table.set_index("clip")[metrics.LOG_COLUMNS].T.to_dict("list")
        for name, table in (published or {}).items()
    }
    runs = [*result["runs"], *own, *(each for two in found for each in two)]
    return result | {"folds": folds, "runs": runs, "published": said}


def _digest(weights: Path) -> str:
    """What a file of weights is known by; FileNotFoundError if there is none."""
    if not weights.is_file():
        raise FileNotFoundError(f"{weights}: no such file of weights")
    with weights.open("rb") as file:
        return f"weights {hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


def _folds(unit: str, folds: int | str) -> int | str:
    return folds if unit == "actor" or isinstance(folds, int) else len(splits.PUBLISHED[folds])


def _discriminants(store: FeatureStore, trial: runner.Trial) -> list[dict[str, object]]:
    """Shrinkage discriminants on the voice, and on both: all is learned from that is not tested."""
    seen, clips = ladder.faces(store), store.clips
    cut = runner.cut(store, trial)
    test = np.unique(store.rows["clip_number"].iloc[cut.test])
    train = np.setdiff1d(np.arange(len(clips)), test)
    emotion, speaker = (clips[name].to_numpy()[train] for name in ("emotion", "actor"))
    found = []
    for name, given in ((VOICE, {"sound": store.voice}),
                        (BOTH, {"sound": store.voice, "face": seen})):  # fmt: skip
        begun = process_time()
        with runner.on_one_thread(), threadpool_limits(1):
            model = LateFusion().fit(
                {part: rows[train] for part, rows in given.items()}, emotion, speaker
            )
        seconds = process_time() - begun
        logs = model.log_posteriors({part: rows[test] for part, rows in given.items()})
        linear = [model.models[part, False] for part in given]
        products = sum(each.coefficients.size for each in linear)
        cost = {
            "parameters": products + sum(each.intercept.size for each in linear),
            "multiply-adds": products,
            "seconds": seconds,
        }
        found.append(
            {"network": name, "unit": trial.unit, "seed": 0, "fold": trial.fold, "cost": cost,
             "predictions": dict(zip(clips["clip"].iloc[test], logs.tolist(), strict=True))}
        )  # fmt: skip
    return found


def table(result: dict[str, object]) -> list[dict[str, object]]:
    """What the runs come to: a row for each split and system, or stage of it.

    Accuracy and UAR have 95 % intervals over actors (``… from``, ``… to``), as have the paired
    differences of accuracy (``less …``). ``printed`` is what the system's paper printed, and
    ``printed on`` its protocol: not comparable with ours, nor with each other.
    """
    rows = []
    for unit in dict.fromkeys(each["unit"] for each in result["runs"]):
        runs: dict[str, list[dict]] = {}
        for each in result["runs"]:
            if each["unit"] == unit:
                runs.setdefault(each["network"], []).append(each)
        pooled = {name: _pooled(each["predictions"] for each in runs[name]) for name in runs}
        for name, own in runs.items():
            cost = pd.DataFrame([each["cost"] for each in own]).mean().to_dict()
            told = own[0].get("variant", "")
            rows.append(_row(unit, name, told, pooled) | cost | _printed(name))
            for variant in own[0].get("stages", ()):
                said = {name: _pooled(each["stages"][variant] for each in own)}
                rows.append(_row(unit, name, variant, pooled | said))
        for name, predictions in result["published"].items():
            said = pooled | {name: metrics.from_log_probabilities(predictions)}
            rows.append(_row(unit, name, "as published", said))
    return rows


def _pooled(runs: Iterator[Mapping[str, Sequence[float]]]) -> pd.DataFrame:
    return pd.concat(map(metrics.from_log_probabilities, runs), ignore_index=True)


def _row(
    unit: str, name: str, variant: str, pooled: Mapping[str, pd.DataFrame]
) -> dict[str, object]:
    """What one system's predictions are worth, and how they differ from others' on these clips."""
    own, found = pooled[name], {"split by": unit, "who": name, "variant": variant}
    emotions = SYSTEMS[name].emotions if name in SYSTEMS else metrics.CODES
    found |= metrics.summarise(own)
    for than in COMPARED:
        if than in pooled and than != name:
            other = pooled[than]
            other = among(other[other["clip"].isin(own["clip"])], emotions)
            both = own[own["clip"].isin(other["clip"])]
            if len(both):
                for part, value in metrics.difference(both, other).items():
                    if part.startswith("accuracy"):
                        found[part.replace("accuracy", f"less {than}")] = value
    return found


def among(predictions: pd.DataFrame, emotions: Sequence[int]) -> pd.DataFrame:
    """Predictions about clips of these emotions (codes), where no other may be answered."""
    some = predictions[predictions["label"].isin(emotions)].reset_index(drop=True)
    others = [f"log_prob_{code}" for code in metrics.CODES if code not in emotions]
    return metrics.at_temperature(some.assign(**dict.fromkeys(others, -99.0)), 1.0)


def _printed(name: str) -> dict[str, str]:
    if name not in SYSTEMS:
        return {}
    return {"printed": SYSTEMS[name].printed, "printed on": SYSTEMS[name].protocol}


def measured() -> pd.DataFrame:
    """What `table` came to once on RAVDESS, for whoever has no recordings or no time.

    Written by ``python tests/tools/results.py write``.
    """
    kept = json.loads(Path(__file__).with_name("table2.json").read_text("utf-8"))
    return pd.DataFrame(kept["rows"])


def as_text(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    """Two tables for a terminal: what each is worth and costs, and what was printed of it."""
    shown = pd.DataFrame(rows)
    shown["who"] = (shown["who"] + ", " + shown.pop("variant")).str.removesuffix(", ")
    printed = [name for name in shown if name.startswith("printed")]
    worth = [name for name in shown if name not in printed and not name.startswith("UAR ")]
    yield shown[worth].to_string(index=False, float_format="%.4g", na_rep="")
    if printed:
        yield ""
        told = shown.dropna(subset=printed).drop_duplicates("who")
        yield told[["who", *printed]].to_string(index=False)
