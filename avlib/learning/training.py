"""Train a network, in one loop that can be read from top to bottom.

Paper section: stochastic gradient descent with momentum, 30 epochs; the fusion network's loss is
the joint loss plus the sum of the two auxiliary losses.
Taught in notebooks/03-unimodal-cnns.ipynb and notebooks/04-the-fusion-network.ipynb.
"""

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_safetensors
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from avlib import files
from avlib.learning.loaders import Batch, Samples, batches, class_matched
from avlib.learning.splits import Split


@dataclass(frozen=True)
class Training:
    """How to train; the defaults are the paper's, ``preset("paper")``.

    The paper gives SGD, momentum and 30 epochs; what it leaves open (learning rate, batch, weights)
    is our decision. Modality dropout is an addition to the paper. Raises ValueError if a setting is
    out of its range.
    """

    epochs: int = 30
    learning_rate: float = 0.01
    momentum: float = 0.9
    batch: int = 64  # rows
    joint_weight: float = 1.0  # of the joint loss; 0 leaves the branches to their own losses
    audio_weight: float = 1.0  # of the auxiliary losses
    image_weight: float = 1.0
    modality_dropout: float = 0.0  # 0 to 0.5; see `loaders.batches`
    # Whose sound a row is trained with: its own clip's, or, drawn anew in each epoch, one of any
    # training clip of the same emotion; see `loaders.class_matched`.
    pairing: Literal["clip", "class"] = "clip"
    seed: int = 0  # of the first weights and the order of the rows

    def __post_init__(self) -> None:
        for name, least, most in (
            ("epochs", 1, math.inf), ("batch", 1, math.inf), ("learning_rate", 1e-12, math.inf),
            ("momentum", 0, 1), ("joint_weight", 0, math.inf), ("audio_weight", 0, math.inf),
            ("image_weight", 0, math.inf), ("modality_dropout", 0, 0.5),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most or value == math.inf:
                raise ValueError(f"{name}: should be {least:g} to {most:g}, got {value}")

    @classmethod
    def preset(cls, name: str) -> Self:
        """The settings called ``paper``, with nothing added, or ``avlib``: modality dropout."""
        presets = {"paper": cls(), "avlib": cls(modality_dropout=0.25)}
        if name not in presets:
            raise ValueError(f"training: there is no {name!r}; choose from {', '.join(presets)}")
        return presets[name]

    def for_network(self, name: str) -> Self:
        """These settings; for our ``balanced`` network, with the modality dropout of ``avlib``."""
        if name != "balanced":
            return self
        return replace(self, modality_dropout=self.preset("avlib").modality_dropout)

    def weight(self, network: nn.Module, classifier: str) -> float:
        """The weight of one classifier's loss: 1 for the only one of a unimodal network."""
        if classifier == network.decision != "joint":
            return 1.0
        return getattr(self, f"{classifier}_weight")


class Step(NamedTuple):
    """What `fit` shows its hook: a batch whose gradients are computed and not yet used."""

    network: nn.Module  # ``parameter.grad`` may be read and changed
    batch: Batch
    logits: dict[str, Tensor]  # of each classifier, (batch, 8)
    losses: dict[str, Tensor]  # of each classifier, unweighted
    epoch: int  # from 1


class Moment(NamedTuple):
    """What `fit` shows whoever watches: to be read, and never changed."""

    history: list[dict[str, object]]  # rows as `fit` returns them, of each epoch that has ended
    decision: str  # the classifier that the network decides by
    epochs: int  # in all
    ended: int  # epochs that have
    tally: "_Tally | None" = None  # of the epoch that runs; None between epochs

    @property
    def done(self) -> float:
        """Epochs so far: 2.5 is the middle of the third."""
        return self.ended + (self.tally.share if self.tally else 0)

    @property
    def has_ended(self) -> bool:
        """Whether this was the last epoch."""
        return self.ended == self.epochs

    def running(self) -> dict[str, object] | None:
        """The training side's row of the epoch that runs, as far as it is; it asks the device."""
        if self.tally is None:
            return None
        rows = self.tally.rows(self.ended + 1, "train")
        return next(row for row in rows if row["classifier"] == self.decision)


def losses(logits: dict[str, Tensor], label: Tensor) -> dict[str, Tensor]:
    """The cross-entropy of each classifier of a network, averaged over the batch.

    `logits` are what the network returned, each ``(batch, 8)``; `label` is ``(batch,)`` int64.
    Source: the paper's auxiliary-loss section.
    """
    return {name: functional.cross_entropy(each.float(), label) for name, each in logits.items()}


def total_loss(network: nn.Module, each: dict[str, Tensor], settings: Training) -> Tensor:
    """Joint loss + weighted audio and image losses; of a unimodal network, its one loss.

    Source: the paper, total = joint + (audio + image).
    """
    return sum(settings.weight(network, name) * loss for name, loss in each.items())


def bfloat16_on_gpu(device: torch.device) -> torch.autocast:
    """Where the GPU computes with 16-bit numbers natively, let it; elsewhere change nothing.

    To be used in a ``with``. Weights, losses and sums stay float32.
    Source: Kalamkar et al. 2019, arXiv:1905.12322.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def has_bfloat16(device: torch.device) -> bool:
    """Whether this is a GPU that computes with 16-bit numbers natively."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def fit(
    network: nn.Module,
    samples: Samples,
    split: Split,
    settings: Training = Training(),
    progress: bool = True,
    keep: Path | None = None,
    between: Callable[[Step], None] | None = None,
    watch: Callable[[Moment], None] | None = None,
) -> pd.DataFrame:
    """Train a network in place on ``split.train``; the weights of the last epoch stay.

    Returns the history, one row for each epoch, side (``train``, ``validation``) and classifier:
    ``epoch`` (from 1), ``side``, ``classifier``, ``loss``, ``accuracy`` (0–1, over rows). The
    training side is measured while the weights move; the test side is never looked at. No epoch is
    picked: choosing the best by any side flatters that side.

    `keep` is a folder for a checkpoint after each epoch. The same call, made again after the
    process was killed, goes on from there, and on a processor ends in the same bits. A finished
    training leaves none.

    `between` is a hook: called with a `Step` for each batch, between ``backward`` and the
    optimiser's step, it may change gradients. What it remembers no `keep` holds: ValueError.
    `watch` only looks, so it may go with `keep`: it is called with a `Moment` at the start (with
    what a checkpoint holds), after each batch, and when an epoch has ended.
    """
    if keep and between:
        raise ValueError("keep: a checkpoint does not hold what `between` remembers; leave one out")
    network.to(samples.label.device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), settings.learning_rate, settings.momentum)
    order = torch.Generator().manual_seed(settings.seed)
    checkpoint = keep and _Checkpoint(keep, network, samples, split, settings, optimiser, order)
    done, history = checkpoint.resume() if checkpoint else (0, [])
    watch = watch or (lambda moment: None)
    watch(Moment(history, network.decision, settings.epochs, done))
    left = range(done + 1, settings.epochs + 1)
    bar = tqdm(left, "training", settings.epochs, unit="epoch", initial=done, disable=not progress)
    for epoch in bar:
        network.train()
        tally = _Tally(len(split.train))
        for batch in _shuffled(network, samples, split.train, settings, order):
            with bfloat16_on_gpu(batch.label.device):
                logits = network(batch.mfcc, batch.image, batch.present)
            each = losses(logits, batch.label)
            optimiser.zero_grad()
            total_loss(network, each, settings).backward()
            if between:
                between(Step(network, batch, logits, each, epoch))
            optimiser.step()
            tally.add(logits, each, batch.label)
            watch(Moment(history, network.decision, settings.epochs, epoch - 1, tally))
        history += tally.rows(epoch, "train")
        history += _look(network, samples, split.validation).rows(epoch, "validation")
        bar.set_postfix(validation=f"{_accuracy(history, network.decision):.2f}")
        if checkpoint:
            checkpoint.save(epoch, history)
        watch(Moment(history, network.decision, settings.epochs, epoch))
    if checkpoint:
        checkpoint.path.unlink(missing_ok=True)
    return pd.DataFrame(history)


def _shuffled(
    network: nn.Module,
    samples: Samples,
    rows: np.ndarray,
    settings: Training,
    order: torch.Generator,
) -> Iterator[Batch]:
    """The batches of an epoch, in an order drawn anew."""
    modality_dropout = settings.modality_dropout if network.decision == "joint" else 0.0
    matched = settings.pairing == "class"
    paired = class_matched(samples, rows, order) if matched else samples
    yield from batches(paired, rows, settings.batch, order, network.needs_image, modality_dropout)


class _Checkpoint:
    """All that the rest of a training follows from, in a file named after the training.

    The name is made of everything that decides what comes out, so that a file is only ever
    found by the very training that it was left by.
    """

    def __init__(
        self,
        folder: Path,
        network: nn.Module,
        samples: Samples,
        split: Split,
        settings: Training,
        optimiser: torch.optim.Optimizer,
        order: torch.Generator,
    ) -> None:
        self.network, self.optimiser, self.order = network, optimiser, order
        said = [str(network), digest(network), asdict(settings), samples.corpus]
        name = hashlib.sha256(json.dumps(said).encode())
        for tensor in (samples.mfcc, samples.pairs, samples.vectors, samples.label):
            if tensor is not None:
                name.update(tensor.cpu().numpy().tobytes())
        for rows in (split.train, split.validation):
            name.update(rows.tobytes())
        self.path = folder / f"{name.hexdigest()[:16]}.safetensors"

    def save(self, epoch: int, history: list[dict[str, object]]) -> None:
        tensors = {f"network.{name}": w for name, w in self.network.state_dict().items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors[f"momentum.{number}"] = state["momentum_buffer"]
        tensors["order"] = self.order.get_state()
        save_weights(self.path, tensors, {"epoch": epoch, "history": history})

    def resume(self) -> tuple[int, list[dict[str, object]]]:
        """How many epochs are done, and their history."""
        try:
            tensors, header = load_weights(self.path)
        except FileNotFoundError:
            return 0, []
        except files.DamagedError as error:
            warnings.warn(f"{error}; the training starts anew", stacklevel=3)
            return 0, []
        names = self.network.state_dict()
        self.network.load_state_dict({name: tensors[f"network.{name}"] for name in names})
        for number, parameter in enumerate(self.network.parameters()):
            if f"momentum.{number}" in tensors:
                # In the weights' own layout: sums in another order would round otherwise.
                momentum = torch.empty_like(parameter).copy_(tensors[f"momentum.{number}"])
                self.optimiser.state[parameter]["momentum_buffer"] = momentum.detach()
        self.order.set_state(tensors["order"])
        return header["epoch"], header["history"]


class _Tally:
    """Sums of losses and right predictions, kept on the device until an epoch ends."""

    def __init__(self, of: int) -> None:
        self.rows_seen, self.of = 0, of  # rows, of so many
        self.sums: dict[str, Tensor] = {}

    def add(self, logits: dict[str, Tensor], each: dict[str, Tensor], label: Tensor) -> None:
        self.rows_seen += len(label)
        for name, one in logits.items():
            right = (one.argmax(dim=1) == label).sum()
            both = torch.stack([each[name].detach() * len(label), right])
            self.sums[name] = self.sums.get(name, 0) + both

    @property
    def share(self) -> float:
        """How much of the epoch is done, 0 to 1."""
        return self.rows_seen / self.of

    def rows(self, epoch: int, side: str) -> list[dict[str, object]]:
        means = {name: (sums / self.rows_seen).tolist() for name, sums in self.sums.items()}
        return [
            {"epoch": epoch, "side": side, "classifier": name, "loss": loss, "accuracy": accuracy}
            for name, (loss, accuracy) in means.items()
        ]


@torch.no_grad()
def _look(network: nn.Module, samples: Samples, rows: np.ndarray) -> _Tally:
    network.eval()
    tally = _Tally(len(rows))
    for batch in batches(samples, rows, 512, image=network.needs_image):
        logits = network(batch.mfcc, batch.image)
        tally.add(logits, losses(logits, batch.label), batch.label)
    return tally


def _accuracy(history: list[dict[str, object]], classifier: str) -> float:
    return next(row["accuracy"] for row in reversed(history) if row["classifier"] == classifier)


@torch.no_grad()
def predict(
    network: nn.Module, samples: Samples, rows: np.ndarray, classifier: str | None = None
) -> np.ndarray:
    """The log-probability of each emotion, ``(rows, 8)`` float32, for each of `rows`.

    As the network's decision has it, or another `classifier` in it.
    """
    network.eval()
    asked = classifier or network.decision
    found = [
        functional.log_softmax(network(batch.mfcc, batch.image)[asked], dim=1)
        for batch in batches(samples, rows, 512, image=network.needs_image)
    ]
    return torch.cat(found).cpu().numpy()


def digest(network: nn.Module) -> str:
    """A fingerprint of a network's weights: equal if and only if every bit is."""
    fingerprint = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        fingerprint.update(name.encode())
        fingerprint.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return fingerprint.hexdigest()


def save_weights(path: str | Path, tensors: dict[str, Tensor], header: dict[str, object]) -> None:
    """Write tensors (a ``state_dict()``, say) and what is to be known of them, whole or not at all.

    The file is safetensors, whose header is plain JSON: nothing is unpickled. Raises OSError that
    names the file if it cannot be written.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    told = json.dumps(header)
    sealed = {"avlib": told, "digest": _seal(whole, told)}
    files.save(Path(path), as_safetensors(whole, sealed))


def _seal(tensors: dict[str, Tensor], header: str) -> str:
    found = hashlib.sha256(header.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def load_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read the tensors, on the processor, and the header that `save_weights` wrote.

    Raises FileNotFoundError, or `files.DamagedError` if the file is damaged or of something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if told["digest"] != _seal(tensors, told["avlib"]):
            raise ValueError("changed since it was written")
        return tensors, json.loads(told["avlib"])
    except (SafetensorError, TypeError, KeyError, ValueError, RuntimeError) as error:
        raise files.DamagedError(
            f"{path}: cannot be read as weights of this course ({error}); remove the file"
        ) from error
