"""Which modality decides, and what cures help: all of them on the same folds, side by side.

Of no lesson yet.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from torch import nn

from avlib import files, workers
from avlib.evaluation import metrics, runner
from avlib.features import recipe
from avlib.features.store import FeatureStore
from avlib.learning import cures, dominance, loaders, networks, splits
from avlib.learning.dominance import MODALITIES
from avlib.learning.loaders import Samples
from avlib.learning.splits import Split
from avlib.learning.training import Training, load_weights, predict, save_weights

NOISE_DB = 10  # how far the noise lies under a recording's mean power
CONDITIONS = ("sound only", "face only", "noise at 10 dB", "face black for 1 s")
COMPARED = ("none", "auxiliary", "late")  # every cure is compared with these


@dataclass(frozen=True)
class NoisyStore(FeatureStore):
    """A store, and a file that holds the MFCCs of the same clips with noise in the sound."""

    noise: Path | None = None

    def __getstate__(self) -> dict[str, object]:
        return super().__getstate__() | {"noise": self.noise.absolute()}


def with_noise(
    store: FeatureStore, clips: pd.DataFrame, folder: Path, progress: bool = True
) -> NoisyStore:
    """Add white noise to the recordings, 10 dB under their power, and keep their MFCCs in `folder`.

    `clips` is the table that the store was built from.
    """
    sounds = clips.set_index("clip")["sound"].loc[store.clips["clip"]]
    name = files.digest([store.header["recordings"], store.header["recipe"], NOISE_DB])[:16]
    path = folder / f"noise-{name}.safetensors"
    try:
        load_weights(path)
    except (FileNotFoundError, files.DamagedError):
        tasks = [delayed(recipe.clip_mfcc)(sound, store.recipe, NOISE_DB) for sound in sounds]
        found = np.stack(list(workers.results(tasks, None, "noise", "clip", progress, True)))
        save_weights(path, {"mfcc": torch.from_numpy(found)}, {})
    return NoisyStore(store.folder, store.header, path)


@dataclass(frozen=True)
class CureTrial(runner.Trial):
    """One cure on one split, in a world where the sound is as informative as `strength` says."""

    strength: float = 1.0
    noise_db: float | None = None  # None where the store has no noise

    code = (cures, dominance)

    def given(self, samples: Samples) -> Samples:
        """See `weakened`."""
        return weakened(samples, self.strength)

    def learn(
        self, store: FeatureStore, samples: Samples, split: Split
    ) -> tuple[nn.Module, pd.DataFrame]:
        """By the cure that `variant` names."""

        def new(kind: type[nn.Module]) -> nn.Module:
            shapes = (store.mfcc.shape[1:], store.image_shape)
            return networks.seeded(kind, *shapes, seed=self.settings.seed)

        network, history, chosen = cures.CURES[self.variant](new, samples, split, self.settings)
        network.chosen = chosen
        return network, history

    def examine(
        self, network: nn.Module, store: FeatureStore, samples: Samples, split: Split
    ) -> dict[str, object]:
        """What is predicted of test clips by parts and in bad conditions, and the gradients."""
        rows, seed = split.test, self.settings.seed

        def codes(logs: np.ndarray) -> list[int]:
            table = metrics.by_clip(metrics.prediction_table(store, rows, logs))
            return metrics.predicted(table).tolist()

        asked = {
            name: codes(predict(network, changed, rows))
            for name, changed in _conditions(store, samples, split, seed)
        }
        found = dominance.probe(network, samples, split.train, rows)
        for name in MODALITIES:
            asked[f"head {name}"] = codes(predict(network, samples, rows, name))
            asked[f"probe {name}"] = codes(found[name])
        some = np.random.default_rng(seed).permutation(split.train)[:256]
        taught = not isinstance(network, cures.AlternatingFusion)  # there the joint loss is none
        batch = next(loaders.batches(samples, some, 256))
        return {
            "strength": self.strength,
            "chosen": network.chosen,
            "asked": asked,
            "gradients": dominance.gradients(network, batch) if taught else {},
        }


def weakened(samples: Samples, strength: float) -> Samples:
    """A world in which a share of clips, 1 − `strength`, has another clip's sound.

    Sound and face of these belong to clips drawn at random, so that the sound of all tells less of
    the emotion, in training and in tests; a weaker world changes more clips, and all that a
    stronger one does. At 0 it tells nothing. Raises ValueError outside 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength: should be 0 to 1, got {strength}")
    drawn = np.random.default_rng(0)
    order, other = (drawn.permutation(len(samples.mfcc)) for _ in range(2))
    changed = np.sort(order[: round((1 - strength) * len(order))])
    whose = np.arange(len(order))
    whose[changed] = other[changed]
    whose = torch.from_numpy(whose).to(samples.label.device)
    return replace(samples, clip_of_row=whose[samples.clip_of_row])


def _conditions(
    store: FeatureStore, samples: Samples, split: Split, seed: int
) -> Iterator[tuple[str, Samples]]:
    """The samples of the test side with something missing."""
    without = {name: dominance.at_mean(samples, name, split.train) for name in MODALITIES}
    yield "sound only", without["image"]
    yield "face only", without["audio"]
    yield "neither", dominance.at_mean(without["audio"], "image", split.train)
    for name, said in zip(MODALITIES, ("another's sound", "another's face"), strict=True):
        drawn = torch.Generator().manual_seed(seed)
        yield said, dominance.exchanged(samples, name, split.test, drawn)
    if isinstance(store, NoisyStore):
        noisy = load_weights(store.noise)[0]["mfcc"].numpy()
        train = np.unique(store.rows["clip_number"].iloc[split.train])
        over = (0,) if noisy.ndim == 2 else (0, 2)
        deviation = store.mfcc[train].std(axis=over, keepdims=True)[0]
        added = torch.from_numpy((noisy - store.mfcc) / deviation).to(samples.mfcc.device)
        yield "noise at 10 dB", replace(samples, mfcc=samples.mfcc + added)
    yield "face black for 1 s", _blackened(samples, without["image"])


def _blackened(samples: Samples, without: Samples) -> Samples:
    """Two of the six frame pairs black; of action units, a third of their mean the average face's.

    A pair stands for half a second. Action units are averaged over a clip of some three seconds.
    """
    if samples.pairs is None:
        return replace(samples, vectors=(2 * samples.vectors + without.vectors) / 3)
    own = samples.clip_of_row
    count = torch.bincount(own)
    place = torch.arange(len(own), device=own.device) - (count.cumsum(0) - count)[own]
    pairs = samples.pairs.clone()
    pairs[(place == 2) | (place == 3)] = 0
    return replace(samples, pairs=pairs)


def run(
    store: FeatureStore,
    units: Sequence[str] = ("clip", "actor"),
    seeds: int = 2,
    settings: Training = Training(),  # noqa: B008 (frozen)
    folds: int | str | None = 4,
    names: Sequence[str] = tuple(cures.CURES),
    strengths: Sequence[float] = (1.0,),
    **how: object,
) -> dict[str, object]:
    """Train by every cure on the same folds, and examine what comes out; see `runner.run`.

    With several `strengths`, in worlds in which the sound tells less and less (`weakened`). Each
    run also holds its ``strength``, what was ``chosen`` on the validation side, ``asked`` (the
    emotion codes predicted of the test clips, in the order of ``predictions``, by parts and in bad
    conditions) and the ``gradients`` of the last weights on 256 training rows.
    """
    if unknown := [name for name in names if name not in cures.CURES]:
        raise ValueError(f"cures: {unknown[0]!r} is none; choose from {', '.join(cures.CURES)}")
    if seeds < 1:
        raise ValueError(f"seeds: should be 1 or more, got {seeds}")
    trials = [
        CureTrial("fusion", unit, replace(settings, seed=seed), folds, fold, name,
                  strength=strength, noise_db=NOISE_DB if isinstance(store, NoisyStore) else None)
        for strength, seed, unit in product(strengths, range(seeds), units)
        for fold in range(len(splits.cuts(store.rows, unit, folds, seed=0)))
        for name in names
    ]  # fmt: skip
    return runner.run("dominance", store, trials, **how) | {"strengths": list(strengths)}


def table(result: dict[str, object]) -> list[dict[str, object]]:
    """What the runs come to: a row for each split, strength and cure, then paired differences.

    Accuracy and UAR have 95 % intervals over actors (``… from``, ``… to``). *Sound only* is the
    joint classifier with the face at its training mean, and so on; the rest is `diagnostics`.
    With three strengths or more, Spearman's rank correlation of each diagnostic with the strength
    that was set, for plain concatenation: over worlds (all runs of one together) and single runs.
    """
    worlds: dict[tuple[str, float], dict[str, list[dict]]] = {}
    for each in result["runs"]:
        world = worlds.setdefault((each["unit"], each["strength"]), {})
        world.setdefault(each["variant"], []).append(each)
    several, rows = len(result["strengths"]) > 1, []
    for (unit, strength), runs in worlds.items():
        where = {"split by": unit} | ({"strength": strength} if several else {})
        pooled = {name: _pooled(each) for name, each in runs.items()}
        for name, each in pooled.items():
            found = metrics.summarise(each[""])
            del found["calibration error"]
            rows.append(where | {"who": name} | found | diagnostics(runs[name], each))
        rank = {name: COMPARED.index(name) if name in COMPARED else len(COMPARED) for name in runs}
        for name, than in product(runs, filter(runs.get, COMPARED)):
            if rank[name] > rank[than]:
                parts = ((part, pooled[name][part], pooled[than][part])
                         for part in ("", *CONDITIONS) if part in pooled[name])  # fmt: skip
                each = {k: v for compared in parts for k, v in _difference(*compared)}
                rows.append(where | {"who": f"{name} less {than}"} | each)
    if len(result["strengths"]) > 2:
        rows += _ranked([row for row in rows if row["who"] == "none"], "worlds")
        plain = [each for each in result["runs"] if each["variant"] == "none"]
        rows += _ranked(
            [{"split by": each["unit"], "strength": each["strength"]}
             | diagnostics([each], _pooled([each])) for each in plain], "single runs"
        )  # fmt: skip
    return rows


def _pooled(runs: Sequence[dict]) -> dict[str, pd.DataFrame]:
    """The predictions of all runs, one below the other: the network's (""), and of each part."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for each in runs:
        found = metrics.from_log_probabilities(each["predictions"])
        tables.setdefault("", []).append(found)
        for name, codes in each["asked"].items():
            logs = np.where(np.array(metrics.CODES) == np.array(codes)[:, None], 0.0, -99.0)
            as_logs = dict(zip(metrics.LOG_COLUMNS, logs.T, strict=True))
            tables.setdefault(name, []).append(found.assign(**as_logs))
    return {name: pd.concat(each, ignore_index=True) for name, each in tables.items()}


def diagnostics(runs: Sequence[dict], pooled: dict[str, pd.DataFrame]) -> dict[str, float]:
    """What runs say of sound and face; see `avlib.learning.dominance` for each.

    ``overfitting ratio`` is that of the joint classifier from the first epoch to the last, over
    mean losses; None where the validation loss did not fall.
    """
    part = {name: metrics.accuracy(each) for name, each in pooled.items()}
    found = {name: part[name] for name in CONDITIONS if name in part}
    alone = {"audio": part["sound only"], "image": part["face only"]}
    values = {(name,): value for name, value in alone.items()}
    shares = dominance.shapley(values | {(): part["neither"], MODALITIES: part[""]})
    pulls = [each["gradients"] for each in runs if each["gradients"]]
    sides = zip(MODALITIES, MODALITIES[::-1], ("sound", "face"), strict=True)
    for name, other, said in sides:
        found[f"utilisation of {said}"] = dominance.utilisation(part[""], alone[other])
        found[f"lost with another's {said}"] = part[""] - part[f"another's {said}"]
        found[f"Shapley of {said}"] = shares[name]
        found[f"head of {said}"] = part[f"head {name}"]
        found[f"probe of {said}"] = part[f"probe {name}"]
        if pulls:
            found[f"gradient of {said}"] = float(np.mean([each[name]["joint"] for each in pulls]))
    history = pd.concat([pd.DataFrame(each["history"]) for each in runs])
    joint = history[history["classifier"] == "joint"].pivot_table("loss", "epoch", "side")
    first, last = (dominance.Losses(*joint.iloc[at][["train", "validation"]]) for at in (0, -1))
    ratio = dominance.overfitting_ratio(first, last)
    return found | {"overfitting ratio": ratio if np.isfinite(ratio) else None}


def _difference(part: str, one: pd.DataFrame, than: pd.DataFrame) -> Iterator[tuple[str, float]]:
    for name, value in metrics.difference(one, than).items():
        if name != "clips" and (not part or name.startswith("accuracy")):
            yield name.replace("accuracy", part) if part else name, value


def _ranked(rows: Sequence[dict[str, object]], over: str) -> list[dict[str, object]]:
    """How each diagnostic ranks worlds, by split: ρ with the strength; of face it should be −1."""
    ranked = []
    for unit, each in pd.DataFrame(rows).groupby("split by"):
        named = each.drop(columns=["split by", "strength", "who", "clips"], errors="ignore")
        named = named.drop(columns=[name for name in named if re.search(" (from|to)$", name)])
        found = named.astype(float).corrwith(each["strength"], method="spearman")
        ranked.append({"split by": unit, "who": f"ρ over {over}"} | found.dropna().to_dict())
    return ranked


def as_text(rows: Sequence[dict[str, object]]) -> str:
    """The table for a terminal: intervals of accuracy alone, and what belongs to cures apart."""
    shown = pd.DataFrame(rows)
    intervals = [name for name in shown if re.search(" (from|to)$", name)]
    kept = [name for name in intervals if name.startswith("accuracy ")]
    return shown.drop(columns=[name for name in intervals if name not in kept]).to_string(
        index=False, float_format="%.3f", na_rep=""
    )
