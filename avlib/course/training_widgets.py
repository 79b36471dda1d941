"""A training that is watched: a picture that stays in its place, and curves that grow in it.

Shown in notebooks/03-unimodal-cnns.ipynb; lesson 07 draws its own picture in the same way.
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from IPython.display import DisplayHandle

from avlib.evaluation import plots
from avlib.evaluation.plots import OKABE_ITO
from avlib.learning.training import Moment

__all__ = ["Curves", "Drawing", "InPlace", "draw_curves"]
_SIDES = {  # side of a history → what it is called, its colour, its dashes
    "train": ("training", OKABE_ITO[0], ""),
    "validation": ("validation", OKABE_ITO[1], "7 3"),
}
_LEFT, _TOP, _WIDE, _HIGH, _STEP = 52, 46, 300, 150, 375  # of a panel, and to the next
_SIZE = (_LEFT + _STEP + _WIDE + 22, _TOP + _HIGH + 52)
# Column of a history → what it is called, its scale, and where a network is that gives each of
# eight emotions the same probability.
_PANELS = {
    "loss": ("loss", 1, "1/8 for each", math.log(8)),
    "accuracy": ("accuracy (%)", 100, "chance", 12.5),
}


class InPlace:
    """A picture that is redrawn where it stands.

    It is `due` at most twice a second, and takes at most a tenth of the time, so that who looks on
    holds nobody up.
    """

    def __init__(self) -> None:
        self.handle: DisplayHandle | None = None
        self.next = -math.inf  # s, by the clock that only goes forward

    def due(self) -> bool:
        """Whether enough time has passed since it was drawn."""
        return time.monotonic() >= self.next

    def show(self, draw: Callable[[], object]) -> None:
        """Draw it, whether it is due or not."""
        began = time.monotonic()
        picture = draw()
        if self.handle is None:
            self.handle = DisplayHandle()
            self.handle.display(picture)
        else:
            self.handle.update(picture)
        now = time.monotonic()
        self.next = now + max(0.5, 9 * (now - began))


@dataclass(frozen=True)
class Drawing:
    """A drawing as SVG, which costs a thousandth of a second, and the same in words."""

    svg: str
    alt: str

    def html(self) -> str:
        """The drawing as an ``<img>`` that carries its own bytes and text."""
        return plots.image("svg+xml", self.svg.encode(), self.alt)

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/html": self.html(), "text/plain": self.alt}


class Curves:
    """Loss and accuracy while a network trains: to be given to `training.fit` as its `watch`.

    It draws in one place. Used for one training after another, it shows the one that runs; `title`
    says which.
    """

    def __init__(self, corpus: str, title: str = "") -> None:
        self.corpus, self.title = corpus, title
        self.place = InPlace()

    def __call__(self, moment: Moment) -> None:
        """Draw, if it is time to, or at the very end."""
        if moment.has_ended or self.place.due():
            self.place.show(lambda: draw_curves(moment, self.title, self.corpus))


def draw_curves(moment: Moment, title: str, corpus: str) -> Drawing:
    """Loss and accuracy of training and validation by epoch, as far as a training is.

    The open circle is the epoch that runs: the mean over its batches so far.
    """
    lines: dict[str, list] = {side: [] for side in _SIDES}
    for row in moment.history:
        if row["classifier"] == moment.decision:
            lines[row["side"]].append(row)
    said = "; ".join(_said(side, rows[-1]) for side, rows in lines.items() if rows)
    heading = f"epoch {math.ceil(moment.done)} of {moment.epochs}"
    heading = f"{title} · {heading}" if title else heading
    alt = f"Curves of loss and accuracy while a network trains: {heading}."
    alt += f" After epoch {moment.ended}: {said}." if said else ""
    if running := moment.running():
        lines["train"].append(running | {"epoch": moment.done})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SIZE[0]}" height="{_SIZE[1]}" '
        f'viewBox="0 0 {_SIZE[0]} {_SIZE[1]}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="17" font-size="13">{html.escape(heading)}</text>',
        *_legend(),
        *_panel(_LEFT, lines, moment, "loss"),
        *_panel(_LEFT + _STEP, lines, moment, "accuracy"),
        f'<text x="{_SIZE[0] - 6}" y="{_SIZE[1] - 6}" font-size="11" fill="#595959" '
        f'text-anchor="end">made from: {html.escape(corpus)}</text></svg>',
    ]
    return Drawing("".join(parts), f"{alt} Made from: {corpus}.")


def _said(side: str, row: dict[str, object]) -> str:
    return f"{_SIDES[side][0]} loss {row['loss']:.2f}, accuracy {100 * row['accuracy']:.0f} %"


def _legend() -> list[str]:
    parts, x = [], _LEFT + _STEP
    for name, colour, dashes in _SIDES.values():
        parts += [_path(f"M{x} 13h26", colour, dashes), f'<text x="{x + 31}" y="17">{name}</text>']
        x += 98
    return [*parts, _circle(x, 13), f'<text x="{x + 9}" y="17">this epoch so far</text>']


def _panel(left: int, lines: dict[str, list], moment: Moment, column: str) -> list[str]:
    """One column of a history over the epochs."""
    called, scale, nothing, level = _PANELS[column]
    values = [scale * row[column] for rows in lines.values() for row in rows]
    most = max([math.ceil(2 * v) / 2 for v in values if math.isfinite(v)] + [2.5])
    most = 100 if column == "accuracy" else most

    def place(epoch: float, value: float) -> tuple[float, float]:
        up, along = min(max(value / most, 0), 1), epoch / moment.epochs
        return round(left + _WIDE * along, 1), round(_TOP + _HIGH * (1 - up), 1)

    x, y = place(moment.epochs, level)
    parts = [
        *_axes(left, moment.epochs, most, called, place),
        _path(f"M{left} {y}H{x}", "grey", "1 3"),
    ]
    grey = 'font-size="11" fill="#595959" text-anchor="end"'
    parts.append(f'<text x="{x}" y="{y - 4}" {grey}>{nothing}</text>')
    for side, (_, colour, dashes) in _SIDES.items():
        found = [(row["epoch"], scale * row[column]) for row in lines[side]]
        points = [place(*each) for each in found if math.isfinite(each[1])]
        parts.append(_path("M" + "L".join(f"{x} {y}" for x, y in points), colour, dashes))
        if points and side == "train" and moment.tally is not None:
            parts.append(_circle(*points[-1]))
        elif len(points) == 1:  # no line yet
            parts.append(_circle(*points[0], colour, colour))
    return parts


def _axes(left: int, epochs: int, most: float, called: str, place: Callable) -> list[str]:
    bottom = _TOP + _HIGH
    parts = [_path(f"M{left} {_TOP}V{bottom}h{_WIDE}", "black", width=1)]
    for epoch in range(0, epochs + 1, 1 if epochs <= 6 else 5 * math.ceil(epochs / 30)):
        x, _ = place(epoch, 0)
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{epoch}</text>')
    step = 25 if most == 100 else math.ceil(most / 3) / 2
    for value in (step * number for number in range(int(most / step) + 1)):
        _, y = place(0, value)
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    parts.append(f'<text x="{left}" y="{_TOP - 9}" fill="#595959">{called}</text>')
    where = f'x="{left + _WIDE / 2}" y="{bottom + 33}" text-anchor="middle"'
    return [*parts, f'<text {where} fill="#595959">epoch</text>']


def _path(line: str, colour: str, dashes: str = "", width: float = 2) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _circle(x: float, y: float, fill: str = "white", colour: str = OKABE_ITO[0]) -> str:
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
