"""Files whose bytes stand in JSON: read whole, off the event loop, before the request is encoded."""

import asyncio
from typing import IO

from msgspec import structs

from onellm.errors import InvalidRequestError
from onellm.types.files import FilePath, InputFile, OneShot


async def read_whole(file: InputFile, param: str, *, limit: int) -> InputFile:
    """The same file with its bytes as the source, so that it can be sent any number of times.

    Raises:
        InvalidRequestError: it cannot be read, or is larger than `limit` bytes.
    """
    source = file.source
    if isinstance(source, OneShot):
        content = await _rest(source, limit)
    elif isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    else:
        content = await asyncio.to_thread(_read, source, param, limit)
    if len(content) > limit:
        raise InvalidRequestError(f"{param}: the file is larger than {limit} bytes", param=param)
    return structs.replace(file, source=content)


def _read(source: FilePath | IO[bytes], param: str, limit: int) -> bytes:
    try:
        if isinstance(source, FilePath):
            with open(source, "rb") as opened:  # noqa: PTH123 - any PathLike
                return opened.read(limit + 1)
        source.seek(0)
        return source.read(limit + 1)
    except (OSError, ValueError) as exc:
        raise InvalidRequestError(f"{param}: the file cannot be read: {exc}", param=param) from exc


async def _rest(source: OneShot, limit: int) -> bytes:
    if source.file is not None:
        source.begun = True
        return await asyncio.to_thread(source.file.read, limit + 1)
    pieces: list[bytes] = []
    size = 0
    while size <= limit and (piece := await source.read()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
