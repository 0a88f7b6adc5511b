"""Realtime at each host that speaks OpenAI's protocol: where it is, what it is sent, how it differs."""

import json
from typing import Any

import pytest
from loopback import Answer, Loopback, soon
from realtime_server import (
    USAGE,
    Peer,
    RealtimeServer,
    created,
    heard,
    names,
    of_response,
    ready,
    response_created,
    response_done,
    shown,
    sound,
    until,
    updated,
)

from onellm import (
    AsyncOneLLM,
    InputSpeechStarted,
    Realtime,
    ResponseDone,
    SessionReady,
    TranscriptDelta,
    TranscriptDone,
    configure,
    get_provider,
)
from onellm.errors import (
    AuthenticationError,
    ResponseDecodeError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)

PCM = b"\x01\x00" * 480


def at(url: str, name: str, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": "k-1", "base_url": url, **settings}})


@pytest.mark.parametrize("name", ["openai", "azure", "xai"])
def test_the_flag_is_set(name: str) -> None:
    provider = get_provider(name)
    assert provider.realtime_support
    assert provider.get_model_capabilities("")["realtime_tokens_support"]


# --- azure ---


@pytest.mark.parametrize("version", [{}, {"api_version": "v1"}, {"api_version": "preview"}])
async def test_azure_is_asked_without_a_version(realtime: RealtimeServer, version: dict[str, str]) -> None:
    """https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets: with one it answers 401."""
    realtime.plays(ready)
    async with (
        at(realtime.url, "azure", options={"deployments": {"gpt-realtime": "mine"}, **version}) as client,
        client.realtime.connect(model="azure/gpt-realtime") as session,
    ):
        await until(session, SessionReady)
    peer = realtime.peer
    assert (peer.path, peer.query) == ("/openai/v1/realtime", {"model": "mine"})
    assert peer.headers["api-key"] == "k-1"
    assert "authorization" not in peer.headers
    assert peer.received[0]["session"]["audio"]["input"] == {"transcription": {"model": "whisper-1"}}


async def test_azure_with_a_date_speaks_the_older_names(realtime: RealtimeServer) -> None:
    async def script(peer: Peer) -> None:
        peer.send(created())
        await peer.expect("session.update")
        peer.send(updated(), response_created())
        peer.send(
            of_response("audio_transcript.delta", delta="Hi"),
            {**sound(PCM), "type": "response.audio.delta"},
            of_response("audio.done"),
            of_response("text.delta", delta="Hey"),
            response_done(usage=USAGE),
        )

    realtime.plays(script)
    async with (
        at(realtime.url, "azure", options={"api_version": "2025-04-01-preview"}) as client,
        client.realtime.connect(
            model="azure/mine",
            voice="alloy",
            temperature=0.7,
            input_audio_format="pcm16",
            turn_detection="semantic_vad",
            max_output_tokens=20,
            messages=[{"role": "assistant", "content": "Before"}],
        ) as session,
    ):
        events = await until(session, ResponseDone)
    peer = realtime.peer
    assert (peer.path, peer.query) == (
        "/openai/realtime",
        {"api-version": "2025-04-01-preview", "deployment": "mine"},
    )
    assert peer.received[0]["session"] == {
        "voice": "alloy",
        "temperature": 0.7,
        "input_audio_format": "pcm16",
        "max_response_output_tokens": 20,
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "semantic_vad"},
    }
    await soon(peer.gone.wait())
    assert peer.received[1]["item"]["content"] == [{"type": "text", "text": "Before"}]
    assert names(events) == [
        "SessionReady", "ResponseStarted", "TranscriptDelta", "AudioDelta", "AudioDone", "TextDelta", "ResponseDone"
    ]  # fmt: skip


async def test_a_refused_token_of_entra_is_renewed_once(realtime: RealtimeServer) -> None:
    tokens = iter(["first", "second"])

    class Credential:
        async def get_token(self, *_: str) -> Any:
            class Token:
                token = next(tokens)
                expires_on = 9e9

            return Token()

    realtime.plays(ready)
    realtime.refuses(401, {"error": {"message": "expired"}})
    client = AsyncOneLLM(providers={"azure": {"api_key": Credential(), "base_url": realtime.url}})
    async with client, client.realtime.connect(model="azure/mine") as session:
        await until(session, SessionReady)
    assert len(realtime.requests) == 2
    assert realtime.peer.headers["authorization"] == "Bearer second"


# --- xai ---


async def test_xai_has_a_session_of_its_own_shape(realtime: RealtimeServer) -> None:
    """https://docs.x.ai/developers/model-capabilities/audio/speech-to-speech"""
    realtime.plays(ready)
    async with (
        at(f"{realtime.url}/v1", "xai") as client,
        client.realtime.connect(
            model="xai/grok-voice-latest",
            voice="eve",
            instructions="Be brief.",
            turn_detection={"type": "server_vad", "threshold": 0.4},
            input_rate=16_000,
        ) as session,
    ):
        await until(session, SessionReady)
        assert (session.input_rate, session.output_rate) == (16_000, 24_000)
        assert not session.facts.truncates
        with pytest.raises(UnsupportedParameterError, match="always speaks"):
            await client.realtime.connect(model="xai/grok-voice-latest", output_modalities=["text"])
    assert realtime.peer.query == {"model": "grok-voice-latest"}
    assert realtime.peer.received[0]["session"] == {
        "voice": "eve",
        "instructions": "Be brief.",
        "turn_detection": {"type": "server_vad", "threshold": 0.4},
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 16_000}, "transcription": {"model": "grok-transcribe"}}
        },
    }


async def test_xai_says_words_again_and_loses_responses(realtime: RealtimeServer) -> None:
    """Transcripts come whole each time; a reply that the user speaks into before the turn is committed just ends."""
    words = "conversation.item.input_audio_transcription"

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(
            {"type": "ping", "event_id": "p"},
            heard("speech_started"),
            {"type": f"{words}.updated", "event_id": "e", "item_id": "item_u", "transcript": "Hello?"},
            heard("speech_stopped"),
            response_created(),
            heard("speech_started"),
            {"type": f"{words}.updated", "event_id": "e", "item_id": "item_u", "transcript": "Hello, I am"},
            heard("speech_stopped"),
            heard("committed"),
            {"type": f"{words}.completed", "event_id": "e", "item_id": "item_u", "transcript": "Hello, I am Ada"},
            response_created("resp_2"),
            sound(PCM, "resp_2"),
            sound(PCM, "resp_1"),
            response_done("resp_2", usage={}),
            response_done("resp_1", "cancelled"),
            response_created("resp_3"),
            response_done("resp_3"),
        )

    realtime.plays(script)
    async with at(f"{realtime.url}/v1", "xai") as client, client.realtime.connect(model="xai/voice") as session:
        events = await until(session, *[ResponseDone] * 3)
    assert names(events) == [
        "SessionReady",
        "InputSpeechStarted", "TranscriptDelta", "InputSpeechStopped",
        "ResponseStarted", "InputSpeechStarted", "Interrupted", "ResponseDone",
        "TranscriptDelta", "InputSpeechStopped", "InputCommitted", "TranscriptDone",
        "ResponseStarted", "AudioDelta", "ResponseDone",
        "ResponseStarted", "ResponseDone",
    ]  # fmt: skip
    said = [event for event in events if isinstance(event, TranscriptDelta | TranscriptDone)]
    assert [event.text for event in said] == ["Hello?", "Hello, I am", "Hello, I am Ada"]
    assert all(event.cumulative for event in said if isinstance(event, TranscriptDelta))
    lost = next(event for event in events if isinstance(event, ResponseDone))
    assert (lost.response_id, lost.status, lost.reason) == ("resp_1", "cancelled", "turn_detected")
    assert isinstance(events[1], InputSpeechStarted)
    assert shown(events[1]) == ("InputSpeechStarted", "item_id='item_u'", "interrupts=True")


# --- tokens ---


async def test_tokens(loopback: Loopback, client: AsyncOneLLM) -> None:
    """What a browser may hold: the session's settings go along, the token does not show in a `repr`."""
    loopback.plays(Answer(chunks=[{"value": "ek_1", "expires_at": 1756310470, "session": {"type": "realtime"}}]))
    token = await client.realtime.create_token(model="openai/gpt-realtime", seconds=60, voice="marin")
    assert (token.value, token.expires_at, token.provider) == ("ek_1", 1756310470, "openai")
    assert "ek_1" not in repr(token)
    sent = loopback.requests[0]
    assert (sent.method, sent.path) == ("POST", "/v1/realtime/client_secrets")
    assert sent.json == {
        "session": {
            "type": "realtime",
            "model": "gpt-realtime",
            "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}, "output": {"voice": "marin"}},
        },
        "expires_after": {"anchor": "created_at", "seconds": 60},
    }


async def test_tokens_of_xai_say_nothing_of_the_session(loopback: Loopback) -> None:
    """https://docs.x.ai/developers/model-capabilities/audio/ephemeral-tokens"""
    loopback.plays(Answer(chunks=[{"value": "tok", "expires_at": 5}]))
    async with at(f"{loopback.url}/v1", "xai") as client:
        token = await client.realtime.create_token(model="xai/grok-voice-latest", seconds=300)
        assert token.value == "tok"
        with pytest.raises(UnsupportedParameterError, match="voice"):
            await client.realtime.create_token(model="xai/grok-voice-latest", voice="eve")
    assert [request.json for request in loopback.requests] == [{"expires_after": {"seconds": 300}}]


async def test_tokens_of_azure(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[{"value": "ek", "expires_at": 5}]))
    async with at(loopback.url, "azure") as client:
        await client.realtime.create_token(model="azure/mine", input_transcription=False)
    assert loopback.requests[0].path == "/openai/v1/realtime/client_secrets"
    assert loopback.requests[0].json == {"session": {"type": "realtime", "model": "mine"}}
    async with at(loopback.url, "azure", options={"api_version": "2025-04-01-preview"}) as client:
        with pytest.raises(UnsupportedFeatureError, match="leave api_version out"):
            await client.realtime.create_token(model="azure/mine")
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("body", [{}, {"value": None}, [], {"value": 3}])
async def test_an_answer_without_a_token_is_none(loopback: Loopback, client: AsyncOneLLM, body: Any) -> None:
    loopback.plays(Answer(chunks=[body]))
    with pytest.raises(ResponseDecodeError, match="client secret"):
        await client.realtime.create_token(model="openai/gpt-realtime")


async def test_a_refused_token(loopback: Loopback, client: AsyncOneLLM) -> None:
    loopback.plays(Answer(status=401, chunks=[{"error": {"message": "no", "code": "invalid_api_key"}}]))
    with pytest.raises(AuthenticationError):
        await client.realtime.create_token(model="openai/gpt-realtime")


async def test_a_preview_of_a_token(client: AsyncOneLLM) -> None:
    seen = await client.preview("realtime.create_token", model="openai/gpt-realtime", input_transcription=False)
    assert json.loads(seen.body or b"") == {"session": {"type": "realtime", "model": "gpt-realtime"}}


async def test_who_does_not_serve_it_names_who_does() -> None:
    async with at("http://127.0.0.1:9", "groq") as client:
        with pytest.raises(UnsupportedFeatureError, match="openai") as caught:
            await client.realtime.connect(model="groq/some")
    assert "groq does not serve realtime" in str(caught.value)


async def test_the_short_form(realtime: RealtimeServer) -> None:
    realtime.plays(ready)
    configure(api_key="k", base_url=f"{realtime.url}/v1")
    try:
        async with Realtime.aconnect(model="openai/gpt-realtime") as session:
            await until(session, SessionReady)
    finally:
        configure()
    assert len(realtime.peers) == 1
