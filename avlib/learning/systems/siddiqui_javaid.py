"""[16] Siddiqui and Javaid 2020: two image streams into one SVM, and an SVM over the decisions.

Of no lesson; the registry, `systems`, is.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from avlib.learning.networks import PAIR_SHAPE, image_branch
from avlib.learning.splits import Split
from avlib.learning.systems import parts
from avlib.learning.systems.parts import Apart, Encoded, FrameCNN, SoundCNN, frames

FIVE = (1, 3, 4, 5, 8)  # neutral, happy, sad, angry, surprised: the emotions of the paper


class TwoStreams(nn.Module):
    """The first frame of a pair in one CNN, how the second differs from it in another.

    Of a strip of more frames it is how the others differ from the first on average. The mean
    difference of neighbours would be the last less the first alone: all between cancels out.

    >>> TwoStreams()(torch.zeros(2, 3, 64, 384)).shape
    torch.Size([2, 128])
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.visible, self.change = FrameCNN(size), FrameCNN(size)
        self.halves = nn.ModuleList(nn.Linear(FrameCNN.dimension, 64) for _ in range(2))

    def forward(self, strip: Tensor) -> Tensor:
        """``(batch, 3, 64, number · 64)`` → ``(batch, 128)``, 64 numbers of each stream."""
        first, *others = frames(strip).unbind(dim=1)
        streams = self.visible(first), self.change(sum(others) / len(others) - first)
        each = [half(stream) for half, stream in zip(self.halves, streams, strict=True)]
        return torch.cat(each, dim=1).relu()


class SiddiquiJavaid(Apart):
    """CNNs for two image streams, whose features an SVM gets, and a CNN for sound.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `sound.0` | conv 16, pool | (16, 20, 63) | 176 |
    | `sound.1` | conv 32, pool | (32, 10, 32) | 4,672 |
    | `sound.2` | conv 64, pool | (64, 5, 16) | 18,560 |
    | `sound` | flatten, linear 128 | (128,) | 678,896 |
    | `face.visible` | three blocks and linear 128 for the first frame | (128,) | 155,664 |
    | `face.change` | the same for the difference | (128,) | 155,664 |
    | `face` | linear 64 of each stream | (128,) | 327,840 |
    | `audio_classifier` | linear | (8,) | 1,032 |
    | `image_classifier` | linear, only to train the streams | (8,) | 1,032 |
    | in all | | (8,) | 1,008,800 |
    | of MFCC means | | (8,) | 394,400 |
    | of 35 action units | | (8,) | 702,080 |
    | of spectrograms and six frames | | (8,) | 1,402,016 |

    Not to be had: infrared images, which RAVDESS has none of: the second stream is how the frames
    differ; the VIRI database, whose faces the paper joins to RAVDESS's voices by emotion alone, so
    that face and voice are of different people: here both are of one clip; the pretrained image
    network, in whose place is a small one from scratch. Spectrograms are had, log-mel ones, of a
    store by the recipe ``spectrogram`` with ``frames``, with strips of six frames; a store by
    ``paper`` or ``sequence`` gives MFCCs and pairs. The paper tells five emotions apart, `FIVE`;
    the network has eight, and learns five where only these are in the training rows. Action units
    are one stream, an MLP.
    """

    def __init__(
        self, mfcc_shape: tuple[int, ...] = (40,), image_shape: tuple[int, ...] = PAIR_SHAPE
    ) -> None:
        super().__init__()
        self.sound = SoundCNN(mfcc_shape)
        self.face = image_branch(image_shape, TwoStreams)


class OverDecisions:
    """Stage I, an SVM on the image features, and stage II, an SVM over the decisions.

    Stage I is fitted on the training rows. Stage II gets what the first SVM and the sound's
    classifier say of the *validation* rows: of the training rows they say what they know by heart,
    and it would learn to trust whichever learns by heart better. That stage I has a radial kernel
    and stage II, with few rows to learn from, a linear one, is our decision.
    """

    def __init__(self) -> None:
        self.image = make_pipeline(StandardScaler(), SVC())
        self.last = make_pipeline(StandardScaler(), SVC(kernel="linear"))

    def fit(self, given: Encoded, split: Split) -> OverDecisions:
        """Learn stage I from the training rows, then stage II from the validation rows."""
        _, seen = given.vectors(split.train)
        self.image.fit(seen, given.labels(split.train))
        said = self._decisions(given, split.validation)
        self.last.fit(said, given.labels(split.validation))
        return self

    def log_posteriors(self, given: Encoded, rows: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(rows, 8)``."""
        return parts.log_posteriors(self.last, self._decisions(given, rows))

    def _decisions(self, given: Encoded, rows: np.ndarray) -> np.ndarray:
        """``(rows, 16)`` log-probabilities: of the sound, and of the images."""
        (audio, _), (_, seen) = given.decisions(rows), given.vectors(rows)
        return np.concatenate([audio, parts.log_posteriors(self.image, seen)], axis=1)
