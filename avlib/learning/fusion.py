"""Late fusion: an opinion for each modality, and their weighted sum.

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

from avlib.learning.classifiers import Ensemble, Linear, discriminant
from avlib.learning.networks import CLASSES
from avlib.learning.speakers import SpeakerNormalisation
from avlib.learning.training import load_weights, save_weights

Features = Mapping[str, np.ndarray]  # modality → (clips, features)
_LEARNED = ("mean", "deviation", "doubt")  # of a normalisation, from training speakers
KNOWN = (0, 1, 2, 5, 10, 20, 60)  # clips of a speaker; weights are fitted for each
SHRINKAGES = (0.02, 0.1, 0.3, 0.5, 0.7)
INNER_FOLDS = 4


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

    def fit(
        self,
        features: Features,
        emotion: np.ndarray,
        speakers: np.ndarray,
        people: np.ndarray | None = None,
    ) -> LateFusion:
        """Learn from clips of training speakers: ``(clips, features)`` of each modality.

        `people` are held out together, where one of them is several speakers to the normalisation:
        heard through several microphones, say. Raises ValueError if there are fewer than six
        speakers, or an emotion is missing.
        """
        if len(np.unique(speakers)) < 6:
            raise ValueError("speakers: six are needed, or more, to choose and to learn on")
        given = self.opinions(features)
        self.normalisations = {
            name: SpeakerNormalisation().fit(clips, speakers) for name, clips in given.items()
        }
        self.chosen, self.models, self.held_out, self.truth = {}, {}, {}, emotion
        for name, clips in given.items():
            learner = self.learners.get(name, discriminant)
            inner = list(_inner(clips, speakers, speakers if people is None else people))
            for known in (False, True):  # a model for strangers, and one for speakers known
                chosen = 0.0 if name in self.learners else _choose(inner, emotion, known)
                learned = self.normalisations[name].of_training(clips, speakers, known)
                self.chosen[name, known] = chosen
                self.models[name, known] = learner(learned, emotion, chosen)
            self.held_out[name] = self._held_out(name, inner, emotion, speakers)
        return self._weigh()

    def _weigh(self) -> LateFusion:
        """Fit the weights, for each number of clips that a speaker may be known by."""
        self.weights = {
            known: fusion_weights([logs[known] for logs in self.held_out.values()], self.truth)
            for known in KNOWN
        }
        return self

    def only(self, *names: str) -> LateFusion:
        """The fusion of some of the opinions that `fit` has learned, with weights of their own."""
        part = LateFusion()
        part.held_out = {name: self.held_out[name] for name in names}
        part.normalisations = {name: self.normalisations[name] for name in names}
        part.models = {place: each for place, each in self.models.items() if place[0] in names}
        part.truth = self.truth
        return part._weigh()

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

        `known` are clips of the same speaker, of any emotion; their labels are not asked for. A
        modality that it lacks is a stranger's.
        """
        given, own = self.opinions(features), self.opinions(known) if known else {}
        count = len(next(iter(own.values()))) if own else 0
        weights = self.weights[max(k for k in KNOWN if k <= count)]
        total = 0.0
        for weight, (name, learned) in zip(weights, self.normalisations.items(), strict=True):
            normalisation = learned.forget()
            if name in own:
                normalisation.partial_fit(own[name])
            normalised = normalisation.transform(given[name])
            model = self.models[name, normalisation.clips > 0]
            total = total + weight * model.log_posteriors(normalised)
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
    stacked, start = np.stack(opinions), np.full(len(opinions), 0.5)
    bounds = [(0.02, 5)] * len(opinions)
    return minimize(_surprise, start, (stacked, emotion), "L-BFGS-B", bounds=bounds).x


def _surprise(weights: np.ndarray, opinions: np.ndarray, emotion: np.ndarray) -> float:
    """The mean log-probability that a weighted sum of opinions gives the truth, times −1."""
    logs = log_softmax(np.tensordot(weights, opinions, 1), axis=1)
    return -logs[np.arange(len(emotion)), emotion - 1].mean()


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


def _inner(clips: np.ndarray, speakers: np.ndarray, people: np.ndarray) -> Iterator[_Inner]:
    """Training speakers in four groups by number, each held out in turn."""
    for held_out in np.array_split(np.unique(people), INNER_FOLDS):
        test = np.isin(people, held_out)
        normalisation = SpeakerNormalisation().fit(clips[~test], speakers[~test])
        yield _Inner(clips, speakers, np.flatnonzero(~test), np.flatnonzero(test), normalisation)


def _choose(inner: Sequence[_Inner], emotion: np.ndarray, known: bool) -> float:
    """The shrinkage that makes the truth about held-out training speakers most likely.

    How likely, rather than how often right, is the finer measure where clips are few; each is
    asked at its own best weight, which late fusion will give it.
    """
    asked: dict[float, list[np.ndarray]] = {shrinkage: [] for shrinkage in SHRINKAGES}
    truth = []
    for fold in inner:
        learned, speakers = fold.learned(known), fold.speakers[fold.test]
        each = [fold.test[speakers == speaker] for speaker in np.unique(speakers)]
        normalised = np.concatenate([fold.asked(own, own if known else own[:0]) for own in each])
        truth.append(emotion[np.concatenate(each)])
        for shrinkage, logs in asked.items():
            model = discriminant(learned, emotion[fold.train], shrinkage)
            logs.append(model.log_posteriors(normalised))
    labels = np.concatenate(truth)

    def surprise(shrinkage: float) -> float:
        opinion = [np.concatenate(asked[shrinkage])]
        return _surprise(fusion_weights(opinion, labels), np.stack(opinion), labels)

    return min(SHRINKAGES, key=surprise)


def save(model: LateFusion, path: Path, header: Mapping[str, object]) -> None:
    """Write a fusion of discriminants as safetensors, with a header in JSON, whole or not at all.

    Raises ValueError for one that holds networks, and OSError that names the file.
    """
    tensors: dict[str, np.ndarray] = {}
    for (name, known), linear in model.models.items():
        if not isinstance(linear, Linear):
            raise ValueError(f"{name}: only linear classifiers are kept, no networks")
        tensors |= {f"{name}/{known:d}/{part}": array for part, array in vars(linear).items()}
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
