"""What each published system does, in one picture of boxes; and the grid of one of them.

Taught in notebooks/08-table-two-run.ipynb.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import matplotlib.pyplot as plt
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from avlib.course.widgets import Explorer, choice
from avlib.evaluation.plots import NETWORK_STYLES, Picture

__all__ = ["SKETCHES", "Sketch", "draw_grid", "draw_system", "system_browser"]


@dataclass(frozen=True)
class Sketch:
    """A system as two rows of boxes, what joins them, and what comes after."""

    called: str
    sound: tuple[str, ...]
    face: tuple[str, ...]
    joined: str
    after: tuple[str, ...] = ()
    exchange: int | None = None  # the box, from 0, where both rows look at each other
    idea: str = ""


SKETCHES = {
    "fusion": Sketch(
        "this paper", ("MFCCs", "CNN"), ("two frames", "CNN"),
        "both vectors,\nend to end", ("joint\nclassifier",),
        idea="Vectors meet, and each branch has an auxiliary loss of its own.",
    ),
    "siddiqui-javaid": Sketch(
        "[16] Siddiqui & Javaid", ("spectrogram", "CNN and\nits classifier"),
        ("first frame, and\nhow it changes", "a CNN for each,\nthen an SVM"),
        "16 log-\nprobabilities", ("a second\nSVM",),
        idea="Decisions meet: a second machine learns whom to believe.",
    ),
    "cornejo-pedrini": Sketch(
        "[18] Cornejo & Pedrini", ("spectrogram", "AlexNet"), ("census\ntransform", "VGG"),
        "both vectors,\nend to end", ("PCA or LDA,\nor both", "k-NN, SVM, LR\nor naive Bayes"),
        idea="Vectors of trained networks meet in a classical classifier: a grid of twelve.",
    ),
    "ristea": Sketch(
        "[20] Ristea et al.", ("spectrogram", "CNN"), ("frames", "CNN for each,\nCNN along them"),
        "both vectors,\nend to end", ("two layers",),
        idea="Vectors meet, in the plainest way.",
    ),
    "luna-jimenez": Sketch(
        "[21] Luna-Jiménez et al.", ("spectrogram", "CNN-14 and\nits classifier"),
        ("spatial trans-\nformer, CNN", "bi-LSTM,\nattention"),
        "16 proba-\nbilities", ("logistic\nregression",),
        idea="Decisions meet; attention weighs the frames. Much was pretrained.",
    ),
    "chumachenko": Sketch(
        "Chumachenko et al.", ("spectrogram", "CNN,\nfirst half", "CNN,\nsecond half"),
        ("CNN for\neach frame", "CNN along,\nfirst half", "CNN along,\nsecond half"),
        "both vectors,\nend to end", ("one layer",), exchange=1,
        idea="They meet halfway: each tells the other which moments to attend to.",
    ),
    "msaf": Sketch(
        "MSAF, Su et al.", ("spectrogram", "CNN,\nfirst half", "CNN,\nsecond half"),
        ("CNN for\neach frame", "CNN along,\nfirst half", "CNN along,\nsecond half"),
        "both vectors,\nend to end", ("one layer",), exchange=1,
        idea="They meet halfway: blocks of channels of both compete for attention.",
    ),
    "bottleneck": Sketch(
        "Bottleneck, Nagrani et al.", ("spectrogram\nas tokens", "transformer\nlayer", "two more"),
        ("frames\nas tokens", "transformer\nlayer", "two more"),
        "mean of two\ntokens", ("one layer",), exchange=2,
        idea="They meet through four tokens alone, which must carry all that passes.",
    ),
    "discriminants": Sketch(
        "lesson 09", ("functionals\nof the voice", "LDA"), ("action units\nor pixels", "LDA"),
        "weighted sum of\nlog-probabilities",
        idea="Decisions meet, and every part is linear.",
    ),
}  # fmt: skip

UNITS = {"clip": "clips at random", "actor": "unseen speakers"}
_WIDE, _HIGH, _STEP = 1.5, 0.62, 2.0  # of a box, and from one box to the next


def draw_system(name: str) -> Picture:
    """A system as boxes: sound above, faces below, from left to right; where they meet is black."""
    sketch = SKETCHES[name]
    columns = max(len(sketch.sound), len(sketch.face))
    figure, axes = plt.subplots(figsize=(5 * _STEP, 2.6))
    axes.set(xlim=(-0.05, 5 * _STEP), ylim=(-0.75, 2))
    axes.text(0, 1.8, f"{sketch.called}: {sketch.idea}", fontsize=11)
    axes.set_axis_off()
    # All are of one size, so that nothing jumps when one leafs through them.
    axes.add_patch(Rectangle((-0.05, -0.75), 5 * _STEP + 0.05, 2.75, facecolor="white", zorder=0))
    middle = (columns * _STEP + _WIDE / 2, 0.5)
    lanes = (("sound", "audio", sketch.sound, 1), ("face", "image", sketch.face, 0))
    for said, modality, texts, y in lanes:
        colour = NETWORK_STYLES[modality]["color"]
        places = [(_WIDE / 2 + _STEP * (columns - len(texts) + n), y) for n in range(len(texts))]
        place, along = (y + _HIGH / 2 + 0.08, "bottom") if y else (-_HIGH / 2 - 0.08, "top")
        axes.text(places[0][0] - _WIDE / 2, place, said, color=colour, fontsize=10, va=along)
        for text, place in zip(texts, places, strict=True):
            _box(axes, text, place, colour)
        for start, end in pairwise([*places, middle]):
            _arrow(axes, start, end, colour)
    if sketch.exchange is not None:
        x = _WIDE / 2 + _STEP * sketch.exchange
        style = {"arrowstyle": "<->", "color": "black", "linewidth": 2.2}
        axes.annotate("", (x, 1 - _HIGH / 2), (x, _HIGH / 2), arrowprops=style)
        axes.text(x + 0.12, 0.5, "here", va="center", fontsize=10)
    joined = (sketch.joined, *sketch.after)
    places = [(middle[0] + _STEP * number, 0.5) for number in range(len(joined))]
    for text, place in zip(joined, places, strict=True):
        _box(axes, text, place, "black")
    for start, end in pairwise(places):
        _arrow(axes, start, end, "black")
    return Picture.of(figure, _words(sketch))


def _words(sketch: Sketch) -> str:
    """The same for who cannot see it."""

    def row(texts: tuple[str, ...]) -> str:
        return ", then ".join(text.replace("-\n", "").replace("\n", " ") for text in texts)

    said = f"A drawing of {sketch.called}. Sound: {row(sketch.sound)}. Face: {row(sketch.face)}."
    if sketch.exchange is not None:
        said += f" They exchange at: {row(sketch.sound[sketch.exchange :][:1])}."
    return f"{said} Joined: {row((sketch.joined, *sketch.after))}. {sketch.idea}"


def _box(axes: Axes, text: str, place: tuple[float, float], colour: str) -> None:
    x, y = place[0] - _WIDE / 2, place[1] - _HIGH / 2
    frame = {"facecolor": "white", "edgecolor": colour, "linewidth": 1.6}
    axes.add_patch(
        FancyBboxPatch((x, y), _WIDE, _HIGH, boxstyle="round,pad=0,rounding_size=0.1", **frame)
    )
    axes.text(*place, text, ha="center", va="center", fontsize=9.5, linespacing=1.15)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    style = {"arrowstyle": "->", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    tail, head = (start[0] + _WIDE / 2, start[1]), (end[0] - _WIDE / 2, end[1])
    axes.annotate("", head, tail, arrowprops=style)


def system_browser() -> Explorer:
    """Leaf through the systems, and see where sound and face meet in each (lesson 08)."""
    return Explorer(
        draw_system,
        "Sound above, face below. Where do they meet: early, halfway, as vectors, or when both "
        "have decided? Which two meet in the same place, and differ only in how?",
        name=choice("system", [(each.called, name) for name, each in SKETCHES.items()]),
    )


def draw_grid(grid: pd.DataFrame) -> Picture:
    """The accuracy of each reduction with each classifier, as two tables of colours (RAVDESS).

    `grid` has a row each, with ``split by``, ``reduction``, ``classifier`` and ``accuracy`` (0–1).
    """
    figure, both = plt.subplots(1, 2, figsize=(10, 2.9), sharey=True)
    percent, said = 100 * grid["accuracy"], []
    for axes, (unit, title) in zip(both, UNITS.items(), strict=True):
        shown = grid[grid["split by"] == unit].pivot(
            index="reduction", columns="classifier", values="accuracy"
        )
        seaborn.heatmap(
            100 * shown, ax=axes, annot=True, fmt=".1f", cmap="cividis", linewidths=0.5,
            vmin=percent.min(), vmax=percent.max(), cbar=False,
        )  # fmt: skip
        for text in axes.texts:  # from the middle of cividis on, black stands out more than white
            light = float(text.get_text()) > (percent.min() + percent.max()) / 2
            text.set_color("black" if light else "white")
        axes.set(title=f"{title}, accuracy (%)", xlabel="", ylabel="")
        axes.tick_params(rotation=0, labelsize=9)
        best = shown.stack().idxmax()
        said.append(f"{title}: best {', '.join(best)} with {100 * shown.max().max():.1f} %")
    return Picture.of(figure, f"On RAVDESS, two grids of twelve accuracies; {'; '.join(said)}.")
