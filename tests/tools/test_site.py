"""The book, built of two lessons, as its readers meet it: in a browser, without a network."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import look
import pages
import pytest
from in_browser import LONGEST_S, NEEDS_BROWSER, chromium

import avlib
from avlib import course

pytestmark = [
    pytest.mark.slow,
    NEEDS_BROWSER,
    pytest.mark.skipif(
        not all(
            map(importlib.util.find_spec, ("myst_nb", "sphinx_book_theme", "axe_playwright_python"))
        ),
        reason="needs tests/tools/book/requirements.txt",
    ),
]
RUN = ("00", "01")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("book")
    assert pages.main([str(out), "--only", *RUN]) == 0
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as started:
        yield started


def test_no_reader_stumbles(book: Path, browser: object) -> None:
    read = [*RUN, "index", "glossary", "search"]
    found = [page for page in book.glob("*.html") if page.name.startswith(tuple(read))]
    assert len(found) == len(read)
    assert [each for page in found for each in look.faults(browser, page)] == []


def test_a_lesson_shows_what_it_showed_when_it_ran(book: Path) -> None:
    page = (book / "00-start-here.html").read_text(encoding="utf-8")
    assert page.count("Made from: practice corpus.") >= 4
    assert 'aria-label="Actor 1 (male), happy, strong: “Kids are talking by the door”' in page
    assert f"/blob/v{avlib.__version__}/notebooks/00-start-here.ipynb" in page
    assert "01-explore-the-dataset.html" in page
    assert str(course.data_folder()) not in page
    assert list((book / "media").glob("*.flac"))
    assert page.count("<video") == 2


def test_the_search_finds_a_term_without_a_network(book: Path, browser: object) -> None:
    page = browser.new_page()
    page.set_default_timeout(1000 * LONGEST_S)
    page.goto(f"{(book / 'search.html').as_uri()}?q=aliasing")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    found = {link.get_attribute("href").partition("?")[0] for link in results.all()}
    page.close()
    assert any(link.startswith("glossary.html#term-aliasing") for link in found), found
    assert any(link.startswith("02-mfcc") for link in found), found


def test_a_formula_needs_no_script(tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text("# Formulas\n\nHere $x^2$.\n\n$$\\frac{a}{b}$$\n")
    assert pages.build(tmp_path, tmp_path / "out") == []
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<msup>" in page
    assert "<mfrac>" in page
    assert not re.search("<script[^>]*mathjax", page, re.I)
    assert pages.faults(tmp_path / "out") == []


BAD = """<!DOCTYPE html><html lang="en"><title>Bad</title><main>
<h1>One</h1><h3>Three</h3><p style="color: #ccc">pale</p><img src="data:,AA">
<div style="width: 2000px">wide</div><script src="https://cdn.example/a.js"></script>
<script>nothing.there</script></main></html>"""


def test_what_a_reader_stumbles_over_is_named(tmp_path: Path, browser: object) -> None:
    (tmp_path / "bad.html").write_text(BAD)
    found = " ".join(look.faults(browser, tmp_path / "bad.html"))
    for words in (
        "bad.html: asks the network for https://cdn.example/a.js",
        "bad.html: a script fails: nothing is not defined",
        "bad.html (390, light): is 2008 pixels wide",
        "moderate, heading-order, 1 times: h3",
        "(1280, dark): serious, color-contrast, 1 times: p",
        "critical, image-alt, 1 times: img",
    ):
        assert words in found, found
