"""Widgets: controls over a pure function that draws.

Each widget is a function from settings to a picture, and `Explorer` puts controls above it.
Without a kernel the picture of the default settings is shown. Runs on ipywidgets 7.7 and 8.
"""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
import torch

from avlib.corpus import ravdess
from avlib.evaluation import metrics, plots
from avlib.evaluation.plots import Picture
from avlib.features import audio, video
from avlib.learning.loaders import Samples, batches


@dataclass(frozen=True)
class Heard:
    """A picture with the sound that belongs to it.

    Attributes
    ----------
    picture : Picture
    sound : ndarray, shape (samples,)
    rate : int
        Samples a second (Hz).
    caption : str
        What is heard, in words.
    """

    picture: Picture
    sound: np.ndarray
    rate: int
    caption: str

    def html(self) -> str:
        """The picture, and under it a player that carries its own bytes."""
        return self.picture.html() + player(self.sound, self.rate, self.caption)

    @property
    def alt(self) -> str:
        """The picture's alternative text."""
        return self.picture.alt


def player(sound: np.ndarray, rate: int, caption: str) -> str:
    """A sound player with a caption, as HTML.

    Parameters
    ----------
    sound : ndarray, shape (samples,)
    rate : int
        Samples a second (Hz).
    caption : str
        What is heard, for whoever cannot hear it.

    Returns
    -------
    str
    """
    written = io.BytesIO()
    soundfile.write(written, sound, rate, format="WAV", subtype="PCM_16")
    encoded = base64.b64encode(written.getvalue()).decode()
    said = html.escape(caption, quote=True)
    return (
        f'<figure style="margin: 0.5em 0"><audio controls aria-label="{said}" '
        f'src="data:audio/wav;base64,{encoded}"></audio><figcaption>{said}</figcaption></figure>'
    )


class Explorer:
    """Controls above what a pure function draws, redrawn in place.

    Parameters
    ----------
    draw : callable
        Takes the controls' values by name, returns a `Picture` or `Heard`.
    caption : str
        What to try; stands above the controls.
    **controls : Widget
        One for each argument of `draw`. They work by mouse and by keyboard.

    Attributes
    ----------
    box : VBox
        The widget itself.
    shown : HTML
        Where the picture is; an error stands there in red.

    Notes
    -----
    A notebook that has no kernel shows the default picture instead.
    """

    def __init__(
        self, draw: Callable[..., Picture | Heard], caption: str, **controls: ipywidgets.Widget
    ) -> None:
        self.draw = draw
        self.controls = controls
        self.shown = ipywidgets.HTML()
        words = ipywidgets.HTML(f"<p>{html.escape(caption)}</p>")
        for control in controls.values():
            control.style.description_width = "10em"
            control.layout.width = "32em"
            control.observe(self._redraw, names="value")
        self._redraw()
        self.box = ipywidgets.VBox([words, *controls.values(), self.shown])

    def _redraw(self, _: object = None) -> None:
        settings = {name: control.value for name, control in self.controls.items()}
        try:
            self.shown.value = self.draw(**settings).html()
        except Exception as error:
            message = html.escape(f"{type(error).__name__}: {error}")
            self.shown.value = f'<p role="alert" style="color: #b00020">{message}</p>'

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {
            "text/html": self.shown.value,
            "text/plain": "A widget; run the cell to move it.",
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.box.model_id,
            },
        }


def _slider(
    description: str, value: float, low: float, high: float, step: float
) -> ipywidgets.Widget:
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    return kind(
        value, min=low, max=high, step=step, description=description, continuous_update=False
    )


def _choice(
    description: str, options: list[object], value: object | None = None
) -> ipywidgets.SelectionSlider:
    """A choice of few; its first option stands unless another value is named.

    A slider and no menu: JupyterLab takes the arrow keys away from a menu (ipywidgets issue 3912).
    """
    chosen = {} if value is None else {"value": value}
    return ipywidgets.SelectionSlider(
        options=options, description=description, continuous_update=False, **chosen
    )


def draw_clip(clips: pd.DataFrame, emotion: int, intensity: int, actor: int) -> Heard:
    """One clip: its sound over time and, where there is a picture, its middle frame.

    Parameters
    ----------
    clips : DataFrame
        What `ravdess.index` returned.
    emotion, intensity, actor : int
        Codes of the name.

    Returns
    -------
    Heard

    Raises
    ------
    ValueError
        If the table holds no such clip.
    """
    found = clips.query("emotion == @emotion and intensity == @intensity and actor == @actor")
    if found.empty:
        raise ValueError("there is no such clip here: neutral, for one, has no strong intensity")
    clip = found.iloc[0]
    sound, rate = audio.load(clip.sound)
    said = (
        f"Actor {actor} ({clip.sex}), {ravdess.EMOTIONS[emotion - 1]}, "
        f"{ravdess.INTENSITIES[intensity - 1]}: “{ravdess.STATEMENTS[clip.statement - 1]}”"
    )
    has_picture = isinstance(clip.picture, str | Path)
    figure, grid = plt.subplots(
        1, 1 + has_picture, figsize=(9, 2.6), width_ratios=[3, 2][: 1 + has_picture], squeeze=False
    )
    plots.waveform(grid[0, 0], sound, rate)
    loudest = np.abs(sound).max()
    grid[0, 0].set_title(f"loudest value {loudest:.2f}", fontsize=10)
    if has_picture:
        middle = video.duration(clip.picture) / 2
        grid[0, 1].imshow(video.frames_at(clip.picture, [middle])[0])
        grid[0, 1].set_title(f"frame at {middle:.1f} s", fontsize=10)
        grid[0, 1].axis("off")
    words = f"{said}. The waveform lasts {len(sound) / rate:.1f} s; loudest value {loudest:.2f}."
    return Heard(Picture.of(figure, words, ravdess.corpus(clips)), sound, rate, said)


def clip_chooser(clips: pd.DataFrame) -> Explorer:
    """Choose emotion, intensity and actor; see and hear the clip (lessons 00, 01)."""
    actors = sorted(int(actor) for actor in clips["actor"].unique())
    return Explorer(
        lambda emotion, intensity, actor: draw_clip(clips, emotion, intensity, actor),
        "Choose a performance, then play it.",
        emotion=_choice("emotion", [(name, code) for code, name in enumerate(ravdess.EMOTIONS, 1)]),
        intensity=_choice("intensity", [("normal", 1), ("strong", 2)]),
        actor=_choice("actor", [(f"{actor:02d}", actor) for actor in actors]),
    )


def draw_mfcc(
    sound: np.ndarray, rate: int, coefficients: int, hop: int, window: int, corpus: str
) -> Heard:
    """The way from a waveform to its MFCCs, in four panels.

    Parameters
    ----------
    sound : ndarray, shape (samples,), float32
    rate : int
        Samples a second (Hz).
    coefficients : int
        MFCCs to keep.
    hop, window : int
        Samples from one analysis frame to the next, and in one.
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Heard
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
    picture = Picture.of(figure, words, corpus)
    return Heard(picture, sound, rate, "The sound that the panels show")


def mfcc_inspector(sound: np.ndarray, rate: int, corpus: str) -> Explorer:
    """Move the settings of an MFCC and watch every step; play the sound (lesson 02)."""
    return Explorer(
        lambda coefficients, hop, window: draw_mfcc(sound, rate, coefficients, hop, window, corpus),
        "What does a longer window do to the stripes, and what to sudden changes? Find the window "
        "that shows the stripes best.",
        coefficients=_slider("coefficients", 40, 5, 80, 5),
        hop=_choice("hop (samples)", [128, 256, 512, 1024, 2048], 512),
        window=_choice("window (samples)", [256, 512, 1024, 2048, 4096, 8192], 2048),
    )


def draw_pairs(path: str | Path, window: float, offset: float, size: int, corpus: str) -> Picture:
    """The frame pairs of a clip.

    Parameters
    ----------
    path : str or Path
        An mp4 file.
    window, offset : float
        As `video.pair_times` (s).
    size : int
        Side of a frame (pixels).
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Picture
    """
    times = video.pair_times(video.duration(path), window, offset)
    pairs = video.frame_pairs(path, times, size)
    words = (
        f"{len(pairs)} frame pairs of {size} by {2 * size} pixels, one every {window:g} s, "
        f"the second frame {offset:g} s after the first."
    )
    return plots.strip(pairs, times, words, corpus)


def pair_scrubber(path: str | Path, corpus: str) -> Explorer:
    """Move window, offset and size of the frame pairs of a clip (lesson 02)."""
    return Explorer(
        lambda window, offset, size: draw_pairs(path, window, offset, size, corpus),
        "What is the smallest size at which you can still tell the emotion?",
        window=_slider("window (s)", 0.5, 0.3, 1.5, 0.1),
        offset=_slider("offset (s)", 0.25, 0.0, 0.5, 0.05),
        size=_choice("size (pixels)", [8, 16, 32, 64, 128], 64),
    )


@torch.no_grad()
def draw_filter(network: torch.nn.Module, samples: Samples, row: int, channel: int) -> Picture:
    """One filter of the image CNN's first layer, and how it responds to a frame pair.

    Parameters
    ----------
    network : ImageNetwork
    samples : Samples
    row : int
        Which frame pair.
    channel : int
        Which of the 16 filters.

    Returns
    -------
    Picture
    """
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
        lambda row, channel: draw_filter(network, samples, row, channel),
        "Which filter responds to edges of the mouth? Which to nothing?",
        channel=_slider("filter", 0, 0, network.cnn.layers[0].out_channels - 1, 1),
        row=_choice("frame pair", rows),
    )


def draw_auxiliary(runs: Mapping[float, pd.DataFrame], weight: float, corpus: str) -> Picture:
    """The validation accuracy of the fusion network's classifiers, for one auxiliary weight.

    Parameters
    ----------
    runs : mapping of float to DataFrame
        Auxiliary weight → what `training.fit` returned; one of them with the paper's weight, 1.
    weight : float
        Which run.
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Picture
    """
    history = runs[weight]
    figure, axes = plt.subplots(figsize=(8, 3.4))
    said = []
    for classifier in ("joint", "audio", "image"):
        line = history[(history["side"] == "validation") & (history["classifier"] == classifier)]
        style = plots.NETWORK_STYLES["fusion" if classifier == "joint" else classifier]
        axes.plot(line["epoch"], 100 * line["accuracy"], label=classifier, **style)
        said.append(f"{classifier} ends at {100 * line['accuracy'].iloc[-1]:.0f} %")
    axes.axhline(12.5, color="grey", linestyle=":", label="chance")
    axes.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 102))
    axes.set_title(f"auxiliary weight {weight:g}")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    words = f"Validation accuracy, weight {weight:g}: {', '.join(said)}."
    return Picture.of(figure, words, corpus)


def auxiliary_slider(runs: Mapping[float, pd.DataFrame], corpus: str) -> Explorer:
    """Slide over runs that were trained with different auxiliary weights (lesson 04)."""
    weights = ipywidgets.SelectionSlider(
        options=sorted(runs), value=1.0, description="auxiliary weight"
    )
    return Explorer(
        lambda weight: draw_auxiliary(runs, weight, corpus),
        "Slide to weight 0. What do the two auxiliary heads do, and why?",
        weight=weights,
    )


@torch.no_grad()
def draw_probe(
    network: torch.nn.Module, samples: Samples, row: int, mute: bool, blank: bool
) -> Picture:
    """What each classifier of the fusion network says, with a modality taken away if asked.

    Parameters
    ----------
    network : FusionNetwork
    samples : Samples
    row : int
        Which frame pair.
    mute, blank : bool
        Replace the MFCCs, or the image, by the training mean (zero, after normalising).

    Returns
    -------
    Picture
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
    for shift, (name, one) in zip((-0.27, 0, 0.27), logits.items(), strict=True):
        style = plots.NETWORK_STYLES["fusion" if name == "joint" else name]
        chances = one.softmax(dim=1)[0].cpu().numpy()
        hatch = {"joint": "", "audio": "//", "image": ".."}[name]
        right.bar(places + shift, chances, 0.27, label=name, color=style["color"], hatch=hatch,
                  edgecolor="white")  # fmt: skip
        said.append(f"{name} says {ravdess.EMOTIONS[chances.argmax()]} ({chances.max():.2f})")
    right.set(ylim=(0, 1), ylabel="probability")
    right.set_xticks(places, ravdess.EMOTIONS, rotation=30)
    right.legend(frameon=False)
    given = f"sound {'off' if mute else 'on'} and picture {'off' if blank else 'on'}"
    words = f"True: {ravdess.EMOTIONS[label]}. With {given}: {', '.join(said)}."
    return Picture.of(figure, words, samples.corpus)


def fusion_probe(network: torch.nn.Module, samples: Samples, rows: list[int]) -> Explorer:
    """Take the sound or the picture away and watch the three classifiers (lesson 04)."""
    return Explorer(
        lambda row, mute, blank: draw_probe(network, samples, row, mute, blank),
        "Mute the sound. Which classifier cannot notice?",
        row=_choice("frame pair", rows),
        mute=ipywidgets.Checkbox(False, description="mute the sound"),
        blank=ipywidgets.Checkbox(False, description="blank the picture"),
    )


def draw_confusion_cell(
    predictions: pd.DataFrame, clips: pd.DataFrame, true: int, predicted: int, number: int
) -> Heard:
    """One of the clips that a cell of a confusion matrix counts.

    Parameters
    ----------
    predictions : DataFrame
        One row a clip, as `metrics.by_clip` gives.
    clips : DataFrame
        What `ravdess.index` returned.
    true, predicted : int
        Emotion codes of the cell's row and column.
    number : int
        Which clip of the cell, from 1.

    Returns
    -------
    Heard

    Raises
    ------
    ValueError
        If the cell counts no clip.
    """
    inside = predictions[
        (predictions["label"] == true) & (metrics.predicted(predictions) == predicted)
    ]
    if inside.empty:
        raise ValueError(
            f"no {ravdess.EMOTIONS[true - 1]} clip was taken for {ravdess.EMOTIONS[predicted - 1]}"
        )
    chosen = inside.iloc[(number - 1) % len(inside)]
    clip = clips.set_index("clip").loc[chosen["clip"]]
    shown = draw_clip(
        clips[clips["clip"] == chosen["clip"]], clip.emotion, clip.intensity, clip.actor
    )
    certainty = np.exp(chosen[f"log_prob_{predicted}"])
    said = (
        f"{shown.caption}. Predicted: {ravdess.EMOTIONS[predicted - 1]} "
        f"(probability {certainty:.2f}). "
        f"Clip {(number - 1) % len(inside) + 1} of {len(inside)} in this cell"
    )
    return Heard(shown.picture, shown.sound, shown.rate, said)


def confusion_browser(predictions: pd.DataFrame, clips: pd.DataFrame) -> Explorer:
    """See and hear the clips behind each cell of a confusion matrix (lesson 05)."""
    named = [(name, code) for code, name in enumerate(ravdess.EMOTIONS, 1)]
    fullest = np.argmax(metrics.confusion(predictions).to_numpy())
    true, predicted = np.unravel_index(fullest, (len(named), len(named)))
    return Explorer(
        lambda true, predicted, number: draw_confusion_cell(
            predictions, clips, true, predicted, number
        ),
        "Choose a cell of the matrix: the true label, and the predicted one.",
        true=_choice("true", named, int(true) + 1),
        predicted=_choice("predicted", named, int(predicted) + 1),
        number=_slider("clip", 1, 1, 10, 1),
    )


def draw_interval(predictions: pd.DataFrame, over: str, actors: int, corpus: str) -> Picture:
    """Accuracies with clips or actors drawn again and again, and their 95 % interval.

    Parameters
    ----------
    predictions : DataFrame
        One row a clip, as `metrics.by_clip` gives.
    over : str
        The column whose values are drawn: ``clip`` or ``actor``.
    actors : int
        How many of the actors were tested, the first ones.
    corpus : str
        As in `Picture.of`.

    Returns
    -------
    Picture
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
        lambda over, actors: draw_interval(predictions, over, actors, corpus),
        "How many actors must a test have until the two intervals are of one width?",
        over=_choice("drawn again", ["clip", "actor"], "actor"),
        actors=_slider("actors", actors, 3, actors, 1),
    )
