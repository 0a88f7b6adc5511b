# GENERATED from onellm/resources/completions.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""`completions`. https://platform.openai.com/docs/api-reference/completions"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Literal, Self, overload

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm.resources.completions import AsyncCompletions, AsyncCompletionStream
from onellm.types.caching import CacheHit
from onellm.types.completions import Completion, CompletionParams, Prompt
from onellm.types.headers import Headers


class CompletionStream:
    """A streamed text completion, to be used like a streamed chat answer. Chunks have the shape of the whole."""

    def __init__(self, held: AsyncCompletionStream) -> None:
        self._async = held

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self._async.request_id

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer, from its beginning on; empty where it comes from a cache, or not by HTTP."""
        return self._async.headers

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return self._async.status_code

    @property
    def restarts(self) -> int:
        """How often it has begun anew (`on_interrupt="restart"`): what came before the last of these counts no more."""
        return self._async.restarts

    @property
    def cached(self) -> CacheHit | None:
        """Where it is replayed from the client's cache: how old it is."""
        return self._async.cached

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Completion:
        for chunk in self._async._buffer:
            return chunk
        if self._async._closed or self._async._final is not None:
            raise StopIteration
        chunks = run(self._async._read())  # not next_chunks(): each coroutine costs every wake-up
        if not chunks:
            self._async._final = self._async._source.final()
            raise StopIteration
        if len(chunks) > 1:
            self._async._buffer = iter(chunks[1:])
        return chunks[0]

    def next_chunks(self) -> Sequence[Completion]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> Completion:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
        """
        return run(self._async.get_final())

    def close(self) -> None:
        """Close the connection now. What has come and not been read is dropped."""
        run(self._async.aclose())

    def close_now(self) -> None:
        """Close it without waiting for anything; safe from any thread."""
        self._async.close_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))

    def text(self) -> Iterator[str]:
        """The pieces of the first choice's text."""
        for chunk in self:
            for choice in chunk.choices:
                if choice.index == 0 and choice.text:
                    yield choice.text

    def get_final_completion(self) -> Completion:
        """`get_final` under the name that the streams of chats have for it."""
        return run(self._async.get_final_completion())


class Completions:
    """Texts continued, or filled in before a `suffix`."""

    def __init__(self, held: AsyncCompletions) -> None:
        self._async = held

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: Literal[False] | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion: ...

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: Literal[True],
        **params: Unpack[CompletionParams],
    ) -> CompletionStream: ...

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: bool | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion | CompletionStream: ...

    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: bool | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion | CompletionStream:
        """Continue a text, whole or with `stream=True` as it is written; with `suffix` what stands between.

        model is "provider/model"; prompt is a text, token ids, or a list of either. The other arguments are those of
        OpenAI's text completions, see `CompletionParams`; None is the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(self._async.create(model=model, prompt=prompt, stream=stream, **params))
        if isinstance(reply, AsyncCompletionStream):
            return CompletionStream(reply)
        return reply
