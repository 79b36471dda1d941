"""Which modality decides: how to measure that one drowns the other.

A modality is named by its classifier: ``audio`` (the sound) or ``image`` (the face). The networks
are fusion networks: they have `vectors`, a head on each branch and a joint classifier.
Taught in notebooks/07-which-modality-decides.ipynb.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from avlib.learning.loaders import Batch, Samples, batches
from avlib.learning.networks import CLASSES, BalancedFusionNetwork, FusionNetwork
from avlib.learning.training import Step, losses, predict

MODALITIES = ("audio", "image")


class Losses(NamedTuple):
    """What a classifier's loss is on both sides, with weights that stand still."""

    train: float
    validation: float


def measure(network: nn.Module, samples: Samples, rows: np.ndarray) -> dict[str, dict[str, float]]:
    """The ``loss`` (mean cross-entropy) and ``accuracy`` (0–1) of each classifier, over `rows`.

    A head that is right where the joint classifier is not tells what the fusion does not use.
    Source: the paper's auxiliary classifiers.
    """
    label = samples.label.cpu().numpy()[rows]
    found = {}
    for name in ("joint", *MODALITIES):
        logs = predict(network, samples, rows, name)
        found[name] = {
            "loss": float(-logs[np.arange(len(rows)), label].mean()),
            "accuracy": float((logs.argmax(axis=1) == label).mean()),
        }
    return found


@torch.no_grad()
def embeddings(network: FusionNetwork, samples: Samples, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What each branch gives the classifiers, ``(rows, dimension)`` float32, by modality."""
    network.eval()
    found = [network.vectors(b.mfcc, b.image) for b in batches(samples, rows, 512)]
    return {
        name: torch.cat(each).cpu().numpy()
        for name, each in zip(MODALITIES, zip(*found, strict=True), strict=True)
    }


def probe(
    network: FusionNetwork, samples: Samples, train: np.ndarray, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """What a linear classifier makes of each branch's frozen embedding: scores, ``(rows, 8)``.

    Ridge regression on the classes, whose strength is chosen by leaving one training row out; the
    scores are scaled like log-probabilities. A branch that a fusion let starve is probed worse than
    the same branch trained alone. Source: Alain and Bengio 2017, arXiv:1610.01644.
    """
    known, asked = (embeddings(network, samples, side) for side in (train, rows))
    label = samples.label.cpu().numpy()[train]
    found = {}
    for name in MODALITIES:
        ridge = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(0, 4, 5)))
        scores = np.full((len(rows), CLASSES), -2.0)  # of an emotion that no training row has
        ridge.fit(known[name], label)
        scores[:, ridge.classes_] = ridge.decision_function(asked[name])
        found[name] = log_softmax(scores, axis=1)
    return found


def at_mean(samples: Samples, modality: str, train: np.ndarray) -> Samples:
    """The samples with one modality taken away: its mean over the training rows in its place.

    Of frame pairs that is the mean picture. Raises ValueError if there is no such modality.
    """
    if modality not in MODALITIES:
        raise ValueError(f"modality: {modality!r} should be one of {', '.join(MODALITIES)}")
    rows = torch.from_numpy(train).to(samples.label.device)
    if modality == "audio":
        mean = samples.mfcc[samples.clip_of_row[rows]].mean(dim=0)
        return replace(samples, mfcc=mean.expand_as(samples.mfcc))
    if samples.pairs is None:
        mean = samples.vectors[rows].mean(dim=0)
        return replace(samples, vectors=mean.expand_as(samples.vectors))
    total = sum(samples.pairs[some].sum(dim=0, dtype=torch.int64) for some in rows.split(512))
    mean = (total / len(rows)).round().to(torch.uint8)
    return replace(samples, pairs=mean.expand_as(samples.pairs))


def exchanged(
    samples: Samples, modality: str, rows: np.ndarray, generator: torch.Generator
) -> Samples:
    """The samples with one modality of each clip of `rows` exchanged for another clip's of them.

    No clip keeps its own. Such values do occur, which a mean never does. Raises ValueError for
    fewer than two clips. Source: permutation importance, Breiman 2001,
    doi:10.1023/A:1010933404324.
    """
    own = samples.clip_of_row.cpu()
    clips = own[torch.from_numpy(rows)].unique()
    if len(clips) < 2:
        raise ValueError("rows: two clips are needed, or more, to exchange something")
    order = clips[torch.randperm(len(clips), generator=generator)]
    other = torch.arange(int(own.max()) + 1)
    other[order] = order.roll(1)
    if modality == "audio":
        return replace(samples, clip_of_row=other[own].to(samples.label.device))
    count = own.bincount(minlength=len(other))
    first = count.cumsum(0) - count  # rows stand clip after clip
    whose = other[own]
    place = (first[whose] + (torch.arange(len(own)) - first[own]) % count[whose]).to(
        samples.label.device
    )
    if samples.pairs is None:
        return replace(samples, vectors=samples.vectors[place])
    return replace(samples, pairs=samples.pairs[place], group_of_row=samples.group_of_row[place])


def utilisation(both: float, without: float) -> float:
    """Conditional utilisation rate of a modality: the share of accuracy that goes with it.

    (A(f) − A(f without m)) / A(f); `both` and `without` are accuracies, 0–1. Raises ValueError if
    `both` is 0. Source: Wu et al. 2022, *Characterizing and overcoming the greedy nature of
    learning in multi-modal deep neural networks*, arXiv:2202.05306.

    >>> utilisation(0.75, 0.5)
    0.3333333333333333
    """
    if both <= 0:
        raise ValueError("both: an accuracy of 0 leaves nothing to take away from")
    return (both - without) / both


def shapley(value: Mapping[tuple[str, ...], float]) -> dict[str, float]:
    """What each modality adds, on average over the orders in which they may come.

    `value` holds the accuracy with ``()``, ``("audio",)``, ``("image",)`` and ``("audio",
    "image")``. The two shares sum to what both add to nothing. Source: Shapley 1953,
    doi:10.1515/9781400881970-018.

    >>> found = shapley({(): 0.125, ("audio",): 0.425, ("image",): 0.625, MODALITIES: 0.725})
    >>> {name: round(share, 3) for name, share in found.items()}
    {'audio': 0.2, 'image': 0.4}
    """
    nothing, both = value[()], value[MODALITIES]
    alone = {name: value[name,] for name in MODALITIES}
    return {
        name: (alone[name] - nothing + both - alone[other]) / 2
        for name, other in zip(MODALITIES, MODALITIES[::-1], strict=True)
    }


def overfitting_ratio(before: Losses, after: Losses) -> float:
    """Overfitting-to-generalisation ratio between two checkpoints: |ΔO / ΔG|.

    Overfitting O is the validation less the training loss, and G how much the validation loss fell;
    infinite where it did not. Source: Wang, Tran and Feiszli 2020, arXiv:1905.12681.

    >>> overfitting_ratio(Losses(2.0, 2.0), Losses(0.5, 1.5))
    2.0
    """
    gained = before.validation - after.validation
    grown = (after.validation - after.train) - (before.validation - before.train)
    return abs(grown / gained) if gained > 0 else float("inf")


def branches(network: FusionNetwork) -> dict[str, list[nn.Parameter]]:
    """All weights of each branch, up to its vector; of 1-D and 2-D convolutions and linear ones."""
    own = {"audio": [network.audio_cnn], "image": [network.image_cnn, network.image_mlp]}
    return {name: [w for part in parts for w in part.parameters()] for name, parts in own.items()}


def gradients(network: FusionNetwork, batch: Batch) -> dict[str, dict[str, float]]:
    """How hard each loss pulls at each branch, and whether the two losses pull the same way.

    Of each branch: the Euclidean norm of the gradient from the ``joint`` loss and from its ``own``
    head's loss, whether or not that is trained on, and their ``cosine``, −1 to 1 (0 where one is
    zero). **Compare norms of one branch over time, never those of two branches**: they change with
    the scale of a vector while the function stays; see `rescaled`.
    Source: Peng et al. 2022, doi:10.1109/CVPR52688.2022.00806, who read dominance off them.
    """
    was = network.training, getattr(network, "heads_teach", True)
    network.eval()
    network.heads_teach = True
    each = losses(network(batch.mfcc, batch.image), batch.label)
    found = {}
    for name, weights in branches(network).items():
        pulls = [
            torch.cat([
                (torch.zeros_like(w) if g is None else g).flatten()
                for w, g in zip(weights, of_loss, strict=True)
            ])
            for of_loss in (
                torch.autograd.grad(each[loss], weights, retain_graph=True, allow_unused=True)
                for loss in ("joint", name)
            )
        ]  # fmt: skip
        joint, own = (float(pull.norm()) for pull in pulls)
        inner = float(pulls[0] @ pulls[1])
        cosine = inner / (joint * own) if joint and own else 0.0
        found[name] = {"joint": joint, "own": own, "cosine": cosine}
    network.train(was[0])
    network.heads_teach = was[1]
    return found


class GradientLog:
    """A hook for `training.fit`: `gradients` on the first batch of each epoch; changes nothing."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []  # ``epoch``, ``branch`` and what `gradients` gives

    def __call__(self, step: Step) -> None:
        """Measure, if the epoch is new."""
        if not self.rows or self.rows[-1]["epoch"] != step.epoch:
            found = gradients(step.network, step.batch)
            self.rows += [{"epoch": step.epoch, "branch": name} | v for name, v in found.items()]


@torch.no_grad()
def rescaled(network: FusionNetwork, modality: str, factor: float) -> FusionNetwork:
    """The trap: a copy that computes the same function, and whose gradient norms are others.

    A branch's vector is multiplied by `factor`, above 0, in its last layer, and the weights that
    read it are divided by it. Raises ValueError if vectors have one size whatever comes in
    (`BalancedFusionNetwork`). Source: Dinh et al. 2017, arXiv:1703.04933, on such symmetries.
    """
    if isinstance(network, BalancedFusionNetwork):
        raise ValueError("network: its vectors have one size already; give a plain fusion network")
    if factor <= 0:
        raise ValueError(f"factor: should be above 0, got {factor}")
    copy = deepcopy(network)
    own = {"audio": (copy.audio_cnn, copy.audio_auxiliary), "image": (copy.image_mlp,
           copy.image_auxiliary)}[modality]  # fmt: skip
    last = [layer for layer in own[0].modules() if isinstance(layer, nn.Conv1d | nn.Linear)][-1]
    for weight in last.parameters():
        weight *= factor
    own[1][0].weight /= factor
    _read_by_joint(copy, modality).div_(factor)
    return copy


def _read_by_joint(network: FusionNetwork, modality: str) -> Tensor:
    """The weights of the joint classifier's first layer that read one modality's vector."""
    half = network.audio_cnn.dimension
    weight = network.joint[0].weight
    return weight[:, :half] if modality == "audio" else weight[:, half:]
