"""What a split leaks is counted as a hand counts it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from media import table

from avlib.corpus import ravdess
from avlib.evaluation import audit
from avlib.learning import splits
from avlib.learning.splits import Split


def test_leaks_are_what_a_hand_counts() -> None:
    names = {
        "train": ["01-01-03-01-01-01-01", "01-01-04-01-01-02-01", "01-01-05-01-01-01-02"],
        "test": [
            "02-01-03-01-01-01-01",  # the twin of the first
            "01-01-04-01-01-01-01",  # the other repetition of the second
            "01-01-05-02-01-01-02",  # the actor of the third
            "01-01-05-01-01-01-03",  # a stranger, with the bytes of the third
        ],
    }
    parsed = [ravdess.ClipName.parse(name) for side in names.values() for name in side]
    rows = pd.DataFrame([vars(name) | {"clip": name.clip, "digest": str(name)} for name in parsed])
    rows.loc[6, "digest"] = rows.loc[2, "digest"]
    found = audit.leaks(rows, Split(np.arange(3), np.array([], int), np.arange(3, 7), "pair"))
    assert found.to_dict() == {
        "another row of the same clip": 0,
        "its twin in another modality": 1 / 4,
        "the same bytes": 1 / 4,
        "the other repetition": 1 / 4,
        "the same actor": 3 / 4,
    }


def test_leaks_that_rows_cannot_tell_are_missing() -> None:
    rows = table(ravdess.speech_names(range(1, 25))).drop(columns="modality")
    found = audit.leaks(rows, splits.split(rows, "actor", 0))
    assert found.dropna().to_dict() == {
        "another row of the same clip": 0,
        "the other repetition": 0,
        "the same actor": 0,
    }


@pytest.mark.parametrize(
    ("unit", "what", "expected"),
    [  # what a test row has in train, by facts about the design: 0.8 of the rows train
        ("pair", "another row of the same clip", 0.9996),
        ("file", "its twin in another modality", 0.81),
        ("clip", "the other repetition", 0.81),
        ("clip", "the same actor", 1),
        ("take", "the other repetition", 0),
        ("actor", "the same actor", 0),
    ],
)
def test_the_audit_gives_back_what_the_design_says(unit: str, what: str, expected: float) -> None:
    found = audit.audit(None, unit, range(5))
    assert found["measured_on"] == "the full design of RAVDESS"
    shares = found["shares"][what]
    tested = found["rows"] / 10 * 5
    error = 3 * np.sqrt(expected * (1 - expected) / tested)
    assert shares["mean"] == pytest.approx(expected, abs=max(error, 1e-9))
    assert shares["least"] <= shares["mean"] <= shares["most"]


def test_the_audit_of_recordings_finds_equal_bytes(corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    sounds = sorted(folder.rglob("03-*.wav"))
    for sound in sounds[1:]:
        shutil.copyfile(sounds[0], sound)
    found = audit.audit(folder, "actor", [0])
    assert found["shares"]["the same bytes"]["mean"] == 1
    assert found["shares"]["the same actor"]["mean"] == 0
    assert found["shares"]["its twin in another modality"] is None
    assert json.loads(json.dumps(found)) == found
