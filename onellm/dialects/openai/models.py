"""The list of models in OpenAI's shape, and in the shapes near it. https://platform.openai.com/docs/api-reference/models"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.openai import model_facts
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.models import ModelInfo


class OpenAIModels(Struct, frozen=True, kw_only=True):
    """The list of models; it comes under `data`, or as a bare array.

    path, hosted_at:  see `HttpRequest`
    prefix:           what the host puts before its ids here and nowhere else, such as "models/"
    publishes:        where the host says what a model can: in its "list", with a single "item", or nowhere, ""
    """

    path: str = "models"
    hosted_at: str = ""
    prefix: str = ""
    publishes: Literal["", "list", "item"] = ""
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_list(self) -> HttpRequest:
        return HttpRequest(method="GET", path=self.path, hosted_at=self.hosted_at)

    def decode_list(self, body: bytes) -> list[ModelInfo]:
        return [self._model(item) for item in self._items(body)]

    def encode_retrieve(self, model: str) -> HttpRequest:
        own = f"/{quote(model, safe='/:@')}"
        return HttpRequest(method="GET", path=self.path + own, hosted_at=self.hosted_at and self.hosted_at + own)

    def decode_retrieve(self, body: bytes) -> ModelInfo:
        value = lenient.decode_json(body, "a model")
        if errors.is_error(value):
            raise self.decode_error(200, {}, body, now=0.0)
        return self._model(value)

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        if not self.publishes:
            return None
        return self.encode_retrieve(model) if self.publishes == "item" else self.encode_list()

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:
        if self.publishes == "item":
            item = lenient.decode_json(body, "a model")
            if errors.is_error(item):
                raise self.decode_error(200, {}, body, now=0.0)
        else:
            item = model_facts.find(self._items(body), self.prefix + model)
        return None if item is None else model_facts.read(item, model)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def _items(self, body: bytes) -> list[Any]:
        value = lenient.decode_json(body, "a list of models")
        items: Any = value.get("data", value.get("models")) if isinstance(value, dict) else value
        if not isinstance(items, list) or errors.is_error(value):
            if errors.is_error(value):
                raise self.decode_error(200, {}, body, now=0.0)
            raise ResponseDecodeError("not a list of models", body=body[:2000])
        return items

    def _model(self, item: Any) -> ModelInfo:
        raw = msgspec.json.encode(item)
        model = lenient.convert(item, ModelInfo, "a model")
        model.id = model.id.removeprefix(self.prefix)
        model.raw = raw
        return model
