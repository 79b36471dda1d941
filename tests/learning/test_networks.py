"""The networks have the paper's layers, and each loss reaches what the paper says it does."""

import pytest
import torch
from torch import nn

from avlib.learning import networks

SHAPES = pytest.mark.parametrize("shape", [(40,), (40, 125)], ids=["mean", "sequence"])


def inputs(shape: tuple[int, ...], batch: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(batch, *shape, generator=generator),
        torch.randn(batch, 3, 64, 128, generator=generator),
    )


def count(network: nn.Module, *kinds: type[nn.Module]) -> int:
    return sum(isinstance(layer, kinds) for layer in network.modules())


@SHAPES
@pytest.mark.parametrize(
    ("kind", "classifiers"),
    [
        ("AudioNetwork", ["audio"]),
        ("ImageNetwork", ["image"]),
        ("FusionNetwork", ["joint", "audio", "image"]),
    ],
)
def test_each_classifier_scores_eight_emotions(
    kind: str, classifiers: list[str], shape: tuple[int, ...]
) -> None:
    make = getattr(networks, kind)
    network = make() if kind == "ImageNetwork" else make(shape)
    logits = network(*inputs(shape))
    assert sorted(logits) == sorted(classifiers)
    assert network.decision in logits
    for each in logits.values():
        assert each.shape == (5, 8)
        torch.testing.assert_close(each.softmax(dim=1).sum(dim=1), torch.ones(5))


@SHAPES
def test_the_audio_cnn_has_two_convolutions_and_one_pool(shape: tuple[int, ...]) -> None:
    network = networks.AudioCNN(shape)
    assert (count(network, nn.Conv1d), count(network, nn.MaxPool1d)) == (2, 1)
    assert network(inputs(shape)[0]).shape == (5, network.dimension)


def test_the_image_cnn_has_two_convolutions_and_two_pools() -> None:
    network = networks.ImageCNN()
    assert (count(network, nn.Conv2d), count(network, nn.MaxPool2d)) == (2, 2)
    assert network(inputs((40,))[1]).shape == (5, network.dimension)


def test_the_image_cnn_takes_other_frame_sizes() -> None:
    network = networks.ImageCNN(32)
    assert network(torch.zeros(2, 3, 32, 64)).shape == (2, network.dimension)


def test_action_units_take_the_place_of_the_image_cnn_and_of_nothing_else() -> None:
    pictured, measured = networks.FusionNetwork((40,)), networks.FusionNetwork((40,), (35,))
    assert type(pictured.image_cnn) is networks.ImageCNN
    assert type(measured.image_cnn) is networks.VectorMLP
    rest = [
        [(name, each.shape) for name, each in network.named_parameters() if "image_" not in name]
        for network in (pictured, measured)
    ]
    assert rest[0] == rest[1]
    units = torch.zeros(5, 35)
    assert set(measured(inputs((40,))[0], units)) == {"joint", "audio", "image"}
    assert networks.ImageNetwork((35,))(None, units)["image"].shape == (5, 8)


@SHAPES
def test_both_branches_give_vectors_of_one_length(shape: tuple[int, ...]) -> None:
    network = networks.FusionNetwork(shape)
    audio, image = network.vectors(*inputs(shape))
    assert audio.shape == image.shape == (5, network.audio_cnn.dimension)


@SHAPES
def test_balanced_branches_give_vectors_of_one_size_and_the_papers_do_not(
    shape: tuple[int, ...],
) -> None:
    balanced = networks.BalancedFusionNetwork(shape)
    paper = networks.FusionNetwork(shape)
    paper.load_state_dict(balanced.state_dict())
    mfcc, image = inputs(shape)
    wanted = torch.full((5,), networks.VECTOR_SIZE)
    given = zip(balanced.vectors(100 * mfcc, image), paper.vectors(100 * mfcc, image), strict=True)
    for vector, plain in given:
        assert torch.equal(vector, networks.equal_size(plain))
        torch.testing.assert_close(vector.square().mean(dim=1).sqrt(), wanted, rtol=0.01, atol=0)
    assert plain.square().mean() < 0.1 * paper.audio_cnn(100 * mfcc).square().mean()


@pytest.mark.parametrize(
    ("classifier", "reached"),
    [
        ("audio", {"audio_cnn", "audio_auxiliary"}),
        ("image", {"image_cnn", "image_mlp", "image_auxiliary"}),
        ("joint", {"audio_cnn", "image_cnn", "image_mlp", "joint"}),
    ],
)
@SHAPES
def test_a_loss_reaches_its_branch_and_no_other(
    classifier: str, reached: set[str], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = networks.FusionNetwork(shape)
    logits = network(*inputs(shape))
    nn.functional.cross_entropy(logits[classifier], torch.arange(5)).backward()
    moved = {
        name.split(".")[0]
        for name, weights in network.named_parameters()
        if weights.grad is not None and weights.grad.abs().max() > 0
    }
    assert moved == reached


def test_a_network_of_one_branch_does_not_look_at_the_other() -> None:
    mfcc, image = inputs((40,))
    assert "audio" in networks.AudioNetwork()(mfcc, None)
    assert "image" in networks.ImageNetwork()(None, image)


def test_the_joint_classifier_does_without_an_absent_modality() -> None:
    network = networks.FusionNetwork()
    mfcc, image = inputs((40,), 2)
    present = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # the first is only heard, the second seen
    before = network(mfcc, image, present)
    other_sound = network(mfcc + 1, image, present)
    other_image = network(mfcc, image + 1, present)
    for other, unmoved in ((other_sound, 1), (other_image, 0)):
        moved = (other["joint"] - before["joint"]).abs().amax(dim=1) > 1e-6
        assert moved.tolist() == [unmoved == 1, unmoved == 0]
    both = network(mfcc, image)
    for head in ("audio", "image"):
        torch.testing.assert_close(before[head], both[head], rtol=0, atol=0)
