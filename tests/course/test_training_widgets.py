"""A training that is watched: redrawn in its place, in time, and told in words."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from avlib.course import training_widgets as widgets
from avlib.learning.training import Moment, _Tally

CORPUS = "practice corpus"


class Handle:
    """Stands in for the place in a notebook; remembers what was shown there."""

    shown: list[tuple[str, str]] = []  # noqa: RUF012

    def display(self, picture: object) -> None:
        self.shown.append(("first", picture.alt))

    def update(self, picture: object) -> None:
        self.shown.append(("again", picture.alt))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    monkeypatch.setattr(widgets, "DisplayHandle", Handle)
    monkeypatch.setattr(Handle, "shown", [])
    return Handle.shown


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, which a test turns by hand."""
    now = [0.0]
    monkeypatch.setattr(widgets.time, "monotonic", lambda: now[0])
    return now


def history(epochs: int, loss: float = 1.0) -> list[dict[str, object]]:
    return [
        {"epoch": epoch, "side": side, "classifier": name, "loss": loss / epoch, "accuracy": 0.5}
        for epoch in range(1, epochs + 1)
        for side in ("train", "validation")
        for name in ("joint", "audio")
    ]


def tally(rows: int, of: int, loss: float = 0.5) -> _Tally:
    found = _Tally(of)
    found.rows_seen = rows
    found.sums = {name: torch.tensor([loss * rows, rows / 4]) for name in ("joint", "audio")}
    return found


def test_it_is_drawn_at_most_twice_a_second_and_at_the_very_end(
    shown: list[tuple[str, str]], clock: list[float]
) -> None:
    watch = widgets.Curves(CORPUS, "fusion network")
    for step in range(1000):  # ten seconds
        clock[0] = step / 100
        watch(Moment(history(3), "joint", 4, 3, tally(step, 1000)))
    assert len(shown) == 20
    watch(Moment(history(4), "joint", 4, 4))
    assert len(shown) == 21
    assert [way for way, _ in shown[:2]] == ["first", "again"]
    assert "fusion network · epoch 4 of 4. After epoch 4: training loss 0.25" in shown[-1][1]


def test_what_is_slow_to_draw_is_drawn_less_often(
    shown: list[tuple[str, str]], clock: list[float]
) -> None:
    place = widgets.InPlace()

    def slow() -> widgets.Drawing:
        clock[0] += 1
        return widgets.Drawing("", "slow")

    place.show(slow)
    clock[0] = 9.9
    assert not place.due()
    clock[0] = 10
    assert place.due()


def test_one_place_serves_several_trainings(
    shown: list[tuple[str, str]], clock: list[float]
) -> None:
    watch = widgets.Curves(CORPUS)
    for title in ("split by clip", "split by actor"):
        watch.title = title
        watch(Moment(history(2), "joint", 2, 2))
    assert [way for way, _ in shown] == ["first", "again"]
    assert "split by actor" in shown[1][1]


def test_the_picture_is_told_in_words_and_whole_svg() -> None:
    drawing = widgets.draw_curves(
        Moment(history(2), "joint", 30, 2, tally(50, 100)), "a & b", CORPUS
    )
    assert drawing.alt == (
        "Curves of loss and accuracy while a network trains: a & b · epoch 3 of 30. After epoch 2: "
        "training loss 0.50, accuracy 50 %; validation loss 0.50, accuracy 50 %. "
        "Made from: practice corpus."
    )
    ElementTree.fromstring(drawing.svg)
    shown = drawing._repr_mimebundle_()
    assert shown["text/plain"] == drawing.alt
    assert shown["text/html"].startswith('<img alt="Curves of loss')
    assert "a &amp; b" in shown["text/html"]


def circles(moment: Moment) -> list[tuple[float, float]]:
    """The open circles, without the legend's."""
    svg = widgets.draw_curves(moment, "", CORPUS).svg
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="4" fill="white"', svg)
    return [(float(x), float(y)) for x, y in found][1:]


def test_within_an_epoch_the_running_training_loss_moves() -> None:
    early, late = (
        circles(Moment(history(2), "joint", 30, 2, tally(rows, 100, loss)))
        for rows, loss in ((10, 0.9), (90, 0.4))
    )
    assert len(early) == len(late) == 2  # loss and accuracy
    assert late[0][0] > early[0][0]
    assert late[0][1] > early[0][1]  # down is a smaller loss
    assert not circles(Moment(history(2), "joint", 30, 2))


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e9])
def test_a_training_that_blows_up_is_drawn_all_the_same(loss: float) -> None:
    for moment in (
        Moment([], "joint", 30, 0),
        Moment(history(1, loss), "joint", 1, 1),
        Moment(history(1, loss), "joint", 30, 1, tally(3, 100, loss)),
    ):
        svg = widgets.draw_curves(moment, "", CORPUS).svg
        ElementTree.fromstring(svg)
        assert not re.search(r'(?:c[xy]|[xy]|d)="[^"]*(?:nan|inf)', svg)
