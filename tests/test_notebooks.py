"""The shape that every lesson shares, read from the stored notebooks."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]-*.ipynb"))
SET_UP = "# The set-up cell, the same in every lesson."


def read(notebook: Path) -> dict:
    return json.loads(notebook.read_text(encoding="utf-8"))


def sources(notebook: Path, kind: str) -> list[str]:
    return ["".join(c["source"]) for c in read(notebook)["cells"] if c["cell_type"] == kind]


def prose(notebook: Path) -> str:
    return "\n\n".join(sources(notebook, "markdown"))


def test_lessons_00_to_05_are_there() -> None:
    assert [notebook.name[:2] for notebook in NOTEBOOKS] == ["00", "01", "02", "03", "04", "05"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
class TestEveryLesson:
    def test_is_stored_without_outputs_or_widget_state(self, notebook: Path) -> None:
        lesson = read(notebook)
        assert "widgets" not in lesson["metadata"]
        for cell in lesson["cells"]:
            assert not cell.get("outputs"), cell["id"]
            assert cell.get("execution_count") is None, cell["id"]

    def test_begins_with_title_badge_and_card(self, notebook: Path) -> None:
        title, card, *_ = sources(notebook, "markdown")
        assert re.match(rf"# {notebook.name[:2]} · \w", title)
        assert f"/notebooks/{notebook.name})" in title
        for part in ("**After this lesson you can**", "**You need first:**", "**Time:**"):
            assert part in card
        assert re.search(r"\*\*Runs in\*\* [1-9]\d* s on two CPU cores", card)

    def test_has_the_set_up_cell_that_all_share(self, notebook: Path) -> None:
        first = sources(notebook, "code")[0]
        assert first.startswith(SET_UP)
        assert first == sources(NOTEBOOKS[0], "code")[0]

    def test_has_one_title_and_headings_without_gaps(self, notebook: Path) -> None:
        levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(notebook), re.M)]
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))

    def test_asks_before_it_shows(self, notebook: Path) -> None:
        assert prose(notebook).count("**Predict.**") >= 3

    def test_has_three_exercises_with_two_hints_and_a_solution_each(self, notebook: Path) -> None:
        exercises = re.split(r"^### Exercise ", prose(notebook), flags=re.M)[1:]
        assert len(exercises) >= 3
        for exercise in exercises:
            for folded in ("Hint 1", "Hint 2", "Solution"):
                assert exercise.count(f"<details><summary>{folded}</summary>") == 1, exercise[:40]
            assert exercise.count("</details>") == 3

    def test_recaps_every_promise_of_its_card(self, notebook: Path) -> None:
        card = sources(notebook, "markdown")[1].split("**You need first:**")[0]
        recap = prose(notebook).split("## Recap")[1].split("## References")[0]
        assert len(re.findall(r"^- ", recap, re.M)) == len(re.findall(r"^- ", card, re.M)) >= 3

    def test_ends_with_mistakes_recap_references_and_links_that_exist(self, notebook: Path) -> None:
        text = prose(notebook)
        places = [text.index(f"## {part}") for part in ("Common mistakes", "Recap", "References")]
        assert places == sorted(places)
        for target in re.findall(r"\]\(([\w-]+\.ipynb)\)", text):
            assert (notebook.parent / target).is_file(), target
