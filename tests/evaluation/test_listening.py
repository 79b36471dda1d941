"""Any recording goes the way that a training clip went, and what cannot be heard is said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avlib import features, practice
from avlib.__main__ import main
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import listening, recogniser
from avlib.features import Recipe, audio, functionals

QUIET = {"progress": False, "jobs": 1}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four practice clips of one actor, as films."""
    folder = tmp_path_factory.mktemp("spoken")
    names = practice.first()[:4]
    practice.write(folder, 1, modalities=[1, 3], names=names, progress=False, jobs=1)
    return sorted(folder.rglob("03-*.wav"))


def test_a_short_recording_is_heard_as_in_training(spoken: list[Path]) -> None:
    sound, rate = audio.load(spoken[0])
    (only,) = listening.stretches(sound, rate)
    wanted = features.clip_voice(spoken[0], Recipe.preset("voice"))
    np.testing.assert_array_equal(only.functionals, wanted)


def test_a_long_recording_is_cut_at_its_pauses(spoken: list[Path]) -> None:
    sounds = [audio.load(path) for path in spoken[:3]]
    rate, silence = sounds[0][1], np.zeros(sounds[0][1], np.float32)
    whole = np.concatenate([part for sound, _ in sounds for part in (sound, silence)])
    found = listening.stretches(whole, rate)
    begun = 0.0
    for (sound, _), stretch in zip(sounds, found, strict=True):
        alone = functionals.analyse(sound, rate)
        voiced = begun + alone.start + np.flatnonzero(alone.voiced)[[0, -1]] / 100
        assert begun <= stretch.start < voiced[0] + 0.2
        assert voiced[1] - 0.2 < stretch.end <= begun + len(sound) / rate
        begun += len(sound) / rate + 1


@pytest.mark.parametrize("gain", [0.03, 2.0])
def test_how_far_the_microphone_is_decides_nothing(
    spoken: list[Path], tmp_path: Path, gain: float
) -> None:
    sound, rate = audio.load(spoken[1])
    path = tmp_path / "other.wav"
    soundfile.write(path, gain * sound, rate, subtype="FLOAT")
    assert np.abs(gain * sound).max() < 1  # nothing is clipped
    (there, here), _ = listening.predict([spoken[1], path], **QUIET)
    assert there.emotion == here.emotion
    for name in EMOTIONS:
        assert here.probabilities[name] == pytest.approx(there.probabilities[name], abs=0.01)


def test_sound_files_and_films_of_other_kinds_are_heard(spoken: list[Path], tmp_path: Path) -> None:
    sound, rate = audio.load(spoken[2])
    for kind in ("flac", "ogg"):
        soundfile.write(tmp_path / f"a.{kind}", sound, rate)
    film = spoken[2].with_name(f"01{spoken[2].stem[2:]}.mp4")
    shutil.copy(film, tmp_path / "a.mov")
    paths = [spoken[2], tmp_path / "a.flac", film, tmp_path / "a.mov", tmp_path / "a.ogg"]
    heard, failed = listening.predict(paths, **QUIET)
    assert not failed
    wav, flac, mp4, mov, _ = (np.array(list(each.probabilities.values())) for each in heard)
    np.testing.assert_allclose(flac, wav, atol=1e-3)
    np.testing.assert_array_equal(mov, mp4)


def test_one_who_is_known_is_normalised_by_all_files(spoken: list[Path]) -> None:
    strangers, _ = listening.predict(spoken, **QUIET)
    known, _ = listening.predict(spoken, same_speaker=True, **QUIET)
    assert [each.file for each in known] == [str(path) for path in spoken]
    assert known[0].probabilities != strangers[0].probabilities
    for each in (*known, *strangers):
        assert sum(each.probabilities.values()) == pytest.approx(1)


def test_what_cannot_be_heard_is_listed_and_the_rest_goes_on(
    spoken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rate = 16_000
    noise = np.random.default_rng(0).normal(0, 0.05, (10 * rate,))
    bad = {"silence": np.zeros(2 * rate), "short": np.zeros(rate // 50), "long-noise": noise}
    for name, sound in bad.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, rate)
    (tmp_path / "text.mp3").write_text("no sound")
    shutil.copy(spoken[0], tmp_path / "voice.wav")
    out = tmp_path / "heard.json"
    assert main(["predict", str(tmp_path), "--json", str(out)]) == 1
    said = capsys.readouterr()
    assert "silence.wav: holds nothing but silence" in said.err
    assert "long-noise.wav: holds no voice" in said.err
    assert "short.wav:" in said.err
    assert "text.mp3: cannot be read as sound" in said.err
    (heard,) = json.loads(out.read_text())
    assert heard["file"].endswith("voice.wav")
    assert heard["emotion"] in heard["probabilities"]
    assert set(heard["probabilities"]) == set(EMOTIONS)
    assert [set(each) for each in heard["segments"]] == [{"start", "end", "probabilities"}]
    assert "Trained on RAVDESS" in said.out
    assert "do not judge people by this" in said.out


def test_a_table_is_written_and_a_missing_file_is_named(
    spoken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    table = tmp_path / "heard.csv"
    assert main(["predict", str(spoken[0]), "--same-speaker", "--csv", str(table)]) == 0
    assert table.read_text().splitlines()[0] == "file,emotion," + ",".join(EMOTIONS)
    assert main(["predict", str(tmp_path / "not there.wav")]) == 1
    assert "not there.wav: is not there; name a sound file" in capsys.readouterr().err


def test_doubt_is_said() -> None:
    even = listening.Heard("a", dict.fromkeys(EMOTIONS, 1 / 8), [])
    sure = listening.Heard("a", dict.fromkeys(EMOTIONS, 0.02) | {"sad": 0.86}, [])
    assert even.sentence().startswith("no emotion stands out")
    assert sure.sentence().startswith("sad 0.86")


def test_what_it_is_worth_comes_from_its_header() -> None:
    header = recogniser.load("own-voice")[1]
    row = next(row for row in header["rows"] if row["speaker_clips"] == 0)
    assert f"{100 * row['accuracy']:.0f} %" in listening.worth(header, same_speaker=False)
