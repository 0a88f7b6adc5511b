"""Server-sent events: bytes in, events out; opens nothing.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from itertools import takewhile

from msgspec import Struct

BOM = b"\xef\xbb\xbf"
CR = 0x0D  # `CR in chunk` is a memchr; `b"\r" in chunk` raises and swallows a TypeError first: 8 times the cost
LF = 0x0A


class SseEvent(Struct, frozen=True, gc=False):
    """One dispatched event.

    data:   the values of its data lines, joined by LF; bytes as they were sent, ready for a JSON decoder
    event:  its type; "" where the stream named none, which the specification reads as "message"
    id:     the last id the stream gave, in this event or an earlier one; "" before the first
    """

    data: bytes
    event: str = ""
    id: str = ""


class EventTooLargeError(ValueError):
    """An event grew past the decoder's max_event_bytes."""


class SseDecoder:
    """Cuts a stream of bytes into events, in time linear in the bytes wherever the chunks are cut.

    max_event_bytes:  bound on the lines of one event, comments and line ends included; a CRLF counts as one byte
    """

    def __init__(self, *, max_event_bytes: int = 64 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._tail = bytearray()  # the unfinished event, line ends made LF; searched and parsed only when it is whole
        self._last_id = ""
        self._bom: bytes | None = b""  # what has come of a BOM; None once that is decided
        self._after_cr = False  # the last byte was a CR: an LF that comes next belongs to it
        self.error: EventTooLargeError | None = None  # what the next call raises: a stream that stalls makes none
        self._special = True  # one of the three above needs a look at the next chunk

    def feed(self, chunk: bytes) -> list[SseEvent]:  # noqa: C901, PLR0911 - each chunk comes through here
        """The events that this chunk finishes, in order.

        Raises:
            EventTooLargeError: an event is larger than max_event_bytes. Events before it are not lost: when this chunk
                finishes some, they are returned and the next feed() or close() raises. Every later call raises again.
        """
        tail = self._tail
        # Most chunks are one event of one line, and all of it; this is what the rest would make of them.
        if not tail and not self._special and chunk[:6] == b"data: " and len(chunk) < self._max:
            after = len(chunk) - chunk.find(LF)  # from its first LF on
            if after == 2 and chunk[-1] == LF and CR not in chunk:  # noqa: PLR2004 - LF LF
                return [SseEvent(chunk[6:-2], "", self._last_id)]
            if after == 3 and chunk.find(CR) == len(chunk) - 4 and chunk.endswith(b"\r\n"):  # noqa: PLR2004 - the same in CRLFs
                return [SseEvent(chunk[6:-4], "", self._last_id)]
        if self._special or CR in chunk:
            if not self._special and (events := self._crlf(chunk)) is not None:
                return events
            chunk = self._with_lf(chunk)
        end = -1
        if LF in chunk:
            if tail and tail[-1] == LF:  # perhaps a blank line, cut between its two LFs
                tail.pop()
                chunk = b"\n" + chunk
            end = chunk.rfind(b"\n\n")
        if end < 0:
            tail += chunk if tail else chunk.lstrip(b"\n")
            return self._bounded(b"") if len(tail) > self._max else []
        whole = chunk[:end]
        if tail:
            tail += whole
            whole = bytes(tail)
            tail.clear()
        if end + 2 < len(chunk):
            tail += chunk[end + 2 :]
        if len(whole) >= self._max or len(tail) > self._max:
            return self._bounded(whole)
        if LF not in whole and whole[:6] == b"data: ":
            return [SseEvent(whole[6:], "", self._last_id)]
        return self._events(whole)

    def close(self) -> None:
        """End the stream and drop the unfinished event, as the specification says; raises what feed() still owes."""
        self._tail.clear()
        if self.error:
            raise self.error

    def _crlf(self, chunk: bytes) -> list[SseEvent] | None:  # noqa: C901, PLR0912 - each chunk of some hosts comes here
        """The events of a chunk in which each is one data line and ends in CRLFs, as Google's; None for others."""
        end = chunk.rfind(b"\r\n\r\n")
        tail = self._tail
        if end < 0 or len(tail) + len(chunk) >= self._max:
            return None
        begin = 0
        joins = False  # what came before and the beginning of this are one data line
        if tail:
            begin = chunk.find(b"\r\n\r\n") + 4
            first = chunk[: begin - 4]
            joins = tail.startswith(b"data: ") and LF not in tail and CR not in first and LF not in first
        values: list[bytes] = []
        if begin < end:
            if chunk[begin : begin + 6] != b"data: ":
                return None
            whole = chunk[begin + 6 : end]
            if CR not in whole and LF not in whole:
                if not begin and end + 4 == len(chunk):
                    return [SseEvent(whole, "", self._last_id)]
                values = [whole]
            else:
                values = whole.split(b"\r\n\r\ndata: ")
                if [value for value in values if CR in value or LF in value]:
                    return None
        elif not joins:
            return None
        events: list[SseEvent] = []
        if joins:
            tail += chunk[: begin - 4]
            events = [SseEvent(bytes(tail[6:]), "", self._last_id)]
            tail.clear()
        elif begin:
            events = self.feed(chunk[:begin])
        events += [SseEvent(value, "", self._last_id) for value in values]
        rest = chunk[end + 4 :]
        if CR in rest or LF in rest:
            events += self.feed(rest)
        else:
            tail += rest
        return events

    def _with_lf(self, chunk: bytes) -> bytes:
        """The chunk without the stream's BOM, each of its line ends an LF."""
        if self.error:
            raise self.error
        if self._bom is not None:
            chunk = self._bom + chunk
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._bom = chunk
                return b""
            self._bom = None
            chunk = chunk.removeprefix(BOM)
        if chunk:
            pieces = chunk.split(b"\r")  # the LF of a CRLF begins a piece; replace() is twice as slow
            lines = [piece.removeprefix(b"\n") for piece in pieces]
            if not self._after_cr:
                lines[0] = pieces[0]
            self._after_cr = not pieces[-1]
            chunk = b"\n".join(lines)
        self._special = self._after_cr
        return chunk

    def _events(self, whole: bytes) -> list[SseEvent]:
        """The events in these lines, of which only the last blank one is left out."""
        if whole[:6] == b"data: ":  # nearly every provider sends nothing but one data line an event
            values = whole[6:].split(b"\n\ndata: ")
            if not [value for value in values if LF in value]:
                return [SseEvent(value, "", self._last_id) for value in values]
        return self._parse(whole)

    def _parse(self, whole: bytes) -> list[SseEvent]:
        events: list[SseEvent] = []
        data: list[bytes] = []
        event = ""
        for line in [*whole.split(b"\n"), b""]:
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif not line:
                if data:
                    events.append(SseEvent(b"\n".join(data), event, self._last_id))
                    data = []
                event = ""
            else:
                name, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if name == b"data":
                    data.append(value)
                elif name == b"event":
                    event = value.decode(errors="replace")
                elif name == b"id" and 0 not in value:
                    self._last_id = value.decode(errors="replace")
        return events

    def _bounded(self, whole: bytes) -> list[SseEvent]:
        """As _events(), up to the first event that is too large."""
        blocks = whole.split(b"\n\n")
        fit = list(takewhile(lambda lines: len(lines.strip(b"\n")) < self._max, blocks))  # + the LF of its last line
        if len(fit) < len(blocks) or len(self._tail) > self._max:
            self.error = EventTooLargeError(f"a server-sent event is larger than max_event_bytes={self._max}")
            self._special = True
            self._tail.clear()
        events = self._events(b"\n\n".join(fit))
        if self.error and not events:
            raise self.error
        return events
