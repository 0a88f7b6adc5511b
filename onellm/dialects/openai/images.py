"""Images in OpenAI's shape: new ones, edits and variations.

https://platform.openai.com/docs/api-reference/images
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.form import encode_fields
from onellm.dialects.lenient import encode_json
from onellm.dialects.openai import events
from onellm.dialects.openai.events import EventReducer
from onellm.dialects.params import OMIT, refuse, rename
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import Seconds
from onellm.types.files import Form, InputFile
from onellm.types.images import (
    Image,
    ImageCompletedEvent,
    ImagePartialEvent,
    ImageRequest,
    ImagesResponse,
    ImageStreamEvent,
    ImageUsage,
)

_SIZE = re.compile(r"^(\d+)x(\d+)$")


class Sizes(Struct, frozen=True, kw_only=True):
    """Which sizes a host takes beside "auto"; pixels.

    longest:  the most of the longer side
    pixels:   the most of both sides multiplied
    ratio:    the most that the longer side may be of the shorter
    """

    longest: int
    pixels: int
    ratio: float


class _Event(Struct, gc=False):
    type: str = ""
    b64_json: str = ""
    created_at: Seconds | None = None
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    partial_image_index: int | None = None
    usage: ImageUsage | None = None


_response = msgspec.json.Decoder(ImagesResponse, strict=False)
_event = msgspec.json.Decoder(_Event, strict=False)


class OpenAIImages(Struct, frozen=True, kw_only=True):
    """New images. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:          joined to the base URL
    max_n:         the most images of one call; 0: not known
    sizes:         which sizes the host takes; None: not known
    values:        values of an argument that the host spells differently; None: it has no such value; OMIT: it does
                   that anyway
    inline:        whether images to work from are sent in JSON, as data URLs, and not in a form
    max_images:    how many images one call may work from
    file_types:    extensions of images that the host takes; empty: any
    renames, refuses, codes:  as in chat
    """

    path: str = "images/generations"
    max_n: int = 0
    sizes: Sizes | None = None
    values: Mapping[str, Mapping[str, str | None]] = {}
    inline: bool = False
    max_images: int = 16
    file_types: frozenset[str] = frozenset()
    renames: Mapping[str, str] = {}
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: ImageRequest) -> HttpRequest:
        return self._encode(request, {})

    def encode_stream(self, request: ImageRequest) -> HttpRequest:
        return self._encode(request, {"stream": True})

    def _encode(self, request: ImageRequest, stream: dict[str, Any]) -> HttpRequest:
        body: dict[str, Any] = {"model": request.model}
        if request.prompt is not None:
            body["prompt"] = request.prompt
        body |= self.encode_params(request) | stream
        if not request.images:
            return HttpRequest(path=self.path, body=encode_json(body | dict(request.extra_body or {})))
        self._check_images(request)
        if self.inline:
            body |= _inline(request)
            return HttpRequest(path=self.path, body=encode_json(body | dict(request.extra_body or {})))
        name = "image" if request.single else "image[]"
        files = [(name, image) for image in request.images]
        files += [
            (name, file) for name, file in (("mask", request.mask), ("markup", request.markup)) if file is not None
        ]
        fields = encode_fields(body | dict(request.extra_body or {}))
        return HttpRequest(path=self.path, form=Form(fields=fields, files=tuple(files)))

    def encode_params(self, request: ImageRequest) -> dict[str, Any]:
        """The arguments under the host's names, checked against what it takes."""
        params = dict(request.params)
        self._check(params, request)
        refuse(params, self.refuses, request)
        for name, spelling in self.values.items():
            given = params.get(name)
            if given is None or given not in spelling:
                continue
            spelled = spelling[given]
            if spelled is None:
                request.unsupported(f"{name}={given!r}", f"it takes other values of {name}")
                del params[name]
            elif spelled == OMIT:
                del params[name]
                request.adjustments.append(f"left out {name}={given!r}, which is what it does")
            else:
                params[name] = spelled
                request.adjustments.append(f"sent {name}={given!r} as {spelled!r}")
        rename(params, self.renames, request)
        return params

    def _check(self, params: Mapping[str, Any], request: ImageRequest) -> None:
        count = params.get("n")
        if count is not None and self.max_n and count > self.max_n:
            raise InvalidRequestError(
                f"n: {request.provider} makes at most {self.max_n} images, not {count}", param="n"
            )
        size = params.get("size")
        if size is None or size == "auto":
            return
        found = _SIZE.match(size)
        width, height = (int(found[1]), int(found[2])) if found else (0, 0)
        if not (width and height):
            if found or self.sizes is not None:
                raise InvalidRequestError(f'size must be "auto" or such as "1024x1024", not {size!r}', param="size")
            return  # a word that the host may know
        limit = self.sizes
        if limit is not None and (
            max(width, height) > limit.longest
            or width * height > limit.pixels
            or max(width, height) > limit.ratio * min(width, height)
        ):
            raise InvalidRequestError(
                f"size: {request.provider} takes at most {limit.longest} pixels a side, {limit.pixels} in all and "
                f"{limit.ratio:g} times as long as wide, not {size!r}",
                param="size",
            )

    def _check_images(self, request: ImageRequest) -> None:
        if len(request.images) > self.max_images:
            raise InvalidRequestError(
                f"image: {request.provider} takes at most {self.max_images} images, not {len(request.images)}",
                param="image",
            )
        for place, image in enumerate(request.images):
            if self.file_types and image.extension and image.extension not in self.file_types:
                where = "image" if request.single else f"image[{place}]"
                raise InvalidRequestError(
                    f"{where}: {request.provider} does not take .{image.extension} files, only "
                    f"{', '.join(sorted(self.file_types))}",
                    param="image",
                )

    def decode_response(self, body: bytes, request: ImageRequest) -> ImagesResponse:
        if events.has_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        reply = events.decode(body, _response, "an answer with images")
        if not reply.data and b'"data"' not in body:
            raise ResponseDecodeError(f"{request.provider} did not answer with images", body=body[:2000])
        reply.raw = body
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: ImageRequest, *, max_event_bytes: int) -> "ImageReducer":
        return ImageReducer(request, self.codes, SseDecoder(max_event_bytes=max_event_bytes))


class ImageReducer(EventReducer[ImageStreamEvent, ImagesResponse]):
    """Folds a stream of images. It ends with as many finished images as were asked for."""

    def __init__(self, request: ImageRequest, codes: Mapping[str, type[APIStatusError]], decoder: SseDecoder) -> None:
        super().__init__(request, codes, decoder)
        self._wanted = int(request.params.get("n") or 1)
        self._done: list[ImageCompletedEvent] = []

    def read(self, data: bytes) -> list[ImageStreamEvent]:
        wire = events.decode(data, _event, "an event of an image")
        match wire.type:
            case "image_generation.partial_image" | "image_edit.partial_image":
                return [
                    ImagePartialEvent(
                        type=wire.type,
                        b64_json=wire.b64_json,
                        created_at=wire.created_at or 0,
                        background=wire.background,
                        output_format=wire.output_format,
                        quality=wire.quality,
                        size=wire.size,
                        partial_image_index=wire.partial_image_index or 0,
                        raw=data,
                    )
                ]
            case "image_generation.completed" | "image_edit.completed":
                done = ImageCompletedEvent(
                    type=wire.type,
                    b64_json=wire.b64_json,
                    created_at=wire.created_at or 0,
                    background=wire.background,
                    output_format=wire.output_format,
                    quality=wire.quality,
                    size=wire.size,
                    usage=wire.usage,
                    raw=data,
                )
                self._done.append(done)
                self.finished = len(self._done) >= self._wanted
                return [done]
            case _:
                return []

    def end(self) -> list[ImageStreamEvent]:
        self.finished = bool(self._done)
        return []

    def read_whole(self, reply: ImagesResponse) -> list[ImageStreamEvent]:
        """What a host says that does not stream this model: finished images."""
        done = [
            ImageCompletedEvent(
                b64_json=image.b64_json or "",
                created_at=reply.created,
                background=reply.background,
                output_format=reply.output_format,
                quality=reply.quality,
                size=reply.size,
                usage=reply.usage,
            )
            for image in reply.data
        ]
        self._done = done
        self.finished = True
        return list[ImageStreamEvent](done)

    def whole(self) -> ImagesResponse:
        last = self._done[-1] if self._done else ImageCompletedEvent()
        return ImagesResponse(
            created=last.created_at,
            data=[Image(b64_json=event.b64_json) for event in self._done],
            background=last.background,
            output_format=last.output_format,
            quality=last.quality,
            size=last.size,
            usage=last.usage,
        )


def _inline(request: ImageRequest) -> dict[str, Any]:
    """The images to work from, in JSON."""
    for name, file in (("mask", request.mask), ("markup", request.markup)):
        if file is not None:
            request.unsupported(name, "its API does not have it")
    images = [{"type": "image_url", "url": _data_url(image)} for image in request.images]
    return {"image": images[0]} if len(images) == 1 else {"images": images}


def _data_url(image: InputFile) -> str:
    source = image.source
    assert isinstance(source, bytes), "read before it is encoded"  # noqa: S101
    return f"data:{image.content_type};base64,{b64encode(source).decode()}"
