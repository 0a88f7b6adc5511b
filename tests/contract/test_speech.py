"""Every row that serves speech, over a real socket."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM
from onellm.errors import APIConnectionError, BadRequestError, RateLimitError, StreamInterruptedError
from onellm.providers.compatible import ROWS

SPEAK = sorted(name for name, row in ROWS.items() if "speech" in row.operations)
AUDIO = base64.b64encode(b"ID3audio").decode()


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


def client(server: Loopback, name: str, **more: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": "sk-contract", "base_url": f"{server.url}/base"}}, **more)


def answer(name: str, **more: Any) -> Answer:
    dialect: Any = ROWS[name].speech
    if dialect.json_answer:
        return Answer(chunks=[{"audio_data": AUDIO}], **more)
    return Answer(chunks=[b"ID3", b"audio"], content_type="audio/mpeg", **more)


@pytest.mark.parametrize("name", SPEAK)
async def test_speech(server: Loopback, name: str) -> None:
    """A text goes out as JSON at the host's path, with its key; audio comes back."""
    server.plays(answer(name))
    async with client(server, name) as bound:
        reply = await bound.audio.speech.create(input="Hello", model=f"{name}/m", voice="v")
        assert await reply.read() == b"ID3audio"
    assert (reply.provider, reply.content_type) == (name, "audio/mpeg")
    dialect: Any = ROWS[name].speech
    request = server.requests[0]
    assert (request.path, request.headers["authorization"]) == (f"/base/{dialect.path}", "Bearer sk-contract")
    sent = {"model": "m", "input": "Hello", dialect.voice_field: "v"}
    assert request.json == sent | ({"response_format": dialect.asks_for} if dialect.asks_for else {})


@pytest.mark.parametrize("name", SPEAK)
async def test_events(server: Loopback, name: str) -> None:
    """Events hold the audio in pieces; without the last one the stream is cut."""
    dialect: Any = ROWS[name].speech
    key = "audio_data" if dialect.json_answer else "audio"
    events = [{"type": "speech.audio.delta", key: AUDIO}, {"type": "speech.audio.done"}]
    ask: dict[str, Any] = {"input": "Hello", "model": f"{name}/m", "voice": "v", "stream_format": "sse"}
    async with client(server, name) as bound:
        server.plays(Answer(chunks=sse(*events, done=False), content_type=type_sse))
        stream = await bound.audio.speech.create(**ask)
        assert [piece async for piece in stream.audio()] == [b"ID3audio"]
        field, value = dialect.stream_field
        assert server.requests[-1].json[field] == value
        server.plays(Answer(chunks=sse(*events[:1], done=False), content_type=type_sse))
        stream = await bound.audio.speech.create(**ask)
        with pytest.raises(StreamInterruptedError):
            await stream.get_final()


@pytest.mark.parametrize("name", SPEAK)
async def test_refusals(server: Loopback, name: str) -> None:
    """A 400 is final, a 429 is tried again, and audio that breaks off is an error."""
    ask: dict[str, Any] = {"input": "Hello", "model": f"{name}/m", "voice": "v"}
    with stamina.set_testing(True, attempts=100, cap=True):
        async with client(server, name, max_retries=1) as bound:
            server.plays(Answer(status=400, chunks=[{"error": {"message": "no"}}]))
            with pytest.raises(BadRequestError):
                await bound.audio.speech.create(**ask)
            assert len(server.requests) == 1
            server.plays(Answer(status=429, chunks=[{"error": {"message": "no"}}]))
            with pytest.raises(RateLimitError):
                await bound.audio.speech.create(**ask)
            assert len(server.requests) == 3
            server.plays(answer(name, cut="close"))
            with pytest.raises(APIConnectionError):
                await (await bound.audio.speech.create(**ask)).read()
