"""The list of models. https://platform.claude.com/docs/en/api/models-list"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.anthropic.chat import CODES
from onellm.dialects.base import HttpRequest
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.models import ModelInfo


class AnthropicModels(Struct, frozen=True, kw_only=True):
    """The list of models, which comes in pages. path: joined to the base URL; page_size: how many of them at once."""

    path: str = "v1/models"
    page_size: int = 1000

    def encode_list(self, after: str = "") -> HttpRequest:
        """after: the id of the model after which the page begins."""
        query = {"limit": str(self.page_size)} | ({"after_id": after} if after else {})
        return HttpRequest(method="GET", path=self.path, query=query)

    def decode_list(self, body: bytes) -> list[ModelInfo]:
        return [self._model(item) for item in self._page(body)["data"]]

    def decode_next(self, body: bytes) -> str:
        """The id after which the next page begins; "" where this is the last."""
        page = self._page(body)
        last = page.get("last_id")
        return last if page.get("has_more") is True and isinstance(last, str) else ""

    def encode_retrieve(self, model: str) -> HttpRequest:
        return HttpRequest(method="GET", path=f"{self.path}/{quote(model, safe='/:@')}")

    def decode_retrieve(self, body: bytes) -> ModelInfo:
        return self._model(lenient.decode_json(body, "a model"))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=CODES)

    def _page(self, body: bytes) -> dict[str, Any]:
        value = lenient.decode_json(body, "a list of models")
        if errors.is_error(value):
            raise self.decode_error(200, {}, body, now=0.0)
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise ResponseDecodeError("not a list of models", body=body[:2000])
        return value

    def _model(self, item: Any) -> ModelInfo:
        raw = msgspec.json.encode(item)
        if errors.is_error(item):
            raise self.decode_error(200, {}, raw, now=0.0)
        model = lenient.convert(item, ModelInfo, "a model")
        try:
            model.created = int(datetime.fromisoformat(item["created_at"]).timestamp())
        except (KeyError, TypeError, ValueError):
            model.created = 0
        model.owned_by = model.owned_by or "anthropic"
        model.raw = raw
        return model
