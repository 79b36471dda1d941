"""What the lessons show, read from the notebooks themselves, so that text and test cannot part."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

from avlib import course
from avlib.course.grading import lessons

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9][0-9]-*.ipynb"))

# What drives the lessons in JupyterLab as a reader would, where it is at hand.
BROWSER = shutil.which("chromium") if importlib.util.find_spec("playwright") else None
# The resampler's filter (lesson 02), boxes (lesson 08), the interval of a test and RAVDESS's own
# figures (lesson 10).
_OF_NO_RECORDING_HERE = ("A tall peak at the centre", "A drawing of", "A test of", "On RAVDESS")


def assert_pictures_say_what_they_are(texts: list[str]) -> None:
    """Every picture's alternative text ends with what recordings it was made from."""
    of_recordings = [text for text in texts if not text.startswith(_OF_NO_RECORDING_HERE)]
    assert of_recordings
    assert all(text.endswith("Made from: practice corpus.") for text in of_recordings)


def cells(notebook: Path) -> list[tuple[str, str]]:
    """Kind and source of each cell."""
    stored = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in stored]


def shown(number: str) -> SimpleNamespace:
    """The imports, constants, functions and classes that a lesson shows, without running it."""
    notebook = next(path for path in NOTEBOOKS if path.name.startswith(number))
    names: dict[str, object] = {}
    for statement in lessons.read(notebook).prepared:
        exec(compile(statement, notebook.name, "exec"), names)
    return SimpleNamespace(**names)


def executed(number: str) -> list[dict]:
    """A lesson's cells as they ran on the practice corpus: once for all tests, if need be here."""
    import pages

    notebook = next(path for path in NOTEBOOKS if path.name.startswith(number))
    ran = pages.run(notebook, course.data_folder() / "executed")
    return json.loads(ran.read_text("utf-8"))["cells"]


def said_by(ran: list[dict]) -> list[str]:
    """What each output of cells as they ran says, text alone."""
    outputs = [each for cell in ran for each in cell.get("outputs", [])]
    texts = [each.get("text") or each.get("data", {}).get("text/plain", "") for each in outputs]
    return ["".join(each) for each in texts]
