"""The exercises of 09-better-with-unseen-speakers.ipynb."""

import numpy as np
from scipy.special import log_softmax, softmax

from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, refuse


@exercise("9.1")
def _sounding(answer: object) -> None:
    rng = np.random.default_rng()
    loudest = -rng.uniform(5, 15)
    loud = loudest - 35 * rng.random(int(rng.integers(40, 60)))
    loud[[0, 7, -1]] = loudest - np.array([37, 0, 37])
    pause = loudest - rng.uniform(45, 60, int(rng.integers(8, 12)))
    speech = np.concatenate([loud[:20], pause, loud[20:]])
    before, after = (loudest - rng.uniform(45, 80, int(n)) for n in rng.integers(12, 30, 2))
    before[[0, -1]] = loudest - np.array([95, 48])
    level = np.concatenate([before, speech, after])
    within = np.flatnonzero(level > loudest - 40)
    first, last = within[[0, -1]]
    found = array(call(answer, level), "the result")
    if found.ndim == 1 and len(found) == len(within) and np.array_equal(found, within):
        raise AnswerError("those are *all* frames that are loud enough. The first and the last.")
    if found.shape != (2,):
        raise AnswerError(
            f"two numbers are asked for, the first and the last frame; yours has the shape "
            f"{found.shape}."
        )
    fixed = np.flatnonzero(level > -40)
    low = np.flatnonzero(level > level.min() + 40)
    soft = np.flatnonzero(level <= loudest - 40)
    mistakes = [
        ((first, last + 1), "the last one is one too far: the number of the frame itself, not of "
         "the one behind it."),
        ((first, first + 19), "you stop at the first pause. A pause inside speech stays; only "
         "both ends are trimmed."),
        ((last, first), "first comes the first frame, then the last."),
        (fixed[[0, -1]], "that is 40 dB under full scale. Under the "
         "*loudest frame*: `level.max() - 40`."),
        (low[[0, -1]], "that is 40 dB over the *quietest* frame. Under the "
         "loudest: `level.max() - 40`."),
        (soft[[0, -1]], "those frames are silence: turn the comparison round, `>`."),
        ((first / 100, last / 100), "those are seconds. The numbers of the frames, please."),
        (level[[first, last]], "those are levels. The *numbers* of these frames: "
         "`np.flatnonzero`."),
        (np.round([level[first], level[last]]), "those are levels, not numbers of frames."),
    ]  # fmt: skip
    otherwise = "which frames lie less than 40 dB under `level.max()`? Of these the first and last."
    compare(found, (first, last), mistakes, otherwise, within=1e-9)
    quiet = level - 25.0  # the same speech, further from the microphone
    again = array(call(answer, quiet), "the result")
    hint = "the same recording, 25 dB softer, has other frames: count from the loudest frame."
    refuse(not np.array_equal(again, found), hint)


@exercise("9.2")
def _late(answer: object) -> None:
    rng = np.random.default_rng()
    voice, face = (log_softmax(rng.normal(0, 3, (9, 8)), axis=1) for _ in range(2))
    one, two = rng.uniform(0.2, 0.5), rng.uniform(0.7, 1.2)
    found = array(call(answer, voice, face, one, two), "the result")
    if found.shape != voice.shape:
        raise AnswerError(f"the shape should stay {voice.shape}; yours is {found.shape}.")
    total = one * voice + two * face
    mixed = one * np.exp(voice) + two * np.exp(face)
    mistakes = [
        (total, "that is the weighted sum, but its probabilities do not sum to one: "
         "`log_softmax(…, axis=1)`."),
        (log_softmax(total, axis=0), "wrong axis: the eight emotions of *each clip* sum to one, "
         "`axis=1`."),
        (log_softmax(total), "`log_softmax` without an axis takes all clips together: `axis=1`."),
        (softmax(total, axis=1), "those are probabilities. Their *logarithms* are asked for."),
        (log_softmax(voice + face, axis=1), "where are the weights?"),
        (log_softmax((voice + face) / 2, axis=1), "where are the weights?"),
        (log_softmax(two * voice + one * face, axis=1), "the weights are swapped."),
        (log_softmax(total / (one + two), axis=1), "the weights need not sum to one. Divided by "
         "their sum, the result is surer or less sure than it was fitted to be."),
        (np.log(mixed / mixed.sum(axis=1, keepdims=True)), "you averaged the probabilities. Late "
         "fusion, here, sums their *logarithms*."),
        (np.log(mixed), "you summed probabilities. Sum their *logarithms*, which you are given."),
        (log_softmax(one * np.exp(voice) + two * np.exp(face), axis=1), "what you are given are "
         "logarithms already; no `exp`."),
    ]  # fmt: skip
    otherwise = "multiply each opinion by its weight, add them up, and scale: `log_softmax`."
    compare(found, log_softmax(total, axis=1), mistakes, otherwise)


@exercise("9.3")
def _expected_mean(answer: object) -> None:
    rng = np.random.default_rng()
    clips = rng.normal(3, 1, (int(rng.integers(3, 8)), 6))
    m, d = rng.normal(0, 2, 6), rng.uniform(0.5, 6, 6)
    k, own = len(clips), clips.mean(axis=0)
    found = array(call(answer, clips, m, d), "the result")
    if found.shape != (6,):
        raise AnswerError(
            f"one expected mean for each of the {len(m)} features; yours has the shape "
            f"{found.shape}. The mean over the clips is `clips.mean(axis=0)`."
        )
    mistakes = [
        (own, "that believes the clips alone. A few clips are little evidence: draw their mean "
         "toward `m`."),
        (m, "that believes the other speakers alone. What do the person's own clips say?"),
        ((own + m) / 2, "halfway, however many clips there are. The more clips, the more they "
         "count: k against d."),
        ((d * own + k * m) / (k + d), "the weights are swapped: more clips must pull toward "
         "*their* mean."),
        ((own + d * m) / (1 + d), "k clips count as one here. Their mean weighs k."),
        ((k * own + d * m) / k, "divide by k + d."),
        (k * own + d * m, "that is the sum. Divide it by k + d."),
        ((k * own + m) / (k + 1), "where is d? It says, for each feature, how many clips the "
         "other speakers' mean is worth."),
        ((k * own + d.mean() * m) / (k + d.mean()), "each feature has a d of its own; no mean "
         "over d."),
        ((6 * own + d * m) / (6 + d), "k is the number of *clips*, `len(clips)`, not of features."),
        ((k * clips.sum(axis=0) + d * m) / (k + d), "k × mean is the sum already: multiply by k "
         "or sum, not both."),
    ]  # fmt: skip
    compare(found, (k * own + d * m) / (k + d), mistakes, "(k · c + d · m) / (k + d), feature by "
            "feature, where c is the mean of the k clips.")  # fmt: skip
    try:
        nobody = array(call(answer, clips[:0], m, d), "the result")
    except AnswerError as error:
        raise AnswerError(
            "of a stranger no clip is known, and the mean of nothing is NaN. Then `m` is the "
            "answer: `clips.sum(axis=0)` is k · c, and 0 for no clip."
        ) from error.__cause__
    refuse(not np.allclose(nobody, m), "of a stranger, with no clip at all, expect `m`.")
