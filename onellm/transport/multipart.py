"""multipart/form-data (RFC 7578) as it is sent: files are read in pieces, off the event loop, and never held whole.

Not aiohttp's `FormData`: it percent-encodes names that are not ASCII where browsers and `openai`'s client send UTF-8,
cannot be sent twice, and says nothing of a file that changes while it is sent.
"""

import asyncio
import io
import os
import secrets
from collections.abc import Callable, Sequence
from typing import IO

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from onellm.errors import APIConnectionError, InvalidRequestError
from onellm.types.files import FilePath, Form, InputFile, OneShot

PIECE = 512 << 10  # bytes read at a time: a hop to a thread costs 50 us
_SMALL = 64 << 10  # pieces below this are joined with what stands around them

_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # as browsers do: HTML, 4.10.21.8
_HEADER_BREAKERS = frozenset("\r\n\0")


class FormBody(Payload):
    """A form with its files open. It is sent once; `release` closes what it opened."""

    def __init__(self, form: Form, opened: Sequence[IO[bytes] | None], progress: Callable[[], object]) -> None:
        boundary = secrets.token_hex(16)
        super().__init__(form, content_type=f"multipart/form-data; boundary={boundary}")
        self._progress = progress
        self._owned = [file for file in opened if file is not None]
        begin = f"--{boundary}\r\n"
        self._fields = "".join(
            f'{begin}Content-Disposition: form-data; name="{name.translate(_QUOTED)}"\r\n\r\n{value}\r\n'
            for name, value in form.fields
        ).encode()
        self._parts = [
            (_part_head(begin, name, file), _open_source(name, file, own), name)
            for (name, file), own in zip(form.files, opened, strict=True)
        ]
        self._end = f"--{boundary}--\r\n".encode()
        size = len(self._fields) + len(self._end)
        for head, source, _ in self._parts:
            if source.size is None:
                break
            size += len(head) + source.size + 2
        else:
            self._size = size
        self.failure: Exception | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it; called by aiohttp, in a task of its own."""
        try:
            waiting = bytearray(self._fields)
            for head, source, name in self._parts:
                waiting += head
                left = source.size
                while piece := await self._read(source, left, name):
                    left = None if left is None else left - len(piece)
                    if len(piece) < _SMALL:
                        waiting += piece
                        piece = b""
                    if piece or len(waiting) >= _SMALL:
                        await writer.write(bytes(waiting))
                        waiting.clear()
                        if piece:
                            await writer.write(piece)
                        self._progress()
                waiting += b"\r\n"
            await writer.write(bytes(waiting + self._end))
            self._progress()
        finally:
            self.release()

    async def _read(self, source: "_Source", left: int | None, name: str) -> bytes | memoryview:
        if left == 0:
            return b""
        try:
            piece = await source.read(PIECE if left is None else min(PIECE, left))
            _check(piece, left, name)
        except Exception as exc:
            self.failure = exc
            raise
        return piece

    def release(self) -> None:
        """Close the files that were opened for it."""
        while self._owned:
            self._owned.pop().close()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - aiohttp's signature
        """A form is bytes, and not all at hand."""
        raise TypeError("a form cannot be decoded")


async def open_form(form: Form, progress: Callable[[], object]) -> FormBody:
    """Open the files of a form. `progress` is called whenever a piece has been handed on.

    Raises:
        InvalidRequestError: a file is not there, or cannot be read.
    """
    if not any(isinstance(file.source, FilePath) for _, file in form.files):
        return FormBody(form, [None] * len(form.files), progress)
    opening = asyncio.get_running_loop().run_in_executor(None, _open_paths, form)
    try:
        opened = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise
    return FormBody(form, opened, progress)


def _paths(form: Form) -> list[str]:
    """The arguments that the files are: those of a list, whose field is `image[]`, by their places: `image[1]`."""
    names = [name for name, _ in form.files]
    return [
        f"{name.removesuffix('[]')}[{names[:place].count(name)}]" if name.endswith("[]") else name
        for place, name in enumerate(names)
    ]


def _open_paths(form: Form) -> list[IO[bytes] | None]:
    opened: list[IO[bytes] | None] = []
    try:
        for name, file in zip(_paths(form), (file for _, file in form.files), strict=True):
            opened.append(_open(name, file.source) if isinstance(file.source, FilePath) else None)
    except BaseException:
        _close(opened)
        raise
    return opened


def _open(name: str, path: FilePath) -> IO[bytes]:
    try:
        return open(path, "rb")  # noqa: PTH123 - any PathLike; closed by the form
    except FileNotFoundError as exc:
        raise InvalidRequestError(
            f"{name}: there is no file {os.fspath(path)!r}", param=name.partition("[")[0]
        ) from exc
    except OSError as exc:
        raise InvalidRequestError(
            f"{name}: {os.fspath(path)!r} cannot be read: {exc.strerror or exc}", param=name.partition("[")[0]
        ) from exc


def _close(opened: Sequence[IO[bytes] | None]) -> None:
    for file in opened:
        if file is not None:
            file.close()


def _close_unwanted(opening: "asyncio.Future[list[IO[bytes] | None]]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close(opening.result())


def _part_head(begin: str, name: str, file: InputFile) -> bytes:
    names = f'name="{name.translate(_QUOTED)}"; filename="{file.filename.translate(_QUOTED)}"'
    lines = [
        f"Content-Disposition: form-data; {names}",
        *(f"{header}: {value}" for header, value in file.headers.items()),
    ]
    if not any(header.lower() == "content-type" for header in file.headers):
        lines.append(f"Content-Type: {file.content_type}")
    for line in lines:
        if _HEADER_BREAKERS & set(line):
            raise InvalidRequestError(f"{name}: a header of the file holds a line end", param=name)
    return (begin + "\r\n".join(lines) + "\r\n\r\n").encode()


def _check(piece: object, left: int | None, name: str) -> None:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise InvalidRequestError(f"{name}: the file gives {type(piece).__name__} where bytes are needed", param=name)
    if left and not piece:
        raise APIConnectionError(f"{name}: the file became shorter while it was sent")


class _Bytes:
    """What is in memory, handed on in slices: a transport copies what it cannot send at once."""

    def __init__(self, content: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(content).cast("B")
        self._at = 0
        self.size: int | None = len(self._view)

    async def read(self, size: int) -> bytes | memoryview:
        piece = self._view[self._at : self._at + size]
        self._at += len(piece)
        return piece


class _File:
    """A file that blocks, read in a thread, from its start where it has one to go back to."""

    def __init__(self, file: IO[bytes], size: int | None, one_shot: OneShot | None = None) -> None:
        self._file = file
        self._one_shot = one_shot
        self._begun = False
        self.size = size

    async def read(self, size: int) -> bytes | memoryview:
        if isinstance(self._file, io.BytesIO):
            return self._read(size)
        return await asyncio.get_running_loop().run_in_executor(None, self._read, size)

    def _read(self, size: int) -> bytes:
        if not self._begun:
            self._begun = True
            if self._one_shot is not None:
                self._one_shot.begun = True
            elif self.size is not None:
                self._file.seek(0)
        return self._file.read(size)


class _Pieces:
    """Pieces that come by themselves."""

    size: int | None = None

    def __init__(self, source: OneShot) -> None:
        self._source = source

    async def read(self, size: int) -> bytes | memoryview:  # noqa: ARG002 - they come as they are
        return await self._source.read()


_Source = _Bytes | _File | _Pieces


def _open_source(name: str, file: InputFile, own: IO[bytes] | None) -> _Source:
    source = file.source
    if own is not None:
        size = os.fstat(own.fileno()).st_size
        return _File(own, size if own.seekable() else None)
    if isinstance(source, bytes | bytearray | memoryview):
        return _Bytes(source)
    if isinstance(source, OneShot):
        return _Pieces(source) if source.file is None else _File(source.file, None, source)
    assert not isinstance(source, FilePath), "opened before"  # noqa: S101
    try:
        return _File(source, source.seek(0, os.SEEK_END))
    except (OSError, ValueError) as exc:  # closed, above all
        raise InvalidRequestError(f"{name}: the file cannot be read: {exc}", param=name.partition("[")[0]) from exc
