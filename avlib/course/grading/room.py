"""The door to the process in which a student's answers run; the judge stays on this side.

The judge calls a stand-in. It sends the arguments in, and what comes back is plain data, made a
value again here. So nothing that an answer does to its own process reaches the verdict. Of no
lesson.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

import numpy as np
import pandas as pd
import torch
from torch import nn

from avlib.course import checks
from avlib.course.grading import plain
from avlib.course.grading.lessons import Exercise, Lesson
from avlib.course.grading.limits import Limits
from avlib.course.lesson import search_path

_FORKS = sys.platform == "linux"  # macOS forbids its libraries to go on after a fork
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Room:
    """Where the answers to one lesson run, each in a fresh process; to be used with ``with``."""

    def __init__(
        self,
        lesson: Lesson,
        clips: pd.DataFrame,
        limits: Limits | None = None,
        forks: bool = _FORKS,
    ) -> None:
        self._lesson, self._clips = lesson, clips
        self._limits = limits or Limits()
        self._forks = forks
        self._ready: subprocess.Popen | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_: object) -> None:
        self._end(self._ready)
        if self._control is not None:
            self._control.close()
        self._ready = self._control = None

    def judge(self, exercise: Exercise, program: str) -> str | None:
        """What is wrong with an answer; None if nothing is.

        Raises ``RuntimeError`` if the lesson itself cannot be made ready.
        """
        with self._answering() as line:
            try:
                names = line.run(program, exercise.names)
            except Exception as error:
                return f"the cell stopped with {checks.judging.told(error)}"
            names["clips"] = self._clips
            given = (eval(each, {"__builtins__": {}}, names) for each in exercise.arguments)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the numbers that an answer gives
                hint = checks.judge(exercise.number, *given)
            if hint is None and line.gone:
                hint = f"the process ended early: {line.gone}"
            return hint

    @contextmanager
    def _answering(self) -> Iterator["Line"]:
        with ExitStack() as stack:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="avlib-", ignore_cleanup_errors=True)
            )
            line = self._forked(folder) if self._forks else self._started(folder)
            stack.callback(line.end)
            clock = threading.Timer(self._limits.wall, line.cut)
            clock.daemon = True
            clock.start()
            stack.callback(clock.cancel)
            yield line

    def _forked(self, folder: str) -> "Line":
        """A process that is forked off the one in which the lesson is ready."""
        # Where nothing hinders it, an answer may have ended the process that is ready.
        for _ in range(3):
            ours, theirs = socket.socketpair()
            with theirs, suppress(OSError):
                self._make_ready(folder)
                socket.send_fds(self._control, [folder.encode()], [theirs.fileno()])
                if pid := int.from_bytes(self._control.recv(8), "little"):
                    break
            ours.close()
            self.__exit__()
        else:
            raise RuntimeError(f"{self._lesson.name}: its process ends again and again")

        def end() -> int:
            with suppress(OSError):
                self._control.sendall(b".")
                return int.from_bytes(self._control.recv(8), "little") - 256
            return 0

        def cut() -> None:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)

        with ours:
            return Line(ours.makefile("rb"), ours.makefile("wb"), cut, end, self._limits)

    def _make_ready(self, folder: str) -> None:
        if self._ready is None or self._ready.poll() is not None:
            self.__exit__()
            self._control, theirs = socket.socketpair()
            with theirs:
                self._ready = self._start(folder, theirs.fileno())

    def _started(self, folder: str) -> "Line":
        """A process of its own, which makes the lesson ready first."""
        process = self._start(folder)

        def end() -> int:
            with suppress(OSError, subprocess.TimeoutExpired):
                process.stdin.close()  # then it leaves by itself, if it can
                process.wait(1)
            self._end(process)
            return process.returncode

        return Line(process.stdout, process.stdin, lambda: _kill(process), end, self._limits)

    def _start(self, folder: str, control: int | None = None) -> subprocess.Popen:
        words = [sys.executable, "-m", "avlib.course.grading.inside"]
        environment = os.environ | dict.fromkeys(_ONE_THREAD, "1")
        environment |= {
            "PYTHONPATH": search_path(),
            "CUDA_VISIBLE_DEVICES": "",
            "MPLBACKEND": "agg",
        }
        process = subprocess.Popen(
            words if control is None else [*words, str(control)], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, pass_fds=() if control is None else (control,),
        )  # fmt: skip
        try:
            told = (self._lesson.prepared, self._clips, self._limits, folder)
            pickle.dump(told, process.stdin)
            process.stdin.flush()
            said, *error = plain.receive(process.stdout)[0]
        except (OSError, EOFError) as error:
            self._end(process)
            raise RuntimeError(f"{self._lesson.name}: its process did not start") from error
        if said != "ready":
            self._end(process)
            raise RuntimeError(f"{self._lesson.name}: could not be made ready: {': '.join(error)}")
        return process

    @staticmethod
    def _end(process: subprocess.Popen | None) -> None:
        if process is not None:
            _kill(process)
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close()


def _kill(process: subprocess.Popen) -> None:
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()


class Line:
    """What is asked of one answer's process, and what stands here for what it keeps."""

    def __init__(
        self, reader: BinaryIO, writer: BinaryIO, cut: object, end: object, limits: Limits
    ) -> None:
        self._reader, self._writer = reader, writer
        self._cut, self._end = cut, end
        self._limits = limits
        self._late = self._ended = False
        self.gone = ""  # why nothing can be asked any more

    def cut(self) -> None:
        """End the process, from another thread: its time is over."""
        if not self._ended:  # else its number may be another's by now
            self._late = True
            self._cut()

    def end(self) -> int:
        """End the process; its exit status, or less than 0 by a signal."""
        if self._ended:
            return 0
        self._ended = True
        status = self._end()
        for stream in (self._reader, self._writer):
            with suppress(OSError):
                stream.close()
        return status

    def run(self, program: str, asked: tuple[str, ...]) -> dict[str, object]:
        """Run a program; what its names are then."""
        tree, reader = self._ask("run", program, list(asked))
        found = {name: reader.value(value) for name, value in tree}
        return {name: found[name] for name in asked}

    def _ask(self, task: str, *given: object) -> tuple[object, plain.Reader]:
        """What the process says; its error, or ``RuntimeError`` if it says nothing more."""
        if self.gone:
            raise RuntimeError(self.gone)
        try:
            pickle.dump((task, *given), self._writer)
            self._writer.flush()
            tree, blobs = plain.receive(self._reader)
            said, *told = tree
        except (OSError, EOFError) as error:
            self.gone = self._why()
            raise RuntimeError(self.gone) from error
        except Exception as error:  # no reply of ours: what it says is believed no more
            self._cut()
            self.gone = "it sent what is no result"
            raise RuntimeError(self.gone) from error
        if said != "done":
            raise plain.raised(*told[:2])
        return told[0], plain.Reader(blobs, self)

    def _why(self) -> str:
        status = self.end()
        if self._late:
            return f"it ran for more than {self._limits.wall:g} s"
        if os.name == "posix" and status == -signal.SIGXCPU:
            return f"it took more than {self._limits.processor} s of processor time"
        return "it was killed" if status < 0 else "it left Python"

    def function(self, number: int, name: str) -> object:
        """Stands for a function."""

        def stand_in(*given: object) -> object:
            networks = {at: each for at, each in enumerate(given) if isinstance(each, nn.Module)}
            weights = {at: plain.weights(each) for at, each in networks.items()}
            (found, changed), reader = self._ask("call", number, given, weights)
            for at, after in changed:
                _change(given[int(at)], reader.value(after))
            return reader.value(found)

        stand_in.__name__ = name
        return stand_in

    def kind(self, number: int, name: str, network: bool, told: dict[str, object]) -> type:
        """Stands for a class; it can be called where it is a network's."""
        if not network:
            return type(name, (), told)

        def made(own: Network, *given: object) -> None:
            tree, _ = self._ask("make", number, given)
            Network.__init__(own, self, int(tree[1]), tree[3])

        return type(name, (Network,), told | {"__init__": made})

    def network(self, number: int, _: str, drops: list[float]) -> nn.Module:
        """Stands for a network."""
        return Network(self, number, drops)

    def linked(self, tensor: torch.Tensor, number: int) -> torch.Tensor:
        """A tensor whose gradient goes back to the process."""
        return _Linked.apply(torch.zeros((), requires_grad=True), tensor, self, number)


def _change(given: object, after: object) -> None:
    """Do to an argument here what was done to it there; the judge asks for that."""
    if isinstance(given, nn.Module):
        with suppress(LookupError, TypeError, AttributeError):  # of no known form
            plain.set_weights(given, after)
        return
    if isinstance(given, torch.Tensor) and isinstance(after, torch.Tensor):
        given.data = after.detach()
    elif isinstance(given, np.ndarray) and given.size:
        same = isinstance(after, np.ndarray) and after.shape == given.shape
        given[...] = after if same else ~given if given.dtype == bool else given + 1


class Network(nn.Module):
    """Stands for a network of the student's: it runs there, with its dropouts and weights."""

    def __init__(self, line: Line, number: int, drops: list[float]) -> None:
        super().__init__()
        self._line, self._number = line, number
        self.drops = nn.ModuleList(nn.Dropout(share) for share in drops)

    def forward(self, *given: torch.Tensor) -> object:
        """What it returns; what passes its dropouts passes those here, for the judge's hooks."""
        (found, passed), reader = self._line._ask("forward", self._number, given)
        for which, shape in passed:
            self.drops[which](torch.empty(shape, device="meta"))
        return reader.value(found)

    def train(self, mode: bool = True) -> "Network":
        """Set it to training, or to use."""
        self._line._ask("train", self._number, mode)
        return super().train(mode)

    def named_parameters(self, *_: object, **__: object) -> Iterator[tuple[str, nn.Parameter]]:
        """Its weights: their sizes, and whether a gradient reached them."""
        for name, shape, reached in self._line._ask("weights", self._number)[0]:
            weight = nn.Parameter(torch.empty(shape, device="meta"))
            weight.grad = torch.empty_like(weight) if reached else None
            yield str(name), weight


class _Linked(torch.autograd.Function):
    @staticmethod
    def forward(
        context: object, _: torch.Tensor, tensor: torch.Tensor, line: Line, number: int
    ) -> torch.Tensor:
        context.line, context.number = line, number
        return tensor

    @staticmethod
    def backward(context: object, gradient: torch.Tensor) -> tuple:
        context.line._ask("backward", context.number, gradient)
        return torch.zeros(()), None, None, None
