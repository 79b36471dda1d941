"""Late fusion learns what each opinion is worth from training speakers, and from nobody else."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from avlib.learning import classifiers, fusion, training
from avlib.learning.fusion import JointFusion, LateFusion

EMOTION, SPEAKERS = np.tile(np.arange(1, 9), 64), np.repeat(np.arange(16), 32)


def modality(strength: float, seed: int, own: float = 1.0, width: int = 20) -> np.ndarray:
    """Features that tell the emotion so strongly, around a mean of each speaker's own."""
    random = np.random.default_rng(seed)
    shown = strength * np.eye(8, width)[EMOTION - 1]
    return (
        shown + own * random.normal(size=(16, width))[SPEAKERS] + random.normal(size=(512, width))
    )


BOTH = {"sound": modality(2, 1), "face": modality(3, 2)}
TRAIN, TEST = SPEAKERS < 12, SPEAKERS >= 12


def fitted(model: LateFusion, features: fusion.Features, emotion: np.ndarray = EMOTION) -> float:
    """The accuracy about the strangers of a model that learned from the others."""
    model.fit({n: f[TRAIN] for n, f in features.items()}, emotion[TRAIN], SPEAKERS[TRAIN])
    logs = model.log_posteriors({name: f[TEST] for name, f in features.items()})
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1)
    return float((logs.argmax(axis=1) + 1 == emotion[TEST]).mean())


def test_a_discriminant_is_scikit_learns() -> None:
    features = BOTH["sound"]
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(features, EMOTION)
    ours = classifiers.discriminant(features, EMOTION, 0.3).log_posteriors(features)
    np.testing.assert_allclose(ours, theirs.predict_log_proba(features), atol=1e-9)


def test_an_emotion_that_nobody_showed_is_named() -> None:
    with pytest.raises(ValueError, match=r"no clip of \[3\] to learn from"):
        classifiers.discriminant(BOTH["sound"][EMOTION != 3], EMOTION[EMOTION != 3], 0.3)


def test_two_opinions_are_better_than_either() -> None:
    alone = [fitted(LateFusion(), {name: BOTH[name]}) for name in BOTH]
    for model in (LateFusion(), JointFusion()):
        assert fitted(model, BOTH) > max(alone)


def test_an_opinion_that_knows_nothing_is_hardly_asked() -> None:
    model = LateFusion()
    fitted(model, {"sound": BOTH["face"], "noise": modality(0, 3)})
    heard, noise = model.weights[0]
    assert noise < 0.2 * heard


def test_weights_make_overconfident_opinions_less_sure() -> None:
    random = np.random.default_rng(0)
    logits = 2.0 * np.eye(8)[EMOTION - 1] + random.gumbel(size=(512, 8))
    honest = log_softmax(2 * np.eye(8)[logits.argmax(axis=1)], axis=1)
    found = fusion.fusion_weights([log_softmax(5 * honest, axis=1)], EMOTION)
    best = fusion.fusion_weights([honest], EMOTION)
    assert found == pytest.approx(best / 5, rel=0.05)
    both = fusion.fusion_weights([honest, honest], EMOTION)
    assert both.sum() == pytest.approx(best[0], rel=0.05)


def test_shuffled_labels_are_not_learned() -> None:
    shuffled = np.random.default_rng(0).permutation(EMOTION)
    assert fitted(LateFusion(), BOTH, shuffled) < 0.25


def test_clips_of_a_speaker_help_and_the_order_of_the_test_does_not_matter() -> None:
    features = {name: modality(2, seed, own=3.0) for seed, name in enumerate(BOTH)}
    model, right = LateFusion(), {0: 0, 5: 0, 32: 0}
    fitted(model, features)
    for speaker in range(12, 16):
        own = np.flatnonzero(speaker == SPEAKERS)
        asked = {name: f[own] for name, f in features.items()}
        for clips in right:
            known = {name: f[:clips] for name, f in asked.items()} if clips else None
            logs = model.log_posteriors(asked, known)
            right[clips] += (logs.argmax(axis=1) + 1 == EMOTION[own]).sum()
            backwards = {name: f[::-1] for name, f in asked.items()}
            np.testing.assert_allclose(model.log_posteriors(backwards, known)[::-1], logs)
    assert right[0] < right[5] < right[32]


def test_networks_learn_the_same_twice_and_can_be_one_of_the_opinions() -> None:
    given, asked = BOTH["face"][TRAIN], BOTH["face"][TEST]
    once, again = (
        classifiers.ensemble(given, EMOTION[TRAIN], networks=2, epochs=20).log_posteriors(asked)
        for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)
    assert (once.argmax(axis=1) + 1 == EMOTION[TEST]).mean() > 0.4
    model = LateFusion(
        {"networks": lambda *given: classifiers.ensemble(*given, networks=1, epochs=5)}
    )
    assert fitted(model, {"sound": BOTH["sound"], "networks": BOTH["face"]}) > 0.3


def few(*given: object) -> classifiers.Ensemble:
    return classifiers.ensemble(*given, networks=2, epochs=2)


@pytest.mark.parametrize("model", [LateFusion(), JointFusion()], ids=["late", "joint"])
def test_what_is_kept_says_the_same_again(tmp_path: Path, model: LateFusion) -> None:
    path = tmp_path / "kept.safetensors"
    fitted(model, BOTH)
    fusion.save(model, path, {"measured_on": "numbers"})
    again, header = fusion.load(path)
    assert header["measured_on"] == "numbers"
    known = {name: f[TEST][:7] for name, f in BOTH.items()}
    for some in (None, known):
        np.testing.assert_array_equal(
            again.log_posteriors(BOTH, some), model.log_posteriors(BOTH, some)
        )


def test_what_cannot_be_kept_read_or_learned_from_is_refused(tmp_path: Path) -> None:
    model = LateFusion({"face": few})
    fitted(model, BOTH)
    with pytest.raises(ValueError, match="face: only linear classifiers are kept"):
        fusion.save(model, tmp_path / "a.safetensors", {})
    training.save_weights(tmp_path / "b.safetensors", {}, {})
    with pytest.raises(ValueError, match=r"b\.safetensors: holds no fusion"):
        fusion.load(tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="speakers: six are needed"):
        LateFusion().fit(BOTH, EMOTION, SPEAKERS % 5)
