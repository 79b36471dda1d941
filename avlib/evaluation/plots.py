"""Figures, each with a text that says the same in words.

Colours are Okabe and Ito's eight and cividis, which stay apart for colour-blind eyes; lines
differ in dash and marker too, so that colour never carries the meaning alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from avlib.corpus.ravdess import EMOTIONS

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_FUSION = {"color": "#000000", "linestyle": "-", "marker": "^"}
NETWORK_STYLES = {
    "audio": {"color": "#0072B2", "linestyle": "--", "marker": "o"},
    "image": {"color": "#D55E00", "linestyle": "-.", "marker": "s"},
    "fusion": _FUSION,
    "joint": _FUSION,  # the classifier that the fusion network decides by
    "balanced": {"color": "#009E73", "linestyle": ":", "marker": "D"},
}


@dataclass(frozen=True)
class Picture:
    """A figure as PNG and the same in words; a notebook shows it with alternative text."""

    png: bytes
    alt: str  # what a reader who cannot see the figure needs to know

    @classmethod
    def of(cls, figure: Figure, alt: str, corpus: str | None = None, tight: bool = True) -> Picture:
        """Draw a figure, less the margins around it if it shall be `tight`, and close it.

        `corpus` says what recordings it was made from, ``practice corpus`` or ``RAVDESS``; it
        stands in a corner and at the end of the alternative text. Where ``AVLIB_SVG`` names a
        folder, the figure is written there as SVG too, under `Picture.name`.
        """
        if corpus is not None:
            alt = f"{alt} Made from: {corpus}."
            figure.supxlabel(f"made from: {corpus}", x=1, ha="right", fontsize=8, color="#595959")
        drawn = io.BytesIO()
        box = "tight" if tight else None
        figure.savefig(drawn, format="png", dpi=figure.dpi, bbox_inches=box)
        picture = cls(drawn.getvalue(), alt)
        if folder := os.environ.get("AVLIB_SVG"):
            figure.savefig(Path(folder, f"{picture.name}.svg"), bbox_inches=box)
        plt.close(figure)
        return picture

    @property
    def name(self) -> str:
        """What the picture is called by its content: the beginning of its PNG's SHA-256."""
        return hashlib.sha256(self.png).hexdigest()[:16]

    @classmethod
    def painted(cls, canvas: Image.Image, alt: str, corpus: str | None = None) -> Picture:
        """What was painted without a figure, in a twentieth of its time: for what must follow a
        hand. `corpus` as in `of`; it stands below, at the right.
        """
        if corpus is not None:
            alt, said = f"{alt} Made from: {corpus}.", f"made from: {corpus}"
            ImageDraw.Draw(canvas).text(canvas.size, said, "#595959", font(11), anchor="rd")
        drawn = io.BytesIO()
        canvas.save(drawn, "png", compress_level=3)
        return cls(drawn.getvalue(), alt)

    def html(self) -> str:
        """The picture as an ``<img>`` that carries its own bytes and text."""
        return image("png", self.png, self.alt)

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/html": self.html(), "text/plain": self.alt}


def uri(kind: str, content: bytes) -> str:
    """An address that is its own content, of a kind like ``image/png``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image(kind: str, content: bytes, alt: str) -> str:
    """An ``<img>`` that carries its own bytes and text."""
    said = html.escape(alt, quote=True)
    return f'<img alt="{said}" src="{uri(f"image/{kind}", content)}" style="max-width: 100%">'


def set_style() -> None:
    """Set matplotlib's defaults for all lessons: palette, sizes, layout."""
    plt.rc("axes", prop_cycle=cycler(color=OKABE_ITO, linestyle=["-", "--", "-.", ":"] * 2))
    plt.rc("axes.spines", top=False, right=False)
    plt.rc("figure", figsize=(8, 3), dpi=96)
    plt.rc("figure.constrained_layout", use=True)
    plt.rc("font", size=11)
    plt.rc("image", cmap="cividis")


def waveform(axes: Axes, sound: np.ndarray, rate: int) -> None:
    """Draw a sound, ``(samples,)``, against time: its bounds in 1,600 columns; `rate` in Hz."""
    edges = np.linspace(0, len(sound), min(len(sound), 1600), endpoint=False).astype(int)
    low, high = (bound.reduceat(sound, edges) for bound in (np.minimum, np.maximum))
    axes.fill_between(edges / rate, low, high, color=OKABE_ITO[0], linewidth=0.5)
    axes.set(xlabel="time (s)", ylabel="amplitude", xlim=(0, len(sound) / rate))


def heat(
    axes: Axes,
    values: np.ndarray,
    seconds: float,
    ylabel: str,
    unit: str,
    top: float | None = None,
    first: int = 0,
) -> None:
    """Draw a matrix over time, ``(rows, frames)``, as colours, with its scale beside it.

    `unit` is what the colours measure. The vertical axis ends at `top`, or counts the rows
    from `first` on.
    """
    area = (0, seconds, first, first + len(values) if top is None else top)
    drawn = axes.imshow(values, origin="lower", aspect="auto", extent=area, interpolation="nearest")
    axes.set(xlabel="time (s)", ylabel=ylabel)
    axes.figure.colorbar(drawn, ax=axes, label=unit)


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Matplotlib's own, for what is painted without it; the size in pixels."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def strip(
    pairs: np.ndarray, times: np.ndarray, alt: str, corpus: str | None = None, columns: int = 3
) -> Picture:
    """Show frame pairs, ``(pairs, height, width, 3)``, each under its two `times`, in seconds."""
    gap, line = 12, 22  # pixels between pairs, and of a line of text
    wide = 936 // columns - gap
    high, columns = wide // 2, min(columns, len(pairs))
    rows = -(-len(pairs) // columns)
    size = columns * (wide + gap), rows * (high + line + gap) + line
    canvas = Image.new("RGB", size, "white")
    write = ImageDraw.Draw(canvas)
    for number, (pair, (first, second)) in enumerate(zip(pairs, times, strict=True)):
        left, top = number % columns * (wide + gap), number // columns * (high + line + gap)
        said = f"{first:.2f} and {second:.2f} s"
        write.text((left + wide / 2, top + line / 2), said, "black", font(14), anchor="mm")
        way = Image.Resampling.NEAREST if pair.shape[1] < wide else Image.Resampling.BOX
        canvas.paste(Image.fromarray(pair).resize((wide, high), way), (left, top + line))
    return Picture.painted(canvas, alt, corpus)


def accuracy_lines(
    axes: Axes, histories: Mapping[str, pd.DataFrame], side: str, chance: str, **style: object
) -> str:
    """Draw the accuracy by epoch of networks, or of classifiers; say in words where it ends.

    `histories` maps names of `NETWORK_STYLES` to what `training.fit` returned, `side` is ``train``
    or ``validation``, `chance` what the legend calls the line at one in eight.
    """
    said = []
    for name, history in histories.items():
        decision = name if name in ("audio", "image") else "joint"
        line = history[(history["side"] == side) & (history["classifier"] == decision)]
        percent = 100 * line["accuracy"]
        axes.plot(line["epoch"], percent, label=name, **NETWORK_STYLES[name], **style)
        said.append(f"{name} ends at {percent.iloc[-1]:.0f} %")
    axes.axhline(12.5, color="grey", linestyle=":", label=chance)
    axes.set(xlabel="epoch", ylabel=f"{side} accuracy (%)", ylim=(0, 102))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ", ".join(said)


def curves(histories: Mapping[str, pd.DataFrame], side: str, corpus: str) -> Picture:
    """Draw `accuracy_lines` of several networks: the paper's Fig. 4."""
    figure, axes = plt.subplots(figsize=(8, 4))
    said = accuracy_lines(axes, histories, side, "chance, eight emotions", markevery=3)
    return Picture.of(figure, f"{side} accuracy by epoch: {said}.", corpus)


def draws(right: np.ndarray, actor: np.ndarray, drawn: np.ndarray, corpus: str) -> Picture:
    """Draw how often a bootstrap drew each actor, and what accuracy that gives.

    Takes of each clip whether its prediction is right and whose it is, both ``(clips,)``, and the
    actors of each draw, ``(draws, actors)``. The first row holds the actors as recorded.
    """
    names, whose = np.unique(actor, return_inverse=True)
    hits, clips = np.bincount(whose, right), np.bincount(whose)
    times = (np.asarray(drawn)[:, :, None] == names).sum(axis=1)
    times = np.vstack([np.ones_like(names), times])
    accuracies = 100 * (times @ hits) / (times @ clips)
    rows = ["as recorded", *(f"draw {number}" for number in range(1, len(times)))]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.4 * len(rows)))
    axes.imshow(times, vmin=0, vmax=max(4, times.max()), aspect="auto")
    for row, column in np.ndindex(*times.shape):
        colour = "black" if times[row, column] > 1 else "white"
        axes.text(column, row, times[row, column], ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), names)
    labels = [f"{row}: {share:.1f} %" for row, share in zip(rows, accuracies, strict=True)]
    axes.set_yticks(range(len(rows)), labels)
    axes.set(xlabel="actor, and how often drawn")
    axes.spines[:].set_visible(False)
    said = "; ".join(
        f"{label}, {(row == 0).sum()} of {len(names)} not drawn, the others up to {row.max()} times"
        for label, row in zip(labels[1:], times[1:], strict=True)
    )
    return Picture.of(figure, f"How often each actor was drawn, {labels[0]}; {said}.", corpus)


def confusion(counts: pd.DataFrame, title: str, corpus: str) -> Picture:
    """Draw what `metrics.confusion` returned: counts in the cells, shares as colours."""
    import seaborn

    shares = 100 * counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    figure, axes = plt.subplots(figsize=(7, 5.5))
    scale = {"vmin": 0, "vmax": 100, "cbar_kws": {"label": "share of the true label (%)"}}
    seaborn.heatmap(shares, annot=counts, fmt="d", cmap="cividis", ax=axes, **scale)
    axes.set(title=title)
    axes.tick_params("x", rotation=30)
    right = ", ".join(f"{name} {shares.loc[name, name]:.0f} %" for name in EMOTIONS)
    return Picture.of(figure, f"Confusion matrix, {title}. Decided rightly: {right}.", corpus)


def reliability(found: Mapping[str, pd.DataFrame], corpus: str) -> Picture:
    """Draw how often networks are right when they are so sure, and in each dot how many clips.

    `found` maps names to what `metrics.reliability` returned.
    Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*.
    """
    figure, axes = plt.subplots(figsize=(7.6, 4.5))
    axes.plot([0, 100], [0, 100], color="grey", linestyle=":", label="as sure as right")
    said = []
    for depth, ((name, parts), marker) in enumerate(zip(found.items(), "os^D", strict=False), 2):
        across, up = 100 * parts["confidence"], 100 * parts["accuracy"]
        look = {"marker": marker, "markersize": 15, "markerfacecolor": "white", "zorder": depth}
        axes.plot(across, up, label=name, **look)
        middle = {"ha": "center", "va": "center_baseline", "zorder": depth + 0.5}
        for x, y, count in zip(across, up, parts["predictions"], strict=True):
            axes.text(x, y, f"{count:.0f}", fontsize=8, **middle)  # under the next network's dots
        surest = parts.iloc[-1]
        said.append(
            f"{name}: when {100 * surest['confidence']:.0f} % sure, right in "
            f"{100 * surest['accuracy']:.0f} % of {surest['predictions']:.0f} predictions"
        )
    axes.set(xlabel="how sure (%)", ylabel="how often right (%)", xlim=(0, 105), ylim=(-5, 105))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=0.5)
    return Picture.of(figure, f"Reliability. {'; '.join(said)}.", corpus)
