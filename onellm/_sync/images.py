# GENERATED from onellm/resources/images.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""`images`. https://platform.openai.com/docs/api-reference/images"""

from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self, overload

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm.resources.images import AsyncImages, AsyncImageStream
from onellm.types.caching import CacheHit
from onellm.types.files import FileInput
from onellm.types.headers import Headers
from onellm.types.images import (
    ImageEditParams,
    ImageInput,
    ImageParams,
    ImagesResponse,
    ImageStreamEvent,
    ImageVariationParams,
)


class ImageStream:
    """Images as they are made, to be used like a streamed chat answer: in `with`.

    `partial_images` says how many unfinished ones are wanted. A host that does not stream gives the finished alone.
    """

    def __init__(self, held: AsyncImageStream) -> None:
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

    def __next__(self) -> ImageStreamEvent:
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

    def next_chunks(self) -> Sequence[ImageStreamEvent]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> ImagesResponse:
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

    def get_final_images(self) -> ImagesResponse:
        """The finished images, as they would have come without `stream=True`; reads what has not been read."""
        return run(self._async.get_final_images())


class Images:
    """Images from words and other images."""

    def __init__(self, held: AsyncImages) -> None:
        self._async = held

    @overload
    def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: Literal[False] | None = None,
        **params: Unpack[ImageParams],
    ) -> ImagesResponse: ...

    @overload
    def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: Literal[True],
        **params: Unpack[ImageParams],
    ) -> ImageStream: ...

    @overload
    def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: bool | None = None,
        **params: Unpack[ImageParams],
    ) -> ImagesResponse | ImageStream: ...

    def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: bool | None = None,
        **params: Unpack[ImageParams],
    ) -> ImagesResponse | ImageStream:
        """Draw what the prompt says, whole or with `stream=True` as it is drawn.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(self._async.generate(model=model, prompt=prompt, stream=stream, **params))
        if isinstance(reply, AsyncImageStream):
            return ImageStream(reply)
        return reply

    @overload
    def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: Literal[False] | None = None,
        **params: Unpack[ImageEditParams],
    ) -> ImagesResponse: ...

    @overload
    def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: Literal[True],
        **params: Unpack[ImageEditParams],
    ) -> ImageStream: ...

    @overload
    def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: bool | None = None,
        **params: Unpack[ImageEditParams],
    ) -> ImagesResponse | ImageStream: ...

    def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: bool | None = None,
        **params: Unpack[ImageEditParams],
    ) -> ImagesResponse | ImageStream:
        """Change an image, or make one out of several. A mask is clear where the first image may change; a
        markup has strokes that show what to change.

        Files are given as for `audio.transcriptions`; several as a list.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(
            self._async.edit(
                model=model,
                image=image,
                prompt=prompt,
                mask=mask,
                markup=markup,
                stream=stream,
                **params,
            )
        )
        if isinstance(reply, AsyncImageStream):
            return ImageStream(reply)
        return reply

    def create_variation(
        self,
        *,
        model: str,
        image: FileInput,
        **params: Unpack[ImageVariationParams],
    ) -> ImagesResponse:
        """Draw an image again, differently. OpenAI has retired this; hosts of your own may serve it.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.create_variation(model=model, image=image, **params))
