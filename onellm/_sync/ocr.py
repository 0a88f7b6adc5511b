# GENERATED from onellm/resources/ocr.py by onellm._sync.generate. Do not edit: run make sync.

"""`ocr`: documents read by a model."""

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm.resources.ocr import AsyncOcr
from onellm.types.ocr import OcrDocument, OcrParams, OcrResponse


class Ocr:
    """Documents and images as text."""

    def __init__(self, held: AsyncOcr) -> None:
        self._async = held

    def create(self, *, model: str, document: OcrDocument, **params: Unpack[OcrParams]) -> OcrResponse:
        """Read a document, or an image, page by page.

        model is "provider/model". A text is a URL, which the provider fetches; a path, bytes or an open file goes
        into the request; `{"type": "file", "file_id": …}` is a file that the provider keeps. `reply.markdown` is the
        whole text; with `document_annotation_format`, `reply.annotation` is what its JSON schema asks for.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.create(model=model, document=document, **params))
