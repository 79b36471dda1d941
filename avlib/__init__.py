"""avlib: what the lessons on seeing and hearing emotion reuse.

Every module is imported on first use, so that ``import avlib`` answers at once.
"""

import atexit
import os
import shutil
import tempfile
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

# A thread that waits for work sleeps. Left alone, OpenMP's threads spin while they wait, and two
# notebooks that train at once on two cores slow each other ten to twenty times, not two
# (tests/benchmarks/threads.py). OpenMP reads this once, when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Numba keeps what it compiles for librosa in the home folder, and librosa cannot be imported where
# nobody can write there.
if "NUMBA_CACHE_DIR" not in os.environ and not os.access(os.path.expanduser("~"), os.W_OK):
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="avlib-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

_MODULES = (
    "action_units",
    "archives",
    "audio",
    "checks",
    "course",
    "doctor",
    "download",
    "evaluation",
    "experiments",
    "explore",
    "features",
    "files",
    "loaders",
    "manifest",
    "networks",
    "plots",
    "practice",
    "ravdess",
    "splits",
    "training",
    "verify",
    "video",
    "weights",
    "workers",
)
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is first named."""
    if name in _MODULES:
        return import_module(f"avlib.{name}")
    raise AttributeError(f"module 'avlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
