"""Batches of messages. https://platform.claude.com/docs/en/build-with-claude/batch-processing"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.anthropic.chat import CODES
from onellm.dialects.base import BatchLine, HttpRequest
from onellm.dialects.openai.lists import at_id, decode_object, received
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.batches import Batch, BatchCreateRequest
from onellm.types.pages import Listing, ListRequest

ENDPOINTS = ("/v1/chat/completions", "/v1/messages")
STATUSES = {"in_progress": "in_progress", "canceling": "cancelling", "ended": "completed"}
_UNANSWERED = {"canceled": "batch_cancelled", "expired": "batch_expired"}  # OpenAI's codes
_NAMES = {"ended_at": "completed_at", "cancel_initiated_at": "cancelling_at"}


class _Result(Struct, gc=False):
    type: str = ""
    message: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


class _Line(Struct, gc=False):
    custom_id: str = ""
    result: _Result | None = None


class _Refusal(Struct, gc=False):
    error: msgspec.Raw = msgspec.Raw(b"")
    request_id: str | None = None


_line = msgspec.json.Decoder(_Line, strict=False)
_refusal = msgspec.json.Decoder(_Refusal, strict=False)


class AnthropicBatches(Struct, frozen=True, kw_only=True):
    """Batches whose requests stand in the call that begins them, without a file. path: joined to the base URL."""

    path: str = "v1/messages/batches"
    one_model: bool = False
    most_inline: int | None = None

    def encode_line(self, custom_id: str, body: Mapping[str, Any], endpoint: str) -> bytes:  # noqa: ARG002 - of the protocol
        return lenient.encode_json({"custom_id": custom_id, "params": dict(body)})

    def encode_create(self, request: BatchCreateRequest) -> HttpRequest:
        if request.input_file_id:
            request.unsupported("input_file_id", "it takes no files of requests: give requests")
        if request.endpoint not in ENDPOINTS:
            request.unsupported(f"endpoint={request.endpoint!r}", "its batches are of chat only")
        if request.completion_window != "24h":
            request.unsupported(f"completion_window={request.completion_window!r}", "it has 24 hours")
        for name in request.params:
            request.unsupported(name, "its API does not have it")
        if request.model:
            request.unsupported("model", "each request of the batch says its own")
        more = lenient.encode_json(dict(request.extra_body))[1:] if request.extra_body else b"}"
        body = b'{"requests":[' + b",".join(request.lines) + (b"]," if len(more) > 1 else b"]") + more
        return HttpRequest(path=self.path, body=body)

    def encode_list(self, request: ListRequest) -> HttpRequest:
        names = {"after": "after_id"}
        query = {names.get(name, name): str(value) for name, value in request.params.items()}
        return HttpRequest(method="GET", path=self.path, query=query | dict(request.next))

    def encode_retrieve(self, batch_id: str) -> HttpRequest:
        return HttpRequest(method="GET", path=at_id(self.path, batch_id))

    def encode_cancel(self, batch_id: str) -> HttpRequest:
        return HttpRequest(path=at_id(self.path, batch_id, "/cancel"))

    def encode_results(self, batch: Batch) -> HttpRequest:
        """Where `results_url` points to; a URL that came in an answer gets no key."""
        return HttpRequest(method="GET", path=at_id(self.path, batch.id, "/results"))

    def decode_batch(self, body: bytes) -> Batch:
        found = _batch(decode_object(body, "a batch", self))
        if not found.id:
            raise ResponseDecodeError("not a batch: it has no id", body=body[:2000])
        found.raw = body
        return found

    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[Batch]:
        value = decode_object(body, "a list of batches", self)
        if not isinstance(value, dict) or not isinstance(items := value.get("data"), list):
            raise ResponseDecodeError("not a list of batches", body=body[:2000])
        last = value.get("last_id")
        following: dict[str, str] = {}
        if value.get("has_more") is True and isinstance(last, str) and last != query.get("after_id"):
            following["after_id"] = last
        return Listing(data=[_batch(item) for item in items], next=following, raw=body)

    def decode_line(self, line: bytes) -> BatchLine:
        try:
            wire = _line.decode(line)
            result = wire.result or _Result()
            refused = _refusal.decode(result.error) if result.error else _Refusal()
        except lenient.DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a line of a batch's results: {exc}", body=line[:2000]) from exc
        error = bytes(refused.error)
        if result.type in _UNANSWERED:
            word = "was cancelled" if result.type == "canceled" else "ran out of time"
            error = lenient.encode_json({"code": _UNANSWERED[result.type], "message": f"the batch {word} before it"})
        return BatchLine(
            custom_id=wire.custom_id,
            status=200 if result.message else None,
            request_id=refused.request_id,
            body=bytes(result.message),
            error=error,
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=CODES)


def _batch(value: Any) -> Batch:
    raw = msgspec.json.encode(value)
    if not isinstance(value, dict):
        raise ResponseDecodeError("not a batch", body=raw[:2000])
    said = value.get("processing_status")
    counts = value.get("request_counts")
    told = {name: count for name, count in counts.items() if isinstance(count, int)} if isinstance(counts, dict) else {}
    answered = told.get("succeeded", 0) + told.get("errored", 0)
    plain = {_NAMES.get(name, name): each for name, each in value.items()}
    plain["request_counts"] = {
        "total": sum(told.values()),
        "completed": told.get("succeeded", 0),
        "failed": sum(told.get(name, 0) for name in ("errored", "canceled", "expired")),
    }
    found = received(plain, Batch, "a batch", raw=raw)
    found.endpoint = ENDPOINTS[0]  # what reads its answers
    found.completion_window = "24h"
    found.status_raw = said if isinstance(said, str) else ""
    found.status = STATUSES.get(found.status_raw, found.status_raw)
    if found.status == "completed" and told and not answered:  # none was reached
        found.status = "cancelled" if told.get("canceled") else "expired" if told.get("expired") else "completed"
    return found
