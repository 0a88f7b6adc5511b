"""Models that a server has: listed, shown, fetched, deleted.

https://docs.ollama.com/api/tags
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.dialects.ollama.lines import LineReducer
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.transport.ndjson import NdjsonDecoder
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.models import ModelDeleted, ModelInfo, PullProgress, PullRequest

_PROGRESS = "progress of a pull"


# Our names of what a server says a model can.
_CAPABILITIES = {
    "chat": "completion",
    "tools": "tools",
    "vision": "vision",
    "audio_input": "audio",
    "reasoning": "thinking",
    "embeddings": "embedding",
}


class OllamaModels(Struct, frozen=True, kw_only=True):
    """The models of a server. `model_extra` has what else it says: `details`, and of a single one `capabilities`."""

    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_list(self) -> HttpRequest:
        return HttpRequest(method="GET", path="api/tags")

    def decode_list(self, body: bytes) -> list[ModelInfo]:
        value = lenient.decode_json(body, "a list of models")
        match value:
            case {"models": [*items]}:
                return [_model(item) for item in items]
            case {"models": None}:
                return []
            case _ if errors.is_error(value):
                raise self.decode_error(200, {}, body, now=0.0)
            case _:
                raise ResponseDecodeError("not a list of models", body=body[:2000])

    def encode_retrieve(self, model: str) -> HttpRequest:
        return HttpRequest(path="api/show", body=encode_json({"model": model}))

    def decode_retrieve(self, body: bytes) -> ModelInfo:
        """All but the model's name, which is not said again."""
        value = lenient.decode_json(body, "a model")
        if errors.is_error(value):
            raise self.decode_error(200, {}, body, now=0.0)
        match value:
            case {"details": _} | {"model_info": _} | {"capabilities": _}:
                return ModelInfo(created=_seconds(value.get("modified_at")), raw=body)
            case _:
                raise ResponseDecodeError("not a model", body=body[:2000])

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        return self.encode_retrieve(model)

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:  # noqa: ARG002 - the seam's
        """What `capabilities` lists, a model has, and what it does not list, it has not."""
        shown = self.decode_retrieve(body).model_extra
        found = PublishedCapabilities(context_window=_window(shown.get("model_info")), raw=body)
        match shown:
            case {"capabilities": [*listed]}:
                for name, word in _CAPABILITIES.items():
                    setattr(found, name, word in listed)
            case _:  # of a server before they were listed
                pass
        return found

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


class OllamaStore(Struct, frozen=True, kw_only=True):
    """Models that are fetched and deleted. https://docs.ollama.com/api/pull"""

    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: PullRequest) -> HttpRequest:
        return self._encode(request, stream=False)

    def encode_stream(self, request: PullRequest) -> HttpRequest:
        return self._encode(request, stream=True)

    def _encode(self, request: PullRequest, *, stream: bool) -> HttpRequest:
        body = {"model": request.model, "stream": stream, **(request.extra_body or {})}
        return HttpRequest(path="api/pull", body=encode_json(body))

    def decode_response(self, body: bytes, request: PullRequest) -> PullProgress:
        reducer = self.reducer(request, max_event_bytes=len(body) + 1)
        reducer.feed(body + b"\n")
        return reducer.close()

    def reducer(self, request: PullRequest, *, max_event_bytes: int) -> "PullReducer":
        return PullReducer(self.codes, request, NdjsonDecoder(max_event_bytes=max_event_bytes))

    def encode_delete(self, model: str) -> HttpRequest:
        return HttpRequest(method="DELETE", path="api/delete", body=encode_json({"model": model}))

    def decode_deleted(self, body: bytes, model: str) -> ModelDeleted:
        """The answer is empty."""
        if body.strip() and errors.is_error(lenient.decode_json(body, "an answer")):
            raise self.decode_error(200, {}, body, now=0.0)
        return ModelDeleted(id=model, deleted=True, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


class PullReducer(LineReducer[PullProgress]):
    """Folds the progress of a pull to its last event, whose status is "success"."""

    _last = PullProgress()

    def feed_chunk(self, data: bytes, emit: Callable[[PullProgress], object]) -> None:
        progress = lenient.convert(lenient.decode_json(data, _PROGRESS), PullProgress, _PROGRESS)
        progress.raw = data
        self._last = progress
        self.finished = progress.status == "success"
        emit(progress)

    def close(self) -> PullProgress:
        self._end()
        return self._last


def _window(info: Any) -> int | None:
    """The context's length, whose key begins with the architecture: `llama.context_length`."""
    if not isinstance(info, dict):
        return None
    lengths = [value for key, value in info.items() if str(key).endswith(".context_length") and isinstance(value, int)]
    return lengths[0] if lengths else None


def _model(item: Any) -> ModelInfo:
    match item:
        case {"name": str() as name} | {"model": str() as name}:
            return ModelInfo(id=name, created=_seconds(item.get("modified_at")), raw=msgspec.json.encode(item))
        case _:
            raise ResponseDecodeError("not a model: it has no name", body=msgspec.json.encode(item)[:2000])


def _seconds(when: Any) -> int:
    """Unix time of a date in ISO's form; 0 of anything else."""
    try:
        return int(datetime.fromisoformat(when).timestamp())
    except (TypeError, ValueError, OverflowError):
        return 0
