"""Bad arguments of every operation: an error that begins with the path of the bad value, and nothing is sent."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback
from served import client_for
from wire.chat_completions import ANSWER

from onellm import AsyncOneLLM, UsageError

NOWHERE = Path("no-such-folder/a.wav")
WAV = ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n")
HI = [{"role": "user", "content": "Hi"}]

# operation: what it needs
NEEDED: dict[str, dict[str, Any]] = {
    "chat.completions.create": {"model": "m", "messages": HI},
    "completions.create": {"model": "m", "prompt": "a"},
    "embeddings.create": {"model": "m", "input": "a"},
    "audio.transcriptions.create": {"model": "m", "file": WAV},
    "audio.translations.create": {"model": "m", "file": WAV},
    "audio.speech.create": {"model": "m", "input": "a", "voice": "alloy"},
    "images.generate": {"model": "m", "prompt": "a"},
    "images.edit": {"model": "m", "prompt": "a", "image": PNG},
    "images.create_variation": {"model": "m", "image": PNG},
    "files.create": {"file": WAV, "purpose": "batch"},
    "files.list": {},
    "files.retrieve": {"file_id": "file-1"},
    "moderations.create": {"input": "a"},
    "batches.create": {"input_file_id": "file-1"},
    "batches.list": {},
}

# operation: (what is wrong with it, the path of the bad value)
WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    "chat.completions.create": [
        ({"messages": []}, "messages"),
        ({"messages": [*HI, {"role": "usr", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": [{"type": "texts", "text": "x"}]}]}, "messages[0].content[0].type"),
        ({"model": ""}, "model"),
        ({"n": 0}, "n"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"top_logprobs": -1}, "top_logprobs"),
        ({"reasoning_effort": "very"}, "reasoning_effort"),
        ({"response_format": {"type": "json"}}, "response_format.type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function"),
        ({"stop": 5}, "stop"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ],
    "completions.create": [({"prompt": []}, "prompt"), ({"n": 0}, "n"), ({"best_of": 0}, "best_of")],
    "embeddings.create": [
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "b64"}, "encoding_format"),
    ],
    "audio.transcriptions.create": [
        ({"file": NOWHERE}, "file"),
        ({"file": "a.wav"}, "file"),
        ({"file": ("a.txt", b"x")}, "file"),
        ({"file": ("a.aiff", b"FORM")}, "file"),
        ({"response_format": "jsn"}, "response_format"),
        ({"temperature": 2}, "temperature"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"include": ["probs"]}, "include[0]"),
        ({"chunking_strategy": "manual"}, "chunking_strategy"),
    ],
    "audio.translations.create": [
        ({"file": NOWHERE}, "file"),
        ({"file": PNG}, "file"),
        ({"temperature": -1}, "temperature"),
    ],
    "audio.speech.create": [
        ({"input": ""}, "input"),
        ({"input": "a" * 4097}, "input"),
        ({"speed": 0.2}, "speed"),
        ({"speed": 4.1}, "speed"),
        ({"response_format": "mp4"}, "response_format"),
        ({"stream_format": "see"}, "stream_format"),
    ],
    "images.generate": [
        ({"prompt": ""}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"size": "10x"}, "size"),
        ({"size": "0x1024"}, "size"),
        ({"size": "4096x4096"}, "size"),
        ({"size": "3840x160"}, "size"),
        ({"partial_images": 4}, "partial_images"),
        ({"output_compression": 101}, "output_compression"),
        ({"moderation": "none"}, "moderation"),
    ],
    "images.edit": [
        ({"image": []}, "image"),
        ({"image": WAV}, "image"),
        ({"image": [PNG, ("a.gif", b"GIF8")]}, "image[1]"),
        ({"image": [PNG, Path("no-such-folder/a.png")]}, "image[1]"),
        ({"image": Path("no-such-folder/a.png")}, "image"),
        ({"mask": WAV}, "mask"),
        ({"mask": PNG, "markup": PNG}, "markup"),
        ({"frame_count": 1}, "frame_count"),
    ],
    "images.create_variation": [({"image": ("a.gif", b"GIF8")}, "image"), ({"n": 0}, "n"), ({"size": "big"}, "size")],
    "files.create": [
        ({"file": NOWHERE}, "file"),
        ({"file": "notes.txt"}, "file"),
        ({"purpose": ""}, "purpose"),
        ({"part_size": 0}, "part_size"),
        ({"expires_after": {"anchor": "created_at", "seconds": 60}}, "expires_after.seconds"),
    ],
    "files.list": [({"limit": 0}, "limit"), ({"limit": 10001}, "limit"), ({"order": "up"}, "order")],
    "files.retrieve": [({"file_id": ""}, "file_id")],
    "moderations.create": [({"input": []}, "input"), ({"input": [{"type": "text"}]}, "input[0]")],
    "batches.create": [
        ({"endpoint": ""}, "endpoint"),
        ({"completion_window": ""}, "completion_window"),
        ({"output_expires_after": {"anchor": "now", "seconds": 3600}}, "output_expires_after.anchor"),
    ],
    "batches.list": [({"limit": 0}, "limit")],
}
CASES = [(name, wrong, path) for name, cases in WRONG.items() for wrong, path in cases]


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[ANSWER]))
        yield loopback


async def call(client: AsyncOneLLM, name: str, arguments: dict[str, Any]) -> Any:
    found: Any = client
    for step in name.split("."):
        found = getattr(found, step)
    return await found(**arguments)


@pytest.mark.parametrize(("name", "wrong", "path"), CASES, ids=[f"{name}-{path}" for name, _, path in CASES])
async def test_a_bad_value_is_named_and_nothing_is_sent(
    server: Loopback, name: str, wrong: dict[str, Any], path: str
) -> None:
    async with client_for("openai", server) as client:
        with pytest.raises(UsageError) as caught:
            await call(client, name, NEEDED[name] | wrong)
    assert caught.value.param is not None
    assert caught.value.param.partition("=")[0] == path.partition("[")[0].partition(".")[0]
    assert path in caught.value.message.partition(", not ")[0].partition("; ")[0]
    assert server.requests == []


async def test_what_cannot_be_known_passes(server: Loopback) -> None:
    """A model, a voice, a part of a message and a field that are newer than this are sent as they are."""
    parts = [{"type": "hologram", "hologram": {"url": "https://x/y"}}, {"type": "text", "text": "What is it?"}]
    server.plays(Answer(chunks=[ANSWER]), Answer(chunks=[b"ID3"], content_type="audio/mpeg"))
    async with client_for("openai", server) as client:
        await client.chat.completions.create(
            model="gpt-99-nova",
            messages=[{"role": "user", "content": parts}],  # type: ignore[list-item] # as a newer version would have it
            service_tier="warp",
            extra_body={"dream": True},
        )
        spoken = await client.audio.speech.create(model="tts-9", input="Hello", voice="nobody-yet")
        await spoken.aclose()
    chat, speech = (request.json for request in server.requests)
    assert (chat["model"], chat["service_tier"], chat["dream"]) == ("gpt-99-nova", "warp", True)
    assert chat["messages"][0]["content"] == parts
    assert (speech["model"], speech["voice"]) == ("tts-9", "nobody-yet")
