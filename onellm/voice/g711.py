"""G.711, the sound of telephones: a byte a sample, 8,000 a second. https://www.itu.int/rec/T-REC-G.711

Providers that take it need nothing of this; it is for those that do not, and for what else is done with the sound.
"""

import sys
from array import array
from functools import cache
from typing import Literal

Law = Literal["ulaw", "alaw"]

_BIAS = 132  # of mu-law, so that each of its segments is twice as long as the one before
_LOUDEST = 8_158  # of mu-law's 14 bits: with the bias it still fits


def decode_g711(sound: bytes, law: Law = "ulaw") -> bytes:
    """16-bit little-endian samples: two bytes for each one that was given."""
    return _bytes(array("h", map(_decoding(law).__getitem__, sound)))


def encode_g711(pcm: bytes, law: Law = "ulaw") -> bytes:
    """A byte for each 16-bit little-endian sample; half a sample at the end is an error.

    Raises:
        ValueError: the number of bytes is odd.
    """
    return bytes(map(_encoding(law).__getitem__, _samples(pcm)))


@cache
def _decoding(law: Law) -> "array[int]":
    """The sample for each byte."""
    return array("h", map(_from_ulaw if law == "ulaw" else _from_alaw, range(256)))


@cache
def _encoding(law: Law) -> bytes:
    """The byte for each sample; for those below zero, counted from the end, as indices are."""
    to = _to_ulaw if law == "ulaw" else _to_alaw
    return bytes(map(to, (*range(32_768), *range(-32_768, 0))))


def _from_ulaw(byte: int) -> int:
    byte ^= 0xFF
    size = (((byte & 0x0F) << 3) + _BIAS << (byte >> 4 & 7)) - _BIAS
    return -size if byte & 0x80 else size


def _from_alaw(byte: int) -> int:
    byte ^= 0x55
    segment = byte >> 4 & 7
    size = (byte & 0x0F) << 4
    size = size + 0x08 if segment == 0 else size + 0x108 << segment - 1
    return size if byte & 0x80 else -size


def _to_ulaw(sample: int) -> int:
    size = min(abs(sample >> 2), _LOUDEST) + (_BIAS >> 2)  # 14 bits
    segment = size.bit_length() - 6
    byte = segment << 4 | (size >> segment + 1 & 0x0F)
    return (byte if sample >= 0 else byte | 0x80) ^ 0xFF


def _to_alaw(sample: int) -> int:
    size = (sample if sample >= 0 else ~sample) >> 3  # 13 bits
    segment = max(size.bit_length() - 5, 0)
    byte = segment << 4 | (size >> max(segment, 1) & 0x0F)
    return (byte | 0x80 if sample >= 0 else byte) ^ 0x55


def _samples(pcm: bytes) -> "array[int]":
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: "array[int]") -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
