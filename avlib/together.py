"""Train many networks of one kind at once, as one batched model.

A small network leaves a GPU idle: starting each little piece of work takes longer than the work.
Seeds and folds of one network differ in their weights and rows alone, so their weights can be
stacked, and one piece of work does for all of them what it did for one (`torch.func.vmap`).
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional
from tqdm.auto import tqdm

from avlib.loaders import Samples, deal_senses
from avlib.splits import Split
from avlib.training import Training, bfloat16_on_gpu, fit, total_loss


@dataclass(frozen=True)
class Run:
    """One of the networks to train, with what `training.fit` would take.

    Attributes
    ----------
    network : nn.Module
    samples : Samples
        Of one store for all runs, each standardised by its own training rows; see
        `loaders.standardise_again`.
    split : Split
    seed : int

    Notes
    -----
    Taught in lesson 05.
    """

    network: nn.Module
    samples: Samples
    split: Split
    seed: int


def fit_together(
    runs: Sequence[Run], settings: Training, progress: bool = True
) -> list[pd.DataFrame]:
    """Train networks of one kind in place, all at once.

    Parameters
    ----------
    runs : sequence of Run
    settings : Training
        Of every run; its seed is not used.
    progress : bool
        Show a bar.

    Returns
    -------
    list of DataFrame
        The history of each run, as `training.fit` returns it.

    Raises
    ------
    ValueError
        If the networks are of several kinds, or train on class-matched pairs.

    Notes
    -----
    Gives what `training.fit` gives run by run, but for rounding: sums are taken in another order.
    Taught in lesson 05. Source: https://pytorch.org/tutorials/intermediate/ensembling.html.
    """
    if len({type(run.network) for run in runs}) != 1:
        raise ValueError("runs: should hold networks of one kind; train each kind by itself")
    if settings.pairing != "clip":
        raise ValueError("pairing: networks that are trained at once hear each clip's own sound")
    device = runs[0].samples.label.device
    for run in runs:
        run.network.to(device)
    ensemble = _Ensemble(runs, settings)
    orders = [torch.Generator().manual_seed(run.seed) for run in runs]
    history: list[list[dict[str, object]]] = [[] for _ in runs]
    for epoch in tqdm(
        range(1, settings.epochs + 1), f"{len(runs)} networks", unit="epoch", disable=not progress
    ):
        rows, present = _shuffled(runs, settings, orders)
        seen = [ensemble.step(*step) for step in _in_batches(rows, present, settings.batch, device)]
        _enter(history, epoch, "train", seen)
        validation = [torch.from_numpy(run.split.validation) for run in runs]
        watched = _in_batches(validation, [None] * len(runs), 512, device)
        _enter(history, epoch, "validation", [ensemble.watch(*step) for step in watched])
    ensemble.hand_back()
    return [pd.DataFrame(rows) for rows in history]


def pays(runs: Sequence[Run], settings: Training) -> bool:
    """Whether training together is faster here: measured, on copies, for one epoch each way.

    Parameters
    ----------
    runs : sequence of Run
        On a GPU; on a processor it never pays (`python -m avlib bench` shows it), and the
        answer comes without a measurement.
    settings : Training

    Returns
    -------
    bool

    Notes
    -----
    Taught in lesson 05.
    """
    if runs[0].samples.label.device.type != "cuda" or settings.pairing != "clip":
        return False
    brief = replace(settings, epochs=1)

    def seconds(work: object) -> float:
        torch.cuda.synchronize()
        begun = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - begun

    def alone() -> None:
        fit(deepcopy(runs[0].network), runs[0].samples, runs[0].split, brief, progress=False)

    def together() -> None:
        copies = [replace(run, network=deepcopy(run.network)) for run in runs]
        fit_together(copies, brief, progress=False)

    for warm_up in (alone, together):
        warm_up()
    return seconds(together) < len(runs) * seconds(alone)


class _Ensemble:
    """The stacked weights of all networks, and stochastic gradient descent on them."""

    def __init__(self, runs: Sequence[Run], settings: Training) -> None:
        self.networks = [run.network for run in runs]
        self.settings = settings
        self.samples = runs[0].samples  # for what they share: pairs, labels, clips
        self.weights, _ = stack_module_state(self.networks)
        self.weights = {name: weight.detach() for name, weight in self.weights.items()}
        self.velocity = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.mfcc = torch.stack([run.samples.mfcc for run in runs])
        if self.samples.vectors is not None:
            self.vectors = torch.stack([run.samples.vectors for run in runs])
        means = torch.stack([run.samples.image_mean for run in runs])
        deviations = torch.stack([run.samples.image_deviation for run in runs])
        self.image_mean, self.image_deviation = means, deviations
        self.number = torch.arange(len(runs), device=self.mfcc.device)[:, None]

    def step(self, rows: Tensor, counts: Tensor, present: Tensor | None) -> dict[str, Tensor]:
        """One batch of every network; a network that has no row left stays as it is."""
        learn = vmap(grad_and_value(self._loss, has_aux=True), in_dims=(0, 0, 0, 0, 0, 0))
        gradients, (_, seen) = learn(self.weights, *self._batch(rows, counts, present))
        active = counts.any(dim=1)
        for name, weight in self.weights.items():
            moves = active.view(-1, *[1] * (weight.ndim - 1))
            velocity = self.settings.momentum * self.velocity[name] + gradients[name]
            self.velocity[name] = torch.where(moves, velocity, self.velocity[name])
            weight -= self.settings.learning_rate * torch.where(moves, velocity, 0)
        return seen

    @torch.no_grad()
    def watch(self, rows: Tensor, counts: Tensor, present: Tensor | None) -> dict[str, Tensor]:
        _, seen = vmap(self._loss)(self.weights, *self._batch(rows, counts, present))
        return seen

    def hand_back(self) -> None:
        for number, network in enumerate(self.networks):
            network.load_state_dict({name: w[number] for name, w in self.weights.items()})

    def _batch(
        self, rows: Tensor, counts: Tensor, present: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        samples = self.samples
        if not self.networks[0].needs_image:
            image = torch.zeros(*rows.shape, 1, device=rows.device)
        elif samples.pairs is None:
            image = self.vectors[self.number, rows]
        else:
            look = samples.look_of_row[rows]
            image = samples.pairs[rows].permute(0, 1, 4, 2, 3).float()
            image = image - self.image_mean[self.number, look]
            image = image / self.image_deviation[self.number, look]
        if present is None:
            present = torch.ones(*rows.shape, 2, device=rows.device)
        mfcc = self.mfcc[self.number, samples.clip_of_row[rows]]
        return mfcc, image, present, samples.label[rows], counts

    def _loss(
        self,
        weights: dict[str, Tensor],
        mfcc: Tensor,
        image: Tensor,
        present: Tensor,
        label: Tensor,
        counts: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """One network's total loss over the rows that count, and what a history needs."""
        network = self.networks[0]
        with bfloat16_on_gpu(mfcc.device):
            scores = functional_call(network, weights, (mfcc, image, present))
        each, seen = {}, {}
        for name, logits in scores.items():
            row_loss = functional.cross_entropy(logits.float(), label, reduction="none")
            right = (logits.argmax(dim=1) == label) * counts
            each[name] = (row_loss * counts).sum() / counts.sum().clamp(min=1)
            seen[name] = torch.stack(
                [(row_loss.detach() * counts).sum(), right.sum(), counts.sum()]
            )
        return total_loss(network, each, self.settings), seen


def _shuffled(
    runs: Sequence[Run], settings: Training, orders: Sequence[torch.Generator]
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Each run's training rows and senses, drawn as `loaders.batches` draws them."""
    joint = runs[0].network.decision == "joint" and settings.sense_dropout
    rows, present = [], []
    for run, order in zip(runs, orders, strict=True):
        train = torch.from_numpy(run.split.train)
        rows.append(train[torch.randperm(len(train), generator=order)])
        present.append(deal_senses(len(train), settings.sense_dropout, order) if joint else None)
    return rows, present


def _in_batches(
    rows: Sequence[Tensor], present: Sequence[Tensor | None], size: int, device: torch.device
) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    """Cut every run's rows into batches side by side.

    Runs differ in length: shorter ones are filled up with row 0, which does not count.
    """
    longest = max(map(len, rows))
    counts = torch.stack([torch.arange(longest) < len(each) for each in rows]).float()

    def filled(tensors: Sequence[Tensor]) -> Tensor:
        return nn.utils.rnn.pad_sequence(list(tensors), batch_first=True).to(device)

    senses = None if present[0] is None else filled(present).split(size, dim=1)
    cut = zip(filled(rows).split(size, dim=1), counts.to(device).split(size, dim=1), strict=True)
    return [(*both, None if senses is None else senses[number]) for number, both in enumerate(cut)]


def _enter(
    history: list[list[dict[str, object]]], epoch: int, side: str, seen: list[dict[str, Tensor]]
) -> None:
    """Add an epoch's means to each run's history."""
    for name in seen[0]:
        sums = torch.stack([step[name] for step in seen]).sum(dim=0)
        for rows, (loss, right, counted) in zip(history, sums.tolist(), strict=True):
            rows.append(
                {
                    "epoch": epoch,
                    "side": side,
                    "classifier": name,
                    "loss": loss / counted,
                    "accuracy": right / counted,
                }
            )
