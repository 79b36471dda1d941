"""Figures, each with a text that says the same in words.

Colours are Okabe and Ito's eight and cividis, which stay apart for colour-blind eyes; lines
differ in dash and marker too, so that colour never carries the meaning alone.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
        stands in a corner and at the end of the alternative text.
        """
        if corpus is not None:
            alt = f"{alt} Made from: {corpus}."
            figure.supxlabel(f"made from: {corpus}", x=1, ha="right", fontsize=8, color="#595959")
        drawn = io.BytesIO()
        box = "tight" if tight else None
        figure.savefig(drawn, format="png", dpi=figure.dpi, bbox_inches=box)
        plt.close(figure)
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
    axes: Axes, values: np.ndarray, seconds: float, ylabel: str, unit: str, top: float | None = None
) -> None:
    """Draw a matrix over time, ``(rows, frames)``, as colours, with its scale beside it.

    `unit` is what the colours measure. The vertical axis ends at `top`, or counts the rows.
    """
    area = (0, seconds, 0, len(values) if top is None else top)
    drawn = axes.imshow(values, origin="lower", aspect="auto", extent=area, interpolation="nearest")
    axes.set(xlabel="time (s)", ylabel=ylabel)
    axes.figure.colorbar(drawn, ax=axes, label=unit)


def strip(pairs: np.ndarray, times: np.ndarray, alt: str, corpus: str | None = None) -> Picture:
    """Show frame pairs, ``(pairs, height, width, 3)``, each under its two `times`, in seconds."""
    columns = min(3, len(pairs))
    lines = -(-len(pairs) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(3.2 * columns, 2.0 * lines), squeeze=False, layout="none"
    )
    figure.subplots_adjust(0, 0.04, 1, 0.9, 0.04, 0.16)  # a layout would take as long as the rest
    for axes in grid.flat:
        axes.axis("off")
    for axes, pair, (first, second) in zip(grid.flat, pairs, times, strict=False):
        axes.imshow(pair)
        axes.set_title(f"{first:.2f} s and {second:.2f} s", fontsize=10)
    return Picture.of(figure, alt, corpus)


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
    for (name, parts), marker in zip(found.items(), "os^D", strict=False):
        across, up = 100 * parts["confidence"], 100 * parts["accuracy"]
        axes.plot(across, up, label=name, marker=marker, markersize=15, markerfacecolor="white")
        for x, y, count in zip(across, up, parts["predictions"], strict=True):
            axes.text(x, y, f"{count:.0f}", ha="center", va="center_baseline", fontsize=8, zorder=3)
        surest = parts.iloc[-1]
        said.append(
            f"{name}: when {100 * surest['confidence']:.0f} % sure, right in "
            f"{100 * surest['accuracy']:.0f} % of {surest['predictions']:.0f} predictions"
        )
    axes.set(xlabel="how sure (%)", ylabel="how often right (%)", xlim=(0, 105), ylim=(-5, 105))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=0.5)
    return Picture.of(figure, f"Reliability. {'; '.join(said)}.", corpus)
