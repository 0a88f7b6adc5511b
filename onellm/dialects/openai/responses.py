"""Responses, spoken by OpenAI and a number of other hosts.

https://platform.openai.com/docs/api-reference/responses and, for the stream, …/responses-streaming
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field, structs

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.dialects.openai.lists import CURSOR, Paging, at_id
from onellm.dialects.params import refuse, rename
from onellm.errors import APIStatusError, BadRequestError, ContentFilterError, UnsupportedFeatureError
from onellm.types.pages import Listing, ListRequest
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.dialects.openai.response_reader import ResponseReducer
    from onellm.types.response_items import ResponseOutputItem
    from onellm.types.response_params import ResponseRequest, StoredResponseRequest
    from onellm.types.responses import InputTokenCountResponse, Response, ResponseDeleted

# The codes of a response that failed: its status was 200 when it began.
CODES: dict[str, type[APIStatusError]] = {
    "invalid_prompt": BadRequestError,
    "bio_policy": ContentFilterError,
    "image_content_policy_violation": ContentFilterError,
    **dict.fromkeys(
        (
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "invalid_image_mode",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
        ),
        BadRequestError,
    ),
}


class OpenAIResponses(Struct, frozen=True, kw_only=True):
    """Responses. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:      joined to the base URL
    keeps:     whether the host keeps responses, so that they can be asked for again
    cancels:   whether one that runs in the background can be cancelled
    paging:    how the list of input items comes
    refuses, renames, codes:  as in chat
    """

    path: str = "responses"
    keeps: bool = True
    cancels: bool = True
    paging: Paging = CURSOR
    refuses: Mapping[str, str] = {}
    renames: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = field(default_factory=lambda: CODES)

    def encode_request(self, request: "ResponseRequest") -> HttpRequest:
        return self._encode(self.path, request, {})

    def encode_stream(self, request: "ResponseRequest") -> HttpRequest:
        return self._encode(self.path, request, {"stream": True})

    def encode_count(self, request: "ResponseRequest") -> HttpRequest:
        return self._encode(f"{self.path}/input_tokens", request, {})

    def _encode(self, path: str, request: "ResponseRequest", stream: dict[str, Any]) -> HttpRequest:
        params = dict(request.params)
        refuse(params, self.refuses, request)
        rename(params, self.renames, request)
        given = {} if request.input is None else {"input": request.input}
        body = {"model": request.model, **given, **params, **stream, **(request.extra_body or {})}
        return HttpRequest(path=path, body=encode_json(body))

    def encode_retrieve(self, request: "StoredResponseRequest") -> HttpRequest:
        return HttpRequest(method="GET", path=self._kept(request.response_id), query=_query(request.params))

    def encode_retrieve_stream(self, request: "StoredResponseRequest") -> HttpRequest:
        query = {**_query(request.params), "stream": "true"}
        return HttpRequest(method="GET", path=self._kept(request.response_id), query=query)

    def encode_delete(self, response_id: str) -> HttpRequest:
        return HttpRequest(method="DELETE", path=self._kept(response_id))

    def encode_cancel(self, response_id: str) -> HttpRequest:
        if not self.cancels:
            raise UnsupportedFeatureError("it cannot cancel a response")
        # Without a body the HTTP library would call it a stream of octets.
        return HttpRequest(path=self._kept(response_id, "/cancel"), headers={"Content-Type": "application/json"})

    def encode_items(self, response_id: str, request: ListRequest) -> HttpRequest:
        path = self._kept(response_id, "/input_items")
        params = dict(request.params)
        include = {"include[]": params.pop("include")} if "include" in params else {}
        query = self.paging.encode(structs.replace(request, params=params))
        return HttpRequest(method="GET", path=path, query={**query, **include})

    def _kept(self, response_id: str, action: str = "") -> str:
        if not self.keeps:
            raise UnsupportedFeatureError(
                "it keeps no responses: what was said before goes into the input, `input += response.output`"
            )
        return at_id(self.path, response_id, action)

    def decode_response(self, body: bytes, request: Request) -> "Response":  # noqa: ARG002 - other dialects'
        from onellm.dialects.openai import response_reader  # noqa: PLC0415 - its types are for those who use it

        reply = response_reader.read_response(body, self.codes)
        if reply.status == "failed" and reply.error is not None:
            raise response_reader.failure(reply, body, self.codes)
        return reply

    def decode_stored(self, body: bytes) -> "Response":
        """As `decode_response`; one that failed is there all the same, and says why."""
        from onellm.dialects.openai import response_reader  # noqa: PLC0415 - its types are for those who use it

        return response_reader.read_response(body, self.codes)

    def decode_deleted(self, body: bytes) -> "ResponseDeleted":
        from onellm.dialects.openai import response_reader  # noqa: PLC0415 - its types are for those who use it

        return response_reader.read_deleted(body, self.codes)

    def decode_items(self, body: bytes, query: Mapping[str, str]) -> "Listing[ResponseOutputItem]":
        from onellm.dialects.openai import response_reader  # noqa: PLC0415 - its types are for those who use it

        return response_reader.read_items(body, self.paging, query, self.codes)

    def decode_count(self, body: bytes) -> "InputTokenCountResponse":
        from onellm.dialects.openai import response_reader  # noqa: PLC0415 - its types are for those who use it

        return response_reader.read_count(body, self.codes)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: Request, *, max_event_bytes: int) -> "ResponseReducer":
        from onellm.dialects.openai import response_reader  # noqa: PLC0415 - its types are for those who use it

        return response_reader.ResponseReducer(request, self.codes, max_event_bytes=max_event_bytes)


def _query(params: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a GET; a list is its items, each under the name with brackets."""
    return {f"{name}[]" if isinstance(value, list | tuple) else name: value for name, value in params.items()}
