"""What `openai`'s own client sends for audio and images, and what we send for the same call."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from forms import fields, files
from loopback import Answer, Loopback, Recorded

from onellm import AsyncOneLLM

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
PNG = b"\x89PNG\r\n\x1a\n-pixels"
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300}

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "transcription": (
        "audio.transcriptions.create",
        {
            "file": ("a.wav", WAV, "audio/wav"),
            "model": "gpt-4o-transcribe",
            "language": "en",
            "prompt": "Zwei\nZeilen “…”",
            "temperature": 0.2,
            "include": ["logprobs"],
            "chunking_strategy": VAD,
            "response_format": "json",
        },
    ),
    "verbose": (
        "audio.transcriptions.create",
        {
            "file": ("Gespräch.wav", WAV, "audio/wav"),
            "model": "whisper-1",
            "response_format": "verbose_json",
            "timestamp_granularities": ["word", "segment"],
        },
    ),
    "diarized": (
        "audio.transcriptions.create",
        {
            "file": ("a.wav", WAV, "audio/wav"),
            "model": "gpt-4o-transcribe-diarize",
            "response_format": "diarized_json",
            "chunking_strategy": "auto",
            "known_speaker_names": ["a", "b"],
            "known_speaker_references": ["data:audio/wav;base64,AA==", "data:audio/wav;base64,AB=="],
            "extra_body": {"more": {"nested": [1, True]}},
        },
    ),
    "translation": ("audio.translations.create", {"file": ("a.mp3", b"ID3", "audio/mpeg"), "model": "whisper-1"}),
    "speech": (
        "audio.speech.create",
        {
            "input": "Hello",
            "model": "gpt-4o-mini-tts",
            "voice": "alloy",
            "instructions": "slowly",
            "speed": 1.5,
            "response_format": "opus",
        },
    ),
    "generate": (
        "images.generate",
        {
            "prompt": "a cat",
            "model": "gpt-image-2",
            "n": 2,
            "size": "1536x1024",
            "quality": "high",
            "background": "transparent",
            "moderation": "low",
            "output_format": "webp",
            "output_compression": 50,
            "user": "u",
        },
    ),
    "edit": (
        "images.edit",
        {
            "image": ("a.png", PNG, "image/png"),
            "mask": ("m.png", PNG, "image/png"),
            "prompt": "a hat",
            "model": "gpt-image-2",
            "n": 2,
            "input_fidelity": "high",
        },
    ),
    "edit of several": (
        "images.edit",
        {
            "image": [("a.png", PNG, "image/png"), ("b.webp", b"RIFF....WEBP", "image/webp")],
            "prompt": "a hat",
            "model": "gpt-image-2",
            "svg": {"model": "m", "reasoning": {"effort": "low"}},
        },
    ),
    "variation": (
        "images.create_variation",
        {"image": ("a.png", PNG, "image/png"), "model": "dall-e-2", "n": 1, "size": "256x256"},
    ),
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[{"text": "Hello", "created": 1, "data": []}]))
        yield loopback


async def call(client: Any, name: str, arguments: dict[str, Any]) -> Any:
    for step in name.split("."):
        client = getattr(client, step)
    return await client(**arguments)


def sent(request: Recorded) -> Any:
    """The body without what one is free to choose: the boundary and the order of the fields."""
    if request.headers["content-type"] == "application/json":
        return request.json
    return sorted(fields(request)), files(request)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # openai's, of what OpenAI has retired
@pytest.mark.parametrize("name", CALLS)
async def test_the_same_call_sends_the_same(server: Loopback, name: str) -> None:
    """Path, fields, files with their names and types, or JSON: as `openai`'s client sends them."""
    path, arguments = CALLS[name]
    if name == "speech":
        server.plays(Answer(chunks=[b"OggS"], content_type="audio/ogg"))
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as theirs:
        await call(theirs, path, arguments)
    async with AsyncOneLLM(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as ours:
        await call(ours, path, arguments)
    first, second = server.requests
    assert (second.method, second.path) == (first.method, first.path)
    assert sent(second) == sent(first)
