"""What a pipeline has done, in an SQLite file, so that one which was ended goes on where it stopped.

A record is of one or several inputs in a row: where they begin, a digest of them, and what came of them. It is written
before anybody is given it, many records in one transaction. The journal is a write-ahead log: a process that is killed
at any moment loses nothing that was committed; a machine that loses its power may lose the last records, and no more.
"""

import asyncio
import os
import sqlite3
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Lock
from typing import Any, TypeVar

from onellm.errors import CheckpointError
from onellm.pipeline.records import Record, Span, encode_json

T = TypeVar("T")

FORMAT = 1
_OURS = 0x4F6E654C  # "OneL": the application id of the file
_AT_ONCE = 1000  # places that are read together
_SCHEMA = """
CREATE TABLE made_with (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE done (
    start INTEGER PRIMARY KEY, count INTEGER NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL, notes BLOB NOT NULL
);
CREATE TABLE begun (start INTEGER PRIMARY KEY, count INTEGER NOT NULL, digest BLOB NOT NULL, name TEXT NOT NULL);
"""


def is_empty(path: str | os.PathLike[str]) -> bool:
    """Whether a checkpoint holds nothing that was done; one that cannot be read does not count as empty."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            kept = connection.execute("SELECT EXISTS (SELECT 1 FROM done) OR EXISTS (SELECT 1 FROM begun)").fetchone()
    except sqlite3.Error:
        return False
    return not kept[0]


class Checkpoint:
    """The file. All of SQLite's work is done in one thread, off the event loop.

    made_with:  what a run must have in common with the one that made the file: the model, the parameters
    """

    def __init__(self, path: str | os.PathLike[str], made_with: Mapping[str, object]) -> None:
        self._path = os.fspath(path)
        self._made_with = {name: encode_json(value).decode() for name, value in made_with.items() if value is not None}
        self._made_with["byte order"] = sys.byteorder
        self._thread = ThreadPoolExecutor(1, "onellm-checkpoint")
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[tuple[Sequence[Record], asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._abandoned = False
        self._busy = Lock()  # held while the thread works

    async def open(self) -> None:
        """Open the file, or make it.

        Raises:
            CheckpointError: it is of another run, of another format, in use, or no checkpoint.
        """
        await self._do(self._open)

    async def spans(self) -> AsyncGenerator[Span, None]:
        """What was done before, in order."""
        after = -1
        while found := await self._do(self._read_spans, after):
            for span in found:
                yield span
            after = found[-1].start

    async def load(self, span: Span) -> Record:
        """The record of a span."""
        return await self._do(self._load, span)

    async def save(self, records: Sequence[Record]) -> None:
        """Write records. Those that wait while others are being written are written together."""
        if not records:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await done

    async def begun(self) -> list[tuple[Span, str]]:
        """What was begun elsewhere and has not come back: for which inputs, and under which name."""
        return await self._do(self._read_begun)

    async def begin(self, span: Span, name: str) -> None:
        """Note the name of what was begun elsewhere."""
        await self._do(self._begin, span, name)

    async def end(self, span: Span, records: Sequence[Record]) -> None:
        """Write what has come back, and forget that it was begun."""
        await self._do(self._end, span, records)

    async def aclose(self) -> None:
        """Write what waits, and close the file."""
        if self._closed:
            return
        self._closed = True
        if self._writer is not None:
            await asyncio.wait({self._writer})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def abandon(self) -> None:
        """Close the file without waiting, from any thread.

        The collector may come here at any moment, also in the middle of giving work to a pool: no lock is waited for,
        and the pool, which has one, is left to end with its last reference.
        """
        if not self._closed:
            self._closed = self._abandoned = True
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._busy.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._busy.release()

    async def _write_waiting(self) -> None:
        while self._waiting:
            taken = list(self._waiting)
            self._waiting.clear()
            failed: BaseException | None = None
            try:
                await self._do(self._write, [record for records, _ in taken for record in records])
            except CheckpointError as exc:
                failed = exc
            for _, done in taken:
                if done.done():  # whoever waited was cancelled
                    continue
                if failed is None:
                    done.set_result(None)
                else:
                    done.set_exception(failed)

    async def _do(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work, *arguments)

    # --- in the thread ---

    def _guarded(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do it, SQLite's errors as ours."""
        try:
            with self._busy:
                return work(*arguments)
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise CheckpointError(f"{self._path} is in use by another run") from exc
            if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise CheckpointError(f"{self._path} is no checkpoint: {_ANOTHER}") from exc
            raise CheckpointError(f"{self._path} cannot be used: {exc}") from exc
        finally:
            if self._abandoned:  # meanwhile
                self._close_if_idle()

    @property
    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise CheckpointError(f"{self._path} is closed")
        return self._connection

    def _open(self) -> None:
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._take(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _take(self, connection: sqlite3.Connection) -> None:
        """Make the file ours, or see that it is."""
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {setting}").close()
        connection.execute("BEGIN EXCLUSIVE")  # held until it is closed: two runs would pay for the same inputs
        with connection:
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not owner and not tables:
                self._make(connection)
            elif owner != _OURS:
                raise CheckpointError(f"{self._path} is no checkpoint: {_ANOTHER}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise CheckpointError(
                    f"{self._path} has format {version}, and this version of OneLLM has format {FORMAT}: {_ANOTHER}"
                )
            self._compare(dict(connection.execute("SELECT name, value FROM made_with")))

    def _make(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA application_id = {_OURS}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        for statement in _SCHEMA.split(";"):  # not executescript, which would commit first
            connection.execute(statement)
        connection.executemany("INSERT INTO made_with VALUES (?, ?)", self._made_with.items())

    def _compare(self, found: dict[str, str]) -> None:
        for name in sorted({*found, *self._made_with}, key=lambda name: (name != "model", name)):
            there, here = found.get(name), self._made_with.get(name)
            if there != here:
                there, here = there or "not given", here or "not given"
                raise CheckpointError(
                    f"{self._path} is of another run: {name} is {there} there, and {here} here; {_ANOTHER}"
                )

    def _read_spans(self, after: int) -> list[Span]:
        rows = self._open_connection.execute(
            "SELECT start, count, digest FROM done WHERE start > ? ORDER BY start LIMIT ?", (after, _AT_ONCE)
        )
        return [Span(*row) for row in rows.fetchall()]

    def _load(self, span: Span) -> Record:
        with closing(
            self._open_connection.execute("SELECT body, notes FROM done WHERE start = ?", (span.start,))
        ) as found:
            body, notes = found.fetchone()
        return Record(span=span, body=body, notes=notes)

    def _write(self, records: Iterable[Record]) -> None:
        connection = self._open_connection
        connection.execute("BEGIN")
        with connection:
            self._insert(connection, records)

    def _insert(self, connection: sqlite3.Connection, records: Iterable[Record]) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?, ?)",
            (
                (record.span.start, record.span.count, record.span.digest, record.body, record.notes)
                for record in records
            ),
        )

    def _read_begun(self) -> list[tuple[Span, str]]:
        rows = self._open_connection.execute("SELECT start, count, digest, name FROM begun ORDER BY start")
        return [(Span(start, count, found), name) for start, count, found, name in rows.fetchall()]

    def _begin(self, span: Span, name: str) -> None:
        self._open_connection.execute(
            "INSERT OR REPLACE INTO begun VALUES (?, ?, ?, ?)", (span.start, span.count, span.digest, name)
        )

    def _end(self, span: Span, records: Sequence[Record]) -> None:
        connection = self._open_connection
        connection.execute("BEGIN")
        with connection:
            self._insert(connection, records)
            connection.execute("DELETE FROM begun WHERE start = ?", (span.start,))

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # it could not be opened, or the disk is gone
                connection.close()


_ANOTHER = "give another file, or delete it to begin anew"
