"""Every lesson as on Colab: its versions, no checkout, a stand-in for ``google.colab``.

Runs in an environment of ``constraints.txt`` in which avlib is not installed:
``python tests/colab/contract.py WHEEL DATA [NN …]``. DATA may hold a practice corpus, NN are
lessons (all by default). The first one's set-up cell installs avlib from the wheel. Where a lesson
offers to skip a training, it is skipped: the tests of the lessons train. In every lesson each
control of each widget is then moved.
"""

import os
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
LESSONS = sorted((HERE.parents[1] / "notebooks").glob("[0-9][0-9]-*.ipynb"))
MOVE = """
import gc

from avlib.course.widgets import Explorer

_moved = 0
for _explorer in [each for each in gc.get_objects() if Explorer in type(each).__mro__]:
    for _name, _control in _explorer.controls.items():
        _value, _before = _control.value, _explorer.shown.value
        if hasattr(_control, "options"):
            _others = [option[1] if isinstance(option, tuple) else option
                       for option in _control.options]
        elif isinstance(_value, bool):
            _others = [not _value]
        elif isinstance(_value, list):  # a matrix to press, where it counts a clip
            _counts = _explorer.counts.to_numpy()
            _others = [[int(row), int(column), 1] for row, column in zip(*_counts.nonzero())]
        else:
            _others = [_control.min, _control.max, _control.min + _control.step]
        for _other in _others:
            _control.value = _other
            if _explorer.shown.value != _before:
                break
        assert _explorer.shown.value != _before, _name
        _control.value = _value
        _moved += 1
assert _moved
print("controls moved:", _moved)
"""


def versions() -> dict[str, str]:
    """What is installed here."""
    return {each.name: each.version for each in distributions()}


def run(notebook: Path, folder: Path, threads: int) -> str:
    """Run a lesson and move its widgets; what to print of it."""
    lesson = nbformat.read(notebook, as_version=4)
    for cell in lesson.cells:  # the networks that come with avlib, where a lesson offers them
        cell.source = cell.source.replace("SKIP_TRAINING = False", "SKIP_TRAINING = True")
    lesson.cells.append(nbformat.v4.new_code_cell(MOVE))
    settings = {"OMP_NUM_THREADS": str(threads)}
    client = NotebookClient(lesson, timeout=1800, resources={"metadata": {"path": str(folder)}})
    began = time.perf_counter()
    client.execute(env=os.environ | settings)
    said = "".join(output.get("text", "") for output in lesson.cells[-1].outputs).strip()
    return f"{notebook.stem}: {time.perf_counter() - began:.0f} s, {said}"


def open_another_release(folder: Path) -> str:
    """What a lesson of another release says; it should be one sentence, and no traceback."""
    lesson = nbformat.read(LESSONS[0], as_version=4)
    set_up = next(cell for cell in lesson.cells if cell.cell_type == "code")
    set_up.source = re.sub(r'AVLIB = ".*"', 'AVLIB = "9.9.9"', set_up.source)
    lesson.cells = [set_up]
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(lesson, allow_errors=True, resources=place).execute()
    (output,) = [each for each in set_up.outputs if each.output_type != "stream"]
    (sentence,) = output.traceback
    assert sentence.startswith("This lesson belongs to avlib 9.9.9, and avlib "), output
    return sentence


def main(wheel: Path, data: Path, *only: str) -> None:
    assert find_spec("avlib") is None, "avlib is to be installed by the lessons' set-up cell"
    before = versions()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "content"  # as on Colab: nothing here but what a lesson makes
        startup = Path(place) / "ipython" / "profile_default" / "startup"
        for each in (folder, startup, Path(place) / "data"):
            each.mkdir(parents=True)
        (startup / "00-colab.py").write_text("import google.colab\n")
        if (data / "practice").is_dir():  # else the first lesson makes it
            shutil.copytree(data / "practice", Path(place) / "data" / "practice")
        os.environ |= {
            "AVLIB_WHEEL": str(wheel.resolve()), "AVLIB_DATA": str(Path(place) / "data"),
            "IPYTHONDIR": str(startup.parents[1]), "PYTHONPATH": str(HERE),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }  # fmt: skip
        chosen = [path for path in LESSONS if not only or path.name[:2] in only]
        # One installs avlib; the first that trains makes the features that all others open.
        alone = [chosen[0], *(path for path in chosen[1:] if path.name.startswith("03"))]
        others = [path for path in chosen if path not in alone]
        for lesson in alone:
            print(run(lesson, folder, threads=2), flush=True)
        with ThreadPoolExecutor(2) as two:  # two at a time, a thread each
            for said in two.map(lambda lesson: run(lesson, folder, threads=1), others):
                print(said, flush=True)
        print("a lesson of another release:", open_another_release(folder))
    after = versions()
    changed = {name for name in before if after.get(name) != before[name]}
    assert not changed, f"the set-up cell changed what Colab has: {changed}"
    print("installed by the set-up cell:", *sorted(set(after) - set(before)))
    print("as they were:", *(f"{name} {version}" for name, version in sorted(before.items())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
