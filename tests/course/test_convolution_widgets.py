"""What the kernel slider and the filter viewer draw, and that they do so at once."""

import time

import numpy as np
import pytest
import torch

from avlib import features
from avlib.course import convolution_widgets
from avlib.course.convolution_widgets import KERNELS, VALUES
from avlib.learning import loaders, networks


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_slides_as_pytorchs_does(kernel: str) -> None:
    values, weights = (
        torch.tensor(each, dtype=torch.float32).view(1, 1, -1) for each in (VALUES, KERNELS[kernel])
    )
    convolution = torch.nn.functional.conv1d
    slide = convolution_widgets.slide
    padded = convolution(values, weights, padding=1).flatten().tolist()
    assert slide(KERNELS[kernel], padding=True) == padded
    inside = convolution(values, weights).flatten().tolist()
    assert slide(KERNELS[kernel], padding=False) == [None, *inside, None]


def test_the_slider_says_what_it_computes() -> None:
    slider = convolution_widgets.kernel_slider()
    assert "1·(−1) + 5·0 + 5·1 = 4. Answers so far: 0, 4, 4." in slider.shown.value
    slider.controls["place"].value = 1
    assert "no answer: the kernel would reach over the end" in slider.shown.value
    slider.controls["padding"].value = True
    assert "0·(−1) + 1·0 + 1·1 = 1. Answers so far: 1." in slider.shown.value
    assert 'role="alert"' not in slider.shown.value


def test_every_filter_can_be_looked_at_trained_beside_untrained(
    easy: features.FeatureStore,
) -> None:
    samples = loaders.to_device(easy, np.arange(len(easy.rows)), "cpu")
    before, after = (networks.seeded(networks.ImageNetwork, seed=0) for _ in range(2))
    with torch.no_grad():
        after.cnn.layers[0].weight[15] *= 3
        after.cnn.layers[0].weight[14] = 0
        after.cnn.layers[0].bias[14] = -1
    viewer = convolution_widgets.filter_viewer(before, after, samples, [0, 5])
    assert viewer.controls["channel"].options == tuple(range(16))
    assert "changed filter 0 by 0.0 times its own size" in viewer.shown.value
    viewer.controls["channel"].value = 14
    assert "after training: highest 0.0, 0 % of the places above 0" in viewer.shown.value
    began = time.process_time()
    viewer.controls["channel"].value = 15
    assert time.process_time() - began < 0.3
    assert "changed filter 15 by 2.0 times its own size" in viewer.shown.value
