"""Names are read exactly, and a folder gives the same table however its files lie."""

import itertools
import multiprocessing
import os
import re
import shutil
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from avlib.corpus import ravdess
from avlib.corpus.ravdess import ClipName, holdings, index, speech_names

CODES = st.tuples(*(st.integers(1, highest) for highest in (3, 2, 8, 2, 2, 2, 24)))
VALID = CODES.filter(lambda codes: codes[2:4] != (1, 2))
SPEECH = "03-01-05-02-01-01-12"
STEMS = {
    "-".join(f"{code:02d}" for code in codes)
    for codes in itertools.product(*(range(1, most + 1) for most in (3, 2, 8, 2, 2, 2, 24)))
    if codes[2:4] != (1, 2)
}


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@given(VALID, st.sampled_from([".wav", ".mp4", ".WAV", ""]), st.sampled_from(["", "Actor_01/"]))
def test_every_valid_name_is_read_and_written_back(
    codes: tuple[int, ...], suffix: str, folder: str
) -> None:
    stem = "-".join(f"{code:02d}" for code in codes)
    name = ClipName.parse(f"{folder}{stem}{suffix}")
    assert str(name) == stem
    assert ClipName(*codes) == name
    assert name.sex == ("female" if codes[-1] % 2 == 0 else "male")
    assert ClipName.parse(str(name.as_modality(3))).clip == name.clip


@given(
    st.integers(0, len(SPEECH)),
    st.integers(0, 2),
    st.text(alphabet="0123456789- _abc.٣３\n", max_size=3),
)
@example(1, 1, "٣").via("a digit of another alphabet")
@example(len(SPEECH), 0, "\n").via("a line end")
def test_a_name_changed_anywhere_is_read_as_what_it_says_or_refused(
    at: int, removed: int, inserted: str
) -> None:
    changed = SPEECH[:at] + inserted + SPEECH[at + removed :]
    assume(not Path(changed).suffix)
    if changed in STEMS:
        assert str(ClipName.parse(changed)) == changed
    else:
        with pytest.raises(ValueError, match=re.escape(changed)):
            ClipName.parse(changed)


@given(st.tuples(*[st.integers(0, 99)] * 7))
def test_codes_that_do_not_exist_are_refused_and_named(codes: tuple[int, ...]) -> None:
    stem = "-".join(f"{code:02d}" for code in codes)
    highest = (3, 2, 8, 2, 2, 2, 24)
    exists = all(1 <= code <= most for code, most in zip(codes, highest, strict=True))
    assume(not (exists and codes[2:4] != (1, 2)))
    with pytest.raises(ValueError, match=stem):
        ClipName.parse(f"{stem}.wav")


def test_strong_neutral_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"01-01-01-02-01-01-01.*neutral"):
        ClipName.parse("01-01-01-02-01-01-01.mp4")


def test_ravdess_holds_1440_speech_clips() -> None:
    names = ravdess.speech_names(range(1, 25))
    assert len(names) == len(set(names)) == 1440
    emotions = Counter(ravdess.EMOTIONS[name.emotion - 1] for name in names)
    assert emotions.pop("neutral") == 96
    assert set(emotions.values()) == {192}
    assert len(emotions) == 7


def test_official_names_are_the_real_names(real_speech: Path) -> None:
    import zipfile

    with zipfile.ZipFile(real_speech) as archive:
        real = {Path(name).stem for name in archive.namelist() if name.endswith(".wav")}
    assert {str(name) for name in ravdess.speech_names(range(1, 17), modality=3)} == real


def test_layouts_of_the_same_recordings_give_the_same_table(tmp_path: Path) -> None:
    stems = [str(name) for name in ravdess.speech_names([1, 2], modality=3)[::7]]
    layouts = {
        "flat": [f"{stem}.wav" for stem in stems],
        "nested": [f"speech/Actor_{stem[-2:]}/{stem}.wav" for stem in stems],
        "upper": [f"{stem}.WAV" for stem in stems],
        "twice": [f"{part}/{stem}.wav" for stem in stems for part in "ab"],
        "hidden": [f"{dot}{stem}.wav" for stem in stems for dot in ("", "._")],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables = [
            ravdess.index(touch(tmp_path / layout, *names)).drop(columns="sound")
            for layout, names in layouts.items()
        ]
    assert tables[0]["clip"].tolist() == sorted(
        (stem[3:] for stem in stems), key=lambda clip: (clip[-2:], clip)
    )
    for table in tables[1:]:
        assert table.equals(tables[0])


def test_the_table_does_not_depend_on_the_order_of_creation(tmp_path: Path) -> None:
    names = [f"{name}.mp4" for name in ravdess.speech_names([3, 10])[::5]]
    copies = [f"{part}/{name}" for name in names for part in "abcdef"]
    first = ravdess.index(touch(tmp_path, *copies))
    assert {path.parent.name for path in first["picture"]} == {"a"}
    for part in "abcdef":
        shutil.rmtree(tmp_path / part)
    assert ravdess.index(touch(tmp_path, *reversed(copies))).equals(first)


@pytest.mark.parametrize(
    "modalities", [kept for n in (1, 2, 3) for kept in itertools.combinations((1, 2, 3), n)]
)
def test_copies_of_a_clip_are_one_row(tmp_path: Path, modalities: tuple[int, ...]) -> None:
    name = ClipName(1, 1, 6, 2, 1, 2, 7)
    file = {m: f"{name.as_modality(m)}.{'wav' if m == 3 else 'mp4'}" for m in (1, 2, 3)}
    table = ravdess.index(touch(tmp_path, *(file[m] for m in modalities)))
    assert len(table) == 1
    row = table.iloc[0]
    heard = next((file[m] for m in (3, 1) if m in modalities), None)
    seen = next((file[m] for m in (1, 2) if m in modalities), None)
    assert row["sound"] == (heard and tmp_path / heard)
    assert row["picture"] == (seen and tmp_path / seen)
    assert (row["clip"], row["actor"], row["emotion"], row["sex"]) == (name.clip, 7, 6, "male")


def test_a_wav_is_never_taken_for_a_picture(tmp_path: Path) -> None:
    touch(tmp_path, "sound/01-01-03-01-01-01-01.wav", "video/01-01-03-01-01-01-01.mp4")
    picture = ravdess.index(tmp_path)["picture"].item()
    assert picture == tmp_path / "video" / "01-01-03-01-01-01-01.mp4"


def test_song_and_speech_are_kept_apart(tmp_path: Path) -> None:
    touch(tmp_path, "03-01-03-01-01-01-01.wav", "03-02-03-01-01-01-01.wav")
    assert ravdess.index(tmp_path)["clip"].tolist() == ["01-03-01-01-01-01"]
    assert ravdess.index(tmp_path, channel=2)["clip"].tolist() == ["02-03-01-01-01-01"]


def test_strangers_are_left_out_and_named(tmp_path: Path) -> None:
    touch(tmp_path, f"{SPEECH}.wav", "notes.txt", "sub/holiday.mp4", "03-01-09-01-01-01-01.wav")
    with pytest.warns(UserWarning, match=r"2 media files.*03-01-09-01-01-01-01.*sub/holiday\.mp4"):
        table = ravdess.index(tmp_path)
    assert table["clip"].tolist() == [SPEECH[3:]]


def test_a_folder_without_recordings_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        ravdess.index(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ravdess.index(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="song"):
        ravdess.index(touch(tmp_path, f"{SPEECH}.wav"), channel=2)


@pytest.mark.parametrize("inner", ["practice", "data/made/practice"])
def test_a_practice_corpus_among_real_recordings_is_left_out(tmp_path: Path, inner: str) -> None:
    touch(tmp_path, "Actor_12/" + SPEECH + ".wav")
    touch(tmp_path / inner, "SYNTHETIC.txt", "Actor_01/01-01-03-01-01-01-01.mp4")
    table = ravdess.index(tmp_path)
    assert table["clip"].tolist() == [SPEECH[3:]]
    assert ravdess.corpus(table) == "RAVDESS"


def test_a_practice_corpus_says_that_it_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "SYNTHETIC.txt", "Actor_01/01-01-03-01-01-01-01.mp4")
    assert ravdess.corpus(ravdess.index(tmp_path)) == "practice corpus"


def test_a_part_of_a_practice_corpus_is_not_taken_for_ravdess(tmp_path: Path) -> None:
    touch(tmp_path, "SYNTHETIC.txt", "Actor_01/01-01-03-01-01-01-01.mp4")
    assert ravdess.corpus(ravdess.index(tmp_path / "Actor_01")) == "practice corpus"


def test_holdings_counts_what_is_there_and_lists_what_is_not(tmp_path: Path) -> None:
    names = ravdess.speech_names([1, 2])
    touch(tmp_path, *(f"{name}.mp4" for name in names[2:]))
    touch(tmp_path, *(f"{name.as_modality(2)}.mp4" for name in names[:1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ravdess.holdings(ravdess.index(tmp_path))
    assert found == {
        "clips": 119,
        "actors": [1, 2],
        "expected": 120,
        "with_sound": 118,
        "with_picture": 119,
        "pictures_from_silent_films": 1,
        "sound_from_films": 118,
        "corpus": "RAVDESS",
        "emotions": {name: 16 - 9 * (name == "neutral") for name in ravdess.EMOTIONS},
        "missing": [names[1].clip],
    }


SONG_CELLS = [
    cell for cell in itertools.product(range(1, 7), (1, 2), (1, 2), (1, 2)) if cell[:2] != (1, 2)
]


def test_the_full_record_has_the_official_counts(tmp_path: Path) -> None:
    names = [
        name
        for modality in (1, 2, 3)
        for name in (
            *speech_names(range(1, 25), modality),
            *(
                ClipName(modality, 2, *cell, actor)
                for actor in range(1, 25)
                if actor != 18
                for cell in SONG_CELLS
            ),
        )
    ]
    assert len(names) == 7356
    for name in names:
        suffix = "wav" if name.modality == 3 else "mp4"
        touch(tmp_path / f"Actor_{name.actor:02d}", f"{name}.{suffix}")
    speech, song = index(tmp_path), index(tmp_path, channel=2)
    assert len(speech) == 1440
    assert len(song) == 1012
    assert holdings(speech)["missing"] == []
    assert speech["emotion"].value_counts().to_dict() == {1: 96} | dict.fromkeys(range(2, 9), 192)
    assert {path.name[:2] for path in speech["picture"]} == {"01"}
    assert {path.suffix for path in speech["sound"]} == {".wav"}


def test_folders_as_they_are_met_in_the_wild_give_the_same_rows(tmp_path: Path) -> None:
    names = speech_names([1])[:4]
    flat, by_actor, archives, nested, shouting = (
        tmp_path / kind for kind in ("flat", "actor", "archives", "nested", "shouting")
    )
    for name in names:
        film, silent, sound = (str(name.as_modality(modality)) for modality in (1, 2, 3))
        touch(flat, f"{film}.mp4", f"{silent}.mp4", f"{sound}.wav")
        touch(by_actor / "Actor_01", f"{film}.mp4", f"{silent}.mp4", f"{sound}.wav")
        touch(archives / "Video_Speech_Actor_01" / "Actor_01", f"{film}.mp4", f"{silent}.mp4")
        touch(archives / "Audio_Speech_Actors_01-24" / "Actor_01", f"{sound}.wav")
        for copy in ("Actor_01", "audio_speech_actors_01-24/Actor_01"):  # as on Kaggle
            touch(nested / copy, f"{film}.mp4", f"{sound}.wav")
        touch(shouting / "ACTOR_01", f"{film}.MP4", f"{sound}.WAV")
    touch(archives, "README.txt", "Thumbs.db", ".DS_Store", "__MACOSX/._01-01-01-01-01-01-01.mp4")
    tables = [index(folder) for folder in (flat, by_actor, archives, nested, shouting)]
    for table in tables:
        assert list(table["clip"]) == [name.clip for name in names]
        assert [path.name[:2] for path in table["picture"]] == ["01"] * 4
        assert [path.name[:2] for path in table["sound"]] == ["03"] * 4
    assert set(tables[3]["picture"].map(lambda path: path.parent)) == {nested / "Actor_01"}


def test_a_silent_film_is_used_only_where_no_other_is_and_counted(tmp_path: Path) -> None:
    one, two = speech_names([1])[:2]
    touch(tmp_path, f"{one}.mp4", f"{one.as_modality(2)}.mp4", f"{two.as_modality(2)}.mp4")
    touch(tmp_path, f"{two.as_modality(3)}.wav")
    table = index(tmp_path)
    assert [path.name[:2] for path in table["picture"]] == ["01", "02"]
    assert [path.name for path in table["sound"]] == [f"{one}.mp4", f"{two.as_modality(3)}.wav"]
    assert holdings(table)["pictures_from_silent_films"] == 1
    assert holdings(table)["sound_from_films"] == 1


def test_links_to_folders_are_followed_once_and_never_in_circles(tmp_path: Path) -> None:
    real, elsewhere = tmp_path / "data", tmp_path / "disk"
    for actor, folder in ((1, real / "Actor_01"), (2, elsewhere / "Actor_02")):
        folder.mkdir(parents=True)
        (folder / f"03-01-03-01-01-01-{actor:02d}.wav").touch()
    (real / "Actor_02").symlink_to(elsewhere / "Actor_02", target_is_directory=True)
    (real / "again").symlink_to(real / "Actor_01", target_is_directory=True)
    (real / "up").symlink_to(tmp_path, target_is_directory=True)
    clips = ravdess.index(real)
    assert clips["actor"].tolist() == [1, 2]
    assert clips["sound"].iloc[0] == real / "Actor_01" / "03-01-03-01-01-01-01.wav"


def test_another_recording_of_one_name_is_named(tmp_path: Path) -> None:
    for folder, content in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "03-01-03-01-01-01-01.wav").write_bytes(content)
    with pytest.warns(UserWarning, match=r"b.03-01.*under the name of .*a.03-01") as told:
        clips = ravdess.index(tmp_path)
    assert len(told) == 1  # a copy is no riddle
    assert clips["sound"].iloc[0].parent.name == "a"


def test_a_file_is_no_folder_of_recordings(tmp_path: Path) -> None:
    (tmp_path / "03-01-03-01-01-01-01.wav").touch()
    with pytest.raises(NotADirectoryError, match="is a file; name the folder"):
        ravdess.index(tmp_path / "03-01-03-01-01-01-01.wav")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="becomes another user, which needs Unix")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    for actor in (1, 2):
        (tmp_path / f"Actor_{actor:02d}").mkdir()
        (tmp_path / f"Actor_{actor:02d}" / f"03-01-03-01-01-01-{actor:02d}.wav").touch()
    (tmp_path / "Actor_02").chmod(0)
    for folder in (tmp_path, *(each for each in tmp_path.parents if "pytest-of-" in str(each))):
        folder.chmod(0o755)

    def look(told: Path) -> None:
        if os.geteuid() == 0:  # who may read everything
            os.setuid(65534)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            actors = index(tmp_path)["actor"].tolist()
        told.write_text(f"{actors} {warned[0].message}")

    (tmp_path / "told").touch()
    (tmp_path / "told").chmod(0o666)
    child = multiprocessing.get_context("fork").Process(target=look, args=[tmp_path / "told"])
    child.start()
    child.join()
    (tmp_path / "Actor_02").chmod(0o755)
    told = (tmp_path / "told").read_text()
    assert told.startswith("[1] ")
    assert "Actor_02: may not be read (Permission denied)" in told
