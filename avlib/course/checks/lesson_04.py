"""The exercises of 04-the-fusion-network.ipynb."""

import numpy as np
import torch

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number


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


@exercise("4.2")
def _image_only_total(answer: object) -> None:
    rng = np.random.default_rng()
    each = {name: torch.tensor(rng.uniform(1, 3)) for name in ("joint", "audio", "image")}
    found = number(call(answer, each), "the total")
    joint, heard, seen = (float(each[name]) for name in ("joint", "audio", "image"))
    mistakes = [
        (joint + heard + 2 * seen, "the audio loss is still in it: its weight should be 0."),
        (joint + seen, "the image loss should have weight 2."),
        (2 * seen, "the joint loss is missing; its weight is always 1."),
        (joint + 2 * heard, "that is the *audio* loss with weight 2."),
        (joint + heard + seen, "that is the paper's total. Only the image gets a loss here."),
    ]
    otherwise = "it should be the joint loss and twice the image loss."
    compare(found, joint + 2 * seen, mistakes, otherwise)


@exercise("4.3")
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
    if np.allclose(found, right.log_softmax(dim=1), atol=1e-4):  # made to add up to 1 again
        return
    mistakes = [
        ((heard + seen) / 2, "those are averaged logits: a row of them does not add up to a "
         "probability of 1. Make log-probabilities of each head first: `log_softmax`."),
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
