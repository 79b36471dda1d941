"""What lesson 02 moves: the steps to an MFCC and the sound left of it, and frame pairs."""

import re
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
from media import chirp

from avlib.course import feature_widgets
from avlib.features import audio

RATE = 22_050


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)


def test_the_mfcc_panels_say_their_numbers(noise: np.ndarray) -> None:
    shown = feature_widgets.draw_mfcc(noise, RATE, 13, 256, 1024, "RAVDESS")
    assert "13 coefficients in 87 frames" in shown.picture.alt
    assert "46 ms long" in shown.picture.alt
    assert "Made from: RAVDESS" in shown.picture.alt


def test_empty_mel_bands_are_told_in_the_picture_and_not_by_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    power = np.eye(129)  # of one frequency after the other, as a window of 256 tells them apart
    empty = int(((librosa.filters.mel(sr=48_000, n_fft=256) @ power).sum(axis=1) == 0).sum())
    recwarn.clear()
    shown = feature_widgets.draw_mfcc(sound, 48_000, 40, 512, 256, "RAVDESS")
    assert empty > 10
    assert f"{empty} of 128 mel bands are empty" in shown.picture.alt
    wide = feature_widgets.draw_mfcc(sound, 48_000, 40, 512, 4096, "RAVDESS")
    assert "empty" not in wide.picture.alt
    assert not recwarn.list


# Not a hop of 256: with a frame each quarter of a window, that adds frames which no one hears.
@pytest.mark.parametrize(("setting", "to"), [("coefficients", 2), ("hop", 2048), ("window", 256)])
def test_whatever_is_moved_the_sound_made_again_changes(
    noise: np.ndarray, setting: str, to: int
) -> None:
    inspector = feature_widgets.mfcc_inspector(noise, RATE, "practice corpus")

    def heard() -> list[str]:
        return re.findall(r'<audio.*?src="(.*?)"', inspector.shown.value)

    before = heard()
    inspector.controls[setting].value = to
    assert heard()[0] == before[0]
    assert heard()[1] != before[1]


@pytest.mark.parametrize("hop", [256, 2048])
@pytest.mark.parametrize("window", [256, 8192])
def test_every_setting_can_be_heard(noise: np.ndarray, hop: int, window: int) -> None:
    again = feature_widgets.draw_mfcc(noise, RATE, 13, hop, window, "RAVDESS").again
    assert len(again) == len(noise)
    assert np.isfinite(again).all()
    assert np.abs(again).max() == pytest.approx(0.5)
    silent = feature_widgets.draw_mfcc(0 * noise, RATE, 13, hop, window, "RAVDESS").again
    assert np.abs(silent).max() < 0.01


def test_the_more_coefficients_the_nearer_the_sound_comes() -> None:
    sound = chirp(1.3, RATE)
    table = audio.mfcc(sound, RATE, 128)

    def missed(coefficients: int) -> float:
        again = feature_widgets.from_mfcc(table[:coefficients], RATE, len(sound))
        found = audio.mfcc(again, RATE, 128)
        return float(np.abs(found - table)[1:].mean())  # without the 0th, which is loudness

    far, near, nearest = map(missed, (5, 13, 128))
    assert far > near > nearest


def test_the_pair_scrubber_shows_a_bad_setting_in_red(clips: pd.DataFrame) -> None:
    scrubber = feature_widgets.pair_scrubber(Path(clips["picture"].iloc[0]), "practice corpus")
    assert "6 frame pairs of 64 by 128" in scrubber.shown.value
    assert "<video controls" in scrubber.shown.value
    scrubber.controls["window"].value = 0.3
    scrubber.controls["offset"].value = 0.5
    assert "offset" in scrubber.shown.value
    assert 'role="alert"' in scrubber.shown.value


def test_a_flicker_can_be_stopped_and_rests_for_who_asks_for_no_motion() -> None:
    pair = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    html = feature_widgets.flicker(pair, "A mouth <opens>.", "RAVDESS").html()
    earlier, later = re.findall(r'<img alt="(.*?)"', html)
    assert earlier == "The earlier frame of a pair. Made from: RAVDESS."
    assert later == "The later frame. A mouth &lt;opens&gt;. Made from: RAVDESS."
    (box,) = re.findall(r'<input type="checkbox" id="(.*?)">', html)
    assert f'<label for="{box}">' in html
    assert re.search(r"prefers-reduced-motion: reduce\) \{.*animation: none", html)
    assert box not in feature_widgets.flicker(pair[::-1], "Another.", "RAVDESS").html()
