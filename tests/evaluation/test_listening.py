"""Any recording goes the way that a training clip went, and what cannot be heard is said."""

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from avlib import features, practice
from avlib.__main__ import main
from avlib.corpus import recording
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import ladder, listening
from avlib.evaluation import profile as profiles
from avlib.evaluation.listening import Recogniser
from avlib.features import Recipe, audio, functionals
from avlib.learning import fusion

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
    heard, done = listening.predict(paths, **QUIET)
    assert not done.failed
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
    bad = {
        "silence": np.zeros(2 * rate),
        "hush": np.zeros(9 * rate),
        "short": np.zeros(rate // 50),
        "long-noise": noise,
    }
    for name, sound in bad.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, rate)
    (tmp_path / "text.mp3").write_text("no sound")
    shutil.copy(spoken[0], tmp_path / "voice.wav")
    out = tmp_path / "heard.json"
    assert main(["predict", str(tmp_path), "--json", str(out)]) == 1
    said = capsys.readouterr()
    assert "silence.wav: holds nothing but silence" in said.err
    assert "hush.wav: holds nothing but silence" in said.err
    assert "long-noise.wav: holds no voice" in said.err
    assert "short.wav:" in said.err
    assert "text.mp3: cannot be read as sound" in said.err
    (heard,) = json.loads(out.read_text())
    assert heard["file"].endswith("voice.wav")
    assert heard["emotion"] in heard["probabilities"]
    assert set(heard["probabilities"]) == set(EMOTIONS)
    assert [set(each) for each in heard["segments"]] == [{"start", "end", "probabilities"}]
    assert heard["notes"] == []
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


def test_a_stretch_has_no_part_in_what_is_known_for_it(spoken: list[Path]) -> None:
    found = [listening.stretches(*audio.load(path)) for path in spoken]
    judge, every = Recogniser.load(), [each for one in found for each in one]
    others = [each for one in found[1:] for each in one]
    assert judge.judge("a", found[0], every) == judge.judge("a", found[0], others)
    assert judge.judge("a", found[0], every[:2]) == judge.judge("a", found[0])  # one is too few
    assert "knew 2 clips" in judge.judge("a", found[0], every).worth


def test_a_folder_is_searched_and_a_file_is_meant_once(spoken: list[Path], tmp_path: Path) -> None:
    (tmp_path / "x.wav").mkdir()
    for name in ("x.wav/in.WAV", "._a.wav", "a.wav", "b.opus", "c.txt"):
        shutil.copy(spoken[0], tmp_path / name)
    found = listening.files_in([tmp_path, tmp_path / "a.wav", tmp_path / "x.wav" / ".." / "a.wav"])
    assert [path.name for path in found] == ["a.wav", "b.opus", "in.WAV"]


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100])
def test_time_does_not_drift_at_any_rate(rate: int) -> None:
    blocks = [(np.full(length, 0.1, np.float32), rate) for length in (rate, 7, 60 * rate + 3)]
    level = listening.loudness(iter(blocks))
    assert len(level) == sum(len(sound) for sound, _ in blocks) * 100 // rate
    np.testing.assert_allclose(level, -20, atol=1e-4)


def test_what_is_a_hundredth_of_a_sentence_is_refused_by_name(
    spoken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    sound, rate = audio.load(spoken[0])
    loudest = np.abs(sound).argmax()
    for milliseconds in (10, 30, 42):
        cut = sound[loudest : loudest + milliseconds * rate // 1000]
        soundfile.write(tmp_path / f"{milliseconds}.wav", cut, rate)
    assert main(["predict", str(tmp_path), str(spoken[0])]) == 1
    said = capsys.readouterr()
    assert said.err.count("too little for a voice") == 3
    assert str(spoken[0]) in said.out


def test_outputs_that_cannot_be_are_refused_before_anything_is_heard(
    spoken: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(listening, "predict", None)
    one, sound = str(tmp_path / "a.json"), str(spoken[0])
    for options, said in (
        (["--profile", one, "--json", one], "is named by --profile and --json"),
        (["--annotate", str(tmp_path / "a.mp4")], "has no picture"),
        (["--profile", sound], "it is no profile: name another file"),
    ):
        assert main(["predict", sound, *options]) == 1
        assert said in capsys.readouterr().err


def test_doubt_is_said() -> None:
    even = listening.Judgement("a", dict.fromkeys(EMOTIONS, 1 / 8), [])
    sure = listening.Judgement("a", dict.fromkeys(EMOTIONS, 0.02) | {"sad": 0.86}, [])
    assert even.sentence().startswith("no emotion stands out")
    assert sure.sentence().startswith("sad 0.86")


def test_what_it_is_worth_comes_from_its_header() -> None:
    judge = Recogniser.load()
    shares = {
        row["speaker_clips"]: f"{100 * row['accuracy']:.0f} %" for row in judge.header["rows"]
    }
    for known, row in ((0, 0), (1, 1), (4, 2), (19, 10), (200, "all")):
        assert f"right on {shares[row]}" in judge.worth(known)
    assert "never heard" in judge.worth(0)
    assert "knew 1 clip," in judge.worth(1)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.integers(0, 9))
def test_a_block_at_a_time_is_heard_as_the_whole(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.1, sum(sizes)).astype(np.float32)
    pieces = [(part, 100) for part in np.split(sound, np.cumsum(sizes)[:-1])]
    level = listening.loudness(iter(pieces))
    np.testing.assert_allclose(level, 10 * np.log10(np.square(sound, dtype=float) + 1e-10))
    edges = np.sort(rng.uniform(0, len(sound) / 100, 4))
    spans = [(edges[0], edges[1]), (edges[2], edges[3])]
    for (start, end), (cut, rate) in zip(spans, listening._cuts(iter(pieces), spans), strict=True):
        first = max(0, round((start - listening.PAUSE / 2) * 100))
        last = round((end + listening.PAUSE / 2) * 100)
        assert rate == 100
        np.testing.assert_array_equal(cut, sound[first:last])


def test_hours_need_no_more_memory_than_minutes(spoken: list[Path], tmp_path: Path) -> None:
    sound, rate = audio.load(spoken[0])
    most = []
    for times in (20, 200):
        path = tmp_path / f"{times}.wav"
        silence = np.zeros(8 * rate, np.float32)
        with soundfile.SoundFile(path, "w", rate, 1) as file:
            for _ in range(times):
                file.write(silence)
            file.write(sound)
        tracemalloc.start()
        found = list(listening._stretches(lambda path=path: recording.blocks(path)))
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(found) == 1
        assert found[0].start == pytest.approx(8 * times, abs=1.5)
    assert most[1] < 1.3 * most[0]


def test_ctrl_c_keeps_what_was_heard(
    spoken: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = functionals.compute, []

    def interrupted(*given: object) -> np.ndarray:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(functionals, "compute", interrupted)
    sound, rate = audio.load(spoken[0])
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([sound, np.zeros(rate)] * 5), rate)
    heard, done = listening.predict([path], **QUIET)
    assert done.interrupted
    assert len(heard[0].segments) == 2
    assert done.failed[path].startswith("interrupted")


def test_a_profile_knows_who_spoke_before(
    spoken: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    profile = tmp_path / "me.json"
    told = []
    for _ in range(3):
        assert main(["predict", *map(str, spoken[:3]), "--profile", str(profile)]) == 0
        told.append(capsys.readouterr().out)
    assert "3 stretches of voice are known" in told[0]
    assert "actors it had never heard" in told[0]
    assert "3 stretches of voice are known" in told[2]  # the same files are not counted again
    assert "of whom it knew 2 clips" in told[1]
    assert told[1] == told[2] != told[0]
    known = profiles.load(profile)
    alone, _ = listening.predict(spoken[3:], known=known, **QUIET)
    functional = functionals.compute(*audio.load(spoken[0]))
    np.testing.assert_array_equal(known[0].functionals, functional)
    assert alone != listening.predict(spoken[3:], **QUIET)[0]
    content = json.loads(profile.read_text())
    content["stretches"] = {}
    profile.write_text(json.dumps(content))
    assert main(["predict", str(spoken[0]), "--profile", str(profile)]) == 1
    assert "was changed since avlib wrote it" in capsys.readouterr().err


@pytest.mark.slow
def test_one_trained_on_films_sees_faces(
    spoken: list[Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Trained on functionals and pixels that tell nothing: it is the way that counts."""
    rng, count = np.random.default_rng(0), len(functionals.described())
    emotion, actor = np.tile(np.arange(1, 9), 16), np.repeat(np.arange(1, 17), 8)
    given = {"sound": rng.normal(0, 1, (128, count)), "face": rng.normal(99, 9, (128, 512))}
    header = {
        "functionals": [each.name for each in functionals.described()],
        "recipe": {"visual": "pairs"},
        "measured_on": "nothing",
        "clips": 128,
        "actors": [],
        "rows": [{"speaker_clips": 0, "accuracy": 0.1, "low": 0.0, "high": 0.2}],
    }
    fusion.save(fusion.LateFusion().fit(given, emotion, actor), tmp_path / "a.safetensors", header)
    film = spoken[0].with_name(f"01{spoken[0].stem[2:]}.mp4")
    (heard, voice), _ = listening.predict(
        [film, spoken[0]], weights=tmp_path / "a.safetensors", **QUIET
    )
    assert heard.notes == ["a face was seen in 12 of 12 looks"]
    assert voice.notes == ["has no picture: the voice was judged alone"]
    assert "sound and picture" in heard.worth
    assert "sound alone" in voice.worth
    assert voice.probabilities == listening.predict([spoken[0]], **QUIET)[0][0].probabilities
    assert heard.probabilities != voice.probabilities
    shipped = Path(fusion.__file__).parent / "trained" / "voice-and-face.safetensors"
    with pytest.raises(ValueError, match="asks for a face's action units"):
        listening.predict([film], weights=shipped, **QUIET)


def test_what_is_seen_is_what_training_saw(spoken: list[Path]) -> None:
    """Of a practice film, whose face fills as much of the centre as RAVDESS's do, nearly."""
    film = spoken[0].with_name(f"01{spoken[0].stem[2:]}.mp4")
    (seen,), _ = listening._with_faces(film, [listening.Stretch(0.0, 3.2, np.zeros(1))])
    wanted = ladder.seen(features.clip_pairs(film, Recipe())).mean(axis=0)
    assert np.corrcoef(seen.face, wanted)[0, 1] > 0.8
