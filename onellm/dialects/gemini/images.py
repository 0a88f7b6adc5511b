"""Images: generateContent of models that draw, and `predict` of models that do nothing else.

https://ai.google.dev/gemini-api/docs/image-generation and https://ai.google.dev/gemini-api/docs/imagen
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from math import gcd
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai.images import ImageReducer
from onellm.errors import APIStatusError, ContentFilterError, InvalidRequestError, ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.chat_params import ChatRequest
from onellm.types.images import Image, ImageRequest, ImagesResponse, ImageUsage

_SIZE = re.compile(r"^(\d+)x(\d+)$")
_SIDES = (
    (1024, "1K"),
    (2048, "2K"),
    (4096, "4K"),
)  # https://ai.google.dev/gemini-api/docs/image-generation#aspect_ratios
_RATIOS = frozenset({"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"})
_LACKS = "its API does not have it"


class _Prediction(Struct, gc=False):
    bytesBase64Encoded: str | None = None  # noqa: N815 - the wire's names
    mimeType: str | None = None  # noqa: N815
    prompt: str | None = None
    raiFilteredReason: str | None = None  # noqa: N815


class _Predictions(Struct, gc=False):
    predictions: list[_Prediction] | None = None


_decode = msgspec.json.Decoder(_Predictions, strict=False).decode


class GeminiImages(Struct, frozen=True, kw_only=True):
    """New images and edits. A streamed call is answered whole.

    chat:        how the call is written
    predicting:  parts of a model's id, of which one means `predict`
    """

    chat: GeminiChat
    predicting: tuple[str, ...] = ()

    @property
    def inline(self) -> bool:
        return True

    def encode_request(self, request: ImageRequest) -> HttpRequest:
        for name, file in (("mask", request.mask), ("markup", request.markup)):
            if file is not None:
                request.unsupported(name, _LACKS)
        params = dict(request.params)
        if params.pop("response_format", None) == "url":
            request.unsupported("response_format='url'", "images come as base64")
        ratio, side = _shape(params.pop("size", None), request)
        if self.predicts(request.model):
            method, body = "predict", _predicted(request, params, ratio, side)
        else:
            method, body = "generateContent", _drawn(request, params, ratio, side)
        for name in params:
            request.unsupported(name, _LACKS)
        body |= request.extra_body or {}
        return HttpRequest(path=self.chat.path(request.model, method), body=encode_json(body))

    def encode_stream(self, request: ImageRequest) -> HttpRequest:
        return self.encode_request(request)

    def predicts(self, model: str) -> bool:
        return any(part in model for part in self.predicting)

    def decode_response(self, body: bytes, request: ImageRequest) -> ImagesResponse:
        if self.predicts(request.model):
            return _predictions(body)
        asked = ChatRequest(provider=request.provider, model=request.model, messages=[], params={})
        reply = self.chat.decode_response(body, asked)
        images: list[Image] = []
        for choice in reply.choices:
            for image in choice.message.images or ():
                head, _, data = image.image_url.url.partition(";base64,")
                said = choice.message.content
                images.append(Image(b64_json=data, media_type=head.removeprefix("data:"), revised_prompt=said))
        if not images:
            first = reply.choices[0]
            why = first.finish_reason_raw or "no reason"
            kind = ContentFilterError if first.finish_reason == "content_filter" else ResponseDecodeError
            raise kind(f"no image came: {why}; {first.message.content or 'without a word'}", code=why, body=body)
        used = reply.usage
        counted = (
            None
            if used is None
            else ImageUsage(
                input_tokens=used.prompt_tokens,
                output_tokens=used.completion_tokens,
                total_tokens=used.total_tokens,
            )
        )
        return ImagesResponse(created=reply.created, data=images, usage=counted, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)

    def reducer(self, request: ImageRequest, *, max_event_bytes: int) -> ImageReducer:
        return ImageReducer(request, {}, SseDecoder(max_event_bytes=max_event_bytes))


def _shape(size: str | None, request: ImageRequest) -> tuple[str | None, str | None]:
    """The ratio of the sides, and the size of the longer one, in the API's words.

    Raises:
        InvalidRequestError: a size that is none.
    """
    if size is None or size == "auto":
        return None, None
    found = _SIZE.match(size)
    if found is None or not (int(found[1]) and int(found[2])):
        raise InvalidRequestError(f'size must be "auto" or such as "1024x1024", not {size!r}', param="size")
    width, height = int(found[1]), int(found[2])
    by = gcd(width, height)
    ratio = f"{width // by}:{height // by}"
    if ratio == "7:3":
        ratio = "21:9"
    if ratio not in _RATIOS:
        request.unsupported(f"size={size!r}", f"the sides must be as {', '.join(sorted(_RATIOS))}")
        return None, None
    side = next((name for limit, name in _SIDES if max(width, height) <= limit), "4K")
    request.adjustments.append(f"sent size={size!r} as {ratio}" + ("" if side == "1K" else f", {side}"))
    return ratio, None if side == "1K" else side


def _drawn(request: ImageRequest, params: dict[str, Any], ratio: str | None, side: str | None) -> dict[str, Any]:
    if params.get("n", 1) == 1:
        params.pop("n", None)
    parts: list[dict[str, Any]] = [{"text": request.prompt}] if request.prompt else []
    for image in request.images:
        source = image.source
        assert isinstance(source, bytes), "read before it is encoded"  # noqa: S101
        parts.append({"inlineData": {"mimeType": image.content_type, "data": b64encode(source).decode()}})
    config: dict[str, Any] = {"responseModalities": ["TEXT", "IMAGE"]}
    if shape := ({"aspectRatio": ratio} if ratio else {}) | ({"imageSize": side} if side else {}):
        config["imageConfig"] = shape
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def _predicted(request: ImageRequest, params: dict[str, Any], ratio: str | None, side: str | None) -> dict[str, Any]:
    if request.images:
        request.unsupported("image", "this model makes new images only")
    parameters: dict[str, Any] = {"sampleCount": params.pop("n", 1)}
    if ratio:
        parameters["aspectRatio"] = ratio
    if side:
        parameters["sampleImageSize"] = side
    output: dict[str, Any] = {}
    if (form := params.pop("output_format", None)) is not None:
        output["mimeType"] = f"image/{form}"
    if (quality := params.pop("output_compression", None)) is not None:
        output["compressionQuality"] = quality
    if output:
        parameters["outputOptions"] = output
    return {"instances": [{"prompt": request.prompt}], "parameters": parameters}


def _predictions(body: bytes) -> ImagesResponse:
    """The images; one that was filtered is not among them.

    Raises:
        ContentFilterError: all were.
        ResponseDecodeError: it is no such answer.
    """
    what = "an answer with images"
    try:
        wire = _decode(body)
    except DECODE_ERRORS:
        wire = lenient.convert(lenient.decode_json(body, what), _Predictions, what)
    found = wire.predictions or []
    images = [
        Image(b64_json=each.bytesBase64Encoded, media_type=each.mimeType, revised_prompt=each.prompt)
        for each in found
        if each.bytesBase64Encoded
    ]
    if not images:
        reasons = "; ".join(each.raiFilteredReason for each in found if each.raiFilteredReason)
        if reasons:
            raise ContentFilterError(f"all images were filtered: {reasons}", body=body)
        raise ResponseDecodeError(f"not {what}: no image came", body=body[:2000])
    return ImagesResponse(data=images, raw=body)
