"""Waveforms and spectrograms, painted: what is drawn at each move of a control.

A hand does not wait for matplotlib. Here arrays become pixels, and a panel gets its title, its ends
and its seconds.
"""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from avlib.evaluation import plots

_BLUE = matplotlib.colors.to_rgb(plots.OKABE_ITO[0])
_TICK = 70  # pixels at least from one second that is written to the next
_STEPS = (0.5, 1, 2, 5, 10, 30, 60)  # s


def coloured(shares: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 in the colours of cividis, ``(..., 3)`` uint8."""
    return matplotlib.colormaps["cividis"](shares, bytes=True)[..., :3]


def waveform(sound: np.ndarray, loudest: float, size: tuple[int, int]) -> Image.Image:
    """The bounds of a sound, ``(samples,)``, in each column; above and below lie ±`loudest`.

    `size` is width and height, in pixels.
    """
    wide, high = size
    edges = np.linspace(0, len(sound), wide, endpoint=False).astype(int)
    least, most = (bound.reduceat(sound, edges) for bound in (np.minimum, np.maximum))
    level, half = np.linspace(loudest, -loudest, high)[:, None], loudest / (high - 1)
    inked = (level + half >= least) & (level - half <= most)  # a line at least
    shown = np.where(inked[..., None], np.rint(255 * np.array(_BLUE)), 255)
    return Image.fromarray(shown.astype(np.uint8))


def heat(values: np.ndarray, low: float, high: float, size: tuple[int, int]) -> Image.Image:
    """A matrix in colours from `low` to `high`, its first row below; `size` is width and height."""
    least = min(size[0], values.shape[1]), min(size[1], len(values))
    shrunk = cv2.resize(values[::-1].astype(np.float32), least, interpolation=cv2.INTER_AREA)
    shown = cv2.resize(shrunk, size, interpolation=cv2.INTER_NEAREST)
    return Image.fromarray(coloured((shown - low) / max(high - low, 1e-6)))


def panel(
    canvas: Image.Image, shown: Image.Image, corner: tuple[int, int], ends: tuple[str, str],
    title: str = "", side: str = "",
) -> None:  # fmt: skip
    """Put a picture into another, with its left and lower axis.

    `ends` stand at the lower and the upper end of the vertical axis, `side` between them and
    `title` above.
    """
    (x, y), (wide, high) = corner, shown.size
    canvas.paste(shown, corner)
    write = ImageDraw.Draw(canvas)
    write.text((x, y - 6), title, "black", plots.font(14), anchor="ls")
    write.line([(x - 1, y), (x - 1, y + high), (x + wide, y + high)], "black")
    places = (y + high, "rs"), (y, "rt"), (y + high / 2, "rm")
    for (at, anchor), said in zip(places, (*ends, side), strict=True):
        write.text((x - 5, at), said, "black", plots.font(12), anchor=anchor)


def seconds(canvas: Image.Image, corner: tuple[int, int], wide: int, last: float) -> None:
    """Write the seconds from 0 to `last` under a panel; `corner` is its lower left one."""
    x, y = corner
    step = next((each for each in _STEPS if last / each <= wide / _TICK), last)
    write = ImageDraw.Draw(canvas)
    for second in np.arange(0, last, step):
        along = x + wide * second / last
        write.line([(along, y), (along, y + 4)], "black")
        write.text((along, y + 6), f"{second:g} s", "black", plots.font(12), anchor="mt")
