"""Mistral: batches of its own shape, and transcriptions that tell speakers apart.

https://docs.mistral.ai/api/endpoint/batch, https://docs.mistral.ai/api/endpoint/audio/transcriptions
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import re
from typing import Any

import msgspec
from msgspec import Struct, structs

from onellm.dialects.base import HttpRequest
from onellm.dialects.openai import events
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.dialects.openai.batches import OpenAIBatches
from onellm.errors import InvalidRequestError
from onellm.types.audio import (
    AnyTranscription,
    Transcription,
    TranscriptionDiarized,
    TranscriptionRequest,
)
from onellm.types.batches import BatchCreateRequest

_HOURS = re.compile(r"^(\d+)h$")
_DAYS = re.compile(r"^(\d+)d$")
STATUSES = {
    "QUEUED": "validating",
    "RUNNING": "in_progress",
    "SUCCESS": "completed",
    "TIMEOUT_EXCEEDED": "expired",
    "CANCELLATION_REQUESTED": "cancelling",
}
_NAMES = {"output_file": "output_file_id", "error_file": "error_file_id", "started_at": "in_progress_at"}


class MistralBatches(OpenAIBatches, frozen=True, kw_only=True):
    """A batch has one model for all its requests, several input files, and hours instead of a window."""

    def encode_params(self, request: BatchCreateRequest) -> dict[str, Any]:
        body = super().encode_params(request)
        window = body.pop("completion_window")
        hours, days = _HOURS.match(window), _DAYS.match(window)
        if not hours and not days:
            raise InvalidRequestError(
                f'completion_window: hours or days such as "24h", not {window!r}', param="completion_window"
            )
        body["input_files"] = [body.pop("input_file_id")]
        body["timeout_hours"] = int(hours[1]) if hours else 24 * int(days[1]) if days else 24
        return body

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
    """The request with what its format stands for: segments, and with "diarized_json" speakers."""
    asked: dict[str, Any] = {}
    if request.format == "diarized_json":
        asked = {"diarize": True, "timestamp_granularities": ["segment"]}
    elif request.format == "verbose_json" and "language" not in request.params:  # it refuses both together
        asked = {"timestamp_granularities": ["segment"]}
    return structs.replace(request, params=asked | request.params)
