"""The exercises of 07-which-modality-decides.ipynb."""

import numpy as np
import torch

from avlib.course.checks.judging import AnswerError, call, compare, exercise, number, refuse


@exercise("7.1")
def _share_lost(answer: object) -> None:
    rng = np.random.default_rng()
    both = rng.uniform(0.5, 0.8)
    without = both * rng.uniform(0.3, 0.7)
    found = number(call(answer, both, without), "the result")
    mistakes = [
        (both - without, "that is how many are lost. Of what share of A(f)? Divide by `both`."),
        ((both - without) / without, "divide by the accuracy with *both*, not by the one without."),
        ((without - both) / both, "the sign is turned: what is lost is `both - without`."),
        (without / both, "that is the share that *stays*. The share that is lost, please."),
        (100 * (both - without) / both, "that is in per cent. A share, 0 to 1, please."),
        (1 - without, "where is `both`?"),
        (both / (both + without), "take the difference first: `both - without`."),
    ]
    right = (both - without) / both
    compare(found, right, mistakes, "it is (A(f) − A(f without m)) / A(f).")
    worse = number(call(answer, without, both), "the result")
    refuse(
        worse in (0.0, (both - without) / without),
        "where taking a modality away *helps*, the rate is negative. Leave the sign as it is.",
    )
    compare(worse, (without - both) / without, [], "it is wrong where taking away helps.")


@exercise("7.2")
def _slow_down(answer: object) -> None:
    rng = np.random.default_rng()
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    rows = int(rng.integers(8, 14))
    label = torch.randint(0, 8, (rows,), generator=generator)
    weak = 0.3 * torch.randn(rows, 8, generator=generator)
    strong = 0.5 * torch.randn(rows, 8, generator=generator)
    strong[torch.arange(rows), label] += 1.2 + torch.rand(rows, generator=generator)
    alpha = float(rng.uniform(0.1, 0.4))

    def score(logits: torch.Tensor) -> float:
        return float(logits.softmax(dim=1)[torch.arange(rows), label].sum())

    def at_label(values: torch.Tensor) -> float:
        return float(values[torch.arange(rows), label].sum())

    ratio = score(strong) / score(weak)
    found = number(call(answer, strong, weak, label, alpha), "the result")
    columns = at_label(strong.softmax(dim=0)) / at_label(weak.softmax(dim=0))
    surest = float(strong.softmax(1).amax(1).sum() / weak.softmax(1).amax(1).sum())
    mistakes = [
        (np.tanh(alpha * ratio), "that is tanh(α ρ). The coefficient is 1 *minus* that."),
        (1 - np.tanh(ratio), "where is α?"),
        (1 - np.tanh(alpha / ratio), "the ratio is upside down: *own* over other."),
        (1 - np.tanh(alpha * (ratio - 1)), "tanh(α ρ), with ρ as it is, not ρ − 1."),
        (1 - alpha * ratio, "where is tanh?"),
        (1 - np.tanh(alpha * at_label(strong) / at_label(weak)), "those are logits. Make "
         "probabilities first: `softmax(dim=1)`."),
        (1 - np.tanh(alpha * columns), "softmax over the wrong dimension: the eight emotions of "
         "each row sum to 1, `dim=1`."),
        (1 - np.tanh(alpha * surest), "those are the *largest* probabilities. Take those of the "
         "true label, whatever was predicted."),
        (1 - np.tanh(alpha), "all eight probabilities of a row sum to 1, so that ρ is always 1. "
         "Take the one at the true label."),
        (ratio, "that is ρ. The coefficient is 1 − tanh(α ρ)."),
        (1, "this branch is the stronger one here, and should be slowed down."),
    ]  # fmt: skip
    right = 1 - np.tanh(alpha * ratio)
    compare(found, right, mistakes, "ρ is the ratio of two sums, own over other, of the "
            "probabilities at the true label; the result is 1 − tanh(α ρ).", 1e-5)  # fmt: skip
    weaker = number(call(answer, weak, strong, label, alpha), "the result")
    refuse(
        abs(weaker - (1 - np.tanh(alpha / ratio))) < 1e-5,
        "where ρ is 1 or less, the branch is the weaker one, and keeps its gradient: 1.",
    )
    compare(weaker, 1, [], "for the weaker branch, ρ ≤ 1, the coefficient is 1.", 1e-5)


_HEADS = ("joint", "audio", "image")


@exercise("7.3")
def _blend(answer: object) -> None:
    rng = np.random.default_rng()
    start = rng.uniform(1.9, 2.3, 3)
    gain = np.array([*rng.uniform(0.3, 0.8, 2), -rng.uniform(0.1, 0.3)])
    grown = rng.uniform(0.3, 0.9, 3)
    slack = rng.uniform(0.05, 0.2, 3)  # how far train and validation lay apart before
    names = rng.permutation(_HEADS).tolist()
    validation = start - gain
    train = validation - slack - grown
    before = {
        name: (float(v - apart), float(v))
        for name, v, apart in zip(names, start, slack, strict=True)
    }
    after = {
        name: (float(t), float(v)) for name, t, v in zip(names, train, validation, strict=True)
    }
    found = call(answer, before, after)
    hint = (
        f"a dict is asked for, a weight for each head; yours is of the kind {type(found).__name__}."
    )
    refuse(type(found) is not dict, hint)
    lacking = [name for name in names if name not in found]
    refuse(
        lacking, f"the keys should be the names of the heads; {', '.join(lacking)} is not there."
    )
    weights = np.array([number(found[name], f"the weight of {name}") for name in names])

    def shared(raw: np.ndarray) -> np.ndarray:
        return raw / raw.sum()

    kept, fell = np.maximum(gain, 0), start - slack - train
    mistakes = [
        (shared(np.abs(gain) / grown**2), "the head that got *worse* is rewarded: you took the "
         "absolute value of G. It gets 0: `max(G, 0)`."),
        (shared(gain / grown**2), "a head got worse, and has a negative weight. It gets 0: "
         "`max(G, 0)`."),
        (kept / grown**2, "they do not sum to 1 yet: divide each by their sum."),
        (np.maximum(shared(gain / grown**2), 0), "set what is below 0 to 0 *before* you divide by "
         "the sum."),
        (shared(kept / grown), "ΔO is squared."),
        (shared(kept / (grown + slack) ** 2), "that is O after the training. ΔO is how far it "
         "*grew*: after minus before."),
        (shared(kept * grown**2), "divide by ΔO²: who overfits more weighs *less*."),
        (shared(kept), "that is G alone. Divide by ΔO²."),
        (shared(fell / grown**2), "G is how far the *validation* loss fell, not the training "
         "loss."),
        (3 * shared(kept / grown**2), "they should sum to 1."),
    ]  # fmt: skip
    compare(weights, shared(kept / grown**2), mistakes, "G / ΔO² for each head, 0 where G is below "
            "0, then each divided by their sum.")  # fmt: skip
    if set(found) != set(names):
        raise AnswerError("there are more keys in it than heads.")
