"""Gemini through AI Studio: keys, files, and all the models.

https://ai.google.dev/api
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

from msgspec import structs

from onellm.dialects.gemini.chat import GeminiChat
from onellm.errors import InvalidRequestError, OneLLMError, ResponseDecodeError
from onellm.providers.answers import Held, locate
from onellm.providers.auth import HeaderKey
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.gemini_host import GeminiHost, under, version, with_version
from onellm.providers.named import (
    GeminiBatches,
    GeminiEmbeddings,
    GeminiFiles,
    GeminiImages,
    GeminiLive,
    GeminiLiveTokens,
    GeminiModels,
    GeminiSpeech,
    GeminiTokenCount,
)
from onellm.providers.protocols import Binary, Response
from onellm.providers.sending import refusal
from onellm.types.batches import Batch
from onellm.types.file_objects import FileDeleted, FileObject, FileRequest
from onellm.types.files import FilePath, InputFile, OneShot
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from onellm.providers.protocols import RealtimeHost
    from onellm.types.realtime import RealtimeRequest, RealtimeToken

PIECE = 8 << 20
"""Bytes of a file in one request: pieces but the last must be a multiple of 256 KiB."""

_REDIRECT = 300
_LIVE = "ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"
_TOKENS = "auth_tokens/"  # how tokens of `create_token` begin
_TOKEN_VERSION = "v1alpha"  # noqa: S105 - of the API, which has them there alone


class GoogleKey(HeaderKey, frozen=True):
    """A key in its header; a token that stands for one is another matter."""

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        key = settings.api_key
        if isinstance(key, Secret) and key.reveal().startswith(_TOKENS):
            return {"Authorization": f"Token {key.reveal()}"}
        return super().fixed_headers(settings)


class GoogleProvider(GeminiHost, frozen=True, kw_only=True):
    """AI Studio. A file goes in pieces to an address that is told for it."""

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        """With the version of the API that `options` name, where the base URL is the provider's own."""
        asked = settings.options.get("api_version")
        if asked and settings.base_url == self.base_url:
            root = settings.base_url.rpartition("/")[0]
            return structs.replace(settings, base_url=f"{root}/{asked}")
        return settings

    def realtime_host(self, request: "RealtimeRequest", call: Call) -> "RealtimeHost":
        """With the version of the base URL; tokens have a service of their own."""
        key = call.settings.api_key
        address = _LIVE.format(version(call.settings.base_url, "v1beta"))
        if isinstance(key, Secret) and key.reveal().startswith(_TOKENS):
            address = _LIVE.format(_TOKEN_VERSION) + "Constrained"
        live = cast("GeminiLive", self._dialect(self.realtime, "realtime"))
        there = structs.replace(self, realtime=structs.replace(live, address=address))
        return super(GoogleProvider, there).realtime_host(request, call)

    async def create_realtime_token(
        self, request: "RealtimeRequest", seconds: int | None, call: Call
    ) -> "RealtimeToken":
        base = with_version(call.settings.base_url, _TOKEN_VERSION)
        settings = structs.replace(call.settings, base_url=base, usual_headers=None)
        return await super().create_realtime_token(request, seconds, structs.replace(call, settings=settings))

    async def create_file(self, request: FileRequest, call: Call) -> FileObject:
        dialect = cast("GeminiFiles", self._dialect(self.files, "files"))
        request.adjustments.clear()
        uploads = structs.replace(call.settings, base_url=under(call.settings.base_url, "upload"), usual_headers=None)
        try:
            size = await asyncio.to_thread(_size, request.file)
            start = dialect.encode_start(request, size)
            begun = await self._send(dialect, start, structs.replace(call, settings=uploads))
            response = await self._send_pieces(dialect, request.file, _upload_url(begun, call), call)
            made = dialect.decode_file(response.body)
        except OneLLMError as exc:
            if isinstance(source := request.file.source, OneShot) and source.begun:
                exc.retryable = False  # it gives its bytes once
            locate(exc, self.name, None)
        self._sign([made], response)
        made.adjustments = tuple(request.adjustments)
        return made

    async def _send_pieces(self, dialect: GeminiFiles, file: InputFile, url: str, call: Call) -> Response:
        """Send the bytes, one piece in memory at a time. The address is the permission: the key stays here."""
        offset = 0
        held: bytes | None = None
        async for piece in _pieces(file):
            if held is not None:
                await self._send_piece(dialect, held, offset, (url, call))
                offset += len(held)
            held = piece
        return await self._send_piece(dialect, held or b"", offset, (url, call), last=True)

    async def _send_piece(
        self, dialect: GeminiFiles, piece: bytes, offset: int, where: tuple[str, Call], *, last: bool = False
    ) -> Response:
        url, call = where
        response = await call.transport.request(
            "POST",
            url,
            headers={"User-Agent": "onellm", **dialect.piece_headers(offset, last=last)},
            body=piece,
            timeouts=call.timeouts,
            proxy=call.settings.proxy,
        )
        if response.status >= _REDIRECT:
            raise refusal(dialect, response.status, response.headers, response.body)
        status = response.headers.get("X-Goog-Upload-Status", "final")
        if last and status != "final":
            raise ResponseDecodeError(f"the upload is {status!r} where it should be final", body=response.body[:2000])
        return response

    async def cancel_batch(self, batch_id: str, call: Call) -> Batch:
        """The cancellation's own answer is empty."""
        dialect = self._dialect(self.batches, "batches")
        try:
            await self._send(dialect, dialect.encode_cancel(batch_id), call)
        except OneLLMError as exc:
            locate(exc, self.name, None)
        return await self.retrieve_batch(batch_id, structs.replace(call, body=None))

    async def open_batch_results(self, batch: Batch, call: Call) -> Binary:
        """They stand in the batch itself, or in a file whose address is not below that of the version."""
        dialect = cast("GeminiBatches", self._dialect(self.batches, "batches"))
        if not batch.output_file_id:
            return Held(self.name, dialect.split_results(batch.raw))
        there = under(call.settings.base_url, "download")
        downloads = structs.replace(call.settings, base_url=there, usual_headers=None)
        return await self._open_binary(
            dialect, dialect.encode_results(batch), structs.replace(call, settings=downloads)
        )

    async def delete_file(self, file_id: str, call: Call) -> FileDeleted:
        deleted = await super().delete_file(file_id, call)
        deleted.id = file_id
        return deleted


def _upload_url(response: Response, call: Call) -> str:
    """Where the bytes go.

    Raises:
        ResponseDecodeError: the answer names no address, or one in the clear that is not the host's own.
    """
    url = response.headers.get("X-Goog-Upload-URL", "")
    parts, own = urlsplit(url), urlsplit(call.settings.base_url)
    if parts.scheme != "https" and (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
        raise ResponseDecodeError(f"no address to send the file to: {url[:200]!r}", body=response.body[:2000])
    return url


def _size(file: InputFile) -> int | None:
    """Bytes; None where only reading tells. Blocks.

    Raises:
        InvalidRequestError: it cannot be read.
    """
    source = file.source
    try:
        match source:
            case OneShot():
                return None
            case bytes() | bytearray() | memoryview():
                return len(source)
            case FilePath():
                return os.stat(source).st_size  # noqa: PTH116 - any PathLike
            case _:
                return source.seek(0, os.SEEK_END)
    except (OSError, ValueError) as exc:
        raise InvalidRequestError(f"file: it cannot be read: {exc}", param="file") from exc


async def _pieces(file: InputFile) -> AsyncIterator[bytes]:
    """The bytes of a file, `PIECE` at a time; the last piece may be shorter."""
    source = file.source
    if isinstance(source, bytes | bytearray | memoryview):
        for at in range(0, len(source), PIECE):
            yield bytes(source[at : at + PIECE])
        return
    if isinstance(source, OneShot):
        source.begun = True
        if source.file is None:
            waiting = bytearray()
            while piece := await source.read():
                waiting += piece
                while len(waiting) >= PIECE:
                    yield bytes(waiting[:PIECE])
                    del waiting[:PIECE]
            if waiting:
                yield bytes(waiting)
            return
    opened = await asyncio.to_thread(_opened, source)
    try:
        while piece := await asyncio.to_thread(_read, opened):
            yield piece
    finally:
        if isinstance(source, FilePath):
            opened.close()


def _opened(source: FilePath | IO[bytes] | OneShot) -> IO[bytes]:
    try:
        if isinstance(source, OneShot):
            assert source.file is not None, "asynchronous sources are read otherwise"  # noqa: S101
            return source.file
        if isinstance(source, FilePath):
            return open(source, "rb")  # noqa: PTH123 - any PathLike; closed by who asked
        source.seek(0)
    except (OSError, ValueError) as exc:
        raise InvalidRequestError(f"file: it cannot be read: {exc}", param="file") from exc
    return source


def _read(file: IO[bytes]) -> bytes:
    """A whole piece, of a file that may give less at a time. Blocks."""
    pieces: list[bytes] = []
    wanted = PIECE
    try:
        while wanted and (piece := file.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
    except (OSError, ValueError) as exc:
        raise InvalidRequestError(f"file: it cannot be read: {exc}", param="file") from exc
    return b"".join(pieces)


_CHAT = GeminiChat(refuses={"metadata": "its API does not have it"})
_IMAGES = GeminiImages(chat=_CHAT)
_SESSIONS = GeminiLive(address=_LIVE.format("v1beta"), file_uri=_CHAT.file_uri)

PROVIDER = GoogleProvider(
    name="google",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    option_env={"api_version": "GOOGLE_GENAI_API_VERSION"},
    auth=GoogleKey(header="x-goog-api-key", prefix=""),
    chat=_CHAT,
    token_counts=GeminiTokenCount(chat=_CHAT),
    embeddings=GeminiEmbeddings(),
    speech=GeminiSpeech(chat=_CHAT),
    images=_IMAGES,
    image_edits=_IMAGES,
    files=GeminiFiles(),
    batches=GeminiBatches(chat=_CHAT),
    models=GeminiModels(),
    realtime=_SESSIONS,
    realtime_tokens=GeminiLiveTokens(realtime=_SESSIONS),
    docs="https://ai.google.dev/api",
    notes=(
        (
            "`reasoning_effort` is a level of thinking, which models from generation 3 on know; for older ones give "
            "`google=GoogleOptions(effort_as_budget=True)` or a `thinking_budget`."
        ),
        "What of a call is mapped, and what is refused, stands in docs/google.md.",
    ),
)
