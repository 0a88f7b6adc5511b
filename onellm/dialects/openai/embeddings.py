"""Embeddings in OpenAI's shape. https://platform.openai.com/docs/api-reference/embeddings"""

import sys
from array import array
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.params import refuse, rename
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.embeddings import CreateEmbeddingResponse, Embedding, EmbeddingsRequest, EmbeddingUsage


class _Vector(Struct, gc=False):
    """base64 is decoded by msgspec itself; a host that ignores `encoding_format` answers floats."""

    embedding: bytes | list[float] = b""
    index: int | None = None


class _Response(Struct, gc=False):
    data: list[_Vector]
    model: str = ""
    usage: EmbeddingUsage | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Response, strict=False).decode


class OpenAIEmbeddings(Struct, frozen=True, kw_only=True):
    """Embeddings. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    max_inputs:  inputs in one request (OpenAI: 2048)
    base64:      whether vectors can be asked for in base64: little-endian float32, a quarter of the bytes
    refuses:     arguments that the host does not take, each with the reason
    renames:     arguments that the host knows by another name
    """

    path: str = "embeddings"
    max_inputs: int = 2048
    base64: bool = True
    refuses: Mapping[str, str] = {}
    renames: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        params = {key: value for key, value in request.params.items() if key != "encoding_format"}
        refuse(params, self.refuses, request)
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
        return HttpRequest(path=self.path, body=_encode(body))

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        try:
            wire = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            value = lenient.decode_json(body, "an embeddings answer")
            if isinstance(value, dict) and value.get("error"):  # pyright: ignore[reportUnknownMemberType] - JSON
                raise self.decode_error(200, {}, body, now=0.0) from exc
            raise ResponseDecodeError(f"not an embeddings answer: {exc}", body=body[:2000]) from exc
        if len(wire.data) != len(request.input):
            raise ResponseDecodeError(
                f"{len(wire.data)} vectors came for {len(request.input)} inputs", body=body[:2000]
            )
        data = [
            Embedding(index=place if item.index is None else item.index, embedding=_floats(item.embedding))
            for place, item in enumerate(wire.data)
        ]
        data.sort(key=_index)
        return CreateEmbeddingResponse(data=data, model=wire.model, usage=wire.usage or EmbeddingUsage(), raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _index(item: Embedding) -> int:
    return item.index


def _floats(vector: bytes | list[float]) -> "array[float]":
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
