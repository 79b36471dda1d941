"""Judge the answers to the lessons' exercises, and say what is wrong in plain words.

An answer is judged by what it does: a function is called on fresh inputs, made on the spot, whose
right result is known. Each judge knows the mistakes that are often made, and names them.
Used in every lesson.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from math import isclose
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
from torch import nn
from torch.nn import functional

from avlib import audio
from avlib.ravdess import EMOTIONS, ClipName

ROUNDS = 3  # fresh inputs each time: a wrong answer can be right by luck once
Judge = Callable[..., None]
_judges: dict[str, Judge] = {}


class AnswerError(Exception):
    """What is wrong with an answer, told to the learner.

    Notes
    -----
    Used in every lesson.
    """


def check(number: str, answer: object, *given: object) -> bool:
    """Say whether an answer is right, and if not, what to look at.

    Parameters
    ----------
    number : str
        Of the exercise, as ``"0.2"``.
    answer : object
        The learner's value or function.
    *given : object
        What else the exercise speaks of, a table of clips for instance.

    Returns
    -------
    bool
        Whether it is right, so that a cell can go on with it.

    Notes
    -----
    Used in every lesson.
    """
    hint = judge(number, answer, *given)
    print(f"✓ Exercise {number}: right." if hint is None else f"✗ Exercise {number}: {hint}")
    return hint is None


def judge(number: str, answer: object, *given: object) -> str | None:
    """What is wrong with an answer; None if nothing is.

    Parameters
    ----------
    number, answer, *given
        As `check` takes them.

    Returns
    -------
    str or None

    Raises
    ------
    KeyError
        If there is no exercise of that number.

    Notes
    -----
    Used in every lesson.
    """
    if any(part is ... for part in (answer if isinstance(answer, tuple) else [answer])):
        return "replace the dots by your answer, then run both cells again."
    try:
        for _ in range(ROUNDS):
            _judges[number](answer, *given)
    except AnswerError as wrong:
        return str(wrong)
    return None


def exercises() -> list[str]:
    """The numbers of all exercises, in order.

    Notes
    -----
    Of every lesson.
    """
    return sorted(_judges)


def _exercise(number: str) -> Callable[[Judge], Judge]:
    def enter(judge: Judge) -> Judge:
        _judges[number] = judge
        return judge

    return enter


def _call(function: object, *arguments: object) -> object:
    """What the learner's function returns; the learner's own errors become a hint."""
    if not callable(function):
        raise AnswerError("should be a function; do not call it here, only name it.")
    name = getattr(function, "__name__", "your function")
    try:
        result = function(*arguments)
    except Exception as error:
        raise AnswerError(f"{name} stopped with {type(error).__name__}: {error}") from error
    if result is None:
        raise AnswerError(
            f"{name} returns nothing yet. Write it, then run both cells again. "
            "If you have written it: is there a `return`?"
        )
    return result


def _number(value: object, of: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise AnswerError(f"{of} should be one number, and is of the kind {kind}.") from error


def _mistaken(found: float, mistakes: Iterable[tuple[float, str]], otherwise: str) -> None:
    """Name the mistake that leads to this number."""
    for value, hint in mistakes:
        if isclose(found, value, rel_tol=1e-4, abs_tol=1e-6):
            raise AnswerError(hint)
    raise AnswerError(otherwise)


def _noise(rng: np.random.Generator, samples: int, loudest: float = 0.5) -> np.ndarray:
    """Noise whose loudest sample is negative."""
    sound = rng.uniform(-0.5, 0.4, samples) * loudest
    sound[samples // 3] = -loudest
    return sound.astype(np.float32)


@_exercise("0.1")
def _number_of_clips(answer: object, clips: pd.DataFrame) -> None:
    found = _number(answer, "number_of_clips")
    if found != len(clips):
        mistakes = [
            (clips.shape[1], "that is the number of columns. Count the rows."),
            (clips.size, "that is rows times columns. Count the rows alone."),
            (clips["actor"].nunique(), "that is the number of actors. Count the rows."),
        ]
        _mistaken(found, mistakes, f"{found:g} is not the number of rows. Try `len`.")


@_exercise("0.2")
def _seconds_of(answer: object) -> None:
    rng = np.random.default_rng()
    for rate in (8000, 22_050):
        samples = int(rng.integers(rate, 3 * rate)) | 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sound.wav"
            soundfile.write(path, _noise(rng, samples), rate)
            found = _number(_call(answer, path), "the result")
        if isclose(found, samples / rate, rel_tol=1e-6):
            continue
        mistakes = [
            (samples, "that is the number of samples. How many of them make a second?"),
            (rate, "that is the sampling rate. How many samples are there?"),
            (rate / samples, "upside down: you divide the rate by the number of samples."),
            (samples // rate, "whole seconds only. Use `/`, which keeps the fraction, not `//`."),
            (samples / 48_000, "you divide by 48 000 always. Recordings differ: use their rate."),
        ]
        right = samples / rate
        _mistaken(found, mistakes, f"a sound of {right:.3f} s came out as {found:.3f} s.")


@_exercise("0.3")
def _loudest_values(answer: object) -> None:
    rng = np.random.default_rng()
    rows, sounds = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for actor in (3, 8):
            for code in range(1, 9):
                for take in (1, 2):
                    path = Path(folder) / f"{actor}-{code}-{take}.wav"
                    sounds[actor, code, take] = _noise(rng, 900, rng.uniform(0.1, 0.9))
                    soundfile.write(path, sounds[actor, code, take], 8000, subtype="FLOAT")
                    rows.append({"actor": actor, "emotion": code, "sound": path, "take": take})
        found = _call(answer, pd.DataFrame(rows), 8)
    if not isinstance(found, dict):
        raise AnswerError("return a dictionary: from the emotion's name to its loudest value.")
    if set(found) != set(EMOTIONS):
        if set(found) == set(range(1, 9)):
            raise AnswerError("the keys are codes. Use the emotions' names.")
        raise AnswerError(
            f"the keys should be the eight emotions' names, and are {list(found)[:3]} …."
        )

    def values(actor: int, take: int, measure: Callable[[np.ndarray], float]) -> list[float]:
        return [measure(sounds[actor, code, take]) for code in range(1, 9)]

    given = [_number(found[name], "each value") for name in EMOTIONS]
    if np.allclose(given, values(8, 1, lambda sound: abs(sound).max()), rtol=1e-3):
        return
    if np.allclose(given, values(8, 1, np.max), rtol=1e-3):
        raise AnswerError("sound swings below zero, too. Take `abs` before `max`.")
    if np.allclose(given, values(3, 1, lambda sound: abs(sound).max()), rtol=1e-3):
        raise AnswerError("that is another actor. Choose the rows of the actor asked for.")
    if np.allclose(given, values(8, 1, lambda sound: abs(sound).mean()), rtol=1e-3):
        raise AnswerError("that is the mean. The loudest value is the maximum.")
    raise AnswerError("the values differ. Is it the *first* clip of each emotion, and its maximum?")


@_exercise("1.1")
def _file_name(answer: object) -> None:
    wanted = ClipName(3, 1, 7, 2, 2, 2, 7)
    fields = ("modality", "channel", "emotion", "intensity", "statement", "repetition", "actor")
    if not isinstance(answer, str):
        raise AnswerError("should be a text, in quotation marks.")
    try:
        found = ClipName.parse(answer if "." in answer else f"{answer}.wav")
    except ValueError as error:
        raise AnswerError(
            f"that is no name of RAVDESS. Seven codes of two digits: {error}"
        ) from error
    wrong = [field for field in fields if getattr(found, field) != getattr(wanted, field)]
    if wrong:
        raise AnswerError(f"look again at {', '.join(wrong)}.")


@_exercise("1.2")
def _count_takes(answer: object) -> None:
    rng = np.random.default_rng()
    columns = ["actor", "emotion", "intensity", "statement"]
    takes = pd.DataFrame(
        [(a, e, i, s) for a in (2, 5, 9) for e in range(2, 9) for i in (1, 2) for s in (1, 2)],
        columns=columns,
    )
    # Actor 9 says one statement only, so that each mistake comes to a number of its own.
    takes = takes.query("actor != 9 or statement == 1").sample(
        rng.integers(66, 69), random_state=rng
    )
    clips = pd.concat([takes.assign(repetition=1), takes[:50].assign(repetition=2)])
    clips = clips.sample(frac=1, random_state=rng).reset_index(drop=True)
    clips["clip"] = clips.index.astype(str)
    found = _number(_call(answer, clips), "the result")
    if found == len(takes):
        return
    mistakes = [
        (len(clips), "that is the number of clips. Both repetitions belong to one take."),
        (len(clips) / 2, "not every take has two clips. Count the different combinations."),
        (len(clips) // 2, "not every take has two clips. Count the different combinations."),
    ]
    for column in columns:
        others = [other for other in columns if other != column]
        hint = f"clips that differ in {column} are different takes."
        mistakes.append((clips.groupby(others).ngroups, hint))
    _mistaken(found, mistakes, f"a table with {len(takes)} takes came out as {found:g}.")


@_exercise("1.3")
def _loudness_recogniser_accuracy(answer: object) -> None:
    rng = np.random.default_rng()
    emotion = rng.choice(EMOTIONS[:4], 200)
    loudness = rng.gamma(1.0, 4.0, 200) + 6 * np.array([EMOTIONS.index(name) for name in emotion])
    named = pd.DataFrame({"emotion": emotion, "loudness (dB)": loudness})
    found = _number(_call(answer, named), "the result")

    def share(centres: pd.Series, nearest: Callable[[pd.Series], str]) -> float:
        decided = [nearest(centres - value) for value in loudness]
        return float((emotion == np.array(decided)).mean())

    by_emotion = named.groupby("emotion")["loudness (dB)"]
    medians, means = by_emotion.median(), by_emotion.mean()

    def close(differences: pd.Series) -> str:
        return differences.abs().idxmin()

    right = share(medians, close)
    if isclose(found, right, abs_tol=1e-6):
        return
    mistakes = [
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
        (share(medians, pd.Series.idxmin), "near means a small *absolute* difference: `abs`."),
        (share(medians, lambda d: d.abs().idxmax()), "that is the *farthest* median: `idxmin`."),
        (share(means, close), "those are means. Take the medians."),
        (1 - right, "that is the share it gets *wrong*."),
    ]
    _mistaken(found, mistakes, f"a table with a share of {right:.3f} came out as {found:.3f}.")


@_exercise("2.1")
def _analysis_frames(answer: object) -> None:
    rng = np.random.default_rng()
    for hop in (512, 160):
        samples = int(rng.integers(30, 90)) * hop + int(rng.integers(1, hop))
        found = _number(_call(answer, samples, hop), "the result")
        if found == 1 + samples // hop:
            continue
        mistakes = [
            (samples // hop, "one too few: there is a frame at sample 0, too."),
            (samples / hop, "a number of frames is whole: `//`. And there is one at sample 0."),
            (1 + samples / hop, "a number of frames is whole: use `//`."),
            (1 + samples // 512, "you divide by 512 always. Use the argument `hop`."),
            (
                1 + (samples - 2048) // hop,
                "so many lie wholly inside the sound. Ours are *centred* on 0, 512, ….",
            ),
        ]
        _mistaken(found, mistakes, f"{samples} samples with a hop of {hop} came out as {found:g}.")


@_exercise("2.2")
def _pair_times_across(answer: object) -> None:
    found = np.asarray(_call(answer), dtype=float)
    borders = np.arange(0.5, 3.0, 0.5)
    right = np.stack([borders - 0.1, borders + 0.1], axis=1)
    if found.shape == right.shape and np.allclose(found, right):
        return
    if found.shape == right.T.shape and np.allclose(found, right.T):
        raise AnswerError("the axes are swapped: one *row* a pair, so `axis=1`.")
    if found.ndim != 2 or found.shape[1] != 2:
        raise AnswerError(f"one row a pair, two columns; yours has the shape {found.shape}.")
    if found.shape == right.shape and np.allclose(found[:, ::-1], right):
        raise AnswerError("the earlier frame comes first.")
    if len(found) != 5:
        raise AnswerError(
            f"there are five borders, from 0.5 to 2.5 s, and you have {len(found)} pairs. At 0 and "
            "at 3.0 s there is no window on both sides."
        )
    raise AnswerError("the first pair should be 0.4 and 0.6 s, the next 0.9 and 1.1 s.")


@_exercise("2.3")
def _mean_and_deviation(answer: object) -> None:
    rng = np.random.default_rng()
    rate = 48_000
    sound = _noise(rng, 2 * rate) * np.linspace(0.05, 1, 2 * rate, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound, rate, subtype="FLOAT")
        loaded, _ = audio.load(path)
        found = np.asarray(_call(answer, path))
    table = audio.mfcc(audio.resample(loaded, rate, 22_050), 22_050)
    means, deviations = table.mean(axis=1), table.std(axis=1)

    def equal(other: np.ndarray) -> bool:
        return found.shape == other.shape and np.allclose(found, other, atol=0.05)

    if equal(np.concatenate([means, deviations])):
        return
    if found.shape == (2, 40):
        raise AnswerError(
            "80 numbers in one row; yours are two rows of 40. `np.concatenate` joins them."
        )
    if found.shape == (2 * table.shape[1],):
        raise AnswerError("one number a *frame*: the wrong axis. Time is axis 1.")
    if equal(np.concatenate([deviations, means])):
        raise AnswerError("the means come first, then the deviations.")
    if equal(np.concatenate([means, table.var(axis=1)])):
        raise AnswerError("that is the variance, the square of the standard deviation: `std`.")
    if found.shape != (80,):
        raise AnswerError(f"80 numbers are asked for; yours has the shape {found.shape}.")
    raise AnswerError(
        "the numbers differ. Is the sound resampled to 22 050 Hz before `audio.mfcc`?"
    )


@_exercise("3.1")
def _weights(answer: object) -> None:
    found = _number(answer, "weights")
    if found != 64 * (32 * 5 + 1):
        mistakes = [
            (64 * 32 * 5, "nearly: each kernel has a bias of its own, too."),
            (64 * (5 + 1), "a kernel reaches through all 32 channels."),
            (64 * 5, "a kernel reaches through all 32 channels, and has a bias."),
            (64 * 32 * (5 + 1), "one bias a kernel, not one for each of its channels."),
            (32 * (64 * 5 + 1), "64 kernels, each through 32 channels; you have it crosswise."),
        ]
        _mistaken(found, mistakes, "how many numbers has one kernel? How many kernels are there?")


@_exercise("3.2")
def _recall(answer: object) -> None:
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))
    label = torch.randint(0, 8, (160,), generator=generator)
    logits = torch.randn(160, 8, generator=generator) + 2.0 * functional.one_hot(label, 8)
    logits[:, 5] += 1.0
    emotion, decided = 5, logits.argmax(dim=1)
    found = _number(_call(answer, logits, label, emotion), "the result")
    both = ((decided == emotion) & (label == emotion)).sum().item()
    right = both / (label == emotion).sum().item()
    if isclose(found, right, abs_tol=1e-5):
        return
    mistakes = [
        (both / (decided == emotion).sum().item(), "that is the precision: you look at the rows "
         "*decided* as this emotion. Look at those *labelled* with it."),
        ((decided == label).float().mean().item(), "that is the accuracy over all emotions."),
        (both / len(label), "of the rows *labelled with it*, not of all rows."),
        (both, "that is a number of rows. The recall is a share of them."),
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
    ]  # fmt: skip
    _mistaken(found, mistakes, f"a recall of {right:.3f} came out as {found:.3f}.")


@_exercise("3.3")
def _network_with_dropout(answer: object) -> None:
    network = _call(answer)
    if not isinstance(network, nn.Module):
        raise AnswerError("return a network: `nn.Sequential(...)`.")
    drops = [layer for layer in network.modules() if isinstance(layer, nn.Dropout)]
    if not drops:
        raise AnswerError("there is no `nn.Dropout` in it.")
    lengths: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].shape[-1]))
        for layer in drops
    ]
    try:
        logits = network(torch.randn(5, 40))
    except RuntimeError as error:
        raise AnswerError(f"the parts do not fit together: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
    if logits.shape != (5, 8):
        raise AnswerError(f"eight scores a row are needed; yours gives {tuple(logits.shape)}.")
    places = {
        8: "it drops scores, after the classifier. Put it *between* CNN and classifier.",
        40: "it drops MFCCs, before the CNN. Put it *between* CNN and classifier.",
    }
    if 640 not in lengths:
        raise AnswerError(places.get(lengths[0], "put it between the CNN and the classifier."))
    if drops[0].p != 0.5:
        raise AnswerError(f"it drops a share of {drops[0].p:g}; half is asked for.")


@_exercise("4.1")
def _joint_input(answer: object) -> None:
    found = _number(answer, "joint_input")
    if found != 640 + 100:
        mistakes = [
            (2 * 640, "that is with equal dimension. Here the image MLP gives 100."),
            (640 * 100, "vectors are put end to end, not multiplied."),
            (1024 + 640, "1024 go *into* the image MLP. What comes out of it here?"),
            (640, "and the picture's numbers?"),
            (100, "and the sound's numbers?"),
        ]
        _mistaken(found, mistakes, "both vectors, put end to end.")


@_exercise("4.2")
def _image_only_total(answer: object) -> None:
    rng = np.random.default_rng()
    each = {name: torch.tensor(rng.uniform(1, 3)) for name in ("joint", "audio", "image")}
    found = _number(_call(answer, each), "the total")
    joint, heard, seen = (float(each[name]) for name in ("joint", "audio", "image"))
    if isclose(found, joint + 2 * seen, rel_tol=1e-5):
        return
    mistakes = [
        (joint + heard + 2 * seen, "the audio loss is still in it: its weight should be 0."),
        (joint + seen, "the image loss should have weight 2."),
        (2 * seen, "the joint loss is missing; its weight is always 1."),
        (joint + 2 * heard, "that is the *audio* loss with weight 2."),
        (joint + heard + seen, "that is the paper's total. Only the image gets a loss here."),
    ]
    _mistaken(found, mistakes, "it should be the joint loss and twice the image loss.")


@_exercise("4.3")
def _late_fusion(answer: object) -> None:
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))
    scores = {
        name: size * torch.randn(9, 8, generator=generator) + size
        for name, size in (("joint", 1.0), ("audio", 1.0), ("image", 7.0))
    }
    found = _call(answer, scores)
    if not isinstance(found, torch.Tensor) or found.shape != (9, 8):
        raise AnswerError("return a tensor of shape (rows, 8).")
    heard, seen = scores["audio"], scores["image"]

    def equal(other: torch.Tensor) -> bool:
        return torch.allclose(found, other, atol=1e-4)

    def both(part: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return (part(heard) + part(seen)) / 2

    right = both(lambda logits: logits.log_softmax(dim=1))
    if equal(right):
        return
    if equal(both(lambda logits: logits)):
        raise AnswerError(
            "the heads' logits are not on one scale. Make log-probabilities of them first."
        )
    if equal(both(lambda logits: logits.log_softmax(dim=0))):
        raise AnswerError(
            "the wrong dimension: the probabilities of one *row* add up to 1, `dim=1`."
        )
    if equal(2 * right):
        raise AnswerError("that is the sum. The average is half of it.")
    if equal(both(lambda logits: logits.softmax(dim=1))):
        raise AnswerError("those are probabilities. Average *log*-probabilities: `log_softmax`.")
    if equal((scores["joint"].log_softmax(dim=1) + right * 2) / 3):
        raise AnswerError("the joint classifier has no say in late fusion.")
    raise AnswerError("average the log-probabilities of the heads `audio` and `image`.")


@_exercise("5.1")
def _always_calm(answer: object) -> None:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise AnswerError("two numbers are asked for: accuracy and UAR.")
    accuracy, uar = (_number(part, "each of the two") for part in answer)
    if isclose(accuracy, 192 / 1440, abs_tol=1e-3) or isclose(uar, 1 / 8):
        raise AnswerError("in per cent, please: times 100.")
    if not isclose(accuracy, 100 * 192 / 1440, abs_tol=0.05):
        raise AnswerError("the accuracy is the share of clips that *are* calm.")
    if isclose(uar, 100):
        raise AnswerError("the recall of calm is 100 %, but the other seven count as well.")
    if isclose(uar, accuracy, abs_tol=0.05):
        raise AnswerError("the UAR counts each *emotion* the same, however many clips it has.")
    if not isclose(uar, 12.5, abs_tol=0.05):
        raise AnswerError("the UAR is the mean of eight recalls, seven of which are 0.")


@_exercise("5.2")
def _uar(answer: object) -> None:
    rng = np.random.default_rng()
    label = rng.choice([1, 2, 4, 5, 8], 300, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    decided = np.where(rng.random(300) < 0.5, label, rng.choice([1, 2, 4, 5], 300))
    found = _number(_call(answer, label, decided), "the result")
    recalls = [(decided[label == code] == code).mean() for code in np.unique(label)]
    right = float(np.mean(recalls))
    if isclose(found, right, abs_tol=1e-6):
        return
    precisions = [(label[decided == code] == code).mean() for code in np.unique(decided)]
    mistakes = [
        ((label == decided).mean(), "that is the accuracy. Each *emotion* should count the same."),
        (
            np.mean(precisions),
            "those are precisions: look at the clips *labelled* so.",
        ),
        (np.sum(recalls) / 8, "you divide by 8, and not all eight emotions occur: `np.unique`."),
        (100 * right, "a share lies between 0 and 1; this is in per cent."),
        (np.sum(recalls), "that is the sum of the recalls. The UAR is their mean."),
    ]
    _mistaken(found, mistakes, f"a UAR of {right:.3f} came out as {found:.3f}.")


@_exercise("5.3")
def _colleagues_split(answer: object) -> None:
    rng = np.random.default_rng()
    pairs = rng.integers(4, 7, 30)
    names = [f"clip-{number:02d}" for number in rng.permutation(30)]
    rows = pd.DataFrame({"clip": np.repeat(names, pairs)})
    rows["clip_number"] = np.repeat(np.arange(30), pairs)
    rows["actor"], rows["emotion"] = rows["clip_number"] % 5, rows["clip_number"] % 8 + 1
    found = _call(answer, rows)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise AnswerError("return two arrays: train, test.")
    train, test = (np.asarray(side) for side in found)
    if train.dtype == bool or test.dtype == bool:
        raise AnswerError("those are marks, one a row. `np.flatnonzero` makes row numbers of them.")
    first = np.flatnonzero(~rows.duplicated("clip").to_numpy())
    later = np.setdiff1d(np.arange(len(rows)), first)
    sides = set(train.tolist()), set(test.tolist())
    if sides == (set(later), set(first)):
        return
    if sides == (set(first), set(later)):
        raise AnswerError("the sides are swapped: train first, then test.")
    if sides[0] & sides[1]:
        raise AnswerError("some rows are on both sides.")
    if sides[1] == set(np.arange(0, len(rows), 6)):
        raise AnswerError("you take every sixth row; but some clips have fewer than six pairs.")
    if len(sides[0] | sides[1]) < len(rows):
        raise AnswerError(f"{len(rows) - len(sides[0] | sides[1])} rows are on neither side.")
    raise AnswerError("for testing: the *first* row of each clip, and no other.")


@_exercise("6.1")
def _witnesses(answer: object) -> None:
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise AnswerError("three numbers are asked for: pairs, clips and units.")
    pairs, tested, units = (_number(part, "each of the three") for part in answer)
    if (pairs, tested) == (4 * 60, 4 * 60 * 6):
        raise AnswerError("pairs first, then clips: there are six pairs in a clip.")
    if tested != 4 * 60:
        raise AnswerError("the test holds 60 clips of *each* of 4 actors.")
    if pairs != 4 * 60 * 6:
        raise AnswerError("six pairs are cut from each of the clips.")
    if units in (tested, pairs):
        raise AnswerError("those come from the same few people. Draw what could have been others.")
    if units != 4:
        raise AnswerError("the units are people. How many of them are in the test?")


@_exercise("6.2")
def _crossing(answer: object) -> None:
    rng = np.random.default_rng()
    actor = rng.permutation(np.repeat(np.arange(1, 9), 5))
    rows = pd.DataFrame({"actor": actor, "clip": [f"clip-{n:02d}" for n in range(len(actor))]})
    rows.index = rng.permutation(len(rows)) + 100
    whole = rng.permutation(np.arange(1, 9))
    test_actors, planted = whole[:2], whole[2:4]
    numbers = np.arange(len(rows))
    test = numbers[np.isin(actor, test_actors)]
    leaked = [numbers[actor == one][-2:] for one in planted]
    test = np.sort(np.concatenate([test, *leaked]))
    train = np.setdiff1d(numbers, test)
    right = sorted(planted.tolist())
    try:
        found = _call(answer, rows, train, test, "actor")
    except AnswerError as error:
        if "KeyError" in str(error) or "not in index" in str(error):
            raise AnswerError(
                "row numbers count from the top of the table: `iloc`, not `loc`."
            ) from error
        raise
    if isinstance(found, int | np.integer):
        raise AnswerError("that is a number. *Which* values stand on both sides?")
    found = list(found)
    if found == right:
        if list(_call(answer, rows, train[:0], test, "actor")):
            raise AnswerError("with an empty side nothing can stand on both.")
        return
    if len(found) > len(set(found)):
        raise AnswerError("each value once, please: a `set`.")
    if sorted(found) == right:
        raise AnswerError("the values are right, but not sorted.")
    if set(found) == set(actor.tolist()):
        raise AnswerError("those are the values of either side: `|`. Which stand on *both*: `&`.")
    if set(found) <= set(numbers.tolist()) and len(found) > len(right):
        raise AnswerError("return values of the column, not row numbers.")
    raise AnswerError(f"{right} stand on both sides here, and you found {found}.")


@_exercise("6.3")
def _by_actor(answer: object) -> None:
    rng = np.random.default_rng()
    actor = rng.permutation(np.repeat([3, 5, 8], [7, 11, 9]))
    mfcc = (actor[:, None] * rng.normal(size=40) + rng.normal(size=(len(actor), 40))).astype("f4")
    mfcc *= 1 + actor[:, None]
    kept = mfcc.copy()
    found = _call(answer, mfcc, actor)
    if not np.array_equal(mfcc, kept):
        raise AnswerError("you changed the array that was given to you. Write into a copy.")
    found = np.asarray(found, dtype=float)
    if found.shape != mfcc.shape:
        raise AnswerError(f"the shape should stay {mfcc.shape}; yours is {found.shape}.")

    def each(part: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        made = np.empty(mfcc.shape)
        for one in np.unique(actor):
            made[actor == one] = part(mfcc[actor == one].astype(float))
        return made

    def scaled(own: np.ndarray, axis: int | None = 0) -> np.ndarray:
        return (own - own.mean(axis, keepdims=True)) / own.std(axis, keepdims=True)

    mistakes = [
        (scaled(mfcc.astype(float)), "that is over all clips. Each *actor* is a standard of their "
         "own: go through `np.unique(actor)`."),
        (each(lambda own: own - own.mean(axis=0)), "the mean is 0, but the deviation is not 1: "
         "divide by `own.std(axis=0)`."),
        (each(lambda own: own / own.std(axis=0)), "the deviation is 1, but the mean is not 0: "
         "subtract `own.mean(axis=0)` first."),
        (each(lambda own: scaled(own, 1)), "that is over the coefficients of each clip. Over the "
         "*clips*: `axis=0`."),
        (each(lambda own: scaled(own, None)), "each coefficient has a mean of its own: "
         "`own.mean(axis=0)`."),
    ]  # fmt: skip
    if np.allclose(found, each(scaled), atol=1e-3):
        return
    for wrong, hint in mistakes:
        if np.allclose(found, wrong, atol=1e-3):
            raise AnswerError(hint)
    raise AnswerError("for each actor every coefficient should have mean 0 and deviation 1.")
