"""Classifiers as small as the data: shrinkage discriminants, and ensembles of small networks.

Of no lesson; `fusion` is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor, nn
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
    try:
        found = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
        found.fit(features, emotion)
    except np.linalg.LinAlgError:  # LAPACK's least squares gives up now and then, on sound numbers
        found = LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage)
        found.fit(features, emotion)
    return Linear(found.coef_, found.intercept_)


class Ensemble(nn.Module):
    """Networks with one hidden layer that differ in chance alone; their probabilities are averaged.

    All are computed at once: each layer is ``(networks, inputs, outputs)``, so that five take
    hardly longer than one.
    """

    def __init__(self, networks: int, given: int, hidden: int) -> None:
        super().__init__()
        for name, inputs, outputs in (("hidden", given, hidden), ("output", hidden, CLASSES)):
            reach = inputs**-0.5  # as PyTorch's own layers begin
            for part, height in (("weight", inputs), ("bias", 1)):
                first = torch.empty(networks, height, outputs).uniform_(-reach, reach)
                self.register_parameter(f"{name}_{part}", nn.Parameter(first))

    def forward(self, features: Tensor) -> Tensor:
        """``(networks, clips, features)`` → logits ``(networks, clips, 8)``."""
        given = functional.dropout(features, 0.3, self.training)
        hidden = torch.baddbmm(self.hidden_bias, given, self.hidden_weight).relu()
        hidden = functional.dropout(hidden, 0.5, self.training)
        return torch.baddbmm(self.output_bias, hidden, self.output_weight)

    def log_posteriors(self, features: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(clips, 8)``."""
        given = torch.as_tensor(features, dtype=torch.float32)
        with torch.inference_mode():
            logits = self(given.expand(len(self.hidden_bias), *given.shape))
            mean = functional.softmax(logits, dim=2).mean(dim=0)
        return mean.clamp_min(1e-9).log().double().numpy()


def ensemble(
    features: np.ndarray,
    emotion: np.ndarray,
    shrinkage: float = 0.0,
    networks: int = 5,
    hidden: int = 64,
    epochs: int = 120,
) -> Ensemble:
    """Train networks of one hidden layer on vectors, with every brake that few clips call for.

    Dropout on the features (0.3) and on the hidden layer (0.5), weight decay (0.1), mixup (Zhang
    et al. 2018, arXiv:1710.09412), label smoothing (0.1), one cycle of the learning rate. Each
    network has its own first weights and its own order of clips; the same call gives the same bits.
    `shrinkage` is there to be called as `discriminant` is, and does nothing.

    >>> rng = np.random.default_rng(0)
    >>> emotion = np.repeat(np.arange(1, 9), 20)
    >>> seen = np.eye(8)[emotion - 1] + rng.normal(0, 0.2, (160, 8))
    >>> found = ensemble(seen, emotion).log_posteriors(seen).argmax(axis=1) + 1
    >>> bool((found == emotion).mean() > 0.95)
    True
    """
    given = torch.as_tensor(features, dtype=torch.float32)
    wanted = functional.one_hot(torch.as_tensor(emotion - 1), CLASSES) * 0.9 + 0.1 / CLASSES
    with torch.random.fork_rng(devices=[]):  # PyTorch's own random state is left as it was
        torch.manual_seed(0)
        model = Ensemble(networks, given.shape[1], hidden)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
        steps = epochs * -(-len(given) // 64)
        pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        beta = torch.distributions.Beta(0.4, 0.4)
        for _ in range(epochs):
            orders = torch.rand(networks, len(given)).argsort(dim=1)
            for rows in orders.split(64, dim=1):
                others = rows[:, torch.randperm(rows.shape[1])]
                share = beta.sample((networks, 1, 1))
                mixed = share * given[rows] + (1 - share) * given[others]
                target = share * wanted[rows] + (1 - share) * wanted[others]
                # The sum over networks: none of them feels another.
                loss = -(functional.log_softmax(model(mixed), dim=2) * target).sum(dim=2)
                optimizer.zero_grad()
                loss.mean(dim=1).sum().backward()
                optimizer.step()
                pace.step()
    return model.eval()
