"""What is said to cure dominance: each a few lines over the same `training.fit`.

A cure is a function ``(new, samples, split, settings)`` that returns a `Trained`; ``new(class)``
makes a network of a class that fits the samples. What it needs is one of three things: weights of
the losses, another network class, or the hook of `fit` between ``backward`` and the step. What must
be chosen is chosen on the validation side.
Taught in notebooks/07-which-modality-decides.ipynb.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, cat, nn
from torch.nn import functional

from avlib.learning.dominance import MODALITIES, Losses, branches, measure
from avlib.learning.loaders import Samples
from avlib.learning.networks import BalancedFusionNetwork, Classifier, FusionNetwork
from avlib.learning.splits import Split
from avlib.learning.training import Step, Training, fit

ALPHAS = (0.1, 0.8)  # of OGM-GE; Peng et al. search 0.1 to 0.8
SHARES = (0.1, 0.25)  # of modality dropout
SUPER_EPOCHS = 3  # of online Gradient-Blending


class WatchedFusion(FusionNetwork):
    """Plain concatenation: the heads learn from the vectors, and do not teach the branches.

    The joint classifier and the branches come out as if there were no heads; the heads tell what
    each branch knows.
    """

    heads_teach = False

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `FusionNetwork`."""
        heard, seen = self.vectors(mfcc, image)
        own = (heard, seen) if self.heads_teach else (heard.detach(), seen.detach())
        logits = {"audio": self.audio_auxiliary(own[0]), "image": self.image_auxiliary(own[1])}
        if present is not None:
            heard, seen = heard * present[:, :1], seen * present[:, 1:]
        return {"joint": self.joint(cat([heard, seen], dim=1)), **logits}


class WatchedBalancedFusion(WatchedFusion, BalancedFusionNetwork):
    """The same with vectors of one size."""


class LogitSum(FusionNetwork):
    """No joint classifier: its logits are the sum of the two heads' logits.

    Nothing is joined, so nothing has to be of one dimension: the branches and heads are those of
    `AudioNetwork` and `ImageNetwork`. Softmax of the sum is the product of the two heads'
    probabilities, scaled: trained by the heads' own losses alone, this is late fusion of two
    networks that never met.
    """

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        super().__init__(*shapes)
        del self.joint
        self.image_mlp = nn.Identity()
        self.image_auxiliary = Classifier(self.image_cnn.dimension)

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `FusionNetwork`."""
        heard, seen = self.vectors(mfcc, image)
        logits = {"audio": self.audio_auxiliary(heard), "image": self.image_auxiliary(seen)}
        there = torch.ones(len(heard), 2, device=heard.device) if present is None else present
        joint = logits["audio"] * there[:, :1] + logits["image"] * there[:, 1:]
        return {"joint": joint, **logits}


class SameBranchLogitSum(LogitSum):
    """The same sum of the fusion network's own branches, the image vector of the audio's dimension.

    Beside `LogitSum` it tells what late fusion owes to lateness, and what to simpler branches.
    """

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        FusionNetwork.__init__(self, *shapes)
        del self.joint


class AlternatingFusion(FusionNetwork):
    """One head for both modalities; in training they take turns, batch by batch.

    In a test the two opinions are weighted by how sure each is: by the softmax of minus its
    entropy. Source: MLA, Zhang et al. 2024, arXiv:2311.10707.
    """

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        super().__init__(*shapes)
        del self.joint, self.image_auxiliary  # the head of the sound serves both
        self.turn = 0

    def forward(
        self, mfcc: Tensor, image: Tensor, present: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `FusionNetwork`; while it trains, only the one whose turn it is has a gradient."""
        first, relu, last = self.audio_auxiliary
        hidden = [relu(first(vector)) for vector in self.vectors(mfcc, image)]
        logits = [last(each) for each in hidden]
        if self.training:
            self.met = hidden[self.turn].detach().mean(dim=0)
            self.turn = 1 - self.turn
            logits[self.turn] = logits[self.turn].detach()
        logs = torch.stack([functional.log_softmax(each.float().detach(), 1) for each in logits])
        sure = (logs.exp() * logs).sum(dim=2, keepdim=True).softmax(dim=0)
        return {"joint": (sure * logs).sum(dim=0), **dict(zip(MODALITIES, logits, strict=True))}


class GradientModulation:
    """OGM-GE, a hook: slow the stronger branch down, and add noise as large as its gradient.

    How strong a branch is, its own head says. *All* weights of a branch are meant; the published
    code touches those of four dimensions alone, and would leave 1-D convolutions and linear layers
    as they are. Source: Peng et al. 2022, doi:10.1109/CVPR52688.2022.00806.
    """

    def __init__(self, alpha: float, seed: int = 0, noise: bool = True) -> None:
        self.alpha, self.noise = alpha, noise
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, step: Step) -> None:
        """Change the gradients of both branches."""
        label = step.batch.label[:, None]
        score = {
            name: float(step.logits[name].detach().float().softmax(1).gather(1, label).sum())
            for name in MODALITIES
        }
        for (name, weights), other in zip(
            branches(step.network).items(), MODALITIES[::-1], strict=True
        ):
            slower = modulation(score[name] / score[other], self.alpha)
            for weight in weights:
                spread = weight.grad.std(correction=0) if self.noise else 0.0
                drawn = torch.randn(weight.shape, generator=self.generator).to(weight.device)
                weight.grad = slower * weight.grad + spread * drawn


def modulation(ratio: float, alpha: float) -> float:
    """OGM's coefficient: 1 − tanh(α ρ) where a branch is ρ > 1 times as strong, else 1.

    Source: as `GradientModulation`.

    >>> round(modulation(2.0, 0.5), 4), modulation(0.5, 0.5)
    (0.2384, 1.0)
    """
    return float(1 - np.tanh(alpha * ratio)) if ratio > 1 else 1.0


class OrthogonalSteps:
    """MLA, a hook: keep the shared head's steps away from what the other modality brought before.

    The gradient of the head's last layer is projected by P, which loses at each step the direction
    of the mean hidden vector: P − P h hᵀ P / (1 + hᵀ P h). Source: as `AlternatingFusion`.
    """

    def __init__(self) -> None:
        self.projection: Tensor | None = None

    def __call__(self, step: Step) -> None:
        """Project the gradient, then remember the vectors that gave it."""
        weight, met = step.network.audio_auxiliary[2].weight, step.network.met.float()
        if self.projection is None:
            self.projection = torch.eye(len(met), device=met.device)
        weight.grad = weight.grad @ self.projection
        turned = self.projection @ met
        self.projection = self.projection - torch.outer(turned, turned) / (1 + met @ turned)


def blend_weights(before: Mapping[str, Losses], after: Mapping[str, Losses]) -> dict[str, float]:
    """Gradient-Blending: what each loss should weigh, by what its head gained and overfitted.

    w ∝ G / ΔO², of sum 1, with G how far a head's validation loss fell and ΔO how far it grew away
    from the training loss (see `dominance.overfitting_ratio`). A head that got worse gets 0; where
    all did, all weigh the same. (One public port takes G's absolute value, and rewards it.)
    Source: Wang, Tran and Feiszli 2020, arXiv:1905.12681.

    >>> start = {"audio": Losses(2.0, 2.0), "image": Losses(2.0, 2.0)}
    >>> blend_weights(start, {"audio": Losses(1.0, 1.5), "image": Losses(0.0, 1.0)})
    {'audio': 0.6666666666666666, 'image': 0.3333333333333333}
    """
    raw = {}
    for name, then in before.items():
        now = after[name]
        grown = (now.validation - now.train) - (then.validation - then.train)
        raw[name] = max(then.validation - now.validation, 0.0) / max(grown**2, 1e-6)
    total = sum(raw.values())
    return {name: each / total if total else 1 / len(raw) for name, each in raw.items()}


class Trained(NamedTuple):
    """What a cure returns."""

    network: nn.Module
    history: pd.DataFrame  # as `training.fit`
    chosen: dict[str, object]  # what the validation side chose, by name


New = Callable[[type[nn.Module]], nn.Module]
Cure = Callable[[New, Samples, Split, Training], Trained]


def _weighing(
    settings: Training, joint: float, audio: float, image: float, **more: object
) -> Training:
    return replace(settings, joint_weight=joint, audio_weight=audio, image_weight=image, **more)


def _plain(kind: type[nn.Module], *weights: float) -> Cure:
    """A cure that is a network class and the weights of the joint, audio and image losses."""

    def cure(new: New, samples: Samples, split: Split, settings: Training) -> Trained:
        network = new(kind)
        history = fit(network, samples, split, _weighing(settings, *weights), progress=False)
        return Trained(network, history, {})

    return cure


def _best(tried: Iterable[Trained]) -> Trained:
    """The one whose last epoch is best on the validation side: by accuracy, then by loss."""

    def rank(one: Trained) -> tuple[float, float]:
        rows = one.history.query("side == 'validation' and classifier == 'joint'")
        return rows["accuracy"].iloc[-1], -rows["loss"].iloc[-1]

    return max(tried, key=rank)


def _modulated(new: New, samples: Samples, split: Split, settings: Training) -> Trained:
    def tried(alpha: float) -> Trained:
        network, hook = new(WatchedFusion), GradientModulation(alpha, settings.seed)
        weights = _weighing(settings, 1, 1, 1)
        history = fit(network, samples, split, weights, progress=False, between=hook)
        return Trained(network, history, {"alpha": alpha})

    return _best(map(tried, ALPHAS))


def _dropped(new: New, samples: Samples, split: Split, settings: Training) -> Trained:
    def tried(share: float) -> Trained:
        network = new(WatchedFusion)
        weights = _weighing(settings, 1, 1, 1, modality_dropout=share)
        history = fit(network, samples, split, weights, progress=False)
        return Trained(network, history, {"modality_dropout": share})

    return _best(map(tried, SHARES))


def _alternating(new: New, samples: Samples, split: Split, settings: Training) -> Trained:
    """Twice the epochs: a branch learns from every other batch."""
    network, weights = new(AlternatingFusion), _weighing(settings, 0, 1, 1)
    weights = replace(weights, epochs=2 * settings.epochs)
    history = fit(network, samples, split, weights, progress=False, between=OrthogonalSteps())
    return Trained(network, history, {})


def _pretrained(new: New, samples: Samples, split: Split, settings: Training) -> Trained:
    """Half of the epochs each branch by its own head, the rest plain concatenation."""
    network, half = new(WatchedFusion), max(settings.epochs // 2, 1)
    histories = []
    for teach, weights in ((True, (0, 1, 1)), (False, (1, 1, 1))):
        network.heads_teach = teach
        epochs = half if teach else max(settings.epochs - half, 1)
        stage = _weighing(settings, *weights, epochs=epochs, seed=settings.seed + (not teach))
        histories.append(fit(network, samples, split, stage, progress=False))
    return Trained(network, _joined(histories), {})


def _blended(stages: int) -> Cure:
    """Gradient-Blending: once for the whole training, or anew before each of some stages."""

    def cure(new: New, samples: Samples, split: Split, settings: Training) -> Trained:
        network, histories, chosen = new(FusionNetwork), [], []
        for stage, epochs in enumerate(map(len, np.array_split(range(settings.epochs), stages))):
            now = replace(settings, epochs=max(epochs, 1), seed=settings.seed + 1000 * stage)
            found = _estimate(network, samples, split, now)
            # Of sum 3, as 1 : 1 : 1 has: with less, the same steps would be smaller.
            weights = _weighing(now, *(3 * found[name] for name in ("joint", *MODALITIES)))
            histories.append(fit(network, samples, split, weights, progress=False))
            chosen.append(found)
        return Trained(network, _joined(histories), {"weights": chosen})

    return cure


def _estimate(
    network: nn.Module, samples: Samples, split: Split, settings: Training
) -> dict[str, float]:
    """The weights for a stage: train a copy by the joint loss alone, one by the heads' alone."""

    def measured(which: nn.Module, *names: str) -> dict[str, Losses]:
        sides = [measure(which, samples, rows) for rows in (split.train, split.validation)]
        return {name: Losses(*(side[name]["loss"] for side in sides)) for name in names}

    before, after = measured(network, "joint", *MODALITIES), {}
    for weights, names in (((1, 0, 0), ("joint",)), ((0, 1, 1), MODALITIES)):
        copy = deepcopy(network)
        fit(copy, samples, split, _weighing(settings, *weights), progress=False)
        after |= measured(copy, *names)
    return blend_weights(before, after)


def _joined(histories: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Histories of stages, one after another."""
    joined: list[pd.DataFrame] = []
    for each in histories:
        done = joined[-1]["epoch"].max() if joined else 0
        joined.append(each.assign(epoch=each["epoch"] + done))
    return pd.concat(joined, ignore_index=True)


CURES: dict[str, Cure] = {
    "none": _plain(WatchedFusion, 1, 1, 1),
    "auxiliary": _plain(FusionNetwork, 1, 1, 1),  # the paper's
    "blending": _blended(1),
    "blending-online": _blended(SUPER_EPOCHS),
    "ogm-ge": _modulated,
    "dropout": _dropped,
    "alternating": _alternating,
    "pretraining": _pretrained,
    "logit-sum": _plain(LogitSum, 1, 0, 0),
    "late": _plain(LogitSum, 0, 1, 1),
    "late-same": _plain(SameBranchLogitSum, 0, 1, 1),
    "equal-size": _plain(WatchedBalancedFusion, 1, 1, 1),  # ours
}
