"""Where answers are kept: in memory, in an SQLite file, in Redis."""

import asyncio
import os
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Self, TypeVar

from onellm.errors import CacheUnavailableError, ConfigurationError, MissingDependencyError
from onellm.policy.forks import begins_anew

if TYPE_CHECKING:
    import sqlite3
    from types import TracebackType

T = TypeVar("T")

_inherited: list[object] = []  # of the parent of a fork: kept, so that nothing closes it here

_OVERHEAD = 200  # bytes of a name, its place and the objects around it
_LARGEST_PART = 4  # a value of more than a quarter of the whole would drive out all that is useful


class MemoryCache:
    """Answers in the memory of this process, bounded in bytes: those that were asked for longest ago go first.

    Safe in any number of threads and clients.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64 << 20,
        ttl: float | None = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how many bytes may be kept, and for how many seconds each; None is until there is no room."""
        _check(max_bytes, ttl)
        self._max = max_bytes
        self._ttl = ttl
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float | None, bytes]] = OrderedDict()
        self._size = 0
        self.begin_anew()
        begins_anew(self)

    def begin_anew(self) -> None:
        """After a fork: what was kept is kept, unless another thread was just at it."""
        lock: Lock | None = getattr(self, "_lock", None)
        if lock is not None and lock.locked():
            self._kept, self._size = OrderedDict(), 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """How many bytes are kept, with what it takes to keep them."""
        return self._size

    @property
    def count(self) -> int:
        """How many answers are kept; some of them may be too old."""
        return len(self._kept)

    async def get(self, key: str) -> bytes | None:
        """What is kept under a name."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            until, value = found
            if until is not None and self._clock() >= until:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return value

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Keep it, unless it is larger than a quarter of all there is room for."""
        ttl = self._ttl if ttl is None else ttl
        until = None if ttl is None else self._clock() + ttl
        size = len(value) + _OVERHEAD
        with self._lock:
            if key in self._kept:
                self._drop(key)
            if size > self._max // _LARGEST_PART:
                return
            self._kept[key] = (until, value)
            self._size += size
            while self._size > self._max:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _drop(self, key: str) -> None:
        _, value = self._kept.pop(key)
        self._size -= len(value) + _OVERHEAD


class SQLiteCache:
    """Answers in a file, for one process after another, or several on one machine.

    All of SQLite's work is done in one thread, off the event loop; the journal is a write-ahead log. Close it by
    `aclose` or `async with`, or let it go.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int = 1 << 30, ttl: float | None = 7 * 86400.0
    ) -> None:
        """Take the file, which is made where there is none, and the same measures as a `MemoryCache`."""
        _check(max_bytes, ttl)
        self._path = os.fspath(path)
        self._max = max_bytes
        self._ttl = ttl
        self._file: _File | None = None
        self._lock = Lock()
        begins_anew(self)

    def begin_anew(self) -> None:
        """After a fork: SQLite's connections do not survive it, and are not to be closed there."""
        _inherited.append(self._file)
        self._file, self._lock = None, Lock()

    async def get(self, key: str) -> bytes | None:
        """What is kept under a name.

        Raises:
            CacheUnavailableError: the file cannot be read.
        """
        return await self._do(lambda file: file.read(key, time.time()))

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Keep it.

        Raises:
            CacheUnavailableError: the file cannot be written.
        """
        ttl = self._ttl if ttl is None else ttl
        now = time.time()
        await self._do(lambda file: file.write(key, value, now, None if ttl is None else now + ttl))

    async def aclose(self) -> None:
        """Close the file. It is opened again when it is next used."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            await asyncio.get_running_loop().run_in_executor(file.thread, file.close)
            file.thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        await self.aclose()

    async def _do(self, work: "Callable[[_File], T]") -> T:
        import sqlite3  # noqa: PLC0415 - loads a library

        with self._lock:
            file = self._file
            if file is None:
                file = self._file = _File(self._path, self._max)
                weakref.finalize(self, _let_go, file)
        try:
            return await asyncio.get_running_loop().run_in_executor(file.thread, work, file)
        except (sqlite3.Error, OSError) as exc:
            raise CacheUnavailableError(f"{self._path}: {exc}") from exc


_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, until REAL, used REAL NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_used ON answers (used);
"""
_FORMAT = 1
_LOOK_EVERY = 64  # writes between two looks at the size of all
_ROOM = 0.9  # what is left of the largest size after a look that found more
_NOTED_AFTER = 60.0  # seconds after which it is noted again that an answer was used


class _File:
    """The file; all but the first line of it happens in its thread."""

    def __init__(self, path: str, most: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - with asyncio, not before

        self.thread = ThreadPoolExecutor(1, "onellm-cache")
        self.pid = os.getpid()
        self._lock = RLock()  # against who lets go of the cache while its last call, which was cancelled, goes on
        self._path = path
        self._most = most
        self._connection: sqlite3.Connection | None = None
        self._writes = 0

    def read(self, key: str, now: float) -> bytes | None:
        with self._lock:
            return self._read(self._open(), key, now)

    def _read(self, connection: "sqlite3.Connection", key: str, now: float) -> bytes | None:
        row = connection.execute("SELECT until, used, value FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        until, used, value = row
        if until is not None and now >= until:
            connection.execute("DELETE FROM answers WHERE key = ?", (key,))
            return None
        if now - used > _NOTED_AFTER:
            connection.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
        return bytes(value)

    def write(self, key: str, value: bytes, now: float, until: float | None) -> None:
        size = len(value) + _OVERHEAD
        if size > self._most // _LARGEST_PART:
            return
        with self._lock:
            self._write(self._open(), (key, until, now, size, value))

    def _write(self, connection: "sqlite3.Connection", row: tuple[str, float | None, float, int, bytes]) -> None:
        _, _, now, size, _ = row
        connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", row)
        self._writes += 1
        if self._writes % _LOOK_EVERY == 0 or size * _LOOK_EVERY > self._most:
            self._make_room(connection, now)

    def _make_room(self, connection: "sqlite3.Connection", now: float) -> None:
        connection.execute("DELETE FROM answers WHERE until <= ?", (now,))
        (whole,) = connection.execute("SELECT coalesce(sum(size), 0) FROM answers").fetchone()
        if whole <= self._most:
            return
        gone: list[tuple[str]] = []
        for key, size in connection.execute("SELECT key, size FROM answers ORDER BY used"):
            gone.append((key,))
            whole -= size
            if whole <= self._most * _ROOM:
                break
        with connection:
            connection.execute("BEGIN")
            connection.executemany("DELETE FROM answers WHERE key = ?", gone)

    def _open(self) -> "sqlite3.Connection":
        if self._connection is None:
            import sqlite3  # noqa: PLC0415 - as above

            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != _FORMAT:  # nothing is lost with what another version has kept
                    connection.executescript(f"DROP TABLE IF EXISTS answers; PRAGMA user_version = {_FORMAT}")
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def _let_go(file: _File) -> None:
    """Close the file of a cache that nobody has any more. The collector may come here at any moment: no work for the
    thread, whose queue may just be locked; it ends by itself when its pool is gone.
    """
    if file.pid == os.getpid():
        file.close()


class RedisCache:
    """Answers in Redis, for many processes and machines. Redis forgets them by itself, as it is set up to.

    It works in any number of event loops, with connections of its own in each.
    """

    def __init__(
        self, url: str = "redis://localhost:6379/0", *, prefix: str = "onellm:answers:", ttl: float | None = 86400.0
    ) -> None:
        """Take where it is, what the names begin with, and for how many seconds answers are kept.

        Raises:
            MissingDependencyError: redis is not installed.
        """
        _check(1, ttl)
        try:
            import_module("redis.asyncio")
        except ImportError as exc:
            raise MissingDependencyError('RedisCache needs redis: pip install "onellm[redis]"') from exc
        self._url = url
        self._prefix = prefix
        self._ttl = ttl
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any]  # untyped
        self._clients = weakref.WeakKeyDictionary()
        begins_anew(self)

    def begin_anew(self) -> None:
        """After a fork: the connections are the parent's."""
        _inherited.append(dict(self._clients))
        self._clients = weakref.WeakKeyDictionary()

    async def get(self, key: str) -> bytes | None:
        """What is kept under a name.

        Raises:
            CacheUnavailableError: Redis cannot be reached.
        """
        value: bytes | None = await self._do("GET", self._prefix + key)
        return value

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Keep it.

        Raises:
            CacheUnavailableError: Redis cannot be reached.
        """
        ttl = self._ttl if ttl is None else ttl
        until = () if ttl is None else ("PX", max(1, int(ttl * 1000)))
        await self._do("SET", self._prefix + key, value, *until)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        found = self._clients.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        await self.aclose()

    async def _do(self, *command: Any) -> Any:
        from redis.exceptions import RedisError  # noqa: PLC0415 - an extra

        try:
            return await self._client().execute_command(*command)
        except (RedisError, OSError) as exc:
            raise CacheUnavailableError(f"Redis: {exc}") from exc

    def _client(self) -> Any:
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is None:
            made: Any = import_module("redis.asyncio")
            found = self._clients[loop] = made.Redis.from_url(self._url)
        return found


def _check(max_bytes: int, ttl: float | None) -> None:
    if max_bytes < 1:
        raise ConfigurationError(f"max_bytes is {max_bytes}; give at least 1")
    if ttl is not None and not ttl > 0:
        raise ConfigurationError(f"ttl is {ttl}; give seconds above 0, or None")
