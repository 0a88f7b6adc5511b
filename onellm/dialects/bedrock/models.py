"""The list of foundation models. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.bedrock import faults
from onellm.dialects.bedrock.converse import foundation_model
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.models import ModelInfo


class _Listing(Struct):
    modelSummaries: list[Raw] | None = None  # noqa: N815 - Bedrock's names, here and below


class _Single(Struct):
    modelDetails: Raw = Raw(b"")  # noqa: N815


class _Model(Struct):
    modelId: str  # noqa: N815
    providerName: str | None = None  # noqa: N815


_decode_listing = msgspec.json.Decoder(_Listing).decode
_decode_single = msgspec.json.Decoder(_Single).decode
_decode_model = msgspec.json.Decoder(_Model).decode


class FoundationModels(Struct, frozen=True, kw_only=True):
    """Models by their own ids; what else is said of each (modalities, streaming, life cycle) stands in its `raw`.

    hosted_at:  the control plane, which is another host than that of the calls; see `HttpRequest`
    """

    path: str = "foundation-models"
    hosted_at: str = ""

    def encode_list(self) -> HttpRequest:
        return HttpRequest(method="GET", path=self.path, hosted_at=self.hosted_at)

    def decode_list(self, body: bytes) -> list[ModelInfo]:
        try:
            found = _decode_listing(body).modelSummaries
            if found is not None:
                return [_model(bytes(item)) for item in found]
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a list of models: {exc}", body=body[:2000]) from exc
        raise faults.not_an_answer(body, "a list of models: it has no modelSummaries")

    def encode_retrieve(self, model: str) -> HttpRequest:
        own = f"/{quote(model, safe='')}"
        return HttpRequest(method="GET", path=self.path + own, hosted_at=self.hosted_at and self.hosted_at + own)

    def decode_retrieve(self, body: bytes) -> ModelInfo:
        try:
            found = bytes(_decode_single(body).modelDetails)
            if found:
                return _model(found)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a model: {exc}", body=body[:2000]) from exc
        raise faults.not_an_answer(body, "a model: it has no modelDetails")

    def encode_capabilities(self, model: str) -> HttpRequest | None:  # noqa: ARG002 - the list says it of all
        return self.encode_list()

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:
        """What the list says of the model, or of the one behind an inference profile."""
        try:
            found = _decode_listing(body).modelSummaries
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a list of models: {exc}", body=body[:2000]) from exc
        if found is None:
            raise faults.not_an_answer(body, "a list of models: it has no modelSummaries")
        own = foundation_model(model)
        for raw in found:
            item = lenient.decode_json(bytes(raw), "a model")
            if isinstance(item, dict) and item.get("modelId") == own:
                return _capabilities(item, bytes(raw))
        return None

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return faults.decode_error(status, headers, body, now=now)


def _capabilities(item: dict[str, Any], raw: bytes) -> PublishedCapabilities:
    said = PublishedCapabilities(raw=raw)
    if isinstance(taken := item.get("inputModalities"), list):
        said.vision = "IMAGE" in taken
    if isinstance(given := item.get("outputModalities"), list):
        said.embeddings = "EMBEDDING" in given
        said.chat = None if "TEXT" in given else False  # what reranks gives text, too
    if isinstance(streams := item.get("responseStreamingSupported"), bool):
        said.streaming = streams
    match item.get("converse"):
        case {"maxTokensMaximum": int() as most} if most > 0:
            said.max_output_tokens = most
        case _:
            pass
    match item.get("explicitPromptCaching"):
        case {"isSupported": bool() as keeps}:
            said.prompt_caching = keeps
        case _:
            pass
    return said


def _model(raw: bytes) -> ModelInfo:
    wire = _decode_model(raw)
    return ModelInfo(id=wire.modelId, owned_by=wire.providerName or "", raw=raw)
