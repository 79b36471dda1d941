"""Widgets are thin: what they draw is a pure function, and an error is shown in red."""

import re
from pathlib import Path

import ipywidgets
import librosa
import numpy as np
import pandas as pd
import pytest

from avlib import features
from avlib.course import widgets
from avlib.evaluation import metrics
from avlib.evaluation.plots import Picture
from avlib.learning import loaders, networks, splits, training


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
    assert "ValueError: 13 is &lt;unlucky&gt;" in explorer.shown.value
    explorer.controls["value"].value = 14
    assert 'role="alert"' not in explorer.shown.value


def test_without_a_kernel_the_default_picture_is_there(explorer: widgets.Explorer) -> None:
    bundle = explorer._repr_mimebundle_()
    assert "the value 5" in bundle["text/html"]
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == explorer.box.model_id


def test_a_player_says_what_is_heard() -> None:
    html = widgets.player(np.zeros(100), 8000, "a “calm” voice & silence")
    assert "data:audio/wav;base64,UklGR" in html
    assert "<figcaption>a “calm” voice &amp; silence</figcaption>" in html


def test_a_clip_is_drawn_with_its_words(clips: pd.DataFrame) -> None:
    shown = widgets.draw_clip(clips, emotion=5, intensity=1, actor=2)
    assert "Actor 2 (female), angry, normal" in shown.caption
    assert "Kids are talking by the door" in shown.caption
    assert shown.encoded.seconds == pytest.approx(3.2, rel=0.01)
    assert "Made from: practice corpus" in shown.picture.alt


def test_a_clip_that_does_not_exist_is_said(clips: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="neutral"):
        widgets.draw_clip(clips, emotion=1, intensity=2, actor=2)


def test_the_chooser_moves_from_clip_to_clip(clips: pd.DataFrame) -> None:
    chooser = widgets.clip_chooser(clips)
    before = chooser.shown.value
    chooser.controls["emotion"].value = 5
    assert "angry" in chooser.shown.value
    assert chooser.shown.value != before


def test_the_mfcc_panels_say_their_numbers() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 22_050).astype(np.float32)
    shown = widgets.draw_mfcc(sound, 22_050, 13, 256, 1024, "RAVDESS")
    assert "13 coefficients in 87 frames" in shown.picture.alt
    assert "46 ms long" in shown.picture.alt
    assert "Made from: RAVDESS" in shown.picture.alt


def test_empty_mel_bands_are_told_in_the_picture_and_not_by_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    power = np.eye(129)  # of one frequency after the other, as a window of 256 tells them apart
    empty = int(((librosa.filters.mel(sr=48_000, n_fft=256) @ power).sum(axis=1) == 0).sum())
    recwarn.clear()
    shown = widgets.draw_mfcc(sound, 48_000, 40, 512, 256, "RAVDESS")
    assert empty > 10
    assert f"{empty} of 128 mel bands are empty" in shown.picture.alt
    assert "empty" not in widgets.draw_mfcc(sound, 48_000, 40, 512, 4096, "RAVDESS").picture.alt
    assert not recwarn.list


def test_the_pair_scrubber_shows_a_bad_setting_in_red(clips: pd.DataFrame) -> None:
    scrubber = widgets.pair_scrubber(Path(clips["picture"].iloc[0]), "practice corpus")
    assert "6 frame pairs of 64 by 128" in scrubber.shown.value
    assert "<video controls" in scrubber.shown.value
    scrubber.controls["window"].value = 0.3
    scrubber.controls["offset"].value = 0.5
    assert "offset" in scrubber.shown.value
    assert 'role="alert"' in scrubber.shown.value


def test_every_filter_of_the_first_layer_can_be_looked_at(samples: loaders.Samples) -> None:
    viewer = widgets.filter_viewer(networks.ImageNetwork(), samples, [0, 5])
    assert viewer.controls["channel"].options == tuple(range(16))
    viewer.controls["channel"].value = 15
    assert "Filter 15" in viewer.shown.value


def test_muting_leaves_the_image_head_as_it_was(
    easy: features.FeatureStore, samples: loaders.Samples
) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    split = splits.split(easy.rows, "clip", seed=0)
    training.fit(network, samples, split, training.Training(epochs=4), progress=False)
    probe = widgets.fusion_probe(network, samples, [0, 5])

    def said(classifier: str) -> str:
        words = probe.draw(**{name: control.value for name, control in probe.controls.items()}).alt
        return next(part for part in words.split(",") if f"{classifier} says" in part)

    heard = {name: said(name) for name in ("joint", "image", "audio")}
    probe.controls["mute"].value = True
    assert said("image").endswith(heard["image"].split("says")[1])
    assert said("audio") != heard["audio"]


def test_what_the_probe_takes_away_is_taken_from_the_film_too(
    samples: loaders.Samples, clips: pd.DataFrame
) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    name = clips["clip"].iloc[0]
    probe = widgets.fusion_probe(
        network, samples, [0, 5], lambda _: widgets.draw_named(clips, name)
    )
    assert "<video controls preload" in probe.shown.value
    assert "joint says" in probe.shown.value
    probe.controls["mute"].value = True
    assert "<video controls muted" in probe.shown.value
    probe.controls["blank"].value = True
    assert "object-position" in probe.shown.value


def test_the_weight_slider_shows_the_run_of_its_weight() -> None:
    def run(accuracy: float) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {"epoch": 1, "side": "validation", "classifier": name, "accuracy": accuracy}
                for name in ("joint", "audio", "image")
            ]
        )

    slider = widgets.auxiliary_slider({0.0: run(0.25), 1.0: run(0.75)}, "practice corpus")
    assert "joint ends at 75 %" in slider.shown.value
    slider.controls["weight"].value = 0.0
    assert "joint ends at 25 %" in slider.shown.value


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
