"""What several systems are made of: frames, spectrogram blocks, branches that never meet, stages.

Taught in notebooks/08-table-two-run.ipynb.
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from torch import Tensor, nn

from avlib.learning.loaders import Samples, batches
from avlib.learning.networks import CLASSES, PAIR_SHAPE, image_branch
from avlib.learning.splits import Split

LEAST = -20.0  # a log-probability of an emotion that a classifier holds to be impossible


class Stage(Protocol):
    """What decides in place of a network's own classifier, once the network is trained."""

    def fit(self, given: Encoded, split: Split) -> Self:
        """Learn from the training or the validation rows; the test rows are never looked at."""

    def log_posteriors(self, given: Encoded, rows: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(rows, 8)`` float64."""


def as_image(mfcc: Tensor) -> Tensor:
    """MFCCs or a log-mel spectrogram as a grey image: ``(batch, 1, 40, frames)``.

    The published systems take spectrograms, up to 227 × 227 pixels, and so can these, of a store by
    the recipe ``spectrogram``: ``(batch, 1, 64, frames)``. Of other stores MFCCs, its cosine
    transform, stand in for it; of their mean, the image is one frame wide.

    >>> as_image(torch.zeros(2, 40)).shape, as_image(torch.zeros(2, 40, 125)).shape
    (torch.Size([2, 1, 40, 1]), torch.Size([2, 1, 40, 125]))
    """
    return mfcc[:, None, :, None] if mfcc.ndim == 2 else mfcc[:, None]


def frames(strip: Tensor) -> Tensor:
    """A strip, of as many square frames as its width holds, as a sequence of them.

    ``(batch, 3, size, number · size)`` → ``(batch, number, 3, size, size)``; a pair is a strip of
    two.

    >>> frames(torch.zeros(5, 3, 64, 128)).shape, frames(torch.zeros(5, 3, 64, 384)).shape
    (torch.Size([5, 2, 3, 64, 64]), torch.Size([5, 6, 3, 64, 64]))
    """
    return torch.stack(strip.split(strip.shape[2], dim=3), dim=1)


def block(
    given: int,
    wanted: int,
    convolutions: int = 1,
    kernel: int = 3,
    stride: int = 1,
    pool: type[nn.Module] | None = nn.MaxPool2d,
) -> nn.Sequential:
    """Convolutions with batch normalisation and ReLU, and a pool of 2 that leaves no edge out.

    Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) is what makes the deep ones
    learn from scratch; they were pretrained where they were published. None of the systems has
    dropout: `training.fit` would draw it from PyTorch's own random state.

    >>> block(1, 16)(torch.zeros(2, 1, 5, 1)).shape
    torch.Size([2, 16, 3, 1])
    """
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        convolution = nn.Conv2d(given, wanted, kernel, stride, kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(wanted), nn.ReLU()]
        given = wanted
    if pool:
        layers.append(pool(2, ceil_mode=True))
    return nn.Sequential(*layers)


class FrameCNN(nn.Sequential):
    """A small CNN for one frame, from scratch, where the papers have large pretrained ones.

    >>> FrameCNN()(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 128])
    """

    dimension = 128

    def __init__(self, size: int = 64) -> None:
        super().__init__(
            block(3, 16, kernel=5, stride=2),  # (16, 16, 16)
            block(16, 32),  # (32, 8, 8)
            block(32, 64),  # (64, 4, 4)
            nn.Flatten(),
            nn.Linear(64 * (size // 16) ** 2, self.dimension),
            nn.ReLU(),
        )


def each_frame(face: nn.Module, image: Tensor) -> Tensor:
    """What a network gives for each frame, ``(batch, N, 128)``; of action units, for one step.

    >>> each_frame(FrameCNN(), torch.zeros(5, 3, 64, 384)).shape
    torch.Size([5, 6, 128])
    """
    if image.ndim == 2:
        return face(image).unsqueeze(1)
    several = frames(image)
    return face(several.flatten(0, 1)).unflatten(0, several.shape[:2])


def along(given: int, wanted: int, pool: bool) -> nn.Sequential:
    """A convolution along time, batch normalisation, ReLU, and, of sound, a pool of 2."""
    layers = [nn.Conv1d(given, wanted, 3, padding=1), nn.BatchNorm1d(wanted), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool1d(2)] if pool else []))


class Halfway(nn.Module):
    """Two branches of two halves each, convolutions along time, which meet between the halves.

    A subclass makes in `meet` what joins them, in the middle, since first weights follow from the
    order of making. Action units have no sequence: an MLP gives one step, which is there twice, as
    of a face that does not move.
    """

    decision = "joint"
    needs_image = True

    def __init__(
        self, mfcc_shape: tuple[int, ...] = (40,), image_shape: tuple[int, ...] = PAIR_SHAPE
    ) -> None:
        super().__init__()
        channels = mfcc_shape[0] if len(mfcc_shape) == 2 else 1  # of a mean, along coefficients
        self.frame = image_branch(image_shape, FrameCNN)
        self.sound_first = nn.Sequential(along(channels, 64, True), along(64, 128, True))
        self.face_first = nn.Sequential(along(128, 64, False), along(64, 128, False))
        self.meet()
        self.sound_second = nn.Sequential(along(128, 256, True), along(256, 128, True))
        self.face_second = nn.Sequential(along(128, 128, False), along(128, 128, False))
        self.both = nn.Linear(256, CLASSES)

    def meet(self) -> None:
        """Make what joins the branches."""
        raise NotImplementedError

    def halfway(self, mfcc: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the first halves give: two tensors ``(batch, 128, steps)``."""
        seen = each_frame(self.frame, image).transpose(1, 2)
        seen = self.face_first(seen.expand(-1, -1, 2) if image.ndim == 2 else seen)
        return self.sound_first(mfcc.unsqueeze(1) if mfcc.ndim == 2 else mfcc), seen


class SoundCNN(nn.Sequential):
    """A small CNN for MFCCs or a spectrogram as an image, where a paper does not tell its own.

    >>> SoundCNN((40, 125))(torch.zeros(2, 1, 40, 125)).shape
    torch.Size([2, 128])
    """

    def __init__(self, mfcc_shape: tuple[int, ...] = (40,)) -> None:
        super().__init__(
            block(1, 16),
            block(16, 32),
            block(32, 64),
            nn.Flatten(),
            nn.Linear(64 * pixels_left(mfcc_shape, 3), 128),
            nn.ReLU(),
        )


def pixels_left(mfcc_shape: tuple[int, ...], halvings: int) -> int:
    """How many pixels are left of MFCCs as an image when pools have halved it so often.

    >>> pixels_left((40,), 3), pixels_left((40, 125), 3)
    (5, 80)
    """
    height, width = (*mfcc_shape, 1)[:2]
    return -(-height // 2**halvings) * -(-width // 2**halvings)


class Apart(nn.Module):
    """Two branches, each trained by its own classifier alone; they meet in a `Stage`, later.

    A subclass makes ``sound`` and ``face``, branches that give a vector of 128 each. The ``joint``
    logits are the sum of both classifiers' log-probabilities, and teach nothing: they stand in for
    the `Stage` that the paper has, and that is fitted after the training.
    """

    decision = "joint"
    needs_image = True
    dimension = 128
    sound: nn.Module
    face: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.audio_classifier = nn.Linear(self.dimension, CLASSES)
        self.image_classifier = nn.Linear(self.dimension, CLASSES)

    def vectors(self, mfcc: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the branches give: two tensors ``(batch, 128)``."""
        return self.sound(as_image(mfcc)), self.face(image)

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``joint``, ``audio`` and ``image`` classifiers, each ``(batch, 8)``.

        `present`, ``(batch, 2)``, tells with 1 and 0 which of the two opinions the sum has.
        """
        heard, seen = self.vectors(mfcc, image)
        logits = {"audio": self.audio_classifier(heard), "image": self.image_classifier(seen)}
        said = [each.detach().float().log_softmax(dim=1) for each in logits.values()]
        if present is not None:
            said = [each * there for each, there in zip(said, present.split(1, 1), strict=True)]
        return {"joint": said[0] + said[1], **logits}


class Encoded:
    """What the branches of a trained network make of samples, for any number of stages to read.

    The same rows go through the network once.
    """

    def __init__(self, network: Apart, samples: Samples) -> None:
        self.network, self.samples = network.eval(), samples
        self._known: dict[bytes, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def _vectors(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        key = rows.tobytes()
        if key not in self._known:
            each = [
                self.network.vectors(batch.mfcc, batch.image)
                for batch in batches(self.samples, rows, 512)
            ]
            heard, seen = map(torch.cat, zip(*each, strict=True))
            self._known[key] = heard, seen
        return self._known[key]

    def vectors(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What both branches give for each of `rows`: two arrays ``(rows, 128)``, float32."""
        heard, seen = self._vectors(rows)
        return heard.cpu().numpy(), seen.cpu().numpy()

    @torch.no_grad()
    def decisions(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the classifier of each branch says: log-probabilities, two arrays ``(rows, 8)``."""
        heard, seen = self._vectors(rows)
        audio = self.network.audio_classifier(heard).log_softmax(dim=1)
        image = self.network.image_classifier(seen).log_softmax(dim=1)
        return audio.cpu().numpy(), image.cpu().numpy()

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """The emotion code less one of each of `rows`, int64."""
        return self.samples.label.cpu().numpy()[rows]


def log_posteriors(machine: ClassifierMixin, features: np.ndarray) -> np.ndarray:
    """What a classifier of scikit-learn says of each emotion, ``(rows, 8)`` log-probabilities.

    A support vector machine gives no probabilities: the softmax of its eight decision values has
    its decisions, and is not calibrated.
    """
    if hasattr(machine, "predict_proba"):
        known = np.log(np.maximum(machine.predict_proba(features), np.exp(LEAST)))
    else:
        known = machine.decision_function(features)
        known = known if known.ndim == 2 else np.stack([-known, known], axis=1)
    logs = np.full((len(features), CLASSES), known.min() + LEAST)
    logs[:, machine.classes_] = known
    return log_softmax(logs, axis=1)
