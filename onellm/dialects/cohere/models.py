"""Cohere's list of models, in pages. https://docs.cohere.com/reference/list-models"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.openai.lists import at_id
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.models import ModelInfo

_FEATURES = ("tools", "vision", "json_mode", "json_schema", "reasoning")  # as `PublishedCapabilities` has them, too
_MOST = "1000"  # models in a page, as many as the API allows


class CohereModels(Struct, frozen=True, kw_only=True):
    """The list of models. `model_extra` of each has what it serves and can: `endpoints`, `features`, …"""

    path: str = "v1/models"
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_list(self, page: str = "") -> HttpRequest:
        """The request for a page; the first where none is named."""
        query = {"page_size": _MOST, **({"page_token": page} if page else {})}
        return HttpRequest(method="GET", path=self.path, query=query)

    def decode_list(self, body: bytes) -> list[ModelInfo]:
        match lenient.decode_json(body, "a list of models"):
            case {"models": [*items]}:
                return [_model(item) for item in items]
            case {"message": _}:
                raise self.decode_error(200, {}, body, now=0.0)
            case _:
                raise ResponseDecodeError("not a list of models", body=body[:2000])

    def next_page(self, body: bytes) -> str:
        """What names the page after this one; "" after the last."""
        match lenient.decode_json(body, "a list of models"):
            case {"next_page_token": str() as token}:
                return token
            case _:
                return ""

    def encode_retrieve(self, model: str) -> HttpRequest:
        return HttpRequest(method="GET", path=at_id(self.path, model))

    def decode_retrieve(self, body: bytes) -> ModelInfo:
        value = lenient.decode_json(body, "a model")
        match value:
            case {"name": str()}:
                return _model(value)
            case {"message": _}:
                raise self.decode_error(200, {}, body, now=0.0)
            case _:
                raise ResponseDecodeError("not a model", body=body[:2000])

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        return self.encode_retrieve(model)

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:  # noqa: ARG002 - the seam's
        item = lenient.decode_json(body, "a model")
        match item:
            case {"name": str()}:
                return _capabilities(item, body)
            case {"message": _}:
                raise self.decode_error(200, {}, body, now=0.0)
            case _:
                raise ResponseDecodeError("not a model", body=body[:2000])

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _capabilities(item: dict[str, Any], raw: bytes) -> PublishedCapabilities:
    """Endpoints are all that serve a model; a feature that is not named is no no."""
    said = PublishedCapabilities(raw=raw)
    match item.get("context_length"):
        case bool():
            pass
        case int() | float() as length if length > 0:
            said.context_window = int(length)
        case _:
            pass
    if isinstance(endpoints := item.get("endpoints"), list):
        said.chat, said.embeddings = "chat" in endpoints, "embed" in endpoints
    if isinstance(features := item.get("features"), list):
        for name in _FEATURES:
            if name in features:
                setattr(said, name, True)
    return said


def _model(item: Any) -> ModelInfo:
    match item:
        case {"name": str() as name}:
            return ModelInfo(id=name, raw=msgspec.json.encode(item))
        case _:
            raise ResponseDecodeError("not a model: it has no name", body=msgspec.json.encode(item)[:2000])
