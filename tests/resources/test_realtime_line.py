"""The inside of a session on connections that a test holds in its hands: what is said just when one is lost."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from loopback import soon
from realtime_server import response_created, tool_call, updated

from onellm.dialects.openai.realtime import OpenAIRealtime
from onellm.dialects.realtime import Ending, RealtimeCodec
from onellm.errors import APIConnectionError
from onellm.policy.retry import RetryPolicy
from onellm.resources.realtime_line import Line, Terms
from onellm.types.functions import FunctionTool
from onellm.types.realtime import CreateMessage, RealtimeCommand, RealtimeRequest, Reconnect, SendToolResult
from onellm.types.realtime_events import SessionClosed, SessionReconnected, ToolCallReady, ToolResultSent

if TYPE_CHECKING:
    from collections.abc import Mapping

HELLO = CreateMessage("user", ({"type": "text", "text": "Hello"},))


class Wire:
    """A connection: what is put into it comes, what is sent is kept; once dead, sending fails."""

    def __init__(self) -> None:
        self.status, self.body = 101, b""
        self.headers: Mapping[str, str] = {}
        self.code, self.reason = 1006, ""
        self.closed = self.dead = False
        self.sent: list[dict[str, Any]] = []
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.put(updated())

    def put(self, *events: Any) -> None:
        for event in events:
            self.inbox.put_nowait(json.dumps(event).encode())

    async def receive(self) -> bytes | None:
        return await self.inbox.get()

    def send_now(self, frame: bytes) -> None:
        if self.dead:
            raise APIConnectionError("closed")
        self.sent.append(json.loads(frame))

    async def send(self, frame: bytes, limit: float | None) -> None:  # noqa: ARG002 - it is taken at once
        self.send_now(frame)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:  # noqa: ARG002 - nobody is told
        self.close_now()

    def close_now(self) -> None:
        self.closed = True
        self.inbox.put_nowait(None)


class Host:
    def __init__(self) -> None:
        self.dialect = OpenAIRealtime()
        self.request = RealtimeRequest(provider="openai", model="m", params={"input_transcription": False})
        self.wires: list[Wire] = []

    def codec(self) -> RealtimeCodec:
        return self.dialect.codec(self.request)

    async def connect(self) -> Wire:
        self.wires.append(Wire())
        return self.wires[-1]

    def ending(self, code: int, reason: str) -> Ending:
        return self.dialect.ending(code, reason)


def line(host: Host, *, reconnect: bool = True, functions: Any = None) -> Line:
    return Line(
        host,
        Terms(
            model="m",
            provider="openai",
            functions=functions or {},
            reconnect=Reconnect(first_wait=0.0) if reconnect else None,
            retry=RetryPolicy(max_retries=0),
            most_queued=1 << 20,
            step=5.0,
            idle=5.0,
        ),
    )


async def taken(line: Line, kind: type) -> Any:
    while not isinstance(event := await soon(line.take()), kind):
        assert event is not None
    return event


@pytest.mark.parametrize(
    ("command", "item"),
    [
        (HELLO, {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}),
        (SendToolResult("call_1", "x"), {"type": "function_call_output", "call_id": "call_1", "output": "x"}),
    ],
)
async def test_what_a_dead_connection_did_not_take_is_said_once(command: RealtimeCommand, item: dict[str, Any]) -> None:
    """It goes out with the conversation on the next one; the wish for an answer follows."""
    host = Host()
    session = line(host)
    await session.open()
    first = host.wires[0]
    first.dead = True
    sending = asyncio.create_task(session.send(command))
    await asyncio.sleep(0)
    assert not sending.done()
    first.inbox.put_nowait(None)
    await soon(sending)
    await taken(session, SessionReconnected)
    sent = [{name: value for name, value in frame.items() if name != "event_id"} for frame in host.wires[1].sent]
    assert sent == [
        {"type": "session.update", "session": {"type": "realtime"}},
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create"},
    ]
    await session.aclose()


async def test_without_a_policy_sending_fails() -> None:
    host = Host()
    session = line(host, reconnect=False)
    await session.open()
    host.wires[0].dead = True
    with pytest.raises(APIConnectionError):
        await session.send(HELLO)
    await session.aclose()
    assert host.wires[0].closed


async def test_a_function_that_runs_when_the_connection_is_lost_is_cancelled() -> None:
    """The new session knows nothing of its call."""
    host = Host()
    cancelled = asyncio.Event()

    async def slow() -> str:
        """Takes long."""
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    session = line(host, functions={"slow": FunctionTool(slow)})
    await session.open()
    host.wires[0].put(response_created(), *tool_call("call_1", "slow", "{}"))
    await taken(session, ToolCallReady)
    host.wires[0].inbox.put_nowait(None)
    await taken(session, SessionReconnected)
    await soon(cancelled.wait())
    host.wires[1].code = 1000
    host.wires[1].inbox.put_nowait(None)
    closed = await taken(session, SessionClosed)
    assert closed.clean
    assert not any(isinstance(event, ToolResultSent) for event in [await session.take()])
    assert [frame["type"] for frame in host.wires[1].sent] == ["session.update"]


async def test_a_session_is_closed_from_another_thread() -> None:
    host = Host()
    session = line(host)
    await session.open()
    await asyncio.to_thread(session.close_now)
    closed = await taken(session, SessionClosed)
    assert (closed.code, closed.clean) == (1000, True)
    assert host.wires[0].closed
