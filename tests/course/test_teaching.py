"""What notebooks/teaching.md names is there: sections, minutes, words of checks, commands."""

import ast
import re
from pathlib import Path

import pytest
from shown import NOTEBOOKS, cells
from typer.main import get_command

import avlib
from avlib.__main__ import app
from avlib.course import checks
from avlib.course.dominance_widgets import compared
from avlib.evaluation import dominance_table, listening, robustness

ROOT = NOTEBOOKS[0].parents[1]
PAGE = (ROOT / "notebooks" / "teaching.md").read_text(encoding="utf-8")
PARTS = {title[0]: text for title, text in re.findall(r"^## (.+)\n((?:(?!^## ).*\n)+)", PAGE, re.M)}
ROWS = {part: re.findall(r"^\| (.+) \|$", text, re.M) for part, text in PARTS.items()}
SYLLABI = [row.split(" | ") for row in ROWS["2"] if re.match(r"\d \|", row)]


def prose(notebook: Path) -> str:
    return "\n".join(text for kind, text in cells(notebook) if kind == "markdown")


def minutes(text: str) -> int:
    return sum(map(int, re.findall(r"\((\d+)\)", text)))


def said_by_checks(lesson: str) -> str:
    """All texts that a lesson's judges, and what they share, may say."""
    folder = Path(checks.__file__).parent
    sources = [
        (folder / f"{name}.py").read_text("utf-8") for name in (f"lesson_{lesson}", "judging")
    ]
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    return "\n".join(str(node.value) for node in nodes if isinstance(node, ast.Constant))


def test_its_minutes_sum() -> None:
    four, weekend = SYLLABI[:4], SYLLABI[4:]
    assert [minutes(in_class) for _, in_class, _ in four] == [90] * 4
    for *_, homework in four:
        assert f"**{minutes(homework)}**" in homework
    assert [minutes(day) for _, day in weekend] == [360] * 2
    times = [re.search(r"(\d+) minutes to read, (\d+) min", prose(path)) for path in NOTEBOOKS]
    read, work = (sum(int(time[part]) for time in times) for part in (1, 2))
    assert f"{read} minutes of reading and {work} of exercises" in PAGE
    assert f"{(read + work) / 60:.0f} hours" in PAGE


def test_the_sections_and_exercises_that_it_names_are_there() -> None:
    headings = re.findall(r"^#+ (.+)$", "\n".join(map(prose, NOTEBOOKS)), re.M)
    named = re.findall(r"\*([^*]+)\*", "".join(PARTS["2"]).replace("**", ""))
    for section in named:
        if "Restart" not in section and section != "To":
            assert any(section in heading for heading in headings), section
    numbers = re.findall(r"(?<![\d.])(\d{1,2}\.\d)(?![\d.])", "\n".join([PARTS["2"], *ROWS["4"]]))
    assert set(numbers) <= set(checks.exercises())


@pytest.mark.parametrize("row", [row for row in ROWS["4"] if row[0].isdigit()])
def test_a_check_says_the_words_that_it_quotes(row: str) -> None:
    number, _, quoted, _ = row.split(" | ")
    assert quoted[1:-1] in said_by_checks(f"{int(number.split('.')[0]):02d}")


def test_the_commands_and_options_that_it_names_are_there() -> None:
    commands = get_command(app).commands
    found = re.findall(r"python -m avlib ([a-z]+)((?: [^\s`&#|]+)*)", PAGE)
    assert len(found) >= 6
    for name, rest in found:
        options = {option for each in commands[name].params for option in each.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= options, name
    for tool in re.findall(r"python (tests/tools/\w+\.py)", PAGE):
        assert (ROOT / tool).is_file()
    assert f"`v{avlib.__version__}`" in PAGE


def test_an_exam_question_has_ten_points_and_a_project_twelve() -> None:
    questions = re.findall(r"^\d+\. \*\*.+", PARTS["5"], re.M)
    assert len(questions) == 10
    for question in questions[:-1]:  # the last one: four reasons of 2.5
        assert sum(map(int, re.findall(r"\((\d)\)", question))) == 10, question[:40]
    lines = [row for row in ROWS["6"] if not row.startswith(("|", "-"))]
    assert [row.count(" | ") for row in lines] == [3] * len(lines) == [3] * 12


def test_the_exam_quotes_what_was_measured() -> None:
    cures = dominance_table.measured("cures")
    strangers = cures[cures["split by"] == "actor"]
    for one, than in (("auxiliary", "none"), ("late", "auxiliary")):
        points, *ends = (100 * each for each in compared(strangers, one, than))
        low, high = (f"{end:+.1f}" for end in ends)
        assert f"{one} minus {than} {points:+.1f} ({low} to {high})" in PAGE
    header = listening.Recogniser.load().header
    low, high = (100 * f(header["accuracy_of_actor"].values()) for f in (min, max))
    right = 100 * header["rows"][0]["accuracy"]
    assert f"{right:.0f} % (by actor {low:.0f} to {high:.0f} %)" in PAGE
    heard = robustness.measured().set_index(["heard", "trained on"])
    row = 100 * heard.loc[("noise 0 dB", list(robustness.WAYS)[1])]
    assert f"leaves {row['accuracy']:.0f} %" in PAGE
    assert f"(calibration error {row['calibration error']:.0f} points)" in PAGE
