"""Streams that may change where they come from: begun when content has come, and begun anew where that is wanted."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from onellm.errors import OneLLMError
from onellm.providers.protocols import AnswerStream
from onellm.types.chat import ChatCompletionChunk
from onellm.types.completions import Completion
from onellm.types.headers import Head, head_of

_BEFORE_CONTENT = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
    }
)
_NO_CONTENT = frozenset({"role", "annotations"})


def has_content(chunk: Any) -> bool:
    """Whether a chunk says something that a caller could not take back: not roles, ids and announcements."""
    if isinstance(chunk, ChatCompletionChunk):
        return any(
            choice.finish_reason is not None
            or any(getattr(choice.delta, name) for name in choice.delta.__struct_fields__ if name not in _NO_CONTENT)
            for choice in chunk.choices
        )
    if isinstance(chunk, Completion):
        return any(choice.text or choice.finish_reason for choice in chunk.choices)
    return getattr(chunk, "type", None) not in _BEFORE_CONTENT


class BegunStream:
    """A stream up to and with its first content, which may be its end."""

    def __init__(self, source: AnswerStream[Any, Any]) -> None:
        self.source = source
        self.first: list[Any] = []

    async def begin(self) -> None:
        """Read up to the first content. What fails before it can be tried again, as nobody has seen any of it."""
        try:
            while chunks := await self.source.read():
                self.first.extend(chunks)
                if any(map(has_content, chunks)):
                    break
        except BaseException:
            self.source.close()
            raise

    def close(self) -> None:
        """End it."""
        self.source.close()


class MovingStream:
    """A stream of which its first content has come.

    sign:      notes in the whole answer what it took to get it
    again:     gives another in its place; None where there is none for this error
    restarts:  how often that has been done; what was given before then counts no more
    """

    def __init__(
        self,
        begun: BegunStream,
        sign: Callable[[Any], Any],
        again: Callable[[OneLLMError], Awaitable[BegunStream | None]] | None,
    ) -> None:
        self._source = begun.source
        self._first: Sequence[Any] = begun.first
        self._sign = sign
        self._final: Any = None
        self._again = again
        self._closed = False
        self.restarts = 0

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._source.request_id

    @property
    def head(self) -> Head | None:
        """The status and headers of the answer that it comes from now."""
        return head_of(self._source)

    async def read(self) -> Sequence[Any]:
        """The chunks of one network read; none is the end."""
        if self._first:
            first, self._first = self._first, ()
            return first
        try:
            return await self._source.read()
        except OneLLMError as exc:
            if self._again is None or self._closed:
                raise
            self._source.close()
            begun = await self._again(exc)
            if begun is None:
                raise
        if self._closed:
            begun.close()
        self._source = begun.source
        self.restarts += 1
        return begun.first

    def final(self) -> Any:
        """The whole answer."""
        if self._final is None:
            self._final = self._sign(self._source.final())
        return self._final

    def close(self) -> None:
        """End it now."""
        self._closed = True
        self._first = ()
        self._source.close()


class WatchedStream:
    """A stream whose end is told of, once: its whole answer, what it broke off by, or that it was left before.

    first:  is told of the first chunk
    """

    def __init__(
        self,
        source: AnswerStream[Any, Any],
        ended: Callable[[Any], Awaitable[None]],
        failed: Callable[[OneLLMError], Awaitable[None]],
        left: Callable[[], object] | None = None,
        first: Callable[[], object] | None = None,
    ) -> None:
        self._source = source
        self._first = first
        self._ended = ended
        self._failed = failed
        self._left = left
        self._over = False

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._source.request_id

    @property
    def head(self) -> Head | None:
        """The status and headers of the answer."""
        return head_of(self._source)

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
        except OneLLMError as exc:
            if not self._over:
                self._over = True
                await self._failed(exc)
            raise
        if not chunks and not self._over:
            self._over = True
            await self._ended(self._source.final())
        elif chunks and self._first is not None:
            first, self._first = self._first, None
            first()
        return chunks

    def final(self) -> Any:
        """The whole answer."""
        return self._source.final()

    def close(self) -> None:
        """End it now."""
        over, self._over = self._over, True
        self._source.close()
        if not over and self._left is not None:
            self._left()
