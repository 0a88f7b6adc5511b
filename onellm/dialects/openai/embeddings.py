"""Embeddings in OpenAI's shape. https://platform.openai.com/docs/api-reference/embeddings"""

import sys
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


class _Vector(Struct, gc=False):
    """base64 is decoded by msgspec itself; a host that ignores `encoding_format` answers floats."""

    embedding: bytes | list[float]
    index: int | None = None


class _Response(Struct, gc=False):
    data: list[_Vector]
    model: str | None = None
    usage: Any = None


_decode = msgspec.json.Decoder(_Response, strict=False).decode


class OpenAIEmbeddings(Struct, frozen=True, kw_only=True):
    """Embeddings. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    max_inputs:  inputs in one request (OpenAI: 2048)
    max_tokens:  tokens of all inputs of one request, where that is bounded (OpenAI: 300,000)
    base64:      whether vectors can be asked for in base64: little-endian float32, a quarter of the bytes
    refuses:     arguments that the host does not take, each with the reason
    renames:     arguments that the host knows by another name
    input_types: the host's words for `input_type`; those that are not there it does not know
    """

    path: str = "embeddings"
    max_inputs: int = 2048
    max_tokens: int | None = None
    base64: bool = True
    refuses: Mapping[str, str] = {}
    renames: Mapping[str, str] = {}
    input_types: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        params = {key: value for key, value in request.params.items() if key != "encoding_format"}
        refuse(params, self.refuses, request)
        if (purpose := params.pop("input_type", None)) is not None:
            if purpose in self.input_types:
                params["input_type"] = self.input_types[purpose]
            else:
                takes = ", ".join(map(repr, sorted(self.input_types))) or "none"
                request.unsupported(f"input_type={purpose!r}", f"of input types it takes {takes}")
        rename(params, self.renames, request)
        body: dict[str, Any] = {
            "model": request.model,
            "input": request.input[0] if request.single else request.input,
            **params,
        }
        wanted = request.params.get("encoding_format")
        if self.base64:  # on the wire, whatever the caller gets: the vectors are the same
            body["encoding_format"] = wanted or "base64"
        elif wanted == "float":
            body["encoding_format"] = wanted
        if request.extra_body:
            body.update(request.extra_body)
        return HttpRequest(path=self.path, body=encode_json(body))

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        try:
            wire = _decode(body)
        except DECODE_ERRORS as exc:
            if errors.is_error(lenient.decode_json(body, "an embeddings answer")):
                raise self.decode_error(200, {}, body, now=0.0) from exc
            raise ResponseDecodeError(f"not an embeddings answer: {exc}", body=body[:2000]) from exc
        if len(wire.data) != len(request.input):
            if errors.is_error(lenient.decode_json(body, "an embeddings answer")):
                raise self.decode_error(200, {}, body, now=0.0)
            raise ResponseDecodeError(
                f"{len(wire.data)} vectors came for {len(request.input)} inputs", body=body[:2000]
            )
        data = [
            Embedding(index=index, embedding=_floats(item.embedding))
            for index, item in zip(_places(wire.data), wire.data, strict=True)
        ]
        data.sort(key=_index)
        usage = EmbeddingUsage()
        if isinstance(wire.usage, dict):
            usage = lenient.convert(wire.usage, EmbeddingUsage, "a usage")  # pyright: ignore[reportUnknownMemberType] - JSON
        return CreateEmbeddingResponse(data=data, model=wire.model or "", usage=usage, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _index(item: Embedding) -> int:
    return item.index


def _places(data: list[_Vector]) -> list[int]:
    """Whose vector each is. Some hosts send no index, or the same one with each: theirs come in order."""
    said = {item.index for item in data}
    if len(said) == 1:
        return list(range(len(data)))
    if said != set(range(len(data))):
        raise ResponseDecodeError(f"the indexes of {len(data)} vectors are not 0 to {len(data) - 1}, each once")
    return [item.index or 0 for item in data]


def _floats(vector: bytes | list[float]) -> "array[float]":
    if not vector:
        raise ResponseDecodeError("a vector is empty")
    if isinstance(vector, list):
        return array("f", vector)
    floats = array("f")
    try:
        floats.frombytes(vector)
    except ValueError as exc:
        raise ResponseDecodeError(f"a vector of {len(vector)} bytes is no float32 vector") from exc
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
