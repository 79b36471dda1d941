"""The lessons as a book that needs no kernel and no network, and the small picture of each.

`python tests/tools/pages.py OUT` runs the lessons, writes the book, and says what is wrong. A
lesson whose code and avlib are as they were is not run again. It needs what
tests/tools/book/requirements.txt lists. With `--stamp` it writes the seconds measured into the
lessons' cards, and the small pictures.
`python tests/tools/look.py OUT` then reads the book in a browser.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import nbformat
import numpy as np

from avlib import course, files
from avlib.corpus import ravdess

BOOK = Path(__file__).with_name("book")  # how Sphinx makes it
HEAVIEST = 2_000_000  # bytes of a page without its pictures and sounds
_ABOUT = """
These pages show each lesson as it ran, on the practice corpus, with its films and the first
picture of each widget. To move the widgets and to do the exercises, open a lesson on Colab with the
rocket above it, or run it on your own machine. The [glossary](glossary.md) has every new word.
"""
_WIDGET = "application/vnd.jupyter.widget-view+json"
_MEDIA = re.compile(r"data:(?:image|audio|video)/(png|jpeg|flac|mp4);base64,([A-Za-z0-9+/=]+)")
_BADGE = re.compile(r"\s*\[!\[Open in Colab\].*")


def run(notebook: Path, keep: Path) -> Path:
    """Run a lesson, unless it was run before with this code, avlib and these recordings.

    Parameters
    ----------
    notebook : Path
    keep : Path
        Folder of the executed copies; made if it is not there.

    Returns
    -------
    Path
        The executed copy; the notebook's metadata say how many ``seconds`` it took. Its prose may
        be older than the lesson's: only code has to be run.
    """
    copy = _copy(notebook, keep)
    if not copy.is_file():
        with tempfile.TemporaryDirectory() as place:
            seconds = course.run_lesson(notebook, Path(place))
            take(Path(place, notebook.name), notebook, keep, seconds)
    return copy


def take(executed: Path, notebook: Path, keep: Path, seconds: float) -> None:
    """Keep what another program executed, a browser for instance, as `run` keeps its own."""
    ran = nbformat.read(executed, 4)
    ran.metadata["seconds"] = seconds
    for old in keep.glob(f"{notebook.stem}-*.ipynb"):
        old.unlink(missing_ok=True)
    files.save(_copy(notebook, keep), nbformat.writes(ran).encode())


def _copy(notebook: Path, keep: Path) -> Path:
    """The executed copy of a lesson, whose name tells its code, avlib and the recordings."""
    clips = ravdess.index(course.recordings())
    package = Path(course.__file__).parents[1]
    ran = {
        "cells": [cell.source for cell in nbformat.read(notebook, 4).cells if _is_code(cell)],
        "avlib": {
            str(path.relative_to(package)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files.below(package)
            if path.suffix != ".pyc"
        },
        "clips": [ravdess.corpus(clips), *clips["clip"]],
    }
    return keep / f"{notebook.stem}-{files.digest(ran)[:16]}.ipynb"


def _is_code(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code"


def write_sources(lessons: dict[Path, Path | None], place: Path, media: Path) -> None:
    """Write what Sphinx makes the book of.

    Parameters
    ----------
    lessons : dict of Path to (Path or None)
        Each notebook, and its executed copy; without one, its code stands there without outputs.
    place : Path
        Folder for the notebooks, their index and the glossary.
    media : Path
        Folder for pictures and sounds, which the pages seek in ``media``.
    """
    for notebook, executed in lessons.items():
        lesson = nbformat.read(notebook, as_version=4)
        lesson.cells[0].source = _BADGE.sub("", lesson.cells[0].source)  # the book has a button
        outputs = []
        if executed is not None:
            outputs = [cell.outputs for cell in nbformat.read(executed, 4).cells if _is_code(cell)]
        for cell, shown in zip(filter(_is_code, lesson.cells), outputs, strict=False):
            cell.outputs = [_to_page(output, media) for output in shown if not _is_bar(output)]
        nbformat.write(lesson, place / notebook.name)
    folder = next(iter(lessons)).parent
    index = (folder / "README.md").read_text(encoding="utf-8")
    shutil.copytree(folder / "images", place / "images")
    table = index[: index.rindex("|\n") + 2]  # what follows is about commands
    pages = "\n".join([*(notebook.stem for notebook in lessons), "glossary"])
    contents = f"```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    (place / "index.md").write_text(f"{table}{_ABOUT}\n{contents}", encoding="utf-8")
    (place / "glossary.md").write_text(glossary(list(lessons)), encoding="utf-8")


_LESSON = re.compile(r'(?<=href=\\")(\d\d-[\w-]+)\.ipynb.*?(?=\\")')  # in JSON


def _is_bar(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a widget without a picture: a bar that showed how far a run had come."""
    return _WIDGET in output.get("data", {}) and "text/html" not in output.data


def _to_page(output: nbformat.NotebookNode, media: Path) -> nbformat.NotebookNode:
    """An output for readers elsewhere, who have neither a kernel nor this machine's folders."""
    output.get("data", {}).pop(_WIDGET, None)  # its picture stays
    said = json.dumps(output).replace(str(course.data_folder()), "data")
    said = _LESSON.sub(r"\1.html", said)  # a page here; a heading has another name on it
    return nbformat.from_dict(json.loads(_MEDIA.sub(lambda found: _beside(found, media), said)))


def _beside(found: re.Match, media: Path) -> str:
    """Write what an address holds as a file, and return the address of that."""
    content = base64.b64decode(found[2])
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{found[1]}"
    media.mkdir(parents=True, exist_ok=True)
    (media / name).write_bytes(content)
    return f"media/{name}"


@dataclass(frozen=True)
class Term:
    """A word in bold, the sentence that it stands in, and where that is."""

    word: str
    sentence: str
    page: str  # the notebook's name
    lesson: str  # its title
    section: str  # the heading above; empty before the first


_TERM = re.compile(r"[\w-]{2,}( [\w-]+){0,3}")  # no full stop, no colon: no advice, no label
_POINTS_BACK = re.compile(r"(This|That|These|It|They|Its|So|What) ")


def terms(notebook: Path) -> Iterator[Term]:
    """The words in bold in a lesson's prose, in order; a sentence in bold is none."""
    from markdown_it import MarkdownIt

    lesson, section = "", ""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "markdown":
            continue
        tokens = MarkdownIt("commonmark").enable("table").parse(cell.source)
        for before, token in zip([None, *tokens], tokens, strict=False):
            if token.type != "inline":
                continue
            if before.type == "heading_open":
                section = "".join(child.content for child in token.children)
                lesson, section = (section, "") if before.tag == "h1" else (lesson, section)
                continue
            strong = False
            for child in token.children:
                if strong and _TERM.fullmatch(child.content):
                    sentence = _sentence(token.content, child.content)
                    yield Term(child.content, sentence, notebook.name, lesson, section)
                strong = child.type == "strong_open"


def _sentence(text: str, word: str) -> str:
    """The sentence that a word in bold stands in; with its neighbours, where one points back."""
    sentences = re.split(r"(?:(?<=[.?!])|(?<=[.?!]\)))(?<!al\.)\s+(?=[^a-z])", text)
    at = next(i for i, sentence in enumerate(sentences) if f"**{word}**" in sentence)
    first = at - 1 if at and _POINTS_BACK.match(sentences[at]) else at
    last = at + 1 if re.match("(Each|It|They) ", "".join(sentences[at + 1 : at + 2])) else at
    return " ".join(" ".join(sentences[first : last + 1]).split())


def glossary(lessons: list[Path]) -> str:
    """A page with every term of the lessons, its first sentence, and links to where it stands."""
    prose = " ".join(path.read_text(encoding="utf-8") for path in lessons)
    found: dict[str, list[Term]] = {}
    for term in (term for notebook in lessons for term in terms(notebook)):
        found.setdefault(term.word.casefold(), []).append(term)
    entries = []
    for _, places in sorted(found.items()):
        first = places[0]
        small = first.word[0].lower() + first.word[1:]
        word = small if re.search(rf"\b{re.escape(small)}\b", prose) else first.word
        links = " · ".join(dict.fromkeys(map(_link, places)))
        entries.append(f"{word}\n  {first.sentence}\n\n  {links}\n")
    text = "Every word that a lesson explains, with the sentence that explains it first."
    return f"# Glossary\n\n{text}\n\n````{{glossary}}\n" + "\n".join(entries) + "````\n"


def _link(term: Term) -> str:
    place = f"#{term.section.replace(' ', '-')}" if term.section else ""
    title = f"{term.lesson} › {term.section}" if term.section else term.lesson
    return f"[{title}](<{term.page}{place}>)"


def build(place: Path, out: Path) -> list[str]:
    """Let Sphinx make pages; return its warnings."""
    with tempfile.TemporaryDirectory() as doctrees:
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-q", "-E", "-c", BOOK, "-d", doctrees,
             place, out],
            capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{done.stderr}\nThe book needs tests/tools/book/requirements.txt.")
    return [line.replace(f"{place}/", "") for line in done.stderr.splitlines() if line.strip()]


class _Page(HTMLParser):
    """What a page links to, what can be linked to in it, and what cannot be read aloud."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.fetched: list[str] = []
        self.mute = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        links = [found[name] for name in ("href", "src") if found.get(name)]
        self.links += links
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag not in ("a", "form"):
            self.fetched += [link for link in links if urlsplit(link).netloc]
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
        Links to files or headings that are not there, scripts and pictures fetched from elsewhere,
        pictures and sounds without a text, pages over 2 MB. Addresses on the web are not opened.
    """
    pages = {path.name: _Page(path.read_text(encoding="utf-8")) for path in folder.glob("*.html")}
    found = []
    for name, page in pages.items():
        size = (folder / name).stat().st_size
        if size > HEAVIEST:
            found.append(f"{name}: {size / 1e6:.1f} MB of text")
        if page.mute:
            found.append(f"{name}: {page.mute} pictures or sounds without a text")
        found += [f"{name}: fetches {link}" for link in page.fetched]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data", "mailto") or parts.netloc:
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
        If there is none, or it does not say that it is a drawing, or was made from the practice
        corpus: pictures of real recordings are not ours to spread.
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
    if not re.match(r"A drawing of|.*Made from: practice corpus\.$", html.unescape(alt)):
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
        "--only", nargs="+", metavar="NN", help="run these lessons; the others stand as they are"
    )
    parser.add_argument(
        "--stamp", action="store_true",
        help="write the seconds into the cards, and the small pictures of notebooks/README.md",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    course.recordings()
    course.hand_on()
    lessons: dict[Path, Path | None] = dict.fromkeys(course.lessons())
    for notebook in lessons:
        if options.only and notebook.name[:2] not in options.only:
            continue
        lessons[notebook] = executed = run(notebook, course.data_folder() / "executed")
        seconds = nbformat.read(executed, 4).metadata["seconds"]
        print(f"{notebook.name} {seconds:.0f} s", flush=True)
        if options.stamp:
            stamp(notebook, seconds)
            images = notebook.parent / "images"
            images.mkdir(exist_ok=True)
            (images / f"{notebook.name[:2]}.jpg").write_bytes(cover(executed))
    with tempfile.TemporaryDirectory() as place:
        write_sources(lessons, Path(place), options.out / "media")
        wrong = build(Path(place), options.out)
    wrong += faults(options.out)
    pages = sorted(options.out.glob("*.html"))
    print(*(f"{path.name} {path.stat().st_size / 1e3:.0f} kB" for path in pages), sep="\n")
    print(*wrong, f"{options.out}: {len(pages)} pages, {len(wrong)} faults", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
