"""The examples of OpenAI's OpenAPI description: each decodes, field for field, and `to_dict()` gives it back."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from loopback import Answer, Loopback, streamed
from served import client_for
from wire import openapi_examples as examples

from onellm import AsyncOneLLM
from onellm.types.base import Answer as Received
from onellm.types.file_objects import Upload, UploadPart

ADDED = {"finish_reason_raw", "status_raw"}
"""What stands in `to_dict()` beside what was received: normalised fields keep the provider's own word."""

HI: list[Any] = [{"role": "user", "content": "Hello!"}]
WAV = ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n")
TEXT = ("mydata.jsonl", b"{}\n")

# operation: the call, and what is answered
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{
        f"chat: {name}": ("chat.completions.create", {"model": "gpt-4o-mini", "messages": HI}, example)
        for name, example in examples.CHAT.items()
    },
    **{
        f"completion: {name}": ("completions.create", {"model": "davinci-002", "prompt": "a"}, example)
        for name, example in examples.COMPLETIONS.items()
    },
    **{
        f"image: {name}": ("images.generate", {"model": "gpt-image-2", "prompt": "a cute baby sea otter"}, example)
        for name, example in examples.IMAGES.items()
    },
    "image edit": ("images.edit", {"model": "m", "image": PNG, "prompt": "a beret"}, examples.IMAGES["image"]),
    "image variation": ("images.create_variation", {"model": "m", "image": PNG}, examples.IMAGES["image"]),
    **{
        f"transcription: {name}": (
            "audio.transcriptions.create",
            {"model": "gpt-transcribe", "file": WAV, "response_format": format_},
            example,
        )
        for name, (format_, example) in examples.TRANSCRIPTIONS.items()
    },
    **{
        f"translation: {name}": ("audio.translations.create", {"model": "whisper-1", "file": WAV}, example)
        for name, example in examples.TRANSLATIONS.items()
    },
    "file": ("files.create", {"file": TEXT, "purpose": "fine-tune"}, examples.FILE),
    "file retrieved": ("files.retrieve", {"file_id": "file-abc123"}, examples.FILE),
    "file deleted": ("files.delete", {"file_id": "file-abc123"}, examples.FILE_DELETED),
    "batch": (
        "batches.create",
        {"input_file_id": "file-abc123", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        examples.BATCH,
    ),
    "batch retrieved": ("batches.retrieve", {"batch_id": "batch_abc123"}, examples.BATCH),
    "batch cancelled": ("batches.cancel", {"batch_id": "batch_abc123"}, examples.BATCH | {"status": "cancelling"}),
    "moderation": ("moderations.create", {"input": "I want to kill them."}, examples.MODERATION),
    "model": ("models.retrieve", {"model": "gpt-4o-mini"}, examples.MODEL),
}
LISTS = {"files.list": examples.FILE, "batches.list": examples.BATCH, "models.list": examples.MODEL}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
async def client(server: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("openai", server) as opened:
        yield opened


async def call(client: AsyncOneLLM, name: str, arguments: dict[str, Any]) -> Any:
    found: Any = client
    for step in name.split("."):
        found = getattr(found, step)
    return await found(**arguments)


def without_added(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_added(item) for key, item in value.items() if key not in ADDED}
    return [without_added(item) for item in value] if isinstance(value, list) else value


def check_fields(reply: Any, example: dict[str, Any]) -> None:
    """Each field that was received is an attribute with its value; what is not named is in `model_extra`."""
    for name, value in example.items():
        if name not in reply.__struct_fields__:
            assert reply.model_extra[name] == value
        elif not isinstance(value, dict | list):
            assert getattr(reply, name) == value
        elif isinstance(value, list):
            assert len(getattr(reply, name)) == len(value)
            for mine, each in zip(getattr(reply, name), value, strict=True):
                if isinstance(mine, msgspec.Struct):
                    named = {key: item for key, item in each.items() if key in mine.__struct_fields__}
                    check_fields(mine, named)


@pytest.mark.parametrize(("name", "arguments", "example"), CASES.values(), ids=CASES)
async def test_an_example_is_read_and_given_back(
    client: AsyncOneLLM, server: Loopback, name: str, arguments: dict[str, Any], example: dict[str, Any]
) -> None:
    server.plays(Answer(chunks=[example]))
    reply = await call(client, name, arguments)
    assert without_added(reply.to_dict()) == example
    assert json.loads(reply.raw) == example
    check_fields(reply, example)


@pytest.mark.parametrize(("name", "example"), LISTS.items(), ids=LISTS)
async def test_lists_hold_the_examples(
    client: AsyncOneLLM, server: Loopback, name: str, example: dict[str, Any]
) -> None:
    further = {**example, "unheard_of": {"a": [None]}}
    server.plays(Answer(chunks=[{"object": "list", "data": [example, further], "has_more": False}]))
    page = await call(client, name, {})
    assert [without_added(item.to_dict()) for item in page] == [example, further]


async def test_a_stream_gives_back_its_chunks(client: AsyncOneLLM, server: Loopback) -> None:
    server.plays(streamed(*examples.CHAT_STREAM))
    async with await client.chat.completions.create(model="gpt-4o-mini", messages=HI, stream=True) as stream:
        chunks = [chunk async for chunk in stream]
        whole = await stream.get_final_completion()
    assert [without_added(chunk.to_dict()) for chunk in chunks] == examples.CHAT_STREAM
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Hello", "stop")


async def test_embeddings_are_given_back_as_float32(client: AsyncOneLLM, server: Loopback) -> None:
    """The vectors are arrays: what is given back is the nearest float32."""
    example = examples.EMBEDDINGS["embeddings"]
    server.plays(Answer(chunks=[example]))
    reply = await client.embeddings.create(model="text-embedding-ada-002", input="The food was delicious")
    given = reply.to_dict()
    vector = given["data"][0].pop("embedding")
    assert vector == pytest.approx(example["data"][0]["embedding"], rel=1e-7)
    assert given == {**example, "data": [{"object": "embedding", "index": 0}]}


@pytest.mark.parametrize(
    ("kind", "example"),
    [(Upload, examples.UPLOAD), (Upload, examples.UPLOAD_COMPLETED), (UploadPart, examples.UPLOAD_PART)],
)
def test_uploads_are_read_field_for_field(kind: type[Received], example: dict[str, Any]) -> None:
    reply = msgspec.json.decode(json.dumps(example), type=kind)
    reply.raw = json.dumps(example).encode()
    assert reply.to_dict() == example
    check_fields(reply, example)
