"""Ways to damage a file: each takes a random generator and the bytes, and returns other bytes."""

import random
import struct

from . import pictures


def flip_bits(dice: random.Random, data: bytearray) -> bytearray:
    for _ in range(dice.choice((1, 4, 64))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def flip_in_header(dice: random.Random, data: bytearray) -> bytearray:
    data[dice.randrange(min(64, len(data)))] = dice.randrange(256)
    return data


def truncate(dice: random.Random, data: bytearray) -> bytearray:
    return data[: dice.randrange(1, len(data) + 1)]


def cut_out(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    del data[at : at + dice.choice((1, 2, 4, 100, 1000))]
    return data or bytearray(b"x")


def repeat(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    piece = data[at : at + dice.randrange(1, 200)]
    return data[:at] + piece * dice.choice((2, 10, 100)) + data[at:]


def large_number(dice: random.Random, data: bytearray) -> bytearray:
    """A size, length or offset of another magnitude, in either byte order."""
    number = dice.choice((0, 1, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF))
    at = dice.randrange(max(1, min(len(data), 400) - 4))
    data[at : at + 4] = struct.pack(dice.choice("<>") + "I", number)
    return data


def zeros(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    length = dice.randrange(1, 500)
    data[at : at + length] = bytes(len(data[at : at + length]))
    return data


def other_signature(dice: random.Random, data: bytearray) -> bytearray:
    """A polyglot: the head of one format, the body of another."""
    other = pictures.good(dice.choice(list(pictures.GOOD)))
    length = dice.choice((4, 8, 12, 32, 200))
    return bytearray(other[:length]) + data[length:]


def spliced(dice: random.Random, data: bytearray) -> bytearray:
    other = pictures.good(dice.choice(list(pictures.GOOD)))
    return data[: dice.randrange(len(data))] + bytearray(other[dice.randrange(len(other)) :])


def noise(dice: random.Random, data: bytearray) -> bytearray:
    return data[: dice.choice((0, 2, 8, 16))] + bytearray(dice.randbytes(dice.choice((1, 100, 5000))))


ALL = (
    flip_bits,
    flip_in_header,
    truncate,
    cut_out,
    repeat,
    large_number,
    zeros,
    other_signature,
    spliced,
    noise,
)
