"""Anybody's table of predictions is read as it was published, or its faulty lines are named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import metrics, scoring


def predictions_file(path: Path, **changed: object) -> Path:
    names = ["01-01-01-01-01-01", "01-02-01-01-01-02", "01-02-02-01-01-03", "01-05-01-01-01-03"]
    chances = np.full((4, 8), 0.05)
    chances[[0, 1, 2, 3], [0, 1, 1, 0]] = 0.65
    table = pd.DataFrame({"clip": names, "label": [1, 2, 2, 5]})
    table = table.join(pd.DataFrame(chances, columns=[f"prob_{code}" for code in range(1, 9)]))
    table.assign(**changed).to_csv(path, index=False)
    return path


def test_anybodys_table_is_scored(tmp_path: Path) -> None:
    predictions = scoring.read(predictions_file(tmp_path / "mine.csv", fold=[1, 1, 2, 2]))
    assert metrics.accuracy(predictions) == 3 / 4
    assert metrics.uar(predictions) == pytest.approx((1 + 1 + 0) / 3)
    assert metrics.calibration_error(predictions) == pytest.approx(abs(0.65 - 3 / 4))
    assert predictions["actor"].tolist() == [1, 2, 3, 3]
    assert predictions["fold"].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": [1, 2, 2, 6]}, r"line 5: 01-05.* is angry \(5\), and its label says 6"),
        ({"prob_3": [0.05, 0.05, 0.4, 0.05]}, r"line 4: probabilities .* come to 1\.35"),
        ({"prob_3": [0.05, np.nan, 0.05, 0.05]}, "line 3: probabilities"),
        ({"clip": ["one", "two", "three", "four"]}, "line 2: .*one: not a RAVDESS name.*line 3"),
        (
            {"clip": ["01-01-01-01-01-01", None, "01-02-02-01-01-03", "x"]},
            "line 3: the clip has no name",
        ),
        ({"label": [0, 1, 1, 4]}, "line 2: .*--labels from-0.*; and 1 lines more"),
        ({"fold": [1, 1, None, 2]}, "1 clips: 01-02-02-01-01-03 … has no fold"),
        ({"clip": ["01-01-01-01-01-01"] * 4, "label": 1, "fold": [1, 1, 1, 2]}, "in two folds"),
    ],
)
def test_a_faulty_table_is_refused_by_line(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        scoring.read(predictions_file(tmp_path / "mine.csv", **changed))


def test_a_lacking_column_is_named(tmp_path: Path) -> None:
    path = predictions_file(tmp_path / "mine.csv")
    pd.read_csv(path).drop(columns=["label", "prob_7"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"mine\.csv: lacks the columns label, prob_7"):
        scoring.read(path)


def test_tables_are_read_as_they_are_published(tmp_path: Path) -> None:
    """Tabs or semicolons, decimal commas, capitals, words, two digits, from 0, blank lines."""
    whole = scoring.read(predictions_file(tmp_path / "mine.csv"))
    table = pd.read_csv(tmp_path / "mine.csv")
    words = table.assign(label=[EMOTIONS[code - 1].title() for code in table["label"]])
    variants = {
        "tabs.tsv": (words.rename(columns=str.upper), {"sep": "\t"}, 1),
        "commas.csv": (table, {"sep": ";", "decimal": ","}, 1),
        "floats.csv": (table.assign(label=table["label"].astype(float)), {}, 1),
        "zero.csv": (table.assign(label=table["label"] - 1), {}, 0),
    }
    for name, (published, how, first) in variants.items():
        published.to_csv(tmp_path / name, index=False, **how)
        found = scoring.read(tmp_path / name, labels_from=first)
        pd.testing.assert_frame_equal(found, whole)
    blank = (tmp_path / "mine.csv").read_text() + "\n,,,,,,,,,\n"
    (tmp_path / "blank.csv").write_text(blank)
    pd.testing.assert_frame_equal(scoring.read(tmp_path / "blank.csv"), whole)


def test_rounded_and_repeated_rows_and_ties_are_counted(tmp_path: Path) -> None:
    path = predictions_file(tmp_path / "mine.csv", prob_8=[0.05, 0.05, 0.06, 0.05])
    table = pd.read_csv(path)
    pd.concat([table, table[:1]]).to_csv(path, index=False)
    found = scoring.read(path)
    assert (len(found), found.attrs["rows"], found.attrs["rounded"]) == (4, 5, 1)
    np.testing.assert_allclose(np.exp(found[metrics.LOG_COLUMNS]).sum(axis=1), 1)
    assert metrics.ties(found) == 0
    equal = {f"prob_{code}": 0.125 for code in range(1, 9)}
    assert metrics.ties(scoring.read(predictions_file(path, **equal))) == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lacks the columns"),
        ("clip,label\n".encode("utf-16"), "is not UTF-8 text"),
        (b"clip,label," + b",".join(b"prob_%d" % code for code in range(1, 9)), "holds no rows"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"mine\.csv: {said}"):
        scoring.read(tmp_path / "mine.csv")
