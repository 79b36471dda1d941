"""Diagnostics of dominance say what a pencil says, and the trap among them is one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avlib.features import FeatureStore
from avlib.learning import dominance, loaders, networks, splits, training
from avlib.learning.cures import WatchedFusion
from avlib.learning.dominance import Losses
from avlib.learning.loaders import Batch
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)


@pytest.fixture
def cut(easy: FeatureStore) -> splits.Split:
    return splits.split(easy.rows, "actor", 0)


@pytest.fixture
def samples(easy: FeatureStore, cut: splits.Split) -> loaders.Samples:
    return loaders.to_device(easy, cut.train, "cpu")


def batch_of(count: int = 16) -> Batch:
    drawn = torch.Generator().manual_seed(0)
    mfcc, image = torch.randn(count, 40, generator=drawn), torch.randn(count, 35, generator=drawn)
    return Batch(mfcc, image, torch.arange(count) % 8)


def plain(kind: type = networks.FusionNetwork) -> networks.FusionNetwork:
    return networks.seeded(kind, (40,), (35,), seed=0)


def test_utilisation_is_the_share_of_accuracy_that_goes() -> None:
    assert dominance.utilisation(0.8, 0.6) == pytest.approx(0.25)
    assert dominance.utilisation(0.5, 0.5) == 0
    assert dominance.utilisation(0.5, 0.6) == pytest.approx(-0.2)  # better without
    with pytest.raises(ValueError, match="both: an accuracy of 0"):
        dominance.utilisation(0.0, 0.0)


def test_shapley_values_are_what_each_adds_over_both_orders() -> None:
    value = {(): 0.1, ("audio",): 0.5, ("image",): 0.3, ("audio", "image"): 0.9}
    found = dominance.shapley(value)
    assert found["audio"] == pytest.approx(((0.5 - 0.1) + (0.9 - 0.3)) / 2)
    assert found["image"] == pytest.approx(((0.3 - 0.1) + (0.9 - 0.5)) / 2)
    assert sum(found.values()) == pytest.approx(0.9 - 0.1)
    useless = dominance.shapley(value | {("audio",): 0.1, ("audio", "image"): 0.3})
    assert useless["audio"] == pytest.approx(0)


def test_the_overfitting_ratio_by_hand() -> None:
    # O grows from 0.1 to 0.9, the validation loss falls by 0.4.
    found = dominance.overfitting_ratio(Losses(1.9, 2.0), Losses(0.7, 1.6))
    assert found == pytest.approx(0.8 / 0.4)
    assert dominance.overfitting_ratio(Losses(1.0, 1.0), Losses(0.1, 1.2)) == float("inf")


def test_a_modality_is_taken_away_by_its_training_mean(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    silent = dominance.at_mean(samples, "audio", cut.train)
    clips = samples.clip_of_row[cut.train]
    torch.testing.assert_close(silent.mfcc[7], samples.mfcc[clips].mean(dim=0))
    assert (silent.mfcc == silent.mfcc[0]).all()
    assert silent.pairs is samples.pairs
    unseen = dominance.at_mean(samples, "image", cut.train)
    wanted = samples.pairs[cut.train].double().mean(dim=0).round().to(torch.uint8)
    assert torch.equal(unseen.pairs[3], wanted)
    assert unseen.mfcc is samples.mfcc
    with pytest.raises(ValueError, match="modality: 'sound' should be one of audio, image"):
        dominance.at_mean(samples, "sound", cut.train)


def test_a_network_without_its_sound_does_not_hear(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    louder = replace(samples, mfcc=2 * samples.mfcc + 1)
    silent = dominance.at_mean(louder, "audio", cut.train)
    mean = replace(louder, mfcc=silent.mfcc)
    first, second = (training.predict(network, each, cut.test) for each in (silent, mean))
    np.testing.assert_array_equal(first, second)
    heads = training.predict(network, silent, cut.test, "audio")
    assert np.ptp(heads, axis=0).max() < 1e-5


@pytest.mark.parametrize("modality", ["audio", "image"])
def test_each_clip_gets_another_clips_modality(
    samples: loaders.Samples, cut: splits.Split, modality: str
) -> None:
    drawn = torch.Generator().manual_seed(0)
    rows = cut.test
    found = dominance.exchanged(samples, modality, rows, drawn)
    own = samples.clip_of_row.numpy()
    if modality == "audio":
        whose = found.clip_of_row.numpy()
        assert found.pairs is samples.pairs
    else:
        known = {pair.numpy().tobytes(): row for row, pair in enumerate(samples.pairs)}
        from_row = np.array([known[pair.numpy().tobytes()] for pair in found.pairs])
        whose = own[from_row]
        assert torch.equal(found.clip_of_row, samples.clip_of_row)
        np.testing.assert_array_equal(from_row % 2, np.arange(len(own)) % 2)  # first for first
    assert (whose[rows] != own[rows]).all()
    assert set(whose[rows]) == set(own[rows])
    others = np.setdiff1d(np.arange(len(own)), rows)
    np.testing.assert_array_equal(whose[others], own[others])
    with pytest.raises(ValueError, match="rows: two clips are needed"):
        dominance.exchanged(samples, modality, rows[:2], drawn)


def test_gradients_are_those_of_backward() -> None:
    network, batch = plain(), batch_of()
    found = dominance.gradients(network, batch)
    for loss, asked in (("joint", "joint"), ("audio", "own")):
        network.zero_grad()
        training.losses(network(batch.mfcc, batch.image), batch.label)[loss].backward()
        squares = sum(float(w.grad.square().sum()) for w in network.audio_cnn.parameters())
        assert found["audio"][asked] == pytest.approx(squares**0.5, rel=1e-5)
    assert all(-1 <= each["cosine"] <= 1 for each in found.values())


def test_heads_that_only_watch_are_asked_what_they_would_teach() -> None:
    batch = batch_of()
    watched, teaching = plain(WatchedFusion), plain()
    assert dominance.gradients(watched, batch) == dominance.gradients(teaching, batch)
    assert watched.heads_teach is False
    assert watched.training


@pytest.mark.parametrize("modality", ["audio", "image"])
def test_gradient_norms_change_where_the_function_does_not(modality: str) -> None:
    network, batch, factor = plain(), batch_of(), 4.0
    other = dominance.rescaled(network, modality, factor)
    for name, logits in network(batch.mfcc, batch.image).items():
        torch.testing.assert_close(
            other(batch.mfcc, batch.image)[name], logits, rtol=1e-4, atol=1e-5
        )
    first, second = (dominance.gradients(each, batch) for each in (network, other))
    untouched = {"audio": "image", "image": "audio"}[modality]
    assert second[untouched]["joint"] == pytest.approx(first[untouched]["joint"], rel=1e-3)
    last = {"audio": (each.audio_cnn.layers[2] for each in (network, other)),
            "image": (each.image_mlp[2] for each in (network, other))}[modality]  # fmt: skip
    for each in (network, other):
        training.losses(each(batch.mfcc, batch.image), batch.label)["joint"].backward()
    one, two = last
    torch.testing.assert_close(factor * two.weight.grad, one.weight.grad, rtol=1e-3, atol=1e-6)
    square = sum(float(weight.grad.square().sum()) for weight in one.parameters())
    wanted = first[modality]["joint"] ** 2 - square * (1 - 1 / factor**2)
    assert second[modality]["joint"] == pytest.approx(wanted**0.5, rel=1e-3)
    assert wanted**0.5 < 0.9 * first[modality]["joint"]


def test_vectors_of_one_size_leave_nothing_to_rescale() -> None:
    with pytest.raises(ValueError, match="network: its vectors have one size already"):
        dominance.rescaled(plain(networks.BalancedFusionNetwork), "audio", 2.0)
    with pytest.raises(ValueError, match="factor: should be above 0"):
        dominance.rescaled(plain(), "audio", 0.0)


def test_a_log_of_gradients_has_a_row_for_each_epoch_and_branch_and_changes_no_bit(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    log, ends = dominance.GradientLog(), []
    for hook in (None, log):
        network = networks.seeded(networks.FusionNetwork, seed=0)
        training.fit(network, samples, cut, BRIEF, progress=False, between=hook)
        ends.append(training.digest(network))
    assert ends[0] == ends[1]
    assert [(row["epoch"], row["branch"]) for row in log.rows] == [
        (1, "audio"), (1, "image"), (2, "audio"), (2, "image")
    ]  # fmt: skip
    assert all(row["joint"] > 0 for row in log.rows)


def test_measure_and_probe_know_what_is_easy(samples: loaders.Samples, cut: splits.Split) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    training.fit(network, samples, cut, Training(epochs=8, batch=16), progress=False)
    found = dominance.measure(network, samples, cut.test)
    logs = training.predict(network, samples, cut.test)
    label = samples.label.numpy()[cut.test]
    assert found["joint"]["accuracy"] == pytest.approx((logs.argmax(axis=1) == label).mean())
    assert found["joint"]["loss"] == pytest.approx(-logs[np.arange(len(label)), label].mean())
    vectors = dominance.embeddings(network, samples, cut.test)
    assert {name: each.shape for name, each in vectors.items()} == {
        "audio": (len(label), 640), "image": (len(label), 640)
    }  # fmt: skip
    for scores in dominance.probe(network, samples, cut.train, cut.test).values():
        assert scores.shape == (len(label), 8)
        assert (scores.argmax(axis=1) == label).mean() > 0.9


def test_a_branch_without_information_is_probed_at_chance(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    noise = torch.randn(samples.mfcc.shape, generator=torch.Generator().manual_seed(1))
    deaf = replace(samples, mfcc=noise)
    network = networks.seeded(networks.FusionNetwork, seed=0)
    scores = dominance.probe(network, deaf, cut.train, cut.test)["audio"]
    label = samples.label.numpy()[cut.test]
    assert (scores.argmax(axis=1) == label).mean() < 0.4
