"""The exercises of 08-table-two-run.ipynb."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import nn

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, refuse

_PROTOCOLS = {"A": "clip", "B": "pair", "C": "actor", "D": "unsaid", "E": "clip"}
_HINTS = {
    ("A", "actor"): "nothing is said of people: recordings are shuffled, and everybody is on all "
    "sides.",
    ("A", "unsaid"): "it does say what is shuffled: recordings.",
    ("A", "pair"): "whole recordings are shuffled, and none is cut apart.",
    ("B", "clip"): "what is drawn are pairs of frames. One recording has pairs on both sides.",
    ("B", "actor"): "what is drawn are pairs of frames, of everybody.",
    ("B", "unsaid"): "it does say what is drawn: pairs of frames.",
    ("C", "clip"): "all recordings of a performer are held out together.",
    ("C", "pair"): "all recordings of a performer are held out together.",
    ("C", "unsaid"): "it does say who is held out: performers.",
    ("E", "actor"): "both repetitions are by the same actor: one trains, the other tests.",
    ("E", "pair"): "a repetition is a recording, and is not cut apart.",
    ("E", "unsaid"): "it does say what is kept whole: a repetition, which is one recording.",
}


@exercise("8.1")
def _protocols(answer: object) -> None:
    hint = "a dict is asked for: a letter and one of the four words for each of A to E."
    refuse(type(answer) is not dict, hint)
    dots = "replace the dots by your answers, then run both cells again."
    refuse(any(each is ... for each in answer.values()), dots)
    lacking = [letter for letter in _PROTOCOLS if letter not in answer]
    refuse(lacking, f"{', '.join(lacking)} is not there; {hint}")
    words = sorted({*_PROTOCOLS.values()})
    for letter, right in _PROTOCOLS.items():
        said = answer[letter]
        refuse(type(said) is not str or said not in words, f"{letter}: write one of {words}.")
        unsaid = "ten folds of *what*? It does not say, and a guess is not a protocol."
        refuse(said != right, f"{letter}: {_HINTS.get((letter, said), unsaid)}")


@exercise("8.2")
def _lda_knn(answer: object) -> None:
    rng = np.random.default_rng()
    means, count = rng.normal(0, 1.5, (4, 3)), 100

    def drawn(label: np.ndarray) -> np.ndarray:
        told = means[label - 1] + rng.normal(0, 1, (len(label), 3))
        return np.concatenate([rng.normal(0, 8, (len(label), 6)), told], axis=1)

    label, asked = rng.integers(1, 5, count), rng.integers(1, 5, 150)
    label[:8] = [1, 2, 3, 4] * 2
    train, test = drawn(label), drawn(asked)
    for k in rng.permutation([5, 9]).tolist():
        _ask_for_neighbours(answer, train, label, test, k)


def _ask_for_neighbours(
    answer: object, train: np.ndarray, label: np.ndarray, test: np.ndarray, k: int
) -> None:
    lda = LinearDiscriminantAnalysis().fit(train, label)

    def votes(near: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(label[row], minlength=5) for row in near])

    def ranked(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return cdist(other, one).argsort(axis=1)

    order, raw = ranked(lda.transform(train), lda.transform(test)), ranked(train, test)
    counts = np.sort(votes(order[:, :k]), axis=1)
    sure = counts[:, -1] > counts[:, -2]  # a tie may be broken in several ways
    order, raw, test = order[sure], raw[sure], test[sure]
    found = array(call(answer, train, label, test, k), "the result")
    refuse(
        found.shape != (len(test),),
        f"an array of {len(test)} labels is asked for, one for each row of `test`; yours has the "
        f"shape {found.shape}.",
    )
    mistakes = [
        (votes(raw[:, :k]).argmax(1), "these are neighbours among the features as they were. "
         "Reduce both sides by LDA first: `.transform`."),
        (label[order[:, 0]], "that is the label of the nearest one. Let all `k` vote."),
        (votes(order[:, 1 : k + 1]).argmax(1), "you left out the nearest one. No row of `test` is "
         "among its own neighbours: all `k` count."),
        (votes(order[:, -k:]).argmax(1), "these are the ones *farthest* away. The smallest "
         "distances come first in `argsort`."),
        (order[:, 0], "these are row numbers. Look their labels up: `label[...]`."),
        (label[order[:, :k]].mean(1).round(), "labels are names, and have no mean. Count them, and "
         "take the most frequent."),
        (votes(order[:, : 14 - k]).argmax(1), "where is `k`? Another number of neighbours voted."),
        (votes(order[:, :k]).argmin(1), "take the *most* frequent label of the neighbours."),
        (lda.predict(test), "that is what LDA itself predicts. Take its `.transform`, and let the "
         "neighbours vote."),
    ]  # fmt: skip
    otherwise = (
        "reduce both sides by an LDA that is fitted on `train`; for each row of `test` take the "
        "`k` nearest of `train`, and their most frequent label."
    )
    compare(found, votes(order[:, :k]).argmax(1), mistakes, otherwise)


_MFCC, _UNITS = (16, 24), (5,)


@exercise("8.3")
def _own_fusion(answer: object) -> None:
    refuse(
        not (isinstance(answer, type) and issubclass(answer, nn.Module)),
        "a class that inherits from `nn.Module` is asked for; name it, do not call it here.",
    )
    wrong = getattr(answer, "decision", None) != "joint" or not getattr(answer, "needs_image", 0)
    hint = 'leave `decision, needs_image = "joint", True` in the class: `fit` asks for them.'
    refuse(wrong, hint)
    network = _made(lambda: answer(_MFCC, _UNITS), "making it")
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))
    mfcc, image, other = (
        torch.randn(6, *shape, generator=generator) for shape in (_MFCC, _UNITS, _UNITS)
    )
    network.eval()
    logits = _logits(network, mfcc, image)
    hint = "its result does not depend on the {}. Use both `heard` and `seen`."
    refuse(torch.equal(_logits(network, mfcc, other), logits), hint.format("face"))
    refuse(torch.equal(_logits(network, mfcc.flip(2), image), logits), hint.format("sound"))
    shares = bool((logits >= 0).all()) and torch.allclose(logits.sum(1), torch.ones(6), atol=1e-4)
    hint = (
        "each row is positive and sums to 1: that is after a softmax. `fit` wants logits, and does "
        "that itself."
    )
    refuse(shares, hint)
    alone = _logits(network, mfcc[:1], image[:1])
    refuse(
        not torch.allclose(alone, logits[:1], atol=1e-3),
        "a clip's logits change with the others in its batch. Compute each row for itself: over "
        "which dimension did you go?",
    )
    if sum(weight.numel() for weight in network.parameters()) > 1_000_000:
        raise AnswerError("it has over a million weights. Make it smaller: the lesson has minutes.")
    _logits(network, mfcc, image, torch.ones(6, 2))  # as `fit` calls it
    network.train()
    _made(lambda: _logits(network, mfcc, image).sum().backward(), "its backward pass")
    idle = [name for name, weight in network.named_parameters() if weight.grad is None]
    refuse(idle, f"{', '.join(idle[:2])}: no result depends on these weights; they learn nothing.")


def _made(do: Callable[[], object], of: str) -> object:
    """What comes of a learner's code; its errors become hints."""
    try:
        return do()
    except AnswerError:
        raise
    except (Exception, SystemExit) as error:
        raise AnswerError(f"{of} stopped with") from error


def _logits(network: nn.Module, *given: torch.Tensor) -> torch.Tensor:
    found = _made(lambda: network(*given), "its `forward`")
    refuse(
        found is None,
        "`joined` returns nothing yet. Write it, then run both cells again.",
    )
    refuse(
        type(found) is not dict or not isinstance(found.get("joint"), torch.Tensor),
        'a dict is asked for: `{"joint": logits}`.',
    )
    rows, logits = len(given[0]), found["joint"]
    refuse(
        logits.shape != (rows, 8),
        f"the logits of {rows} rows should have the shape ({rows}, 8), a column for each emotion; "
        f"yours is {tuple(logits.shape)}.",
    )
    refuse(not logits.isfinite().all(), "it holds NaN or infinity. Was something divided by 0?")
    return logits
