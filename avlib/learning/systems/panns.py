"""CNN-14 of PANNs with its published weights, frozen; for [21], which learns on top of it.

Source: Kong et al. 2020, PANNs, arXiv:1912.10211; the weights, under CC BY 4.0, are
doi:10.5281/zenodo.3987831.
Of no lesson; the registry, `systems`, is.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

BANDS = 64  # of the spectrograms that PANNs were trained on
BLOCKS = range(1, 7)
LEAST_FRAMES = 2 ** (len(BLOCKS) - 1)  # that five pools leave one of
WHERE = "give Cnn14_mAP=0.431.pth from https://zenodo.org/records/3987831, downloaded whole"


class MeanAndMost(nn.Module):
    """PANNs' pool: the mean over the frequencies, then mean + maximum over time."""

    def forward(self, maps: Tensor) -> Tensor:
        """``(batch, channels, height, width)`` → ``(batch, channels)``."""
        over_time = maps.mean(dim=2)
        return over_time.mean(dim=2) + over_time.amax(dim=2)


class CNN14(nn.Module):
    """What CNN-14 makes of a spectrogram, with the weights in a file, as wide as they are.

    The weights are buffers, no parameters: no training moves them, nor what the batch
    normalisations remember, and no gradient is computed for them. Two cores still hear no more than
    about twelve clips of 2.9 s a second, in each epoch anew.

    `Samples` are standardised, band by band. The first batch normalisation, over the bands, would
    do it by its running mean and variance, which are AudioSet's: these are left out, its weight and
    bias used. PANNs learnt from log-mel spectrograms of 32,000 Hz in bands of 50 to 14,000 Hz, a
    step of 10 ms; a store's are of 22,050 Hz, in other bands, a step of 23 ms, and the filters meet
    not quite what they were made for.

    Raises ValueError if the spectrograms, ``(bands, frames)``, do not suit CNN-14, and as
    `read` does.
    """

    def __init__(self, path: str | Path, mfcc_shape: tuple[int, ...]) -> None:
        super().__init__()
        if mfcc_shape[0] != BANDS or len(mfcc_shape) < 2 or mfcc_shape[1] < LEAST_FRAMES:
            raise ValueError(
                f"weights: CNN-14 needs spectrograms of {BANDS} bands and at least {LEAST_FRAMES} "
                f"frames, and the store's sound is {mfcc_shape}; build a store by the recipe "
                "spectrogram"
            )
        for name, tensor in read(path).items():
            self.register_buffer(name.replace(".", "_"), tensor)
        self.dimension = len(self.fc1_bias)  # 2048 in the published file
        self.pool = MeanAndMost()

    def forward(self, image: Tensor) -> Tensor:
        """``(batch, 1, 64, frames)`` → ``(batch, dimension)``."""
        maps = image.transpose(2, 3)  # to PANNs, time is the height: kernels are not symmetric
        maps = maps * self.bn0_weight + self.bn0_bias
        for block in BLOCKS:
            for layer in (1, 2):
                maps = self._layer(maps, f"conv_block{block}", layer)
            if block < len(BLOCKS):  # the last has a pool of 1
                maps = functional.avg_pool2d(maps, 2)
        vector = self.pool(maps.transpose(2, 3))
        return functional.linear(vector, self.fc1_weight, self.fc1_bias).relu()

    def _layer(self, maps: Tensor, block: str, layer: int) -> Tensor:
        """A convolution, its batch normalisation with what AudioSet left in it, ReLU."""
        maps = functional.conv2d(maps, getattr(self, f"{block}_conv{layer}_weight"), padding=1)
        mean, variance, weight, bias = (
            getattr(self, f"{block}_bn{layer}_{each}")
            for each in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(maps, mean, variance, weight, bias).relu()


def read(path: str | Path) -> dict[str, Tensor]:
    """The tensors of CNN-14, float32, in a checkpoint of PANNs; what else is in it is left there.

    Nothing but tensors is unpickled. Raises FileNotFoundError, or ValueError if the file cannot be
    read, is no checkpoint, or a tensor is missing or of another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {WHERE}")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind, for the bytes of a strange file may ask for anything
        said = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path}: cannot be read as weights ({said}); {WHERE}") from error
    held = held.get("model") if isinstance(held, dict) else None
    if not isinstance(held, dict):
        raise ValueError(f"{path}: is no checkpoint of PANNs, which has “model” in it; {WHERE}")
    found = {}
    for name, shape in _wanted(held):
        tensor = held.get(name)
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{path}: has no tensor {name!r}; {WHERE}")
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{path}: {name} is {tuple(tensor.shape)}, not {shape}; {WHERE}")
        found[name] = tensor.detach().float()
    return found


def _wanted(held: dict[str, object]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The name and the shape of each tensor that is needed; a block's first tells how wide it is.

    A file that gives a block no width is asked for that of the published one.
    """

    def width(name: str, published: int) -> int:
        return (*getattr(held.get(name), "shape", ()), published)[0]

    yield from ((f"bn0.{each}", (BANDS,)) for each in ("weight", "bias"))
    given = 1
    for number in BLOCKS:
        block = f"conv_block{number}"
        wide = width(f"{block}.conv1.weight", 32 * 2**number)
        for layer, channels in ((1, given), (2, wide)):
            yield f"{block}.conv{layer}.weight", (wide, channels, 3, 3)
            for each in ("weight", "bias", "running_mean", "running_var"):
                yield f"{block}.bn{layer}.{each}", (wide,)
        given = wide
    out = width("fc1.weight", 2048)
    yield from (("fc1.weight", (out, given)), ("fc1.bias", (out,)))
