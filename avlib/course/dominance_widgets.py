"""Widgets of the lesson on dominance: a training that is watched, its gradients, worlds, cures.

Shells over pure functions, as in `widgets`.
"""

from __future__ import annotations

from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from avlib.course.training_widgets import InPlace
from avlib.course.widgets import Explorer, choice
from avlib.evaluation import plots
from avlib.evaluation.plots import Picture
from avlib.learning.dominance import MODALITIES, GradientLog
from avlib.learning.training import Step

__all__ = [
    "SIDES",
    "Watch",
    "compared",
    "cure_browser",
    "draw_cures",
    "draw_flow",
    "draw_learning",
    "draw_world",
    "flow_slider",
    "world_slider",
]
SIDES = {"audio": "sound", "image": "face"}  # modality → what it is called
_NOTHING = float(np.log(8))  # the loss of a classifier that gives all emotions the same probability


def draw_learning(log: pd.DataFrame, corpus: str) -> Picture:
    """How hard the joint loss pulls at each branch, and the three losses, epoch by epoch.

    `log` is the ``table`` of a `Watch`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    last, said = log["epoch"].max(), []
    for name in MODALITIES:
        style = plots.NETWORK_STYLES[name] | {"label": SIDES[name], "markevery": 4}
        left.plot(log["epoch"], log[f"pull {name}"], **style)
        pull = log[f"pull {name}"]
        said.append(
            f"norm of the {SIDES[name]} branch from {pull.iloc[0]:.2f} to {pull.iloc[-1]:.2f}"
        )
    for name in ("joint", *MODALITIES):
        head = "joint" if name == "joint" else f"{SIDES[name]}'s head"
        style = plots.NETWORK_STYLES[name] | {"label": head, "markevery": 4}
        right.plot(log["epoch"], log[f"loss {name}"], **style)
        said.append(f"loss of the {head} at the end {log[f'loss {name}'].iloc[-1]:.2f}")
    right.axhline(_NOTHING, color="grey", linestyle=":", label="1/8 for each")
    left.set(
        xlabel="epoch",
        ylabel="norm of the joint loss's\ngradient",
        title="how hard a branch is pulled",
    )
    left.set_ylim(bottom=0)
    right.set(
        xlabel="epoch", ylabel="training loss", title="what each classifier learns", ylim=(0, 2.3)
    )
    for axes in (left, right):
        axes.set_xlim(0.5, max(last, 2) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=9)
    words = f"Two panels, epochs 1 to {last}: {'; '.join(said)}."
    return Picture.of(figure, words, corpus)


class Watch(GradientLog):
    """A hook for `training.fit` that draws while the network trains, and changes nothing.

    The picture grows in its place, as `InPlace` has time for it. `table` holds what was seen.
    """

    def __init__(self, corpus: str, live: bool = True) -> None:
        super().__init__()
        self.corpus, self.live = corpus, live
        self.losses: list[dict[str, float]] = []  # of each batch
        self.place = InPlace()

    def __call__(self, step: Step) -> None:
        """Measure the batch; draw, if an epoch has ended and it is time to."""
        has_ended = bool(self.losses) and self.losses[-1]["epoch"] != step.epoch
        if self.live and has_ended and self.place.due():
            self.show()
        super().__call__(step)
        each = {f"loss {name}": float(loss.detach()) for name, loss in step.losses.items()}
        self.losses.append({"epoch": step.epoch} | each)

    @property
    def table(self) -> pd.DataFrame:
        """A row an epoch: ``epoch``, the mean ``loss …`` of each classifier, and ``pull …``.

        The pull is the norm of the joint loss's gradient at a branch.
        """
        pulls = pd.DataFrame(self.rows).pivot(index="epoch", columns="branch", values="joint")
        means = pd.DataFrame(self.losses).groupby("epoch").mean()
        return means.join(pulls.add_prefix("pull ")).reset_index()

    def show(self) -> None:
        """Draw what was seen so far, where it was drawn before."""
        self.place.show(lambda: draw_learning(self.table, self.corpus))


# Where the parts of the network stand, and how large they are: x, y, width, height.
_BOXES = {
    "sound": (0.0, 2.2, 1.1, 0.7, "sound"),
    "face": (0.0, 0.1, 1.1, 0.7, "face"),
    "audio": (2.0, 2.2, 1.9, 0.7, "sound branch"),
    "image": (2.0, 0.1, 1.9, 0.7, "face branch"),
    "audio loss": (6.8, 2.6, 2.3, 0.7, "sound head's loss"),
    "joint": (6.8, 1.15, 2.3, 0.7, "joint loss"),
    "image loss": (6.8, -0.3, 2.3, 0.7, "face head's loss"),
}


def draw_flow(log: pd.DataFrame, cure: str, epoch: int, corpus: str) -> Picture:
    """The network, and backward through it arrows as thick as the gradients that arrive.

    `log` holds the ``rows`` of `GradientLog`, with a column ``cure``: ``none``, where the heads'
    losses do not reach the branches, or another. All arrows of all epochs have one scale.
    """
    now = log[(log["cure"] == cure) & (log["epoch"] == epoch)].set_index("branch")
    most = log[["joint", "own"]].to_numpy().max()
    figure, axes = plt.subplots(figsize=(10, 4))
    for name, (x, y, width, height, text) in _BOXES.items():
        colour = {"audio": plots.OKABE_ITO[0], "image": plots.OKABE_ITO[1]}.get(name, "black")
        box = FancyBboxPatch((x, y), width, height, "round,pad=0.06", fill=False, edgecolor=colour)
        box.set_linewidth(2 if name in MODALITIES else 1)
        axes.add_patch(box)
        axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=10)
    for name in (("sound", "audio"), ("face", "image")):
        y = _BOXES[name[0]][1] + 0.35
        axes.annotate("", (1.92, y), (1.18, y), arrowprops={"arrowstyle": "->", "color": "grey"})
    said = []
    for name, sign in zip(MODALITIES, (1, -1), strict=True):
        colour, height = plots.NETWORK_STYLES[name]["color"], _BOXES[name][1] + 0.35
        own, joint = float(now.loc[name, "own"]), float(now.loc[name, "joint"])
        taught = cure != "none"
        _arrow(axes, (6.7, height + 0.38 * sign), (4.0, height + 0.16 * sign), own / most,
               colour, taught)  # fmt: skip
        _arrow(axes, (6.7, 1.5 + 0.16 * sign), (4.0, height - 0.2 * sign), joint / most,
               "black", True)  # fmt: skip
        axes.text(5.35, height + 0.62 * sign, f"{own:.2f}" + ("" if taught else " (not used)"),
                  ha="center", va="center", fontsize=10, color=colour)  # fmt: skip
        axes.text(4.85, 1.5 + 0.2 * sign, f"{joint:.2f}", ha="center", va="center", fontsize=10)
        said.append(
            f"at the {SIDES[name]} branch {joint:.2f} arrives from the joint loss and {own:.2f} "
            f"from its own head's{'' if taught else ', which is not used'}"
        )
    axes.set(xlim=(-0.2, 9.4), ylim=(-0.75, 3.75))
    axes.axis("off")
    axes.set_title(f"cure: {cure} · epoch {epoch} · numbers: norms of gradients", fontsize=11)
    words = f"Arrows from losses back to branches, cure {cure}, epoch {epoch}: {'; '.join(said)}."
    return Picture.of(figure, words, corpus)


def _arrow(axes: Axes, tail: tuple, head: tuple, share: float, colour: str, solid: bool) -> None:
    """An arrow as thick as its `share` of the largest; hatched and pale where it does not teach."""
    width = 1 + 17 * share
    axes.add_patch(
        FancyArrowPatch(
            tail,
            head,
            arrowstyle=f"simple,tail_width={width},head_width={width + 8},head_length=12",
            facecolor=colour if solid else "white",
            edgecolor=colour,
            hatch=None if solid else "////",
            alpha=0.8,
            linewidth=0.8,
        )
    )


def flow_slider(log: pd.DataFrame, corpus: str) -> Explorer:
    """Step through the epochs of a training, or play them, and watch the gradients (lesson 07)."""
    epochs = sorted(int(each) for each in log["epoch"].unique())
    explorer = Explorer(
        partial(draw_flow, log, corpus=corpus),
        "Press play, or move the epoch. Follow one arrow over time: when does it grow? Then the "
        "same with the other cure.",
        cure=choice("cure", log["cure"].unique()),
        epoch=choice("epoch", epochs, epochs[-1]),
    )
    play = ipywidgets.Play(min=0, max=len(epochs) - 1, value=len(epochs) - 1, interval=900)
    ipywidgets.link((play, "value"), (explorer.controls["epoch"], "index"))
    explorer.box.children = (explorer.box.children[0], play, *explorer.box.children[1:])
    return explorer


_WORLD = {  # what is drawn of a world: column → what the legend says, and the style
    "accuracy": ("both", plots.NETWORK_STYLES["joint"]),
    "sound only": ("sound, the face taken away", plots.NETWORK_STYLES["audio"]),
    "face only": ("face, the sound taken away", plots.NETWORK_STYLES["image"]),
}


def draw_world(worlds: pd.DataFrame, cure: str, strength: float, corpus: str) -> Picture:
    """What is right with both modalities and with one, by how much the sound tells; utilisation.

    `worlds` is ``dominance_table.measured("worlds")``; the chosen `strength` is marked.
    """
    own = worlds[worlds["who"] == cure].sort_values("strength")
    here = own[own["strength"] == strength].iloc[0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=[3, 1])
    said = []
    for column, (name, style) in _WORLD.items():
        left.plot(own["strength"], 100 * own[column], label=name, **style)
        marker = {"marker": style["marker"], "color": style["color"], "markersize": 12}
        left.plot(strength, 100 * here[column], **marker)
        said.append(f"{name} {100 * here[column]:.0f} %")
    left.fill_between(
        own["strength"], 100 * own["accuracy from"], 100 * own["accuracy to"],
        color="black", alpha=0.12, linewidth=0,
    )  # fmt: skip
    alone = []
    for name, dash in (("late-same", "-."), ("late", ":")):
        line = worlds[worlds["who"] == name].sort_values("strength")
        label = f"a face network by itself ({name})"
        left.plot(line["strength"], 100 * line["head of face"], color="grey", linestyle=dash,
                  label=label)  # fmt: skip
        there = line[line["strength"] == strength].iloc[0]
        alone.append(f"{label} {100 * there['head of face']:.0f} %")
    left.axhline(12.5, color="grey", linestyle="-", linewidth=0.8, label="chance")
    left.set(xlabel="strength: 0, the sound tells nothing; 1, as recorded", ylim=(0, 70))
    left.set_ylabel("right about strangers (%)")
    left.legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.02), ncols=2)
    shares = [here[f"utilisation of {name}"] for name in ("sound", "face")]
    for place, (share, name, hatch) in enumerate(zip(shares, MODALITIES, ("", "//"), strict=True)):
        colour = plots.NETWORK_STYLES[name]["color"]
        right.bar(place, share, 0.6, color=colour, hatch=hatch, edgecolor="white")
        right.text(place, max(share, 0) + 0.02, f"{share:.2f}", ha="center")
    right.axhline(0, color="black", linewidth=0.8)
    right.set_xticks([0, 1], ["sound", "face"])
    right.set(ylabel="conditional utilisation", ylim=(-0.5, 0.9))
    words = (
        f"Cure {cure}, strength {strength:g}: right about strangers with {'; with '.join(said)}; "
        f"{'; '.join(alone)}. Conditional utilisation: sound {shares[0]:.2f}, face {shares[1]:.2f}."
    )
    return Picture.of(figure, words, corpus)


def world_slider(worlds: pd.DataFrame, corpus: str) -> Explorer:
    """Turn the strength of the sound, with one cure or another (lesson 07)."""
    strengths = sorted(worlds["strength"].dropna().unique())
    names = [name for name in worlds["who"].unique() if " less " not in name]
    return Explorer(
        partial(draw_world, worlds, corpus=corpus),
        "Turn the strength of the sound. Where are both together right less often than a face "
        "network by itself? Then try the other cures.",
        cure=choice("cure", names),
        strength=choice("strength", [(f"{each:g}", each) for each in strengths], 1.0),
    )


def compared(rows: pd.DataFrame, name: str, than: str) -> tuple[float, float, float]:
    """The paired difference of accuracy of a cure and another, with its interval.

    `rows` are those of one split. Raises ValueError if the two were not compared.
    """
    for one, other, sign in ((name, than, 1), (than, name, -1)):
        found = rows[rows["who"] == f"{one} less {other}"]
        if len(found):
            ends = found[["accuracy", "accuracy from", "accuracy to"]].to_numpy(float)[0] * sign
            return float(ends[0]), float(ends[1:].min()), float(ends[1:].max())
    raise ValueError(f"{name} was not compared with {than}")


def draw_cures(cures: pd.DataFrame, unit: str, than: str) -> Picture:
    """All cures on RAVDESS: accuracy with its interval, and the paired difference to one of them.

    `cures` is ``dominance_table.measured("cures")``; `unit` is ``actor``, unseen speakers, or
    ``clip``, clips at random. Cures that are shown to differ have filled marks.
    """
    rows = cures[cures["split by"] == unit]
    worth = rows[~rows["who"].str.contains(" less ")].sort_values("accuracy")
    places, said = np.arange(len(worth)), []
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
    middle, low, high = 100 * worth[["accuracy", "accuracy from", "accuracy to"]].to_numpy().T
    style = {"fmt": "o", "capsize": 3, "color": plots.OKABE_ITO[0]}
    left.errorbar(middle, places, xerr=[middle - low, high - middle], **style)
    for place, (name, share) in enumerate(zip(worth["who"], middle, strict=True)):
        if name == than:
            right.text(0, place, "  compared with", va="center", fontsize=9)
            said.append(f"{name} {share:.1f} %")
            continue
        found, least, most = (100 * each for each in compared(rows, name, than))
        colour, marker = plots.OKABE_ITO[6], "o"
        if least > 0:
            colour, marker = plots.OKABE_ITO[2], "^"
        elif most < 0:
            colour, marker = plots.OKABE_ITO[1], "v"
        shown = "white" if least <= 0 <= most else colour
        right.errorbar(
            [found], [place], xerr=[[found - least], [most - found]], fmt=marker, capsize=3,
            color=colour, markerfacecolor=shown,
        )  # fmt: skip
        said.append(f"{name} {share:.1f} %, {found:+.1f} ({least:+.1f} to {most:+.1f})")
    right.axvline(0, color="grey", linestyle=":")
    left.set_yticks(places, worth["who"])
    whose = "unseen speakers" if unit == "actor" else "clips at random"
    left.set(xlabel="accuracy (%)", title=f"{whose}, 95 % interval over actors", xlim=(30, 95))
    right.set(xlabel="points, on the same clips", title=f"paired difference to “{than}”")
    figure.supylabel("cure", fontsize=10)
    words = (
        f"On RAVDESS, {whose}, accuracy and, in points, the paired difference to {than} with its "
        f"95 % interval, from the best cure down: {'; '.join(said[::-1])}."
    )
    return Picture.of(figure, words, "RAVDESS")


def cure_browser(cures: pd.DataFrame) -> Explorer:
    """Compare all cures on RAVDESS with one of three, for unseen speakers or at random (07)."""
    return Explorer(
        partial(draw_cures, cures),
        "Triangles that point up: shown to do better; down: shown to do worse; open circles: not "
        "shown to differ. Which cures are better than none? Which are better than late fusion?",
        unit=choice("tested on", [("unseen speakers", "actor"), ("clips at random", "clip")]),
        than=choice("compared with", ["none", "auxiliary", "late"]),
    )
