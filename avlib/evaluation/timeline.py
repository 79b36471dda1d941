"""What was heard, over time: as a picture, and drawn under the film itself. Of no lesson yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from avlib.corpus import recording
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import plots
from avlib.evaluation.listening import FRAMES, Judgement, loudness
from avlib.evaluation.plots import Picture
from avlib.features import faces, video

LEAST_PIXELS = 480  # that an annotated film is wide at least, so that the words can be read
AAC_RATE = 48_000  # Hz; more than that few players take
_LABELLED = 12  # stretches, of which each is named in the picture; more would lie over each other


def draw(heard: Judgement, corpus: str | None = None) -> Picture:
    """The loudness of a recording, and under it the probabilities of each stretch of voice.

    Where there is silence, nothing is drawn. `corpus` as in `Picture.of`. Raises ValueError as
    `recording.blocks`.
    """
    level = loudness(recording.blocks(heard.file))
    seconds = len(level) / FRAMES
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 5), sharex=True, height_ratios=[1, 2.2], layout="constrained"
    )
    time = np.arange(len(level)) / FRAMES
    above.fill_between(time, -100, level, color=plots.OKABE_ITO[0], linewidth=0)
    above.set(ylabel="loudness (dB)", ylim=(-100, 45), yticks=[-100, -50, 0])
    above.set_xlim(0, seconds)
    for each in heard.segments:
        shares = np.array(list(each["probabilities"].values()))
        edges = [each["start"], each["end"]]
        mesh = below.pcolormesh(
            edges, np.arange(9) - 0.5, shares[:, None], vmin=0, vmax=1, cmap="cividis"
        )
        if len(heard.segments) <= _LABELLED:
            said = f"{EMOTIONS[shares.argmax()]}\n{shares.max():.2f}"
            above.text(np.mean(edges), 42, said, ha="center", va="top", fontsize=9)
    below.set_yticks(range(8), EMOTIONS)
    below.set(xlabel="time (s)", ylim=(7.5, -0.5))
    figure.colorbar(mesh, ax=below, label="probability")
    several = len(heard.segments) > 1
    title = f"{len(heard.segments)} stretches of voice" if several else heard.sentence()
    above.set_title(title, fontsize=11)
    parts = "; ".join(
        f"{each['start']:.1f} to {each['end']:.1f} s {_likeliest(each['probabilities'])}"
        for each in heard.segments[:_LABELLED]
    )
    return Picture.of(
        figure,
        f"{Path(heard.file).name}: {heard.sentence()}. Loudness over {seconds:.1f} s, and the "
        f"probability of eight emotions in {len(heard.segments)} stretches of voice: {parts}.",
        corpus,
    )


def _likeliest(probabilities: Mapping[str, float]) -> str:
    name = max(probabilities, key=probabilities.get)
    return f"{name} {probabilities[name]:.2f}"


def annotate(heard: Judgement, out: Path, progress: bool = True) -> str:
    """Write a film again, with the probabilities drawn under it, as mp4, whole or not at all.

    The sound is kept, frames stay when they were, a film on its side is turned upright, and a
    frame is put around the face that is seen. Returns how often one was. Raises ValueError if the
    file has no picture or cannot be decoded, OSError if `out` cannot be written.
    """
    part = out.with_name(f".{out.name}.part.mp4")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with video.opened(heard.file) as (film, picture):
            counts = _write(film, picture, _Film(part, out), heard, progress)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return str(counts)


class _Film:
    """A film that is being written; whatever FFmpeg says against that names it."""

    def __init__(self, part: Path, out: Path) -> None:
        self.out = out
        self.container = self._tried(av.open, part, "w")

    def _tried(self, work: Callable[..., Any], *given: object) -> Any:
        try:
            return work(*given)
        except av.FFmpegError as error:
            raise OSError(error.errno, error.strerror, str(self.out)) from error

    def add(self, stream: av.stream.Stream, frame: object) -> None:
        """Encode a frame, or with None what is still held back, and write it."""
        self._tried(lambda: self.container.mux(stream.encode(frame)))

    def close(self) -> None:
        """End the file."""
        self._tried(self.container.close)


def _write(
    film: av.container.InputContainer,
    picture: av.VideoStream,
    written: _Film,
    heard: Judgement,
    progress: bool,
) -> faces.Counts:
    sound = film.streams.best("audio")
    shown = written.container.add_stream("libx264", rate=picture.average_rate or 30)
    shown.pix_fmt, shown.options = "yuv420p", {"crf": "23", "preset": "veryfast"}
    shown.codec_context.time_base = picture.time_base
    rate = min(sound.rate, AAC_RATE) if sound else None
    spoken = written.container.add_stream("aac", rate=rate) if sound else None
    panels, counts, begin, last = _Panels(heard), faces.Counts(), None, None
    bar = tqdm(desc="writing the film", unit="s", disable=not progress, bar_format="{desc}: {n} s")
    streams = [stream for stream in (picture, sound) if stream is not None]
    with bar:
        for packet in film.demux(streams):
            for frame in packet.decode():
                if packet.stream is not picture:
                    written.add(spoken, frame)
                    continue
                begin = frame.time if begin is None else begin
                drawn, last = _framed(video.upright(frame), counts, last)
                whole = panels.under(drawn, frame.time - begin)
                if not shown.codec_context.is_open:
                    shown.height, shown.width = whole.shape[:2]
                made = av.VideoFrame.from_ndarray(whole, format="rgb24")
                made.pts, made.time_base = frame.pts, frame.time_base
                written.add(shown, made)
                bar.update(round(frame.time - begin) - bar.n)
        for stream in filter(None, (shown, spoken)):
            written.add(stream, None)
        written.close()
    return counts


def _framed(
    frame: np.ndarray, counts: faces.Counts, last: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """A frame with the face framed in it that is followed, and where it is; the look is counted."""
    found = faces.find(frame)
    counts.add(found)
    drawn, box = np.ascontiguousarray(frame), faces.nearest(found, last)
    if box is None:
        return drawn, last
    left, top, width, height = box.round().astype(int).tolist()
    corners = (left, top), (left + width, top + height)
    cv2.rectangle(drawn, *corners, (230, 159, 0), max(1, frame.shape[0] // 240))
    return drawn, box


class _Panels:
    """The bars under a film: those of the stretch that is heard, or empty ones in silence."""

    def __init__(self, heard: Judgement) -> None:
        self.heard, self.drawn = heard, {}

    def under(self, frame: np.ndarray, time: float) -> np.ndarray:
        """A frame with its bars below, in even numbers of pixels, as H.264 asks."""
        scale = max(1.0, LEAST_PIXELS / frame.shape[1])
        width, height = (round(side * scale / 2) * 2 for side in frame.shape[1::-1])
        above = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        at = next(
            (n for n, s in enumerate(self.heard.segments) if s["start"] <= time <= s["end"]), None
        )
        if (at, width) not in self.drawn:
            self.drawn = {(at, width): self._draw(at, width)}
        return np.concatenate([above, self.drawn[at, width]])

    def _draw(self, at: int | None, width: int) -> np.ndarray:
        shares = dict.fromkeys(EMOTIONS, 0.0)
        if at is not None:
            shares = self.heard.segments[at]["probabilities"]
        figure = Figure(figsize=(width / 100, 1.5), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        bars = axes.bar(range(8), list(shares.values()), color=plots.OKABE_ITO[0])
        axes.bar_label(bars, ["" if at is None else f"{s:.2f}" for s in shares.values()])
        axes.set_xticks(range(8), EMOTIONS, fontsize=min(11, width / 60))
        axes.set(ylim=(0, 1.25), yticks=[0, 1])
        axes.set_ylabel("silence" if at is None else "probability", fontsize=9)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[:, :, :3]
        return cv2.resize(drawn, (width, 150))
