"""What passes out of a student's process: plain data, as JSON and bytes. Of no lesson.

Never pickle: reading one runs code. `pack` works inside the process, `Reader` outside, where it
believes nothing: a form that it does not know is a ``ValueError``.
"""

import json
import struct
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import BinaryIO

import numpy as np
import torch
from torch import nn

MOST_BYTES = 64_000_000  # of one reply
_MOST_HEAD = 8_000_000  # of these, as JSON
MOST_PARTS = 50_000  # items of lists, keys of dictionaries, in one reply
_DEPTH = 30
_EXACT = (type(None), bool, int, float, str)
_DTYPES = "biufcUSMm"  # all but objects
_LISTS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
Keep = Callable[[object], int]


def send(stream: BinaryIO, tree: object, blobs: list[bytes]) -> None:
    """Write one reply."""
    head = json.dumps([tree, [len(each) for each in blobs]]).encode()
    stream.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))
    stream.flush()


def receive(stream: BinaryIO) -> tuple[object, list[bytes]]:
    """Read one reply; ``EOFError`` at the end, ``ValueError`` if it is none or is too large."""
    size = struct.unpack("<Q", _exactly(stream, 8))[0]
    if size > _MOST_HEAD:
        raise ValueError("more is sent back than an answer needs")
    tree, sizes = json.loads(_exactly(stream, size))
    if not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) > MOST_BYTES:
        raise ValueError("more is sent back than an answer needs")
    return tree, [_exactly(stream, size) for size in sizes]


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found or b"") < size:
        raise EOFError
    return found


class Packer:
    """Makes a tree of lists and texts of any value, and bytes beside it.

    `keep` remembers an object that only the process itself can use, and returns its number.
    """

    def __init__(self, keep: Keep) -> None:
        self.blobs: list[bytes] = []
        self._keep = keep
        self._left = MOST_PARTS

    def pack(self, value: object, depth: int = 0) -> list:
        """The tree of a value; what has no form is known by its kind alone."""
        self._left -= 1
        kind = type(value)
        other = ["other", str(kind.__name__)[:40]]
        if depth > _DEPTH or self._left < 0:
            return other
        try:
            return self._form(value, kind, depth + 1) or other
        except Exception:  # of the student's own class, whatever is done with it
            return other

    def _form(self, value: object, kind: type, depth: int) -> list | None:
        if kind in _EXACT:
            json.dumps(value)  # an int of thousands of digits has no form
            return ["=", value]
        if value is ...:
            return ["dots"]
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _DTYPES:
            return [*self._array(value), isinstance(value, np.generic)]
        if isinstance(value, dict):
            pairs = [[self.pack(k, depth), self.pack(v, depth)] for k, v in value.items()]
            return ["dict", kind.__name__, pairs]
        for name, plain in {**_LISTS, "range": range, "deque": deque}.items():
            if isinstance(value, plain):
                said = name if kind is plain else kind.__name__
                form = name if name in _LISTS else "list"
                return ["many", form, said, self._all(value, depth)]
        if isinstance(value, Decimal | Fraction):
            return ["=", float(value)]
        return self._object(value, kind, depth)

    def _object(self, value: object, kind: type, depth: int) -> list | None:
        if isinstance(value, type):
            network = issubclass(value, nn.Module)
            told = {
                name: self.pack(each, depth)
                for name, each in vars(value).items()
                if type(each) in _EXACT and not name.startswith("_")
            }
            return ["class", self._keep(value), value.__name__, network, told]
        if isinstance(value, nn.Module):
            drops = [layer.p for layer in value.modules() if isinstance(layer, nn.Dropout)]
            return ["network", self._keep(value), kind.__name__, drops]
        if isinstance(value, np.ndarray):  # of objects
            return self.pack(value.tolist(), depth)
        if hasattr(kind, "__array__"):  # of pandas, say
            return self.pack(np.asarray(value), depth)
        if hasattr(kind, "__iter__"):
            return ["stream", kind.__name__, self._all(value, depth)]
        if callable(value):
            return ["function", self._keep(value), str(getattr(value, "__name__", "answer"))[:40]]
        return None

    def _all(self, value: object, depth: int) -> list:
        return [self.pack(each, depth) for each in islice(value, max(self._left, 0) // 2)]

    def _array(self, value: object) -> list:
        array = np.ascontiguousarray(value)
        if array.nbytes > MOST_BYTES:
            raise ValueError("too large")
        self.blobs.append(array.tobytes())
        return ["array", array.dtype.str, list(np.shape(value)), len(self.blobs) - 1]

    def _tensor(self, value: torch.Tensor) -> list:
        linked = self._keep(value) if value.requires_grad else None
        plain = value.detach().cpu()
        plain = plain.to_dense() if plain.layout != torch.strided else plain
        if plain.dtype in (torch.bfloat16, torch.float16):
            plain = plain.float()
        return ["tensor", *self._array(plain.numpy())[1:], linked]


class Reader:
    """Makes values of what `Packer` made; `proxies` stands for what stays in the process."""

    def __init__(self, blobs: list[bytes], proxies: object) -> None:
        self._blobs = blobs
        self._proxies = proxies

    def value(self, tree: list) -> object:
        """The value of a tree; ``ValueError`` if it is none."""
        try:
            return self._of(tree)
        except (TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise ValueError("what is sent back has no known form") from error

    def _of(self, tree: list) -> object:
        form, *parts = tree
        if form == "=":
            if type(parts[0]) not in _EXACT:
                raise ValueError("no plain value")
            return parts[0]
        if form == "dots":
            return ...
        if form == "array":
            array = self._array(*parts[:3])
            return array[()] if parts[3] else array
        if form == "tensor":
            tensor = torch.from_numpy(self._array(*parts[:3]))
            return tensor if parts[3] is None else self._proxies.linked(tensor, int(parts[3]))
        if form == "dict":
            found = {self._of(key): self._of(value) for key, value in parts[1]}
            return found if parts[0] == "dict" else _kind(parts[0], dict)(found)
        if form == "many":
            plain, found = _LISTS[parts[0]], [self._of(each) for each in parts[2]]
            return plain(found) if parts[1] == parts[0] else _kind(parts[1], plain)(found)
        if form == "stream":
            found = [self._of(each) for each in parts[1]]
            return _kind(parts[0], object, __iter__=lambda _: iter(found))()
        if form == "other":
            return _kind(parts[0], object)()
        if form == "class":
            number, name, network, told = parts
            told = {str(key): self._of(each) for key, each in told.items()}
            return self._proxies.kind(int(number), _name(name), bool(network), told)
        if form in ("function", "network"):
            return getattr(self._proxies, form)(int(parts[0]), _name(parts[1]), *parts[2:])
        raise ValueError("no known form")

    def _array(self, dtype: str, shape: list[int], blob: int) -> np.ndarray:
        kind = np.dtype(str(dtype))
        if kind.kind not in _DTYPES:
            raise ValueError("no plain array")
        return np.ndarray(tuple(shape), kind, buffer=bytearray(self._blobs[blob]))


def _name(name: object) -> str:
    return str(name)[:40].replace("\0", "")


def _kind(name: object, base: type, **members: object) -> type:
    """A kind that bears the student's name, for hints to tell."""
    return type(_name(name), (base,), members)


def weights(network: nn.Module) -> dict[str, tuple[torch.Tensor, torch.Tensor | None]]:
    """Each weight of a network, and its gradient, which a pickle would lose."""
    return {name: (each.detach(), each.grad) for name, each in network.named_parameters()}


def set_weights(network: nn.Module, found: object) -> None:
    """Give a network what `weights` returned of one of its shapes; else it stays as it is."""
    for name, each in network.named_parameters():
        value, gradient = found[name]
        if value.shape == each.shape and (gradient is None or gradient.shape == each.shape):
            each.data, each.grad = value.detach().clone(), gradient


def raised(name: object, message: object) -> Exception:
    """An error of the student's code, to be told as they would see it."""
    base = KeyError if name == "KeyError" else Exception
    text = str(message)[:1000]
    members = {"__module__": "builtins", "__str__": lambda _: text}
    return type(_name(name), (base,), members)()
