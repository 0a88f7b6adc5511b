"""Mistral's own: batches of another shape, URLs of files, and transcriptions that tell speakers apart.

https://docs.mistral.ai/api/endpoint/batch, https://docs.mistral.ai/api/endpoint/files,
https://docs.mistral.ai/api/endpoint/audio/transcriptions
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.openai import events
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.dialects.openai.batches import OpenAIBatches
from onellm.dialects.openai.lists import at_id, decode_object, received
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError
from onellm.types.audio import (
    AnyTranscription,
    Transcription,
    TranscriptionDiarized,
    TranscriptionRequest,
)
from onellm.types.batches import Batch, BatchCreateRequest
from onellm.types.file_objects import FileUrl

_HOURS = re.compile(r"^(\d+)h$")
_MOST_HOURS = 168
_DAYS = re.compile(r"^(\d+)d$")
_NAMES = {"output_file": "output_file_id", "error_file": "error_file_id", "started_at": "in_progress_at"}


class _Outputs(Struct, gc=False):
    outputs: list[msgspec.Raw] | None = None


_outputs = msgspec.json.Decoder(_Outputs)


class MistralBatches(OpenAIBatches, frozen=True, kw_only=True):
    """A batch has one model for all its requests, several input files, and hours instead of a window.

    most_inline:  the most requests that go into the call itself; of more a file is made
    """

    most_inline: int | None = 9_999

    def encode_params(self, request: BatchCreateRequest) -> dict[str, Any]:
        body = super().encode_params(request)
        window = body.pop("completion_window")
        hours, days = _HOURS.match(window), _DAYS.match(window)
        if not hours and not days:
            raise InvalidRequestError(
                f'completion_window: hours or days such as "24h", not {window!r}', param="completion_window"
            )
        file_id = body.pop("input_file_id")
        if request.lines:
            body["requests"] = [msgspec.Raw(line.strip()) for line in request.lines]
        else:
            body["input_files"] = [file_id]
        body["timeout_hours"] = int(hours[1]) if hours else 24 * int(days[1]) if days else 24
        return body

    def encode_results(self, batch: Batch) -> HttpRequest:
        """The batch with its results, which stand in it where they are in no file."""
        return HttpRequest(method="GET", path=at_id(self.path, batch.id), query={"inline": "true"})

    def split_results(self, body: bytes) -> bytes:
        """The results that stand in a batch, a line each.

        Raises:
            ResponseDecodeError: it is no batch.
        """
        try:
            found = _outputs.decode(body).outputs or ()
        except lenient.DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a batch: {exc}", body=body[:2000]) from exc
        return b"\n".join(msgspec.json.format(line, indent=-1) for line in found)

    def normalise(self, value: dict[str, Any]) -> dict[str, Any]:
        plain = dict(value)
        for theirs, ours in _NAMES.items():
            plain[ours] = plain.pop(theirs, None)
        inputs = plain.pop("input_files", None)
        plain["input_file_id"] = inputs[0] if isinstance(inputs, list) and inputs else ""
        failures = plain.get("errors")
        plain["errors"] = {"data": failures} if isinstance(failures, list) and failures else None
        # Its completed_requests are those that are done, failed ones among them.
        plain["request_counts"] = {
            "total": plain.get("total_requests"),
            "completed": plain.get("succeeded_requests"),
            "failed": plain.get("failed_requests"),
        }
        return plain


class MistralFileUrls(Struct, frozen=True, kw_only=True):
    """URLs that are good for whole hours, from one to a week; for a day where nothing is said."""

    path: str = "files"
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, file_id: str, expires_in: int | None) -> HttpRequest:
        query: dict[str, str] = {}
        if expires_in is not None:
            hours, rest = divmod(expires_in, 3600)
            if rest or not 1 <= hours <= _MOST_HOURS:
                raise InvalidRequestError(
                    f"expires_in: whole hours, from 3600 to {_MOST_HOURS * 3600} seconds, not {expires_in}",
                    param="expires_in",
                )
            query["expiry"] = str(hours)
        return HttpRequest(method="GET", path=at_id(self.path, file_id, "/url"), query=query)

    def decode_response(self, body: bytes) -> FileUrl:
        found = received(decode_object(body, "the URL of a file", self), FileUrl, "the URL of a file", raw=body)
        if not found.url:
            raise ResponseDecodeError("not the URL of a file: it has none", body=body[:2000])
        return found

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


class _Spoken(Struct, gc=False):
    end: float | None = None
    speaker_id: str | None = None


class _WithSpeakers(Struct, gc=False):
    segments: list[_Spoken] | None = None


_speakers = msgspec.json.Decoder(_WithSpeakers, strict=False)


class MistralTranscriptions(OpenAITranscriptions, frozen=True, kw_only=True):
    """Segments and their speakers come where they are asked for, and not by a format of the answer."""

    def encode_request(self, request: TranscriptionRequest) -> HttpRequest:
        return super().encode_request(_asking(request))

    def encode_stream(self, request: TranscriptionRequest) -> HttpRequest:
        return super().encode_stream(_asking(request))

    def decode_response(self, body: bytes, request: TranscriptionRequest) -> AnyTranscription:
        reply = super().decode_response(body, request)
        if isinstance(reply, Transcription) or not reply.segments:
            return reply
        found = events.decode(body, _speakers, "segments").segments or []
        reply.duration = max(spoken.end or 0.0 for spoken in found)
        if isinstance(reply, TranscriptionDiarized):
            for place, (said, spoken) in enumerate(zip(reply.segments, found, strict=True)):
                said.id, said.type, said.speaker = str(place), "transcript.text.segment", spoken.speaker_id or ""
        else:
            for place, (segment, spoken) in enumerate(zip(reply.segments, found, strict=True)):
                segment.id, segment.speaker = place, spoken.speaker_id
        return reply


def _asking(request: TranscriptionRequest) -> TranscriptionRequest:
    """The request with what its format stands for: segments, and with "diarized_json" speakers; known ones as pairs."""
    asked: dict[str, Any] = {}
    if request.format == "diarized_json":
        asked = {"diarize": True, "timestamp_granularities": ["segment"]}
    elif request.format == "verbose_json" and "language" not in request.params:  # it refuses both together
        asked = {"timestamp_granularities": ["segment"]}
    given = dict(request.params)
    names: Sequence[str] = given.pop("known_speaker_names", None) or ()
    sounds: Sequence[str] = given.pop("known_speaker_references", None) or ()
    if names or sounds:
        if len(names) != len(sounds):
            raise InvalidRequestError(
                "known_speaker_names and known_speaker_references: give as many names as sounds",
                param="known_speaker_references",
            )
        pairs = dict(zip(names, sounds, strict=True))
        asked |= {"diarize": True, "speaker_references": lenient.encode_json(pairs).decode()}
    return structs.replace(request, params=asked | given)
