"""A clip as a film in the page: seen, heard, and under it a cursor on its sound.

A film is one piece of HTML that carries its own bytes: H.264 and AAC, which browsers play. So a
widget, a cell's output, an executed page without a kernel and Colab show the same; `film.js` moves
the cursor in all of them. Runs on ipywidgets 7.7 and 8.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import anywidget
import av
import cv2
import numpy as np
import scipy.fft
from av.video.reformatter import VideoReformatter
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from avlib.corpus import recording
from avlib.course import painting
from avlib.evaluation import plots
from avlib.evaluation.plots import Picture
from avlib.features import audio, video

LARGEST = 400_000  # bytes of a film in a page
WIDEST = 480  # pixels: the longer side of a film that is written again
RATE = 48_000  # Hz, of the sound of a film that is written again
BANDS, TOP = 64, 8_000  # mel bands of the spectrogram, and Hz where they end
DEPTH = 60  # dB under the loudest that the spectrogram shows
_SILENT = -100.0  # dB, of a band in which nothing is
_CHART, _PANEL = (864, 288), 106  # pixels of the chart, and the height of either panel
_LEFT, _RIGHT, _ABOVE, _UNDER = 86, 851, 30, 39  # where its panels begin and end
LEFT, RIGHT = _LEFT / _CHART[0], _RIGHT / _CHART[0]  # where the film does, as shares of the width
_AT = "position: absolute; pointer-events: none"
_BAR = (  # a frame pair; its colour leaves the spectrogram as it is
    "box-sizing: border-box; border: 0 solid #E69F00; border-width: 0 1px 0 2px; "
    "border-right-style: dashed; "
    "background: linear-gradient(rgba(230, 159, 0, 0.25) 50%, transparent 50%)"
)
_UNSEEN = "; object-fit: none; object-position: -9999px; background: #767676"  # its controls stay
_LINE = '<div style="height: 40px; background: #f0f0f0; border: 1px solid #767676"></div>'
_TICKS = 90_000  # of a second; 29.97, 25 and 30 frames a second are all exact in it
_COARSER = (26, 32, 38)  # libx264's crf, until a film is small enough
_SCRIPT = Path(__file__).with_name("film.js").read_text("utf-8")


@dataclass(frozen=True)
class Encoded:
    """A film as a browser plays it; its time 0 is that of the first frame."""

    mp4: bytes
    poster: bytes  # its most telling frame, JPEG
    seconds: float
    size: tuple[int, int]  # width and height in pixels


@dataclass(frozen=True)
class Film:
    """A film, and under it the chart of its sound with a cursor and the times of frame pairs."""

    picture: Picture | None  # the chart: time goes from `LEFT` to `RIGHT`; None of a silent film
    encoded: Encoded
    caption: str  # what is seen and heard, in words
    corpus: str  # that it was made from
    subtitles: str  # WebVTT; empty where nobody speaks
    times: np.ndarray  # (pairs, 2): seconds of the two frames of each pair
    below: str = ""  # HTML
    muted: bool = False
    blank: bool = False  # nothing is seen of the picture

    def html(self) -> str:
        """The film, its chart, and what is below; `script` moves the cursor."""
        about = f"{self.caption}. Made from: {self.corpus}."
        said, (width, height) = html.escape(about, quote=True), self.encoded.size
        poster = plots.uri("image/jpeg", self.encoded.poster)
        source = plots.uri("video/mp4", self.encoded.mp4)
        track = (
            '<track kind="captions" srclang="en" label="What is said" '
            f'src="{plots.uri("text/vtt", self.subtitles.encode())}">'
        )
        return (
            '<figure class="avlib-film" data-lm-suppress-shortcuts="true" '
            f'data-seconds="{self.encoded.seconds:.4f}" '
            f'data-left="{LEFT:.5f}" data-right="{RIGHT:.5f}" '
            'style="margin: 0.5em 0; max-width: 864px">'
            f'<video controls {"muted " if self.muted else ""}preload="auto" playsinline '
            f'tabindex="0" aria-label="Film: {said}" '
            f'poster="{poster}" width="{width}" height="{height}" '
            f'style="display: block; width: {WIDEST * min(1, width / height):.0f}px; '
            f'max-width: 100%; height: auto{_UNSEEN if self.blank else ""}" '
            f'src="{source}">{track if self.subtitles else ""}</video>'
            '<p data-of="problem" role="alert" style="color: #b00020" hidden></p>'
            f"<figcaption>{html.escape(self.caption)}. "
            '<span data-of="time">0.00</span> s. <small>On the film: space plays and stops, comma '
            "and full stop go back and on by 0.1 s, the arrows by 0.5 s, Home and End to its ends. "
            "A click on the chart goes to that time. Orange: the "
            f"{len(self.times)} frame pairs, the second frame at the dashed line.</small>"
            f"</figcaption>{self._timeline()}</figure>{self.below}"
        )

    def _timeline(self) -> str:
        """The chart, or an empty line, with the frame pairs and the cursor over it."""
        pairs = ", ".join(f"{first:.2f} and {second:.2f}" for first, second in self.times)
        words = f"{len(self.times)} frame pairs, at {pairs} s."
        drawn, top, bottom = _LINE, 0, 0
        if self.picture is not None:
            drawn, top, bottom = self.picture.html(), _ABOVE / _CHART[1], _UNDER / _CHART[1]
        inside = f"{_AT}; top: {100 * top:.0f}%; bottom: {100 * bottom:.0f}%"
        bars = "".join(
            f'<i aria-hidden="true" style="{inside}; {_BAR}; left: {self._percent(first):.3f}%; '
            f'width: {self._percent(second) - self._percent(first):.3f}%"></i>'
            for first, second in self.times
        )
        return (
            f'<div data-of="chart" role="group" aria-label="{words}" style="position: relative; '
            f'line-height: 0; cursor: pointer">{drawn}{bars}'
            f'<i data-of="cursor" aria-hidden="true" style="{inside}; left: {100 * LEFT:g}%; '
            'margin-left: -1px; width: 2px; background: #D55E00; outline: 1px solid white"></i>'
            "</div>"
        )

    def _percent(self, seconds: float) -> float:
        """Where a time lies, in percent of the chart's width."""
        return 100 * (LEFT + (RIGHT - LEFT) * seconds / self.encoded.seconds)

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/html": self.html() + script(), "text/plain": self.caption}


def script() -> str:
    """What moves the cursors of a page without widgets; once or often, it is the same."""
    return f"<script>{_SCRIPT}</script>"


class _Mover(anywidget.AnyWidget):
    """Brings the script into a page of widgets, and shows nothing."""

    _esm = f"{_SCRIPT}\nexport default {{ render() {{}} }};"


@lru_cache(maxsize=1)
def mover() -> anywidget.AnyWidget:
    """What a widget that shows films must have beside them: scripts inside them do not run."""
    return _Mover()


def show(
    picture: str | Path,
    sound: str | Path | None,
    caption: str,
    corpus: str,
    statement: str = "",
    times: np.ndarray | None = None,
) -> Film:
    """A clip as a film, with the chart of its sound.

    `picture` is a film. Where it has no sound of its own, `sound` is heard with it, or nothing if
    that is None. `statement` is what is said in it, for the captions, and `times` are those of its
    frame pairs, ``(pairs, 2)`` in seconds; those of the paper's recipe if None. Raises
    ``ValueError``, which names the file, if one cannot be read to its end, or if the film is too
    long for a page.
    """
    if _has_sound(picture):  # what is drawn is what is heard
        sound = picture
    found = encode(picture, sound)
    if times is None:
        times = video.pair_times(video.duration(picture))
    if sound is None:
        return Film(None, found, caption, corpus, "", times)
    heard = str(sound), _state(sound)
    drawn = chart(*heard, found.seconds, corpus)
    return Film(drawn, found, caption, corpus, subtitles(statement, *_heard(*heard)), times)


def _has_sound(path: str | Path) -> bool:
    with video.opened(path) as (film, _):
        return film.streams.best("audio") is not None


def _state(path: str | Path) -> str:
    """What a file is known by, so that a changed one is read anew."""
    found = Path(path).stat()
    return f"{found.st_size} {found.st_mtime_ns}"


@lru_cache(maxsize=1)
def _heard(path: str, state: str) -> tuple[np.ndarray, int]:
    return recording.load(path)


def encode(picture: str | Path, sound: str | Path | None = None) -> Encoded:
    """A film and its sound as one mp4 of at most `LARGEST` bytes; what was made once is kept.

    A film that browsers play, small enough and with the sound inside, stays as it is. Raises as
    `show`.
    """
    paths = [str(picture)] + ([] if sound is None else [str(sound)])
    return _encode(tuple(paths), tuple(map(_state, paths)))


@lru_cache(maxsize=64)
def _encode(paths: tuple[str, ...], states: tuple[str, ...]) -> Encoded:
    picture, *sound = paths
    samples = _heard(sound[0], states[1]) if sound else None
    if paths == (picture, picture) and _plays_as_it_is(picture):
        frames = [frame for _, frame in _frames(picture)]  # what is damaged is never shown
        content = Path(picture).read_bytes()
    else:
        frames, content = [], _written(picture, samples)
    with av.open(io.BytesIO(content)) as film:
        seconds = film.duration / av.time_base
        frame = video.most_telling(frames or list(film.decode(video=0)))
        still = _small(frame, VideoReformatter())
    return Encoded(content, _jpeg(still), seconds, still.shape[1::-1])


def _frames(path: str) -> Iterator[tuple[float, av.VideoFrame]]:
    """All frames with their times from the first on; `ValueError` if one is damaged or missing."""
    with video.opened(path) as (film, stream):
        stream.codec_context.options = {"err_detect": "explode"}  # no guess at what is lost
        begin = last = None
        for frame in film.decode(stream):
            if frame.time is None or frame.is_corrupt:
                raise ValueError(f"{path}: a frame cannot be decoded; get a whole copy of the file")
            begin = frame.time if begin is None else begin
            last = frame.time - begin
            yield last, frame
        promised = float((stream.duration or 0) * stream.time_base)
    if begin is None or last < promised - 0.2:
        raise ValueError(
            f"{path}: is cut short, {last or 0:.2f} of {promised:.2f} s of picture are there; "
            "get a whole copy of the file"
        )


def _small(frame: av.VideoFrame, shrink: VideoReformatter) -> np.ndarray:
    """A frame upright, in even numbers of pixels of which the longer side has at most `WIDEST`."""
    shrunk = min(1.0, WIDEST / max(frame.width, frame.height))
    width, height = (max(2, round(side * shrunk / 2) * 2) for side in (frame.width, frame.height))
    drawn = video.upright(shrink.reformat(frame, width, height, format="rgb24"))
    return np.ascontiguousarray(drawn)


def _jpeg(frame: np.ndarray) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def _plays_as_it_is(path: str) -> bool:
    if Path(path).suffix.lower() != ".mp4" or Path(path).stat().st_size > LARGEST:
        return False
    with video.opened(path) as (film, picture):
        sound = film.streams.best("audio")
        kinds = [each.codec_context.name for each in (picture, sound)]
        return (
            kinds == ["h264", "aac"]
            and picture.codec_context.pix_fmt == "yuv420p"
            and max(picture.width, picture.height) <= WIDEST
            and not picture.start_time
            and abs(recording.starts_late(film)) < 0.01
        )


def _written(path: str, samples: tuple[np.ndarray, int] | None) -> bytes:
    for crf in _COARSER:
        try:
            content = _write(path, samples, crf)
        except av.FFmpegError as error:
            raise ValueError(f"{path}: cannot be written for a page ({error.strerror})") from error
        if len(content) <= LARGEST:
            return content
    raise ValueError(
        f"{path}: its film has {len(content) / 1000:.0f} kB even when it is small and coarse, and "
        f"a page takes {LARGEST // 1000} kB; cut it shorter"
    )


def _write(path: str, samples: tuple[np.ndarray, int] | None, crf: int) -> bytes:
    held, shown, shrink = io.BytesIO(), None, VideoReformatter()
    with av.open(held, "w", format="mp4") as out:
        if samples is not None:
            voice = out.add_stream("aac", rate=RATE, layout="mono", bit_rate=64_000)
        for time, frame in _frames(path):
            drawn = _small(frame, shrink)
            if shown is None:
                shown = out.add_stream("libx264", rate=30, pix_fmt="yuv420p")
                shown.height, shown.width = drawn.shape[:2]
                # A whole frame each half second, to jump to; none is built of later ones, so that
                # the first is at 0 for every player.
                shown.options = {"crf": str(crf), "preset": "veryfast", "g": "15", "bf": "0"}
                shown.codec_context.time_base = Fraction(1, _TICKS)
            made = av.VideoFrame.from_ndarray(drawn, format="rgb24")
            made.pts, made.time_base = round(time * _TICKS), Fraction(1, _TICKS)
            out.mux(shown.encode(made))
        out.mux(shown.encode())
        if samples is not None:
            heard = np.clip(audio.resample(*samples, RATE), -1, 1)
            block = av.AudioFrame.from_ndarray(heard[None], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = RATE, 0, Fraction(1, RATE)
            out.mux(voice.encode(block))
            out.mux(voice.encode())
    return held.getvalue()


@lru_cache(maxsize=64)
def chart(path: str, state: str, seconds: float, corpus: str) -> Picture:
    """Waveform and log-mel spectrogram of a recording over a film's time, kept for next time.

    Time 0 lies at `LEFT` and the end, at `seconds`, at `RIGHT` of the picture's width. `state` says
    which file of that name it is.
    """
    sound, rate = _heard(path, state)
    seen = sound[: round(seconds * rate)]
    loudest = float(np.abs(sound).max())
    size = max(1, round((_RIGHT - _LEFT) * len(seen) / rate / seconds)), _PANEL
    wave = painting.waveform(seen, loudest or 1, size)
    decibel = log_mel(seen, rate)
    most = max(decibel.max(), _SILENT + DEPTH)  # so that silence is dark
    mel = painting.heat(decibel, most - DEPTH, most, size)
    canvas = Image.new("RGB", _CHART, "white")
    below = _CHART[1] - _UNDER - _PANEL
    title, ends = f"loudest value {loudest:.2f}", (f"−{loudest:.2f}", f"{loudest:.2f}")
    painting.panel(canvas, wave, (_LEFT, _ABOVE), ends, title, "amplitude")
    painting.panel(canvas, mel, (_LEFT, below), ("1", f"{BANDS}"), side="mel band")
    painting.seconds(canvas, (_LEFT, below + _PANEL), _RIGHT - _LEFT, seconds)
    words = (
        f"Over {seconds:.1f} s, the waveform, loudest value {loudest:.2f}, and the mel "
        f"spectrogram, {BANDS} bands up to {TOP // 1000} kHz; a cursor shows where the film is."
    )
    return Picture.painted(canvas, words, corpus)


def log_mel(sound: np.ndarray, rate: int) -> np.ndarray:
    """A log-mel spectrogram to look at, ``(BANDS, frames)`` dB, a frame each 10 ms.

    `audio.spectrogram` is what networks get; it takes a second for librosa, and a reader would wait
    for the first film.
    """
    hop, window = rate // 100, 1 << (rate // 40 - 1).bit_length()
    padded = np.pad(sound.astype(np.float32), window // 2)
    pieces = sliding_window_view(padded, window)[::hop] * np.hanning(window).astype(np.float32)
    power = np.abs(scipy.fft.rfft(pieces, axis=1)) ** 2
    return 10 * np.log10(_triangles(rate, window) @ power.T + 10 ** (_SILENT / 10))


@lru_cache(maxsize=8)
def _triangles(rate: int, window: int) -> np.ndarray:
    """What frequencies are weighed by, ``(BANDS, 1 + window / 2)`` float32."""
    hertz = np.fft.rfftfreq(window, 1 / rate)
    highest = 2595 * np.log10(1 + min(TOP, rate / 2) / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, BANDS + 2) / 2595) - 1)
    weights = [np.interp(hertz, edges[band : band + 3], [0, 1, 0]) for band in range(BANDS)]
    return np.array(weights, np.float32)


def subtitles(statement: str, sound: np.ndarray, rate: int) -> str:
    """WebVTT that shows the statement for as long as it is spoken; empty if nothing is."""
    loud = np.abs(sound)
    speaking = np.flatnonzero(loud > 0.05 * loud.max(initial=0))
    if not statement or not len(speaking):
        return ""
    start, end = (f"00:{at / rate // 60:02.0f}:{at / rate % 60:06.3f}" for at in speaking[[0, -1]])
    return f"WEBVTT\n\n{start} --> {end}\n{statement}\n"
