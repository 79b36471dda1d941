"""The fusion network's widgets: what is drawn is what the network does."""

import base64

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from avlib import features
from avlib.course import fusion_widgets, widgets
from avlib.evaluation import dominance_table
from avlib.learning import loaders, networks, splits, training


@pytest.fixture
def samples(easy: features.FeatureStore) -> loaders.Samples:
    return loaders.to_device(easy, np.arange(len(easy.rows)), "cpu")


def test_the_drawing_leads_each_gradient_to_the_parts_that_it_reaches() -> None:
    network = networks.seeded(networks.BalancedFusionNetwork, seed=0)
    each = training.losses(network(torch.randn(4, 40), torch.randn(4, 3, 64, 128)), torch.arange(4))
    assert set(each) == set(fusion_widgets.LOSSES)
    drawn = fusion_widgets.draw_network(fusion_widgets.LOSSES).alt
    for name, loss in each.items():
        network.zero_grad()
        loss.backward(retain_graph=True)
        moved = {
            part
            for part, module in network.named_children()
            if any(w.grad is not None and w.grad.any() for w in module.parameters())
        }
        assert set(fusion_widgets.reached(name)) == moved
        assert f"The gradient of the {name} loss reaches: " in drawn
    assert "gradient" not in fusion_widgets.draw_network().alt


def test_what_modality_dropout_adds_is_what_was_measured() -> None:
    found = fusion_widgets.dropout_measured().set_index(["recordings", "case"])
    assert len(found) == 6
    assert (found["low"] < found["difference"]).all()
    assert (found["difference"] < found["high"]).all()
    kept = dominance_table.measured("cures").set_index(["split by", "who"])
    row = kept.loc["actor", "dropout less none"]
    assert found.loc["RAVDESS", "sound missing"]["low"] == 100 * row["face only from"]
    assert found.loc["RAVDESS", "both"]["difference"] == 100 * row["accuracy"]
    words = fusion_widgets.draw_differences(found.reset_index()).alt
    assert f"RAVDESS, picture missing: {100 * row['sound only']:+.1f} (" in words


def test_the_probe_draws_what_the_network_says(samples: loaders.Samples) -> None:
    network = networks.seeded(networks.BalancedFusionNetwork, seed=0)
    drawn = fusion_widgets.draw_probe(network, samples, 5, mute=False, blank=True)
    batch = next(loaders.batches(samples, np.array([5])))
    with torch.no_grad():
        chances = network(batch.mfcc, 0 * batch.image)["joint"].softmax(dim=1)[0]
    high = fusion_widgets._HIGH * chances.max().item()
    assert f'height="{high:.1f}" fill="url(#joint)"' in drawn.svg
    assert "sound on and picture off" in drawn.alt
    png = base64.b64decode(drawn.svg.split("base64,")[1].split('"')[0])
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert np.ptp(shown, axis=(0, 1)).max() == 0  # blanked: one even colour, nothing of the face


def test_muting_leaves_the_image_head_as_it_was(
    easy: features.FeatureStore, samples: loaders.Samples
) -> None:
    network = networks.seeded(networks.FusionNetwork, seed=0)
    split = splits.split(easy.rows, "clip", seed=0)
    training.fit(network, samples, split, training.Training(epochs=4), progress=False)
    probe = fusion_widgets.fusion_probe(network, samples, [0, 5])

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
    probe = fusion_widgets.fusion_probe(
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

    slider = fusion_widgets.auxiliary_slider({0.0: run(0.25), 1.0: run(0.75)}, "practice corpus")
    assert "joint ends at 75 %" in slider.shown.value
    slider.controls["weight"].value = 0.0
    assert "joint ends at 25 %" in slider.shown.value
