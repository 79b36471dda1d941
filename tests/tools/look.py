"""The book in a browser: what a reader at a desk, or with a telephone, would stumble over.

`python tests/tools/look.py OUT` opens each page that `pages.py` wrote, wide and narrow, light and
dark, without a network, and lists what axe-core finds serious or critical, gaps between headings,
what needs the network, and what scrolls sideways. `--pictures DIR` keeps what it saw. It needs
Chromium and tests/requirements.txt.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# Width in CSS pixels, scheme, and what axe looks at: all rules, or those that differ in the dark.
READERS = (
    (1280, "light", None),
    (1280, "dark", {"runOnly": ["color-contrast"]}),
    (390, "light", None),
)
GRAVE = ("serious", "critical")


def faults(browser: object, page: Path, pictures: Path | None = None) -> list[str]:
    """What is wrong with a page, whoever reads it.

    Parameters
    ----------
    browser : playwright's Browser
    page : Path
        An HTML file.
    pictures : Path, optional
        Folder for pictures of the whole page, one for each of the READERS.

    Returns
    -------
    list of str
    """
    from axe_playwright_python.sync_playwright import Axe

    found: dict[str, None] = {}  # in order, each once

    def refuse(route: object) -> None:
        found[f"{page.name}: asks the network for {route.request.url}"] = None
        route.abort()

    reader = browser.new_context(reduced_motion="reduce")
    reader.set_default_timeout(600_000)  # a busy machine is no fault of the page
    reader.route(lambda address: not address.startswith(("file:", "data:", "blob:")), refuse)
    shown = reader.new_page()
    shown.on(
        "pageerror",
        lambda error: found.setdefault(f"{page.name}: a script fails: {error}"),
    )
    for width, scheme, rules in READERS:
        shown.set_viewport_size({"width": width, "height": 900})
        shown.emulate_media(color_scheme=scheme)
        shown.goto(page.absolute().as_uri())
        wrong = []
        wide = shown.evaluate("document.scrollingElement.scrollWidth")
        if wide > width:
            wrong.append(f"is {wide} pixels wide")
        for broken in Axe().run(shown, options=rules).response["violations"]:
            if broken["impact"] in GRAVE or broken["id"] == "heading-order":
                times = len(broken["nodes"])
                where = "; ".join(str(node["target"][0]) for node in broken["nodes"][:3])
                wrong.append(f"{broken['impact']}, {broken['id']}, {times} times: {where}")
        found |= dict.fromkeys(f"{page.name} ({width}, {scheme}): {each}" for each in wrong)
        if pictures is not None:
            shown.screenshot(path=pictures / f"{page.stem}-{width}-{scheme}.png", full_page=True)
    reader.close()
    return list(found)


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
            wrong += faults(browser, page, options.pictures)
    seconds = time.monotonic() - began
    print(*wrong, f"{len(pages)} pages, {len(wrong)} faults, {seconds:.0f} s", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
