"""From a recording to its MFCCs: load, resample, transform.

Paper section: each recording is resampled with "Kaiser Best" and described by its first
40 MFCCs. Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

import os
from functools import lru_cache
from math import ceil, gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    import av

# The filter that resampy 0.4 publishes as "kaiser_best" (resampy.filters.sinc_window).
ZERO_CROSSINGS = 50
KAISER_BETA = 12.984585247040012
ROLLOFF = 0.9173473712608761
RATES = range(4_000, 384_001)  # Hz, that a recording can have
LOUDEST = 10.0  # times full scale; a float file can hold anything, a recording cannot
SILENT = 1e-4  # of full scale: a recording that nowhere exceeds it (−80 dB) holds no voice
APART_S = 0.05  # sound and picture of a film that begin so far apart are brought together
_BLOCK = 2048  # resampler rounds or spectrogram frames at once; no RAVDESS clip has more


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
        If the file cannot be read, has no sound, or holds no samples, samples that are no numbers
        or beyond any recording, a rate that no recording has, or channels that cancel each other.

    Notes
    -----
    The sound of a film that begins later than its picture is silent till then, and what comes
    before the picture is left out: time 0 is that of the first frame, as in `video.frames_at`.
    """
    channels, rate = load_channels(path)
    if channels.shape[1] == 1:
        return channels[:, 0], rate
    sound = channels.mean(axis=1)
    if _loudest(sound) < SILENT <= _loudest(channels):
        raise ValueError(
            f"{path}: its channels cancel each other out; keep one of them (`sox` or Audacity "
            "can), and use that"
        )
    return sound, rate


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
    """
    path = Path(path)
    channels, rate = _load_mp4(path) if path.suffix.lower() == ".mp4" else _load_wav(path)
    if channels.shape[0] == 0:
        raise ValueError(f"{path}: holds no sound samples; get a whole copy of the file")
    loudest = _loudest(channels)
    if not loudest <= LOUDEST:  # NaN, too
        raise ValueError(
            f"{path}: holds samples of {loudest:g} times full scale, which is no sound; get a "
            "whole copy of the file"
        )
    return channels, rate


def _loudest(sound: np.ndarray) -> float:
    """How far the samples reach from zero; without a copy of them all, as `abs` would make."""
    return float(max(sound.max(), -sound.min()))


def _require_rate(path: Path, rate: int) -> None:
    if rate not in RATES:
        raise ValueError(
            f"{path}: says that it has {rate} samples a second, and a recording has "
            f"{RATES.start} to {RATES.stop - 1}; get a whole copy of the file"
        )


def _load_wav(path: Path) -> tuple[np.ndarray, int]:
    import soundfile

    try:
        # On Linux a name is bytes, which soundfile would read as UTF-8.
        with soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path)) as file:
            _require_rate(path, file.samplerate)
            _require_whole(path)
            return file.read(dtype="float32", always_2d=True), file.samplerate
    except soundfile.SoundFileRuntimeError as error:
        said = getattr(error, "error_string", error)
        raise ValueError(
            f"{path}: cannot be read as sound ({said}); get a whole copy of the file"
        ) from error


def _require_whole(path: Path) -> None:
    """Compare the lengths that a RIFF file promises with what is there; libsndfile does not.

    A program that writes into a pipe cannot know them, and writes the largest number or none.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind, promised = file.read(4), int.from_bytes(file.read(4), "little") + 8
        if kind != b"RIFF" or promised in (8, 0xFFFFFFFF + 8):
            return
        if promised > size:
            raise ValueError(
                f"{path}: is cut short, {size} of {promised} bytes are there; get a whole copy of "
                "the file"
            )
        file.seek(12)
        while len(chunk := file.read(8)) == 8:
            end = file.tell() + int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data" and end > promised:
                raise ValueError(
                    f"{path}: its sound should reach to byte {end}, and the file ends at "
                    f"{promised}; get a whole copy of the file"
                )
            file.seek(end + end % 2)


def _load_mp4(path: Path) -> tuple[np.ndarray, int]:
    import av

    try:
        with av.open(path, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise ValueError(f"{path}: has no sound track; use the clip's 01 mp4 or 03 wav")
            stream = container.streams.best("audio")
            _require_rate(path, stream.rate or 0)
            planar = av.AudioResampler(format="fltp")
            frames = list(container.decode(stream))
            blocks = [
                block.to_ndarray() for frame in [*frames, None] for block in planar.resample(frame)
            ]
            rate, promised = stream.rate, float((stream.duration or 0) * stream.time_base)
            late = starts_late(container)
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
    if abs(late) > APART_S:
        apart = round(late * rate)
        channels = np.pad(channels, ((max(apart, 0), 0), (0, 0)))[max(-apart, 0) :]
    return channels, rate


def starts_late(container: av.container.InputContainer) -> float:
    """Seconds from the first frame of a film's picture to its first sound; less than 0 if before.

    Parameters
    ----------
    container : av.container.InputContainer
        An open film.

    Returns
    -------
    float
        0 where it has no picture or no sound, or does not say when they begin.
    """
    streams = [container.streams.best(kind) for kind in ("audio", "video")]
    if any(stream is None or stream.start_time is None for stream in streams):
        return 0.0
    sound, picture = (float(stream.start_time * stream.time_base) for stream in streams)
    return sound - picture


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
    steps than the rates ask for. Source: Smith,
    *Digital Audio Resampling*, https://ccrma.stanford.edu/~jos/resample/.
    """
    if rate == target_rate:
        return sound
    up, down = target_rate // gcd(rate, target_rate), rate // gcd(rate, target_rate)
    first, taps = _kaiser_best(up, down)
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

    bands = _mel_bands(rate, window)
    padded = np.pad(sound, [(0, 0)] * (sound.ndim - 1) + [(window // 2, window // 2)])
    frames = 1 + (padded.shape[-1] - window) // hop
    mel = [  # of a long recording, a block at a time
        bands @ np.abs(
            librosa.stft(
                padded[..., begin * hop : (min(begin + _BLOCK, frames) - 1) * hop + window],
                n_fft=window, hop_length=hop, center=False,
            )
        ) ** 2
        for begin in range(0, frames, _BLOCK)
    ]  # fmt: skip
    decibel = librosa.power_to_db(np.concatenate(mel, axis=-1))
    return librosa.feature.mfcc(S=decibel, n_mfcc=coefficients).astype(np.float32)


@lru_cache(maxsize=8)
def _mel_bands(rate: int, window: int) -> np.ndarray:
    import librosa

    return librosa.filters.mel(sr=rate, n_fft=window)
