"""JSON lines: however the bytes are cut, the same lines; bounded, and in time linear in the bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm.transport.ndjson import LineTooLargeError, NdjsonDecoder

CASES: dict[str, tuple[bytes, list[bytes], bytes]] = {
    "nothing": (b"", [], b""),
    "one": (b'{"a":1}\n', [b'{"a":1}'], b""),
    "two": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], b""),
    "crlf": (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}'], b""),
    "blank lines": (b'\n\r\n  \n{"a":1}\n\n\t{"b":2} \n', [b'{"a":1}', b'{"b":2}'], b""),
    "an unfinished one": (b'{"a":1}\n{"b":', [b'{"a":1}'], b'{"b":'),
    "only an unfinished one": (b'{"a":1}', [], b'{"a":1}'),
    "line ends that JSON does not escape": ('{"a":"\u2028\x85"}\n'.encode(), ['{"a":"\u2028\x85"}'.encode()], b""),
}


def decode(*chunks: bytes) -> tuple[list[bytes], bytes]:
    decoder = NdjsonDecoder()
    lines = [line for chunk in chunks for line in decoder.feed(chunk)]
    return lines, decoder.close()


def by_byte(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


@pytest.mark.parametrize(("stream", "lines", "rest"), CASES.values(), ids=CASES)
def test_whole_and_byte_by_byte(stream: bytes, lines: list[bytes], rest: bytes) -> None:
    assert decode(stream) == (lines, rest)
    assert decode(*by_byte(stream)) == (lines, rest)


@given(st.lists(st.sampled_from([b"{}", b"\n", b"\r", b'{"a":"', b"x" * 9, b" "])), st.data())
def test_where_the_chunks_are_cut_does_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decode(*chunks) == decode(stream)


@given(st.binary())
def test_nothing_is_lost(stream: bytes) -> None:
    """All lines in their order, but for white space around them and lines of nothing else."""
    lines, rest = decode(stream)
    said = [line.strip(b" \t\r") for line in stream.split(b"\n")]
    assert [line for line in [*lines, rest] if line] == [line for line in said if line]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "byte by byte"])
def test_a_line_that_is_too_large(whole: bool) -> None:
    """What came before it is given; then every call raises."""
    decoder = NdjsonDecoder(max_event_bytes=4)
    stream = b"1234\n" + b"12345"
    lines: list[bytes] = []
    for chunk in [stream] if whole else by_byte(stream)[:-1]:
        lines += decoder.feed(chunk)
    assert lines == [b"1234"]
    if not whole:
        with pytest.raises(LineTooLargeError):
            decoder.feed(b"5")
    for _ in range(2):
        with pytest.raises(LineTooLargeError, match="max_event_bytes=4"):
            decoder.feed(b"\n")
    with pytest.raises(LineTooLargeError):
        decoder.close()


def test_an_unfinished_line_is_searched_once() -> None:
    """A line in many pieces is joined when its end has come: its bytes are handled twice, and not once a piece."""
    decoder = NdjsonDecoder()
    for _ in range(20_000):
        assert decoder.feed(b"x" * 100) == []
    assert [len(line) for line in decoder.feed(b"\n")] == [2_000_000]
