"""One client in many event loops, threads and processes: a request a call, nothing left behind, nothing on stderr."""

import asyncio
import gc
import gzip
import importlib.util
import json
import os
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from loopback import Answer, Loopback, soon, streamed
from process import STRICT, python
from scripts import (
    CLIENT_LOST_BETWEEN_RUNS,
    FORK_BETWEEN_RUNS,
    FORK_UNDER_A_STREAM,
    FOUR_RUNS,
    LOOP_CLOSED_UNDER_A_STREAM,
    LOOP_IN_A_DAEMON_THREAD,
    LOOPS_CLOSED_AT_ONCE,
    PRELUDE,
    TWO_THREADS,
)
from wire.openai import ASK, CHAT, RATE_LIMIT, STREAM

from onellm import (
    APIConnectionError,
    AsyncOneLLM,
    ClientClosedError,
    ConfigurationError,
    HttpOptions,
    RateLimitError,
    Timeouts,
)
from onellm.transport.http import HttpTransport, _after_fork_in_child

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


async def run(script: str, loopback: Loopback, *, strict: bool = True) -> None:
    """Run a script against the loopback, which then must be alone."""
    flags = STRICT if strict else ()
    assert await python(PRELUDE + script, loopback.url, flags=flags) == ""
    await soon(loopback.wait_until_alone())


@pytest.fixture(params=["asyncio", "uvloop"])
def loops(request: pytest.FixtureRequest) -> str:
    """What a script begins with to have loops of this kind."""
    if request.param == "asyncio":
        return ""
    if importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    return """
import uvloop
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # policies are deprecated from Python 3.14 on
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
"""


def answer(request: object) -> Answer:  # noqa: ARG001 - the same for all
    return Answer(chunks=[CHAT])


@pytest.mark.parametrize(
    ("script", "requests"),
    [(FOUR_RUNS, 4), (LOOPS_CLOSED_AT_ONCE, 3), (CLIENT_LOST_BETWEEN_RUNS, 3), (LOOP_IN_A_DAEMON_THREAD, 1)],
    ids=["four runs", "loops closed at once", "client lost between runs", "loop in a daemon thread"],
)
async def test_successive_loops(loopback: Loopback, loops: str, script: str, requests: int) -> None:
    """The client makes connections of its own in each loop; those of a loop that is gone are closed."""
    if loops and script == LOOP_IN_A_DAEMON_THREAD:
        pytest.skip("uvloop itself complains of a loop that runs at exit")
    loopback.chooses(answer)
    # uvloop's close() warns of every open connection, and hangs where warnings are errors
    await run(loops + script, loopback, strict=not loops or script == FOUR_RUNS)
    assert [request.connection for request in loopback.requests] == list(range(1, requests + 1))


async def test_two_loops_in_two_threads(loopback: Loopback, loops: str) -> None:
    """At once; each has its own two connections."""
    loopback.chooses(answer)
    await run(loops + TWO_THREADS, loopback)
    assert len(loopback.requests) == 20
    assert loopback.connections == 4


async def test_loop_closed_under_a_stream(loopback: Loopback) -> None:
    """The stream may be closed and lost afterwards, before or after its client, or never."""
    loopback.plays(streamed(*STREAM, pause={1: asyncio.Event().wait}))
    await run(LOOP_CLOSED_UNDER_A_STREAM, loopback)
    assert len(loopback.requests) == 3


@needs_fork
async def test_fork_between_runs(loopback: Loopback, loops: str) -> None:
    """The child makes a connection of its own; the parent's still works when the child has gone."""
    loopback.chooses(answer)
    await run(loops + FORK_BETWEEN_RUNS, loopback)
    assert [request.connection for request in loopback.requests] == [1, 2, 1]


@needs_fork
async def test_fork_under_a_stream(loopback: Loopback) -> None:
    """Whatever the child does with the stream it inherited, the parent reads it to its end."""
    ready = asyncio.Event()

    def choose(request: object) -> Answer:
        if getattr(request, "json", {}).get("stream"):
            return streamed(*STREAM, pause={1: ready.wait})
        if len(loopback.requests) == 6:
            ready.set()
        return Answer(chunks=[CHAT])

    loopback.chooses(choose)
    await run(FORK_UNDER_A_STREAM, loopback)
    # Two of the parent's at first, one of which streams on; the child's own two; the parent's idle one again.
    first, second, stream, child, other, last = [request.connection for request in loopback.requests]
    assert {first, second} == {1, 2}
    assert {stream, last} == {1, 2}
    assert [child, other] == [3, 4]


# --- in one process ---


def lose_loops(url: str, http: HttpOptions) -> None:
    """Go through loops that are closed at once, under a stream, and that run again without their client."""
    client = AsyncOneLLM(api_key="k", base_url=url, http=http)
    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(_ask(client))
        stream = loop.run_until_complete(client.chat.completions.create(**ASK, stream=True))
        loop.close()
        stream.close_now()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_ask(client))
    del client
    gc.collect()
    again = AsyncOneLLM(api_key="k", base_url=url, http=http)
    loop.run_until_complete(asyncio.wait_for(_ask(again), 20))
    loop.run_until_complete(again.aclose())
    loop.run_until_complete(_ask(last := AsyncOneLLM(api_key="k", base_url=url, http=http)))
    del last
    gc.collect()
    loop.close()


def forget_loops(url: str, http: HttpOptions) -> None:
    """What the child of a fork does with what it inherited, in this process."""
    client = AsyncOneLLM(api_key="k", base_url=url, http=http)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_ask(client))
    stream = loop.run_until_complete(client.chat.completions.create(**ASK, stream=True))
    _after_fork_in_child()
    stream.close_now()
    asyncio.run(_ask(client))
    loop.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(("lose", "requests"), [(lose_loops, 7), (forget_loops, 3)])
async def test_lost_loops_lose_their_connections(
    tls: bool, lose: Callable[[str, HttpOptions], None], requests: int
) -> None:
    """Their sockets are closed, with no warning, whatever became of the loops."""
    contexts = certified() if tls else None
    async with Loopback(ssl=contexts and contexts[0]) as server:
        server.chooses(
            lambda request: streamed(*STREAM, cut="stall") if "stream" in request.json else Answer(chunks=[CHAT])
        )
        await asyncio.to_thread(lose, server.url, HttpOptions(ssl=contexts and contexts[1]))
        await soon(server.wait_until_alone())
        assert len(server.requests) == requests


def certified() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and a client's that trusts it."""
    trustme = pytest.importorskip("trustme", reason="makes the certificates; it is in the test extra")
    authority = trustme.CA()
    contexts = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(contexts[0])
    authority.configure_trust(contexts[1])
    return contexts


async def test_stream_of_the_transport_closes_when_it_is_lost(loopback: Loopback) -> None:
    """Also when nothing above it has taken it over."""
    loopback.plays(streamed(*STREAM, cut="stall"))
    transport = HttpTransport(HttpOptions())
    stream = await transport.stream("GET", loopback.url, headers={}, body=None, timeouts=Timeouts())
    assert stream.status == 200
    del stream
    gc.collect()
    await soon(loopback.requests[0].gone.wait())
    with pytest.raises(ConfigurationError, match=r"not a URL: http://$"):
        await transport.request("GET", "http://?key=x", headers={}, body=None, timeouts=Timeouts())
    await transport.aclose()


async def test_lost_client_closes_its_connections(loopback: Loopback) -> None:
    """In a running loop, without `aclose`."""
    loopback.chooses(answer)
    client = AsyncOneLLM(api_key="k", base_url=loopback.url)
    await client.chat.completions.create(**ASK)
    assert loopback.open_connections == 1
    del client
    gc.collect()
    await soon(loopback.wait_until_alone())
    watchdogs = [timer for timer in _timers() if "Watchdog" in repr(timer)]
    assert watchdogs == []


def _timers() -> list[asyncio.TimerHandle]:
    loop = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]


async def test_closed_client_refuses_calls(loopback: Loopback) -> None:
    """After `aclose`, in every loop; closing twice, or before any call, is no error."""
    loopback.chooses(answer)
    client = AsyncOneLLM(api_key="k", base_url=loopback.url)
    await client.aclose()
    client = AsyncOneLLM(api_key="k", base_url=loopback.url)
    await client.chat.completions.create(**ASK)
    await client.aclose()
    await client.aclose()
    await soon(loopback.wait_until_alone())
    with pytest.raises(ClientClosedError, match="make a new one"):
        await client.chat.completions.create(**ASK)
    with pytest.raises(ClientClosedError):
        await asyncio.to_thread(lambda: asyncio.run(_ask(client)))
    assert len(loopback.requests) == 1


async def _ask(client: AsyncOneLLM) -> None:
    await client.chat.completions.create(**ASK)


@pytest.mark.parametrize("stream", [False, True])
async def test_aclose_ends_what_is_under_way(loopback: Loopback, stream: bool) -> None:
    """A call that waits gets an error, and is not sent again."""
    loopback.plays(Answer(head=False, cut="stall"))
    client = AsyncOneLLM(api_key="k", base_url=loopback.url)
    call = asyncio.create_task(client.chat.completions.create(**ASK, stream=stream))
    await soon(loopback.wait_for_requests(1))
    await client.aclose()
    with pytest.raises((APIConnectionError, ClientClosedError)):
        await soon(call)
    assert len(loopback.requests) == 1
    await soon(loopback.wait_until_alone())


async def test_aclose_closes_in_other_loops(loopback: Loopback) -> None:
    """A loop that runs in another thread closes its own connections; it need not be told."""
    loopback.chooses(answer)
    client = AsyncOneLLM(api_key="k", base_url=loopback.url)
    await _ask(client)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_ask(client), loop))
    assert loopback.open_connections == 2
    await client.aclose()
    await soon(loopback.wait_until_alone())
    with pytest.raises(ClientClosedError):
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_ask(client), loop))
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    loop.close()


async def test_session_of_the_callers_own(loopback: Loopback) -> None:
    """It is used as it is, whatever its settings for errors and compression, and stays open."""
    packed = gzip.compress(json.dumps(CHAT).encode())
    loopback.plays(
        Answer(chunks=[packed], headers={"Content-Encoding": "gzip"}), Answer(status=429, chunks=[RATE_LIMIT])
    )
    async with aiohttp.ClientSession(
        headers={"X-Session": "mine"}, raise_for_status=True, auto_decompress=False
    ) as session:
        async with AsyncOneLLM(api_key="k", base_url=loopback.url, http_session=session, max_retries=0) as client:
            await client.chat.completions.create(**ASK)
            with pytest.raises(RateLimitError):
                await client.chat.completions.create(**ASK)
            with pytest.raises(ConfigurationError, match="another event loop"):
                await asyncio.to_thread(lambda: asyncio.run(_ask(client)))
        assert not session.closed
        assert loopback.open_connections == 1
        with pytest.raises(ClientClosedError):
            await client.chat.completions.create(**ASK)
        kept = AsyncOneLLM(api_key="k", base_url=loopback.url, http_session=session)
        with pytest.raises(RateLimitError):
            await kept.chat.completions.create(**ASK, max_retries=0)
    assert [request.headers["x-session"] for request in loopback.requests] == ["mine"] * 3
    assert len({request.connection for request in loopback.requests}) == 1
    with pytest.raises(ClientClosedError, match="session is closed"):
        await kept.chat.completions.create(**ASK)


async def test_fault_in_a_session_of_the_callers_own_passes(loopback: Loopback) -> None:
    """It is neither hidden nor tried again."""

    async def fault(*_: object) -> None:
        raise RuntimeError("the caller's own")

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(fault)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        client = AsyncOneLLM(api_key="k", base_url=loopback.url, http_session=session)
        with pytest.raises(RuntimeError, match="the caller's own"):
            await client.chat.completions.create(**ASK)
    assert loopback.requests == []


async def test_a_thousand_calls_at_once(loopback: Loopback) -> None:
    """All are under way together, on a connection each, under one timer; all are answered; nothing stays open."""
    everyone = asyncio.Event()

    def choose(request: object) -> Answer:
        if len(loopback.requests) == 1000:
            everyone.set()
        number = request.json["messages"][0]["content"]  # type: ignore[attr-defined]
        return Answer(chunks=[{**CHAT, "id": number}], pause={0: everyone.wait})

    loopback.chooses(choose)
    before = _open_files()
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, max_retries=0) as client:

        async def call(number: str) -> str:
            reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": number}])
            return reply.id

        numbers = [str(number) for number in range(1000)]
        calls = asyncio.gather(*map(call, numbers))
        await soon(everyone.wait())
        assert len([timer for timer in _timers() if "Watchdog" in repr(timer)]) == 1
        assert _open_files() <= before + 2000 + 5  # both ends of each connection
        assert await soon(calls) == numbers
        assert loopback.connections == 1000
        everyone.clear()
        transport = client._core.transport
        assert isinstance(transport, HttpTransport)
        assert transport._pool().watchdog.watches == set()
    await soon(loopback.wait_until_alone())
    for _ in range(10):
        await asyncio.sleep(0)
    assert _open_files() <= before + 2
    assert Counter(request.path for request in loopback.requests) == {"/chat/completions": 1000}


def _open_files() -> int:
    if not Path("/proc/self/fd").exists():
        return 0
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number


async def test_max_connections_bounds_them(loopback: Loopback) -> None:
    """Calls beyond it wait for a free one."""
    loopback.chooses(answer)
    options = HttpOptions(max_connections=3)
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, http=options) as client:
        await soon(asyncio.gather(*(_ask(client) for _ in range(30))))
    assert len(loopback.requests) == 30
    assert loopback.connections == 3


def test_module_is_imported_at_the_first_request() -> None:
    """Making a client imports no HTTP library."""
    script = "import sys\nfrom onellm import AsyncOneLLM\nAsyncOneLLM(api_key='k')\nassert 'aiohttp' not in sys.modules"
    asyncio.run(python(script))
    assert "aiohttp" in sys.modules
