"""Published systems stand beside the paper's network on the same clips, with what each costs."""

import json
import pickle
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from media import store_of, table
from torch import nn

from avlib.corpus import ravdess
from avlib.evaluation import metrics, table2
from avlib.features import FeatureStore
from avlib.learning import loaders, networks, systems
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)
QUIET = {"jobs": 1, "progress": False}
NAMES = ("siddiqui-javaid-five", "cornejo-pedrini", "ristea")


def stores(actors: int = 8) -> tuple[FeatureStore, FeatureStore, FeatureStore]:
    """Sound and faces that tell the emotion, by the three recipes that a run takes."""
    random = np.random.default_rng(0)
    clips = table(
        ravdess.ClipName(1, 1, emotion, 1, statement, repetition, actor)
        for actor in range(1, actors + 1)
        for emotion in range(1, 9)
        for statement in (1, 2)
        for repetition in (1, 2)
    )
    told = np.eye(8)[clips["emotion"] - 1]
    mfcc = np.repeat(told, 5, axis=1) + random.normal(0, 0.3, (len(clips), 40))
    faces = (told + random.normal(0, 0.6, (len(clips), 8))).astype(np.float32)
    store, voices = (store_of(clips, mfcc, None, vectors=faces) for _ in range(2))
    vars(voices).update(arrays={"voice": mfcc.astype(np.float32)})
    return store, store, voices


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    return table2.run(*stores(), ("clip", "actor"), 4, 1, BRIEF, NAMES, **QUIET)


def rows_of(result: dict[str, object]) -> dict[tuple[str, str, str], dict[str, object]]:
    return {(row["split by"], row["who"], row["variant"]): row for row in table2.table(result)}


@pytest.mark.slow
def test_every_system_is_tested_on_every_clip_of_its_emotions(result: dict[str, object]) -> None:
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    rows = rows_of(result)
    for unit in ("clip", "actor"):
        for name in (*NAMES, table2.PAPER, table2.VOICE, table2.BOTH):
            row = rows[unit, name, ""]
            assert row["clips"] == 8 * 4 * (5 if name.endswith("-five") else 8), name
            assert row["accuracy from"] <= row["accuracy"] <= row["accuracy to"]
            assert min(row["parameters"], row["multiply-adds"], row["seconds"]) > 0
        stages = [variant for u, name, variant in rows if (u, name) == (unit, "cornejo-pedrini")]
        assert stages[1:] == list(systems.SYSTEMS["cornejo-pedrini"].stages)


@pytest.mark.slow
def test_differences_are_those_on_the_same_clips(result: dict[str, object]) -> None:
    rows = rows_of(result)
    for name in ("ristea", "cornejo-pedrini"):
        row, voice = (rows["actor", who, ""] for who in (name, table2.VOICE))
        assert row[f"less {table2.VOICE}"] == pytest.approx(row["accuracy"] - voice["accuracy"])
    assert f"less {table2.PAPER}" not in rows["actor", table2.PAPER, ""]


def test_who_tells_five_emotions_apart_is_compared_with_one_who_may_answer_five() -> None:
    clips = table(ravdess.ClipName(1, 1, emotion, 1, 1, 1, 1) for emotion in range(1, 9))
    said = pd.DataFrame(np.log(np.full((8, 8), 0.05)), columns=metrics.LOG_COLUMNS)
    said["log_prob_2"], said["log_prob_5"] = np.log(0.4), np.log(0.3)
    known = clips[["clip", "actor", "emotion"]].rename(columns={"emotion": "label"}).join(said)
    some = table2.among(known, (1, 3, 4, 5, 8))
    assert some["label"].tolist() == [1, 3, 4, 5, 8]
    assert metrics.predicted(some).tolist() == [5] * 5  # calm was likelier, and is no answer
    np.testing.assert_allclose(np.exp(some[metrics.LOG_COLUMNS]).sum(axis=1), 1)


@pytest.mark.slow
def test_the_stage_that_decides_is_chosen_without_a_test_row(result: dict[str, object]) -> None:
    for each in result["runs"]:
        if each["network"] == "cornejo-pedrini":
            assert each["predictions"] == each["stages"][each["chosen"]]


def test_a_run_is_kept_and_goes_on(tmp_path: Path) -> None:
    given = (*stores(), ("actor",), 4, 1, BRIEF, ("ristea",))
    first = table2.run(*given, keep=tmp_path, **QUIET)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert len(kept) == 8  # four folds of the system, and of the paper's network
    again = table2.run(*given, keep=tmp_path, **QUIET)
    trained = [each for each in first["runs"] if not each["network"].startswith("disc")]
    assert again["runs"][: len(trained)] == trained  # to the second
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == kept


class Mine(systems.chumachenko.Chumachenko):
    """What a student may write in a notebook."""


def test_a_network_of_ones_own_joins_the_table_and_is_never_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = systems.System("mine", "", "", "none yet", "nothing", network=Mine)
    monkeypatch.setitem(systems.SYSTEMS, "mine", mine)
    given = (*stores(), ("actor",), 4, 1, BRIEF, ("mine",))
    found = table2.run(*given, keep=tmp_path, **QUIET)
    assert rows_of(found)["actor", "mine", ""]["clips"] == 256
    assert len([*tmp_path.rglob("*.json")]) == 4  # those of the paper's network
    packed = cloudpickle.dumps(table2.SystemTrial("mine", "actor", BRIEF))
    monkeypatch.delitem(systems.SYSTEMS, "mine")  # as another process begins
    assert pickle.loads(packed).network == "mine"
    assert systems.SYSTEMS["mine"].network is Mine
    del systems.SYSTEMS["mine"]


def test_somebodys_predictions_join_on_the_clips_that_they_are_about(
    result: dict[str, object],
) -> None:
    runs = [
        each for each in result["runs"] if (each["network"], each["unit"]) == ("ristea", "actor")
    ]
    theirs = metrics.from_log_probabilities(
        {clip: logs for each in runs for clip, logs in each["predictions"].items()}
    )
    half = theirs[theirs["actor"] <= 4]
    found = table2.run(*stores(), ("actor",), 4, 1, BRIEF, ("ristea",), {"theirs": half}, **QUIET)
    row = rows_of(found)["actor", "theirs", "as published"]
    assert row["clips"] == len(half) == 128
    assert row["accuracy"] == pytest.approx(metrics.accuracy(half))
    own = pd.concat(
        [metrics.from_log_probabilities(each["predictions"]) for each in result["runs"]
         if (each["network"], each["unit"]) == (table2.VOICE, "actor")]
    )  # fmt: skip
    voice = metrics.accuracy(own[own["actor"] <= 4])
    assert row[f"less {table2.VOICE}"] == pytest.approx(row["accuracy"] - voice)


def test_the_discriminants_never_learn_from_a_tested_clip() -> None:
    store, _, voices = stores()
    trial = table2.CostedTrial("fusion", "actor", BRIEF, 4)
    before = table2._discriminants(voices, trial)[0]["predictions"]
    tested = voices.clips["clip"].isin(before).to_numpy()
    heard = voices.voice.copy()
    heard[tested] = heard[tested] * 9 + 5
    vars(voices).update(arrays={"voice": heard}, clips=voices.clips.assign(
        emotion=np.where(tested, 1, voices.clips["emotion"])))  # fmt: skip
    after = table2._discriminants(voices, trial)[0]["predictions"]
    assert before != after
    heard[tested] = store.mfcc[tested]
    assert table2._discriminants(voices, trial)[0]["predictions"] == before


class Counted(nn.Module):
    """Layers whose multiply-adds one can count by hand."""

    needs_image = True

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(1, 4, 3, padding=1, bias=False)
        self.along = nn.LSTM(4, 5, batch_first=True)
        self.face = nn.Linear(8, 2)

    def forward(self, mfcc: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        return self.along(self.convolution(mfcc[:, None]).mT)[0].sum() + self.face(image).sum()


def test_multiply_adds_are_counted_as_one_does_by_hand() -> None:
    samples = loaders.to_device(stores()[0], np.arange(64), "cpu")
    network = networks.seeded(Counted, seed=0)
    before = [weight.clone() for weight in network.parameters()]
    convolved, remembered, seen = 40 * 4 * 3, 40 * 4 * 5 * (4 + 5), 8 * 2
    assert table2.multiply_adds(network, samples) == convolved + remembered + seen
    assert all(map(torch.equal, before, network.parameters()))


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(ValueError, match="'aghajani' cannot be run; choose from siddiqui-javaid"):
        table2.run(*stores(), names=("aghajani",), **QUIET)
    with pytest.raises(ValueError, match="seeds: should be 1 or more, got 0"):
        table2.run(*stores(), seeds=0, **QUIET)


def test_weights_go_to_who_takes_them_and_name_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked, train = tmp_path / "cnn14.pth", [], systems.train
    path.write_bytes(b"weights")

    def watched(name: str, *given: object) -> systems.Trained:
        asked.append((name, given[-1]))
        return train(name, *given[:-1])

    monkeypatch.setattr(systems, "train", watched)
    names = ("luna-jimenez", "ristea")
    found = table2.run(*stores(), ("actor",), 4, 1, BRIEF, names, weights=path, **QUIET)
    assert set(asked) == {("luna-jimenez", str(path)), ("ristea", None)}
    (row,) = (row for row in table2.table(found) if row["who"] == "luna-jimenez")
    assert row["variant"].startswith("weights ")
    with pytest.raises(FileNotFoundError, match="nowhere: no such file of weights"):
        table2.run(*stores(), names=names, weights=tmp_path / "nowhere", **QUIET)
