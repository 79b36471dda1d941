"""CNN-14 computes what its weights say, learns nothing, and says what is wrong with a file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from media import store_of, table
from torch import Tensor, nn
from torch.nn import functional

from avlib.corpus import ravdess
from avlib.features import FeatureStore
from avlib.learning import loaders, systems, training
from avlib.learning.splits import Split
from avlib.learning.systems import panns
from avlib.learning.systems.panns import CNN14
from avlib.learning.training import Training

SPECTROGRAM = (64, 125)
WIDTHS, LAST = (2, 3, 4, 5, 6, 7), 9  # of a file that is written in no time


def tensors() -> dict[str, Tensor]:
    """What PANNs' file has under “model”, so narrow; and a tensor that nobody needs."""
    drawn = torch.Generator().manual_seed(0)

    def normalisation(name: str, size: int) -> dict[str, Tensor]:
        found = {each: torch.rand(size, generator=drawn) + 0.5
                 for each in ("weight", "bias", "running_mean", "running_var")}  # fmt: skip
        found["bias"] -= 0.8  # or nothing would be left to be seen of what goes in
        found["running_mean"] -= 1
        found["num_batches_tracked"] = torch.tensor(7)
        return {f"{name}.{each}": tensor for each, tensor in found.items()}

    found = normalisation("bn0", 64)
    found["bn0.running_mean"] -= 30  # dB
    found["bn0.running_var"] *= 150
    given = 1
    for number, width in enumerate(WIDTHS, 1):
        for layer in (1, 2):
            block = f"conv_block{number}"
            weight = torch.randn(width, given, 3, 3, generator=drawn)
            found[f"{block}.conv{layer}.weight"] = weight / (4.5 * given) ** 0.5
            found |= normalisation(f"{block}.bn{layer}", width)
            given = width
    found["fc1.weight"] = torch.randn(LAST, given, generator=drawn)
    found["fc1.bias"] = torch.rand(LAST, generator=drawn)
    return found | {"fc_audioset.bias": torch.zeros(527)}


def plain(model: dict[str, Tensor], decibels: Tensor) -> Tensor:
    """CNN-14 by hand; a log-mel spectrogram is ``(batch, 1, frames, 64)``, as PANNs have it."""

    def normalised(maps: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            model[f"{name}.{each}"].view(-1, 1, 1)
            for each in ("running_mean", "running_var", "weight", "bias")
        )
        return (maps - mean) / (variance + 1e-5).sqrt() * weight + bias

    maps = normalised(decibels.transpose(1, 3), "bn0").transpose(1, 3)
    for number in range(1, 7):
        for layer in (1, 2):
            block = f"conv_block{number}"
            maps = functional.conv2d(maps, model[f"{block}.conv{layer}.weight"], padding=1)
            maps = normalised(maps, f"{block}.bn{layer}").relu()
        maps = functional.avg_pool2d(maps, 1 if number == 6 else 2)
    over_bands = maps.mean(dim=3)
    vector = over_bands.max(dim=2).values + over_bands.mean(dim=2)
    return (vector @ model["fc1.weight"].T + model["fc1.bias"]).relu()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "narrow.pth"
    torch.save({"iteration": 1, "model": tensors()}, path)
    return path


def few(sound: tuple[int, ...] = SPECTROGRAM) -> tuple[FeatureStore, Split]:
    clips = table(
        ravdess.ClipName(1, 1, emotion, 1, 1, 1, actor)
        for actor in (1, 2)
        for emotion in range(1, 9)
    )
    random = np.random.default_rng(0)
    mfcc = random.normal(-30, 12, (len(clips), *sound))
    vectors = random.normal(0, 1, (len(clips), 35)).astype(np.float32)
    rows = np.arange(len(clips))
    return store_of(clips, mfcc, None, vectors=vectors), Split(rows, rows, rows, "clip")


def test_it_computes_what_a_plain_forward_pass_computes(file: Path) -> None:
    model = tensors()
    decibels = torch.randn(3, 1, 125, 64, generator=torch.Generator().manual_seed(1)) * 12 - 30
    decibels[1, :, :60] += 20
    decibels[2, :, :, 40:] -= 20
    network = CNN14(file, SPECTROGRAM)
    # A store's spectrogram is standardised, bands first: what bn0's mean and variance are for.
    mean, variance = model["bn0.running_mean"], model["bn0.running_var"]
    standard = ((decibels - mean) / (variance + 1e-5).sqrt()).transpose(2, 3)
    expected = plain(model, decibels)
    assert expected.std(dim=0).max() > 0.01
    for mode in (True, False):
        found = network.train(mode)(standard)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert found.shape == (3, LAST)


def test_the_published_file_has_as_many_weights_as_is_published() -> None:
    shapes = dict(panns._wanted({}))
    learnt = sum(int(np.prod(each)) for name, each in shapes.items() if "running" not in name)
    assert learnt + 527 * (2048 + 1) == 80_753_615  # PANNs, with its last layer


def test_training_leaves_it_as_it_was_and_moves_the_layer_after_it(file: Path) -> None:
    store, cut = few()
    samples = loaders.to_device(store, cut.train, "cpu")
    before = systems.make("luna-jimenez", store, 0, file)
    frozen = sum(weight.numel() for weight in before.sound[0].parameters())
    assert frozen == 0
    twice = [systems.train("luna-jimenez", store, samples, cut, Training(epochs=2, batch=8),
                           weights=file) for _ in range(2)]  # fmt: skip
    after = twice[0].network
    assert training.digest(after) == training.digest(twice[1].network)
    for name, tensor in panns.read(file).items():
        assert torch.equal(getattr(after.sound[0], name.replace(".", "_")), tensor)
    assert not torch.equal(after.sound[1].weight, before.sound[1].weight)
    losses = twice[0].history.query("side == 'train' and classifier == 'audio'")["loss"]
    assert losses.is_monotonic_decreasing
    found = twice[0].log_posteriors(samples, cut.test)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)


def test_a_mean_or_mfccs_or_too_short_a_sound_is_refused(file: Path) -> None:
    for sound in ((64,), (40, 125), (64, 31)):
        store, _ = few(sound)
        with pytest.raises(ValueError, match=r"64 bands and at least 32 frames.*\(.+\); build a "
                           "store by the recipe spectrogram"):  # fmt: skip
            systems.make("luna-jimenez", store, 0, file)
    assert CNN14(file, (64, 32))(torch.zeros(1, 1, 64, 32)).shape == (1, LAST)


def test_weights_are_refused_where_there_is_no_use_for_them(file: Path) -> None:
    store, _ = few()
    for name in ("ristea", "chumachenko"):
        with pytest.raises(ValueError, match=f"{name} takes none, luna-jimenez does"):
            systems.make(name, store, 0, file)


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no such file; give Cnn14_mAP=0.431.pth"):
            panns.read(path)


def written(path: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    model = tensors()
    change(model)
    torch.save({"model": model}, path)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: model.pop("fc1.bias"), "has no tensor 'fc1.bias'"),
        (lambda model: model.pop("conv_block3.conv1.weight"),
         "has no tensor 'conv_block3.conv1.weight'"),
        (lambda model: model.update({"bn0.weight": torch.ones(128)}),
         r"bn0.weight is \(128,\), not \(64,\)"),
        (lambda model: model.update({"conv_block2.conv2.weight": torch.ones(3, 3, 5, 5)}),
         r"conv_block2.conv2.weight is \(3, 3, 5, 5\), not \(3, 3, 3, 3\)"),
        (lambda model: model.update({"fc1.weight": torch.tensor(1.0)}),
         r"fc1.weight is \(\), not \(2048, 7\)"),
        (lambda model: model.update({"fc1.bias": 1}), "has no tensor 'fc1.bias'"),
    ],
    ids=["tensor fewer", "block fewer", "other bands", "other kernel", "a number", "no tensor"],
)  # fmt: skip
def test_a_file_that_holds_other_tensors_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], said: str
) -> None:
    path = written(tmp_path / "other.pth", change)
    with pytest.raises(ValueError, match=f"other.pth: {said}; give Cnn14_mAP=0.431.pth"):
        panns.read(path)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "strange.pth"
    for content in (b"", b"not weights", b"\x80\x02}q\x00.", file.read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"strange.pth: .+; give Cnn14_mAP=0.431.pth"):
            panns.read(path)
    for held, said in (
        (tensors(), "is no checkpoint of PANNs"),
        ([1], "is no checkpoint of PANNs"),
        ({"model": nn.Linear(1, 1)}, "cannot be read as weights"),  # would have to be unpickled
    ):
        torch.save(held, path)
        with pytest.raises(ValueError, match=said):
            panns.read(path)
