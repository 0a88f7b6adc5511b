"""Content parts as blocks of the Messages API."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Parts are JSON of any shape.

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from onellm.dialects import data_url
from onellm.errors import InvalidRequestError
from onellm.types.chat_params import ChatRequest

_IMAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_BESIDE = ("title", "context", "citations", "cache_control")  # what a part may carry for its block


class PartEncoder:
    """Encodes the parts of one call. cites: documents are to be cited; urls, files: the host fetches what has a URL,
    and keeps files.
    """

    def __init__(self, request: ChatRequest, *, cites: bool, urls: bool, files: bool) -> None:
        self._request = request
        self._cites = cites
        self._urls = urls
        self._files = files

    def blocks(self, content: Any, where: str) -> list[dict[str, Any]]:
        """A message's content. Empty texts are left out: the API refuses them."""
        if content is None or isinstance(content, str):
            return [{"type": "text", "text": content}] if content else []
        found = [self._block(part, f"{where}.content[{number}]") for number, part in enumerate(content)]
        return [block for block in found if block is not None]

    def _block(self, part: dict[str, Any], where: str) -> dict[str, Any] | None:
        match part:
            case {"type": "text", "text": str() as text}:
                return self._beside(part, {"type": "text", "text": text}) if text else None
            case {"type": "refusal", "refusal": str() as text}:
                return {"type": "text", "text": text} if text else None
            case {"type": "image_url", "image_url": image}:
                return self._image(part, image if isinstance(image, Mapping) else {"url": image}, where)
            case {"type": "file", "file": file}:
                return self._file(part, file, where)
            case {"type": "input_audio"}:
                self._request.unsupported(where, "it takes no sound", feature="audio_input_support")
                return None
            case _:
                return part  # one of the API's own

    def _image(self, part: Mapping[str, Any], image: Mapping[str, Any], where: str) -> dict[str, Any] | None:
        if image.get("detail") not in (None, "auto"):
            self._request.adjustments.append(f"left the detail of {where} out")
        url: str = image["url"]
        if data_url.is_data_url(url):
            media_type, data = _split(url, where)
            source = {"type": "base64", "media_type": media_type, "data": data}
        elif self._fetches(where):
            source = {"type": "url", "url": url}
        else:
            return None
        return self._beside(part, {"type": "image", "source": source})

    def _file(self, part: Mapping[str, Any], file: Mapping[str, Any], where: str) -> dict[str, Any] | None:
        name: str = file.get("filename") or ""
        given: str = file.get("file_data") or ""
        if file_id := file.get("file_id"):
            kind = "image" if name.lower().endswith(_IMAGE_NAMES) else "document"
            return (
                self._document(part, {"type": "file", "file_id": file_id}, name, kind) if self._keeps(where) else None
            )
        if given.startswith(("https://", "http://")):
            return self._document(part, {"type": "url", "url": given}, name) if self._fetches(where) else None
        if not data_url.is_data_url(given):
            raise InvalidRequestError(
                f'{where}.file: give a file_id, or file_data as "data:application/pdf;base64,…"', param="messages"
            )
        media_type, data = _split(given, where)
        if media_type.startswith("image/"):
            return self._beside(part, {"type": "image", "source": _base64(media_type, data)})
        if media_type == "application/pdf":
            return self._document(part, _base64(media_type, data), name)
        if media_type.startswith("text/") or media_type == "application/json":
            source = {"type": "text", "media_type": "text/plain", "data": _text(data, where)}
            return self._document(part, source, name)
        self._request.unsupported(where, f"it takes PDFs, texts and images, and no {media_type}")
        return None

    def _document(
        self, part: Mapping[str, Any], source: dict[str, Any], name: str, kind: str = "document"
    ) -> dict[str, Any]:
        block: dict[str, Any] = {"type": kind, "source": source}
        if kind == "document":
            if name:
                block["title"] = name
            if self._cites:
                block["citations"] = {"enabled": True}
        return self._beside(part, block)

    def _keeps(self, where: str) -> bool:
        if not self._files:
            self._request.unsupported(f"{where}.file.file_id", "it keeps no files: give file_data")
        return self._files

    def _fetches(self, where: str) -> bool:
        if not self._urls:
            self._request.unsupported(where, "it fetches no URLs: send the bytes as a data: URL")
        return self._urls

    def _beside(self, part: Mapping[str, Any], block: dict[str, Any]) -> dict[str, Any]:
        return block | {name: part[name] for name in _BESIDE if part.get(name) is not None}


def _base64(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": data}


def _split(url: str, where: str) -> tuple[str, str]:
    """The media type and the base64 of a `data:` URL.

    Raises:
        InvalidRequestError: it does not say what it holds.
    """
    found = data_url.parse(url)
    if found is None or not found.media_type:
        raise InvalidRequestError(f"{where}: a data: URL must be data:<type>;base64,<data>", param="messages")
    return found.media_type, found.data


def _text(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise InvalidRequestError(
            f"{where}: the document is no text in base64 and UTF-8: {exc}", param="messages"
        ) from exc
