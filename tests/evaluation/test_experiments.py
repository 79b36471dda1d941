"""A whole run is plain JSON, the same twice, and adds up."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from media import store_of

import avlib
from avlib import course
from avlib.corpus import ravdess
from avlib.evaluation import experiments, metrics
from avlib.features import FeatureStore, Recipe, action_units, build
from avlib.learning import loaders, splits, training, weights
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)
SIDES = ("train", "validation", "test")


@pytest.fixture(scope="module")
def by_unit(built: FeatureStore) -> dict[str, dict[str, object]]:
    """Table I of the corpus on disk under each unit."""
    return {
        unit: experiments.table1(built, unit, BRIEF, progress=False)
        for unit in ("pair", "clip", "take", "actor")
    }


@pytest.mark.parametrize("unit", ["pair", "clip", "take", "actor"])
def test_table1_adds_up_under_every_unit(
    by_unit: dict[str, dict[str, object]], built: FeatureStore, unit: str
) -> None:
    result = by_unit[unit]
    split = result["split"]
    assert split["unit"] == unit
    assert sum(split[side]["rows"] for side in SIDES) == result["rows"] == len(built.rows)
    assert set().union(*(split[side]["actors"] for side in SIDES)) == {1, 2, 3, 4}
    if unit == "actor":
        assert sum(len(split[side]["actors"]) for side in SIDES) == 4
    if unit != "pair":
        assert sum(split[side]["clips"] for side in SIDES) == result["clips"] == 32
    for found in result["networks"].values():
        for side in SIDES:
            assert found[side]["clips"] == split[side]["clips"]
            for score in ("pair_accuracy", "clip_accuracy", "uar"):
                assert 0 <= found[side][score] <= 1
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
    again = experiments.table1(built, "actor", BRIEF, progress=False)
    text = json.dumps(again, allow_nan=False)
    assert text == json.dumps(by_unit["actor"], allow_nan=False)
    assert json.loads(text) == again


@pytest.mark.slow
def test_networks_that_come_with_avlib_score_what_their_header_says() -> None:
    clips = ravdess.index(course.recordings())
    store = course.store(clips, Recipe.preset("paper"))
    split = splits.split(store.rows, "actor", 0)
    samples = loaders.to_device(store, split.train, "cpu")
    for name in experiments.NETWORKS:
        path = experiments.TRAINED / f"{name}.safetensors"
        _, header = weights.load(path, sealed=False)
        network, history = experiments.trained(name, store)
        predictions = metrics.by_clip(
            metrics.prediction_table(
                store, split.test, training.predict(network.cpu(), samples, split.test)
            )
        )
        one_clip = 1 / len(predictions)  # other versions of a codec may turn one
        assert metrics.accuracy(predictions) == pytest.approx(
            header["test"]["clip_accuracy"], abs=one_clip
        )
        assert len(history) == 30 * 2 * (1 if name in ("audio", "image") else 3)
        assert header["split"]["test"]["actors"] == sorted(predictions["actor"].unique())
        assert path.stat().st_size < 5e6
        assert (header["training"]["seed"], header["training"]["epochs"]) == (0, 30)


def test_networks_are_not_lent_to_what_they_were_not_trained_for(
    built: FeatureStore, easy: FeatureStore, tmp_path: Path
) -> None:
    other = store_of(easy.clips, np.zeros((len(easy.clips), 40, 9)), easy.pairs, 2)
    with pytest.raises(ValueError, match=r"fusion\.safetensors: trained with recipe"):
        experiments.trained("fusion", other)
    result = experiments.table1(built, "actor", BRIEF, progress=False, weights_to=tmp_path)
    network, history = experiments.trained("image", built, tmp_path)
    assert training.digest(network) == result["networks"]["image"]["weights"]
    assert history.to_dict("records") == result["networks"]["image"]["history"]
    tensors, header = weights.load(tmp_path / "image.safetensors")
    tensors["classifier.0.bias"][3] += 1e-3
    weights.save(tmp_path / "image.safetensors", tensors, header)
    with pytest.raises(ValueError, match=r"image\.safetensors: damaged"):
        experiments.trained("image", built, tmp_path)


def test_another_seed_is_another_run(
    by_unit: dict[str, dict[str, object]], built: FeatureStore
) -> None:
    settings = Training(epochs=2, batch=32, seed=1)
    other = experiments.table1(built, "clip", settings, progress=False)
    for name, found in other["networks"].items():
        assert found["weights"] != by_unit["clip"]["networks"][name]["weights"]
    assert other["split"] == other["split"] | {"unit": "clip"}


def test_the_summary_sets_the_papers_numbers_beside_ours() -> None:
    paper = {"audio": (98, 70, 70), "image": (98, 85, 85), "fusion": (98, 89, 89)}
    ours = {
        side: {"clip_accuracy": 0.1234 * n, "pair_accuracy": 0.1111 * n, "uar": 0.2222 * n}
        for n, side in enumerate(SIDES, 1)
    }
    table = experiments.table1_beside_paper({"networks": dict.fromkeys(paper, ours)})
    for name, numbers in paper.items():
        row = table.loc[name]
        assert tuple(row["paper"][side] for side in SIDES) == numbers
        assert tuple(row["clip accuracy"][side] for side in SIDES) == (12.3, 24.7, 37.0)
        assert tuple(row["pair accuracy"][side] for side in SIDES) == (11.1, 22.2, 33.3)
        assert row["UAR"]["test"] == 66.7


def test_a_store_of_sound_alone_is_refused_with_the_way_out(easy: FeatureStore) -> None:
    heard = store_of(easy.clips, easy.mfcc, None, pairs_a_clip=6)
    with pytest.raises(ValueError, match=r"sound alone.*run audio"):
        experiments.table1(heard, "actor", BRIEF, progress=False)


@pytest.mark.parametrize("with_picture", [True, False])
def test_audio_folds_test_every_clip_once(easy: FeatureStore, with_picture: bool) -> None:
    store = easy if with_picture else store_of(easy.clips, easy.mfcc, None, pairs_a_clip=2)
    result = experiments.audio_folds(store, "actor", 3, BRIEF, progress=False)
    folds = result["folds"]
    assert len(folds) == 3
    assert sorted(actor for fold in folds for actor in fold["actors"]) == [1, 2, 3, 4, 5, 6]
    assert sum(fold["clips"] for fold in folds) == result["test"]["clips"] == 96
    pooled = sum(fold["clip_accuracy"] * fold["clips"] for fold in folds) / 96
    assert result["test"]["clip_accuracy"] == pytest.approx(pooled)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_audio_folds_learn_the_easy_corpus(easy: FeatureStore) -> None:
    settings = Training(epochs=8, batch=16)
    result = experiments.audio_folds(easy, "actor", 3, settings, progress=False)
    assert result["test"]["uar"] > 0.95


def test_scores_count_pairs_and_clips(easy: FeatureStore) -> None:
    rows = np.arange(4)  # two pairs of each of two neutral clips
    sure = np.log([[0.93] + [0.01] * 7, [0.3] + [0.4] + [0.05] * 6] * 2)
    found = experiments.accuracies(metrics.prediction_table(easy, rows, sure))
    assert found == {"pair_accuracy": 0.5, "clip_accuracy": 1.0, "uar": 1.0, "clips": 2}


@pytest.mark.slow
def test_protocols_are_every_network_under_every_split_the_same_on_any_number_of_processes(
    built: FeatureStore,
) -> None:
    alone, together = (
        experiments.protocols(built, ("clip", "actor"), 1, BRIEF, jobs, progress=False)
        for jobs in (1, 2)
    )
    assert json.dumps(alone) == json.dumps(together)
    assert {(run["network"], run["unit"]) for run in alone["runs"]} == {
        (name, unit) for name in experiments.NETWORKS for unit in ("clip", "actor")
    }
    for run in alone["runs"]:
        counts = np.array(run["confusion"])
        assert counts.sum() == run["clips"]
        assert np.trace(counts) / run["clips"] == pytest.approx(run["clip_accuracy"])


def test_protocols_are_summed_up_over_actors_beside_the_majority(built: FeatureStore) -> None:
    result = experiments.protocols(built, ("clip", "actor"), 3, BRIEF, 2, progress=False)
    table = experiments.protocol_table(result)
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
            right = sum(run["clip_accuracy"] * run["clips"] for run in runs)
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
    result = experiments.protocols(measured, ("actor",), 1, settings, 1, progress=False, folds=2)
    names = {*experiments.NETWORKS, *experiments.REGRESSIONS}
    assert {run["network"] for run in result["runs"]} == names
    for name in names:
        predictions = [run["predictions"] for run in result["runs"] if run["network"] == name]
        assert len(predictions) == 2
        assert set().union(*predictions) == set(measured.clips["clip"])
    table = experiments.protocol_table(result).loc["actor"]
    assert table.loc[["image", "regression on face", "regression on both"], "accuracy"].min() > 0.9
    assert table.loc["always the most frequent", "accuracy"] < 0.3


def test_published_folds_test_their_actors(measured: FeatureStore) -> None:
    with pytest.warns(UserWarning, match="luna-jimenez: the rows lack 20"):
        result = experiments.audio_folds(measured, "actor", "luna-jimenez", BRIEF, progress=False)
    assert [fold["actors"] for fold in result["folds"]] == [[2], [3], [1, 4]]
    assert result["split"]["folds"] == "luna-jimenez"
    with pytest.raises(ValueError, match=r"'luna-jimenez' keeps actors apart"):
        experiments.audio_folds(measured, "clip", "luna-jimenez", BRIEF, progress=False)


def test_auxiliary_losses_are_weighed_on_the_same_splits(
    measured: FeatureStore, tmp_path: Path
) -> None:
    result = experiments.variants(measured, "auxiliary", "clip", 1, BRIEF, 1, False, tmp_path)
    runs = {run["variant"]: run for run in result["runs"]}
    assert list(runs) == list(experiments.VARIANTS["auxiliary"])
    assert len({tuple(run["predictions"]) for run in runs.values()}) == 1  # the same clips
    predictions = [json.dumps(run["predictions"]) for run in runs.values()]
    assert len(set(predictions)) == len(predictions)
    alike = experiments.protocols(measured, ("clip",), 1, BRIEF, 1, progress=False)["runs"]
    fused = next(run for run in alike if run["network"] == "balanced")
    assert runs["both"]["predictions"] == fused["predictions"]
    table = experiments.protocol_table(result).loc["clip"]
    assert table.loc["balanced, both less balanced, none", "accuracy"] == pytest.approx(
        runs["both"]["clip_accuracy"] - runs["none"]["clip_accuracy"]
    )
    assert (
        experiments.variants(measured, "auxiliary", "clip", 1, BRIEF, 1, False, tmp_path) == result
    )


def test_sounds_are_exchanged_where_the_variant_says(measured: FeatureStore) -> None:
    result = experiments.variants(measured, "pairing", "actor", 1, BRIEF, 1, progress=False)
    runs = {run["variant"]: run["predictions"] for run in result["runs"]}
    assert list(runs) == list(experiments.VARIANTS["pairing"])
    assert len({tuple(predictions) for predictions in runs.values()}) == 1  # the same clips
    assert len({json.dumps(predictions) for predictions in runs.values()}) == 4
    fused = experiments.protocols(measured, ("actor",), 1, BRIEF, 1, progress=False)["runs"]
    assert runs["own sounds"] == next(r["predictions"] for r in fused if r["network"] == "balanced")


@pytest.mark.slow
def test_killed_protocols_go_on_and_end_in_the_same_result(
    built: FeatureStore, tmp_path: Path
) -> None:
    wanted = experiments.protocols(built, ("clip",), 2, BRIEF, 1, progress=False)
    program = (
        "import sys; from pathlib import Path; from avlib import features\n"
        "from avlib.evaluation import experiments; from avlib.learning import training\n"
        "store = features.FeatureStore.open(sys.argv[1])\n"
        "brief = training.Training(epochs=2, batch=32)\n"
        "experiments.protocols(store, ('clip',), 2, brief, 1, False, Path(sys.argv[2]))\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, built.folder, tmp_path])
    while len(list(tmp_path.rglob("[0-9a-f]*.json"))) < 2:
        assert killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("[0-9a-f]*.json")}
    assert 2 <= len(done) < 6
    found = experiments.protocols(built, ("clip",), 2, BRIEF, 1, progress=False, keep=tmp_path)
    assert json.dumps(found) == json.dumps(wanted)
    assert {path: path.stat().st_mtime_ns for path in done} == done  # not made again
    other = replace(BRIEF, learning_rate=0.02)
    changed = experiments.protocols(built, ("clip",), 2, other, 1, progress=False, keep=tmp_path)
    assert changed["runs"][0]["predictions"] != found["runs"][0]["predictions"]


def test_a_kept_run_that_was_changed_is_made_again(built: FeatureStore, tmp_path: Path) -> None:
    wanted = experiments.protocols(built, ("clip",), 1, BRIEF, 1, progress=False, keep=tmp_path)
    kept = sorted(tmp_path.rglob("[0-9a-f]*.json"))
    better = json.loads(kept[0].read_text()) | {"clip_accuracy": 0.99}
    nan = kept[0].read_text().replace('"uar": ', '"uar": NaN, "was": ')
    for damaged in (json.dumps(better), "{}", "[]", "", nan, kept[1].read_text()):
        kept[0].write_text(damaged)
        with pytest.warns(UserWarning, match=rf"{kept[0].name}: .*made again"):
            found = experiments.protocols(
                built, ("clip",), 1, BRIEF, 1, progress=False, keep=tmp_path
            )
        assert json.dumps(found) == json.dumps(wanted)


def test_kept_runs_are_told_and_made_again_on_request_or_by_other_code(
    built: FeatureStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def run(**how: object) -> set[int]:
        experiments.protocols(built, ("clip",), 1, BRIEF, 1, True, tmp_path, **how)
        return {path.stat().st_mtime_ns for path in tmp_path.rglob("[0-9a-f]*.json")}

    first = run()
    assert "kept" not in capsys.readouterr().out
    assert run() == first
    assert "4 of 4 runs kept from 20" in capsys.readouterr().out
    again = run(fresh=True)
    assert not again & first
    monkeypatch.setattr(experiments, "_code", lambda: "of another network")
    assert len(run() - again) == 4


def test_whoever_changes_a_network_changes_what_runs_are_kept_under(tmp_path: Path) -> None:
    shutil.copytree(Path(avlib.__file__).parent, tmp_path / "avlib")
    with (tmp_path / "avlib" / "learning" / "networks.py").open("a") as file:
        file.write("\nLATER = 1\n")
    code = "from avlib.evaluation import experiments; print(experiments._code())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.strip()) == 64
    assert done.stdout.strip() != experiments._code()


def test_runs_that_share_a_device_give_the_same_table(built: FeatureStore) -> None:
    wanted = experiments.protocols(built, ("clip", "actor"), 1, BRIEF, 1, progress=False)["runs"]
    plans = [
        experiments.Trial(run["network"], run["unit"], Training(**run["settings"]))
        for run in wanted
    ]
    found = experiments._on_one_device(built, plans, dict.fromkeys(plans), progress=False)
    for one, other in zip(wanted, found, strict=True):
        assert {key: one[key] for key in ("network", "unit", "seed", "actors", "clips")} == {
            key: other[key] for key in ("network", "unit", "seed", "actors", "clips")
        }
        assert other["clip_accuracy"] == pytest.approx(one["clip_accuracy"], abs=0.13)  # a clip


@pytest.mark.parametrize(
    ("unit", "what", "expected"),
    [  # what a test row has in train, by facts about the design: 0.8 of the rows train
        ("pair", "another row of the same clip", 0.9996),
        ("file", "its twin in another modality", 0.81),
        ("clip", "the other repetition", 0.81),
        ("clip", "the same actor", 1),
        ("take", "the other repetition", 0),
        ("actor", "the same actor", 0),
    ],
)
def test_the_audit_gives_back_what_the_design_says(unit: str, what: str, expected: float) -> None:
    found = experiments.audit(None, unit, range(5))
    assert found["measured_on"] == "the full design of RAVDESS"
    shares = found["shares"][what]
    tested = found["rows"] / 10 * 5
    error = 3 * np.sqrt(expected * (1 - expected) / tested)
    assert shares["mean"] == pytest.approx(expected, abs=max(error, 1e-9))
    assert shares["least"] <= shares["mean"] <= shares["most"]


def test_the_audit_of_recordings_finds_equal_bytes(corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    sounds = sorted(folder.rglob("03-*.wav"))
    for sound in sounds[1:]:
        shutil.copyfile(sounds[0], sound)
    found = experiments.audit(folder, "actor", [0])
    assert found["shares"]["the same bytes"]["mean"] == 1
    assert found["shares"]["the same actor"]["mean"] == 0
    assert found["shares"]["its twin in another modality"] is None
    assert json.loads(json.dumps(found)) == found
