"""The list of models, in pages. https://ai.google.dev/api/models"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.gemini.chat import model_name
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.models import ModelInfo

_OWN = "google"  # the publisher of Gemini, whose models calls name without it


class GeminiModels(Struct, frozen=True, kw_only=True):
    """The list of models.

    path:        joined to the base URL
    field:       where in the answer they stand
    page_size:   how many a page has
    publishers:  as in chat
    """

    path: str = "models"
    field: str = "models"
    page_size: int = 1000
    publishers: bool = False

    def encode_list(self) -> HttpRequest:
        return self.encode_page("")

    def encode_page(self, token: str) -> HttpRequest:
        """Asks for the page that the one before named; "" is the first."""
        query = {"pageSize": str(self.page_size)} | ({"pageToken": token} if token else {})
        return HttpRequest(method="GET", path=self.path, query=query)

    def decode_list(self, body: bytes) -> list[ModelInfo]:
        return self.decode_page(body)[0]

    def decode_page(self, body: bytes) -> tuple[list[ModelInfo], str]:
        """The models of a page, and what asks for the next; "" where this is the last.

        Raises:
            ResponseDecodeError: it is no page.
        """
        value = lenient.decode_json(body, "a list of models")
        if not isinstance(value, dict) or errors.is_error(value):
            raise ResponseDecodeError("not a list of models", body=body[:2000])
        found = value.get(self.field, [])
        token = value.get("nextPageToken")
        return [_model(item) for item in found if isinstance(item, dict)], token if isinstance(token, str) else ""

    def encode_retrieve(self, model: str) -> HttpRequest:
        return HttpRequest(method="GET", path=with_model("{model}", model_name(model, publishers=self.publishers)))

    def decode_retrieve(self, body: bytes) -> ModelInfo:
        value = lenient.decode_json(body, "a model")
        if not isinstance(value, dict) or errors.is_error(value):
            raise ResponseDecodeError("not a model", body=body[:2000])
        return _model(value)

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        return None if self.publishers else self.encode_retrieve(model)

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:  # noqa: ARG002 - the seam's
        value = lenient.decode_json(body, "a model")
        if not isinstance(value, dict) or errors.is_error(value):
            raise ResponseDecodeError("not a model", body=body[:2000])
        said = PublishedCapabilities(
            context_window=_tokens(value.get("inputTokenLimit")),
            max_output_tokens=_tokens(value.get("outputTokenLimit")),
            raw=body,
        )
        if isinstance(methods := value.get("supportedGenerationMethods"), list):
            said.chat = "generateContent" in methods
            said.embeddings = "embedContent" in methods
        if isinstance(thinks := value.get("thinking"), bool):
            said.reasoning = thinks
        return said

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


class PublisherModels(GeminiModels, frozen=True, kw_only=True):
    """The list of models of a place where they stand under their publishers."""

    path: str = "publishers/google/models"
    field: str = "publisherModels"
    page_size: int = 100
    publishers: bool = True


def _model(item: dict[str, Any]) -> ModelInfo:
    """A model under the id that calls take: without what all have in front, Google's own without their publisher."""
    name = item.get("name")
    id_ = name if isinstance(name, str) else ""
    owner, _, own = id_.removeprefix("publishers/").partition("/models/")
    if id_.startswith("publishers/") and own:
        id_ = own if owner == _OWN else f"{owner}/{own}"
    else:
        id_, owner = id_.removeprefix("models/"), _OWN
    return ModelInfo(id=id_, owned_by=owner, raw=msgspec.json.encode(item))
