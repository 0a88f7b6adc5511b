"""Proxies and TLS, between loopback sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from loopback import Answer, Loopback, soon, streamed
from process import python
from scripts import (
    CLIENT_LOST_BETWEEN_RUNS,
    FORK_BETWEEN_RUNS,
    FOUR_RUNS,
    LOOP_CLOSED_UNDER_A_STREAM,
    LOOPS_CLOSED_AT_ONCE,
    PRELUDE,
)
from wire.openai import ASK, CHAT, PIECES, STREAM

from onellm import APIConnectionError, AsyncOneLLM, ConfigurationError, HttpOptions

trustme = pytest.importorskip("trustme", reason="makes the certificates; it is in the test extra")

NOWHERE = "http://llm.internal/v1"  # a private name that resolves nowhere: only a proxy can answer for it


# --- proxies ---


@pytest.mark.parametrize("how", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "option", "provider"])
async def test_proxy_takes_the_request(loopback: Loopback, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """From the environment or from the settings; the request has the whole URL in its first line."""
    loopback.plays(Answer(chunks=[CHAT]), streamed(*STREAM))
    if how.lower().endswith("_proxy"):
        monkeypatch.setenv(how, loopback.url)
    options = HttpOptions(proxy=loopback.url) if how == "option" else None
    providers = {"openai": {"proxy": loopback.url}} if how == "provider" else None
    async with AsyncOneLLM(api_key="k", base_url=NOWHERE, http=options, providers=providers) as client:
        await client.chat.completions.create(**ASK)
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            assert [piece async for piece in stream.text()] == PIECES
    assert [request.target for request in loopback.requests] == [f"{NOWHERE}/chat/completions"] * 2
    assert [request.headers["host"] for request in loopback.requests] == ["llm.internal"] * 2
    assert loopback.connections == 1


@pytest.mark.parametrize("excepted", ["127.0.0.1", "*", "localhost,127.0.0.1", None])
async def test_hosts_without_a_proxy(loopback: Loopback, monkeypatch: pytest.MonkeyPatch, excepted: str | None) -> None:
    """NO_PROXY, or `proxy=""`, and the request goes to its host."""
    loopback.plays(Answer(chunks=[CHAT]))
    async with Loopback() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        if excepted is not None:
            monkeypatch.setenv("NO_PROXY", excepted)
        options = HttpOptions(proxy="") if excepted is None else None
        async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", http=options) as client:
            await client.chat.completions.create(**ASK)
        assert proxy.connections == 0
    assert [request.target for request in loopback.requests] == ["/v1/chat/completions"]


async def test_password_of_a_proxy_is_sent_to_it_and_not_shown(loopback: Loopback) -> None:
    """It is in the proxy's URL; errors name the proxy without it."""
    loopback.plays(Answer(chunks=[CHAT]))
    proxy = loopback.url.replace("://", "://me:pass-word@")
    async with AsyncOneLLM(api_key="k", base_url=NOWHERE, http=HttpOptions(proxy=proxy), max_retries=0) as client:
        await client.chat.completions.create(**ASK)
        await loopback.__aexit__()
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(**ASK)
    assert loopback.requests[0].headers["proxy-authorization"] == "Basic bWU6cGFzcy13b3Jk"
    assert loopback.requests[0].target == f"{NOWHERE}/chat/completions"
    shown = [str(caught.value), repr(caught.value), str(caught.value.__cause__), repr(caught.value.__cause__)]
    assert not [text for text in shown if "pass-word" in text]
    await loopback.__aenter__()


async def test_proxy_in_the_environment_needs_no_scheme(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """As curl takes it."""
    loopback.plays(Answer(chunks=[CHAT]))
    monkeypatch.setenv("HTTP_PROXY", loopback.url.removeprefix("http://"))
    async with AsyncOneLLM(api_key="k", base_url=NOWHERE) as client:
        await client.chat.completions.create(**ASK)
    assert loopback.requests[0].target == f"{NOWHERE}/chat/completions"


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128", "http://", "http://[::1"])
async def test_proxy_that_cannot_be_is_refused(proxy: str) -> None:
    """Said as a setting that is wrong, not as a host that does not answer; the password in it is not shown."""
    options = HttpOptions(proxy=proxy.replace("://", "://me:pass-word@"))
    async with AsyncOneLLM(api_key="k", base_url=NOWHERE, http=options) as client:
        with pytest.raises(ConfigurationError, match="proxy") as caught:
            await soon(client.chat.completions.create(**ASK))
    assert "pass-word" not in str(caught.value)
    assert caught.value.__cause__ is None


# --- TLS ---


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A file with the certificate of an authority that only this test knows."""
    return tmp_path / "authority.pem"


@pytest.fixture
async def secure(authority: Path) -> AsyncIterator[Loopback]:
    """A loopback that speaks TLS, with a certificate of that authority."""
    made = trustme.CA()
    made.cert_pem.write_to_path(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert("127.0.0.1", "llm.internal").configure_cert(context)
    async with Loopback(ssl=context) as server:
        yield server


def options(authority: Path, **more: str) -> HttpOptions:
    return HttpOptions(ssl=ssl.create_default_context(cafile=str(authority)), **more)  # type: ignore[arg-type]


async def test_own_authority_is_trusted(secure: Loopback, authority: Path) -> None:
    """Whole answers and streams; the connection is used again, and closed when left."""
    secure.plays(Answer(chunks=[CHAT]), streamed(*STREAM), streamed(*STREAM, pause={1: asyncio.Event().wait}))
    async with AsyncOneLLM(api_key="k", base_url=secure.url, http=options(authority)) as client:
        assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            assert [piece async for piece in stream.text()] == PIECES
        assert secure.connections == 1
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            await anext(stream)
        await soon(secure.requests[2].gone.wait())
    await soon(secure.wait_until_alone())


async def test_unknown_authority_is_an_error(secure: Loopback) -> None:
    """Before anything is sent, and tried again no more often than the policy says."""
    async with AsyncOneLLM(api_key="k", base_url=secure.url, max_retries=0) as client:
        with pytest.raises(APIConnectionError, match="certificate"):
            await client.chat.completions.create(**ASK)
    assert secure.requests == []


async def test_checks_can_be_switched_off(secure: Loopback) -> None:
    """`ssl=False`, in so many words; anything else that is no context is refused."""
    secure.plays(Answer(chunks=[CHAT]))
    async with AsyncOneLLM(api_key="k", base_url=secure.url, http=HttpOptions(ssl=False)) as client:
        await client.chat.completions.create(**ASK)
    assert len(secure.requests) == 1
    async with AsyncOneLLM(api_key="k", base_url=secure.url, http=HttpOptions(ssl="authority.pem")) as client:
        with pytest.raises(ConfigurationError, match="SSLContext or False, not str"):
            await client.chat.completions.create(**ASK)


@pytest.mark.parametrize(
    ("script", "connections"),
    [
        (FOUR_RUNS, [1, 2, 3, 4]),
        (LOOPS_CLOSED_AT_ONCE, [1, 2, 3]),
        (CLIENT_LOST_BETWEEN_RUNS, [1, 2, 3]),
        (FORK_BETWEEN_RUNS, [1, 2, 1]),
    ],
    ids=["four runs", "loops closed at once", "client lost between runs", "fork between runs"],
)
async def test_tls_in_successive_loops(secure: Loopback, authority: Path, script: str, connections: list[int]) -> None:
    """As without TLS: a request a call, nothing on stderr."""
    secure.plays(Answer(chunks=[CHAT]))
    assert await python(PRELUDE + script, secure.url, str(authority)) == ""
    assert [request.connection for request in secure.requests] == connections
    await soon(secure.wait_until_alone())


async def test_tls_loop_closed_under_a_stream(secure: Loopback, authority: Path) -> None:
    """As without TLS."""
    secure.plays(streamed(*STREAM, pause={1: asyncio.Event().wait}))
    assert await python(PRELUDE + LOOP_CLOSED_UNDER_A_STREAM, secure.url, str(authority)) == ""
    assert len(secure.requests) == 3
    await soon(secure.wait_until_alone())


async def test_tls_through_a_proxy(secure: Loopback, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY makes a tunnel; the proxy sees the host's name, and not the key."""
    secure.plays(Answer(chunks=[CHAT]))
    port = int(secure.url.rpartition(":")[2])
    seen: list[bytes] = []
    pipes: set[asyncio.Task[None]] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await reader.read(1 << 16):
            seen.append(received)
            writer.write(received)
        writer.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        behind = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        pipes.update([asyncio.create_task(pipe(reader, behind[1])), asyncio.create_task(pipe(behind[0], writer))])

    async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        async with AsyncOneLLM(
            api_key="sk-very-secret", base_url="https://llm.internal:8443/v1", http=options(authority)
        ) as client:
            assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]
        await soon(asyncio.gather(*pipes))
    assert secure.requests[0].target == "/v1/chat/completions"
    assert secure.requests[0].headers["authorization"] == "Bearer sk-very-secret"
    assert seen[0].startswith(b"CONNECT llm.internal:8443 HTTP/1.1\r\n")
    assert b"sk-very-secret" not in b"".join(seen)


async def test_tunnel_that_is_refused_is_an_error(loopback: Loopback) -> None:
    """The proxy's own refusal is not the provider's."""
    loopback.plays(Answer(status=403, length=0))
    async with AsyncOneLLM(
        api_key="k", base_url="https://llm.internal/v1", http=HttpOptions(proxy=loopback.url), max_retries=0
    ) as client:
        with pytest.raises(APIConnectionError, match=r"https://llm\.internal/v1/chat/completions"):
            await client.chat.completions.create(**ASK)
    assert [(request.method, request.target) for request in loopback.requests] == [("CONNECT", "llm.internal:443")]
    assert "authorization" not in loopback.requests[0].headers
