"""Widgets are thin: what they draw is a pure function, and an error is shown in red."""

import base64
import io
import re

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import soundfile

from avlib import features
from avlib.corpus import ravdess
from avlib.course import widgets
from avlib.evaluation import metrics
from avlib.evaluation.plots import Picture
from avlib.learning import loaders


def echo(value: int) -> Picture:
    if value == 13:
        raise ValueError("13 is <unlucky>")
    return Picture(str(value).encode(), f"the value {value}")


@pytest.fixture
def explorer() -> widgets.Explorer:
    return widgets.Explorer(echo, "Move it.", value=ipywidgets.IntSlider(5))


@pytest.fixture
def samples(easy: features.FeatureStore) -> loaders.Samples:
    return loaders.to_device(easy, np.arange(len(easy.rows)), "cpu")


def test_an_explorer_shows_its_default_and_redraws_in_place(explorer: widgets.Explorer) -> None:
    assert 'alt="the value 5"' in explorer.shown.value
    explorer.controls["value"].value = 6
    assert 'alt="the value 6"' in explorer.shown.value
    assert "the value 5" not in explorer.shown.value
    assert explorer.box.children[-1] is explorer.shown


def test_an_error_stands_in_red_and_goes_when_it_is_mended(explorer: widgets.Explorer) -> None:
    explorer.controls["value"].value = 13
    assert 'role="alert"' in explorer.shown.value
    assert ">13 is &lt;unlucky&gt;<" in explorer.shown.value
    explorer.controls["value"].value = 14
    assert 'role="alert"' not in explorer.shown.value


def test_without_a_kernel_the_default_picture_is_there(explorer: widgets.Explorer) -> None:
    bundle = explorer._repr_mimebundle_()
    assert "the value 5" in bundle["text/html"]
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == explorer.box.model_id


def test_a_player_says_what_is_heard() -> None:
    html = widgets.player(np.array([0, 0.5, -1, 2]), 8000, "a “calm” voice & silence")
    (sound,) = re.findall('src="data:audio/flac;base64,(.*?)"', html)
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(sound)), dtype="int16")
    assert (heard.tolist(), rate) == ([0, 16384, -32768, 32767], 8000)  # too loud is cut off
    assert "<figcaption>a “calm” voice &amp; silence</figcaption>" in html


def test_a_clip_is_drawn_with_its_words(clips: pd.DataFrame) -> None:
    shown = widgets.draw_clip(clips, emotion=5, intensity=1, actor=2)
    assert "Actor 2 (female), angry, normal" in shown.caption
    assert "Kids are talking by the door" in shown.caption
    assert shown.encoded.seconds == pytest.approx(3.2, rel=0.01)
    assert "Made from: practice corpus" in shown.picture.alt


def test_a_clip_that_does_not_exist_is_said_with_what_there_is(clips: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"strong: nothing \(neutral has no strong intensity\)"):
        widgets.draw_clip(clips, emotion=1, intensity=2, actor=2)
    with pytest.raises(ValueError, match=r"Actor 2, calm, normal: nothing$"):
        widgets.draw_clip(clips, emotion=2, intensity=1, actor=2)
    for take in ({"statement": 2}, {"statement": 2, "repetition": 2}):
        with pytest.raises(ValueError, match="there is no such clip here") as refused:
            widgets.draw_clip(clips, 5, 1, 2, **take)
        kids = "“Kids are talking by the door”, repetition"
        assert str(refused.value).endswith(f"Actor 2, angry, normal: {kids} 1; {kids} 2")


def test_the_chooser_moves_one_part_of_a_name_at_a_time(clips: pd.DataFrame) -> None:
    chooser = widgets.clip_chooser(clips)
    assert list(chooser.controls) == [
        field for field in clips.columns if field in ravdess.ClipName.__annotations__
    ]
    before = chooser.shown.value
    chooser.controls["emotion"].value = 5
    assert "angry, normal: “Kids are talking by the door”, repetition 1" in chooser.shown.value
    assert chooser.shown.value != before
    chooser.controls["repetition"].value = 2
    assert "angry, normal: “Kids are talking by the door”, repetition 2" in chooser.shown.value
    chooser.controls["statement"].value = 2
    assert "there is no such clip here" in chooser.shown.value


def test_the_interval_is_wider_over_actors_and_of_fewer(built: features.FeatureStore) -> None:
    rows = np.arange(len(built.rows))
    told = np.full((len(rows), 8), -9.0)
    rightly = (built.rows["actor"] <= 2).to_numpy()  # two actors are understood, two are not
    emotion = built.rows["emotion"].to_numpy() - 1
    told[rows, np.where(rightly, emotion, (emotion + 1) % 8)] = 0.0
    predictions = metrics.by_clip(metrics.prediction_table(built, rows, told))
    slider = widgets.interval_slider(predictions, "practice corpus")
    assert "4 actors of 4 actors drawn again: measured 50.0 %" in slider.shown.value
    assert "from 0.0 to 100.0 %" in slider.shown.value
    slider.controls["over"].value = "clip"
    assert "32 clips of 4 actors" in slider.shown.value
    narrow = re.search(r"from (\d+\.\d) to (\d+\.\d) %", slider.shown.value).groups()
    assert 25 < float(narrow[0]) < 50 < float(narrow[1]) < 75
    slider.controls["actors"].value = 3
    assert "24 clips of 3 actors drawn again: measured 66.7 %" in slider.shown.value
