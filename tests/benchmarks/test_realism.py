"""The report on a practice corpus measures what it says."""

import numpy as np
import pytest
import realism
from media import store_of, table

from avlib.corpus import ravdess
from avlib.features import FeatureStore
from avlib.learning.training import Training


def test_a_machine_that_knows_the_actors_does_better_at_random_than_apart() -> None:
    """Each actor has a code of their own for each emotion: strangers cannot be read."""
    names = ravdess.speech_names(range(1, 13))
    clips = table(names)
    random = np.random.default_rng(0)
    codes = random.normal(size=(13, 9, 40))
    mfcc = codes[clips["actor"], clips["emotion"]] + random.normal(0, 0.1, (len(clips), 40))
    found = realism.svm_accuracies(store_of(clips, mfcc, None))
    assert found["random"] > 0.95
    assert found["actor"] < 0.3


def test_confusions_are_shares_of_what_was_acted() -> None:
    counts = np.zeros((8, 8), int)
    counts[1, [0, 1, 3, 4]] = 2, 5, 2, 1  # calm: two neutral, five right, two sad, one angry
    counts[5, 5] = 4
    run = {"network": "balanced", "unit": "actor", "confusion": counts.tolist()}
    other = {"network": "balanced", "unit": "pair", "confusion": np.ones((8, 8)).tolist()}
    networks = {"runs": [run, run, other]}
    summed = realism.strangers_confusion(networks)
    assert summed.loc["calm", "neutral"] == 4
    assert realism.confused(summed) == {
        "calm": {"neutral": 0.2, "sad": 0.2, "angry": 0.1},
        "fearful": {"surprised": 0.0, "sad": 0.0, "happy": 0.0},
    }


def test_few_actors_are_refused(easy: FeatureStore) -> None:
    few = easy.clips[easy.clips["actor"] < 6]
    with pytest.raises(ValueError, match="six actors"):
        realism.report(few, 0, (easy, easy), 1, Training(epochs=1), progress=False)
