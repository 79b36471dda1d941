"""Models as small as the data: shrinkage discriminants, small networks, and their late fusion.

Taught in notebooks/09-better-with-unseen-speakers.ipynb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import nn
from torch.nn import functional

from avlib.learning.networks import CLASSES
from avlib.learning.speakers import SpeakerNormalisation
from avlib.learning.training import load_weights, save_weights

Features = Mapping[str, np.ndarray]  # modality → (clips, features)
_LEARNED = ("mean", "deviation", "doubt")  # of a normalisation, from training speakers
KNOWN = (0, 1, 2, 5, 10, 20, 60)  # clips of a speaker; weights are fitted for each
SHRINKAGES = (0.02, 0.1, 0.3, 0.5, 0.7)
INNER_FOLDS = 4


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


def ensemble(
    features: np.ndarray,
    emotion: np.ndarray,
    shrinkage: float = 0.0,
    seeds: int = 5,
    hidden: int = 64,
    epochs: int = 120,
) -> Ensemble:
    """Train networks of one hidden layer on vectors, with every brake that few clips call for.

    Dropout on the features (0.3) and on the hidden layer (0.5), weight decay (0.1), mixup (Zhang
    et al. 2018, arXiv:1710.09412), label smoothing (0.1), one cycle of the learning rate.
    `shrinkage` is there to be called as `discriminant` is, and does nothing.
    """
    given = torch.as_tensor(features, dtype=torch.float32)
    smooth = functional.one_hot(torch.as_tensor(emotion - 1), CLASSES) * 0.9 + 0.1 / CLASSES
    return Ensemble(tuple(_network(given, smooth, s, hidden, epochs) for s in range(seeds)))


def _network(
    given: torch.Tensor, wanted: torch.Tensor, seed: int, hidden: int, epochs: int
) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # PyTorch's own random state is left as it was
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(given.shape[1], hidden), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(hidden, CLASSES),
        )  # fmt: skip
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


Learner = Callable[[np.ndarray, np.ndarray, float], Linear | Ensemble]


class LateFusion:
    """An opinion for each modality, and their weighted sum: nothing is joined before the end.

    Each modality has its own `SpeakerNormalisation` and classifier. Their log-probabilities are
    summed with weights that make the truth of *held-out training speakers* most likely, so that the
    sum is calibrated, too; a weight is an inverse temperature. The shrinkage of each modality is
    chosen on the same speakers. No test speaker has a part in it.
    """

    def __init__(self, learners: Mapping[str, Learner] | None = None) -> None:
        self.learners = learners or {}  # modality → `discriminant`, where nothing else is said

    def opinions(self, features: Features) -> dict[str, np.ndarray]:
        """What each opinion is formed on."""
        return dict(features)

    def fit(self, features: Features, emotion: np.ndarray, speakers: np.ndarray) -> LateFusion:
        """Learn from clips of training speakers: ``(clips, features)`` of each modality.

        Raises ValueError if there are fewer than six speakers, or an emotion is missing.
        """
        if len(np.unique(speakers)) < 6:
            raise ValueError("speakers: six are needed, or more, to choose and to learn on")
        given = self.opinions(features)
        self.normalisations = {
            name: SpeakerNormalisation().fit(clips, speakers) for name, clips in given.items()
        }
        self.chosen, self.models, held_out = {}, {}, []
        for name, clips in given.items():
            learner = self.learners.get(name, discriminant)
            inner = list(_inner(clips, speakers))
            for known in (False, True):  # a model for strangers, and one for speakers known
                chosen = 0.0 if name in self.learners else _choose(inner, emotion, known)
                learned = self.normalisations[name].of_training(clips, speakers, known)
                self.chosen[name, known] = chosen
                self.models[name, known] = learner(learned, emotion, chosen)
            held_out.append(self._held_out(name, inner, emotion, speakers))
        self.weights = {
            known: fusion_weights([logs[known] for logs in held_out], emotion) for known in KNOWN
        }
        return self

    def _held_out(
        self, name: str, inner: Sequence[_Inner], emotion: np.ndarray, speakers: np.ndarray
    ) -> dict[int, np.ndarray]:
        """What is said of each training speaker by a model of others that knows so many clips."""
        logs = {known: np.empty((len(emotion), CLASSES)) for known in KNOWN}
        learner, drawn = self.learners.get(name, discriminant), np.random.default_rng(0)
        for fold in inner:
            models = [
                learner(fold.learned(known), emotion[fold.train], self.chosen[name, known])
                for known in (False, True)
            ]
            for speaker in np.unique(speakers[fold.test]):
                own = np.flatnonzero(speakers == speaker)
                for known in KNOWN:
                    asked = fold.asked(own, drawn.permutation(own)[:known])
                    logs[known][own] = models[known > 0].log_posteriors(asked)
        return logs

    def log_posteriors(self, features: Features, known: Features | None = None) -> np.ndarray:
        """The log-probability of each emotion, ``(clips, 8)``, of clips of one speaker.

        `known` are clips of the same speaker, of any emotion; their labels are not asked for.
        """
        given, own = self.opinions(features), self.opinions(known) if known else {}
        count = len(next(iter(own.values()))) if own else 0
        weights = self.weights[max(k for k in KNOWN if k <= count)]
        total = 0.0
        for weight, (name, clips) in zip(weights, given.items(), strict=True):
            normalisation = self.normalisations[name].forget()
            if own:
                normalisation.partial_fit(own[name])
            model = self.models[name, count > 0]
            total = total + weight * model.log_posteriors(normalisation.transform(clips))
        return log_softmax(total, axis=1)


class JointFusion(LateFusion):
    """One opinion on all modalities at once: their features, one beside the other."""

    def opinions(self, features: Features) -> dict[str, np.ndarray]:
        """All features in one row."""
        return {"joint": np.concatenate(list(features.values()), axis=1)}


def fusion_weights(opinions: Sequence[np.ndarray], emotion: np.ndarray) -> np.ndarray:
    """The weight of each opinion, ``(clips, 8)`` log-probabilities, that fits the truth best.

    The weights, 0.02 to 5, make the mean log-probability of the truth highest once the weighted sum
    is scaled to probabilities. The problem is convex: there is one best answer.
    """
    truth = np.arange(len(emotion)), emotion - 1
    stacked = np.stack(opinions)

    def surprise(weights: np.ndarray) -> float:
        return -log_softmax(np.tensordot(weights, stacked, 1), axis=1)[truth].mean()

    start = np.full(len(opinions), 0.5)
    return minimize(surprise, start, method="L-BFGS-B", bounds=[(0.02, 5)] * len(opinions)).x


@dataclass(frozen=True)
class _Inner:
    """Some training speakers, held out from the others."""

    clips: np.ndarray
    speakers: np.ndarray
    train: np.ndarray
    test: np.ndarray
    normalisation: SpeakerNormalisation

    def learned(self, known: bool) -> np.ndarray:
        """The others' clips, normalised as those of speakers who are known, or of strangers."""
        return self.normalisation.of_training(
            self.clips[self.train], self.speakers[self.train], known
        )

    def asked(self, rows: np.ndarray, some: np.ndarray) -> np.ndarray:
        """Clips of one who is held out, normalised by some of them."""
        normalisation = self.normalisation.forget().partial_fit(self.clips[some])
        return normalisation.transform(self.clips[rows])


def _inner(clips: np.ndarray, speakers: np.ndarray) -> Iterator[_Inner]:
    """Training speakers in four groups by number, each held out in turn."""
    for held_out in np.array_split(np.unique(speakers), INNER_FOLDS):
        test = np.isin(speakers, held_out)
        normalisation = SpeakerNormalisation().fit(clips[~test], speakers[~test])
        yield _Inner(clips, speakers, np.flatnonzero(~test), np.flatnonzero(test), normalisation)


def _choose(inner: Sequence[_Inner], emotion: np.ndarray, known: bool) -> float:
    """The shrinkage that is right most often about training speakers who are held out."""
    right = dict.fromkeys(SHRINKAGES, 0)
    for fold in inner:
        learned, speakers = fold.learned(known), fold.speakers[fold.test]
        each = [fold.test[speakers == speaker] for speaker in np.unique(speakers)]
        asked = np.concatenate([fold.asked(own, own if known else own[:0]) for own in each])
        truth = emotion[np.concatenate(each)]
        for shrinkage in SHRINKAGES:
            logs = discriminant(learned, emotion[fold.train], shrinkage).log_posteriors(asked)
            right[shrinkage] += int((logs.argmax(axis=1) + 1 == truth).sum())
    return max(right, key=right.get)


def save(model: LateFusion, path: Path, header: Mapping[str, object]) -> None:
    """Write a fusion of linear classifiers as safetensors, with a header in JSON, whole or not.

    Raises ValueError for one that holds networks, and OSError that names the file.
    """
    tensors = {}
    for (name, known), linear in model.models.items():
        if not isinstance(linear, Linear):
            raise ValueError(f"{name}: only linear classifiers are kept, no networks")
        tensors |= {
            f"{name}/{known:d}/coefficients": linear.coefficients,
            f"{name}/{known:d}/intercept": linear.intercept,
        }
    for name, normalisation in model.normalisations.items():
        own = normalisation.forget()
        tensors |= {f"{name}/{part}": getattr(own, part) for part in _LEARNED}
    kept = {
        "joint": isinstance(model, JointFusion),
        "opinions": list(model.normalisations),
        "weights": {str(known): each.tolist() for known, each in model.weights.items()},
    }
    whole = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in tensors.items()}
    save_weights(path, whole, dict(header) | {"fusion": kept})


def load(path: str | Path) -> tuple[LateFusion, dict[str, object]]:
    """What `save` wrote: the model, and the header. Raises ValueError for any other file."""
    tensors, header = load_weights(path)
    if "fusion" not in header:
        raise ValueError(f"{path}: holds no fusion of classifiers; name another file")
    kept = header["fusion"]
    model = JointFusion() if kept["joint"] else LateFusion()
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    model.weights = {int(known): np.array(each) for known, each in kept["weights"].items()}
    model.normalisations, model.models = {}, {}
    for name in kept["opinions"]:
        normalisation = SpeakerNormalisation()
        for part in _LEARNED:
            setattr(normalisation, part, arrays[f"{name}/{part}"])
        model.normalisations[name] = normalisation.forget()
        for known in (False, True):
            parts = (f"{name}/{known:d}/{part}" for part in ("coefficients", "intercept"))
            model.models[name, known] = Linear(*(arrays[part] for part in parts))
    return model, header
