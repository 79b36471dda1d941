"""From a recording to the functionals of its voice: what pitch, loudness, time and colour do in it.

A functional is one number that sums up a whole recording, such as the mean of its pitch. The set
follows eGeMAPS (Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417), over Praat's pitch and formants
and librosa's spectra, and adds how the sound's spectrum moves.
Taught in notebooks/09-better-with-unseen-speakers.ipynb.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import dct, dctn

from avlib.corpus import recording
from avlib.features import audio

RATE = 16_000  # Hz; sound is resampled to it
HOP = 160  # samples from one analysis frame to the next: 10 ms
WINDOW = 400  # samples in one analysis frame: 25 ms
BANDS = 64  # mel bands from 50 Hz to 8 kHz
PITCH_FLOOR, PITCH_CEILING = 70.0, 700.0  # Hz; acted speech goes higher than read speech
SILENCE = 40.0  # dB under the loudest frame: what is trimmed from both ends
EVEN = 0.05  # of full scale: the root mean square that all recordings are brought to
_MARGIN = 800  # samples that trimming leaves at each end: 50 ms
_TINY = 1e-10  # of full scale squared: −100 dB, so that the logarithm of silence is a number
_LEAST_VOICED = 5  # frames; what has fewer is no voice


@dataclass(frozen=True)
class Functional:
    """One number of a recording: its name, its unit, and where its definition comes from."""

    name: str
    unit: str
    source: str


@dataclass(frozen=True)
class Voice:
    """What a trimmed recording does in each frame of 10 ms."""

    start: float  # s from the recording's beginning to the first frame
    seconds: float  # how long the trimmed recording lasts
    voiced: np.ndarray  # (frames,) bool: whether the vocal folds swing
    pitch: np.ndarray  # (voiced frames,) in semitones over 27.5 Hz
    harmonicity: np.ndarray  # (voiced frames,) dB: what repeats over what does not
    loudness: float  # dB of full scale, on average: what the microphone made of it
    level: np.ndarray  # (frames,) dB of full scale, as if all recordings were equally loud
    power: np.ndarray  # (257, frames) spectrum, linear
    mel: np.ndarray  # (64, frames) dB
    formants: np.ndarray  # (voiced frames, 6): F1, its bandwidth, F2, …; Hz, NaN where not found
    jitter: float  # share by which a period differs from the next; NaN where not found
    shimmer: float  # the same of its amplitude

    @property
    def sounding(self) -> np.ndarray:
        """``(frames,)`` bool: whether a frame is no silence."""
        return self.level > self.level.max() - SILENCE


def trim(sound: np.ndarray) -> tuple[int, int]:
    """First and last sample of what is not silence, of a sound at `RATE`, with 50 ms around it.

    Raises `ValueError` if there is nothing but silence.

    >>> tone = np.sin(np.arange(RATE) / 10).astype(np.float32)
    >>> trim(np.concatenate([np.zeros(RATE, np.float32), tone, np.zeros(RATE, np.float32)]))
    (15040, 32960)
    """
    loudest = np.abs(sound).max(initial=0)
    if loudest < recording.SILENT:
        raise ValueError("holds nothing but silence; is the microphone on?")
    level = levels(sound / loudest)
    sounding = np.flatnonzero(level > level.max() - SILENCE)
    start, end = (int(frame) * HOP for frame in sounding[[0, -1]])
    return max(0, start - _MARGIN), min(len(sound), end + _MARGIN)


def analyse(sound: np.ndarray, rate: int) -> Voice:
    """Trim a sound, ``(samples,)`` float32 at `rate` Hz, and follow its voice frame by frame.

    Pitch by autocorrelation (Boersma 1993) and formants by Burg's method, both Praat's. Raises
    `ValueError` if there is nothing but silence, or less than 50 ms of voice.

    >>> tone = np.sign(np.sin(2 * np.pi * 110 * np.arange(16_000) / 16_000)).astype(np.float32)
    >>> round(float(np.median(analyse(tone, 16_000).pitch)), 1)  # two octaves over 27.5 Hz
    24.0
    """
    import parselmouth
    from parselmouth.praat import call

    whole = audio.resample(sound, rate, RATE)
    start, end = trim(whole)
    if end - start <= 3 * RATE / PITCH_FLOOR:  # Praat wants three swings of the lowest voice
        raise ValueError(f"holds {(end - start) / RATE:.2f} s of sound, too little for a voice")
    sound = whole[start:end]
    praat = parselmouth.Sound(sound.astype(float), RATE)
    followed = praat.to_pitch_ac(HOP / RATE, PITCH_FLOOR, pitch_ceiling=PITCH_CEILING)
    times = np.arange(1 + len(sound) // HOP) * HOP / RATE
    frame = _nearest(times, followed)
    hertz = followed.selected_array["frequency"][frame]
    strength = followed.selected_array["strength"][frame]
    voiced = hertz > 0
    if voiced.sum() < _LEAST_VOICED:
        raise ValueError("holds no voice (a whisper, noise, music?); use a recording of speech")
    repeating = np.clip(strength[voiced], 1e-3, 1 - 1e-3)
    resonances = praat.to_formant_burg(HOP / RATE, maximum_formant=5500.0)
    pulses = call([praat, followed], "To PointProcess (cc)")
    # The rest is measured at one loudness, so that no microphone decides what is silence.
    average = np.sqrt(np.mean(np.square(sound)))
    even = sound * (EVEN / average)
    power, mel = spectra(even)
    return Voice(
        start=start / RATE,
        seconds=len(sound) / RATE,
        voiced=voiced,
        pitch=12 * np.log2(hertz[voiced] / 27.5),
        harmonicity=10 * np.log10(repeating / (1 - repeating)),
        loudness=20 * np.log10(average),
        level=levels(even)[: len(times)],
        power=power,
        mel=mel,
        formants=_formants(resonances)[_nearest(times, resonances)][voiced],
        jitter=call(pulses, "Get jitter (local)", 0, 0, 1e-4, 0.02, 1.3),
        shimmer=call([praat, pulses], "Get shimmer (local)", 0, 0, 1e-4, 0.02, 1.3, 1.6),
    )


def spectra(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Power, ``(257, frames)``, and mel bands, ``(64, frames)`` dB, of a sound at `RATE`.

    >>> [each.shape for each in spectra(np.ones(RATE, np.float32))]
    [(257, 101), (64, 101)]
    """
    import librosa

    spectrum = librosa.stft(sound, n_fft=512, hop_length=HOP, win_length=WINDOW)
    power = np.abs(spectrum) ** 2
    return power, 10 * np.log10(_mel_bands() @ power + _TINY)


def levels(sound: np.ndarray) -> np.ndarray:
    """The level of each frame of a sound at `RATE`, dB of full scale; −100 of silence."""
    import librosa

    rms = librosa.feature.rms(y=sound, frame_length=WINDOW, hop_length=HOP)[0]
    return 10 * np.log10(rms**2 + _TINY)


def _nearest(times: np.ndarray, sampled: object) -> np.ndarray:
    """Of Praat's frames the one that lies nearest to each time."""
    frame = np.rint((times - sampled.x1) / sampled.dx).astype(int)
    return np.clip(frame, 0, sampled.n_frames - 1)


def _formants(resonances: object) -> np.ndarray:
    """Praat's first three formants and their bandwidths, all frames in one call."""
    from parselmouth.praat import call

    table = call(resonances, "Down to Table", False, False, 3, False, 1, True, 1, True)
    lines = call(table, "List", False).splitlines()[1:]
    cells = [line.split("\t")[1:7] for line in lines]
    return np.array([[np.nan if c.startswith("-") else float(c) for c in row] for row in cells])


@lru_cache(maxsize=1)
def _mel_bands() -> np.ndarray:
    import librosa

    return librosa.filters.mel(sr=RATE, n_fft=512, n_mels=BANDS, fmin=50, fmax=8000)


def compute(sound: np.ndarray, rate: int) -> np.ndarray:
    """All functionals of a sound, ``(len(described()),)`` float32, in the order of `described`.

    `sound` is ``(samples,)`` float32 at `rate` Hz; raises as `analyse`. Where a recording has no
    frame of a kind (no consonant without voice, say), the mean over the voiced frames stands; where
    Praat finds too few periods for jitter or shimmer, 2 %.
    """
    with audio.one_thread():
        named = summarise(analyse(sound, rate))
    return np.array(list(named.values()), np.float32)


@lru_cache(maxsize=1)
def described() -> tuple[Functional, ...]:
    """The functionals in the order of what `compute` returns.

    >>> described()[0]
    Functional(name='pitch mean', unit='semitones', source='eGeMAPS: F0, logarithmic')
    """
    buzz = np.sign(np.sin(2 * np.pi * 110 * np.arange(RATE) / RATE)).astype(np.float32)
    return tuple(
        Functional(name, *_UNIT_AND_SOURCE[name.split()[0]])
        for name in summarise(analyse(buzz, RATE))
    )


def follows_level(name: str) -> bool:
    """Whether a functional depends on how loud the recording is: on the microphone, that is.

    >>> [follows_level(f"loudness {what}") for what in ("level", "mean", "movement")]
    [True, False, False]
    """
    return name == "loudness level"


_UNIT_AND_SOURCE = {
    "pitch": ("semitones", "eGeMAPS: F0, logarithmic"),
    "loudness": ("dB", "eGeMAPS: loudness, here the level"),
    "time": ("s, 1/s or share", "eGeMAPS: lengths and rate of voiced and unvoiced segments"),
    "quality": ("dB or log share", "eGeMAPS: HNR, jitter, shimmer"),
    "formant": ("semitones or log Hz", "eGeMAPS: F1 to F3, bandwidths"),
    "spectral": ("dB, dB/kHz or kHz", "eGeMAPS: balance, slopes, Hammarberg index"),
    "mfcc": ("dB-like", "Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420"),
    "shape": ("dB-like", "two-dimensional cosine transform of the mel spectrogram"),
    "modulation": ("log dB²", "Greenberg & Kingsbury 1997, doi:10.1109/ICASSP.1997.598826"),
}


def summarise(voice: Voice) -> dict[str, float]:
    """The functionals by name, of a recording that `analyse` followed."""
    found: dict[str, float] = {}
    for group in _GROUPS:
        found |= group(voice)
    return found


def _spread(name: str, values: np.ndarray, percents: Sequence[int] = (5, 20, 50, 80, 95)) -> dict:
    """Where values lie, how far they spread, how much they move from frame to frame."""
    return {
        f"{name} mean": values.mean(),
        f"{name} deviation": values.std(),
        **{f"{name} p{p}": np.percentile(values, p) for p in percents},
        f"{name} movement": np.abs(np.diff(values)).mean(),
    }


def _contour(name: str, values: np.ndarray, waves: int = 8) -> dict[str, float]:
    """The shape of a line over the whole recording: its first cosine waves, whatever its length."""
    line = dct(_stretched(values, 64), norm="ortho")
    return {f"{name} contour {wave}": line[wave] for wave in range(1, waves + 1)}


def _stretched(values: np.ndarray, points: int) -> np.ndarray:
    return np.interp(np.linspace(0, len(values) - 1, points), np.arange(len(values)), values)


def _pitch(voice: Voice) -> dict[str, float]:
    frames = np.flatnonzero(voice.voiced)
    steps = np.diff(voice.pitch)[np.diff(frames) == 1] * RATE / HOP  # semitones a second
    return {
        **_spread("pitch", voice.pitch),
        "pitch range": np.subtract(*np.percentile(voice.pitch, (80, 20))),
        "pitch rising": _mean(steps[steps > 0], 0.0),
        "pitch falling": _mean(steps[steps < 0], 0.0),
        **_contour("pitch", np.interp(np.arange(len(voice.voiced)), frames, voice.pitch)),
    }


def _mean(values: np.ndarray, otherwise: float) -> float:
    return values.mean() if values.size else otherwise


def _loudness(voice: Voice) -> dict[str, float]:
    steps = np.diff(voice.level) * RATE / HOP  # dB a second
    return {
        "loudness level": voice.loudness,
        **_spread("loudness", voice.level),
        "loudness rising": np.clip(steps, 0, None).mean(),
        "loudness falling": np.clip(steps, None, 0).mean(),
        **_contour("loudness", voice.level),
    }


def _time(voice: Voice) -> dict[str, float]:
    second = HOP / RATE
    begin, end = _runs(voice.voiced)
    gaps = (begin[1:] - end[:-1]) * second
    soft = voice.level <= voice.level.max() - 25
    pauses = np.subtract(*_runs(soft)[::-1]) * second
    window = np.hanning(9) / np.hanning(9).sum()
    smooth = np.convolve(voice.level, window, "same")  # its peaks are the syllables, nearly
    rises, falls = smooth[1:-1] > smooth[:-2], smooth[1:-1] > smooth[2:]
    peaks = rises & falls & (smooth[1:-1] > voice.level.max() - 25)
    return {
        "time seconds": voice.seconds,
        "time voiced share": voice.voiced.mean(),
        "time peaks a second": peaks.sum() / voice.seconds,
        "time voiced segments a second": len(begin) / voice.seconds,
        "time voiced mean": (end - begin).mean() * second,
        "time voiced deviation": (end - begin).std() * second,
        "time unvoiced mean": _mean(gaps, 0.0),
        "time unvoiced deviation": gaps.std() if gaps.size else 0.0,
        "time soft share": soft.mean(),
        "time longest pause": pauses.max(initial=0.0),
    }


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each run of True begins, and the frame after its end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return edges[::2], edges[1::2]


def _quality(voice: Voice) -> dict[str, float]:
    shares = {"quality jitter": voice.jitter, "quality shimmer": voice.shimmer}
    return {
        **_spread("quality harmonicity", voice.harmonicity),
        **{name: np.log(0.02 if np.isnan(s) else max(s, 1e-4)) for name, s in shares.items()},
    }


def _formant(voice: Voice) -> dict[str, float]:
    found = {}
    for number in range(3):
        hertz, width = voice.formants[:, 2 * number : 2 * number + 2].T
        height = 12 * np.log2(hertz[~np.isnan(hertz)] / 27.5)
        height = height if height.size else np.array([12 * np.log2((0.5 + number) * 1000 / 27.5)])
        found |= {
            f"formant {number + 1} mean": height.mean(),
            f"formant {number + 1} deviation": height.std(),
            f"formant {number + 1} p20": np.percentile(height, 20),
            f"formant {number + 1} p80": np.percentile(height, 80),
            f"formant {number + 1} bandwidth": np.log(_mean(width[~np.isnan(width)], 100.0)),
        }
    return found


def _spectral(voice: Voice) -> dict[str, float]:
    """How the energy lies between low and high, in voiced frames and in unvoiced ones."""
    hertz = np.linspace(0, RATE / 2, len(voice.power))
    decibel = 10 * np.log10(voice.power + _TINY)

    def inside(low: float, high: float) -> np.ndarray:
        return (hertz >= low) & (hertz < high)

    def energy(low: float, high: float) -> np.ndarray:
        return 10 * np.log10(voice.power[inside(low, high)].sum(axis=0) + _TINY)

    def slope(low: float, high: float) -> np.ndarray:
        around = (hertz[inside(low, high)] - hertz[inside(low, high)].mean()) / 1000
        return around @ decibel[inside(low, high)] / (around @ around)

    def peak(low: float, high: float) -> np.ndarray:
        return decibel[inside(low, high)].max(axis=0)

    total = voice.power.sum(axis=0) + _TINY
    measures = {
        "alpha": energy(50, 1000) - energy(1000, 5000),
        "hammarberg": peak(0, 2000) - peak(2000, 5000),
        "slope to 500": slope(0, 500),
        "slope to 1500": slope(500, 1500),
        "slope to 5000": slope(1500, 5000),
        "centroid": hertz @ voice.power / total / 1000,
        "flatness": decibel.mean(axis=0) - 10 * np.log10(total / len(hertz)),
        "hiss": energy(5000, 8000) - energy(50, 5000),
    }
    unvoiced, found = voice.sounding & ~voice.voiced, {}
    for name, values in measures.items():
        own = values[voice.voiced]
        found |= {
            f"spectral {name} voiced mean": own.mean(),
            f"spectral {name} voiced deviation": own.std(),
            f"spectral {name} voiced p20": np.percentile(own, 20),
            f"spectral {name} voiced p80": np.percentile(own, 80),
            f"spectral {name} unvoiced mean": _mean(values[unvoiced], own.mean()),
        }
    shares = 10 ** (voice.mel / 10)
    shares = np.sqrt(shares / shares.sum(axis=0))
    flux = np.sqrt((np.diff(shares, axis=1) ** 2).sum(axis=0))
    return found | {"spectral flux mean": flux.mean(), "spectral flux deviation": flux.std()}


def _mfcc(voice: Voice) -> dict[str, float]:
    """Thirty MFCCs: over all frames, in the voiced and in the unvoiced ones."""
    coefficients = dct(voice.mel, axis=0, norm="ortho")[:30]
    voiced = coefficients[:, voice.voiced]
    unvoiced = coefficients[:, voice.sounding & ~voice.voiced]
    summaries = {
        "mean": coefficients.mean(axis=1),
        "deviation": coefficients.std(axis=1),
        "p10": np.percentile(coefficients, 10, axis=1),
        "p90": np.percentile(coefficients, 90, axis=1),
        "movement": np.diff(coefficients, axis=1).std(axis=1),
        "voiced mean": voiced.mean(axis=1),
        "voiced deviation": voiced.std(axis=1),
        "unvoiced mean": (unvoiced if unvoiced.size else voiced).mean(axis=1),
    }
    return {
        f"mfcc {name} {number}": value
        for name, values in summaries.items()
        for number, value in enumerate(values)
    }


def _shape(voice: Voice) -> dict[str, float]:
    """The mel spectrogram as one picture, stretched to a common length: its slowest waves."""
    picture = np.stack([_stretched(band, 64) for band in voice.mel])
    waves = dctn(picture, norm="ortho")
    return {f"shape {up} {along}": waves[up, along] for up in range(8) for along in range(1, 11)}


def _modulation(voice: Voice) -> dict[str, float]:
    """How fast eight bands swell and fade: syllables come four to five times a second."""
    bands = voice.mel.reshape(8, BANDS // 8, -1).mean(axis=1)
    bands = (bands - bands.mean(axis=1, keepdims=True)) * np.hanning(bands.shape[1])
    points = max(256, bands.shape[1])
    swelling = np.abs(np.fft.rfft(bands, points, axis=1)) ** 2 / bands.shape[1]
    hertz = np.fft.rfftfreq(points, HOP / RATE)
    return {
        f"modulation {low:g} to {high:g} Hz {band}": np.log(
            swelling[band, (hertz >= low) & (hertz < high)].mean() + 1e-6
        )
        for low, high in ((0.5, 2), (2, 4), (4, 8), (8, 16))
        for band in range(8)
    }


_GROUPS: tuple[Callable[[Voice], dict[str, float]], ...] = (
    _pitch, _loudness, _time, _quality, _formant, _spectral, _mfcc, _shape, _modulation,
)  # fmt: skip
