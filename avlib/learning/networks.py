"""The networks of the paper: two small CNNs, a dimension MLP, and their fusion.

The paper gives the number and kind of layers and leaves widths and kernels open; every width
and kernel stands in this file, and each is our decision. A network takes
``(mfcc, image)`` and returns *logits*: a dict with one entry for each classifier
in it, of shape ``(batch, 8)``. The entry named by ``network.decision`` is its prediction.

Taught in notebooks/03-unimodal-cnns.ipynb and notebooks/04-the-fusion-network.ipynb.
"""

from collections.abc import Callable

import torch
from torch import Tensor, cat, nn
from torch.nn import functional

from avlib.features.store import FeatureStore

CLASSES = 8
PAIR_SHAPE = (64, 128, 3)  # two frames side by side, red, green and blue
VECTOR_SIZE = 0.3  # root mean square of the numbers that a branch gives the classifiers


class AudioCNN(nn.Module):
    """Two convolution layers, one max pool, flatten (paper, audio branch).

    Of mean MFCCs, ``mfcc_shape`` (40,), the kernels slide along the coefficients; of a sequence,
    (40, frames), the coefficients are channels and the kernels slide along time. Our decisions:
    kernels of 5, 32 then 64 channels for the mean and 64 then 64 for the sequence, ReLU, pool of 4.

    >>> AudioCNN()(torch.zeros(2, 40)).shape
    torch.Size([2, 640])
    """

    def __init__(self, mfcc_shape: tuple[int, ...] = (40,)) -> None:
        super().__init__()
        if len(mfcc_shape) == 1:
            channels, length, width = 1, mfcc_shape[0], 32
        else:
            channels, length, width = *mfcc_shape, 64
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, kernel_size=5, padding=2),  # (32, 40)
            nn.ReLU(),
            nn.Conv1d(width, 64, kernel_size=5, padding=2),  # (64, 40)
            nn.ReLU(),
            nn.MaxPool1d(4),  # (64, 10)
            nn.Flatten(),
        )
        self.dimension = 64 * (length // 4)

    def forward(self, mfcc: Tensor) -> Tensor:
        """``(batch, 40)`` or ``(batch, 40, frames)`` → ``(batch, dimension)``."""
        return self.layers(mfcc.unsqueeze(1) if mfcc.ndim == 2 else mfcc)


class ImageCNN(nn.Module):
    """Two convolution layers, two max pools, flatten (paper, image branch).

    ``size`` is the height of a frame pair (pixels), a multiple of 16; it is twice as wide. Our
    decisions: a 5 × 5 kernel with stride 2 and 16 channels, then 3 × 3 with 32, ReLU, pools of 2
    and 4. The stride makes it four times cheaper on a laptop.

    >>> ImageCNN()(torch.zeros(2, 3, 64, 128)).shape
    torch.Size([2, 1024])
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, kernel_size=5, stride=2, padding=2),  # (16, 32, 64)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (16, 16, 32)
            nn.Conv2d(16, 32, kernel_size=3, padding=1),  # (32, 16, 32)
            nn.ReLU(),
            nn.MaxPool2d(4),  # (32, 4, 8)
            nn.Flatten(),
        )
        self.dimension = 32 * (size // 16) * (size // 8)

    def forward(self, image: Tensor) -> Tensor:
        """``(batch, 3, 64, 128)`` → ``(batch, dimension)``."""
        return self.layers(image)


class VectorMLP(nn.Module):
    """Two linear layers, for a face that is given as action units instead of a frame pair.

    It stands where the image CNN stands, so that all else stays as it is. Not in the paper.
    """

    dimension = 128

    def __init__(self, length: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(length, 128), nn.ReLU(), nn.Linear(128, self.dimension), nn.ReLU()
        )

    def forward(self, vector: Tensor) -> Tensor:
        """``(batch, length)`` → ``(batch, 128)``."""
        return self.layers(vector)


def image_branch(
    image_shape: tuple[int, ...], pictured: Callable[[int], nn.Module] = ImageCNN
) -> nn.Module:
    """A network for pictures, ``(64, 128, 3)``; an MLP for action units, ``(35,)``."""
    return VectorMLP(*image_shape) if len(image_shape) == 1 else pictured(image_shape[0])


class DimensionMLP(nn.Sequential):
    """Bring the image vector to the audio vector's length (paper, equal dimension).

    Our decisions: it stands on the image branch alone, with one hidden layer of 128.
    """

    def __init__(self, dimension_in: int, dimension_out: int) -> None:
        super().__init__(
            nn.Linear(dimension_in, 128), nn.ReLU(), nn.Linear(128, dimension_out), nn.ReLU()
        )


def equal_size(vector: Tensor) -> Tensor:
    """Bring vectors, ``(batch, dimension)``, to mean 0 and one root mean square, each for itself.

    Equal dimension is not equal say: the audio CNN's numbers are several times larger than the
    image MLP's, and the joint classifier would listen and hardly look. Our decision, with nothing
    to learn in it (layer normalisation, Ba et al. 2016, arXiv:1607.06450).

    >>> equal_size(torch.tensor([[1.0, 3.0]]))
    tensor([[-0.3000,  0.3000]])
    """
    return VECTOR_SIZE * functional.layer_norm(vector, vector.shape[1:])


class Classifier(nn.Sequential):
    """An MLP from a vector to eight logits, one for each emotion; one hidden layer of 128 is ours.

    Softmax of the logits gives probabilities; the loss takes the logits.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__(nn.Linear(dimension, 128), nn.ReLU(), nn.Linear(128, CLASSES))


class AudioNetwork(nn.Module):
    """Emotion from sound alone: the audio CNN and a classifier."""

    decision = "audio"
    needs_image = False

    def __init__(self, mfcc_shape: tuple[int, ...] = (40,)) -> None:
        super().__init__()
        self.cnn = AudioCNN(mfcc_shape)
        self.classifier = Classifier(self.cnn.dimension)

    def forward(
        self, mfcc: Tensor, image: Tensor | None = None, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``audio`` classifier; nothing else is looked at."""
        return {"audio": self.classifier(self.cnn(mfcc))}


class ImageNetwork(nn.Module):
    """Emotion from a frame pair (or action units) alone: the image branch and a classifier."""

    decision = "image"
    needs_image = True

    def __init__(self, image_shape: tuple[int, ...] = PAIR_SHAPE) -> None:
        super().__init__()
        self.cnn = image_branch(image_shape)
        self.classifier = Classifier(self.cnn.dimension)

    def forward(
        self, mfcc: Tensor | None, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``image`` classifier; nothing else is looked at."""
        return {"image": self.classifier(self.cnn(image))}


class FusionNetwork(nn.Module):
    """Emotion from sound and picture: both branches, joined, with an auxiliary head each.

    The joint classifier sees both branches' vectors, of one dimension; each auxiliary classifier
    sees its own branch alone, so its loss reaches that branch alone.
    Source: the paper's fusion and auxiliary-loss sections, with nothing added.

    >>> logits = FusionNetwork()(torch.zeros(2, 40), torch.zeros(2, 3, 64, 128))
    >>> {name: tuple(each.shape) for name, each in logits.items()}
    {'joint': (2, 8), 'audio': (2, 8), 'image': (2, 8)}
    """

    decision = "joint"
    needs_image = True

    def __init__(
        self, mfcc_shape: tuple[int, ...] = (40,), image_shape: tuple[int, ...] = PAIR_SHAPE
    ) -> None:
        super().__init__()
        self.audio_cnn = AudioCNN(mfcc_shape)
        self.image_cnn = image_branch(image_shape)
        dimension = self.audio_cnn.dimension
        self.image_mlp = DimensionMLP(self.image_cnn.dimension, dimension)
        self.joint = Classifier(2 * dimension)
        self.audio_auxiliary = Classifier(dimension)
        self.image_auxiliary = Classifier(dimension)

    def vectors(self, mfcc: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the branches give the classifiers: two tensors ``(batch, dimension)``."""
        return self.audio_cnn(mfcc), self.image_mlp(self.image_cnn(image))

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``joint``, ``audio`` and ``image`` classifiers.

        ``present``, of shape (batch, 2), tells with 1 and 0 which of the two vectors the joint
        classifier gets; both by default.
        """
        heard, seen = self.vectors(mfcc, image)
        logits = {"audio": self.audio_auxiliary(heard), "image": self.image_auxiliary(seen)}
        if present is not None:
            heard, seen = heard * present[:, :1], seen * present[:, 1:]
        return {"joint": self.joint(cat([heard, seen], dim=1)), **logits}


class BalancedFusionNetwork(FusionNetwork):
    """The fusion network with vectors of one size, so that neither modality has the louder say.

    Our addition to the paper, as is the modality dropout that ``Training.preset("avlib")`` trains
    it with (see `loaders.batches`).
    """

    def vectors(self, mfcc: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """As `FusionNetwork`, each vector brought to mean 0 and one root mean square."""
        heard, seen = super().vectors(mfcc, image)
        return equal_size(heard), equal_size(seen)


def seeded(make: type[nn.Module], *arguments: object, seed: int) -> nn.Module:
    """A network, ``make(*arguments)``, whose first weights depend on `seed` alone.

    PyTorch's own random state is left as it was.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return make(*arguments)


def make(name: str, store: FeatureStore, seed: int) -> nn.Module:
    """The network of a name in `NETWORKS` that fits a store's features; see `seeded`."""
    shapes = {"audio": [store.mfcc.shape[1:]], "image": [store.image_shape]}
    both = shapes["audio"] + shapes["image"]
    return seeded(NETWORKS[name], *shapes.get(name, both), seed=seed)


NETWORKS = {
    "audio": AudioNetwork,
    "image": ImageNetwork,
    "fusion": FusionNetwork,  # the paper's
    "balanced": BalancedFusionNetwork,  # ours
}
