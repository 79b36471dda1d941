"""A whole run is plain JSON, the same twice, and adds up."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from media import store_of

from avlib import course
from avlib.corpus import ravdess
from avlib.evaluation import experiments, metrics, runner
from avlib.features import FeatureStore, Recipe, action_units, build
from avlib.learning import loaders, networks, splits, training
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)
SIDES = ("train", "validation", "test")


@pytest.fixture(scope="module")
def by_unit(built: FeatureStore) -> dict[str, dict[str, object]]:
    """Table I of the corpus on disk under each unit."""
    return {
        unit: experiments.table1(built, unit, BRIEF, jobs=1, progress=False)
        for unit in ("pair", "clip", "take", "actor")
    }


@pytest.mark.parametrize("unit", ["pair", "clip", "take", "actor"])
def test_table1_adds_up_under_every_unit(
    by_unit: dict[str, dict[str, object]], built: FeatureStore, unit: str
) -> None:
    result = by_unit[unit]
    assert [run["network"] for run in result["runs"]] == list(networks.NETWORKS)
    for found in result["runs"]:
        sides = found["sides"]
        assert found["unit"] == unit
        assert sum(sides[side]["rows"] for side in SIDES) == result["rows"] == len(built.rows)
        assert set().union(*(sides[side]["actors"] for side in SIDES)) == {1, 2, 3, 4}
        if unit == "actor":
            assert sum(len(sides[side]["actors"]) for side in SIDES) == 4
        if unit != "pair":
            assert sum(sides[side]["clips"] for side in SIDES) == result["clips"] == 32
        for score in ("pair_accuracy", "clip_accuracy", "uar"):
            assert all(0 <= sides[side][score] <= 1 for side in SIDES)
        assert {(row["epoch"], row["side"]) for row in found["history"]} == {
            (epoch, side) for epoch in (1, 2) for side in ("train", "validation")
        }


def test_table1_says_what_it_was_measured_on(by_unit: dict[str, dict[str, object]]) -> None:
    result = by_unit["actor"]
    assert result["measured_on"] == "practice corpus"
    assert result["training"]["epochs"] == 2
    assert result["recipe"]["sample_rate"] == 22_050
    assert result["actors"] == [1, 2, 3, 4]
    assert {"avlib", "torch", "numpy"} <= set(result["versions"])


def test_the_same_run_twice_is_the_same_text(
    by_unit: dict[str, dict[str, object]], built: FeatureStore
) -> None:
    again = experiments.table1(built, "actor", BRIEF, jobs=1, progress=False)
    text = json.dumps(again, allow_nan=False)
    assert text == json.dumps(by_unit["actor"], allow_nan=False)
    assert json.loads(text) == again


@pytest.mark.slow
def test_networks_that_come_with_avlib_score_what_their_header_says() -> None:
    clips = ravdess.index(course.recordings())
    store = course.store(clips, Recipe.preset("paper"))
    split = splits.split(store.rows, "actor", 0)
    samples = loaders.to_device(store, split.train, "cpu")
    for name in networks.NETWORKS:
        path = experiments.TRAINED / f"{name}.safetensors"
        _, header = training.load_weights(path)
        network, history = experiments.trained(name, store)
        predictions = metrics.by_clip(
            metrics.prediction_table(
                store, split.test, training.predict(network.cpu(), samples, split.test)
            )
        )
        one_clip = 1 / len(predictions)  # other versions of a codec may turn one
        assert metrics.accuracy(predictions) == pytest.approx(
            header["sides"]["test"]["clip_accuracy"], abs=one_clip
        )
        assert len(history) == 30 * 2 * (1 if name in ("audio", "image") else 3)
        assert header["sides"]["test"]["actors"] == sorted(predictions["actor"].unique())
        assert path.stat().st_size < 5e6
        assert (header["training"]["seed"], header["training"]["epochs"]) == (0, 30)


def test_networks_are_not_lent_to_what_they_were_not_trained_for(
    built: FeatureStore, easy: FeatureStore, tmp_path: Path
) -> None:
    other = store_of(easy.clips, np.zeros((len(easy.clips), 40, 9)), easy.pairs, 2)
    with pytest.raises(ValueError, match=r"fusion\.safetensors: trained with recipe"):
        experiments.trained("fusion", other)
    result = experiments.table1(built, "actor", BRIEF, jobs=1, progress=False, weights_to=tmp_path)
    network, history = experiments.trained("image", built, tmp_path)
    image = next(run for run in result["runs"] if run["network"] == "image")
    assert training.digest(network) == image["weights"]
    assert history.to_dict("records") == image["history"]
    body = bytearray((tmp_path / "image.safetensors").read_bytes())
    body[-7] ^= 1
    (tmp_path / "image.safetensors").write_bytes(body)
    with pytest.raises(ValueError, match=r"image\.safetensors: cannot be read"):
        experiments.trained("image", built, tmp_path)


def test_another_seed_is_another_run(
    by_unit: dict[str, dict[str, object]], built: FeatureStore
) -> None:
    settings = Training(epochs=2, batch=32, seed=1)
    other = experiments.table1(built, "clip", settings, jobs=1, progress=False)
    for found, before in zip(other["runs"], by_unit["clip"]["runs"], strict=True):
        assert found["weights"] != before["weights"]
        assert (found["unit"], found["seed"], before["seed"]) == ("clip", 1, 0)


def test_the_summary_sets_the_papers_numbers_beside_ours() -> None:
    paper = {"audio": (98, 70, 70), "image": (98, 85, 85), "fusion": (98, 89, 89)}
    ours = {
        side: {"clip_accuracy": 0.1234 * n, "pair_accuracy": 0.1111 * n, "uar": 0.2222 * n}
        for n, side in enumerate(SIDES, 1)
    }
    table = experiments.table1_beside_paper(
        {"runs": [{"network": name, "sides": ours} for name in paper]}
    )
    for name, numbers in paper.items():
        row = table.loc[name]
        assert tuple(row["paper"][side] for side in SIDES) == numbers
        assert tuple(row["clip accuracy"][side] for side in SIDES) == (12.3, 24.7, 37.0)
        assert tuple(row["pair accuracy"][side] for side in SIDES) == (11.1, 22.2, 33.3)
        assert row["UAR"]["test"] == 66.7


def test_a_store_of_sound_alone_is_refused_with_the_way_out(easy: FeatureStore) -> None:
    heard = store_of(easy.clips, easy.mfcc, None, pairs_a_clip=6)
    with pytest.raises(ValueError, match=r"sound alone.*run audio"):
        experiments.table1(heard, "actor", BRIEF, jobs=1, progress=False)


@pytest.mark.parametrize("with_picture", [True, False])
def test_audio_folds_test_every_clip_once(easy: FeatureStore, with_picture: bool) -> None:
    store = easy if with_picture else store_of(easy.clips, easy.mfcc, None, pairs_a_clip=2)
    result = experiments.audio(store, "actor", 3, BRIEF, jobs=1, progress=False)
    folds = [run["sides"]["test"] for run in result["runs"]]
    assert len(folds) == result["folds"] == 3
    assert sorted(actor for fold in folds for actor in fold["actors"]) == [1, 2, 3, 4, 5, 6]
    together = experiments.table(result).loc["actor", "audio"]
    assert sum(fold["clips"] for fold in folds) == together["clips"] == 96
    pooled = sum(fold["clip_accuracy"] * fold["clips"] for fold in folds) / 96
    assert together["accuracy"] == pytest.approx(pooled)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_audio_folds_learn_the_easy_corpus(easy: FeatureStore) -> None:
    settings = Training(epochs=8, batch=16)
    result = experiments.audio(easy, "actor", 3, settings, jobs=1, progress=False)
    assert experiments.table(result).loc[("actor", "audio"), "UAR"] > 0.95


def test_scores_count_pairs_and_clips(easy: FeatureStore) -> None:
    rows = np.arange(4)  # two pairs of each of two neutral clips
    sure = np.log([[0.93] + [0.01] * 7, [0.3] + [0.4] + [0.05] * 6] * 2)
    found = runner.accuracies(metrics.prediction_table(easy, rows, sure))
    assert found == {
        "pair_accuracy": 0.5, "clip_accuracy": 1.0, "uar": 1.0, "rows": 4, "clips": 2, "actors": [1]
    }  # fmt: skip


@pytest.mark.slow
def test_protocols_are_every_network_under_every_split_the_same_on_any_number_of_processes(
    built: FeatureStore,
) -> None:
    alone, together = (
        experiments.protocols(built, ("clip", "actor"), 1, BRIEF, jobs=jobs, progress=False)
        for jobs in (1, 2)
    )
    assert json.dumps(alone) == json.dumps(together)
    assert {(run["network"], run["unit"]) for run in alone["runs"]} == {
        (name, unit) for name in networks.NETWORKS for unit in ("clip", "actor")
    }
    for run in alone["runs"]:
        counts = np.array(run["confusion"])
        tested = run["sides"]["test"]
        assert counts.sum() == tested["clips"]
        assert np.trace(counts) / tested["clips"] == pytest.approx(tested["clip_accuracy"])


@pytest.mark.slow
def test_protocols_are_summed_up_over_actors_beside_the_majority(built: FeatureStore) -> None:
    result = experiments.protocols(built, ("clip", "actor"), 3, BRIEF, jobs=1, progress=False)
    table = experiments.table(result)
    assert table.index.to_list() == [
        (unit, name)
        for unit in ("clip", "actor")
        for name in (
            "audio",
            "image",
            "fusion",
            "balanced",
            "always the most frequent",
            "fusion less audio",
            "fusion less image",
            "balanced less audio",
            "balanced less image",
            "balanced less fusion",
        )
    ]
    for unit in ("clip", "actor"):
        scores = table.loc[unit]["accuracy"]
        for name in ("audio", "image"):
            assert scores[f"fusion less {name}"] == pytest.approx(scores["fusion"] - scores[name])
    for (unit, name), row in table.iterrows():
        runs = [r for r in result["runs"] if (r["unit"], r["network"]) == (unit, name)]
        if runs:
            tested = [run["sides"]["test"] for run in runs]
            right = sum(side["clip_accuracy"] * side["clips"] for side in tested)
            assert row["accuracy"] == pytest.approx(right / row["clips"])
        if runs and unit == "clip":  # of four actors few are tested where they are kept apart
            assert row["accuracy from"] <= row["accuracy"] <= row["accuracy to"]
    assert table.loc[("actor", "always the most frequent"), "UAR"] == pytest.approx(1 / 4)


@pytest.fixture(scope="module")
def measured(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """The corpus on disk with faces by three numbers that tell the emotion, but for noise."""
    folder = tmp_path_factory.mktemp("measured")
    clips = ravdess.index(corpus)
    random = np.random.default_rng(0)
    units = pd.DataFrame({"name": [f"01-{clip}" for clip in clips["clip"]]})
    for bit in range(3):
        told = clips["emotion"].to_numpy() - 1 >> bit & 1
        units[f"AU0{bit}_r"] = 2 + told + random.normal(0, 0.2, len(clips))  # from 0 to 5
    units.to_csv(folder / "units.csv", index=False)
    clips = action_units.join(clips, folder / "units.csv")
    return build(clips, Recipe.preset("sequence", "vector"), folder / "store", progress=False)


def test_folds_of_action_units_test_every_clip_and_meet_a_regression(
    measured: FeatureStore,
) -> None:
    settings = Training(epochs=40, batch=4)
    result = experiments.protocols(
        measured, ("actor",), 1, settings, folds=2, jobs=1, progress=False
    )
    names = {*networks.NETWORKS, *runner.REGRESSIONS}
    assert {run["network"] for run in result["runs"]} == names
    for name in names:
        predictions = [run["predictions"] for run in result["runs"] if run["network"] == name]
        assert len(predictions) == 2
        assert set().union(*predictions) == set(measured.clips["clip"])
    table = experiments.table(result).loc["actor"]
    assert table.loc[["image", "regression on face", "regression on both"], "accuracy"].min() > 0.9
    assert table.loc["always the most frequent", "accuracy"] < 0.3


def test_published_folds_test_their_actors(measured: FeatureStore) -> None:
    with pytest.warns(UserWarning, match="luna-jimenez: the rows lack 20"):
        result = experiments.audio(measured, "actor", "luna-jimenez", BRIEF, jobs=1, progress=False)
    tested = [run["sides"]["test"]["actors"] for run in result["runs"]]
    assert tested == [[2], [3], [1, 4]]
    assert result["folds"] == "luna-jimenez"
    with pytest.raises(ValueError, match=r"'luna-jimenez' keeps actors apart"):
        experiments.audio(measured, "clip", "luna-jimenez", BRIEF, jobs=1, progress=False)


def test_auxiliary_losses_are_weighed_on_the_same_splits(
    measured: FeatureStore, tmp_path: Path
) -> None:
    kept = {"jobs": 1, "progress": False, "keep": tmp_path}
    result = experiments.variants(measured, "auxiliary", "clip", 1, BRIEF, **kept)
    runs = {run["variant"]: run for run in result["runs"]}
    assert list(runs) == list(experiments.VARIANTS["auxiliary"])
    assert len({tuple(run["predictions"]) for run in runs.values()}) == 1  # the same clips
    predictions = [json.dumps(run["predictions"]) for run in runs.values()]
    assert len(set(predictions)) == len(predictions)
    alike = experiments.protocols(measured, ("clip",), 1, BRIEF, jobs=1, progress=False)["runs"]
    fused = next(run for run in alike if run["network"] == "balanced")
    assert runs["both"]["predictions"] == fused["predictions"]
    table = experiments.table(result).loc["clip"]
    assert table.loc["balanced, both less balanced, none", "accuracy"] == pytest.approx(
        runs["both"]["sides"]["test"]["clip_accuracy"]
        - runs["none"]["sides"]["test"]["clip_accuracy"]
    )
    assert experiments.variants(measured, "auxiliary", "clip", 1, BRIEF, **kept) == result


def test_sounds_are_exchanged_where_the_variant_says(measured: FeatureStore) -> None:
    result = experiments.variants(measured, "pairing", "actor", 1, BRIEF, jobs=1, progress=False)
    runs = {run["variant"]: run["predictions"] for run in result["runs"]}
    assert list(runs) == list(experiments.VARIANTS["pairing"])
    assert len({tuple(predictions) for predictions in runs.values()}) == 1  # the same clips
    assert len({json.dumps(predictions) for predictions in runs.values()}) == 4
    fused = experiments.protocols(measured, ("actor",), 1, BRIEF, jobs=1, progress=False)["runs"]
    assert runs["own sounds"] == next(r["predictions"] for r in fused if r["network"] == "balanced")
