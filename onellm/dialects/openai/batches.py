"""Batches in OpenAI's shape, and in the shapes near it. https://platform.openai.com/docs/api-reference/batch"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import BatchLine, HttpRequest
from onellm.dialects.openai.lists import CURSOR, Paging, at_id, decode_list, decode_object, received
from onellm.dialects.params import refuse, rename
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.batches import Batch, BatchCreateRequest
from onellm.types.pages import Listing, ListRequest


class _Response(Struct, gc=False):
    status_code: int | None = None
    request_id: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(Struct, gc=False):
    custom_id: str = ""
    response: _Response | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_line = msgspec.json.Decoder(_Line, strict=False)


class OpenAIBatches(Struct, frozen=True, kw_only=True):
    """Batches. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:          joined to the base URL
    lines_have_url:  whether a line of the input says where it goes, beside what the batch says
    one_model:     whether the batch says the model, and not each request
    paging:        how its list comes
    statuses:      the host's words where they are not OpenAI's; those are known in capitals too
    renames, refuses, codes:  as in chat
    """

    path: str = "batches"
    lines_have_url: bool = True
    one_model: bool = False
    paging: Paging = CURSOR
    statuses: Mapping[str, str] = {}
    renames: Mapping[str, str] = {}
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_line(self, custom_id: str, body: Mapping[str, Any], endpoint: str) -> bytes:
        where = {"method": "POST", "url": endpoint} if self.lines_have_url else {}
        plain = {name: value for name, value in body.items() if not (self.one_model and name == "model")}
        return lenient.encode_json({"custom_id": custom_id, **where, "body": plain}) + b"\n"

    def encode_create(self, request: BatchCreateRequest) -> HttpRequest:
        body = self.encode_params(request)
        return HttpRequest(path=self.path, body=lenient.encode_json(body | dict(request.extra_body or {})))

    def encode_params(self, request: BatchCreateRequest) -> dict[str, Any]:
        """The body, under the host's names."""
        params = dict(request.params)
        refuse(params, self.refuses, request)
        if request.model and not self.one_model:
            request.unsupported("model", "each request of the batch says its own")
        body = {
            "input_file_id": request.input_file_id,
            "endpoint": request.endpoint,
            "completion_window": request.completion_window,
            **({"model": request.model} if request.model and self.one_model else {}),
            **params,
        }
        rename(body, self.renames, request)
        return body

    def encode_list(self, request: ListRequest) -> HttpRequest:
        return HttpRequest(method="GET", path=self.path, query=self.paging.encode(request))

    def encode_retrieve(self, batch_id: str) -> HttpRequest:
        return HttpRequest(method="GET", path=at_id(self.path, batch_id))

    def encode_cancel(self, batch_id: str) -> HttpRequest:
        return HttpRequest(path=at_id(self.path, batch_id, "/cancel"))

    def decode_batch(self, body: bytes) -> Batch:
        value = decode_object(body, "a batch", self)
        if isinstance(value, dict) and isinstance(value.get("job"), dict):  # one host's answer to a new batch
            value = value["job"]
        found = self._batch(value)
        if not found.id:
            raise ResponseDecodeError("not a batch: it has no id", body=body[:2000])
        return found

    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[Batch]:
        return decode_list(body, "a list of batches", self, self._batch, self.paging, query)

    def decode_line(self, line: bytes) -> BatchLine:
        try:
            wire = _line.decode(line)
        except lenient.DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a line of a batch's results: {exc}", body=line[:2000]) from exc
        response = wire.response or _Response()
        return BatchLine(
            custom_id=wire.custom_id,
            status=response.status_code,
            request_id=response.request_id or None,
            body=_unless_null(response.body),
            error=_unless_null(wire.error),
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def normalise(self, value: dict[str, Any]) -> dict[str, Any]:
        """The host's fields under OpenAI's names."""
        if "model" not in value and "model_id" in value:
            value = {**value, "model": value["model_id"]}
        if "errors" not in value and isinstance(message := value.get("error"), str) and message:
            value = {**value, "errors": {"data": [{"message": message}]}}
        return value

    def _batch(self, value: Any) -> Batch:
        raw = msgspec.json.encode(value)
        if not isinstance(value, dict):
            raise ResponseDecodeError("not a batch", body=raw[:2000])
        found = received(self.normalise(value), Batch, "a batch", raw=raw)
        found.status_raw = found.status
        found.status = self.statuses.get(found.status, found.status.lower())
        # Some hosts say "" where there is no file.
        found.output_file_id = found.output_file_id or None
        found.error_file_id = found.error_file_id or None
        return found


def _unless_null(value: msgspec.Raw) -> bytes:
    content = bytes(value)
    return b"" if content == b"null" else content
