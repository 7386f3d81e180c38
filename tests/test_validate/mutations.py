"""Damage, seeded: what a serial line, a full disk, a shell pipe or a hand with an editor does to a log."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Damage = Callable[[random.Random, bytes], bytes]


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def lose_head(rng: random.Random, data: bytes) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def delete_lines(rng: random.Random, data: bytes) -> bytes:
    lines = _lines(data)
    for _ in range(rng.choice((1, 1, 1, 5, 50))):
        if lines:
            del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def delete_chunk(rng: random.Random, data: bytes) -> bytes:
    lines = _lines(data)
    begin = rng.randrange(len(lines))
    return b"\n".join(lines[:begin] + lines[begin + rng.choice((2, 10, 60, 200)) :])


def duplicate_lines(rng: random.Random, data: bytes) -> bytes:
    lines = _lines(data)
    for _ in range(rng.choice((1, 1, 3))):
        i = rng.randrange(len(lines))
        lines.insert(i if rng.random() < 0.7 else rng.randrange(len(lines) + 1), lines[i])
    return b"\n".join(lines)


def duplicate_chunk(rng: random.Random, data: bytes) -> bytes:
    lines = _lines(data)
    begin = rng.randrange(len(lines))
    chunk = lines[begin : begin + rng.choice((5, 40, 150))]
    at = rng.randrange(len(lines))
    return b"\n".join(lines[:at] + chunk + lines[at:])


def swap_lines(rng: random.Random, data: bytes) -> bytes:
    lines = _lines(data)
    a = rng.randrange(len(lines))
    b = min(max(a + rng.choice((-1, 1, -8, 8, -90, 90)), 0), len(lines) - 1)
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def shuffle_window(rng: random.Random, data: bytes) -> bytes:
    lines = _lines(data)
    begin = rng.randrange(len(lines))
    window = lines[begin : begin + rng.choice((4, 30, len(lines)))]
    rng.shuffle(window)
    return b"\n".join(lines[:begin] + window + lines[begin + len(window) :])


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30))):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def change_digit(rng: random.Random, data: bytes) -> bytes:
    places = [match.start() for match in re.finditer(rb"[0-9]", data)]
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 3))):
        if places:
            out[rng.choice(places)] = rng.choice(b"0123456789")
    return bytes(out)


def change_data_digit(rng: random.Random, data: bytes) -> bytes:
    """A digit in a line that carries a time or a clock."""
    lines = _lines(data)
    wanted = re.compile(rb"time|Graph[0-9]|AVG|Running|Order|governor|^[0-9]")
    places = [i for i, line in enumerate(lines) if wanted.search(line) and re.search(rb"[0-9]", line)]
    if places:
        i = rng.choice(places)
        lines[i] = change_digit(random.Random(rng.random()), lines[i])
    return b"\n".join(lines)


def insert_noise(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes(rng.randrange(256) for _ in range(rng.choice((1, 20, 300)))) + data[at:]


def drop_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 2, 7, 300)) :]


SINGLE: tuple[Damage, ...] = (
    truncate,
    lose_head,
    delete_lines,
    delete_chunk,
    duplicate_lines,
    duplicate_chunk,
    swap_lines,
    shuffle_window,
    flip_bits,
    change_digit,
    change_data_digit,
    insert_noise,
    drop_bytes,
)


def damage(seed: int, data: bytes) -> tuple[str, bytes]:
    """Damage a file in one way, or in two."""
    rng = random.Random(seed)
    first = SINGLE[seed % len(SINGLE)]
    chosen = [first] if rng.random() < 0.75 else [first, rng.choice(SINGLE)]
    for one in chosen:
        data = one(rng, data)
    return "+".join(one.__name__ for one in chosen), data
