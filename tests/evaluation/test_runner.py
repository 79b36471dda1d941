"""Runs are kept whole or not at all, and go on where they stopped."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import avlib
from avlib.evaluation import experiments, runner
from avlib.features import FeatureStore
from avlib.learning.training import Training

BRIEF = Training(epochs=2, batch=32)
QUIET = {"jobs": 1, "progress": False}


@pytest.mark.slow
def test_killed_protocols_go_on_and_end_in_the_same_result(
    built: FeatureStore, tmp_path: Path
) -> None:
    wanted = experiments.protocols(built, ("clip",), 2, BRIEF, **QUIET)
    program = (
        "import sys; from pathlib import Path; from avlib import features\n"
        "from avlib.evaluation import experiments; from avlib.learning import training\n"
        "store = features.FeatureStore.open(sys.argv[1])\n"
        "brief = training.Training(epochs=2, batch=32)\n"
        "experiments.protocols(store, ('clip',), 2, brief, jobs=1, keep=Path(sys.argv[2]))\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, built.folder, tmp_path])
    while len(list(tmp_path.rglob("[0-9a-f]*.json"))) < 2:
        assert killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("[0-9a-f]*.json")}
    assert 2 <= len(done) < 6
    found = experiments.protocols(built, ("clip",), 2, BRIEF, keep=tmp_path, **QUIET)
    assert json.dumps(found) == json.dumps(wanted)
    assert {path: path.stat().st_mtime_ns for path in done} == done  # not made again
    other = replace(BRIEF, learning_rate=0.02)
    changed = experiments.protocols(built, ("clip",), 2, other, keep=tmp_path, **QUIET)
    assert changed["runs"][0]["predictions"] != found["runs"][0]["predictions"]


def test_a_kept_run_that_was_changed_is_made_again(built: FeatureStore, tmp_path: Path) -> None:
    wanted = experiments.protocols(built, ("clip",), 1, BRIEF, keep=tmp_path, **QUIET)
    kept = sorted(tmp_path.rglob("[0-9a-f]*.json"))
    better = json.loads(kept[0].read_text()) | {"seed": 7}
    nan = kept[0].read_text().replace('"seed": ', '"seed": NaN, "was": ')
    for damaged in (json.dumps(better), "{}", "[]", "", nan, kept[1].read_text()):
        kept[0].write_text(damaged)
        with pytest.warns(UserWarning, match=rf"{kept[0].name}: .*made again"):
            found = experiments.protocols(built, ("clip",), 1, BRIEF, keep=tmp_path, **QUIET)
        assert json.dumps(found) == json.dumps(wanted)


@pytest.mark.slow
def test_kept_runs_are_told_and_made_again_on_request_or_by_other_code(
    built: FeatureStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def run(**how: object) -> set[int]:
        experiments.protocols(built, ("clip",), 1, BRIEF, jobs=1, keep=tmp_path, **how)
        return {path.stat().st_mtime_ns for path in tmp_path.rglob("[0-9a-f]*.json")}

    first = run()
    assert "kept" not in capsys.readouterr().out
    assert run() == first
    assert "4 of 4 runs kept from 20" in capsys.readouterr().out
    again = run(fresh=True)
    assert not again & first
    monkeypatch.setattr(runner, "_code", lambda: "of another network")
    assert len(run() - again) == 4


def test_whoever_changes_a_network_changes_what_runs_are_kept_under(tmp_path: Path) -> None:
    shutil.copytree(Path(avlib.__file__).parent, tmp_path / "avlib")
    with (tmp_path / "avlib" / "learning" / "networks.py").open("a") as file:
        file.write("\nLATER = 1\n")
    code = "from avlib.evaluation import runner; print(runner._code())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.strip()) == 64
    assert done.stdout.strip() != runner._code()


@pytest.mark.slow
def test_runs_that_share_a_device_give_the_same_table(built: FeatureStore) -> None:
    wanted = experiments.protocols(built, ("clip", "actor"), 1, BRIEF, **QUIET)["runs"]
    plans = [
        runner.Trial(run["network"], run["unit"], Training(**run["settings"])) for run in wanted
    ]
    found = runner._on_one_device(built, plans, dict.fromkeys(plans), progress=False)
    for one, other in zip(wanted, found, strict=True):
        assert [one[key] for key in ("network", "unit", "seed")] == [
            other[key] for key in ("network", "unit", "seed")
        ]
        assert list(one["predictions"]) == list(other["predictions"])
        accuracies = [run["sides"]["test"]["clip_accuracy"] for run in (one, other)]
        assert accuracies[1] == pytest.approx(accuracies[0], abs=0.13)  # a clip
