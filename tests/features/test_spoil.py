"""What spoils a recording does what its name says, and no more."""

import numpy as np
import pytest
from media import RATE, chirp, tone

from avlib.features import spoil


def power(sound: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(sound, dtype=float)))


def spoilt(way: spoil.Spoil, sound: np.ndarray) -> tuple[np.ndarray, int]:
    return way(sound, RATE, np.random.default_rng(0))


@pytest.mark.parametrize("decibel", [-30, -10, 3])
def test_level_is_changed_by_so_many_decibels(decibel: int) -> None:
    sound = 0.5 * tone(220)
    found, rate = spoilt(spoil.level(decibel), sound)
    assert rate == RATE
    assert power(found) == pytest.approx(power(sound) + decibel, abs=0.01)
    np.testing.assert_array_equal(found * 2**15, np.round(found * 2**15))  # 16 bits


def test_what_is_too_loud_is_clipped() -> None:
    found, _ = spoilt(spoil.level(20), tone(220))
    assert np.abs(found).max() <= 1
    assert (np.abs(found) > 0.999).mean() > 0.5


@pytest.mark.parametrize("decibel", [30, 0])
def test_noise_lies_so_far_under_the_voice(decibel: int) -> None:
    sound = chirp(3.0, RATE)
    found, _ = spoilt(spoil.noise(decibel), sound)
    noise = found.astype(float) - sound
    assert power(noise) == pytest.approx(power(sound) - decibel, abs=0.1)
    octaves = [power(np.fft.irfft(np.fft.rfft(noise) * band)) for band in _octaves(len(noise))]
    assert np.ptp(octaves) < 1.5  # pink: as much in every octave


def _octaves(samples: int) -> list[np.ndarray]:
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    return [(hertz >= low) & (hertz < 2 * low) for low in (250, 500, 1000, 2000, 4000)]


def test_a_room_rings_for_so_long() -> None:
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1
    found, _ = spoilt(spoil.room(0.8), click)
    early, late = found[RATE // 100 :][: RATE // 20], found[round(0.41 * RATE) :][: RATE // 20]
    assert power(early) - power(late) == pytest.approx(30, abs=3)  # 60 dB in 0.8 s
    assert np.abs(found[round(0.85 * RATE) :]).max() < 1e-3


def test_a_telephone_keeps_a_band() -> None:
    kept, rate = spoilt(spoil.telephone, tone(1000))
    low, _ = spoilt(spoil.telephone, (tone(1000) + tone(100)).astype(np.float32))
    assert rate == 8000
    spectrum = np.abs(np.fft.rfft(low))
    hertz = np.fft.rfftfreq(len(low), 1 / rate)
    at = [spectrum[np.abs(hertz - wanted).argmin()] for wanted in (100, 1000)]
    assert 20 * np.log10(at[1] / at[0]) > 30
    assert np.corrcoef(kept, low)[0, 1] > 0.95


@pytest.mark.parametrize("name", spoil.CONDITIONS)
def test_every_condition_gives_sound_of_the_same_length(name: str) -> None:
    sound = chirp(1.0, RATE)
    found, rate = spoilt(spoil.CONDITIONS[name], sound)
    assert found.dtype == np.float32
    assert len(found) / rate == pytest.approx(1.0, abs=0.1)
    assert np.isfinite(found).all()
    assert np.std(found) > 1e-4
