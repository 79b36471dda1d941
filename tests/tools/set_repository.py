"""Write the address of another repository wherever the present one stands.

`python tests/tools/set_repository.py OWNER/NAME`, in a checkout; then install it again. Badges,
set-up cells and `pyproject.toml` name it, because a reader who has nothing yet follows them.
"""

import argparse
import re
import sys
from pathlib import Path

from avlib import files

_NAME = re.compile(r"[A-Za-z0-9][\w-]*/(?!\.+$)[\w.-]+", re.ASCII)
_TEXTS = ("*.md", "pyproject.toml", "notebooks/*.ipynb", "notebooks/*.md", "data/*.md",
          ".github/workflows/*.yml")  # fmt: skip


def set_repository(name: str, root: Path) -> list[Path]:
    """Write the address of another repository wherever the present one stands.

    Parameters
    ----------
    name : str
        ``OWNER/NAME`` on GitHub.
    root : Path
        A checkout.

    Returns
    -------
    list of Path
        The files that changed.

    Raises
    ------
    ValueError
        If that is no name of a repository, or the folder is no checkout.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name}: should look like OWNER/NAME, as in https://github.com/OWNER/NAME"
        )
    project = root / "pyproject.toml"
    if not project.is_file():
        raise ValueError(f"{root}: no pyproject.toml here; run from a clone of the repository")
    now = re.search(r'Repository = "https://github\.com/([^"]+)"', project.read_text("utf-8"))[1]
    changed = []
    standing = re.compile(rb"(?<![\w.-])" + re.escape(now.encode()) + rb"(?![\w-])")
    for path in sorted({path for pattern in _TEXTS for path in root.glob(pattern)}):
        before = path.read_bytes()
        after = standing.sub(name.encode(), before)
        if after != before:
            files.save(path, after)
            changed.append(path)
    return changed


def main(arguments: list[str] | None = None, root: Path = Path(__file__).parents[2]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repository", metavar="OWNER/NAME", help="on GitHub")
    options = parser.parse_args(arguments)
    try:
        changed = set_repository(options.repository, root)
    except ValueError as error:
        parser.error(str(error))
    print(*(path.relative_to(root) for path in changed), sep="\n")
    print(f"{len(changed)} files now name {options.repository}; install again: pip install -e .")
    return 0


if __name__ == "__main__":
    sys.exit(main())
