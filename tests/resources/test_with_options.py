"""`client.with_options(...)`: each call as if the options stood in it, over the same connections and all else."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forms import parts
from hosts import Hosts
from loopback import Answer, Loopback, Recorded, soon, streamed
from openai_host import openai_host
from realtime_server import Peer, RealtimeServer, ready
from threaded import Provider
from wire.openai import ASK, CHAT, INVALID_KEY, STREAM

from onellm import (
    APITimeoutError,
    AsyncOneLLM,
    CheckpointError,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    Hedge,
    InternalServerError,
    InvalidRequestError,
    Limits,
    MemoryCache,
    OneLLM,
    StreamInterruptedError,
    Timeouts,
    UnknownProviderError,
    UnsupportedParameterError,
    UsageError,
)
from onellm.providers.compatible import compatible

OK = Answer(chunks=[CHAT])
DOWN = Answer(status=500, chunks=[{"error": {"message": "down"}}])
NEVER = Answer(head=False, cut="stall")
SURE: dict[str, Any] = {**ASK, "temperature": 0}
HI = [{"role": "user", "content": "Hi"}]
WAV = ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n")
LINE: Any = {"custom_id": "a", "body": {"model": "m", "messages": HI}}

# --- every operation: what is sent is what the same options in the call send ---

EVERYWHERE: dict[str, Any] = {
    "extra_headers": {"X-Team": "search", "User-Agent": None},
    "extra_query": {"trace": True},
    "timeout": 30,
    "max_retries": 0,
    "deadline": 60,
    "on_unsupported": "drop",
    "priority": 3,
}
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat.completions.create", ASK),
    "chat, streamed": ("chat.completions.create", {**ASK, "stream": True}),
    "completions": ("completions.create", {"model": "m", "prompt": "a"}),
    "embeddings": ("embeddings.create", {"model": "m", "input": "a"}),
    "transcriptions": ("audio.transcriptions.create", {"model": "m", "file": WAV}),
    "translations": ("audio.translations.create", {"model": "m", "file": WAV}),
    "speech": ("audio.speech.create", {"model": "m", "input": "a", "voice": "alloy"}),
    "images": ("images.generate", {"model": "m", "prompt": "a"}),
    "image edits": ("images.edit", {"model": "m", "prompt": "a", "image": PNG}),
    "moderations": ("moderations.create", {"input": "a"}),
    "rerank": ("rerank.create", {"model": "together/m", "query": "a", "documents": ["b"]}),
    "ocr": ("ocr.create", {"model": "mistral/m", "document": "https://example.com/a.pdf"}),
    "responses": ("responses.create", {"model": "m", "input": "a"}),
    "a stored response": ("responses.retrieve", {"response_id": "resp_1"}),
    "models": ("models.list", {}),
    "model": ("models.retrieve", {"model": "small"}),
    "files": ("files.list", {}),
    "file": ("files.retrieve", {"file_id": "file-1"}),
    "new file": ("files.create", {"file": WAV, "purpose": "batch"}),
    "content": ("files.content", {"file_id": "file-1"}),
    "batch": ("batches.create", {"input_file_id": "file-1"}),
    "batch of requests": ("batches.create", {"requests": [LINE]}),
    "a batch": ("batches.retrieve", {"batch_id": "batch_1"}),
}


@pytest.fixture
async def host(loopback: Loopback) -> Loopback:
    loopback.chooses(openai_host)
    return loopback


def client_of(loopback: Loopback, **settings: Any) -> AsyncOneLLM:
    here: dict[str, Any] = {"api_key": "k", "base_url": f"{loopback.url}/v1"}
    return AsyncOneLLM(**here, providers={"together": here, "mistral": here}, **settings)


async def call(client: AsyncOneLLM, operation: str, **arguments: Any) -> Any:
    method: Any = client
    for name in operation.split("."):
        method = getattr(method, name)
    answer = method(**arguments)
    reply = await answer
    if hasattr(reply, "aclose"):
        await reply.aclose()
    return reply


def sent(request: Recorded) -> tuple[Any, ...]:
    """A request, but for the boundaries of a form, which are drawn by lot, and the connection."""
    headers = {name: value for name, value in request.headers.items() if name != "content-type"}
    kind = request.headers.get("content-type", "").partition(";")[0]
    body: Any = parts(request) if kind == "multipart/form-data" else request.body
    return request.method, request.target, headers, kind, body


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_every_operation_takes_them(kind: str, host: Loopback) -> None:
    """What goes out is what goes out where they stand in the call."""
    operation, arguments = OPERATIONS[kind]
    async with client_of(host) as client:
        await call(client, operation, **arguments, **EVERYWHERE)
        in_the_call = [sent(request) for request in host.requests]
        host.requests.clear()
        await call(client.with_options(**EVERYWHERE), operation, **arguments)
        assert [sent(request) for request in host.requests][-1] == in_the_call[-1]
        headers = [request.headers for request in host.requests]
        assert all(each["x-team"] == "search" and "onellm" not in each.get("user-agent", "") for each in headers)
        assert host.requests[-1].query["trace"] == "true"
        host.requests.clear()
        await call(client, operation, **arguments)
    assert "x-team" not in host.requests[-1].headers
    assert "trace" not in host.requests[-1].query


BODIES = ("chat", "completions", "embeddings", "speech", "images", "moderations", "rerank", "ocr", "responses", "batch")


@pytest.mark.parametrize("kind", BODIES)
async def test_extra_body_is_in_every_body(kind: str, host: Loopback) -> None:
    operation, arguments = OPERATIONS[kind]
    async with client_of(host).with_options(extra_body={"tenant": 7, "tier": {"a": 1}}) as client:
        await call(client, operation, **arguments)
        assert host.requests[-1].json["tenant"] == 7
        await call(client, operation, **arguments, extra_body={"tier": 2})
    assert (host.requests[-1].json["tenant"], host.requests[-1].json["tier"]) == (7, 2)


async def test_realtime_takes_them(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Those that are of a connection: headers, the query, what is not supported."""

    async def script(peer: Peer) -> None:
        await ready(peer)

    realtime.plays(script)
    client = caller.with_options(extra_headers={"X-Team": "voice"}, extra_query={"trace": "1"}, deadline=60)
    async with client.realtime.connect(model="openai/gpt-realtime", output_modalities=["text"]) as session:
        await soon(anext(aiter(session)))
    assert realtime.peer.headers["x-team"] == "voice"
    assert realtime.peer.query == {"model": "gpt-realtime", "trace": "1"}


async def test_an_option_that_a_call_does_not_take_does_not_concern_it(host: Loopback) -> None:
    """A file has no other model that could be asked, and nothing to keep."""
    async with client_of(host, answer_cache=MemoryCache()) as client:
        other = client.with_options(
            fallback_models=["together/m"], hedge=Hedge(after=5), answer_cache="refresh", on_interrupt="restart"
        )
        assert (await other.files.retrieve("file-1")).id == "file-1"
        assert [file.id async for file in other.files.list()] == ["file-1"]
    assert len(host.requests) == 2


# --- what goes before what ---


async def test_the_call_goes_before_the_copy_and_that_before_the_client(loopback: Loopback) -> None:
    """For what has one value: how often it is tried."""
    loopback.plays(DOWN)
    async with client_of(loopback, max_retries=3) as client:
        cases: list[tuple[dict[str, Any], dict[str, Any], int]] = [
            ({}, {}, 4),
            ({"max_retries": 1}, {}, 2),
            ({"max_retries": 1}, {"max_retries": 0}, 1),
        ]
        for own, more, requests in cases:
            loopback.requests.clear()
            with pytest.raises(InternalServerError):
                await client.with_options(**own).chat.completions.create(**ASK, **more)
            assert len(loopback.requests) == requests


async def test_headers_queries_and_bodies_are_joined(loopback: Loopback) -> None:
    """The call's win by their names; those of headers are the same in any case."""
    loopback.plays(OK)
    async with client_of(loopback, default_headers={"X-Client": "1", "X-One": "client"}) as client:
        first = client.with_options(
            extra_headers={"X-One": "first", "X-Two": "first"},
            extra_query={"a": 1, "b": 1},
            extra_body={"a": 1, "b": 1},
        )
        second = first.with_options(
            extra_headers={"x-TWO": "second"}, extra_query={"b": 2}, extra_body={"b": 2, "c": 2}
        )
        own: dict[str, Any] = {
            "extra_headers": {"X-TWO": "call", "x-client": None},
            "extra_query": {"c": 3},
            "extra_body": {"c": 3},
        }
        await second.chat.completions.create(**ASK, **own)
        await second.chat.completions.create(**ASK)
        await first.chat.completions.create(**ASK)
        await client.chat.completions.create(**ASK)
    names = ("x-client", "x-one", "x-two")
    assert [tuple(each.headers.get(name) for name in names) for each in loopback.requests] == [
        (None, "first", "call"),
        ("1", "first", "second"),
        ("1", "first", "first"),
        ("1", "client", None),
    ]
    assert [each.query for each in loopback.requests] == [
        {"a": "1", "b": "2", "c": "3"},
        {"a": "1", "b": "2"},
        {"a": "1", "b": "1"},
        {},
    ]
    assert [{name: each.json.get(name) for name in "abc"} for each in loopback.requests] == [
        {"a": 1, "b": 2, "c": 3},
        {"a": 1, "b": 2, "c": 2},
        {"a": 1, "b": 1, "c": None},
        {"a": None, "b": None, "c": None},
    ]


async def test_none_is_the_same_as_leaving_out(loopback: Loopback) -> None:
    loopback.plays(OK)
    nothing: dict[str, Any] = dict.fromkeys(EVERYWHERE)
    async with client_of(loopback) as client:
        copy = client.with_options(extra_headers={"X-One": "1"}).with_options(**nothing)
        await copy.chat.completions.create(**ASK, **nothing)
    assert loopback.requests[0].headers["x-one"] == "1"


async def test_time_limits_are_the_copys(loopback: Loopback) -> None:
    """Seconds are of the whole, beside the other limits that there are; `Timeouts` are all of them."""
    loopback.plays(NEVER)
    async with client_of(loopback, max_retries=0, timeout=Timeouts(first_byte=30)) as client:
        with pytest.raises(APITimeoutError) as caught:
            await client.with_options(timeout=0.05).chat.completions.create(**ASK)
        assert caught.value.phase == "total"
        impatient = client.with_options(timeout=Timeouts(first_byte=0.05))
        calls: list[dict[str, Any]] = [{}, {"timeout": 20}]
        for more in calls:
            with pytest.raises(APITimeoutError) as caught:
                await impatient.chat.completions.create(**ASK, **more)
            assert caught.value.phase == "first_byte"


async def test_what_is_unsupported_is_the_copys_to_say(loopback: Loopback) -> None:
    loopback.plays(OK)
    here = {"groq": {"api_key": "k", "base_url": f"{loopback.url}/v1"}}
    ask: dict[str, Any] = {**ASK, "model": "groq/m", "logit_bias": {"1": 1}}
    async with AsyncOneLLM(providers=here) as client:
        with pytest.raises(UnsupportedParameterError):
            await client.chat.completions.create(**ask)
        lenient = client.with_options(on_unsupported="drop")
        assert (await lenient.chat.completions.create(**ask)).adjustments
        with pytest.raises(UnsupportedParameterError):
            await lenient.chat.completions.create(**ask, on_unsupported="raise")
    assert len(loopback.requests) == 1


# --- what stands around a call ---


@pytest.fixture
async def hosts(loopback: Loopback) -> Hosts:
    return Hosts(loopback)


async def test_fallbacks_are_the_copys(hosts: Hosts) -> None:
    """Those of the call go before; the client has none."""
    hosts.play(a=DOWN, b=OK, c=OK)
    ask: dict[str, Any] = {**ASK, "model": "a/one"}
    async with AsyncOneLLM(providers=hosts.providers, max_retries=0) as client:
        safe = client.with_options(fallback_models=["b/two"], extra_headers={"X-Mine": "1"})
        reply = await safe.chat.completions.create(**ask)
        assert (reply.provider, len(reply.fallbacks)) == ("b", 1)
        assert any("extra_headers" in note for note in reply.adjustments)
        assert (await safe.chat.completions.create(**ask, fallback_models=["c/three"])).provider == "c"
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(**ask)
    assert hosts.asked == "abaca"
    assert ["x-mine" in request.headers for request in hosts.requests] == [True, False, True, False, False]


async def test_the_copy_that_came_first_leaves_nothing_to_the_client(hosts: Hosts) -> None:
    """What both share is made by whoever asks first, and has nobody's defaults in it."""
    hosts.play(a=DOWN, b=OK)
    ask: dict[str, Any] = {**ASK, "model": "a/one"}
    async with AsyncOneLLM(providers=hosts.providers, max_retries=0) as client:
        copy = client.with_options(fallback_models=["b/two"], extra_headers={"X-Mine": "1"}, max_retries=1)
        await copy.chat.completions.create(**ask)
        hosts.requests.clear()
        reply = await client.chat.completions.create(**ask, fallback_models=["b/two"])
        assert reply.provider == "b"
    assert hosts.asked == "ab"
    assert all("x-mine" not in request.headers for request in hosts.requests)


async def test_a_deadline_is_the_copys(loopback: Loopback) -> None:
    loopback.plays(NEVER)
    async with client_of(loopback, deadline=30) as client:
        quick = client.with_options(deadline=0.05)
        for ask in (quick.chat.completions.create, quick.chat.completions.parse):
            more: dict[str, Any] = {"response_format": dict} if ask.__name__ == "parse" else {}
            with pytest.raises(DeadlineExceededError):
                await soon(ask(**ASK, **more))
        with pytest.raises(DeadlineExceededError):
            await soon(client.with_options(deadline=30).chat.completions.create(**ASK, deadline=0.05))


async def test_hedges_are_the_copys(hosts: Hosts) -> None:
    hosts.play(a=NEVER, b=OK)
    async with AsyncOneLLM(providers=hosts.providers) as client:
        hedged = client.with_options(hedge=Hedge(after=0.02, to=["b/two"]))
        assert (await soon(hedged.chat.completions.create(**{**ASK, "model": "a/one"}))).provider == "b"
    assert hosts.asked == "ab"


async def test_restarts_are_the_copys(loopback: Loopback) -> None:
    """Not those of a value that is made of chunks, as where the client says so."""
    broken = streamed(*STREAM[:3], done=False, cut="close")
    loopback.plays(broken, streamed(*STREAM), broken)
    async with client_of(loopback, max_retries=0) as client:
        again = client.with_options(on_interrupt="restart")
        stream: Any = await again.chat.completions.create(**ASK, stream=True)
        await stream.get_final_completion()
        assert stream.restarts == 1
        parsed: Any = await again.chat.completions.parse(**ASK, response_format=dict, stream=True)
        with pytest.raises(StreamInterruptedError):
            await parsed.get_final_completion()


async def test_the_cache_is_the_clients_and_how_it_is_used_the_copys(loopback: Loopback) -> None:
    loopback.plays(OK)
    async with client_of(loopback, answer_cache=MemoryCache()) as client:
        fresh, never = client.with_options(answer_cache="refresh"), client.with_options(answer_cache=False)
        await client.chat.completions.create(**ASK)
        assert (await client.with_options(timeout=60).chat.completions.create(**ASK)).cached is not None
        assert (await never.chat.completions.create(**ASK)).cached is None
        assert (await fresh.chat.completions.create(**ASK)).cached is None
        assert (await fresh.chat.completions.create(**ASK, answer_cache=True)).cached is not None
        brief = client.with_options(answer_cache_ttl=1e-9)
        assert (await brief.chat.completions.create(**ASK)).cached is None
    assert len(loopback.requests) == 4


async def test_equal_calls_of_copies_are_one(loopback: Loopback) -> None:
    """What is shared is shared among them."""
    may_come = asyncio.Event()
    loopback.plays(Answer(chunks=[CHAT], pause={0: may_come.wait}))
    async with client_of(loopback) as client:
        one, other = client.with_options(share=True), client.with_options(share=True, timeout=3600)
        tasks = [asyncio.create_task(each.chat.completions.create(**SURE)) for each in (one, other, one)]
        await soon(loopback.wait_for_requests(1))
        may_come.set()
        await soon(asyncio.gather(*tasks))
        assert len(loopback.requests) == 1
        await asyncio.gather(*(client.chat.completions.create(**SURE) for _ in range(2)))
    assert len(loopback.requests) == 3


# --- what is shared ---


async def test_connections_are_shared(loopback: Loopback) -> None:
    """Whoever opened them."""
    loopback.plays(OK)
    async with client_of(loopback) as client:
        copies = [client.with_options(timeout=limit) for limit in (10, 20, 30)]
        for each in (copies[0], client, *copies):
            await each.chat.completions.create(**ASK)
    assert {request.connection for request in loopback.requests} == {1}


async def test_a_provider_is_bound_once(loopback: Loopback) -> None:
    """Its settings are not looked up anew, and its options are worked out once a copy."""
    loopback.plays(OK)
    async with client_of(loopback) as client:
        copy = client.with_options(max_retries=0)
        await copy.chat.completions.create(**ASK)
        core, mine = client._core, copy._core
        bound = core.require("openai", "chat")
        assert mine.require("openai", "chat") is bound
        assert mine.options(bound, {}) is mine.options(bound, {})
        assert mine.options(bound, {}) is not core.options(bound, {})
        assert mine.options(bound, {}).call.settings is core.options(bound, {}).call.settings


async def test_a_key_that_is_set_aside_is_set_aside_for_all(loopback: Loopback) -> None:
    """Several keys are taken in turn by all of them together."""
    keys = ["sk-one-11111", "sk-two-22222"]

    def answer(request: Recorded) -> Answer:
        return OK if request.headers["authorization"].endswith(keys[1]) else Answer(status=401, chunks=[INVALID_KEY])

    loopback.chooses(answer)
    async with AsyncOneLLM(api_key=keys, base_url=f"{loopback.url}/v1", max_retries=0) as client:
        early = client.with_options(timeout=60)
        for each in (client, early, client.with_options(timeout=50), early):
            await each.chat.completions.create(**ASK)
    assert sum(request.headers["authorization"].endswith(keys[0]) for request in loopback.requests) == 1


async def test_limits_and_counts_are_shared(loopback: Loopback) -> None:
    go_on = asyncio.Event()
    loopback.plays(Answer(chunks=[CHAT], pause={0: go_on.wait}))
    async with client_of(loopback, limits=Limits(concurrency=1), stats=True) as client:
        copy = client.with_options(priority=5)
        tasks = [asyncio.create_task(each.chat.completions.create(**ASK)) for each in (client, client, copy)]
        await soon(loopback.wait_for_requests(1))
        assert (client.stats().in_flight, copy.stats().queued) == (3, 2)
        go_on.set()
        await soon(asyncio.gather(*tasks))
        assert copy.stats().calls == client.stats().calls == 3


async def test_those_of_a_higher_priority_go_first(loopback: Loopback) -> None:
    go_on = asyncio.Event()
    loopback.plays(Answer(chunks=[CHAT], pause={0: go_on.wait}))
    async with client_of(loopback, limits=Limits(concurrency=1)) as client:
        urgent = client.with_options(priority=5)
        asked = [(client, "first"), (client, "later"), (urgent, "urgent")]
        tasks: list[asyncio.Task[Any]] = []
        for place, (each, text) in enumerate(asked):
            message: Any = {"role": "user", "content": text}
            tasks.append(asyncio.create_task(each.chat.completions.create(model="m", messages=[message])))
            if place == 0:
                await soon(loopback.wait_for_requests(1))
        go_on.set()
        await soon(asyncio.gather(*tasks))
    assert [request.json["messages"][0]["content"] for request in loopback.requests] == ["first", "urgent", "later"]


@pytest.mark.parametrize("registers", ["client", "copy"])
async def test_a_provider_is_registered_for_all(registers: str, loopback: Loopback) -> None:
    """Also where another had its name, and has been used."""
    loopback.plays(OK)
    here = {name: {"base_url": f"{loopback.url}/old", "api_key": "k"} for name in ("mine",)}
    async with AsyncOneLLM(providers=here) as client:
        copy = client.with_options(extra_headers={"X-Copy": "1"})
        ask: dict[str, Any] = {**ASK, "model": "mine/m"}
        for each in (client, copy):
            await each.chat.completions.create(**ask)
        before = client._core.bind("mine")
        {"client": client, "copy": copy}[registers].register(compatible("mine"))
        for each in (client, copy):
            await each.chat.completions.create(**ask)
        after = client._core.bind("mine")
        assert after is copy._core.bind("mine") is not before
        for each in (client, copy):
            assert each._core.options(after, {}).call.settings is after.settings
    assert ["x-copy" in request.headers for request in loopback.requests] == [False, True, False, True]


# --- how it ends ---


async def test_closing_a_copy_leaves_the_client_open(loopback: Loopback) -> None:
    """Its connections, too; the copy takes no more calls, and says so."""
    loopback.plays(OK)
    async with client_of(loopback) as client:
        other = client.with_options(timeout=50)
        async with client.with_options(timeout=60) as copy:
            await copy.chat.completions.create(**ASK)
        calls: list[dict[str, Any]] = [{}, {"timeout": 5}]
        for more in calls:
            with pytest.raises(ClientClosedError, match="made of may be open"):
                await copy.chat.completions.create(**ASK, **more)
        for each in (client, other):
            await each.chat.completions.create(**ASK)
        await copy.aclose()
    assert {request.connection for request in loopback.requests} == {1}
    assert len(loopback.requests) == 3


async def test_closing_the_client_closes_its_copies(loopback: Loopback) -> None:
    loopback.plays(OK)
    client = client_of(loopback)
    copy = client.with_options(timeout=60)
    await copy.chat.completions.create(**ASK)
    await client.aclose()
    await soon(loopback.wait_until_alone())
    for each in (client, copy, copy.with_options(timeout=5)):
        with pytest.raises(ClientClosedError):
            await each.chat.completions.create(**ASK)


async def test_a_copy_keeps_what_it_needs(loopback: Loopback) -> None:
    """The client it was made of may be forgotten; with the last of them the connections close."""
    loopback.plays(OK)
    client = client_of(loopback)
    gone = weakref.ref(client)
    copy = client.with_options(extra_headers={"X-Copy": "1"})
    del client
    gc.collect()
    assert gone() is None
    await copy.chat.completions.create(**ASK)
    assert loopback.requests[0].headers["x-copy"] == "1"
    del copy
    gc.collect()
    await soon(loopback.wait_until_alone())


async def test_a_drained_client_is_drained_for_all(loopback: Loopback) -> None:
    loopback.plays(OK)
    async with client_of(loopback, stats=True) as client:
        copy = client.with_options(timeout=60)
        await copy.chat.completions.create(**ASK)
        await copy.drain()
        with pytest.raises(ClientClosedError):
            await client.chat.completions.create(**ASK)


# --- errors ---


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"timeuot": 5}, InvalidRequestError, "with_options has no argument 'timeuot'; did you mean timeout"),
        ({"default_headers": {}}, InvalidRequestError, "did you mean extra_headers"),
        ({"api_key": "k"}, InvalidRequestError, "given to a client when it is made"),
        ({"temperature": 0}, InvalidRequestError, "no argument 'temperature'"),
        ({"timeout": -1}, ConfigurationError, "timeout is -1"),
        ({"timeout": "long"}, InvalidRequestError, "timeout: Expected"),
        ({"max_retries": -1}, InvalidRequestError, "max_retries: give a whole number from 0"),
        ({"max_retries": 1.5}, InvalidRequestError, "max_retries: Expected"),
        ({"deadline": 0}, InvalidRequestError, "deadline: Expected"),
        ({"on_unsupported": "ignore"}, InvalidRequestError, "on_unsupported: Invalid"),
        ({"priority": "high"}, InvalidRequestError, "priority: Expected"),
        ({"extra_headers": {"X-A": "a\r\nX-B: b"}}, InvalidRequestError, "holds a line end"),
        ({"extra_headers": ["X-A"]}, InvalidRequestError, "extra_headers: Expected"),
        ({"extra_query": {"a": [1]}}, InvalidRequestError, "extra_query"),
        ({"fallback_models": ["nobody/m"]}, UnknownProviderError, "nobody"),
        ({"hedge": Hedge(after=1, to=["nobody/m"])}, UnknownProviderError, "nobody"),
        ({"fallback_on": ["rain"]}, InvalidRequestError, "fallback_on"),
        ({"answer_cache": "refresh"}, InvalidRequestError, "this client keeps no answers"),
        ({"answer_cache_ttl": 0}, InvalidRequestError, "answer_cache_ttl: Expected"),
    ],
    ids=str,
)
def test_what_is_wrong_is_known_at_once(options: dict[str, Any], error: type[UsageError], said: str) -> None:
    """In the words that a call has for it, and before there is a copy."""
    with pytest.raises(error) as caught:
        AsyncOneLLM(api_key="k").with_options(**options)
    assert said in str(caught.value)


async def test_what_is_done_to_the_arguments_later_is_no_matter(loopback: Loopback) -> None:
    loopback.plays(OK)
    headers, body = {"X-One": "1"}, {"a": 1}
    async with client_of(loopback) as client:
        copy = client.with_options(extra_headers=headers, extra_body=body)
        headers["X-One"], body["a"] = "2", 2
        await copy.chat.completions.create(**ASK, extra_body={"b": 1})
        await copy.chat.completions.create(**ASK)
    assert [(each.headers["x-one"], each.json["a"], each.json.get("b")) for each in loopback.requests] == [
        ("1", 1, 1),
        ("1", 1, None),
    ]
    assert (headers, body) == ({"X-One": "2"}, {"a": 2})


# --- calls that are made of several ---


async def test_what_is_said_to_be_in_the_call_itself_is_not_the_copys(loopback: Loopback) -> None:
    """An upload of which nothing is known is not sent again because all calls of a copy are tried often."""
    loopback.plays(DOWN)
    async with client_of(loopback) as client:
        with pytest.raises(InternalServerError):
            await client.with_options(max_retries=3).files.create(file=WAV, purpose="batch")
        assert len(loopback.requests) == 1
        with pytest.raises(InternalServerError):
            await client.with_options(max_retries=3).files.create(file=WAV, purpose="batch", max_retries=2)
    assert len(loopback.requests) == 4


async def test_a_batch_has_the_body_and_its_file_not(host: Loopback) -> None:
    """As where it stands in the call."""
    async with client_of(host).with_options(extra_body={"a": 1}, extra_query={"q": 1}) as client:
        await client.batches.create(requests=[LINE])
    upload, batch = host.requests
    assert (b'name="a"' in upload.body, upload.query) == (False, {})
    assert (batch.json["a"], batch.query) == (1, {"q": "1"})


async def test_the_requests_of_a_batch_of_chats_have_the_body(host: Loopback) -> None:
    """And not the batch, nor its file."""

    def answer(request: Recorded) -> Answer:
        if not request.path.endswith("/file-out/content"):
            return openai_host(request)
        response = {"status_code": 200, "body": CHAT}
        return Answer(chunks=[{"custom_id": "0", "response": response, "error": None}])

    host.chooses(answer)
    async with client_of(host).with_options(extra_body={"a": 1}) as client:
        results = [result async for result in client.chat.completions.map(["Rome"], model="m", mode="batch")]
    assert [result.error for result in results] == [None]
    upload, batch = host.requests[:2]
    assert b'"a":1' in upload.body
    assert "a" not in batch.json


async def test_a_map_makes_its_calls_with_them(host: Loopback, tmp_path: Path) -> None:
    """And its checkpoint is of them, where they say what is asked."""
    kept = tmp_path / "kept"
    async with client_of(host) as client:
        copy = client.with_options(extra_body={"a": 1}, extra_headers={"X-Copy": "1"})
        mapped = copy.chat.completions.map(["one", "two"], model="m", checkpoint=kept)
        assert len([result async for result in mapped]) == 2
        assert all(each.headers["x-copy"] == "1" and each.json["a"] == 1 for each in host.requests)
        again = client.chat.completions.map(["one", "two"], model="m", checkpoint=kept, extra_body={"a": 1})
        assert len([result async for result in again]) == 2
        assert len(host.requests) == 2
        other = client.with_options(extra_body={"a": 2}).chat.completions
        with pytest.raises(CheckpointError):
            await anext(aiter(other.map(["one", "two"], model="m", checkpoint=kept)))


async def test_a_preview_has_them(client: AsyncOneLLM, loopback: Loopback) -> None:
    copy = client.with_options(extra_headers={"X-Copy": "1"}, extra_query={"q": 1}, extra_body={"a": 1})
    one = await copy.chat.completions.preview(**ASK)
    other = await copy.preview("embeddings.create", model="m", input="a", extra_body={"b": 2})
    assert (one.headers["X-Copy"], one.url.endswith("?q=1"), one.json["a"]) == ("1", True, 1)
    assert (other.headers["X-Copy"], other.json["a"], other.json["b"]) == ("1", 1, 2)
    assert not loopback.requests


# --- kinds of clients ---


class Named(AsyncOneLLM):
    """A client with something of its own."""

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.name = name


class NamedToo(OneLLM):
    """The same, blocking."""

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.name = name


@pytest.mark.parametrize("kind", [Named, NamedToo])
def test_a_copy_is_of_the_same_kind(kind: Callable[..., Any]) -> None:
    """With what it holds, and with namespaces of its own, also where the client's have been used."""
    client = kind("mine", api_key="k")
    used = client.files, client.audio, client.chat
    copy = client.with_options(timeout=5)
    assert type(copy) is kind
    assert copy.name == "mine"
    assert (copy.files, copy.audio, copy.chat) != used
    assert copy.with_options().name == "mine"
    assert repr(copy) == repr(client)


def test_a_blocking_copy_in_many_threads() -> None:
    """It shares the connections of the loop thread; closing it closes none."""
    provider = Provider()
    provider.loopback.plays(OK)
    try:
        with OneLLM(api_key="k", base_url=f"{provider.loopback.url}/v1") as client:

            def work(number: int) -> None:
                with client.with_options(extra_headers={"X-Thread": str(number)}) as copy:
                    for _ in range(5):
                        copy.chat.completions.create(**ASK)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            client.chat.completions.create(**ASK)
        seen = [request.headers.get("x-thread") for request in provider.loopback.requests]
        assert sorted(each for each in seen if each) == sorted("01234"[:4] * 5)
        assert seen[-1] is None
        assert provider.loopback.connections <= 5
    finally:
        provider.close()
