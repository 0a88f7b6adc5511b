"""JSON lines: bytes in, lines out; opens nothing. https://github.com/ndjson/ndjson-spec"""

LF = 0x0A  # `LF in chunk` is a memchr
_BLANK = b" \t\r"


class LineTooLargeError(ValueError):
    """A line grew past the decoder's max_event_bytes."""


class NdjsonDecoder:
    """Cuts a stream of bytes into its lines, in time linear in the bytes wherever the chunks are cut.

    max_event_bytes:  bound on one line, without its line end
    """

    def __init__(self, *, max_event_bytes: int = 64 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._tail = bytearray()  # the unfinished line; searched only when its end has come
        self.error: LineTooLargeError | None = None  # what the next call raises

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk finishes, in order, without the blank ones and without white space around them.

        Raises:
            LineTooLargeError: a line is larger than max_event_bytes. Lines before it are not lost: when this chunk
                finishes some, they are returned and the next feed() or close() raises. Every later call raises again.
        """
        if self.error is not None:
            raise self.error
        tail = self._tail
        if LF not in chunk:
            tail += chunk
            return self._bounded([])
        first, *rest = chunk.split(b"\n")
        if tail:
            tail += first
            first = bytes(tail)
            tail.clear()
        tail += rest.pop()
        return self._bounded([first, *rest])

    def close(self) -> bytes:
        """End the stream: what came after the last line end, which is a line, or a piece of one that was cut."""
        if self.error is not None:
            raise self.error
        rest = bytes(self._tail).strip(_BLANK)
        self._tail.clear()
        return rest

    def _bounded(self, lines: list[bytes]) -> list[bytes]:
        """The lines that say something, up to the first that is too large."""
        fit: list[bytes] = []
        for line in [*lines, self._tail]:
            if len(line) > self._max:
                self.error = LineTooLargeError(f"a line is larger than max_event_bytes={self._max}")
                self._tail.clear()
                if not fit:
                    raise self.error
                return fit
            if line is not self._tail and (said := bytes(line).strip(_BLANK)):
                fit.append(said)
        return fit
