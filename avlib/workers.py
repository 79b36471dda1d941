"""Work for all cores, with a bar: for many files or many networks. Of no lesson."""

import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from joblib import Parallel
from tqdm.auto import tqdm

# joblib replaces a worker that has grown by 300 MB, which pictures do, and warns each time.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)

Task = tuple[Callable[..., object], tuple, dict]  # as `joblib.delayed` makes them


def results(
    tasks: list[Task],
    jobs: int | None,
    bar: str,
    unit: str,
    progress: bool = True,
    ordered: bool = False,
) -> Iterator:
    """What the tasks return, each as soon as it is done, or all in order.

    They run in `jobs` processes, one for each core where None; joblib's backend can send them
    elsewhere. If the iterator is left before its end, by Ctrl-C say, the processes end, too.
    """
    kind = "generator" if ordered else "generator_unordered"
    with _ctrl_c_left_to_us():
        done = Parallel(n_jobs=jobs or -1, return_as=kind)(map(_anywhere, tasks))
    return tqdm(done, bar, len(tasks), unit=unit, disable=not (progress and tasks))


def _anywhere(task: Task) -> Task:
    """With absolute paths: processes stay where they were born, and a notebook may move on."""
    function, arguments, named = task
    return function, tuple(a.absolute() if isinstance(a, Path) else a for a in arguments), named


@contextmanager
def _ctrl_c_left_to_us() -> Iterator[None]:
    """Processes that start here ignore Ctrl-C from birth; we end them, so no words of theirs."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where no signal arrives, and none can be set
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
