"""Stands in for Colab's own module: what is there when a lesson asks whether it runs on Colab.

A release that is not published yet cannot be fetched. Where a set-up cell asks pip for one, pip
gets the wheel of this checkout (``AVLIB_WHEEL``) instead; all else goes to pip as it is.
"""

import os
import re

from IPython import get_ipython
from IPython.core.magics.packaging import PackagingMagics

_pip = PackagingMagics(shell=get_ipython()).pip
_RELEASE = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/archive/refs/tags/v[\w.]+\.zip")


def pip(line: str) -> object:
    return _pip(_RELEASE.sub("file://" + os.environ["AVLIB_WHEEL"], line))


get_ipython().register_magic_function(pip, "line")
