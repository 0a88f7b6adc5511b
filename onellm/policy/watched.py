"""Calls and streams that are watched to their end, for what counts, traces and logs them."""

from collections.abc import Sequence
from typing import Any, Protocol

from onellm.policy.execution import Exchange
from onellm.providers.protocols import AnswerStream, Binary


class Watch(Protocol):
    """Who watches one call. `over` comes once, whatever happens."""

    def first(self) -> None:
        """The first chunk of a stream is there."""
        ...

    def over(self, answer: Any, error: BaseException | None) -> None:
        """The call is over: with its whole answer, or with what it failed by; with neither it was left early.

        Bytes that are read as they come have no whole answer: they are given as they have begun.
        """
        ...


_NOTHING = ()


def to_its_end(exchange: Exchange, answer: Any, watch: Watch) -> Any:
    """What has been answered, watched until it is over: a whole answer is now."""
    if exchange.operation.answers == "events":
        return StreamToItsEnd(answer, watch)
    if exchange.operation.answers == "bytes":
        return BytesToTheirEnd(answer, watch)
    watch.over(_NOTHING if answer is None else answer, None)  # what is asked for may be that there is nothing
    return answer


class StreamToItsEnd:
    """A stream that tells when it is over: at its end, by an error, by being closed."""

    def __init__(self, source: AnswerStream[Any, Any], watch: Watch) -> None:
        self._source = source
        self._watch: Watch | None = watch
        self._begun = False

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._source.request_id

    @property
    def restarts(self) -> int:
        """How often it has begun anew."""
        return getattr(self._source, "restarts", 0)

    @property
    def cached(self) -> Any:
        """How old it is, where it is replayed from a cache."""
        return getattr(self._source, "cached", None)

    async def read(self) -> Sequence[Any]:
        """The chunks of one network read; none is the end."""
        try:
            chunks = await self._source.read()
        except Exception as exc:
            self._over(None, exc)
            raise
        if not chunks:
            if self._watch is not None:
                self._over(self._source.final(), None)
        elif not self._begun:
            self._begun = True
            if self._watch is not None:
                self._watch.first()
        return chunks

    def _over(self, answer: Any, error: BaseException | None) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.over(answer, error)

    def final(self) -> Any:
        """The whole answer."""
        return self._source.final()

    def close(self) -> None:
        """End it now."""
        self._source.close()
        self._over(None, None)


class BytesToTheirEnd:
    """An answer of bytes that tells when it is over, as a stream does."""

    def __init__(self, source: Binary, watch: Watch) -> None:
        self._source = source
        self._watch: Watch | None = watch
        self.provider = source.provider
        self.request_id = source.request_id
        self.adjustments = source.adjustments
        self.content_type = source.content_type
        self.content_length = source.content_length

    async def read(self) -> bytes:
        """What has come since the last read; b"" is the end."""
        try:
            piece = await self._source.read()
        except Exception as exc:
            self._over(None, exc)
            raise
        if not piece:
            self._over(self._source, None)
        return piece

    def _over(self, answer: Any, error: BaseException | None) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.over(answer, error)

    def close(self) -> None:
        """End it now."""
        self._source.close()
        self._over(None, None)


class Tokens:
    """What an answer says of its tokens, under whichever names its kind has them; None where it says nothing."""

    __slots__ = ("cache_read", "cache_write", "input", "output", "reasoning")

    def __init__(self, answer: Any) -> None:
        usage = getattr(answer, "usage", None)
        self.input = _first(usage, "prompt_tokens", "input_tokens")
        self.output = _first(usage, "completion_tokens", "output_tokens")
        read = _first(usage, "prompt_tokens_details", "input_tokens_details")
        written = _first(usage, "completion_tokens_details", "output_tokens_details")
        self.cache_read = _first(read, "cached_tokens")
        self.cache_write = _first(read, "cache_write_tokens")
        self.reasoning = _first(written, "reasoning_tokens")


def _first(holder: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(holder, name, None)) is not None), None)
