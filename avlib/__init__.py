"""avlib: what the lessons on seeing and hearing emotion reuse.

Every module is imported on first use, so that ``import avlib`` answers at once.
"""

import atexit
import os
import shutil
import tempfile

import lazy_loader

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

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "corpus",
        "course",
        "evaluation",
        "features",
        "files",
        "grade",
        "learning",
        "practice",
        "run",
        "terminal",
        "workers",
    ],
)
__all__.append("__version__")
