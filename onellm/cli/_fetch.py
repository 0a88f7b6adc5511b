"""One file, fetched in one attempt or several: what has come stays, and the rest is asked for.

Beside the file `model.gguf` stand, until it is whole, `model.gguf.part` with its beginning and `model.gguf.part.json`
with what the host calls this version of it: a beginning goes on only with its own version. `model.gguf.part.lock` is
there while somebody works on them.
"""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Protocol

import msgspec
from msgspec import Struct

from onellm.cli._lock import FileLock
from onellm.dialects.errors import decode_error
from onellm.errors import APIConnectionError, ConfigurationError, InvalidRequestError, ResponseDecodeError
from onellm.resources.core import environment_proxy
from onellm.transport import redirects
from onellm.transport.http import HttpStream, HttpTransport
from onellm.types.options import Timeouts

MAGIC = b"GGUF"
_BLOCK = 1 << 20
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_TIMEOUTS = Timeouts(first_byte=60.0, idle=60.0, total=None)

Progress = Callable[[int, int | None], object]
"""Told how many bytes are there, and of how many, where that is known."""


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Version(Struct, frozen=True):
    """What a host says of the file that it has now. `etag` is "" where it says nothing."""

    etag: str = ""
    size: int | None = None
    sha256: str | None = None


class Fetch:
    """A file on its way to `target`. `attempt` until it gives the path; after a failure it goes on where it was.

    lock:  to be had during all attempts, as two would write into one beginning
    """

    def __init__(
        self, url: str, target: Path, *, sha256: str | None, headers: Mapping[str, str], progress: Progress
    ) -> None:
        self.target = target
        self.part = target.with_name(f"{target.name}.part")
        self.lock = FileLock(target.with_name(f"{target.name}.part.lock"))
        self._note = target.with_name(f"{target.name}.part.json")
        self._url = url
        self._sha256 = sha256
        self._headers = {"User-Agent": "onellm", "Accept-Encoding": "identity", **headers}
        self._progress = progress

    @property
    def size(self) -> int:
        """How many bytes of a beginning there are."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    async def attempt(self, transport: HttpTransport) -> Path:
        """Fetch what is missing, and give the path of the whole.

        Raises:
            APIConnectionError: the connection broke; the next attempt goes on.
            APIStatusError: the host refused.
            ResponseDecodeError: what came is not what was announced; nothing of it stays.
            InvalidRequestError: something else has the file's name.
        """
        begin = 0 if self.target.exists() else self.size
        stream, linked = await self._open(transport, begin)
        if stream.status == _UNSATISFIABLE and begin:  # the beginning is the whole, or of another file
            stream.close()
            stream, linked = await self._open(transport, 0)
            version = _version(stream, linked)
            if begin == version.size and self._goes_on(version):
                stream.close()
                return self._finish(self._digest_of(self.part), version)
        try:
            if stream.status not in {_OK, _PARTIAL}:
                body = await stream.read_error()
                raise decode_error(stream.status, stream.headers, body, now=time.time())
            version = _version(stream, linked)
            if begin and (stream.status != _PARTIAL or _begins(stream) != begin or not self._goes_on(version)):
                if stream.status == _PARTIAL:  # of another version: the whole of that
                    stream.close()
                    self._forget()
                    return await self.attempt(transport)
                begin = 0
            if self.target.exists():
                return self._compare(version)
            return await self._receive(stream, begin, version)
        finally:
            stream.close()

    async def _open(self, transport: HttpTransport, begin: int) -> tuple[HttpStream, Mapping[str, str]]:
        headers = {**self._headers, "Range": f"bytes={begin}-"} if begin else self._headers
        found = await redirects.get(transport, self._url, headers=headers, timeouts=_TIMEOUTS, proxy=environment_proxy)
        return found.stream, found.linked

    async def _receive(self, stream: HttpStream, begin: int, version: _Version) -> Path:
        self._agree(version)
        if stream.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ResponseDecodeError("the host sends the file compressed, which was not asked for")
        digest = self._digest_of(self.part) if begin else hashlib.sha256()
        had = begin
        with self.part.open("ab" if begin else "wb") as file:
            self._note.write_bytes(msgspec.json.encode({"url": self._url, "etag": version.etag}))
            self._progress(had, version.size)
            while data := await stream.read():
                if had < len(MAGIC):
                    self._check_magic(file, had, data)
                file.write(data)
                digest.update(data)
                had += len(data)
                if version.size is not None and had > version.size:
                    self._forget()
                    raise ResponseDecodeError(f"more than the announced {version.size} bytes came")
                self._progress(had, version.size)
            file.flush()
            os.fsync(file.fileno())
        if version.size is not None and had < version.size:
            raise APIConnectionError(f"the connection ended after {had} of {version.size} bytes")
        return self._finish(digest, version)

    def _check_magic(self, file: IO[bytes], had: int, data: bytes) -> None:
        """Look at the first bytes, so that a page about logging in is not fetched as a model."""
        file.flush()
        begun = self.part.read_bytes()[:had] + data
        if not begun.startswith(MAGIC) and not MAGIC.startswith(begun):
            self._forget()
            raise ResponseDecodeError("what the host sends is not a GGUF file", body=begun[:2000])

    def _agree(self, version: _Version) -> None:
        """Before anything is fetched that could not be taken."""
        if self._sha256 and version.sha256 and self._sha256 != version.sha256:
            raise InvalidRequestError(
                f"the host says that the file's SHA-256 is {version.sha256}, not {self._sha256}: nothing was fetched",
                param="sha256",
            )

    def _finish(self, digest: _Digest, version: _Version) -> Path:
        wanted = self._sha256 or version.sha256
        if wanted and digest.hexdigest() != wanted:
            self._forget()
            raise ResponseDecodeError(
                f"what came is broken: its SHA-256 is {digest.hexdigest()}, not {wanted}; it was deleted"
            )
        try:
            os.link(self.part, self.target)  # where a rename would put itself in another's place
        except FileExistsError:
            raise self._taken("something was put there meanwhile") from None
        except OSError:  # a file system without links
            self.part.rename(self.target)
        self._forget()
        return self.target

    def _compare(self, version: _Version) -> Path:
        """The file that is there already, where it is this one.

        Raises:
            InvalidRequestError: it is another one, or that cannot be told.
        """
        self._agree(version)
        wanted = self._sha256 or version.sha256
        if not self.target.is_file():
            raise self._taken("it is not a file")
        if version.size is not None and self.target.stat().st_size != version.size:
            raise self._taken(f"it has {self.target.stat().st_size} bytes, and not {version.size}")
        if wanted is None:
            raise self._taken("the host does not say its SHA-256, so that it cannot be compared")
        if self._digest_of(self.target).hexdigest() != wanted:
            raise self._taken(f"its SHA-256 is not {wanted}")
        return self.target

    def _taken(self, why: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"{self.target} is there already and is not overwritten: {why}; move it away, or give another name with -o",
            param="output",
        )

    def _goes_on(self, version: _Version) -> bool:
        """Whether the beginning that is there is of this version: the host says so, or the hash will."""
        try:
            note = msgspec.json.decode(self._note.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return False
        same = note.get("url") == self._url and note.get("etag") == version.etag
        return same and bool(version.etag or self._sha256)

    def _forget(self) -> None:
        for path in (self.part, self._note):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    @staticmethod
    def _digest_of(path: Path) -> _Digest:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        return digest


def check_writable(folder: Path) -> None:
    """Raise `ConfigurationError` where no file can be made."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigurationError(f"{folder} is no folder to write into")


def _begins(stream: HttpStream) -> int | None:
    found = _RANGE.fullmatch(stream.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _version(stream: HttpStream, linked: Mapping[str, str]) -> _Version:
    """A hub's tag of a large file is its SHA-256; other hosts' tags are of any kind, and 64 hex digits are taken so."""
    headers = stream.headers
    etag = _tag(linked.get("x-linked-etag") or headers.get("X-Linked-ETag") or headers.get("ETag", ""))
    ranged = _RANGE.fullmatch(headers.get("Content-Range", ""))
    length = ranged[2] if ranged else linked.get("x-linked-size") or headers.get("Content-Length")
    return _Version(
        etag=etag,
        size=int(length) if length and length.isdecimal() else None,
        sha256=etag if _SHA256.fullmatch(etag) else None,
    )


def _tag(etag: str) -> str:
    """The tag itself; a weak one does not promise the same bytes."""
    return "" if etag.startswith("W/") else etag.strip().strip('"')
