"""Answers that were given before, in place of asking again."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from onellm.errors import CacheUnavailableError
from onellm.policy.answer_codec import Codec, codec_of
from onellm.policy.execution import Exchange
from onellm.policy.request_key import request_key
from onellm.providers.protocols import AnswerStream
from onellm.types.base import Answer
from onellm.types.caching import CacheHit, CacheStore
from onellm.types.headers import Head, head_of

_MOST_STREAMED = 16 << 20  # bytes of a stream that are held to be kept
_SAID_EVERY = 60.0  # seconds between two warnings of a store that cannot be reached


class Stored(Struct, array_like=True):
    """An answer as it is kept. `chunks` are those of a stream; a whole answer has none.

    created:  Unix time
    """

    created: float
    whole: bytes
    chunks: list[bytes] = []


encode_stored = msgspec.msgpack.Encoder().encode
decode_stored = msgspec.msgpack.Decoder(Stored).decode


class Caching:
    """A layer that gives answers from a store, by exact request, and keeps those that come."""

    def __init__(self, store: CacheStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._said = -_SAID_EVERY

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The answer that is kept, or else the one that comes."""
        execution = exchange.options.execution
        use = None if execution is None else execution.answer_cache
        codec = None if use is False else codec_of(exchange.operation)
        key = None if codec is None else request_key(exchange)
        if codec is None or key is None:
            return await go_on()
        ttl = None if execution is None else execution.answer_cache_ttl
        if use != "refresh":
            found = await self._find(key, codec, ttl)
            if found is not None:
                return found

        async def keep(stored: Stored) -> None:
            try:
                await self._store.set(key, encode_stored(stored), ttl)
            except CacheUnavailableError as exc:
                self._say(exc)

        return await kept(await go_on(), codec, keep, self._clock)

    async def _find(self, key: str, codec: Codec, ttl: float | None) -> Any:
        try:
            value = await self._store.get(key)
        except CacheUnavailableError as exc:
            self._say(exc)
            return None
        return None if value is None else found(value, codec, self._clock(), ttl)

    def _say(self, exc: CacheUnavailableError) -> None:
        now = time.monotonic()
        if now - self._said >= _SAID_EVERY:
            self._said = now
            logging.getLogger("onellm").warning("calls are made without the cache of answers: %s", exc)


def found(value: bytes, codec: Codec, now: float, ttl: float | None, similarity: float | None = None) -> Any:
    """The answer that was kept; None where it is too old, or was written by another version."""
    try:
        stored = decode_stored(value)
        age = max(0.0, now - stored.created)
        if ttl is not None and age >= ttl:
            return None
        whole = codec.decode(stored.whole)
        chunks = codec.decode_chunks(stored.chunks) if codec.chunk is not None else []
    except msgspec.DecodeError:
        return None
    hit = CacheHit(age=age, similarity=similarity)
    whole.cached = hit
    if codec.chunk is None:
        return whole
    for chunk in chunks:
        chunk.cached = hit
    return ReplayedStream(chunks, whole)


async def kept(
    answer: Any, codec: Codec, keep: Callable[[Stored], Awaitable[None]], clock: Callable[[], float] = time.time
) -> Any:
    """The answer that has come, once it is kept; a stream is kept when it has come to its end."""
    if codec.chunk is not None:
        return RecordedStream(answer, codec, keep, clock)
    if is_good(answer) and (written := codec.encode(answer)) is not None:
        await keep(Stored(clock(), written))
    return answer


def is_good(answer: Any) -> bool:
    """Whether an answer is whole, of who was asked, and not from a cache."""
    if not isinstance(answer, Answer) or answer.fallbacks or answer.cached is not None:
        return False
    choices: Sequence[Any] = getattr(answer, "choices", ())
    return all(choice.finish_reason not in (None, "error") for choice in choices)


class RecordedStream:
    """A stream that is kept when it ends in order."""

    def __init__(
        self,
        source: AnswerStream[Any, Any],
        codec: Codec,
        keep: Callable[[Stored], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._codec = codec
        self._keep: Callable[[Stored], Awaitable[None]] | None = keep
        self._clock = clock
        self._chunks: list[bytes] = []
        self._size = 0

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

    async def read(self) -> Sequence[Any]:
        """The chunks of one network read; none is the end."""
        chunks = await self._source.read()
        keep = self._keep
        if keep is None:
            return chunks
        if chunks:
            self._note(chunks)
        else:
            self._keep = None
            whole = self._source.final()
            written = self._codec.encode(whole) if is_good(whole) and not self.restarts else None
            if written is not None:
                await keep(Stored(self._clock(), written, self._chunks))
        return chunks

    def _note(self, chunks: Sequence[Any]) -> None:
        written = self._codec.encode_chunks(chunks)
        if written is not None:
            self._chunks += written
            self._size += sum(map(len, written))
        if written is None or self._size > _MOST_STREAMED:
            self._keep = None
            self._chunks = []

    def final(self) -> Any:
        """The whole answer."""
        return self._source.final()

    def close(self) -> None:
        """End it now; what is not whole is not kept."""
        self._source.close()


class ReplayedStream:
    """A stream that was kept: its chunks, all at once, and its whole answer."""

    restarts = 0

    def __init__(self, chunks: Sequence[Any], whole: Any) -> None:
        self._chunks = chunks
        self._whole = whole

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request that it was an answer to."""
        found: str | None = self._whole.request_id
        return found

    @property
    def cached(self) -> CacheHit | None:
        """How old it is."""
        hit: CacheHit | None = self._whole.cached
        return hit

    async def read(self) -> Sequence[Any]:
        """All chunks, and then none."""
        chunks, self._chunks = self._chunks, ()
        return chunks

    def final(self) -> Any:
        """The whole answer."""
        return self._whole

    def close(self) -> None:
        """Drop what is left."""
        self._chunks = ()
