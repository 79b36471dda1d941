"""Tables of action units are read whole, joined on the clip, and refused with their name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REAL
from media import table

from avlib.corpus import ravdess
from avlib.features import action_units

NAMES = ravdess.speech_names([1, 2])[:5]


def write(path: Path, **changes: object) -> Path:
    """A table of three action units for five clips."""
    rows = np.arange(15, dtype=float).reshape(5, 3) / 16  # exact in float32
    units = pd.DataFrame(rows, columns=["AU12_r", "AU12_c", "AU04_r"])
    found = units.assign(**({"name": [str(name) for name in NAMES], "gaze": 7} | changes))
    found.to_csv(path, index=False)
    return path


def test_columns_are_sorted_and_rows_named_by_clip(tmp_path: Path) -> None:
    found = action_units.read(write(tmp_path / "units.csv"))
    assert found.columns.to_list() == ["AU04_r", "AU12_c", "AU12_r"]
    assert found.index.to_list() == [name.clip for name in NAMES]
    assert found.to_numpy().tolist() == [
        [(3 * n + 2) / 16, (3 * n + 1) / 16, 3 * n / 16] for n in range(5)
    ]
    assert found.to_numpy().dtype == np.float32


def test_a_folder_of_openface_is_averaged_over_frames_with_a_face(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        frames = pd.DataFrame({"frame": [1, 2, 3], " success": [1, 0, 1]})
        frames[" AU12_r"] = [number, 99.0, number + 1]
        frames[" AU12_c"] = [0.0, 99.0, 1.0]
        frames.to_csv(tmp_path / f"{name}.csv", index=False)
    found = action_units.read(tmp_path)
    assert found.index.to_list() == [name.clip for name in NAMES]
    assert found["AU12_r"].to_list() == [n + 0.5 for n in range(5)]
    assert found["AU12_c"].to_list() == [0.5] * 5


def test_clips_get_their_vector_and_others_none(tmp_path: Path) -> None:
    clips = table(ravdess.speech_names([1, 2])[:7])
    joined = action_units.join(clips, write(tmp_path / "units.csv"))
    assert joined["vector"].notna().to_list() == [True] * 5 + [False] * 2
    assert joined["vector"].iloc[1].tolist() == [5 / 16, 4 / 16, 3 / 16]
    assert "vector" not in clips


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AU12_r": [1, 2, np.nan, 4, 5]}, rf"clip {NAMES[2].clip} lacks a number"),
        ({"AU12_r": [1, 2, np.inf, 4, 5]}, rf"clip {NAMES[2].clip} lacks a number"),
        ({"name": [str(NAMES[0])] * 5}, rf"clip {NAMES[0].clip} more than once"),
        ({"name": ["smile"] * 5}, "smile"),
        ({"AU12_r": [1, 1e38, 2, 3, 4]}, rf"clip {NAMES[1].clip}: AU12_r is 1e\+38.*0 to 5"),
        ({"AU12_c": [1, 0, -5, 0, 1]}, rf"clip {NAMES[2].clip}: AU12_c is -5.*0 to 1"),
        ({"AU12": 1}, "the column 'AU12' looks like an action unit"),
        ({"AU012_R": 1}, "AU12_r twice"),
    ],
)
def test_faulty_tables_are_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        action_units.read(write(tmp_path / "units.csv", **changes))


def test_files_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("name,pitch\n01-01-01-01-01-01-01,3\n")
    (tmp_path / "nameless.csv").write_text("AU12_r\n3\n")
    for name, said in (("other", "no column like AU12_r"), ("nameless", "no column “name”")):
        with pytest.raises(ValueError, match=rf"{name}.csv: has {said}"):
            action_units.read(tmp_path / f"{name}.csv")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds no CSV file"):
        action_units.read(empty)
    (empty / f"{NAMES[0]}.csv").write_text("frame, success, AU12_r\n1, 0, 0.3\n")
    with pytest.raises(ValueError, match=rf"{NAMES[0]}.csv: no face was found"):
        action_units.read(empty)


def test_the_real_table_has_a_row_for_every_clip_of_its_actors() -> None:
    path = REAL / "action_units_actors_01-16.csv"
    if not path.exists():
        pytest.skip(f"needs the real action units in {path}")
    found = action_units.read(path)
    assert found.shape == (960, 35)
    assert set(found.index) == {name.clip for name in ravdess.speech_names(range(1, 17))}


def test_tables_are_read_as_they_are_published(tmp_path: Path) -> None:
    wanted = action_units.read(write(tmp_path / "units.csv"))
    whole = pd.read_csv(tmp_path / "units.csv")
    names = {"AU12_r": "au12_R", "AU04_r": "AU4_r", "name": "Name"}
    for number, how in enumerate(({"sep": ";", "decimal": ","}, {"sep": "\t"}, {})):
        path = tmp_path / f"{number}.csv"
        whole.rename(columns=names).to_csv(path, index=False, **how)
        pd.testing.assert_frame_equal(action_units.read(path), wanted)


@pytest.mark.parametrize("content", [b"", "name,AU12_r\n".encode("utf-16"), b"\x00\x01"])
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "units.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"units\.csv: "):
        action_units.read(tmp_path / "units.csv")
