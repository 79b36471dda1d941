"""Every picture carries its words, in a palette that stays apart."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from avlib.corpus import ravdess
from avlib.evaluation import plots


def size_of(picture: plots.Picture) -> tuple[int, int]:
    import io

    return Image.open(io.BytesIO(picture.png)).size


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"epoch": epoch, "side": side, "classifier": name, "loss": 1.0, "accuracy": accuracy}
            for epoch, accuracy in enumerate((0.2, 0.4, 0.61), 1)
            for side in ("train", "validation")
            for name in ("joint", "audio", "image")
        ]
    )


def test_a_picture_is_drawn_once_and_its_figure_closed() -> None:
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    picture = plots.Picture.of(figure, "A line that rises.")
    assert min(size_of(picture)) > 100
    assert not plt.fignum_exists(figure.number)


def test_a_picture_says_what_recordings_it_was_made_from() -> None:
    def drawn(corpus: str | None) -> plots.Picture:
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        return plots.Picture.of(figure, "A line.", corpus)

    silent, marked = drawn(None), drawn("practice corpus")
    assert marked.alt == "A line. Made from: practice corpus."
    assert marked.png != silent.png


def test_alternative_text_is_escaped_and_offered_as_text_too() -> None:
    picture = plots.Picture.of(plt.figure(), 'below 5 <dB> & "flat"')
    bundle = picture._repr_mimebundle_()
    assert 'alt="below 5 &lt;dB&gt; &amp; &quot;flat&quot;"' in bundle["text/html"]
    assert bundle["text/plain"] == 'below 5 <dB> & "flat"'


def test_draws_say_who_was_drawn_how_often_and_what_accuracy_that_gives() -> None:
    actor = np.array([7, 7, 7, 7, 9, 9, 12])
    right = np.array([True, True, False, False, False, False, True])
    picture = plots.draws(right, actor, np.array([[7, 9, 12], [12, 12, 12], [9, 12, 9]]), "RAVDESS")
    assert picture.alt == (
        "How often each actor was drawn, as recorded: 42.9 %; "
        "draw 1: 42.9 %, 0 of 3 not drawn, the others up to 1 times; "
        "draw 2: 100.0 %, 2 of 3 not drawn, the others up to 3 times; "
        "draw 3: 20.0 %, 1 of 3 not drawn, the others up to 2 times. Made from: RAVDESS."
    )


def test_the_style_differs_in_dash_as_well_as_in_colour() -> None:
    plots.set_style()
    lines = list(plt.rcParams["axes.prop_cycle"])
    assert {line["color"] for line in lines} == set(plots.OKABE_ITO)
    assert len({line["linestyle"] for line in lines}) > 1
    assert plt.rcParams["image.cmap"] == "cividis"


def test_a_waveform_covers_its_seconds() -> None:
    figure, axes = plt.subplots()
    plots.waveform(axes, np.zeros(4000), 1000)
    assert axes.get_xlim() == (0, 4)
    assert axes.get_xlabel() == "time (s)"
    plt.close(figure)


def test_a_strip_grows_with_its_pairs() -> None:
    pairs = np.zeros((6, 64, 128, 3), np.uint8)
    times = np.stack([np.arange(6), np.arange(6) + 0.25], axis=1)
    one, six = (size_of(plots.strip(pairs[:count], times[:count], "pairs")) for count in (1, 6))
    assert six[0] > one[0]
    assert six[1] > one[1]


def test_curves_say_where_each_network_ends(history: pd.DataFrame) -> None:
    picture = plots.curves({"audio": history, "fusion": history}, "validation", "practice corpus")
    assert "audio ends at 61 %" in picture.alt
    assert "practice corpus" in picture.alt


def test_a_confusion_matrix_says_what_is_right_in_shares() -> None:
    counts = pd.DataFrame(0, ravdess.EMOTIONS, ravdess.EMOTIONS)
    counts.loc["angry", "angry"] = 3
    counts.loc["angry", "happy"] = 1
    assert "angry 75 %" in plots.confusion(counts, "fusion", "RAVDESS").alt


def test_reliability_says_how_right_the_surest_answers_are() -> None:
    found = pd.DataFrame(
        {"confidence": [0.3, 0.95], "accuracy": [0.4, 0.5], "predictions": [10, 40]}
    )
    words = plots.reliability({"fusion": found}, "RAVDESS").alt
    assert "fusion: when 95 % sure, right in 50 % of 40 predictions" in words
