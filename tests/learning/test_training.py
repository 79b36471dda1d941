"""Training follows its seed, learns what can be learned, and looks at the training rows alone."""

import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from media import store_of
from torch import nn

from avlib.features import FeatureStore
from avlib.learning import loaders, networks, splits, training
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)


def trained(
    store: FeatureStore, settings: Training = BRIEF, make: type[nn.Module] = networks.FusionNetwork
) -> tuple[nn.Module, pd.DataFrame]:
    cut = splits.split(store.rows, "actor", 0)
    network = networks.seeded(make, seed=settings.seed)
    samples = loaders.to_device(store, cut.train, "cpu")
    return network, training.fit(network, samples, cut, settings, progress=False)


def losses_of(network: nn.Module) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    mfcc = torch.randn(6, 40, generator=generator)
    image = torch.randn(6, 3, 64, 128, generator=generator)
    return training.losses(network(mfcc, image), torch.arange(6))


def test_the_total_loss_is_joint_plus_audio_plus_image() -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    each = losses_of(network)
    total = training.total_loss(network, each, Training())
    torch.testing.assert_close(total, each["joint"] + (each["audio"] + each["image"]))


@pytest.mark.parametrize(("audio", "image"), [(0.0, 0.0), (0.5, 2.0)])
def test_the_auxiliary_losses_are_weighted(audio: float, image: float) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    each = losses_of(network)
    settings = Training(audio_weight=audio, image_weight=image)
    wanted = each["joint"] + audio * each["audio"] + image * each["image"]
    torch.testing.assert_close(training.total_loss(network, each, settings), wanted)


@pytest.mark.parametrize("make", [networks.AudioNetwork, networks.ImageNetwork])
def test_a_network_of_one_branch_has_its_one_loss_unweighted(make: type[nn.Module]) -> None:
    network = networks.seeded(make, seed=0)
    each = losses_of(network)
    total = training.total_loss(network, each, Training(audio_weight=0.1, image_weight=0.1))
    torch.testing.assert_close(total, each[network.decision])


def test_a_loss_is_the_mean_cross_entropy() -> None:
    logits = {"joint": torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))}
    found = training.losses(logits, torch.tensor([0, 1]))["joint"]
    assert found.item() == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)


def test_the_same_seed_gives_the_same_weights_and_history(easy: FeatureStore) -> None:
    (first, history), (second, again) = trained(easy), trained(easy)
    assert training.digest(first) == training.digest(second)
    pd.testing.assert_frame_equal(history, again, check_exact=True)


def test_the_seed_decides_the_first_weights_and_the_order(easy: FeatureStore) -> None:
    first, other = (networks.seeded(networks.AudioNetwork, seed=seed) for seed in (0, 1))
    assert training.digest(first) != training.digest(other)
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    ends = set()
    for seed in (0, 1):
        network = networks.seeded(networks.AudioNetwork, seed=0)
        training.fit(network, samples, cut, replace(BRIEF, seed=seed), progress=False)
        ends.add(training.digest(network))
    assert len(ends) == 2


@pytest.mark.parametrize(
    "change",
    [
        "joint_weight",
        "audio_weight",
        "image_weight",
        "learning_rate",
        "momentum",
        "modality_dropout",
    ],
)
def test_every_setting_reaches_the_weights(easy: FeatureStore, change: str) -> None:
    brief = replace(Training.preset("avlib"), epochs=1, batch=32)
    changed = replace(brief, **{change: 0.5 * getattr(brief, change)})
    assert training.digest(trained(easy, brief)[0]) != training.digest(trained(easy, changed)[0])


def test_presets_are_the_papers_word_and_ours() -> None:
    assert Training.preset("paper") == Training()
    assert Training.preset("avlib") == replace(Training(), modality_dropout=0.25)
    with pytest.raises(ValueError, match="there is no 'ours'; choose from paper, avlib"):
        Training.preset("ours")


def test_making_a_network_leaves_the_random_state_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    networks.seeded(networks.FusionNetwork, seed=0)
    torch.testing.assert_close(torch.rand(3), wanted, rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_making_a_network_leaves_the_random_state_of_the_gpu_alone() -> None:
    before = torch.cuda.get_rng_state()
    networks.seeded(networks.FusionNetwork, seed=0)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_training_does_not_depend_on_the_global_random_state(easy: FeatureStore) -> None:
    torch.manual_seed(1)
    first, _ = trained(easy)
    torch.manual_seed(2)
    assert training.digest(trained(easy)[0]) == training.digest(first)


@pytest.mark.parametrize(
    "make", [networks.AudioNetwork, networks.ImageNetwork, networks.FusionNetwork]
)
def test_an_easy_corpus_is_learned(easy: FeatureStore, make: type[nn.Module]) -> None:
    network, history = trained(easy, Training(epochs=12, batch=16), make)
    decision = history[history["classifier"] == network.decision].set_index(["side", "epoch"])
    assert decision.loc[("train", 12), "accuracy"] > 0.95
    assert decision.loc[("validation", 12), "accuracy"] > 0.95
    assert decision.loc[("train", 12), "loss"] < 0.5 * decision.loc[("train", 1), "loss"]


def test_the_history_has_a_row_for_each_epoch_side_and_classifier(easy: FeatureStore) -> None:
    _, history = trained(easy)
    assert len(history) == 2 * 2 * 3
    assert not history.duplicated(["epoch", "side", "classifier"]).any()
    assert set(history["epoch"]) == {1, 2}
    assert set(history["side"]) == {"train", "validation"}
    assert set(history["classifier"]) == {"joint", "audio", "image"}
    assert history["accuracy"].between(0, 1).all()


def test_the_history_is_measured_on_the_side_it_names(easy: FeatureStore) -> None:
    network, history = trained(easy)
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    predictions = training.predict(network, samples, cut.validation)
    label = easy.rows["emotion"].to_numpy()[cut.validation] - 1
    last = history[
        (history["epoch"] == 2)
        & (history["side"] == "validation")
        & (history["classifier"] == "joint")
    ].iloc[0]
    assert last["accuracy"] == pytest.approx((predictions.argmax(axis=1) == label).mean())
    assert last["loss"] == pytest.approx(
        -predictions[np.arange(len(label)), label].mean(), rel=1e-5
    )


def altered(store: FeatureStore, rows: np.ndarray) -> FeatureStore:
    """The same store with other features and other emotions in the clips of these rows."""
    chosen = np.unique(store.rows["clip_number"].to_numpy()[rows])
    mfcc, pairs, clips = store.mfcc.copy(), store.pairs.copy(), store.clips.copy()
    mfcc[chosen] = -3 * mfcc[chosen] + 7
    pairs[rows] = 255 - pairs[rows]
    clips.loc[chosen, "emotion"] = 9 - clips.loc[chosen, "emotion"]
    return store_of(clips, mfcc, pairs, pairs_a_clip=2)


def test_rows_outside_train_never_reach_the_weights(easy: FeatureStore) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    network, history = trained(easy)
    for side, seen in ((cut.validation, True), (cut.test, False)):
        same, watched = trained(altered(easy, side))
        assert training.digest(same) == training.digest(network)
        assert watched.equals(history) != seen
    other, _ = trained(altered(easy, cut.train[:2]))
    assert training.digest(other) != training.digest(network)


def test_answers_are_log_probabilities_in_the_order_of_the_rows(easy: FeatureStore) -> None:
    network, _ = trained(easy)
    samples = loaders.to_device(easy, np.arange(100), "cpu")
    rows = np.array([150, 3, 77])
    predictions = training.predict(network, samples, rows)
    assert predictions.shape == (3, 8)
    np.testing.assert_allclose(np.exp(predictions).sum(axis=1), 1, rtol=1e-5)
    alone = np.concatenate([training.predict(network, samples, row[None]) for row in rows])
    np.testing.assert_allclose(predictions, alone, atol=1e-4)


def test_the_digest_sees_a_single_bit() -> None:
    network = networks.seeded(networks.AudioNetwork, seed=0)
    before = training.digest(network)
    assert training.digest(networks.seeded(networks.AudioNetwork, seed=0)) == before
    first = next(network.parameters())
    with torch.no_grad():
        first.view(-1)[0] = torch.nextafter(first.view(-1)[0], torch.tensor(9.0))
    assert training.digest(network) != before


def kept(
    make: type[nn.Module],
    samples: loaders.Samples,
    cut: splits.Split,
    settings: Training,
    keep: Path | None,
    threads: int,
) -> tuple[str, pd.DataFrame]:
    """A training from the first weights on, or from where its checkpoint left off."""
    torch.set_num_threads(threads)  # bits depend on it
    network = networks.seeded(make, seed=0)
    history = training.fit(network, samples, cut, settings, False, keep)
    return training.digest(network), history


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [networks.AudioNetwork, networks.ImageNetwork, networks.FusionNetwork]
)
def test_a_killed_training_goes_on_and_ends_in_the_same_bits(
    easy: FeatureStore, make: type[nn.Module], tmp_path: Path
) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    settings = Training(epochs=40, batch=32)
    threads = torch.get_num_threads()
    wanted, history = kept(make, samples, cut, settings, None, threads)
    arguments = (make, samples, cut, settings, tmp_path, threads)
    training_elsewhere = multiprocessing.get_context("spawn").Process(target=kept, args=arguments)
    training_elsewhere.start()
    while not list(tmp_path.glob("*.safetensors")):
        assert training_elsewhere.is_alive()
        time.sleep(0.002)
    training_elsewhere.kill()
    training_elsewhere.join()
    (checkpoint,) = tmp_path.glob("*.safetensors")
    _, header = training.load_weights(checkpoint)
    assert 1 <= header["epoch"] < settings.epochs
    again, continued = kept(*arguments)
    assert again == wanted
    pd.testing.assert_frame_equal(continued, history)
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_checkpoint_is_found_by_its_own_training_alone(
    easy: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: None)  # leave them there
    for settings in (Training(epochs=1), Training(epochs=1, seed=1), Training(epochs=2)):
        network = networks.seeded(networks.AudioNetwork, seed=0)
        history = training.fit(network, samples, cut, settings, False, tmp_path)
        assert history["epoch"].max() == settings.epochs
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0}, {"epochs": -1}, {"batch": 0}, {"learning_rate": 0}, {"momentum": 1.5},
        {"audio_weight": -1}, {"image_weight": float("nan")}, {"modality_dropout": 0.6},
        {"learning_rate": float("inf")},
    ],
)  # fmt: skip
def test_a_setting_out_of_its_range_is_named(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(setting))}: should be"):
        Training(**setting)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_checkpoint_is_named_and_the_training_starts_anew(
    easy: FeatureStore, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = splits.split(easy.rows, "clip", 0)
    samples = loaders.to_device(easy, cut.train)
    whole = networks.seeded(networks.AudioNetwork, seed=0)
    training.fit(whole, samples, cut, BRIEF, progress=False)
    stopped = networks.seeded(networks.AudioNetwork, seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # the last checkpoint stays
        training.fit(stopped, samples, cut, BRIEF, progress=False, keep=tmp_path)
    (kept,) = tmp_path.glob("*.safetensors")
    content = bytearray(kept.read_bytes())
    content[-9] ^= 1
    kept.write_bytes({"flip": bytes(content), "cut": content[:-40], "empty": b""}[damage])
    again = networks.seeded(networks.AudioNetwork, seed=0)
    with pytest.warns(UserWarning, match=rf"{kept.name}: .*starts anew"):
        training.fit(again, samples, cut, BRIEF, progress=False, keep=tmp_path)
    assert training.digest(again) == training.digest(whole)


def test_weights_come_back_bit_for_bit_with_their_header(tmp_path: Path) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=3)
    network.to(memory_format=torch.channels_last)
    header = {"accuracy": 0.5, "history": [{"epoch": 1, "side": "train"}]}
    training.save_weights(tmp_path / "fusion.safetensors", network.state_dict(), header)
    found, said = training.load_weights(tmp_path / "fusion.safetensors")
    other = networks.seeded(networks.FusionNetwork, seed=4)
    other.load_state_dict(found)
    assert training.digest(other) == training.digest(network)
    assert said == header


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audio.safetensors"
    with pytest.raises(FileNotFoundError, match=r"audio\.safetensors"):
        training.load_weights(path)
    training.save_weights(path, {"one": torch.ones(50)}, {})
    whole = path.read_bytes()
    flipped = whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]
    other = whole.replace(b'"avlib":"{}"', b'"avlib":"[]"')
    assert other != whole
    for damaged in (b"", whole[:-3], flipped, other, b"<html>404</html>", b"\x80\x04pickled"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"audio\.safetensors: cannot be read"):
            training.load_weights(path)
    from safetensors.torch import save_file

    save_file({"one": torch.ones(1)}, path)  # of another program
    with pytest.raises(ValueError, match=r"audio\.safetensors: cannot be read"):
        training.load_weights(path)


def test_a_hook_that_does_nothing_changes_no_bit(easy: FeatureStore) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    settings, seen = replace(Training.preset("avlib"), epochs=2, batch=32), []
    ends = []
    for hook in (None, seen.append):
        network = networks.seeded(networks.FusionNetwork, seed=0)
        history = training.fit(network, samples, cut, settings, progress=False, between=hook)
        ends.append((training.digest(network), history.to_dict("list")))
    assert ends[0] == ends[1]
    assert len(seen) == 2 * -(-len(cut.train) // 32)
    assert [step.epoch for step in seen] == sorted(step.epoch for step in seen)
    assert set(seen[0].losses) == set(seen[0].logits) == {"joint", "audio", "image"}


def test_a_hook_stands_between_backward_and_the_step(easy: FeatureStore) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    network = networks.seeded(networks.FusionNetwork, seed=0)
    before = training.digest(network)

    def stop(step: training.Step) -> None:
        assert training.digest(network) == before  # no step was made yet
        for weight in step.network.parameters():
            assert weight.grad is not None
            weight.grad.zero_()

    training.fit(network, samples, cut, BRIEF, progress=False, between=stop)
    assert training.digest(network) == before


def test_a_hook_and_a_checkpoint_exclude_each_other(easy: FeatureStore, tmp_path: Path) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    network = networks.seeded(networks.AudioNetwork, seed=0)
    with pytest.raises(ValueError, match="keep: a checkpoint does not hold what `between`"):
        training.fit(network, samples, cut, BRIEF, False, tmp_path, between=lambda step: None)


def test_who_watches_sees_every_batch_and_epoch_and_changes_no_bit(
    easy: FeatureStore, tmp_path: Path
) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    settings, seen, ends = replace(Training.preset("avlib"), epochs=2, batch=32), [], []

    def look(moment: training.Moment) -> None:
        seen.append((moment.done, len(moment.history), moment.running(), moment.has_ended))

    for watch in (None, look):
        network = networks.seeded(networks.FusionNetwork, seed=0)
        history = training.fit(network, samples, cut, settings, False, tmp_path, watch=watch)
        ends.append((training.digest(network), history.to_dict("list")))
    assert ends[0] == ends[1]
    batches = -(-len(cut.train) // 32)
    assert len(seen) == 1 + 2 * (batches + 1)
    done = [each[0] for each in seen]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[batches] == 1 == done[batches + 1]  # the last batch, and the epoch's end
    assert done[-1] == 2
    assert [each[3] for each in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[1][1] == 0
    assert seen[batches + 1][1] == 6  # sides times classifiers
    assert seen[0][2] is None is seen[-1][2]
    first = history.query("epoch == 1 and side == 'train' and classifier == 'joint'").iloc[0]
    assert seen[batches][2] == first.to_dict()


def test_who_watches_a_training_that_goes_on_is_shown_what_was_done_before(
    easy: FeatureStore, tmp_path: Path
) -> None:
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    settings = Training(epochs=3, batch=32)

    def stop(moment: training.Moment) -> None:
        if moment.done > 2:  # in the middle of the third epoch
            raise KeyboardInterrupt

    network = networks.seeded(networks.AudioNetwork, seed=0)
    with pytest.raises(KeyboardInterrupt):
        training.fit(network, samples, cut, settings, False, tmp_path, watch=stop)
    seen = []
    network = networks.seeded(networks.AudioNetwork, seed=0)
    history = training.fit(
        network, samples, cut, settings, False, tmp_path,
        watch=lambda moment: seen.append((moment.done, list(moment.history))),
    )  # fmt: skip
    assert seen[0] == (2, history[history["epoch"] <= 2].to_dict("records"))
    assert seen[-1] == (3, history.to_dict("records"))
    assert min(done for done, _ in seen[1:]) > 2


def test_any_classifier_can_be_asked(easy: FeatureStore) -> None:
    network, history = trained(easy)
    cut = splits.split(easy.rows, "actor", 0)
    samples = loaders.to_device(easy, cut.train, "cpu")
    label = easy.rows["emotion"].to_numpy()[cut.validation] - 1
    last = history[(history["epoch"] == 2) & (history["side"] == "validation")]
    for name, row in last.set_index("classifier").iterrows():
        logs = training.predict(network, samples, cut.validation, name)
        assert row["accuracy"] == pytest.approx((logs.argmax(axis=1) == label).mean())
