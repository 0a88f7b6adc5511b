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
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.models import ModelInfo

# What the API says of its models, and our words for it.
_CAPABILITIES = {
    "image_input": "vision",
    "pdf_input": "document_input",
    "structured_outputs": "json_schema",
    "thinking": "reasoning",
}


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


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

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        return self.encode_retrieve(model)

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:  # noqa: ARG002 - the seam's
        item = lenient.decode_json(body, "a model")
        if errors.is_error(item):
            raise self.decode_error(200, {}, body, now=0.0)
        if not isinstance(item, dict):
            raise ResponseDecodeError("not a model", body=body[:2000])
        said = PublishedCapabilities(
            context_window=_tokens(item.get("max_input_tokens")),
            max_output_tokens=_tokens(item.get("max_tokens")),
            raw=body,
        )
        published = item.get("capabilities")
        for name, ours in _CAPABILITIES.items():
            match published:
                case {**facts} if isinstance(fact := facts.get(name), dict) and isinstance(fact.get("supported"), bool):
                    setattr(said, ours, fact["supported"])
                case _:
                    pass
        return said

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
