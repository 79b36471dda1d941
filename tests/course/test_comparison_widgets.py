"""What lesson 05 draws and ships: splits, a matrix to press, and where fusion wins."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from shown import shown

from avlib import features
from avlib.course import comparison_widgets as widgets
from avlib.evaluation import experiments, metrics


def predictions(rows: pd.DataFrame, told: np.ndarray) -> pd.DataFrame:
    """By clip, sure of what is told, emotion codes, of each row."""
    logs = np.full((len(rows), 8), -20.0)
    logs[np.arange(len(rows)), told - 1] = 0.0
    known = rows[["clip", "actor"]].assign(label=rows["emotion"]).reset_index(drop=True)
    return metrics.by_clip(known.join(pd.DataFrame(logs, columns=metrics.LOG_COLUMNS)))


@pytest.fixture
def mistaken(built: features.FeatureStore) -> pd.DataFrame:
    """All clips predicted rightly, but for angry, taken for sad, and one happy clip."""
    told = built.rows["emotion"].to_numpy().copy()
    told[told == 5] = 4
    one = built.rows.loc[built.rows["emotion"] == 3, "clip"].iloc[0]
    told[(built.rows["clip"] == one).to_numpy()] = 8
    return predictions(built.rows, told)


def test_the_drawn_splits_say_who_is_on_both_sides(built: features.FeatureStore) -> None:
    lesson = shown("05")
    sides = {
        unit: lesson.split_by(built.rows, columns, seed=0) for unit, columns in lesson.UNITS.items()
    }
    words = widgets.draw_splits(built.rows, sides, "practice corpus").alt
    assert "split by pair, tested actors 4, of them trained on 4" in words
    assert "split by actor, tested actors 1, of them trained on 0" in words
    for unit, (train, _, test) in sides.items():  # what the text says of the picture
        met = built.rows["actor"].iloc[test].isin(built.rows["actor"].iloc[train])
        assert met.mean() == (unit != "actor"), unit


def luminance(colour: str) -> float:
    """WCAG's relative luminance of white, black or #rrggbb."""
    code = {"white": "#ffffff", "black": "#000000"}.get(colour, colour)
    channels = np.array([int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_count_can_be_read_on_its_colour() -> None:
    counts = np.zeros((8, 8), int)
    counts[0] = [0, 1, 2, 3, 4, 5, 6, 7]
    counts[1] = [50, 20, 10, 8, 6, 3, 2, 1]
    counts[2, 2] = 3
    html = widgets.confusion_table(metrics.with_names(counts))
    pairs = re.findall(r"background: (#\w{6}); color: (\w+)", html)
    assert len(pairs) == 64
    for pair in pairs:
        low, high = sorted(map(luminance, pair))
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair


def test_the_browser_opens_at_the_fullest_cell_of_mistakes(
    clips: pd.DataFrame, mistaken: pd.DataFrame
) -> None:
    browser = widgets.confusion_browser(mistaken, clips)
    matrix = browser.controls["cell"]
    assert matrix.value == [4, 3, 1]  # angry, taken for sad
    count = metrics.confusion(mistaken).loc["angry", "sad"]
    assert f"Predicted: sad (probability 1.00). Clip 1 of {count}" in browser.shown.value
    captions = set()
    for number in range(1, count + 1):  # none shows what another showed
        matrix.value = [4, 3, number]
        assert f"Clip {number} of {count}" in browser.shown.value
        captions.add(re.search('aria-label="Film: (.*?)"', browser.shown.value)[1])
    assert len(captions) == count
    matrix.value = [0, 0, 1]
    assert "Predicted: neutral" in browser.shown.value
    assert "<video controls" in browser.shown.value


def test_what_counts_no_clip_is_no_button(clips: pd.DataFrame, mistaken: pd.DataFrame) -> None:
    browser = widgets.confusion_browser(mistaken, clips)
    counts = metrics.confusion(mistaken).to_numpy()
    cells = re.findall(r'data-cell="(\d) (\d)"', browser.controls["cell"].table)
    assert {(int(row), int(column)) for row, column in cells} == set(
        zip(*counts.nonzero(), strict=True)
    )
    for row, column in cells:  # and each button plays
        browser.controls["cell"].value = [int(row), int(column), 1]
        assert "<video controls" in browser.shown.value
    with pytest.raises(ValueError, match="no angry clip was taken for happy"):
        widgets.draw_confusion_cell(mistaken, clips, 5, 3, 1)


def test_where_nothing_is_mistaken_it_opens_on_the_diagonal(
    clips: pd.DataFrame, built: features.FeatureStore
) -> None:
    right = predictions(built.rows, built.rows["emotion"].to_numpy())
    row, column, _ = widgets.confusion_browser(right, clips).controls["cell"].value
    assert row == column


def test_without_a_kernel_matrix_and_film_are_there(
    clips: pd.DataFrame, mistaken: pd.DataFrame
) -> None:
    page = widgets.confusion_browser(mistaken, clips)._repr_mimebundle_()["text/html"]
    assert 'class="avlib-confusion"' in page
    assert "<button" not in page  # nobody would answer it
    assert "<video controls" in page


def test_differences_are_drawn_with_their_words() -> None:
    gain = np.array([0.1, -0.05, 0.2, 0.15])
    words = widgets.draw_differences({"a − b": gain}, {"a − b": (-0.02, 0.22)}, "RAVDESS").alt
    assert "a − b: +10.0 points, interval -2.0 to +22.0, above zero for 3 of 4 actors" in words
    assert words.startswith("On RAVDESS, ")


class TestWins:
    """What comes with avlib of the runs that lesson 05 has no time for."""

    @pytest.fixture
    def accuracy(self) -> pd.DataFrame:
        counts = experiments.counts_by_actor()
        right = counts.groupby(["corpus", "network", "actor"])[["right", "clips"]].sum()
        return (right["right"] / right["clips"]).unstack("network")

    def test_every_actor_is_tested_with_as_many_clips(self) -> None:
        counts = experiments.counts_by_actor()
        assert set(counts["corpus"]) == {"RAVDESS", "practice corpus"}
        assert (counts["right"] <= counts["clips"]).all()
        for _, each in counts.groupby("corpus"):
            assert each["clips"].nunique() == 1  # so that means over actors are accuracies
            assert len(each) == each["network"].nunique() * each["seed"].nunique() * 16

    @pytest.mark.parametrize("corpus", ["RAVDESS", "practice corpus"])
    def test_fusion_wins_somewhere(self, accuracy: pd.DataFrame, corpus: str) -> None:
        found = accuracy.loc[corpus]
        for than in ("audio", "image"):
            paired = stats.ttest_rel(found["balanced"], found[than])
            assert paired.confidence_interval(0.95).low > 0, than

    def test_the_interval_of_the_exercise_is_that_of_metrics(self) -> None:
        random = np.random.default_rng(0)
        rows = pd.DataFrame({"actor": np.repeat(np.arange(9), 30), "label": 1})
        rows["clip"] = np.arange(len(rows)).astype(str)
        tables = []
        for level in (0.6, 0.4):
            wrong = random.random(len(rows)) > level + 0.05 * (rows["actor"] % 3)
            logs = np.where(np.arange(8) == wrong.to_numpy()[:, None], 0.0, -9.0)
            tables.append(rows.join(pd.DataFrame(logs, columns=metrics.LOG_COLUMNS)))
        each = [metrics.accuracy_by(table)["accuracy"] for table in tables]
        paired = stats.ttest_rel(*each).confidence_interval(0.95)
        np.testing.assert_allclose(metrics.interval(tables[0], than=tables[1]), paired, atol=1e-9)
