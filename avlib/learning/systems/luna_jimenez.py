"""[21] Luna-Jiménez et al. 2021: a PANNs CNN, a spatial transformer with a bi-LSTM, late fusion.

Of no lesson; the registry, `systems`, is.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from avlib.learning.networks import PAIR_SHAPE, image_branch
from avlib.learning.splits import Split
from avlib.learning.systems import parts
from avlib.learning.systems.panns import CNN14, MeanAndMost
from avlib.learning.systems.parts import Apart, Encoded, FrameCNN, block, frames


class SpatialTransformer(nn.Module):
    """Cut out, turn and scale each picture as a small network thinks fit; at first, leave it.

    Each of the six numbers stays within a quarter of where it began, which is our decision: where
    the paper has pretrained weights, a transformer from scratch loses the face in its first steps,
    and finds it never again. Source: Jaderberg et al. 2015, arXiv:1506.02025.

    >>> picture = torch.rand(1, 3, 64, 64)
    >>> torch.allclose(SpatialTransformer()(picture), picture, atol=1e-4)
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.AvgPool2d(2), block(3, 8, kernel=5), block(8, 8, kernel=5), nn.AdaptiveAvgPool2d(4)
        )
        self.where = nn.Linear(8 * 4 * 4, 6)
        nn.init.zeros_(self.where.weight)
        nn.init.zeros_(self.where.bias)

    def forward(self, picture: Tensor) -> Tensor:
        """``(batch, 3, size, size)`` → the same shape."""
        moved = self.where(self.look(picture).flatten(1)).float().tanh().view(-1, 2, 3)
        found = torch.eye(2, 3, device=moved.device) + moved / 4
        grid = functional.affine_grid(found, list(picture.shape), align_corners=False)
        return functional.grid_sample(picture, grid, align_corners=False)


class AttendedFrames(nn.Module):
    """A spatial transformer and a CNN for each frame, a bi-LSTM along them, attention over it.

    >>> AttendedFrames()(torch.zeros(2, 3, 64, 384)).shape
    torch.Size([2, 128])
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.transformer, self.frame = SpatialTransformer(), FrameCNN(size)
        self.along = nn.LSTM(FrameCNN.dimension, 64, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(128, 1)

    def forward(self, strip: Tensor) -> Tensor:
        """``(batch, 3, 64, number · 64)`` → ``(batch, 128)``."""
        several = frames(strip)
        each = self.frame(self.transformer(several.flatten(0, 1)))
        told, _ = self.along(each.unflatten(0, several.shape[:2]))
        return (self.attention(told).softmax(dim=1) * told).sum(dim=1)


class LunaJimenez(Apart):
    """The CNN-14 of PANNs, narrowed to four blocks, and faces by attention over a bi-LSTM.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `sound.0` | 2 × conv 8, mean pool (CNN-14: 64) | (8, 20, 63) | 680 |
    | `sound.1` | 2 × conv 16, mean pool (128) | (16, 10, 32) | 3,520 |
    | `sound.2` | 2 × conv 32, mean pool (256) | (32, 5, 16) | 13,952 |
    | `sound.3` | 2 × conv 64, mean pool (512) | (64, 3, 8) | 55,552 |
    | `sound.4` | mean over frequency, mean + maximum over time | (64,) | 0 |
    | `sound` | linear 128 (2048) | (128,) | 82,024 |
    | `face.transformer` | spatial transformer, for each frame | (3, 64, 64) | 3,006 |
    | `face.frame` | three blocks and linear 128, for each frame | (128,) | 155,664 |
    | `face.along` | bi-LSTM, 64 each way | (2, 128) | 99,328 |
    | `face` | sum weighted by attention | (128,) | 258,127 |
    | `audio_classifier` | linear | (8,) | 1,032 |
    | `image_classifier` | linear | (8,) | 1,032 |
    | in all | | (8,) | 342,215 |
    | of MFCC means | | (8,) | 342,215 |
    | of 35 action units | | (8,) | 105,208 |
    | of spectrograms and six frames | | (8,) | 342,215 |

    `weights` is a file of the whole CNN-14, from AudioSet: the sound branch is then that, frozen,
    and a linear layer of 128, which learns (see `panns.CNN14`). The paper fine-tunes CNN-14, which
    with 80 million weights takes a GPU. Without a file it is narrowed and from scratch.

    Not to be had: the weights of the spatial transformer from AffectNet, which is trained from
    scratch; saliency maps; a film's whole sequence of frames. A store by the recipe ``spectrogram``
    with ``frames`` gives log-mel spectrograms and strips of six frames, as many steps of the
    bi-LSTM; by ``sequence`` MFCCs and pairs. Action units have no sequence: an MLP stands in for
    the faces.
    """

    def __init__(
        self,
        mfcc_shape: tuple[int, ...] = (40,),
        image_shape: tuple[int, ...] = PAIR_SHAPE,
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        if weights is None:
            blocks = (block(*each, 2, pool=nn.AvgPool2d) for each in pairwise((1, 8, 16, 32, 64)))
            self.sound = nn.Sequential(*blocks, MeanAndMost(), nn.Linear(64, self.dimension))
        else:
            whole = CNN14(weights, mfcc_shape)
            self.sound = nn.Sequential(whole, nn.Linear(whole.dimension, self.dimension))
        self.sound.append(nn.ReLU())
        self.face = image_branch(image_shape, AttendedFrames)


class OverPosteriors:
    """Logistic regression on what both classifiers say, fitted on the *validation* rows.

    Which rows the paper's fusion is fitted on is our decision: of training rows both classifiers
    say what they know by heart.
    """

    def __init__(self) -> None:
        self.machine = LogisticRegression(max_iter=2000)

    def fit(self, given: Encoded, split: Split) -> OverPosteriors:
        """Learn from the validation rows."""
        said = np.exp(np.concatenate(given.decisions(split.validation), axis=1))
        self.machine.fit(said, given.labels(split.validation))
        return self

    def log_posteriors(self, given: Encoded, rows: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(rows, 8)``."""
        said = np.exp(np.concatenate(given.decisions(rows), axis=1))
        return parts.log_posteriors(self.machine, said)
