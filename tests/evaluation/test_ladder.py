"""The ladder tests strangers, says what it saw of them, and is the same on any number of cores."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from media import store_of, table

from avlib.corpus.ravdess import ClipName
from avlib.evaluation import ladder, metrics
from avlib.features import functionals
from avlib.features.store import FeatureStore
from avlib.learning import classifiers
from avlib.learning.training import Training

QUIET = {"progress": False, "jobs": 1, "networks": False}


def stores(strength: float, actors: int = 12) -> tuple[FeatureStore, FeatureStore]:
    """Voices, action units and MFCCs in memory that tell the emotion so strongly."""
    random = np.random.default_rng(0)
    names = [
        ClipName(3, 1, emotion, 1, statement, repetition, actor)
        for actor in range(1, actors + 1)
        for emotion in range(1, 9)
        for statement in (1, 2)
        for repetition in (1, 2)
    ]
    clips = table(names)
    shown = strength * np.eye(8)[clips["emotion"] - 1]
    own = random.normal(size=(actors + 1, 8))[clips["actor"]]

    def seen(width: int) -> np.ndarray:
        signal = np.tile(shown + own, -(-width // 8))[:, :width]
        return signal + 2 * random.normal(size=signal.shape)

    faces = seen(35).astype(np.float32)
    heard = seen(len(functionals.described())).astype(np.float32)
    mfccs = store_of(clips, np.repeat(seen(40)[:, :, None], 9, axis=2), None, 1, faces)
    voices = store_of(clips, heard[:, :40], None, 1, mfccs.vectors)
    voices.header["recipe"]["sound"] = "voice"
    vars(voices)["arrays"] = {"voice": heard}
    return voices, mfccs


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    with pytest.warns(UserWarning, match="the rows lack 12 of the 24 actors"):
        return ladder.run(*stores(1.0), **QUIET)


def test_each_row_says_what_was_learned_from_who_was_known_and_how_sure_that_is(
    result: dict[str, object],
) -> None:
    rows = result["rows"]
    assert {(r["step"], r["speaker_clips"]) for r in rows} >= {
        ("mean MFCCs of the clip", 0),
        ("the whole voice", 5),
        ("face alone", "all"),
        ("voice and face, late", "neutral"),
        ("voice and face, joint", 0),
    }
    for row in rows:
        assert row["low"] <= row["accuracy"] <= row["high"]
        assert 0 < row["uar"] <= 1
    assert {row["step"] for row in result["differences"]} >= {f"{ladder.LATE} less {ladder.VOICE}"}
    assert json.loads(json.dumps(result)) == result
    for found in result["of"].values():
        assert set(found["recall"]) == set(metrics.EMOTIONS)
        assert set(found["accuracy_of_actor"]) == {str(actor) for actor in range(1, 13)}


def test_a_speaker_who_is_known_is_understood_better(result: dict[str, object]) -> None:
    found = {(r["step"], r["speaker_clips"]): r["accuracy"] for r in result["rows"]}
    late = [found["voice and face, late", clips] for clips in (0, 5, "all")]
    assert late == sorted(late)
    assert late[0] > found["face alone", 0]


@pytest.mark.slow
def test_the_ladder_is_the_same_on_any_number_of_processes(result: dict[str, object]) -> None:
    with pytest.warns(UserWarning, match="the rows lack"):
        assert ladder.run(*stores(1.0), **QUIET | {"jobs": 2}) == result


@pytest.mark.slow
def test_where_nothing_tells_an_emotion_strangers_are_at_chance() -> None:
    found = ladder.run(*stores(0.0), folds=3, **QUIET)
    assert all(row["accuracy"] < 0.25 for row in found["rows"] if row["speaker_clips"] == 0 and
               "unfair" not in row["step"])  # fmt: skip


@pytest.mark.slow
def test_every_look_at_the_same_actors_is_counted(tmp_path: Path) -> None:
    some = stores(1.0)
    looks = [ladder.run(*some, folds=folds, keep=tmp_path, **QUIET)["looks"] for folds in (2, 2, 3)]
    assert looks == [1, 2, 1]


@pytest.mark.slow
def test_networks_climb_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "Training", partial(Training, epochs=2))
    monkeypatch.setattr(ladder, "ensemble", partial(classifiers.ensemble, networks=1, epochs=5))
    found = ladder.run(*stores(1.0), folds=2, keep=tmp_path, progress=False, jobs=1)
    steps = {row["step"] for row in found["rows"]}
    assert steps >= {"networks on the voice", ladder.BEST, "fusion network of lesson 04"}
    compared = [row["step"] for row in found["differences"]]
    assert f"{ladder.BEST} less fusion network of lesson 04" in compared


def test_proportions_are_met_by_every_actor() -> None:
    random = np.random.default_rng(0)
    label = np.tile(np.repeat(np.arange(1, 9), [1, 2, 2, 2, 2, 2, 2, 2]), 2)
    logs = np.log(random.dirichlet(np.ones(8), len(label)))
    given = pd.DataFrame({"clip": np.arange(len(label)).astype(str), "label": label})
    given["actor"] = np.repeat([1, 2], len(label) // 2)
    given[metrics.LOG_COLUMNS] = logs
    for _, own in ladder.with_proportions(given).groupby("actor"):
        sums = np.exp(own[metrics.LOG_COLUMNS].to_numpy()).sum(axis=0)
        np.testing.assert_allclose(sums, [1, 2, 2, 2, 2, 2, 2, 2], atol=0.05)


def test_frame_pairs_become_a_row_of_grey_pixels_for_each_clip(easy: FeatureStore) -> None:
    found = ladder.faces(easy)
    assert found.shape == (len(easy.clips), 512)
    first = easy.pairs[:2].astype(float).mean(axis=(0, 3))
    left, right = first[:4, :4].mean(), first[:4, 64:68].mean()
    assert found[0, [0, 16]] == pytest.approx([left, right - left], abs=1e-3)
