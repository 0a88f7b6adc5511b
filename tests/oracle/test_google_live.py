"""What google-genai's sessions send, and what ours send for the same intents: frames captured by one server, compared.

The package is a tool of the tests only. It takes no server but one with TLS: its own function for opening a connection
is told another scheme, and nothing else of it is changed. A difference that is meant stands in a table with its reason.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from live_sessions import SOUND, WEATHER
from realtime_server import BINARY, Peer, RealtimeServer
from wire import gemini_live as wire
from wire.chat_completions import dump

from onellm import AsyncOneLLM, GoogleOptions, LiveOptions
from onellm.resources.realtime import AsyncRealtimeSession
from onellm.types.google import SafetySetting
from onellm.types.realtime_events import (
    AudioDelta,
    ResponseDone,
    SessionExpiring,
    SessionResumable,
    ToolCallReady,
    ToolCallsCancelled,
    TranscriptDelta,
)

genai: Any = pytest.importorskip("google.genai")
live: Any = pytest.importorskip("google.genai.live")
types: Any = pytest.importorskip("google.genai.types")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's own, of aiohttp

WHERE = ("google", "vertex")
PLAIN_SETUP = {
    "response_modalities": ["AUDIO"],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
    "session_resumption": {},
}
DECLARED = {
    "name": "get_weather",
    "description": "Weather now.",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
}
# The package asks for none of these unless told; ours always does: transcripts of both sides, and handles. So each
# case of the package's names them.
SETUPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "instructions": (
        {"instructions": "Be brief."},
        {"system_instruction": types.Content(parts=[types.Part(text="Be brief.")])},  # of a text it makes a user's
    ),
    "voice and language": (
        {"voice": "Kore", "language": "de-DE"},
        {
            "speech_config": {
                "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}},
                "language_code": "de-DE",
            }
        },
    ),
    "sampling": (
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 7,
            "max_output_tokens": 100,
            "google": GoogleOptions(top_k=5, media_resolution="low", thinking_budget=0),
        },
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 5,
            "seed": 7,
            "max_output_tokens": 100,
            "media_resolution": "MEDIA_RESOLUTION_LOW",
            "thinking_config": {"thinking_budget": 0},
        },
    ),
    "effort": ({"reasoning_effort": "low"}, {"thinking_config": {"thinking_level": "LOW"}}),
    "tools": (
        {"tools": [WEATHER, {"type": "google_search"}]},
        {"tools": [{"function_declarations": [DECLARED]}, {"google_search": {}}]},
    ),
    "tools that run on": (
        {"tools": [WEATHER], "google": GoogleOptions(live=LiveOptions(tool_behavior="non_blocking"))},
        {"tools": [{"function_declarations": [{**DECLARED, "behavior": "NON_BLOCKING"}]}]},
    ),
    "voice detection": (
        {
            "turn_detection": {
                "type": "server_vad",
                "sensitivity": "low",
                "prefix_padding_ms": 20,
                "silence_duration_ms": 100,
                "interrupt_response": False,
            },
            "google": GoogleOptions(live=LiveOptions(turn_coverage="TURN_INCLUDES_ALL_INPUT")),
        },
        {
            "realtime_input_config": {
                "automatic_activity_detection": {
                    "start_of_speech_sensitivity": "START_SENSITIVITY_LOW",
                    "end_of_speech_sensitivity": "END_SENSITIVITY_LOW",
                    "prefix_padding_ms": 20,
                    "silence_duration_ms": 100,
                },
                "activity_handling": "NO_INTERRUPTION",
                "turn_coverage": "TURN_INCLUDES_ALL_INPUT",
            }
        },
    ),
    "push to talk": (
        {"turn_detection": "none"},
        {"realtime_input_config": {"automatic_activity_detection": {"disabled": True}}},
    ),
    "language of the user": (
        {"input_transcription": {"language": "de-DE"}},
        {"input_audio_transcription": {"language_codes": ["de-DE"]}},
    ),
    "a handle": ({"resume": "h1"}, {"session_resumption": {"handle": "h1"}}),
    "compression, proactivity, affect": (
        {
            "google": GoogleOptions(
                generation_config={"enableAffectiveDialog": True},
                live=LiveOptions(
                    context_window_compression={"triggerTokens": 1000, "slidingWindow": {"targetTokens": 500}},
                    proactivity={"proactiveAudio": True},
                    initial_history=True,
                ),
            )
        },
        {
            "enable_affective_dialog": True,
            "context_window_compression": {"trigger_tokens": 1000, "sliding_window": {"target_tokens": 500}},
            "proactivity": {"proactive_audio": True},
            "history_config": {"initial_history_in_client_content": True},
        },
    ),
    "safety": (
        {
            "google": GoogleOptions(
                safety_settings=(SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),)
            )
        },
        {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    ),
    "text": (
        {"output_modalities": ["text"], "input_transcription": False},
        {"response_modalities": ["TEXT"], "input_audio_transcription": None, "output_audio_transcription": None},
    ),
}

# The package's name of what is sent, and why ours is another; after both are written in one way.
SPELT = {
    "snake_case": "the package names half of what it sends so; the API takes both",
    "type: OBJECT": "types of schemas are capitals in its enum; the API takes both",
    "a number": "a float where it is whole",
    "data": "base64 with - and _ where ours has + and /; the API takes both",
    "tools": "the package puts the functions last; the order means nothing",
}


@pytest.fixture
async def server() -> AsyncIterator[RealtimeServer]:
    async with RealtimeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = live.ws_connect

    def connect(uri: str, **options: Any) -> Any:
        options.pop("ssl", None)
        # The server leaves it to the client to end the connection, for which the package waits 10 s.
        return opened(uri.replace("wss://", "ws://"), **options, proxy=None, close_timeout=0.05)

    monkeypatch.setattr(live, "ws_connect", connect)


def package(server: RealtimeServer, where: str, key: str = "k", version: str = "") -> Any:
    """The package's client; in Google Cloud with a token that asks nobody."""
    version = version or ("v1beta" if where == "google" else "v1beta1")
    base = types.HttpOptions(base_url=server.url, api_version=version)
    if where == "google":
        return genai.Client(api_key=key, vertexai=False, http_options=base)
    credentials: Any = pytest.importorskip("google.oauth2.credentials")
    token = credentials.Credentials("t", quota_project_id="payer")
    return genai.Client(vertexai=True, project="p", location="us-central1", credentials=token, http_options=base)


def ours(server: RealtimeServer, where: str, key: str = "k") -> AsyncOneLLM:
    if where == "google":
        return AsyncOneLLM(providers={"google": {"api_key": key, "base_url": f"{server.url}/v1beta"}})
    options = {"project": "p", "location": "us-central1", "quota_project": "payer"}
    settings = {"api_key": lambda: "t", "base_url": f"{server.url}/v1beta1", "options": options}
    return AsyncOneLLM(providers={"vertex": settings})


def settled(value: Any, name: str = "") -> Any:
    """One value as both write it: see `SPELT`."""
    if isinstance(value, dict):
        return {
            re.sub("_([a-z])", lambda found: found[1].upper(), key): settled(item, key) for key, item in value.items()
        }
    if isinstance(value, list):
        items = [settled(item) for item in value]
        return sorted(items, key=str) if name == "tools" else items
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name == "data":
        return value.replace("-", "+").replace("_", "/")
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


async def play(peer: Peer) -> None:
    await peer.expect("setup")
    peer.frame(wire.SETUP_COMPLETE, BINARY)


async def run(
    server: RealtimeServer,
    where: str,
    setups: tuple[dict[str, Any], dict[str, Any]],
    theirs: Callable[[Any], Awaitable[object]] | None = None,
    own: Callable[[AsyncRealtimeSession], Awaitable[object]] | None = None,
) -> tuple[Peer, Peer]:
    """A session of each: the package's first."""
    async with asyncio.timeout(60):
        mine, config = setups
        config = {name: value for name, value in {**PLAIN_SETUP, **config}.items() if value is not None}
        async with package(server, where).aio.live.connect(model="gemini-live", config=config) as session:
            if theirs is not None:
                await theirs(session)
        async with ours(server, where) as client, client.realtime.connect(model=f"{where}/gemini-live", **mine) as line:
            if own is not None:
                await own(line)
        for peer in server.peers:
            await peer.gone.wait()
    first, second = server.peers
    return first, second


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("case", SETUPS.values(), ids=SETUPS)
async def test_setups_are_those_of_the_package(
    server: RealtimeServer, case: tuple[dict[str, Any], dict[str, Any]], where: str
) -> None:
    """Path, headers that say who asks, and the first frame."""
    server.plays(play)
    theirs, own = await run(server, where, case)
    assert (own.path, own.query) == (theirs.path, theirs.query)
    for name in ("x-goog-api-key", "authorization", "x-goog-user-project"):
        assert own.headers.get(name) == theirs.headers.get(name), name
    assert settled(own.received[0]) == settled(theirs.received[0])


async def _text(session: Any) -> None:
    await session.send_client_content(turns={"role": "user", "parts": [{"text": "Hi"}]}, turn_complete=True)


async def _context(session: Any) -> None:
    await session.send_client_content(turns={"role": "model", "parts": [{"text": "Hi"}]}, turn_complete=False)


async def _sound(session: Any) -> None:
    await session.send_realtime_input(audio=types.Blob(data=SOUND, mime_type="audio/pcm;rate=16000"))


async def _off(session: Any) -> None:
    await session.send_realtime_input(audio_stream_end=True)


async def _camera(session: Any) -> None:
    await session.send_realtime_input(video=types.Blob(data=b"\xff\xd8", mime_type="image/jpeg"))


async def _turn(session: Any) -> None:
    await session.send_realtime_input(activity_start=types.ActivityStart())
    await _sound(session)
    await session.send_realtime_input(activity_end=types.ActivityEnd())


async def _spoken(session: AsyncRealtimeSession) -> None:
    await session.send_audio(SOUND)
    await session.commit()


async def _picture(session: Any) -> None:
    parts = [{"text": "What?"}, {"inline_data": {"data": b"\xff\xd8", "mime_type": "image/jpeg"}}]
    await session.send_client_content(turns={"role": "user", "parts": parts})


async def _in_real_time(session: Any) -> None:
    await session.send_realtime_input(text="Hi")


async def _told_otherwise(session: Any) -> None:
    await session.send_context_update(
        system_instruction=types.Content(parts=[types.Part(text="Be loud.")]),
        tools=[{"function_declarations": [DECLARED]}],
    )


Session = AsyncRealtimeSession
COMMANDS: dict[
    str, tuple[dict[str, Any], Callable[[Any], Awaitable[object]], Callable[[Session], Awaitable[object]]]
] = {
    "text": ({}, _text, lambda session: session.send_text("Hi")),
    "context": ({}, _context, lambda session: session.send_message("Hi", role="assistant")),
    "sound": ({}, _sound, lambda session: session.send_audio(SOUND)),
    "the microphone is off": ({}, _off, lambda session: session.commit()),
    "a camera": ({}, _camera, lambda session: session.send_image(b"\xff\xd8")),
    "a picture": ({}, _picture, lambda session: session.send_image(b"\xff\xd8", text="What?", respond=True)),
    "push to talk": ({"turn_detection": "none"}, _turn, _spoken),
    "text in real time": (
        {"google": GoogleOptions(live=LiveOptions(realtime_text=True))},
        _in_real_time,
        lambda session: session.send_text("Hi"),
    ),
    "other instructions and tools": (
        {},
        _told_otherwise,
        lambda session: session.update(instructions="Be loud.", tools=[WEATHER]),
    ),
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("case", COMMANDS.values(), ids=COMMANDS)
async def test_frames_are_those_of_the_package(server: RealtimeServer, case: Any, where: str) -> None:
    """For one intent, in the same order."""
    params, theirs_says, own_says = case
    server.plays(play)
    theirs, own = await run(server, where, (params, {}), theirs_says, own_says)
    assert settled(own.received[1:]) == settled(theirs.received[1:])
    assert own.received[1:]


@pytest.mark.parametrize("where", WHERE)
async def test_a_tools_result_is_that_of_the_package(server: RealtimeServer, where: str) -> None:
    """With the id and the name of the call."""

    async def script(peer: Peer) -> None:
        await play(peer)
        peer.frame(wire.calls({"id": "fc_1", "name": "get_weather", "args": {"city": "Rome"}}), BINARY)

    async def theirs_says(session: Any) -> None:
        async for said in session.receive():
            (call,) = said.tool_call.function_calls
            answer = types.FunctionResponse(id=call.id, name=call.name, response={"output": "sunny"})
            await session.send_tool_response(function_responses=[answer])
            return

    async def own_says(session: AsyncRealtimeSession) -> None:
        async for event in session:
            if isinstance(event, ToolCallReady):
                await session.send_tool_result(event.call.id, "sunny")
                return

    server.plays(script)
    theirs, own = await run(server, where, ({"tools": [WEATHER]}, {}), theirs_says, own_says)
    assert settled(own.received[1:]) == settled(theirs.received[1:])
    assert len(own.received) == 2


async def test_both_read_the_same_in_a_conversation(server: RealtimeServer) -> None:
    """Sound, words, calls, usage, handles and what becomes of the connection."""

    async def script(peer: Peer) -> None:
        await play(peer)
        frames = (
            wire.heard("Hello"),
            wire.sound(SOUND),
            wire.said("Hi."),
            wire.calls({"id": "a", "name": "f", "args": {"x": 1}}),
            dump({"toolCallCancellation": {"ids": ["a"]}}),
            wire.handle("h"),
            wire.go_away("9s"),
            wire.TURN_COMPLETE,
        )
        for frame in frames:
            peer.frame(frame, BINARY)

    theirs: list[Any] = []
    own: list[Any] = []

    async def theirs_hears(session: Any) -> None:
        theirs.extend([said async for said in session.receive()])

    async def own_hears(session: AsyncRealtimeSession) -> None:
        async for event in session:
            own.append(event)
            if isinstance(event, ResponseDone):
                return

    server.plays(script)
    await run(server, "google", ({}, {}), theirs_hears, own_hears)

    def of(kind: type) -> list[Any]:
        return [event for event in own if isinstance(event, kind)]

    heard, sound, said, called, withdrawn, handle, away, end = theirs
    assert [event.text for event in of(TranscriptDelta)] == [
        heard.server_content.input_transcription.text,
        said.server_content.output_transcription.text,
    ]
    assert [event.pcm for event in of(AudioDelta)] == [sound.data]
    (call,) = called.tool_call.function_calls
    (mine,) = of(ToolCallReady)
    assert (mine.call.id, mine.call.name, mine.call.arguments) == (call.id, call.name, '{"x":1}')
    assert [list(event.call_ids) for event in of(ToolCallsCancelled)] == [withdrawn.tool_call_cancellation.ids]
    assert [event.handle for event in of(SessionResumable)] == [handle.session_resumption_update.new_handle]
    assert [f"{event.time_left:g}s" for event in of(SessionExpiring)] == [away.go_away.time_left]
    (done,) = of(ResponseDone)
    counted = end.usage_metadata
    assert end.server_content.turn_complete
    assert done.usage.input_tokens == counted.prompt_token_count
    assert done.usage.output_tokens == counted.response_token_count + counted.thoughts_token_count
    assert done.usage.total_tokens == counted.total_token_count


async def test_a_token_opens_the_packages_sessions_as_ours(server: RealtimeServer) -> None:
    """The same service and the same headers, but that the package sends the token under the key's name too."""
    server.plays(play)
    opening = package(server, "google", "auth_tokens/abc", "v1alpha").aio.live.connect(
        model="gemini-live", config=PLAIN_SETUP
    )
    with pytest.warns(Warning, match="experimental"):
        await opening.__aenter__()
    await opening.__aexit__(None, None, None)
    async with ours(server, "google", "auth_tokens/abc") as mine, mine.realtime.connect(model="google/gemini-live"):
        pass
    theirs, own = server.peers
    assert own.path == theirs.path
    assert own.headers["authorization"] == theirs.headers["authorization"]
    assert settled(own.received) == settled(theirs.received)
