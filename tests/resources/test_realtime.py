"""Realtime sessions over real sockets: what goes out, what comes back, in what order."""

import base64

import pytest
from loopback import soon
from realtime_server import (
    USAGE,
    Peer,
    RealtimeServer,
    of_response,
    ready,
    response_created,
    response_done,
    shown,
    sound,
    until,
)

from onellm import AsyncOneLLM
from onellm.errors import AuthenticationError
from onellm.types.realtime_events import (
    ResponseDone,
    SessionReady,
    TextDelta,
    TextDone,
)

MODEL = "openai/gpt-realtime"


async def test_a_conversation_in_text(realtime: RealtimeServer, caller: AsyncOneLLM, key: str) -> None:
    """What is said goes out as an item and a wish for an answer; the answer comes in pieces, with its usage."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("conversation.item.create", "response.create")
        peer.send(
            response_created(),
            of_response("output_text.delta", delta="Hel"),
            of_response("output_text.delta", delta="lo"),
            of_response("output_text.done", text="Hello"),
            response_done(usage=USAGE),
        )

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, instructions="Be brief.", output_modalities=["text"]) as session:
        await session.send_text("Hi")
        events = await until(session, ResponseDone)
    assert [type(event).__name__ for event in events] == [
        "SessionReady", "ResponseStarted", "TextDelta", "TextDelta", "TextDone", "ResponseDone"
    ]  # fmt: skip
    assert isinstance(events[0], SessionReady)
    assert (events[0].session_id, events[0].model) == ("sess_1", "gpt-realtime")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello"
    assert [event.text for event in events if isinstance(event, TextDone)] == ["Hello"]
    done = events[-1]
    assert isinstance(done, ResponseDone)
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.cached_tokens, done.usage.output_audio_tokens) == (132, 64, 91)
    peer = realtime.peer
    assert (peer.path, peer.query) == ("/v1/realtime", {"model": "gpt-realtime"})
    assert peer.headers["authorization"] == f"Bearer {key}"
    assert "openai-beta" not in peer.headers
    assert "sec-websocket-extensions" not in peer.headers
    assert [event.pop("event_id") for event in peer.received] == ["event_1", "event_2", "event_3"]
    assert peer.received == [
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "instructions": "Be brief.",
                "output_modalities": ["text"],
                "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}},
            },
        },
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        },
        {"type": "response.create"},
    ]
    await soon(peer.gone.wait())
    assert peer.closed == (1000, "")


async def test_a_conversation_by_voice(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Sound goes out and comes back as bytes; who speaks, and the words of both, come as events in their order."""
    spoken, heard = bytes(range(256)) * 10, b"\x01\x02" * 2400

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append", "input_audio_buffer.append")
        words = "conversation.item.input_audio_transcription"
        peer.send(
            {"type": "input_audio_buffer.speech_started", "event_id": "e", "audio_start_ms": 120, "item_id": "item_u"},
            {"type": "input_audio_buffer.speech_stopped", "event_id": "e", "audio_end_ms": 900, "item_id": "item_u"},
            {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_u", "previous_item_id": None},
            response_created(),
            {"type": f"{words}.delta", "event_id": "e", "item_id": "item_u", "content_index": 0, "delta": "Good "},
            {"type": f"{words}.completed", "event_id": "e", "item_id": "item_u", "transcript": "Good day"},
            of_response("output_audio_transcript.delta", delta="Hel"),
            sound(heard),
            sound(heard[:100]),
            of_response("output_audio.done"),
            of_response("output_audio_transcript.done", transcript="Hello"),
            response_done(),
        )

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, voice="marin") as session:
        assert (session.input_rate, session.output_rate) == (24_000, 24_000)
        await session.send_audio(spoken[:100])
        await session.send_audio(memoryview(spoken)[100:])
        events = await until(session, ResponseDone)
    assert [shown(event) for event in events] == [
        ("SessionReady", "session_id='sess_1'", "model='gpt-realtime'"),
        ("InputSpeechStarted", "item_id='item_u'", "offset_ms=120", "interrupts=True"),
        ("InputSpeechStopped", "item_id='item_u'", "offset_ms=900"),
        ("InputCommitted", "item_id='item_u'"),
        ("ResponseStarted", "response_id='resp_1'"),
        ("TranscriptDelta", "role='user'", "text='Good '", "cumulative=False", "item_id='item_u'"),
        ("TranscriptDone", "role='user'", "text='Good day'", "item_id='item_u'"),
        (
            "TranscriptDelta", "role='assistant'", "text='Hel'", "cumulative=False", "item_id='item_1'",
            "response_id='resp_1'",
        ),
        ("AudioDelta", f"pcm={heard!r}", "response_id='resp_1'", "item_id='item_1'"),
        ("AudioDelta", f"pcm={heard[:100]!r}", "response_id='resp_1'", "item_id='item_1'"),
        ("AudioDone", "response_id='resp_1'", "item_id='item_1'"),
        ("TranscriptDone", "role='assistant'", "text='Hello'", "item_id='item_1'", "response_id='resp_1'"),
        ("ResponseDone", "response_id='resp_1'", "status='completed'", "more_expected=False"),
    ]  # fmt: skip
    appended = [base64.b64decode(each["audio"]) for each in realtime.peer.received if "audio" in each]
    assert b"".join(appended) == spoken
    assert realtime.peer.received[0]["session"]["audio"]["output"] == {"voice": "marin"}


async def test_a_refused_upgrade_is_the_providers_error(
    realtime: RealtimeServer, caller: AsyncOneLLM, key: str
) -> None:
    """A WebSocket that is refused is a refusal as any: its class by code and status, its words from the body."""
    realtime.refuses(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, x_request_id="req_9")
    with pytest.raises(AuthenticationError, match="Incorrect API key") as caught:
        await caller.realtime.connect(model=MODEL)
    assert (caught.value.request_id, caught.value.code) == ("req_9", "invalid_api_key")
    assert key not in str(caught.value)
