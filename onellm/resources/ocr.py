"""`ocr`: documents read by a model."""

# pyright: reportUnnecessaryIsInstance=false, reportUnknownArgumentType=false
# What callers give may be anything.

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import msgspec
from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.types.files import CONTENT_TYPES, UNKNOWN_TYPE, InputFile, input_file
from onellm.types.ocr import DocumentUrl, ImageUrl, OcrDocument, OcrParams, OcrRequest, OcrResponse, StoredDocument

if TYPE_CHECKING:
    from onellm.providers.protocols import OcrProvider

_KINDS = {"document_url": DocumentUrl, "image_url": ImageUrl, "file": StoredDocument}


class AsyncOcr:
    """Documents and images as text."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(self, *, model: str, document: OcrDocument, **params: Unpack[OcrParams]) -> OcrResponse:
        """Read a document, or an image, page by page.

        model is "provider/model". A text is a URL, which the provider fetches; a path, bytes or an open file goes
        into the request; `{"type": "file", "file_id": …}` is a file that the provider keeps. `reply.markdown` is the
        whole text; with `document_annotation_format`, `reply.annotation` is what its JSON schema asks for.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        name, own_model = self._core.split(model)
        given = validation.params(cast("dict[str, Any]", params), OcrParams, "ocr.create")
        bound = self._core.require(name, "ocr")
        options = self._core.options(bound, given)
        request = OcrRequest(
            provider=name,
            model=own_model,
            document=_document(document),
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        provider = cast("OcrProvider", bound.provider)
        return await options.send(provider.create_ocr, request)


def _document(given: object) -> dict[str, Any] | InputFile:
    if isinstance(given, str):
        return _by_url(given)
    if isinstance(given, Mapping):
        return _checked(dict(given))
    file = input_file(given, "document")
    if file.content_type == UNKNOWN_TYPE:
        raise InvalidRequestError(
            f"document: what {file.filename!r} is cannot be told; give (filename, content), such as "
            '("scan.pdf", content)',
            param="document",
        )
    return file


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """A document as the API has it; what it has beside the fields that are known goes along."""
    kind = _KINDS.get(given.get("type", ""))
    if kind is None:
        raise InvalidRequestError(
            f"document.type: one of {', '.join(_KINDS)}, not {given.get('type')!r}", param="document"
        )
    try:
        msgspec.convert(given, kind)
    except msgspec.ValidationError as exc:
        raise InvalidRequestError(f"document: {exc}", param="document") from None
    return given


def _by_url(url: str) -> dict[str, Any]:
    """The URL as what its ending says: an image, or else a document."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() not in {"http", "https", "data"}:
        raise InvalidRequestError(
            f"document: {url[:60]!r} is not a URL; a file of yours is pathlib.Path({url[:60]!r})", param="document"
        )
    if scheme.lower() == "data":
        image = rest.lower().startswith("image/")
    else:
        extension = urlsplit(url).path.rpartition(".")[2].lower()
        image = CONTENT_TYPES.get(extension, "").startswith("image/")
    return {"type": "image_url", "image_url": url} if image else {"type": "document_url", "document_url": url}
