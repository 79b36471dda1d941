"""The widgets of lesson 07: a training that is watched, gradients, worlds and cures."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from media import store_of, table

from avlib.corpus import ravdess
from avlib.course import dominance_widgets as widgets
from avlib.course import training_widgets
from avlib.evaluation import dominance_table
from avlib.learning import cures, loaders, networks, splits, training

CORPUS = "practice corpus"


@pytest.fixture(scope="module")
def trained() -> tuple[widgets.Watch, pd.DataFrame]:
    """A watch that looked on at three epochs, and what `fit` returned."""
    return watched(widgets.Watch(CORPUS, live=False))


def watched(watch: widgets.Watch | None) -> tuple[widgets.Watch | None, pd.DataFrame]:
    names = [
        ravdess.ClipName(1, 1, emotion, 1, statement, 1, actor)
        for actor in (1, 2, 3, 4)
        for emotion in range(1, 9)
        for statement in (1, 2)
    ]
    clips, random = table(names), np.random.default_rng(0)
    told = np.eye(8)[clips["emotion"] - 1]
    mfcc = np.repeat(told, 5, axis=1) + random.normal(0, 0.3, (len(clips), 40))
    faces = (told + random.normal(0, 0.6, told.shape)).astype(np.float32)
    store = store_of(clips, mfcc, None, vectors=faces)
    split = splits.cuts(store.rows, "actor", 4, 0)[0]
    samples = loaders.to_device(store, split.train, "cpu")
    network = networks.seeded(cures.WatchedFusion, (40,), (8,), seed=0)
    settings = training.Training(epochs=3, batch=16)
    return watch, training.fit(network, samples, split, settings, False, between=watch)


def test_who_looks_on_changes_nothing(trained: tuple[widgets.Watch, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(trained[1], watched(None)[1])


def test_a_watch_keeps_the_losses_that_fit_reports(
    trained: tuple[widgets.Watch, pd.DataFrame],
) -> None:
    watch, history = trained
    seen = watch.table
    assert seen["epoch"].tolist() == [1, 2, 3]
    told = history.query("side == 'train' and classifier == 'joint'")["loss"]
    assert seen["loss joint"].to_numpy() == pytest.approx(told.to_numpy(), rel=1e-3)
    first = next(row for row in watch.rows if row["branch"] == "image")
    assert seen["pull image"].iloc[0] == first["joint"] > 0


def test_a_picture_grows_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    class Handle:
        def display(self, picture: widgets.Picture) -> None:
            shown.append(("first", picture.alt))

        def update(self, picture: widgets.Picture) -> None:
            shown.append(("again", picture.alt))

    monkeypatch.setattr(training_widgets, "DisplayHandle", Handle)
    monkeypatch.setattr(training_widgets.InPlace, "due", lambda place: True)
    watch, _ = watched(widgets.Watch(CORPUS))
    watch.show()
    assert [way for way, _ in shown] == ["first", "again", "again"]
    assert ["epochs 1 to 1: " in shown[0][1], "epochs 1 to 2: " in shown[1][1]] == [True, True]
    assert "epochs 1 to 3: " in shown[2][1]
    assert not plt.get_fignums()


def test_learning_is_told_in_words(trained: tuple[widgets.Watch, pd.DataFrame]) -> None:
    picture = widgets.draw_learning(trained[0].table, CORPUS)
    end = trained[0].table.iloc[-1]
    assert f"loss of the face's head at the end {end['loss image']:.2f}" in picture.alt
    assert f"norm of the sound branch from {trained[0].table['pull audio'].iloc[0]:.2f}" in (
        picture.alt
    )
    assert picture.alt.endswith("Made from: practice corpus.")


def flows() -> pd.DataFrame:
    rows = [
        {"epoch": epoch, "branch": branch, "joint": size * epoch, "own": 2 * size, "cosine": 0.0}
        for epoch in (1, 2, 3)
        for branch, size in (("audio", 0.2), ("image", 0.05))
    ]
    return pd.concat(pd.DataFrame(rows).assign(cure=name) for name in ("none", "auxiliary"))


def test_the_flow_is_played_or_moved_by_hand() -> None:
    slider = widgets.flow_slider(flows(), CORPUS)
    assert "cure none, epoch 3: at the sound branch 0.60 arrives" in slider.shown.value
    assert "0.10 from its own head&#x27;s, which is not used" in slider.shown.value
    play = slider.box.children[1]
    play.value = 0
    assert slider.controls["epoch"].value == 1
    assert "epoch 1: at the sound branch 0.20 arrives" in slider.shown.value
    slider.controls["epoch"].value = 2
    assert play.value == 1
    slider.controls["cure"].value = "auxiliary"
    assert "cure auxiliary, epoch 2" in slider.shown.value
    assert "not used" not in slider.shown.value
    assert 'role="alert"' not in slider.shown.value


def test_arrows_are_as_thick_as_the_norms() -> None:
    drawn = {}

    def kept(figure: object, words: str, corpus: str) -> str:
        arrows = figure.axes[0].patches[-4:]
        drawn["widths"] = [float(each.get_arrowstyle().tail_width) for each in arrows]
        plt.close(figure)
        return words

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widgets.Picture, "of", kept)
        widgets.draw_flow(flows(), "none", 3, CORPUS)
    own_sound, joint_sound, own_face, joint_face = (each - 1 for each in drawn["widths"])
    assert joint_sound == pytest.approx(17)  # the largest of all
    assert joint_sound / own_sound == pytest.approx(0.6 / 0.4)
    assert joint_sound / joint_face == pytest.approx(own_sound / own_face) == pytest.approx(4)


def test_every_world_that_comes_with_avlib_can_be_drawn() -> None:
    worlds = dominance_table.measured("worlds")
    slider = widgets.world_slider(worlds, CORPUS)
    for cure in slider.controls["cure"].options:
        slider.controls["cure"].value = cure
        for _, strength in slider.controls["strength"].options:
            slider.controls["strength"].value = strength
            row = worlds.query("who == @cure and strength == @strength").iloc[0]
            assert f"Cure {cure}, strength {strength:g}: " in slider.shown.value
            assert f"with both {100 * row['accuracy']:.0f} %" in slider.shown.value
            assert f"sound {row['utilisation of sound']:.2f}, face" in slider.shown.value


@pytest.mark.parametrize("unit", ["actor", "clip"])
@pytest.mark.parametrize("than", ["none", "auxiliary", "late"])
def test_every_cure_is_drawn_beside_the_one_that_it_is_compared_with(unit: str, than: str) -> None:
    cures_kept = dominance_table.measured("cures")
    browser = widgets.cure_browser(cures_kept)
    browser.controls["unit"].value, browser.controls["than"].value = unit, than
    shown = browser.shown.value
    assert 'alt="On RAVDESS, ' in shown
    assert shown.count(" to +") + shown.count(" to -") == 11
    own = cures_kept[cures_kept["split by"] == unit]
    order = re.findall(r"(?:down: |; )([\w-]+) ", shown)
    worth = own[~own["who"].str.contains(" less ")].sort_values("accuracy", ascending=False)
    assert order == worth["who"].tolist()


def test_a_difference_reads_the_same_from_both_sides() -> None:
    rows = dominance_table.measured("cures").query("`split by` == 'actor'")
    there, back = (widgets.compared(rows, *each) for each in (("late", "none"), ("none", "late")))
    assert back == tuple(-each for each in (there[0], there[2], there[1]))
    assert there[1] < there[0] < there[2]
    with pytest.raises(ValueError, match="dropout was not compared with equal-size"):
        widgets.compared(rows, "dropout", "equal-size")
