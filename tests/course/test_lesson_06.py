"""Lesson 06: the judge of the learner's interval, and that the text says what comes out."""

import re

import numpy as np
import pandas as pd
import pytest
from exercises import exercises
from shown import executed, said_by, shown

from avlib.course import checks
from avlib.course.checks import lesson_06
from avlib.evaluation import metrics


def solved(number: str) -> dict[str, object]:
    """The lesson's names, and what an exercise's folded solution defines."""
    names = vars(shown("06"))
    exec(next(each.solution for each in exercises() if each.number == number), names)
    return names


def test_the_learners_interval_is_that_of_the_lesson_and_within_avlibs() -> None:
    names, random = solved("6.2"), np.random.default_rng(0)
    actor = np.repeat(np.arange(16), 30)
    right = random.random(480) < random.uniform(0.2, 0.8, 16)[actor]
    low, high = names["interval_over_actors"](right, actor)
    lessons = np.quantile(names["drawn_again"](right, actor), [0.025, 0.975])
    np.testing.assert_allclose([low, high], lessons, atol=0.015)
    lower, higher = metrics.interval(names["as_predictions"](right, actor))
    assert lower < low < right.mean() < high < higher


def test_the_judge_names_each_mistake_whatever_input_it_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exercise = next(each for each in exercises() if each.number == "6.2")
    for variant in lesson_06._TRIED[:4]:
        monkeypatch.setattr(lesson_06, "_TRIED", [variant])
        for answer, hint in exercise.mistakes:
            names = vars(shown("06"))
            exec(answer, names)
            assert re.search(hint, checks.judge("6.2", names["interval_over_actors"])), variant


def test_bounds_learnt_by_heart_do_not_pass() -> None:
    """The input is at times turned round, so that right is wrong."""
    inputs = [lesson_06._few_actors(np.random.default_rng(each)) for each in lesson_06._TRIED]
    assert len({round(right.mean(), 3) for right, _ in inputs}) == 2


@pytest.fixture(scope="module")
def printed() -> str:
    return "\n".join(said_by(executed("06")))


def table(printed: str, *rows: str) -> pd.DataFrame:
    """The last two numbers of the rows of a table that was printed."""
    found = {row: re.search(rf"^{row} .*?([\d.]+) +([\d.]+)$", printed, re.M) for row in rows}
    return pd.DataFrame({row: map(float, each.groups()) for row, each in found.items()}).T


@pytest.mark.slow
class TestWhatTheTextSays:
    """On the practice corpus; most sentences are chosen by the lesson's own code."""

    def test_strangers_cost_accuracy_and_leave_more_than_nothing(self, printed: str) -> None:
        low = re.search(r"lost: [\d.]+ points, 95 % interval ([+-][\d.]+) to", printed)[1]
        assert float(low) > 0
        assert 0 < int(re.search(r"(\d+) % is left", printed)[1]) < 100

    def test_features_tell_the_actor_better_than_the_emotion(self, printed: str) -> None:
        ways = table(printed, "40 mean MFCCs", "small frame pair", "audio embedding")
        assert (ways[0] > ways[1]).all()
        assert "It came out as: the actor." in printed

    def test_one_network_for_all_folds_flatters(self, printed: str) -> None:
        fresh, one = re.search(
            r"each fold ([\d.]+) %, one network for all ([\d.]+) %", printed
        ).groups()
        assert float(one) > float(fresh) + 1
        assert "It came out as: higher." in printed

    def test_six_copies_make_an_interval_narrower_by_the_root_of_six(self, printed: str) -> None:
        assert "It came out as: 2.4." in printed

    def test_only_clips_of_equal_actors_and_the_jackknife_keep_the_promise(
        self, printed: str
    ) -> None:
        kept = table(
            printed, "bootstrap over pairs", "bootstrap over clips", "bootstrap over actors",
            "metrics.interval",
        )  # fmt: skip
        assert (kept.loc["bootstrap over pairs"] < 65).all()
        assert kept.loc["bootstrap over clips", 0] > 92 > kept.loc["bootstrap over clips", 1]
        assert kept.loc["bootstrap over actors"].between(87, 95).all()
        assert (kept.loc["metrics.interval"] > 92).all()

    def test_actors_differ_only_where_the_test_finds_it(self, printed: str) -> None:
        p = float(re.search(r"p = ([\d.]+)", printed)[1])
        said = "no difference between the actors has been shown" in printed
        assert said == (p >= 0.05)
        assert "It came out as: 30." in printed  # by luck alone

    def test_the_other_predictions_come_out_as_the_text_explains(self, printed: str) -> None:
        assert "It came out as: shown to help." in printed
        assert "It came out as: another." in printed
