"""Documents read by a model: what callers say, and what they get. https://docs.mistral.ai/api/endpoint/ocr

OpenAI has no such call: the names are those that Mistral began with.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Required, TypeAlias

import msgspec
from msgspec import Meta, field
from typing_extensions import TypedDict

from onellm.types.base import Answer, Model
from onellm.types.files import FileInput, InputFile
from onellm.types.options import ModelOptions
from onellm.types.request import Request

Page: TypeAlias = Annotated[int, Meta(ge=0)]


class DocumentUrl(TypedDict, total=False):
    """A document on the web, or one as a data URL."""

    type: Required[Literal["document_url"]]
    document_url: Required[str]
    document_name: str


class ImageUrlObject(TypedDict, total=False):
    """An image's URL, and how closely it is looked at."""

    url: Required[str]
    detail: str


class ImageUrl(TypedDict):
    """An image on the web, or one as a data URL."""

    type: Literal["image_url"]
    image_url: str | ImageUrlObject


class StoredDocument(TypedDict):
    """A file that the provider keeps: `(await client.files.create(..., purpose="ocr")).id`."""

    type: Literal["file"]
    file_id: str


DocumentParam: TypeAlias = DocumentUrl | ImageUrl | StoredDocument
OcrDocument: TypeAlias = str | DocumentParam | FileInput
"""A URL; a dict as the API has it; or a file: a path, bytes, an open file, or `(name, content)`."""


class OcrSchema(TypedDict, total=False):
    """A JSON schema that an annotation has to fit."""

    name: Required[str]
    schema: Required[Mapping[str, Any]]
    description: str | None
    strict: bool | None


class OcrFormat(TypedDict):
    """The form of an annotation, as chat's `response_format` has it."""

    type: Literal["json_schema"]
    json_schema: OcrSchema


class OcrParams(ModelOptions, total=False):
    """Everything `ocr.create` takes beside model and document; None is the same as leaving out.

    pages:                          which, from 0; as numbers, or as a text such as "0,2-4". All where left out
    include_image_base64:           whether `OcrImage.image_base64` holds the images
    image_limit, image_min_size:    the most images of a page; their least width and height in pixels
    bbox_annotation_format:         what is said of each image
    document_annotation_format:     what is said of the whole document; `document_annotation_prompt` says more
    table_format:                   tables apart from the text, as "markdown" or "html"
    extract_header, extract_footer: headers and footers apart from the text
    include_blocks:                 where each paragraph stands
    confidence_scores_granularity:  how sure the model was, of a "page", a "block" or a "word"
    """

    bbox_annotation_format: OcrFormat | None
    confidence_scores_granularity: Literal["word", "page", "block"] | None
    document_annotation_format: OcrFormat | None
    document_annotation_prompt: str | None
    extract_footer: bool | None
    extract_header: bool | None
    image_limit: Annotated[int, Meta(ge=0)] | None
    image_min_size: Annotated[int, Meta(ge=0)] | None
    include_blocks: bool | None
    include_image_base64: bool | None
    pages: Sequence[Page] | str | None
    table_format: Literal["markdown", "html"] | None


class OcrImage(Model, kw_only=True, gc=False):
    """An image on a page, at these pixels of it; the page's markdown names it by its id.

    image_base64:      a data URL, where it was asked for; `content` is its bytes
    image_annotation:  JSON text that fits `bbox_annotation_format`
    """

    id: str = ""
    top_left_x: int | None = None
    top_left_y: int | None = None
    bottom_right_x: int | None = None
    bottom_right_y: int | None = None
    image_base64: str | None = None
    image_annotation: str | None = None

    @property
    def content(self) -> bytes:
        """The image's bytes.

        Raises:
            ValueError: there are none: `include_image_base64=True` asks for them.
        """
        if not self.image_base64:
            raise ValueError(f"image {self.id!r} came without its bytes: ask with include_image_base64=True")
        said = self.image_base64.partition("base64,")[2] or self.image_base64
        try:
            return base64.b64decode(said)
        except binascii.Error as exc:
            raise ValueError(f"image {self.id!r} is not base64: {exc}") from exc


class OcrDimensions(Model, kw_only=True, gc=False):
    """The size of a page's picture, in pixels."""

    dpi: int | None = None
    height: int | None = None
    width: int | None = None


class OcrTable(Model, kw_only=True, gc=False):
    """A table that stands apart from the text, where `table_format` asked for that."""

    id: str = ""
    content: str = ""
    format: str = ""


class OcrBlock(Model, kw_only=True, gc=False):
    """A piece of a page, such as a "title", "text" or "table", at these pixels of it."""

    type: str = ""
    content: str | None = None
    top_left_x: int | None = None
    top_left_y: int | None = None
    bottom_right_x: int | None = None
    bottom_right_y: int | None = None


class OcrPage(Model, kw_only=True, gc=False):
    """One page. `index` is its place in the document, from 0."""

    index: int = 0
    markdown: str = ""
    images: list[OcrImage] = field(default_factory=list[OcrImage])
    tables: list[OcrTable] | None = None
    hyperlinks: list[str] | None = None
    header: str | None = None
    footer: str | None = None
    dimensions: OcrDimensions | None = None
    blocks: list[OcrBlock] | None = None
    confidence_scores: dict[str, Any] | None = None


class OcrUsage(Model, kw_only=True, gc=False):
    """What is billed: pages."""

    pages_processed: int = 0
    doc_size_bytes: int | None = None


class OcrResponse(Answer, kw_only=True, gc=False):
    """A document's pages, in their order.

    document_annotation:  JSON text that fits `document_annotation_format`; `annotation` is what it says
    """

    model: str = ""
    pages: list[OcrPage] = field(default_factory=list[OcrPage])
    document_annotation: str | None = None
    usage_info: OcrUsage | None = None

    @property
    def markdown(self) -> str:
        """The text of all pages, a blank line between two."""
        return "\n\n".join(page.markdown for page in self.pages)

    @property
    def annotation(self) -> Any:
        """The annotation as Python values; None where there is none.

        Raises:
            ValueError: it is not JSON.
        """
        return None if self.document_annotation is None else msgspec.json.decode(self.document_annotation)


class OcrRequest(Request, kw_only=True):
    """A validated call. The document is as the API has it, or a file."""

    document: dict[str, Any] | InputFile
    params: dict[str, Any]
