"""Which modality decides, and what cures help: all of them on the same folds, side by side.

`dominance_table` is what the runs come to.
Taught in notebooks/07-which-modality-decides.ipynb.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from torch import nn

from avlib import files, practice, workers
from avlib.corpus.ravdess import ClipName
from avlib.evaluation import metrics, runner
from avlib.features import recipe, spoil
from avlib.features.store import FeatureStore
from avlib.learning import cures, dominance, loaders, networks
from avlib.learning.dominance import MODALITIES
from avlib.learning.loaders import Samples
from avlib.learning.splits import Split
from avlib.learning.training import Training, load_weights, predict, save_weights
from avlib.practice import performance

NOISE_DB = 10  # how far the noise lies under a recording's mean power


@dataclass(frozen=True)
class NoisyStore(FeatureStore):
    """A store, and a file that holds the MFCCs of the same clips with noise in the sound."""

    noise: Path | None = None

    def __getstate__(self) -> dict[str, object]:
        return super().__getstate__() | {"noise": self.noise.absolute()}


def with_noise(
    store: FeatureStore, clips: pd.DataFrame, folder: Path, progress: bool = True
) -> NoisyStore:
    """Add pink noise to the recordings, 10 dB under their power, and keep their MFCCs in `folder`.

    `clips` is the table that the store was built from.
    """
    sounds = clips.set_index("clip")["sound"].loc[store.clips["clip"]]
    name = files.digest([store.header["recordings"], store.header["recipe"], "pink", NOISE_DB])[:16]
    path = folder / f"noise-{name}.safetensors"
    try:
        load_weights(path)
    except (FileNotFoundError, files.DamagedError):
        noise = spoil.noise(NOISE_DB)
        tasks = [delayed(recipe.clip_mfcc)(sound, store.recipe, noise) for sound in sounds]
        found = np.stack(list(workers.results(tasks, None, "noise", "clip", progress, True)))
        save_weights(path, {"mfcc": torch.from_numpy(found)}, {})
    return NoisyStore(store.folder, store.header, path)


def drawn_faces(clips: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Clips of the practice corpus in `folder`, with the 17 action units that each was drawn from.

    In a column ``vector``, as `action_units.join`. Raises ValueError for other recordings.
    """
    if not practice.is_practice(folder):
        raise ValueError(f"{folder}: is no practice corpus, and its faces were not drawn")
    names = [ClipName.parse(f"01-{clip}") for clip in clips["clip"]]
    units = performance.draw(names, practice.seed_of(folder))[list(performance.ACTION_UNITS)]
    return clips.assign(vector=list(units.to_numpy(np.float32)))


@dataclass(frozen=True)
class CureTrial(runner.Trial):
    """One cure on one split, in a world where the sound is as informative as `strength` says."""

    strength: float = 1.0
    noise_db: float | None = None  # None where the store has no noise

    code = (cures, dominance, recipe, spoil, sys.modules[__name__])

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
            for name, changed in _conditions(store, samples, split, seed, self.strength)
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
    return replace(samples, mfcc=samples.mfcc[_whose(len(samples.mfcc), strength)])


def _whose(clips: int, strength: float) -> np.ndarray:
    """The clip whose sound each clip has in a weakened world."""
    drawn = np.random.default_rng(0)
    order, other = (drawn.permutation(clips) for _ in range(2))
    changed = order[: round((1 - strength) * clips)]
    whose = np.arange(clips)
    whose[changed] = other[changed]
    return whose


def _conditions(
    store: FeatureStore, samples: Samples, split: Split, seed: int, strength: float
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
        added = ((noisy - store.mfcc) / deviation)[_whose(len(noisy), strength)]
        added = torch.from_numpy(added).to(samples.mfcc.device)
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
    names: Sequence[str] = tuple(cures.CURES),
    strengths: Sequence[float] = (1.0,),
    folds: int | str | None = 4,
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
    trials = [
        CureTrial("fusion", unit, replace(settings, seed=seed), folds, fold, name,
                  strength=strength, noise_db=NOISE_DB if isinstance(store, NoisyStore) else None)
        for strength, seed, unit in product(strengths, runner.seeds(seeds), units)
        for fold in range(runner.count(store, unit, folds))
        for name in names
    ]  # fmt: skip
    return runner.run("dominance", store, trials, **how) | {"strengths": list(strengths)}
