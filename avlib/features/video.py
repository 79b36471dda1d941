"""From a recording to its frame pairs: frames at given times, crop, resize, join.

Paper section: two frames from every half second, joined side by side, about six pairs a
video. Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter


def frames_at(
    path: str | Path, times: Sequence[float], threads: int = 1, size: int | None = None
) -> np.ndarray:
    """The frames of an mp4 file that are on screen at given times.

    `times` are seconds after the clip's first frame, in ascending order. A frame is on screen from
    its own time until the next frame's. The clip is decoded once from its start, and only as far
    as the last time asked for: seeking inside an H.264 file is slower and lands on the wrong
    frame. One decoder's thread (`threads`) is best for many clips, a process a core.

    Returns ``(times, height, width, 3)`` uint8, RGB, at the size of the recording; with a `size`,
    each frame goes through `square` at once, so that large ones need not stay in memory. Raises
    `ValueError` if the file cannot be decoded as far as the last time, has no picture, or is
    shorter.
    """
    wanted = [Fraction(time).limit_denominator(1_000_000) for time in times]
    if wanted != sorted(wanted) or (wanted and wanted[0] < 0):
        raise ValueError(f"times: should be zero or more, in ascending order, got {list(times)}")
    if not wanted:
        return np.zeros((0, 0, 0, 3), np.uint8)
    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        packets = list(container.demux(stream))
        on_screen = _on_screen(stream, packets, wanted, path)
        frames = _decode(stream, packets, set(on_screen), size)
    if len(frames) < len(set(on_screen)):
        raise ValueError(f"{path}: a frame cannot be decoded; get a whole copy of the file")
    return np.stack([frames[begin] for begin in on_screen])


def frames_along(path: str | Path, times: Iterable[float]) -> Iterator[np.ndarray]:
    """The frames at given times, one after the other, of a film of any length.

    As `frames_at`, which is faster for a clip and holds all of it; here no more than a frame is
    held. Times after the film's end show its last frame. Raises ``ValueError`` if the film cannot
    be decoded or has no picture.
    """
    with opened(path) as (container, stream):
        frames = (frame for frame in container.decode(stream) if frame.time is not None)
        shown = following = next(frames, None)
        if shown is None:
            raise ValueError(f"{path}: holds no frame; get a whole copy of the file")
        begin = shown.time
        for time in times:
            while following is not None and following.time - begin <= time:
                shown, following = following, next(frames, None)
            yield upright(shown)


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """An open film and its picture; whatever FFmpeg says against it names the file.

    Raises ``ValueError`` if it cannot be opened or read, or has no picture.
    """
    try:
        with av.open(path, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if stream is None:
                raise ValueError(f"{path}: has no picture; use a film (of RAVDESS 01 or 02)")
            if stream.codec_context is None:
                raise ValueError(
                    f"{path}: its picture cannot be decoded (unknown codec); get a whole copy of "
                    "the file"
                )
            yield container, stream
    except av.FFmpegError as error:
        raise ValueError(
            f"{path}: its picture cannot be decoded ({error.strerror}); "
            "get a whole copy of the file"
        ) from error


def _on_screen(
    stream: av.VideoStream, packets: list[av.Packet], times: list[Fraction], path: str | Path
) -> list[int]:
    """For each time, when the frame on screen came on, in the stream's own ticks.

    A packet carries one frame and its time, so that nothing has to be decoded to know this. The
    index of a film can mark its first packets as not to be shown.
    """
    shown = [packet for packet in packets if packet.size and not packet.is_discard]
    begins = sorted(packet.pts for packet in shown if packet.pts is not None)
    if len(begins) < len(shown):
        raise ValueError(f"{path}: a frame carries no time; get a whole copy of the file")
    whole = {packet.pts for packet in shown if not packet.is_corrupt}
    tick, rate = stream.time_base, stream.average_rate
    # The last frame stays for as long as the ones before it did.
    end = (begins[-1] - begins[0]) * tick + 1 / rate if begins else 0
    found = []
    for time in times:
        number = bisect_right(begins, begins[0] + time / tick) - 1 if time < end else None
        if number is None or begins[number] not in whole:
            raise ValueError(
                f"{path}: its picture ends before {float(time):.2f} s; "
                "get a whole copy of the file, or ask for earlier frames"
            )
        found.append(begins[number])
    return found


def _decode(
    stream: av.VideoStream, packets: list[av.Packet], wanted: set[int], size: int | None
) -> dict[int, np.ndarray]:
    """The frames that come on at the wanted times, in RGB.

    In H.264 about half of all frames help to build no other frame. Of these only the wanted ones
    are decoded, which saves half of the time and changes no pixel.
    """
    kept: dict[int, np.ndarray] = {}
    for packet in packets:
        stream.codec_context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
        for frame in packet.decode():
            if frame.pts in wanted:
                shown = upright(frame)
                kept[frame.pts] = shown if size is None else square(shown[None], size)[0]
        if len(kept) == len(wanted):
            break
    return kept


def upright(frame: av.VideoFrame) -> np.ndarray:
    """A frame in RGB, turned as its metadata says: telephones write films on their side."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)


def still(path: str | Path) -> np.ndarray:
    """The frame that stands for a film, ``(height, width, 3)`` uint8 RGB: see `most_telling`.

    Raises ``ValueError`` if the film cannot be opened or decoded, or holds no frame.
    """
    with opened(path) as (film, stream):
        frames = list(film.decode(stream))
    if not frames:
        raise ValueError(f"{path}: holds no frame; get a whole copy of the file")
    return upright(most_telling(frames))


def most_telling(frames: list[av.VideoFrame]) -> av.VideoFrame:
    """Of the half of the frames that differ most from the first, a face at rest, the most typical.

    The one that differs most of all would show a blink, or a mouth at its widest.
    """
    shrink = VideoReformatter()  # one for all: a frame that makes its own takes ten times as long
    grey = [shrink.reformat(each, 64, 36, format="gray").to_ndarray() for each in frames]
    grey = np.array(grey, dtype=np.int16)
    change = np.abs(grey - grey[0]).sum(axis=(1, 2))
    moved = np.flatnonzero(change >= np.median(change))
    typical = np.median(grey[moved], axis=0)
    return frames[moved[np.abs(grey[moved] - typical).sum(axis=(1, 2)).argmin()]]


def duration(path: str | Path) -> float:
    """How long a recording's picture lasts, in seconds, as its header says.

    Raises `ValueError` if the file cannot be opened or has no picture.
    """
    with opened(path) as (container, stream):
        if stream.duration is None:
            return container.duration / av.time_base
        return float(stream.duration * stream.time_base)


def pair_times(
    seconds: float, window: float = 0.5, offset: float = 0.25, limit: float = 3.0
) -> np.ndarray:
    """When the two frames of each pair of a clip are on screen.

    One pair is taken from each `window` of the clip, its second frame `offset` after its first;
    windows begin before `limit`, so that every clip gives as many (all in seconds). Returns
    ``(pairs, 2)`` float64, seconds; a window counts where both of its frames lie inside the clip.
    Raises `ValueError` if the window is not longer than the offset, or the clip is shorter than
    one window. Source: the paper's pre-processing section; which two frames is our decision, the
    paper leaves it open.

    >>> pair_times(1.2).tolist()
    [[0.0, 0.25], [0.5, 0.75]]
    """
    if not 0 <= offset < window:
        raise ValueError(
            f"offset: should be at least 0 and less than the window, got {offset} for {window} s"
        )
    if seconds < window:
        raise ValueError(f"the clip lasts {seconds:.2f} s, shorter than one window of {window} s")
    starts = np.arange(0.0, limit - 1e-9, window)
    return np.stack([starts, starts + offset], axis=1)[starts + offset < seconds]


def square(frames: np.ndarray, size: int = 64) -> np.ndarray:
    """Cut the centre square out of frames, ``(frames, height, width, 3)`` uint8, and resize it.

    Returns ``(frames, size, size, 3)`` uint8. Each new pixel is the mean of the area it covers.

    >>> square(np.zeros((2, 720, 1280, 3), np.uint8)).shape
    (2, 64, 64, 3)
    """
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crops = frames[:, top : top + side, left : left + side]
    return np.stack(
        [cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops]
    )


def frame_pairs(path: str | Path, times: np.ndarray, size: int = 64) -> np.ndarray:
    """Cut an mp4 file's frame pairs: two frames side by side, the earlier one on the left.

    A pair for each row of `times`, ``(pairs, 2)`` in seconds, as `pair_times` gives them. Returns
    ``(pairs, size, 2 × size, 3)`` uint8, RGB. Raises as `frames_at`. Source: the paper's
    pre-processing section.
    """
    squares = frames_at(path, times.ravel(), size=size)
    return np.concatenate([squares[0::2], squares[1::2]], axis=2)
