"""The lessons as pages that need no kernel, and the small picture of each for their index.

`python tests/tools/pages.py OUT` runs the lessons, writes their pages, and says what is wrong.
With `--stamp` it writes the seconds measured into the lessons' cards, and the small pictures.
"""

from __future__ import annotations

import argparse
import base64
import html
import re
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import nbformat
import numpy as np

from avlib import course

# nbconvert's page, less the scripts that it would fetch: our lessons hold no formulas.
_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The lessons</title>
<style>
body {{ font-family: sans-serif; line-height: 1.5; max-width: 60em; margin: 2em auto; }}
td {{ padding: 0.3em 1em; }}
.anchor-link {{ display: none; }}
</style></head>
<body>
{body}
</body>
</html>
"""
_WIDGET = "application/vnd.jupyter.widget-view+json"


def write(executed: list[Path], index: Path, out: Path) -> list[Path]:
    """Write executed lessons as pages: figures, default widgets, sound; no kernel, no network.

    Parameters
    ----------
    executed : list of Path
        Executed notebooks, as `course.run_lesson` keeps them.
    index : Path
        ``notebooks/README.md``; becomes ``index.html``, with its pictures.
    out : Path
        Folder for the pages; made if it is not there.

    Returns
    -------
    list of Path
        The pages, the index first.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter
    from nbconvert.filters import markdown2html

    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"page.html.j2": _TEMPLATE})], template_file="page.html.j2"
    )
    out.mkdir(parents=True, exist_ok=True)
    pages = [out / "index.html"]
    text = index.read_text(encoding="utf-8")
    pages[0].write_text(_INDEX.format(body=_to_pages(markdown2html(text))), encoding="utf-8")
    for picture in re.findall(r"\]\((images/[^)]+)\)", text):
        (out / picture).parent.mkdir(exist_ok=True)
        (out / picture).write_bytes((index.parent / picture).read_bytes())
    for notebook in executed:
        lesson = nbformat.read(notebook, as_version=4)
        # A page has no kernel to move a widget with; its default picture stays.
        lesson.metadata.pop("widgets", None)
        for cell in lesson.cells:
            for output in cell.get("outputs", []):
                output.get("data", {}).pop(_WIDGET, None)
        page, _ = exporter.from_notebook_node(lesson, {"metadata": {"name": notebook.stem}})
        pages.append(out / f"{notebook.stem}.html")
        pages[-1].write_text(_to_pages(page), encoding="utf-8")
    return pages


def _to_pages(page: str) -> str:
    return re.sub(r'href="([\w-]+)\.ipynb', r'href="\1.html', page)


class _Page(HTMLParser):
    """What a page links to, what can be linked to in it, and what cannot be read aloud."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.scripts: list[str] = []
        self.mute = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "script" and found.get("src"):
            self.scripts.append(found["src"])
        if tag in ("img", "audio", "video"):
            self.mute += not (found.get("alt") or found.get("aria-label"))


def faults(folder: Path) -> list[str]:
    """What is wrong with a folder of pages.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of str
        Links to files or headings that are not there, scripts fetched from elsewhere, pictures
        and sounds without a text. Addresses on the web are not opened.
    """
    pages = {path.name: _Page(path.read_text(encoding="utf-8")) for path in folder.glob("*.html")}
    found = []
    for name, page in pages.items():
        if page.mute:
            found.append(f"{name}: {page.mute} pictures or sounds without a text")
        found += [f"{name}: needs a script from {script}" for script in page.scripts]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data", "mailto"):
                continue
            target = unquote(parts.path) or name
            if not (folder / target).is_file():
                found.append(f"{name}: links to {link}, which is not there")
            elif parts.fragment and not (
                {parts.fragment, unquote(parts.fragment)} & pages[target].places
            ):
                found.append(f"{name}: links to {link}, and {target} has no such heading")
    return found


def cover(notebook: Path, width: int = 360) -> bytes:
    """The small picture of a lesson: the last one of the cell that is tagged ``cover``.

    Parameters
    ----------
    notebook : Path
        An executed lesson.
    width : int
        Pixels.

    Returns
    -------
    bytes
        A JPEG.

    Raises
    ------
    ValueError
        If there is none, or it does not say that it was made from the practice corpus: pictures
        of real recordings are not ours to spread.
    """
    lesson = nbformat.read(notebook, as_version=4)
    shown = "".join(
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in lesson.cells
        if "cover" in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
    )
    pictures = re.findall(r'<img alt="(.*?)" src="data:image/png;base64,(.*?)"', shown)
    if not pictures:
        raise ValueError(f"{notebook}: no picture comes from a cell tagged “cover”")
    alt, encoded = pictures[-1]
    if not html.unescape(alt).endswith("Made from: practice corpus."):
        raise ValueError(
            f"{notebook}: its picture was not made from the practice corpus, and must not be kept; "
            "set AVLIB_DATA to a folder without real recordings"
        )
    png = np.frombuffer(base64.b64decode(encoded), np.uint8)
    picture = cv2.imdecode(png, cv2.IMREAD_COLOR)
    height = round(picture.shape[0] * width / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return jpeg.tobytes()


def stamp(notebook: Path, seconds: float) -> None:
    """Write the measured seconds into a lesson's card."""
    text = notebook.read_text(encoding="utf-8")
    stamped, times = re.subn(
        r"(\*\*Runs in\*\* )\d+( s on two CPU cores)", rf"\g<1>{seconds:.0f}\g<2>", text
    )
    if times != 1:
        raise ValueError(
            f"{notebook}: its card needs one line “**Runs in** 0 s on two CPU cores”, "
            f"and has {times}"
        )
    notebook.write_text(stamped, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the pages")
    parser.add_argument(
        "--stamp", action="store_true",
        help="write the seconds into the cards, and the small pictures of notebooks/README.md",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    course.recordings()
    course.hand_on()
    lessons = course.lessons()
    with tempfile.TemporaryDirectory() as place:
        for notebook in lessons:
            seconds = course.run_lesson(notebook, Path(place))
            print(f"{notebook.name} {seconds:.0f} s", flush=True)
            if options.stamp:
                stamp(notebook, seconds)
                images = notebook.parent / "images"
                images.mkdir(exist_ok=True)
                (images / f"{notebook.name[:2]}.jpg").write_bytes(cover(Path(place, notebook.name)))
        executed = [Path(place, notebook.name) for notebook in lessons]
        written = write(executed, lessons[0].parent / "README.md", options.out)
    wrong = faults(options.out)
    print(*wrong, f"{options.out}: {len(written)} pages, {len(wrong)} faults", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
