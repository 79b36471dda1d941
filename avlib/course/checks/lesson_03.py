"""The exercises of 03-unimodal-cnns.ipynb."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number, refuse


@exercise("3.1")
def _weights(answer: object) -> None:
    found = number(answer, "weights")
    mistakes = [
        (64 * 32 * 5, "nearly: each kernel has a bias of its own, too."),
        (64 * (5 + 1), "a kernel reaches through all 32 channels."),
        (64 * 5, "a kernel reaches through all 32 channels, and has a bias."),
        (64 * 32 * (5 + 1), "one bias a kernel, not one for each of its channels."),
        (32 * (64 * 5 + 1), "64 kernels, each through 32 channels; you have it crosswise."),
    ]
    otherwise = "how many numbers has one kernel? How many kernels are there?"
    compare(found, 64 * (32 * 5 + 1), mistakes, otherwise)


@exercise("3.2")
def _recall(answer: object) -> None:
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))
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


@exercise("3.3")
def _network_with_dropout(answer: object) -> None:
    network = call(answer)
    refuse(not isinstance(network, nn.Module), "return a network: `nn.Sequential(...)`.")
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
    logits = array(logits, "what the network returns")
    refuse(logits.shape != (5, 8), f"eight logits a row are needed; yours gives {logits.shape}.")
    refuse(not dropped, "no row passes through the `nn.Dropout` in it.")
    places = {
        8: "it drops logits, after the classifier. Put it *between* CNN and classifier.",
        40: "it drops MFCCs, before the CNN. Put it *between* CNN and classifier.",
    }
    where = next(iter(dropped))
    refuse(640 not in dropped, places.get(where, "put it between the CNN and the classifier."))
    refuse(dropped[640] != 0.5, f"it drops a share of {dropped[640]:g}; half is asked for.")
