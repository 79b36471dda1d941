"""Su, Hu, Li and Cao 2020, MSAF: blocks of channels compete for attention across modalities.

Of no lesson; the registry, `systems`, is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from avlib.learning.systems.parts import Halfway

CHANNELS = 128  # of each branch, where they meet
BLOCK = 32  # channels of a block: both branches are cut into four


class Normalised(nn.BatchNorm1d):
    """Batch normalisation that takes a batch of one row, too: by the running mean and variance.

    A vector alone has no variance, and the last batch of an epoch may be a row alone.

    >>> Normalised(8).train()(torch.ones(1, 8)).shape
    torch.Size([1, 8])
    """

    def forward(self, vectors: Tensor) -> Tensor:
        """``(batch, channels)`` → the same shape."""
        if self.training and len(vectors) == 1:
            return functional.batch_norm(
                vectors, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(vectors)


class SplitAttention(nn.Module):
    """How much each block of channels counts, by what all blocks of both modalities hold together.

    The blocks of a modality are summed and averaged over time, and both modalities' sums are added
    to one vector, which a linear layer makes four times shorter. From this each block's own linear
    layer gives a logit for each of its channels; the softmax goes across all blocks of both.

    At first all blocks count the same, which is our decision: random logits, normalised over a
    small batch, shook what follows, and what had been learnt was lost now and then.

    >>> told = SplitAttention()(torch.zeros(3, 128, 31), torch.zeros(3, 128, 6))
    >>> told.shape, bool(torch.allclose(told.sum(dim=1), torch.ones(3, 32)))
    (torch.Size([3, 8, 32]), True)
    """

    def __init__(self) -> None:
        super().__init__()
        shorter = BLOCK // 4
        self.joint = nn.Sequential(nn.Linear(BLOCK, shorter), Normalised(shorter), nn.ReLU())
        self.blocks = nn.ModuleList(nn.Linear(shorter, BLOCK) for _ in range(2 * CHANNELS // BLOCK))
        for block in self.blocks:
            nn.init.zeros_(block.weight)
            nn.init.zeros_(block.bias)

    def forward(self, heard: Tensor, seen: Tensor, present: Tensor | None = None) -> Tensor:
        """``(batch, 128, steps)`` of each → ``(batch, 8, 32)``: blocks of sound, then of faces.

        `present`, ``(batch, 2)``: the blocks of an absent modality get an attention of 0.
        """
        each = [maps.mean(dim=2).unflatten(1, (-1, BLOCK)).sum(dim=1) for maps in (heard, seen)]
        if present is not None:
            each = [told * there for told, there in zip(each, present.split(1, 1), strict=True)]
        joint = self.joint(each[0] + each[1])
        logits = torch.stack([block(joint) for block in self.blocks], dim=1)
        if present is not None:
            absent = present.repeat_interleave(CHANNELS // BLOCK, dim=1).unsqueeze(2) == 0
            logits = logits.masked_fill(absent, torch.finfo(logits.dtype).min)
        return logits.softmax(dim=1)


class MSAF(Halfway):
    """Split attention fusion: halfway, each branch's blocks are scaled by what both hold.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `sound_first` | conv 64, pool, conv 128, pool | (128, 31) | 32,832 |
    | `frame` | three blocks and linear 128, for each frame | (128,) | 155,664 |
    | `face_first` | conv 64, conv 128 along the frames | (128, 2) | 49,728 |
    | `attention.joint` | linear 8 of the summed blocks | (8,) | 280 |
    | `attention` | 8 × linear 32, softmax across the blocks | (8, 32) | 2,584 |
    | `sound_second` | conv 256, pool, conv 128, pool | (128, 7) | 197,760 |
    | `face_second` | 2 × conv 128 along the frames | (128, 2) | 99,072 |
    | `both` | mean over time, linear | (8,) | 2,056 |
    | in all | | (8,) | 539,696 |
    | of MFCC means | | (8,) | 532,208 |
    | of 35 action units | | (8,) | 405,152 |
    | of spectrograms and six frames | | (8,) | 544,304 |

    Of the module, all is as in the authors' code but the first weights, a batch of one row, and the
    dropping of whole blocks in training.
    Our decisions: the branches; one module, halfway, where the authors have two, the second
    at the end; what an absent modality does, which their code does not treat: its blocks get no
    attention, and its mean is zeros.

    Not to be had: a 3D ResNeXt-50 on 30 frames and an MFCC network, each trained on its own
    first: here all is small and from scratch. Action units have no sequence: an MLP gives one step,
    which is there twice, as of a face that does not move.
    """

    def meet(self) -> None:
        """One attention for the blocks of both."""
        self.attention = SplitAttention()

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``joint`` classifier, ``(batch, 8)``: the paper has no other.

        `present`, ``(batch, 2)``, tells with 1 and 0 which modality there is.
        """
        heard, seen = self.halfway(mfcc, image)
        scales = self.attention(heard, seen, present).flatten(1).unsqueeze(2).chunk(2, dim=1)
        means = [
            half(maps * scale).mean(dim=2)
            for half, maps, scale in zip(
                (self.sound_second, self.face_second), (heard, seen), scales, strict=True
            )
        ]
        if present is not None:
            means = [mean * there for mean, there in zip(means, present.split(1, 1), strict=True)]
        return {"joint": self.both(torch.cat(means, dim=1))}
