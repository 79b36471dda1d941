"""Sound as pixels: what is painted lies where it was heard."""

import numpy as np
import pytest
from PIL import Image

from avlib.course import painting


def test_a_click_stands_in_its_column_and_silence_is_a_line() -> None:
    sound = np.zeros(8000, np.float32)
    sound[4000] = 0.5
    inked = np.asarray(painting.waveform(sound, 1.0, (100, 41)))[..., 0] < 128
    assert inked.any(axis=0).all()  # a line at least
    assert (inked.sum(axis=0) > 2).nonzero()[0].tolist() == [50]
    rows = inked[:, 50].nonzero()[0]
    assert (rows.min(), rows.max()) == pytest.approx((10, 20), abs=1)  # from 0.5 down to 0


def test_the_first_row_lies_below_and_the_scale_ends_where_it_says() -> None:
    values = np.array([[0.0, 0.0], [0.0, 60.0], [-90.0, 0.0]])
    shown = np.asarray(painting.heat(values, 0.0, 60.0, (4, 6)))
    lowest, highest = painting.coloured(np.array([0.0, 1.0]))
    assert (shown[0, 0] == lowest).all()  # below the scale is its lower end
    assert (shown[2, 3] == highest).all()
    assert (shown[5] == lowest).all()


@pytest.mark.parametrize("last", [0.3, 3.2, 59.0, 4000.0])
def test_seconds_are_written_and_keep_apart(last: float) -> None:
    canvas = Image.new("RGB", (500, 30), "white")
    painting.seconds(canvas, (20, 2), 450, last)
    ticks = (np.asarray(canvas)[3, :, 0] < 128).nonzero()[0]
    assert ticks[0] == 20
    assert ticks[-1] < 470
    assert (np.diff(ticks) >= 69).all()


def test_a_panel_names_its_ends() -> None:
    canvas = Image.new("RGB", (200, 100), "white")
    plain = Image.new("RGB", (100, 50), "white")
    painting.panel(canvas, plain, (80, 30), ("0", "8"), "title", "side")
    inked = np.asarray(canvas)[..., 0] < 128
    above, beside = slice(80, 120), slice(40, 78)
    for rows, columns in (
        ((10, 28), above),
        ((30, 42), beside),
        ((45, 65), beside),
        ((68, 82), beside),
    ):
        assert inked[slice(*rows), columns].any()
