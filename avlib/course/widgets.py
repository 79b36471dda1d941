"""Widgets: controls over a pure function that draws.

Each widget is a function from settings to a picture, and `Explorer` puts controls above it.
Without a kernel the picture of the default settings is shown. Runs on ipywidgets 7.7 and 8.
"""

import html
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
import torch

from avlib.corpus import ravdess
from avlib.corpus.ravdess import find_clip
from avlib.course import film
from avlib.course.film import Film
from avlib.evaluation import metrics, plots
from avlib.evaluation.plots import Picture
from avlib.features import audio
from avlib.learning.loaders import Samples, batches


@dataclass(frozen=True)
class Heard:
    """A picture with the sound that belongs to it."""

    picture: Picture
    sound: np.ndarray  # (samples,)
    rate: int  # Hz
    caption: str  # what is heard, in words

    def html(self) -> str:
        """The picture, and under it a player that carries its own bytes."""
        return self.picture.html() + player(self.sound, self.rate, self.caption)


def player(sound: np.ndarray, rate: int, caption: str) -> str:
    """A player of a sound, ``(samples,)`` at `rate` Hz, as HTML.

    The `caption` says what is heard, for whoever cannot hear it.
    """
    written = io.BytesIO()
    soundfile.write(written, sound, rate, format="WAV", subtype="PCM_16")
    said = html.escape(caption, quote=True)
    return (
        f'<figure style="margin: 0.5em 0"><audio controls aria-label="{said}" '
        f'src="{plots.uri("audio/wav", written.getvalue())}"></audio>'
        f"<figcaption>{said}</figcaption></figure>"
    )


Play = Callable[[int], Heard | Film]  # makes of a store's row what plays its clip


class Explorer:
    """Controls above what a pure function draws, redrawn in place.

    `draw` takes the values of the `controls` by name, and returns a `Picture`, `Heard` or, with
    `films`, a `Film`. The `caption` says what to try. An error stands in red where the picture was.
    A notebook that has no kernel shows the picture of the default settings.
    """

    def __init__(
        self,
        draw: Callable[..., Picture | Heard | Film],
        caption: str,
        films: bool = False,
        **controls: ipywidgets.Widget,
    ) -> None:
        self.draw, self.films = draw, films
        self.controls = controls
        self.shown = ipywidgets.HTML()
        words = ipywidgets.HTML(f"<p>{html.escape(caption)}</p>")
        for control in controls.values():
            control.style.description_width = "10em"
            control.layout.width = "32em"
            control.observe(self._redraw, names="value")
        self._redraw()
        movers = [film.mover()] if films else []
        self.box = ipywidgets.VBox([words, *controls.values(), *movers, self.shown])

    def _redraw(self, _: object = None) -> None:
        settings = {name: control.value for name, control in self.controls.items()}
        try:
            self.shown.value = self.draw(**settings).html()
        except Exception as error:
            message = html.escape(f"{type(error).__name__}: {error}")
            self.shown.value = f'<p role="alert" style="color: #b00020">{message}</p>'

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return bundle(self.box, self.shown.value + (film.script() if self.films else ""))


def bundle(box: ipywidgets.Widget, picture: str) -> dict[str, object]:
    """What a notebook shows of a widget: itself, or without a kernel a picture, as HTML."""
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    return {
        "text/html": picture,
        "text/plain": "A widget; run the cell to move it.",
        "application/vnd.jupyter.widget-view+json": view,
    }


def choice(
    description: str, options: Iterable[object], value: object | None = None
) -> ipywidgets.SelectionSlider:
    """A choice of few; its first option stands unless another value is named.

    A slider and no menu: JupyterLab takes the arrow keys away from a menu (ipywidgets issue 3912).
    """
    chosen = {} if value is None else {"value": value}
    return ipywidgets.SelectionSlider(
        options=list(options), description=description, continuous_update=False, **chosen
    )


EMOTION_CODES = [(name, code) for code, name in enumerate(ravdess.EMOTIONS, 1)]


def draw_clip(clips: pd.DataFrame, *codes: int, **take: int) -> Heard | Film:
    """One clip: as a film over its sound; where it has no picture, its sound over time.

    Takes what `find_clip` does, of what `ravdess.index` returned, and raises as it.
    """
    clip, said = find_clip(clips, *codes, **take)
    corpus, statement = ravdess.corpus(clips), ravdess.STATEMENTS[clip.statement - 1]
    if isinstance(clip.picture, str | Path):
        sound = clip.sound if isinstance(clip.sound, str | Path) else None
        return film.show(clip.picture, sound, said, corpus, statement)
    sound, rate = audio.load(clip.sound)
    figure, axes = plt.subplots(figsize=(9, 2.6))
    plots.waveform(axes, sound, rate)
    loudest = np.abs(sound).max()
    axes.set_title(f"loudest value {loudest:.2f}", fontsize=10)
    words = f"{said}. The waveform lasts {len(sound) / rate:.1f} s; loudest value {loudest:.2f}."
    return Heard(Picture.of(figure, words, corpus), sound, rate, said)


def draw_named(clips: pd.DataFrame, name: str) -> Heard | Film:
    """`draw_clip` of the clip with this name."""
    clip = clips[clips["clip"] == name]
    return draw_clip(clip, *clip[["emotion", "intensity", "actor"]].iloc[0])


def clip_chooser(clips: pd.DataFrame) -> Explorer:
    """Choose each part of a clip's name, one at a time; play the clip (lessons 00, 01)."""
    first = clips.iloc[0]
    sentences = [(f"{said.split()[0]} …", code) for code, said in enumerate(ravdess.STATEMENTS, 1)]
    return Explorer(
        partial(draw_clip, clips),
        "Choose a performance, then play it.",
        films=True,
        emotion=choice("emotion", EMOTION_CODES, first.emotion),
        intensity=choice("intensity", [("normal", 1), ("strong", 2)], first.intensity),
        statement=choice("sentence", sentences, first.statement),
        repetition=choice("repetition", [1, 2], first.repetition),
        actor=choice("actor", [(f"{one:02d}", one) for one in sorted(set(clips["actor"]))]),
    )


def draw_auxiliary(runs: Mapping[float, pd.DataFrame], weight: float, corpus: str) -> Picture:
    """The validation accuracy of the fusion network's classifiers, for one auxiliary weight.

    `runs` maps an auxiliary weight to what `training.fit` returned.
    """
    figure, axes = plt.subplots(figsize=(8, 3.4))
    histories = dict.fromkeys(("joint", "audio", "image"), runs[weight])
    said = plots.accuracy_lines(axes, histories, "validation", "chance")
    axes.set_title(f"auxiliary weight {weight:g}")
    return Picture.of(figure, f"Validation accuracy, weight {weight:g}: {said}.", corpus)


def auxiliary_slider(runs: Mapping[float, pd.DataFrame], corpus: str) -> Explorer:
    """Slide over runs with different auxiliary weights, one of them the paper's, 1 (lesson 04)."""
    return Explorer(
        partial(draw_auxiliary, runs, corpus=corpus),
        "Slide to weight 0. What do the two auxiliary heads do, and why?",
        weight=choice("auxiliary weight", sorted(runs), 1.0),
    )


@torch.no_grad()
def draw_probe(
    network: torch.nn.Module, samples: Samples, row: int, mute: bool, blank: bool,
    play: Play | None = None,
) -> Picture | Film:  # fmt: skip
    """What each classifier of the fusion network says, with a modality taken away if asked.

    What is taken away, the sound (`mute`) or the picture (`blank`), is replaced by the training
    mean, zero after normalisation. It is gone from the film, too, that `play` makes of a row.
    """
    network.eval()
    mfcc, image, label, _ = next(batches(samples, np.array([row])))
    logits = network(mfcc * (not mute), image * (not blank))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=[1, 2])
    left.imshow(samples.pairs[row].cpu().numpy() // (4 if blank else 1))
    left.set_title(f"true: {ravdess.EMOTIONS[label]}" + (", muted" if mute else ""))
    left.axis("off")
    places = np.arange(len(ravdess.EMOTIONS))
    said = []
    ways = zip((-0.27, 0, 0.27), ("", "//", ".."), logits.items(), strict=True)
    for shift, hatch, (name, one) in ways:
        chances = one.softmax(dim=1)[0].cpu().numpy()
        style = {"label": name, "color": plots.NETWORK_STYLES[name]["color"], "hatch": hatch}
        right.bar(places + shift, chances, 0.27, edgecolor="white", **style)
        said.append(f"{name} says {ravdess.EMOTIONS[chances.argmax()]} ({chances.max():.2f})")
    right.set(ylim=(0, 1), ylabel="probability")
    right.set_xticks(places, ravdess.EMOTIONS, rotation=30)
    right.legend(frameon=False)
    given = f"sound {'off' if mute else 'on'} and picture {'off' if blank else 'on'}"
    words = f"True: {ravdess.EMOTIONS[label]}. With {given}: {', '.join(said)}."
    picture = Picture.of(figure, words, samples.corpus)
    if play is None or not isinstance(shown := play(row), Film):
        return picture
    return replace(shown, muted=mute, blank=blank, below=picture.html())


def fusion_probe(
    network: torch.nn.Module, samples: Samples, rows: list[int], play: Play | None = None
) -> Explorer:
    """Take the sound or the picture away and watch the three classifiers (lesson 04)."""
    return Explorer(
        partial(draw_probe, network, samples, play=play),
        "Mute the sound. Which classifier cannot notice?",
        films=play is not None,
        row=choice("frame pair", rows),
        mute=ipywidgets.Checkbox(False, description="mute the sound"),
        blank=ipywidgets.Checkbox(False, description="blank the picture"),
    )


def draw_confusion_cell(
    predictions: pd.DataFrame, clips: pd.DataFrame, true: int, predicted: int, number: int
) -> Heard | Film:
    """One of the clips that a cell of a confusion matrix counts.

    Takes what `metrics.by_clip` and `ravdess.index` returned, the emotion codes of the cell's row
    and column, and which of its clips, from 1. Raises `ValueError` if the cell counts none.
    """
    truth, guess = ravdess.EMOTIONS[true - 1], ravdess.EMOTIONS[predicted - 1]
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


def confusion_browser(predictions: pd.DataFrame, clips: pd.DataFrame) -> Explorer:
    """Play the clips behind each cell of a confusion matrix (lesson 05)."""
    counts = metrics.confusion(predictions).to_numpy()
    true, predicted = np.unravel_index(counts.argmax(), counts.shape)  # the fullest cell
    return Explorer(
        partial(draw_confusion_cell, predictions, clips),
        "Choose a cell of the matrix: the true label, and the predicted one.",
        films=True,
        true=choice("true", EMOTION_CODES, int(true) + 1),
        predicted=choice("predicted", EMOTION_CODES, int(predicted) + 1),
        number=choice("clip", range(1, counts.max() + 1)),
    )


def draw_interval(predictions: pd.DataFrame, over: str, actors: int, corpus: str) -> Picture:
    """Accuracies with clips or actors drawn again and again, and their 95 % interval.

    Takes what `metrics.by_clip` returned, the column whose values are drawn (``clip`` or
    ``actor``), and how many of the actors were tested, the first ones.
    """
    some = predictions[predictions["actor"].isin(np.sort(predictions["actor"].unique())[:actors])]
    right = pd.Series(metrics.predicted(some) == some["label"].to_numpy())
    counts = right.groupby(some[over].to_numpy()).agg(["sum", "size"]).to_numpy()
    chosen = np.random.default_rng(0).integers(len(counts), size=(2000, len(counts)))
    right_of, asked = (column[chosen].sum(axis=1) for column in counts.T)
    low, high = (100 * bound for bound in metrics.interval(some, over=over))
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="none")
    figure.subplots_adjust(0.09, 0.16, 0.98, 0.91)  # a layout would take as long as all else
    drawn = np.histogram(100 * right_of / asked, bins=np.arange(101))
    axes.stairs(*drawn, color="#56B4E9", fill=True)
    axes.axvspan(low, high, color="#E69F00", alpha=0.25, zorder=0, label="95 % interval")
    axes.axvline(100 * right.mean(), color="black", label="measured")
    axes.set(xlabel="accuracy (%)", ylabel="draws, of 2000", xlim=(0, 100))
    axes.set_title(f"{len(counts)} {over}s drawn again")
    axes.legend(frameon=False)
    words = (
        f"{len(counts)} {over}s of {some['actor'].nunique()} actors drawn again: measured "
        f"{100 * right.mean():.1f} %, 95 % interval from {low:.1f} to {high:.1f} %."
    )
    return Picture.of(figure, words, corpus, tight=False)


def interval_slider(predictions: pd.DataFrame, corpus: str) -> Explorer:
    """Draw clips or actors again, of larger and smaller tests (lesson 06)."""
    actors = predictions["actor"].nunique()
    return Explorer(
        partial(draw_interval, predictions, corpus=corpus),
        "Take fewer and fewer actors. Which interval grows faster, over clips or over actors?",
        over=choice("drawn again", ["clip", "actor"], "actor"),
        actors=choice("actors", range(3, actors + 1), actors),
    )
