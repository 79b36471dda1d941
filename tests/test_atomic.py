"""A file is there whole, or as it was."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from avlib import atomic


def test_a_file_is_written_with_its_folder(tmp_path: Path) -> None:
    atomic.save(tmp_path / "new" / "file", b"whole")
    assert (tmp_path / "new" / "file").read_bytes() == b"whole"
    atomic.save_json(tmp_path / "new" / "file", {"actors": [1, 2], "µ": None})
    assert json.loads((tmp_path / "new" / "file").read_text()) == {"actors": [1, 2], "µ": None}
    assert os.listdir(tmp_path / "new") == ["file"]


def test_a_stop_on_the_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    atomic.save(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        atomic.save(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_told_with_the_file_and_loses_nothing(
    small_disk: Callable[[int], Path],
) -> None:
    disk = small_disk(64)
    atomic.save(disk / "file", b"old")
    with pytest.raises(OSError, match=r"No space left.*file"):
        atomic.save(disk / "file", bytes(10**6))
    assert (disk / "file").read_bytes() == b"old"
    assert os.listdir(disk) == ["file"]
