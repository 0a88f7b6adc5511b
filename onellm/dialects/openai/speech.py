"""Speech in OpenAI's shape: text in, audio out.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.dialects.openai import events
from onellm.dialects.openai.events import EventReducer
from onellm.dialects.params import refuse, rename
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError, UnsupportedFeatureError
from onellm.transport.sse import SseDecoder
from onellm.types.audio import (
    SpeechAudioDeltaEvent,
    SpeechAudioDoneEvent,
    SpeechRequest,
    SpeechStreamEvent,
    SpeechUsage,
)
from onellm.types.files import CONTENT_TYPES


class _Usage(Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class _Event(Struct, gc=False):
    """base64 is decoded by msgspec itself."""

    type: str = ""
    audio: bytes | None = None
    audio_data: bytes | None = None
    usage: _Usage | None = None


class _Answer(Struct, gc=False):
    audio_data: bytes | None = None


_event = msgspec.json.Decoder(_Event, strict=False)
_answer = msgspec.json.Decoder(_Answer, strict=False)


class OpenAISpeech(Struct, frozen=True, kw_only=True):
    """Text to audio. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:          joined to the base URL
    max_chars:     the longest input; 0: not known
    formats:       the values of `response_format` that the host takes; empty: any
    asks_for:      the format that is asked for when the caller names none: for hosts whose own default is not mp3
    json_answer:   whether the answer is JSON with base64 in `audio_data`, and not the audio itself
    stream_field:  the argument that asks for events, with its value
    voice_field:   the host's name for `voice`
    renames, refuses, codes:  as in chat
    """

    path: str = "audio/speech"
    max_chars: int = 0
    formats: frozenset[str] = frozenset()
    asks_for: str | None = None
    json_answer: bool = False
    stream_field: tuple[str, Any] = ("stream_format", "sse")
    voice_field: str = "voice"
    renames: Mapping[str, str] = {}
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: SpeechRequest) -> HttpRequest:
        return self._encode(request, {})

    def encode_stream(self, request: SpeechRequest) -> HttpRequest:
        return self._encode(request, dict([self.stream_field]))

    def _encode(self, request: SpeechRequest, stream: dict[str, Any]) -> HttpRequest:
        if self.max_chars and len(request.input) > self.max_chars:
            raise InvalidRequestError(
                f"input: {request.provider} takes at most {self.max_chars} characters, not {len(request.input)}",
                param="input",
            )
        params = dict(request.params)
        refuse(params, self.refuses, request)
        rename(params, self.renames, request)
        wanted = params.get("response_format")
        if wanted is None and self.asks_for is not None:
            params["response_format"] = self.asks_for
        elif wanted is not None and self.formats and wanted not in self.formats:
            request.unsupported(f"response_format={wanted!r}", f"it answers in {', '.join(sorted(self.formats))}")
            del params["response_format"]
        body: dict[str, Any] = {"model": request.model, "input": request.input}
        if request.voice is not None:
            body[self.voice_field] = request.voice
        body |= params | stream | dict(request.extra_body or {})
        return HttpRequest(path=self.path, body=encode_json(body))

    def decode_response(self, body: bytes, request: SpeechRequest) -> SpeechAudioDoneEvent:
        """What came in place of events.

        Raises:
            APIStatusError: it is an error.
            UnsupportedFeatureError: it is not.
        """
        if events.has_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        raise UnsupportedFeatureError(f"{request.provider} answered a streamed call with one whole answer")

    def decode_audio(self, body: bytes, request: SpeechRequest) -> bytes:  # noqa: ARG002 - its answer says no more
        """The audio in an answer that is JSON.

        Raises:
            ResponseDecodeError: there is none.
        """
        if events.has_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        audio = events.decode(body, _answer, "an answer with audio").audio_data
        if audio is None:
            raise ResponseDecodeError("not an answer with audio: it has no audio_data", body=body[:2000])
        return audio

    def content_type(self, request: SpeechRequest) -> str:
        """The type of audio that was asked for, for an answer whose headers are those of JSON."""
        wanted = str(request.params.get("response_format") or self.asks_for or "mp3")
        return CONTENT_TYPES.get(wanted, f"audio/{wanted}")

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: SpeechRequest, *, max_event_bytes: int) -> "SpeechReducer":
        return SpeechReducer(request, self.codes, SseDecoder(max_event_bytes=max_event_bytes))


class SpeechReducer(EventReducer[SpeechStreamEvent, SpeechAudioDoneEvent]):
    """Reads streamed speech. The audio is handed on and not kept: the whole is the last event."""

    _done: SpeechAudioDoneEvent | None = None

    def read(self, data: bytes) -> list[SpeechStreamEvent]:
        wire = events.decode(data, _event, "an event of speech")
        match wire.type:
            case "speech.audio.delta":
                return [SpeechAudioDeltaEvent(audio=wire.audio or wire.audio_data or b"")]
            case "speech.audio.done":
                return self._finish(wire.usage, data)
            case _:
                return []

    def end(self) -> list[SpeechStreamEvent]:
        return [] if self._done is not None else self._finish(None, b"")

    def whole(self) -> SpeechAudioDoneEvent:
        assert self._done is not None, "finished only by it"  # noqa: S101
        return self._done

    def _finish(self, usage: _Usage | None, data: bytes) -> list[SpeechStreamEvent]:
        counted = (
            SpeechUsage(
                input_tokens=usage.prompt_tokens if usage.input_tokens is None else usage.input_tokens,
                output_tokens=usage.completion_tokens if usage.output_tokens is None else usage.output_tokens,
                total_tokens=usage.total_tokens,
            )
            if usage is not None
            else None
        )
        self._done = SpeechAudioDoneEvent(usage=counted, raw=data)
        self.finished = True
        return [self._done]
