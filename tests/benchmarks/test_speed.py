"""The bench measures the same work on both sides, and says so."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import speed
from media import RATE, chirp, write_mp4

from avlib.corpus import ravdess
from avlib.features import FeatureStore

pytestmark = pytest.mark.slow


def test_both_sides_take_turns_and_the_first_turn_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, order = [0.0], []
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock[0])

    def work(name: str, seconds: list[float]) -> None:
        order.append(name)
        clock[0] += seconds.pop(0)

    ours, theirs = [90.0, 1.0, 5.0, 2.0], [70.0, 8.0, 8.0, 9.0]
    medians = speed.turns(lambda: work("ours", ours), lambda: work("theirs", theirs), repeats=3)
    assert medians == (2.0, 8.0)
    assert order == ["ours", "theirs"] * 4


def test_the_reference_of_sound_gives_our_numbers(tmp_path: Path) -> None:
    files = [tmp_path / f"{seed}.wav" for seed in range(2)]
    for seed, path in enumerate(files):
        soundfile.write(path, chirp(1.5, RATE, seed), RATE)
    (row,) = speed.sound(files, repeats=1)
    assert float(row.same.split()[0]) < 0.05
    assert row.ratio == pytest.approx(row.reference / row.ours)


def test_voices_are_followed_beside_another_tracker(real_speech: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_speech) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))[:2]
        paths = [Path(archive.extract(name, tmp_path)) for name in names]
    followed, *others = speed.voice(paths, repeats=1)
    assert float(followed.same.split()[0]) > 0.8
    assert all(row.ours > 0 for row in others)


def test_the_reference_of_pictures_shows_our_frames(tmp_path: Path) -> None:
    rows = speed.picture([write_mp4(tmp_path / "clip.mp4")], repeats=1, again=1)
    assert rows[0].same == "6 of 6 pairs show the same frames"


def test_the_encoded_film_has_the_bit_rate_asked_for(tmp_path: Path) -> None:
    film = speed.write_film(tmp_path / "film.mp4", megabits=10, seconds=2)
    lines, megabits = re.findall(r"[\d.]+", speed._describe(film))
    assert lines == "720"
    assert 8 < float(megabits) < 12


def test_the_second_build_is_set_against_the_first(clips: pd.DataFrame) -> None:
    (row,) = speed.second_build(clips[:4], repeats=1)
    assert row.ratio == pytest.approx(row.reference / row.ours)


def test_both_ways_to_train_are_scored_on_every_seed(built: FeatureStore) -> None:
    (row,) = speed.fusion(built, repeats=1, epochs=1)
    accuracies = [float(number) for number in re.findall(r"0\.\d+|1\.0+", row.same)]
    assert len(accuracies) == 4
    assert "2 seeds" in row.same


def test_growth_builds_that_many_different_recordings(clips: pd.DataFrame, tmp_path: Path) -> None:
    speed._copy_films(clips[:3], tmp_path, 7)
    films = sorted(tmp_path.rglob("*.mp4"))
    assert len({film.read_bytes() for film in films}) == 7
    assert {len(ravdess.index(tmp_path / part)) for part in ("0000", "0001")} == {3}
    rows = speed.growth(clips[:3], counts=(3, 7))
    assert [row.what for row in rows] == ["features of 3 clips", "features of 7 clips"]
    assert all(re.fullmatch(r"peak memory \d+ MiB, largest worker \d+ MiB", r.same) for r in rows)


def test_the_command_prints_a_table_and_writes_it(
    clips: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(clips["sound"].iloc[0]).parents[1]
    arguments = ["--data", str(folder), "--repeats", "2", "--json", str(tmp_path / "bench.json")]
    assert speed.main(["import", *arguments]) == 0
    said = capsys.readouterr().out
    result = json.loads((tmp_path / "bench.json").read_text())
    assert result["measured_on"] == "practice corpus"
    (row,) = result["rows"]
    assert row["what"] == "import avlib"
    assert "import avlib" in said
    assert f"torch {result['torch']}" in said
    assert np.isclose(row["ratio"], row["reference"] / row["ours"])


def test_a_bench_without_a_turn_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["import", "--repeats", "0"])
    assert "--repeats 0" in capsys.readouterr().err


def test_a_benchmark_that_fails_takes_nothing_of_the_others_with_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the disk is full")

    monkeypatch.setattr("speed.growth", fail)
    kept = tmp_path / "found.json"
    command = ["import", "growth", "--data", str(corpus), "--repeats", "1"]
    assert speed.main([*command, "--json", str(kept)]) == 1
    captured = capsys.readouterr()
    assert "growth: the disk is full" in captured.err
    assert "import avlib" in captured.out
    found = json.loads(kept.read_text())
    assert len(found["rows"]) == 1
    assert found["failed"] == ["growth: the disk is full"]
