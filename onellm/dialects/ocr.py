"""Documents read by a model, in the one shape that there is for it."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.files import InputFile, sniff
from onellm.types.ocr import OcrRequest, OcrResponse

_HEAD = 16  # bytes that tell a format
_decode = msgspec.json.Decoder(OcrResponse, strict=False).decode


class Ocr(Struct, frozen=True, kw_only=True):
    """Pages out of documents and images. A file must be bytes when it is encoded: it goes as a data URL."""

    path: str = "ocr"
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: OcrRequest) -> HttpRequest:
        params = dict(request.params)
        refuse(params, self.refuses, request)
        document = request.document
        body: dict[str, Any] = {
            "model": request.model,
            "document": _as_data(document) if isinstance(document, InputFile) else document,
            **params,
            **(request.extra_body or {}),
        }
        return HttpRequest(path=self.path, body=encode_json(body))

    def decode_response(self, body: bytes, request: OcrRequest) -> OcrResponse:  # noqa: ARG002 - the answer says all
        if is_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        if b'"pages"' not in body:
            raise ResponseDecodeError("not a document that was read: it has no pages", body=body[:2000])
        try:
            reply = _decode(body)
        except DECODE_ERRORS:
            what = "a document that was read"
            reply = lenient.convert(lenient.decode_json(body, what), OcrResponse, what)
        reply.raw = body
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _as_data(file: InputFile) -> dict[str, Any]:
    """The file in the body: images and documents have a part each."""
    source = file.source
    assert isinstance(source, bytes | bytearray | memoryview), "read before it is encoded"  # noqa: S101
    url = f"data:{file.content_type};base64,{b64encode(source).decode()}"
    if file.content_type.startswith("image/"):
        return {"type": "image_url", "image_url": url}
    named = {"document_name": file.filename} if file.filename != f"upload.{sniff(bytes(source[:_HEAD]))}" else {}
    return {"type": "document_url", "document_url": url, **named}
