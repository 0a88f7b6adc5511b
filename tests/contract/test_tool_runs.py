"""Runs with every provider that has tools: its own bytes for the calls, for the answer, and for the streams of both."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from loopback import Answer, Loopback
from test_every_provider import MODEL, ROWS, _nothing_of_ours, ask, bytes_of, connect, streaming

from onellm import RunChunk, RunReply, RunToolCall, RunToolResult

if TYPE_CHECKING:
    from onellm.types.runs import RunEvent

__all__ = ["_nothing_of_ours"]  # a fixture

with_tools = pytest.mark.parametrize(
    "name",
    [
        name
        for name, row in ROWS.items()
        if "chat" in row.operations and row.get_model_capabilities(MODEL)["function_calling_support"]
    ],
)


async def weather(city: str) -> dict[str, Any]:
    """The weather of a city, now."""
    return {"felt_in": city}


@with_tools
@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_is_carried_to_its_end(name: str, stream: bool, loopback: Loopback) -> None:
    """The functions are told to it, called with what it wrote, and it is told what they gave."""
    played = bytes_of(name)
    if stream:
        loopback.plays(streaming(name, *played.tool_stream), streaming(name))
    else:
        loopback.plays(Answer(chunks=[played.tool_answer]), Answer(chunks=[played.answer]))
    events: list[RunEvent] = []
    async with (
        connect(loopback, name) as client,
        client.chat.completions.run(**ask(name), tools=[weather], stream=stream) as run,
    ):
        async for event in run:
            events.append(event)  # noqa: PERF401 - one by one
        reply = await run.result()
    assert (reply.choices[0].message.content, reply.provider) == (played.text, name)
    kinds = [type(event) for event in events if not isinstance(event, RunChunk)]
    assert kinds == [RunReply, RunToolCall, RunToolCall, RunToolResult, RunToolResult, RunReply]
    assert any(isinstance(event, RunChunk) for event in events) is stream
    values = [event.value for event in events if isinstance(event, RunToolResult)]
    assert sorted(value["felt_in"] for value in values) == ["Zürich", "北京"]
    calls = [event.call for event in events if isinstance(event, RunToolCall)]
    assert [call.function.parsed_arguments["city"] for call in calls] == ["Zürich", "北京"]
    first, second = (json.dumps(request.json, ensure_ascii=False) for request in loopback.requests)
    for body in (first, second):
        assert "The weather of a city, now." in body
    assert "felt_in" not in first
    assert second.count("felt_in") == 2
    assert second.index("Zürich") < second.index("北京")
    assert run.usage.total_tokens > 0
