"""What `openai`'s own clients send to Azure, and what we send for the same call, in both shapes of the API.

The older one is `AsyncAzureOpenAI`'s; for v1 Azure's documentation names the plain client with a base URL.
"""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from forms import fields, files
from loopback import Answer, Loopback, Recorded, streamed, type_sse
from wire.chat_completions import ANSWER, STREAM, embeddings, model, models
from wire.completions import STREAM as COMPLETION_STREAM
from wire.completions import WHOLE as COMPLETION

from onellm import AsyncOneLLM

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # openai's, of what OpenAI has retired

KEY = "0123456789abcdef"
VERSION = "2024-10-21"
DEPLOYMENT = "my gpt.ü"
HI = [{"role": "user", "content": "Hi, Grüße"}]
WAV = ("a.wav", b"RIFF....WAVEfmt ", "audio/wav")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n-pixels", "image/png")
FILE = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
BATCH = {"id": "batch_1", "object": "batch", "status": "validating", "created_at": 1, "endpoint": None}
LIST = {"object": "list", "data": [], "has_more": False}

# The call, its arguments, and what is answered.
CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], Answer]] = {
    "chat": (
        "chat.completions.create",
        (),
        {
            "model": DEPLOYMENT,
            "messages": HI,
            "max_tokens": 9,
            "extra_body": {"user_security_context": {"application_name": "a"}},
        },
        Answer(chunks=[ANSWER]),
    ),
    "a stream": (
        "chat.completions.create",
        (),
        {"model": DEPLOYMENT, "messages": HI, "stream": True},
        Answer(chunks=STREAM, content_type=type_sse),
    ),
    "completion": (
        "completions.create",
        (),
        {"model": DEPLOYMENT, "prompt": "Once", "max_tokens": 5},
        Answer(chunks=[COMPLETION]),
    ),
    "a stream of a completion": (
        "completions.create",
        (),
        {"model": DEPLOYMENT, "prompt": "Once", "stream": True},
        streamed(*COMPLETION_STREAM),
    ),
    "embeddings": (
        "embeddings.create",
        (),
        {"model": DEPLOYMENT, "input": ["a", "b"], "dimensions": 2},
        Answer(chunks=[embeddings([[0.5, 1.0]] * 2)]),
    ),
    "transcription": (
        "audio.transcriptions.create",
        (),
        {"model": DEPLOYMENT, "file": WAV, "language": "de", "response_format": "json"},
        Answer(chunks=[{"text": "Hallo"}]),
    ),
    "translation": (
        "audio.translations.create",
        (),
        {"model": DEPLOYMENT, "file": WAV},
        Answer(chunks=[{"text": "Hello"}]),
    ),
    "speech": (
        "audio.speech.create",
        (),
        {"model": DEPLOYMENT, "input": "Hello", "voice": "alloy", "response_format": "mp3"},
        Answer(chunks=[b"ID3"], content_type="audio/mpeg"),
    ),
    "an image": (
        "images.generate",
        (),
        {"model": DEPLOYMENT, "prompt": "a cat", "n": 1, "size": "1024x1024"},
        Answer(chunks=[{"created": 1, "data": []}]),
    ),
    "an edit": (
        "images.edit",
        (),
        {"model": DEPLOYMENT, "image": PNG, "prompt": "a hat"},
        Answer(chunks=[{"created": 1, "data": []}]),
    ),
    "an edit of several": (
        "images.edit",
        (),
        {"model": DEPLOYMENT, "image": [PNG, PNG], "mask": PNG, "prompt": "a hat"},
        Answer(chunks=[{"created": 1, "data": []}]),
    ),
    "a file": (
        "files.create",
        (),
        {
            "file": ("a.jsonl", b"{}\n", "application/jsonl"),
            "purpose": "batch",
            "expires_after": {"anchor": "created_at", "seconds": 1209600},
        },
        Answer(chunks=[FILE]),
    ),
    "files": ("files.list", (), {"purpose": "batch"}, Answer(chunks=[LIST])),
    "one file": ("files.retrieve", ("file-1",), {}, Answer(chunks=[FILE])),
    "its content": ("files.content", ("file-1",), {}, Answer(chunks=[b"text"], content_type="text/plain")),
    "its end": ("files.delete", ("file-1",), {}, Answer(chunks=[{"id": "file-1", "deleted": True}])),
    "a batch": (
        "batches.create",
        (),
        {"input_file_id": "file-1", "endpoint": "/chat/completions", "completion_window": "24h"},
        Answer(chunks=[BATCH]),
    ),
    "one batch": ("batches.retrieve", ("batch_1",), {}, Answer(chunks=[BATCH])),
    "batches": (
        "batches.list",
        (),
        {"limit": 5, "extra_query": {"$filter": "status eq 'Completed'"}},
        Answer(chunks=[LIST]),
    ),
    "the end of a batch": ("batches.cancel", ("batch_1",), {}, Answer(chunks=[BATCH])),
    "models": ("models.list", (), {}, Answer(chunks=[models()])),
    "one model": ("models.retrieve", ("gpt-5.4-mini",), {}, Answer(chunks=[model()])),
}

# case: (what is different in our body, why)
_USAGE = {"stream_options": {"include_usage": True}}
DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "a stream": (_USAGE, "our streamed answer has the usage that the whole one has, so it must be asked for"),
    "a stream of a completion": (_USAGE, "likewise"),
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


def ours(server: Loopback, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(default_provider="azure", base_url=server.url, max_retries=0, **{"api_key": KEY, **settings})


async def call(client: Any, name: str) -> None:
    path, positional, named, _ = CALLS[name]
    for step in path.split("."):
        client = getattr(client, step)
    reply = client(*positional, **named)
    reply = await reply if hasattr(reply, "__await__") else reply
    if hasattr(reply, "__aiter__"):
        async for _ in reply:
            pass
    elif path in {"files.content", "audio.speech.create"} and hasattr(reply, "aclose"):
        await reply.aclose()


def sent(request: Recorded, name: str = "") -> tuple[Any, ...]:
    """All that matters but the key: method, path as it is spelled, query, body."""
    path = request.target.partition("?")[0]
    head = (request.method, path, request.query)
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        return (*head, sorted(fields(request)), files(request))
    body: Any = request.json if request.body else None
    for key, value in DIFFERENCES.get(name, ({}, ""))[0].items():
        assert key not in body, f"the difference in {key} is gone"
        body[key] = value
    return (*head, kind if body else "", body)


def keys(request: Recorded) -> dict[str, str | None]:
    return {name: request.headers.get(name) for name in ("api-key", "authorization")}


@pytest.mark.parametrize("name", CALLS)
async def test_the_older_shape_sends_the_same(server: Loopback, name: str) -> None:
    """Also the quoted deployment in the path, the version in the query, and the key in its header."""
    server.plays(CALLS[name][3])
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=server.url, api_version=VERSION, api_key=KEY, max_retries=0
    ) as client:
        await call(client, name)
    async with ours(server, providers={"azure": {"options": {"api_version": VERSION}}}) as client:
        await call(client, name)
    theirs, mine = server.requests
    assert sent(mine) == sent(theirs, name)
    assert mine.query["api-version"] == VERSION
    assert keys(mine) == keys(theirs) == {"api-key": KEY, "authorization": None}


@pytest.mark.parametrize("name", CALLS)
async def test_v1_sends_the_same(server: Loopback, name: str) -> None:
    """The key goes in Azure's own header, where the plain client can only send it as a bearer; v1 takes both."""
    server.plays(CALLS[name][3])
    async with openai.AsyncOpenAI(base_url=f"{server.url}/openai/v1/", api_key=KEY, max_retries=0) as client:
        await call(client, name)
    async with ours(server) as client:
        await call(client, name)
    theirs, mine = server.requests
    assert sent(mine) == sent(theirs, name)
    assert "api-version" not in mine.query
    assert keys(theirs) == {"api-key": None, "authorization": f"Bearer {KEY}"}
    assert keys(mine) == {"api-key": KEY, "authorization": None}


@pytest.mark.parametrize("name", ["chat", "a stream", "transcription", "speech", "files", "models"])
async def test_a_function_that_gives_tokens_sends_the_same(server: Loopback, name: str) -> None:
    """The token is a bearer, and nothing goes as a key."""
    server.plays(CALLS[name][3])

    async def token() -> str:
        return "eyJ.token"

    async with openai.AsyncAzureOpenAI(
        azure_endpoint=server.url, api_version=VERSION, azure_ad_token_provider=token, max_retries=0
    ) as client:
        await call(client, name)
    options = {"azure": {"options": {"api_version": VERSION}}}
    async with ours(server, api_key=token, providers=options) as other:
        await call(other, name)
    theirs, mine = server.requests
    assert sent(mine) == sent(theirs, name)
    assert keys(mine) == keys(theirs) == {"api-key": None, "authorization": "Bearer eyJ.token"}


def test_every_operation_is_compared() -> None:
    """Of the row, but the sending of files in parts, whose calls are not ours to make one by one.

    Realtime is compared in `test_openai_realtime`.
    """
    from onellm.providers.azure import IN_DEPLOYMENT, PROVIDER  # noqa: PLC0415 - its module is loaded when asked for

    under = {"chat", "completions", "embeddings", "transcriptions", "translations", "speech", "images", "image_edits"}
    assert PROVIDER.operations == under | {
        "files",
        "uploads",
        "batches",
        "models",
        "responses",
        "realtime",
        "realtime_tokens",
    }
    assert {getattr(PROVIDER, name).path for name in under} == IN_DEPLOYMENT
    assert set(DIFFERENCES) <= set(CALLS)
    assert all(reason for _, reason in DIFFERENCES.values())
