"""Networks trained together become what they become one by one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from media import store_of
from torch import nn

from avlib import loaders, networks, splits, together, training
from avlib.features import FeatureStore
from avlib.splits import Split
from avlib.together import Run
from avlib.training import Training

BRIEF = Training(epochs=3, batch=32)
KINDS = pytest.mark.parametrize(
    "make", [networks.AudioNetwork, networks.ImageNetwork, networks.FusionNetwork]
)


def runs_of(
    store: FeatureStore,
    make: type[nn.Module],
    cuts: list[Split],
    standard: str = "training",
    arguments: tuple = (),
) -> list[Run]:
    first = loaders.to_device(store, cuts[0].train, "cpu")
    return [
        Run(
            training.seeded(make, *arguments, seed=seed),
            loaders.standardise_again(first, store, cut.train, standard),
            cut,
            seed,
        )
        for seed, cut in enumerate(cuts)
    ]


def one_by_one(runs: list[Run], settings: Training) -> list[pd.DataFrame]:
    return [
        training.fit(
            run.network, run.samples, run.split, replace(settings, seed=run.seed), progress=False
        )
        for run in runs
    ]


def weights(runs: list[Run]) -> torch.Tensor:
    return torch.stack(
        [torch.cat([part.reshape(-1) for part in run.network.parameters()]) for run in runs]
    ).detach()


def uneven(cut: Split) -> list[Split]:
    """Splits whose last batch, and whose number of batches, differ."""
    return [cut, replace(cut, train=cut.train[:-5]), replace(cut, train=cut.train[: 32 + 7])]


@KINDS
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_together_gives_what_one_by_one_gives(
    easy: FeatureStore, make: type[nn.Module], dropout: float
) -> None:
    cuts = uneven(splits.split(easy.rows, "actor", 0))
    settings = replace(BRIEF, sense_dropout=dropout)
    alone, joined = runs_of(easy, make, cuts), runs_of(easy, make, cuts)
    first = weights(alone)
    wanted = one_by_one(alone, settings)
    found = together.fit_together(joined, settings, progress=False)
    moved = (weights(alone) - first).abs().max()
    assert moved > 0.01
    torch.testing.assert_close(weights(joined), weights(alone), rtol=0, atol=1e-3 * moved.item())
    for one, other in zip(wanted, found, strict=True):
        keys = ["epoch", "side", "classifier"]
        one, other = (table.set_index(keys).sort_index() for table in (one, other))
        np.testing.assert_allclose(other["loss"], one["loss"], rtol=1e-3)
        np.testing.assert_allclose(other["accuracy"], one["accuracy"], atol=0.02)


@pytest.mark.parametrize("seen", ["pairs", "vectors"])
def test_together_knows_vectors_and_the_standard_of_each_actor(
    easy: FeatureStore, seen: str
) -> None:
    store, shape = easy, (64, 128, 3)
    if seen == "vectors":
        vectors = np.random.default_rng(0).normal(size=(len(easy.clips), 5)).astype(np.float32)
        store, shape = store_of(easy.clips, easy.mfcc, None, vectors=vectors), (5,)
    cuts = uneven(splits.split(store.rows, "actor", 0))
    alone, joined = (
        runs_of(store, networks.FusionNetwork, cuts, "actor", ((40,), shape)) for _ in range(2)
    )
    first = weights(alone)
    one_by_one(alone, BRIEF)
    together.fit_together(joined, BRIEF, progress=False)
    moved = (weights(alone) - first).abs().max()
    torch.testing.assert_close(weights(joined), weights(alone), rtol=0, atol=1e-3 * moved.item())


def test_class_matched_sounds_are_not_for_many_at_once(easy: FeatureStore) -> None:
    runs = runs_of(easy, networks.AudioNetwork, [splits.split(easy.rows, "actor", 0)])
    with pytest.raises(ValueError, match="pairing"):
        together.fit_together(runs, replace(BRIEF, pairing="class"), progress=False)


def test_networks_of_two_kinds_are_refused(easy: FeatureStore) -> None:
    cuts = [splits.split(easy.rows, "actor", 0)]
    mixed = [
        *runs_of(easy, networks.AudioNetwork, cuts),
        *runs_of(easy, networks.ImageNetwork, cuts),
    ]
    with pytest.raises(ValueError, match="one kind"):
        together.fit_together(mixed, BRIEF, progress=False)


def test_the_pictures_are_shared_and_the_statistics_are_not(easy: FeatureStore) -> None:
    whole = loaders.to_device(easy, np.arange(192), "cpu")
    part = loaders.standardise_again(whole, easy, np.arange(40))
    assert part.pairs is whole.pairs
    alone = loaders.to_device(easy, np.arange(40), "cpu")
    assert torch.equal(part.mfcc, alone.mfcc)
    assert torch.equal(part.image_mean, alone.image_mean)


def test_on_a_processor_networks_are_trained_one_by_one(easy: FeatureStore) -> None:
    cuts = [splits.split(easy.rows, "actor", 0)]
    assert not together.pays(runs_of(easy, networks.AudioNetwork, cuts), BRIEF)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_an_easy_corpus_is_learned_by_all_networks_on_a_gpu(easy: FeatureStore) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cuda")
    runs = [
        replace(run, samples=samples) for run in runs_of(easy, networks.FusionNetwork, [cut] * 9)
    ]
    for history in together.fit_together(runs, Training(epochs=12, batch=16), progress=False):
        last = history[(history["epoch"] == 12) & (history["classifier"] == "joint")]
        assert (last["accuracy"] > 0.95).all()
