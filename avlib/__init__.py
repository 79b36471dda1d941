"""avlib: what the lessons on seeing and hearing emotion reuse.

Every room is imported on first use, so that ``import avlib`` answers at once.
"""

import os
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

# A thread that waits for work sleeps. Left alone, OpenMP's threads spin while they wait, and two
# notebooks that train at once on two cores slow each other ten to twenty times, not two
# (tests/benchmarks/threads.py). OpenMP reads this once, when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_ROOMS = (
    "action_units",
    "archives",
    "audio",
    "bench",
    "checks",
    "course",
    "download",
    "evaluation",
    "experiments",
    "explore",
    "features",
    "loaders",
    "manifest",
    "networks",
    "plots",
    "practice",
    "ravdess",
    "realism",
    "release",
    "splits",
    "training",
    "verify",
    "video",
    "weights",
)
__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str) -> ModuleType:
    """Import a room when it is first named."""
    if name in _ROOMS:
        return import_module(f"avlib.{name}")
    raise AttributeError(f"module 'avlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
