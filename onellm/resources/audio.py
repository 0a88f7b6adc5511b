"""`audio`. https://platform.openai.com/docs/api-reference/audio"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.policy.execute import Options
from onellm.resources import validation
from onellm.resources.binary import AsyncBinaryResponse
from onellm.resources.core import Core
from onellm.resources.streams import AsyncAnswerStream
from onellm.types.audio import (
    TEXT_FORMATS,
    AnyTranscription,
    AnyTranslation,
    SpeechAudioDeltaEvent,
    SpeechAudioDoneEvent,
    SpeechParams,
    SpeechRequest,
    SpeechStreamEvent,
    TextFormat,
    Transcription,
    TranscriptionDiarized,
    TranscriptionFormat,
    TranscriptionParams,
    TranscriptionRequest,
    TranscriptionStreamEvent,
    TranscriptionTextDeltaEvent,
    TranscriptionVerbose,
    Translation,
    TranslationFormat,
    TranslationParams,
    TranslationVerbose,
    VoiceId,
)
from onellm.types.files import FileInput, input_file

if TYPE_CHECKING:
    from onellm.providers.protocols import SpeechProvider, TranscriptionProvider, TranslationProvider


class AsyncTranscriptionStream(AsyncAnswerStream[TranscriptionStreamEvent, AnyTranscription]):
    """A streamed transcription, to be used like a streamed chat answer: in `async with`.

    The last event is `transcript.text.done`. A host that does not stream the model gives that event alone.
    """

    async def text(self) -> AsyncIterator[str]:
        """The pieces of the text."""
        async for event in self:
            if isinstance(event, TranscriptionTextDeltaEvent):
                yield event.delta

    async def get_final_transcription(self) -> AnyTranscription:
        """The whole answer, as it would have come without `stream=True`; reads what has not been read."""
        return await self.get_final()


class AsyncSpeechStream(AsyncAnswerStream[SpeechStreamEvent, SpeechAudioDoneEvent]):
    """Speech as events, to be used like a streamed chat answer: in `async with`. The audio is not kept."""

    async def audio(self) -> AsyncIterator[bytes]:
        """The pieces of the audio."""
        async for event in self:
            if isinstance(event, SpeechAudioDeltaEvent):
                yield event.audio


class AsyncSpeechResponse(AsyncBinaryResponse):
    """Spoken audio."""


class AsyncTranscriptions:
    """Audio as text in its own language."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["json"] | None = None,
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> Transcription: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["verbose_json"],
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> TranscriptionVerbose: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["diarized_json"],
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> TranscriptionDiarized: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TextFormat,
        stream: Literal[False] | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> str: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranscriptionFormat | None = None,
        stream: Literal[True],
        **params: Unpack[TranscriptionParams],
    ) -> AsyncTranscriptionStream: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranscriptionFormat | None = None,
        stream: bool | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> AnyTranscription | str | AsyncTranscriptionStream: ...

    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranscriptionFormat | None = None,
        stream: bool | None = None,
        **params: Unpack[TranscriptionParams],
    ) -> AnyTranscription | str | AsyncTranscriptionStream:
        """Write down what is said, whole or with `stream=True` as it is heard.

        file is bytes, a path, a file opened in binary mode, an asynchronous iterator of bytes, or a tuple
        `(filename, file[, content_type])`; it is sent in pieces and never held whole. Formats "text", "srt" and
        "vtt" give a plain str, the others an object of their own.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        call = "audio.transcriptions.create"
        chosen = validation.choice(response_format, TranscriptionFormat, "response_format", call)
        request, found, options = _prepare(
            self._core, "transcriptions", call, file, model, chosen, cast("dict[str, Any]", params), TranscriptionParams
        )
        if request.params.get("timestamp_granularities") and chosen != "verbose_json":
            raise InvalidRequestError(
                'timestamp_granularities needs response_format="verbose_json"', param="timestamp_granularities"
            )
        provider = cast("TranscriptionProvider", found)
        if stream:
            return AsyncTranscriptionStream(await options.send(provider.stream_transcription, request))
        reply = await options.send(provider.create_transcription, request)
        return reply.text if chosen in TEXT_FORMATS else reply


class AsyncTranslations:
    """Audio as English text."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["json"] | None = None,
        **params: Unpack[TranslationParams],
    ) -> Translation: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: Literal["verbose_json"],
        **params: Unpack[TranslationParams],
    ) -> TranslationVerbose: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TextFormat,
        **params: Unpack[TranslationParams],
    ) -> str: ...

    @overload
    async def create(
        self,
        *,
        file: FileInput,
        model: str,
        response_format: TranslationFormat | None = None,
        **params: Unpack[TranslationParams],
    ) -> AnyTranslation | str: ...

    async def create(
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
        call = "audio.translations.create"
        chosen = validation.choice(response_format, TranslationFormat, "response_format", call)
        request, found, options = _prepare(
            self._core, "translations", call, file, model, chosen, cast("dict[str, Any]", params), TranslationParams
        )
        provider = cast("TranslationProvider", found)
        reply = await options.send(provider.create_translation, request)
        return reply.text if chosen in TEXT_FORMATS else reply


class AsyncSpeech:
    """Text as spoken audio."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @overload
    async def create(
        self,
        *,
        input: str,
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["audio"] | None = None,
        **params: Unpack[SpeechParams],
    ) -> AsyncSpeechResponse: ...

    @overload
    async def create(
        self,
        *,
        input: str,
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["sse"],
        **params: Unpack[SpeechParams],
    ) -> AsyncSpeechStream: ...

    @overload
    async def create(
        self,
        *,
        input: str,
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["audio", "sse"] | None = None,
        **params: Unpack[SpeechParams],
    ) -> AsyncSpeechResponse | AsyncSpeechStream: ...

    async def create(
        self,
        *,
        input: str,  # noqa: A002 - OpenAI's name
        model: str,
        voice: str | VoiceId | None,
        stream_format: Literal["audio", "sse"] | None = None,
        **params: Unpack[SpeechParams],
    ) -> AsyncSpeechResponse | AsyncSpeechStream:
        """Speak a text. What comes back is open: read it, write it to a file, or take it as it comes.

        voice is a name, {"id": …} for one of your own, or None where the provider has another way to choose.
        `stream_format="sse"` gives events with usage at their end.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no answer arrived.
            APIStatusError: the provider refused.
        """
        name, own_model = self._core.split(model)
        given = validation.params(cast("dict[str, Any]", params), SpeechParams, "audio.speech.create")
        stream = validation.choice(stream_format, Literal["audio", "sse"], "stream_format", "audio.speech.create")
        text = validation.text(input, "input")
        if voice is not None and not isinstance(voice, Mapping):
            validation.text(voice, "voice")
        bound = self._core.require(name, "speech")
        options = self._core.options(bound, given)
        request = SpeechRequest(
            provider=name,
            model=own_model,
            input=text,
            voice=cast("str | Mapping[str, Any] | None", voice),
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        provider = cast("SpeechProvider", bound.provider)
        if stream == "sse":
            return AsyncSpeechStream(await options.send(provider.stream_speech, request))
        return AsyncSpeechResponse(
            await options.send(provider.create_speech, request),
            max_bytes=options.call.max_body_bytes,
        )


class AsyncAudio:
    """The audio namespace."""

    def __init__(self, core: Core) -> None:
        self.transcriptions = AsyncTranscriptions(core)
        self.translations = AsyncTranslations(core)
        self.speech = AsyncSpeech(core)


def _prepare(  # noqa: PLR0917 - what transcriptions and translations share
    core: Core,
    operation: str,
    call: str,
    file: FileInput,
    model: str,
    response_format: Any,
    params: dict[str, Any],
    known: Any,
) -> tuple[TranscriptionRequest, object, Options]:
    name, own_model = core.split(model)
    given = validation.params(params, known, call)
    sent = input_file(file, "file", kind="audio")
    bound = core.require(name, operation)
    options = core.options(bound, given)
    request = TranscriptionRequest(
        provider=name,
        model=own_model,
        file=sent,
        format=response_format,
        params=given,
        extra_body=options.extra_body,
        on_unsupported=options.on_unsupported,
    )
    return request, bound.provider, options
