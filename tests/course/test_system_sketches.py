"""Every system has a drawing that says in words what it shows."""

import ipywidgets
import pandas as pd
import pytest

from avlib.course import system_sketches as sketches
from avlib.evaluation import table2
from avlib.learning import systems


def test_every_system_that_can_be_run_has_a_sketch() -> None:
    drawn = set(sketches.SKETCHES) | {"siddiqui-javaid-five"}  # the same, with fewer emotions
    assert drawn >= {*systems.built(), table2.PAPER}


@pytest.mark.parametrize("name", sketches.SKETCHES)
def test_the_words_name_every_box(name: str) -> None:
    sketch, picture = sketches.SKETCHES[name], sketches.draw_system(name)
    assert picture.alt.startswith(f"A drawing of {sketch.called}.")
    assert picture.alt.endswith(sketch.idea)
    for text in (*sketch.sound, *sketch.face, sketch.joined, *sketch.after):
        assert text.replace("-\n", "").replace("\n", " ") in picture.alt
    assert ("exchange" in picture.alt) == (sketch.exchange is not None)


def test_all_drawings_are_of_one_width() -> None:
    sizes = {sketches.draw_system(name).png[16:24] for name in sketches.SKETCHES}
    assert len(sizes) == 1


def test_one_leafs_through_them() -> None:
    browser = sketches.system_browser()
    (control,) = browser.controls.values()
    assert isinstance(control, ipywidgets.SelectionSlider)
    before = browser.shown.value
    control.value = "bottleneck"
    assert browser.shown.value != before
    assert "four tokens" in browser.shown.value


def test_the_grid_names_the_best_of_each_split() -> None:
    rows = [
        {"split by": unit, "reduction": reduction, "classifier": classifier, "accuracy": accuracy}
        for unit, best in (("clip", ("LDA", "SVM")), ("actor", ("PCA", "k-NN")))
        for reduction in ("PCA", "LDA")
        for classifier in ("k-NN", "SVM")
        for accuracy in [0.7 if (reduction, classifier) == best else 0.5]
    ]
    alt = sketches.draw_grid(pd.DataFrame(rows)).alt
    assert "clips at random: best LDA, SVM with 70.0 %" in alt
    assert "unseen speakers: best PCA, k-NN with 70.0 %" in alt
