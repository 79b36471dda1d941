"""Stands in for Colab's own module: what is there when a lesson asks whether it runs on Colab.

A release that is not published yet cannot be fetched. Where a set-up cell asks pip for one, pip
gets the wheel of this checkout (``AVLIB_WHEEL``) instead; all else goes to pip as it is.
"""

import os
import re

from IPython import get_ipython

_magics = get_ipython().magics_manager.magics["line"]
_pip = _magics["pip"]
_RELEASE = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/archive/refs/tags/v[\w.]+\.zip")


def pip(line: str) -> object:
    wheel, count = _RELEASE.subn("file://" + os.environ["AVLIB_WHEEL"], line)
    assert count == 1, f"the set-up cell should install a release, and says: {line}"
    return _pip(wheel)


_magics["pip"] = pip
