"""`chat.completions.run`: the conversation with tools that is carried to its end."""

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from loopback import Answer, Loopback
from threaded import Provider
from wire.chat_completions import ANSWER, DONE, TEXT, TOOL_ANSWER, TOOL_STREAM, chunk, usage_chunk, whole

from onellm import (
    AsyncOneLLM,
    BadRequestError,
    FunctionTool,
    InvalidRequestError,
    MaxTurnsError,
    OneLLM,
    ResponseValidationError,
    RunChunk,
    RunReply,
    RunToolCall,
    RunToolResult,
)

if TYPE_CHECKING:
    from onellm.types.runs import RunEvent

ASK: dict[str, Any] = {"model": "openai/m", "messages": [{"role": "user", "content": "How is the weather?"}]}


def calls(*wanted: tuple[str, str, str], content: str | None = None) -> bytes:
    """An answer with these calls: id, name, arguments."""
    made = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in wanted
    ]
    return whole({"content": content, "tool_calls": made}, "tool_calls")


async def weather(city: str) -> dict[str, Any]:
    """The weather of a city."""
    return {"city": city, "degrees": len(city)}


def said(request: Any) -> list[Any]:
    """What a request's tool messages say, by id."""
    return [(m["tool_call_id"], m["content"]) for m in request.json["messages"] if m["role"] == "tool"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_carries_the_conversation_to_its_end(stream: bool, loopback: Loopback, client: AsyncOneLLM) -> None:
    """Parallel calls, their results in the calls' order, the usage of both turns; the whole history goes out."""
    if stream:
        loopback.plays(
            Answer(chunks=TOOL_STREAM, content_type="text/event-stream"),
            Answer(chunks=[chunk({"content": TEXT}, "stop"), usage_chunk(), DONE], content_type="text/event-stream"),
        )
    else:
        loopback.plays(Answer(chunks=[TOOL_ANSWER]), Answer(chunks=[ANSWER]))
    events: list[RunEvent] = []
    async with client.chat.completions.run(**ASK, tools=[weather], stream=stream) as run:
        async for event in run:
            events.append(event)  # noqa: PERF401 - one by one
        reply = await run.result()
    assert reply.choices[0].message.content == TEXT
    first, second = loopback.requests
    assert first.json["tools"] == [FunctionTool(weather).param()]
    assert first.json["messages"] == ASK["messages"]
    assert [message["role"] for message in second.json["messages"]] == ["user", "assistant", "tool", "tool"]
    assert said(second) == [("call_a", '{"city":"Zürich","degrees":6}'), ("call_b", '{"city":"北京","degrees":2}')]
    assert len(ASK["messages"]) == 1, "the caller's list is not touched"
    assert len(run.messages) == 5
    assert (run.usage.prompt_tokens, run.usage.completion_tokens, run.usage.total_tokens) == (38, 20, 58)
    told = [event for event in events if not isinstance(event, RunChunk)]
    assert [(type(event), event.turn) for event in told] == [
        (RunReply, 1),
        *[(RunToolCall, 1)] * 2,
        *[(RunToolResult, 1)] * 2,
        (RunReply, 2),
    ]
    assert {event.value["degrees"] for event in told if isinstance(event, RunToolResult)} == {6, 2}
    assert bool([event for event in events if isinstance(event, RunChunk)]) is stream


async def test_calls_of_one_turn_run_together(loopback: Loopback, client: AsyncOneLLM) -> None:
    """Each waits for the other; one that is not async runs in a thread of its own."""
    both = threading.Barrier(2, timeout=20)
    met = asyncio.Event()

    def blocking(n: int) -> str:
        return f"{n}:{both.wait() in (0, 1)}"

    async def first() -> str:
        await asyncio.wait_for(met.wait(), 20)
        return "first"

    async def second() -> str:
        met.set()
        return "second"

    loopback.plays(
        Answer(
            chunks=[
                calls(
                    ("1", "blocking", '{"n":1}'),
                    ("2", "first", ""),
                    ("3", "blocking", '{"n":2}'),
                    ("4", "second", "{}"),
                )
            ]
        ),
        Answer(chunks=[ANSWER]),
    )
    await client.chat.completions.run(**ASK, tools=[blocking, first, second]).result()
    assert said(loopback.requests[1]) == [("1", "1:True"), ("2", "first"), ("3", "2:True"), ("4", "second")]


async def test_what_goes_wrong_is_told_to_the_model(loopback: Loopback, client: AsyncOneLLM) -> None:
    """An exception, arguments that do not fit, a name that no function has, a value that is no JSON."""

    async def breaks(n: int) -> object:
        if n:
            raise ValueError("no such thing")
        return object()

    wrong = [
        ("1", "breaks", '{"n": 1}'),
        ("2", "breaks", '{"n": "one"}'),
        ("3", "brakes", "{}"),
        ("4", "breaks", '{"n": 0}'),
    ]
    loopback.plays(Answer(chunks=[calls(*wrong)]), Answer(chunks=[ANSWER]))
    run = client.chat.completions.run(**ASK, tools=[breaks])
    results = [event async for event in run if isinstance(event, RunToolResult)]
    assert said(loopback.requests[1]) == [
        ("1", "Error: ValueError: no such thing"),
        ("2", "Error: the arguments of breaks do not fit: Expected int, got str - at $.n"),
        ("3", "Error: there is no tool 'brakes'; there is breaks"),
        ("4", "Error: TypeError: a tool returned object, which is no JSON: return a text, a dict or a Struct"),
    ]
    assert {type(event.error) for event in results} == {ValueError, ResponseValidationError, TypeError}
    assert "is_error" not in loopback.requests[1].json["messages"][-1], "a field that this host does not know"


async def test_a_provider_that_wants_to_know_is_told_of_a_failure(loopback: Loopback) -> None:
    """The Messages API has a word for it."""

    def breaks() -> None:
        raise ValueError("no such thing")

    def works() -> str:
        return "fine"

    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": {}}
    blocks: list[dict[str, Any]] = [
        {"type": "tool_use", "id": name, "name": name, "input": {}} for name in ("breaks", "works")
    ]
    loopback.plays(
        Answer(chunks=[{**head, "content": blocks, "stop_reason": "tool_use"}]),
        Answer(chunks=[{**head, "content": [{"type": "text", "text": "done"}], "stop_reason": "end_turn"}]),
    )
    async with AsyncOneLLM(providers={"anthropic": {"api_key": "k", "base_url": loopback.url}}) as client:
        await client.chat.completions.run(**{**ASK, "model": "anthropic/m"}, tools=[breaks, works]).result()
    failed, fine = loopback.requests[1].json["messages"][-1]["content"]
    assert (failed["is_error"], failed["content"]) == (True, "Error: ValueError: no such thing")
    assert "is_error" not in fine


async def test_a_turn_that_the_provider_paused_goes_on(loopback: Loopback) -> None:
    """What came is sent back as it is, nothing is added, and the run ends with the answer that is whole."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": {}}
    searching = [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}]
    loopback.plays(
        Answer(chunks=[{**head, "content": searching, "stop_reason": "pause_turn"}]),
        Answer(chunks=[{**head, "content": [{"type": "text", "text": "found"}], "stop_reason": "end_turn"}]),
    )
    async with AsyncOneLLM(providers={"anthropic": {"api_key": "k", "base_url": loopback.url}}) as client:
        run = client.chat.completions.run(**{**ASK, "model": "anthropic/m"}, tools=[weather])
        replies = [event.reply async for event in run if isinstance(event, RunReply)]
    assert [reply.choices[0].unfinished for reply in replies] == [True, None]
    assert (await run.result()).choices[0].message.content == "found"
    assert loopback.requests[1].json["messages"][1:] == [{"role": "assistant", "content": searching}]


async def test_what_goes_wrong_ends_the_run_where_the_caller_says_so(loopback: Loopback, client: AsyncOneLLM) -> None:
    """The exception comes out as it is, and the other functions are ended."""
    ended: list[str] = []
    begun = asyncio.Event()

    async def breaks() -> None:
        await begun.wait()
        raise ValueError("no such thing")

    async def lasts() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lasts")

    loopback.plays(Answer(chunks=[calls(("1", "breaks", "{}"), ("2", "lasts", "{}"))]))
    with pytest.raises(ValueError, match="no such thing"):
        await client.chat.completions.run(**ASK, tools=[breaks, lasts], on_tool_error="raise").result()
    assert ended == ["lasts"]
    assert len(loopback.requests) == 1


async def test_a_cancelled_run_ends_its_functions(loopback: Loopback, client: AsyncOneLLM) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def lasts() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    loopback.plays(Answer(chunks=[calls(("1", "lasts", "{}"))]))
    task = asyncio.create_task(client.chat.completions.run(**ASK, tools=[lasts]).result())
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_run_that_is_left_early_ends_its_functions(loopback: Loopback, client: AsyncOneLLM) -> None:
    ended = asyncio.Event()

    async def lasts() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    loopback.plays(Answer(chunks=[calls(("1", "lasts", "{}"), ("2", "nothing", "{}"))]))
    async with client.chat.completions.run(**ASK, tools=[lasts]) as run:
        async for event in run:
            if isinstance(event, RunToolResult):
                break
    assert ended.is_set()
    assert len(loopback.requests) == 1


async def test_a_tool_without_a_function_is_the_callers_to_answer(loopback: Loopback, client: AsyncOneLLM) -> None:
    """The run ends with the answer that calls it, and calls nothing of that turn; the history goes on from there."""
    called: list[str] = []

    def mine() -> None:
        called.append("mine")

    schema: Any = {"type": "function", "function": {"name": "theirs", "parameters": {"type": "object"}}}
    loopback.plays(Answer(chunks=[calls(("1", "mine", "{}"), ("2", "theirs", "{}"))]))
    run = client.chat.completions.run(**ASK, tools=[mine, schema])
    reply = await run.result()
    assert [call.function.name for call in reply.choices[0].message.tool_calls or []] == ["mine", "theirs"]
    assert called == []
    assert run.messages[-1] is reply.choices[0].message
    assert loopback.requests[0].json["tools"] == [FunctionTool(mine).param(), schema]


async def test_a_run_without_end_is_an_error(loopback: Loopback, client: AsyncOneLLM) -> None:
    loopback.chooses(lambda _: Answer(chunks=[calls(("1", "weather", '{"city":"x"}'))]))
    run = client.chat.completions.run(**ASK, tools=[weather], max_turns=3)
    with pytest.raises(MaxTurnsError, match="max_turns=3"):
        await run.result()
    assert len(loopback.requests) == 3
    assert len(run.messages) == 7


async def test_a_refusal_is_the_runs_error(loopback: Loopback, client: AsyncOneLLM) -> None:
    loopback.plays(Answer(status=400, chunks=[b'{"error":{"message":"no"}}']))
    with pytest.raises(BadRequestError, match="no"):
        await client.chat.completions.run(**ASK, tools=[weather]).result()


async def test_content_parts_go_back_as_they_are(loopback: Loopback, client: AsyncOneLLM) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]

    def look() -> list[dict[str, Any]]:
        return parts

    def nothing() -> None: ...

    loopback.plays(Answer(chunks=[calls(("1", "look", "{}"), ("2", "nothing", "{}"))]), Answer(chunks=[ANSWER]))
    await client.chat.completions.run(**ASK, tools=[look, nothing]).result()
    assert said(loopback.requests[1]) == [("1", parts), ("2", "null")]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"tools": []}, "tools: give at least one"),
        ({"tools": [5]}, r"tools\[0\] must be a dict, a function"),
        ({"tools": [weather, weather]}, "two functions are called weather"),
        ({"tools": [weather], "max_turns": 0}, "max_turns: give at least 1"),
        ({"tools": [weather], "n": 2}, "n: a run goes on from one answer"),
        ({"tools": [weather], "temprature": 1}, "did you mean temperature"),
        ({"tools": [weather], "messages": []}, "messages is empty"),
    ],
)
def test_a_wrong_call_says_so_at_once(params: dict[str, Any], says: str, client: AsyncOneLLM) -> None:
    """Before the run is iterated, and before anything is sent."""
    with pytest.raises(InvalidRequestError, match=says):
        client.chat.completions.run(**{**ASK, **params})


async def test_functions_are_tools_of_create_too(loopback: Loopback, client: AsyncOneLLM) -> None:
    """create() tells the model of them; calling is the caller's: `FunctionTool.arguments` reads what was written."""
    loopback.plays(Answer(chunks=[TOOL_ANSWER]))
    tool = FunctionTool(weather)
    reply = await client.chat.completions.create(**ASK, tools=[tool])
    (first, _) = reply.choices[0].message.tool_calls or []
    assert tool.arguments(first.function.arguments) == ([], {"city": "Zürich"})
    assert loopback.requests[0].json["tools"] == [tool.param()]


def test_a_blocking_run() -> None:
    """The same, for scripts: events in `for`, and the last answer."""
    provider = Provider()
    try:
        provider.loopback.plays(Answer(chunks=[TOOL_ANSWER]), Answer(chunks=[ANSWER]))
        with OneLLM(providers={"openai": {"api_key": "sk-x", "base_url": provider.loopback.url}}) as client:
            run = client.chat.completions.run(**ASK, tools=[weather])
            assert [event.turn for event in run if isinstance(event, RunReply)] == [1, 2]
            assert run.result().choices[0].message.content == TEXT
            assert len(run.messages) == 5
    finally:
        provider.close()
