"""Every check lets the solution pass, tells what to do with the stub, and names real mistakes."""

import decimal
import itertools
import re
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from shown import Exercise, exercises, shown

from avlib.corpus.ravdess import EMOTIONS
from avlib.course import checks

EXERCISES = exercises()
# For each exercise answers that students give, and what the hint must speak of.
MISTAKES = {
    "0.1": [
        ("number_of_clips = clips.shape[1]", "columns"),
        ("number_of_clips = clips.size", "rows times columns"),
        ("number_of_clips = clips['actor'].nunique()", "actors"),
    ],
    "0.2": [
        ("def seconds_of(path):\n    return len(audio.load(path)[0])", "number of samples"),
        (
            "def seconds_of(path):\n    s, r = audio.load(path)\n    return r / len(s)",
            "upside down",
        ),
        ("def seconds_of(path):\n    s, r = audio.load(path)\n    return len(s) // r", "whole"),
        ("def seconds_of(path):\n    return len(audio.load(path)[0]) / 48000", "their rate"),
        ("def seconds_of(path):\n    s, r = audio.load(path)\n    len(s) / r", "`return`"),
        ("def seconds_of(path):\n    return len(audio.load(path)) / rate", "NameError"),
    ],
    "0.3": [
        (
            "def loudest_values(clips, actor):\n"
            "    return {n: audio.load(clips.query(f'actor == {actor} and emotion == {c}')"
            ".iloc[0].sound)[0].max() for c, n in enumerate(ravdess.EMOTIONS, 1)}",
            "below zero",
        ),
        (
            "def loudest_values(clips, actor):\n"
            "    return {n: abs(audio.load(clips.query(f'emotion == {c}')"
            ".iloc[0].sound)[0]).max() for c, n in enumerate(ravdess.EMOTIONS, 1)}",
            "another actor",
        ),
        (
            "def loudest_values(clips, actor):\n"
            "    return {c: abs(audio.load(clips.query(f'actor == {actor} and emotion == {c}')"
            ".iloc[0].sound)[0]).max() for c in range(1, 9)}",
            "names",
        ),
        (
            "def loudest_values(clips, actor):\n"
            "    return {n: abs(audio.load(clips.query(f'actor == {actor} and emotion == {c}')"
            ".iloc[0].sound)[0]).mean() for c, n in enumerate(ravdess.EMOTIONS, 1)}",
            "mean",
        ),
    ],
    "1.1": [
        ("file_name = '01-01-07-02-02-02-07.mp4'", "modality"),
        ("file_name = '03-01-07-02-01-02-07.wav'", "statement"),
        ("file_name = '3-1-7-2-2-2-7.wav'", "two digits"),
        ("file_name = 3010702020207", "quotation marks"),
        ("file_name = '03-01-07-02-02-02-07'", r"`\.wav`"),
    ],
    "1.2": [
        ("def count_takes(clips):\n    return len(clips)", "Both repetitions"),
        ("def count_takes(clips):\n    return len(clips) // 2", "not every take"),
        (
            "def count_takes(clips):\n"
            "    return clips.groupby(['actor', 'emotion', 'statement']).ngroups",
            "differ in intensity",
        ),
        (
            "def count_takes(clips):\n"
            "    return clips.groupby(['actor', 'emotion', 'intensity']).ngroups",
            "differ in statement",
        ),
    ],
    "1.3": [
        (
            "def loudness_recogniser_accuracy(named):\n"
            "    m = named.groupby('emotion')['loudness (dB)'].mean()\n"
            "    d = [(m - x).abs().idxmin() for x in named['loudness (dB)']]\n"
            "    return float((named['emotion'] == d).mean())",
            "medians",
        ),
        (
            "def loudness_recogniser_accuracy(named):\n"
            "    m = named.groupby('emotion')['loudness (dB)'].median()\n"
            "    d = [(m - x).idxmin() for x in named['loudness (dB)']]\n"
            "    return float((named['emotion'] == d).mean())",
            "absolute",
        ),
        (
            "def loudness_recogniser_accuracy(named):\n"
            "    m = named.groupby('emotion')['loudness (dB)'].median()\n"
            "    d = [(m - x).abs().idxmin() for x in named['loudness (dB)']]\n"
            "    return 100 * float((named['emotion'] == d).mean())",
            "per cent",
        ),
    ],
    "2.1": [
        ("def analysis_frames(samples, hop=512):\n    return samples // hop", "one too few"),
        ("def analysis_frames(samples, hop=512):\n    return 1 + samples / hop", "whole"),
        ("def analysis_frames(samples, hop=512):\n    return 1 + samples // 512", "argument"),
        ("def analysis_frames(samples, hop=512):\n    return -(-samples // hop)", "whole hops"),
        (
            "def analysis_frames(samples, hop=512):\n    return 1 + (samples - 2048) // hop",
            "centred",
        ),
    ],
    "2.2": [
        (
            "def pair_times_across():\n    b = np.arange(0.5, 3.0, 0.5)\n"
            "    return np.stack([b - 0.1, b + 0.1])",
            "axes are swapped",
        ),
        (
            "def pair_times_across():\n    b = np.arange(0.5, 3.5, 0.5)\n"
            "    return np.stack([b - 0.1, b + 0.1], axis=1)",
            "five borders",
        ),
        (
            "def pair_times_across():\n    b = np.arange(0.5, 3.0, 0.5)\n"
            "    return np.stack([b + 0.1, b - 0.1], axis=1)",
            "earlier frame",
        ),
        (
            "def pair_times_across():\n    b = np.arange(0.5, 3.0, 0.5)\n"
            "    return np.stack([b, b + 0.2], axis=1)",
            "0.4 and 0.6",
        ),
    ],
    "2.3": [
        (
            "def mean_and_deviation(path):\n    s, r = audio.load(path)\n"
            "    t = audio.mfcc(audio.resample(s, r, 22_050), 22_050)\n"
            "    return np.concatenate([t.mean(axis=0), t.std(axis=0)])",
            "wrong axis",
        ),
        (
            "def mean_and_deviation(path):\n    s, r = audio.load(path)\n"
            "    t = audio.mfcc(s, r)\n"
            "    return np.concatenate([t.mean(axis=1), t.std(axis=1)])",
            "resampled",
        ),
        (
            "def mean_and_deviation(path):\n    s, r = audio.load(path)\n"
            "    t = audio.mfcc(audio.resample(s, r, 22_050), 22_050)\n"
            "    return np.stack([t.mean(axis=1), t.std(axis=1)])",
            "two rows",
        ),
        (
            "def mean_and_deviation(path):\n    s, r = audio.load(path)\n"
            "    t = audio.mfcc(audio.resample(s, r, 22_050), 22_050)\n"
            "    return np.concatenate([t.mean(axis=1), t.var(axis=1)])",
            "variance",
        ),
    ],
    "3.1": [
        ("weights = 64 * 32 * 5", "bias"),
        ("weights = 64 * (5 + 1)", "all 32 channels"),
        ("weights = 32 * (64 * 5 + 1)", "crosswise"),
        ("weights = 'many'", "one number"),
    ],
    "3.2": [
        (
            "def recall(logits, label, emotion):\n    d = logits.argmax(dim=1)\n"
            "    return (label[d == emotion] == emotion).float().mean()",
            "precision",
        ),
        (
            "def recall(logits, label, emotion):\n    d = logits.argmax(dim=1)\n"
            "    return (d == label).float().mean()",
            "accuracy",
        ),
        (
            "def recall(logits, label, emotion):\n    d = logits.argmax(dim=0)\n"
            "    return (d[label == emotion] == emotion).float().mean()",
            "IndexError",
        ),
        (
            "def recall(logits, label, emotion):\n    d = logits.argmax(dim=1)\n"
            "    return ((d == emotion) & (label == emotion)).sum()",
            "share",
        ),
    ],
    "3.3": [
        (
            "def network_with_dropout():\n    return nn.Sequential(AudioCNN(), Classifier(640))",
            "no `nn",
        ),
        (
            "def network_with_dropout():\n"
            "    return nn.Sequential(AudioCNN(), Classifier(640), nn.Dropout(0.5))",
            "after the classifier",
        ),
        (
            "def network_with_dropout():\n"
            "    return nn.Sequential(nn.Dropout(0.5), AudioCNN(), Classifier(640))",
            "before the CNN",
        ),
        (
            "def network_with_dropout():\n"
            "    return nn.Sequential(AudioCNN(), nn.Dropout(0.05), Classifier(640))",
            "half",
        ),
        (
            "def network_with_dropout():\n"
            "    return nn.Sequential(AudioCNN(), nn.Dropout(0.5), Classifier(320))",
            "do not fit",
        ),
    ],
    "4.1": [
        ("joint_input = 2 * 640", "equal dimension"),
        ("joint_input = 640 * 100", "not multiplied"),
        ("joint_input = 640 + 1024", r"\*into\*"),
    ],
    "4.2": [
        (
            "def image_only_total(each):\n    return total_loss(each, image_weight=2.0)",
            "audio loss is still",
        ),
        (
            "def image_only_total(each):\n    return total_loss(each, audio_weight=0.0)",
            "weight 2",
        ),
        ("def image_only_total(each):\n    return 2 * each['image']", "joint loss is missing"),
    ],
    "4.3": [
        (
            "def late_fusion(scores):\n    return (scores['audio'] + scores['image']) / 2",
            "averaged logits",
        ),
        (
            "def late_fusion(scores):\n    return (scores['audio'].log_softmax(dim=0)"
            " + scores['image'].log_softmax(dim=0)) / 2",
            "wrong dimension",
        ),
        (
            "def late_fusion(scores):\n    return (scores['audio'].softmax(dim=1)"
            " + scores['image'].softmax(dim=1)) / 2",
            r"\*log\*",
        ),
        (
            "def late_fusion(scores):\n    return scores['image'].log_softmax(dim=1).double()",
            "audio head",
        ),
        (
            "def late_fusion(scores):\n    return scores['audio'].log_softmax(dim=1)"
            " + scores['image'].log_softmax(dim=1)",
            "sum",
        ),
    ],
    "5.1": [
        ("calm_accuracy, calm_uar = 192 / 1440, 1 / 8", "per cent"),
        ("calm_accuracy, calm_uar = 100 * 192 / 1440, 100 * 192 / 1440", r"each \*emotion\*"),
        ("calm_accuracy, calm_uar = 100 * 192 / 1440, 100", "other seven"),
        ("calm_accuracy, calm_uar = 12.5, 12.5", r"\*are\* calm"),
    ],
    "5.2": [
        ("def uar(label, decided):\n    return (label == decided).mean()", "accuracy"),
        (
            "def uar(label, decided):\n    return np.mean([(label[decided == c] == c).mean()"
            " for c in np.unique(decided)])",
            "precisions",
        ),
        (
            "def uar(label, decided):\n    return sum((decided[label == c] == c).mean()"
            " for c in np.unique(label)) / 8",
            "divide by 8",
        ),
    ],
    "5.3": [
        (
            "def colleagues_split(rows):\n    later = rows.duplicated('clip').to_numpy()\n"
            "    return np.flatnonzero(~later), np.flatnonzero(later)",
            "swapped",
        ),
        (
            "def colleagues_split(rows):\n    later = rows.duplicated('clip').to_numpy()\n"
            "    return later, ~later",
            "marks",
        ),
        (
            "def colleagues_split(rows):\n    later = rows.duplicated('clip').to_numpy()\n"
            "    return np.flatnonzero(later), np.repeat(np.flatnonzero(~later), 2)",
            "stands twice",
        ),
        (
            "def colleagues_split(rows):\n    later = rows.duplicated('clip').to_numpy()\n"
            "    return rows[later], rows[~later]",
            "array of numbers",
        ),
        (
            "def colleagues_split(rows):\n    n = np.arange(len(rows))\n"
            "    return n[n % 6 > 0], n[n % 6 == 0]",
            "every sixth",
        ),
    ],
    "6.1": [
        ("pairs, tested_clips, units = 1440, 240, 240", "same few people"),
        ("pairs, tested_clips, units = 240, 1440, 4", "pairs first"),
        ("pairs, tested_clips, units = 360, 60, 4", "60 clips of .each."),
        ("pairs, tested_clips, units = 1440, 240, 24", "How many of them are in the test"),
    ],
    "6.2": [
        (
            "def crossing(rows, train, test, column):\n"
            "    return sorted(set(rows[column].loc[train]) & set(rows[column].loc[test]))",
            "`iloc`, not `loc`",
        ),
        (
            "def crossing(rows, train, test, column):\n"
            "    return sorted(set(rows[column].iloc[train]) | set(rows[column].iloc[test]))",
            "stand on .both.",
        ),
        (
            "def crossing(rows, train, test, column):\n"
            "    return len(set(rows[column].iloc[train]) & set(rows[column].iloc[test]))",
            "that is a number",
        ),
        (
            "def crossing(rows, train, test, column):\n"
            "    return set(rows[column].iloc[train]) & set(rows[column].iloc[test])",
            "no order",
        ),
        (
            "def crossing(rows, train, test, column):\n"
            "    there = set(rows[column].iloc[train])\n"
            "    return [one for one in rows[column].iloc[test] if one in there]",
            "each value once",
        ),
    ],
    "6.3": [
        (
            "def by_actor(mfcc, actor):\n    return (mfcc - mfcc.mean(axis=0)) / mfcc.std(axis=0)",
            "over all clips",
        ),
        (
            "def by_actor(mfcc, actor):\n    made = mfcc.copy()\n"
            "    for one in np.unique(actor):\n"
            "        made[actor == one] -= made[actor == one].mean(axis=0)\n    return made",
            "deviation is not 1",
        ),
        (
            "def by_actor(mfcc, actor):\n    made = mfcc.copy()\n"
            "    for one in np.unique(actor):\n        own = made[actor == one].T\n"
            "        made[actor == one] = ((own - own.mean(axis=0)) / own.std(axis=0)).T\n"
            "    return made",
            "of each clip",
        ),
        (
            "def by_actor(mfcc, actor):\n    by = pd.DataFrame(mfcc).groupby(actor)\n"
            "    return (mfcc - by.transform('mean')) / by.transform('std')",
            "less one",
        ),
        (
            "def by_actor(mfcc, actor):\n    for one in np.unique(actor):\n"
            "        own = mfcc[actor == one]\n"
            "        mfcc[actor == one] = (own - own.mean(axis=0)) / own.std(axis=0)\n"
            "    return mfcc",
            "into a copy",
        ),
    ],
}
ANSWERS = [
    pytest.param(exercise, answer, hint, id=f"{exercise.number}-{number}")
    for exercise in EXERCISES
    for number, (answer, hint) in enumerate(MISTAKES[exercise.number])
]


@pytest.fixture(scope="module")
def lessons() -> dict[str, dict[str, object]]:
    """The names that each lesson defines."""
    return {number: vars(shown(number)) for number in ("00", "01", "02", "03", "04", "05", "06")}


def judged(
    exercise: Exercise, code: str, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
) -> str | None:
    names = {**lessons[f"0{exercise.number[0]}"], "clips": clips}
    exec(code, names)
    return checks.judge(exercise.number, *(eval(each, names) for each in exercise.arguments))


def test_every_exercise_has_a_check_and_every_check_an_exercise() -> None:
    numbers = [exercise.number for exercise in EXERCISES]
    assert numbers == checks.exercises() == sorted(MISTAKES)
    assert all(len(mistakes) >= 2 for mistakes in MISTAKES.values())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
class TestEveryExercise:
    def test_the_folded_solution_passes(
        self, exercise: Exercise, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
    ) -> None:
        assert judged(exercise, exercise.solution, lessons, clips) is None

    def test_the_untouched_stub_is_told_what_to_do(
        self, exercise: Exercise, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
    ) -> None:
        assert "run both cells again" in judged(exercise, exercise.stub, lessons, clips)


@pytest.mark.parametrize(("exercise", "answer", "hint"), ANSWERS)
def test_a_mistake_is_refused_by_name(
    exercise: Exercise,
    answer: str,
    hint: str,
    lessons: dict[str, dict[str, object]],
    clips: pd.DataFrame,
    record_property: Callable[[str, object], None],
) -> None:
    assert re.search(hint, judged(exercise, answer, lessons, clips))
    lesson = f"{int(exercise.number[0]):02d}"
    record_property("lesson", (lesson, {"wrong answers refused": 1}))


def test_a_check_prints_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.check("4.1", 740)
    assert not checks.check("4.1", 1280)
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "✓ Exercise 4.1: right."
    assert wrong.startswith("✗ Exercise 4.1: that is with equal dimension")


class Thorny:
    """An answer that fails whatever is done with it."""

    def __getattribute__(self, name: str) -> object:
        if name == "__class__":
            return Thorny
        raise ZeroDivisionError("every name of mine fails")

    def _fails(self, *_: object) -> None:
        raise ZeroDivisionError("whatever is done with me fails")

    __eq__ = __hash__ = __len__ = __iter__ = __float__ = __bool__ = __repr__ = __str__ = _fails
    __array__ = __getitem__ = __contains__ = __index__ = _fails


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("and this fails, too")


def in_itself() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


def unspeakable(*_: object) -> None:
    raise UnspeakableError


def endless(*_: object) -> Iterator[int]:
    yield from itertools.count()


# What no exercise asks for. None of it may end in anything but a hint.
HOSTILE = {
    "no answer": None, "an empty text": "", "a text": "many", "a long text": "1" * 10_000,
    "bytes": b"\x00\xff", "yes": True, "no": np.False_, "not a number": float("nan"),
    "infinite": float("-inf"), "below zero": -7, "far too large": 10**400, "complex": 1 + 2j,
    "decimal": decimal.Decimal("NaN"), "an empty list": [], "a ragged list": [[1.0], [2.0, 3.0]],
    "a list of texts": ["0.4", "0.6"], "a list in itself": in_itself(),
    "unequal sides": ([0], [[1, 2]]), "two numbers": (1, 2), "five empty tuples": ((),) * 5,
    "an empty dictionary": {}, "a dictionary": {"happy": [1, 2]},
    "a set": {(1, 2), "a"}, "an object": object(), "a class": dict, "a module": sys,
    "a generator": endless(), "a range": range(3), "an empty array": np.array([]),
    "three axes": np.zeros((2, 2, 2)),
    "texts": np.array(["a", "b"]), "marks": np.array([True, False]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "records": np.zeros(3, dtype=[("a", int)]), "objects": np.array([None, {}], dtype=object),
    "an empty table": pd.DataFrame(), "a table": pd.DataFrame({"a": ["x"], "b": [1]}),
    "no time": pd.NaT, "missing": pd.NA, "a tensor": torch.tensor([1.0, 2.0]),
    "with a gradient": torch.ones(9, 8, requires_grad=True) * torch.nan,
    "sparse": torch.eye(3).to_sparse(), "of no device": torch.empty(3, device="meta"),
    "a network": torch.nn.Linear(3, 2), "thorny": Thorny(),
}  # fmt: skip
FUNCTIONS = {
    "no arguments": lambda: 1, "too many": lambda a, b, c, d, e, f, g: 1, "leaves": sys.exit,
    "too deep": lambda *given: FUNCTIONS["too deep"](*given), "for ever": endless,
    "unspeakable": unspeakable, "what it got": lambda *given: given,
    "its first": lambda first=0, *_: first, "its last": lambda *given: given[-1],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
def test_whatever_an_answer_is_the_learner_gets_a_hint(
    exercise: Exercise, clips: pd.DataFrame
) -> None:
    given = (clips,) if len(exercise.arguments) == 2 else ()
    answers: dict[str, object] = dict(FUNCTIONS)
    for name, value in HOSTILE.items():
        answers |= {
            name: value,
            f"returns {name}": lambda *_, value=value: value,
            f"two: {name}": (value, value),
            f"three: {name}": (value, value, value),
            f"returns two: {name}": lambda *_, value=value: (value, value),
            f"returns eight: {name}": lambda *_, value=value: dict.fromkeys(EMOTIONS, value),
        }
    for name, answer in answers.items():
        hint = checks.judge(exercise.number, answer, *given)
        assert hint, name
        assert "at fault" not in hint, f"{name}: {hint}"
        assert len(hint) < 500, name


def test_a_judge_of_ours_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(answer: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setitem(checks.judging._judges, "9.9", fails)
    monkeypatch.delenv("AVLIB_DEBUG", raising=False)
    said = checks.judge("9.9", 1)
    assert "itself is at fault, not your answer" in said
    assert "ZeroDivisionError: ours" in said
    monkeypatch.setenv("AVLIB_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        checks.judge("9.9", 1)
    with pytest.raises(KeyError, match=r"no exercise '7\.1'"):
        checks.judge("7.1", 1)


def test_an_answer_works_on_copies() -> None:
    def widened(named: pd.DataFrame) -> float:
        named["loudness (dB)"] = 0.0  # a judge that looked at this table would find it right
        return 1.0

    assert "came out as 1.000" in checks.judge("1.3", widened)
