"""The book in a browser: what a reader at a desk, or with a telephone, would stumble over.

`python tests/tools/look.py OUT` opens each page that `pages.py` wrote, light and dark, wide and
narrow, without a network, and lists what axe-core finds serious or critical, gaps between headings,
what needs the network, and what scrolls sideways. `--pictures DIR` keeps what it saw. It needs
Chromium and tests/requirements.txt.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

WIDTHS = (1280, 390)  # CSS pixels
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")


def faults(
    browser: object, page: Path, width: int, scheme: str, picture: Path | None = None
) -> list[str]:
    """What is wrong with a page, as one reader meets it.

    Parameters
    ----------
    browser : playwright's Browser
    page : Path
        An HTML file.
    width : int
        Of the window, in CSS pixels.
    scheme : str
        ``light`` or ``dark``.
    picture : Path, optional
        File for a picture of the whole page.

    Returns
    -------
    list of str
    """
    from axe_playwright_python.sync_playwright import Axe

    found: list[str] = []

    def refuse(route: object) -> None:
        found.append(f"asks the network for {route.request.url}")
        route.abort()

    reader = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    reader.route(lambda address: not address.startswith(("file:", "data:", "blob:")), refuse)
    shown = reader.new_page()
    shown.on("pageerror", lambda error: found.append(f"a script fails: {error}"))
    shown.goto(page.absolute().as_uri())
    wide = shown.evaluate("document.scrollingElement.scrollWidth")
    if wide > width:
        found.append(f"is {wide} pixels wide")
    for broken in Axe().run(shown).response["violations"]:
        if broken["impact"] in GRAVE or broken["id"] == "heading-order":
            where = "; ".join(str(node["target"][0]) for node in broken["nodes"][:3])
            found.append(
                f"{broken['impact']}, {broken['id']}, {len(broken['nodes'])} times: {where}"
            )
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=picture, full_page=True)
    reader.close()
    return [f"{page.name} ({width}, {scheme}): {each}" for each in found]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of pages")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="beginnings of pages' names")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="keep a picture of each page")
    options = parser.parse_args(arguments)
    sys.path.append(str(Path(__file__).parents[1]))
    from in_browser import chromium

    wrong, began = [], time.monotonic()
    pages = [
        page
        for page in sorted(options.out.glob("*.html"))
        if not options.only or page.name.startswith(tuple(options.only))
    ]
    with chromium() as browser:
        for page in pages:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    picture = options.pictures and (
                        options.pictures / f"{page.stem}-{width}-{scheme}.png"
                    )
                    wrong += faults(browser, page, width, scheme, picture)
    seconds = time.monotonic() - began
    print(*wrong, f"{len(pages)} pages, {len(wrong)} faults, {seconds:.0f} s", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
