"""AI Studio and Google Cloud over a real socket: files, images, speech, pages, hosts and credentials."""

import asyncio
import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, type_sse
from wire import chat_completions, gemini, messages
from wire.chat_completions import event

from onellm import AsyncOneLLM
from onellm.errors import (
    AuthenticationError,
    ConfigurationError,
    ContentFilterError,
    InvalidRequestError,
    ResponseDecodeError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.providers.base import ProviderSettings
from onellm.providers.gemini_host import under, with_version
from onellm.providers.google import PIECE
from onellm.providers.vertex import PROVIDER as VERTEX
from onellm.types.anthropic import AnthropicOptions
from onellm.types.secret import Secret

PNG = b"\x89PNG\r\n\x1a\n-pixels"
ASK: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def _nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_QUOTA_PROJECT",
    ):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[gemini.ANSWER]))
        yield loopback


def studio(server: Loopback) -> AsyncOneLLM:
    return AsyncOneLLM(providers={"google": {"api_key": "key-1", "base_url": f"{server.url}/v1beta"}}, max_retries=0)


def image_answer(**more: Any) -> bytes:
    data = base64.b64encode(PNG).decode()
    return gemini.chunk({"text": "Here."}, {"inlineData": {"mimeType": "image/png", "data": data}}, **more)


# --- files ----------------------------------------------------------------------------------------------------------

FILE = {
    "name": "files/abc",
    "displayName": "a.bin",
    "sizeBytes": "3",
    "state": "ACTIVE",
    "createTime": "2026-01-02T03:04:05.123456Z",
    "expirationTime": "2026-01-04T03:04:05Z",
    "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
}


def keeps(server: Loopback, where: str | None = None) -> None:
    """The server takes files: an address for the first request, the file for what has it whole."""

    def choose(request: Recorded) -> Answer:
        if request.headers.get("x-goog-upload-command") == "start":
            return Answer(chunks=[{}], headers={"X-Goog-Upload-URL": where or f"{server.url}/sink?upload_id=u1"})
        final = "finalize" in request.headers["x-goog-upload-command"]
        status = "final" if final else "active"
        return Answer(chunks=[{"file": FILE}] if final else [], headers={"X-Goog-Upload-Status": status})

    server.chooses(choose)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 3_000_000):
        yield content[at : at + 3_000_000]


@pytest.mark.parametrize("source", ["bytes", "path", "open file", "pieces", "empty"])
async def test_a_file_goes_in_pieces(server: Loopback, source: str, tmp_path: Path) -> None:
    """One request announces it, with the key; then its bytes go to the address that came back, without."""
    content = b"" if source == "empty" else bytes(range(256)) * ((PIECE + 512) // 256)
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    keeps(server)
    given: dict[str, Any] = {
        "bytes": ("a.bin", content),
        "empty": ("a.bin", content),
        "path": path,
        "open file": ("a.bin", io.BytesIO(content)),
        "pieces": ("a.bin", _pieces(content)),
    }
    async with studio(server) as client:
        made = await client.files.create(file=given[source], purpose="user_data", provider="google")
    start, *sent = server.requests
    assert (start.path, start.json) == ("/upload/v1beta/files", {"file": {"displayName": "a.bin"}})
    assert start.headers["x-goog-api-key"] == "key-1"
    assert start.headers["x-goog-upload-protocol"] == "resumable"
    length = None if source == "pieces" else str(len(content))
    assert start.headers.get("x-goog-upload-header-content-length") == length
    assert b"".join(request.body for request in sent) == content
    assert {request.target for request in sent} == {"/sink?upload_id=u1"}
    assert [
        (request.headers["x-goog-upload-offset"], request.headers["x-goog-upload-command"]) for request in sent
    ] == ([("0", "upload, finalize")] if source == "empty" else [("0", "upload"), (str(PIECE), "upload, finalize")])
    assert not any("key-1" in value for request in sent for value in request.headers.values())
    assert (made.id, made.bytes, made.filename, made.status) == ("files/abc", 3, "a.bin", "ACTIVE")
    assert (made.created_at, made.expires_at) == (1767323045, 1767495845)
    assert made.adjustments == ("left out purpose: its files have none",)


@pytest.mark.parametrize("where", ["http://evil.example/x", ""])
async def test_bytes_go_to_no_other_address_in_the_clear(server: Loopback, where: str) -> None:
    server.plays(Answer(chunks=[{}], headers={"X-Goog-Upload-URL": where}))
    async with studio(server) as client:
        with pytest.raises(ResponseDecodeError, match="no address to send the file to"):
            await client.files.create(file=b"abc", purpose="user_data", provider="google")
    assert len(server.requests) == 1


async def test_a_file_that_is_not_there(server: Loopback, tmp_path: Path) -> None:
    async with studio(server) as client:
        with pytest.raises(InvalidRequestError, match="file: it cannot be read"):
            await client.files.create(file=tmp_path / "none", purpose="user_data", provider="google")
    assert server.requests == []


async def test_what_becomes_of_files(server: Loopback) -> None:
    """Retrieved and deleted under either form of the id, listed in pages; not downloaded."""
    async with studio(server) as client:
        server.plays(
            Answer(chunks=[FILE]),
            Answer(chunks=[{}]),
            Answer(chunks=[{"files": [FILE], "nextPageToken": "t2"}]),
            Answer(chunks=[{"files": [{**FILE, "name": "files/def"}]}]),
        )
        assert (await client.files.retrieve("abc", provider="google")).id == "files/abc"
        deleted = await client.files.delete("files/abc", provider="google")
        assert (deleted.id, deleted.deleted) == ("files/abc", True)
        assert [file.id async for file in client.files.list(provider="google", limit=1)] == ["files/abc", "files/def"]
        with pytest.raises(UnsupportedFeatureError, match="cannot be downloaded"):
            await client.files.content("files/abc", provider="google")
    assert [(request.method, request.target) for request in server.requests] == [
        ("GET", "/v1beta/files/abc"),
        ("DELETE", "/v1beta/files/abc"),
        ("GET", "/v1beta/files?pageSize=1"),
        ("GET", "/v1beta/files?pageSize=1&pageToken=t2"),
    ]


async def test_the_list_of_models_has_all_pages(server: Loopback) -> None:
    server.plays(
        Answer(chunks=[{"models": [{"name": "models/a"}], "nextPageToken": "t2"}]),
        Answer(chunks=[{"models": [{"name": "models/b"}]}]),
    )
    async with studio(server) as client:
        assert [model.id for model in await client.models.list("google")] == ["a", "b"]
    assert [request.query for request in server.requests] == [
        {"pageSize": "1000"},
        {"pageSize": "1000", "pageToken": "t2"},
    ]


# --- images and speech ----------------------------------------------------------------------------------------------


async def test_images(server: Loopback) -> None:
    """New ones and edits, also for a call that asked for a stream; a size is a ratio."""
    server.plays(Answer(chunks=[image_answer(finish="STOP")]))
    async with studio(server) as client:
        reply = await client.images.generate(model="google/draw", prompt="a cat", size="2048x1152", n=1)
        assert (reply.data[0].content, reply.data[0].media_type) == (PNG, "image/png")
        assert reply.adjustments == ("sent size='2048x1152' as 16:9, 2K",)
        await client.images.edit(model="google/draw", prompt="a hat", image=("a.png", PNG))
        stream = await client.images.generate(model="google/draw", prompt="a cat", stream=True)
        assert (await stream.get_final_images()).data[0].content == PNG
    made, edited, _ = server.requests
    assert made.path == "/v1beta/models/draw:generateContent"
    assert made.json == {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        },
    }
    data = base64.b64encode(PNG).decode()
    assert edited.json["contents"][0]["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": data}}


async def test_images_that_are_refused(server: Loopback) -> None:
    async with studio(server) as client:
        for wrong in ({"n": 2}, {"quality": "high"}, {"size": "100x37"}, {"response_format": "url"}):
            with pytest.raises(UnsupportedParameterError):
                await client.images.generate(model="google/draw", prompt="x", **wrong)
        assert server.requests == []
        server.plays(Answer(chunks=[gemini.chunk(finish="IMAGE_SAFETY")]))
        with pytest.raises(ContentFilterError, match="IMAGE_SAFETY"):
            await client.images.generate(model="google/draw", prompt="x")


def sound(data: bytes, **more: Any) -> bytes:
    blob = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": base64.b64encode(data).decode()}
    return gemini.chunk({"inlineData": blob}, **more)


async def test_speech(server: Loopback) -> None:
    """A wav file unless samples are asked for; a stream has samples."""
    server.plays(Answer(chunks=[sound(b"\1\2\3\4", finish="STOP")]))
    async with studio(server) as client:
        say = client.audio.speech.create
        reply = await say(model="google/tts", input="Hi", voice="Kore", instructions="Say cheerfully")
        wav = await reply.read()
        assert (wav[:4], wav[44:], reply.content_type) == (b"RIFF", b"\1\2\3\4", "audio/wav")
        samples = await say(model="google/tts", input="Hi", voice="Kore", response_format="pcm")
        assert await samples.read() == b"\1\2\3\4"
        events = [event(sound(b"\1\2")), event(sound(b"\3\4")), event(gemini.chunk(finish="STOP"))]
        server.plays(Answer(chunks=events, content_type=type_sse))
        stream = await say(model="google/tts", input="Hi", voice="Kore", stream_format="sse")
        assert [piece async for piece in stream.audio()] == [b"\1\2", b"\3\4"]
        with pytest.raises(UnsupportedParameterError, match="mp3"):
            await say(model="google/tts", input="Hi", voice="Kore", response_format="mp3")
    assert server.requests[0].json == {
        "contents": [{"role": "user", "parts": [{"text": "Say cheerfully: Hi"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
    }
    assert server.requests[2].target == "/v1beta/models/tts:streamGenerateContent?alt=sse"


# --- hosts and credentials ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
    ],
)
def test_hosts_of_locations(location: str | None, host: str) -> None:
    """The path repeats the location; with a key it has neither that nor a project."""
    options = {"project": "p1"} | ({"location": location} if location else {})
    settled = VERTEX.settle(ProviderSettings(base_url=str(VERTEX.base_url), options=options))
    assert settled.base_url == f"{host}/v1beta1/projects/p1/locations/{location or 'global'}"
    keyed = VERTEX.settle(ProviderSettings(base_url=str(VERTEX.base_url), options=options, api_key=Secret("k")))
    assert keyed.base_url == f"{host}/v1beta1"
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT"):
        VERTEX.settle(ProviderSettings(base_url=str(VERTEX.base_url)))


@pytest.fixture
def account(server: Loopback, tmp_path: Path) -> Path:
    """A service account, whose tokens the server gives."""
    serialization: Any = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    rsa: Any = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p1",
                "private_key": pem.decode(),
                "client_email": "a@p1.example",
                "token_uri": f"{server.url}/token",
            }
        )
    )
    return path


def cloud(server: Loopback, **options: Any) -> AsyncOneLLM:
    settings = {"base_url": f"{server.url}/v1beta1", "options": {"project": "p1", "location": "eu", **options}}
    return AsyncOneLLM(providers={"vertex": settings}, max_retries=0)


@pytest.mark.parametrize("by", ["option", "environment"])
async def test_many_calls_ask_for_one_token(
    server: Loopback, account: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred at once, and who pays is named; the list of models stands in no project."""

    def choose(request: Recorded) -> Answer:
        if request.path == "/token":
            return Answer(chunks=[{"access_token": "token-1", "expires_in": 3600, "token_type": "Bearer"}])
        return Answer(chunks=[gemini.ANSWER if request.method == "POST" else gemini.publisher_models()])

    server.chooses(choose)
    if by == "environment":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "payer")
    options = {"credentials_file": str(account), "quota_project": "payer"} if by == "option" else {}
    async with cloud(server, **options) as client:
        ask = client.chat.completions.create
        await asyncio.gather(*(ask(model="vertex/gemini-x", messages=ASK) for _ in range(100)))
        await client.models.list("vertex")
    tokens = [request for request in server.requests if request.path == "/token"]
    calls = [request for request in server.requests if request.path != "/token"]
    assert (len(tokens), len(calls)) == (1, 101)
    assert {request.headers["authorization"] for request in calls} == {"Bearer token-1"}
    assert {request.headers["x-goog-user-project"] for request in calls} == {"payer"}
    own = "/v1beta1/projects/p1/locations/eu/publishers/google/models/gemini-x:generateContent"
    assert {request.path for request in calls[:-1]} == {own}
    assert calls[-1].path == "/v1beta1/publishers/google/models"


async def test_credentials_that_are_refused(server: Loopback, account: Path) -> None:
    server.plays(Answer(status=400, chunks=[{"error": "invalid_grant", "error_description": "no such account"}]))
    async with cloud(server, credentials_file=str(account)) as client:
        with pytest.raises(AuthenticationError, match="invalid_grant"):
            await client.chat.completions.create(model="vertex/gemini-x", messages=ASK)
    assert {request.path for request in server.requests} == {"/token"}


async def test_credentials_that_are_not_there(server: Loopback, tmp_path: Path) -> None:
    async with cloud(server, credentials_file=str(tmp_path / "none.json")) as client:
        with pytest.raises(ConfigurationError, match="credentials_file: no key of a service account"):
            await client.chat.completions.create(model="vertex/gemini-x", messages=ASK)
    assert server.requests == []


@pytest.mark.parametrize("stream", [False, True])
async def test_claude_in_google_cloud(server: Loopback, stream: bool) -> None:
    """The Messages API, its version in the body and the model in the path alone."""
    answer = Answer(chunks=messages.STREAM, content_type=type_sse) if stream else Answer(chunks=[messages.ANSWER])
    server.plays(answer)
    settings = {"api_key": lambda: "token-2", "base_url": f"{server.url}/v1", "options": {"project": "p1"}}
    async with AsyncOneLLM(providers={"vertex": settings}) as client:
        reply: Any = await client.chat.completions.create(
            model="vertex/anthropic/claude-sonnet-4-5@20250929", messages=ASK, stream=stream, max_tokens=9
        )
        whole = await reply.get_final_completion() if stream else reply
    assert (whole.choices[0].message.content, whole.provider) == (chat_completions.TEXT, "vertex")
    (request,) = server.requests
    method = "streamRawPredict" if stream else "rawPredict"
    own = "/v1/projects/p1/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929"
    assert request.path == f"{own}:{method}"
    assert request.headers["authorization"] == "Bearer token-2"
    body = request.json
    assert body.pop("messages")[0]["role"] == "user"
    expected = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9}
    assert body == expected | ({"stream": True} if stream else {})


async def test_claudes_tokens_are_counted(server: Loopback) -> None:
    """At a model of that name; the body says which is meant, and nothing of the answer."""
    server.plays(Answer(chunks=[{"input_tokens": 13}]))
    settings = {"api_key": lambda: "token-2", "base_url": f"{server.url}/v1", "options": {"project": "p1"}}
    options = AnthropicOptions(betas=("b-1",), thinking={"type": "adaptive"})
    async with AsyncOneLLM(providers={"vertex": settings}) as client:
        count = await client.chat.completions.count_tokens(
            model="vertex/anthropic/claude-sonnet-4-6", messages=ASK, temperature=0.5, anthropic=options
        )
    assert (count.input_tokens, count.provider, count.adjustments) == (13, "vertex", ())
    (request,) = server.requests
    assert request.path == ("/v1/projects/p1/locations/global/publishers/anthropic/models/count-tokens:rawPredict")
    assert request.headers["anthropic-beta"] == "b-1"
    body = request.json
    assert body.pop("messages")[0]["role"] == "user"
    assert body == {
        "anthropic_version": "vertex-2023-10-16",
        "model": "claude-sonnet-4-6",
        "thinking": {"type": "adaptive"},
    }


A_FILE: dict[str, Any] = {"type": "file", "file": {"file_id": "file_1"}}
AN_IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


@pytest.mark.parametrize(
    ("way", "params", "message"),
    [
        (
            "vertex",
            {"tools": ({"type": "web_fetch_20250910", "name": "web_fetch"},)},
            "web_fetch_20250910: it has",
        ),
        ("vertex", {"tools": ({"type": "code_execution_20250825", "name": "c"},)}, "code_execution_20250825: it has"),
        ("vertex", {"mcp_servers": ({"type": "url", "url": "https://m", "name": "m"},)}, "anthropic.mcp_servers: this"),
        ("vertex", {"container": "c_1"}, "anthropic.container: this host"),
        ("vertex", A_FILE, "file_id: it keeps no files: give file_data"),
        ("vertex", AN_IMAGE, "it fetches no URLs: send the bytes"),
        ("bedrock", {"tools": ({"type": "web_search_20250305", "name": "s"},)}, "web_search_20250305: this host"),
        ("bedrock", {"container": "c_1"}, "anthropic.container: this host"),
        ("bedrock", A_FILE, "file_id: it keeps no files"),
    ],
)
async def test_what_claude_does_not_have_with_other_hosts(
    server: Loopback, way: str, params: dict[str, Any], message: str
) -> None:
    """It is said before anything is sent."""
    settings = {"api_key": "k", "base_url": f"{server.url}/v1", "options": {}}
    part: Any = params if "type" in params else {"type": "text", "text": "hi"}
    options = AnthropicOptions(**({} if "type" in params else params))
    async with AsyncOneLLM(providers={way: settings}) as client:
        with pytest.raises(UnsupportedParameterError, match=re.escape(message)):
            await client.chat.completions.create(
                model=f"{way}/anthropic/claude-sonnet-4-6",
                messages=[{"role": "user", "content": [part]}],
                anthropic=options,
            )
    assert server.requests == []


async def test_claude_searches_with_the_tool_that_the_host_has(server: Loopback) -> None:
    """And tools that the caller runs are everybody's."""
    server.plays(Answer(chunks=[messages.ANSWER]))
    tools = ({"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124", "name": "bash"})
    settings = {"api_key": lambda: "token-2", "base_url": f"{server.url}/v1", "options": {"project": "p1"}}
    async with AsyncOneLLM(providers={"vertex": settings}) as client:
        await client.chat.completions.create(
            model="vertex/anthropic/claude-sonnet-4-6", messages=ASK, anthropic=AnthropicOptions(tools=tools)
        )
    assert server.requests[0].json["tools"] == list(tools)


@pytest.mark.parametrize(
    ("base", "uploads", "alpha"),
    [
        ("https://a.example/v1beta", "https://a.example/up/v1beta", "https://a.example/v1alpha"),
        ("https://a.example", "https://a.example/up", "https://a.example/v1alpha"),
        ("https://a.example:8/b/v1", "https://a.example:8/b/up/v1", "https://a.example:8/b/v1alpha"),
    ],
)
def test_other_places_of_the_same_host(base: str, uploads: str, alpha: str) -> None:
    """The host stays, whether the base URL names a version or not: the key goes to no other."""
    assert (under(base, "up"), with_version(base, "v1alpha")) == (uploads, alpha)


def test_claude_has_a_version_of_the_api_of_its_own() -> None:
    settled = VERTEX.settle(ProviderSettings(base_url=str(VERTEX.base_url), options={"project": "p1"}))
    found = settled.state["claude"].base_url
    assert found == "https://aiplatform.googleapis.com/v1/projects/p1/locations/global"


async def test_a_token_of_ones_own(server: Loopback) -> None:
    """A function gives it; the option names who pays."""
    settings = {
        "api_key": lambda: "token-2",
        "base_url": f"{server.url}/v1",
        "options": {"project": "p1", "quota_project": "payer"},
    }
    async with AsyncOneLLM(providers={"vertex": settings}) as client:
        await client.chat.completions.create(model="vertex/meta/llama", messages=ASK)
    (request,) = server.requests
    assert request.path == "/v1/projects/p1/locations/global/publishers/meta/models/llama:generateContent"
    assert request.headers["authorization"] == "Bearer token-2"
    assert request.headers["x-goog-user-project"] == "payer"


@pytest.mark.parametrize(
    ("name", "others"), [("google", "vertex google_auth anthropic"), ("vertex", "google anthropic compatible")]
)
def test_using_one_loads_none_of_the_others(name: str, others: str) -> None:
    """Nor the extra: google-auth is imported when a token is asked for."""
    unwanted = {f"onellm.providers.{other}" for other in others.split()} | {"google.auth"}
    code = (
        f"import sys; from onellm import AsyncOneLLM; c = AsyncOneLLM(providers={{{name!r}: {{'api_key': 'k'}}}}); "
        f"c._core.bind({name!r}); print(*sorted({unwanted!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert (done.stdout.strip(), done.stderr) == ("", "")
