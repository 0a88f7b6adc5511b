"""Speech: generateContent with a voice. https://ai.google.dev/gemini-api/docs/speech-generation"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.gemini import pcm
from onellm.dialects.gemini.chat import GeminiChat, voice_config
from onellm.dialects.gemini.stream import GeminiReducer, GeminiSse
from onellm.dialects.lenient import encode_json
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import APIStatusError, ResponseDecodeError, UnsupportedFeatureError
from onellm.types.audio import (
    SpeechAudioDeltaEvent,
    SpeechAudioDoneEvent,
    SpeechRequest,
    SpeechStreamEvent,
    SpeechUsage,
)
from onellm.types.chat_params import ChatRequest

if TYPE_CHECKING:
    from onellm.types.chat import ChatCompletionChunk

_TYPES = {"pcm": "audio/pcm", "wav": "audio/wav"}


class GeminiSpeech(Struct, frozen=True, kw_only=True):
    """Text to sound, by the chat's own method. chat: how that is written."""

    chat: GeminiChat
    formats: frozenset[str] = frozenset({"pcm", "wav"})

    @property
    def json_answer(self) -> bool:
        return True

    def encode_request(self, request: SpeechRequest) -> HttpRequest:
        return HttpRequest(path=self.chat.path(request.model, "generateContent"), body=self._body(request))

    def encode_stream(self, request: SpeechRequest) -> HttpRequest:
        if request.params.get("response_format") == "wav":
            request.unsupported("response_format='wav'", "a stream of it has samples alone: pcm")
        path = self.chat.path(request.model, "streamGenerateContent")
        return HttpRequest(path=path, body=self._body(request), query={"alt": "sse"})

    def _body(self, request: SpeechRequest) -> bytes:
        params = dict(request.params)
        wanted = params.pop("response_format", None)
        if wanted is not None and wanted not in self.formats:
            request.unsupported(f"response_format={wanted!r}", f"it answers in {', '.join(sorted(self.formats))}")
        text = request.input
        if (how := params.pop("instructions", None)) is not None:
            text = f"{how}: {text}"
            request.adjustments.append("sent instructions in front of the text")
        for name in params:
            request.unsupported(name, "its API does not have it")
        config: dict[str, Any] = {"responseModalities": ["AUDIO"]}
        if request.voice is not None:
            voice = request.voice if isinstance(request.voice, str) else str(request.voice.get("id"))
            config["speechConfig"] = {"voiceConfig": voice_config(voice)}
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}
        return encode_json(body | dict(request.extra_body or {}))

    def decode_response(self, body: bytes, request: SpeechRequest) -> SpeechAudioDoneEvent:
        """What came in place of events.

        Raises:
            APIStatusError: it is an error.
            UnsupportedFeatureError: it is not.
        """
        self.chat.decode_response(body, _asked(request))
        raise UnsupportedFeatureError(f"{request.provider} answered a streamed call with one whole answer")

    def decode_audio(self, body: bytes, request: SpeechRequest) -> bytes:
        """The sound in an answer: samples, or a wav file unless samples were asked for.

        Raises:
            ResponseDecodeError: there is none.
        """
        reducer = _Sound(_asked(request), None)
        reducer.feed_chunk(body, reducer.taken.append)
        samples = b"".join(reducer.samples)
        if not samples:
            raise ResponseDecodeError("not an answer with sound", body=body[:2000])
        return samples if request.params.get("response_format") == "pcm" else pcm.as_wav(samples, reducer.mime_type)

    def content_type(self, request: SpeechRequest) -> str:
        return _TYPES.get(str(request.params.get("response_format")), "audio/wav")

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)

    def reducer(self, request: SpeechRequest, *, max_event_bytes: int) -> "SpeechReducer":
        return SpeechReducer(request, GeminiSse(max_event_bytes=max_event_bytes))


def _asked(request: SpeechRequest) -> ChatRequest:
    return ChatRequest(provider=request.provider, model=request.model, messages=[], params={})


class _Sound(GeminiReducer):
    """Takes the samples out of an answer of chat."""

    def __init__(self, request: ChatRequest, decoder: GeminiSse | None) -> None:
        super().__init__(request, decoder)
        self.taken: list[ChatCompletionChunk] = []

    @property
    def samples(self) -> list[bytes]:
        """Those that have come since the last time."""
        return [piece for state in self.states() for piece in state.take_sound()]

    @property
    def mime_type(self) -> str:
        return next((state.sound_type for state in self.states()), "")


class SpeechReducer(SseReducer[SpeechStreamEvent]):
    """Reads streamed speech. The samples are handed on and not kept: the whole is the last event."""

    def __init__(self, request: SpeechRequest, decoder: GeminiSse) -> None:
        super().__init__({}, decoder)
        self._request = request
        self._chat = _Sound(_asked(request), None)
        self._sse = decoder
        self._done: SpeechAudioDoneEvent | None = None

    def feed_chunk(self, data: bytes, emit: Callable[[SpeechStreamEvent], object]) -> None:
        chunks: list[ChatCompletionChunk] = []
        self._chat.feed_chunk(data, chunks.append)
        for piece in self._chat.samples:
            emit(SpeechAudioDeltaEvent(audio=piece, raw=data))
        if self._done is not None or not any(choice.finish_reason for chunk in chunks for choice in chunk.choices):
            return
        usage = chunks[-1].usage
        counted = (
            None
            if usage is None
            else SpeechUsage(
                input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, total_tokens=usage.total_tokens
            )
        )
        self._done = SpeechAudioDoneEvent(usage=counted, raw=data)
        self.finished = True
        emit(self._done)

    def close(self) -> SpeechAudioDoneEvent:
        if self.error is None and (refused := self._sse.refusal(self._sse.unfinished())):
            self.error = self._refusal(refused)
        self._settle()
        if self._done is None:
            raise interrupted(self._request)
        return self._done
