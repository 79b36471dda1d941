"""Cures stand side by side on the same clips, and diagnostics follow a dominance that was set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from media import store_of, table

from avlib import practice
from avlib.corpus import ravdess
from avlib.evaluation import dominance, dominance_table, metrics
from avlib.features import FeatureStore, Recipe, audio, build, spoil
from avlib.features.recipe import clip_mfcc
from avlib.learning import loaders, splits
from avlib.learning.cures import CURES
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)
NOISE = spoil.noise(10)
QUIET = {"jobs": 1, "progress": False}


def world(actors: int = 4, heard: float = 0.3, seen: float = 0.6) -> FeatureStore:
    """Sound that tells the emotion clearly, and faces that tell it a little less so."""
    random = np.random.default_rng(0)
    names = [
        ravdess.ClipName(1, 1, emotion, 1, statement, repetition, actor)
        for actor in range(1, actors + 1)
        for emotion in range(1, 9)
        for statement in (1, 2)
        for repetition in (1, 2)
    ]
    clips = table(names)
    told = np.eye(8)[clips["emotion"] - 1]
    mfcc = np.repeat(told, 5, axis=1) + random.normal(0, heard, (len(clips), 40))
    faces = told + random.normal(0, seen, (len(clips), 8))
    return store_of(clips, mfcc, None, vectors=faces.astype(np.float32))


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    names = ("none", "auxiliary", "late")
    return dominance.run(world(), ("clip", "actor"), 1, BRIEF, names, folds=4, **QUIET)


def test_a_run_is_plain_json_and_is_kept(result: dict[str, object], tmp_path: Path) -> None:
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    how = QUIET | {"keep": tmp_path, "folds": 4}
    first = dominance.run(world(), ("actor",), 1, BRIEF, ("none", "late"), **how)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert len(kept) == 8
    assert dominance.run(world(), ("actor",), 1, BRIEF, ("none", "late"), **how) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == kept
    some = [each for each in result["runs"] if each["unit"] == "actor"]
    assert [each for each in some if each["variant"] != "auxiliary"] == first["runs"]
    dominance.run(world(), ("actor",), 1, BRIEF, ("none",), (0.5,), **how)
    assert len(list(tmp_path.rglob("*.json"))) == 12  # another world is another run


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="cures: 'luck' is none; choose from none, auxiliary"):
        dominance.run(world(), names=("luck",), **QUIET)
    with pytest.raises(ValueError, match="seeds: should be 1 or more"):
        dominance.run(world(), seeds=0, **QUIET)
    with pytest.raises(ValueError, match="strength: should be 0 to 1, got 2"):
        dominance.run(world(), strengths=(2,), **QUIET)


def test_the_table_holds_each_cure_and_each_paired_difference(result: dict[str, object]) -> None:
    rows = dominance_table.table(result)
    for unit in ("clip", "actor"):
        own = {row["who"]: row for row in rows if row["split by"] == unit}
        assert list(own) == [
            "none", "auxiliary", "late",
            "auxiliary less none", "late less none", "late less auxiliary",
        ]  # fmt: skip
        for column in ("accuracy", "UAR", "sound only", "face only", "face black for 1 s"):
            difference = own["late less auxiliary"]
            wanted = own["late"][column] - own["auxiliary"][column]
            assert difference[column] == pytest.approx(wanted)
            assert difference[f"{column} from"] <= wanted <= difference[f"{column} to"]
        assert "noise at 10 dB" not in own["none"]  # a store in memory has no recordings
    assert "late" in "\n".join(dominance_table.as_text(rows))


def test_diagnostics_follow_from_what_was_predicted(result: dict[str, object]) -> None:
    runs = [r for r in result["runs"] if (r["unit"], r["variant"]) == ("actor", "none")]
    label = np.concatenate(
        [[ravdess.ClipName.parse(f"01-{c}").emotion for c in r["predictions"]] for r in runs]
    )
    right = {
        name: float((np.concatenate([r["asked"][name] for r in runs]) == label).mean())
        for name in runs[0]["asked"]
    }
    row = next(
        row for row in dominance_table.table(result)
        if (row["split by"], row["who"]) == ("actor", "none")
    )  # fmt: skip
    joint = np.mean([r["sides"]["test"]["clip_accuracy"] for r in runs])
    assert row["accuracy"] == pytest.approx(joint)
    assert row["utilisation of sound"] == pytest.approx((joint - right["face only"]) / joint)
    assert row["lost with another's face"] == pytest.approx(joint - right["another's face"])
    shares = row["Shapley of sound"] + row["Shapley of face"]
    assert shares == pytest.approx(joint - right["neither"])
    assert row["probe of sound"] == pytest.approx(right["probe audio"])


def test_a_weaker_world_changes_more_sounds_and_no_face() -> None:
    store = world()
    samples = loaders.to_device(store, np.arange(len(store.rows)), "cpu")
    before: set[int] = set()
    for strength in (1.0, 0.75, 0.5, 0.0):
        weak = dominance.weakened(samples, strength)
        assert weak.vectors is samples.vectors
        assert torch.equal(weak.clip_of_row, samples.clip_of_row)
        same = (weak.mfcc == samples.mfcc).all(dim=1).numpy()
        changed = set(np.flatnonzero(~same))
        assert before <= changed
        assert len(changed) == pytest.approx((1 - strength) * len(same), abs=3)
        assert all((samples.mfcc == sound).all(dim=1).any() for sound in weak.mfcc)
        before = changed
    label = samples.label.numpy()
    told = dominance.weakened(samples, 0.0).mfcc.reshape(-1, 8, 5).sum(dim=2).argmax(dim=1)
    assert (told.numpy() == label).mean() < 0.25  # chance is 0.125


def test_a_face_is_black_for_a_second(easy: FeatureStore) -> None:
    pairs = np.repeat(easy.pairs[:64:2], 6, axis=0)  # six pairs a clip
    store = store_of(easy.clips[:32], easy.mfcc[:32], pairs, pairs_a_clip=6)
    samples = loaders.to_device(store, np.arange(len(pairs)), "cpu")
    black = dominance._blackened(samples, samples).pairs
    assert (black.flatten(1).sum(dim=1) == 0).reshape(32, 6).tolist() == [
        [False, False, True, True, False, False]
    ] * 32
    units = world()
    own = loaders.to_device(units, np.arange(len(units.rows)), "cpu")
    mean = dominance.dominance.at_mean(own, "image", np.arange(len(units.rows)))
    mixed = dominance._blackened(own, mean).vectors
    torch.testing.assert_close(mixed, own.vectors * 2 / 3, rtol=1e-4, atol=1e-5)  # the mean is 0


def test_noise_is_ten_decibels_under_the_recording(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, path = Recipe.preset("paper", "none"), clips["sound"].iloc[0]
    plain, noisy, again = (clip_mfcc(path, recipe, each) for each in (None, NOISE, NOISE))
    assert np.array_equal(noisy, again)
    assert not np.allclose(plain, noisy, atol=1)
    heard = []
    monkeypatch.setattr(audio, "resample", lambda sound, *_: heard.append(sound) or sound)
    for each in (None, NOISE):
        clip_mfcc(path, recipe, each)
    power = [float(np.mean(np.square(each))) for each in (heard[0], heard[1] - heard[0])]
    assert 10 * np.log10(power[0] / power[1]) == pytest.approx(10, abs=0.1)
    assert len(heard[0]) == soundfile.info(path).frames


def test_noisy_sounds_are_asked_where_recordings_are_at_hand(
    clips: pd.DataFrame, tmp_path: Path
) -> None:
    seen = clips.assign(vector=[np.arange(3, dtype=np.float32) + e for e in clips["emotion"]])
    recipe = Recipe.preset("paper", "vector")
    store = build(seen, recipe, tmp_path / "store", jobs=1, progress=False)
    noisy = dominance.with_noise(store, seen, tmp_path / "runs", progress=False)
    assert noisy.noise.is_file()
    written = noisy.noise.stat().st_mtime_ns
    dominance.with_noise(store, seen, tmp_path / "runs", progress=False)
    assert noisy.noise.stat().st_mtime_ns == written
    found = dominance.run(noisy, ("clip",), 1, BRIEF, ("none",), folds=3, **QUIET)
    asked = found["runs"][0]["asked"]
    assert len(asked["noise at 10 dB"]) == found["runs"][0]["sides"]["test"]["clips"]
    row = dominance_table.table(found)[0]
    assert 0 <= row["noise at 10 dB"] <= 1
    train = splits.cuts(store.rows, "clip", 3, 0)[0].train
    samples = loaders.to_device(store, train, "cpu")
    split = splits.cuts(store.rows, "clip", 3, 0)[0]
    conditions = dict(dominance._conditions(noisy, samples, split, 0, 1.0))
    kept = np.unique(store.rows["clip_number"].iloc[train])
    wanted = clip_mfcc(seen["sound"].iloc[5], recipe, NOISE)
    wanted = (wanted - store.mfcc[kept].mean(axis=0)) / store.mfcc[kept].std(axis=0)
    np.testing.assert_allclose(conditions["noise at 10 dB"].mfcc[5], wanted, rtol=1e-3, atol=1e-3)


def test_drawn_faces_are_of_the_practice_corpus_alone(tmp_path: Path) -> None:
    names = practice.half([1])[:4]
    practice.write(tmp_path / "drawn", 1, modalities=[3], names=names, progress=False)
    clips = ravdess.index(tmp_path / "drawn")
    found = dominance.drawn_faces(clips, tmp_path / "drawn")["vector"]
    assert {each.shape for each in found} == {(17,)}
    assert all(0 <= value <= 5 for each in found for value in each)
    with pytest.raises(ValueError, match="is no practice corpus"):
        dominance.drawn_faces(clips, tmp_path)


@pytest.mark.slow
def test_diagnostics_rank_worlds_by_the_strength_that_was_set() -> None:
    strengths = (0.0, 0.25, 0.5, 0.75, 1.0)
    found = dominance.run(
        world(actors=8), ("actor",), 2, Training(epochs=15), ("none",), strengths, folds=4, **QUIET
    )
    ranks = {row["who"]: row for row in dominance_table.table(found)}["ρ over worlds"]
    for name in ("utilisation of", "lost with another's", "Shapley of", "head of", "probe of"):
        assert ranks[f"{name} sound"] >= 0.9
    # Of the face, whose sound alone was made worse, they rank nothing reliably: RESULTS.md says so.


def test_accuracies_of_parts_are_by_clip(result: dict[str, object]) -> None:
    each = result["runs"][0]
    pooled = dominance_table.pooled_of([each])
    assert metrics.accuracy(pooled[""]) == each["sides"]["test"]["clip_accuracy"]
    assert metrics.predicted(pooled["neither"]).tolist() == each["asked"]["neither"]


def test_what_comes_with_avlib_holds_every_cure_and_every_world() -> None:
    kept = dominance_table.measured("cures")
    for unit in ("clip", "actor"):
        names = kept.loc[kept["split by"] == unit, "who"]
        assert [name for name in names if " less " not in name] == list(CURES)
    worlds = dominance_table.measured("worlds")
    worlds = worlds[~worlds["who"].str.contains(" less ")]
    assert worlds.groupby("who").size().to_dict() == dict.fromkeys(
        ("none", "auxiliary", "late-same", "late"), 6
    )
    for each in (kept, worlds):
        assert each[["accuracy", "accuracy from", "accuracy to"]].notna().all(axis=None)
    assert Path(dominance_table.__file__).with_name("dominance.json").stat().st_size < 100_000
