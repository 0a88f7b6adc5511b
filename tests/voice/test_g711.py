"""G.711, sample by sample."""

import struct
import zlib
from typing import Literal

import pytest

from onellm import decode_g711, encode_g711

ALL = struct.pack("<65536h", *range(-32_768, 32_768))
BYTES = bytes(range(256))
CHECKSUMS = [("ulaw", 0x3B7C3A3E, 0x0C847A9F), ("alaw", 0x9133796E, 0x9D764657)]  # of what audioop gives


@pytest.mark.parametrize(("law", "encoded", "decoded"), CHECKSUMS)
def test_each_sample_and_each_byte(law: Literal["ulaw", "alaw"], encoded: int, decoded: int) -> None:
    """As in `audioop`, which was in the standard library until Python 3.13."""
    assert zlib.crc32(encode_g711(ALL, law)) == encoded
    assert zlib.crc32(decode_g711(BYTES, law)) == decoded


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_what_was_decoded_is_encoded_to_the_same(law: Literal["ulaw", "alaw"]) -> None:
    """But for mu-law's second zero, which is the first one."""
    assert encode_g711(decode_g711(BYTES, law), law) == BYTES.replace(b"\x7f", b"\xff" if law == "ulaw" else b"\x7f")


def test_known_bytes() -> None:
    """Silence, and the loudest of both signs."""
    assert encode_g711(struct.pack("<3h", 0, 32_767, -32_768)) == b"\xff\x80\x00"
    assert encode_g711(struct.pack("<3h", 0, 32_767, -32_768), "alaw") == b"\xd5\xaa\x2a"
    assert struct.unpack("<3h", decode_g711(b"\xff\x80\x00")) == (0, 32_124, -32_124)


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="multiple"):
        encode_g711(b"abc")
