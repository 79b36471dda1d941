"""From a frame to the faces in it, wherever they are; and a square around one, as in training.

RAVDESS itself needs none of this: its actors sit in the middle, and the paper cuts the centre.
Of no lesson yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from avlib.features import video

YUNET = Path(__file__).with_name("yunet") / "face_detection_yunet_2023mar.onnx"
LONGER_SIDE = 320  # pixels that a frame is reduced to; a face of a thirtieth of it is still found
CERTAIN = 0.7  # the detector's score, 0 to 1, from which on something is a face
# In the centre square of a RAVDESS film a face, as the detector frames it, takes so much of the
# side, and its middle lies so far down. A square around any other face is cut to look the same.
SHARE, MIDDLE = 0.61, 0.5
STEADY = 5  # looks over which a face's place is smoothed


def find(frame: np.ndarray) -> np.ndarray:
    """The faces in a frame, ``(height, width, 3)`` uint8, RGB, the largest first.

    Returns ``(faces, 4)`` float32: left, top, width and height, in pixels; nothing of them need lie
    outside the frame. By YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y), which comes with
    avlib; OpenCV runs it, whatever its version.

    >>> find(np.zeros((90, 160, 3), np.uint8)).shape
    (0, 4)
    """
    height, width = frame.shape[:2]
    scale = LONGER_SIDE / max(height, width)
    reduced = (max(1, round(width * scale)), max(1, round(height * scale)))
    detector = _detector()
    detector.setInputSize(reduced)
    small = cv2.resize(frame, reduced, interpolation=cv2.INTER_AREA)
    found = detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
    if found is None:
        return np.zeros((0, 4), np.float32)
    boxes = found[:, :4] / np.float32(scale)
    return boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]


@lru_cache(maxsize=1)
def _detector() -> cv2.FaceDetectorYN:
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_ERROR)  # OpenCV 5 warns of what is not needed here
    try:
        return cv2.FaceDetectorYN.create(str(YUNET), "", (LONGER_SIDE, LONGER_SIDE), CERTAIN)
    finally:
        log.setLogLevel(before)


def follow(found: Iterable[np.ndarray]) -> np.ndarray:
    """One face through the looks at a film: the largest at first, then whichever is nearest.

    `found` is what `find` returned of each look. Returns ``(looks, 4)`` float32, NaN where no face
    was found. Places are medians over five looks, so that a trembling frame moves no face.

    >>> one = np.array([[10, 10, 40, 50]], np.float32)
    >>> two = np.array([[200, 10, 60, 70], [12, 10, 40, 50]], np.float32)
    >>> follow([one, two, np.zeros((0, 4), np.float32)])[:2, 0].tolist()
    [11.0, 11.0]
    """
    places, last = [], None
    for boxes in found:
        box = nearest(boxes, last)
        places.append(np.full(4, np.nan, np.float32) if box is None else box)
        last = last if box is None else box
    return _steadied(places)


def nearest(boxes: np.ndarray, last: np.ndarray | None) -> np.ndarray | None:
    """Of the faces in a frame the one nearest to where one was last seen; at first the largest."""
    if len(boxes) == 0 or last is None:
        return boxes[0] if len(boxes) else None
    apart = boxes[:, :2] + boxes[:, 2:] / 2 - (last[:2] + last[2:] / 2)
    return boxes[np.linalg.norm(apart, axis=1).argmin()]


def _steadied(places: Sequence[np.ndarray]) -> np.ndarray:
    """The median of each place and those around it; where no face was found, none is made up."""
    track, half = np.array(places, np.float32).reshape(-1, 4), STEADY // 2
    steady = track.copy()
    for look in np.flatnonzero(~np.isnan(track[:, 0])):
        steady[look] = np.nanmedian(track[max(0, look - half) : look + half + 1], axis=0)
    return steady


def crop(frame: np.ndarray, box: np.ndarray, size: int = 64) -> np.ndarray:
    """A square around a face, ``(size, size, 3)`` uint8, framed as RAVDESS's centre crop is.

    `frame` is ``(height, width, 3)`` uint8, `box` a row of what `find` returned. Beyond the frame's
    edges its outermost pixels go on. Each new pixel is the mean of the area it covers.

    >>> crop(np.zeros((90, 160, 3), np.uint8), np.array([60, 20, 30, 40])).shape
    (64, 64, 3)
    """
    left, top, width, height = (float(each) for each in box)
    side = max(1, round(height / SHARE))
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - MIDDLE * side)
    tall, wide = frame.shape[:2]
    edges = max(0, -y), max(0, y + side - tall), max(0, -x), max(0, x + side - wide)
    inside = frame[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)]
    whole = cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE) if any(edges) else inside
    return cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)


@dataclass
class Counts:
    """How many looks at a film there were, with no face, and with several."""

    looks: int = 0
    without: int = 0
    several: int = 0

    def add(self, boxes: np.ndarray) -> None:
        """Count one look, at which these faces were found."""
        self.looks += 1
        self.without += len(boxes) == 0
        self.several += len(boxes) > 1

    def __str__(self) -> str:
        more = f", more than one in {self.several} (one is followed)" if self.several else ""
        return f"a face was seen in {self.looks - self.without} of {self.looks} looks{more}"


def pairs(
    path: str | Path, spans: Iterable[tuple[float, float]], counts: Counts, size: int = 64
) -> Iterator[np.ndarray]:
    """The frame pairs of a face in each stretch of a film, ``(pairs, size, 2 × size, 3)`` uint8.

    `spans` are start and end of each stretch in seconds, in ascending order. The two frames of a
    pair are as far apart as in training (`video.pair_times`), and a pair counts where a face is in
    both; where there is none, there are no pairs. What is seen is added to `counts`. Raises as
    `video.frames_at`.
    """
    wanted = [_looks(start, end) for start, end in spans]
    frames = video.frames_along(path, [time for times in wanted for time in times])
    for times in wanted:
        shown = [next(frames) for _ in times]
        found = [find(frame) for frame in shown]
        for boxes in found:
            counts.add(boxes)
        squares = [
            None if np.isnan(box[0]) else crop(frame, box, size)
            for frame, box in zip(shown, follow(found), strict=True)
        ]
        both = [
            np.concatenate(pair, axis=1)
            for pair in zip(squares[::2], squares[1::2], strict=True)
            if pair[0] is not None and pair[1] is not None
        ]
        yield np.array(both, np.uint8).reshape(-1, size, 2 * size, 3)


def _looks(start: float, end: float) -> list[float]:
    """When the two frames of each pair of a stretch are on screen."""
    try:
        return (start + video.pair_times(end - start)).ravel().tolist()
    except ValueError:  # shorter than one window
        return []
