"""The exercises of 04-the-fusion-network.ipynb."""

import re

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from avlib.course.checks.judging import (
    AnswerError,
    array,
    call,
    compare,
    exercise,
    number,
    refuse,
    told,
)
from avlib.learning import networks


@exercise("4.1")
def _joint_input(answer: object) -> None:
    found = number(answer, "joint_input")
    mistakes = [
        (2 * 640, "that is with equal dimension. Here the image MLP gives 100."),
        (640 * 100, "vectors are put end to end, not multiplied."),
        (1024 + 640, "1024 go *into* the image MLP. What comes out of it here?"),
        (640, "and the picture's numbers?"),
        (100, "and the sound's numbers?"),
    ]
    compare(found, 640 + 100, mistakes, "both vectors, put end to end.")


_ROWS = 6
# How many numbers a row came to a part that takes so many → what that tells.
_UNFIT = {
    (640, 1280): "the joint classifier takes 1280 numbers and got 640. Put the two vectors end to "
    "end, with `torch.cat`; a sum or a mean of them keeps 640.",
    (16, 1280): "the joint classifier takes the two *vectors*, not the logits of the heads.",
    (1664, 1280): "the image vector has 1024 numbers still: it goes through `parts.image_mlp`.",
    (1024, 640): "the image vector has 1024 numbers still: it goes through `parts.image_mlp`.",
    (1280, 640): "an auxiliary head takes the 640 numbers of its own branch, and got both.",
}


@exercise("4.2")
def _fuse(answer: object) -> None:
    parts = nn.Module()
    for name, part in networks.BalancedFusionNetwork().named_children():
        setattr(parts, name, part)
    mfcc, image = torch.randn(_ROWS, 40), torch.randn(_ROWS, *(3, 64, 128))
    found = _fused(answer, parts, mfcc, image)
    names = ("joint", "audio", "image")
    hint = 'a dict is asked for: `{"joint": …, "audio": …, "image": …}`, logits in each.'
    refuse(not isinstance(found, dict) or set(found) != set(names), hint)
    logits = {name: array(found[name], f'"{name}"') for name in names}
    for name, each in logits.items():
        hint = (
            f'"{name}": for {_ROWS} rows the shape should be ({_ROWS}, 8); yours is {each.shape}.'
        )
        refuse(each.shape != (_ROWS, 8), hint)
    with torch.no_grad():
        heard, seen = parts.audio_cnn(mfcc), parts.image_mlp(parts.image_cnn(image))
        _compare_heads(logits, parts, heard, seen)
        _compare_joint(logits, parts.joint, heard, seen)
    linked = all(isinstance(each, Tensor) and each.requires_grad for each in found.values())
    hint = "the numbers are right, but no gradient can go back from them: leave `no_grad` and "
    refuse(not linked, f"{hint}`detach` out.")


def _fused(answer: object, *given: object) -> object:
    """What the learner's function returns; where shapes do not fit, what that tells."""
    try:
        return call(answer, *given)
    except AnswerError as wrong:
        said = told(wrong.__cause__) if wrong.__cause__ else ""
        unfit = re.search(r"\((\d+)x(\d+) and (\d+)x\d+\)", said)
        rows, came, takes = map(int, unfit.groups()) if unfit else (_ROWS, 0, 0)
        if rows == 2 * _ROWS:
            raise AnswerError(
                "the batch became twice as long: `torch.cat(..., dim=0)` puts rows under rows. "
                "`dim=1` makes each row longer."
            ) from None
        if (came, takes) in _UNFIT:
            raise AnswerError(_UNFIT[came, takes]) from None
        raise


def _compare_heads(
    found: dict[str, np.ndarray], parts: nn.Module, heard: Tensor, seen: Tensor
) -> None:
    heads = {
        "audio": (parts.audio_auxiliary, heard, seen),
        "image": (parts.image_auxiliary, seen, heard),
    }
    for name, (head, own, other) in heads.items():
        right = head(networks.equal_size(own))
        mistakes = [
            (head(own), f'"{name}": the vector is not brought to one size. Where is `equal_size`?'),
            (head(networks.equal_size(other)), f'"{name}": this head got the *other* branch\'s '
             "vector."),
            (head(other), f'"{name}": this head got the *other* branch\'s vector.'),
            (right.softmax(dim=1), f'"{name}": return logits. The loss does the softmax itself.'),
        ]  # fmt: skip
        otherwise = (
            f'"{name}": give `parts.{name}_auxiliary` its own branch\'s vector, in one size.'
        )
        compare(found[name], right, mistakes, otherwise, within=1e-4)


def _compare_joint(
    found: dict[str, np.ndarray], joint: nn.Module, heard: Tensor, seen: Tensor
) -> None:
    def joined(*vectors: Tensor) -> Tensor:
        return joint(torch.cat(vectors, dim=1))

    sound, face = networks.equal_size(heard), networks.equal_size(seen)
    both = torch.from_numpy(found["audio"] + found["image"])
    late = '"joint": those are the heads\' logits, put together. Give the two *vectors* to '
    mistakes = [
        (joined(heard, seen), '"joint": the vectors are not brought to one size. Where is '
         "`equal_size`?"),
        (joint(networks.equal_size(torch.cat([heard, seen], dim=1))), '"joint": bring each vector '
         "to one size by itself, *before* they are joined."),
        (joined(face, sound), '"joint": the sound comes first, then the picture.'),
        (joined(sound, sound), '"joint": that is the sound twice. And the picture?'),
        (joined(face, face), '"joint": that is the picture twice. And the sound?'),
        (both, f"{late}`parts.joint`."), (both / 2, f"{late}`parts.joint`."),
        (joined(sound, face).softmax(dim=1), '"joint": return logits. The loss does the softmax '
         "itself."),
    ]  # fmt: skip
    otherwise = '"joint": give `parts.joint` both vectors, each in one size, end to end.'
    compare(found["joint"], joined(sound, face), mistakes, otherwise, within=1e-4)


@exercise("4.3")
def _total_loss(answer: object) -> None:
    rng = np.random.default_rng()
    logits = {
        name: torch.tensor(rng.normal(0, 2, (12, 8)), requires_grad=True)
        for name in ("joint", "audio", "image")
    }
    label = torch.from_numpy(rng.integers(0, 8, 12))
    weights = rng.uniform(0.2, 0.6), rng.uniform(1.5, 3)
    total = call(answer, logits, label, *weights)
    found = number(total, "the total")

    def summed(each: dict[str, float], heard: float, seen: float, joint: float = 1) -> float:
        return joint * each["joint"] + heard * each["audio"] + seen * each["image"]

    with torch.no_grad():
        each = {name: float(functional.cross_entropy(x, label)) for name, x in logits.items()}
        twice = {
            name: float(functional.cross_entropy(x.softmax(dim=1), label))
            for name, x in logits.items()
        }
    right = summed(each, *weights)
    mistakes = [
        (right / 3, "that is the mean of the three. The total is their sum."),
        (right / (1 + sum(weights)), "that is a weighted mean. The total is the sum."),
        (summed(each, *weights[::-1]), "the weights are on the wrong losses: the first is the "
         "*audio* loss's."),
        (summed(each, *weights, 0), "the joint loss is missing; its weight is always 1."),
        (summed(each, 1, 1), "the weights are not used."),
        (summed(each, 1, 1) / 3, "the weights are not used, and the total is a sum, not a mean."),
        (each["joint"], "that is the joint loss alone. Where are the auxiliary losses?"),
        (summed(twice, *weights), "a softmax too many: `cross_entropy` takes logits, and does the "
         "softmax itself."),
        (12 * right, "that is summed over the rows. `cross_entropy` averages over them by itself."),
        (-right, "the sign: a loss falls as the network learns, and is above 0."),
    ]  # fmt: skip
    otherwise = "it should be the joint loss and each auxiliary loss times its weight."
    compare(found, right, mistakes, otherwise, within=1e-5)
    linked = isinstance(total, Tensor) and total.requires_grad
    hint = "the number is right, but no gradient can go back from it: return the tensor itself, "
    refuse(not linked, f"{hint}without `item`, `float` or `detach`.")


@exercise("4.4")
def _late_fusion(answer: object) -> None:
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))
    logits = {
        name: size * torch.randn(9, 8, generator=generator) + size
        for name, size in (("joint", 1.0), ("audio", 1.0), ("image", 7.0))
    }
    found = array(call(answer, logits), "the result")
    if found.shape != (9, 8):
        raise AnswerError(f"the shape should be (rows, 8); for 9 rows yours is {found.shape}.")
    joint, heard, seen = (logits[name].double() for name in ("joint", "audio", "image"))
    each = heard.log_softmax(dim=1), seen.log_softmax(dim=1)
    right = (each[0] + each[1]) / 2
    if np.allclose(found, right.log_softmax(dim=1), atol=1e-4):  # so that they add up to 1 again
        return
    mistakes = [
        ((heard + seen) / 2, "those are averaged logits. They decide the same, but are no "
         "logarithms of probabilities: `log_softmax` of each head first."),
        ((heard.log_softmax(dim=0) + seen.log_softmax(dim=0)) / 2, "the wrong dimension: the "
         "probabilities of one *row* add up to 1, `dim=1`."),
        (2 * right, "that is the sum. The average is half of it."),
        ((heard.softmax(dim=1) + seen.softmax(dim=1)) / 2, "those are probabilities. Average "
         "*log*-probabilities: `log_softmax`."),
        ((joint.log_softmax(dim=1) + 2 * right) / 3, "the joint classifier has no say in late "
         "fusion."),
        (each[0], "that is the audio head alone. And the image head?"),
        (each[1], "that is the image head alone. And the audio head?"),
    ]  # fmt: skip
    otherwise = "average the log-probabilities of the heads `audio` and `image`."
    compare(found, right, mistakes, otherwise, within=1e-4)
