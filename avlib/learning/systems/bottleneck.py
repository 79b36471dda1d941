"""Nagrani et al. 2021: two transformers, which meet in a few tokens alone, the bottleneck.

Of no lesson; the registry, `systems`, is.
"""

import torch
from torch import Tensor, nn

from avlib.learning.networks import CLASSES, PAIR_SHAPE, VectorMLP, image_branch
from avlib.learning.systems.parts import FrameCNN, each_frame

WIDTH = 64  # of a token
STEPS = 5  # frames of sound that make a token
BOTTLENECKS = 4  # tokens, as in the authors' code
FUSIONS = 2  # layers with a bottleneck, after one without
SMALL = 0.02  # standard deviation of places and bottlenecks at first, as in the authors' code


def encoder() -> nn.TransformerEncoderLayer:
    """A transformer layer, normed first as in ViT, without dropout; four heads, 256 inside."""
    return nn.TransformerEncoderLayer(
        WIDTH, 4, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )


class Placed(nn.Module):
    """A CLS token before a modality's own tokens, and to each of them its place, learnt.

    >>> Placed(25)(torch.zeros(2, 25, 64)).shape
    torch.Size([2, 26, 64])
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.place = nn.Parameter(SMALL * torch.randn(tokens + 1, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """``(batch, tokens, 64)`` → ``(batch, 1 + tokens, 64)``."""
        return torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1) + self.place


class Fusion(nn.Module):
    """A layer for each modality, over its own tokens and the bottleneck's, which both then share.

    >>> sound, face, narrow = torch.zeros(2, 26, 64), torch.zeros(2, 7, 64), torch.zeros(2, 4, 64)
    >>> [each.shape[1] for each in Fusion()(sound, face, narrow, torch.full((2, 2), 0.5))]
    [26, 7, 4]
    """

    def __init__(self) -> None:
        super().__init__()
        self.sound, self.face = encoder(), encoder()

    def forward(
        self, heard: Tensor, seen: Tensor, bottleneck: Tensor, shares: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens ``(batch, count, 64)`` of sound, faces and bottleneck → the same shapes.

        `shares`, ``(batch, 2)``, of 1 in all: half and half, but of an absent modality nothing.
        """
        heard = self.sound(torch.cat([heard, bottleneck], dim=1))
        seen = self.face(torch.cat([seen, bottleneck], dim=1))
        said = torch.stack([heard[:, -BOTTLENECKS:], seen[:, -BOTTLENECKS:]], dim=1)
        bottleneck = (said * shares[:, :, None, None]).sum(dim=1)
        return heard[:, :-BOTTLENECKS], seen[:, :-BOTTLENECKS], bottleneck


class Bottleneck(nn.Module):
    """Multimodal bottleneck transformer (MBT), a quarter as deep and a twelfth as wide.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `heard` | conv 64 of 5 frames, stride 5 | (64, 25) | 12,864 |
    | `frame` | three blocks and linear 128, for each frame | (128,) | 155,664 |
    | `seen` | linear 64 of each frame | (2, 64) | 8,256 |
    | `sound_placed` | CLS token, learnt places | (26, 64) | 1,728 |
    | `face_placed` | CLS token, learnt places | (3, 64) | 256 |
    | `sound_alone` | transformer layer | (26, 64) | 49,984 |
    | `face_alone` | transformer layer | (3, 64) | 49,984 |
    | `fusions.0` | a layer each, with 4 bottleneck tokens | (26, 64) of sound | 99,968 |
    | `fusions.1` | the same | (26, 64) of sound | 99,968 |
    | `norm` | of both CLS tokens | (2, 64) | 128 |
    | `classifier` | linear, of their mean | (8,) | 520 |
    | in all | | (8,) | 479,576 |
    | of MFCC means | | (8,) | 495,192 |
    | of 35 action units | | (8,) | 344,968 |
    | of spectrograms and six frames | | (8,) | 487,512 |

    Our decisions: tokens, widths and depth; one loss, of the mean, where the authors' code has one
    for each CLS token; that an absent modality has no share in the bottleneck and the mean.

    Not to be had: weights of a ViT-Base pretrained on ImageNet-21k, with 12 layers of 768, the last
    four of them fusing; patches of 16 × 16 pixels as tokens, in whose place a small CNN gives one
    for each frame; the authors' training, see the registry.
    Action units and MFCC means have no sequence: an MLP gives one token.
    """

    decision = "joint"
    needs_image = True

    def __init__(
        self, mfcc_shape: tuple[int, ...] = (40,), image_shape: tuple[int, ...] = PAIR_SHAPE
    ) -> None:
        super().__init__()
        timed, pictured = len(mfcc_shape) == 2, len(image_shape) == 3
        self.heard = (
            nn.Conv1d(mfcc_shape[0], WIDTH, STEPS, STEPS)
            if timed
            else nn.Sequential(
                VectorMLP(*mfcc_shape), nn.Linear(128, WIDTH), nn.Unflatten(1, (-1, 1))
            )
        )
        self.frame = image_branch(image_shape, FrameCNN)
        self.seen = nn.Linear(128, WIDTH)
        self.sound_placed = Placed(mfcc_shape[1] // STEPS if timed else 1)
        self.face_placed = Placed(image_shape[1] // image_shape[0] if pictured else 1)
        self.sound_alone, self.face_alone = encoder(), encoder()
        self.bottleneck = nn.Parameter(SMALL * torch.randn(BOTTLENECKS, WIDTH))
        self.fusions = nn.ModuleList(Fusion() for _ in range(FUSIONS))
        self.norm, self.classifier = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def cls(self, mfcc: Tensor, image: Tensor, shares: Tensor) -> Tensor:
        """The CLS tokens of sound and faces after the last layer, ``(batch, 2, 64)``."""
        heard = self.sound_alone(self.sound_placed(self.heard(mfcc).transpose(1, 2)))
        seen = self.seen(each_frame(self.frame, image))
        seen = self.face_alone(self.face_placed(seen))
        bottleneck = self.bottleneck.expand(len(heard), -1, -1)
        for fusion in self.fusions:
            heard, seen, bottleneck = fusion(heard, seen, bottleneck, shares)
        return torch.stack([heard[:, 0], seen[:, 0]], dim=1)

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``joint`` classifier, ``(batch, 8)``.

        `present`, ``(batch, 2)``, tells with 1 and 0 which modality there is.
        """
        there = torch.ones(len(mfcc), 2, device=mfcc.device) if present is None else present
        shares = there / there.sum(dim=1, keepdim=True).clamp(min=1)
        # One linear layer for both: its logits of the mean are the mean of its logits.
        both = (self.norm(self.cls(mfcc, image, shares)) * shares.unsqueeze(2)).sum(dim=1)
        return {"joint": self.classifier(both)}
