"""03-unimodal-cnns.ipynb: what a student writes is what avlib ships, and the text keeps its word.

Its second half runs without the first.
"""

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from exercises import exercises, solve
from shown import NOTEBOOKS, shown

from avlib import course, features
from avlib.learning import loaders, networks, splits, training

LESSON = NOTEBOOKS[3]
MEASURED = Path(__file__).parents[1] / "benchmarks" / "measured" / "audio.json"


def solved(number: str) -> dict[str, object]:
    """The lesson's names, and what an exercise's folded solution defines."""
    names = vars(shown("03"))
    exec(next(each.solution for each in exercises() if each.number == number), names)
    return names


def test_the_audio_cnn_that_a_student_writes_is_avlibs() -> None:
    written, shipped = solved("3.1")["MyAudioCNN"](), networks.AudioCNN()
    written.load_state_dict(shipped.state_dict())
    mfcc = torch.randn(5, 40)
    assert torch.equal(written(mfcc), shipped(mfcc))


def test_the_image_cnn_that_is_shown_is_avlibs() -> None:
    taught, shipped = shown("03").ImageCNN(), networks.ImageCNN()
    taught.load_state_dict(shipped.state_dict())
    image = torch.randn(5, 3, 64, 128)
    assert torch.equal(taught(image), shipped(image))


def test_the_loop_with_the_students_step_is_fit(easy: features.FeatureStore) -> None:
    split = splits.split(easy.rows, "clip", seed=0)
    samples = loaders.to_device(easy, split.train, "cpu")
    names = solved("3.2") | {"samples": samples, "split": split}
    names["train"].__globals__.update(samples=samples, split=split)
    shipped = networks.seeded(networks.AudioNetwork, seed=0)
    taught = networks.seeded(networks.AudioNetwork, seed=0)
    history = training.fit(shipped, samples, split, training.Training(epochs=2), False)
    parts = torch.nn.Sequential(taught.cnn, taught.classifier)
    curves = names["train"](parts, names["training_step"], epochs=2)
    assert training.digest(taught) == training.digest(shipped)
    watched = history.query("side == 'validation'")["accuracy"]
    np.testing.assert_allclose(curves[:, 1], watched, atol=1e-6)


def test_the_figure_of_weights_in_the_text_is_the_networks() -> None:
    weights = sum(each.numel() for each in networks.AudioNetwork().parameters())
    said = f"about {round(weights / 1000)} 000 numbers that it learns"
    assert said in LESSON.read_text(encoding="utf-8")


def test_on_real_voices_the_sequence_was_right_more_often_as_the_text_says() -> None:
    rows = json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
    right = {row["setting"]: row["accuracy"] for row in rows if row["who"] == "audio"}
    assert right["sequence, by actor"] > right["paper, by actor"]
    assert {row["clips"] for row in rows} == {960}


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each half prints, solved; the second is run after the set-up cell alone."""
    folder = tmp_path_factory.mktemp("halves")
    course.recordings()
    solve(LESSON, folder / "solved.ipynb")
    lesson = nbformat.read(folder / "solved.ipynb", as_version=4)
    ids = [cell.id for cell in lesson.cells]
    half, set_up = ids.index("second-half"), ids.index("lesson-03-03")
    parts = {"first": lesson.cells[:half], "second": [lesson.cells[set_up], *lesson.cells[half:]]}
    found = {}
    for name, cells in parts.items():
        path = folder / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=lesson.metadata), path)
        course.run_lesson(path, folder / "run")
        outputs = [
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for cell in nbformat.read(folder / "run" / path.name, as_version=4).cells
            for output in cell.get("outputs", [])
        ]
        found[name] = "\n".join(outputs)
    return found


@pytest.mark.slow
class TestBothHalvesSolved:
    def test_every_exercise_is_right(self, halves: dict[str, str]) -> None:
        assert re.findall(r"✓ Exercise (3\.\d)", halves["first"]) == ["3.1", "3.2"]
        assert re.findall(r"✓ Exercise (3\.\d)", halves["second"]) == ["3.3", "3.4"]

    def test_the_students_own_network_learns_as_avlibs_does(self, halves: dict[str, str]) -> None:
        own = r"Your network, trained by your step: training ends at (\d+) %, validation at (\d+) %"
        trained, watched = map(int, re.search(own, halves["first"]).groups())
        assert trained > watched > 12.5
        # Once below the student's curve, and once below that of `fit`.
        assert halves["first"].count("It came out as: training.") == 2

    def test_the_first_half_keeps_its_word(self, halves: dict[str, str]) -> None:
        for answer in ("not exactly 0", "0, 4, 4, 0", "10 304", "2.08", "yes"):
            assert f"It came out as: {answer}." in halves["first"]

    def test_the_second_half_answers_by_its_own_figures(self, halves: dict[str, str]) -> None:
        said = halves["second"]
        low, high = map(
            float, re.search(r"from ([+-][\d.]+) to ([+-][\d.]+) points", said).groups()
        )
        answer = "better" if low > 0 else "worse" if high < 0 else "we cannot tell"
        assert f"It came out as: {answer}." in said
        right, loss = re.search(r"right in (\d+)% of the rows · loss ([\d.]+)", said).groups()
        assert int(right) > 12.5  # not ignorant, and yet too bold
        assert float(loss) > np.log(8)
        sure, sure_if_wrong = re.search(r"how sure: (\d+)% .* (\d+)% where wrong", said).groups()
        assert int(sure) > int(sure_if_wrong)
