"""The official `openai` client and ours hold the same realtime sessions with one server: the same frames go out.

The official client sends what it is told, event by event; ours says it in its own words. A frame differs in its
`event_id` alone, which theirs leaves out unless it is given one. https://github.com/openai/openai-python
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from loopback import soon
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeClientEventParam
from pydantic import TypeAdapter
from realtime_server import (
    USAGE,
    Peer,
    RealtimeServer,
    created,
    of_response,
    ready,
    response_created,
    response_done,
    sound,
    until,
    updated,
)

from onellm import (
    AsyncOneLLM,
    AsyncRealtimeSession,
    AudioDelta,
    ResponseDone,
    SessionReady,
    TranscriptDelta,
)

pytest.importorskip("websockets")

KEY = "sk-oracle-0123456789"
MODEL = "gpt-realtime"
PCM = bytes(range(256)) * 4
IMAGE = "data:image/jpeg;base64,/9g="
Ours = Callable[[AsyncRealtimeSession], Awaitable[object]]
Theirs = Callable[[AsyncRealtimeConnection], Awaitable[object]]

TOOL: dict[str, Any] = {
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

# What a session is asked for: our arguments, their session object.
SESSIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({"input_transcription": False}, {"type": "realtime"}),
    "a voice": (
        {"voice": "marin", "speed": 1.1, "instructions": "Be brief.", "output_modalities": ["audio"]},
        {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {"transcription": {"model": "gpt-transcribe"}},
                "output": {"voice": "marin", "speed": 1.1},
            },
        },
    ),
    "turns by sound": (
        {
            "input_transcription": {"model": "gpt-live-transcribe", "language": "de"},
            "turn_detection": {"type": "server_vad", "threshold": 0.6, "create_response": False},
            "noise_reduction": "far_field",
            "input_audio_format": "pcm16",
        },
        {
            "type": "realtime",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "gpt-live-transcribe", "language": "de"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.6, "create_response": False},
                    "noise_reduction": {"type": "far_field"},
                }
            },
        },
    ),
    "turns by sense": (
        {"input_transcription": False, "turn_detection": {"type": "semantic_vad", "eagerness": "high"}},
        {
            "type": "realtime",
            "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}},
        },
    ),
    "turns by hand, tools": (
        {
            "input_transcription": False,
            "turn_detection": "none",
            "tools": [{"type": "function", "function": TOOL}],
            "tool_choice": "auto",
            "max_output_tokens": 100,
            "reasoning_effort": "low",
            "session": {"truncation": "auto", "tracing": "auto"},
        },
        {
            "type": "realtime",
            "tools": [{"type": "function", **TOOL}],
            "tool_choice": "auto",
            "max_output_tokens": 100,
            "reasoning": {"effort": "low"},
            "truncation": "auto",
            "tracing": "auto",
            "audio": {"input": {"turn_detection": None}},
        },
    ),
    "telephone": (
        {"input_transcription": False, "input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw"},
        {
            "type": "realtime",
            "audio": {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}},
        },
    ),
}


async def _text(theirs: AsyncRealtimeConnection) -> None:
    await theirs.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Grüße"}]}
    )
    await theirs.response.create()


async def _image(theirs: AsyncRealtimeConnection) -> None:
    await theirs.conversation.item.create(
        item={
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": IMAGE}],
        }
    )


async def _commit(theirs: AsyncRealtimeConnection) -> None:
    await theirs.input_audio_buffer.commit()
    await theirs.response.create()


async def _result(theirs: AsyncRealtimeConnection) -> None:
    await theirs.conversation.item.create(
        item={"type": "function_call_output", "call_id": "call_1", "output": '{"sky":"clear"}'}
    )
    await theirs.response.create()


# The same intent in both words, once a session is ready.
INTENTS: dict[str, tuple[Ours, Theirs]] = {
    "text": (lambda ours: ours.send_text("Grüße"), _text),
    "a text as context": (
        lambda ours: ours.send_message("Be kind.", role="system"),
        lambda theirs: theirs.conversation.item.create(
            item={"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}
        ),
    ),
    "an answer of before": (
        lambda ours: ours.send_message("Hello.", role="assistant"),
        lambda theirs: theirs.conversation.item.create(
            item={"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
        ),
    ),
    "sound": (
        lambda ours: ours.send_audio(PCM),
        lambda theirs: theirs.input_audio_buffer.append(audio=base64.b64encode(PCM).decode()),
    ),
    "an image": (lambda ours: ours.send_image(b"\xff\xd8", text="Look"), _image),
    "the end of a turn": (lambda ours: ours.commit(), _commit),
    "no sound after all": (lambda ours: ours.clear(), lambda theirs: theirs.input_audio_buffer.clear()),
    "an answer": (
        lambda ours: ours.respond(instructions="Sing.", output_modalities=["text"]),
        lambda theirs: theirs.response.create(response={"instructions": "Sing.", "output_modalities": ["text"]}),
    ),
    "a result": (lambda ours: ours.send_tool_result("call_1", {"sky": "clear"}), _result),
    "other settings": (
        lambda ours: ours.update(instructions="New", tool_choice="none"),
        lambda theirs: theirs.session.update(
            session={"type": "realtime", "instructions": "New", "tool_choice": "none"}
        ),
    ),
    "an event of its own": (
        lambda ours: ours.send_raw({"type": "conversation.item.delete", "item_id": "item_3"}),
        lambda theirs: theirs.conversation.item.delete(item_id="item_3"),
    ),
}

_schema: TypeAdapter[Any] = TypeAdapter(RealtimeClientEventParam)


def frames(peer: Peer) -> list[dict[str, Any]]:
    """What went out, each frame of ours with an id of its own, and all of them in the SDK's schema."""
    for frame in peer.received:
        _schema.validate_python(frame)
    return [{name: value for name, value in frame.items() if name != "event_id"} for frame in peer.received]


async def ours(realtime: RealtimeServer, act: Ours | None = None, **params: Any) -> Peer:
    async with AsyncOneLLM(api_key=KEY, base_url=f"{realtime.url}/v1") as client:
        async with client.realtime.connect(model=f"openai/{MODEL}", **params) as session:
            await until(session, SessionReady)
            if act is not None:
                await act(session)
        await soon(realtime.peer.gone.wait())
    ids = [frame["event_id"] for frame in realtime.peer.received]
    assert len(set(ids)) == len(ids)
    return realtime.peer


def official(realtime: RealtimeServer, path: str = "v1", **settings: Any) -> AsyncOpenAI:
    base = f"{realtime.url}/{path}"
    return AsyncOpenAI(api_key=KEY, base_url=base, websocket_base_url=base.replace("http", "ws"), **settings)


async def theirs(realtime: RealtimeServer, session: dict[str, Any], act: Theirs | None = None) -> Peer:
    client = official(realtime)
    async with client, client.realtime.connect(model=MODEL) as connection:
        await connection.session.update(session=session)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - a session
        while (await soon(connection.recv())).type != "session.updated":
            pass
        if act is not None:
            await act(connection)
    await soon(realtime.peer.gone.wait())
    return realtime.peer


@pytest.mark.parametrize("name", SESSIONS)
async def test_sessions_are_asked_for_alike(realtime: RealtimeServer, name: str) -> None:
    params, session = SESSIONS[name]
    realtime.plays(ready)
    mine, other = await ours(realtime, **params), await theirs(realtime, session)
    assert frames(mine) == frames(other)
    assert (mine.path, mine.query) == (other.path, other.query)
    sent = {"authorization", "openai-beta", "sec-websocket-protocol", "sec-websocket-extensions"}
    assert {h: v for h, v in mine.headers.items() if h in sent} == {h: v for h, v in other.headers.items() if h in sent}


@pytest.mark.parametrize("name", INTENTS)
async def test_intents_become_the_same_frames(realtime: RealtimeServer, name: str) -> None:
    mine_does, other_does = INTENTS[name]
    realtime.plays(ready)
    mine = await ours(realtime, mine_does, input_transcription=False)
    other = await theirs(realtime, {"type": "realtime"}, other_does)
    assert frames(mine) == frames(other)
    assert len(frames(mine)) > 1


async def test_both_read_the_same(realtime: RealtimeServer) -> None:
    """One conversation by voice: the same sound, the same words, the same tokens."""

    async def script(peer: Peer) -> None:
        peer.send(created())
        await peer.expect("session.update")
        peer.send(updated(), response_created())
        for number, word in enumerate(("Good ", "day", "!")):
            peer.send(of_response("output_audio_transcript.delta", delta=word), sound(PCM[number:]))
        peer.send(response_done(usage=USAGE))

    realtime.plays(script)
    async with (
        AsyncOneLLM(api_key=KEY, base_url=f"{realtime.url}/v1") as client,
        client.realtime.connect(model=f"openai/{MODEL}") as session,
    ):
        events = await until(session, ResponseDone)
    done = events[-1]
    assert isinstance(done, ResponseDone)
    assert done.usage is not None
    client_of_theirs = official(realtime)
    words: list[str] = []
    heard: list[bytes] = []
    async with client_of_theirs, client_of_theirs.realtime.connect(model=MODEL) as connection:
        await connection.session.update(session={"type": "realtime"})
        async for event in connection:
            if event.type == "response.output_audio_transcript.delta":
                words.append(event.delta)
            elif event.type == "response.output_audio.delta":
                heard.append(base64.b64decode(event.delta))
            elif event.type == "response.done":
                assert event.response.usage is not None
                details = event.response.usage.input_token_details
                assert details is not None
                assert (event.response.usage.total_tokens, details.cached_tokens) == (
                    done.usage.total_tokens,
                    done.usage.cached_tokens,
                )
                break
    assert [event.text for event in events if isinstance(event, TranscriptDelta)] == words
    assert [event.pcm for event in events if isinstance(event, AudioDelta)] == heard


async def test_azure_is_reached_alike(realtime: RealtimeServer) -> None:
    """In the older shape by their class for Azure; in the new one, which that has not, as its documentation says.

    https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets
    """
    base = realtime.url.replace("http", "ws")
    realtime.plays(ready)
    dated = AsyncAzureOpenAI(
        api_key=KEY, azure_endpoint=realtime.url, api_version="2025-04-01-preview", websocket_base_url=f"{base}/openai"
    )
    current = official(realtime, "openai/v1", default_headers={"api-key": KEY})
    for client, options in ((dated, {"api_version": "2025-04-01-preview"}), (current, {})):
        settings = {"api_key": KEY, "base_url": realtime.url, "options": options}
        async with (
            AsyncOneLLM(providers={"azure": settings}) as our_client,
            our_client.realtime.connect(model="azure/mine") as session,
        ):
            await until(session, SessionReady)
        async with client, client.realtime.connect(model="mine") as connection:
            await connection.session.update(session={"type": "realtime"})
            await soon(connection.recv())
        mine, other = realtime.peers[-2:]
        assert (mine.path, mine.query, mine.headers["api-key"]) == (other.path, other.query, other.headers["api-key"])
