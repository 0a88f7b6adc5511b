"""Models as their owners publish them, in pages; and deployments of them.

https://replicate.com/docs/reference/http#models.list
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from onellm.dialects import lenient
from onellm.dialects.base import HttpRequest
from onellm.errors import ResponseDecodeError
from onellm.types.models import ModelInfo
from onellm.types.pages import Listing


def encode_page(prefix: str, query: Mapping[str, str]) -> HttpRequest:
    """The request for one page of the models; for the first where the query is empty."""
    return HttpRequest(path=f"{prefix}/models", method="GET", query=dict(query))


def decode_page(body: bytes, query: Mapping[str, str]) -> Listing[ModelInfo]:
    """A page of models. query: the one that it was asked with

    Raises:
        ResponseDecodeError: it is none.
    """
    value = lenient.decode_json(body, "a list of models")
    match value:
        case {"results": [*items]}:
            models = [_model(item) for item in items if isinstance(item, dict)]
            return Listing(data=models, next=_next(value.get("next"), query), raw=body)
        case _:
            raise ResponseDecodeError("not a list of models", body=body[:2000])


def decode_model(body: bytes, name: str) -> ModelInfo:
    """A model, a version of one, or a deployment, under the name that it was asked by.

    Raises:
        ResponseDecodeError: it is none.
    """
    value = lenient.decode_json(body, "a model")
    if not isinstance(value, dict) or not ({"name", "id"} & value.keys()):
        raise ResponseDecodeError("not a model", body=body[:2000])
    found = _model(value)
    found.id, found.raw = name, body
    found.owned_by = found.owned_by or name.partition("/")[0]  # a version does not say whose it is
    return found


def _model(item: dict[str, Any]) -> ModelInfo:
    owner, name = (_text(item.get(key)) for key in ("owner", "name"))
    found = ModelInfo(id=f"{owner}/{name}", owned_by=owner, created=_created(item))
    found.raw = msgspec.json.encode(item)
    return found


def _next(url: Any, query: Mapping[str, str]) -> dict[str, str]:
    """The query of the next page's URL. The rest of the URL is not followed: it is the host's, or somebody else's."""
    if not isinstance(url, str):
        return {}
    try:
        found = dict(parse_qsl(urlsplit(url).query))
    except ValueError as exc:
        raise ResponseDecodeError(f"the next page has no URL: {exc}") from exc
    return {} if found == query else found  # the same page for ever


def _created(item: dict[str, Any]) -> int:
    """Unix time of the newest version, or of what is deployed; 0 where it is not said."""
    match item:
        case {"latest_version": {"created_at": str() as said}}:
            pass
        case {"current_release": {"created_at": str() as said}}:
            pass
        case {"created_at": str() as said}:
            pass
        case _:
            return 0
    try:
        return int(datetime.fromisoformat(said).timestamp())
    except ValueError:
        return 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
