"""The shape that every lesson shares, read from the stored notebooks."""

import ast
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import nbformat
import pytest
from exercises import exercises
from shown import NOTEBOOKS, cells

import avlib
from avlib.evaluation import plots

SET_UP = "# The set-up cell, the same in every lesson."
PARTS = ("Common mistakes", "Recap", "References")
PACKAGE = Path(avlib.__file__).parent
COLOURS = {*plots.OKABE_ITO, "cividis", "white", "black", "grey", "#595959"}


def read(notebook: Path) -> dict:
    return json.loads(notebook.read_text(encoding="utf-8"))


def sources(notebook: Path, kind: str) -> list[str]:
    return [source for each, source in cells(notebook) if each == kind]


def prose(notebook: Path) -> str:
    return "\n\n".join(sources(notebook, "markdown"))


def heading_ids(notebook: Path) -> set[str]:
    """What JupyterLab lets a link to a heading say."""
    return {
        title.strip().replace(" ", "-") for title in re.findall(r"^#+ (.*)", prose(notebook), re.M)
    }


def calls(code: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))


def colours(code: str) -> set[str]:
    """The colours that are named where something is drawn."""
    return {
        keyword.value.value
        for call in calls(code)
        for keyword in call.keywords
        if keyword.arg in ("color", "c", "cmap", "palette", "facecolor", "edgecolor")
        and isinstance(keyword.value, ast.Constant)
    }


def python_cells(notebook: Path) -> list[str]:
    return [code for code in sources(notebook, "code") if "%pip" not in code]


def test_the_lessons_are_there() -> None:
    there = [f"{n:02d}" for n in range(11)]
    assert [notebook.name[:2] for notebook in NOTEBOOKS] == there


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
class TestEveryLesson:
    def test_is_a_notebook_by_the_format(self, notebook: Path) -> None:
        assert nbformat.validator.isvalid(read(notebook))

    def test_is_stored_without_outputs_or_widget_state(self, notebook: Path) -> None:
        lesson = read(notebook)
        assert "widgets" not in lesson["metadata"]
        for cell in lesson["cells"]:
            assert not cell.get("outputs"), cell["id"]
            assert cell.get("execution_count") is None, cell["id"]

    def test_begins_with_title_badge_card_and_set_up(self, notebook: Path) -> None:
        kinds = [kind for kind, _ in cells(notebook)]
        assert kinds[:3] == ["markdown", "markdown", "code"]
        title, card, *_ = sources(notebook, "markdown")
        assert re.match(rf"# {notebook.name[:2]} · \w", title)
        (badge,) = re.findall(r"\]\((https://colab\.research\.google\.com/github/\S+)\)", title)
        assert badge.endswith(f"/blob/v{avlib.__version__}/notebooks/{notebook.name}")
        for part in ("**After this lesson you can**", "**You need first:**", "**Time:**"):
            assert part in card
        needs = card.split("**You need first:**")[1].split("**Time:**")[0]
        assert notebook == NOTEBOOKS[0] or re.search(r"\]\([\w-]+\.ipynb\)", needs)
        assert re.search(r"\*\*Runs in\*\* [1-9]\d* s on two CPU cores", card)

    def test_runs_within_the_time_that_lessons_have(self, notebook: Path) -> None:
        most = {"00": 20, "01": 60, "02": 60}.get(notebook.name[:2], 180)
        assert int(re.search(r"\*\*Runs in\*\* (\d+) s", prose(notebook)).group(1)) < most

    def test_has_the_set_up_cell_that_all_share(self, notebook: Path) -> None:
        first = sources(notebook, "code")[0]
        assert first.startswith(SET_UP)
        if notebook == NOTEBOOKS[0]:  # which opens on a handful of clips
            first = re.sub(r", few=True\)  # .*", ")", first)
        assert first == sources(NOTEBOOKS[1], "code")[0]

    def test_has_one_title_and_headings_without_gaps(self, notebook: Path) -> None:
        levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(notebook), re.M)]
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))

    def test_asks_before_it_shows(self, notebook: Path) -> None:
        each = cells(notebook)
        asked = [at for at, (kind, text) in enumerate(each) if "**Predict.**" in text]
        assert len(asked) >= 3
        for at in asked:  # the cell whose output answers the question comes next
            assert each[at + 1][0] == "code", each[at][1]
            question = each[at][1].split("**Predict.**")[-1].strip()
            assert "\n#" not in question, question
            assert len(question.split("\n\n")) <= 2, question  # and no answer below it
            name, _ = each[at + 1][1].split(" = course.guess(")  # buttons or a line for it
            answered = [code for kind, code in each[at + 2 :] if f"{name}.came_out(" in code]
            assert answered, name

    def test_has_three_exercises_with_two_hints_and_a_solution_each(self, notebook: Path) -> None:
        found = re.split(r"^### Exercise ", prose(notebook), flags=re.M)[1:]
        assert len(found) >= 3
        for exercise in found:
            for folded in ("Hint 1", "Hint 2", "Solution"):
                assert exercise.count(f"<details><summary>{folded}</summary>") == 1, exercise[:40]
            assert exercise.count("</details>") == exercise.count("<details>")

    def test_nothing_depends_on_a_stub(self, notebook: Path) -> None:
        each = cells(notebook)
        for exercise in (e for e in exercises() if e.lesson == notebook.name[:2]):
            at = each.index(("code", exercise.stub))
            names = {
                node.id if isinstance(node, ast.Name) else node.name
                for node in ast.walk(ast.parse(exercise.stub))
                if isinstance(node, ast.FunctionDef | ast.ClassDef)
                or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
            }
            assert names, exercise.number
            for kind, code in each[at + 2 :]:
                if kind != "code":
                    continue
                used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
                assert not names & used, (exercise.number, code)

    def test_every_picture_has_a_text(self, notebook: Path) -> None:
        assert all(re.findall(r"!\[(.*?)\]\(", prose(notebook)))
        assert "<img" not in prose(notebook)
        for code in python_cells(notebook):
            named = {ast.unparse(call.func) for call in calls(code)}
            if named & {"plt.subplots", "plt.figure"}:
                assert named & {"plots.Picture.of", "Picture.of"}, code
            assert not named & {"plt.show", "display.Image", "Image"}, code

    def test_is_drawn_in_colours_that_all_eyes_tell_apart(self, notebook: Path) -> None:
        assert set().union(*map(colours, python_cells(notebook))) <= COLOURS

    def test_has_a_widget_and_one_cover(self, notebook: Path) -> None:
        widgets = [
            call
            for code in python_cells(notebook)
            for call in calls(code)
            if re.fullmatch(
                r"widgets\.\w+_(chooser|inspector|scrubber|viewer|slider|probe|browser)",
                ast.unparse(call.func),
            )
        ]
        assert widgets
        tags = [tag for cell in read(notebook)["cells"] for tag in cell["metadata"].get("tags", [])]
        assert tags.count("cover") == 1

    def test_recaps_every_promise_of_its_card(self, notebook: Path) -> None:
        card = sources(notebook, "markdown")[1].split("**You need first:**")[0]
        recap = prose(notebook).split("## Recap")[1].split("## References")[0]
        assert len(re.findall(r"^- ", recap, re.M)) == len(re.findall(r"^- ", card, re.M)) >= 3

    def test_ends_with_mistakes_recap_references_and_the_next_lesson(self, notebook: Path) -> None:
        text = prose(notebook)
        places = [text.index(f"## {part}") for part in PARTS]
        assert places == sorted(places)
        assert text.rindex("### Exercise ") < places[0]
        assert "https://doi.org/10." in text[places[2] :]
        following = NOTEBOOKS[NOTEBOOKS.index(notebook) + 1 :]
        assert not following or f"]({following[0].name})" in text[places[2] :]

    def test_every_link_leads_somewhere(self, notebook: Path) -> None:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(notebook)):
            if target.startswith("https://"):
                continue
            path, _, heading = target.partition("#")
            file = notebook.parent / path if path else notebook
            assert file.is_file(), target
            assert not heading or heading in heading_ids(file), target


def test_the_index_shows_every_lesson_with_a_small_picture() -> None:
    folder = NOTEBOOKS[0].parent
    index = (folder / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| !\[(.+)\]\((images/\d\d\.jpg)\) \|.*\]\((.*\.ipynb)\) \| .+ \|$", index, re.M
    )
    assert [target for _, _, target in rows] == [notebook.name for notebook in NOTEBOOKS]
    for alt, image, notebook in rows:
        assert len(alt) > 20
        assert image == f"images/{notebook[:2]}.jpg"
        assert (folder / image).stat().st_size < 60_000
        assert cv2.imread(str(folder / image)).shape[1] == 360


# What a course on this method cannot do without: each names the lesson that teaches it.
TAUGHT = ("audio", "loaders", "metrics", "networks", "ravdess", "recipe", "splits", "store",
          "training", "video")  # fmt: skip
HEADS = [
    (path.relative_to(PACKAGE).with_suffix("").as_posix(), notebook)
    for path in sorted(PACKAGE.rglob("*.py"))
    for notebook in re.findall(
        r"notebooks/([\w-]+\.ipynb)",
        ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "",
    )
]


def test_what_is_taught_names_its_lesson() -> None:
    assert {module.rpartition("/")[2] for module, _ in HEADS} >= set(TAUGHT)


@pytest.mark.parametrize(("module", "notebook"), HEADS)
def test_a_module_is_used_in_the_lesson_that_its_head_names(module: str, notebook: str) -> None:
    code = "\n".join(text for _, text in cells(NOTEBOOKS[0].parent / notebook))
    public = [
        node.name
        for node in ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    names = "|".join(public)
    written = rf"^(?:def|class) (?:{names})\b"  # by the reader's own hand
    path = module.removesuffix("/__init__").split("/")
    imported = "from avlib." + ".".join(path) + " import "
    used = rf"\b(?:{path[0]}|{path[-1]})\.(?:{names})\b|{re.escape(imported)}|{written}"
    assert re.search(used, code, re.M), f"{notebook} uses nothing of avlib.{module}"


@pytest.mark.parametrize(
    "module",
    [
        "evaluation/plots.py",
        "course/widgets.py",
        "course/comparison_widgets.py",
        "course/convolution_widgets.py",
        "course/dominance_widgets.py",
        "course/feature_widgets.py",
        "course/fusion_widgets.py",
        "course/voice_widgets.py",
        "course/systems_widgets.py",
        "course/system_sketches.py",
        "course/training_widgets.py",
    ],
)
def test_what_avlib_draws_has_colours_that_all_eyes_tell_apart(module: str) -> None:
    assert colours((PACKAGE / module).read_text(encoding="utf-8")) <= COLOURS
