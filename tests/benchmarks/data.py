"""How fast a folder is listed, whether the memory of `features` grows with the clips, and what it
takes to open their store.

``python tests/benchmarks/data.py CORPUS`` (a practice corpus; about five minutes) prints these.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from speed import PEAK, growth

from avlib import features, files
from avlib.corpus import ravdess
from avlib.corpus.ravdess import ClipName, speech_names

# A process of its own, so that its peak of memory is its own.
OPEN = f"""{PEAK}
import json, time
from avlib import features
before, begun = peak(), time.perf_counter()
store = features.FeatureStore.open(sys.argv[1])
rows, opened = len(store.rows), time.perf_counter()
store.mfcc.sum(), store.pairs.sum()
read = time.perf_counter()
grown = peak() - before
print(json.dumps(dict(open_s=opened - begun, read_s=read - opened, grown_MiB=grown)))
"""
REPEATS = 5


def full_record(folder: Path) -> None:
    """The 7356 names of the record, as empty files."""
    cells = itertools.product(range(1, 7), (1, 2), (1, 2), (1, 2))
    song = [cell for cell in cells if cell[:2] != (1, 2)]
    for actor in range(1, 25):
        place = folder / f"Actor_{actor:02d}"
        place.mkdir()
        for modality in (1, 2, 3):
            names = speech_names([actor], modality)
            names += [ClipName(modality, 2, *cell, actor) for cell in song if actor != 18]
            for name in names:
                (place / f"{name}.{'wav' if modality == 3 else 'mp4'}").touch()


def seconds_of_index() -> float:
    """The median of listing the whole record, speech and song."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        full_record(folder)
        seconds = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            counts = len(ravdess.index(folder)), len(ravdess.index(folder, channel=2))
            seconds.append(time.perf_counter() - begun)
    print(f"7356 files are {counts} clips, speech and song")
    return statistics.median(seconds)


def opening(corpus: str) -> dict[str, float]:
    """Medians of opening a store and reading its arrays, each time in a new process."""
    with tempfile.TemporaryDirectory() as place:
        features.build(ravdess.index(corpus), features.Recipe(), f"{place}/store", progress=False)
        command = [sys.executable, "-c", OPEN, f"{place}/store"]
        found = [json.loads(subprocess.check_output(command)) for _ in range(REPEATS)]
    return {what: statistics.median(each[what] for each in found) for what in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("corpus", help="a practice corpus")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    options = parser.parse_args()
    grown = growth(ravdess.index(options.corpus), counts=(480, 4800))
    found = opening(options.corpus)
    rows = [
        {"what": "list the record's 7356 names", "seconds": seconds_of_index()},
        {"what": "open a store of 480 clips", "seconds": found["open_s"]},
        {"what": "read its arrays", "seconds": found["read_s"], "MiB": found["grown_MiB"]},
        *({"what": row.what, "peak": row.same} for row in grown),
    ]
    print(json.dumps(rows, indent=1))
    if options.json:
        files.save_json(options.json, {"measured_on": "the practice corpus", "rows": rows})


if __name__ == "__main__":
    main()
