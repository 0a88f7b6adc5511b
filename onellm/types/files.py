"""Files that go out: what callers may give, and a form that carries it.

A file is described here and read by the transport, piece by piece, when it is sent.
"""

import io
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import IO, Any, Literal, Protocol, TypeAlias, cast, runtime_checkable

from msgspec import Struct

from onellm.errors import InvalidRequestError


@runtime_checkable
class FilePath(Protocol):
    """`os.PathLike`: `pathlib.Path` and its kin."""

    def __fspath__(self) -> str: ...


FileContent: TypeAlias = bytes | bytearray | memoryview | FilePath | IO[bytes] | AsyncIterable[bytes]
"""Bytes, a path, a file opened in binary mode, or pieces that come one after another."""

FileInput: TypeAlias = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
"""A file, or `(filename, file)`, `(filename, file, content_type)`, `(filename, file, content_type, headers)`."""


class OneShot:
    """A source that can be read once. `begun` once its first piece has been asked for."""

    def __init__(self, source: IO[bytes] | AsyncIterable[bytes]) -> None:
        self._source = source
        self._iterator: AsyncIterator[bytes] | None = None
        self.begun = False

    @property
    def file(self) -> IO[bytes] | None:
        """The source, where it is a file that blocks while it is read."""
        return None if isinstance(self._source, AsyncIterable) else self._source

    async def read(self) -> bytes:
        """The next piece of an asynchronous source; b"" is the end."""
        assert isinstance(self._source, AsyncIterable), "a file is read by whoever has threads"  # noqa: S101
        self.begun = True
        if self._iterator is None:
            self._iterator = aiter(self._source)
        async for piece in self._iterator:
            if piece:
                return piece
        return b""


Source: TypeAlias = bytes | bytearray | memoryview | FilePath | IO[bytes] | OneShot


class InputFile(Struct, frozen=True, kw_only=True):
    """One file on its way out.

    filename:      with its extension: hosts tell the format by it
    content_type:  of the part
    headers:       further headers of the part
    source:        where the bytes come from; a file object is read from its start
    """

    filename: str
    content_type: str
    source: Source
    headers: Mapping[str, str] = {}

    @property
    def extension(self) -> str:
        """What stands after the last dot of the name, in lower case; "" where there is none."""
        return _extension(self.filename)


class Form(Struct, frozen=True, kw_only=True):
    """A multipart/form-data body: plain fields, then files, each under its name and in this order."""

    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, InputFile], ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent: False once a source that gives its bytes once has begun to."""
        return not any(isinstance(file.source, OneShot) and file.source.begun for _, file in self.files)


Kind = Literal["audio", "image"]

# Our own table: that of `mimetypes` is read from files of the machine, and differs from one to the next.
CONTENT_TYPES: dict[str, str] = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "amr": "audio/amr",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mpga": "audio/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "wma": "audio/x-ms-wma",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "webm": "video/webm",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "zip": "application/zip",
}
UNKNOWN_TYPE = "application/octet-stream"

_HEAD = 16  # bytes that tell a format
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"\xff\xf2", "mp3"),
    (b"\xff\xf1", "aac"),
    (b"\xff\xf9", "aac"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"%PDF-", "pdf"),
)
_RIFF = {b"WAVE": "wav", b"WEBP": "webp"}
_FTYP = {b"M4A ": "m4a", b"M4B ": "m4a", b"avif": "avif", b"heic": "heic", b"qt  ": "mov"}


def sniff(head: bytes) -> str | None:
    """The extension that the first bytes of an audio file or an image stand for."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _FTYP.get(head[8:12], "mp4")
    for magic, extension in _MAGIC:
        if head.startswith(magic):
            return extension
    return None


def input_file(given: object, param: str, *, kind: Kind | None = None) -> InputFile:
    """What a caller gave as a file, with a name and a content type.

    With kind, a file that is known to be of another kind is refused, and a name without an extension gets the one
    that the first bytes stand for. A type that cannot be told passes.

    Raises:
        InvalidRequestError: it is no file, or one of another kind. That a path exists is seen when it is opened.
    """
    if isinstance(given, InputFile):
        return given
    name: object = None
    content_type: object = None
    headers: object = None
    content = given
    if isinstance(given, tuple):
        parts = cast("tuple[object, ...]", given)
        if not 2 <= len(parts) <= 4:  # noqa: PLR2004 - as openai's client has it
            raise InvalidRequestError(
                f"{param}: a tuple is (filename, file[, content_type[, headers]]), not {len(parts)} values",
                param=_root(param),
            )
        name, content, content_type, headers = (*parts, None, None)[:4]
    if (name is not None and not isinstance(name, str)) or not (content_type is None or isinstance(content_type, str)):
        raise InvalidRequestError(f"{param}: filename and content type must be texts", param=_root(param))
    source = _source(content, param)
    name = name or _name_of(content)
    extension = _extension(name)
    if not extension and (name == "" or kind is not None) and (found := sniff(_head(source))):
        name, extension = f"{name or 'upload'}.{found}", found
    known = CONTENT_TYPES.get(extension)
    if kind is not None and known is not None and content_type is None and not _is(kind, known):
        raise InvalidRequestError(f"{param}: {name!r} is {known}, not {kind}", param=_root(param))
    return InputFile(
        filename=name or "upload",
        content_type=content_type or known or UNKNOWN_TYPE,
        source=source,
        headers=cast("Mapping[str, str]", headers or {}),
    )


def _root(param: str) -> str:
    """The argument's name in a path such as `image[2]`."""
    return param.partition("[")[0]


def _is(kind: Kind, content_type: str) -> bool:
    family = content_type.partition("/")[0]
    return family == kind or (kind == "audio" and family == "video")  # hosts take the sound of a video


def _source(content: object, param: str) -> Source:
    if isinstance(content, str):
        raise InvalidRequestError(
            f"{param}: a text could be a path or the content; give pathlib.Path({content[:40]!r}), bytes, "
            "or an open file",
            param=_root(param),
        )
    if isinstance(content, bytes | bytearray | FilePath):
        return content
    if isinstance(content, memoryview):
        return content.cast("B")
    if isinstance(content, AsyncIterable):
        return OneShot(cast("AsyncIterable[bytes]", content))
    if isinstance(content, io.TextIOBase):
        raise InvalidRequestError(f'{param}: the file is open as text; open it with "rb"', param=_root(param))
    if callable(getattr(content, "read", None)):
        file = cast("IO[bytes]", content)
        return file if _seekable(file) else OneShot(file)
    kind = type(content).__name__
    raise InvalidRequestError(
        f"{param}: give bytes, a path, or a file opened in binary mode, not {kind}", param=_root(param)
    )


def _seekable(file: IO[bytes]) -> bool:
    seekable: Any = getattr(file, "seekable", None)
    return bool(seekable()) if callable(seekable) else hasattr(file, "seek") and hasattr(file, "tell")


def _name_of(content: object) -> str:
    """The last part of a path, or of the path that an open file has; "" where there is none."""
    path = content.__fspath__() if isinstance(content, FilePath) else getattr(content, "name", "")
    if isinstance(path, bytes):
        path = path.decode("utf-8", "replace")
    return path.replace("\\", "/").rpartition("/")[2] if isinstance(path, str) else ""


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _head(source: Source) -> bytes:
    """The first bytes, where they can be had without opening anything."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source[:_HEAD])
    if isinstance(source, OneShot | FilePath):
        return b""
    source.seek(0)
    head = source.read(_HEAD)
    source.seek(0)
    return head
