"""Sessions of Gemini's Live models over real sockets, in both places: what goes out, what comes back, what survives."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from live_sessions import SOUND, WEATHER
from loopback import Answer, Loopback
from realtime_server import BINARY, Peer, RealtimeServer
from wire import gemini_live as wire
from wire.chat_completions import dump

from onellm import AsyncOneLLM, GoogleOptions, LiveOptions
from onellm.errors import (
    BadRequestError,
    InvalidRequestError,
    PermissionDeniedError,
    QuotaExceededError,
    StreamInterruptedError,
)
from onellm.resources.realtime import AsyncRealtimeSession
from onellm.types.realtime_events import (
    AudioDelta,
    Interrupted,
    RealtimeEvent,
    ResponseDone,
    SessionClosed,
    SessionExpiring,
    SessionReady,
    SessionReconnected,
    ToolCallReady,
    ToolResultSent,
    TranscriptDone,
)

MODEL = "google/gemini-live"
SERVICE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


@pytest.fixture
async def server() -> AsyncIterator[RealtimeServer]:
    async with RealtimeServer() as running:
        yield running


def at(server: RealtimeServer, key: Any, name: str = "google", **options: Any) -> AsyncOneLLM:
    """A client whose Gemini is the server."""
    base = f"{server.url}/v1beta" if name == "google" else f"{server.url}/v1beta1"
    return AsyncOneLLM(providers={name: {"api_key": key, "base_url": base, "options": options}})


async def until(session: AsyncRealtimeSession, kind: type[RealtimeEvent]) -> list[RealtimeEvent]:
    """The events up to the first of a kind."""
    events: list[RealtimeEvent] = []
    async with asyncio.timeout(20):
        async for event in session:
            events.append(event)
            if isinstance(event, kind):
                return events
    raise AssertionError(events)


def kinds(events: list[RealtimeEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


async def ready(peer: Peer) -> dict[str, Any]:
    """The beginning of every session; its setup."""
    setup: dict[str, Any] = (await peer.expect("setup"))["setup"]
    says(peer, wire.SETUP_COMPLETE)
    return setup


def says(peer: Peer, *frames: bytes) -> None:
    """As Live does: in binary frames."""
    for frame in frames:
        peer.frame(frame, BINARY)


async def test_a_conversation_by_voice(server: RealtimeServer, key: str) -> None:
    """The service of the version, the key in its header, a setup first; frames are binary, and may come in pieces."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("realtimeInput", "realtimeInput")
        says(peer, wire.heard("Hel"), wire.heard("lo"))
        frame = wire.sound(SOUND * 100)
        peer.frame(frame[:10], BINARY, last=False)
        peer.ping(b"alive")
        peer.frame(frame[10:], 0)
        says(peer, wire.said("Hi."), wire.GENERATED, wire.TURN_COMPLETE)

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, voice="Kore") as session:
        assert (session.input_rate, session.output_rate) == (16_000, 24_000)
        await session.send_audio(SOUND)
        await session.commit()
        events = await until(session, ResponseDone)
    peer = server.peer
    assert peer.path == SERVICE
    assert peer.query == {}
    assert peer.headers["x-goog-api-key"] == key
    assert "authorization" not in peer.headers
    assert peer.received[0]["setup"]["generationConfig"]["speechConfig"] == {
        "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}
    }
    assert peer.received[1:] == [
        {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AQACAA=="}}},
        {"realtimeInput": {"audioStreamEnd": True}},
    ]
    assert peer.closed == (1000, "")
    assert kinds(events) == [
        "SessionReady", "TranscriptDelta", "TranscriptDelta", "ResponseStarted", "AudioDelta", "TranscriptDelta",
        "AudioDone", "TranscriptDone", "TranscriptDone", "ResponseDone",
    ]  # fmt: skip
    assert [event.text for event in events if isinstance(event, TranscriptDone)] == ["Hello", "Hi."]
    assert next(event.pcm for event in events if isinstance(event, AudioDelta)) == SOUND * 100
    done = events[-1]
    assert isinstance(done, ResponseDone)
    assert done.usage is not None
    assert done.usage.total_tokens == 249


async def test_the_version_is_the_base_urls(server: RealtimeServer, key: str) -> None:
    """The name of the service repeats it."""
    server.plays(_ready_only)
    settings = {"api_key": key, "base_url": f"{server.url}/v1alpha"}
    async with AsyncOneLLM(providers={"google": settings}) as client, client.realtime.connect(model=MODEL):
        pass
    assert server.peer.path == SERVICE.replace("v1beta", "v1alpha")


async def _ready_only(peer: Peer) -> None:
    await ready(peer)


async def test_a_project_is_named_in_the_setup(server: RealtimeServer) -> None:
    """In the cloud the model stands in a project and a location, and a token of the machine's opens the connection."""

    async def token() -> str:
        return "ya29.token"

    server.plays(_ready_only)
    options = {"project": "p1", "location": "europe-west4", "quota_project": "payer"}
    async with (
        at(server, token, "vertex", **options) as client,
        client.realtime.connect(model="vertex/gemini-live", output_modalities=["text"]) as session,
    ):
        assert session.model == "gemini-live"
    assert server.peer.path == "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
    assert server.peer.headers["authorization"] == "Bearer ya29.token"
    assert server.peer.headers["x-goog-user-project"] == "payer"
    setup = server.peer.received[0]["setup"]
    assert setup["model"] == "projects/p1/locations/europe-west4/publishers/google/models/gemini-live"
    assert setup["generationConfig"] == {"responseModalities": ["TEXT"]}


async def test_a_key_of_the_cloud_needs_no_project(server: RealtimeServer, key: str) -> None:
    """Express mode: the key in its header, the model under its publisher."""
    server.plays(_ready_only)
    async with at(server, key, "vertex") as client, client.realtime.connect(model="vertex/gemini-live"):
        pass
    assert server.peer.headers["x-goog-api-key"] == key
    assert server.peer.received[0]["setup"]["model"] == "publishers/google/models/gemini-live"


@pytest.mark.parametrize("name", ["google", "vertex"])
@pytest.mark.parametrize("end", ["goAway", "reset"])
async def test_a_lost_connection_goes_on_by_its_handle(server: RealtimeServer, key: str, name: str, end: str) -> None:
    """Announced or not: the answer that was cut is ended, and the new connection has the newest handle."""

    async def first(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("clientContent")
        says(peer, wire.handle("h1"), wire.sound(SOUND), wire.TURN_COMPLETE, wire.handle("h2"))
        await peer.expect("clientContent")
        says(peer, wire.sound(SOUND))
        if end == "goAway":
            says(peer, wire.go_away("5s"))
            await peer.close(1001, "going away")
        else:
            await peer.drain()
            peer.reset()

    async def second(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("clientContent")
        says(peer, wire.sound(SOUND), wire.TURN_COMPLETE)

    server.plays(first, second)
    async with (
        at(server, key, name) as client,
        client.realtime.connect(model=f"{name}/gemini-live", reconnect=1) as session,
    ):
        await session.send_text("One")
        await until(session, ResponseDone)
        await session.send_text("Two")
        events = await until(session, SessionReconnected)
        await session.send_text("Three")
        events += await until(session, ResponseDone)
    assert [peer.received[0]["setup"]["sessionResumption"] for peer in server.peers] == [{}, {"handle": "h2"}]
    assert len(server.peers[1].received) == 2  # nothing is said again
    expiring = ["SessionExpiring"] if end == "goAway" else []
    assert kinds(events) == [
        "SessionResumable", "ResponseStarted", "AudioDelta", *expiring, "AudioDone", "ResponseDone", "SessionReady",
        "SessionReconnected", "ResponseStarted", "AudioDelta", "AudioDone", "ResponseDone",
    ]  # fmt: skip
    ends = [(event.response_id, event.status, event.reason) for event in events if isinstance(event, ResponseDone)]
    assert ends == [("resp_2", "cancelled", "connection_lost"), ("resp_3", "completed", None)]
    assert [event.restored for event in events if isinstance(event, SessionReconnected)] == ["session"]
    for event in events:
        if isinstance(event, SessionExpiring):
            assert (event.time_left, event.handle) == (5.0, "h2")


async def test_without_a_handle_the_turns_are_said_again(server: RealtimeServer, key: str) -> None:
    """A connection that is lost before the first handle."""

    async def first(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("clientContent")
        says(peer, wire.sound(SOUND), wire.said("Hi."), wire.TURN_COMPLETE)
        await peer.close(1011, "Internal error encountered.")

    server.plays(first, _ready_only)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, reconnect=1) as session:
        await session.send_text("Hello")
        events = await until(session, SessionReconnected)
        assert isinstance(events[-1], SessionReconnected)
        assert events[-1].restored == "items"
        await session.send_text("Again", respond=False)
    assert server.peers[1].received[1] == {
        "clientContent": {
            "turns": [
                {"role": "user", "parts": [{"text": "Hello"}]},
                {"role": "model", "parts": [{"text": "Hi."}]},
            ],
            "turnComplete": False,
        }
    }


async def test_a_session_is_resumed_by_a_handle_of_before(server: RealtimeServer, key: str) -> None:
    """Of another process, say."""
    server.plays(_ready_only)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, resume="h9"):
        pass
    assert server.peer.received[0]["setup"]["sessionResumption"] == {"handle": "h9"}


async def test_functions_are_called_and_their_results_go_back(server: RealtimeServer, key: str) -> None:
    """While the session goes on; the model then answers by itself."""

    def get_weather(city: str) -> dict[str, Any]:
        """Weather now."""
        return {"city": city, "sky": "clear"}

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("clientContent")
        says(peer, wire.calls({"id": "fc_1", "name": "get_weather", "args": {"city": "Rome"}}))
        await peer.expect("toolResponse")
        says(peer, wire.sound(SOUND), wire.GENERATED, wire.TURN_COMPLETE)

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, tools=[get_weather]) as session:
        await session.send_text("Weather in Rome?")
        events = await until(session, ResponseDone)
    declared = server.peer.received[0]["setup"]["tools"][0]["functionDeclarations"][0]
    assert (declared["name"], declared["parameters"]["properties"]["city"]["type"]) == ("get_weather", "string")
    (answer,) = server.peer.received[2]["toolResponse"]["functionResponses"]
    assert (answer["id"], answer["name"]) == ("fc_1", "get_weather")
    assert json.loads(answer["response"]["output"]) == {"city": "Rome", "sky": "clear"}
    assert kinds(events) == [
        "SessionReady", "ResponseStarted", "ToolCallReady", "ToolResultSent", "AudioDelta", "AudioDone", "ResponseDone"
    ]  # fmt: skip


async def test_a_call_that_is_withdrawn_is_not_answered(server: RealtimeServer, key: str) -> None:
    """The user spoke while the function ran: it is cancelled, and nothing goes out."""
    running, stopped = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("clientContent")
        says(peer, wire.calls({"id": "fc_1", "name": "slow", "args": {}}))
        await running.wait()
        says(peer, dump({"toolCallCancellation": {"ids": ["fc_1"]}}), wire.INTERRUPTED, wire.TURN_COMPLETE)

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, tools=[slow]) as session:
        await session.send_text("Go")
        events = await until(session, ResponseDone)
        await asyncio.wait_for(stopped.wait(), 20)
        await session.send_tool_result("fc_1", "late")
    assert [next(iter(frame)) for frame in server.peer.received] == ["setup", "clientContent"]
    assert kinds(events)[-3:] == ["ToolCallsCancelled", "Interrupted", "ResponseDone"]


async def test_calls_come_as_events_where_tools_are_schemas(server: RealtimeServer, key: str) -> None:
    """And are answered by the caller; an id that Live did not give does not go back."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        says(peer, wire.calls({"name": "get_weather", "args": {"city": "Rome"}}))
        await peer.expect("toolResponse")
        says(peer, wire.TURN_COMPLETE)

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, tools=[WEATHER]) as session:
        (*_, ready_, call) = await until(session, ToolCallReady)
        assert isinstance(call, ToolCallReady)
        assert ready_.to_dict() == call.to_dict()
        await session.send_tool_result(call.call.id, "sunny")
        assert not [event for event in await until(session, ResponseDone) if isinstance(event, ToolResultSent)]
    assert server.peer.received[1]["toolResponse"]["functionResponses"] == [
        {"name": "get_weather", "response": {"output": "sunny"}}
    ]


async def test_barge_in_drops_what_was_not_heard(server: RealtimeServer, key: str) -> None:
    """Sound that waits to be taken is gone when the user speaks; what follows is another answer."""
    spoken = asyncio.Event()

    async def script(peer: Peer) -> None:
        await ready(peer)
        says(peer, *[wire.sound(SOUND)] * 50, wire.INTERRUPTED, wire.TURN_COMPLETE)
        await peer.drain()
        peer.ping(b"read")  # answered when all before it has been read
        await peer.pong()
        spoken.set()

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL) as session:
        await asyncio.wait_for(spoken.wait(), 20)
        events = await until(session, ResponseDone)
    assert kinds(events) == ["SessionReady", "ResponseStarted", "Interrupted", "AudioDone", "ResponseDone"]
    assert isinstance(events[2], Interrupted)
    assert events[2].response_id == "resp_1"


async def test_an_interrupted_answer_is_heard_no_more(server: RealtimeServer, key: str) -> None:
    """Live cannot be told to stop: what it still says does not come out."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        says(peer, wire.sound(SOUND), wire.said("Once"))
        await peer.expect("realtimeInput")
        says(peer, wire.sound(SOUND), wire.said("upon a time"), wire.TURN_COMPLETE)

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL) as session:
        await until(session, AudioDelta)
        await session.interrupt(played_ms=10)
        await session.send_audio(SOUND)
        events = await until(session, ResponseDone)
    assert len(server.peer.received) == 2
    assert not [event for event in events if isinstance(event, AudioDelta)]
    assert isinstance(events[-1], ResponseDone)
    assert (events[-1].status, events[-1].reason) == ("cancelled", "client_cancelled")


async def test_push_to_talk(server: RealtimeServer, key: str) -> None:
    """The caller's turn is between `activityStart` and `activityEnd`."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("realtimeInput", "realtimeInput", "realtimeInput")
        says(peer, wire.sound(SOUND), wire.TURN_COMPLETE)

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, turn_detection="none") as session:
        with pytest.raises(InvalidRequestError):
            await session.commit()
        await session.send_audio(SOUND)
        await session.commit()
        await until(session, ResponseDone)
    assert [list(frame["realtimeInput"]) for frame in server.peer.received[1:]] == [
        ["activityStart"], ["audio"], ["activityEnd"]
    ]  # fmt: skip


async def test_a_history_goes_before_what_is_said(server: RealtimeServer, key: str) -> None:
    """With `initial_history` it is ended, so that the server goes on."""
    server.plays(_ready_only)
    options = GoogleOptions(live=LiveOptions(initial_history=True, realtime_text=True))
    async with (
        at(server, key) as client,
        client.realtime.connect(model=MODEL, google=options, messages=[{"role": "user", "content": "Hi"}]) as session,
    ):
        await session.send_text("And now?")
    assert server.peer.received[1:] == [
        {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}], "turnComplete": True}},
        {"realtimeInput": {"text": "And now?"}},
    ]


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1007, "API key not valid. Please pass a valid API key.", BadRequestError),
        (1008, "models/nope is not found for API version v1beta", BadRequestError),
        (1011, "You exceeded your current quota, please check your billing details.", QuotaExceededError),
    ],
)
async def test_a_setup_that_is_refused_says_why(
    server: RealtimeServer, key: str, code: int, reason: str, error: type[Exception]
) -> None:
    """Live closes the connection; its reason is in the error, and no other connection is tried."""

    async def script(peer: Peer) -> None:
        await peer.expect("setup")
        await peer.close(code, reason)

    server.plays(script)
    async with at(server, key) as client:
        with pytest.raises(error, match=reason[:20]) as caught:
            async with client.realtime.connect(model=MODEL, reconnect=3):
                pass
    assert caught.value.code == str(code)  # type: ignore[attr-defined]
    assert len(server.peers) == 1
    assert key not in str(caught.value)


async def test_a_session_that_is_lost_says_so_at_its_end(server: RealtimeServer, key: str) -> None:
    """Without a policy for it: the last event, and then the error."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.close(1001, "away")

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL) as session:
        events = await until(session, SessionClosed)
        assert kinds(events) == ["SessionReady", "SessionClosed"]
        assert isinstance(events[0], SessionReady)
        with pytest.raises(StreamInterruptedError, match="away"):
            await anext(session)


async def test_a_session_that_the_other_side_ends_in_order_is_no_error(server: RealtimeServer, key: str) -> None:
    """Code 1000: nothing is raised, and no other connection is made."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.close(1000, "bye")

    server.plays(script)
    async with at(server, key) as client, client.realtime.connect(model=MODEL, reconnect=3) as session:
        events = await until(session, SessionClosed)
        assert events[-1] == SessionClosed(code=1000, reason="bye", clean=True)
        assert [event async for event in session] == []
    assert len(server.peers) == 1


@pytest.mark.parametrize(("path", "made_at"), [("", "/v1alpha"), ("/proxy/v1beta", "/proxy/v1alpha")])
async def test_a_token_is_made_at_the_host_that_was_given(
    loopback: Loopback, key: str, path: str, made_at: str
) -> None:
    """Whether its base URL names a version or not."""
    loopback.plays(Answer(chunks=[dump({"name": "auth_tokens/abc"})]))
    async with AsyncOneLLM(providers={"google": {"api_key": key, "base_url": loopback.url + path}}) as client:
        token = await client.realtime.create_token(model=MODEL)
    assert token.expires_at is None
    assert [request.path for request in loopback.requests] == [f"{made_at}/auth_tokens"]


async def test_a_refused_upgrade_is_the_providers_error(server: RealtimeServer, key: str) -> None:
    """As it would be on any other of its addresses."""
    server.refuses(403, {"error": {"code": 403, "message": "blocked", "status": "PERMISSION_DENIED"}})
    async with at(server, key) as client:
        with pytest.raises(PermissionDeniedError, match="blocked"):
            async with client.realtime.connect(model=MODEL):
                pass


async def test_a_token_stands_for_one_session(loopback: Loopback, key: str) -> None:
    """It is made of the session's own setup, by the version that has tokens."""
    told = {"name": "auth_tokens/abc", "newSessionExpireTime": "2026-11-23T00:01:00Z"}
    loopback.plays(Answer(chunks=[dump(told)]))
    settings = {"api_key": key, "base_url": f"{loopback.url}/v1beta"}
    async with AsyncOneLLM(providers={"google": settings}) as client:
        token = await client.realtime.create_token(model=MODEL, seconds=60, voice="Kore")
        await client.realtime.create_token(model=MODEL, google=GoogleOptions(live=LiveOptions(token_uses=3)))
    assert (token.value, token.expires_at) == ("auth_tokens/abc", 1795392060.0)
    assert "abc" not in repr(token)
    first, second = loopback.requests
    assert (first.method, first.path) == ("POST", "/v1alpha/auth_tokens")
    assert first.headers["x-goog-api-key"] == key
    body = json.loads(first.body)
    assert body.pop("newSessionExpireTime") < body.pop("expireTime")
    assert body == {
        "uses": 1,
        "bidiGenerateContentSetup": {
            "model": "models/gemini-live",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            },
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "sessionResumption": {},
        },
    }
    assert json.loads(second.body).keys() == {"uses", "bidiGenerateContentSetup"}
    assert json.loads(second.body)["uses"] == 3


async def test_a_token_opens_a_session_in_place_of_a_key(server: RealtimeServer) -> None:
    """Another service, another scheme; and the token is not in the address."""
    server.plays(_ready_only)
    async with at(server, "auth_tokens/abc") as client, client.realtime.connect(model=MODEL):
        pass
    assert server.peer.path == SERVICE.replace("v1beta", "v1alpha") + "Constrained"
    assert server.peer.headers["authorization"] == "Token auth_tokens/abc"
    assert "x-goog-api-key" not in server.peer.headers


async def test_a_host_without_the_setup_is_not_waited_for_for_ever(server: RealtimeServer, key: str) -> None:
    """An error in a frame before the session is ready is why it is not."""

    async def script(peer: Peer) -> None:
        await peer.expect("setup")
        says(peer, dump({"error": {"code": 400, "message": "no such field", "status": "INVALID_ARGUMENT"}}))

    server.plays(script)
    async with at(server, key) as client:
        with pytest.raises(Exception, match="no such field"):
            async with client.realtime.connect(model=MODEL):
                pass
