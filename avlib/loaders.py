"""From a feature store to batches: everything on the device first, then slices.

The whole set is small (0.25 GB for all of RAVDESS's speech as frame pairs), so it is copied to
the device once, as bytes, and a batch is an index into it. There is no loader process to wait
for.
Taught in notebooks/03-unimodal-cnns.ipynb.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avlib.features import FeatureStore


def best_device() -> torch.device:
    """A CUDA GPU if there is one, else Apple's, else the processor.

    Notes
    -----
    Taught in lesson 03.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@dataclass(frozen=True)
class Samples:
    """A store's features on a device, with the training side's statistics.

    Attributes
    ----------
    mfcc : Tensor, shape (clips, 40) or (clips, 40, frames), float32
        Standardised: each coefficient has mean 0 and deviation 1 over the training rows.
    pairs : Tensor, shape (pairs, 64, 128, 3), uint8, or None
    clip_of_row : Tensor, shape (rows,), int64
        The clip whose MFCCs belong to each row.
    label : Tensor, shape (rows,), int64
        Emotion code less one: 0 neutral … 7 surprised.
    image_mean, image_deviation : Tensor, shape (3, 1, 1), float32
        Of each colour over the training rows, on the 0–255 scale.
    corpus : str
        What the features were made from: ``practice corpus`` or ``RAVDESS``.

    Notes
    -----
    Taught in lesson 03.
    """

    mfcc: Tensor
    pairs: Tensor | None
    clip_of_row: Tensor
    label: Tensor
    image_mean: Tensor
    image_deviation: Tensor
    corpus: str


class Batch(NamedTuple):
    """What a network takes, and the answer: ``(batch, …)`` tensors on the device.

    Attributes
    ----------
    mfcc : Tensor, shape (batch, 40) or (batch, 40, frames), float32
    image : Tensor, shape (batch, 3, 64, 128), float32, channels last; or None
    label : Tensor, shape (batch,), int64
    present : Tensor, shape (batch, 2), float32, or None
        1 where the joint classifier gets the sound (column 0) and the image (column 1), else 0.

    Notes
    -----
    Taught in lessons 03 and 04.
    """

    mfcc: Tensor
    image: Tensor | None
    label: Tensor
    present: Tensor | None = None


def to_device(
    store: FeatureStore, train_rows: np.ndarray, device: torch.device | str | None = None
) -> Samples:
    """Copy a store to a device and standardise it by its training rows.

    Parameters
    ----------
    store : FeatureStore
    train_rows : ndarray of int64
        Rows whose mean and deviation are used for all rows: to look at the others would tell
        the network about the test set.
    device : torch.device or str, optional
        `best_device` by default.

    Returns
    -------
    Samples

    Notes
    -----
    Taught in lesson 03.
    """
    device = torch.device(device) if device is not None else best_device()
    pairs = None if store.pairs is None else torch.from_numpy(np.array(store.pairs)).to(device)
    return _standardised(store, train_rows, pairs, device)


def standardise_again(samples: Samples, store: FeatureStore, train_rows: np.ndarray) -> Samples:
    """The same store, standardised by other training rows; the pictures are shared, not copied.

    Parameters
    ----------
    samples : Samples
        Of this store.
    store : FeatureStore
    train_rows : ndarray of int64
        As in `to_device`.

    Returns
    -------
    Samples

    Notes
    -----
    Taught in lesson 05.
    """
    return _standardised(store, train_rows, samples.pairs, samples.label.device)


def _standardised(
    store: FeatureStore, train_rows: np.ndarray, pairs: Tensor | None, device: torch.device
) -> Samples:
    clip_of_row = store.rows["clip_number"].to_numpy(copy=True)
    train_mfcc = store.mfcc[np.unique(clip_of_row[train_rows])]
    over = (0,) if train_mfcc.ndim == 2 else (0, 2)
    mean = train_mfcc.mean(axis=over, keepdims=True)[0]
    deviation = _usable(train_mfcc.std(axis=over, keepdims=True)[0])
    image_mean, image_deviation = _colour_statistics(store.pairs, train_rows)
    return Samples(
        mfcc=torch.from_numpy((store.mfcc - mean) / deviation).to(device),
        pairs=pairs,
        clip_of_row=torch.from_numpy(clip_of_row).to(device),
        label=torch.from_numpy(store.rows["emotion"].to_numpy() - 1).to(device),
        image_mean=image_mean.to(device),
        image_deviation=image_deviation.to(device),
        corpus=store.corpus,
    )


def _usable(deviation: np.ndarray) -> np.ndarray:
    """One in place of zero: what never changes stays zero, rather than 0 / 0."""
    return np.where(deviation > 0, deviation, 1).astype(deviation.dtype)


def _colour_statistics(pairs: np.ndarray | None, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each colour, a block of pairs at a time."""
    if pairs is None:
        return torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    total, squares = np.zeros(3), np.zeros(3)
    for block in np.array_split(rows, max(1, len(rows) // 256)):
        colours = pairs[block].reshape(-1, 3).astype(np.float32)
        total += colours.mean(axis=0, dtype=np.float64) * len(block)
        squares += np.square(colours).mean(axis=0, dtype=np.float64) * len(block)
    mean = total / len(rows)
    deviation = _usable(np.sqrt(np.maximum(squares / len(rows) - mean**2, 0)))
    return tuple(
        torch.from_numpy(part.astype(np.float32)).view(3, 1, 1) for part in (mean, deviation)
    )


def batches(
    samples: Samples,
    rows: np.ndarray,
    size: int = 64,
    generator: torch.Generator | None = None,
    image: bool = True,
    sense_dropout: float = 0.0,
) -> Iterator[Batch]:
    """Cut rows into batches.

    Parameters
    ----------
    samples : Samples
    rows : ndarray of int64
        Which rows.
    size : int
        Rows in a batch; the last one may be smaller.
    generator : torch.Generator, optional
        Shuffles the rows; without it they keep their order.
    image : bool
        Whether to cut the images too; a network that hears alone need not wait for them.
    sense_dropout : float
        The share of rows, 0 to 0.5, that go without sound, and as many others without image.

    Yields
    ------
    Batch

    Notes
    -----
    A joint classifier that always gets both senses soon leans on the one that is easier to learn
    by heart. To take one away at random makes it use each; our decision, not the paper's. Taught
    in lessons 03 and 04.
    """
    rows = torch.from_numpy(rows)
    if generator is not None:
        rows = rows[torch.randperm(len(rows), generator=generator)]
    present = deal_senses(len(rows), sense_dropout, generator) if sense_dropout else None
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size].to(samples.label.device)
        yield Batch(
            samples.mfcc[samples.clip_of_row[chosen]],
            _as_image(samples, chosen) if image and samples.pairs is not None else None,
            samples.label[chosen],
            None if present is None else present[start : start + size].to(chosen.device),
        )


def deal_senses(rows: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw which senses each row goes without: sound, image or neither, never both.

    Parameters
    ----------
    rows : int
    share : float
        Of the rows that go without sound, and as many without image; 0 to 0.5.
    generator : torch.Generator, optional
        PyTorch's own by default.

    Returns
    -------
    Tensor, shape (rows, 2), float32
        1 where a row has its sound (column 0) and its image (column 1), else 0.

    Notes
    -----
    Taught in lesson 04. Source: ModDrop, Neverova et al. 2016, arXiv:1501.00102.
    """
    drawn = torch.rand(rows, generator=generator)
    return torch.stack([drawn >= share, drawn < 1 - share], dim=1).float()


def _as_image(samples: Samples, rows: Tensor) -> Tensor:
    """Bytes in rows and columns → standardised numbers in the order convolutions like."""
    image = samples.pairs[rows].float()
    # A line of red, green, blue, red, … at a time: three numbers at a time take thrice as long.
    width = image.shape[2]
    mean, deviation = samples.image_mean.flatten(), samples.image_deviation.flatten()
    image.flatten(2).sub_(mean.repeat(width)).div_(deviation.repeat(width))
    return image.permute(0, 3, 1, 2)
