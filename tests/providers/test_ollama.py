"""Ollama's row over a real socket: addresses, models that are not there, pulls; what the suites do not say."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import unset_all
from loopback import Answer, Loopback, Recorded
from wire import ollama as wire

from onellm import AsyncOneLLM, OllamaOptions, OneLLM, Timeouts
from onellm.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    StreamInterruptedError,
    UnsupportedFeatureError,
)
from onellm.providers.ollama import PROVIDER, read_host

if TYPE_CHECKING:
    from onellm.types.models import PullProgress

ASK: dict[str, Any] = {"model": "ollama/m", "messages": [{"role": "user", "content": "Hello"}]}
MISSING = Answer(status=404, chunks=[{"error": "model 'm' not found"}])
HOW = r"model 'm' not found; `onellm pull ollama/m` or `ollama pull m` fetches it"
PULLED = Answer(chunks=wire.PULL_STREAM, content_type=wire.STREAM_TYPE)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unset_all(monkeypatch, tmp_path)


def connect(server: Loopback, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={"ollama": {"base_url": server.url, **settings}}, max_retries=0)


def calls(client: AsyncOneLLM) -> list[Any]:
    return [
        client.chat.completions.create(**ASK),
        client.chat.completions.create(**ASK, stream=True),
        client.completions.create(model="ollama/m", prompt="x"),
        client.embeddings.create(model="ollama/m", input="x"),
        client.models.retrieve("ollama/m"),
    ]


# --- where it is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  'gpu-1' ", "http://gpu-1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - a server's, which is read here
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        (":8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("::", "http://[::1]:11434"),
        ("[fd00::1]", "http://[fd00::1]:11434"),
        ("fd00::1", "http://[fd00::1]:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        ("http://1.2.3.4", "http://1.2.3.4"),
        ("HTTPS://example.com/ollama/", "https://example.com/ollama"),
        ("example.com:443/x/", "http://example.com:443/x"),
        ("1.2.3.4:99999", "http://1.2.3.4:11434"),
        ("1.2.3.4:x", "http://1.2.3.4:11434"),
        ("ollama.com", "https://ollama.com"),
        ("https://ollama.com", "https://ollama.com"),
        ("ftp://example.com", "ftp://example.com"),
        ("user@example.com", "user@example.com"),
    ],
)
def test_hosts_are_read_as_ollama_reads_them(given: str, url: str) -> None:
    assert read_host(given) == url


async def test_the_variable_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a scheme; no key is needed, and none is sent."""
    async with Loopback() as server:
        server.plays(Answer(chunks=[wire.ANSWER]))
        monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://"))
        async with AsyncOneLLM() as client:
            reply = await client.chat.completions.create(**ASK, ollama=OllamaOptions(keep_alive="5m"))
    (request,) = server.requests
    assert reply.choices[0].message.content == wire.TEXT
    assert (request.path, "authorization" in request.headers) == ("/api/chat", False)
    assert request.json["keep_alive"] == "5m"


async def test_addresses_that_cannot_be_asked() -> None:
    for url in ("ftp://example.com", "user@example.com", "example.com"):
        async with AsyncOneLLM(providers={"ollama": {"base_url": url}}) as client:
            with pytest.raises(ConfigurationError):
                await client.models.list("ollama")


async def test_a_server_that_does_not_run() -> None:
    """It says how to start one, whatever is called."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with AsyncOneLLM(providers={"ollama": {"base_url": url}}, max_retries=0) as client:
            for call in [*calls(client), client.models.list("ollama"), client.models.pull("ollama/m")]:
                with pytest.raises(APIConnectionError, match=f"nothing listens at {url}.*`ollama serve`.*OLLAMA_HOST"):
                    await call


async def test_a_connection_that_breaks_is_not_one_that_was_refused() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(cut="reset", head=False))
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(**ASK)
    assert "ollama serve" not in str(caught.value)


# --- models that are not there --------------------------------------------------------------------------------------


async def test_a_model_that_is_not_there_says_how_to_get_it() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(MISSING)
        for call in calls(client):
            with pytest.raises(NotFoundError, match=HOW) as caught:
                await call
            assert (caught.value.provider, caught.value.model, caught.value.status_code) == ("ollama", "m", 404)
        with pytest.raises(NotFoundError) as caught:
            await client.models.delete("ollama/m")
        assert "pull" not in caught.value.message


async def test_the_cloud_has_nothing_to_pull() -> None:
    error = NotFoundError("no such model", model="m")
    call: Any = type("Call", (), {"settings": type("Settings", (), {"base_url": "https://ollama.com"})})
    with pytest.raises(NotFoundError, match=r"^m: no such model$"):
        PROVIDER._explain(error, call)  # pyright: ignore[reportPrivateUsage] - the cloud is not at hand


@pytest.mark.parametrize(
    "body", [{"error": "unauthorized"}, "unauthorized", {"error": "unauthorized", "signin_url": 5}]
)
async def test_a_refused_key_is_just_that(body: Any) -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(status=401, chunks=[body]))
        with pytest.raises(AuthenticationError, match="unauthorized") as caught:
            await client.chat.completions.create(**ASK)
    assert "signin`" not in caught.value.message


async def test_a_cloud_model_of_a_server_that_is_not_signed_in() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(status=401, chunks=[{"error": "unauthorized", "signin_url": "https://ollama.com/connect"}]))
        with pytest.raises(AuthenticationError, match=r"unauthorized; .*`ollama signin`.* https://ollama.com/connect"):
            await client.chat.completions.create(**ASK)


async def test_auto_pull_fetches_it_and_goes_on() -> None:
    def host(request: Recorded) -> Answer:
        if request.path == "/api/pull":
            return PULLED
        if not any(earlier.path == "/api/pull" for earlier in server.requests):
            return MISSING
        if request.path == "/api/embed":
            return Answer(chunks=[wire.embeddings([[1.0]])])
        if request.json["stream"]:
            return Answer(chunks=wire.STREAM, content_type=wire.STREAM_TYPE)
        return Answer(chunks=[wire.ANSWER])

    for ask in ("whole", "stream", "embed"):
        async with Loopback() as server, connect(server, options={"auto_pull": True}) as client:
            server.chooses(host)
            if ask == "embed":
                await client.embeddings.create(model="ollama/m", input="x")
            elif ask == "stream":
                async with await client.chat.completions.create(**ASK, stream=True) as stream:
                    assert (await stream.get_final_completion()).choices[0].message.content == wire.TEXT
            else:
                assert (await client.chat.completions.create(**ASK)).choices[0].message.content == wire.TEXT
            first, pull, second = server.requests
        assert (pull.json, first.body) == ({"model": "m", "stream": True}, second.body)


async def test_auto_pull_of_what_there_is_not() -> None:
    """The pull's own error, and no second try."""
    async with Loopback() as server, connect(server, options={"auto_pull": True}) as client:
        failed = [wire.PULL_STREAM[0], b'{"error":"pull model manifest: file does not exist"}\n']
        server.plays(MISSING, Answer(chunks=failed, content_type=wire.STREAM_TYPE))
        with pytest.raises(InternalServerError, match="file does not exist"):
            await client.chat.completions.create(**ASK)
        assert [request.path for request in server.requests] == ["/api/chat", "/api/pull"]


async def test_auto_pull_is_true_or_false() -> None:
    async with AsyncOneLLM(providers={"ollama": {"options": {"auto_pull": "yes"}}}) as client:
        with pytest.raises(ConfigurationError, match="auto_pull is true or false, not 'yes'"):
            await client.chat.completions.create(**ASK)


# --- models that come and go ----------------------------------------------------------------------------------------


async def test_a_pull_and_its_progress() -> None:
    found: list[PullProgress] = []
    async with Loopback() as server, connect(server) as client:
        server.plays(PULLED)
        async with await client.models.pull("ollama/library/m:1b", stream=True) as pull:
            found += [progress async for progress in pull]
            final = await pull.get_final()
        whole = await client.models.pull("ollama/m", extra_body={"insecure": True})
        first, second = server.requests
    assert [each.to_dict() for each in found] == wire.PULL
    assert (final.status, whole.status, whole.provider) == ("success", "success", "ollama")
    assert (first.method, first.path, first.json) == (
        "POST",
        "/api/pull",
        {"model": "library/m:1b", "stream": True},
    )
    assert second.json == {"model": "m", "stream": True, "insecure": True}


async def test_a_pull_that_breaks_off() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(chunks=wire.PULL_STREAM[:3], content_type=wire.STREAM_TYPE))
        with pytest.raises(StreamInterruptedError):
            await client.models.pull("ollama/m")


async def test_a_pull_takes_as_long_as_it_takes() -> None:
    """The client's limit for a whole call is for answers; a call's own limit holds."""
    answer = Answer(chunks=wire.PULL_STREAM[:2], content_type=wire.STREAM_TYPE, cut="stall")
    async with Loopback() as server:
        server.plays(answer)
        providers = {"ollama": {"base_url": server.url}}
        async with AsyncOneLLM(providers=providers, timeout=Timeouts(idle=0.2, total=0.05), max_retries=0) as client:
            with pytest.raises(APITimeoutError, match="idle"):
                await client.models.pull("ollama/m")
            with pytest.raises(APITimeoutError, match="total"):
                await client.models.pull("ollama/m", timeout=Timeouts(idle=5, total=0.05))


async def test_leaving_a_pull_ends_its_request() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(chunks=wire.PULL_STREAM[:2], content_type=wire.STREAM_TYPE, cut="stall"))
        async with await client.models.pull("ollama/m", stream=True) as pull:
            await anext(pull)
        await server.requests[0].gone.wait()


async def test_a_delete() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(chunks=[b""]))
        gone = await client.models.delete("ollama/m")
        (request,) = server.requests
    assert (gone.id, gone.deleted, gone.provider) == ("m", True, "ollama")
    assert (request.method, request.path, request.json) == ("DELETE", "/api/delete", {"model": "m"})


async def test_what_it_can_stands_in_what_is_shown() -> None:
    async with Loopback() as server, connect(server) as client:
        server.plays(Answer(chunks=[wire.model()]))
        shown = await client.models.retrieve("ollama/llama3.2")
        assert server.requests[0].json == {"model": "llama3.2"}
    assert (shown.id, shown.model_extra["capabilities"]) == ("llama3.2", ["completion", "tools"])


async def test_others_have_nothing_to_fetch() -> None:
    async with AsyncOneLLM(providers={"openai": {"api_key": "k"}}) as client:
        for call in (client.models.pull("openai/m"), client.models.delete("openai/m")):
            with pytest.raises(UnsupportedFeatureError, match=r"openai does not serve model_store; .*ollama.* does"):
                await call


async def test_without_an_event_loop() -> None:
    """The blocking twin, in a thread of its own here: the server needs this one's loop."""
    import asyncio  # noqa: PLC0415 - only to leave the loop

    def use(url: str) -> tuple[list[str], str, bool]:
        with OneLLM(providers={"ollama": {"base_url": url}}) as client:
            with client.models.pull("ollama/m", stream=True) as pull:
                seen = [progress.status for progress in pull]
            return seen, client.models.pull("ollama/m").status, client.models.delete("ollama/m").deleted

    async with Loopback() as server:
        server.plays(PULLED, PULLED, Answer(chunks=[b""]))
        seen, status, deleted = await asyncio.to_thread(use, server.url)
    assert seen == [progress["status"] for progress in wire.PULL]
    assert (status, deleted) == ("success", True)


def test_its_module_loads_no_other_provider_s() -> None:
    code = (
        "import sys, onellm; onellm.get_provider('ollama');"
        "print([m for m in sys.modules if m.startswith('onellm.providers.') or m in ('aiohttp', 'ollama')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    loaded = ran.stdout
    assert "onellm.providers.ollama" in loaded
    for other in ("compatible", "cohere", "anthropic", "google", "bedrock", "'aiohttp'", "'ollama'"):
        assert other not in loaded
