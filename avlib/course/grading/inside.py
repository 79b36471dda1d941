"""The process in which a student's answers run: a program that `room` starts. Of no lesson.

It makes the lesson ready. On Linux it stays so, and forks a process for each answer; elsewhere it
is the process of one answer. What it is told comes as pickle, from our side; what it says goes as
plain data.
"""

import contextlib
import copy
import os
import pickle
import signal
import socket
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import nn

from avlib.course.grading import limits, plain


class Server:
    """Runs an answer, and does with it what the judge asks for."""

    def __init__(self, names: dict[str, object]) -> None:
        self._names = names
        self._kept: list[object] = []

    def serve(self, reader: BinaryIO, writer: BinaryIO) -> None:
        """Answer until nobody asks any more."""
        while True:
            try:
                task, *given = pickle.load(reader)
            except EOFError:
                return
            packer = plain.Packer(self._keep)
            try:
                tree = ["done", getattr(self, f"_{task}")(packer.pack, *given)]
            except BaseException as error:
                packer, tree = plain.Packer(self._keep), ["stopped", *_told(error)]
            plain.send(writer, tree, packer.blobs)

    def _keep(self, value: object) -> int:
        self._kept.append(value)
        return len(self._kept) - 1

    def _run(self, pack: Callable, program: str, asked: list[str]) -> list:
        exec(compile(program, "<answer>", "exec", dont_inherit=True), self._names)
        return [[name, pack(self._names[name])] for name in asked]

    def _call(self, pack: Callable, number: int, given: tuple, weights: dict) -> list:
        """What a function returns, and which of its arguments it has changed, to what.

        Of an argument that is a network: its weights and gradients, `weights` before the call.
        """
        for at, each in weights.items():
            plain.set_weights(given[at], each)
        before = copy.deepcopy(given)
        found = self._kept[number](*given)
        changed = [
            [at, pack(given[at])]
            for at, each in enumerate(before)
            if isinstance(each, np.ndarray | torch.Tensor) and not np.array_equal(each, given[at])
        ]
        changed += [[at, pack(plain.weights(given[at]))] for at in weights]
        return [pack(found), changed]

    def _make(self, pack: Callable, number: int, given: tuple) -> list:
        return pack(self._kept[number](*given))

    def _forward(self, pack: Callable, number: int, given: tuple) -> list:
        """What a network returns, and the shapes of what went through its dropouts, in order."""
        network, passed = self._kept[number], []
        drops = [layer for layer in network.modules() if isinstance(layer, nn.Dropout)]
        hooks = [
            layer.register_forward_hook(
                lambda _, x, __, which=which: passed.append([which, list(x[0].shape)])
            )
            for which, layer in enumerate(drops)
        ]
        try:
            return [pack(network(*given)), passed]
        finally:
            for hook in hooks:
                hook.remove()

    def _train(self, _: Callable, number: int, mode: bool) -> None:
        self._kept[number].train(mode)

    def _weights(self, _: Callable, number: int) -> list:
        return [
            [name, list(weight.shape), weight.grad is not None]
            for name, weight in self._kept[number].named_parameters()
        ]

    def _backward(self, _: Callable, number: int, gradient: torch.Tensor) -> None:
        self._kept[number].backward(gradient)


def _told(error: BaseException) -> tuple[str, str]:
    try:
        return type(error).__name__, str(error)[:1000]
    except BaseException:  # of the student's own class
        return type(error).__name__, "an error that cannot be told"


def prepare(statements: list[str], clips: object) -> dict[str, object]:
    """The names that an answer finds: what the lesson shows, and its table of clips."""
    # The judges are not at hand here; a check in an answer's own cell has nothing to say.
    silent = types.ModuleType("avlib.course.checks")
    silent.check = lambda *_: False
    sys.modules["avlib.course.checks"] = silent
    names: dict[str, object] = {"__name__": "answer", "clips": clips, "display": lambda *_, **__: 0}
    for each in statements:
        exec(compile(each, "<lesson>", "exec", dont_inherit=True), names)
    if "avlib.features.audio" in sys.modules:  # librosa compiles at its first use: half a minute
        from avlib.features import audio

        audio.mfcc(audio.resample(np.zeros(24_000, "float32"), 48_000, 22_050), 22_050)
    return names


def main(control: int | None = None) -> None:
    """Make a lesson ready; then serve one answer, or fork for each that `control` asks for."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1):
        os.dup2(nothing, each)
    statements, clips, bounds, folder = pickle.load(reader)
    torch.set_num_threads(1)
    try:
        names = prepare(statements, clips)
    except Exception as error:
        plain.send(writer, ["stopped", *_told(error)], [])
        return
    plain.send(writer, ["ready"], [])
    if control is None:
        limits.apply(bounds, Path(folder))
        Server(names).serve(reader, writer)
        os._exit(0)
    reader.close()
    writer.close()
    _fork_for_each(socket.socket(fileno=control), names, bounds)


def _fork_for_each(control: socket.socket, names: dict[str, object], bounds: limits.Limits) -> None:
    """Fork when a connection and a folder arrive; end what was forked when the next word does."""
    while True:
        folder, (line,), *_ = socket.recv_fds(control, 4096, 1)
        child = os.fork()
        if not child:
            try:
                control.close()
                os.setsid()
                limits.apply(bounds, Path(folder.decode()))
                stream = socket.socket(fileno=line)
                Server(names).serve(stream.makefile("rb"), stream.makefile("wb"))
            finally:
                os._exit(0)
        os.close(line)
        control.sendall(child.to_bytes(8, "little"))
        told = control.recv(1)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if not told:
            return
        control.sendall((os.waitstatus_to_exitcode(status) + 256).to_bytes(8, "little"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
