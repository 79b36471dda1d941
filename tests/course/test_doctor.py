"""The doctor names what is missing and what to do."""

from pathlib import Path

import pytest

from avlib.course import doctor


def test_this_machine_is_ready() -> None:
    assert [str(finding) for finding in doctor.examine() if not finding.ok] == []


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["no-such-package>=1", "numpy>=99"])
    missing, old = doctor._packages()
    assert str(missing).startswith("[fix] no-such-package: not installed → python -m pip install")
    assert ">=99" in str(old)
    assert not old.ok


def test_a_data_folder_that_cannot_be_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path / "file" / "data"))
    finding = next(found for found in doctor.examine() if found.name == "data folder")
    assert not finding.ok
    assert "AVLIB_DATA" in finding.remedy


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOM", 10**18)
    finding = next(found for found in doctor.examine() if found.name == "data folder")
    assert "GB free, and the lessons need" in finding.detail
