"""Calls and streams that are watched to their end, for what counts, traces and logs them."""

from typing import Any, Protocol

from onellm.policy.execution import Exchange
from onellm.policy.moving import WatchedStream
from onellm.providers.protocols import AnswerStream, Binary
from onellm.types.headers import head_of


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
        return _stream_to_its_end(answer, watch)
    if exchange.operation.answers == "bytes":
        return BytesToTheirEnd(answer, watch)
    watch.over(_NOTHING if answer is None else answer, None)  # what is asked for may be that there is nothing
    return answer


def _stream_to_its_end(source: AnswerStream[Any, Any], watch: Watch) -> WatchedStream:
    async def ended(answer: Any) -> None:
        watch.over(answer, None)

    async def failed(error: BaseException) -> None:
        watch.over(None, error)

    return WatchedStream(source, ended, failed, left=lambda: watch.over(None, None), first=watch.first)


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
        self.head = head_of(source)

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
