# GENERATED from onellm/resources/audio.py by onellm._sync.generate. Do not edit: run make sync.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.

"""`audio`. https://platform.openai.com/docs/api-reference/audio"""

import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Literal, Self, overload

from typing_extensions import Unpack

from onellm._sync.iteration import each
from onellm._sync.portal import run
from onellm.resources.audio import (
    AsyncAudio,
    AsyncSpeech,
    AsyncSpeechResponse,
    AsyncSpeechStream,
    AsyncTranscriptions,
    AsyncTranscriptionStream,
    AsyncTranslations,
)
from onellm.types.audio import (
    AnyTranscription,
    AnyTranslation,
    SpeechAudioDeltaEvent,
    SpeechAudioDoneEvent,
    SpeechParams,
    SpeechStreamEvent,
    TextFormat,
    Transcription,
    TranscriptionDiarized,
    TranscriptionFormat,
    TranscriptionParams,
    TranscriptionStreamEvent,
    TranscriptionTextDeltaEvent,
    TranscriptionVerbose,
    Translation,
    TranslationFormat,
    TranslationParams,
    TranslationVerbose,
    VoiceId,
)
from onellm.types.caching import CacheHit
from onellm.types.files import FileInput
from onellm.types.headers import Headers


class TranscriptionStream:
    """A streamed transcription, to be used like a streamed chat answer: in `with`.

    The last event is `transcript.text.done`. A host that does not stream the model gives that event alone.
    """

    def __init__(self, held: AsyncTranscriptionStream) -> None:
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

    def __next__(self) -> TranscriptionStreamEvent:
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

    def next_chunks(self) -> Sequence[TranscriptionStreamEvent]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> AnyTranscription:
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
        """The pieces of the text."""
        for event in self:
            if isinstance(event, TranscriptionTextDeltaEvent):
                yield event.delta

    def get_final_transcription(self) -> AnyTranscription:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read."""
        return run(self._async.get_final_transcription())


class SpeechStream:
    """Speech as events, to be used like a streamed chat answer: in `with`. The audio is not kept."""

    def __init__(self, held: AsyncSpeechStream) -> None:
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

    def __next__(self) -> SpeechStreamEvent:
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

    def next_chunks(self) -> Sequence[SpeechStreamEvent]:
        """All chunks that are at hand, waiting for one where there is none; empty at the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        return run(self._async.next_chunks())

    def get_final(self) -> SpeechAudioDoneEvent:
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

    def audio(self) -> Iterator[bytes]:
        """The pieces of the audio."""
        for event in self:
            if isinstance(event, SpeechAudioDeltaEvent):
                yield event.audio


class SpeechResponse:
    """Spoken audio."""

    def __init__(self, held: AsyncSpeechResponse) -> None:
        self._async = held

    @property
    def provider(self) -> str:
        return self._async.provider

    @property
    def request_id(self) -> str | None:
        return self._async.request_id

    @property
    def adjustments(self) -> tuple[str, ...]:
        return self._async.adjustments

    @property
    def content_type(self) -> str:
        return self._async.content_type

    @property
    def content_length(self) -> int | None:
        return self._async.content_length

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer; empty where the bytes came inside of another one."""
        return self._async.headers

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return self._async.status_code

    @property
    def content(self) -> bytes:
        """All bytes, once `read` has read them.

        Raises:
            InvalidRequestError: it has not.
        """
        return self._async.content

    def read(self) -> bytes:
        """All bytes; again without reading anew.

        Raises:
            APIConnectionError: the answer broke off.
            ResponseDecodeError: there are more than `HttpOptions.max_body_bytes`.
        """
        return run(self._async.read())

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The bytes as they come, or in pieces of `chunk_size` of which the last may be shorter.

        Raises:
            APIConnectionError: the answer broke off.
        """
        return each(self._async.iter_bytes(chunk_size))

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the bytes to a file as they come, off the event loop. Where that fails, no file is left.

        Raises:
            APIConnectionError: the answer broke off.
            OSError: the file cannot be written.
        """
        run(self._async.write_to_file(file))

    def stream_to_file(self, file: str | os.PathLike[str]) -> None:
        """`write_to_file`, under the other name that `openai`'s client has for it."""
        run(self._async.stream_to_file(file))

    def close(self) -> None:
        """Close the connection now. What has not been read is dropped."""
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

    def __repr__(self) -> str:
        return repr(self._async).removeprefix("Async")


class Transcriptions:
    """Audio as text in its own language."""

    def __init__(self, held: AsyncTranscriptions) -> None:
        self._async = held

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["json"] | None = None,
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> Transcription: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["verbose_json"],
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> TranscriptionVerbose: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["diarized_json"],
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> TranscriptionDiarized: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TextFormat,
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> str: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranscriptionFormat | None = None,
        stream: Literal[True],
        **params: Unpack[TranscriptionParams],
    ) -> TranscriptionStream: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranscriptionFormat | None = None,
        stream: bool | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> AnyTranscription | str | TranscriptionStream: ...

    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranscriptionFormat | None = None,
        stream: bool | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> AnyTranscription | str | TranscriptionStream:
        """Write down what is said, whole or with `stream=True` as it is heard.

        file is bytes, a path, a file opened in binary mode, an asynchronous iterator of bytes, or a tuple
        `(filename, file[, content_type])`; it is sent in pieces and never held whole. Formats "text", "srt" and
        "vtt" give a plain str, the others an object of their own.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(
            self._async.create(
                file=file,
                model=model,
                response_format=response_format,
                stream=stream,
                **params,
            )
        )
        if isinstance(reply, AsyncTranscriptionStream):
            return TranscriptionStream(reply)
        return reply


class Translations:
    """Audio as English text."""

    def __init__(self, held: AsyncTranslations) -> None:
        self._async = held

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["json"] | None = None,
        **params: Unpack[TranslationParams],
    ) -> Translation: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["verbose_json"],
        **params: Unpack[TranslationParams],
    ) -> TranslationVerbose: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TextFormat,
        **params: Unpack[TranslationParams],
    ) -> str: ...

    @overload
    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranslationFormat | None = None,
        **params: Unpack[TranslationParams],
    ) -> AnyTranslation | str: ...

    def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranslationFormat | None = None,
        **params: Unpack[TranslationParams],
    ) -> AnyTranslation | str:
        """Write down in English what is said in any language. Arguments are those of transcriptions.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.create(file=file, model=model, response_format=response_format, **params))


class Speech:
    """Text as spoken audio."""

    def __init__(self, held: AsyncSpeech) -> None:
        self._async = held

    @overload
    def create(
        self,
        *,
        input: str,
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["audio"] | None = None,
        **params: Unpack[SpeechParams],
    ) -> SpeechResponse: ...

    @overload
    def create(
        self,
        *,
        input: str,
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["sse"],
        **params: Unpack[SpeechParams],
    ) -> SpeechStream: ...

    @overload
    def create(
        self,
        *,
        input: str,
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["audio", "sse"] | None = None,
        **params: Unpack[SpeechParams],
    ) -> SpeechResponse | SpeechStream: ...

    def create(
        self,
        *,
        input: str,  # noqa: A002 - OpenAI's name
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["audio", "sse"] | None = None,
        **params: Unpack[SpeechParams],
    ) -> SpeechResponse | SpeechStream:
        """Speak a text. What comes back is open: read it, write it to a file, or take it as it comes.

        voice is a name, {"id": …} for one of your own, or None where the provider has another way to choose.
        `stream_format="sse"` gives events with usage at their end.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(self._async.create(input=input, model=model, voice=voice, stream_format=stream_format, **params))
        if isinstance(reply, AsyncSpeechResponse):
            return SpeechResponse(reply)
        return SpeechStream(reply)


class Audio:
    """The audio namespace."""

    def __init__(self, held: AsyncAudio) -> None:
        self._async = held
        self.transcriptions = Transcriptions(held.transcriptions)
        self.translations = Translations(held.translations)
        self.speech = Speech(held.speech)
