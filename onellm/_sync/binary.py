# GENERATED from onellm/resources/binary.py by onellm._sync.generate. Do not edit: run make sync.

"""Answers that are bytes: audio, files."""

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from onellm._sync.iteration import each
from onellm._sync.portal import run
from onellm.resources.binary import AsyncBinaryResponse
from onellm.types.headers import Headers


class BinaryResponse:
    """An answer of bytes, read as it comes: by `read`, `iter_bytes` or `write_to_file`, once.

    provider:        the name of the provider that answered
    request_id:      the provider's id of the request, where it sends one
    adjustments:     what was renamed or left out of the request for this provider
    content_type:    what the bytes are
    content_length:  how many there are, where that was said

    What is not read is dropped when it is closed: use it in `with`, or read it to its end.
    """

    def __init__(self, held: AsyncBinaryResponse) -> None:
        self._async = held

    @property
    def provider(self) -> str:
        return self._async.provider

    @property
    def request_id(self) -> str | None:
        return self._async.request_id

    @property
    def adjustments(self) -> tuple[str, ...]:
        return self._async.adjustments

    @property
    def content_type(self) -> str:
        return self._async.content_type

    @property
    def content_length(self) -> int | None:
        return self._async.content_length

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer; empty where the bytes came inside of another one."""
        return self._async.headers

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return self._async.status_code

    @property
    def content(self) -> bytes:
        """All bytes, once `read` has read them.

        Raises:
            InvalidRequestError: it has not.
        """
        return self._async.content

    def read(self) -> bytes:
        """All bytes; again without reading anew.

        Raises:
            APIConnectionError: the answer broke off.
            ResponseDecodeError: there are more than `HttpOptions.max_body_bytes`.
        """
        return run(self._async.read())

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The bytes as they come, or in pieces of `chunk_size` of which the last may be shorter.

        Raises:
            APIConnectionError: the answer broke off.
        """
        return each(self._async.iter_bytes(chunk_size))

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the bytes to a file as they come, off the event loop. Where that fails, no file is left.

        Raises:
            APIConnectionError: the answer broke off.
            OSError: the file cannot be written.
        """
        run(self._async.write_to_file(file))

    def stream_to_file(self, file: str | os.PathLike[str]) -> None:
        """`write_to_file`, under the other name that `openai`'s client has for it."""
        run(self._async.stream_to_file(file))

    def close(self) -> None:
        """Close the connection now. What has not been read is dropped."""
        run(self._async.aclose())

    def close_now(self) -> None:
        """Close it without waiting for anything; safe from any thread."""
        self._async.close_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))

    def __repr__(self) -> str:
        return repr(self._async).removeprefix("Async")
