"""What is shipped says what it is, and is what was trained."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_ladder import stores

from avlib.evaluation import ladder, recogniser
from avlib.features import audio, functionals
from avlib.learning import fusion


def result_for(steps: list[str]) -> dict[str, object]:
    """What a ladder might have said."""
    row = {"accuracy": 0.5, "low": 0.4, "high": 0.6, "uar": 0.5, "calibration_error": 0.04}
    return {
        "rows": [{"step": step, "speaker_clips": n, **row} for step in steps for n in (0, "all")],
        "of": {
            step: {
                "recall": dict.fromkeys(recogniser.EMOTIONS, 0.5),
                "accuracy_of_actor": {"1": 0.2, "2": 0.9},
            }
            for step in steps
        },
    }


@pytest.mark.slow
def test_what_is_shipped_is_trained_on_all_and_says_what_it_is_worth(tmp_path: Path) -> None:
    store, _ = stores(2.0)
    result = result_for([ladder.VOICE, ladder.LATE])
    paths = recogniser.ship(store, result, tmp_path)
    assert [path.name for path in paths] == [
        "voice.safetensors",
        "voice-and-face.safetensors",
        "MODEL_CARD.md",
    ]
    model, header = fusion.load(paths[0])
    assert header["rows"] == [row for row in result["rows"] if row["step"] == ladder.VOICE]
    assert header["actors"] == list(range(1, 13))
    told = model.log_posteriors({"sound": store.voice}).argmax(axis=1) + 1
    assert (told == store.clips["emotion"]).mean() > 0.6
    card = paths[2].read_text("utf-8")
    for said in ("0.500 (0.400 to 0.600)", "0.20 | 0.90", "Not for", "calibration error"):
        assert said in card


@pytest.mark.slow
def test_without_faces_the_voice_is_shipped_alone(tmp_path: Path) -> None:
    store, _ = stores(2.0)
    paths = recogniser.ship(store, result_for([ladder.VOICE]), tmp_path)
    assert [path.name for path in paths] == ["voice.safetensors", "MODEL_CARD.md"]


@pytest.mark.parametrize("name", recogniser.NAMES)
def test_the_recogniser_that_comes_with_avlib_is_small_and_says_its_licence(name: str) -> None:
    model, header = recogniser.load(name)
    assert (recogniser.SHIPPED / f"{name}.safetensors").stat().st_size < 2e6
    assert header["measured_on"] == "RAVDESS"
    assert "CC BY-NC-SA 4.0" in header["licence"]
    assert {row["speaker_clips"] for row in header["rows"]} >= {0, 5, "all"}
    assert set(model.normalisations) <= {"sound", "face"}


def test_the_recogniser_hears_real_speech(real_speech: Path, tmp_path: Path) -> None:
    """Clips that it was trained on: whoever is not right about these computes other functionals."""
    model, _ = recogniser.load("voice")
    with zipfile.ZipFile(real_speech) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith("-01.wav"))[::3]
        paths = [Path(archive.extract(name, tmp_path)) for name in names]
    heard = np.array([functionals.compute(*audio.load(path)) for path in paths])
    told = model.log_posteriors({"sound": heard}).argmax(axis=1) + 1
    truth = [int(path.name.split("-")[2]) for path in paths]
    assert (told == truth).mean() > 0.8


def test_another_recogniser_is_not_there_and_other_functionals_are_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="there is no 'smell'; choose from voice, own-voice"):
        recogniser.load("smell")
    monkeypatch.setattr(functionals, "described", lambda: ())
    with pytest.raises(ValueError, match="other functionals than this avlib computes"):
        recogniser.load("voice")
