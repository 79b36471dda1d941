"""Widgets of the way to features (lesson 02): MFCCs, seen and heard again, and frame pairs.

What is drawn at each move of a control is painted (see `painting`), not plotted.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avlib.corpus import ravdess
from avlib.course import film, painting
from avlib.course.film import Film
from avlib.course.widgets import Explorer, Heard, choice, player
from avlib.evaluation import plots
from avlib.evaluation.plots import Picture
from avlib.features import audio, video

__all__ = ["draw_mfcc", "draw_pairs", "flicker", "from_mfcc", "mfcc_inspector", "pair_scrubber",
           "player"]  # fmt: skip

TOP = 2000  # Hz: where the inspector's spectrogram ends, so that a voice's stripes can be seen
ROUNDS = 12  # of Griffin and Lim's algorithm: more take longer than they can be heard
_SIZE = 350, 140  # width and height of a panel, in pixels
_LEFT, _ABOVE, _COLUMN, _ROW = 42, 24, 470, 186  # where the first lies, and how far the next


def from_mfcc(
    table: np.ndarray, rate: int, samples: int, hop: int = 512, window: int = 2048
) -> np.ndarray:
    """A sound with these MFCCs, ``(coefficients, frames)``, as far as they tell.

    Each step of `audio.mfcc` backwards: cosine waves are added up, decibels become power, the
    power of a band goes back to its frequencies. The phase, which is gone, is guessed in `ROUNDS`
    rounds, with a frame each quarter of a window; frames further apart are joined by straight
    lines. Returns ``(samples,)`` float32, up to ±0.5. Source: Griffin & Lim 1984,
    doi:10.1109/TASSP.1984.1164317.

    >>> from_mfcc(np.zeros((13, 44), np.float32), 22_050, 22_050).shape
    (22050,)
    """
    import librosa

    step, last = window // 4, table.shape[1] - 1
    place = np.minimum(np.arange(1 + samples // step) * step / hop, last)
    before = place.astype(int)
    after, share = np.minimum(before + 1, last), (place - before).astype(np.float32)
    joined = (1 - share) * table[:, before] + share * table[:, after]
    power = _spread(rate, window) @ librosa.feature.inverse.mfcc_to_mel(joined)
    sound = librosa.griffinlim(
        np.sqrt(np.maximum(power, 0)), n_iter=ROUNDS, hop_length=step, n_fft=window,
        length=samples, random_state=0,
    )  # fmt: skip
    return sound * (0.5 / max(np.abs(sound).max(), 0.01))  # silence stays silent


@lru_cache(maxsize=8)
def _spread(rate: int, window: int) -> np.ndarray:
    """What gives the power of mel bands back to frequencies: ``(1 + window / 2, 128)``."""
    return np.linalg.pinv(_bands(rate, window))


def _bands(rate: int, window: int) -> np.ndarray:
    with warnings.catch_warnings():  # of empty bands, which the picture tells of
        warnings.filterwarnings("ignore", "Empty filters", UserWarning)
        return audio.mel_bands(rate, window)


@dataclass(frozen=True)
class Remade(Heard):
    """A picture with the sound that belongs to it, and the sound that can be made of it."""

    again: np.ndarray  # (samples,)
    about: str  # what is heard of that

    def html(self) -> str:
        """The picture, and under it two players side by side."""
        players = player(self.sound, self.rate, self.caption)
        players += player(self.again, self.rate, self.about)
        row = '<div style="display: flex; flex-wrap: wrap; gap: 0 2em">'
        return f"{self.picture.html()}{row}{players}</div>"


def draw_mfcc(
    sound: np.ndarray, rate: int, coefficients: int, hop: int, window: int, corpus: str
) -> Remade:
    """The way from a waveform to its MFCCs, in four panels, and the sound that they still hold.

    Takes a sound, ``(samples,)`` float32 at `rate` Hz, how many MFCCs to keep, and the samples
    from one analysis frame to the next (`hop`) and in one (`window`).
    """
    import librosa

    bands = _bands(rate, window)
    power = np.abs(librosa.stft(sound, n_fft=window, hop_length=hop)) ** 2
    mel = librosa.power_to_db(bands @ power)
    found = librosa.feature.mfcc(S=mel, n_mfcc=coefficients)
    empty = int((bands.max(axis=1) == 0).sum())
    canvas = Image.new("RGB", (2 * _COLUMN, 2 * _ROW + 30), "white")
    loudest = max(float(np.abs(sound).max()), 1e-6)
    wave = painting.waveform(sound, loudest, _SIZE)
    ends = f"−{loudest:.2f}", f"{loudest:.2f}"
    painting.panel(canvas, wave, _place(0), ends, "1 waveform: amplitude")
    decibels = librosa.power_to_db(power[: 1 + TOP * window // rate])
    title = "2 spectrogram: kHz, and dB as colour"
    _heat(canvas, 1, title, decibels, ("0", f"{TOP // 1000}"))
    title = "3 mel spectrogram: bands" + (f", {empty} of them empty" if empty else "")
    _heat(canvas, 2, title, mel, ("1", f"{len(bands)}"))
    title = f"4 MFCCs without the 0th, up to ±50: {found.shape[1]} frames"
    _heat(canvas, 3, title, np.clip(found[1:], -50, 50), ("1", f"{coefficients - 1}"))
    for x, y in map(_place, range(4)):
        painting.seconds(canvas, (x, y + _SIZE[1]), _SIZE[0], len(sound) / rate)
    again = from_mfcc(found, rate, len(sound), hop, window)
    words = (
        f"Four panels: waveform, spectrogram, mel spectrogram, MFCCs. One analysis frame is "
        f"{1000 * window / rate:.0f} ms long, one every {1000 * hop / rate:.0f} ms; "
        f"{found.shape[0]} coefficients in {found.shape[1]} frames."
    )
    if empty:
        words += (
            f" {empty} of {len(bands)} mel bands are empty: the frequencies that so short a window "
            "tells apart lie further from each other than these bands are wide."
        )
    about = f"Made again from these {coefficients} MFCCs a frame"
    picture = Picture.painted(canvas, words, corpus)
    return Remade(picture, sound, rate, "The recording", again, about)


def _place(number: int) -> tuple[int, int]:
    """Where the corner of the panel of this number lies."""
    return _LEFT + number % 2 * _COLUMN, _ABOVE + number // 2 * _ROW


def _heat(
    canvas: Image.Image, number: int, title: str, values: np.ndarray, ends: tuple[str, str]
) -> None:
    """Paint a matrix over time, the first row below, with the scale of its colours beside it."""
    low, high = float(values.min()), float(values.max())
    x, y = _place(number)
    painting.panel(canvas, painting.heat(values, low, high, _SIZE), (x, y), ends, title)
    wide, tall = _SIZE
    scale = painting.heat(np.linspace(0, 1, tall)[:, None], 0, 1, (10, tall))
    canvas.paste(scale, (x + wide + 8, y))
    write = ImageDraw.Draw(canvas)
    for at, value in ((y, high), (y + tall, low)):
        said = f"{value:.0f}".replace("-", "−")
        anchor = "lt" if at == y else "ls"
        write.text((x + wide + 22, at), said, "black", plots.font(12), anchor=anchor)


def mfcc_inspector(sound: np.ndarray, rate: int, corpus: str) -> Explorer:
    """Move the settings of an MFCC, watch every step, and hear what is left (lesson 02)."""
    return Explorer(
        partial(draw_mfcc, sound, rate, corpus=corpus),
        "Find the window that shows the stripes best. Then take coefficients away, and listen "
        "to what is left.",
        coefficients=choice("coefficients", [2, 5, 13, 20, 40, 80, 128], 40),
        hop=choice("hop (samples)", [256, 512, 1024, 2048], 512),
        window=choice("window (samples)", [256, 512, 1024, 2048, 4096, 8192], 2048),
    )


def draw_pairs(
    path: str | Path,
    window: float,
    offset: float,
    size: int,
    corpus: str,
    sound: str | Path | None = None,
) -> Film:
    """A film over the times of its frame pairs, and the pairs: `size` in pixels, a frame's side.

    Where the mp4 file has no sound of its own, `sound` is heard with it. Times: `video.pair_times`.
    """
    times = video.pair_times(video.duration(path), window, offset)
    pairs = video.frame_pairs(path, times, size)
    words = (
        f"{len(pairs)} frame pairs of {size} by {2 * size} pixels, one every {window:g} s, "
        f"the second frame {offset:g} s after the first."
    )
    below = plots.strip(pairs, times, words, corpus, columns=6).html()
    name = ravdess.name_of(path)
    said = "" if name is None else ravdess.STATEMENTS[name.statement - 1]
    shown = film.show(path, sound, "The film that the pairs are cut from", corpus, said, times)
    return replace(shown, picture=None, below=below)  # without its sound it fits into a pane


def pair_scrubber(path: str | Path, corpus: str, sound: str | Path | None = None) -> Explorer:
    """Move window, offset and size of the frame pairs of a clip, and play it (lesson 02)."""
    return Explorer(
        partial(draw_pairs, path, corpus=corpus, sound=sound),
        "What is the smallest size at which you can still tell the emotion?",
        films=True,
        window=choice("window (s)", [tenths / 10 for tenths in range(3, 16)], 0.5),
        offset=choice("offset (s)", [hundredths / 100 for hundredths in range(0, 55, 5)], 0.25),
        size=choice("size (pixels)", [8, 16, 32, 64, 128], 64),
    )


@dataclass(frozen=True)
class Flicker:
    """Two frames in the same place, one after the other, as HTML; a box stops them."""

    earlier: Picture
    later: Picture

    def html(self) -> str:
        """Without motion, where a reader asks for none, they stand side by side."""
        name = f"avlib-flicker-{zlib.crc32(self.earlier.png + self.later.png):08x}"
        return (
            f"<style>@keyframes {name} {{50% {{opacity: 0}}}}\n"
            f"#{name} div {{display: grid; grid-template-columns: max-content max-content}}\n"
            f"#{name} img {{width: 256px; image-rendering: pixelated; grid-area: 1 / 1}}\n"
            f"#{name} img + img {{animation: {name} 1s step-end infinite}}\n"
            f"#{name} input:checked ~ div img + img {{animation: none; grid-area: 1 / 2}}\n"
            "@media (prefers-reduced-motion: reduce) "
            f"{{#{name} img + img {{animation: none; grid-area: 1 / 2}}}}</style>"
            f'<figure id="{name}" style="margin: 0.5em 0">'
            f'<input type="checkbox" id="{name}-stop"> '
            f'<label for="{name}-stop">stop, and show them side by side</label>'
            f"<div>{self.earlier.html()}{self.later.html()}</div></figure>"
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": f"{self.earlier.alt} {self.later.alt}"}


def flicker(pair: np.ndarray, alt: str, corpus: str) -> Flicker:
    """The two halves of a frame pair, ``(size, 2 × size, 3)`` uint8, in turns, each half a second.

    What moves between them is seen at once. `alt` says what a reader would see moving.
    """
    halves = np.split(pair, 2, axis=1)
    words = ("The earlier frame of a pair.", f"The later frame. {alt}")
    made = (
        Picture.painted(Image.fromarray(half), f"{said} Made from: {corpus}.")
        for half, said in zip(halves, words, strict=True)
    )
    return Flicker(*made)
