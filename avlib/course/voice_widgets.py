"""Widgets of the lesson on unseen speakers: a voice's contours, known clips, a fusion weight.

Shells over pure functions, as in `widgets`.
"""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from avlib.corpus import ravdess
from avlib.course.widgets import EMOTION_CODES, Explorer, Heard, choice, find_clip, player
from avlib.evaluation import plots
from avlib.evaluation.plots import Picture
from avlib.features import audio, functionals

__all__ = [
    "contour_viewer",
    "draw_contours",
    "draw_known",
    "draw_weight",
    "known_slider",
    "player",
    "weight_slider",
]
_SECOND = functionals.HOP / functionals.RATE  # from one frame of a voice to the next
_WEIGHTS = [twentieths / 20 for twentieths in range(21)]


def draw_contours(clips: pd.DataFrame, emotion: int, intensity: int, actor: int) -> Heard:
    """The pitch and the loudness of one clip over time, and what trimming leaves of it.

    `clips` is what `ravdess.index` returned; raises `ValueError` if it holds no such clip.
    """
    clip, said = find_clip(clips, emotion, intensity, actor)
    sound, rate = audio.load(clip.sound)
    voice = functionals.analyse(sound, rate)
    pitch = np.full(len(voice.level), np.nan)
    pitch[voice.voiced] = voice.pitch
    # As loud as the recording is, not as all are brought to.
    level = voice.level + voice.loudness - 20 * np.log10(functionals.EVEN)
    time = voice.start + np.arange(len(pitch)) * _SECOND
    whole, end = len(sound) / rate, voice.start + voice.seconds
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 4.4), sharex=True)
    above.plot(time, pitch, ".", markersize=4, color=plots.OKABE_ITO[0])
    above.set(ylabel="pitch (semitones\nover 27.5 Hz)", ylim=(14, 58))
    hertz = above.secondary_yaxis(
        "right", functions=(lambda high: 27.5 * 2 ** (high / 12), _semitones)
    )
    hertz.set(ylabel="pitch (Hz)", yticks=[100, 200, 400])
    below.plot(time, level, color=plots.OKABE_ITO[1])
    below.set(xlabel="time (s)", ylabel="loudness (dB)", xlim=(0, whole), ylim=(-100, 0))
    for axes in (above, below):
        for left, right in ((0, voice.start), (end, whole)):
            axes.axvspan(left, right, color="grey", alpha=0.25, hatch="//", linewidth=0)
    below.text(voice.start / 2, -10, "trimmed", ha="center", va="top")
    low, middle, high = np.percentile(voice.pitch, (20, 50, 80))
    words = (
        f"{said}. Two curves over {whole:.1f} s; hatched is the silence that is trimmed, "
        f"{voice.start:.2f} s at the beginning and {whole - end:.2f} s at the end. Pitch: middle "
        f"{middle:.0f} semitones over 27.5 Hz ({27.5 * 2 ** (middle / 12):.0f} Hz), most of it "
        f"within {high - low:.1f} semitones. Loudness: at most {level.max():.0f} dB, "
        f"on average {level.mean():.0f} dB."
    )
    return Heard(Picture.of(figure, words, ravdess.corpus(clips)), sound, rate, said)


def _semitones(hertz: np.ndarray) -> np.ndarray:
    """Semitones over 27.5 Hz, of what may be 0 where matplotlib asks for it."""
    return 12 * np.log2(np.maximum(hertz, 1) / 27.5)


def contour_viewer(clips: pd.DataFrame) -> Explorer:
    """Hear a clip, and see its pitch and its loudness over time (lesson 09)."""
    return Explorer(
        partial(draw_contours, clips),
        "Choose a performance and play it. Which of the two curves changes more from emotion to "
        "emotion? And which from actor to actor?",
        emotion=choice("emotion", EMOTION_CODES, 5),
        intensity=choice("intensity", [("normal", 1), ("strong", 2)], 2),
        actor=choice("actor", [(f"{one:02d}", one) for one in sorted(set(clips["actor"]))]),
    )


def draw_known(curves: dict[str, pd.DataFrame], known: str, corpus: str) -> Picture:
    """Accuracy by how many clips of the speaker are known, with its 95 % interval.

    `curves` maps what the legend says to a table with the columns ``speaker_clips`` (text, the
    same in each), ``accuracy``, ``low`` and ``high`` (shares); `known` is one of ``speaker_clips``.
    """
    figure, axes = plt.subplots(figsize=(8, 3.8))
    said = []
    styles = zip(curves.items(), (("o", "-"), ("s", "--")), (-0.06, 0.06), strict=False)
    for number, ((name, curve), (marker, dash), shift) in enumerate(styles):
        share = 100 * curve[["accuracy", "low", "high"]].to_numpy().T
        style = {"color": plots.OKABE_ITO[number], "marker": marker, "linestyle": dash}
        places = np.arange(len(curve)) + shift
        reach = [share[0] - share[1], share[2] - share[0]]
        axes.errorbar(places, share[0], reach, label=name, capsize=3, **style)
        at = curve["speaker_clips"].tolist().index(known)
        axes.plot(places[at], share[0][at], marker, markersize=13, color=style["color"])
        middle, low, high = share[:, at]
        said.append(f"{name} {middle:.1f} % ({low:.1f} to {high:.1f} %)")
    axes.axhline(12.5, color="grey", linestyle=":", label="chance")
    axes.set_xticks(range(len(curve)), curve["speaker_clips"])
    axes.set(xlabel="clips of the speaker that are known", ylabel="accuracy (%)", ylim=(0, 100))
    axes.set_title(f"{known} clips known: " + "; ".join(part.split(" (")[0] for part in said))
    axes.legend(frameon=False, loc="lower right")
    words = f"Accuracy about speakers of whom {known} clips are known: {'; '.join(said)}."
    return Picture.of(figure, words, corpus)


def known_slider(curves: dict[str, pd.DataFrame], corpus: str) -> Explorer:
    """Get to know a speaker clip by clip, here and on RAVDESS (lesson 09)."""
    counts = next(iter(curves.values()))["speaker_clips"].tolist()
    return Explorer(
        partial(draw_known, curves, corpus=corpus),
        "Where does one more clip bring most? Is the step from 0 to 1 larger than its interval?",
        known=choice("known clips", counts, counts[0]),
    )


def draw_weight(
    voice: np.ndarray,
    face: np.ndarray,
    emotion: np.ndarray,
    fitted: float,
    weight: float,
    corpus: str,
) -> Picture:
    """How often a weighted sum of two opinions is right, for every weight of the face, 0 to 1.

    `voice` and `face` are log-probabilities, ``(clips, 8)``, `emotion` the true codes, 1–8, and
    `fitted` the share of the face in the weights that were fitted. The voice weighs the rest.
    """

    def right(share: float) -> float:
        total = share * face + (1 - share) * voice
        return 100 * float((total.argmax(axis=1) + 1 == emotion).mean())

    line = [right(share) for share in _WEIGHTS]
    figure, axes = plt.subplots(figsize=(8, 3.6))
    axes.plot(_WEIGHTS, line, marker=".", color=plots.OKABE_ITO[0], label="weighted sum")
    axes.plot(weight, right(weight), "o", markersize=12, color=plots.OKABE_ITO[1], label="chosen")
    axes.axvline(fitted, color="black", linestyle=":", label="fitted")
    axes.set(
        xlabel="weight of the face (0: voice alone, 1: face alone)",
        ylabel="accuracy (%)\nheld-out training speakers",
        ylim=(0, 100),
    )
    axes.set_title(f"weight of the face {weight:.2f}: {right(weight):.1f} %")
    axes.legend(frameon=False, loc="lower left")
    words = (
        f"Accuracy on held-out training speakers by the weight of the face: {right(weight):.1f} % "
        f"at {weight:.2f}; {line[0]:.1f} % by voice alone, {line[-1]:.1f} % by face alone. The "
        f"fitted weights lie at {fitted:.2f}, where it is {right(fitted):.1f} %."
    )
    return Picture.of(figure, words, corpus)


def weight_slider(
    voice: np.ndarray, face: np.ndarray, emotion: np.ndarray, fitted: float, corpus: str
) -> Explorer:
    """Weigh the face against the voice (lesson 09)."""
    return Explorer(
        partial(draw_weight, voice, face, emotion, fitted, corpus=corpus),
        "Find the best weight by hand. How near does the fitted one come? How flat is the top?",
        weight=choice("weight of the face", [(f"{w:.2f}", w) for w in _WEIGHTS], 0.5),
    )
