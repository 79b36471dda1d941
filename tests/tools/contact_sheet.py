"""Draw every emotion on several faces of the practice corpus: the picture in the README.

`python tests/tools/contact_sheet.py notebooks/images/practice-faces.jpg`
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.practice import face, performance

QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]  # no difference is seen, at half the size


def contact_sheet(actors: int = 6, seed: int = 0) -> np.ndarray:
    """A row an emotion, a column an actor, ``(1440, 140 + 200 × actors, 3)`` uint8 RGB.

    At strong intensity where there is one, and 1.35 times as strong as in the clip's mean.
    """
    at_rest = np.zeros((1, 3))
    rows = []
    for emotion, label in enumerate(EMOTIONS, 1):
        strongest = 1 if emotion == 1 else 2
        names = [ClipName(1, 1, emotion, strongest, 1, 1, actor) for actor in range(1, actors + 1)]
        peaks = 1.35 * performance.draw(names, seed, seen=True)
        peaks["AU45"] *= 0.2 / 1.35  # eyes open
        units = peaks[list(performance.ACTION_UNITS)].to_numpy()
        faces = [
            next(face.draw(name.actor, peak[None], at_rest))[:, 60:260]
            for name, peak in zip(names, units, strict=True)
        ]
        margin = np.full((face.HEIGHT, 140, 3), 255, np.uint8)
        place, size, black, thickness = (10, face.HEIGHT // 2 + 8), 0.75, (0, 0, 0), 2
        cv2.putText(
            margin, label, place, cv2.FONT_HERSHEY_SIMPLEX, size, black, thickness, cv2.LINE_AA
        )
        rows.append(np.hstack([margin, *faces]))
    return np.vstack(rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("picture", type=Path, help="the file to write, .jpg or .png")
    parser.add_argument("--actors", type=int, default=6, help="columns (default 6)")
    parser.add_argument("--seed", type=int, default=0, help="of the corpus (default 0)")
    options = parser.parse_args(arguments)
    sheet = contact_sheet(options.actors, options.seed)
    if not cv2.imwrite(str(options.picture), sheet[..., ::-1], QUALITY):
        parser.error(f"{options.picture}: cannot be written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
