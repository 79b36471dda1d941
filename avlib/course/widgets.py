"""Widgets: controls over a pure function that draws.

Each widget is a function from settings to a picture, and `Explorer` puts controls above it.
Without a kernel the picture of the default settings is shown. Runs on ipywidgets 7.7 and 8.
"""

import html
import io
import warnings
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
from avlib.course import film
from avlib.course.film import Film
from avlib.evaluation import metrics, plots
from avlib.evaluation.plots import Picture
from avlib.features import audio, video
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


def find_clip(
    clips: pd.DataFrame, emotion: int, intensity: int, actor: int
) -> tuple[pd.Series, str]:
    """The first clip of these codes, and what it is in words; `ValueError` if there is none."""
    found = clips.query("emotion == @emotion and intensity == @intensity and actor == @actor")
    if found.empty:
        raise ValueError("there is no such clip here: neutral, for one, has no strong intensity")
    clip = found.iloc[0]
    said = (
        f"Actor {actor} ({clip.sex}), {ravdess.EMOTIONS[emotion - 1]}, "
        f"{ravdess.INTENSITIES[intensity - 1]}: “{ravdess.STATEMENTS[clip.statement - 1]}”"
    )
    return clip, said


def draw_clip(clips: pd.DataFrame, emotion: int, intensity: int, actor: int) -> Heard | Film:
    """One clip: as a film over its sound; where it has no picture, its sound over time.

    `clips` is what `ravdess.index` returned; raises `ValueError` if it holds no such clip.
    """
    clip, said = find_clip(clips, emotion, intensity, actor)
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
    """Choose emotion, intensity and actor; play the clip (lessons 00, 01)."""
    return Explorer(
        partial(draw_clip, clips),
        "Choose a performance, then play it.",
        films=True,
        emotion=choice("emotion", EMOTION_CODES),
        intensity=choice("intensity", [("normal", 1), ("strong", 2)]),
        actor=choice("actor", [(f"{one:02d}", one) for one in sorted(set(clips["actor"]))]),
    )


def draw_mfcc(
    sound: np.ndarray, rate: int, coefficients: int, hop: int, window: int, corpus: str
) -> Heard:
    """The way from a waveform to its MFCCs, in four panels.

    Takes a sound, ``(samples,)`` float32 at `rate` Hz, how many MFCCs to keep, and the samples
    from one analysis frame to the next (`hop`) and in one (`window`).
    """
    import librosa

    seconds = len(sound) / rate
    spectrum = np.abs(librosa.stft(sound, n_fft=window, hop_length=hop)) ** 2
    with warnings.catch_warnings():  # of empty bands, which the picture tells of
        warnings.filterwarnings("ignore", "Empty filters", UserWarning)
        bands = librosa.filters.mel(sr=rate, n_fft=window)
        found = audio.mfcc(sound, rate, coefficients, hop, window)
    mel, empty = bands @ spectrum, int((bands.max(axis=1) == 0).sum())
    figure, grid = plt.subplots(2, 2, figsize=(10, 5.4))
    plots.waveform(grid[0, 0], sound, rate)
    decibels = librosa.power_to_db(spectrum)
    plots.heat(grid[0, 1], decibels, seconds, "frequency (kHz)", "power (dB)", rate / 2000)
    plots.heat(grid[1, 0], librosa.power_to_db(mel), seconds, "mel band", "power (dB)")
    plots.heat(grid[1, 1], found[1:], seconds, "MFCC (from the 1st)", "value")
    third = "3 mel spectrogram" + (f", {empty} of {len(bands)} bands empty" if empty else "")
    titles = ("1 waveform", "2 spectrogram", third, f"4 MFCCs {found.shape}")
    for axes, title in zip(grid.flat, titles, strict=True):
        axes.set_title(title)
    words = (
        f"Four panels: waveform, spectrogram, mel spectrogram, MFCCs. One analysis frame is "
        f"{1000 * window / rate:.0f} ms long, one every {1000 * hop / rate:.0f} ms; "
        f"{found.shape[0]} coefficients in {found.shape[1]} frames."
    )
    if empty:
        words += (
            f" {empty} of {len(bands)} mel bands are empty: the frequencies that so short a window "
            "tells apart lie further from each other than these bands are wide."
        )
    return Heard(Picture.of(figure, words, corpus), sound, rate, "The sound that the panels show")


def mfcc_inspector(sound: np.ndarray, rate: int, corpus: str) -> Explorer:
    """Move the settings of an MFCC and watch every step; play the sound (lesson 02)."""
    return Explorer(
        partial(draw_mfcc, sound, rate, corpus=corpus),
        "What does a longer window do to the stripes, and what to sudden changes? Find the window "
        "that shows the stripes best.",
        coefficients=choice("coefficients", range(5, 85, 5), 40),
        hop=choice("hop (samples)", [128, 256, 512, 1024, 2048], 512),
        window=choice("window (samples)", [256, 512, 1024, 2048, 4096, 8192], 2048),
    )


def draw_pairs(
    path: str | Path,
    window: float,
    offset: float,
    size: int,
    corpus: str,
    sound: str | Path | None = None,
) -> Film:
    """A film with the times of its frame pairs, and the pairs: `size` in pixels, a frame's side.

    Where the mp4 file has no sound of its own, `sound` is heard with it. Times: `video.pair_times`.
    """
    times = video.pair_times(video.duration(path), window, offset)
    pairs = video.frame_pairs(path, times, size)
    words = (
        f"{len(pairs)} frame pairs of {size} by {2 * size} pixels, one every {window:g} s, "
        f"the second frame {offset:g} s after the first."
    )
    below = plots.strip(pairs, times, words, corpus).html()
    name = ravdess.name_of(path)
    said = "" if name is None else ravdess.STATEMENTS[name.statement - 1]
    shown = film.show(path, sound, "The film that the pairs are cut from", corpus, said, times)
    return replace(shown, below=below)


def pair_scrubber(path: str | Path, corpus: str, sound: str | Path | None = None) -> Explorer:
    """Move window, offset and size of the frame pairs of a clip, and play it (lesson 02)."""
    return Explorer(
        partial(draw_pairs, path, corpus=corpus, sound=sound),
        "What is the smallest size at which you can still tell the emotion?",
        films=True,
        window=choice("window (s)", [tenths / 10 for tenths in range(3, 16)], 0.5),
        offset=choice("offset (s)", [hundredths / 100 for hundredths in range(0, 55, 5)], 0.25),
        size=choice("size (pixels)", [8, 16, 32, 64, 128], 64),
    )


@torch.no_grad()
def draw_filter(network: torch.nn.Module, samples: Samples, row: int, channel: int) -> Picture:
    """One filter of the image CNN's first layer, and how it responds to a frame pair."""
    image = next(batches(samples, np.array([row]))).image
    layer = network.cnn.layers[0]
    kernel = layer.weight[channel].permute(1, 2, 0).cpu().numpy()
    response = layer(image)[0, channel].clamp(min=0).cpu().numpy()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 2.4), width_ratios=[2, 1, 2])
    left.imshow(samples.pairs[row].cpu().numpy())
    left.set_title("frame pair")
    middle.imshow((kernel - kernel.min()) / np.ptp(kernel))
    middle.set_title(f"filter {channel}, 5 × 5")
    drawn = right.imshow(response)
    right.set_title("response after ReLU")
    figure.colorbar(drawn, ax=right, label="activation")
    for axes in (left, middle, right):
        axes.axis("off")
    share = (response > 0).mean()
    return Picture.of(
        figure,
        f"Filter {channel} of the first layer, a frame pair, and where the filter responds: "
        f"{100 * share:.0f} % of the places are above zero, the highest is {response.max():.1f}.",
        samples.corpus,
    )


def filter_viewer(network: torch.nn.Module, samples: Samples, rows: list[int]) -> Explorer:
    """See the first layer's filters at work on frame pairs (lesson 03)."""
    return Explorer(
        partial(draw_filter, network, samples),
        "Which filter responds to edges of the mouth? Which to nothing?",
        channel=choice("filter", range(network.cnn.layers[0].out_channels)),
        row=choice("frame pair", rows),
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


def draw_interval(predictions: pd.DataFrame, over: str, actors: int, corpus: str) -> Picture:
    """Accuracies with clips or actors drawn again and again, and their 95 % interval.

    Takes what `metrics.by_clip` returned, the column whose values are drawn (``clip`` or
    ``actor``), and how many of the actors were tested, the first ones.
    """
    some = predictions[predictions["actor"].isin(np.sort(predictions["actor"].unique())[:actors])]
    right = pd.Series(metrics.predicted(some) == some["label"].to_numpy())
    counts = right.groupby(some[over].to_numpy()).agg(["sum", "size"]).to_numpy()
    chosen = np.random.default_rng(0).integers(len(counts), size=(2000, len(counts)))
    right_of, asked = counts[chosen].sum(axis=1).T
    low, high = (100 * bound for bound in metrics.interval(some, over=over))
    figure, axes = plt.subplots(figsize=(8, 3.4))
    axes.hist(100 * right_of / asked, bins=np.arange(0, 101, 1), color="#56B4E9")
    axes.axvspan(low, high, color="#E69F00", alpha=0.25, zorder=0, label="95 % interval")
    axes.axvline(100 * right.mean(), color="black", label="measured")
    axes.set(xlabel="accuracy (%)", ylabel="draws, of 2000", xlim=(0, 100))
    axes.set_title(f"{len(counts)} {over}s drawn again")
    axes.legend(frameon=False)
    words = (
        f"{len(counts)} {over}s of {some['actor'].nunique()} actors drawn again: measured "
        f"{100 * right.mean():.1f} %, 95 % interval from {low:.1f} to {high:.1f} %."
    )
    return Picture.of(figure, words, corpus)


def interval_slider(predictions: pd.DataFrame, corpus: str) -> Explorer:
    """Draw clips or actors again, of larger and smaller tests (lesson 06)."""
    actors = predictions["actor"].nunique()
    return Explorer(
        partial(draw_interval, predictions, corpus=corpus),
        "How many actors must a test have until the two intervals are of one width?",
        over=choice("drawn again", ["clip", "actor"], "actor"),
        actors=choice("actors", range(3, actors + 1), actors),
    )
