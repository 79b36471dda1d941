"""A few clips of a speaker move what is expected of them toward what they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avlib.learning.speakers import LIMIT, SpeakerNormalisation


def people(count: int, clips: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Speakers whose means lie so far apart, in deviations of one speaker."""
    random = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(count), clips)
    means = apart * random.normal(size=(count, 3))
    return means[speakers] + random.normal(size=(count * clips, 3)), speakers


def test_a_stranger_is_expected_to_be_like_the_training_speakers() -> None:
    given_, speakers = people(12, 40, 1.0)
    known = SpeakerNormalisation().fit(given_, speakers)
    wanted = (given_ - known.mean) / known.deviation
    np.testing.assert_allclose(known.transform(given_), wanted.clip(-LIMIT, LIMIT))


def test_whoever_is_known_by_many_clips_is_normalised_by_them() -> None:
    known = SpeakerNormalisation().fit(*people(12, 40, 1.0))
    own = 3 + 2 * np.random.default_rng(1).normal(size=(20_000, 3))
    found = known.partial_fit(own).transform(own)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.01)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4))
@settings(max_examples=20)
def test_clips_may_come_one_by_one_or_together(sizes: list[int]) -> None:
    fitted = SpeakerNormalisation().fit(*people(6, 10, 1.0))
    own, _ = people(1, sum(sizes), 1.0, seed=2)
    for part in np.split(own, np.cumsum(sizes)[:-1]):
        fitted.partial_fit(part)
    at_once = SpeakerNormalisation().fit(*people(6, 10, 1.0)).partial_fit(own)
    asked, _ = people(1, 5, 1.0, seed=3)
    assert fitted.clips == sum(sizes)
    np.testing.assert_allclose(fitted.transform(asked), at_once.transform(asked))


@pytest.mark.parametrize("apart", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("clips", [1, 3, 10])
def test_the_expected_mean_is_better_than_either_of_what_it_joins(apart: float, clips: int) -> None:
    fitted = SpeakerNormalisation().fit(*people(24, 60, apart))
    random, errors = np.random.default_rng(5), []
    for _ in range(400):
        truth = apart * random.normal(size=3)
        own = truth + random.normal(size=(clips, 3))
        fitted.forget().partial_fit(own)
        expected = (clips * own.mean(axis=0) + fitted.doubt * fitted.mean) / (clips + fitted.doubt)
        guesses = (expected, own.mean(axis=0), fitted.mean)
        errors.append([np.square(guess - truth).mean() for guess in guesses])
    joined, own_alone, others_alone = np.mean(errors, axis=0)
    assert joined < 1.02 * min(own_alone, others_alone)
    np.testing.assert_allclose(fitted.doubt, 1 / apart**2, rtol=0.8)


def test_training_speakers_are_normalised_each_by_their_own() -> None:
    given_, speakers = people(5, 30, 4.0)
    fitted = SpeakerNormalisation().fit(given_, speakers)
    found = fitted.of_training(given_, speakers)
    for speaker in range(5):
        np.testing.assert_allclose(found[speakers == speaker].mean(axis=0), 0, atol=1e-9)
    strangers = fitted.partial_fit(given_[:5]).of_training(given_, speakers, known=False)
    np.testing.assert_allclose(strangers, fitted.forget().transform(given_))


def test_what_never_changes_stays_a_number() -> None:
    given_, speakers = people(5, 30, 1.0)
    given_[:, 1] = 0.7
    fitted = SpeakerNormalisation().fit(given_, speakers)
    for found in (fitted.transform(given_), fitted.of_training(given_, speakers)):
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[:, 1], 0, atol=1e-3)


@pytest.mark.parametrize("speakers", [[1] * 10, [1] * 5 + [2] * 5, [1] * 5 + [2] * 4 + [3]])
def test_too_few_speakers_or_clips_are_refused(speakers: list[int]) -> None:
    with pytest.raises(ValueError, match="three with two clips each"):
        SpeakerNormalisation().fit(np.zeros((10, 2)), np.array(speakers))
