"""Every fault that a folder of recordings can have is found, named, and found once."""

import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from media import RATE, tone, write_mp4

from avlib.__main__ import main
from avlib.corpus import manifest, ravdess, verify
from avlib.corpus.manifest import Entry, crc32

NAME = "03-01-01-01-01-01-01.wav"
FILM = "01-01-01-01-01-01-01.mp4"
SILENT_FILM = "02-01-01-01-01-01-01.mp4"
SIZE = (320, 180)


def found_in(folder: Path) -> list[tuple[str, str]]:
    table = verify.verify(folder, jobs=1, progress=False)
    table = table[table["finding"] != "incomplete"]  # these folders hold a few clips each
    return list(table[["file", "finding"]].itertuples(index=False, name=None))


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize(
    ("sound", "rate", "findings"),
    [
        (tone(220), RATE, []),
        (np.stack([tone(220), tone(330)], axis=1), RATE, ["stereo"]),
        (tone(220, rate=44_100), 44_100, ["odd rate"]),
        (np.zeros(RATE), RATE, ["silent"]),
        (np.zeros(0), RATE, ["empty"]),
        (np.stack([tone(220), -tone(220)], axis=1), RATE, ["silent", "stereo"]),
        (tone(220), 1000, ["unreadable"]),
    ],
    ids=["whole", "stereo", "44.1 kHz", "silent", "empty", "cancelling", "1 kHz"],
)
def test_sound_files(tmp_path: Path, sound: np.ndarray, rate: int, findings: list[str]) -> None:
    soundfile.write(tmp_path / NAME, sound, rate)
    assert found_in(tmp_path) == [(NAME, finding) for finding in findings]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_wav_that_was_cut_short_cannot_be_read(tmp_path: Path, share: float) -> None:
    soundfile.write(tmp_path / NAME, tone(220), RATE)
    cut(tmp_path / NAME, share)
    assert found_in(tmp_path) == [(NAME, "unreadable")]


@pytest.mark.parametrize("index_first", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_an_mp4_that_was_cut_short_cannot_be_read(
    tmp_path: Path, share: float, index_first: bool
) -> None:
    write_mp4(tmp_path / FILM, sound=tone(220), index_first=index_first)
    cut(tmp_path / FILM, share)
    assert found_in(tmp_path) == [(FILM, "unreadable")]


def test_films(tmp_path: Path) -> None:
    (tmp_path / "SYNTHETIC.txt").touch()
    write_mp4(tmp_path / FILM, sound=tone(220))
    write_mp4(tmp_path / SILENT_FILM, colour=(90, 160, 60))
    assert found_in(tmp_path) == []
    write_mp4(tmp_path / FILM)
    assert found_in(tmp_path) == [(FILM, "no sound")]
    write_mp4(tmp_path / FILM, sound=tone(220, seconds=2.5), size=(200, 100))
    assert found_in(tmp_path) == [(FILM, "ends apart"), (FILM, "odd size")]


def test_the_size_wanted_is_that_of_ravdess_unless_the_corpus_is_drawn(tmp_path: Path) -> None:
    write_mp4(tmp_path / FILM, sound=tone(220), size=SIZE)
    table = verify.verify(tmp_path, jobs=1, progress=False)
    odd = table.loc[table["finding"] == "odd size", "detail"]
    assert odd.tolist() == ["320 × 180 pixels instead of 1280 × 720"]


def test_the_same_bytes_under_two_names_are_a_finding_and_a_second_copy_is_none(
    tmp_path: Path,
) -> None:
    for name in ("a/" + NAME, "b/" + NAME, "b/03-01-01-01-01-02-01.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, tone(220), RATE)
    soundfile.write(tmp_path / "b/03-01-02-01-01-02-01.wav", tone(221), RATE)
    assert set(found_in(tmp_path)) == {
        ("a/" + NAME, "same bytes"),
        ("b/" + NAME, "same bytes"),
        ("b/03-01-01-01-01-02-01.wav", "same bytes"),
    }
    (tmp_path / "b/03-01-01-01-01-02-01.wav").unlink()
    assert found_in(tmp_path) == []


def test_only_what_has_changed_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    look = verify.look

    def watched(path: Path, practice: bool) -> list[tuple[str, str]]:
        opened.append(path.name)
        return look(path, practice)

    monkeypatch.setattr(verify, "look", watched)
    other = "03-01-02-01-01-01-01.wav"
    soundfile.write(tmp_path / NAME, np.zeros(RATE), RATE)
    soundfile.write(tmp_path / other, tone(220), RATE)
    first = found_in(tmp_path)
    assert sorted(opened) == [NAME, other]
    assert found_in(tmp_path) == first == [(NAME, "silent")]
    assert len(opened) == 2
    soundfile.write(tmp_path / NAME, tone(330, seconds=1.0), RATE)
    assert found_in(tmp_path) == []
    assert opened[2:] == [NAME]


def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"03-01-0{emotion}-01-01-01-01.wav" for emotion in (1, 2, 3)]
    for number, name in enumerate(names):
        soundfile.write(tmp_path / name, tone(220 + number), RATE)
    look, opened = verify.look, []

    def stopping(path: Path, practice: bool) -> list[tuple[str, str]]:
        opened.append(path.name)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return look(path, practice)

    monkeypatch.setattr(verify, "look", stopping)
    with pytest.raises(KeyboardInterrupt):
        found_in(tmp_path)
    assert found_in(tmp_path) == []
    assert len(opened) == 4  # the one that was being opened is opened again


def test_files_are_compared_with_what_they_were_when_they_were_written(tmp_path: Path) -> None:
    other = "03-01-02-01-01-01-01.wav"
    for file, pitch in ((NAME, 220), (other, 330)):
        soundfile.write(tmp_path / file, tone(pitch), RATE)
        entry = Entry((tmp_path / file).stat().st_size, crc32(tmp_path / file), "a.zip")
        manifest.add(tmp_path, {file: entry})
    assert found_in(tmp_path) == []
    data = bytearray((tmp_path / NAME).read_bytes())
    data[5000] ^= 1  # still a sound, another one
    (tmp_path / NAME).write_bytes(data)
    (tmp_path / other).unlink()
    assert found_in(tmp_path) == [(NAME, "changed"), (other, "missing")]
    assert main(["verify", str(tmp_path)]) == 1


def test_what_ravdess_holds_of_an_actor_is_counted(tmp_path: Path) -> None:
    for number, name in enumerate(ravdess.speech_names([3], modality=3)[:58]):
        soundfile.write(tmp_path / f"{name}.wav", tone(100 + number), RATE)
    table = verify.verify(tmp_path, jobs=1, progress=False)
    assert table.to_dict("records") == [
        {
            "file": "03-01-*-03.wav",
            "finding": "incomplete",
            "detail": "2 of 60 that RAVDESS holds: 03-01-08-02-02-01-03, 03-01-08-02-02-02-03",
        }
    ]
    (tmp_path / ravdess.PRACTICE_MARK).touch()  # a practice corpus is as large as one likes
    assert found_in(tmp_path) == []
    assert len(verify.verify(tmp_path, jobs=1, progress=False)) == 0


def test_archives_are_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "Video_Speech_Actor_01.zip"
    path.write_bytes(b"not the archive")
    assert found_in(tmp_path) == [(path.name, "wrong checksum")]
    right = replace(manifest.registry()[path.name], bytes=15, md5=manifest.md5(path))
    monkeypatch.setattr(manifest, "registry", lambda: {path.name: right})
    (tmp_path / verify.MEMORY).unlink()
    assert found_in(tmp_path) == []
    path.write_bytes(b"longer than the archive")
    assert found_in(tmp_path) == [(path.name, "wrong size")]


def test_a_damaged_memory_is_forgotten(tmp_path: Path) -> None:
    soundfile.write(tmp_path / NAME, np.zeros(RATE), RATE)
    (tmp_path / verify.MEMORY).write_text("{")
    assert found_in(tmp_path) == [(NAME, "silent")]


def test_the_command_says_what_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "SYNTHETIC.txt").touch()
    soundfile.write(tmp_path / NAME, np.stack([tone(220), tone(330)], axis=1), RATE)
    assert main(["verify", str(tmp_path)]) == 0  # stereo is odd, not wrong
    soundfile.write(tmp_path / NAME, np.zeros(RATE), RATE)
    assert main(["verify", str(tmp_path), "--json", str(tmp_path / "found.json")]) == 1
    assert "1 files opened to their end; 1 silent" in capsys.readouterr().out
    assert pd.read_json(tmp_path / "found.json", typ="series")["counts"] == {"silent": 1}
    (tmp_path / NAME).unlink()
    assert main(["verify", str(tmp_path)]) == 1
    assert "no wav or mp4 files" in capsys.readouterr().err


@pytest.mark.slow
def test_on_real_speech_it_finds_the_known_oddities_and_nothing_else(
    real_speech: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(real_speech) as archive:
        archive.extractall(tmp_path)
    table = verify.verify(tmp_path, progress=False)
    assert table.attrs["files"] == 960
    by_finding = table.groupby("finding")["file"].apply(lambda files: {Path(f).stem for f in files})
    assert by_finding.to_dict() == {
        "stereo": {"03-01-02-01-01-02-01", "03-01-08-01-02-02-01", "03-01-02-01-02-02-05"},
        "same bytes": {"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"},
    }


def test_a_change_that_left_size_and_time_is_found_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / NAME
    soundfile.write(path, tone(220), RATE)
    assert main(["verify", str(tmp_path)]) == 0
    assert "earlier look" not in capsys.readouterr().out
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert main(["verify", str(tmp_path)]) == 0
    assert "1 of them were opened at an earlier look" in capsys.readouterr().out
    assert main(["verify", str(tmp_path), "--again"]) == 1
    assert "unreadable" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "null", "{}", '{"version": 3}', '{"version": 3, "files": []}',
        '{"version": 3, "files": {"a.wav": {}}}', '{"version": 3, "files": {"a.wav": 1}}',
    ],
)  # fmt: skip
def test_a_memory_of_another_form_is_forgotten(tmp_path: Path, content: str) -> None:
    soundfile.write(tmp_path / NAME, tone(220), RATE)
    (tmp_path / verify.MEMORY).write_text(content.replace("a.wav", NAME))
    assert found_in(tmp_path) == []
    assert found_in(tmp_path) == []


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = str(ravdess.ClipName(3, 1, 3, 1, 1, 1, 2)) + ".wav"
    for name in (NAME, other):
        soundfile.write(tmp_path / name, tone(220), RATE)
    look = verify.look

    def locked(path: Path, practice: bool) -> list[tuple[str, str]]:
        if path.name == NAME:
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, practice)

    monkeypatch.setattr(verify, "look", locked)
    found = verify.verify(tmp_path, jobs=1, progress=False)
    rows = found[found["finding"] == "unreadable"]
    assert rows["file"].tolist() == [NAME]
    assert rows["detail"].tolist() == ["cannot be read (Permission denied)"]


def test_films_that_begin_apart_are_told(tmp_path: Path) -> None:
    film = write_mp4(tmp_path / "film.mp4", sound=tone(220), sound_from=0.98)
    said = dict(verify.look(film))["starts apart"]
    assert re.fullmatch(r"the sound starts 0\.9[5-9] s later; they are aligned", said)
