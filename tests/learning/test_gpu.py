"""On a GPU every lesson runs, and the networks become as accurate as on the processor."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchmarks import band
from shown import NOTEBOOKS

from avlib import course
from avlib.corpus import ravdess
from avlib.features import Recipe

LESSON_STORES = (Recipe.preset("paper"), Recipe.preset("sequence", visual="none"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not torch.cuda.is_available(),
        reason="needs a CUDA GPU, to compare seconds and accuracies with the processor's",
    ),
]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_runs_on_the_gpu(
    notebook: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    clips = course.with_picture(ravdess.index(course.recordings()))
    for recipe in LESSON_STORES:  # so that neither run has to make them
        course.store(clips, recipe)
    seconds = {}
    for device in ("cuda", "cpu"):
        if device == "cpu":
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        seconds[f"seconds, {device}"] = course.run_lesson(notebook, tmp_path / device)
        ran = json.loads((tmp_path / device / notebook.name).read_text(encoding="utf-8"))
        setup = next(cell for cell in ran["cells"] if cell["cell_type"] == "code")
        assert f"device {device}" in "".join(setup["outputs"][0]["text"])
    record_property("lesson", (notebook.name[:2], seconds))


@pytest.mark.parametrize("name", band.NETWORKS)
def test_accuracies_lie_in_the_band_around_the_processors(name: str) -> None:
    store = band.store()
    on_processor, on_gpu = (band.accuracies(name, store, device) for device in ("cpu", "cuda"))
    print(f"{name}: processor {on_processor.round(3)}, GPU {on_gpu.round(3)}")
    assert abs(on_gpu.mean() - on_processor.mean()) <= band.BAND
