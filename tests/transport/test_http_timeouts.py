"""Time limits and cancellation over a real socket."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from loopback import Answer, Loopback, soon, streamed
from wire.openai import ASK, CHAT, PIECES, STREAM, chunk

if TYPE_CHECKING:
    from onellm.types.chat_params import MessageParam

from onellm import APIConnectionError, APITimeoutError, AsyncOneLLM, HttpOptions, Timeouts
from onellm.transport.http import HttpTransport
from onellm.transport.watchdog import Watchdog

SHORT = 0.05


def watchdog_of(client: AsyncOneLLM) -> Watchdog:
    transport = client._core.transport
    assert isinstance(transport, HttpTransport)
    return transport._pool().watchdog


async def test_first_byte_limit_before_the_head(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A host that takes the request and says nothing."""
    loopback.plays(Answer(head=False, cut="stall"))
    with pytest.raises(APITimeoutError, match=r"within 0.05 s \(first_byte\)") as caught:
        await soon(client.chat.completions.create(**ASK, timeout=Timeouts(first_byte=SHORT), max_retries=0))
    assert caught.value.phase == "first_byte"
    assert caught.value.provider == "openai"
    await soon(loopback.requests[0].gone.wait())


@pytest.mark.parametrize("stream", [False, True])
async def test_first_byte_limit_between_head_and_body(client: AsyncOneLLM, loopback: Loopback, stream: bool) -> None:
    """A head that comes at once is no answer yet."""
    loopback.plays(Answer(content_type="text/event-stream" if stream else "application/json", cut="stall"))
    with pytest.raises(APITimeoutError) as caught:
        await soon(
            client.chat.completions.create(**ASK, stream=stream, timeout=Timeouts(first_byte=SHORT), max_retries=0)
        )
    assert caught.value.phase == "first_byte"
    await soon(loopback.requests[0].gone.wait())


async def test_idle_limit_between_chunks(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What came before is handed out; then the silence is an error that names its limit."""
    loopback.plays(streamed(*STREAM, pause={3: asyncio.Event().wait}))
    stream = await client.chat.completions.create(**ASK, stream=True, timeout=Timeouts(idle=SHORT))
    seen: list[str] = []
    with pytest.raises(APITimeoutError, match="idle") as caught:
        async for piece in stream.text():
            seen.append(piece)  # noqa: PERF401 - the loop raises
    assert seen == PIECES[:2]
    assert caught.value.phase == "idle"
    assert caught.value.model == "gpt-5.4-mini"
    assert len(loopback.requests) == 1
    await soon(loopback.requests[0].gone.wait())


async def test_idle_limit_in_a_whole_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A body that stops half way; nothing was handed out, so it is tried again."""
    loopback.plays(Answer(chunks=[b'{"id": "chatcmpl-1"'], cut="stall"), Answer(chunks=[CHAT]))
    reply = await soon(client.chat.completions.create(**ASK, timeout=Timeouts(idle=SHORT)))
    assert reply.id == CHAT["id"]
    assert len(loopback.requests) == 2
    await soon(loopback.requests[0].gone.wait())


async def test_comments_count_as_life(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A host that sends keep-alive comments is not idle, however long its next chunk takes."""
    loopback.plays(streamed(STREAM[0], *[b": ping\n\n"] * 8, *STREAM[1:], pause={n: pause(0.04) for n in range(1, 10)}))
    limits = Timeouts(idle=0.2)  # 0.36 s go by between two chunks
    async with await client.chat.completions.create(**ASK, stream=True, timeout=limits) as stream:
        assert (await stream.get_final_completion()).choices[0].message.content == "".join(PIECES)


def pause(seconds: float) -> Callable[[], Awaitable[None]]:
    """A host that takes its time; the wait is the server's."""
    return lambda: asyncio.sleep(seconds)


@pytest.mark.parametrize("answer", [Answer(head=False, cut="stall"), Answer(chunks=[b'{"id"'], cut="stall")])
async def test_total_limit_is_not_tried_again(client: AsyncOneLLM, loopback: Loopback, answer: Answer) -> None:
    """A number as timeout is the whole call's; another attempt would only exceed it."""
    loopback.plays(answer)
    with pytest.raises(APITimeoutError, match="total") as caught:
        await soon(client.chat.completions.create(**ASK, timeout=SHORT, max_retries=5))
    assert caught.value.phase == "total"
    assert len(loopback.requests) == 1
    await soon(loopback.requests[0].gone.wait())


async def test_total_limit_ends_a_stream_that_is_alive(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Chunks without end are bounded by the total limit alone."""
    endless = streamed(*[chunk({"content": "x"})] * 1000, pause={n: pause(0.01) for n in range(1, 1000)})
    loopback.plays(endless)
    async with await client.chat.completions.create(**ASK, stream=True, timeout=0.1) as stream:
        with pytest.raises(APITimeoutError) as caught:
            await soon(stream.get_final_completion())
    assert caught.value.phase == "total"
    await soon(loopback.requests[0].gone.wait())


@pytest.mark.parametrize("connections", [0, 5])
async def test_connect_limit(connections: int) -> None:
    """A host whose queue of connections is full answers nothing, not even a refusal."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - socket's signature
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        options = HttpOptions(max_connections=connections)
        async with AsyncOneLLM(api_key="k", base_url=url, http=options, max_retries=0) as client:
            with pytest.raises(APITimeoutError, match=r"within 0.05 s \(connect\)") as caught:
                await soon(client.chat.completions.create(**ASK, timeout=Timeouts(connect=SHORT)))
        assert caught.value.phase == "connect"
        for filler in fillers:
            filler.close()


async def test_waiting_for_a_free_connection_is_not_connecting(loopback: Loopback) -> None:
    """With `max_connections`, calls queue; the limit for connecting does not run meanwhile."""
    loopback.plays(Answer(chunks=[CHAT], pause={0: pause(0.15)}))
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, http=HttpOptions(max_connections=1)) as client:
        limits = Timeouts(connect=0.1)
        calls = [client.chat.completions.create(**ASK, timeout=limits, max_retries=0) for _ in range(2)]
        assert [reply.id for reply in await asyncio.gather(*calls)] == [CHAT["id"]] * 2
    assert loopback.connections == 1


async def test_refused_connection_is_an_error() -> None:
    """Nobody listens: said with the address, and no timeout."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        async with AsyncOneLLM(api_key="k", base_url=f"http://127.0.0.1:{port}/v1") as client:
            with pytest.raises(APIConnectionError, match=f"127.0.0.1:{port}") as caught:
                await client.chat.completions.create(**ASK)
    assert not isinstance(caught.value, APITimeoutError)


async def test_different_connect_limits_are_not_remembered_for_ever(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A caller that works out a limit for each call does not make the client grow."""
    loopback.plays(Answer(chunks=[CHAT]))
    for number in range(70):
        await client.chat.completions.create(**ASK, timeout=Timeouts(connect=10.0 + number))
    transport = client._core.transport
    assert isinstance(transport, HttpTransport)
    assert len(transport._pool()._timeouts) < 70
    assert len(loopback.requests) == 70


# --- the caller's own ---


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("order", ["limit first", "caller first"])
async def test_cancellation_as_a_limit_expires_is_cancellation(
    client: AsyncOneLLM, loopback: Loopback, stream: bool, order: str
) -> None:
    """Both in one turn of the loop: the caller's wins, and no retry is made."""
    loopback.plays(Answer(head=False, cut="stall"))
    call = asyncio.create_task(client.chat.completions.create(**ASK, stream=stream, timeout=Timeouts(first_byte=60)))
    await soon(loopback.wait_for_requests(1))
    watchdog = watchdog_of(client)
    (watch,) = watchdog.watches
    watch.deadline = 0.0
    if order == "caller first":
        call.cancel()
    watchdog._tick()
    if order == "limit first":
        call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await soon(loopback.requests[0].gone.wait())
    assert len(loopback.requests) == 1
    assert watchdog.watches == set()


async def test_asyncio_timeout_around_a_call(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The caller's own timeout is the builtin `TimeoutError`, and closes the connection."""
    loopback.plays(Answer(head=False, cut="stall"))
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SHORT):
            await client.chat.completions.create(**ASK)
    assert not isinstance(caught.value, APIConnectionError)
    await soon(loopback.requests[0].gone.wait())


async def test_our_timeout_inside_the_callers(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A limit that expires inside `asyncio.timeout` is ours, and leaves the task as it was."""
    loopback.plays(Answer(head=False, cut="stall"))
    async with asyncio.timeout(20):
        with pytest.raises(APITimeoutError):
            await client.chat.completions.create(**ASK, timeout=SHORT)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_cancelled_group_cancels_its_calls(client: AsyncOneLLM, loopback: Loopback) -> None:
    """One failure in a TaskGroup ends the other calls, and their connections."""
    loopback.plays(Answer(head=False, cut="stall"))
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(client.chat.completions.create(**ASK))
            await soon(loopback.wait_for_requests(3))
            raise ZeroDivisionError
    assert [type(exc) for exc in caught.value.exceptions] == [ZeroDivisionError]
    await soon(loopback.wait_until_alone())


async def test_limit_on_an_upload_lets_go_of_what_was_not_sent() -> None:
    """A host that takes no more bytes: the rest is dropped at once, not kept until the host reads again."""
    loop = asyncio.get_running_loop()
    large: list[MessageParam] = [{"role": "user", "content": "x" * (16 << 20)}]
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        async with AsyncOneLLM(api_key="k", base_url=url, max_retries=0) as client:
            with pytest.raises(APITimeoutError):
                await soon(client.chat.completions.create(model="m", messages=large, timeout=0.2))
            taken, _ = deaf.accept()
            taken.setblocking(False)  # noqa: FBT003 - socket's signature
            size = 0
            with taken, contextlib.suppress(ConnectionError):
                while received := await soon(loop.sock_recv(taken, 1 << 20)):
                    size += len(received)
    assert size < 16 << 20
