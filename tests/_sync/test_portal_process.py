"""The loop thread and its process: import, Ctrl-C from outside, fork, and the interpreter's exit.

Each script runs in an interpreter of its own in development mode, where every warning is an error, and must leave
nothing on stderr.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]

SECONDS = 60  # what a hang takes to become a failure

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and fork")

PRELUDE = """
import asyncio, atexit, math, os, sys, threading, warnings

def patient_loop():
    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = math.inf  # in development mode asyncio reports on slow machines
    return loop

async def give(item):
    return item
"""

PORTAL = """
from onellm._sync import portal
from onellm._sync.portal import iterate, post, run
portal.loop_factory = patient_loop
"""


def start(script: str, *, prelude: str = PRELUDE + PORTAL) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (our own interpreter)
        [sys.executable, "-X", "dev", "-W", "error", "-c", prelude + dedent(script)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Wait for its end, and give the lines it printed."""
    alarm = threading.Timer(SECONDS, process.kill)
    alarm.start()
    with process:
        # Not communicate(), which does not see what an earlier readline() has buffered.
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
    alarm.cancel()
    assert err == ""
    assert process.returncode == 0, "killed by the alarm: it hangs" if process.returncode == -9 else out
    return out.splitlines()


def test_importing_starts_nothing() -> None:
    script = """
    print(threading.active_count())
    run(give(1))
    print([thread.name for thread in threading.enumerate()])
    """
    assert finish(start(script)) == ["1", "['MainThread', 'onellm']"]


@posix
def test_sigint_from_outside_cancels_and_raises() -> None:
    script = """
    async def wait_forever():
        try:
            print("waiting", flush=True)
            await asyncio.Event().wait()
        finally:
            print("cancelled", flush=True)

    for _ in range(2):
        try:
            run(wait_forever())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    print(run(give("alive")))
    """
    process = start(script)
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "cancelled\n"
        assert process.stdout.readline() == "interrupted\n"
    assert finish(process) == ["alive"]


@posix
def test_sigint_during_a_socket_read_of_a_stream() -> None:
    """The connection is closed when the call has raised: its peer sees the end."""
    script = """
    async def serve(reader, writer):
        writer.write(b"one\\ntwo\\n")
        rest = await reader.read()
        writer.close()
        closed.set_result(rest)

    async def future():
        return asyncio.get_running_loop().create_future()

    async def connect():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        return server, *await asyncio.open_connection(*server.sockets[0].getsockname())

    async def next_batch():
        try:
            if (line := await reader.readline()) == b"two\\n":
                print("waiting", flush=True)
                line += await reader.readline()
            return [line]
        except asyncio.CancelledError:
            writer.close()
            raise

    async def end():
        rest = await closed
        server.close()
        await server.wait_closed()
        return rest

    closed = run(future())
    server, reader, writer = run(connect())
    try:
        for line in iterate(next_batch):
            print(line, flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    print("the peer has read", run(end()))
    """
    process = start(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "b'one\\n'\n"
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    assert finish(process) == ["interrupted", "the peer has read b''"]


FORK = """
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

def in_child(function):
    sys.stdout.flush()
    if not (pid := os.fork()):
        function()
        sys.exit()  # and not os._exit: the exit handlers are part of the question
    assert os.waitpid(pid, 0)[1] == 0

def hello():
    print(run(give("from the child")), len([t for t in threading.enumerate() if t.name == "onellm"]))
"""


def fork(script: str) -> list[str]:
    return finish(start(FORK + dedent(script)))


@posix
def test_the_child_gets_a_loop_of_its_own() -> None:
    assert fork("hello(); in_child(hello); in_child(lambda: in_child(hello))") == ["from the child 1"] * 3


@posix
def test_the_parents_sockets_outlive_the_child() -> None:
    """The child has inherited the epoll object of the parent's loop, and must not touch what is registered there."""
    script = """
    import socket

    async def ask():
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            return await reader.readline()
        finally:
            writer.close()

    def child():
        listener.close()
        peer.close()
        hello()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: print(run(ask())))
    thread.start()
    peer, _ = listener.accept()
    run(give(1))
    in_child(child)
    peer.sendall(b"after the child\\n")
    thread.join()
    child()
    """
    assert fork(script) == ["from the child 1", "b'after the child\\n'", "from the child 1"]


@posix
def test_fork_while_other_threads_wait() -> None:
    script = """
    started, leave = threading.Semaphore(0), asyncio.Event()

    async def wait():
        started.release()
        await leave.wait()
        return "finished"

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(run(wait()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        started.acquire()
    in_child(hello)
    post(leave.set)
    for thread in threads:
        thread.join()
    print(*answers)
    """
    assert fork(script) == ["from the child 1", "finished finished finished finished"]


@posix
def test_fork_while_another_thread_starts_the_loop() -> None:
    """It holds the lock, and always will in the child."""
    script = """
    starting, leave = threading.Event(), threading.Event()

    def slow_loop():
        starting.set()
        leave.wait()
        return patient_loop()

    portal.loop_factory = slow_loop
    thread = threading.Thread(target=lambda: print(run(give("from the parent"))))
    thread.start()
    starting.wait()
    portal.loop_factory = patient_loop
    in_child(hello)
    leave.set()
    thread.join()
    """
    assert fork(script) == ["from the child 1", "from the parent"]


@posix
def test_fork_before_the_first_call() -> None:
    assert fork("in_child(hello); hello()") == ["from the child 1"] * 2


@posix
def test_fork_under_load() -> None:
    """At any point of a call: 20 children of a parent whose threads make calls without a pause."""
    script = """
    over = threading.Event()

    def work():
        while not over.is_set():
            run(give(1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        in_child(hello)
    over.set()
    for thread in threads:
        thread.join()
    """
    assert fork(script) == ["from the child 1"] * 20


# Exit


def test_exit_with_requests_in_flight_in_daemon_threads() -> None:
    """Their coroutines clean up, their sockets are closed, and no thread reports an exception."""
    script = """
    import socket

    async def ask():
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            writer.write(b"?")
            await reader.read()
        finally:
            writer.close()
            print("cleaned up", flush=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(4):
            threading.Thread(target=lambda: run(ask()), daemon=True).start()
        peers = [listener.accept()[0] for _ in range(4)]
    for peer in peers:
        assert peer.recv(1) == b"?"
    atexit.register(lambda: [peer.close() for peer in peers])
    """
    assert finish(start(script)) == ["cleaned up"] * 4


def test_exit_while_daemon_threads_make_calls_without_a_pause() -> None:
    script = """
    started = threading.Barrier(5)

    def work():
        run(give(1))
        started.wait()
        while True:
            run(give(1))

    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    started.wait()
    """
    for _ in range(5):
        assert finish(start(script)) == []


def test_exit_waits_for_the_requests_of_other_threads() -> None:
    script = """
    started, leave = threading.Event(), asyncio.Event()

    async def wait():
        started.set()
        await leave.wait()
        return "finished"

    threading.Thread(target=lambda: print(run(wait()))).start()
    started.wait()
    threading.Thread(target=lambda: (threading.main_thread().join(), post(leave.set))).start()
    """
    assert finish(start(script)) == ["finished"]


def test_exit_with_tasks_and_generators_that_nobody_waits_for() -> None:
    script = """
    async def generate():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            print("generator closed")

    async def linger():
        try:
            await asyncio.Event().wait()
        finally:
            print("task cancelled")

    async def leave_behind():
        global kept
        kept = generate(), asyncio.create_task(linger())
        await anext(kept[0])

    run(leave_behind())
    """
    assert finish(start(script)) == ["task cancelled", "generator closed"]


def test_exit_does_not_wait_for_a_coroutine_that_resists() -> None:
    script = """
    portal._GRACE = 0.1
    started = threading.Event()

    async def resist():
        started.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    threading.Thread(target=lambda: run(resist()), daemon=True).start()
    started.wait()
    """
    assert finish(start(script)) == []


def test_exit_handlers_of_the_program_still_have_the_loop() -> None:
    script = """
    async def close():
        await asyncio.sleep(0)
        print("closed")

    atexit.register(lambda: run(close()))
    run(give(1))
    """
    assert finish(start(script)) == ["closed"]


def test_exit_handlers_that_come_too_late_are_told_so() -> None:
    """Those registered before the import run after the loop has ended."""
    script = """
    def late():
        try:
            run(give(1))
        except RuntimeError as error:
            print(error)
        post(print, "never")

    atexit.register(late)
    """
    (line,) = finish(start(dedent(script) + PORTAL + "run(give(1))\n", prelude=PRELUDE))
    assert line.startswith("the interpreter is exiting")


def test_the_first_call_in_an_exit_handler_works_or_says_why_not() -> None:
    """Python 3.12 refuses new threads at that point."""
    script = """
    def first():
        try:
            print(run(give("works")))
        except RuntimeError as error:
            print(error)

    atexit.register(first)
    """
    (line,) = finish(start(script))
    assert line in {"works", "can't create new thread at interpreter shutdown"}


def test_streams_lost_at_shutdown() -> None:
    """`__del__` when the loop is gone, and the modules perhaps as well."""
    script = """
    portal.loop_factory = asyncio.new_event_loop  # this module's own would keep this module, and the streams, alive

    class Stream:
        def __init__(self):
            self.itself = self
            self.post = post

        def __del__(self, write=os.write):  # sys.stdout may be gone already
            self.post(write, 1, b"never\\n")
            write(1, b"lost\\n")

    run(give(1))
    streams = [Stream(), Stream()]
    sys.modules["kept_to_the_last"] = Stream()
    """
    assert finish(start(script)) == ["lost"] * 3


def test_exit_in_the_middle_of_an_exception() -> None:
    script = """
    async def leave():
        raise SystemExit(0)

    threading.Thread(target=lambda: run(asyncio.Event().wait()), daemon=True).start()
    run(leave())
    """
    assert finish(start(script)) == []
