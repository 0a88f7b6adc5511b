"""Amazon's event stream: frames of bytes in, messages out; opens nothing.

    u32 length of all | u32 length of the headers | u32 CRC of these 8 bytes | headers | payload | u32 CRC of all before

Numbers are big-endian, the CRC is that of zlib.
https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html and smithy's specification of
`application/vnd.amazon.eventstream`: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from collections.abc import Mapping
from struct import Struct as Layout
from struct import error as LayoutError  # noqa: N812 - the module calls it so
from typing import TypeAlias
from zlib import crc32

from msgspec import Struct

HeaderValue: TypeAlias = bool | int | bytes | str
"""A bool, an integer (a timestamp is milliseconds), bytes (a UUID is its 16), or a text."""

_prelude = Layout(">III").unpack_from
_u32 = Layout(">I").unpack_from
_u16 = Layout(">H").unpack_from
# By the number of the type: how long a value is and how it is read.
_NUMBERS = {2: Layout(">b"), 3: Layout(">h"), 4: Layout(">i"), 5: Layout(">q"), 8: Layout(">q")}
_TRUE, _FALSE, _BYTES, _TEXT, _UUID = 0, 1, 6, 7, 9

_PRELUDE_BYTES = 12
_FRAME_BYTES = 16  # the prelude and the last CRC
_MOST_HEADER_BYTES = 128 << 10
_MOST_KNOWN = 64  # heads that are remembered: a stream has a handful, each sent again and again


class EventStreamMessage(Struct, frozen=True, gc=False):
    """One frame. Its headers may be shared with other frames: they are not to be changed."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


class EventStreamError(ValueError):
    """The bytes are no event stream, or were changed on the way."""


class EventStreamDecoder:
    """Cuts a stream of bytes into messages, in time linear in the bytes wherever the chunks are cut.

    max_event_bytes:  bound on one frame
    """

    def __init__(self, *, max_event_bytes: int = 64 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._tail = bytearray()  # the unfinished frame
        self._wanted = _PRELUDE_BYTES  # what the tail must hold before it is worth another look
        self._known: dict[bytes, dict[str, HeaderValue]] = {}
        self.error: EventStreamError | None = None  # what the next call raises

    def feed(self, chunk: bytes) -> list[EventStreamMessage]:
        """The messages that this chunk finishes, in order.

        Raises:
            EventStreamError: a CRC does not fit, a length cannot be, a header is malformed, or a frame is larger than
                max_event_bytes. Messages before it are not lost: when this chunk finishes some, they are returned
                and the next feed() or close() raises. Every later call raises again.
        """
        if self.error is not None:
            raise self.error
        tail = self._tail
        if tail:
            tail += chunk
            if len(tail) < self._wanted:
                return []
            chunk = bytes(tail)
            tail.clear()
        messages: list[EventStreamMessage] = []
        at = 0
        try:
            while True:
                if at == len(chunk):
                    size = _PRELUDE_BYTES
                    break
                size = self._size(chunk, at)
                if at + size > len(chunk):
                    break
                messages.append(self._message(chunk, at, size))
                at += size
        except EventStreamError as exc:
            self.error = exc
            if not messages:
                raise
            return messages
        self._wanted = size
        tail += chunk[at:] if at else chunk
        return messages

    def close(self) -> None:
        """End the stream and drop the unfinished frame; raises what feed() still owes."""
        self._tail.clear()
        if self.error is not None:
            raise self.error

    def _size(self, data: bytes, at: int) -> int:
        """The length of the frame that begins there, or that of a prelude where it is not all there."""
        if len(data) - at < _PRELUDE_BYTES:
            return _PRELUDE_BYTES
        total, head, crc = _prelude(data, at)
        if crc32(data[at : at + 8]) != crc:
            raise EventStreamError("a frame's lengths do not fit their checksum: the stream was changed on the way")
        if total > self._max:
            raise EventStreamError(f"a frame of {total} bytes is larger than max_event_bytes={self._max}")
        if head > _MOST_HEADER_BYTES or head + _FRAME_BYTES > total:
            raise EventStreamError(f"a frame of {total} bytes cannot have {head} bytes of headers")
        return int(total)

    def _message(self, data: bytes, at: int, size: int) -> EventStreamMessage:
        end = at + size - 4
        if crc32(data[at:end]) != _u32(data, end)[0]:
            raise EventStreamError("a frame does not fit its checksum: the stream was changed on the way")
        start = at + _PRELUDE_BYTES
        payload = start + int(_u32(data, at + 4)[0])
        head = data[start:payload]
        headers = self._known.get(head)
        if headers is None:
            headers = _headers(head)
            if len(self._known) < _MOST_KNOWN:
                self._known[head] = headers
        return EventStreamMessage(headers, data[payload:end])


def _headers(head: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(head):
            name, at = _piece(head, at + 1, head[at])
            key = name.decode()
            if key in headers:
                raise EventStreamError(f"the header {key!r} comes twice in one frame")
            headers[key], at = _value(head, at)
    except (IndexError, LayoutError, UnicodeDecodeError) as exc:
        raise EventStreamError(f"a frame's headers are malformed: {exc}") from exc
    return headers


def _value(head: bytes, at: int) -> tuple[HeaderValue, int]:
    kind = head[at]
    at += 1
    if kind in (_BYTES, _TEXT):
        value, at = _piece(head, at + 2, int(_u16(head, at)[0]))
        return (value if kind == _BYTES else value.decode()), at
    if kind in _NUMBERS:
        layout = _NUMBERS[kind]
        return int(layout.unpack_from(head, at)[0]), at + layout.size
    if kind == _UUID:
        return _piece(head, at, 16)
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    raise EventStreamError(f"a frame has a header of type {kind}, which does not exist")


def _piece(head: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(head):
        raise IndexError("a header ends before its length says")
    return head[at : at + size], at + size
