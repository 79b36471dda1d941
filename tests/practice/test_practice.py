"""The practice corpus is real media, the same for the same seed, and never mixed with others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
import voices
from conftest import REAL
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_predict

from avlib import practice
from avlib.corpus import manifest, ravdess
from avlib.features import action_units, video
from avlib.practice import face, performance, voice

UNITS = REAL / "action_units_actors_01-16.csv"
NAMES = [
    ravdess.ClipName(1, 1, emotion, intensity, 1, 1, actor)
    for actor in (1, 4)  # an even one whose voice has breath, which is noise
    for emotion, intensity in [(1, 1), (2, 2), (5, 2)]
]
WRITE = (  # a run of its own, to kill or to run twice: folder, then names
    "import sys; from avlib import practice; from avlib.corpus.ravdess import ClipName; "
    "practice.write(sys.argv[1], names=map(ClipName.parse, sys.argv[2:]), jobs=1)"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "corpus"
    return practice.write(folder, names=NAMES, jobs=1, progress=False)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("0*") if path.is_file()}


def test_it_is_read_by_the_same_loader_as_ravdess(small: Path) -> None:
    clips = ravdess.index(small)
    assert sorted(clips["clip"]) == sorted(name.clip for name in NAMES)
    assert clips["practice"].all()
    assert ravdess.corpus(clips) == "practice corpus"


def test_sound_and_picture_are_in_ravdess_formats(small: Path) -> None:
    for clip in ravdess.index(small).itertuples():
        heard = soundfile.info(clip.sound)
        assert (heard.samplerate, heard.channels, heard.subtype) == (48_000, 1, "PCM_16")
        with av.open(clip.picture) as film:
            picture, sound = film.streams.video[0], film.streams.audio[0]
            assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
            assert float(picture.average_rate) == pytest.approx(30_000 / 1001)
            assert (picture.width, picture.height) == (320, 180)
            assert "synthetic" in film.metadata["comment"]
        assert 2.94 <= heard.duration <= 5.3
        assert video.duration(clip.picture) == pytest.approx(heard.duration, abs=0.05)


def test_it_says_that_it_is_synthetic(small: Path) -> None:
    assert "SYNTHETIC" in (small / ravdess.PRACTICE_MARK).read_text()
    assert practice.is_practice(small)
    assert not practice.is_practice(small.parent)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes(
    small: Path, tmp_path: Path
) -> None:
    again = practice.write(tmp_path / "again", names=NAMES[::-1], jobs=2, progress=False)
    assert files(again) == files(small)
    other = practice.write(tmp_path / "other", names=NAMES[:1], seed=1, jobs=1, progress=False)
    assert not set(files(other).values()) & set(files(small).values())


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", WRITE, str(folder), *map(str, NAMES)]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not list(folder.rglob("*.mp4")):
        assert run.poll() is None
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    begun = files(folder)
    assert 0 < len(begun) < 2 * len(NAMES)
    practice.write(folder, names=NAMES, jobs=1, progress=False)
    assert files(folder) == files(small)
    assert begun.items() <= files(folder).items()
    listed = manifest.read(folder)
    assert {Path(file).name for file in listed} == set(files(folder))
    assert all(manifest.is_whole(folder, file, entry) for file, entry in listed.items())


def test_real_recordings_are_never_mixed_with_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "03-01-01-01-01-01-01.wav", np.zeros(100), 48_000)
    with pytest.raises(FileExistsError, match="not a practice corpus"):
        practice.write(tmp_path, names=NAMES, progress=False)
    assert len(list(tmp_path.iterdir())) == 1


def test_another_seed_is_refused_and_nothing_is_lost(small: Path) -> None:
    before = files(small)
    with pytest.raises(ValueError, match="seed 0"):
        practice.write(small, names=NAMES, seed=7, progress=False)
    assert files(small) == before


def test_the_first_clips_show_every_manner_once() -> None:
    names = practice.first()
    assert set(names) <= set(practice.half([1]))
    manners = [(name.emotion, name.intensity) for name in names]
    assert len(set(manners)) == len(manners) == 15


def test_half_a_corpus_is_balanced() -> None:
    names = practice.half(range(1, 17))
    counts = pd.DataFrame([name.__dict__ for name in names])
    assert counts.groupby("actor").size().eq(30).all()
    by_sex = counts.assign(sex=[name.sex for name in names])
    assert by_sex.groupby(["sex", "emotion", "intensity", "statement"]).size().nunique() == 1
    takes = counts.groupby(["actor", "emotion", "intensity"])
    assert takes["statement"].nunique().eq(1).all()
    assert takes["repetition"].nunique().eq(2).all()


def test_copies_hold_the_same_picture_and_the_same_sound(small: Path, tmp_path: Path) -> None:
    folder = practice.write(
        tmp_path / "p", names=NAMES[:1], modalities=[3, 2, 1], jobs=1, progress=False
    )
    film, silent, sound = (folder / "Actor_01" / str(NAMES[0].as_modality(m)) for m in (1, 2, 3))
    film, silent = film.with_suffix(".mp4"), silent.with_suffix(".mp4")
    assert film.read_bytes() == (small / "Actor_01" / film.name).read_bytes()
    with av.open(film) as full, av.open(silent) as bare:
        assert not bare.streams.audio
        assert [bytes(packet) for packet in full.demux(video=0)] == [
            bytes(packet) for packet in bare.demux(video=0)
        ]
    assert len(ravdess.index(folder)) == 1
    assert sound.with_suffix(".wav").exists()


@pytest.mark.parametrize("modalities", [(), (0,), (1, 4)])
def test_other_modalities_are_refused(tmp_path: Path, modalities: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="modalities"):
        practice.write(tmp_path, names=NAMES, modalities=modalities)


def test_without_espeak_the_message_says_what_to_do_and_faces_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: "/nowhere/libespeak-ng.so")
    voice.sentence_of.cache_clear()
    voice._everything_said.cache_clear()
    with pytest.raises(RuntimeError, match=r"pip install espeakng-loader.*modality 2"):
        practice.write(tmp_path / "p", names=NAMES[:1], jobs=1, progress=False)
    assert not list(tmp_path.rglob("*.mp4"))
    folder = practice.write(tmp_path / "q", names=NAMES[:1], modalities=[2], jobs=1, progress=False)
    clip = ravdess.index(folder).iloc[0]
    assert clip["sound"] is None
    frames = video.frames_at(clip["picture"], [0.1, 1.6])
    assert np.abs(frames[0].astype(int) - frames[1]).max() > 60  # it rests, then it speaks


@pytest.mark.slow
def test_two_runs_at_once_do_not_spoil_each_other(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    command = [sys.executable, "-c", WRITE, str(folder), *map(str, NAMES)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        _, said = run.communicate(timeout=300)
        assert run.returncode == 0, said.decode()
    assert files(folder) == files(small)
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("actors", [0, 25])
def test_there_are_only_24_actors(tmp_path: Path, actors: int) -> None:
    with pytest.raises(ValueError, match="actors"):
        practice.write(tmp_path, actors=actors)


def test_a_performance_does_not_depend_on_which_others_are_drawn() -> None:
    every = performance.draw(ravdess.speech_names([1, 2, 3, 4]), seed=5)
    alone = performance.draw([NAMES[4]], seed=5)
    assert (every.loc[NAMES[4].clip] == alone.iloc[0]).all()


def test_performances_follow_the_measured_means() -> None:
    """Voice quantities are not clipped: their mean over many seeds is the cell's, to 4 sigma."""
    name = ravdess.ClipName(1, 1, 5, 2, 1, 1, 1)
    drawn = np.stack([performance.draw([name], seed).iloc[0, :5] for seed in range(400)])
    variance = sum(
        np.diag(performance.covariance(part))[:5] for part in ("actor", "actor_emotion", "clip")
    )
    wanted = performance.cell_mean(5, 2).iloc[:5].to_numpy()
    assert (np.abs(drawn.mean(axis=0) - wanted) < 4 * np.sqrt(variance / 400)).all()


def test_strong_anger_is_louder_than_calm(small: Path) -> None:
    level = {}
    for clip in ravdess.index(small).query("actor == 1").itertuples():
        sound, _ = soundfile.read(clip.sound)
        level[clip.emotion] = 20 * np.log10(np.sqrt(np.mean(sound**2)))
    rows = performance.draw(NAMES[:3], 0)["level_db"]
    asked = rows.iloc[2] - rows.iloc[1]
    assert asked > 10
    assert level[5] - level[2] == pytest.approx(asked, abs=3)


def test_the_voice_says_each_sentence_in_the_actors_pitch() -> None:
    man, woman = (voice.sentence_of(actor, 1) for actor in (1, 2))
    assert len(man.sound) > voice.ESPEAK_RATE  # longer than a second
    assert not np.array_equal(man.sound[:10_000], woman.sound[:10_000])


@pytest.mark.parametrize(
    ("unit", "moved", "still"),
    [
        ("AU01", slice(40, 75), slice(115, 150)),
        ("AU04", slice(40, 85), slice(115, 150)),
        ("AU12", slice(105, 150), slice(40, 70)),
        ("AU15", slice(105, 150), slice(40, 70)),
        ("AU26", slice(110, 165), slice(40, 70)),
        ("AU45", slice(70, 100), slice(115, 150)),
    ],
)
def test_an_action_unit_moves_its_part_of_the_face(unit: str, moved: slice, still: slice) -> None:
    intensities = np.zeros((2, len(performance.ACTION_UNITS)))
    intensities[1, performance.ACTION_UNITS.index(unit)] = 3.0
    rest, pulled = face.draw(3, intensities, poses=np.zeros((2, 3)))
    change = np.abs(pulled.astype(int) - rest).sum(axis=2)[:, 100:220]
    assert change[moved].max() > 60
    assert change[still].max() == 0


def standardised(table: np.ndarray) -> np.ndarray:
    return (table - table.mean(axis=0)) / table.std(axis=0)


@pytest.mark.skipif(not UNITS.exists(), reason="needs the action units published for RAVDESS")
def test_who_learned_from_real_faces_reads_the_drawn_ones() -> None:
    """At least as well as it reads real strangers; the units are those that both scales share."""
    units = ["AU04", "AU05", "AU06", "AU07", "AU10", "AU12", "AU14", "AU15", "AU45"]
    published = action_units.read(UNITS)[[f"{unit}_r" for unit in units]]
    parsed = [ravdess.ClipName.parse(f"01-{clip}") for clip in published.index]
    of_speech = [name.channel == 1 for name in parsed]
    real = standardised(published[of_speech].to_numpy())
    emotion, actor = np.array(
        [(name.emotion, name.actor) for name in parsed if name.channel == 1]
    ).T
    names = practice.half(range(1, 17))
    drawn = standardised(performance.draw(names, seen=True)[units].to_numpy())
    wanted = np.array([name.emotion for name in names])
    regression = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    strangers = cross_val_predict(regression, real, emotion, groups=actor, cv=GroupKFold(8))
    decided = regression.fit(real, emotion).predict(drawn)
    assert (decided == wanted).mean() > (strangers == emotion).mean() > 0.4
    told = {each: (decided[wanted == each] == each).mean() for each in range(1, 9)}
    assert told[1] > 0.4  # neutral; of faces drawn as measured 0.25
    assert told[2] > 0.7  # calm
    as_measured = standardised(performance.draw(names)[units].to_numpy())
    assert (regression.predict(as_measured) == wanted).mean() < (decided == wanted).mean()


@pytest.mark.slow
def test_the_voice_does_what_it_was_asked(tmp_path: Path) -> None:
    """Rank correlations of what was asked and what pYIN and RMS find in the written wavs."""
    names = [
        ravdess.ClipName(1, 1, emotion, 1 + (emotion > 1), 1, 1, actor)
        for actor in (1, 2, 7, 8)
        for emotion in range(1, 9)
    ]
    folder = practice.write(tmp_path / "p", names=names, modalities=[3], jobs=1, progress=False)
    beside = voices.asked_and_measured(ravdess.index(folder), practice.seed_of(folder), jobs=1)
    found = voices.rank_correlations(beside)
    assert list(found) == list(performance.VOICE_QUANTITIES)
    assert min(found[name] for name in ("pitch_st", "level_db", "log2_rate", "tilt_db")) >= 0.8
    shuffled = beside.copy()
    shuffled["level_db", "asked"] = beside["level_db", "asked"].to_numpy()[::-1]
    assert voices.rank_correlations(shuffled)["level_db"] < 0.8


def test_a_folder_without_a_practice_corpus_has_no_seed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no practice corpus"):
        practice.seed_of(tmp_path)
