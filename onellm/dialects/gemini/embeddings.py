"""Embeddings of Gemini's two hosts, of which one has three ways to ask.

https://ai.google.dev/api/embeddings
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.gemini.chat import model_name
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.embeddings import CreateEmbeddingResponse, Embedding, EmbeddingsRequest, EmbeddingUsage

TASKS = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}


class _Statistics(Struct, gc=False):
    token_count: float = 0.0


class _Vector(Struct, gc=False):
    values: list[float] = []
    statistics: _Statistics | None = None
    embedding: "_Vector | None" = None


class _Prediction(Struct, gc=False):
    embeddings: _Vector = msgspec.field(default_factory=_Vector)


class _Counted(Struct, gc=False):
    promptTokenCount: int = 0  # noqa: N815 - the wire's name


class _Answer(Struct, gc=False):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    predictions: list[_Prediction] | None = None
    usageMetadata: _Counted | None = None  # noqa: N815 - the wire's name


_decode = msgspec.json.Decoder(_Answer, strict=False).decode


class GeminiEmbeddings(Struct, frozen=True, kw_only=True):
    """Embeddings. All texts go in one request, each beside the model's name.

    max_inputs:  inputs in one request
    max_tokens:  tokens of all inputs of one request, where that is bounded
    refuses:     arguments that the host does not take, each with the reason
    """

    max_inputs: int = 100
    max_tokens: int | None = None
    refuses: Mapping[str, str] = {}

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        name = model_name(request.model, publishers=False)
        how = self.config(request)
        items = [{"model": name, "content": content(text), **how} for text in texts(request)]
        body = {"requests": items, **(request.extra_body or {})}
        return HttpRequest(path=with_model("{model}:batchEmbedContents", name), body=encode_json(body))

    def config(self, request: EmbeddingsRequest) -> dict[str, Any]:
        """What the vectors are to be, under the API's names."""
        params = {name: value for name, value in request.params.items() if name != "encoding_format"}
        refuse(params, self.refuses, request)
        how: dict[str, Any] = {}
        if (purpose := params.pop("input_type", None)) is not None:
            how["taskType"] = TASKS[purpose]
        if (dimensions := params.pop("dimensions", None)) is not None:
            how["outputDimensionality"] = dimensions
        for name in params:
            request.unsupported(name, "its API does not have it")
        return how

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        what = "an answer with embeddings"
        try:
            wire = _decode(body)
        except DECODE_ERRORS:
            wire = lenient.convert(lenient.decode_json(body, what), _Answer, what)
        vectors = _vectors(wire)
        if len(vectors) != len(request.input):
            if errors.is_error(lenient.decode_json(body, what)):
                raise self.decode_error(200, {}, body, now=0.0)
            raise ResponseDecodeError(f"{len(vectors)} vectors came for {len(request.input)} inputs", body=body[:2000])
        if not all(vector.values for vector in vectors):
            raise ResponseDecodeError("a vector is empty", body=body[:2000])
        data = [Embedding(index=place, embedding=array("f", each.values)) for place, each in enumerate(vectors)]
        return CreateEmbeddingResponse(data=data, model=request.model, usage=_usage(wire, vectors), raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)


class PublisherEmbeddings(GeminiEmbeddings, frozen=True, kw_only=True):
    """Embeddings of models that stand under their publishers: by `embedContent`, or by `predict`.

    contents:  parts of a model's id, of which one means `embedContent`; Google's own package goes by the same. What is
               in none of them is asked by `predict`
    """

    contents: tuple[str, ...] = ("gemini", "maas")

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        name = model_name(request.model, publishers=True)
        how = self.config(request)
        inputs = texts(request)
        body: dict[str, Any]
        if not any(part in request.model for part in self.contents):
            method = "predict"
            task = {"task_type": how.pop("taskType")} if "taskType" in how else {}
            body = {"instances": [{"content": text, **task} for text in inputs]}
            if how:
                body["parameters"] = how
        else:
            config: dict[str, Any] = {"embedContentConfig": how} if how else {}
            items = [{"content": content(text), **config} for text in inputs]
            method = "embedContent" if len(items) == 1 else "batchEmbedContents"
            body = items[0] if len(items) == 1 else {"requests": items}
        body |= request.extra_body or {}
        return HttpRequest(path=with_model("{model}:" + method, name), body=encode_json(body))


def content(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}]}


def texts(request: EmbeddingsRequest) -> list[str]:
    """The inputs; token ids have no place in this API.

    Raises:
        UnsupportedParameterError: they are token ids.
    """
    found = [text for text in request.input if isinstance(text, str)]
    if len(found) != len(request.input):
        request.on_unsupported = "raise"  # nothing would be left
        request.unsupported("input as token ids", "give texts")
    return found


def _vectors(wire: _Answer) -> Sequence[_Vector]:
    if wire.predictions is not None:
        return [prediction.embeddings for prediction in wire.predictions]
    if wire.embeddings is not None:
        return [vector.embedding or vector for vector in wire.embeddings]
    return [wire.embedding] if wire.embedding is not None else []


def _usage(wire: _Answer, vectors: Sequence[_Vector]) -> EmbeddingUsage:
    """Tokens, where the host counts them: for all, or for each."""
    if wire.usageMetadata is not None:
        tokens = wire.usageMetadata.promptTokenCount
    else:
        tokens = int(sum(vector.statistics.token_count for vector in vectors if vector.statistics is not None))
    return EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens)
