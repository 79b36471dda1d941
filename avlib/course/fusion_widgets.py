"""Widgets of the lesson on fusion: a drawing of the network, its losses, what it makes of a clip.

Shells over pure functions, as in `widgets`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

import cv2
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from avlib.corpus import ravdess
from avlib.course.film import Film
from avlib.course.training_widgets import Drawing
from avlib.course.widgets import Explorer, Heard, choice
from avlib.evaluation import dominance_table, plots
from avlib.evaluation.plots import NETWORK_STYLES, Picture
from avlib.learning.loaders import Samples, batches

__all__ = [
    "auxiliary_slider", "draw_auxiliary", "draw_differences", "draw_network", "draw_probe",
    "dropout_measured", "fusion_probe", "reached",
]  # fmt: skip

LOSSES = ("joint", "audio", "image")
# Each part of the network → what is written on it, and its column and row in the drawing.
_PARTS = {
    "mfcc": ("MFCCs", 0, 2), "audio_cnn": ("audio CNN", 1, 2), "heard": ("640\nnumbers", 3, 2),
    "audio_auxiliary": ("audio head", 4, 2), "audio": ("audio loss", 5, 2),
    "joint": ("joint\nclassifier", 4, 1), "decision": ("joint loss", 5, 1),
    "pair": ("frame pair", 0, 0), "image_cnn": ("image CNN", 1, 0),
    "image_mlp": ("image MLP", 2, 0), "seen": ("640\nnumbers", 3, 0),
    "image_auxiliary": ("image head", 4, 0), "image": ("image loss", 5, 0),
}  # fmt: skip
_FORWARD = (
    ("mfcc", "audio_cnn"), ("audio_cnn", "heard"), ("heard", "audio_auxiliary"),
    ("audio_auxiliary", "audio"), ("heard", "joint"), ("joint", "decision"), ("seen", "joint"),
    ("pair", "image_cnn"), ("image_cnn", "image_mlp"), ("image_mlp", "seen"),
    ("seen", "image_auxiliary"), ("image_auxiliary", "image"),
)  # fmt: skip
_LEARNS = ("audio_cnn", "image_cnn", "image_mlp", "joint", "audio_auxiliary", "image_auxiliary")
_SHIFTS = {"joint": -0.12, "audio": 0.14, "image": 0.14}  # of arrows, from the way forward


def _ways(loss: str) -> list[tuple[str, str]]:
    """The steps of the way forward that the gradient of a loss goes back."""
    found, ends = [], ["decision" if loss == "joint" else loss]
    while ends:
        end = ends.pop()
        steps = [step for step in _FORWARD if step[1] == end and step[0] not in ("mfcc", "pair")]
        found += steps
        ends += [start for start, _ in steps]
    return found


def reached(loss: str) -> list[str]:
    """The parts of the fusion network that the gradient of a loss reaches in the drawing."""
    inside = {start for start, _ in _ways(loss)}
    return [part for part in _LEARNS if part in inside]


def draw_network(losses: Sequence[str] = ()) -> Picture:
    """The fusion network as boxes, and the way that the gradients of some `LOSSES` go back."""
    figure, axes = plt.subplots(figsize=(10, 4))
    axes.set(xlim=(-0.5, 5.5), ylim=(-0.75, 2.55))
    axes.set_axis_off()
    for start, end in _FORWARD:
        _arrow(axes, start, end, 0, {"color": "grey", "linewidth": 1})
    for loss in losses:
        style = {name: NETWORK_STYLES[loss][name] for name in ("color", "linestyle")}
        for start, end in _ways(loss):
            _arrow(axes, end, start, _SHIFTS[loss], style | {"linewidth": 2})
        axes.plot([], [], label=f"gradient of the {loss} loss", **style)
    for name, (text, x, y) in _PARTS.items():
        learns = name in _LEARNS
        box = FancyBboxPatch(
            (x - 0.32, y - 0.22), 0.64, 0.44, boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="white", edgecolor="black" if learns else "grey", zorder=2,
            linewidth=1.6 if learns else 0.8,
        )  # fmt: skip
        axes.add_patch(box)
        axes.text(x, y, text, ha="center", va="center", fontsize=10, zorder=3)
    axes.plot([], [], label="the way forward", color="grey", linewidth=1)
    axes.legend(frameon=False, loc="lower center", ncols=len(losses) + 1, fontsize=9)
    words = (
        "A drawing of the fusion network. Above, MFCCs go through the audio CNN and become 640 "
        "numbers; below, a frame pair goes through the image CNN and the image MLP and becomes 640 "
        "numbers. Each vector has a head and a loss of its own, and both go into the joint "
        "classifier between them, which has the joint loss."
    )
    for loss in losses:
        parts = ", ".join(_PARTS[part][0].replace("\n", " ") for part in reached(loss))
        words += f" The gradient of the {loss} loss reaches: {parts}."
    return Picture.of(figure, words)


def _arrow(axes: Axes, start: str, end: str, shift: float, style: dict[str, object]) -> None:
    """From one box to the next, `shift` beside the line between their middles."""
    (_, x, y), (_, to_x, to_y) = _PARTS[start], _PARTS[end]
    side, up = 0.33 * np.sign(to_x - x), np.sign(to_y - y)
    if up:  # to the joint classifier, or from there back
        places = (x + side, y + 0.05 * up), (to_x - side, to_y - 0.18 * up)
    else:
        shift = shift if y else -shift
        places = (x + side, y + shift), (to_x - side, y + shift)
    arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "zorder": 1, **style}
    axes.annotate("", places[1], places[0], arrowprops=arrow)


def draw_auxiliary(runs: Mapping[float, pd.DataFrame], weight: float, corpus: str) -> Picture:
    """The validation accuracy of the fusion network's classifiers, for one auxiliary weight.

    `runs` maps an auxiliary weight to what `training.fit` returned.
    """
    figure, axes = plt.subplots(figsize=(8, 3.4))
    histories = dict.fromkeys(LOSSES, runs[weight])
    said = plots.accuracy_lines(axes, histories, "validation", "chance")
    axes.set_title(f"auxiliary weight {weight:g}")
    return Picture.of(figure, f"Validation accuracy, weight {weight:g}: {said}.", corpus)


def auxiliary_slider(runs: Mapping[float, pd.DataFrame], corpus: str) -> Explorer:
    """Slide over runs with different auxiliary weights, one of them the paper's, 1."""
    return Explorer(
        cache(partial(draw_auxiliary, runs, corpus=corpus)),
        "Slide to weight 0. What do the two auxiliary heads do, and why?",
        weight=choice("auxiliary weight", sorted(runs), 1.0),
    )


Play = Callable[[int], Heard | Film]  # makes of a store's row what plays its clip


@torch.no_grad()
def draw_probe(
    network: torch.nn.Module, samples: Samples, row: int, mute: bool, blank: bool,
    play: Play | None = None,
) -> Drawing | Film:  # fmt: skip
    """What each classifier of the fusion network says, with a modality taken away if asked.

    What is taken away, the sound (`mute`) or the picture (`blank`), is replaced by the training
    mean, zero after normalisation. It is gone from the film, too, that `play` makes of a row.
    """
    network.eval()
    mfcc, image, label, _ = next(batches(samples, np.array([row])))
    logits = network(mfcc * (not mute), image * (not blank))
    chances = {name: one.softmax(dim=1)[0].tolist() for name, one in logits.items()}
    true = ravdess.EMOTIONS[label]
    said = [
        f"{name} says {ravdess.EMOTIONS[int(np.argmax(each))]} ({max(each):.2f})"
        for name, each in chances.items()
    ]
    given = f"sound {'off' if mute else 'on'} and picture {'off' if blank else 'on'}"
    words = f"True: {true}. With {given}: {', '.join(said)}. Made from: {samples.corpus}."
    pair = samples.pairs[row].cpu().numpy()
    if blank:  # the mean of each colour, as the network gets it
        mean = samples.image_mean[samples.group_of_row[row]].flatten()
        pair = np.full_like(pair, mean.cpu().round().numpy())
    title = f"true: {true}" + ", muted" * mute + ", blanked" * blank
    drawn = Drawing(_bars(pair, title, chances, samples.corpus), words)
    if play is None or not isinstance(shown := play(row), Film):
        return drawn
    return replace(shown, muted=mute, blank=blank, below=drawn.html())


_MARKS = {  # of a classifier's bars, over its colour
    "joint": "",
    "audio": '<path d="M0 6L6 0" stroke="white" stroke-width="1.5"/>',
    "image": '<circle cx="3" cy="3" r="1.3" fill="white"/>',
}
_LEFT, _TOP, _WIDE, _HIGH = 340, 40, 560, 170  # of the bars' panel, in pixels


def _bars(pair: np.ndarray, title: str, chances: Mapping[str, Sequence[float]], corpus: str) -> str:
    """A frame pair and the probabilities beside it, as SVG: matplotlib takes a hundred times as
    long, and a slider should not be waited for.
    """
    png = cv2.imencode(".png", cv2.cvtColor(pair, cv2.COLOR_RGB2BGR))[1].tobytes()
    bottom, step = _TOP + _HIGH, _WIDE / len(ravdess.EMOTIONS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDE + 10}" '
        f'height="{bottom + 46}" viewBox="0 0 {_LEFT + _WIDE + 10} {bottom + 46}" '
        'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="140" y="{_TOP - 10}" text-anchor="middle">{title}</text>'
        f'<image x="0" y="{_TOP}" width="280" height="140" href="{plots.uri("image/png", png)}"/>'
    ]
    for number in range(5):
        y = bottom - _HIGH * number / 4
        parts.append(
            f'<path d="M{_LEFT} {y}h{_WIDE}" stroke="#595959" stroke-opacity="0.3"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{number / 4:g}</text>'
        )
    for place, emotion in enumerate(ravdess.EMOTIONS):
        x = _LEFT + step * (place + 0.5)
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{emotion}</text>')
    for number, (name, each) in enumerate(chances.items()):
        mark = f'<rect width="6" height="6" fill="{NETWORK_STYLES[name]["color"]}"/>{_MARKS[name]}'
        x = _LEFT + 90 * number
        parts.append(
            f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">{mark}'
            f'</pattern><rect x="{x}" y="10" width="18" height="12" fill="url(#{name})"/>'
            f'<text x="{x + 24}" y="21">{name}</text>'
        )
        for place, chance in enumerate(each):
            x, high = _LEFT + step * place + 6 + (step - 12) / 3 * number, _HIGH * chance
            parts.append(
                f'<rect x="{x:.1f}" y="{bottom - high:.1f}" width="{(step - 12) / 3 - 1:.1f}" '
                f'height="{high:.1f}" fill="url(#{name})"/>'
            )
    side = f'font-size="12" fill="#595959" transform="translate({_LEFT - 44} {_TOP + 120}) rotate'
    parts.append(
        f'<text {side}(-90)">probability</text><text x="{_LEFT + _WIDE}" y="{bottom + 40}" '
        f'text-anchor="end" font-size="11" fill="#595959">made from: {corpus}</text></svg>'
    )
    return "".join(parts)


def fusion_probe(
    network: torch.nn.Module, samples: Samples, rows: list[int], play: Play | None = None
) -> Explorer:
    """Take the sound or the picture away and watch the three classifiers."""
    return Explorer(
        partial(draw_probe, network, samples, play=play),
        "Mute the sound, then blank the picture. Whose bars move, and whose stand still?",
        films=play is not None,
        row=choice("frame pair", rows),
        mute=ipywidgets.Checkbox(False, description="mute the sound"),
        blank=ipywidgets.Checkbox(False, description="blank the picture"),
    )


# Recordings → which measurement, the rows of what is compared, and the columns of the three cases.
_KEPT = {
    "RAVDESS": ("cures", "dropout less none", ("accuracy", "face only", "sound only")),
    "practice corpus": (
        "missing", "modality dropout less joint loss alone",
        ("both", "sound missing", "picture missing"),
    ),
}  # fmt: skip
CASES = ("both", "sound missing", "picture missing")


def dropout_measured() -> pd.DataFrame:
    """What modality dropout adds to a fusion network's joint accuracy, actors apart, as measured.

    One row for each of ``recordings`` and ``case``, with the ``difference`` in points and its 95 %
    interval over actors, ``low`` to ``high``. RESULTS.md has the commands.
    """
    found = []
    for recordings, (what, who, columns) in _KEPT.items():
        kept = dominance_table.measured(what)
        apart = kept[kept["who"] == who]
        row = (apart if "split by" not in apart else apart[apart["split by"] == "actor"]).iloc[0]
        for case, column in zip(CASES, columns, strict=True):
            places = {"difference": column, "low": f"{column} from", "high": f"{column} to"}
            values = {name: 100 * row[place] for name, place in places.items()}
            found.append({"recordings": recordings, "case": case} | values)
    return pd.DataFrame(found)


def draw_differences(found: pd.DataFrame) -> Picture:
    """Differences with their intervals, as `dropout_measured` returns them."""
    figure, axes = plt.subplots(figsize=(8, 2.8))
    axes.axvline(0, color="grey", linewidth=1)
    said = []
    styles = zip(found.groupby("recordings"), ("o", "s"), (0.12, -0.12), strict=True)
    for number, ((recordings, rows), marker, shift) in enumerate(styles):
        places = len(CASES) - 1 - rows["case"].map(CASES.index) + shift
        reach = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
        axes.errorbar(
            rows["difference"], places, xerr=reach, fmt=marker, label=recordings, capsize=4,
            color=plots.OKABE_ITO[number], linestyle="none",
        )  # fmt: skip
        said += [
            f"{recordings}, {row.case}: {row.difference:+.1f} ({row.low:+.1f} to {row.high:+.1f})"
            for row in rows.itertuples()
        ]
    axes.set_yticks(range(len(CASES)), CASES[::-1])
    axes.set(xlabel="with modality dropout, minus without (points of accuracy)", ylim=(-0.5, 2.5))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    words = "On RAVDESS and on the practice corpus, what modality dropout adds to the accuracy, in"
    return Picture.of(figure, f"{words} points, with 95 % intervals: {'; '.join(said)}.")
