"""The exercises of 03-unimodal-cnns.ipynb."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number, refuse
from avlib.learning.loaders import Batch

_NOT_YET = "returns nothing yet. Write it, then run both cells again."
_SHAPES = {  # what comes out where something is missing, and what that is
    (512,): "one layer has no `padding=2`, or none has: without it a convolution of 5 makes what "
    "it gets shorter by 4.",
    (576,): "one layer has no `padding=2`: its convolution makes what it gets shorter by 4.",
    (2560,): "the max pool is missing: 40 places are left of 40, and 10 are asked for.",
    (1280,): "a pool of 2 halves the 40 places. `nn.MaxPool1d(4)` leaves 10.",
    (128,): "there are two max pools of 4; the paper's audio CNN has one, after the second ReLU.",
    (64, 10): "it is still a table for each clip. `nn.Flatten()` makes one vector of it.",
    (64, 40): "there is neither max pool nor flatten yet.",
}


_Gradient = list[torch.Tensor | None]
_STILL = {  # where no weight has moved, by the gradient that is left
    "old": "no weight has moved and no gradient was found: `loss.backward()`, then "
    "`optimiser.step()`.",
    "both": "the gradient is there, but no step is taken: `optimiser.step()`. And forget the last "
    "batch's gradient first.",
    "this": "no weight has moved. Either `optimiser.step()` is missing, or it stands before "
    "`loss.backward()`, when there is no gradient yet.",
    "gone": "no weight has moved: there was no gradient when `optimiser.step()` came. Order: "
    "`zero_grad`, `backward`, `step`. (`zero_grad` after `backward` throws away what was found.)",
}
_MOVED = {  # by the gradient that the weights moved along
    "old": "it stepped along the gradient of the batch *before*: `optimiser.step()` stands before "
    "`loss.backward()`, or `loss.backward()` is missing, and nothing was forgotten.",
    "both": "the last batch's gradient is still in it: `optimiser.zero_grad()` before "
    "`loss.backward()`.",
    "softmax": "a softmax stands before the loss. `cross_entropy` takes logits and does that "
    "itself.",
    "sum": "the step is as many times too large as the batch has rows: take the mean of their "
    "losses, as `cross_entropy` does by itself.",
    "twice": "two steps were taken, or one of twice the size. One batch, one step.",
    "uphill": "it walks uphill: the loss has the wrong sign.",
    "otherwise": "the weights moved, but not along this batch's gradient. Is the loss "
    "`nn.functional.cross_entropy(logits, batch.label)`?",
}


def _made(do: Callable[[], object], of: str) -> object:
    """What comes of a learner's code; its errors become hints."""
    try:
        return do()
    except (Exception, SystemExit) as error:
        raise AnswerError(f"{of} stopped with") from error


def _seed() -> torch.Generator:
    return torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))


@exercise("3.1")
def _audio_cnn(answer: object) -> None:
    refuse(
        not (isinstance(answer, type) and issubclass(answer, nn.Module)),
        "a class that inherits from `nn.Module` is asked for; name it, do not call it here.",
    )
    network = _made(answer, "making it (is `super().__init__()` its first line?)")
    mfcc = torch.randn(5, 40, generator=_seed())
    fault, found = None, None
    try:
        found = network(mfcc)
    except (Exception, SystemExit) as error:
        fault = error
    refuse(fault is None and found is None, f"its `forward` {_NOT_YET}")
    _convolutions(network)
    if fault is not None:
        hint = "its `forward` stopped with"
        if _runs(network, mfcc.unsqueeze(1)):
            hint = "the layers want (batch, 1, 40): `forward` lacks `mfcc.unsqueeze(1)`. It said"
        raise AnswerError(hint) from fault
    refuse(not isinstance(found, torch.Tensor), "`forward` should return a tensor.")
    refuse(not found.isfinite().all(), "NaN or infinity comes out of it.")
    shape = tuple(found.shape)
    otherwise = f"(5, 40) should become (5, 640); yours becomes {shape}."
    refuse(shape == (5 * 640,), "flatten each clip by itself: `nn.Flatten()` leaves dimension 0.")
    refuse(shape != (5, 640), _SHAPES.get(shape[1:], otherwise))
    _layers_between(network.eval(), mfcc)
    network.train()
    found = network(mfcc)
    refuse(not found.requires_grad, "no gradient comes back through it: leave out `no_grad`, "
           "`.detach()` and NumPy.")  # fmt: skip
    _made(lambda: found.sum().backward(), "its backward pass")
    idle = [name for name, weight in network.named_parameters() if weight.grad is None]
    refuse(idle, f"{', '.join(idle[:2])}: no result depends on these weights; they learn nothing.")


def _runs(network: nn.Module, given: torch.Tensor) -> bool:
    try:
        return isinstance(network(given), torch.Tensor)
    except (Exception, SystemExit):
        return False


def _convolutions(network: nn.Module) -> None:
    """Refuse a network whose weights are not those of the two convolutions."""
    shapes = [tuple(weight.shape) for _, weight in network.named_parameters()]
    refuse(
        not shapes,
        "PyTorch sees no weights in it. Put the layers into `nn.Sequential(...)`, which becomes "
        "`self.layers`, and not into a plain list.",
    )
    kernels = [shape for shape in shapes if len(shape) == 3]
    refuse(len(kernels) != 2, f"two convolutions are asked for; yours has {len(kernels)}.")
    sizes = sorted({shape[2] for shape in kernels})
    refuse(sizes != [5], f"kernels of 5 are asked for; yours are {' and '.join(map(str, sizes))}.")
    first, second = kernels
    refuse(
        (first[:2], second[:2]) != ((32, 1), (64, 32)),
        f"the channels should go 1 → 32 → 64; yours go {first[1]} → {first[0]}, and then "
        f"{second[1]} → {second[0]}.",
    )
    others = sorted(shape for shape in shapes if len(shape) != 3)
    refuse(others != [(32,), (64,)], "besides the two convolutions, each with its bias, nothing in "
           "it should have weights: ReLU, pool and flatten have none.")  # fmt: skip


@torch.no_grad()
def _layers_between(network: nn.Module, mfcc: torch.Tensor) -> None:
    """Find out by what the network does which layers without weights it has."""
    found = network(mfcc)
    refuse(
        (found < 0).any(), "negative numbers come out: the ReLU after the second layer is missing."
    )
    # Without a ReLU between them, two convolutions are one: then the whole is convex.
    one, other = (4 * torch.randn(40, 40, generator=_seed()) for _ in range(2))
    above = network((one + other) / 2) - (network(one) + network(other)) / 2
    refuse(
        (above < 1e-3).all(),
        "there is no ReLU between the two convolutions: without it they are no more than one.",
    )
    far = mfcc.clone()
    far[:, 39] += 5
    reached = (network(far) - found).abs().view(5, 64, 10).amax(dim=(0, 1)) > 1e-5
    refuse(
        reached[:8].any(),
        "the pool stands before the second convolution. Order: convolution, ReLU, convolution, "
        "ReLU, pool, flatten.",
    )
    # Where all places give the same, the largest of four bends, and their mean does not.
    level, little = mfcc[:, :1].expand(5, 40), 0.01 * torch.randn(5, 40, generator=_seed())
    middle = network(level)
    bend = network(level + little) + network(level - little) - 2 * middle
    inner = torch.zeros(64, 10, dtype=bool)
    inner[:, 2:8] = True
    chosen = (middle > 0.05) & inner.flatten()
    refuse(
        chosen.any() and (bend[chosen] > 1e-5).float().mean() < 0.5,
        "that is no *max* pool. `nn.MaxPool1d(4)` keeps the largest of four.",
    )


@exercise("3.2")
def _training_step(answer: object) -> None:
    refuse(not callable(answer), "should be a function; do not call it here, only name it.")
    seed, rate = _seed(), 0.5
    network = nn.Sequential(nn.Linear(6, 8))
    weights = list(network.parameters())
    batch = Batch(
        torch.randn(32, 6, generator=seed), None, torch.randint(0, 8, (32,), generator=seed)
    )

    def gradient(logits: Callable[[torch.Tensor], torch.Tensor], factor: float = 1) -> _Gradient:
        loss = factor * functional.cross_entropy(logits(network(batch.mfcc)), batch.label)
        return list(torch.autograd.grad(loss, weights))

    this = gradient(lambda logits: logits)
    old = [torch.randn(each.shape, generator=seed) for each in weights]  # of the batch before
    known = {"this": this, "old": old, "both": [a + b for a, b in zip(this, old, strict=True)]}
    known |= {"softmax": gradient(lambda logits: logits.softmax(dim=1))}
    for name, factor in (("sum", 32), ("twice", 2), ("uphill", -1), ("none", 0)):
        known[name] = gradient(lambda logits: logits, factor)
    with torch.no_grad():
        logits = network(batch.mfcc)
    for weight, each in zip(weights, old, strict=True):
        weight.grad = each.clone()
    start = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.SGD(weights, lr=rate)
    loss = _made(lambda: answer(network, optimiser, batch), "training_step")
    refuse(
        any(a.shape != b.shape for a, b in zip(start, weights, strict=True)),
        "the weights have another shape now. `optimiser.step()` moves them, and nothing else.",
    )
    moved = [(a - b.detach()) / rate for a, b in zip(start, weights, strict=True)]
    moved_by = _named(moved, known)
    left = _named([weight.grad for weight in weights], known)
    refuse(loss is None and (moved_by, left) == ("none", "old"), f"training_step {_NOT_YET}")
    refuse(moved_by == "none", _STILL.get(left, _STILL["gone"]))
    refuse(moved_by != "this", _MOVED.get(moved_by, _MOVED["otherwise"]))
    refuse(loss is None, "the step is right, but it returns no loss. End it with `return loss`.")
    said = number(loss, "the loss that it returns")
    right = functional.cross_entropy(logits, batch.label).item()
    twice = functional.cross_entropy(logits.softmax(dim=1), batch.label).item()
    mistakes = [
        (right * len(batch.label), "that is the sum of the batch's losses; return their mean."),
        (twice, "the loss returned is that of probabilities. `cross_entropy` takes logits."),
    ]
    otherwise = f"the loss of this batch is {right:.3f}; yours returns {said:.3f}."
    compare(said, right, mistakes, otherwise, within=1e-4)


def _named(gradient: _Gradient, known: dict[str, _Gradient]) -> str | None:
    """Which of the known gradients this is."""
    for name, each in known.items():
        pairs = list(zip(gradient, each, strict=True))
        if all(a is not None and torch.allclose(a, b, atol=1e-4) for a, b in pairs):
            return name
    return None


@exercise("3.3")
def _recall(answer: object) -> None:
    generator = _seed()
    label = torch.randint(0, 8, (160,), generator=generator)
    logits = torch.randn(160, 8, generator=generator) + 2.0 * functional.one_hot(label, 8)
    logits[:, 5] += 1.0
    emotion, decided = 5, logits.argmax(dim=1)
    found = number(call(answer, logits, label, emotion), "the result")
    both = ((decided == emotion) & (label == emotion)).sum().item()
    right = both / (label == emotion).sum().item()
    mistakes = [
        (both / (decided == emotion).sum().item(), "that is the precision: you look at the rows "
         "*predicted* as this emotion. Look at those *labelled* with it."),
        ((decided == label).float().mean().item(), "that is the accuracy over all emotions."),
        (both / len(label), "of the rows *labelled with it*, not of all rows."),
        (both, "that is a number of rows. The recall is a share of them."),
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
    ]  # fmt: skip
    compare(found, right, mistakes, f"a recall of {right:.3f} came out as {found:.3f}.")


@exercise("3.4")
def _network_with_dropout(answer: object) -> None:
    network = call(answer)
    refuse(not isinstance(network, nn.Module), "return the network.")
    drops = [layer for layer in network.modules() if isinstance(layer, nn.Dropout)]
    refuse(not drops, "there is no `nn.Dropout` in it.")
    dropped: dict[int, float] = {}  # how many numbers come in, and the share of them that goes
    hooks = [
        layer.register_forward_hook(lambda _, x, __, p=layer.p: dropped.update({x[0].shape[-1]: p}))
        for layer in drops
    ]
    try:
        logits = network(torch.randn(5, 40))
    except (Exception, SystemExit) as error:
        raise AnswerError("the parts do not fit together:") from error
    finally:
        for hook in hooks:
            hook.remove()
    refuse(
        type(logits) is not dict or "audio" not in logits,
        'return the `AudioNetwork` itself, whose parts you changed: it gives `{"audio": logits}`.',
    )
    logits = array(logits["audio"], "what the network returns")
    refuse(logits.shape != (5, 8), f"eight logits a row are needed; yours gives {logits.shape}.")
    refuse(not dropped, "no row passes through the `nn.Dropout` in it.")
    places = {
        8: "it drops logits, after the classifier. Put it *between* CNN and classifier.",
        40: "it drops MFCCs, before the CNN. Put it *between* CNN and classifier.",
        128: "it drops inside the classifier. Put it *between* CNN and classifier.",
    }
    where = next(iter(dropped))
    refuse(640 not in dropped, places.get(where, "put it between the CNN and the classifier."))
    refuse(dropped[640] != 0.5, f"it drops a share of {dropped[640]:g}; half is asked for.")
