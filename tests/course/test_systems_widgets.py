"""The widget of lesson 08: accuracy by cost, whose points can be walked through."""

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avlib.course import systems_widgets as widgets

SVG = "{http://www.w3.org/2000/svg}"
STRANGE = "<b>A</b> & $x_1$"
SYSTEMS = [  # who, variant, accuracy by clip and by actor, parameters, multiply-adds, seconds
    ("plain", "", 0.50, 0.40, 2e3, 4e4, 0.5),
    (STRANGE, "", 0.60, 0.55, 5e4, 1e6, 12.0),
    ("wide", "sound only", 0.55, 0.50, 3e6, np.nan, 90.0),
    ("deep", "", 0.86, 0.45, 2e7, 9e9, 2000.0),
]


@pytest.fixture
def table() -> pd.DataFrame:
    rows = []
    for who, variant, by_clip, by_actor, parameters, adds, seconds in SYSTEMS:
        for unit, share in (("clip", by_clip), ("actor", by_actor)):
            row = {"split by": unit, "who": who, "variant": variant, "accuracy": share}
            row |= {"accuracy from": share - 0.03, "accuracy to": share + 0.04}
            row |= {"UAR": share - 0.01, "parameters": parameters, "multiply-adds": adds}
            row |= {"seconds": seconds, "printed": "86.36" if who == "deep" else ""}
            rows.append(row | {"printed on": "ten folds"})
    return pd.DataFrame(rows)


def points(svg: str) -> list[ElementTree.Element]:
    return [node for node in ElementTree.fromstring(svg).iter() if node.get("tabindex")]


numbers = st.one_of(st.integers(0, 4), st.floats(0, 1e9, allow_nan=False))


@given(st.lists(st.tuples(numbers, numbers), max_size=30))
def test_a_front_beats_all_others_and_none_of_its_own(things: list[tuple[float, float]]) -> None:
    cost, worth = np.array(things, float).reshape(-1, 2).T
    front = widgets.pareto(cost, worth)
    assert front.shape == cost.shape
    assert front.any() or not things

    def beats(one: int, other: int) -> bool:
        no_worse = cost[one] <= cost[other] and worth[one] >= worth[other]
        return no_worse and (cost[one] < cost[other] or worth[one] > worth[other])

    for other in range(len(things)):
        assert any(beats(one, other) for one in np.flatnonzero(front)) != front[other]


def test_equals_all_stay_and_what_has_no_number_is_refused() -> None:
    assert widgets.pareto([1, 1, 2], [0.5, 0.5, 0.5]).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="cost and worth: leave out"):
        widgets.pareto([1, np.nan], [1, 1])
    with pytest.raises(ValueError, match="cost and worth: give one number a thing"):
        widgets.pareto([1, 2], [1])


def test_every_point_is_a_stop_of_the_tab_key_from_the_cheapest_on(table: pd.DataFrame) -> None:
    drawn = points(widgets.draw_costs(table, "parameters", "clip").svg)
    assert len(drawn) == len(SYSTEMS)
    for node, (who, variant, share, _, parameters, _, _) in zip(drawn, SYSTEMS, strict=True):
        assert node.get("tabindex") == "0"
        assert node.get("role") == "img"
        label = node.get("aria-label")
        assert node.find(f"{SVG}title").text == label
        assert label.startswith(f"{who} ({variant}), " if variant else f"{who}, ")
        assert f"accuracy {100 * share:.1f} % (95 % interval {100 * share - 3:.1f} to " in label
        assert f"UAR {100 * share - 1:.1f} %" in label
        assert f"; {widgets._amount(parameters)} parameters" in label
        assert {part.get("class") for part in node} >= {"ring", "span", "mark"}
    assert ["printed 86.36 %" in node.get("aria-label") for node in drawn] == [0, 0, 0, 1]
    beaten = ["nothing is both" not in node.get("aria-label") for node in drawn]
    assert beaten == [False, False, True, False]


def test_each_point_opens_its_box_and_only_points_are_read_aloud(table: pd.DataFrame) -> None:
    svg = widgets.draw_costs(table, "seconds", "both", "here").svg
    root = ElementTree.fromstring(svg)
    for number in range(2 * len(SYSTEMS)):
        assert f"#here-point-{number}:focus ~ #here-told-{number} {{visibility: visible}}" in svg
        box = root.find(f".//*[@id='here-told-{number}']")
        assert box.get("aria-hidden") == "true"
        assert " s of training a fold" in "".join(box.itertext())
    assert root.find(f"{SVG}g").get("aria-hidden") == "true"
    assert root.get("role") == "group"  # the parts of an “img” would not be read


def test_two_drawings_of_a_page_share_no_id_and_no_style(table: pd.DataFrame) -> None:
    one, other = (widgets.cost_chooser(table).shown.value for _ in range(2))
    ids = [re.findall(r'\bid="([^"]+)"', each) for each in (one, other)]
    assert len(set(ids[0])) == len(ids[0]) > 50
    assert not set(ids[0]) & set(ids[1])
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', one)
    assert used
    assert set(used) <= set(ids[0])
    rules = re.search(r"<style>(.*)</style>", one, re.S).group(1).splitlines()
    assert one.count("<style") == 1
    assert all(rule.startswith(("svg.avlib-costs", "#costs-")) for rule in rules)


def test_the_controls_change_the_picture(table: pd.DataFrame) -> None:
    chooser = widgets.cost_chooser(table)
    seen = {chooser.shown.value}
    for cost in chooser.controls["cost"].options:
        for _, unit in chooser.controls["unit"].options:
            chooser.controls["cost"].value, chooser.controls["unit"].value = cost, unit
            shown = chooser.shown.value
            assert 'role="alert"' not in shown
            assert f"accuracy by {widgets.COSTS[cost][0]}" in shown
            split = ["clip", "actor"] if unit == "both" else [unit]
            assert re.findall(r"Split by (\w+), nothing", shown.split("</svg>")[1]) == split
            seen.add(shown)
    assert len(seen) == 9
    assert not plt.get_fignums()


def test_the_front_is_said_in_words(table: pd.DataFrame) -> None:
    words = widgets.draw_costs(table, "parameters", "both").words
    assert words == (
        f"Split by clip, nothing is both cheaper and better than: plain, {STRANGE}, deep.",
        f"Split by actor, nothing is both cheaper and better than: plain, {STRANGE}.",
    )


def test_a_name_of_the_front_stands_once_where_it_hides_nothing(table: pd.DataFrame) -> None:
    for unit, front in (("clip", {"plain", STRANGE, "deep"}), ("both", {"plain", STRANGE, "deep"})):
        root = ElementTree.fromstring(widgets.draw_costs(table, "parameters", unit).svg)
        seen = root.find(".//*[@id='costs-figure_1']").iter(f"{SVG}text")
        named = [node.text for node in seen if node.text in dict.fromkeys(s[0] for s in SYSTEMS)]
        assert sorted(named) == sorted(front)
    table[["parameters", "accuracy"]] = 1e4, 0.5  # all in one place: there is room for few
    drawn = widgets.draw_costs(table, "parameters", "clip")
    root = ElementTree.fromstring(drawn.svg).find(".//*[@id='costs-figure_1']")
    texts = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    assert "plain" in texts
    assert (
        f"than: {', '.join(sorted(['plain', STRANGE, 'deep', 'wide (sound only)']))}."
        in (drawn.words[0])
    )


def test_what_has_no_cost_is_named_and_not_drawn(table: pd.DataFrame) -> None:
    drawn = widgets.draw_costs(table, "multiply-adds", "both")
    assert drawn.words[-1] == (
        "Not drawn, for want of an accuracy or of multiply-adds above 0: wide (sound only)."
    )
    assert len(points(drawn.svg)) == 2 * len(SYSTEMS) - 2
    table["multiply-adds"] = np.nan
    chooser = widgets.cost_chooser(table)
    chooser.controls["cost"].value = "multiply-adds"
    assert ">table: no system has an accuracy and a number" in chooser.shown.value


def test_a_point_without_interval_or_uar_is_drawn(table: pd.DataFrame) -> None:
    table.loc[0, ["accuracy from", "accuracy to", "UAR"]] = np.nan
    first = points(widgets.draw_costs(table, "parameters", "clip").svg)[0]
    assert first.get("aria-label").startswith("plain, split by clip: accuracy 50.0 %; 2,000 para")
    assert "span" not in {part.get("class") for part in first}


class Read(HTMLParser):
    """The tags of a page, as a browser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_names_are_text_and_neither_html_nor_formulas(table: pd.DataFrame) -> None:
    chooser = widgets.cost_chooser(table)
    shown = chooser.shown.value
    assert "b" not in Read(shown).tags
    assert "<title>&lt;b&gt;A&lt;/b&gt; &amp; $x_1$, split by clip" in shown
    after = shown.split("</svg>")[1]
    assert "&lt;b&gt;A&lt;/b&gt; &amp; $x_1$" in after
    texts = [node.text for node in ElementTree.fromstring(
        widgets.draw_costs(table, "parameters", "clip").svg).iter(f"{SVG}text")]  # fmt: skip
    assert f"{STRANGE}, by clip" in texts


def test_without_a_kernel_a_picture_that_any_page_shows_is_there(table: pd.DataFrame) -> None:
    chooser = widgets.cost_chooser(table)
    kept = chooser._repr_mimebundle_()["text/html"]
    assert kept.startswith('<img alt="On RAVDESS, accuracy by parameters of 4 systems')
    assert "<svg" not in kept
    encoded = re.search(r"data:image/svg\+xml;base64,([^\"]+)", kept).group(1)
    assert base64.b64decode(encoded).decode() in chooser.shown.value


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: None, "table: give a DataFrame with the columns split by, who"),
        (lambda table: table.drop(columns="UAR"), "table: give a DataFrame with the columns UAR"),
        (lambda table: table[:0], "table: add rows whose “split by” is clip and actor"),
        (lambda table: table.query("`split by` == 'clip'"), "“split by” is actor$"),
        (
            lambda table: pd.concat([table, table[:1].assign(**{"split by": "fold"})]),
            "table: write clip or actor as “split by”, not 'fold'",
        ),
        (
            lambda table: pd.concat([table, table[:1]]),
            "table: give each system once a split; plain is there twice",
        ),
    ],
)
def test_another_table_is_refused_with_what_to_do(
    spoil: object, said: str, table: pd.DataFrame
) -> None:
    with pytest.raises(ValueError, match=said):
        widgets.cost_chooser(spoil(table))


@pytest.mark.parametrize(("cost", "unit"), [("cheapness", "clip"), ("seconds", "fold")])
def test_an_unknown_setting_is_refused(cost: str, unit: str, table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"cost: choose|unit: choose"):
        widgets.draw_costs(table, cost, unit)
