"""The decoder of event streams: whole, byte by byte, at random cuts, and with bytes that were changed."""

import struct
from binascii import crc32
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.eventstream import event, exception, frame, header

from onellm.transport.eventstream import EventStreamDecoder, EventStreamError, EventStreamMessage

# Made and accepted by botocore 1.44.5.
STOP = bytes.fromhex(
    "0000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d747970650700106170"
    "706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e223a22656e645f7475"
    "726e227d5fbf09fc"
)
SLOW_DOWN = bytes.fromhex(
    "0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f6e7465"
    "6e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d6573"
    "73616765223a22736c6f7720646f776e227d832ee072"
)
STREAM = b"".join(
    [
        event("messageStart", {"role": "assistant"}),
        *(
            event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})
            for text in ("", "Grüße", "你")
        ),
        STOP,
        SLOW_DOWN,
        frame({}, b""),
        frame({":message-type": "error", ":error-code": "x", ":error-message": ""}, b""),
    ]
)


def decode(*chunks: bytes, **options: Any) -> list[tuple[dict[str, Any], bytes]]:
    decoder = EventStreamDecoder(**options)
    found = [message for chunk in chunks for message in decoder.feed(chunk)]
    decoder.close()
    return [(dict(message.headers), message.payload) for message in found]


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def test_frames_that_botocore_made() -> None:
    assert decode(STOP + SLOW_DOWN) == [
        (
            {":event-type": "messageStop", ":content-type": "application/json", ":message-type": "event"},
            b'{"stopReason":"end_turn"}',
        ),
        (
            {
                ":exception-type": "throttlingException",
                ":content-type": "application/json",
                ":message-type": "exception",
            },
            b'{"message":"slow down"}',
        ),
    ]
    assert event("messageStop", {"stopReason": "end_turn"}) == STOP
    assert exception("throttlingException", {"message": "slow down"}) == SLOW_DOWN


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 12, 13, 122, 500])
def test_whole_and_in_pieces(size: int) -> None:
    assert decode(*cut(STREAM, size)) == decode(STREAM)
    assert len(decode(STREAM)) == 8


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_chunks_are_cut_does_not_matter(places: list[int]) -> None:
    edges = [0, *sorted(places), len(STREAM)]
    assert decode(*(STREAM[a:b] for a, b in pairwise(edges))) == decode(STREAM)


def test_headers_of_every_type() -> None:
    """A timestamp is milliseconds, a UUID its bytes."""
    uuid = bytes(range(16))
    head = b"".join(
        [
            header("yes", 0, b""),
            header("no", 1, b""),
            header("byte", 2, struct.pack(">b", -3)),
            header("short", 3, struct.pack(">h", -300)),
            header("int", 4, struct.pack(">i", -70000)),
            header("long", 5, struct.pack(">q", -(2**40))),
            header("bytes", 6, b"\x00\x03\x00\xff\x01"),
            header("text", 7, b"\x00\x05Gr\xc3\xbc\x21"),
            header("time", 8, struct.pack(">q", 1_700_000_000_123)),
            header("uuid", 9, uuid),
        ]
    )
    ((headers, payload),) = decode(frame(head, b"x"))
    assert payload == b"x"
    assert headers == {
        "yes": True,
        "no": False,
        "byte": -3,
        "short": -300,
        "int": -70000,
        "long": -(2**40),
        "bytes": b"\x00\xff\x01",
        "text": "Grü!",
        "time": 1_700_000_000_123,
        "uuid": uuid,
    }


@pytest.mark.parametrize("at", range(len(STOP)))
def test_a_changed_byte_is_noticed(at: int) -> None:
    """Wherever it is; the frame before it is not lost."""
    changed = bytearray(STOP)
    changed[at] ^= 0x10
    decoder = EventStreamDecoder()
    assert decoder.feed(SLOW_DOWN + bytes(changed) + STOP)[0].payload == b'{"message":"slow down"}'
    for _ in range(2):
        with pytest.raises(EventStreamError, match="checksum"):
            decoder.feed(STOP)
    with pytest.raises(EventStreamError, match="checksum"):
        decoder.close()


@given(st.binary(max_size=200), st.integers(0, len(STREAM)))
def test_noise_is_an_error_or_a_wait(noise: bytes, at: int) -> None:
    """Nothing but our own error is raised, and no message is made up."""
    decoder = EventStreamDecoder()
    known = decode(STREAM)
    try:
        found = [*decoder.feed(STREAM[:at]), *decoder.feed(noise)]
    except EventStreamError:
        return
    for message in found[: len(known)]:
        assert isinstance(message, EventStreamMessage)


def lengths(total: int, head: int) -> bytes:
    prelude = struct.pack(">II", total, head)
    return prelude + struct.pack(">I", crc32(prelude))


MALFORMED = {
    "a frame shorter than its frame": (lengths(15, 0), "cannot have"),
    "headers longer than the frame": (lengths(100, 85), "cannot have"),
    "headers past their limit": (lengths(1 << 20, (128 << 10) + 1), "cannot have"),
    "a frame past the limit": (lengths(1 << 30, 0), "max_event_bytes"),
    "a header of no type": (frame(header("a", 10, b""), b""), "type 10"),
    "a header that ends early": (frame(header("a", 7, b"\x00\x05abc"), b""), "malformed"),
    "a header without its value": (frame(b"\x01a", b""), "malformed"),
    "a number that is cut": (frame(header("a", 5, b"\x00"), b""), "malformed"),
    "a name that is no UTF-8": (frame(b"\x01\xff\x00", b""), "malformed"),
    "a header that comes twice": (frame(header("a", 0, b"") * 2, b""), "twice"),
}


@pytest.mark.parametrize(("stream", "says"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be(stream: bytes, says: str) -> None:
    """Said as soon as it is known: a length that lies is not waited for."""
    with pytest.raises(EventStreamError, match=says):
        decode(stream)
    with pytest.raises(EventStreamError, match=says):
        decode(*cut(stream, 1))


def test_a_frame_may_be_as_large_as_the_limit() -> None:
    assert len(decode(STOP, max_event_bytes=len(STOP))) == 1
    with pytest.raises(EventStreamError, match="larger than max_event_bytes=121"):
        decode(STOP[:12], max_event_bytes=len(STOP) - 1)


def test_many_heads_are_not_kept() -> None:
    """Each head is read once, but a host that makes them up does not fill the memory."""
    stream = b"".join(frame({":id": str(number)}, b"") for number in range(500))
    assert [headers[":id"] for headers, _ in decode(stream)] == [str(number) for number in range(500)]


def test_an_unfinished_frame_is_dropped_at_the_end() -> None:
    assert len(decode(STOP + SLOW_DOWN[:-1])) == 1
