"""How an HTTP answer is read as it comes: bytes, and streams that are folded."""

# The types of all operations stand in annotations alone: what imports a row pays for those it uses.
from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar, cast

from onellm.dialects.base import TakesWhole
from onellm.dialects.errors import request_id
from onellm.errors import (
    APIConnectionError,
    OneLLMError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedFeatureError,
)
from onellm.types.base import Answer
from onellm.types.headers import Head, as_head, headers_of
from onellm.types.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onellm.dialects.protocols import Reducer, StreamDialect
    from onellm.providers.base import Call
    from onellm.providers.protocols import ResponseStream

RequestT = TypeVar("RequestT", bound=Request)
AnswerT = TypeVar("AnswerT", bound=Answer)
ChunkT = TypeVar("ChunkT", bound=Answer)


class HttpBinary:
    """An answer of bytes, read as it comes."""

    def __init__(self, provider: str, request: Request, response: ResponseStream) -> None:
        self.provider = provider
        self.request_id = request_id(response.headers)
        self.head: Head | None = as_head(response.status, response.headers)
        self.adjustments = tuple(request.adjustments)
        self.content_type = response.headers.get("Content-Type", "application/octet-stream")
        length = response.headers.get("Content-Length", "")
        encoded = "Content-Encoding" in response.headers
        self.content_length = int(length) if length.isdecimal() and not encoded else None
        self._model = request.model
        self._response = response
        self._first = b""

    async def open(self) -> None:
        """Read up to the first byte, so that what fails before it can be tried again."""
        self._first = self._first or await self.read()

    async def read(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return await self._response.read()
        except OneLLMError as exc:
            exc.request_id = exc.request_id or self.request_id
            locate(exc, self.provider, self._model)

    async def read_whole(self, limit: int) -> bytes:
        """All of it, up to a limit of bytes."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.close()
                raise ResponseDecodeError(f"the answer is larger than {limit} bytes")
        return b"".join(pieces)

    def holds(self, content: bytes, content_type: str) -> None:
        """What the answer's body turned out to hold."""
        self._first = content
        self.content_type = content_type
        self.content_length = len(content)

    def close(self) -> None:
        self._response.close()


class Held:
    """What is here already, as an answer that is read as it comes."""

    adjustments: tuple[str, ...] = ()
    content_type = "application/jsonl"
    request_id: str | None = None

    def __init__(self, provider: str, content: bytes) -> None:
        self.provider = provider
        self.content_length: int | None = len(content)
        self._left = content

    async def read(self) -> bytes:
        left, self._left = self._left, b""
        return left

    def close(self) -> None:
        self._left = b""


class HttpAnswerStream(Generic[ChunkT, AnswerT]):
    """A streamed answer: reads from the connection, folds through the dialect's reducer."""

    def __init__(
        self, provider: str, request: Request, response: ResponseStream, reducer: Reducer[ChunkT, AnswerT]
    ) -> None:
        self.request_id = request_id(response.headers)
        self.head: Head | None = as_head(response.status, response.headers)
        self._provider = provider
        self._model = request.model
        self._adjustments = tuple(request.adjustments)
        self._response = response
        self._reducer = reducer
        self._final: AnswerT | None = None
        self._first: Sequence[ChunkT] = ()
        self._begun = False

    async def open(self) -> None:
        """Read up to the first chunk, so that what fails before it can be tried again."""
        self._first = await self.read()

    def begin_with(self, chunks: Sequence[ChunkT]) -> None:
        """Chunks that are known before anything is read."""
        for chunk in chunks:
            chunk.provider = self._provider
            chunk.request_id = self.request_id
        self._first = chunks

    async def read(self) -> Sequence[ChunkT]:
        if self._first:
            first, self._first = self._first, ()
            return first
        if self._final is not None:
            return ()
        reducer = self._reducer
        response = self._response
        try:
            while not (reducer.finished or reducer.error):
                try:
                    data = await response.receive()
                except BaseException as exc:  # noqa: BLE001 - raised again there
                    response.failed(exc)
                response.rest()
                if not data:
                    break
                chunks = reducer.feed(data)
                if chunks:
                    self._begun = True
                    provider, request_id = self._provider, self.request_id
                    for chunk in chunks:
                        chunk.provider = provider
                        chunk.request_id = request_id
                    return chunks
            await self._finish(reducer.close())
        except OneLLMError as exc:
            self._fail(exc)
        return ()

    def _fail(self, exc: OneLLMError) -> NoReturn:
        self._response.close()
        error = exc
        if self._begun and type(exc) is APIConnectionError:  # neither a time limit nor a missing end
            error = StreamInterruptedError(f"the stream broke off: {exc.message}")
            error.__cause__ = exc
        error.request_id = error.request_id or self.request_id
        error.headers = error.headers or headers_of(self)
        try:
            locate(error, self._provider, self._model)
        finally:
            del error  # or the exception holds this frame, and the frame the exception

    async def _finish(self, final: AnswerT) -> None:
        final.provider = self._provider
        final.request_id = self.request_id
        final.head = self.head
        final.adjustments = self._adjustments
        await self._response.finish()
        note_usage(self._response, final)
        self._final = final

    def final(self) -> AnswerT:
        return self._reducer.close() if self._final is None else self._final

    def close(self) -> None:
        self._response.close()


async def open_answer(
    provider: str,
    dialect: StreamDialect[RequestT, AnswerT, ChunkT],
    request: RequestT,
    response: ResponseStream,
    call: Call,
) -> HttpAnswerStream[ChunkT, AnswerT]:
    content_type = response.headers.get("Content-Type", "")
    reducer = dialect.reducer(request, max_event_bytes=call.max_event_bytes)
    stream = HttpAnswerStream(provider, request, response, reducer)
    if is_json(response):
        # Not a stream: an error inside a 200, or a host that does not stream this model.
        reply = dialect.decode_response(await response.read_error(), request)
        if not isinstance(reducer, TakesWhole):
            raise UnsupportedFeatureError(f"{provider} answered a streamed call with one whole answer")
        stream.begin_with(cast("TakesWhole[ChunkT, AnswerT]", reducer).read_whole(reply))
    elif content_type.startswith("audio/"):
        response.close()
        raise UnsupportedFeatureError(f"{provider} answered a streamed call with {content_type}; it has no events")
    try:
        await stream.open()
    except BaseException:
        stream.close()
        raise
    return stream


def note_usage(response: object, reply: Answer) -> None:
    """Tell the limits that a request waited for, where it did, how many tokens it came to."""
    used = getattr(response, "used", None)
    if used is not None and (usage := getattr(reply, "usage", None)) is not None:
        tokens = getattr(usage, "total_tokens", None)
        if isinstance(tokens, int) and tokens > 0:
            used(float(tokens))


def is_json(response: ResponseStream) -> bool:
    return response.headers.get("Content-Type", "").startswith("application/json")


def locate(exc: OneLLMError, provider: str, model: str | None) -> NoReturn:
    """Say in an error whose it is, and raise it on."""
    exc.provider = exc.provider or provider
    exc.model = exc.model or model
    try:
        raise exc
    finally:
        del exc  # or the exception holds this frame, and the frame the exception
