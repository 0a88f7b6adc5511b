"""Batches of generateContent. https://ai.google.dev/gemini-api/docs/batch-api"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import BatchLine, HttpRequest
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.openai.lists import at_id, received
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError
from onellm.types.batches import Batch, BatchCreateRequest
from onellm.types.pages import Listing, ListRequest

ENDPOINT = "/v1/chat/completions"
STATUSES = {
    "PENDING": "validating",
    "QUEUED": "validating",
    "RUNNING": "in_progress",
    "SUCCEEDED": "completed",
    "PARTIALLY_SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLING": "cancelling",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}
_DISPLAY_NAME = "onellm"  # a batch must have a name; the caller's stands in metadata
# What the codes of google.rpc.Code are in HTTP. https://cloud.google.com/apis/design/errors#handling_errors
_STATUSES = {
    **dict.fromkeys((3, 9, 11), 400),
    1: 499,
    2: 500,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    10: 409,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}


class _Line(Struct, gc=False):
    """One result: of a list in the answer, where `metadata` names it, or of a file, where `key` does."""

    key: str | None = None
    metadata: dict[str, Any] | None = None
    response: Raw = Raw(b"")
    error: Raw = Raw(b"")


class _Inlined(Struct, gc=False):
    inlinedResponses: list[Raw] | None = None  # noqa: N815 - the wire's name


class _Output(Struct, gc=False):
    inlinedResponses: _Inlined | None = None  # noqa: N815 - the wire's name


class _Metadata(Struct, gc=False):
    output: _Output | None = None


class _Operation(Struct, gc=False):
    metadata: _Metadata | None = None
    response: _Output | None = None


class _Status(Struct, gc=False):
    code: int = 0


_decode_line = msgspec.json.Decoder(_Line, strict=False).decode
_decode_operation = msgspec.json.Decoder(_Operation, strict=False).decode
_decode_status = msgspec.json.Decoder(_Status, strict=False).decode


class GeminiBatches(Struct, frozen=True, kw_only=True):
    """Batches of one model's. Their requests stand in the call that begins them, or in a file that is there already.

    path:  where the batches are, joined to the base URL
    chat:  how the call itself is written
    """

    chat: GeminiChat
    path: str = "batches"
    one_model: bool = True
    most_inline: int | None = None

    def encode_line(self, custom_id: str, body: Mapping[str, Any], endpoint: str) -> bytes:  # noqa: ARG002 - of the protocol
        if "messages" in body:
            raise InvalidRequestError(
                f"the request {custom_id!r} of the batch has messages: bodies go out as they are, so give contents",
                param="requests",
            )
        plain = {name: value for name, value in body.items() if name != "model"}
        return lenient.encode_json({"request": plain, "metadata": {"key": custom_id}})

    def encode_create(self, request: BatchCreateRequest) -> HttpRequest:
        if request.endpoint != ENDPOINT:
            request.unsupported(f"endpoint={request.endpoint!r}", "its batches are of chat only")
        if request.completion_window != "24h":
            request.unsupported(f"completion_window={request.completion_window!r}", "it has 24 hours")
        params = dict(request.params)
        metadata = dict(params.pop("metadata", None) or {})
        name = metadata.pop("display_name", _DISPLAY_NAME)
        for unknown in metadata:
            request.unsupported(f"metadata.{unknown}", "it keeps display_name only")
        for unknown in params:
            request.unsupported(unknown, "its API does not have it")
        if not request.model:
            raise InvalidRequestError("a batch is of one model: give model", param="model")
        if request.input_file_id:
            source = lenient.encode_json({"fileName": f"files/{request.input_file_id.removeprefix('files/')}"})
        else:
            source = b'{"requests":{"requests":[' + b",".join(request.lines) + b"]}}"
        batch = {"displayName": name, **(request.extra_body or {}), "inputConfig": Raw(source)}
        path = self.chat.path(request.model, "batchGenerateContent")
        return HttpRequest(path=path, body=lenient.encode_json({"batch": batch}))

    def encode_list(self, request: ListRequest) -> HttpRequest:
        params = dict(request.params)
        if params.pop("after", None) is not None:
            request.unsupported("after", "its pages have tokens: give `pageToken` in extra_query")
        query = {"pageSize": str(params["limit"])} if "limit" in params else {}
        return HttpRequest(method="GET", path=self.path, query=query | dict(request.next))

    def encode_retrieve(self, batch_id: str) -> HttpRequest:
        return HttpRequest(method="GET", path=self._at(batch_id))

    def encode_cancel(self, batch_id: str) -> HttpRequest:
        return HttpRequest(path=f"{self._at(batch_id)}:cancel")

    def encode_results(self, batch: Batch) -> HttpRequest:
        """The file of results, where they are in one; its path stands beside that of the version."""
        if not batch.output_file_id:
            return self.encode_retrieve(batch.id)
        path = at_id("files", batch.output_file_id.removeprefix("files/"), ":download")
        return HttpRequest(method="GET", path=path, query={"alt": "media"})

    def decode_batch(self, body: bytes) -> Batch:
        return self._batch(lenient.decode_json(body, "a batch"), body)

    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[Batch]:
        value = lenient.decode_json(body, "a list of batches")
        if not isinstance(value, dict) or errors.is_error(value):
            raise ResponseDecodeError("not a list of batches", body=body[:2000])
        data = [self._batch(item, msgspec.json.encode(item)) for item in value.get("operations") or ()]
        token = value.get("nextPageToken")
        more = isinstance(token, str) and token and token != query.get("pageToken")
        return Listing(data=data, next={"pageToken": str(token)} if more else {}, raw=body)

    def split_results(self, body: bytes) -> bytes:
        """The results that stand in a batch, a line each.

        Raises:
            ResponseDecodeError: there are none.
        """
        try:
            found = _decode_operation(body)
        except lenient.DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a batch: {exc}", body=body[:2000]) from exc
        for output in (found.metadata.output if found.metadata else None, found.response):
            if output is not None and output.inlinedResponses is not None:
                each = output.inlinedResponses.inlinedResponses or ()
                return b"\n".join(msgspec.json.format(line, indent=-1) for line in each)
        raise ResponseDecodeError("the batch has no results", body=body[:2000])

    def decode_line(self, line: bytes) -> BatchLine:
        try:
            wire = _decode_line(line)
            status = _decode_status(wire.error).code if wire.error else 0
        except lenient.DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a line of a batch's results: {exc}", body=line[:2000]) from exc
        named = wire.metadata or {}
        # Batches of other clients call it otherwise; what they name is one thing.
        key = wire.key or named.get("key") or (next(iter(named.values())) if len(named) == 1 else "")
        return BatchLine(
            custom_id=str(key),
            status=_STATUSES.get(status, status or None) if wire.error else 200,
            request_id=None,
            body=bytes(wire.response),
            error=bytes(wire.error),
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)

    def _at(self, batch_id: str) -> str:
        return at_id(self.path, batch_id.removeprefix("batches/"))

    def _batch(self, value: Any, raw: bytes) -> Batch:
        match value:
            case {"metadata": dict() as said, "name": str() as name}:
                pass
            case {"name": str() as name, "state": str()}:
                said = value
            case _ if errors.is_error(value):
                raise self.decode_error(200, {}, raw, now=0.0)
            case _:
                raise ResponseDecodeError("not a batch: it has no name", body=raw[:2000])
        state = said.get("state")
        word = state.rpartition("_STATE_")[2] if isinstance(state, str) else ""
        status = STATUSES.get(word, word.lower())
        plain: dict[str, Any] = {"id": name, "status": status, "created_at": said.get("createTime") or 0}
        if ended := said.get("endTime"):
            plain[f"{status}_at"] = ended
        match said.get("batchStats"):
            case dict() as stats:
                plain["request_counts"] = {
                    "total": _count(stats, "requestCount"),
                    "completed": _count(stats, "successfulRequestCount"),
                    "failed": _count(stats, "failedRequestCount"),
                }
            case _:
                pass
        match said.get("output"):
            case {"responsesFile": str() as file}:
                plain["output_file_id"] = file
            case _:
                pass
        match value.get("error"):
            case {"message": str() as message, **rest}:
                plain["errors"] = {"data": [{"message": message, "code": str(rest.get("code") or "")}]}
            case _:
                pass
        if isinstance(title := said.get("displayName"), str):
            plain["metadata"] = {"display_name": title}
        found = received(plain, Batch, "a batch", raw=raw)
        found.model = str(said.get("model") or "").removeprefix("models/") or None
        found.endpoint, found.completion_window = ENDPOINT, "24h"
        found.status_raw = state if isinstance(state, str) else ""
        return found


def _count(stats: Mapping[str, Any], name: str) -> int:
    given = str(stats.get(name) or 0)
    return int(given) if given.isdecimal() else 0
