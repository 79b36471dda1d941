"""Pictures of the accuracy comparison: splits, a confusion matrix to press, paired differences.

Shells over pure functions, as in `widgets`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets
from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from avlib.corpus.ravdess import EMOTIONS
from avlib.course.film import Film
from avlib.course.widgets import Explorer, Heard, draw_named
from avlib.evaluation import metrics, plots
from avlib.evaluation.plots import Picture

__all__ = [
    "confusion_browser",
    "confusion_table",
    "draw_confusion_cell",
    "draw_differences",
    "draw_splits",
]
SIDES = ("training", "validation", "test")


def draw_splits(
    rows: pd.DataFrame, split_by: Mapping[str, Sequence[np.ndarray]], corpus: str
) -> Picture:
    """Who is on which side: an actor a line, that actor's frame pairs side by side, take by take.

    `rows` is `FeatureStore.rows`; `split_by` maps what is never cut apart to the row numbers of
    training, validation and test.
    """
    order = ["actor", "emotion", "intensity", "statement", "repetition"]
    lines = rows.sort_values(order, kind="stable").groupby("actor").groups
    colours = plt.get_cmap("cividis", len(SIDES))
    figure, grid = plt.subplots(len(split_by), 1, figsize=(9, 1.5 * len(split_by) + 0.6))
    said = []
    for axes, (unit, sides) in zip(np.atleast_1d(grid), split_by.items(), strict=True):
        side_of = pd.Series(0, rows.index)
        for number, side in enumerate(sides):
            side_of.iloc[side] = len(SIDES) - 1 - number  # the test is the darkest
        drawn = np.full((len(lines), max(map(len, lines.values()))), np.nan)
        for place, numbers in enumerate(lines.values()):
            drawn[place, : len(numbers)] = side_of.loc[numbers]
        style = {"cmap": colours, "vmin": 0, "vmax": len(SIDES) - 1}
        axes.imshow(drawn, aspect="auto", interpolation="nearest", **style)
        axes.set_title(f"split by {unit}", loc="left", fontsize=10)
        axes.set(xticks=[], ylabel="actor")
        axes.set_yticks([0, len(lines) - 1], [min(lines), max(lines)])
        tested = (drawn == 0).any(axis=1)
        both = (tested & (drawn == len(SIDES) - 1).any(axis=1)).sum()
        said.append(f"split by {unit}, tested actors {tested.sum()}, of them trained on {both}")
    axes.set_xlabel("frame pairs, sorted by clip")
    keys = [Patch(color=colours(len(SIDES) - 1 - n), label=name) for n, name in enumerate(SIDES)]
    figure.legend(handles=keys, loc="outside upper right", ncols=3, frameon=False)
    words = (
        f"Every frame pair, an actor a line, coloured by its side of the split: {'; '.join(said)}."
    )
    return Picture.of(figure, words, corpus)


def confusion_table(counts: pd.DataFrame, pressed: bool = False) -> str:
    """A confusion matrix as HTML; to be `pressed`, what counts a clip is a button.

    `counts` is what `metrics.confusion` returned. Colours are shares of a row, as in
    `plots.confusion`.
    """
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0).to_numpy()
    colours = plt.get_cmap("cividis")
    heads = "".join(f'<th scope="col" style="{_HEAD}">{name}</th>' for name in EMOTIONS)
    lines = []
    for row, truth in enumerate(EMOTIONS):
        cells = ""
        for column, guess in enumerate(EMOTIONS):
            count, colour = counts.iat[row, column], colours(shares[row, column])
            style = f"{_CELL}; background: {to_hex(colour)}; color: {_readable(colour)}"
            inside = str(count)
            if pressed and count:
                inside = (
                    f'<button type="button" data-cell="{row} {column}" style="{_BUTTON}" '
                    f'aria-label="{count} {truth}, predicted as {guess}" '
                    f'title="{truth}, predicted as {guess}: press to play">{count}</button>'
                )
            cells += f'<td style="{style}">{inside}</td>'
        lines.append(
            f'<tr><th scope="row" style="{_HEAD}; text-align: right">{truth}</th>{cells}</tr>'
        )
    return (
        f"{_RING if pressed else ''}"
        '<table class="avlib-confusion" style="border-collapse: collapse; width: auto">'
        '<caption style="text-align: left; white-space: nowrap">Rows: true label. Columns: '
        "predicted label. The brighter, the larger the share of the row.</caption>"
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


_HEAD = "padding: 2px 6px; font-weight: normal"
_CELL = "width: 4em; height: 2.2em; padding: 0; text-align: center; border: 1px solid white"
_BUTTON = (
    "width: 100%; height: 2.2em; border: 0; background: none; color: inherit; font: inherit; "
    "font-weight: bold; cursor: pointer"
)
_RING = (  # two rings, one of which is seen on any colour
    "<style>.avlib-confusion button[aria-pressed=true] { box-shadow: inset 0 0 0 2px black, "
    "inset 0 0 0 4px white } .avlib-confusion button:focus-visible { outline: 3px solid #D55E00; "
    "outline-offset: 1px }</style>"
)


def _readable(colour: Sequence[float]) -> str:
    """Black or white, whichever stands out more on a colour (WCAG's relative luminance)."""
    channels = np.array(colour[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "white"


def draw_confusion_cell(
    predictions: pd.DataFrame, clips: pd.DataFrame, true: int, predicted: int, number: int
) -> Heard | Film:
    """One of the clips that a cell of a confusion matrix counts.

    Takes what `metrics.by_clip` and `ravdess.index` returned, the emotion codes of the cell's row
    and column, and which of its clips, from 1. Raises `ValueError` if the cell counts none.
    """
    truth, guess = EMOTIONS[true - 1], EMOTIONS[predicted - 1]
    counted = (predictions["label"] == true) & (metrics.predicted(predictions) == predicted)
    inside = predictions[counted]
    if inside.empty:
        raise ValueError(f"no {truth} clip was taken for {guess}")
    place = (number - 1) % len(inside)
    chosen = inside.iloc[place]
    shown = draw_named(clips, chosen["clip"])
    certainty = np.exp(chosen[f"log_prob_{predicted}"])
    said = (
        f"{shown.caption}. Predicted: {guess} (probability {certainty:.2f}). "
        f"Clip {place + 1} of {len(inside)} in this cell"
    )
    return replace(shown, caption=said)


class _Matrix(anywidget.AnyWidget):
    """The matrix to press: ``value`` is the row and the column from 0, and which clip from 1."""

    _esm = Path(__file__).with_name("confusion.js")
    table = traitlets.Unicode().tag(sync=True)
    value = traitlets.List(traitlets.Int()).tag(sync=True)


class _Browser(Explorer):
    """An explorer that shows its matrix where there is no kernel, too."""

    def _repr_mimebundle_(self, **given: object) -> dict[str, object]:
        shown = super()._repr_mimebundle_(**given)
        return shown | {"text/html": confusion_table(self.counts) + shown["text/html"]}


def confusion_browser(predictions: pd.DataFrame, clips: pd.DataFrame) -> Explorer:
    """Press a cell of a confusion matrix, and play the clips that it counts (lesson 05).

    It opens at the fullest cell of mistakes.
    """
    counts = metrics.confusion(predictions)
    wrong = counts.to_numpy() * (1 - np.eye(len(counts), dtype=int))
    fullest = wrong if wrong.any() else counts.to_numpy()
    cell = [int(place) for place in np.unravel_index(fullest.argmax(), counts.shape)]

    def draw(cell: Sequence[int]) -> Heard | Film:
        row, column, number = cell
        return draw_confusion_cell(predictions, clips, row + 1, column + 1, number)

    browser = _Browser(
        draw,
        "Press a number: a clip of that cell plays below. Press it again for the next one. By "
        "keyboard: Tab into the matrix, then the arrow keys and Enter.",
        films=True,
        cell=_Matrix(table=confusion_table(counts, pressed=True), value=[*cell, 1]),
    )
    browser.counts = counts
    return browser


def draw_differences(
    found: Mapping[str, np.ndarray], intervals: Mapping[str, tuple[float, float]], made_from: str
) -> Picture:
    """Paired differences with their intervals, and each actor's own as a dot; shares, 0–1.

    `found` maps the name of a comparison to the difference on each actor, `intervals` the same
    names to the bounds of the mean.
    """
    figure, axes = plt.subplots(figsize=(9, 0.7 * len(found) + 1.2))
    said = []
    for place, (name, each) in enumerate(found.items()):
        low, high = (100 * bound for bound in intervals[name])
        middle = 100 * np.mean(each)
        spread = place + np.linspace(0.12, 0.36, len(each))
        axes.plot(100 * np.sort(each), spread, "o", color="grey", markersize=4)
        reach = [[middle - low], [high - middle]]
        axes.errorbar(middle, place, xerr=reach, fmt="D", capsize=5, color=plots.OKABE_ITO[0])
        axes.annotate(
            f"{middle:+.1f} ({low:+.1f} to {high:+.1f})", (middle, place), (0, 8),
            textcoords="offset points", ha="center", fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
        better = int((np.asarray(each) > 0).sum())
        said.append(
            f"{name}: {middle:+.1f} points, interval {low:+.1f} to {high:+.1f}, "
            f"above zero for {better} of {len(each)} actors"
        )
    axes.axvline(0, color="black", linestyle=":")
    axes.set_yticks(range(len(found)), list(found))
    axes.set(ylim=(len(found) - 0.4, -0.6), xlabel="difference in accuracy (points)")
    words = f"On {made_from}, paired differences; a grey dot is one actor. {'; '.join(said)}."
    return Picture.of(figure, words, made_from)
