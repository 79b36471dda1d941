"""From a feature store to batches: everything on the device first, then slices.

The whole set is small (0.25 GB for all of RAVDESS's speech as frame pairs), so it is copied to
the device once, as bytes, and a batch is an index into it. There is no loader process to wait
for.
Taught in notebooks/03-unimodal-cnns.ipynb.
"""

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
    """A store's features on a device. MFCCs and vectors are normalised; pairs are as they were."""

    mfcc: Tensor  # (clips, 40) or (clips, 40, frames), float32: mean 0 and standard deviation 1
    pairs: Tensor | None  # (pairs, 64, 128, 3), uint8
    vectors: Tensor | None  # (rows, action units), float32, in place of pairs
    clip_of_row: Tensor  # (rows,), int64: the clip whose MFCCs belong to each row
    label: Tensor  # (rows,), int64: emotion code less one, 0 neutral … 7 surprised
    image_mean: Tensor  # (groups, 3, 1, 1), float32, of each colour on the 0–255 scale:
    image_std: Tensor  # one group, the training rows, or one for each actor
    group_of_row: Tensor  # (rows,), int64
    corpus: str  # practice corpus or RAVDESS


class Batch(NamedTuple):
    """What a network takes, and the true label, on the device."""

    mfcc: Tensor  # (batch, 40) or (batch, 40, frames), float32
    image: Tensor | None  # (batch, 3, 64, 128), float32, channels last; or (batch, action units)
    label: Tensor  # (batch,), int64
    present: Tensor | None = None  # (batch, 2), 1 where the joint classifier gets sound, image


def to_device(
    store: FeatureStore,
    train_rows: np.ndarray,
    device: torch.device | str | None = None,
    normalisation: Normalisation = "training",
) -> Samples:
    """Copy a store to a device (`best_device` by default) and normalise it.

    `normalisation` says whose mean and standard deviation are taken. ``training``: those of the
    training rows, for to look at the others would tell the network about the test set. ``actor``:
    each actor's own clips, whatever side they are on; no label is looked at. ``neutral``: the mean
    of each actor's neutral clips, and the standard deviation of the training rows. The second and
    third see other clips of the actor whom they are tested on; the third knows which are neutral.

    Raises ValueError if there is no such normalisation, or an actor has no neutral clip. Source:
    Busso et al. 2013, *Iterative feature normalization*, doi:10.1109/T-AFFC.2013.26, for the
    neutral clips.
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
    """The same store, normalised by other training rows; the pictures are shared, not copied."""
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
    """Give each of `rows`, of one side of a split, the sound of a row of the same emotion.

    Each sound is drawn once; the other rows stay as they were. The paper wants sound and image of
    the same class; to mix them in training makes many more pairings. In a test it flatters: what a
    pair's sound does not tell, another clip's may.
    """
    rows = torch.from_numpy(rows)
    label = samples.label.cpu()[rows]
    clip_of_row = samples.clip_of_row.clone()
    for emotion in label.unique():
        same = rows[label == emotion]
        drawn = same[torch.randperm(len(same), generator=generator)]
        clip_of_row[same] = samples.clip_of_row[drawn]
    return replace(samples, clip_of_row=clip_of_row)


def batches(
    samples: Samples,
    rows: np.ndarray,
    size: int = 64,
    generator: torch.Generator | None = None,
    image: bool = True,
    modality_dropout: float = 0.0,
) -> Iterator[Batch]:
    """Cut rows into batches of `size`; the last one may be smaller.

    A `generator` shuffles the rows; without it they keep their order. Without `image` no pictures
    are cut: a network that hears alone need not wait for them. `modality_dropout` is the share of
    rows, 0 to 0.5, that go without sound, and as many others without image: a joint classifier
    that always gets both soon leans on the one that is easier to learn by heart, and to take one
    away at random makes it use each. That is our decision, not the paper's.
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

    `share` of the rows, 0 to 0.5, go without sound, and as many without image. Returns
    ``(rows, 2)`` float32, 1 where a row has its sound (column 0) and its image (column 1), else 0.
    Source: ModDrop, Neverova et al. 2016, arXiv:1501.00102.

    >>> bool((drop_modalities(100, 0.5).sum(dim=1) == 1).all())
    True
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
