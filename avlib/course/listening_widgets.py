"""Widgets of the lesson on your own voice: a spoilt recording, a test's width, a listening quiz.

Shells over pure functions, as in `widgets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from avlib import course, practice
from avlib.corpus import ravdess
from avlib.corpus.ravdess import EMOTIONS
from avlib.course.widgets import Explorer, Heard, alert, bundle, choice, player
from avlib.evaluation import listening, plots
from avlib.evaluation.listening import Recogniser
from avlib.evaluation.plots import Picture
from avlib.features import audio, functionals, spoil

_KINDS = ("as it is", "softer", "louder", "noise", "room", "telephone")


def strangers(clips: pd.DataFrame, recogniser: Recogniser) -> pd.DataFrame:
    """Those of some clips whose speakers a recogniser never learned from; or practice clips.

    What it says of the others flatters it. `clips` is what `ravdess.index` returned; where none is
    by a stranger, the practice corpus takes their place, and this says so.
    """
    header = recogniser.header
    learned = set(header["actors"]) if ravdess.corpus(clips) == header["measured_on"] else set()
    others = clips[~clips["actor"].isin(learned) & clips["sound"].notna()]
    if len(others):
        return others.reset_index(drop=True)
    print("The recogniser learned from all of these actors: practice clips take their place.")
    return ravdess.index(practice.write(course.data_folder() / "practice"))


def draw_spoilt(sound: np.ndarray, rate: int, kind: str, much: int, corpus: str) -> Heard:
    """A recording spoilt in some way, its spectrogram, and what the recogniser makes of it.

    `much` is 1 to 4: 10 dB each, of level or toward the noise; 0.2 s each of echo.
    """
    ways = {
        "as it is": (spoil.clean, "as it is"),
        "softer": (spoil.level(-10 * much), f"{10 * much} dB softer"),
        "louder": (spoil.level(5 * much), f"{5 * much} dB louder, clipped at full scale"),
        "noise": (spoil.noise(40 - 10 * much), f"with noise {40 - 10 * much} dB under the voice"),
        "room": (spoil.room(0.2 * much), f"in a room that rings for {0.2 * much:.1f} s"),
        "telephone": (spoil.telephone, "by telephone"),
    }
    way, said = ways[kind]
    spoilt = way(sound, rate, np.random.default_rng(0))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=[1, 1.3])
    voice = functionals.analyse(*spoilt)
    plots.heat(left, voice.mel, voice.seconds, "mel band", "power (dB)")
    left.set_title(f"what is heard, {said}")
    words = []
    judge, places = Recogniser.load(), np.arange(len(EMOTIONS))
    for shift, name, hatch, (one, its_rate) in (
        (-0.2, "before", "", (sound, rate)), (0.2, "spoilt", "//", spoilt),
    ):  # fmt: skip
        heard = judge.judge(name, listening.stretches(one, its_rate))
        shares = list(heard.probabilities.values())
        right.bar(places + shift, shares, 0.4, label=name, hatch=hatch, edgecolor="white")
        words.append(f"{name}: {heard.sentence()}")
    right.set(ylim=(0, 1), ylabel="probability")
    right.set_xticks(places, EMOTIONS, rotation=30)
    right.legend(frameon=False)
    return Heard(Picture.of(figure, "; ".join(words) + ".", corpus), *spoilt, f"The clip, {said}")


def spoil_probe(path: str | Path, corpus: str) -> Explorer:
    """Spoil a recording, hear it, and see whether the recogniser still knows it (lesson 10)."""
    return Explorer(
        partial(draw_spoilt, *audio.load(path), corpus=corpus),
        "Which changes the answer soonest: level, noise, a room or the telephone?",
        kind=choice("how", _KINDS, "noise"),
        much=choice("how much", range(1, 5)),
    )


def draw_width(clips: int, share: float) -> Picture:
    """How wide the 95 % interval of a test of so many clips is, if that share was right."""
    right = round(share * clips)
    low, high = binomtest(right, clips).proportion_ci(method="wilson")
    figure, axes = plt.subplots(figsize=(8, 1.6))
    axes.errorbar(
        [right / clips], [0], xerr=[[right / clips - low], [high - right / clips]],
        fmt="o", capsize=6, linewidth=2,
    )  # fmt: skip
    axes.axvline(1 / 8, color="black", linestyle=":")
    axes.text(1 / 8, 0.32, " chance", ha="left")
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5), yticks=[], xlabel="share that is right")
    axes.set_title(f"{right} of {clips} right: between {low:.2f} and {high:.2f}")
    words = (
        f"A test of {clips} clips, {right} right, {right / clips:.2f}; 95 % interval {low:.2f} to "
        f"{high:.2f}, {high - low:.2f} wide; chance is 0.125."
    )
    return Picture.of(figure, words)


def width_slider() -> Explorer:
    """Move the size of a test, and watch its interval (lesson 10)."""
    return Explorer(
        draw_width,
        "How many clips must a test have before its interval is a tenth wide?",
        clips=choice("clips", [8, 16, 32, 64, 128, 256, 512, 1024], 16),
        share=choice("share right", [0.25, 0.5, 0.75, 0.9], 0.5),
    )


def paired(first: Sequence[bool], second: Sequence[bool]) -> tuple[float, float, float]:
    """How much oftener the first is right than the second on the same clips, with a 95 % interval.

    The mean of the differences clip by clip, and 1.96 standard errors to each side.

    >>> [round(each, 2) for each in paired([1, 1, 1, 0], [1, 0, 1, 0])]
    [0.25, -0.24, 0.74]
    """
    differences = np.subtract(np.asarray(first, float), np.asarray(second, float))
    error = 1.96 * differences.std(ddof=1) / np.sqrt(len(differences))
    middle = float(differences.mean())
    return middle, float(middle - error), float(middle + error)


def verdict(answers: Sequence[str], machine: Sequence[str], truth: Sequence[str]) -> str:
    """Who knew more clips, you or the recogniser, and how sure that is, in words."""
    you, it = ([one == true for one, true in zip(each, truth, strict=True)]
               for each in (answers, machine))  # fmt: skip
    middle, low, high = paired(you, it)
    shown = "That is too few clips to say who hears better."
    if low == high:
        shown = "Every clip says the same, and no interval can be drawn."
    elif low > 0:
        shown = "You are shown to hear better."
    elif high < 0:
        shown = "It is shown to hear better."
    return (
        f"You knew {sum(you)} of {len(truth)}, the recogniser {sum(it)}; the difference is "
        f"{middle:+.2f}, between {low:+.2f} and {high:+.2f}. {shown}"
    )


class Quiz:
    """Hear clips and name the emotion; then see what the recogniser made of the same ones.

    `clips` is what `ravdess.index` returned; `count` of them are drawn by `seed`, two of each
    emotion where there are 16. Answers are kept in `answers`, nowhere else.
    """

    def __init__(self, clips: pd.DataFrame, count: int = 16, seed: int = 0) -> None:
        drawn = clips.groupby("emotion").sample(-(-count // len(EMOTIONS)), random_state=seed)
        self.drawn = drawn.sample(frac=1, random_state=seed).head(count).reset_index(drop=True)
        self.corpus, self.answers = ravdess.corpus(clips), []
        self.shown = ipywidgets.HTML()
        self.buttons = [ipywidgets.Button(description=name) for name in EMOTIONS]
        for button in self.buttons:
            button.on_click(self._answered)
        row = ipywidgets.HBox(self.buttons, layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.box = ipywidgets.VBox([self.shown, row])
        self._show()

    def _answered(self, button: ipywidgets.Button) -> None:
        if len(self.answers) < len(self.drawn):
            self.answers.append(button.description)
            self._show()

    def _show(self) -> None:
        number = len(self.answers)
        try:
            self.shown.value = self._asked(number) if number < len(self.drawn) else self.result()
        except Exception as error:
            self.shown.value = alert(error)

    def _asked(self, number: int) -> str:
        clip = self.drawn.iloc[number]
        said = f"Clip {number + 1} of {len(self.drawn)}. Which emotion is acted?"
        return f"<p>{said}</p>" + player(*audio.load(clip.sound), f"A clip, actor {clip.actor}")

    def result(self) -> str:
        """The two scores, with what each said of every clip, as HTML."""
        paths = [Path(path) for path in self.drawn["sound"]]
        heard, _ = listening.predict(paths, progress=False, jobs=1)
        machine = [each.emotion for each in heard]
        truth = [EMOTIONS[code - 1] for code in self.drawn["emotion"]]
        table = pd.DataFrame({"acted": truth, "you": self.answers, "recogniser": machine})
        table.index += 1
        return f"<p>{verdict(self.answers, machine, truth)} ({self.corpus})</p>{table.to_html()}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return bundle(self.box, self.shown.value)
