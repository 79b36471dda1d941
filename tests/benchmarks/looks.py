"""How often is a face found where there is one, and where there is none?

``python tests/benchmarks/looks.py FOLDER… [--json FILE]``: in real or drawn films (three looks at
each, every tenth of a folder with more than 100), and, where scikit-image is installed, in its 200
small pictures of *Labeled Faces in the Wild*, half of which show no face (25 × 25 pixels, set into
a grey frame at several sizes).
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from avlib import files
from avlib.features import faces, video

SIDES = (50, 75, 100, 150)  # pixels, in a frame of 320


def of_films(folder: Path) -> dict[str, object]:
    """Looks at the films of a folder."""
    paths = sorted(folder.rglob("0[12]-*.mp4"))
    counts, took = faces.Counts(), []
    for path in paths[:: 10 if len(paths) > 100 else 1]:
        for frame in video.frames_along(path, video.duration(path) * np.array([0.2, 0.5, 0.8])):
            begun = time.perf_counter()
            counts.add(faces.find(frame))
            took.append(time.perf_counter() - begun)
    practice = any("practice" in part for part in folder.resolve().parts)
    return {
        "pictures": "practice corpus, drawn" if practice else "RAVDESS films",
        "looks": counts.looks,
        "one face": counts.looks - counts.without - counts.several,
        "none": counts.without,
        "several": counts.several,
        "milliseconds a look": 1000 * float(np.median(took)),
    }


def of_small_pictures(side: int) -> list[dict[str, object]]:
    """Pictures with a face and without one, at one size."""
    from skimage import data

    pictures, rows = data.lfw_subset(), []
    for what, some in (("a face", pictures[:100]), ("no face", pictures[100:])):
        counts = faces.Counts()
        for each in some:
            frame, at = np.full((320, 320), 128, np.uint8), 160 - side // 2
            grey = (255 * each / pictures.max()).astype(np.uint8)
            frame[at : at + side, at : at + side] = cv2.resize(
                grey, (side, side), interpolation=cv2.INTER_CUBIC
            )
            counts.add(faces.find(np.stack([frame] * 3, axis=-1)))
        rows.append(
            {
                "pictures": f"LFW, {what}, {side} pixels",
                "looks": counts.looks,
                "one face": counts.looks - counts.without - counts.several,
                "none": counts.without,
                "several": counts.several,
            }
        )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="films")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = [of_films(folder) for folder in options.folders]
    try:
        rows += [row for side in SIDES for row in of_small_pictures(side)]
    except ImportError:
        print("scikit-image is not installed: no pictures of Labeled Faces in the Wild")
    if options.json:
        files.save_json(
            options.json, {"experiment": "looks", "measured_on": "RAVDESS, practice corpus, LFW",
                           "rows": rows}
        )  # fmt: skip
    for row in rows:
        print(row)
