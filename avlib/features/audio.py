"""From a recording to its MFCCs: load, resample, transform.

Paper section: each recording is resampled with "Kaiser Best" and described by its first
40 MFCCs. Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import ThreadpoolController

from avlib.corpus.recording import load, load_channels

__all__ = ["load", "load_channels", "mfcc", "one_thread", "resample", "spectrogram"]

# The filter that resampy 0.4 publishes as "kaiser_best" (resampy.filters.sinc_window).
ZERO_CROSSINGS = 50
KAISER_BETA = 12.984585247040012
ROLLOFF = 0.9173473712608761
_BLOCK = 2048  # resampler rounds or spectrogram frames at once; no RAVDESS clip has more


def one_thread() -> AbstractContextManager:
    """Matrix products by one thread, within it: their last bit depends on the threads."""
    return _matrix_threads().limit(limits=1)


@lru_cache(maxsize=1)
def _matrix_threads() -> ThreadpoolController:
    """What sets the threads of matrix products; to find the libraries takes milliseconds."""
    return ThreadpoolController()


def resample(sound: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Change the sampling rate of a sound, ``(samples,)`` float32, with the ``kaiser_best`` filter.

    A resampler lays the samples on a finer grid that both rates (Hz) share, smooths away what the
    new rate cannot hold, and keeps every n-th value. The smoothing filter is a sinc cut to 50
    zero crossings by a Kaiser window. On the fine grid nearly all samples are zeros, so each
    kept value needs only the filter's taps that fall on a true sample. Which taps these are, the
    value's *phase*, comes round again: from 48 to 22.05 kHz every 147 values. All values of one
    phase are one matrix product (a *polyphase* filter).

    Returns ``(ceil(samples × target_rate / rate),)`` float32: resampy 0.4's samples to 5e-5 of
    full scale and the same MFCCs to 0.05 dB, on real speech from 48 to 22.05 kHz; resampy reads
    its filter from a table in slightly shorter steps than the rates ask for.
    Source: Smith, *Digital Audio Resampling*, https://ccrma.stanford.edu/~jos/resample/.

    >>> resample(np.zeros(480, np.float32), 48_000, 22_050).shape
    (221,)
    """
    if rate == target_rate:
        return sound
    up, down = target_rate // gcd(rate, target_rate), rate // gcd(rate, target_rate)
    first, taps = kaiser_best(rate, target_rate)
    whole = len(sound) * up // down
    rounds = max(1, ceil(whole / up))  # how often each phase comes
    kept = np.empty((rounds, up), np.float32)
    for begin in range(0, rounds, _BLOCK):  # a long recording, a block at a time
        block = kept[begin : begin + _BLOCK]
        # The samples that the block's filters cover; beyond the recording there is silence.
        start = begin * down + first[0]
        stop = (begin + len(block) - 1) * down + first[-1] + taps.shape[1]
        covered = np.pad(sound[max(start, 0) : stop], (max(-start, 0), max(stop - len(sound), 0)))
        windows = sliding_window_view(covered, taps.shape[1])
        for phase in range(up):
            block[:, phase] = windows[first[phase] - first[0] :: down][: len(block)] @ taps[phase]
    # A last sample that the recording covers only in part is zero, as in librosa.
    return np.pad(kept.ravel()[:whole], (0, ceil(len(sound) * up / down) - whole))


@lru_cache(maxsize=8)
def kaiser_best(rate: int, target_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """For each phase: the first sample that its filter covers, and the filter's taps there."""
    up, down = target_rate // gcd(rate, target_rate), rate // gcd(rate, target_rate)
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
    """The first mel-frequency cepstral `coefficients` (MFCCs) of a sound, from the 0th on.

    `sound` is ``(samples,)`` float32, or ``(sounds, samples)`` for several of one length; `rate`
    in Hz; `hop` and `window` are the samples from one analysis frame to the next, and in one.
    Returns ``(coefficients, frames)`` or ``(sounds, coefficients, frames)`` float32, in dB-like
    units: a cosine transform of a mel spectrogram in dB.

    `librosa.feature.mfcc` step by step, to the last bit; but librosa makes the mel bands anew at
    every call, which takes as long as using them. Its other defaults hold: Hann window, 128
    Slaney mel bands, and nothing more than 80 dB under the loudest band of a sound.
    Source: Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420.

    >>> mfcc(np.zeros(22_050, np.float32), 22_050).shape
    (40, 44)
    """
    import librosa

    decibel = spectrogram(sound, rate, 128, hop, window)
    return librosa.feature.mfcc(S=decibel, n_mfcc=coefficients).astype(np.float32)


def spectrogram(
    sound: np.ndarray, rate: int, bands: int = 64, hop: int = 512, window: int = 2048
) -> np.ndarray:
    """A log-mel spectrogram: how loud each of so many mel `bands` is in each frame, in dB.

    What `mfcc` takes its cosine transform of, and is given the same. Returns ``(bands, frames)`` or
    ``(sounds, bands, frames)`` float32, the lowest band first.

    >>> spectrogram(np.zeros(22_050, np.float32), 22_050).shape
    (64, 44)
    """
    import librosa

    weights = mel_bands(rate, window, bands)
    padded = np.pad(sound, [(0, 0)] * (sound.ndim - 1) + [(window // 2, window // 2)])
    frames = 1 + (padded.shape[-1] - window) // hop
    mel = [  # of a long recording, a block at a time
        weights @ np.abs(
            librosa.stft(
                padded[..., begin * hop : (min(begin + _BLOCK, frames) - 1) * hop + window],
                n_fft=window, hop_length=hop, center=False,
            )
        ) ** 2
        for begin in range(0, frames, _BLOCK)
    ]  # fmt: skip
    return librosa.power_to_db(np.concatenate(mel, axis=-1))


@lru_cache(maxsize=8)
def mel_bands(rate: int, window: int, bands: int = 128) -> np.ndarray:
    """What frequencies are weighed by: ``(bands, 1 + window / 2)`` float32."""
    import librosa

    return librosa.filters.mel(sr=rate, n_fft=window, n_mels=bands)
