"""The widgets of lesson 09: what they draw of a voice, of known clips and of a weight."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.special import log_softmax

from avlib.corpus import ravdess
from avlib.course import voice_widgets as widgets

RATE = 16_000
CODES = np.tile(np.arange(1, 9), 5)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two clips of a buzz an octave apart, between half a second and a whole one of silence."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / ravdess.PRACTICE_MARK).write_text("buzzes\n")
    for actor, hertz in ((1, 110), (2, 220)):
        buzz = 0.3 * np.sign(np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE))
        sound = np.concatenate([np.zeros(RATE // 2), buzz, np.zeros(RATE)])
        name = ravdess.ClipName(3, 1, 5, 2, 1, 1, actor)
        path = folder / f"Actor_{actor:02d}" / f"{name}.wav"
        path.parent.mkdir()
        soundfile.write(path, sound, RATE)
    return ravdess.index(folder)


def opinion(right: float, seed: int) -> np.ndarray:
    """Log-probabilities that say the truth of `CODES` in so many of the rows."""
    rng = np.random.default_rng(seed)
    said = np.where(np.arange(len(CODES)) < right * len(CODES), CODES, CODES % 8 + 1)
    return log_softmax(np.eye(8)[said - 1] * 3 + rng.normal(0, 0.1, (len(CODES), 8)), axis=1)


@pytest.mark.parametrize(("actor", "height"), [(1, "24 semitones"), (2, "36 semitones")])
def test_contours_tell_pitch_and_what_was_trimmed(
    spoken: pd.DataFrame, actor: int, height: str
) -> None:
    shown = widgets.draw_contours(spoken, emotion=5, intensity=2, actor=actor)
    assert f"middle {height} over 27.5 Hz ({110 * actor} Hz)" in shown.picture.alt
    trimmed = re.search(r"(\S+) s at the beginning and (\S+) s at the end", shown.picture.alt)
    assert [float(each) for each in trimmed.groups()] == pytest.approx([0.45, 0.95], abs=0.02)
    assert "at most -10 dB" in shown.picture.alt
    assert shown.picture.alt.endswith("Made from: practice corpus.")
    assert shown.caption.startswith(f"Actor {actor}")
    assert len(shown.sound) / shown.rate == pytest.approx(3.5)


def test_a_clip_that_is_not_there_is_said(spoken: pd.DataFrame) -> None:
    viewer = widgets.contour_viewer(spoken)
    assert "Actor 1" in viewer.shown.value
    assert "<audio controls" in viewer.shown.value
    viewer.controls["emotion"].value = 1
    assert 'role="alert"' in viewer.shown.value
    assert "there is no such clip here" in viewer.shown.value


def test_the_slider_of_known_clips_tells_both_curves() -> None:
    def curve(first: float) -> pd.DataFrame:
        share = first + np.array([0, 0.1, 0.2])
        return pd.DataFrame(
            {"speaker_clips": ["0", "5", "all"], "accuracy": share}
            | {"low": share - 0.05, "high": share + 0.05}
        )

    slider = widgets.known_slider({"here": curve(0.5), "there": curve(0.7)}, "practice corpus")
    assert "here 50.0 % (45.0 to 55.0 %); there 70.0 % (65.0 to 75.0 %)" in slider.shown.value
    slider.controls["known"].value = "all"
    assert "all clips are known: here 70.0 %" in slider.shown.value
    assert "there 90.0 % (85.0 to 95.0 %)" in slider.shown.value


def test_the_weight_goes_from_the_voice_alone_to_the_face_alone() -> None:
    voice, face = opinion(0.8, seed=0), opinion(0.4, seed=1)
    slider = widgets.weight_slider(voice, face, CODES, 0.2, "practice corpus")
    assert "80.0 % by voice alone, 40.0 % by face alone" in slider.shown.value
    assert "The fitted weights lie at 0.20, where it is 80.0 %" in slider.shown.value
    for weight, right in ((0.0, "80.0 % at 0.00"), (1.0, "40.0 % at 1.00")):
        slider.controls["weight"].value = weight
        assert f"by the weight of the face: {right}" in slider.shown.value


def test_what_is_drawn_does_not_change_what_was_given() -> None:
    voice, face = opinion(0.8, seed=0), opinion(0.4, seed=1)
    before = voice.copy(), face.copy()
    widgets.draw_weight(voice, face, CODES, 0.5, 0.5, "practice corpus")
    assert np.array_equal(voice, before[0])
    assert np.array_equal(face, before[1])
