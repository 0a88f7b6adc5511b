"""Every row that serves transcriptions or translations, over a real socket."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM
from onellm.errors import BadRequestError, RateLimitError, StreamInterruptedError, UnsupportedParameterError
from onellm.providers.compatible import ROWS

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
TRANSCRIBE = sorted(name for name, row in ROWS.items() if "transcriptions" in row.operations)
TRANSLATE = sorted(name for name, row in ROWS.items() if "translations" in row.operations)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[{"text": "Hello"}]))
        yield loopback


def client(server: Loopback, name: str, **more: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": "sk-contract", "base_url": f"{server.url}/base"}}, **more)


@pytest.mark.parametrize("name", TRANSCRIBE)
async def test_transcription(server: Loopback, name: str) -> None:
    """The file goes out whole in a form at the host's path, with its key; a text comes back."""
    async with client(server, name) as bound:
        reply = await bound.audio.transcriptions.create(file=("a.wav", WAV), model=f"{name}/vendor/m", language="en")
    assert (reply.text, reply.provider) == ("Hello", name)
    request = server.requests[0]
    dialect: Any = ROWS[name].transcriptions
    assert request.path == f"/base/{dialect.path}"
    assert request.headers["authorization"] == "Bearer sk-contract"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert files(request) == [("file", "a.wav", "audio/wav", WAV)]
    assert dict(fields(request)) == {"language": "en"} | ({"model": "vendor/m"} if dialect.sends_model else {})


@pytest.mark.parametrize("name", TRANSCRIBE)
async def test_each_format_is_sent_or_refused(server: Loopback, name: str) -> None:
    """No format is dropped in silence."""
    dialect: Any = ROWS[name].transcriptions
    async with client(server, name, max_retries=0) as bound:
        for chosen in ("json", "text", "srt", "vtt", "verbose_json", "diarized_json"):
            ask: dict[str, Any] = {"file": ("a.wav", WAV), "model": f"{name}/m", "response_format": chosen}
            if chosen in dialect.formats:
                await bound.audio.transcriptions.create(**ask)
                sent = dict(fields(server.requests[-1])).get("response_format")
                assert sent == (chosen if dialect.sends_format else None)
            else:
                with pytest.raises(UnsupportedParameterError, match=chosen):
                    await bound.audio.transcriptions.create(**ask)


@pytest.mark.parametrize("name", TRANSCRIBE)
async def test_stream(server: Loopback, name: str) -> None:
    """The folded stream is the whole answer; a stream that is cut is an error."""
    events = [{"type": "transcript.text.delta", "delta": "Hello"}, {"type": "transcript.text.done", "text": "Hello"}]
    async with client(server, name) as bound:
        server.plays(Answer(chunks=sse(*events, done=False), content_type=type_sse))
        stream = await bound.audio.transcriptions.create(file=("a.wav", WAV), model=f"{name}/m", stream=True)
        assert (await stream.get_final_transcription()).text == "Hello"
        assert ("stream", "true") in fields(server.requests[-1])
        server.plays(Answer(chunks=sse(*events[:1], done=False), content_type=type_sse))
        stream = await bound.audio.transcriptions.create(file=("a.wav", WAV), model=f"{name}/m", stream=True)
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_transcription()


@pytest.mark.parametrize("name", TRANSCRIBE)
async def test_refusals(server: Loopback, name: str) -> None:
    """A 400 is final; a 429 is tried again with the whole file, and then raised with its wait."""
    error = {"error": {"message": "no", "type": "x"}}
    with stamina.set_testing(True, attempts=100, cap=True):
        async with client(server, name, max_retries=2) as bound:
            server.plays(Answer(status=400, chunks=[error]))
            with pytest.raises(BadRequestError):
                await bound.audio.transcriptions.create(file=("a.wav", WAV), model=f"{name}/m")
            assert len(server.requests) == 1
            server.plays(Answer(status=429, chunks=[error], headers={"Retry-After": "7"}))
            with pytest.raises(RateLimitError) as caught:
                await bound.audio.transcriptions.create(file=("a.wav", WAV), model=f"{name}/m")
    assert caught.value.retry_after == 7
    assert [files(request)[0][3] for request in server.requests] == [WAV] * 4


@pytest.mark.parametrize("name", TRANSLATE)
async def test_translation(server: Loopback, name: str) -> None:
    """The same form at the path of translations."""
    async with client(server, name) as bound:
        reply = await bound.audio.translations.create(file=("a.wav", WAV), model=f"{name}/m", temperature=0)
    assert (reply.text, reply.provider) == ("Hello", name)
    dialect: Any = ROWS[name].translations
    assert server.requests[0].path == f"/base/{dialect.path}"
    assert fields(server.requests[0]) == [("model", "m"), ("temperature", "0")]
    assert files(server.requests[0]) == [("file", "a.wav", "audio/wav", WAV)]
