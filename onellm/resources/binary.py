"""Answers that are bytes: audio, files."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self

from onellm.errors import InvalidRequestError, ResponseDecodeError
from onellm.providers.protocols import Binary
from onellm.types.headers import Headers, headers_of, status_of

_WRITE = 1 << 20  # bytes collected before they are written: a hop to a thread costs 50 us


class AsyncBinaryResponse:
    """An answer of bytes, read as it comes: by `read`, `iter_bytes` or `write_to_file`, once.

    provider:        the name of the provider that answered
    request_id:      the provider's id of the request, where it sends one
    adjustments:     what was renamed or left out of the request for this provider
    content_type:    what the bytes are
    content_length:  how many there are, where that was said

    What is not read is dropped when it is closed: use it in `async with`, or read it to its end.
    """

    def __init__(self, source: Binary, *, max_bytes: int) -> None:
        self._source = source
        self.provider: str = source.provider
        self.request_id: str | None = source.request_id
        self.adjustments: tuple[str, ...] = source.adjustments
        self.content_type: str = source.content_type
        self.content_length: int | None = source.content_length
        self._max = max_bytes
        self._content: bytes | None = None
        self._begun = False

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer; empty where the bytes came inside of another one."""
        return headers_of(self._source)

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return status_of(self._source)

    @property
    def content(self) -> bytes:
        """All bytes, once `read` has read them.

        Raises:
            InvalidRequestError: it has not.
        """
        if self._content is None:
            raise InvalidRequestError("the content has not been read: call `read()` first")
        return self._content

    async def read(self) -> bytes:
        """All bytes; again without reading anew.

        Raises:
            APIConnectionError: the answer broke off.
            ResponseDecodeError: there are more than `HttpOptions.max_body_bytes`.
        """
        if self._content is None:
            pieces: list[bytes] = []
            size = 0
            async for piece in self._pieces():
                size += len(piece)
                if size > self._max:
                    self.close_now()
                    raise ResponseDecodeError(f"the answer is larger than {self._max} bytes; use write_to_file")
                pieces.append(piece)
            self._content = b"".join(pieces)
        return self._content

    async def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """The bytes as they come, or in pieces of `chunk_size` of which the last may be shorter.

        Raises:
            APIConnectionError: the answer broke off.
        """
        if chunk_size is not None and chunk_size < 1:
            raise InvalidRequestError("chunk_size must be at least 1", param="chunk_size")
        waiting = bytearray()
        async for piece in self._pieces():
            if chunk_size is None:
                yield piece
                continue
            waiting += piece
            whole = len(waiting) - len(waiting) % chunk_size
            for start in range(0, whole, chunk_size):
                yield bytes(waiting[start : start + chunk_size])
            del waiting[:whole]
        if waiting:
            yield bytes(waiting)

    async def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the bytes to a file as they come, off the event loop. Where that fails, no file is left.

        Raises:
            APIConnectionError: the answer broke off.
            OSError: the file cannot be written.
        """
        path = Path(file)
        target = await asyncio.to_thread(path.open, "wb")
        try:
            waiting = bytearray()
            async for piece in self._pieces():
                waiting += piece
                if len(waiting) >= _WRITE:
                    await asyncio.to_thread(target.write, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(target.write, bytes(waiting))
        except BaseException:
            target.close()
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - also while being cancelled, when nothing can be awaited
            raise
        await asyncio.to_thread(target.close)

    async def stream_to_file(self, file: str | os.PathLike[str]) -> None:
        """`write_to_file`, under the other name that `openai`'s client has for it."""
        await self.write_to_file(file)

    async def _pieces(self) -> AsyncIterator[bytes]:
        if self._content is not None:
            yield self._content
            return
        if self._begun:
            raise InvalidRequestError("the answer has been read already")
        self._begun = True
        try:
            while piece := await self._source.read():
                yield piece
        finally:
            self._source.close()

    async def aclose(self) -> None:
        """Close the connection now. What has not been read is dropped."""
        self.close_now()

    def close_now(self) -> None:
        """Close it without waiting for anything; safe from any thread."""
        self._source.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_now()

    def __del__(self) -> None:
        self._source.close()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(provider={self.provider!r}, content_type={self.content_type!r}, "
            f"content_length={self.content_length!r})"
        )
