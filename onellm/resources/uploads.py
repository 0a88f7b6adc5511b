"""Large files, sent in parts."""

import asyncio
import contextlib
import io
import os
import threading
from collections.abc import AsyncGenerator
from typing import IO, TYPE_CHECKING

from onellm.errors import InvalidRequestError, OneLLMError, ResponseDecodeError
from onellm.types.file_objects import FileObject, FileRequest
from onellm.types.files import FilePath, InputFile, OneShot, Source
from onellm.types.headers import head_of

if TYPE_CHECKING:
    from onellm.policy.execute import Options
    from onellm.providers.base import Call
    from onellm.providers.protocols import UploadProvider

_AT_ONCE = 4  # parts
_TELLING = 2.0  # seconds in which the provider is told that an upload was given up; later it expires there


async def size_of(file: InputFile) -> int | None:
    """Bytes; None where only reading tells.

    Raises:
        InvalidRequestError: there is no such file.
    """
    source = file.source
    if isinstance(source, OneShot):
        return None
    if isinstance(source, bytes | bytearray | memoryview):
        return len(source)
    return await asyncio.to_thread(_size, source)


def _size(source: FilePath | IO[bytes]) -> int:
    try:
        return os.stat(source).st_size if isinstance(source, FilePath) else source.seek(0, os.SEEK_END)  # noqa: PTH116
    except (OSError, ValueError) as exc:
        raise InvalidRequestError(f"file: it cannot be read: {exc}", param="file") from exc


async def send_in_parts(  # noqa: PLR0917 - what the call is made of
    provider: "UploadProvider", request: FileRequest, size: int, part_size: int, options: "Options", asked: bool
) -> FileObject:
    """Send a file in parts, some at once; their order is kept. Where that fails or is cancelled, so is the upload.

    A part that may have arrived is sent again without harm: only those count that are named at the end. What waits
    for the provider to hear of the end waits `_TELLING` seconds at most, and not at all once it is cancelled again.
    """
    options = options.begun()
    call = options.call
    upload = await options.send_making(provider.create_upload, request, size, asked=asked)
    try:
        async with _parts(request.file, size, part_size) as parts:
            ids = await _send(provider, upload.id, parts, options)
        done = await options.send_making(provider.complete_upload, upload.id, ids, asked=asked)
    except (Exception, asyncio.CancelledError):  # raised on; the begun upload is not left with the provider
        # A task of its own: the caller's is cancelled, perhaps, and may be once more.
        telling = asyncio.create_task(_tell(provider, upload.id, call))
        _under_way.add(telling)
        telling.add_done_callback(_under_way.discard)
        await asyncio.shield(telling)
        raise
    if done.file is None:
        raise ResponseDecodeError(f"upload {upload.id} ended without a file", provider=done.provider, body=done.raw)
    done.file.provider, done.file.request_id = done.provider, done.request_id
    done.file.head = head_of(done)
    return done.file


_under_way: "set[asyncio.Task[None]]" = set()  # a loop holds its tasks weakly


async def _tell(provider: "UploadProvider", upload_id: str, call: "Call") -> None:
    with contextlib.suppress(OneLLMError, TimeoutError):
        async with asyncio.timeout(_TELLING):
            await provider.cancel_upload(upload_id, call)


async def _send(provider: "UploadProvider", upload_id: str, parts: list[InputFile], options: "Options") -> list[str]:
    ids = [""] * len(parts)
    waiting = iter(enumerate(parts))

    async def work() -> None:
        for place, part in waiting:
            sent = await options.send(provider.add_upload_part, upload_id, part)
            ids[place] = sent.id

    tasks = [asyncio.create_task(work()) for _ in range(min(_AT_ONCE, len(parts)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return ids


@contextlib.asynccontextmanager
async def _parts(file: InputFile, size: int, part_size: int) -> AsyncGenerator[list[InputFile], None]:
    source = file.source
    assert not isinstance(source, OneShot), "its size is known"  # noqa: S101
    opened: IO[bytes] | None = None
    if isinstance(source, FilePath):
        opened = source = await asyncio.to_thread(open, source, "rb")
    lock = threading.Lock()
    try:
        yield [
            InputFile(
                filename=file.filename,
                content_type="application/octet-stream",
                source=_window(source, lock, start, min(part_size, size - start)),
            )
            for start in range(0, max(size, 1), part_size)
        ]
    finally:
        if opened is not None:
            opened.close()


def _window(source: bytes | bytearray | memoryview | IO[bytes], lock: threading.Lock, start: int, size: int) -> Source:
    if isinstance(source, bytes | bytearray | memoryview):
        return memoryview(source)[start : start + size]
    return io.BufferedReader(_Window(source, lock, start, size))


class _Window(io.RawIOBase):
    """A stretch of a file that others read too."""

    def __init__(self, file: IO[bytes], lock: threading.Lock, start: int, size: int) -> None:
        self._file = file
        self._lock = lock
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # a buffer that can be sliced
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        with self._lock:
            self._file.seek(self._start + self._at)
            piece = self._file.read(wanted)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
