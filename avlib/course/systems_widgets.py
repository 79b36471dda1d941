"""Widgets of the lesson on published systems: what is right how often, for what it costs.

Shells over pure functions, as in `widgets`.
"""

from __future__ import annotations

import html
import io
import uuid
from dataclasses import dataclass
from functools import partial
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from avlib.course.widgets import Explorer, bundle, choice
from avlib.evaluation import plots
from avlib.evaluation.plots import OKABE_ITO

__all__ = ["COLUMNS", "COSTS", "Scatter", "cost_chooser", "draw_costs", "pareto"]
COSTS = {  # column → what the axis says, and how an amount of it is said
    "parameters": ("parameters", "{} parameters"),
    "multiply-adds": ("multiply-adds a clip", "{} multiply-adds a clip"),
    "seconds": ("processor time of training a fold (s)", "{} s of training a fold"),
}
COLUMNS = (
    "split by", "who", "variant", "accuracy", "accuracy from", "accuracy to", "UAR", *COSTS,
    "printed", "printed on",
)  # fmt: skip
_STYLES = {  # split → mark, colour, line of the front
    "clip": {"marker": "s", "color": OKABE_ITO[1], "linestyle": "--"},
    "actor": {"marker": "o", "color": OKABE_ITO[0], "linestyle": "-"},
}
_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"
# Where a name may stand beside its point, the best place first: x, y in points, and alignment.
_PLACES = [
    (x, y, "right" if x < 0 else "left", "bottom" if y > 0 else "top")
    for x, y in ((-8, 3), (8, -3), (8, 3), (-8, -3), (-8, 14), (8, 14), (8, -14), (-8, -14))
]
_CSS = """
svg.avlib-costs {width: 100%; max-width: 840px; height: auto}
svg.avlib-costs * {stroke-linejoin: round}
svg.avlib-costs .point {outline: none; cursor: help}
svg.avlib-costs .ring {opacity: 0; pointer-events: all}
svg.avlib-costs .point:hover .ring, svg.avlib-costs .point:focus .ring {opacity: 1}
svg.avlib-costs .told {visibility: hidden; pointer-events: none}
"""


def pareto(cost: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Which of some things no other beats: none costs no more, is worth no less, and differs.

    Takes two numbers a thing, ``(things,)`` each, in any unit; returns ``(things,)`` of bool. Of
    equals all stay. Raises ValueError if the two are not of one length or a number is missing.

    >>> pareto([1, 2, 3, 3], [0.5, 0.7, 0.6, 0.7]).tolist()
    [True, True, False, False]
    """
    cost, worth = np.asarray(cost, float), np.asarray(worth, float)
    if cost.ndim != 1 or cost.shape != worth.shape:
        raise ValueError(f"cost and worth: give one number a thing, not {cost.shape, worth.shape}")
    if np.isnan(cost).any() or np.isnan(worth).any():
        raise ValueError("cost and worth: leave out what has no number (NaN)")
    no_worse = (cost[:, None] <= cost) & (worth[:, None] >= worth)  # [one, than the other]
    better = (cost[:, None] < cost) | (worth[:, None] > worth)
    return ~(no_worse & better).any(axis=0)


@dataclass(frozen=True)
class Scatter:
    """A drawing as SVG whose points can be walked through, and the same in words."""

    svg: str
    alt: str  # what the drawing shows
    words: tuple[str, ...]  # sentences that stand under it

    def html(self) -> str:
        """The drawing as part of the page: a point's name is shown at hover and at focus.

        JupyterLab leaves it whole in a widget, and takes it apart in a notebook it does not trust.
        """
        return self.svg + self._said()

    def still(self) -> str:
        """The drawing as an ``<img>`` with its text, which any page shows; nothing moves in it."""
        return plots.image("svg+xml", self.svg.encode(), self.alt) + self._said()

    def _said(self) -> str:
        lines = "<br>".join(map(html.escape, self.words))
        return f'<p role="status" style="line-height: 1.5">{lines}</p>'


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column ``name``; ValueError that says what to do if it is no such table."""
    missing = [name for name in COLUMNS if name not in getattr(table, "columns", ())]
    if missing:
        raise ValueError(f"table: give a DataFrame with the columns {', '.join(missing)} too")
    absent = [unit for unit in _STYLES if not (table["split by"] == unit).any()]
    if absent:
        raise ValueError(f"table: add rows whose “split by” is {' and '.join(absent)}")
    unknown = set(table["split by"]) - set(_STYLES)
    if unknown:
        raise ValueError(f"table: write clip or actor as “split by”, not {unknown.pop()!r}")
    text = table[["who", "variant", "printed", "printed on"]].fillna("").astype(str)
    table = table.assign(**text)
    variant = table["variant"].where(table["variant"] == "", " (" + table["variant"] + ")")
    table["name"] = table["who"] + variant
    twice = table.loc[table.duplicated(["split by", "name"]), "name"]
    if len(twice):
        raise ValueError(f"table: give each system once a split; {twice.iloc[0]} is there twice")
    return table


def _amount(number: float) -> str:
    """A number as it is said, with three digits.

    >>> [_amount(each) for each in (0.256, 37.2, 61_250, 2_310_000, 4.2e9)]
    ['0.256', '37.2', '61,250', '2.31 million', '4.2 billion']
    """
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if number >= size:
            return f"{number / size:.3g}{name}"
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def _percent(row: pd.Series, word: str = "") -> str:
    """An accuracy as it is said, with its interval where there is one."""
    ends = 100 * row[["accuracy from", "accuracy to"]].to_numpy(float)
    said = f"{100 * row['accuracy']:.1f} %"
    if np.isnan(ends).any():
        return said
    return f"{said} ({word}{ends[0]:.1f} to {ends[1]:.1f} %)"


def _label(row: pd.Series, cost: str) -> str:
    """All that is known of a point, in one line."""
    said = f"{row['name']}, split by {row['split by']}: accuracy {_percent(row, '95 % interval ')}"
    if not np.isnan(row["UAR"]):
        said += f", UAR {100 * row['UAR']:.1f} %"
    said += f"; {COSTS[cost][1].format(_amount(row[cost]))}"
    said += "; nothing is both cheaper and better" if row["front"] else ""
    said += f"; printed {row['printed']} %" if row["printed"] else ""
    return said + (f"; on {row['printed on']}" if row["printed on"] else "")


def draw_costs(table: pd.DataFrame, cost: str, unit: str, mark: str = "costs") -> Scatter:
    """Accuracy by cost of published systems, with what no system beats, as a line of steps.

    `table` is as `cost_chooser` takes it, `cost` one of `COSTS`, `unit` how clips are split:
    ``clip``, ``actor`` or ``both``, where an arrow leads from a system's one accuracy to its other.
    All ids in the SVG begin with `mark`, which two drawings of a page must not share.
    """
    table = _checked(table)
    for name, value, known in (("cost", cost, COSTS), ("unit", unit, (*_STYLES, "both"))):
        if value not in known:
            raise ValueError(f"{name}: choose one of {', '.join(known)}, not {value!r}")
    units = list(_STYLES) if unit == "both" else [unit]
    rows = table[table["split by"].isin(units)]
    known = (rows[cost] > 0) & rows["accuracy"].notna()
    points = rows[known].sort_values([cost, "name", "split by"]).reset_index(drop=True)
    points["split by"] = points["split by"].astype(object)
    points["front"] = False
    if points.empty:
        raise ValueError(f"table: no system has an accuracy and a number above 0 in “{cost}”")
    words = []
    for one in units:
        own = points[points["split by"] == one]
        front = pareto(own[cost], own["accuracy"])
        points.loc[own.index, "front"] = front
        names = ", ".join(own["name"][front]) or "none drawn"
        words.append(f"Split by {one}, nothing is both cheaper and better than: {names}.")
    if not known.all():
        lost = ", ".join(rows["name"][~known].drop_duplicates())
        words.append(f"Not drawn, for want of an accuracy or of {cost} above 0: {lost}.")
    svg = _svg(points, table, cost, units)
    alt = (
        f"On RAVDESS, accuracy by {COSTS[cost][0]} of {points['name'].nunique()} systems, "
        f"each a point. {' '.join(words)}"
    )
    labels = [_label(row, cost) for _, row in points.iterrows()]
    return Scatter(_walkable(svg, labels, alt, mark), alt, tuple(words))


def _svg(points: pd.DataFrame, table: pd.DataFrame, cost: str, units: list[str]) -> bytes:
    """The drawing as matplotlib writes it, its parts named ``ring-0``, ``mark-0`` and so on."""
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "avlib", "path.simplify": False}):
        figure, axes = plt.subplots(figsize=(8.75, 4.9), dpi=72, layout="constrained")
        figure.get_layout_engine().set(rect=(0, 0, 0.98, 1))  # for the last number of the axis
        _axes(axes, table, cost)
        if len(units) == 2:
            _arrows(axes, points, cost)
        for unit in units:
            own = points[points["split by"] == unit]
            _front(axes, own[own["front"]], cost, unit)
        for number, row in points.iterrows():
            _point(axes, number, row, cost)
        axes.legend(
            frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0),
            handlelength=2.4, borderaxespad=0.2,
        )  # fmt: skip
        figure.canvas.draw()
        figure.set_layout_engine("none")
        _names(axes, points, cost)
        for number, row in points.iterrows():
            _told(axes, number, row, cost)
        drawn = io.BytesIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(drawn, format="svg", metadata=nothing)
        plt.close(figure)
    return drawn.getvalue()


def _axes(axes: Axes, table: pd.DataFrame, cost: str) -> None:
    """Axes wide enough for all rows of the table, so that they stay when the split changes."""
    numbers = table.loc[table[cost] > 0, cost]
    share = 100 * table[["accuracy", "accuracy from", "accuracy to"]].to_numpy(float)
    low, high = numbers.min(), numbers.max()
    room = max(high / low, 2) ** 0.08
    axes.set_xscale("log")
    axes.set(
        xlim=(low / room, high * room),
        ylim=(max(np.nanmin(share) - 5, 0), min(np.nanmax(share) + 6, 104)),
        xlabel=f"{COSTS[cost][0]}, log axis",
        ylabel="accuracy (%)",
    )
    wide = high / low > 100
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    plain = FuncFormatter(lambda number, _: f"{number:,.6g}")
    axes.xaxis.set_major_formatter(plain if cost == "seconds" else EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="grey", alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)


def _arrows(axes: Axes, points: pd.DataFrame, cost: str) -> None:
    """An arrow from each system's accuracy split by clip to that split by actor."""
    for _, both in points.groupby("name"):
        if len(both) < 2:
            continue
        ends = both.set_index("split by")
        tail, head = ((ends.loc[unit, cost], 100 * ends.loc[unit, "accuracy"]) for unit in _STYLES)
        style = {"arrowstyle": "->", "color": "#595959", "shrinkA": 5, "shrinkB": 6}
        style |= {"linewidth": 0.9, "connectionstyle": "arc3,rad=0.12"}
        axes.annotate("", head, tail, arrowprops=style)


def _front(axes: Axes, front: pd.DataFrame, cost: str, unit: str) -> None:
    """The line of steps under which all systems lie, and two marks for the legend."""
    style = _STYLES[unit]
    colour, dash = style["color"], style["linestyle"]
    x = [*front[cost], axes.get_xlim()[1]] if len(front) else []
    y = [*front["accuracy"], front["accuracy"].max()] if len(front) else []
    front_style = {"color": colour, "linestyle": dash, "linewidth": 1.3, "alpha": 0.75}
    axes.plot(x, 100 * np.array(y), drawstyle="steps-post", zorder=1.5, **front_style)
    mark = {"marker": style["marker"], "markeredgecolor": colour, "color": colour, "markersize": 6}
    whole = {"linestyle": dash, "label": f"by {unit}: not beaten"}
    axes.plot([], [], **mark, **whole)
    axes.plot([], [], **mark, linestyle="", markerfacecolor="white", label=f"by {unit}: beaten")


def _point(axes: Axes, number: int, row: pd.Series, cost: str) -> None:
    """A point, its interval, and the ring that shows where the focus is; filled on the front."""
    style, x, y = _STYLES[row["split by"]], row[cost], 100 * row["accuracy"]
    colour = style["color"]
    ends = 100 * row[["accuracy from", "accuracy to"]].to_numpy(float)
    line = {"color": colour, "linewidth": 1, "alpha": 0.75, "linestyle": "-"}
    if not np.isnan(ends).any():
        axes.plot([x, x], ends, zorder=2, gid=f"span-{number}", **line)
    ring = {"marker": "o", "markersize": 18, "markerfacecolor": "none", "markeredgecolor": "black"}
    axes.plot(x, y, markeredgewidth=2.2, gid=f"ring-{number}", clip_on=False, **ring)
    mark = {"marker": style["marker"], "markersize": 7, "markeredgecolor": colour}
    mark |= {"markeredgewidth": 1.4, "markerfacecolor": colour if row["front"] else "white"}
    axes.plot(x, y, zorder=3, gid=f"mark-{number}", clip_on=False, **mark)


def _names(axes: Axes, points: pd.DataFrame, cost: str) -> None:
    """The names of those on the front, each where it hides nothing; none where it would."""
    at = axes.transData.transform(np.c_[points[cost], 100 * points["accuracy"]])
    ends = 100 * points[["accuracy from", "accuracy to"]].to_numpy(float)
    taken = []
    for (x, y), span, value in zip(at, ends, points[cost], strict=True):
        taken.append(Bbox([[x - 5, y - 5], [x + 5, y + 5]]))
        if not np.isnan(span).any():
            (_, low), (_, high) = axes.transData.transform([(value, end) for end in span])
            taken.append(Bbox([[x - 1.5, low], [x + 1.5, high]]))
    inside, box = axes.get_window_extent().padded(2), {"facecolor": "white", "alpha": 0.7}
    named = set()
    for _, row in points[points["front"]].iterrows():
        xy = (row[cost], 100 * row["accuracy"])
        # A system needs its name once: an arrow leads to its other point.
        for place in _PLACES if row["name"] not in named else ():
            name = _text(axes, row["name"], xy, *place)
            extent = name.get_window_extent().padded(1)
            fits = all(inside.contains(*corner) for corner in (extent.min, extent.max))
            if fits and not any(extent.overlaps(other) for other in taken):
                taken.append(extent)
                named.add(row["name"])
                name.set_bbox(box | {"edgecolor": "none", "pad": 0.5})
                name.set(zorder=2.5)
                break
            name.remove()


def _told(axes: Axes, number: int, row: pd.Series, cost: str) -> None:
    """The box that a point opens: its name, accuracy and cost, toward the middle of the axes."""
    xy = (row[cost], 100 * row["accuracy"])
    x, y = axes.transAxes.inverted().transform(axes.transData.transform(xy))
    lines = (
        f"{row['name']}, by {row['split by']}",
        _percent(row),
        COSTS[cost][1].format(_amount(row[cost])),
    )
    across = (14, "left") if x < 0.5 else (-14, "right")
    along = (-12, "top") if y > 0.5 else (12, "bottom")
    told = _text(axes, "\n".join(lines), xy, across[0], along[0], across[1], along[1])
    told.set_bbox({"facecolor": "white", "edgecolor": "black", "boxstyle": "round,pad=0.4"})
    told.set(gid=f"told-{number}", linespacing=1.35)


def _text(
    axes: Axes, text: str, xy: tuple, x: float, y: float, across: str, along: str
) -> Annotation:
    """A text beside a point, `x` and `y` typographic points away; nothing in it is math."""
    return axes.annotate(
        text, xy, (x, y), textcoords="offset points", ha=across, va=along, fontsize=9.5,
        parse_math=False, annotation_clip=False, in_layout=False, zorder=5,
    )  # fmt: skip


def _walkable(svg: bytes, labels: list[str], alt: str, mark: str) -> str:
    """What matplotlib wrote, its points set one after another as stops of the Tab key.

    All that is no point is hidden from a screen reader. A page's ids and styles are its own: ids
    begin with `mark`, and no rule reaches beyond this drawing.
    """
    root = ElementTree.fromstring(svg)
    named = {node.get("id"): node for node in root.iter() if node.get("id")}
    above = {child: node for node in root.iter() for child in node}
    for style in [node for node in root.iter(f"{{{_SVG}}}style")]:
        above[style].remove(style)
    for node in root:
        node.set("aria-hidden", "true")
    stage = ElementTree.SubElement(root, f"{{{_SVG}}}g")
    rules = [_CSS.strip()]
    for number, label in enumerate(labels):
        point = {"id": f"point-{number}", "class": "point", "tabindex": "0", "role": "img"}
        group = ElementTree.SubElement(stage, f"{{{_SVG}}}g", point | {"aria-label": label})
        ElementTree.SubElement(group, f"{{{_SVG}}}title").text = label
        for part in ("ring", "span", "mark"):
            node = named.get(f"{part}-{number}")
            if node is not None:
                above[node].remove(node)
                node.set("class", part)
                group.append(node)
        on = [f"#{mark}-point-{number}:{state} ~ #{mark}-told-{number}"
              for state in ("hover", "focus")]  # fmt: skip
        rules.append(f"{', '.join(on)} {{visibility: visible}}")
    for number in range(len(labels)):  # after the points, so that none lies over a box
        told = named[f"told-{number}"]
        above[told].remove(told)
        told.set("class", "told")
        told.set("aria-hidden", "true")
        stage.append(told)
    style = ElementTree.Element(f"{{{_SVG}}}style")
    style.text = "\n".join(rules)
    root.insert(0, style)
    for node in root.iter():
        for key, value in node.attrib.items():
            if key == "id":
                node.set(key, f"{mark}-{value}")
            elif key == f"{{{_LINK}}}href":
                node.set(key, value.replace("#", f"#{mark}-", 1))
            elif "url(#" in value and key != "aria-label":
                node.set(key, value.replace("url(#", f"url(#{mark}-"))
    root.attrib |= {"class": "avlib-costs", "role": "group", "aria-label": alt}
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    return ElementTree.tostring(root, encoding="unicode")


class _Costs(Explorer):
    """An `Explorer` whose picture, where there is no kernel, is one that any page shows."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        settings = {name: control.value for name, control in self.controls.items()}
        return bundle(self.box, self.draw(**settings).still())


def cost_chooser(table: pd.DataFrame) -> Explorer:
    """Choose what a system costs and how clips are split; walk through the points (lesson 08).

    `table` has a row a split and system: ``split by`` (``clip`` or ``actor``), ``who``,
    ``variant``, ``accuracy``, ``accuracy from``, ``accuracy to`` and ``UAR`` (shares, 0 to 1),
    ``parameters``, ``multiply-adds`` (a clip), ``seconds`` (of the processor, training a fold),
    ``printed`` (percent, as text) and ``printed on`` (a protocol). A cost that is not known is NaN.
    Raises ValueError, with what to do, if it is no such table.
    """
    _checked(table)
    units = [("by clip", "clip"), ("by actor", "actor"), ("both", "both")]
    return _Costs(
        partial(draw_costs, table, mark=f"costs-{uuid.uuid4().hex[:8]}"),
        "Which systems would you never choose, because another is both cheaper and better? Point "
        "at one, or walk through all with the Tab key. Then split by actor: who stays?",
        cost=choice("cost", COSTS),
        unit=choice("clips are split", units),
    )
