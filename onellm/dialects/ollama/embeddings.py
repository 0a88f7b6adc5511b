"""Embeddings of the API. https://docs.ollama.com/api/embed"""

from array import array
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.embeddings import CreateEmbeddingResponse, Embedding, EmbeddingsRequest, EmbeddingUsage


class _Response(Struct, gc=False):
    model: str | None = None
    embeddings: list[list[float]] | None = None
    prompt_eval_count: int | None = None


_decode = msgspec.json.Decoder(_Response, strict=False).decode
_REFUSES = {
    "input_type": "its models expect what the text is for in the text itself, as their cards say",
    "user": "its API does not have it",
}


class OllamaEmbeddings(Struct, frozen=True, kw_only=True):
    """Embeddings. A text that is too long is cut, unless `extra_body={"truncate": False}`.

    path:        joined to the base URL
    max_inputs:  inputs in one request; the API has no bound, but a request of more takes long
    max_tokens:  tokens of all inputs of one request, where that is bounded
    codes:       as in chat
    """

    path: str = "api/embed"
    max_inputs: int = 512
    max_tokens: int | None = None
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        params = {name: value for name, value in request.params.items() if name != "encoding_format"}
        refuse(params, _REFUSES, request)
        if not all(isinstance(text, str) for text in request.input):
            request.unsupported("input as token ids", "give texts")
        given: Any = request.input[0] if request.single else request.input
        body: dict[str, Any] = {"model": request.model, "input": given, **params, **(request.extra_body or {})}
        return HttpRequest(path=self.path, body=encode_json(body))

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        try:
            wire = _decode(body)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not an embeddings answer: {exc}", body=body[:2000]) from exc
        vectors = wire.embeddings
        if vectors is None:
            if errors.is_error(lenient.decode_json(body, "an embeddings answer")):
                raise self.decode_error(200, {}, body, now=0.0)
            raise ResponseDecodeError("not an embeddings answer: it has no embeddings", body=body[:2000])
        if len(vectors) != len(request.input):
            raise ResponseDecodeError(f"{len(vectors)} vectors came for {len(request.input)} inputs", body=body[:2000])
        if not all(vectors):
            raise ResponseDecodeError("a vector is empty", body=body[:2000])
        tokens = wire.prompt_eval_count or 0
        return CreateEmbeddingResponse(
            data=[Embedding(index=index, embedding=array("f", vector)) for index, vector in enumerate(vectors)],
            model=wire.model or request.model,
            usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
            raw=body,
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)
