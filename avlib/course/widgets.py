"""Widgets: controls over a pure function that draws.

Each widget is a function from settings to a picture, and `Explorer` puts controls above it.
Without a kernel the picture of the default settings is shown. Runs on ipywidgets 7.7 and 8.
"""

import html
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile

from avlib.corpus import ravdess
from avlib.corpus.ravdess import find_clip
from avlib.course import film
from avlib.course.film import Film
from avlib.evaluation import metrics, plots
from avlib.evaluation.plots import Picture
from avlib.features import audio


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
    written = io.BytesIO()  # as FLAC: the samples of a wav, in fewer bytes
    soundfile.write(written, sound, rate, format="FLAC", subtype="PCM_16")
    said = html.escape(caption, quote=True)
    return (
        f'<figure style="margin: 0.5em 0"><audio controls aria-label="{said}" '
        f'src="{plots.uri("audio/flac", written.getvalue())}"></audio>'
        f"<figcaption>{said}</figcaption></figure>"
    )


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
            if hasattr(control, "description"):
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
            self.shown.value = alert(error)

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return bundle(self.box, self.shown.value + (film.script() if self.films else ""))


def alert(error: Exception) -> str:
    """What is shown of an error, in red; those of avlib are sentences and stand without a name."""
    name = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    return f'<p role="alert" style="color: #b00020">{html.escape(f"{name}{error}")}</p>'


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
