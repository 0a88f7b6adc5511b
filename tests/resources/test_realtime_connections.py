"""Connections that end, stall and flood: what a session makes of them, and what it costs."""

import asyncio
import gc
import json
import threading
import weakref
from typing import Any

import pytest
from loopback import soon
from msgspec import structs
from realtime_server import (
    Peer,
    RealtimeServer,
    created,
    names,
    of_response,
    ready,
    response_created,
    response_done,
    sound,
    tool_call,
    until,
)

from onellm import (
    APIConnectionError,
    APITimeoutError,
    AsyncOneLLM,
    AudioDelta,
    HttpOptions,
    OneLLM,
    OneLLMError,
    Reconnect,
    ResponseDone,
    SessionClosed,
    SessionExpiring,
    SessionReady,
    SessionReconnected,
    StreamInterruptedError,
    TextDelta,
    Timeouts,
    ToolCallsCancelled,
)
from onellm.dialects.openai.realtime import OpenAIRealtime
from onellm.errors import ClientClosedError, NotFoundError, PermissionDeniedError, RateLimitError, ResponseDecodeError
from onellm.providers.compatible import compatible

MODEL = "openai/gpt-realtime"
PCM = b"\x01\x00" * 2400
AT_ONCE = Reconnect(attempts=3, first_wait=0.0)


# --- ends ---


@pytest.mark.parametrize("code", [1001, 1006, 1007, 1008, 1011, 4000])
async def test_a_connection_that_ends_otherwise_than_in_order_is_an_error(
    realtime: RealtimeServer, caller: AsyncOneLLM, code: int
) -> None:
    """What was under way is ended, `SessionClosed` comes last with code and reason, and then the iterator raises."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created(), of_response("output_text.delta", delta="Hal"), *tool_call("call_1", "f", "{}"))
        if code == 1006:
            peer.reset()
        else:
            await peer.close(code, "because")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        events = await until(session, SessionClosed)
        with pytest.raises(StreamInterruptedError) as caught:
            await anext(session)
        with pytest.raises(StopAsyncIteration):
            await anext(session)
        with pytest.raises(StreamInterruptedError):
            await session.send_text("Hi")
        assert session.closed
    assert names(events)[-3:] == ["ToolCallsCancelled", "ResponseDone", "SessionClosed"]
    cancelled, done, closed = events[-3:]
    assert isinstance(cancelled, ToolCallsCancelled)
    assert cancelled.call_ids == ("call_1",)
    assert isinstance(done, ResponseDone)
    assert (done.response_id, done.status, done.reason) == ("resp_1", "cancelled", "connection_lost")
    assert isinstance(closed, SessionClosed)
    assert (closed.code, closed.reason, closed.clean) == (code, "" if code == 1006 else "because", False)
    assert (caught.value.code, caught.value.provider, caught.value.model) == (str(code), "openai", "gpt-realtime")
    assert code == 1006 or "because" in str(caught.value)
    assert caught.value.retryable is (code in {1001, 1006, 1011})


async def test_an_end_in_order_is_no_error(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.close(1000, "bye")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, reconnect=3) as session:
        events = [event async for event in session]
        with pytest.raises(ClientClosedError):
            await session.send_text("Hi")
    assert isinstance(events[-1], SessionClosed)
    assert (events[-1].code, events[-1].reason, events[-1].clean) == (1000, "bye", True)
    assert len(realtime.peers) == 1


async def test_an_end_of_the_stream_without_a_close_frame_is_a_lost_connection(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    """aiohttp calls that an end in order."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.close(None)

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        closed = (await until(session, SessionClosed))[-1]
        assert isinstance(closed, SessionClosed)
        assert (closed.code, closed.clean) == (1006, False)
        with pytest.raises(StreamInterruptedError):
            await anext(session)


async def test_a_frame_that_is_no_event_ends_the_session(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(b"<html>")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await until(session, SessionClosed)
        with pytest.raises(ResponseDecodeError):
            await anext(session)
    await soon(realtime.peer.gone.wait())


async def test_fragments_binary_frames_and_pings(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """A frame may come in pieces, with a ping between them, and as bytes; pings are answered."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.fragments(response_created(), 5, 40)
        payload = json.dumps(of_response("output_text.delta", delta="héllo")).encode()
        peer.frame(payload[:100], 1, last=False)
        peer.ping(b"between")
        peer.frame(payload[100:], 0)
        peer.send(response_done(), binary=True)
        assert await peer.pong() == b"between"

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        events = await until(session, ResponseDone)
    assert names(events) == ["SessionReady", "ResponseStarted", "TextDelta", "ResponseDone"]
    assert isinstance(events[2], TextDelta)
    assert events[2].text == "héllo"


# --- getting ready ---


@pytest.mark.parametrize(
    ("status", "error"), [(403, PermissionDeniedError), (404, NotFoundError), (429, RateLimitError)]
)
async def test_a_refusal_has_the_class_of_its_status(
    realtime: RealtimeServer, key: str, status: int, error: type[OneLLMError]
) -> None:
    realtime.refuses(status, {"error": {"message": "not today", "type": "x"}}, retry_after="7")
    async with AsyncOneLLM(api_key=key, base_url=f"{realtime.url}/v1", max_retries=0) as client:
        with pytest.raises(error, match="not today") as caught:
            await client.realtime.connect(model=MODEL)
    assert (caught.value.status_code, caught.value.provider) == (status, "openai")
    assert caught.value.retry_after == 7


async def test_a_refusal_that_may_pass_is_tried_again(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    realtime.refuses(503, {"error": {"message": "busy"}})
    realtime.plays(ready)
    async with caller.realtime.connect(model=MODEL) as session:
        await until(session, SessionReady)
    assert len(realtime.requests) == 2


async def test_a_redirect_does_not_take_the_key_along(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    realtime.refuses(302, b"", location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(OneLLMError, match=r"redirects to http://127\.0\.0\.1:9/elsewhere"):
        await caller.realtime.connect(model=MODEL)
    assert len(realtime.requests) == 1


async def test_a_close_before_the_session_is_ready_says_why(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        peer.send(created())
        await peer.close(1008, "no such model")

    realtime.plays(script)
    with pytest.raises(APIConnectionError, match="1008: no such model"):
        await caller.realtime.connect(model=MODEL)


async def test_a_host_that_says_nothing_does_not_hold_the_call(realtime: RealtimeServer, key: str) -> None:
    """Each step of getting ready has a limit."""

    async def silent(peer: Peer) -> None:
        peer.send(created())
        await peer.gone.wait()

    realtime.plays(silent)
    async with AsyncOneLLM(api_key=key, base_url=f"{realtime.url}/v1", max_retries=0) as client:
        with pytest.raises(APITimeoutError, match=r"not ready within 0\.05 s") as caught:
            await client.realtime.connect(model=MODEL, timeout=Timeouts(first_byte=0.05))
    assert caught.value.phase == "first_byte"
    await soon(realtime.peer.gone.wait())


async def test_cancelling_while_it_gets_ready_closes_the_socket(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    asked = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.expect("session.update")
        asked.set()

    async def connect() -> None:
        await caller.realtime.connect(model=MODEL)

    realtime.plays(silent)
    task = asyncio.create_task(connect())
    await soon(asked.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await soon(realtime.peer.gone.wait())


# --- leaving ---


async def test_cancelling_the_task_closes_the_socket_at_once(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Nothing is waited for: the host sees the end without having answered a close frame."""
    waits = asyncio.Event()

    async def script(peer: Peer) -> None:
        await ready(peer)

    async def talk() -> None:
        async with caller.realtime.connect(model=MODEL) as session:
            async for event in session:
                if isinstance(event, SessionReady):
                    waits.set()

    realtime.plays(script)
    task = asyncio.create_task(talk())
    await soon(waits.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await soon(realtime.peer.gone.wait())
    assert realtime.peer.closed == (1000, "")


async def test_cancelling_the_iterator_loses_nothing(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Waiting for an event may be given up; the session goes on, and the event comes to who asks next."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.clear")
        peer.send(response_created(), response_done())

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await until(session, SessionReady)
        await soon(anext(session))  # session.created
        waiting = asyncio.ensure_future(anext(session))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await session.clear()
        assert names(await until(session, ResponseDone)) == ["ResponseStarted", "ResponseDone"]


async def test_a_session_that_is_let_go_is_closed(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    realtime.plays(ready)
    session = await caller.realtime.connect(model=MODEL)
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    await soon(realtime.peer.gone.wait())


async def test_closing_ends_the_iteration_of_another_task(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    realtime.plays(ready)
    session = await caller.realtime.connect(model=MODEL)

    async def listen() -> list[Any]:
        return [event async for event in session]

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await session.aclose()
    events = await soon(listening)
    assert isinstance(events[-1], SessionClosed)
    assert events[-1].clean
    await session.aclose()  # twice is once


async def test_closing_the_client_ends_its_sessions(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    realtime.plays(ready)
    async with caller.realtime.connect(model=MODEL) as session:
        await caller.aclose()
        with pytest.raises(StreamInterruptedError):
            [event async for event in session]


def test_a_loop_that_was_closed_takes_its_session_with_it(key: str) -> None:
    """The next loop starts anew, and nothing of the first one is left open."""

    async def talk(*, leave: bool) -> list[str]:
        async with RealtimeServer() as server:
            server.plays(ready)
            client = AsyncOneLLM(api_key=key, base_url=f"{server.url}/v1")
            session = await client.realtime.connect(model=MODEL)
            event = await soon(anext(session))
            if not leave:
                await client.aclose()
            return [type(event).__name__]

    assert asyncio.run(talk(leave=True)) == asyncio.run(talk(leave=False)) == ["SessionReady"]
    gc.collect()


# --- too much ---


async def test_sound_that_nobody_takes_stays_on_the_other_side(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """A flood with a slow reader: what is queued is bounded, the socket fills up, and all of it comes in the end."""
    count, piece = 400, bytes(48_000)
    sent: list[int] = []

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.writer.transport.set_write_buffer_limits(high=1 << 16)
        peer.send(response_created())
        for number in range(count):
            peer.send(sound(piece))
            await peer.drain()
            sent.append(number)
        peer.send(response_done())

    realtime.plays(script)
    bound = 1 << 20
    async with caller.realtime.connect(model=MODEL, max_queued_bytes=bound) as session:
        line = session._line  # pyright: ignore[reportPrivateUsage] - what it holds is what is asked
        await until(session, AudioDelta)
        most = before = 0
        for _ in range(2000):  # turns of the loop: all that can move has moved
            await asyncio.sleep(0)
            most = max(most, line._queued)  # pyright: ignore[reportPrivateUsage] - likewise
        before = len(sent)
        assert most <= bound + 3 * len(piece)
        assert before < count // 2  # the host could not send it all
        events = await until(session, ResponseDone)
    total = sum(len(event.pcm) for event in events if isinstance(event, AudioDelta)) + len(piece)
    assert total == count * len(piece)


async def test_a_send_that_the_host_does_not_take_is_bounded_in_time(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    async def stalls(peer: Peer) -> None:
        await ready(peer)
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    realtime.plays(stalls)
    async with caller.realtime.connect(model=MODEL, timeout=Timeouts(idle=0.05)) as session:
        await until(session, SessionReady)
        with pytest.raises(APITimeoutError, match="taken nothing") as caught:
            for _ in range(100):
                await session.send_audio(bytes(1 << 20))
        assert caught.value.phase == "idle"
        session.close_now()


async def test_a_hundred_sessions_in_one_loop(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("conversation.item.create", "response.create")
        peer.send(response_created(), *[sound(PCM) for _ in range(10)], response_done())

    async def talk(number: int) -> int:
        async with caller.realtime.connect(model=MODEL) as session:
            await session.send_text(f"I am {number}")
            events = await until(session, ResponseDone)
        return sum(len(event.pcm) for event in events if isinstance(event, AudioDelta))

    realtime.plays(script)
    assert await asyncio.gather(*map(talk, range(100))) == [10 * len(PCM)] * 100
    await asyncio.gather(*(soon(peer.gone.wait()) for peer in realtime.peers))
    said = {peer.received[1]["item"]["content"][0]["text"] for peer in realtime.peers}
    assert said == {f"I am {number}" for number in range(100)}


async def test_a_frame_larger_than_allowed_ends_the_session(realtime: RealtimeServer, key: str) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(sound(bytes(100_000)))

    realtime.plays(script)
    options = HttpOptions(max_event_bytes=50_000)
    async with (
        AsyncOneLLM(api_key=key, base_url=f"{realtime.url}/v1", http=options) as client,
        client.realtime.connect(model=MODEL) as session,
    ):
        closed = (await until(session, SessionClosed))[-1]
        assert isinstance(closed, SessionClosed)
        assert closed.code == 1009


# --- again ---


async def test_a_lost_connection_is_replaced_and_the_conversation_said_again(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    """Finished items go out again, sound as its words; what was cut off does not; settings are those of the moment."""

    def item(name: str, role: str, *content: Any) -> dict[str, Any]:
        return {"id": name, "object": "realtime.item", "type": "message", "role": role, "content": list(content)}

    def added(each: dict[str, Any]) -> dict[str, Any]:
        return {"type": "conversation.item.done", "event_id": "ev", "item": each}

    async def first(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("session.update")
        words = "conversation.item.input_audio_transcription.completed"
        peer.send(
            added(item("i1", "user", {"type": "input_text", "text": "Hi"})),
            added(item("i2", "assistant", {"type": "output_audio", "transcript": "Hello"})),
            added(item("i3", "user", {"type": "input_audio", "transcript": None})),
            {"type": words, "event_id": "ev", "item_id": "i3", "transcript": "And you?"},
            added(item("i4", "assistant", {"type": "output_text", "text": "cut"})),
            {"type": "conversation.item.deleted", "event_id": "ev", "item_id": "i4"},
            response_created(),
            sound(PCM),
        )
        await peer.drain()
        await peer.close(1001, "60 minutes")

    async def second(peer: Peer) -> None:
        await ready(peer)
        await peer.expect(*["conversation.item.create"] * 3)
        peer.send(response_created("resp_9"), response_done("resp_9"))

    realtime.plays(first, second)
    async with caller.realtime.connect(model=MODEL, voice="marin", reconnect=AT_ONCE) as session:
        await session.update(instructions="New")
        events = await until(session, SessionReconnected, ResponseDone)
    lost = names(events).index("ResponseDone")
    assert names(events)[lost:] == [
        "ResponseDone", "SessionReady", "SessionReconnected", "ResponseStarted", "ResponseDone"
    ]  # fmt: skip
    reconnected = events[lost + 2]
    assert isinstance(reconnected, SessionReconnected)
    assert (reconnected.restored, reconnected.attempt) == ("items", 1)
    again = realtime.peers[1].received
    assert (again[0]["session"]["instructions"], again[0]["session"]["audio"]["output"]) == ("New", {"voice": "marin"})
    assert [event["item"] for event in again[1:]] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And you?"}]},
    ]


async def test_sending_waits_for_the_new_connection(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Who streams sound need not know of it."""

    async def first(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append")
        peer.reset()

    async def second(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append")
        peer.send(response_created(), response_done())

    realtime.plays(first, second)
    async with caller.realtime.connect(model=MODEL, reconnect=AT_ONCE) as session:
        async with asyncio.timeout(20):
            while len(realtime.peers) < 2 or len(realtime.peers[1].received) < 2:
                await session.send_audio(PCM)
                await asyncio.sleep(0)
        await until(session, SessionReconnected, ResponseDone)


async def test_attempts_are_bounded(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """When they are used up, the session ends with the last failure."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.close(1011, "oops")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, reconnect=Reconnect(attempts=2, first_wait=0.0)) as session:
        events = await until(session, SessionClosed)
        with pytest.raises(StreamInterruptedError, match="oops"):
            await anext(session)
    assert len(realtime.peers) == 3
    attempts = [event.attempt for event in events if isinstance(event, SessionReconnected)]
    assert attempts == [1, 2]


async def test_a_refusal_ends_the_attempts(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        realtime.refuses(403, {"error": {"message": "no more"}})
        await peer.close(1012)

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, reconnect=5) as session:
        await until(session, SessionClosed)
        with pytest.raises(PermissionDeniedError):
            await anext(session)
    assert len(realtime.requests) == 2


async def test_the_end_of_a_connections_life_is_announced(realtime: RealtimeServer) -> None:
    """Five minutes before, where the provider does not say so itself."""
    realtime.plays(ready)
    provider = compatible("mine", base_url=f"{realtime.url}/v1")
    async with AsyncOneLLM() as client:
        client.register(structs.replace(provider, realtime=OpenAIRealtime(lifetime=300.01)))
        async with client.realtime.connect(model="mine/voice") as session:
            event = (await until(session, SessionExpiring))[-1]
    assert isinstance(event, SessionExpiring)
    assert event.time_left == 300
    assert OpenAIRealtime().lifetime == 3600


# --- without an event loop in sight ---


def test_the_blocking_session(key: str) -> None:
    """The same session in a `with`, from a thread of one's own."""
    begun: list[str] = []
    started, stop = threading.Event(), threading.Event()

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("conversation.item.create", "response.create")
        peer.send(response_created(), sound(PCM), response_done())

    def serve() -> None:
        async def run() -> None:
            async with RealtimeServer() as server:
                server.plays(script)
                begun.append(server.url)
                started.set()
                await asyncio.to_thread(stop.wait)

        asyncio.run(run())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert started.wait(20)
        client = OneLLM(api_key=key, base_url=f"{begun[0]}/v1")
        with client.realtime.connect(model=MODEL) as session:
            session.send_text("Hi")
            events = []
            for event in session:
                events.append(event)
                if isinstance(event, ResponseDone):
                    break
            assert (session.model, session.output_rate, session.closed) == ("gpt-realtime", 24_000, False)
        assert session.closed
        assert [event.pcm for event in events if isinstance(event, AudioDelta)] == [PCM]
        client.close()
    finally:
        stop.set()
        thread.join(20)
