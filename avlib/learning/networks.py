"""The networks of the paper: two small CNNs, a dimension MLP, and their fusion.

The paper gives the number and kind of layers and leaves widths and kernels open; every width
and kernel stands in this file, and each is our decision. A network takes
``(mfcc, image)`` and returns *logits*: a dict with one entry for each classifier
in it, of shape ``(batch, 8)``. The entry named by ``network.decision`` is its prediction.

Taught in notebooks/03-unimodal-cnns.ipynb and notebooks/04-the-fusion-network.ipynb.
"""

from __future__ import annotations

from torch import Tensor, cat, nn
from torch.nn import functional

CLASSES = 8
PAIR_SHAPE = (64, 128, 3)  # two frames side by side, red, green and blue
VECTOR_SIZE = 0.3  # root mean square of the numbers that a branch gives the classifiers


class AudioCNN(nn.Module):
    """Two convolution layers, one max pool, flatten (paper, audio branch).

    Parameters
    ----------
    mfcc_shape : tuple of int
        ``(40,)`` for mean MFCCs: the kernels slide along the coefficients. ``(40, frames)``
        for a sequence: the coefficients are channels and the kernels slide along time.

    Attributes
    ----------
    dimension : int
        Length of the vector that comes out: 640 for ``(40,)``.

    Notes
    -----
    Our decisions: kernels of 5, 32 then 64 channels for the mean and 64 then 64 for the sequence,
    ReLU, pool of 4.
    """

    def __init__(self, mfcc_shape: tuple[int, ...] = (40,)) -> None:
        super().__init__()
        if len(mfcc_shape) == 1:
            channels, length, width = 1, mfcc_shape[0], 32
        else:
            channels, length, width = *mfcc_shape, 64
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.Conv1d(width, 64, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool1d(4),
            nn.Flatten(),
        )
        self.dimension = 64 * (length // 4)

    def forward(self, mfcc: Tensor) -> Tensor:
        """``(batch, 40)`` or ``(batch, 40, frames)`` → ``(batch, dimension)``."""
        return self.layers(mfcc.unsqueeze(1) if mfcc.ndim == 2 else mfcc)


class ImageCNN(nn.Module):
    """Two convolution layers, two max pools, flatten (paper, image branch).

    Parameters
    ----------
    size : int
        Height of a frame pair (pixels); it is twice as wide. A multiple of 16.

    Attributes
    ----------
    dimension : int
        Length of the vector that comes out: 1024 for 64 × 128 pairs.

    Notes
    -----
    Our decisions: a 5 × 5 kernel with stride 2 and 16 channels, then 3 × 3 with 32, ReLU, pools of
    2 and 4. The stride makes it four times cheaper on a laptop.
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

    Parameters
    ----------
    length : int
        How many action units.

    Attributes
    ----------
    dimension : int
        Length of the vector that comes out: 128.

    Notes
    -----
    It stands where the image CNN stands, so that all else stays as it is. Not in the paper.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(length, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
        )
        self.dimension = 128

    def forward(self, vector: Tensor) -> Tensor:
        """``(batch, length)`` → ``(batch, dimension)``."""
        return self.layers(vector)


def image_branch(image_shape: tuple[int, ...]) -> nn.Module:
    """What looks at the face: the image CNN at frame pairs, an MLP at vectors.

    Parameters
    ----------
    image_shape : tuple of int
        ``(64, 128, 3)`` for frame pairs, ``(35,)`` for vectors of action units.

    Returns
    -------
    `ImageCNN` or `VectorMLP`
    """
    return VectorMLP(*image_shape) if len(image_shape) == 1 else ImageCNN(image_shape[0])


class DimensionMLP(nn.Sequential):
    """Bring the image vector to the audio vector's length (paper, equal dimension).

    Parameters
    ----------
    dimension_in, dimension_out : int
        Lengths of the vectors that go in and come out.

    Notes
    -----
    Our decisions: it stands on the image branch alone, with one hidden layer of 128.
    """

    def __init__(self, dimension_in: int, dimension_out: int) -> None:
        super().__init__(
            nn.Linear(dimension_in, 128), nn.ReLU(), nn.Linear(128, dimension_out), nn.ReLU()
        )


def equal_size(vector: Tensor) -> Tensor:
    """Bring vectors to mean 0 and one root mean square, each for itself.

    Parameters
    ----------
    vector : Tensor, shape (batch, dimension)

    Returns
    -------
    Tensor, shape (batch, dimension)

    Notes
    -----
    Equal dimension is not equal say: the audio CNN's numbers are several times larger than the
    image MLP's, and the joint classifier would listen and hardly look. Our decision, with nothing
    to learn in it (layer normalisation, Ba et al. 2016, arXiv:1607.06450).
    """
    return VECTOR_SIZE * functional.layer_norm(vector, vector.shape[1:])


class Classifier(nn.Sequential):
    """An MLP from a vector to eight logits, one for each emotion.

    Parameters
    ----------
    dimension : int
        Length of the vector that goes in.

    Notes
    -----
    Our decision: one hidden layer of 128. Softmax of the logits gives probabilities; the
    loss takes the logits.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__(nn.Linear(dimension, 128), nn.ReLU(), nn.Linear(128, CLASSES))


class AudioNetwork(nn.Module):
    """Emotion from sound alone: the audio CNN and a classifier.

    Parameters
    ----------
    mfcc_shape : tuple of int
        As `AudioCNN`.
    """

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
    """Emotion from a frame pair alone: the image CNN and a classifier.

    Parameters
    ----------
    image_shape : tuple of int
        As `image_branch`.
    """

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

    Parameters
    ----------
    mfcc_shape : tuple of int
        As `AudioCNN`.
    image_shape : tuple of int
        As `image_branch`.

    Notes
    -----
    The joint classifier sees both branches' vectors, of one dimension; each auxiliary classifier
    sees its own branch alone, so its loss reaches that branch alone.
    Source: the paper's fusion and auxiliary-loss sections, with nothing added.
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

    Parameters
    ----------
    mfcc_shape, image_shape
        As `FusionNetwork`.

    Notes
    -----
    Our addition to the paper, as is the modality dropout that ``Training.preset("avlib")`` trains
    it with (see `loaders.batches`).
    """

    def vectors(self, mfcc: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """As `FusionNetwork`, each vector brought to mean 0 and one root mean square."""
        heard, seen = super().vectors(mfcc, image)
        return equal_size(heard), equal_size(seen)
