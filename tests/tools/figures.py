"""Every figure of the lessons as files for slides, with its alternative text.

`python tests/tools/figures.py OUT` writes `04-07.png`, the seventh figure of lesson 04, and so on,
as the executed lessons hold them, and `captions.csv`: file, lesson, the heading above, and the
alternative text. It takes what `pages.py` keeps, and runs a lesson only if it changed since. With
`--svg` it runs the lessons once more and keeps that run: then what matplotlib drew stands there as
SVG too, which stays sharp at any size. What is drawn as SVG in the lesson is SVG in any case.

Figures made of real recordings are not yours to publish: their texts end with RAVDESS's name.
"""

import argparse
import base64
import csv
import html
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pages

from avlib import course
from avlib.evaluation import plots

COLUMNS = ("file", "lesson", "heading", "alternative text")
_FIGURE = re.compile(r'<img alt="([^"]*)" src="data:image/(png|svg\+xml);base64,([^"]+)"')
_HEADING = re.compile(r"^#+ (.*)", re.M)


@dataclass(frozen=True)
class Figure:
    """A picture that a lesson shows."""

    lesson: str  # its title
    heading: str  # the nearest one above
    alt: str
    kind: str  # png or svg
    content: bytes


def figures(lesson: nbformat.NotebookNode) -> Iterator[Figure]:
    """The figures of an executed lesson, in order; one that is shown twice comes once."""
    title = heading = ""
    seen = set()
    for cell in lesson.cells:
        if cell.cell_type == "markdown":
            *_, heading = [heading, *_HEADING.findall(cell.source)]
            title = title or heading
        for output in cell.get("outputs", []):
            shown = "".join(output.get("data", {}).get("text/html", ""))
            for alt, kind, encoded in _FIGURE.findall(shown):
                if encoded not in seen:
                    content = base64.b64decode(encoded)
                    yield Figure(title, heading, html.unescape(alt), kind[:3], content)
                seen.add(encoded)


def write(executed: Path, out: Path, drawn: Path) -> list[dict[str, str]]:
    """Write the figures of an executed lesson; what is in the folder `drawn` as SVG, that too.

    Returns a row of `COLUMNS` for each file.
    """
    rows = []
    for number, figure in enumerate(figures(nbformat.read(executed, 4)), 1):
        file = out / f"{executed.name[:2]}-{number:02d}.{figure.kind}"
        file.write_bytes(figure.content)
        files = [file]
        svg = drawn / f"{plots.Picture(figure.content, figure.alt).name}.svg"
        if svg.is_file():
            files.append(shutil.copyfile(svg, file.with_suffix(".svg")))
        told = (figure.lesson, figure.heading, figure.alt)
        rows += [dict(zip(COLUMNS, (each.name, *told), strict=True)) for each in files]
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the figures")
    parser.add_argument("--only", nargs="+", metavar="NN", help="these lessons (default: all)")
    parser.add_argument("--svg", action="store_true", help="SVG too; the lessons run once for it")
    options = parser.parse_args(arguments)
    course.recordings()
    course.hand_on()
    keep = course.data_folder() / ("executed-svg" if options.svg else "executed")
    if options.svg:
        keep.mkdir(parents=True, exist_ok=True)
        os.environ["AVLIB_SVG"] = str(keep)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for notebook in course.lessons():
        if not options.only or notebook.name[:2] in options.only:
            rows += write(pages.run(notebook, keep), options.out, keep)
            print(f"{notebook.name}: {len(rows)} files so far", flush=True)
    with (options.out / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
