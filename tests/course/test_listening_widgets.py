"""The widgets of the lesson on your own voice, without a browser."""

import re

import numpy as np
import pandas as pd
import pytest
from exercises import exercises
from scipy.stats import binomtest

from avlib import practice
from avlib.corpus import ravdess
from avlib.corpus.ravdess import EMOTIONS
from avlib.course import listening_widgets as widgets
from avlib.evaluation import listening
from avlib.features import audio


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Eight practice clips of one actor, one of each emotion."""
    folder = tmp_path_factory.mktemp("spoken")
    names = list({name.emotion: name for name in practice.first()}.values())
    practice.write(folder, 1, modalities=[3], names=names, progress=False, jobs=1)
    return ravdess.index(folder)


@pytest.mark.parametrize("kind", widgets._KINDS)
def test_a_spoilt_clip_is_heard_before_and_after(spoken: pd.DataFrame, kind: str) -> None:
    sound, rate = audio.load(spoken["sound"].iloc[4])
    heard = widgets.draw_spoilt(sound, rate, kind, 2, "practice corpus")
    before, after = re.match(r"before: (.*); spoilt: (.*)\. Made from", heard.picture.alt).groups()
    if kind in ("as it is", "softer"):  # the recogniser does not follow the level
        assert before == after
    if kind in ("noise", "room", "telephone"):
        assert before != after
    assert len(heard.sound) / heard.rate == pytest.approx(len(sound) / rate, abs=0.01)


@pytest.mark.parametrize(("clips", "share"), [(16, 0.5), (1024, 0.9)])
def test_a_tests_width_is_wilsons(clips: int, share: float) -> None:
    low, high = binomtest(round(share * clips), clips).proportion_ci(method="wilson")
    assert f"95 % interval {low:.2f} to {high:.2f}" in widgets.draw_width(clips, share).alt


def test_the_paired_interval_is_the_lessons() -> None:
    rng = np.random.default_rng(0)
    you, network = rng.random(40) < 0.7, rng.random(40) < 0.4
    lesson = next(each.solution for each in exercises() if each.number == "10.3")
    names: dict[str, object] = {"np": np}
    exec(lesson, names)
    np.testing.assert_allclose(widgets.paired(you, network), names["difference"](you, network))


def test_who_hears_better_is_said_only_when_it_is_shown() -> None:
    truth = list(EMOTIONS) * 2
    other = truth[1:] + truth[:1]
    assert "16 of 16" not in widgets.verdict(other, truth, truth)
    assert "It is shown to hear better" in widgets.verdict(other, [*truth[:15], "x"], truth)
    assert "You are shown" in widgets.verdict([*truth[:15], "x"], other, truth)
    assert "too few clips" in widgets.verdict(truth[:8] + other[8:], truth[:7] + other[7:], truth)


def test_clips_that_were_learned_from_are_left_out(
    spoken: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    judge = listening.Recogniser.load()
    assert len(widgets.strangers(spoken, judge)) == len(spoken)
    both = pd.concat([spoken, spoken.assign(actor=20)]).assign(practice=False)
    assert set(widgets.strangers(both, judge)["actor"]) == {20}
    monkeypatch.setattr(widgets.practice, "write", lambda _: spoken["sound"].iloc[0].parent)
    stand_in = widgets.strangers(spoken.assign(practice=False), judge)
    assert len(stand_in) == len(spoken)
    assert "learned from all of these actors" in capsys.readouterr().out


def test_the_quiz_asks_every_clip_once_and_compares(spoken: pd.DataFrame) -> None:
    quiz = widgets.Quiz(spoken, count=8)
    assert sorted(quiz.drawn["emotion"]) == list(range(1, 9))
    for number, code in enumerate(quiz.drawn["emotion"]):
        assert f"Clip {number + 1} of 8" in quiz.shown.value
        told = re.sub('base64,[^"]*', "", quiz.shown.value)  # where any letters may stand
        assert EMOTIONS[code - 1] not in told  # nothing is given away
        quiz.buttons[code - 1].click()
    assert "You knew 8 of 8, the recogniser" in quiz.shown.value
    quiz.buttons[0].click()  # after the end nothing is taken
    assert len(quiz.answers) == 8
    bundle = quiz._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == quiz.box.model_id
