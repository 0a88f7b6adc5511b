"""Calls without a client of one's own: what they send, what they are to type checkers, and the client they share."""

import asyncio
import base64
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any, assert_type

import pytest
from loopback import Answer, streamed
from openai_host import chat_answer, openai_host
from threaded import SECONDS, Provider
from wire import completions as completions_wire

import onellm
from onellm import (
    AsyncChatCompletionStream,
    AsyncOneLLM,
    AsyncSpeechResponse,
    AudioTranscription,
    AudioTranslation,
    ChatCompletion,
    ChatCompletionStream,
    ClientClosedError,
    Completion,
    ConfigurationError,
    Embedding,
    File,
    Image,
    InvalidRequestError,
    NotFoundError,
    Speech,
    SpeechResponse,
    configure,
    short_forms,
)
from onellm.types import chat, completions, embeddings

ROOT = Path(__file__).parents[1]
THREADS = 16
WAV = ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.5]}
FILE = {"id": "file-1", "object": "file", "bytes": 18, "created_at": 1, "filename": "a.txt", "purpose": "user_data"}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
HELLO = chat_answer({**CHAT, "model": "m"})

# What each is called with, what is answered, and where it is asked for.
FORMS: dict[str, tuple[Any, dict[str, Any], Answer, str]] = {
    "ChatCompletion": (ChatCompletion, CHAT, HELLO, "chat/completions"),
    "Completion": (
        Completion,
        {"model": "m", "prompt": "Once"},
        Answer(chunks=[completions_wire.WHOLE]),
        "completions",
    ),
    "Embedding": (
        Embedding,
        {"model": "m", "input": "Hello"},
        Answer(
            chunks=[
                {
                    "object": "list",
                    "data": [VECTOR],
                    "model": "m",
                    "usage": {"prompt_tokens": 1, "total_tokens": 1},
                }
            ]
        ),
        "embeddings",
    ),
    "Image": (
        Image,
        {"model": "m", "prompt": "a cat"},
        Answer(chunks=[{"created": 1, "data": [{"b64_json": base64.b64encode(b"png").decode()}]}]),
        "images/generations",
    ),
    "AudioTranscription": (
        AudioTranscription,
        {"model": "m", "file": WAV},
        Answer(chunks=[{"text": "Hello"}]),
        "audio/transcriptions",
    ),
    "AudioTranslation": (
        AudioTranslation,
        {"model": "m", "file": WAV},
        Answer(chunks=[{"text": "Hello"}]),
        "audio/translations",
    ),
    "Speech": (
        Speech,
        {"model": "m", "input": "Hello", "voice": "alloy"},
        Answer(chunks=[b"ID3"], content_type="audio/mpeg"),
        "audio/speech",
    ),
    "File": (
        File,
        {"file": ("a.txt", b"Remember the milk."), "purpose": "user_data"},
        Answer(chunks=[FILE]),
        "files",
    ),
}
every_form = pytest.mark.parametrize(("form", "given", "answer", "path"), FORMS.values(), ids=FORMS)


@pytest.fixture(autouse=True)
def _no_shared_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins without one, and its own is closed after it."""
    own: dict[str, Any] = {}
    monkeypatch.setattr(short_forms, "_shared", own)
    yield
    for client in own.values():
        client.close()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """The default provider, as the environment has it."""
    made = Provider()
    made.loopback.plays(HELLO)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{made.loopback.url}/v1")
    yield made
    made.close()


def test_every_short_form_is_public_and_tested() -> None:
    classes = {name for name, value in vars(short_forms).items() if inspect.isclass(value) and "acreate" in vars(value)}
    assert classes == set(FORMS) <= set(onellm.__all__)


@every_form
def test_create_asks(provider: Provider, form: Any, given: dict[str, Any], answer: Answer, path: str) -> None:
    provider.loopback.plays(answer)
    reply = form.create(**given)
    assert reply.provider == "openai"
    if isinstance(reply, SpeechResponse):
        assert reply.read() == b"ID3"
    (request,) = provider.loopback.requests
    assert (request.path, request.headers["authorization"]) == (f"/v1/{path}", "Bearer k")


@every_form
def test_acreate_asks_the_same(provider: Provider, form: Any, given: dict[str, Any], answer: Answer, path: str) -> None:
    async def ask() -> str:
        reply = await form.acreate(**given)
        if isinstance(reply, AsyncSpeechResponse):
            assert await reply.read() == b"ID3"
        return str(reply.provider)

    provider.loopback.plays(answer)
    assert asyncio.run(ask()) == "openai"
    (request,) = provider.loopback.requests
    assert (request.path, request.headers["authorization"]) == (f"/v1/{path}", "Bearer k")


def test_streams(provider: Provider) -> None:
    piece = {"id": "c", "created": 1, "model": "m", "object": "chat.completion.chunk"}
    provider.loopback.plays(
        streamed({**piece, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]})
    )

    async def ask() -> list[str]:
        async with await ChatCompletion.acreate(**CHAT, stream=True) as stream:
            return [text async for text in stream.text()]

    with ChatCompletion.create(**CHAT, stream=True) as stream:
        assert list(stream.text()) == ["Hi"]
    assert asyncio.run(ask()) == ["Hi"]
    assert [request.json["stream"] for request in provider.loopback.requests] == [True, True]


def test_files(provider: Provider, tmp_path: Path) -> None:
    """Every verb, blocking: each is the client's own, and `download` writes to a path."""
    provider.loopback.chooses(openai_host)
    sent = File.upload(file=("notes.txt", b"Remember the milk."), purpose="user_data")
    assert [each.id for each in File.list(purpose="user_data")] == [sent.id]
    assert File.retrieve("file-1").filename == "notes.txt"
    assert File.content("file-1").read() == b"Remember the milk."
    File.download("file-1", tmp_path / "copy.txt")
    assert (tmp_path / "copy.txt").read_bytes() == b"Remember the milk."
    assert File.delete("file-1").deleted
    assert asked(provider) == FILE_CALLS


def test_files_awaited(provider: Provider, tmp_path: Path) -> None:
    """The same, awaited; a list is iterated over, or awaited for its first page."""

    async def ask() -> None:
        sent = await File.aupload(file=("notes.txt", b"Remember the milk."), purpose="user_data")
        assert [each.id async for each in File.alist(purpose="user_data")] == [sent.id]
        assert (await File.aretrieve("file-1")).filename == "notes.txt"
        assert await (await File.acontent("file-1")).read() == b"Remember the milk."
        await File.adownload("file-1", tmp_path / "copy.txt")
        assert (await File.adelete("file-1")).deleted

    provider.loopback.chooses(openai_host)
    asyncio.run(ask())
    assert (tmp_path / "copy.txt").read_bytes() == b"Remember the milk."
    assert asked(provider) == FILE_CALLS


def test_a_download_that_fails_leaves_no_file(provider: Provider, tmp_path: Path) -> None:
    provider.loopback.plays(Answer(status=404, chunks=[{"error": {"message": "No such File object"}}]))
    with pytest.raises(NotFoundError):
        File.download("file-9", tmp_path / "copy.txt", provider="openai", max_retries=0)
    assert list(tmp_path.iterdir()) == []
    assert asked(provider) == [("GET", "/v1/files/file-9/content")]


FILE_CALLS = [
    ("POST", "/v1/files"),
    ("GET", "/v1/files?purpose=user_data"),
    ("GET", "/v1/files/file-1"),
    ("GET", "/v1/files/file-1/content"),
    ("GET", "/v1/files/file-1/content"),
    ("DELETE", "/v1/files/file-1"),
]


def asked(provider: Provider) -> list[tuple[str, str]]:
    return [(request.method, request.target) for request in provider.loopback.requests]


def test_the_client_is_made_once_and_kept(provider: Provider) -> None:
    """Also when many threads ask for the first time at once."""
    start = threading.Barrier(THREADS)

    def ask(_: int) -> object:
        start.wait(SECONDS)
        return ChatCompletion.create.__self__  # type: ignore[attr-defined] # a bound method

    with ThreadPoolExecutor(THREADS) as threads:
        assert len(set(threads.map(ask, range(THREADS)))) == 1
    for _ in range(3):
        ChatCompletion.create(**CHAT)
    assert provider.loopback.connections == 1


def test_several_loops_one_after_another(provider: Provider) -> None:
    async def ask() -> Any:
        return (await ChatCompletion.acreate(**CHAT)).choices[0].message.content

    assert [asyncio.run(ask()) for _ in range(3)] == ["You said: Hello"] * 3
    assert provider.loopback.connections == 3


async def test_blocking_inside_a_running_loop(provider: Provider) -> None:
    """As in a notebook; both forms share the client and each loop has connections of its own."""
    assert ChatCompletion.create(**CHAT).choices[0].message.content == "You said: Hello"
    assert (await ChatCompletion.acreate(**CHAT)).choices[0].message.content == "You said: Hello"
    assert provider.loopback.connections == 2
    await short_forms._client()._async.aclose()  # this loop's, before it ends


# configure


def test_configure_sets_what_the_forms_use(provider: Provider) -> None:
    configure(api_key="other", default_headers={"X-Team": "search"})
    ChatCompletion.create(**CHAT)
    configure(default_provider="groq", providers={"groq": {"api_key": "g", "base_url": f"{provider.loopback.url}/v1"}})
    assert ChatCompletion.create(**CHAT).provider == "groq"
    first, second = provider.loopback.requests
    assert (first.headers["authorization"], first.headers["x-team"]) == ("Bearer other", "search")
    assert second.headers["authorization"] == "Bearer g"
    assert "x-team" not in second.headers


def test_configure_closes_the_old_client(provider: Provider) -> None:
    """Its connections go, and what was taken from it before refuses calls."""
    create = ChatCompletion.create
    create(**CHAT)
    configure(api_key="k")
    provider.gone()
    with pytest.raises(ClientClosedError):
        create(**CHAT)
    ChatCompletion.create(**CHAT)
    assert len(provider.loopback.requests) == 2


async def test_configure_closes_the_connections_of_a_running_loop(provider: Provider) -> None:
    await ChatCompletion.acreate(**CHAT)
    configure(api_key="k")
    await asyncio.to_thread(provider.gone)
    await ChatCompletion.acreate(**CHAT)
    assert provider.loopback.connections == 2
    await short_forms._client()._async.aclose()  # this loop's, before it ends


def test_what_is_wrong_is_said_at_once_and_changes_nothing(provider: Provider) -> None:
    configure(api_key="first")
    with pytest.raises(ConfigurationError):
        configure(timeout=-1)
    with pytest.raises(TypeError, match="api_kye"):
        configure(api_kye="second")  # type: ignore[call-arg] # misspelt
    ChatCompletion.create(**CHAT)
    assert provider.loopback.requests[0].headers["authorization"] == "Bearer first"


def test_configure_takes_what_the_client_takes() -> None:
    assert inspect.signature(configure).parameters == inspect.signature(AsyncOneLLM).parameters


async def test_a_session_of_the_callers_own(provider: Provider) -> None:
    """It serves the async forms in its own loop; the blocking ones, which have another, say so."""
    from aiohttp import ClientSession  # noqa: PLC0415 - the others show that it is not needed before

    async with ClientSession(headers={"X-Own": "yes"}) as session:
        configure(http_session=session)
        await ChatCompletion.acreate(**CHAT)
        with pytest.raises(ConfigurationError, match="another event loop"):
            ChatCompletion.create(**CHAT)
        configure()
        assert not session.closed
    assert [request.headers["x-own"] for request in provider.loopback.requests] == ["yes"]


# Types


async def test_type_checkers_know_the_calls(provider: Provider) -> None:
    """Answers have their types, and a misspelt argument is an error: the ignored ones must be there to be ignored."""
    messages: Any = CHAT["messages"]
    assert_type(ChatCompletion.create(model="m", messages=messages), chat.ChatCompletion)
    assert_type(await ChatCompletion.acreate(model="m", messages=messages), chat.ChatCompletion)
    with pytest.raises(InvalidRequestError, match="temperatur"):
        ChatCompletion.create(model="m", messages=messages, temperatur=1)  # type: ignore[call-overload] # misspelt
    with pytest.raises(InvalidRequestError, match="temperatur"):
        await ChatCompletion.acreate(model="m", messages=messages, temperatur=1)  # type: ignore[call-overload] # misspelt
    with pytest.raises(InvalidRequestError, match="dimension"):
        Embedding.create(model="m", input="Hello", dimension=1)  # type: ignore[call-arg] # misspelt
    with pytest.raises(TypeError, match="prompt"):
        Image.create(model="m")  # type: ignore[call-overload] # lacks a prompt
    assert len(provider.loopback.requests) == 2
    await short_forms._client()._async.aclose()  # this loop's, before it ends


def _types_of_what_is_not_called() -> None:
    messages: Any = []
    assert_type(ChatCompletion.create(model="m", messages=messages, stream=True), ChatCompletionStream)
    assert_type(Completion.create(model="m", prompt="Once"), completions.Completion)
    assert_type(Embedding.create(model="m", input="Hello"), embeddings.CreateEmbeddingResponse)
    assert_type(Speech.create(model="m", input="Hello", voice="alloy"), SpeechResponse)
    assert_type(AudioTranscription.create(model="m", file=b"", response_format="text"), str)


async def _types_of_what_is_not_awaited() -> None:
    messages: Any = []
    assert_type(await ChatCompletion.acreate(model="m", messages=messages, stream=True), AsyncChatCompletionStream)
    assert_type(await Speech.acreate(model="m", input="Hello", voice="alloy"), AsyncSpeechResponse)


# Processes


def run_script(script: str, provider: Provider | None = None) -> list[str]:
    """An interpreter in development mode, where every warning is an error; it must write nothing to stderr."""
    environment = dict(os.environ)
    if provider is not None:
        environment |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{provider.loopback.url}/v1"}
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-X", "dev", "-W", "error", "-c", dedent(script)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()


def test_importing_makes_nothing() -> None:
    """No HTTP library, no thread and no client before the first use."""
    script = """
    import sys, threading
    import onellm
    assert "onellm.short_forms" not in sys.modules
    from onellm import ChatCompletion, configure, short_forms
    print("aiohttp" in sys.modules, threading.active_count(), short_forms._shared)
    configure(api_key="k")
    configure(api_key="k")
    print("aiohttp" in sys.modules)
    """
    assert run_script(script) == ["False 1 {}", "False"]


PATIENT = """
import asyncio, math, os, sys
from onellm import ChatCompletion
from onellm._sync import portal

def patient_loop():
    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = math.inf  # in development mode asyncio reports on slow machines
    return loop

portal.loop_factory = patient_loop
ask = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}

async def hello():
    asyncio.get_running_loop().slow_callback_duration = math.inf
    return (await ChatCompletion.acreate(**ask)).choices[0].message.content
"""


def test_exit_is_silent(provider: Provider) -> None:
    """The shared client is never closed by anyone, and nothing is reported of it."""
    script = PATIENT + "print(ChatCompletion.create(**ask).choices[0].message.content, asyncio.run(hello()))"
    assert run_script(script, provider) == ["You said: Hello You said: Hello"]
    provider.gone()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_fork(provider: Provider) -> None:
    """Parent and child use the same client, each over connections of its own."""
    script = (
        PATIENT
        + """
def both(who):
    print(who, ChatCompletion.create(**ask).choices[0].message.content, asyncio.run(hello()), flush=True)

both("parent")
if sys.version_info >= (3, 12):
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of any fork where there are threads
if (pid := os.fork()) == 0:
    both("child")
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
both("parent")
"""
    )
    said = "You said: Hello You said: Hello"
    assert run_script(script, provider) == [f"parent {said}", f"child {said}", f"parent {said}"]
    # In both processes, the blocking calls over a connection that is kept, the others over one for each loop.
    assert [request.connection for request in provider.loopback.requests] == [1, 2, 3, 4, 1, 5]
