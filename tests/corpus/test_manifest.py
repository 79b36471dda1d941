"""A manifest tells a file that is as it was from one that is not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avlib.corpus import manifest
from avlib.corpus.manifest import Entry


def enter(folder: Path, file: str, content: bytes) -> Entry:
    (folder / file).write_bytes(content)
    return Entry(len(content), manifest.crc32(folder / file), "a.zip")


def test_entries_are_read_back_and_added_to(tmp_path: Path) -> None:
    assert manifest.read(tmp_path) == {}
    one, two = enter(tmp_path, "1.wav", b"one"), enter(tmp_path, "2.wav", b"two")
    manifest.add(tmp_path, {"1.wav": one})
    manifest.add(tmp_path, {"2.wav": two})
    assert manifest.read(tmp_path) == {"1.wav": one, "2.wav": two}
    assert not list(tmp_path.glob(".*"))


def test_threads_lose_nothing_of_one_another(tmp_path: Path) -> None:
    entry = Entry(1, 2, "a.zip")
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda n: manifest.add(tmp_path, {f"{n:02d}.wav": entry}), range(40)))
    assert len(manifest.read(tmp_path)) == 40


@given(content=st.binary(min_size=1, max_size=300), at=st.integers(0), flip=st.integers(1, 255))
def test_a_changed_byte_or_a_cut_is_seen(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("m")
    entry = enter(folder, "a.wav", content)
    assert manifest.is_whole(folder, "a.wav", entry)
    damaged = bytearray(content)
    damaged[at % len(content)] ^= flip
    for other in (bytes(damaged), content[: at % len(content)]):
        (folder / "a.wav").write_bytes(other)
        assert not manifest.is_whole(folder, "a.wav", entry)
    (folder / "a.wav").unlink()
    assert not manifest.is_whole(folder, "a.wav", entry)


@pytest.mark.parametrize("text", ["", "file,bytes\n", "sku;price\n7;3,50\n"])
def test_a_manifest_of_somebody_else_is_named_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / manifest.NAME).write_text(text)
    with pytest.warns(UserWarning, match=r"manifest\.csv: avlib did not write it"):
        assert manifest.read(tmp_path) == {}
    with pytest.raises(FileExistsError, match=r"manifest\.csv: avlib did not write it.*move"):
        manifest.add(tmp_path, {"a.wav": manifest.Entry(1, 2, "a.zip")})
    assert (tmp_path / manifest.NAME).read_text() == text


@pytest.mark.parametrize("row", ["a.wav,x,00,b\n", "a.wav,1,zz,b\n", "a.wav\n"])
def test_a_damaged_manifest_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / manifest.NAME).write_text("file,bytes,crc32,source\n" + row)
    with pytest.raises(ValueError, match=r"manifest\.csv: is damaged"):
        manifest.read(tmp_path)
