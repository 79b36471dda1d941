"""What other microphones, rooms and lines do to a voice: softer, noisier, further away.

Each takes a sound, ``(samples,)`` float32, its rate in Hz, and a `numpy.random.Generator`, and
returns the spoilt sound and its rate. Of no lesson yet.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from avlib.features import audio

Spoil = Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, int]]


def clean(sound: np.ndarray, rate: int, _: np.random.Generator) -> tuple[np.ndarray, int]:
    """As it is."""
    return sound, rate


def level(decibel: float) -> Spoil:
    """So much louder or softer, clipped at full scale and rounded to 16 bits, as a card does."""

    def spoil(sound: np.ndarray, rate: int, _: np.random.Generator) -> tuple[np.ndarray, int]:
        louder = np.clip(sound * 10 ** (decibel / 20), -1, 1 - 2**-15)
        return (np.round(louder * 2**15) / 2**15).astype(np.float32), rate

    return spoil


def noise(decibel: float) -> Spoil:
    """Pink noise, so far under the clip's average level."""

    def spoil(sound: np.ndarray, rate: int, drawn: np.random.Generator) -> tuple[np.ndarray, int]:
        spectrum = np.fft.rfft(drawn.normal(size=len(sound)))
        spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
        pink = np.fft.irfft(spectrum, len(sound))
        size = np.sqrt(np.mean(sound**2) / np.mean(pink**2)) * 10 ** (-decibel / 20)
        return (sound + size * pink).astype(np.float32), rate

    return spoil


def room(seconds: float) -> Spoil:
    """Echo that falls by 60 dB in so many seconds, as loud in all as the voice itself."""

    def spoil(sound: np.ndarray, rate: int, drawn: np.random.Generator) -> tuple[np.ndarray, int]:
        time = np.arange(round(seconds * rate)) / rate
        echo = drawn.normal(size=len(time)) * 10 ** (-3 * time / seconds)
        echo[: round(0.003 * rate)] = 0
        echo /= np.sqrt(np.sum(echo**2))
        echo[0] = 1
        return fftconvolve(sound, echo)[: len(sound)].astype(np.float32), rate

    return spoil


def telephone(sound: np.ndarray, rate: int, _: np.random.Generator) -> tuple[np.ndarray, int]:
    """300 to 3400 Hz, 8000 samples a second, 8 bits by the µ law."""
    band = butter(4, (300, 3400), "bandpass", fs=8000, output="sos")
    line = sosfilt(band, audio.resample(sound, rate, 8000))
    size = np.abs(line).max()
    line = line / size
    small = np.round(np.sign(line) * np.log1p(255 * np.abs(line)) / np.log(256) * 127) / 127
    return (size * np.sign(small) * np.expm1(np.abs(small) * np.log(256)) / 255).astype(
        np.float32
    ), 8000


def narrow(sound: np.ndarray, rate: int, _: np.random.Generator) -> tuple[np.ndarray, int]:
    """8000 samples a second."""
    return audio.resample(sound, rate, 8000), 8000


def mp3(sound: np.ndarray, rate: int, _: np.random.Generator) -> tuple[np.ndarray, int]:
    """As mp3 of 32 kbit/s, 16,000 samples a second, and back."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp3") as file:
        stream = file.add_stream("libmp3lame", rate=16_000, layout="mono")
        stream.bit_rate = 32_000
        pcm = np.clip(audio.resample(sound, rate, 16_000), -1, 1) * 32767
        pcm = np.round(pcm).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm), "s16", "mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with av.open(io.BytesIO(written.getvalue())) as file:
        planar = av.AudioResampler(format="fltp")
        blocks = [b.to_ndarray() for f in file.decode(audio=0) for b in planar.resample(f)]
    return np.concatenate(blocks, axis=1)[0], 16_000


CONDITIONS: dict[str, Spoil] = {
    "clean": clean,
    **{f"level {decibel:+d} dB": level(decibel) for decibel in (-30, -20, -10, 10)},
    **{f"noise {decibel} dB": noise(decibel) for decibel in (30, 20, 10, 0)},
    **{f"room {seconds} s": room(seconds) for seconds in (0.4, 0.8)},
    "telephone": telephone,
    "8 kHz": narrow,
    "mp3 32 kbit/s": mp3,
}
