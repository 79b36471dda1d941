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
NETWORK_STYLES = {
    "audio": {"color": "#0072B2", "linestyle": "--", "marker": "o"},
    "image": {"color": "#D55E00", "linestyle": "-.", "marker": "s"},
    "fusion": {"color": "#000000", "linestyle": "-", "marker": "^"},
    "balanced": {"color": "#009E73", "linestyle": ":", "marker": "D"},
}


@dataclass(frozen=True)
class Picture:
    """A figure as PNG and the same in words; a notebook shows it with alternative text.

    Attributes
    ----------
    png : bytes
    alt : str
        What a reader who cannot see the figure needs to know.
    """

    png: bytes
    alt: str

    @classmethod
    def of(cls, figure: Figure, alt: str, corpus: str | None = None) -> Picture:
        """Draw a figure and close it.

        Parameters
        ----------
        figure : Figure
        alt : str
            The alternative text.
        corpus : str, optional
            What recordings it was made from, ``practice corpus`` or ``RAVDESS``; stands in a
            corner and at the end of the text.

        Returns
        -------
        Picture
        """
        if corpus is not None:
            alt = f"{alt} Made from: {corpus}."
            figure.supxlabel(f"made from: {corpus}", x=1, ha="right", fontsize=8, color="#595959")
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=figure.dpi, bbox_inches="tight")
        plt.close(figure)
        return cls(drawn.getvalue(), alt)

    def html(self) -> str:
        """The picture as an ``<img>`` that carries its own bytes and text."""
        encoded = base64.b64encode(self.png).decode()
        alt = html.escape(self.alt, quote=True)
        return f'<img alt="{alt}" src="data:image/png;base64,{encoded}" style="max-width: 100%">'

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/html": self.html(), "text/plain": self.alt}


def set_style() -> None:
    """Set matplotlib's defaults for all lessons: palette, sizes, light grid.

    Notes
    -----
    Called by the first cell of every lesson.
    """
    dashes = ["-", "--", "-.", ":"] * 2
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=OKABE_ITO) + cycler(linestyle=dashes),
            "image.cmap": "cividis",
            "figure.figsize": (8, 3),
            "figure.dpi": 96,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )


def waveform(axes: Axes, sound: np.ndarray, rate: int) -> None:
    """Draw amplitude against time.

    Parameters
    ----------
    axes : Axes
    sound : ndarray, shape (samples,)
    rate : int
        Samples a second (Hz).
    """
    axes.plot(np.arange(len(sound)) / rate, sound, linewidth=0.5, color=OKABE_ITO[0])
    axes.set(xlabel="time (s)", ylabel="amplitude", xlim=(0, len(sound) / rate))


def heat(
    axes: Axes, values: np.ndarray, seconds: float, ylabel: str, unit: str, top: float | None = None
) -> None:
    """Draw a matrix over time as colours, with its scale beside it.

    Parameters
    ----------
    axes : Axes
    values : ndarray, shape (rows, frames)
    seconds : float
        Time that the frames cover.
    ylabel, unit : str
        What the rows are, and what the colours measure.
    top : float, optional
        Value of the upper edge on the vertical axis; the number of rows by default.
    """
    edges = (0, seconds, 0, len(values) if top is None else top)
    drawn = axes.imshow(
        values, origin="lower", aspect="auto", extent=edges, interpolation="nearest"
    )
    axes.set(xlabel="time (s)", ylabel=ylabel)
    axes.figure.colorbar(drawn, ax=axes, label=unit)


def strip(pairs: np.ndarray, times: np.ndarray, alt: str, corpus: str | None = None) -> Picture:
    """Show frame pairs in a row, each under its two times.

    Parameters
    ----------
    pairs : ndarray, shape (pairs, height, width, 3), uint8
    times : ndarray, shape (pairs, 2)
        Seconds.
    alt : str
        The alternative text.
    corpus : str, optional
        As in `Picture.of`.

    Returns
    -------
    Picture
    """
    columns = min(3, len(pairs))
    lines = -(-len(pairs) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(3.2 * columns, 2.0 * lines), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, pair, (first, second) in zip(grid.flat, pairs, times, strict=False):
        axes.imshow(pair)
        axes.set_title(f"{first:.2f} s and {second:.2f} s", fontsize=10)
    return Picture.of(figure, alt, corpus)


def curves(histories: Mapping[str, pd.DataFrame], side: str, corpus: str) -> Picture:
    """Draw the accuracy of several networks by epoch: the paper's Fig. 4.

    Parameters
    ----------
    histories : mapping of str to DataFrame
        A name of `NETWORK_STYLES` → what `training.fit` returned.
    side : {"train", "validation"}
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Picture
    """
    figure, axes = plt.subplots(figsize=(8, 4))
    said = []
    for name, history in histories.items():
        decision = name if name in ("audio", "image") else "joint"
        line = history[(history["side"] == side) & (history["classifier"] == decision)]
        axes.plot(
            line["epoch"], 100 * line["accuracy"], label=name, markevery=3, **NETWORK_STYLES[name]
        )
        said.append(f"{name} ends at {100 * line['accuracy'].iloc[-1]:.0f} %")
    axes.axhline(12.5, color="grey", linestyle=":", label="chance, eight emotions")
    axes.set(xlabel="epoch", ylabel=f"{side} accuracy (%)", ylim=(0, 102))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture.of(figure, f"{side} accuracy by epoch: {', '.join(said)}.", corpus)


def confusion(counts: pd.DataFrame, title: str, corpus: str) -> Picture:
    """Draw a confusion matrix, counts in the cells, shares as colours.

    Parameters
    ----------
    counts : DataFrame, shape (8, 8)
        What `metrics.confusion` returned.
    title : str
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Picture
    """
    import seaborn

    shares = 100 * counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    figure, axes = plt.subplots(figsize=(7, 5.5))
    seaborn.heatmap(
        shares,
        annot=counts,
        fmt="d",
        cmap="cividis",
        vmin=0,
        vmax=100,
        ax=axes,
        cbar_kws={"label": "share of the true label (%)"},
    )
    axes.set(title=title)
    axes.tick_params("x", rotation=30)
    right = ", ".join(f"{name} {shares.loc[name, name]:.0f} %" for name in EMOTIONS)
    return Picture.of(figure, f"Confusion matrix, {title}. Decided rightly: {right}.", corpus)


def reliability(found: Mapping[str, pd.DataFrame], corpus: str) -> Picture:
    """Draw how often networks are right when they are so sure.

    Parameters
    ----------
    found : mapping of str to DataFrame
        A name → what `metrics.reliability` returned.
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Picture

    Notes
    -----
    Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*.
    """
    figure, axes = plt.subplots(figsize=(7.6, 4.5))
    axes.plot([0, 100], [0, 100], color="grey", linestyle=":", label="as sure as right")
    said = []
    for name, parts in found.items():
        axes.plot(100 * parts["confidence"], 100 * parts["accuracy"], label=name, marker="o")
        surest = parts.iloc[-1]
        said.append(
            f"{name}: when {100 * surest['confidence']:.0f} % sure, right in "
            f"{100 * surest['accuracy']:.0f} % of {surest['predictions']:.0f} predictions"
        )
    axes.set(xlabel="how sure (%)", ylabel="how often right (%)", xlim=(0, 101), ylim=(0, 101))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture.of(figure, f"Reliability. {'; '.join(said)}.", corpus)
