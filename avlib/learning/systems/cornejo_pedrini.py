"""[18] Cornejo and Pedrini 2019: CNN features of sound and of census-transformed faces, reduced.

Taught in notebooks/08-table-two-run.ipynb.
"""

from __future__ import annotations

from itertools import product, starmap

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional

from avlib.learning.networks import PAIR_SHAPE, image_branch
from avlib.learning.splits import Split
from avlib.learning.systems import parts
from avlib.learning.systems.parts import Apart, Encoded, block, frames, pixels_left

REDUCTIONS = {
    "PCA": lambda: [PCA(0.95, svd_solver="full")],  # 95 % of the variance: our decision
    "LDA": lambda: [LinearDiscriminantAnalysis()],
    "PCA, LDA": lambda: [PCA(0.95, svd_solver="full"), LinearDiscriminantAnalysis()],
}
CLASSIFIERS = {  # scikit-learn's settings, which are our decision
    "k-NN": KNeighborsClassifier,
    "SVM": SVC,
    "logistic regression": lambda: LogisticRegression(max_iter=2000),
    "naive Bayes": GaussianNB,
}

VGG = ((1, 8, 2), (8, 16, 2), (16, 32, 3), (32, 64, 3), (64, 64, 3))  # in, out, convolutions


def census(grey: Tensor) -> Tensor:
    """The census transform: each pixel says which of its eight neighbours are darker than it.

    `grey` is ``(batch, 1, height, width)``; so is the result, 0 to 255: a bit for each neighbour,
    row by row from the upper left, the highest first. Beyond the edge the edge goes on. How bright
    the picture is, and how much contrast it has, changes nothing.
    Source: Zabih and Woodfill 1994, doi:10.1007/BFb0028345.

    >>> census(torch.arange(1.0, 10).view(1, 1, 3, 3))[0, 0, 1, 1]  # 1, 2, 3, 4 are darker than 5
    tensor(240.)
    """
    height, width = grey.shape[2:]
    padded = functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    code = torch.zeros_like(grey)
    for down, right in product(range(3), range(3)):
        if (down, right) != (1, 1):
            neighbour = padded[:, :, down : down + height, right : right + width]
            code = 2 * code + (neighbour < grey)
    return code


class CensusFaces(nn.Module):
    """A VGG-16, an eighth as wide, for the census transform of each frame; the mean of its vectors.

    The paper's network sees one face, and so does this; the mean is our decision.
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        last = nn.Linear(64 * (-(-size // 32)) ** 2, Apart.dimension)
        self.vgg = nn.Sequential(*starmap(block, VGG), nn.Flatten(), last, nn.ReLU())

    def forward(self, strip: Tensor) -> Tensor:
        """``(batch, 3, 64, number · 64)`` → ``(batch, 128)``; grey is the mean of three colours."""
        grey = frames(strip).mean(dim=2, keepdim=True)
        each = self.vgg(census(grey.flatten(0, 1)) / 127.5 - 1)
        return each.unflatten(0, grey.shape[:2]).mean(dim=1)


class CornejoPedrini(Apart):
    """An AlexNet, a quarter as wide, for sound; a VGG-16, an eighth as wide, for faces.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `sound.0` | conv 5 × 5 24, stride 2, pool (AlexNet: 96) | (24, 10, 32) | 648 |
    | `sound.1` | conv 5 × 5 64, pool (256) | (64, 5, 16) | 38,528 |
    | `sound.2` | conv 96 (384) | (96, 5, 16) | 55,488 |
    | `sound.3` | conv 96 (384) | (96, 5, 16) | 83,136 |
    | `sound.4` | conv 64, pool (256) | (64, 3, 8) | 55,424 |
    | `sound` | flatten, linear 128 (4096 twice) | (128,) | 429,960 |
    | `face.vgg.0` | of each census: 2 × conv 8, pool (VGG-16: 64) | (8, 32, 32) | 680 |
    | `face.vgg.1` | 2 × conv 16, pool (128) | (16, 16, 16) | 3,520 |
    | `face.vgg.2` | 3 × conv 32, pool (256) | (32, 8, 8) | 23,232 |
    | `face.vgg.3` | 3 × conv 64, pool (512) | (64, 4, 4) | 92,544 |
    | `face.vgg.4` | 3 × conv 64, pool (512) | (64, 2, 2) | 110,976 |
    | `face` | flatten, linear 128 (4096 twice), mean | (128,) | 263,848 |
    | `audio_classifier` | linear, only to train the branch | (8,) | 1,032 |
    | `image_classifier` | linear, only to train the branch | (8,) | 1,032 |
    | in all | | (8,) | 695,872 |
    | of MFCC means | | (8,) | 523,840 |
    | of 35 action units | | (8,) | 453,144 |
    | of spectrograms and six frames | | (8,) | 761,408 |

    Not to be had: pretrained weights, of ImageNet and of faces (VGG-Face): both are trained from
    scratch, as narrow as so few clips allow; faces cut out of films. A store by the recipe
    ``spectrogram`` with ``frames`` gives log-mel spectrograms and strips of six frames, by
    ``sequence`` MFCCs and pairs. Of action units, no pixels, an MLP is the face branch.
    """

    def __init__(
        self, mfcc_shape: tuple[int, ...] = (40,), image_shape: tuple[int, ...] = PAIR_SHAPE
    ) -> None:
        super().__init__()
        self.sound = nn.Sequential(
            block(1, 24, kernel=5, stride=2),
            block(24, 64, kernel=5),
            block(64, 96, pool=None),
            block(96, 96, pool=None),
            block(96, 64),
            nn.Flatten(),
            nn.Linear(64 * pixels_left(mfcc_shape, 4), self.dimension),
            nn.ReLU(),
        )
        self.face = image_branch(image_shape, CensusFaces)


class Reduced:
    """The branches' vectors, joined, reduced, and classified; all of it learns from training rows.

    `reduction` and `classifier` are names in `REDUCTIONS` and `CLASSIFIERS`.
    """

    def __init__(self, reduction: str, classifier: str) -> None:
        steps = [StandardScaler(), *REDUCTIONS[reduction](), CLASSIFIERS[classifier]()]
        self.machine = make_pipeline(*steps)

    def fit(self, given: Encoded, split: Split) -> Reduced:
        """Learn from the training rows."""
        joined = np.concatenate(given.vectors(split.train), axis=1)
        self.machine.fit(joined, given.labels(split.train))
        return self

    def log_posteriors(self, given: Encoded, rows: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(rows, 8)``."""
        return parts.log_posteriors(self.machine, np.concatenate(given.vectors(rows), axis=1))
