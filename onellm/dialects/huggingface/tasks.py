"""Tasks: one model, one address, `inputs` and `parameters` in, and whatever the task gives out.

https://huggingface.co/docs/inference-providers/tasks/index
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Answers are JSON of any shape, taken apart by patterns that prove what they use.

import re
from array import array
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.dialects.openai.images import OpenAIImages
from onellm.dialects.openai.speech import OpenAISpeech
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, ResponseDecodeError, UnsupportedFeatureError
from onellm.types.audio import (
    AnyTranscription,
    SpeechRequest,
    Transcription,
    TranscriptionRequest,
    TranscriptionSegment,
    TranscriptionVerbose,
)
from onellm.types.embeddings import CreateEmbeddingResponse, Embedding, EmbeddingsRequest
from onellm.types.images import Image, ImageRequest, ImagesResponse
from onellm.types.request import Request

_LACKS = "the task does not have it"
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp", b"GIF8": "image/gif"}

_vectors = msgspec.json.Decoder(list[list[float]], strict=False).decode


def encode_task(path: str, hosted_at: str, request: Request, inputs: Any, parameters: dict[str, Any]) -> HttpRequest:
    """The request of a task; `parameters` of the caller's own body are added to ours."""
    extra = dict(request.extra_body or {})
    own = extra.pop("parameters", None)
    if isinstance(own, dict):
        parameters = {**parameters, **own}
    body: dict[str, Any] = {"inputs": inputs, **({"parameters": parameters} if parameters else {}), **extra}
    return HttpRequest(
        path=with_model(path, request.model), hosted_at=with_model(hosted_at, request.model), body=encode_json(body)
    )


class FeatureExtraction(Struct, frozen=True, kw_only=True):
    """Embeddings as a bare list of vectors, without a count of tokens.

    path, hosted_at:  see `HttpRequest`; `{model}` stands for the model
    max_inputs:       inputs in one request
    max_tokens:       tokens of all inputs of one request, where that is bounded
    dimensions:       whether the host shortens vectors
    codes:            the host's own error codes
    """

    path: str = "embed"
    hosted_at: str = ""
    max_inputs: int = 32
    max_tokens: int | None = None
    dimensions: bool = True
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: EmbeddingsRequest) -> HttpRequest:
        params = {name: value for name, value in request.params.items() if name != "encoding_format"}
        hint = 'a model has its own prompts: name one with extra_body={"prompt_name": …}'
        refuses = {"input_type": hint, "user": _LACKS, **({} if self.dimensions else {"dimensions": _LACKS})}
        refuse(params, refuses, request)
        if not all(isinstance(item, str) for item in request.input):
            # There is nothing to leave out here: what remains would be vectors of other inputs.
            strict = msgspec.structs.replace(request, on_unsupported="raise")
            strict.unsupported("input of token ids", "give texts")
        body = {"inputs": list(request.input), **params, **(request.extra_body or {})}
        return HttpRequest(
            path=with_model(self.path, request.model),
            hosted_at=with_model(self.hosted_at, request.model),
            body=encode_json(body),
        )

    def decode_response(self, body: bytes, request: EmbeddingsRequest) -> CreateEmbeddingResponse:
        try:
            vectors = _vectors(body)
        except DECODE_ERRORS as exc:
            self._not_vectors(body, exc)
        if len(vectors) != len(request.input):
            raise ResponseDecodeError(f"{len(vectors)} vectors came for {len(request.input)} inputs", body=body[:2000])
        if not all(vectors):
            raise ResponseDecodeError("a vector is empty", body=body[:2000])
        return CreateEmbeddingResponse(
            data=[Embedding(index=index, embedding=array("f", vector)) for index, vector in enumerate(vectors)],
            model=request.model,
            raw=body,
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def _not_vectors(self, body: bytes, exc: Exception) -> NoReturn:
        value = lenient.decode_json(body, "a list of vectors")
        if errors.is_error(value):
            raise self.decode_error(200, {}, body, now=0.0) from None
        match value:
            case [[[_, *_], *_], *_]:
                why = "this model gives a vector for each token, and no pooled one"
            case _:
                why = str(exc)
        raise ResponseDecodeError(f"not a list of vectors: {why}", body=body[:2000]) from exc


class TextToImage(OpenAIImages, frozen=True, kw_only=True):
    """One image a request, which is the body of the answer."""

    hosted_at: str = ""

    def encode_request(self, request: ImageRequest) -> HttpRequest:
        params = dict(request.params)
        form = params.pop("response_format", None)
        if form == "url":
            request.unsupported("response_format='url'", "the image comes as bytes")
        parameters: dict[str, Any] = {}
        size = params.get("size")
        if size is not None and (found := _SIZE.match(size)):
            parameters = {"width": int(found[1]), "height": int(found[2])}
        if parameters or size == "auto":
            del params["size"]
        refuse(params, dict.fromkeys(params, _LACKS), request)
        return encode_task(self.path, self.hosted_at, request, request.prompt or "", parameters)

    def encode_stream(self, request: ImageRequest) -> HttpRequest:
        raise _no_stream(request, "images")

    def decode_response(self, body: bytes, request: ImageRequest) -> ImagesResponse:
        if body.lstrip()[:1] in {b"{", b"["}:
            value = lenient.decode_json(body, "an image")
            if errors.is_error(value):
                raise self.decode_error(200, {}, body, now=0.0)
            raise ResponseDecodeError(f"{request.provider} did not answer with an image", body=body[:2000])
        if not body:
            raise ResponseDecodeError(f"{request.provider} answered with nothing")
        kind = next((kind for head, kind in _IMAGES.items() if body.startswith(head)), None)
        return ImagesResponse(data=[Image(b64_json=b64encode(body).decode(), media_type=kind)])


class SpeechRecognition(OpenAITranscriptions, frozen=True, kw_only=True):
    """The recording is the body; with parameters it stands in JSON. It must have been read when it is encoded."""

    hosted_at: str = ""

    def encode_request(self, request: TranscriptionRequest) -> HttpRequest:
        params = dict(request.params)
        refuse(params, dict.fromkeys(params, _LACKS), request)
        if request.format not in {None, "json", "text", "verbose_json"}:
            request.unsupported(f"response_format={request.format!r}", "it answers with text, and with segments")
        source = request.file.source
        content = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else b""
        if request.format != "verbose_json" and not request.extra_body:
            return HttpRequest(
                path=with_model(self.path, request.model),
                hosted_at=with_model(self.hosted_at, request.model),
                body=content,
                headers={"Content-Type": request.file.content_type},
            )
        parameters = {"return_timestamps": True} if request.format == "verbose_json" else {}
        return encode_task(self.path, self.hosted_at, request, b64encode(content).decode(), parameters)

    def encode_stream(self, request: TranscriptionRequest) -> HttpRequest:
        raise _no_stream(request, "transcriptions")

    def decode_response(self, body: bytes, request: TranscriptionRequest) -> AnyTranscription:
        match lenient.decode_json(body, "a transcription"):
            case {"text": str() as text, **rest}:
                pass
            case value if errors.is_error(value):
                raise self.decode_error(200, {}, body, now=0.0)
            case _:
                raise ResponseDecodeError("not a transcription: it has no text", body=body[:2000])
        if request.format != "verbose_json":
            return Transcription(text=text, raw=body)
        chunks = rest.get("chunks")
        listed = chunks if isinstance(chunks, list) else []
        segments = [_segment(item) for item in listed if isinstance(item, dict)]
        return TranscriptionVerbose(text=text, task="transcribe", segments=segments, raw=body)


class TextToSpeech(OpenAISpeech, frozen=True, kw_only=True):
    """The audio is the body of the answer, in the model's own format and voice."""

    hosted_at: str = ""

    def encode_request(self, request: SpeechRequest) -> HttpRequest:
        params = dict(request.params)
        refuse(params, dict.fromkeys(params, _LACKS), request)
        if request.voice is not None:
            request.unsupported("voice", 'a model has its own: name one in extra_body={"parameters": {…}}')
        return encode_task(self.path, self.hosted_at, request, request.input, {})

    def encode_stream(self, request: SpeechRequest) -> HttpRequest:
        raise _no_stream(request, "speech")


def _no_stream(request: Request, what: str) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(f"{request.provider} does not stream {what}", provider=request.provider)


def _segment(item: dict[str, Any]) -> TranscriptionSegment:
    match item.get("timestamp"):
        case [start, end]:
            pass
        case _:
            start = end = None
    return TranscriptionSegment(
        start=float(start) if isinstance(start, int | float) else 0.0,
        end=float(end) if isinstance(end, int | float) else 0.0,
        text=str(item.get("text") or ""),
    )
