"""Images: what callers say, and what they get. https://platform.openai.com/docs/api-reference/images"""

from base64 import b64decode
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Required, TypeAlias

from msgspec import Meta, field
from typing_extensions import TypedDict

from onellm.errors import ResponseDecodeError, UnsupportedFeatureError
from onellm.types.base import Answer, Model
from onellm.types.chat import Seconds
from onellm.types.files import FileInput, FilePath, InputFile
from onellm.types.options import ModelOptions
from onellm.types.request import Request


class SvgReasoning(TypedDict, total=False):
    """How hard the model that draws thinks."""

    effort: str | None


class Svg(TypedDict, total=False):
    """Which model draws an SVG."""

    model: Required[str]
    reasoning: SvgReasoning | None


class SvgEdit(TypedDict, total=False):
    """Which model redraws an SVG, where not the one that it was drawn by."""

    model: str
    reasoning: SvgReasoning | None


class _ImageParams(ModelOptions, total=False):
    """What `images.generate` and `images.edit` both take."""

    background: str | None
    complexity: str | None
    frame_count: Annotated[int, Meta(ge=2, le=16)] | None
    frame_duration_ms: Annotated[int, Meta(ge=1)] | None
    n: Annotated[int, Meta(ge=1)] | None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None
    output_format: str | None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None
    quality: str | None
    response_format: Literal["url", "b64_json"] | None
    safety_identifier: str | None
    size: str | None
    user: str | None


class ImageParams(_ImageParams, total=False):
    """Everything `images.generate` takes beside model, prompt and stream; None is the same as leaving out.

    size: "auto" or "<width>x<height>" in pixels
    """

    moderation: Literal["low", "auto"] | None
    style: str | None
    svg: Svg | None


class ImageEditParams(_ImageParams, total=False):
    """Everything `images.edit` takes beside model, image, mask, markup, prompt and stream."""

    input_fidelity: Literal["high", "low"] | None
    svg: SvgEdit | None


class ImageVariationParams(ModelOptions, total=False):
    """Everything `images.create_variation` takes beside model and image."""

    n: Annotated[int, Meta(ge=1)] | None
    response_format: Literal["url", "b64_json"] | None
    size: str | None
    user: str | None


ImageInput: TypeAlias = FileInput | Sequence[FileInput]
"""One file, or a list of files."""


class ImageTokensDetails(Model, kw_only=True, gc=False):
    """What the tokens stand for."""

    image_tokens: int = 0
    text_tokens: int = 0


class ImageUsage(Model, kw_only=True, gc=False):
    """Tokens billed."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: ImageTokensDetails | None = None
    output_tokens_details: ImageTokensDetails | None = None


class Image(Model, kw_only=True, gc=False):
    """One image: in base64, or at a URL that is good for some time. media_type is said by few hosts."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None
    media_type: str | None = None

    @property
    def content(self) -> bytes:
        """The image itself, decoded anew each time.

        Raises:
            UnsupportedFeatureError: there is only a URL; nothing is downloaded unasked.
            ResponseDecodeError: it is not base64.
        """
        encoded = self.b64_json
        if encoded is None and self.url is not None and self.url.startswith("data:"):
            encoded = self.url.partition(",")[2]
        if encoded is None:
            where = f"stands at {self.url}" if self.url else "is not in the answer"
            raise UnsupportedFeatureError(
                f'the image {where}; ask with response_format="b64_json" for its bytes, or download it yourself'
            )
        try:
            return b64decode(encoded, validate=True)
        except ValueError as exc:
            raise ResponseDecodeError(f"the image is not base64: {exc}") from exc

    def save(self, path: str | FilePath) -> None:
        """Write the image to a file. Blocks while it does.

        Raises:
            UnsupportedFeatureError, ResponseDecodeError: as `content` has it; no file is made.
        """
        content = self.content
        with open(path, "wb") as file:  # noqa: PTH123 - any PathLike
            file.write(content)


class ImagesResponse(Answer, kw_only=True, gc=False):
    """The images, and how they were made."""

    created: Seconds = 0
    data: list[Image] = field(default_factory=list[Image])
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    usage: ImageUsage | None = None


class _ImageEvent(Answer, kw_only=True, gc=False):
    """An image in base64, and how it was made."""

    b64_json: str = ""
    created_at: Seconds = 0
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None

    @property
    def image(self) -> Image:
        """The image, to be saved or decoded."""
        return Image(b64_json=self.b64_json)


class ImagePartialEvent(_ImageEvent, kw_only=True, gc=False):
    """An image that is not finished. Fewer of them than asked for is normal."""

    type: Literal["image_generation.partial_image", "image_edit.partial_image"] = "image_generation.partial_image"
    partial_image_index: int = 0


class ImageCompletedEvent(_ImageEvent, kw_only=True, gc=False):
    """A finished image."""

    type: Literal["image_generation.completed", "image_edit.completed"] = "image_generation.completed"
    usage: ImageUsage | None = None


ImageStreamEvent: TypeAlias = ImagePartialEvent | ImageCompletedEvent


class ImageRequest(Request, kw_only=True):
    """A validated call for images.

    prompt:  None for a variation
    images:  the images to work from; none to make new ones
    single:  the caller gave one image and no list, and so it is sent
    mask, markup:  what of the first image may change
    """

    prompt: str | None = None
    images: list[InputFile] = field(default_factory=list[InputFile])
    single: bool = True
    mask: InputFile | None = None
    markup: InputFile | None = None
    params: dict[str, Any]
