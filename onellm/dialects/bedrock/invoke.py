"""Embeddings and rerankings by InvokeModel, where each family of models has a body of its own.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from array import array
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Raw, Struct

from onellm.dialects.base import HttpRequest
from onellm.dialects.bedrock import faults
from onellm.dialects.bedrock.converse import foundation_model, model_path
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import refuse
from onellm.dialects.rerank import Rerank
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError
from onellm.types.embeddings import CreateEmbeddingResponse, Embedding, EmbeddingsRequest, EmbeddingUsage
from onellm.types.rerank import RerankRequest

Family: TypeAlias = Literal["cohere", "nova", "titan", "titan-image", "titan-v1"]
"""Whose body an embedding model takes."""

# By the model's own id, where its maker has several families; by its maker, which an id begins with, where it has one.
_FAMILIES: dict[str, Family] = {
    "amazon.nova-2-multimodal-embeddings-v1:0": "nova",
    "amazon.titan-embed-image-v1": "titan-image",
    "amazon.titan-embed-text-v1": "titan-v1",
    "amazon.titan-embed-text-v2:0": "titan",
}
_MAKERS: dict[str, Family] = {"cohere": "cohere"}
_MOST_INPUTS: dict[Family, int] = {"cohere": 96}  # the others take one
_COHERE_TYPES = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
_NOVA_PURPOSES = {
    "query": "GENERIC_RETRIEVAL",
    "document": "GENERIC_INDEX",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}


def maker(model: str) -> str:
    """Who made a model, as its id says; what an application inference profile stands for it does not say."""
    return foundation_model(model).partition(".")[0]


class _Nova(Struct, gc=False):
    embedding: list[float]


class _Answer(Struct):
    embedding: list[float] | None = None
    embeddings: Raw = Raw(b"")
    inputTextTokenCount: int | None = None  # noqa: N815 - Titan's name


_decode = msgspec.json.Decoder(_Answer, strict=False).decode
_decode_floats = msgspec.json.Decoder(list[list[float]]).decode
_decode_types = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_novas = msgspec.json.Decoder(list[_Nova]).decode


class InvokeEmbeddings(Struct, frozen=True, kw_only=True):
    """Embeddings of several families of models.

    max_inputs:  the most that any family takes at once; `inputs_at_once` says it of one
    max_tokens:  tokens of all inputs of one request, where that is bounded
    families:    the families of models whose ids do not say it: ARNs of application inference profiles, new models
    """

    max_inputs: int = 96
    max_tokens: int | None = None
    families: Mapping[str, Family] = {}

    def inputs_at_once(self, model: str) -> int:
        return _MOST_INPUTS.get(self.family(model), 1)

    def family(self, model: str) -> Family:
        """Whose body a model takes.

        Raises:
            InvalidRequestError: neither its id nor `families` says.
        """
        own = foundation_model(model)
        found = self.families.get(model) or _FAMILIES.get(own) or _MAKERS.get(maker(model))
        if found is None:
            raise InvalidRequestError(
                f"model: which body {model} takes its id does not say: give the option "
                f'families={{"{model}": …}}, one of {", ".join(sorted({*_FAMILIES.values(), *_MAKERS.values()}))}',
                param="model",
            )
        return found

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        family = self.family(request.model)
        texts = [item for item in request.input if isinstance(item, str)]
        if len(texts) != len(request.input):
            raise InvalidRequestError("input must be texts: these models take no token ids", param="input")
        if len(texts) > self.inputs_at_once(request.model):
            raise InvalidRequestError(f"input: {family} takes one text a request", param="input")
        params = {name: value for name, value in request.params.items() if name != "encoding_format"}
        body = _ENCODE[family](texts, params, request)
        refuse(params, dict.fromkeys(params, "these models do not take it"), request)
        body.update(request.extra_body or {})
        return HttpRequest(path=model_path(request.model, "invoke"), body=encode_json(body))

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        try:
            wire = _decode(body)
            vectors = _vectors(wire)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not an embeddings answer: {exc}", body=body[:2000]) from exc
        if not vectors:
            raise faults.not_an_answer(body, "an embeddings answer: it has no vectors")
        if len(vectors) != len(request.input):
            raise ResponseDecodeError(f"{len(vectors)} vectors came for {len(request.input)} inputs", body=body[:2000])
        if not all(vectors):
            raise ResponseDecodeError("a vector is empty", body=body[:2000])
        tokens = wire.inputTextTokenCount or 0
        return CreateEmbeddingResponse(
            data=[Embedding(index=index, embedding=array("f", vector)) for index, vector in enumerate(vectors)],
            model=request.model,
            usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
            raw=body,
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return faults.decode_error(status, headers, body, now=now)


def _vectors(wire: _Answer) -> list[list[float]]:
    """`embedding`, `embeddings`, `embeddings.float`, or `embeddings[].embedding`."""
    if wire.embedding is not None:
        return [wire.embedding]
    found = bytes(wire.embeddings).lstrip()
    if found[:1] == b"{":
        found = bytes(_decode_types(found).get("float", Raw(b"")))
    if not found:
        return []
    if found[1:].lstrip()[:1] == b"{":
        return [item.embedding for item in _decode_novas(found)]
    return _decode_floats(found)


def _cohere(texts: list[str], params: dict[str, Any], request: EmbeddingsRequest) -> dict[str, Any]:
    purpose = _purpose(params, _COHERE_TYPES, request) or _unsaid("search_document", request)
    body: dict[str, Any] = {"texts": texts, "input_type": purpose}
    if (dimensions := params.pop("dimensions", None)) is not None:
        body["output_dimension"] = dimensions
    return body


def _nova(texts: list[str], params: dict[str, Any], request: EmbeddingsRequest) -> dict[str, Any]:
    inner: dict[str, Any] = {
        "embeddingPurpose": _purpose(params, _NOVA_PURPOSES, request) or _unsaid("GENERIC_INDEX", request)
    }
    if (dimensions := params.pop("dimensions", None)) is not None:
        inner["embeddingDimension"] = dimensions
    inner["text"] = {"truncationMode": "NONE", "value": texts[0]}
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": inner,
    }


def _titan(texts: list[str], params: dict[str, Any], request: EmbeddingsRequest) -> dict[str, Any]:  # noqa: ARG001 - as the others
    body: dict[str, Any] = {"inputText": texts[0]}
    if (dimensions := params.pop("dimensions", None)) is not None:
        body["dimensions"] = dimensions
    return body


def _titan_v1(texts: list[str], params: dict[str, Any], request: EmbeddingsRequest) -> dict[str, Any]:  # noqa: ARG001 - as the others
    return {"inputText": texts[0]}


def _titan_image(texts: list[str], params: dict[str, Any], request: EmbeddingsRequest) -> dict[str, Any]:  # noqa: ARG001 - as the others
    body: dict[str, Any] = {"inputText": texts[0]}
    if (dimensions := params.pop("dimensions", None)) is not None:
        body["embeddingConfig"] = {"outputEmbeddingLength": dimensions}
    return body


_ENCODE: dict[Family, Callable[[list[str], dict[str, Any], EmbeddingsRequest], dict[str, Any]]] = {
    "cohere": _cohere,
    "nova": _nova,
    "titan": _titan,
    "titan-image": _titan_image,
    "titan-v1": _titan_v1,
}


def _purpose(params: dict[str, Any], words: Mapping[str, str], request: EmbeddingsRequest) -> str | None:
    given = params.pop("input_type", None)
    if given is not None and given not in words:
        request.unsupported(f"input_type={given!r}", f"of input types it takes {', '.join(map(repr, sorted(words)))}")
        return None
    return None if given is None else words[given]


def _unsaid(purpose: str, request: EmbeddingsRequest) -> str:
    request.adjustments.append(f"sent {purpose}, as input_type was not given and the model wants one")
    return purpose


class InvokeRerank(Rerank, frozen=True, kw_only=True):
    """Reranking by InvokeModel. What only one maker's models want in the body stands in `of_maker`."""

    model_in_body: bool = False
    of_maker: Mapping[str, Mapping[str, Any]] = {}

    def encode_request(self, request: RerankRequest) -> HttpRequest:
        always = self.of_maker.get(maker(request.model))
        if always is None or always == self.always:
            return super().encode_request(request)
        return msgspec.structs.replace(self, always=always).encode_request(request)

    def addresses(self, model: str) -> tuple[str, str]:
        return model_path(model, "invoke"), ""

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return faults.decode_error(status, headers, body, now=now)
