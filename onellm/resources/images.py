"""`images`. https://platform.openai.com/docs/api-reference/images"""

from typing import TYPE_CHECKING, Any, Literal, cast, overload

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.policy.execute import Options
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.resources.streams import AsyncAnswerStream
from onellm.types.files import FileInput, InputFile, input_file
from onellm.types.images import (
    ImageEditParams,
    ImageInput,
    ImageParams,
    ImageRequest,
    ImagesResponse,
    ImageStreamEvent,
    ImageVariationParams,
)

if TYPE_CHECKING:
    from onellm.providers.protocols import ImageEditProvider, ImageProvider, ImageVariationProvider


class AsyncImageStream(AsyncAnswerStream[ImageStreamEvent, ImagesResponse]):
    """Images as they are made, to be used like a streamed chat answer: in `async with`.

    `partial_images` says how many unfinished ones are wanted. A host that does not stream gives the finished alone.
    """

    async def get_final_images(self) -> ImagesResponse:
        """The finished images, as they would have come without `stream=True`; reads what has not been read."""
        return await self.get_final()


class AsyncImages:
    """Images from words and other images."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @overload
    async def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: Literal[False] | None = None,
        **params: Unpack[ImageParams],
    ) -> ImagesResponse: ...

    @overload
    async def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: Literal[True],
        **params: Unpack[ImageParams],
    ) -> AsyncImageStream: ...

    @overload
    async def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: bool | None = None,
        **params: Unpack[ImageParams],
    ) -> ImagesResponse | AsyncImageStream: ...

    async def generate(
        self,
        *,
        model: str,
        prompt: str,
        stream: bool | None = None,
        **params: Unpack[ImageParams],
    ) -> ImagesResponse | AsyncImageStream:
        """Draw what the prompt says, whole or with `stream=True` as it is drawn.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        request, found, options = _prepare(
            self._core, "images", "images.generate", model, cast("dict[str, Any]", params), ImageParams
        )
        request.prompt = validation.text(prompt, "prompt")
        provider = cast("ImageProvider", found)
        if stream:
            return AsyncImageStream(await options.send(provider.stream_images, request))
        return await options.send(provider.generate_images, request)

    @overload
    async def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: Literal[False] | None = None,
        **params: Unpack[ImageEditParams],
    ) -> ImagesResponse: ...

    @overload
    async def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: Literal[True],
        **params: Unpack[ImageEditParams],
    ) -> AsyncImageStream: ...

    @overload
    async def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: bool | None = None,
        **params: Unpack[ImageEditParams],
    ) -> ImagesResponse | AsyncImageStream: ...

    async def edit(
        self,
        *,
        model: str,
        image: ImageInput,
        prompt: str,
        mask: FileInput | None = None,
        markup: FileInput | None = None,
        stream: bool | None = None,
        **params: Unpack[ImageEditParams],
    ) -> ImagesResponse | AsyncImageStream:
        """Change an image, or make one out of several. A mask is clear where the first image may change; a
        markup has strokes that show what to change.

        Files are given as for `audio.transcriptions`; several as a list.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        if mask is not None and markup is not None:
            raise InvalidRequestError("markup: give a mask or a markup, not both", param="markup")
        request, found, options = _prepare(
            self._core, "image_edits", "images.edit", model, cast("dict[str, Any]", params), ImageEditParams
        )
        request.prompt = validation.text(prompt, "prompt")
        request.images, request.single = _images(image)
        request.mask = None if mask is None else input_file(mask, "mask", kind="image")
        request.markup = None if markup is None else input_file(markup, "markup", kind="image")
        provider = cast("ImageEditProvider", found)
        if stream:
            return AsyncImageStream(await options.send(provider.stream_image_edits, request))
        return await options.send(provider.edit_images, request)

    async def create_variation(
        self,
        *,
        model: str,
        image: FileInput,
        **params: Unpack[ImageVariationParams],
    ) -> ImagesResponse:
        """Draw an image again, differently. OpenAI has retired this; hosts of your own may serve it.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        request, found, options = _prepare(
            self._core,
            "image_variations",
            "images.create_variation",
            model,
            cast("dict[str, Any]", params),
            ImageVariationParams,
        )
        request.images = [input_file(image, "image", kind="image")]
        provider = cast("ImageVariationProvider", found)
        return await options.send(provider.vary_image, request)


def _prepare(  # noqa: PLR0917 - what the three calls share
    core: Core, operation: str, call: str, model: str, params: dict[str, Any], known: Any
) -> tuple[ImageRequest, object, Options]:
    name, own_model = core.split(model)
    given = validation.params(params, known, call)
    bound = core.require(name, operation)
    options = core.options(bound, given)
    request = ImageRequest(
        provider=name,
        model=own_model,
        params=given,
        extra_body=options.extra_body,
        on_unsupported=options.on_unsupported,
    )
    return request, bound.provider, options


def _images(given: ImageInput) -> tuple[list[InputFile], bool]:
    if not isinstance(given, list):  # a tuple is one file with its name
        return [input_file(given, "image", kind="image")], True
    if not given:
        raise InvalidRequestError("image is empty: give at least one file", param="image")
    return [input_file(image, f"image[{place}]", kind="image") for place, image in enumerate(given)], False
