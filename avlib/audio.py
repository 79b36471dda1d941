"""From a recording to its MFCCs: load, resample, transform.

Paper section: each recording is resampled with "Kaiser Best" and described by its first
40 MFCCs. Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# The filter that resampy 0.4 publishes as "kaiser_best" (resampy.filters.sinc_window).
ZERO_CROSSINGS = 50
KAISER_BETA = 12.984585247040012
ROLLOFF = 0.9173473712608761


def load(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a recording's sound as one channel.

    Parameters
    ----------
    path : str or Path
        A wav file, or an mp4 file with a sound track.

    Returns
    -------
    sound : ndarray, shape (samples,), float32
        Amplitude, full scale is 1. Several channels are averaged.
    rate : int
        Samples a second (Hz).

    Raises
    ------
    ValueError
        If the file cannot be read, has no sound, or holds no samples.

    Notes
    -----
    Taught in lesson 02.
    """
    channels, rate = load_channels(path)
    return channels.mean(axis=1) if channels.shape[1] > 1 else channels[:, 0], rate


def load_channels(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a recording's sound, each channel for itself.

    Parameters
    ----------
    path : str or Path
        As `load`.

    Returns
    -------
    channels : ndarray, shape (samples, channels), float32
    rate : int
        Samples a second (Hz).

    Raises
    ------
    ValueError
        As `load`.

    Notes
    -----
    Taught in lesson 02.
    """
    path = Path(path)
    channels, rate = _load_mp4(path) if path.suffix.lower() == ".mp4" else _load_wav(path)
    if channels.shape[0] == 0:
        raise ValueError(f"{path}: holds no sound samples; get a whole copy of the file")
    return channels, rate


def _load_wav(path: Path) -> tuple[np.ndarray, int]:
    import soundfile

    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{path}: cannot be read as sound ({error.error_string}); get a whole copy of the file"
        ) from error
    with path.open("rb") as file:
        promised = int.from_bytes(file.read(8)[4:], "little") + 8  # bytes, by the RIFF header
    if promised > path.stat().st_size:
        raise ValueError(
            f"{path}: is cut short, {path.stat().st_size} of {promised} bytes are there; "
            "get a whole copy of the file"
        )
    return channels, rate


def _load_mp4(path: Path) -> tuple[np.ndarray, int]:
    import av

    try:
        with av.open(path, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise ValueError(f"{path}: has no sound track; use the clip's 01 mp4 or 03 wav")
            stream = container.streams.audio[0]
            planar = av.AudioResampler(format="fltp")
            blocks = [
                block.to_ndarray()
                for frame in [*container.decode(stream), None]
                for block in planar.resample(frame)
            ]
            rate, promised = stream.rate, float((stream.duration or 0) * stream.time_base)
    except av.FFmpegError as error:
        raise ValueError(
            f"{path}: its sound cannot be decoded ({error.strerror}); get a whole copy of the file"
        ) from error
    channels = np.concatenate(blocks or [np.zeros((1, 0), np.float32)], axis=1).T
    if len(channels) / rate < promised - 0.1:
        raise ValueError(
            f"{path}: is cut short, {len(channels) / rate:.2f} of {promised:.2f} s of sound are "
            "there; get a whole copy of the file"
        )
    return channels, rate


def resample(sound: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Change the sampling rate with the ``kaiser_best`` filter.

    A resampler lays the samples on a finer grid that both rates share, smooths away what the
    new rate cannot hold, and keeps every n-th value. The smoothing filter is a sinc cut to 50
    zero crossings by a Kaiser window. On the fine grid nearly all samples are zeros, so each
    kept value needs only the filter's taps that fall on a true sample. Which taps these are, the
    value's *phase*, comes round again: from 48 to 22.05 kHz every 147 values. All values of one
    phase are one matrix product (a *polyphase* filter).

    Parameters
    ----------
    sound : ndarray, shape (samples,), float32
    rate, target_rate : int
        Samples a second (Hz).

    Returns
    -------
    ndarray, shape (ceil(samples × target_rate / rate),), float32

    Notes
    -----
    Gives resampy 0.4's samples to 5e-5 of full scale and the same MFCCs to 0.05 dB, on real
    speech from 48 to 22.05 kHz; resampy reads its filter from a table in slightly shorter
    steps than the rates ask for. Taught in lesson 02. Source: Smith,
    *Digital Audio Resampling*, https://ccrma.stanford.edu/~jos/resample/.
    """
    if rate == target_rate:
        return sound
    up, down = target_rate // gcd(rate, target_rate), rate // gcd(rate, target_rate)
    first, taps = _kaiser_best(up, down)
    whole = len(sound) * up // down
    rounds = max(1, ceil(whole / up))  # how often each phase comes
    silence = -first[0]  # in front: the first values' filter begins before the recording
    after = max(0, (rounds - 1) * down + first[-1] + taps.shape[1] - len(sound))
    windows = sliding_window_view(np.pad(sound, (silence, after)), taps.shape[1])
    kept = np.empty((rounds, up), np.float32)
    for phase in range(up):
        kept[:, phase] = windows[first[phase] + silence :: down][:rounds] @ taps[phase]
    # A last sample that the recording covers only in part is zero, as in librosa.
    return np.pad(kept.ravel()[:whole], (0, ceil(len(sound) * up / down) - whole))


@lru_cache(maxsize=8)
def _kaiser_best(up: int, down: int) -> tuple[np.ndarray, np.ndarray]:
    """For each phase: the first sample that its filter covers, and the filter's taps there."""
    cutoff = min(1.0, up / down)  # over the old Nyquist frequency: going down, keep less
    half = ZERO_CROSSINGS / cutoff  # half of the filter's length, in samples of the recording
    place = np.arange(up) * down / up  # where each phase's value lies, in samples
    first = np.ceil(place - half).astype(int)
    crossings = (first[:, None] + np.arange(int(2 * half) + 1) - place[:, None]) * cutoff
    inside = np.clip(1 - (crossings / ZERO_CROSSINGS) ** 2, 0, None)
    window = np.i0(KAISER_BETA * np.sqrt(inside)) / np.i0(KAISER_BETA)
    window[np.abs(crossings) > ZERO_CROSSINGS] = 0
    taps = cutoff * ROLLOFF * np.sinc(ROLLOFF * crossings) * window
    return first, taps.astype(np.float32)


def mfcc(
    sound: np.ndarray, rate: int, coefficients: int = 40, hop: int = 512, window: int = 2048
) -> np.ndarray:
    """Mel-frequency cepstral coefficients of a sound.

    Parameters
    ----------
    sound : ndarray, shape (samples,) or (sounds, samples), float32
        One sound, or several of one length.
    rate : int
        Samples a second (Hz).
    coefficients : int
        How many to keep, from the 0th on.
    hop : int
        Samples from one analysis frame to the next (hop length).
    window : int
        Samples in one analysis frame.

    Returns
    -------
    ndarray, shape (coefficients, frames) or (sounds, coefficients, frames), float32
        In dB-like units: a cosine transform of a mel spectrogram in dB.

    Notes
    -----
    `librosa.feature.mfcc` step by step, to the last bit; but librosa makes the mel bands anew at
    every call, which takes as long as using them. Its other defaults hold: Hann window, 128
    Slaney mel bands, and nothing more than 80 dB under the loudest band of a sound. Taught, step
    by step, in lesson 02. Source: Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420.
    """
    import librosa

    power = np.abs(librosa.stft(sound, n_fft=window, hop_length=hop)) ** 2
    decibel = librosa.power_to_db(_mel_bands(rate, window) @ power)
    return librosa.feature.mfcc(S=decibel, n_mfcc=coefficients).astype(np.float32)


@lru_cache(maxsize=8)
def _mel_bands(rate: int, window: int) -> np.ndarray:
    import librosa

    return librosa.filters.mel(sr=rate, n_fft=window)
