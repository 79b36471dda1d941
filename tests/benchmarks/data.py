"""How fast a folder is listed, and whether the memory of `features` grows with the clips.

``python tests/benchmarks/data.py CORPUS`` (a practice corpus; about ten minutes) prints both.
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

from avlib.corpus import ravdess
from avlib.corpus.ravdess import ClipName, speech_names

BUILD = """
import resource, sys
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from avlib import features, ravdess
folder, wanted, store = sys.argv[1], int(sys.argv[2]), sys.argv[3]
clips = ravdess.index(folder)
copies = [clips.assign(clip=clips["clip"] + f"-{copy}") for copy in range(-(-wanted // len(clips)))]
many = pd.concat(copies, ignore_index=True)[:wanted]
features.build(many, features.Recipe(), store, progress=False)
get_reusable_executor().shutdown(wait=True)
own, workers = (resource.getrusage(who).ru_maxrss / 1024 for who in (
    resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(f"{own:.0f} {workers:.0f}")
"""


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


def main(corpus: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        full_record(folder)
        seconds = []
        for _ in range(5):
            begun = time.perf_counter()
            counts = len(ravdess.index(folder)), len(ravdess.index(folder, channel=2))
            seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds)
    print(
        f"index of 7356 files, speech and song {counts}: {median:.2f} s (median of 5)", flush=True
    )
    peaks = {}
    for clips in (480, 4800):
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, "-c", BUILD, corpus, str(clips), f"{place}/store"]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        own, workers = map(int, told.split())
        peaks[clips] = {"own_MiB": own, "largest_worker_MiB": workers}
        print(f"features of {clips} clips: at most {own} MiB, its workers {workers}", flush=True)
    print(json.dumps({"index_s": median, "peaks": peaks}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="a practice corpus")
    main(parser.parse_args().corpus)
