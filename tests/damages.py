"""What can happen to a file: bits, lengths, headers, and values of another type."""

import json
import random
from collections.abc import Callable

Damage = Callable[[bytearray, random.Random], None]


def flip(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 20)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def cut(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    del content[start : start + rng.randint(1, len(content))]


def swap_header(content: bytearray, rng: random.Random) -> None:
    other = {
        0: b"RIFF\x00\x00\x00\x00WAVEfmt ",
        1: b"\x00\x00\x00\x20ftypisom",
        2: b"\x1aE\xdf\xa3",
    }
    header = other[rng.randrange(3)]
    content[: len(header)] = header
    content[len(header) : 2 * len(header)] = rng.randbytes(len(header))


def fill_with_zeros(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    length = min(rng.randint(1, 50_000), len(content) - start)
    content[start : start + length] = bytes(length)


def repeat(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    content[start:start] = content[start : start + rng.randint(1, 5000)] * rng.randint(1, 3)


DAMAGES: tuple[Damage, ...] = (flip, cut, swap_header, fill_with_zeros)

_CELLS = (
    "",
    "nan",
    "-5",
    "1e999",
    "9" * 400,
    "x" * 9000,
    "\0",
    '"',
    "é;\t,",
    "-0.0",
    "True",
    "0x10",
)
_VALUES = (None, True, -1, 0, 1e308, "x", "", [], {}, [[]], "9" * 400, 10**30, "../../x")


def change_a_cell(content: bytearray, rng: random.Random) -> None:
    """Put something else into a cell of a table."""
    lines = content.decode().split("\n")
    line = rng.randrange(max(len(lines) - 1, 1))
    cells = lines[line].split(",")
    cells[rng.randrange(len(cells))] = rng.choice(_CELLS)
    lines[line] = ",".join(cells)
    content[:] = "\n".join(lines).encode()


def change_a_value(content: bytearray, rng: random.Random) -> None:
    """Put a value of another type into a JSON file, or leave one out."""
    whole = [json.loads(content)]
    holder, key = whole, 0
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
        holder = holder[key]
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    if rng.random() < 0.2 and holder is not whole:
        del holder[key]
    else:
        holder[key] = rng.choice(_VALUES)
    content[:] = json.dumps(whole[0]).encode()
