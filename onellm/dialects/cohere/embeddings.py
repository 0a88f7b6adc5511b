"""Cohere's v2 embeddings. https://docs.cohere.com/reference/embed"""

from array import array
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import refuse, rename
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.embeddings import CreateEmbeddingResponse, Embedding, EmbeddingsRequest, EmbeddingUsage

_INPUT_TYPES = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
_DEFAULT = "search_document"
_IMAGE = "data:image/"


class _Vectors(Struct, gc=False):
    floats: list[list[float]] | None = msgspec.field(default=None, name="float")


class _Billed(Struct, gc=False):
    input_tokens: float | None = None
    image_tokens: float | None = None


class _Meta(Struct, gc=False):
    billed_units: _Billed | None = None


class _Response(Struct, gc=False):
    embeddings: _Vectors | None = None
    meta: _Meta | None = None


_decode = msgspec.json.Decoder(_Response, strict=False).decode


class CohereEmbeddings(Struct, frozen=True, kw_only=True):
    """The v2 embeddings. Fields are a host's quirks; the defaults are Cohere's own behaviour.

    An input that is a data URI of an image is an image. Vectors come as numbers: the order of the bytes in the
    base64 that the API offers is not documented.

    max_inputs:  inputs in one request
    max_tokens:  tokens of all inputs of one request, where that is bounded
    codes:       as in chat
    """

    path: str = "v2/embed"
    max_inputs: int = 96
    max_tokens: int | None = None
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        params = {name: value for name, value in request.params.items() if name != "encoding_format"}
        refuse(params, {"user": "its API does not have it"}, request)
        body: dict[str, Any] = {"model": request.model, "input_type": _input_type(params, request)}
        body.update(_inputs(request))
        body["embedding_types"] = ["float"]
        rename(params, {"dimensions": "output_dimension"}, request)
        body.update(params)
        body.update(request.extra_body or {})
        return HttpRequest(path=self.path, body=encode_json(body))

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        try:
            wire = _decode(body)
        except DECODE_ERRORS as exc:
            raise self._not_embeddings(body, str(exc)) from exc
        vectors = wire.embeddings.floats if wire.embeddings is not None else None
        if vectors is None:
            raise self._not_embeddings(body, "it has no vectors of floats")
        if len(vectors) != len(request.input):
            raise ResponseDecodeError(f"{len(vectors)} vectors came for {len(request.input)} inputs", body=body[:2000])
        if not all(vectors):
            raise ResponseDecodeError("a vector is empty", body=body[:2000])
        billed = (wire.meta and wire.meta.billed_units) or _Billed()
        tokens = int((billed.input_tokens or 0) + (billed.image_tokens or 0))
        return CreateEmbeddingResponse(
            data=[Embedding(index=index, embedding=array("f", vector)) for index, vector in enumerate(vectors)],
            model=request.model,
            usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
            raw=body,
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def _not_embeddings(self, body: bytes, why: str) -> APIStatusError | ResponseDecodeError:
        value = lenient.decode_json(body, "an embeddings answer")
        if errors.is_error(value) or (isinstance(value, dict) and "message" in value):
            return self.decode_error(200, {}, body, now=0.0)
        return ResponseDecodeError(f"not an embeddings answer: {why}", body=body[:2000])


def _input_type(params: dict[str, Any], request: EmbeddingsRequest) -> str:
    """The API demands to know what the vectors are for; where the call does not say, they are to be searched."""
    given = params.pop("input_type", None)
    if given in _INPUT_TYPES:
        return _INPUT_TYPES[given]
    if given is not None:
        takes = ", ".join(map(repr, sorted(_INPUT_TYPES)))
        request.unsupported(f"input_type={given!r}", f"of input types it takes {takes}")
    if "input_type" not in (request.extra_body or {}):
        request.adjustments.append(
            f"sent input_type={_DEFAULT!r}, which it must have: give 'query' for a search's text"
        )
    return _DEFAULT


def _inputs(request: EmbeddingsRequest) -> dict[str, Any]:
    texts: list[str] = []
    for item in request.input:
        if isinstance(item, str):
            texts.append(item)
        else:
            # There is nothing to leave out here: what remains would be vectors of other inputs.
            strict = msgspec.structs.replace(request, on_unsupported="raise")
            strict.unsupported("input of token ids", "give texts")
    if not any(text.startswith(_IMAGE) for text in texts):
        return {"texts": texts}
    return {"inputs": [{"content": [_part(text)]} for text in texts]}


def _part(text: str) -> dict[str, Any]:
    if text.startswith(_IMAGE):
        return {"type": "image_url", "image_url": {"url": text}}
    return {"type": "text", "text": text}
