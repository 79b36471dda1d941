"""[20] Ristea, Duţu and Radoi 2019: two CNNs, joined, and two fully connected layers.

Of no lesson; the registry, `systems`, is.
"""

import torch
from torch import Tensor, nn

from avlib.learning.networks import CLASSES, PAIR_SHAPE, image_branch
from avlib.learning.systems.parts import FrameCNN, SoundCNN, as_image, each_frame


class FrameSequence(nn.Module):
    """A CNN along the image sequence: each frame's vector, then a convolution from one to the next.

    The convolution gives a step fewer than there are frames: one of a pair, five of six. Their mean
    is taken, so that as much is to be learnt however many frames there are; that is our decision.

    >>> FrameSequence()(torch.zeros(2, 3, 64, 384)).shape
    torch.Size([2, 128])
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.frame = FrameCNN(size)
        self.along = nn.Sequential(nn.Conv1d(128, 128, kernel_size=2), nn.ReLU())

    def forward(self, strip: Tensor) -> Tensor:
        """``(batch, 3, 64, number · 64)`` → ``(batch, 128)``."""
        return self.along(each_frame(self.frame, strip).transpose(1, 2)).mean(dim=2)


class Ristea(nn.Module):
    """A CNN for the image sequence, a CNN for the spectrogram, and two layers for both together.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `sound.0` | conv 16, pool | (16, 20, 63) | 176 |
    | `sound.1` | conv 32, pool | (32, 10, 32) | 4,672 |
    | `sound.2` | conv 64, pool | (64, 5, 16) | 18,560 |
    | `sound` | flatten, linear 128 | (128,) | 678,896 |
    | `face.frame` | three blocks and linear 128, for each frame | (128,) | 155,664 |
    | `face.along` | conv of 2 along the frames | (128, 1) | 32,896 |
    | `both.0` | fully connected 128 | (128,) | 32,896 |
    | `both.2` | fully connected 8 | (8,) | 1,032 |
    | in all | | (8,) | 901,384 |
    | of MFCC means | | (8,) | 286,984 |
    | of 35 action units | | (8,) | 733,944 |
    | of spectrograms and six frames | | (8,) | 1,294,600 |

    Not to be had: CREMA-D, on which the paper's figure stands; its widths and kernels, which are
    our decision. STFT spectrograms and a longer sequence of images are nearly to be had: a store by
    the recipe ``spectrogram`` with ``frames`` gives log-mel spectrograms and strips of six frames,
    by ``sequence`` MFCCs and the two frames of a pair. Action units have no sequence: an MLP stands
    in for the image CNN.
    """

    decision = "joint"
    needs_image = True

    def __init__(
        self, mfcc_shape: tuple[int, ...] = (40,), image_shape: tuple[int, ...] = PAIR_SHAPE
    ) -> None:
        super().__init__()
        self.sound = SoundCNN(mfcc_shape)
        self.face = image_branch(image_shape, FrameSequence)
        self.both = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, CLASSES))

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``joint`` classifier, ``(batch, 8)``: the paper has no other.

        `present`, ``(batch, 2)``, tells with 1 and 0 which of the two vectors it gets.
        """
        heard, seen = self.sound(as_image(mfcc)), self.face(image)
        if present is not None:
            heard, seen = heard * present[:, :1], seen * present[:, 1:]
        return {"joint": self.both(torch.cat([heard, seen], dim=1))}
