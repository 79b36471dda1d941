"""Each cure does what its paper says, by hand, and is no other loop than `training.fit`."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from media import store_of
from torch import nn

from avlib.features import FeatureStore
from avlib.learning import cures, loaders, networks, splits, training
from avlib.learning.cures import CURES, LogitSum, WatchedFusion, blend_weights, modulation
from avlib.learning.dominance import Losses, branches
from avlib.learning.loaders import Batch
from avlib.learning.training import Step, Training

BRIEF = Training(epochs=3, batch=32)


def made(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    return networks.seeded(kind, (40,), (8,), seed=seed)


@pytest.fixture
def faces(easy: FeatureStore) -> FeatureStore:
    """Easy sound, and faces by eight numbers, one of which tells the emotion, but for noise."""
    random = np.random.default_rng(0)
    seen = np.eye(8)[easy.clips["emotion"] - 1] + random.normal(0, 0.3, (len(easy.clips), 8))
    return store_of(easy.clips, easy.mfcc, None, vectors=seen.astype(np.float32))


@pytest.fixture
def cut(faces: FeatureStore) -> splits.Split:
    return splits.split(faces.rows, "actor", 0)


@pytest.fixture
def samples(faces: FeatureStore, cut: splits.Split) -> loaders.Samples:
    return loaders.to_device(faces, cut.train, "cpu")


def step_of(network: nn.Module, **scores: float) -> Step:
    """A step with a gradient of ones everywhere, whose heads give the truth these probabilities."""
    label = torch.zeros(4, dtype=torch.int64)
    logits = {}
    for name, score in scores.items():
        others = torch.full((4, 8), float(np.log((1 - score) / 7)))
        others[:, 0] = float(np.log(score))
        logits[name] = others
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    return Step(network, Batch(torch.zeros(4, 40), torch.zeros(4, 8), label), logits, {}, 1)


@pytest.mark.parametrize(
    ("ratio", "alpha", "wanted"),
    [(2.0, 0.1, 0.80262), (2.0, 0.5, 0.23841), (1.5, 0.8, 0.16635), (1.0, 0.8, 1), (0.3, 0.8, 1)],
)
def test_the_coefficient_of_modulation(ratio: float, alpha: float, wanted: float) -> None:
    assert modulation(ratio, alpha) == pytest.approx(wanted, abs=1e-5)


def test_modulation_slows_every_weight_of_the_stronger_branch_and_no_other() -> None:
    network = made(WatchedFusion)
    cures.GradientModulation(0.5, noise=False)(step_of(network, audio=0.8, image=0.4))
    own = branches(network)
    assert {weight.ndim for weight in own["audio"]} == {1, 3}  # biases and 1-D convolutions
    assert {weight.ndim for weight in own["image"]} == {1, 2}  # and linear layers
    for weight in own["audio"]:
        torch.testing.assert_close(weight.grad, torch.full_like(weight, 1 - np.tanh(0.5 * 2)))
    slowed = {id(weight) for weight in own["audio"]}
    for weight in network.parameters():
        if id(weight) not in slowed:
            assert (weight.grad == 1).all()


def test_modulation_adds_noise_as_large_as_the_gradient_spreads() -> None:
    network = made(WatchedFusion)
    step = step_of(network, audio=0.4, image=0.8)
    weight = network.audio_cnn.layers[2].weight  # of 10,240 numbers
    drawn = torch.Generator().manual_seed(1)
    before = 3 + 0.5 * torch.randn(weight.shape, generator=drawn)
    weight.grad = before.clone()
    cures.GradientModulation(0.5, seed=0)(step)
    noise = weight.grad - before  # the weaker branch is not slowed
    assert float(noise.std()) == pytest.approx(0.5, rel=0.05)
    assert abs(float(noise.mean())) < 0.03


def test_blend_weights_by_hand() -> None:
    before = {name: Losses(2.0, 2.1) for name in ("joint", "audio", "image")}
    after = {
        "joint": Losses(0.5, 1.1),  # G = 1.0, ΔO = 0.6 − 0.1 = 0.5: 4
        "audio": Losses(0.1, 1.9),  # G = 0.2, ΔO = 1.8 − 0.1 = 1.7: 0.0692
        "image": Losses(1.3, 1.5),  # G = 0.6, ΔO = 0.2 − 0.1 = 0.1: 60
    }
    found = blend_weights(before, after)
    raw = np.array([1 / 0.25, 0.2 / 1.7**2, 0.6 / 0.01])
    assert list(found.values()) == pytest.approx(list(raw / raw.sum()))
    assert sum(found.values()) == pytest.approx(1)


def test_a_head_that_got_worse_weighs_nothing() -> None:
    before = {name: Losses(2.0, 2.0) for name in ("joint", "audio", "image")}
    after = {"joint": Losses(1.0, 1.5), "audio": Losses(0.1, 3.0), "image": Losses(1.0, 1.5)}
    assert blend_weights(before, after) == {"joint": 0.5, "audio": 0.0, "image": 0.5}
    worse = {name: Losses(0.1, 3.0) for name in before}
    assert list(blend_weights(before, worse).values()) == pytest.approx([1 / 3] * 3)


def test_heads_that_watch_leave_the_rest_as_it_is_without_them(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    watched, without = made(WatchedFusion), made(networks.FusionNetwork)
    training.fit(watched, samples, cut, BRIEF, progress=False)
    none = replace(BRIEF, audio_weight=0, image_weight=0)
    training.fit(without, samples, cut, none, progress=False)
    for name, weight in without.state_dict().items():
        if not name.startswith(("audio_auxiliary", "image_auxiliary")):
            assert torch.equal(weight, watched.state_dict()[name]), name
    first = made(WatchedFusion).state_dict()
    assert not torch.equal(
        watched.audio_auxiliary[2].weight, first["audio_auxiliary.2.weight"]
    )  # the heads did learn


@pytest.mark.parametrize(
    ("name", "kind"), [("late", LogitSum), ("late-same", cures.SameBranchLogitSum)]
)
def test_late_fusion_is_of_branches_that_never_met(
    samples: loaders.Samples, cut: splits.Split, name: str, kind: type[nn.Module]
) -> None:
    def new(kind: type[nn.Module]) -> nn.Module:
        return made(kind)

    together = CURES[name](new, samples, cut, BRIEF).network
    for own, weights in (("audio", (0, 1, 0)), ("image", (0, 0, 1))):
        alone = made(kind)
        settings = dict(zip(("joint_weight", "audio_weight", "image_weight"), weights, strict=True))
        training.fit(alone, samples, cut, replace(BRIEF, **settings), progress=False)
        for part, weight in alone.state_dict().items():
            if part.startswith(own):
                assert torch.equal(weight, together.state_dict()[part]), part
    logs = {
        each: training.predict(together, samples, cut.test, each)
        for each in ("joint", "audio", "image")
    }
    product = torch.from_numpy(logs["audio"] + logs["image"]).log_softmax(dim=1)
    np.testing.assert_allclose(logs["joint"], product, atol=1e-5)


def test_one_modality_learns_at_a_time_where_they_alternate(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    network = made(cures.AlternatingFusion)
    seen = []

    def watch(step: Step) -> None:
        learns = {
            name: any(w.grad is not None for w in weights)
            for name, weights in branches(step.network).items()
        }
        seen.append((learns["audio"], learns["image"]))
        assert step.network.audio_auxiliary[2].weight.grad.abs().sum() > 0  # the head always does

    settings = replace(BRIEF, joint_weight=0.0)
    training.fit(network, samples, cut, settings, progress=False, between=watch)
    assert seen == [(True, False), (False, True)] * (len(seen) // 2) + seen[:1] * (len(seen) % 2)


def test_alternating_opinions_are_weighted_by_their_entropy() -> None:
    network = made(cures.AlternatingFusion).eval()
    drawn = torch.Generator().manual_seed(0)
    mfcc, image = torch.randn(5, 40, generator=drawn), torch.randn(5, 8, generator=drawn)
    with torch.no_grad():
        logits = network(10 * mfcc, 10 * image)
    logs = [logits[name].log_softmax(dim=1) for name in ("audio", "image")]
    entropy = [-(each.exp() * each).sum(dim=1) for each in logs]
    most = torch.maximum(*entropy)
    shares = [torch.exp(most - each) for each in entropy]  # the paper's equation
    wanted = (
        sum(s[:, None] * log for s, log in zip(shares, logs, strict=True)) / sum(shares)[:, None]
    )
    torch.testing.assert_close(logits["joint"], wanted)


def test_the_shared_head_steps_around_what_it_met() -> None:
    network = made(cures.AlternatingFusion)
    head, met = network.audio_auxiliary[2], torch.zeros(128)
    met[0] = 3.0
    network.met, hook = met, cures.OrthogonalSteps()
    found = []
    for _ in range(3):
        head.weight.grad = torch.ones_like(head.weight)
        hook(step_of(network, audio=0.5, image=0.5))
        found.append(float(head.weight.grad[0, 0]))
        assert (head.weight.grad[:, 1:] == 1).all()
    assert found == pytest.approx([1, 1 / 10, 1 / 19])  # 1 / (1 + n |h|²)


@pytest.mark.parametrize("name", CURES)
def test_every_cure_learns_what_is_easy_and_follows_its_seed(
    samples: loaders.Samples, cut: splits.Split, name: str
) -> None:
    def new(kind: type[nn.Module]) -> nn.Module:
        return made(kind)

    settings = Training(epochs=6, batch=8, learning_rate=0.05)
    network, history, chosen = CURES[name](new, samples, cut, settings)
    joint = history.query("classifier == 'joint' and side == 'validation'")
    assert joint["epoch"].to_list() == list(range(1, len(joint) + 1))
    assert len(joint) == (12 if name == "alternating" else 6)
    assert joint["accuracy"].max() > 0.5
    again = CURES[name](new, samples, cut, settings)
    assert training.digest(again.network) == training.digest(network)
    pd.testing.assert_frame_equal(again.history, history)
    assert again.chosen == chosen


def test_settings_are_chosen_on_the_validation_side(
    samples: loaders.Samples, cut: splits.Split
) -> None:
    def tried(accuracy: float, loss: float) -> cures.Trained:
        row = {"epoch": 1, "side": "validation", "classifier": "joint"}
        other = row | {"side": "train", "accuracy": 1 - accuracy, "loss": -loss}
        rows = [row | {"accuracy": accuracy, "loss": loss}, other]
        return cures.Trained(nn.Identity(), pd.DataFrame(rows), {"alpha": loss})

    assert cures._best([tried(0.5, 1.0), tried(0.6, 3.0), tried(0.6, 2.0)]).chosen == {"alpha": 2.0}

    def new(kind: type[nn.Module]) -> nn.Module:
        return made(kind)

    assert CURES["ogm-ge"](new, samples, cut, BRIEF).chosen["alpha"] in cures.ALPHAS
    assert CURES["dropout"](new, samples, cut, BRIEF).chosen["modality_dropout"] in cures.SHARES


@pytest.mark.parametrize(("name", "stages"), [("blending", 1), ("blending-online", 3)])
def test_blending_weighs_once_or_before_each_stage(
    samples: loaders.Samples, cut: splits.Split, name: str, stages: int
) -> None:
    def new(kind: type[nn.Module]) -> nn.Module:
        return made(kind)

    chosen = CURES[name](new, samples, cut, BRIEF).chosen["weights"]
    assert len(chosen) == stages
    for weights in chosen:
        assert set(weights) == {"joint", "audio", "image"}
        assert sum(weights.values()) == pytest.approx(1)
        assert min(weights.values()) >= 0
