"""Classifiers as small as the data: shrinkage discriminants, and ensembles of small networks.

Of no lesson; `fusion` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import nn
from torch.nn import functional

from avlib.learning.networks import CLASSES


@dataclass(frozen=True)
class Linear:
    """A linear classifier: logits are ``features @ coefficients.T + intercept``."""

    coefficients: np.ndarray  # (8, features)
    intercept: np.ndarray  # (8,)

    def log_posteriors(self, features: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(clips, 8)``."""
        return log_softmax(features @ self.coefficients.T + self.intercept, axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        """What it has learned, by name."""
        return {"coefficients": self.coefficients, "intercept": self.intercept}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Linear:
        """The classifier whose `arrays` these are."""
        return cls(arrays["coefficients"], arrays["intercept"])


def discriminant(features: np.ndarray, emotion: np.ndarray, shrinkage: float) -> Linear:
    """Linear discriminant analysis whose covariance is shrunk toward that of unrelated features.

    With more features than clips the covariance of the clips at hand holds much that is chance.
    `shrinkage`, 0 to 1, is how much of it is not believed. `emotion` holds codes, 1–8, and every
    code must occur. Source: Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4.

    >>> rng = np.random.default_rng(0)
    >>> emotion = np.repeat(np.arange(1, 9), 20)
    >>> seen = np.eye(8)[emotion - 1] + rng.normal(0, 0.2, (160, 8))
    >>> found = discriminant(seen, emotion, 0.5).log_posteriors(seen).argmax(axis=1) + 1
    >>> bool((found == emotion).mean() > 0.95)
    True
    """
    if missing := sorted({*range(1, CLASSES + 1)} - {*emotion.tolist()}):
        raise ValueError(f"emotion: no clip of {missing} to learn from; add recordings")
    found = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(features, emotion)
    return Linear(found.coef_, found.intercept_)


@dataclass(frozen=True)
class Ensemble:
    """Small networks that differ in their seeds alone; their probabilities are averaged."""

    networks: tuple[nn.Module, ...]

    def log_posteriors(self, features: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(clips, 8)``."""
        given = torch.as_tensor(features, dtype=torch.float32)
        with torch.inference_mode():
            found = [functional.softmax(network(given), dim=1) for network in self.networks]
        return torch.stack(found).mean(dim=0).clamp_min(1e-9).log().double().numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """What they have learned, by number and name."""
        return {
            f"{number}.{name}": tensor.numpy()
            for number, network in enumerate(self.networks)
            for name, tensor in network.state_dict().items()
        }

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Ensemble:
        """The networks whose `arrays` these are."""
        states: dict[str, dict[str, torch.Tensor]] = {}
        for place, array in arrays.items():
            number, _, name = place.partition(".")
            states.setdefault(number, {})[name] = torch.from_numpy(array)
        networks = []
        for state in states.values():
            hidden, given = state["1.weight"].shape
            networks.append(_layers(given, hidden))
            networks[-1].load_state_dict(state)
        return cls(tuple(network.eval() for network in networks))


def ensemble(
    features: np.ndarray,
    emotion: np.ndarray,
    shrinkage: float = 0.0,
    seeds: int = 5,
    hidden: int = 64,
    epochs: int = 60,
) -> Ensemble:
    """Train networks of one hidden layer on vectors, with every brake that few clips call for.

    Dropout on the features (0.3) and on the hidden layer (0.5), weight decay (0.1), mixup (Zhang
    et al. 2018, arXiv:1710.09412), label smoothing (0.1), one cycle of the learning rate.
    `shrinkage` is there to be called as `discriminant` is, and does nothing.
    """
    given = torch.as_tensor(features, dtype=torch.float32)
    smooth = functional.one_hot(torch.as_tensor(emotion - 1), CLASSES) * 0.9 + 0.1 / CLASSES
    return Ensemble(tuple(_network(given, smooth, s, hidden, epochs) for s in range(seeds)))


def _layers(given: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(0.3), nn.Linear(given, hidden), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(hidden, CLASSES),
    )  # fmt: skip


def _network(
    given: torch.Tensor, wanted: torch.Tensor, seed: int, hidden: int, epochs: int
) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # PyTorch's own random state is left as it was
        torch.manual_seed(seed)
        network = _layers(given.shape[1], hidden)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
        steps = epochs * -(-len(given) // 64)
        pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        beta = torch.distributions.Beta(0.4, 0.4)
        for _ in range(epochs):
            for rows in torch.randperm(len(given)).split(64):
                others, share = rows[torch.randperm(len(rows))], beta.sample()
                mixed = share * given[rows] + (1 - share) * given[others]
                target = share * wanted[rows] + (1 - share) * wanted[others]
                loss = functional.cross_entropy(network(mixed), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                pace.step()
    return network.eval()
