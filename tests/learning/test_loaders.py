"""Batches hold every row once, standardised by the training side alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from media import store_of

from avlib.features import FeatureStore
from avlib.learning import loaders, splits

TRAIN = np.arange(0, 120)
OTHER = np.arange(120, 192)


def test_statistics_come_from_the_training_rows(easy: FeatureStore) -> None:
    samples = loaders.to_device(easy, TRAIN, "cpu")
    trained = samples.mfcc[samples.clip_of_row[TRAIN].unique()]
    torch.testing.assert_close(trained.mean(dim=0), torch.zeros(40), atol=1e-5, rtol=0)
    torch.testing.assert_close(trained.std(dim=0, correction=0), torch.ones(40))
    pixels = np.asarray(easy.pairs[TRAIN], np.float64).reshape(-1, 3)
    np.testing.assert_allclose(samples.image_mean.ravel(), pixels.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(samples.image_std.ravel(), pixels.std(axis=0), rtol=1e-4)


def test_other_rows_do_not_move_the_statistics(easy: FeatureStore) -> None:
    mfcc, pairs = easy.mfcc.copy(), easy.pairs.copy()
    mfcc[60:] += 100
    pairs[OTHER] = 255 - pairs[OTHER]
    before = loaders.to_device(easy, TRAIN, "cpu")
    after = loaders.to_device(store_of(easy.clips, mfcc, pairs, 2), TRAIN, "cpu")
    assert torch.equal(before.mfcc[:60], after.mfcc[:60])
    assert not torch.equal(before.mfcc[60:], after.mfcc[60:])
    assert torch.equal(before.image_mean, after.image_mean)
    assert torch.equal(before.image_std, after.image_std)


@pytest.mark.parametrize("sound", ["mean", "sequence"])
def test_by_actor_each_actor_is_a_standard_of_their_own(easy: FeatureStore, sound: str) -> None:
    random = np.random.default_rng(0)
    actor = easy.clips["actor"].to_numpy()
    mfcc = random.normal(size=(len(actor), 40) if sound == "mean" else (len(actor), 40, 9))
    mfcc = (mfcc + 3 * actor.reshape(-1, *[1] * (mfcc.ndim - 1))).astype(np.float32)
    vectors = random.normal(actor[:, None], size=(len(actor), 5)).astype(np.float32)
    pairs = np.minimum(easy.pairs + 9 * np.repeat(actor, 2)[:, None, None, None], 255)
    for seen in ({"pairs": pairs.astype(np.uint8)}, {"pairs": None, "vectors": vectors}):
        store = store_of(easy.clips, mfcc, pairs_a_clip=2, **seen)
        rows = np.arange(len(store.rows))
        samples = loaders.to_device(store, rows[:40], "cpu", "actor")
        for one in np.unique(actor):
            own = samples.mfcc[actor == one]
            over = (0,) if sound == "mean" else (0, 2)
            torch.testing.assert_close(own.mean(over), torch.zeros(40), atol=1e-5, rtol=0)
            torch.testing.assert_close(own.std(over, correction=0), torch.ones(40))
            chosen = rows[store.rows["actor"] == one]
            image = torch.cat([batch.image for batch in loaders.batches(samples, chosen)])
            over = (0, 2, 3) if image.ndim == 4 else (0,)
            zeros = torch.zeros(image.shape[1])
            torch.testing.assert_close(image.mean(over), zeros, atol=1e-4, rtol=0)
            torch.testing.assert_close(image.std(over, correction=0), zeros + 1)


def test_by_neutral_clips_only_what_is_neutral_is_moved_to_zero(easy: FeatureStore) -> None:
    actor, emotion = (easy.clips[name].to_numpy() for name in ("actor", "emotion"))
    mfcc = np.random.default_rng(0).normal(actor[:, None], size=(len(actor), 40))
    store = store_of(easy.clips, mfcc, easy.pairs, 2)
    samples = loaders.to_device(store, TRAIN, "cpu", "neutral")
    spread = mfcc[:60].std(axis=0)
    for one in np.unique(actor):
        neutral = samples.mfcc[(actor == one) & (emotion == 1)]
        torch.testing.assert_close(neutral.mean(dim=0), torch.zeros(40), atol=1e-5, rtol=0)
        own = samples.mfcc[actor == one].std(dim=0, correction=0)
        np.testing.assert_allclose(own, mfcc[actor == one].std(axis=0) / spread, rtol=1e-4)
    some = easy.clips[~((actor == 2) & (emotion == 1))]
    lacking = store_of(some.reset_index(drop=True), mfcc[some.index], None)
    with pytest.raises(ValueError, match="actor 2 has no neutral clip"):
        loaders.to_device(lacking, TRAIN[:60], "cpu", "neutral")
    with pytest.raises(ValueError, match=r"no 'speaker'.*choose from"):
        loaders.to_device(store, TRAIN, "cpu", "speaker")


def test_a_store_of_vectors_gives_them_for_images_one_row_a_clip(easy: FeatureStore) -> None:
    vectors = np.random.default_rng(0).normal(3, 2, (len(easy.clips), 35)).astype(np.float32)
    store = store_of(easy.clips, easy.mfcc, None, pairs_a_clip=6, vectors=vectors)
    assert len(store.rows) == len(easy.clips)
    samples = loaders.to_device(store, np.arange(60), "cpu")
    batch = next(loaders.batches(samples, np.array([70, 3])))
    wanted = (vectors[[70, 3]] - vectors[:60].mean(axis=0)) / vectors[:60].std(axis=0)
    np.testing.assert_allclose(batch.image, wanted, rtol=1e-3, atol=1e-5)


def test_class_matched_sounds_are_dealt_within_the_rows_and_the_emotion(
    easy: FeatureStore,
) -> None:
    samples = loaders.to_device(easy, TRAIN, "cpu")
    mixed = loaders.class_matched(samples, TRAIN, torch.Generator().manual_seed(0))
    before, after = samples.clip_of_row, mixed.clip_of_row
    assert torch.equal(before[OTHER], after[OTHER])
    assert before[TRAIN].sort().values.tolist() == after[TRAIN].sort().values.tolist()
    assert (before[TRAIN] != after[TRAIN]).float().mean() > 0.8
    emotion = torch.from_numpy(easy.clips["emotion"].to_numpy(copy=True))
    assert torch.equal(emotion[after] - 1, samples.label)
    assert mixed.pairs is samples.pairs


def test_a_sequence_is_standardised_over_clips_and_time(easy: FeatureStore) -> None:
    frames = np.random.default_rng(0).normal(5, 3, (len(easy.clips), 40, 25))
    samples = loaders.to_device(store_of(easy.clips, frames, easy.pairs, 2), TRAIN, "cpu")
    trained = samples.mfcc[:60]
    torch.testing.assert_close(trained.mean(dim=(0, 2)), torch.zeros(40), atol=1e-5, rtol=0)
    torch.testing.assert_close(trained.std(dim=(0, 2), correction=0), torch.ones(40))


def test_a_feature_that_never_changes_does_not_become_nan(easy: FeatureStore) -> None:
    mfcc, pairs = easy.mfcc.copy(), easy.pairs.copy()
    mfcc[:, 7] = -80
    pairs[..., 2] = 0
    samples = loaders.to_device(store_of(easy.clips, mfcc, pairs, 2), TRAIN, "cpu")
    batch = next(loaders.batches(samples, TRAIN))
    assert torch.isfinite(batch.mfcc).all()
    assert torch.isfinite(batch.image).all()


@pytest.mark.parametrize("size", [1, 50, 64, 500])
@pytest.mark.parametrize("seed", [None, 3])
def test_batches_hold_every_row_once(easy: FeatureStore, size: int, seed: int | None) -> None:
    samples = loaders.to_device(easy, TRAIN, "cpu")
    marked = replace(samples, label=torch.arange(len(easy.rows)))
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    labels = [batch.label for batch in loaders.batches(marked, OTHER, size, generator)]
    assert all(len(label) == size for label in labels[:-1])
    seen = torch.cat(labels)
    assert seen.sort().values.tolist() == OTHER.tolist()
    assert (seen.tolist() == OTHER.tolist()) == (seed is None)


def test_the_generator_decides_the_order(easy: FeatureStore) -> None:
    samples = loaders.to_device(easy, TRAIN, "cpu")

    def order(*seeds: int) -> list[list[int]]:
        marked = replace(samples, label=torch.arange(len(easy.rows)))
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return [
            torch.cat([b.label for b in loaders.batches(marked, TRAIN, 64, generator)]).tolist()
            for generator in generators
        ]

    first, same, other = order(1, 1, 2)
    assert first == same != other
    generator = torch.Generator().manual_seed(1)
    epochs = [[b.label for b in loaders.batches(samples, TRAIN, 64, generator)] for _ in range(2)]
    assert not torch.equal(torch.cat(epochs[0]), torch.cat(epochs[1]))


def test_a_batch_holds_the_pair_the_sound_and_the_emotion_of_one_clip(easy: FeatureStore) -> None:
    samples = loaders.to_device(easy, TRAIN, "cpu")
    rows = np.array([191, 0, 77, 5])
    parts = list(loaders.batches(samples, rows, size=2))
    assert [part.image.shape for part in parts] == [(2, 3, 64, 128)] * 2
    assert [part.present for part in parts] == [None, None]
    each = zip(*(part[:3] for part in parts), strict=True)
    batch = loaders.Batch(*(torch.cat(tensors) for tensors in each))
    assert batch.image.dtype == batch.mfcc.dtype == torch.float32
    bytes_back = batch.image * samples.image_std + samples.image_mean
    np.testing.assert_allclose(
        bytes_back.permute(0, 2, 3, 1), np.asarray(easy.pairs[rows]), atol=1e-3
    )
    clips = easy.rows["clip_number"].iloc[rows].to_numpy()
    spread = easy.mfcc[:60].std(axis=0)
    wanted = (easy.mfcc[clips] - easy.mfcc[:60].mean(axis=0)) / spread
    np.testing.assert_allclose(batch.mfcc, wanted, rtol=1e-4, atol=1e-4)
    assert (batch.label + 1).tolist() == easy.clips["emotion"].iloc[clips].tolist()


def test_a_network_that_hears_alone_is_cut_no_images(easy: FeatureStore) -> None:
    samples = loaders.to_device(easy, np.arange(len(easy.rows)), "cpu")
    batch = next(loaders.batches(samples, np.arange(8), image=False))
    assert batch.image is None
    assert batch.mfcc.shape == (8, 40)


def test_a_store_of_sound_alone_gives_batches_without_image(easy: FeatureStore) -> None:
    store = store_of(easy.clips, easy.mfcc, None, pairs_a_clip=6)
    assert len(store.rows) == 6 * len(easy.clips)
    cut = splits.split(store.rows, "actor", 0)
    batch = next(loaders.batches(loaders.to_device(store, cut.train, "cpu"), cut.test))
    assert batch.image is None
    assert batch.mfcc.shape == (64, 40)


@given(share=st.floats(0, 0.5), seed=st.integers(0, 2**32))
def test_a_row_goes_without_one_sense_at_most(share: float, seed: int) -> None:
    present = loaders.drop_modalities(2000, share, torch.Generator().manual_seed(seed))
    assert set(present.unique().tolist()) <= {0.0, 1.0}
    assert (present.sum(dim=1) >= 1).all()
    assert ((1 - present.mean(dim=0)) - share).abs().max() < 0.06  # five deviations


def test_senses_are_dealt_to_the_rows_of_every_batch(easy: FeatureStore) -> None:
    samples = loaders.to_device(easy, TRAIN, "cpu")
    generator = torch.Generator().manual_seed(0)
    parts = list(loaders.batches(samples, TRAIN, 50, generator, modality_dropout=0.25))
    assert [part.present.shape for part in parts] == [(50, 2), (50, 2), (20, 2)]
    assert 0 < torch.cat([part.present for part in parts]).sum() < 2 * len(TRAIN)
