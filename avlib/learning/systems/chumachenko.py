"""Chumachenko, Iosifidis and Gabbouj 2022: each modality tells the other where to attend.

Of no lesson; the registry, `systems`, is.
"""

import torch
from torch import Tensor, nn

from avlib.learning.systems.parts import Halfway


class Attention(nn.Module):
    """How much each step of one modality is asked for by all steps of the other.

    One head of scaled dot-product attention, whose weights alone are used: nothing flows from one
    modality to the other but where to attend.

    >>> asked = Attention()(torch.zeros(2, 128, 31), torch.zeros(2, 128, 2))
    >>> asked.shape, asked.sum(dim=2).tolist()  # 31 steps ask, each for 1 in all
    (torch.Size([2, 1, 2]), [[31.0], [31.0]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(128, 128, bias=False)
        self.key = nn.Linear(128, 128, bias=False)

    def forward(self, asking: Tensor, asked: Tensor) -> Tensor:
        """``(batch, 128, steps)`` of each → ``(batch, 1, steps of asked)``."""
        queries, keys = self.query(asking.transpose(1, 2)), self.key(asked.transpose(1, 2))
        scores = queries @ keys.transpose(1, 2) * queries.shape[2] ** -0.5
        return scores.softmax(dim=2).sum(dim=1, keepdim=True)


class Chumachenko(Halfway):
    """Intermediate attention fusion: halfway, each branch is weighted by the other's attention.

    | part | layers | gives | parameters |
    |---|---|---|---|
    | `sound_first` | conv 64, pool, conv 128, pool | (128, 31) | 32,832 |
    | `frame` | three blocks and linear 128, for each frame | (128,) | 155,664 |
    | `face_first` | conv 64, conv 128 along the frames | (128, 2) | 49,728 |
    | `of_face` | attention of sound to the frames | (1, 2) | 32,768 |
    | `of_sound` | attention of the frames to sound | (1, 31) | 32,768 |
    | `sound_second` | conv 256, pool, conv 128, pool | (128, 7) | 197,760 |
    | `face_second` | 2 × conv 128 along the frames | (128, 2) | 99,072 |
    | `both` | mean over time, linear | (8,) | 2,056 |
    | in all | | (8,) | 602,648 |
    | of MFCC means | | (8,) | 595,160 |
    | of 35 action units | | (8,) | 468,104 |
    | of spectrograms and six frames | | (8,) | 607,256 |

    Its modality dropout is that of `loaders.batches` with a share of a third: a third of the rows
    goes without sound, a third without image, a third with both, as in the paper.

    Not to be had: EfficientFace, pretrained on AffectNet, in whose place is a small CNN from
    scratch; cut-out faces. In place of 15 frames and 10 MFCCs, a store by the recipe
    ``spectrogram`` with ``frames`` gives strips of six frames and log-mel spectrograms, by
    ``sequence`` the two frames of a pair and 40 MFCCs. Action units have no sequence: an MLP gives
    one step, which is there twice, as of a face that does not move.
    """

    def meet(self) -> None:
        """An attention for each of the two to be asked by the other."""
        self.of_face, self.of_sound = Attention(), Attention()

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the ``joint`` classifier, ``(batch, 8)``: the paper has no other.

        `present`, ``(batch, 2)``, tells with 1 and 0 which modality there is: the input of the
        other is zeros, as in the paper.
        """
        if present is not None:
            mfcc, image = (
                given * there.view(-1, *[1] * (given.ndim - 1))
                for given, there in zip((mfcc, image), present.unbind(1), strict=True)
            )
        heard, seen = self.halfway(mfcc, image)
        of_face, of_sound = self.of_face(heard, seen), self.of_sound(seen, heard)
        heard, seen = self.sound_second(heard * of_sound), self.face_second(seen * of_face)
        return {"joint": self.both(torch.cat([heard.mean(dim=2), seen.mean(dim=2)], dim=1))}
