"""From a feature store to batches: everything on the device first, then slices.

The whole set is small (0.25 GB for all of RAVDESS's speech as frame pairs), so it is copied to
the device once, as bytes, and a batch is an index into it. There is no loader process to wait
for.
Taught in notebooks/03-unimodal-cnns.ipynb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avlib.features.store import FeatureStore

Normalisation = Literal["training", "actor", "neutral"]
_NEUTRAL = 1  # emotion code


def best_device() -> torch.device:
    """A CUDA GPU if there is one, else Apple's, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@dataclass(frozen=True)
class Samples:
    """A store's features on a device, normalised.

    Attributes
    ----------
    mfcc : Tensor, shape (clips, 40) or (clips, 40, frames), float32
        Normalised: each coefficient has mean 0 and standard deviation 1 over the training rows (or
        as `to_device` was asked).
    pairs : Tensor, shape (pairs, 64, 128, 3), uint8, or None
    vectors : Tensor, shape (rows, action units), float32, or None
        In place of pairs; normalised as the MFCCs are.
    clip_of_row : Tensor, shape (rows,), int64
        The clip whose MFCCs belong to each row.
    label : Tensor, shape (rows,), int64
        Emotion code less one: 0 neutral … 7 surprised.
    image_mean, image_std : Tensor, shape (groups, 3, 1, 1), float32
        Of each colour, on the 0–255 scale: one group, the training rows, or one an actor.
    group_of_row : Tensor, shape (rows,), int64
    corpus : str
        What the features were made from: ``practice corpus`` or ``RAVDESS``.
    """

    mfcc: Tensor
    pairs: Tensor | None
    vectors: Tensor | None
    clip_of_row: Tensor
    label: Tensor
    image_mean: Tensor
    image_std: Tensor
    group_of_row: Tensor
    corpus: str


class Batch(NamedTuple):
    """What a network takes, and the true label: ``(batch, …)`` tensors on the device.

    Attributes
    ----------
    mfcc : Tensor, shape (batch, 40) or (batch, 40, frames), float32
    image : Tensor, shape (batch, 3, 64, 128), float32, channels last; or None
        Or (batch, action units), from a store of vectors.
    label : Tensor, shape (batch,), int64
    present : Tensor, shape (batch, 2), float32, or None
        1 where the joint classifier gets the sound (column 0) and the image (column 1), else 0.
    """

    mfcc: Tensor
    image: Tensor | None
    label: Tensor
    present: Tensor | None = None


def to_device(
    store: FeatureStore,
    train_rows: np.ndarray,
    device: torch.device | str | None = None,
    normalisation: Normalisation = "training",
) -> Samples:
    """Copy a store to a device and normalise it.

    Parameters
    ----------
    store : FeatureStore
    train_rows : ndarray of int64
        Rows whose mean and standard deviation are used for all rows: to look at the others would
        tell the network about the test set.
    device : torch.device or str, optional
        `best_device` by default.
    normalisation : {"training", "actor", "neutral"}
        Whose mean and standard deviation are taken. ``training``: the training rows. ``actor``:
        each actor's own clips, whatever side they are on; no label is looked at. ``neutral``: the
        mean of each actor's neutral clips, and the standard deviation of the training rows. The
        second and third see other clips of the actor whom they are tested on, the third knows
        which are neutral.

    Returns
    -------
    Samples

    Raises
    ------
    ValueError
        If there is no such normalisation, or an actor has no neutral clip.

    Notes
    -----
    Source: Busso et al. 2013,
    *Iterative feature normalization*, doi:10.1109/T-AFFC.2013.26, for the neutral clips.
    """
    device = torch.device(device) if device is not None else best_device()
    pairs = None if store.pairs is None else torch.from_numpy(np.array(store.pairs)).to(device)
    return _normalised(store, train_rows, pairs, device, normalisation)


def normalise_again(
    samples: Samples,
    store: FeatureStore,
    train_rows: np.ndarray,
    normalisation: Normalisation = "training",
) -> Samples:
    """The same store, normalised by other training rows; the pictures are shared, not copied.

    Parameters
    ----------
    samples : Samples
        Of this store.
    store : FeatureStore
    train_rows, normalisation
        As in `to_device`.

    Returns
    -------
    Samples
    """
    return _normalised(store, train_rows, samples.pairs, samples.label.device, normalisation)


def _normalised(
    store: FeatureStore,
    train_rows: np.ndarray,
    pairs: Tensor | None,
    device: torch.device,
    normalisation: Normalisation,
) -> Samples:
    rows = store.rows
    clip_of_row = rows["clip_number"].to_numpy(copy=True)
    train_clips = np.unique(clip_of_row[train_rows])

    def by_clip(features: np.ndarray) -> Tensor:
        over = (0,) if features.ndim == 2 else (0, 2)

        def moments(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            some = features[chosen]
            return some.mean(axis=over, keepdims=True)[0], some.std(axis=over, keepdims=True)[0]

        whose, mean, deviation = _scales(store.clips, train_clips, normalisation, moments)
        return torch.from_numpy((features - mean[whose]) / deviation[whose])

    group_of_row, image_mean, image_std = np.zeros(len(rows), int), np.zeros(3), np.ones(3)
    if store.pairs is not None:
        group_of_row, image_mean, image_std = _scales(
            rows, train_rows, normalisation, lambda chosen: _colour_moments(store.pairs, chosen)
        )
    vectors = None if store.vectors is None else by_clip(store.vectors)[clip_of_row].to(device)
    return Samples(
        mfcc=by_clip(store.mfcc).to(device),
        pairs=pairs,
        vectors=vectors,
        clip_of_row=torch.from_numpy(clip_of_row).to(device),
        label=torch.from_numpy(rows["emotion"].to_numpy() - 1).to(device),
        image_mean=_colours(image_mean).to(device),
        image_std=_colours(image_std).to(device),
        group_of_row=torch.from_numpy(group_of_row).to(device),
        corpus=store.corpus,
    )


def _scales(
    table: pd.DataFrame,
    train: np.ndarray,
    normalisation: Normalisation,
    moments: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which scale each row of a table has, and every scale's mean and deviation."""
    if normalisation == "training":
        whose, found = np.zeros(len(table), int), [moments(train)]
    elif normalisation in ("actor", "neutral"):
        actors, whose = np.unique(table["actor"], return_inverse=True)
        own = [whose == number for number in range(len(actors))]
        if normalisation == "actor":
            found = [moments(np.flatnonzero(rows)) for rows in own]
        else:
            neutral = [rows & (table["emotion"] == _NEUTRAL).to_numpy() for rows in own]
            without = [actor for actor, rows in zip(actors, neutral, strict=True) if not rows.any()]
            if without:
                raise ValueError(
                    f"normalisation 'neutral': actor {without[0]} has no neutral clip; add it, or "
                    "choose 'actor' or 'training'"
                )
            spread = moments(train)[1]
            found = [(moments(np.flatnonzero(rows))[0], spread) for rows in neutral]
    else:
        raise ValueError(
            f"normalisation: there is no {normalisation!r}; choose from 'training', 'actor' and "
            "'neutral'"
        )
    mean, deviation = (np.stack(each) for each in zip(*found, strict=True))
    # One in place of zero: what never changes stays zero, rather than 0 / 0.
    return whose, mean, np.where(deviation > 0, deviation, 1).astype(deviation.dtype)


def _colour_moments(pairs: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each colour, a block of pairs at a time."""
    total, squares = np.zeros(3), np.zeros(3)
    for block in np.array_split(rows, max(1, len(rows) // 256)):
        colours = pairs[block].reshape(-1, 3).astype(np.float32)
        total += colours.mean(axis=0, dtype=np.float64) * len(block)
        squares += np.square(colours).mean(axis=0, dtype=np.float64) * len(block)
    mean = total / len(rows)
    return mean, np.sqrt(np.maximum(squares / len(rows) - mean**2, 0))


def _colours(moment: np.ndarray) -> Tensor:
    return torch.from_numpy(moment.astype(np.float32)).view(-1, 3, 1, 1)


def class_matched(samples: Samples, rows: np.ndarray, generator: torch.Generator) -> Samples:
    """Give each row the sound of a row of the same emotion, drawn without repetition.

    Parameters
    ----------
    samples : Samples
    rows : ndarray of int64
        The rows that exchange sounds among themselves; of one side of a split.
    generator : torch.Generator

    Returns
    -------
    Samples
        The other rows are as they were.

    Notes
    -----
    The paper wants sound and image of the same class; to mix them in training makes many more
    pairings. In a test it flatters: what a pair's sound does not tell, another clip's may.
    """
    rows = torch.from_numpy(rows)
    label = samples.label.cpu()[rows]
    clip_of_row = samples.clip_of_row.clone()
    for emotion in label.unique():
        same = rows[label == emotion]
        dealt = same[torch.randperm(len(same), generator=generator)]
        clip_of_row[same] = samples.clip_of_row[dealt]
    return replace(samples, clip_of_row=clip_of_row)


def batches(
    samples: Samples,
    rows: np.ndarray,
    size: int = 64,
    generator: torch.Generator | None = None,
    image: bool = True,
    modality_dropout: float = 0.0,
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
    modality_dropout : float
        The share of rows, 0 to 0.5, that go without sound, and as many others without image.

    Yields
    ------
    Batch

    Notes
    -----
    A joint classifier that always gets both modalities soon leans on the one that is easier to
    learn by heart. To take one away at random makes it use each; our decision, not the paper's.
    """
    rows = torch.from_numpy(rows)
    if generator is not None:
        rows = rows[torch.randperm(len(rows), generator=generator)]
    present = drop_modalities(len(rows), modality_dropout, generator) if modality_dropout else None
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size].to(samples.label.device)
        yield Batch(
            samples.mfcc[samples.clip_of_row[chosen]],
            _seen(samples, chosen) if image else None,
            samples.label[chosen],
            None if present is None else present[start : start + size].to(chosen.device),
        )


def drop_modalities(rows: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw which modality each row goes without: sound, image or neither, never both.

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
    Source: ModDrop, Neverova et al. 2016, arXiv:1501.00102.
    """
    drawn = torch.rand(rows, generator=generator)
    return torch.stack([drawn >= share, drawn < 1 - share], dim=1).float()


def _seen(samples: Samples, rows: Tensor) -> Tensor | None:
    """Vectors as they are; bytes in rows and columns as numbers in the order convolutions like."""
    if samples.pairs is None:
        return None if samples.vectors is None else samples.vectors[rows]
    image = samples.pairs[rows].float()
    # A line of red, green, blue, red, … at a time: three numbers at a time take thrice as long.
    width, group = image.shape[2], samples.group_of_row[rows]
    mean, deviation = (
        colours[group].flatten(1).repeat(1, width)[:, None]
        for colours in (samples.image_mean, samples.image_std)
    )
    image.flatten(2).sub_(mean).div_(deviation)
    return image.permute(0, 3, 1, 2)
