"""The event-stream decoder against the specification's text, however the bytes are cut.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import time
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onellm.transport.sse import EventTooLargeError, SseDecoder, SseEvent

E = SseEvent

CASES: dict[str, tuple[bytes, list[SseEvent]]] = {
    "nothing": (b"", []),
    "one": (b"data: x\n\n", [E(b"x")]),
    "two": (b"data: x\n\ndata: y\n\n", [E(b"x"), E(b"y")]),
    "cr": (b"data: x\r\rdata: y\r\r", [E(b"x"), E(b"y")]),
    "crlf": (b"data: x\r\n\r\ndata: y\r\n\r\n", [E(b"x"), E(b"y")]),
    "crlf, two data lines": (b"data: x\r\n\r\ndata: y\r\ndata: z\r\n\r\n", [E(b"x"), E(b"y\nz")]),
    "a line end of another kind between crlfs": (
        b"data: x\r\n\r\ndata: y\rdata: z\r\n\r\ndata: x\ndata: y\r\n\r\n",
        [E(b"x"), E(b"y\nz"), E(b"x\ny")],
    ),
    "crlf and an id, in the event before and in the one after": (
        b"id: 1\r\ndata: x\r\n\r\ndata: y\r\n\r\ndata: z\r\n\r\nid: 2\r\ndata: x\r\n\r\ndata: y\r\n\r\n",
        [E(b"x", "", "1"), E(b"y", "", "1"), E(b"z", "", "1"), E(b"x", "", "2"), E(b"y", "", "2")],
    ),
    "line ends mixed": (b"data: x\n\rdata: y\r\n\ndata: z\r\r\n", [E(b"x"), E(b"y"), E(b"z")]),
    "a crlf is one line end": (b"event: a\r\ndata: x\r\n\r\n", [E(b"x", "a")]),
    "lf then cr are two": (b"data: x\n\r", [E(b"x")]),
    "bom": (b"\xef\xbb\xbfdata: x\n\n", [E(b"x")]),
    "only one bom": (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\ndata: y\n\n", [E(b"y")]),
    "part of a bom": (b"\xef\xbbdata: x\n\ndata: y\n\n", [E(b"y")]),
    "bom later": (b"data: x\n\n\xef\xbb\xbfdata: y\n\n", [E(b"x")]),
    "bom in data": (b"data: \xef\xbb\xbf\n\n", [E(b"\xef\xbb\xbf")]),
    "comment": (b": ping\n\ndata: x\n: ping\n:\n\n", [E(b"x")]),
    "multi-line data": (b"data: a\ndata: b\n\n", [E(b"a\nb")]),
    "the specification's stock ticker": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [E(b"YHOO\n+2\n10")]),
    "the specification's four blocks": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [E(b"first event", "", "1"), E(b"second event"), E(b" third event")],
    ),
    "the specification's empty data": (b"data\n\ndata\ndata\n\ndata:", [E(b""), E(b"\n")]),
    "the specification's one space": (b"data:test\n\ndata: test\n\n", [E(b"test"), E(b"test")]),
    "two spaces": (b"data:  x\n\n", [E(b" x")]),
    "no space before a name": (b" data: x\n\n", []),
    "names are case-sensitive": (b"Data: x\n\n", []),
    "colons in a value": (b'data: {"a":1}\n\ndata::\n\n', [E(b'{"a":1}'), E(b":")]),
    "event": (b"event: a\ndata: x\n\ndata: y\n\n", [E(b"x", "a"), E(b"y")]),
    "event after data": (b"data: x\nevent: a\n\n", [E(b"x", "a")]),
    "the last event wins": (b"event: a\nevent: b\ndata: x\n\nevent: a\nevent\ndata: x\n\n", [E(b"x", "b"), E(b"x")]),
    "event without data is forgotten": (b"event: a\n\ndata: x\n\n", [E(b"x")]),
    "id stays": (b"id: 1\ndata: x\n\ndata: y\n\ndata: z\n\n", [E(b"x", "", "1"), E(b"y", "", "1"), E(b"z", "", "1")]),
    "id without data stays": (b"id: 1\n\ndata: x\n\n", [E(b"x", "", "1")]),
    "id with nul is ignored": (b"id: 1\nid: 2\0\ndata: x\n\n", [E(b"x", "", "1")]),
    "empty id resets": (b"id: 1\ndata: x\n\nid:\ndata: y\n\n", [E(b"x", "", "1"), E(b"y")]),
    "retry and unknown fields": (b"retry: 10\nfoo: bar\nfoo\ndata: x\n\n", [E(b"x")]),
    "blank lines": (b"\n\n\ndata: x\n\n\n\n\ndata: y\n\n\n", [E(b"x"), E(b"y")]),
    "cut in a line": (b"data: x\n\ndata: y", [E(b"x")]),
    "cut after a line": (b"data: x\n\ndata: y\n", [E(b"x")]),
    "line separators of unicode": (
        'data: "a\u2028b\u2029c\x85d\x0be"\n\n'.encode(),
        [E('"a\u2028b\u2029c\x85d\x0be"'.encode())],
    ),
    "data not utf-8": (b"data: \xff\n\n", [E(b"\xff")]),
    "names not utf-8": (b"event: \xff\nid: \xfe\ndata: x\n\n", [E(b"x", "\ufffd", "\ufffd")]),
}

FIELDS = [
    b"data",
    b"data: ",
    b"data: {}\n\n",
    b"data: {}\r\n\r\n",
    b"event",
    b"event: e\n",
    b"id",
    b"id: 1\n",
    b"retry: 1\n",
    b": c\n",
    b"x",
]
BYTES = [b"\n", b"\r", b"\r\n", b"\n\n", b":", b" ", b"\0", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xff", b"\xe2\x80\xa8"]
streams = st.lists(st.sampled_from(FIELDS + BYTES), max_size=30).map(b"".join)


def decode(*chunks: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    decoder.close()
    return events


def decode_bounded(bound: int, *chunks: bytes) -> tuple[list[SseEvent], bool]:
    """The events handed out, and whether EventTooLargeError ended the stream."""
    decoder = SseDecoder(max_event_bytes=bound)
    events: list[SseEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        decoder.close()
    except EventTooLargeError:
        return events, True
    return events, False


def pieces_of(stream: bytes, size: int) -> Iterator[bytes]:
    return (stream[i : i + size] for i in range(0, len(stream), size))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def lines_of(stream: bytes) -> list[bytes]:
    """Section 9.2.5: the lines, without a BOM; what has no line end is left out, since it is never dispatched."""
    rest = stream[3:] if stream[:3] == b"\xef\xbb\xbf" else stream
    lines: list[bytes] = []
    line = b""
    while rest:
        size = 2 if rest[:2] == b"\r\n" else 1
        if rest[:1] in {b"\r", b"\n"}:
            lines.append(line)
            line = b""
        else:
            line += rest[:1]
        rest = rest[size:]
    return lines


def reference(stream: bytes) -> list[SseEvent]:
    """Section 9.2.6 as it is written, slow, on the whole stream."""
    events: list[SseEvent] = []
    data, event, last_id = b"", b"", b""
    for line in lines_of(stream):
        if line == b"":
            if data != b"":
                events.append(E(data[:-1], event.decode("utf-8", "replace"), last_id.decode("utf-8", "replace")))
            data, event = b"", b""
            continue
        field, _, value = line.partition(b":")  # a comment has the field name ""
        if value[:1] == b" ":
            value = value[1:]
        if field == b"event":
            event = value
        if field == b"data":
            data += value + b"\n"
        if field == b"id" and b"\0" not in value:
            last_id = value
    return events


@pytest.mark.parametrize(("stream", "events"), CASES.values(), ids=CASES)
def test_whole_and_byte_by_byte(stream: bytes, events: list[SseEvent]) -> None:
    """Each case as one chunk, as single bytes, and with empty chunks between them."""
    assert decode(stream) == events
    assert decode(*pieces_of(stream, 1)) == events
    assert decode(*(piece for byte in pieces_of(stream, 1) for piece in (b"", byte, b""))) == events


@pytest.mark.parametrize(("stream", "events"), CASES.values(), ids=CASES)
def test_every_single_cut(stream: bytes, events: list[SseEvent]) -> None:
    """Each case in two chunks, cut at each place: inside a CRLF, a BOM, a name, a UTF-8 sequence."""
    for place in range(len(stream) + 1):
        assert decode(stream[:place], stream[place:]) == events


@pytest.mark.parametrize(("stream", "events"), CASES.values(), ids=CASES)
def test_the_reference_agrees_with_the_cases(stream: bytes, events: list[SseEvent]) -> None:
    """The slow decoder that the property tests trust gives what the table says."""
    assert reference(stream) == events


@given(streams, st.lists(st.integers(0, 200), max_size=20))
@example(b"data: x\r\n\r\ndata: y\r\n\r\n", [8, 9, 10])
def test_where_the_chunks_are_cut_does_not_matter(stream: bytes, places: list[int]) -> None:
    """Any cut gives the events of the specification's own algorithm."""
    events = reference(stream)
    assert decode(stream) == events
    assert decode(*cut(stream, places)) == events


@given(streams, st.lists(st.integers(0, 200), max_size=20), st.integers(1, 40))
def test_the_bound_does_not_depend_on_the_cuts(stream: bytes, places: list[int], bound: int) -> None:
    """The events before the one that is too large, and the error itself, are the same for any cut."""
    assert decode_bounded(bound, *cut(stream, places)) == decode_bounded(bound, stream)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\r", b"\n\r", b"\r\n\n", b"\r\n\r", b"\r\n\r\n"])
def test_an_event_does_not_wait_for_the_next_byte(end: bytes) -> None:
    """A CR ends its line at once; the LF that may follow is swallowed when it comes."""
    decoder = SseDecoder()
    assert decoder.feed(b"data: x" + end) == [E(b"x")]
    assert decoder.feed(b"\ndata: y" + end) == [E(b"y")]


def test_crlf_cut_in_two_is_one_line_end() -> None:
    """The lone LF of the next chunk is no empty line, so the event is not dispatched early."""
    decoder = SseDecoder()
    assert decoder.feed(b"data: x\r") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: y\r") == []
    assert decoder.feed(b"\n\r") == [E(b"x\ny")]


def test_json_with_line_separators_decodes() -> None:
    """U+2028 is legal in a JSON string and ends no line."""
    (event,) = decode('data: {"text": "a\u2028b"}\n\n'.encode())
    assert msgspec.json.decode(event.data) == {"text": "a\u2028b"}


def test_close_drops_the_unfinished_event() -> None:
    """Without its blank line an event is incomplete, even when its lines are whole."""
    decoder = SseDecoder()
    assert decoder.feed(b"data: x\n\ndata: y\n") == [E(b"x")]
    decoder.close()
    decoder.close()


TOO_LARGE = {
    "data line": b"data: " + b"x" * 100 + b"\n\n",
    "line without end": b"data: " + b"x" * 100,
    "comment flood": b": ping\n" * 20,
    "many small data lines": b"data\n" * 20,
    "crlf": b"data\r\n" * 30,
    "unknown field": b"x" * 100 + b"\n\n",
}


@pytest.mark.parametrize("stream", TOO_LARGE.values(), ids=TOO_LARGE)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_event_too_large(stream: bytes, size: int) -> None:
    """The error names the bound, keeps coming, and does not take the events before it along."""
    good = b"data: a\n\ndata: b\n\n"
    assert decode_bounded(64, *pieces_of(good + stream + good, size)) == ([E(b"a"), E(b"b")], True)
    decoder = SseDecoder(max_event_bytes=64)
    for _ in range(2):
        with pytest.raises(EventTooLargeError, match="max_event_bytes=64"):
            decoder.feed(stream)
    with pytest.raises(EventTooLargeError, match="max_event_bytes=64"):
        decoder.close()


def test_events_before_the_error_come_first() -> None:
    """The chunk that holds both gives its events; the next call raises, close() too."""
    stream = b"data: a\n\n" + b"x" * 100
    decoder = SseDecoder(max_event_bytes=64)
    assert decoder.feed(stream) == [E(b"a")]
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"")
    decoder = SseDecoder(max_event_bytes=64)
    assert decoder.feed(stream) == [E(b"a")]
    with pytest.raises(EventTooLargeError):
        decoder.close()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_bound_counts_lines_with_one_byte_ends(end: bytes) -> None:
    """`data: x` and its line end are 8 bytes, extra blank lines none; the bound is of one event, not of the stream."""
    stream = (end + b"data: x" + end + end) * 50
    for size in (1, 5, 1000):
        assert decode_bounded(8, *pieces_of(stream, size)) == ([E(b"x")] * 50, False)
        assert decode_bounded(7, *pieces_of(stream, size)) == ([], True)


def test_endless_keep_alives_are_no_large_event() -> None:
    """A blank line after each comment ends an event that had no data."""
    assert decode_bounded(16, *([b": ping\n\n"] * 100), b"data: x\n\n") == ([E(b"x")], False)


KIB = 1024
LARGE = {
    "one line": (b"data: ", b"x" * KIB, b"\n\n"),
    "a line a piece": (b"", b"data: " + b"x" * (KIB - 7) + b"\n", b"\n"),
    "a crlf line a piece": (b"", b"data: " + b"x" * (KIB - 8) + b"\r\n", b"\r\n"),
    "a crlf cut at each piece": (b"data: \r", b"\ndata: " + b"x" * (KIB - 8) + b"\r", b"\n\r"),
    "comments": (b"data: x\n", b":" + b"x" * (KIB - 2) + b"\n", b"\n"),
}


def fastest(pieces: list[bytes]) -> float:
    """CPU seconds of the best of some decodings."""
    seconds: list[float] = []
    for _ in range(4):
        start = time.process_time()
        (event,) = decode(*pieces)
        seconds.append(time.process_time() - start)
        assert event.data
    return min(seconds)


@pytest.mark.parametrize(("first", "piece", "last"), LARGE.values(), ids=LARGE)
def test_a_large_event_is_linear(first: bytes, piece: bytes, last: bytes) -> None:
    """8 MiB in pieces of 1 KiB cost about 16 times what 512 KiB cost; rejoined or searched again, 256 times."""
    small, large = ([first, *[piece] * count, last] for count in (512, 8 * KIB))
    assert decode(*large) == decode(b"".join(large)) == reference_of_large(first, piece, 8 * KIB)
    assert fastest(large) < 80 * fastest(small)


def reference_of_large(first: bytes, piece: bytes, count: int) -> list[SseEvent]:
    lines = (first + piece * count).splitlines()
    return [E(b"\n".join(line[6:] for line in lines if line.startswith(b"data: ")))]
