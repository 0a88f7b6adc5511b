"""Transcriptions and translations in OpenAI's shape.

https://platform.openai.com/docs/api-reference/audio
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.form import encode_fields
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.openai import events
from onellm.dialects.openai.events import EventReducer
from onellm.dialects.params import refuse, rename
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.audio import (
    TEXT_FORMATS,
    AnyTranscription,
    AnyTranslation,
    Transcription,
    TranscriptionDiarized,
    TranscriptionDiarizedSegment,
    TranscriptionLanguage,
    TranscriptionLogprob,
    TranscriptionRequest,
    TranscriptionStreamEvent,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
    TranscriptionUsage,
    TranscriptionVerbose,
    TranscriptionWord,
    Translation,
    TranslationVerbose,
)
from onellm.types.files import Form
from onellm.types.request import Request

FORMATS = frozenset({"json", "text", "srt", "verbose_json", "vtt"})

_KINDS = {
    "transcript.text.delta": "delta",
    "transcript.text.segment": "segment",
    "transcript.text.done": "done",
    "transcription.text.delta": "delta",
    "transcription.segment": "segment",
    "transcription.done": "done",
}


class _ChatUsage(Struct, gc=False):
    """Usage as some hosts count it: under the names of chat."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_audio_seconds: float | None = None


class _WithChatUsage(Struct, gc=False):
    usage: _ChatUsage | None = None


class _TextWord(Struct, gc=False):
    text: str = ""
    start: float = 0.0
    end: float = 0.0


class _WithTextWords(Struct, gc=False):
    words: list[_TextWord] = []


class _Delta(Struct, gc=False):
    content: str | None = None


class _Choice(Struct, gc=False):
    delta: _Delta | None = None


class _Event(Struct, gc=False):
    """Any event: OpenAI's, those named `transcription.*` that others have, and chunks in the shape of chat."""

    type: str = ""
    delta: str | None = None
    text: str | None = None
    id: str | int = ""
    start: float = 0.0
    end: float = 0.0
    speaker: str | None = None
    speaker_id: str | None = None
    segment_id: str | None = None
    languages: list[TranscriptionLanguage] | None = None
    logprobs: list[TranscriptionLogprob] | None = None
    usage: TranscriptionUsage | None = None
    choices: list[_Choice] | None = None


_json = msgspec.json.Decoder(Transcription, strict=False)
_verbose = msgspec.json.Decoder(TranscriptionVerbose, strict=False)
_diarized = msgspec.json.Decoder(TranscriptionDiarized, strict=False)
_translation = msgspec.json.Decoder(Translation, strict=False)
_translation_verbose = msgspec.json.Decoder(TranslationVerbose, strict=False)
_event = msgspec.json.Decoder(_Event, strict=False)
_chat_usage = msgspec.json.Decoder(_WithChatUsage, strict=False)
_text_words = msgspec.json.Decoder(_WithTextWords, strict=False)


class _AudioForm(Struct, frozen=True, kw_only=True):
    """A file goes out in a form, its text comes back. Fields are a host's quirks.

    path:          joined to the base URL
    hosted_at:     the whole URL, where the operation is not under the base URL
    hosted_models: the same for single models
    file_types:    extensions of files that the host takes; others are refused, one that is missing passes.
                   Empty: any
    formats:       the values of `response_format` that the host takes
    sends_format:  False where the host answers in one format of JSON, and does not know the argument
    sends_model:   False where the host has one model
    brackets:      whether a list is sent as `name[]`, as OpenAI has it, or by its plain name
    renames, refuses, codes:  as in chat
    """

    path: str
    hosted_at: str = ""
    hosted_models: Mapping[str, str] = {}
    file_types: frozenset[str] = frozenset()
    formats: frozenset[str] = FORMATS
    sends_format: bool = True
    sends_model: bool = True
    brackets: bool = True
    renames: Mapping[str, str] = {}
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: TranscriptionRequest) -> HttpRequest:
        return self._encode(request, {})

    def _encode(self, request: TranscriptionRequest, stream: dict[str, Any]) -> HttpRequest:
        extension = request.file.extension
        if self.file_types and extension and extension not in self.file_types:
            raise InvalidRequestError(
                f"file: {request.provider} does not take .{extension} files, only {', '.join(sorted(self.file_types))}",
                param="file",
            )
        params: dict[str, Any] = {"model": request.model} if self.sends_model else {}
        params |= request.params
        refuse(params, self.refuses, request)
        rename(params, self.renames, request)
        if request.format is not None and request.format not in self.formats:
            request.unsupported(
                f"response_format={request.format!r}", f"it answers in {', '.join(sorted(self.formats))}"
            )
        elif request.format is not None and self.sends_format:
            params["response_format"] = request.format
        params |= stream
        params |= request.extra_body or {}
        form = Form(fields=encode_fields(params, brackets=self.brackets), files=(("file", request.file),))
        at = self.hosted_models.get(request.model, self.hosted_at)
        return HttpRequest(path=self.path, hosted_at=at, form=form)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def _checked(self, body: bytes) -> None:
        if events.has_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        if b'"text"' not in body:
            raise ResponseDecodeError("not a transcription: it has no text", body=body[:2000])


class OpenAITranscriptions(_AudioForm, frozen=True, kw_only=True):
    """Audio to text."""

    path: str = "audio/transcriptions"
    formats: frozenset[str] = FORMATS | {"diarized_json"}

    def encode_stream(self, request: TranscriptionRequest) -> HttpRequest:
        return self._encode(request, {"stream": True})

    def decode_response(self, body: bytes, request: TranscriptionRequest) -> AnyTranscription:
        if request.format in TEXT_FORMATS:
            return _plain(body, request)
        self._checked(body)
        reply: AnyTranscription
        if request.format == "verbose_json":
            reply = events.decode(body, _verbose, "a transcription")
            if reply.words and not reply.words[0].word:  # the word stands in `text`
                found = events.decode(body, _text_words, "words").words
                reply.words = [TranscriptionWord(word=word.text, start=word.start, end=word.end) for word in found]
        elif request.format == "diarized_json":
            reply = events.decode(body, _diarized, "a transcription")
        else:
            reply = events.decode(body, _json, "a transcription")
        _count(reply.usage, body)
        reply.raw = body
        return reply

    def reducer(self, request: TranscriptionRequest, *, max_event_bytes: int) -> "TranscriptionReducer":
        return TranscriptionReducer(request, self.codes, SseDecoder(max_event_bytes=max_event_bytes))


class OpenAITranslations(_AudioForm, frozen=True, kw_only=True):
    """Audio to English text."""

    path: str = "audio/translations"

    def decode_response(self, body: bytes, request: TranscriptionRequest) -> AnyTranslation:
        if request.format in TEXT_FORMATS:
            return Translation(text=_plain(body, request).text, raw=body)
        self._checked(body)
        reply: AnyTranslation
        if request.format == "verbose_json":
            reply = events.decode(body, _translation_verbose, "a translation")
        else:
            reply = events.decode(body, _translation, "a translation")
        reply.raw = body
        return reply


class TranscriptionReducer(EventReducer[TranscriptionStreamEvent, AnyTranscription]):
    """Folds a streamed transcription."""

    def __init__(
        self, request: TranscriptionRequest, codes: Mapping[str, type[APIStatusError]], decoder: SseDecoder
    ) -> None:
        super().__init__(request, codes, decoder)
        self._diarized = request.format == "diarized_json"
        self._pieces: list[str] = []
        self._segments: list[TranscriptionTextSegmentEvent] = []
        self._done: TranscriptionTextDoneEvent | None = None

    def read(self, data: bytes) -> list[TranscriptionStreamEvent]:
        wire = events.decode(data, _event, "an event of a transcription")
        match _KINDS.get(wire.type):
            case "delta":
                return [self._delta(wire.delta or wire.text or "", wire, data)]
            case "segment":
                segment = TranscriptionTextSegmentEvent(
                    id=str(wire.id),
                    start=wire.start,
                    end=wire.end,
                    speaker=wire.speaker or wire.speaker_id or "",
                    text=wire.text or "",
                    raw=data,
                )
                self._segments.append(segment)
                return [segment]
            case "done":
                return self._finish(wire.text, wire, data)
            case _:
                return [
                    self._delta(choice.delta.content, wire, data)
                    for choice in wire.choices or ()
                    if choice.delta is not None and choice.delta.content
                ]

    def read_whole(self, reply: AnyTranscription) -> list[TranscriptionStreamEvent]:
        """What a host says that does not stream this model: the whole, as one last event."""
        done = TranscriptionTextDoneEvent(text=reply.text, usage=reply.usage, raw=reply.raw)
        if isinstance(reply, Transcription):
            done.languages, done.logprobs = reply.languages, reply.logprobs
        self._done = done
        self.finished = True
        return [done]

    def end(self) -> list[TranscriptionStreamEvent]:
        return [] if self._done is not None else self._finish(None, _Event(), b"")

    def whole(self) -> AnyTranscription:
        done = self._done
        assert done is not None, "finished only by it"  # noqa: S101
        reply: AnyTranscription
        if self._diarized:
            segments = [
                TranscriptionDiarizedSegment(
                    id=event.id, start=event.start, end=event.end, speaker=event.speaker, text=event.text
                )
                for event in self._segments
            ]
            reply = TranscriptionDiarized(text=done.text, segments=segments, usage=done.usage)
            reply.duration = max((segment.end for segment in segments), default=0.0)
        else:
            reply = Transcription(text=done.text, languages=done.languages, logprobs=done.logprobs, usage=done.usage)
        reply.raw = done.raw
        return reply

    def _delta(self, text: str, wire: _Event, data: bytes) -> TranscriptionTextDeltaEvent:
        self._pieces.append(text)
        return TranscriptionTextDeltaEvent(delta=text, logprobs=wire.logprobs, segment_id=wire.segment_id, raw=data)

    def _finish(self, text: str | None, wire: _Event, data: bytes) -> list[TranscriptionStreamEvent]:
        _count(wire.usage, data)
        self._done = TranscriptionTextDoneEvent(
            text="".join(self._pieces) if text is None else text,
            languages=wire.languages,
            logprobs=wire.logprobs,
            usage=wire.usage,
            raw=data,
        )
        self.finished = True
        return [self._done]


def _plain(body: bytes, request: Request) -> Transcription:
    """A text; a host that does not know the format answers JSON."""
    if body.lstrip()[:1] == b"{":
        if events.has_error(body):
            raise errors.decode_error(200, {}, body, now=0.0)
        try:
            return Transcription(text=_json.decode(body).text, raw=body)
        except DECODE_ERRORS:
            pass  # a text that begins with a brace
    try:
        return Transcription(text=body.decode(), raw=body)
    except UnicodeDecodeError as exc:
        raise ResponseDecodeError(f"{request.provider} did not answer with a text: {exc}", body=body[:2000]) from exc


def _count(usage: TranscriptionUsage | None, data: bytes) -> None:
    """Bring counts under OpenAI's names, in place; data is the JSON they came in."""
    if usage is None or usage.input_tokens is not None or b'"prompt_tokens"' not in data:
        return
    found = events.decode(data, _chat_usage, "usage").usage
    if found is not None:
        usage.type = usage.type or "tokens"
        usage.input_tokens, usage.output_tokens = found.prompt_tokens, found.completion_tokens
        usage.seconds = found.prompt_audio_seconds
