"""The llama.cpp engine inside this process: request bytes in, answer bytes out.

https://github.com/xorbitsai/xllamacpp; facts below marked "seen" are from version 2026.10.11549, November 2026.

xllamacpp.Server is llama-server's C++ behind a blocking call that takes and gives OpenAI-shaped JSON. Its calls release
the GIL, so each of `n_parallel` daemon threads runs one of them, and a callback hands the chunks to the event loop.

Loading is the exception: xllamacpp.Server(...) holds the GIL until the model is in memory (seen: 0.3 s for 100 MB), and
so stops every thread and every event loop of the process. It happens once, at the first request.

From the top: what callers use, the jobs behind it, the threads that run the jobs, the process they live in.
"""

import asyncio
import atexit
import contextlib
import copy
import ctypes
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec import Raw

from onellm.providers._llama_load import (
    EngineMissingError,
    EngineOptions,
    ModelFileError,
    Role,
    Server,
    load,
    resolve_model,
)
from onellm.providers._llama_wire import (
    EngineError,
    as_context_error,
    decode_fields,
    engine_error,
    is_error,
    join_answers,
    split_inputs,
)

__all__ = [
    "ChunkReader",
    "Engine",
    "EngineError",
    "EngineMissingError",
    "EngineOptions",
    "ModelFileError",
    "resolve_model",
]

# As keys, never as text: inside a JSON string the closing quote would have a backslash before it.
_PROGRESS = b'"prompt_progress":'
_FINISHED = b'"finish_reason":"'


class ChunkReader:
    """The chunks of one answer, each one JSON object, as they arrive.

    One task reads. Left unread they wait in memory, at most n_ctx of them: the engine cannot be slowed down.
    """

    def __init__(self, job: "_Job") -> None:
        self._job = job
        self._closed = False

    async def read(self) -> list[bytes]:
        """All chunks that came since the last call, at least one; `[]` is the end, also after `close`.

        A cancelled read closes the reader.

        Raises:
            EngineError: the engine refused the request or broke it off; chunks that came before were handed out.
        """
        job = self._job
        await self._wait(lambda: job.ended or bool(job.chunks))
        return [] if self._closed else job.take()

    async def accepted(self) -> None:
        """Return when the engine has begun with the request.

        Raises:
            EngineError: it refused the request.
        """
        job = self._job
        await self._wait(lambda: job.begun or job.ended)
        job.check()

    def close(self) -> None:
        """Stop the generation and give its slot back: at the next token or, in the prompt, after n_batch tokens."""
        self._closed = True
        self._job.stop = True
        self._job.chunks = []
        if (waiter := self._job.waiter) is not None:
            _wake(waiter)

    def __del__(self) -> None:
        self._job.stop = True  # takes no lock: the collector may run while this thread holds one

    async def _wait(self, ready: Callable[[], bool]) -> None:
        _check_process()
        job = self._job
        while not self._closed:
            with job.lock:
                if ready():
                    return
                if job.waiter is not None:
                    raise RuntimeError("another task is reading this stream")
                job.waiter = waiter = asyncio.get_running_loop().create_future()
            try:
                await waiter
            except BaseException:
                self.close()
                raise
            finally:
                job.waiter = None


class Engine:
    """One model in this process. `get` it: everybody who names the same file and options shares it.

    It works in any number of event loops and threads. The model is loaded when the first request needs it, once for
    all that wait; chat and embeddings have different needs (below), so each is loaded at its own first request.
    """

    _engines: ClassVar[dict[tuple[Path, EngineOptions], "Engine"]] = {}

    def __init__(self, path: Path, options: EngineOptions) -> None:
        self.path = path
        self.options = options
        self._hosts: dict[Role, _Host] = {}
        self._lock = threading.Lock()

    @classmethod
    def get(cls, path: Path, options: EngineOptions | None = None) -> "Engine":
        """The engine of a file and its options; reads nothing yet."""
        options = options or EngineOptions()
        with _registry_lock:
            return cls._engines.setdefault((path.resolve(), options), cls(path, options))

    async def stream(self, body: bytes) -> ChunkReader:
        """The chunks of a chat completion request, once the engine has begun with it.

        Chunks that only tell how far the prompt was read are left out, unless the body asks for "return_progress".

        Raises:
            EngineError: refused. EngineMissingError, ModelFileError: the model could not be loaded.
        """
        reader = ChunkReader(self._submit("chat", _Generation(decode_fields(body))))
        await reader.accepted()
        return reader

    async def embeddings(self, body: bytes) -> bytes:
        """The answer to an embeddings request, `"encoding_format":"base64"` (float32, little-endian) included.

        Cancelling it stops after the inputs that are being read.

        Raises:
            EngineError: refused. EngineMissingError, ModelFileError: the model could not be loaded.
        """
        job = _Embeddings(decode_fields(body), group=self.options.n_parallel)
        return (await ChunkReader(self._submit("embeddings", job)).read())[0]

    async def aclose(self) -> None:
        """Stop what runs and free the model. Whoever still shares the engine loads it again at the next request."""
        if _is_forked():
            return
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), {}
        await asyncio.to_thread(_close_and_trim, hosts)

    @classmethod
    async def close_all(cls) -> None:
        """`aclose` for all engines of the process."""
        for engine in list(cls._engines.values()):
            await engine.aclose()

    def _submit(self, role: Role, job: "_Job") -> "_Job":
        _check_process()
        with self._lock:
            if role not in self._hosts:
                options = self.options
                self._hosts[role] = _Host(
                    lambda: load(self.path, options, role), options.n_parallel, max_waiting=options.max_waiting
                )
            self._hosts[role].submit(job)
        return job


# Jobs: what a worker thread runs and one reader waits for.


class _Job(ABC):
    def __init__(self) -> None:
        self.lock = threading.Lock()  # of chunks, begun, ended and the moment a waiter is set
        self.chunks: list[bytes] = []
        self.begun = False
        self.ended = False
        self.stop = False  # set by anybody, obeyed by the worker
        self.failure: BaseException | None = None
        self.waiter: asyncio.Future[None] | None = None

    def take(self) -> list[bytes]:
        with self.lock:
            chunks, self.chunks = self.chunks, []
        if not chunks:
            self.check()
        return chunks

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def run(self, server: Server) -> None:
        """In a worker thread."""
        try:
            if not self.stop:
                self.work(server)
        except EngineError as exc:
            self.fail(exc)
        except (ValueError, RuntimeError) as exc:
            # What llama-server's outermost handler makes an answer of. Before the first chunk it is about the request.
            status, kind = (500, "server_error") if self.begun else (400, "invalid_request_error")
            self.fail(engine_error(status, kind, str(exc)))
        except BaseException as exc:  # noqa: BLE001  # raised where the answer is read
            self.fail(exc)
        finally:
            self.end()

    @abstractmethod
    def work(self, server: Server) -> None: ...

    def fail(self, failure: BaseException) -> None:
        self.stop = True
        self.failure = self.failure or failure

    def end(self) -> None:
        with self.lock:
            self.begun = self.ended = True
        self.notify()

    def notify(self) -> None:
        if (waiter := self.waiter) is not None and not _wake(waiter):
            self.stop = True  # its event loop was closed: nobody is left to read


class _Generation(_Job):
    def __init__(self, fields: dict[str, Raw]) -> None:
        super().__init__()
        # Progress chunks give the callback its chance to stop while the prompt is read.
        self._request = msgspec.json.encode({**fields, "stream": True, "return_progress": True})
        self._shows_progress = bytes(fields.get("return_progress", b"")) == b"true"
        self._finished = False

    def work(self, server: Server) -> None:
        server.handle_chat_completions(self._request, self._on_chunk)
        if not (self.stop or self._finished):
            raise engine_error(500, "engine_interrupted", "the engine ended the answer before it was finished")

    def _on_chunk(self, chunk: bytes) -> bool:
        """In a worker thread; True stops the generation. xllamacpp swallows what is raised: kept for the reader."""
        try:
            self._add(chunk)
        except BaseException as exc:  # noqa: BLE001  # raised where the answer is read
            self.fail(exc)
        return self.stop

    def _add(self, chunk: bytes) -> None:
        if is_error(chunk):
            self.fail(EngineError(chunk))
            return
        self._finished = self._finished or _FINISHED in chunk
        shown = self._shows_progress or _PROGRESS not in chunk
        with self.lock:
            news = shown or not self.begun
            self.begun = True
            if shown and not self.stop:
                self.chunks.append(chunk)
        if news:
            self.notify()


class _Embeddings(_Job):
    def __init__(self, fields: dict[str, Raw], *, group: int) -> None:
        super().__init__()
        self._fields = fields
        self._group = group

    def work(self, server: Server) -> None:
        """One call cannot be stopped, so a long list of inputs is several calls."""
        answers: list[bytes] = []
        for inputs in split_inputs(self._fields.get("input"), self._group):
            answer = server.handle_embeddings(msgspec.json.encode({**self._fields, **inputs}))
            if is_error(answer):
                raise as_context_error(EngineError(answer))
            answers.append(answer)
            if self.stop:
                return
        self.chunks = [answers[0] if len(answers) == 1 else join_answers(answers)]


# Hosts: one loaded model and its threads.


class _Host:
    """Loads once, then serves jobs in order with up to n_workers threads, until it is closed.

    At most max_waiting jobs wait beside those that a thread has, or will have at once.

    The threads are daemons and the exit handler joins them: threading would wait for others before that handler runs,
    and a thread inside llama.cpp while the interpreter is taken down ends in a segmentation fault (seen).
    """

    def __init__(self, load: Callable[[], Server], n_workers: int, *, max_waiting: int) -> None:
        self._load = load
        self._n_workers = n_workers
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._threads: list[threading.Thread] = []
        self._n_idle = 0
        self._closed = False
        self.server: Server | None = None

    def submit(self, job: _Job) -> None:
        with self._changed:
            if self._closed or _exiting:
                raise engine_error(503, "engine_closed", "the interpreter is shutting down")
            self._check_room()
            if not self._threads:
                _hosts.add(self)
                self._spawn(self._start)
            elif (
                self.server is not None and len(self._waiting) >= self._n_idle and len(self._threads) < self._n_workers
            ):
                self._spawn(self._serve)
            self._waiting.append(job)
            self._changed.notify()

    def _check_room(self) -> None:
        """Refuse one job more than may wait. Those that were given up while they waited take no room."""
        room = self._max_waiting + self._n_workers - sum(not job.ended for job in self._running)
        if len(self._waiting) < room:
            return
        given_up = [job for job in self._waiting if job.stop]
        self._waiting = deque(job for job in self._waiting if not job.stop)
        for job in given_up:
            job.end()
        if len(self._waiting) >= room:
            raise engine_error(
                503,
                "engine_overloaded",
                f"{self._n_workers} requests run and {self._max_waiting} wait, as many as may: ask for fewer at once, "
                "or raise the option max_waiting, or n_parallel where there is memory for more",
            )

    def close(self) -> None:
        """Break off all jobs, join the threads and free the model; blocks for up to one batch."""
        with self._changed:
            self._closed = True
            waiting, running = list(self._waiting), list(self._running)
            self._waiting.clear()
            self._changed.notify_all()
        for job in [*waiting, *running]:
            job.fail(engine_error(503, "engine_closed", "the engine was closed"))
        for job in waiting:
            job.end()
        for thread in list(self._threads):
            thread.join()
        self.server = None
        _hosts.discard(self)

    def _spawn(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="onellm-llama", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _start(self) -> None:
        """In the first thread: load, then serve. What came meanwhile is served, or fails together."""
        global _owner  # noqa: PLW0603
        _owner = os.getpid()
        try:
            server = self._load()
        except BaseException as exc:  # noqa: BLE001  # raised where the answers are read
            with self._changed:
                waiting = list(self._waiting)
                self._waiting.clear()
                self._threads.clear()  # the next job tries again
            for job in waiting:
                job.fail(copy.copy(exc))
                job.end()
            return
        with self._changed:
            self.server = server
            for _ in range(min(len(self._waiting), self._n_workers) - 1):
                self._spawn(self._serve)
        del server
        self._serve()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._n_idle += 1
                    self._changed.wait()
                    self._n_idle -= 1
                if self._closed or self.server is None:
                    return
                job, server = self._waiting.popleft(), self.server
                self._running.add(job)
            job.run(server)
            with self._changed:
                self._running.discard(job)
            del job, server  # an idle thread must not keep them


# The process: its exit, and its children.

_hosts: "set[_Host]" = set()  # the strong references that keep servers from being freed at a bad moment
_registry_lock = threading.Lock()
_owner: int | None = None  # the process that llama.cpp's threads belong to
_exiting = False


def _close_all(hosts: list[_Host]) -> None:
    for host in hosts:
        host.close()


def _close_and_trim(hosts: list[_Host]) -> None:
    """Give the memory back to the system, too: glibc would keep some of what each thread had (seen: 20 to 100 MB)."""
    _close_all(hosts)
    hosts.clear()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # another libc
            ctypes.CDLL(None).malloc_trim(0)


@atexit.register
def _close_at_exit() -> None:
    global _exiting  # noqa: PLW0603
    _exiting = True
    if _owner == os.getpid():
        _close_all(list(_hosts))


def _is_forked() -> bool:
    return _owner is not None and _owner != os.getpid()


def _check_process() -> None:
    if _is_forked():
        raise engine_error(
            503,
            "engine_forked",
            "llama.cpp was loaded before this process was forked and its threads stayed behind;"
            " use local models first in the child, or start it with multiprocessing's spawn or forkserver",
        )


def _after_fork_in_child() -> None:
    """Keep the child from waiting for threads that it does not have: when servers are freed, and in exit()."""
    global _registry_lock  # noqa: PLW0603
    _registry_lock = threading.Lock()
    if _owner is None:
        return
    for host in _hosts:
        if host.server is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(host.server))
    # llama.cpp's static destructors join a thread. glibc's on_exit comes before them and is told the exit status.
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.on_exit(libc._exit, None)  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _wake(waiter: "asyncio.Future[None]") -> bool:
    """False when the waiter's event loop is closed."""
    try:
        waiter.get_loop().call_soon_threadsafe(_resolve, waiter)
    except RuntimeError:
        return False
    return True


def _resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
