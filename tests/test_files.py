"""A file is there whole, or as it was."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from avlib import files


def test_a_file_is_written_with_its_folder(tmp_path: Path) -> None:
    files.save(tmp_path / "new" / "file", b"whole")
    assert (tmp_path / "new" / "file").read_bytes() == b"whole"
    files.save_json(tmp_path / "new" / "file", {"actors": [1, 2], "µ": None})
    assert json.loads((tmp_path / "new" / "file").read_text()) == {"actors": [1, 2], "µ": None}
    assert os.listdir(tmp_path / "new") == ["file"]


def test_a_stop_on_the_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    files.save(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        files.save(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_told_with_the_file_and_loses_nothing(
    small_disk: Callable[[int], Path],
) -> None:
    disk = small_disk(64)
    files.save(disk / "file", b"old")
    with pytest.raises(OSError, match=r"No space left.*file"):
        files.save(disk / "file", bytes(10**6))
    assert (disk / "file").read_bytes() == b"old"
    assert os.listdir(disk) == ["file"]


def test_a_result_replaces_earlier_results_and_nothing_else(tmp_path: Path) -> None:
    result, sound, table = (tmp_path / name for name in ("new/r.json", "a.wav", "mine.csv"))
    files.refuse_to_replace(result)
    files.save_json(result, {"accuracy": 0.5})
    files.refuse_to_replace(result)
    (tmp_path / "link.json").symlink_to(result)
    for inputs in ([result], [tmp_path / "link.json"]):
        with pytest.raises(FileExistsError, match=r"r\.json: is read by this command"):
            files.refuse_to_replace(result, inputs)
    for path, content in ((sound, b"RIFF"), (table, b"clip,label\n")):
        path.write_bytes(content)
        with pytest.raises(FileExistsError, match=rf"{path.name}: .*no earlier result"):
            files.refuse_to_replace(path)
        assert path.read_bytes() == content
    for name, content in (("lesson.ipynb", '{"nbformat": 4}'), ("a.json", '{"digest": ""}')):
        (tmp_path / name).write_text(content)
        with pytest.raises(FileExistsError, match=name):
            files.refuse_to_replace(tmp_path / name)
    (tmp_path / "empty").touch()
    files.refuse_to_replace(tmp_path / "empty")
    with pytest.raises(FileExistsError, match="null"):
        files.refuse_to_replace(Path(os.devnull))
    with pytest.raises(IsADirectoryError, match="is a folder"):
        files.refuse_to_replace(tmp_path)
    with pytest.raises(PermissionError, match="does not allow"):
        files.refuse_to_replace(sound / "r.json")


FORM = {"epoch": int, "history": list}


@pytest.mark.parametrize(
    "written",
    [b"", b"{", b"[]", b"null", b'{"epoch": 1, "history": []}', b"\xff\xfe", b"[" * 100_000],
)
def test_what_was_not_sealed_is_refused_by_name(written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_bytes(written)
    with pytest.raises(files.DamagedError, match=r"kept\.json: "):
        files.unseal(path, FORM)


def test_what_was_sealed_comes_back_and_any_other_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    files.seal(path, {"epoch": 3, "history": [0.25], "µ": None})
    assert files.unseal(path, FORM) == {"epoch": 3, "history": [0.25], "µ": None}
    with pytest.raises(files.DamagedError, match="'epoch'"):
        files.unseal(path, {"epoch": str})
    for changed in ("0.75", "NaN"):
        path.write_text(path.read_text().replace("0.25", changed))
        with pytest.raises(files.DamagedError, match="was changed"):
            files.unseal(path, FORM)
        files.seal(path, {"epoch": 3, "history": [0.25]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.seal(path, {"accuracy": float("nan")})
