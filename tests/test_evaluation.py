"""Scores agree with tables that were worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avlib import evaluation
from avlib.features import FeatureStore
from avlib.ravdess import EMOTIONS

COLUMNS = [f"log_prob_{code}" for code in range(1, 9)]


def decisions(pairs: list[tuple[int, int]]) -> pd.DataFrame:
    """Answers with the given (label, decided) codes, one clip each."""
    logs = np.log(np.full((len(pairs), 8), 0.05))
    logs[np.arange(len(pairs)), [decided - 1 for _, decided in pairs]] = np.log(0.65)
    known = {
        "clip": [f"clip {number}" for number in range(len(pairs))],
        "actor": 1,
        "label": [label for label, _ in pairs],
    }
    return pd.DataFrame(known).join(pd.DataFrame(logs, columns=COLUMNS))


# Neutral 1 of 2, calm 3 of 4, angry 0 of 2; no clip of the other emotions.
BY_HAND = decisions([(1, 1), (1, 2), (2, 2), (2, 2), (2, 2), (2, 8), (5, 1), (5, 3)])


def test_accuracy_is_the_share_decided_rightly() -> None:
    assert evaluation.accuracy(BY_HAND) == pytest.approx(4 / 8)


def test_uar_weighs_every_emotion_that_is_there_alike() -> None:
    assert evaluation.uar(BY_HAND) == pytest.approx((1 / 2 + 3 / 4 + 0) / 3)


def test_confusion_counts_acted_in_rows_and_decided_in_columns() -> None:
    found = evaluation.confusion(BY_HAND)
    assert tuple(found.index) == tuple(found.columns) == EMOTIONS
    assert (found.index.name, found.columns.name) == ("acted", "decided")
    wanted = np.zeros((8, 8), int)
    wanted[0, 0] = wanted[0, 1] = wanted[1, 7] = wanted[4, 0] = wanted[4, 2] = 1
    wanted[1, 1] = 3
    np.testing.assert_array_equal(found, wanted)


CODE = st.integers(1, 8)


@given(st.lists(st.tuples(CODE, CODE), min_size=1, max_size=60))
def test_accuracy_and_uar_follow_from_the_confusion(pairs: list[tuple[int, int]]) -> None:
    answers = decisions(pairs)
    assert evaluation.decided(answers).tolist() == [decided for _, decided in pairs]
    counts = evaluation.confusion(answers).to_numpy()
    acted = counts.sum(axis=1)
    assert acted.tolist() == [sum(label == code for label, _ in pairs) for code in range(1, 9)]
    right = counts.diagonal()
    assert evaluation.accuracy(answers) == pytest.approx(right.sum() / len(pairs))
    recalls = right[acted > 0] / acted[acted > 0]
    assert evaluation.uar(answers) == pytest.approx(recalls.mean())


def test_pairs_of_a_clip_are_joined_by_the_geometric_mean() -> None:
    first = [0.70, 0.20, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01]
    second = [0.01, 0.60, 0.09, 0.06, 0.06, 0.06, 0.06, 0.06]
    other = [0.30, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10]
    known = pd.DataFrame({"clip": ["b", "a", "b"], "actor": [2, 1, 2], "label": [2, 1, 2]})
    logs = pd.DataFrame(np.log([first, other, second]), columns=COLUMNS)
    found = evaluation.by_clip(known.join(logs))
    assert found[["clip", "actor", "label"]].to_numpy().tolist() == [["a", 1, 1], ["b", 2, 2]]
    joined = np.sqrt(np.multiply(first, second))
    np.testing.assert_allclose(
        np.exp(found[COLUMNS].to_numpy()), [other, joined / joined.sum()], rtol=1e-6
    )
    assert evaluation.decided(found).tolist() == [1, 2]


def test_a_sure_no_from_one_pair_outweighs_a_sure_yes_from_another() -> None:
    yes = [0.90, 0.04, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]
    no = [0.0001, 0.40, 0.0999, 0.10, 0.10, 0.10, 0.10, 0.10]
    assert np.add(yes, no).argmax() == 0  # what an arithmetic mean would decide
    known = pd.DataFrame({"clip": ["a", "a"], "actor": 1, "label": 2})
    answers = known.join(pd.DataFrame(np.log([yes, no]), columns=COLUMNS))
    assert evaluation.decided(evaluation.by_clip(answers)).tolist() == [2]


def test_predictions_name_the_clips_of_their_rows(easy: FeatureStore) -> None:
    rows = np.array([100, 2, 51])
    logs = np.log(np.random.default_rng(0).dirichlet(np.ones(8), 3))
    found = evaluation.predictions(easy, rows, logs)
    clips = easy.clips.iloc[rows // 2]
    assert found["clip"].tolist() == clips["clip"].tolist()
    assert found["actor"].tolist() == clips["actor"].tolist()
    assert found["label"].tolist() == clips["emotion"].tolist()
    np.testing.assert_array_equal(found[COLUMNS], logs)
