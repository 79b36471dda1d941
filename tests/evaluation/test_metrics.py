"""Scores agree with tables that were worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import metrics
from avlib.features import FeatureStore

COLUMNS = [f"log_prob_{code}" for code in range(1, 9)]


def decisions(pairs: list[tuple[int, int]]) -> pd.DataFrame:
    """Answers with the given (label, predicted) codes, one clip each."""
    logs = np.log(np.full((len(pairs), 8), 0.05))
    logs[np.arange(len(pairs)), [predicted - 1 for _, predicted in pairs]] = np.log(0.65)
    known = {
        "clip": [f"clip {number}" for number in range(len(pairs))],
        "actor": 1,
        "label": [label for label, _ in pairs],
    }
    return pd.DataFrame(known).join(pd.DataFrame(logs, columns=COLUMNS))


# Neutral 1 of 2, calm 3 of 4, angry 0 of 2; no clip of the other emotions.
BY_HAND = decisions([(1, 1), (1, 2), (2, 2), (2, 2), (2, 2), (2, 8), (5, 1), (5, 3)])


def test_accuracy_is_the_share_predicted_rightly() -> None:
    assert metrics.accuracy(BY_HAND) == pytest.approx(4 / 8)


def test_uar_weighs_every_emotion_that_is_there_alike() -> None:
    assert metrics.uar(BY_HAND) == pytest.approx((1 / 2 + 3 / 4 + 0) / 3)


def test_confusion_counts_true_labels_in_rows_and_predicted_ones_in_columns() -> None:
    found = metrics.confusion(BY_HAND)
    assert tuple(found.index) == tuple(found.columns) == EMOTIONS
    assert (found.index.name, found.columns.name) == ("true", "predicted")
    wanted = np.zeros((8, 8), int)
    wanted[0, 0] = wanted[0, 1] = wanted[1, 7] = wanted[4, 0] = wanted[4, 2] = 1
    wanted[1, 1] = 3
    np.testing.assert_array_equal(found, wanted)


def test_each_actor_and_each_emotion_has_an_accuracy_of_its_own() -> None:
    predictions = BY_HAND.assign(actor=[1, 1, 1, 1, 2, 2, 2, 2])
    assert metrics.accuracy_by(predictions).to_dict("index") == {
        1: {"clips": 4, "accuracy": 3 / 4},
        2: {"clips": 4, "accuracy": 1 / 4},
    }
    assert metrics.accuracy_by(predictions, "label").to_dict("index") == {
        "neutral": {"clips": 2, "accuracy": 1 / 2},
        "calm": {"clips": 4, "accuracy": 3 / 4},
        "angry": {"clips": 2, "accuracy": 0},
    }


CODE = st.integers(1, 8)


@given(st.lists(st.tuples(CODE, CODE), min_size=1, max_size=60))
def test_accuracy_and_uar_follow_from_the_confusion(pairs: list[tuple[int, int]]) -> None:
    predictions = decisions(pairs)
    assert metrics.predicted(predictions).tolist() == [predicted for _, predicted in pairs]
    counts = metrics.confusion(predictions).to_numpy()
    acted = counts.sum(axis=1)
    assert acted.tolist() == [sum(label == code for label, _ in pairs) for code in range(1, 9)]
    right = counts.diagonal()
    assert metrics.accuracy(predictions) == pytest.approx(right.sum() / len(pairs))
    recalls = right[acted > 0] / acted[acted > 0]
    assert metrics.uar(predictions) == pytest.approx(recalls.mean())


def test_pairs_of_a_clip_are_joined_by_the_geometric_mean() -> None:
    first = [0.70, 0.20, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01]
    second = [0.01, 0.60, 0.09, 0.06, 0.06, 0.06, 0.06, 0.06]
    other = [0.30, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10]
    known = pd.DataFrame({"clip": ["b", "a", "b"], "actor": [2, 1, 2], "label": [2, 1, 2]})
    logs = pd.DataFrame(np.log([first, other, second]), columns=COLUMNS)
    found = metrics.by_clip(known.join(logs))
    assert found[["clip", "actor", "label"]].to_numpy().tolist() == [["a", 1, 1], ["b", 2, 2]]
    joined = np.sqrt(np.multiply(first, second))
    np.testing.assert_allclose(
        np.exp(found[COLUMNS].to_numpy()), [other, joined / joined.sum()], rtol=1e-6
    )
    assert metrics.predicted(found).tolist() == [1, 2]


def test_a_sure_no_from_one_pair_outweighs_a_sure_yes_from_another() -> None:
    yes = [0.90, 0.04, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]
    no = [0.0001, 0.40, 0.0999, 0.10, 0.10, 0.10, 0.10, 0.10]
    assert np.add(yes, no).argmax() == 0  # what an arithmetic mean would decide
    known = pd.DataFrame({"clip": ["a", "a"], "actor": 1, "label": 2})
    predictions = known.join(pd.DataFrame(np.log([yes, no]), columns=COLUMNS))
    assert metrics.predicted(metrics.by_clip(predictions)).tolist() == [2]


def test_predictions_name_the_clips_of_their_rows(easy: FeatureStore) -> None:
    rows = np.array([100, 2, 51])
    logs = np.log(np.random.default_rng(0).dirichlet(np.ones(8), 3))
    found = metrics.prediction_table(easy, rows, logs)
    clips = easy.clips.iloc[rows // 2]
    assert found["clip"].tolist() == clips["clip"].tolist()
    assert found["actor"].tolist() == clips["actor"].tolist()
    assert found["label"].tolist() == clips["emotion"].tolist()
    np.testing.assert_array_equal(found[COLUMNS], logs)


def actors_with_habits(random: np.random.Generator, actors: int, clips: int) -> pd.DataFrame:
    """Answers in which some actors are easier than others; right in 63.5 % on average."""
    easiness = 1 / (1 + np.exp(-random.normal(0.65, 1, actors)))
    right = random.random((actors, clips)) < easiness[:, None]
    codes = random.integers(1, 9, right.shape)
    told = decisions(list(zip(codes.flat, np.where(right, codes, codes % 8 + 1).flat, strict=True)))
    return told.assign(actor=np.repeat(np.arange(actors), clips))


HABITS = np.random.default_rng(1).normal(0.65, 1, 10**6)
EXPECTED = float((1 / (1 + np.exp(-HABITS))).mean())
LEAST = 0.92  # of 1000 tables; where the truth were held in 95 of 100, 0.93 would be usual


def coverage(over: str, runs: int, actors: int, clips: int, **asked: object) -> float:
    """How often the interval holds the score that any number of actors would give."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(runs):
        low, high = metrics.interval(actors_with_habits(random, actors, clips), over=over, **asked)
        held += low <= EXPECTED <= high
    return held / runs


@pytest.mark.slow
@pytest.mark.parametrize("actors", [3, 4, 5, 6, 8, 16, 24])
def test_the_coverage_of_an_interval_over_actors_is_what_it_says(actors: int) -> None:
    assert coverage("actor", 1000, actors, 24) >= LEAST
    assert coverage("actor", 400, actors, 24, score=metrics.uar) >= LEAST - 0.01


@pytest.mark.slow
@pytest.mark.parametrize("actors", [3, 4, 6, 16])
def test_the_coverage_of_a_paired_difference_is_what_it_says(actors: int) -> None:
    """Two networks of one accuracy: each actor suits one more than the other."""
    random, held = np.random.default_rng(0), 0
    for _ in range(400):
        first, second = (actors_with_habits(random, actors, 24) for _ in range(2))
        second = second.assign(clip=first["clip"])
        low, high = metrics.interval(first, than=second)
        held += low <= 0 <= high
    assert held / 400 >= LEAST - 0.01


def test_an_interval_over_clips_holds_it_far_less_often() -> None:
    assert coverage("clip", 100, 12, 24) < 0.75


def test_an_interval_of_uar_lies_around_the_score_and_is_the_same_twice() -> None:
    predictions = actors_with_habits(np.random.default_rng(3), 16, 40)
    low, high = metrics.interval(predictions, metrics.uar)
    assert low < metrics.uar(predictions) < high
    assert (low, high) == metrics.interval(predictions, metrics.uar)


def test_runs_one_below_the_other_narrow_nothing_that_actors_leave_open() -> None:
    predictions = actors_with_habits(np.random.default_rng(4), 12, 40)
    twice = metrics.interval(pd.concat([predictions, predictions]))
    assert twice == pytest.approx(metrics.interval(predictions))


def test_a_difference_is_told_apart_where_the_actors_agree_on_it() -> None:
    random = np.random.default_rng(5)
    worse = actors_with_habits(random, 16, 60)
    better = worse.copy()
    wrong = np.flatnonzero(metrics.predicted(worse) != worse["label"])
    for row in random.choice(wrong, len(wrong) // 4, replace=False):  # a quarter put right
        better.loc[row, COLUMNS] = np.log(0.05)
        better.loc[row, f"log_prob_{better.loc[row, 'label']}"] = np.log(0.65)
    gained = metrics.accuracy(better) - metrics.accuracy(worse)
    low, high = metrics.interval(better, than=worse)
    assert 0 < low < gained < high
    each = [metrics.interval(predictions) for predictions in (worse, better)]
    assert each[0][1] > each[1][0]  # side by side they overlap: pairing is what tells


def test_intervals_that_cannot_be_are_refused() -> None:
    predictions = actors_with_habits(np.random.default_rng(0), 2, 5)
    with pytest.raises(ValueError, match="three of 'actor'"):
        metrics.interval(predictions)
    with pytest.raises(ValueError, match="different clips"):
        metrics.interval(predictions, than=predictions[1:])


def sure(rows: list[tuple[int, int, float]]) -> pd.DataFrame:
    """Answers with the given label, decision and its probability."""
    predictions = decisions([(label, predicted) for label, predicted, _ in rows])
    for row, (_, predicted, chance) in enumerate(rows):
        predictions.loc[row, COLUMNS] = np.log((1 - chance) / 7)
        predictions.loc[row, f"log_prob_{predicted}"] = np.log(chance)
    return predictions


def test_calibration_error_is_the_mean_gap_between_sureness_and_success() -> None:
    predictions = sure([(1, 1, 0.95), (2, 2, 0.95), (3, 4, 0.95), (4, 4, 0.95), (5, 6, 0.55)])
    table = metrics.reliability(predictions)
    assert table["predictions"].tolist() == [1, 4]
    np.testing.assert_allclose(table["confidence"], [0.55, 0.95])
    np.testing.assert_allclose(table["accuracy"], [0, 0.75])
    assert metrics.calibration_error(predictions) == pytest.approx((0.55 + 4 * 0.20) / 5)


def test_a_temperature_takes_back_what_a_network_boasts() -> None:
    random = np.random.default_rng(2)
    honest = random.dirichlet(np.full(8, 0.3), 4000)
    codes = np.array([random.choice(8, p=chances) for chances in honest]) + 1
    logs = 3 * np.log(honest + 1e-12)  # three times as sure as it may be
    boasting = decisions([(code, 1) for code in codes])
    boasting[COLUMNS] = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    degrees = metrics.temperature(boasting)
    cooled = metrics.at_temperature(boasting, degrees)
    assert degrees == pytest.approx(3, rel=0.05)
    assert metrics.calibration_error(cooled) < 0.03 < metrics.calibration_error(boasting)
    np.testing.assert_array_equal(metrics.predicted(cooled), metrics.predicted(boasting))


def test_the_majority_is_the_most_frequent_emotion_of_the_training_side() -> None:
    told = metrics.majority(BY_HAND, [5, 5, 5, 2, 1])
    assert set(metrics.predicted(told)) == {5}  # calm is more frequent among the clips asked about
    assert metrics.accuracy(told) == 2 / 8
    assert np.exp(told[COLUMNS].iloc[0]).tolist() == pytest.approx([0.2, 0.2, 0, 0, 0.6, 0, 0, 0])
    tie = metrics.majority(BY_HAND, [8, 2, 8, 2])
    assert set(metrics.predicted(tie)) == {2}


def test_what_is_judged_has_intervals_over_actors() -> None:
    labels = np.tile(np.arange(1, 9), 12)
    predictions = pd.DataFrame({"clip": map(str, range(96)), "actor": np.repeat(range(4), 24)})
    predictions["label"] = labels
    chances = np.full((96, 8), 0.05)
    chances[np.arange(96), np.where(np.arange(96) % 5 < 3, labels, labels % 8 + 1) - 1] = 0.65
    predictions[[f"log_prob_{code}" for code in range(1, 9)]] = np.log(chances)
    found = metrics.summarise(predictions)
    assert found["accuracy from"] < found["accuracy"] < found["accuracy to"]
    assert found["accuracy"] == metrics.accuracy(predictions) == 58 / 96
    assert found["UAR from"] < found["UAR"] == metrics.uar(predictions) < found["UAR to"]
    assert "accuracy from" not in metrics.summarise(predictions[predictions["actor"] < 2])
