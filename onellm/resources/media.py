"""Images, sound and documents as parts of a message: from a path, bytes, an address or a file's id.

The type is told by the first bytes, never by the name alone. Reading a path blocks: an event loop that must not wait
calls `await asyncio.to_thread(onellm.image, path)`.
"""

import base64
import binascii
import os
from pathlib import Path, PurePath
from typing import Literal, TypeAlias, overload
from urllib.parse import unquote_to_bytes

from onellm.errors import InvalidRequestError
from onellm.types.chat_params import FilePartParam, ImagePartParam, ImageUrl, InputAudioPartParam
from onellm.types.files import CONTENT_TYPES, sniff

MediaSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview
"""A path, bytes, a `data:` URL, or the URL of what the provider fetches."""

_MB = 1 << 20
_ADDRESSES = ("https://", "http://")
_BUCKETS = ("gs://", "s3://")
_AUDIO = {"aac", "flac", "m4a", "mp3", "mp4", "ogg", "wav", "webm"}
# Formats that share their first bytes with others of their family: there the name may say which one it is.
_ZIPPED = ("docx", "pptx", "xlsx")
_TEXTS = ("csv", "html", "json", "jsonl", "md", "txt", "xml")


@overload
def image(
    source: MediaSource,
    *,
    detail: Literal["auto", "low", "high", "original"] | None = None,
    max_bytes: int = 20 * _MB,
) -> ImagePartParam: ...


@overload
def image(*, file_id: str) -> FilePartParam: ...


def image(
    source: MediaSource | None = None,
    *,
    file_id: str | None = None,
    detail: Literal["auto", "low", "high", "original"] | None = None,
    max_bytes: int = 20 * _MB,
) -> ImagePartParam | FilePartParam:
    """An image as a part of a message. A URL is passed on as it is; whether it is fetched is up to the provider.

    file_id:    of an image that the provider keeps, in place of a source
    detail:     how closely OpenAI's models look
    max_bytes:  a larger one is refused

    Raises:
        InvalidRequestError: there is no such file, it is too large, or it is no image.
    """
    if file_id is not None:
        return _kept(source, file_id, "image.png")  # by such a name hosts tell it from a document
    if isinstance(source, str) and source.startswith((*_ADDRESSES, *_BUCKETS)):
        url = source
    else:
        content, _ = _read(source, "image", max_bytes)
        extension = sniff(content[:16])
        kind = CONTENT_TYPES.get(extension or "", "")
        if not kind.startswith("image/"):
            raise InvalidRequestError(f"image: {_called(kind)}; png, jpeg, gif and webp are known", param="image")
        url = _data_url(kind, content)
    part: ImageUrl = {"url": url}
    if detail is not None:
        part["detail"] = detail
    return {"type": "image_url", "image_url": part}


def audio(source: MediaSource, *, max_bytes: int = 25 * _MB) -> InputAudioPartParam:
    """Sound as a part of a message; providers take it as bytes only.

    Raises:
        InvalidRequestError: there is no such file, it is too large, it is no sound, or it is a URL.
    """
    if isinstance(source, str) and source.startswith((*_ADDRESSES, *_BUCKETS)):
        raise InvalidRequestError("audio: a URL is not fetched here; give the bytes or a path", param="audio")
    content, _ = _read(source, "audio", max_bytes)
    extension = sniff(content[:16])
    if extension not in _AUDIO:
        kind = CONTENT_TYPES.get(extension or "", "")
        raise InvalidRequestError(f"audio: {_called(kind)}; {', '.join(sorted(_AUDIO))} are known", param="audio")
    data = base64.b64encode(content).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": extension}}


def document(
    source: MediaSource | None = None,
    *,
    file_id: str | None = None,
    filename: str | None = None,
    max_bytes: int = 32 * _MB,
) -> FilePartParam:
    """A document as a part of a message: a PDF, an office file or a text.

    file_id:    of a file that the provider keeps (`client.files.create`), in place of a source
    filename:   what the model is told it is called; a path has its own
    max_bytes:  a larger one is refused

    Raises:
        InvalidRequestError: there is no such file, it is too large, or its type cannot be told.
    """
    if file_id is not None:
        return _kept(source, file_id, filename)
    if isinstance(source, str) and source.startswith(_BUCKETS):
        return _kept(None, source, filename)
    if isinstance(source, str) and source.startswith(_ADDRESSES):
        named = filename or PurePath(source.partition("?")[0].partition("#")[0]).name or "document"
        return {"type": "file", "file": {"file_data": source, "filename": named}}
    content, name = _read(source, "document", max_bytes)
    name = filename or name
    extension = _document_type(content, name)
    data = _data_url(CONTENT_TYPES[extension], content)
    return {"type": "file", "file": {"file_data": data, "filename": name or f"document.{extension}"}}


def _kept(source: object, file_id: str, filename: str | None) -> FilePartParam:
    if source is not None:
        raise InvalidRequestError("give a source or a file_id, not both", param="file_id")
    if not file_id:
        raise InvalidRequestError("file_id is empty", param="file_id")
    if filename is None:
        return {"type": "file", "file": {"file_id": file_id}}
    return {"type": "file", "file": {"file_id": file_id, "filename": filename}}


def _document_type(content: bytes, name: str) -> str:
    """The extension of what the bytes are; the name counts only among what they allow."""
    said = name.rpartition(".")[2].lower() if "." in name else ""
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.startswith(b"PK\x03\x04") and said in _ZIPPED:
        return said
    found = sniff(content[:16])
    if found is None and b"\0" not in content:
        try:
            content.decode()
        except UnicodeDecodeError:
            pass  # of a type that is not known here
        else:
            return said if said in _TEXTS else "txt"
    known = f"pdf, {', '.join(_ZIPPED)} by their names, and texts in UTF-8 are known"
    raise InvalidRequestError(f"document: {_called(CONTENT_TYPES.get(found or '', ''))}; {known}", param="document")


def _read(source: MediaSource | None, param: str, max_bytes: int) -> tuple[bytes, str]:
    """The bytes of a source, and its file name where it has one."""
    if isinstance(source, str) and source.startswith("data:"):
        content, name = _of_data_url(source, param), ""
    elif isinstance(source, bytes | bytearray | memoryview):
        content, name = bytes(source), ""
    elif isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        content, name = _of_path(path, param, max_bytes), PurePath(path).name
    else:
        raise InvalidRequestError(f"{param}: give a path, bytes or a URL, not {type(source).__name__}", param=param)
    if len(content) > max_bytes:
        raise _too_large(param, f"{len(content)} bytes", max_bytes)
    if not content:
        raise InvalidRequestError(f"{param}: it is empty", param=param)
    return content, name


def _of_path(path: str, param: str, max_bytes: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise InvalidRequestError(f"{param}: {path!r} cannot be read: {reason}", param=param) from exc
    if len(content) > max_bytes:
        raise _too_large(param, f"{path!r}", max_bytes)
    return content


def _of_data_url(url: str, param: str) -> bytes:
    head, comma, data = url.partition(",")
    if not comma:
        raise InvalidRequestError(f"{param}: not a data: URL: it has no comma", param=param)
    try:
        if head.endswith(";base64"):
            return base64.b64decode(unquote_to_bytes(data), validate=True)
        return unquote_to_bytes(data)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(f"{param}: not a data: URL: {exc}", param=param) from exc


def _too_large(param: str, what: str, max_bytes: int) -> InvalidRequestError:
    return InvalidRequestError(
        f"{param}: {what} is more than max_bytes={max_bytes}; make it smaller, or upload it and give its file_id",
        param=param,
    )


def _called(kind: str) -> str:
    return f"its first bytes are those of {kind}" if kind else "its first bytes are of no type that is known here"


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
