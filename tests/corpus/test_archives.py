"""An archive is checked, and unpacks into its folder or not at all."""

import random
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avlib.corpus import download, manifest

NAME = "03-01-01-01-01-01-{actor:02d}.wav"
WHOLE = {f"Actor_{actor:02d}/{NAME.format(actor=actor)}": bytes([actor]) * 5000 for actor in (1, 2)}


def zipped(path: Path, files: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def below(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_recordings_of_the_actors_asked_for_are_unpacked(tmp_path: Path) -> None:
    extra = {"__MACOSX/Actor_01/._x.wav": b"x", "Actor_01/notes.txt": b"x", "song.wav": b"x"}
    path = zipped(tmp_path / "a.zip", WHOLE | extra)
    out = tmp_path / "out"
    assert download.unpack(path, out, {1}) == ["Actor_01/03-01-01-01-01-01-01.wav"]
    assert below(out) == ["Actor_01/03-01-01-01-01-01-01.wav", "manifest.csv"]
    download.unpack(path, out, {1, 2})
    assert {file: (out / file).read_bytes() for file in WHOLE} == WHOLE
    assert {entry.source for entry in manifest.read(out).values()} == {"a.zip"}


def test_what_is_whole_is_left_alone_and_what_is_not_is_mended(tmp_path: Path) -> None:
    path, out = zipped(tmp_path / "a.zip", WHOLE), tmp_path / "out"
    download.unpack(path, out, {1, 2})
    first, second = (out / file for file in WHOLE)
    second.write_bytes(b"damaged")
    written = first.stat().st_mtime_ns
    download.unpack(path, out, {1, 2})
    assert first.stat().st_mtime_ns == written
    assert {file: (out / file).read_bytes() for file in WHOLE} == WHOLE


def link(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, (mode | 0o777) << 16
    return member


def a_lie_about_the_size(path: Path) -> Path:
    """An archive that says it holds a byte and holds a million."""
    zipped(path, WHOLE)
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + 24  # the length, in the first entry of its directory
    data[start : start + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../" + NAME.format(actor=1), "outside"),
        ("Actor_01/../../" + NAME.format(actor=1), "outside"),
        ("/tmp/" + NAME.format(actor=1), "outside"),
        ("C:/" + NAME.format(actor=1), "outside"),
        (link("Actor_01/" + NAME.format(actor=1), stat.S_IFLNK), "link"),
        (link("Actor_01", stat.S_IFLNK), "link"),
        (link("Actor_01/pipe.wav", stat.S_IFIFO), "link or device"),
    ],
)
def test_an_archive_cannot_write_outside_its_folder(
    tmp_path: Path, name: str | zipfile.ZipInfo, message: str
) -> None:
    path = zipped(tmp_path / "a.zip", {"Actor_02/x.txt": b"", name: b"/etc"})
    with pytest.raises(ValueError, match=message):
        download.unpack(path, tmp_path / "in" / "out", {1, 2})
    assert below(tmp_path) == ["a.zip"]


def test_a_link_in_the_folder_does_not_lead_out_of_it(tmp_path: Path) -> None:
    path, out, elsewhere = zipped(tmp_path / "a.zip", WHOLE), tmp_path / "out", tmp_path / "else"
    out.mkdir()
    elsewhere.mkdir()
    (out / "Actor_01").symlink_to(elsewhere)
    with pytest.raises(ValueError, match=r"Actor_01.* leads outside .*out"):
        download.unpack(path, out, {1, 2})
    assert below(elsewhere) == []


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(next(iter(WHOLE)), bytes(50_000_000))
    with pytest.raises(ValueError, match="would grow to 50000000"):
        download.unpack(path, tmp_path / "out", {1})
    lie = a_lie_about_the_size(tmp_path / "lie.zip")
    with pytest.raises(ValueError, match="would grow"):
        download.unpack(lie, tmp_path / "out", {1})
    many = zipped(tmp_path / "many.zip", {f"{number}.txt": b"" for number in range(10_001)})
    with pytest.raises(ValueError, match="10001 files"):
        download.unpack(many, tmp_path / "out", {1})
    assert not (tmp_path / "out").exists()


def test_members_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {next(iter(WHOLE)): random.Random(0).randbytes(5000)})
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
    with zipfile.ZipFile(path, "a") as archive:  # the directory names the same bytes again
        for number in (2, 3):
            twin = zipfile.ZipInfo(f"Actor_01/03-01-01-01-01-02-{number:02d}.wav")
            for field in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(twin, field, getattr(member, field))
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(ValueError, match="no recording"):
        download.unpack(path, tmp_path / "out", {1, 2, 3})


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.97])
def test_a_damaged_archive_is_named_and_leaves_no_half_file(tmp_path: Path, at: float) -> None:
    path = zipped(tmp_path / "a.zip", WHOLE)
    data = bytearray(path.read_bytes())
    start = int(at * len(data))
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip"):
        download.unpack(path, tmp_path / "out", {1, 2})
    for file in below(tmp_path / "out") if (tmp_path / "out").exists() else []:
        assert (tmp_path / "out" / file).read_bytes() == WHOLE[file]


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"a\.zip: is damaged"):
        download.unpack(path, tmp_path / "out", {1})


def test_a_full_disk_is_told_and_gone_on_with(
    tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    path, folder = zipped(tmp_path / "a.zip", WHOLE), small_disk(8)
    with pytest.raises(OSError, match=r"No space left.*make room"):
        download.unpack(path, folder, {1, 2})
    assert all((folder / file).read_bytes() == WHOLE[file] for file in below(folder))
    small_disk(1000)
    download.unpack(path, folder, {1, 2})
    assert {file: (folder / file).read_bytes() for file in WHOLE} == WHOLE


def test_size_and_checksum_are_compared_with_the_registry(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", WHOLE)
    known = next(iter(manifest.registry().values()))
    right = replace(known, bytes=path.stat().st_size, md5=manifest.md5(path))
    assert manifest.faults(path, right) == []
    assert manifest.faults(path, replace(right, md5="0" * 32))[0][0] == "wrong checksum"
    assert manifest.faults(path, replace(right, bytes=7))[0][0] == "wrong size"


def test_the_archives_of_what_is_wanted() -> None:
    (sound,) = manifest.select(["speech"], ["audio"], range(1, 25))
    (film,) = manifest.select(["song"], ["video"], [17, 18])
    assert (sound.name, film.name) == ("Audio_Speech_Actors_01-24.zip", "Video_Song_Actor_17.zip")
    with pytest.raises(ValueError, match="speech, song or both"):
        manifest.select([], ["audio"], [1])
    with pytest.raises(ValueError, match="audio, video or both"):
        manifest.select(["speech"], [], [1])
    with pytest.raises(ValueError, match="1 to 24"):
        manifest.select(["speech"], ["audio"], [25])


@pytest.mark.parametrize(
    "files",
    [{}, {"Actor_03/03-01-01-01-01-01-03.wav": b"x"}, {"Actor_01\\03-01-01-01-01-01-01.txt": b"x"}],
)
def test_an_archive_without_what_is_wanted_is_named_and_kept(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    path = zipped(tmp_path / "a.zip", files)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"a\.zip: holds no recording of the actors \[1, 2\]"):
        download.unpack(path, tmp_path / "out", {1, 2})
    assert path.read_bytes() == before
    assert below(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_cannot_be_unpacked_is_damage_not_a_full_disk(
    tmp_path: Path, method: int
) -> None:
    path = tmp_path / "a.zip"
    noise = random.Random(0).randbytes(5000)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("Actor_01/03-01-01-01-01-01-01.wav", noise)
    content = bytearray(path.read_bytes())
    for at in range(70, 2000, 7):
        content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip: is damaged"):
        download.unpack(path, tmp_path / "out", {1})
    assert below(tmp_path) == ["a.zip"]
