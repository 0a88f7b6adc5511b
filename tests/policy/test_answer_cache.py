"""Answers from a cache: equal to those that came, found by the exact request, and of nobody else."""

import asyncio
import inspect
import json
import socket
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback, streamed
from process import python
from redis_host import needs_redis, running_redis
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM, chunk

from onellm import (
    AsyncOneLLM,
    BadRequestError,
    CacheHit,
    CacheUnavailableError,
    ConfigurationError,
    InvalidRequestError,
    MemoryCache,
    OneLLM,
    RedisCache,
    SQLiteCache,
    StreamInterruptedError,
)
from onellm.policy import answer_codec, cache
from onellm.policy.execution import Exchange
from onellm.policy.operations import OPERATIONS
from onellm.policy.request_key import request_key

TOOLS = {
    **CHAT,
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "unknown": {"field": [1, 2.5, None]},
}
VECTORS = {
    "object": "list",
    "model": "e",
    "data": [{"index": 0, "embedding": [0.5, -1.0]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
SCORES = {"id": "r", "model": "m", "results": [{"index": 1, "relevance_score": 0.75}]}


def client_of(loopback: Loopback, store: Any, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(api_key="sk-very-secret", base_url=f"{loopback.url}/v1", answer_cache=store, **settings)


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_of(loopback, MemoryCache()) as bound:
        yield bound


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


CALLS: dict[str, tuple[Any, Callable[[AsyncOneLLM], Any]]] = {
    "chat": (CHAT, lambda client: client.chat.completions.create(**ASK)),
    "tool calls": (TOOLS, lambda client: client.chat.completions.create(**ASK)),
    "completions": (
        {"id": "1", "model": "m", "choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]},
        lambda client: client.completions.create(model="m", prompt="Say hi"),
    ),
    "embeddings": (VECTORS, lambda client: client.embeddings.create(model="e", input="Hello")),
    "moderations": (
        {"id": "1", "model": "m", "results": [{"flagged": True, "categories": {"hate": True}}]},
        lambda client: client.moderations.create(input="Hello"),
    ),
}


@pytest.mark.parametrize("what", CALLS)
async def test_the_same_call_is_answered_again(client: AsyncOneLLM, loopback: Loopback, what: str) -> None:
    """An answer equal to the first in all but `cached`, also in what its types do not name."""
    body, call = CALLS[what]
    loopback.plays(Answer(chunks=[body], headers={"x-request-id": "req_1"}))
    first, second = await call(client), await call(client)
    assert len(loopback.requests) == 1
    assert first.cached is None
    assert isinstance(second.cached, CacheHit)
    assert 0 <= second.cached.age < 60
    assert second.cached.similarity is None
    assert (second.provider, second.request_id, second.raw) == ("openai", "req_1", first.raw)
    assert second.to_dict() == first.to_dict()
    assert second.model_extra == first.model_extra
    second.cached = None
    assert second == first


async def test_scores_are_kept_too(loopback: Loopback) -> None:
    """Of a provider that ranks."""
    loopback.plays(Answer(chunks=[SCORES]))
    settings = {"together": {"api_key": "k", "base_url": f"{loopback.url}/v1"}}
    async with AsyncOneLLM(providers=settings, answer_cache=MemoryCache()) as client:
        asked: dict[str, Any] = {"model": "together/m", "query": "q", "documents": ["a", "b"]}
        first, second = await client.rerank.create(**asked), await client.rerank.create(**asked)
    assert second.results == first.results
    assert second.cached
    assert len(loopback.requests) == 1


async def test_what_a_caller_does_to_an_answer_stays_with_him(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Each has an answer of his own, the first one too."""
    loopback.plays(Answer(chunks=[CHAT]))
    for _ in range(3):
        reply = await client.chat.completions.create(**ASK)
        assert reply.choices[0].message.content == "Good day to you."
        reply.choices[0].message.content = "changed"


async def test_a_stream_is_replayed(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Its chunks as they were, and its whole answer."""
    loopback.plays(streamed(*STREAM))
    seen = []
    for _ in range(2):
        opened = await client.chat.completions.create(**ASK, stream=True)
        async with opened as stream:
            chunks = [chunk async for chunk in stream]
            seen.append((chunks, await stream.get_final_completion(), stream.cached))
    (first, first_whole, miss), (second, second_whole, hit) = seen
    assert len(loopback.requests) == 1
    assert miss is None
    assert hit is not None
    assert second_whole.cached == hit
    assert [chunk.raw for chunk in second] == [chunk.raw for chunk in first]
    for each in (*second, second_whole):
        each.cached = None
    assert (second, second_whole) == (first, first_whole)


async def test_a_stream_that_is_cut_or_left_is_not_kept(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Only one that ended in order."""
    loopback.plays(streamed(*STREAM[:2], done=False), streamed(*STREAM))
    with pytest.raises(StreamInterruptedError):
        await (await client.chat.completions.create(**ASK, stream=True)).get_final_completion()
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        await anext(stream)
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert stream.cached is None
    assert len(loopback.requests) == 3


async def test_a_stream_that_is_too_large_is_not_kept(
    client: AsyncOneLLM, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not held until its end either."""
    monkeypatch.setattr(cache, "_MOST_STREAMED", 100)
    loopback.plays(streamed(*STREAM))
    for _ in range(2):
        await (await client.chat.completions.create(**ASK, stream=True)).get_final_completion()
    assert len(loopback.requests) == 2


async def test_a_stream_and_a_whole_answer_are_two(client: AsyncOneLLM, loopback: Loopback) -> None:
    """One is not made of the other."""
    loopback.plays(streamed(*STREAM), Answer(chunks=[CHAT]))
    await (await client.chat.completions.create(**ASK, stream=True)).get_final_completion()
    assert (await client.chat.completions.create(**ASK)).cached is None


async def test_errors_are_not_kept(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Nor an answer that ended in one."""
    failed = {**CHAT, "choices": [{**CHAT["choices"][0], "finish_reason": "error"}]}
    loopback.plays(Answer(status=400, chunks=[BAD_REQUEST]), Answer(chunks=[failed]), Answer(chunks=[CHAT]))
    with pytest.raises(BadRequestError):
        await client.chat.completions.create(**ASK)
    assert (await client.chat.completions.create(**ASK)).choices[0].finish_reason == "error"
    assert (await client.chat.completions.create(**ASK)).choices[0].finish_reason == "stop"
    assert len(loopback.requests) == 3


async def test_an_answer_of_a_fallback_is_not_kept(loopback: Loopback) -> None:
    """Who was asked is asked again."""
    refused = Answer(status=500)
    loopback.chooses(lambda request: refused if request.json["model"] == "a" else Answer(chunks=[CHAT]))
    asked = {**ASK, "model": "a"}
    async with client_of(loopback, MemoryCache(), max_retries=0, fallback_models=["openai/b"]) as client:
        for _ in range(2):
            assert (await client.chat.completions.create(**asked)).fallbacks
    assert len(loopback.requests) == 4


async def test_a_call_may_do_without_or_ask_anew(client: AsyncOneLLM, loopback: Loopback) -> None:
    """`answer_cache=False` neither takes nor keeps, "refresh" keeps what comes."""
    answers = [{**CHAT, "id": str(number)} for number in range(4)]
    loopback.plays(*(Answer(chunks=[answer]) for answer in answers))

    async def asked(use: Any = None) -> str:
        reply = await client.chat.completions.create(**ASK, answer_cache=use)
        return str(reply.id)

    assert [await asked(use) for use in (False, None, False, None, "refresh", None)] == ["0", "1", "2", "1", "3", "3"]


async def test_the_age_that_a_call_takes(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """`answer_cache_ttl` takes nothing older, and is how long the answer is kept."""
    clock = Clock()
    store = MemoryCache(clock=clock)
    loopback.plays(Answer(chunks=[CHAT]))
    async with client_of(loopback, store) as client:
        monkeypatch.setattr(client._core.binding().layers[0], "_clock", clock)
        await client.chat.completions.create(**ASK)
        clock.now += 100
        reply = await client.chat.completions.create(**ASK, answer_cache_ttl=101)
        assert reply.cached == CacheHit(age=100.0)
        assert (await client.chat.completions.create(**ASK, answer_cache_ttl=99)).cached is None
        assert len(loopback.requests) == 2
        clock.now += 99
        assert (await client.chat.completions.create(**ASK)).cached is None


async def test_a_client_without_a_cache_says_so(loopback: Loopback) -> None:
    """Where a call asks for one; to do without is no mistake."""
    loopback.plays(Answer(chunks=[CHAT]))
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1") as client:
        with pytest.raises(InvalidRequestError, match="MemoryCache"):
            await client.chat.completions.create(**ASK, answer_cache=True)
        with pytest.raises(InvalidRequestError, match="answer_cache"):
            await client.chat.completions.create(**ASK, answer_cache_ttl=5)
        await client.chat.completions.create(**ASK, answer_cache=False)


async def test_the_providers_own_cache_is_another_matter(loopback: Loopback) -> None:
    """`cache` of a chat is about prompts, and goes to the provider as before."""
    loopback.plays(Answer(chunks=[{"content": [], "usage": {}, "stop_reason": "end_turn"}]))
    settings = {"anthropic": {"api_key": "k", "base_url": loopback.url}}
    async with AsyncOneLLM(providers=settings, answer_cache=MemoryCache()) as client:
        await client.chat.completions.create(**{**ASK, "model": "anthropic/m"}, cache="1h", max_tokens=5)
    assert b'"ttl":"1h"' in loopback.requests[0].body.replace(b" ", b"")


# --- which calls are equal ---


async def sent(loopback: Loopback, store: Any, *asks: dict[str, Any], **settings: Any) -> int:
    """How many requests these calls are, one after another."""
    loopback.plays(Answer(chunks=[CHAT]))
    before = len(loopback.requests)
    async with client_of(loopback, store, **settings) as client:
        for ask in asks:
            await client.chat.completions.create(**{**ASK, **ask})
    return len(loopback.requests) - before


@pytest.mark.parametrize(
    "other",
    [
        {"model": "other"},
        {"messages": [{"role": "user", "content": "Hello!"}]},
        {"temperature": 0.5},
        {"extra_body": {"top_k": 3}},
        {"extra_headers": {"OpenAI-Beta": "x=v2"}},
        {"extra_query": {"version": "2"}},
        {"user": "somebody"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_what_may_change_the_answer_counts(loopback: Loopback, other: dict[str, Any]) -> None:
    """All that is asked, and what the caller adds."""
    assert await sent(loopback, MemoryCache(), {}, other, {}, other) == 2


@pytest.mark.parametrize(
    "same",
    [
        {"timeout": 5},
        {"max_retries": 0},
        {"extra_headers": {"X-Request-Id": "7", "traceparent": "00-1-2-03"}},
        {"answer_cache_ttl": 60},
    ],
    ids=lambda same: next(iter(same)),
)
async def test_what_does_not_change_it_does_not(loopback: Loopback, same: dict[str, Any]) -> None:
    """How a call is made, and which one it is."""
    assert await sent(loopback, MemoryCache(), {}, same) == 1


async def test_the_order_of_arguments_does_not_count(loopback: Loopback) -> None:
    """Of a call's own; within a schema it may."""
    one, other = {"temperature": 0.5, "seed": 1}, {"seed": 1, "temperature": 0.5}
    assert await sent(loopback, MemoryCache(), one, other) == 1


async def test_a_call_with_credentials_of_its_own_is_not_kept(loopback: Loopback) -> None:
    """Nor answered from what others were told."""
    mine = {"extra_headers": {"Authorization": "Bearer mine"}}
    assert await sent(loopback, MemoryCache(), {}, mine, mine, {}) == 3


async def test_hosts_do_not_answer_for_each_other(loopback: Loopback) -> None:
    """One store for clients of several."""
    store = MemoryCache()
    loopback.plays(Answer(chunks=[CHAT]))
    for path in ("v1", "v2", "v1"):
        async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/{path}", answer_cache=store) as client:
            await client.chat.completions.create(**ASK)
    assert [request.path.split("/")[1] for request in loopback.requests] == ["v1", "v2"]


async def test_keys_share_and_are_nowhere(loopback: Loopback) -> None:
    """A client with another key finds the answer; neither names nor values hold a key."""

    class Open:
        def __init__(self) -> None:
            self.kept: dict[str, bytes] = {}

        async def get(self, key: str) -> bytes | None:
            return self.kept.get(key)

        async def set(self, key: str, value: bytes, ttl: float | None) -> None:
            assert ttl is None
            self.kept[key] = value

    store = Open()
    loopback.plays(Answer(chunks=[CHAT]))
    for key in ("sk-one-secret", "sk-two-secret"):
        settings: dict[str, Any] = {"default_headers": {"X-Api-Token": key}, "organization": "org"}
        async with AsyncOneLLM(api_key=key, base_url=f"{loopback.url}/v1", answer_cache=store, **settings) as client:
            await client.chat.completions.create(**ASK)
    assert len(loopback.requests) == 1
    ((name, value),) = store.kept.items()
    assert len(name) == 64
    assert b"secret" not in value


async def test_what_is_hashed_holds_no_secret(client: AsyncOneLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even before it is hashed."""
    hashed: list[bytes] = []

    def note(said: bytes) -> Any:
        hashed.append(said)
        return sha256(said)

    monkeypatch.setitem(request_key.__globals__, "sha256", note)
    provider, request, options = client.chat.completions._prepare("openai/m", ASK["messages"], {})
    exchange = Exchange(
        operation=OPERATIONS["create_chat_completion"],
        provider="openai",
        model="m",
        request=request,
        arguments=(request,),
        options=options,
    )
    assert provider
    settings = options.call.settings
    settings.headers["X-Secret"] = settings.options["aws_secret_access_key"] = "sk-very-secret"
    settings.base_url = "https://user:sk-very-secret@host/v1"
    assert request_key(exchange)
    assert b"https://host/v1" in hashed[0]
    assert b"secret" not in hashed[0].lower()


# --- stores ---


async def test_a_store_of_ones_own(loopback: Loopback) -> None:
    """Two methods; what it cannot reach is asked for as if nothing were kept."""

    class Away:
        asked = 0

        async def get(self, key: str) -> bytes | None:
            self.asked += len(key) == 64
            raise CacheUnavailableError("away")

        async def set(self, key: str, value: bytes, ttl: float | None) -> None:
            self.asked += bool(key and value and ttl is None)
            raise CacheUnavailableError("away")

    store = Away()
    assert await sent(loopback, store, {}, {}) == 2
    assert store.asked == 4


async def test_a_store_that_is_away_is_told_of_once(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """Not at every call."""
    missing = SQLiteCache("/nowhere/at/all.sqlite")
    assert await sent(loopback, missing, {}, {}, {}) == 3
    assert [record.name for record in caplog.records] == ["onellm"]
    assert "/nowhere/at/all.sqlite" in caplog.text
    await missing.aclose()


async def test_bytes_of_another_version_are_no_answer(loopback: Loopback) -> None:
    """The call is made, and its answer takes their place."""

    class Old(MemoryCache):
        async def get(self, key: str) -> bytes | None:
            return b"\x93what" if await super().get(key) else None

    assert await sent(loopback, Old(), {}, {}) == 2


async def test_memory_is_bounded_in_bytes() -> None:
    """What was asked for longest ago goes first; what is too large is not kept."""
    store = MemoryCache(max_bytes=4000)
    for name in "abc":
        await store.set(name, b"x" * 700, None)
    await store.get("a")
    await store.set("d", b"x" * 700, None)
    await store.set("e", b"x" * 700, None)
    assert [bool(await store.get(name)) for name in "abcde"] == [True, False, True, True, True]
    await store.set("large", b"x" * 3000, None)
    assert await store.get("large") is None
    assert store.count == 4
    assert store.size <= 4000
    await store.set("a", b"y", None)
    assert await store.get("a") == b"y"
    store.clear()
    assert (store.count, store.size) == (0, 0)


async def test_memory_forgets_after_a_while() -> None:
    """After the store's measure, or after that of what is kept."""
    clock = Clock()
    store = MemoryCache(ttl=10, clock=clock)
    await store.set("usual", b"1", None)
    await store.set("short", b"2", 5)
    clock.now += 5
    assert (await store.get("usual"), await store.get("short")) == (b"1", None)
    clock.now += 5
    assert await store.get("usual") is None
    assert store.size == 0


@pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"ttl": 0}])
def test_wrong_measures_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything is kept."""
    with pytest.raises(ConfigurationError):
        MemoryCache(**wrong)


async def test_a_file_outlives_its_process(loopback: Loopback, tmp_path: Path) -> None:
    """Another process finds what this one has kept."""
    path = tmp_path / "answers.sqlite"
    async with SQLiteCache(path) as store:
        assert await sent(loopback, store, {}, {}) == 1
    code = f"""
import asyncio
from onellm import AsyncOneLLM, SQLiteCache

async def main():
    async with SQLiteCache({str(path)!r}) as store:
        async with AsyncOneLLM(api_key="k", base_url={loopback.url + "/v1"!r}, answer_cache=store) as client:
            reply = await client.chat.completions.create(**{ASK!r})
            print(reply.choices[0].message.content, reply.cached is not None)

asyncio.run(main())
"""
    assert (await python(code, flags=("-W", "error"))).strip() == "Good day to you. True"
    assert len(loopback.requests) == 1


async def test_a_file_is_bounded_and_forgets(tmp_path: Path) -> None:
    """What was used longest ago goes first."""
    async with SQLiteCache(tmp_path / "answers.sqlite", max_bytes=20_000, ttl=1000) as store:
        for number in range(40):
            await store.set(str(number), b"x" * 800, None)
        left = [number for number in range(40) if await store.get(str(number))]
        assert 10 < len(left) <= 20
        assert left[-1] == 39
        await store.set("short", b"x", 1e-6)
        assert await store.get("short") is None
        await store.set("large", b"x" * 10_000, None)
        assert await store.get("large") is None


async def test_a_file_of_another_format_begins_anew(tmp_path: Path) -> None:
    """It is a cache: what cannot be read is gone."""
    import sqlite3  # noqa: PLC0415 - here alone

    path = tmp_path / "answers.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE answers (other TEXT); PRAGMA user_version = 99")
    connection.close()
    async with SQLiteCache(path) as store:
        await store.set("a", b"1", None)
        assert await store.get("a") == b"1"


def test_a_file_that_is_let_go_is_closed(tmp_path: Path) -> None:
    """Without `aclose`, and from blocking code in several event loops."""
    for _ in range(2):
        store = SQLiteCache(tmp_path / "answers.sqlite")
        asyncio.run(store.set("a", b"1", None))
        assert asyncio.run(store.get("a")) == b"1"
        del store


@needs_redis
async def test_redis_keeps_answers_for_all(loopback: Loopback) -> None:
    """Another client of another store finds them; they end by themselves."""
    async with running_redis() as redis, RedisCache(redis.url, ttl=50) as one, RedisCache(redis.url) as other:
        assert await sent(loopback, one, {}) == 1
        assert await sent(loopback, other, {}) == 0
        assert await sent(loopback, other, {"answer_cache_ttl": 1e-9}) == 1
        await one.set("name", b"value", None)
        assert 0 < await one._client().ttl("onellm:answers:name") <= 50


async def test_redis_that_is_away_is_no_hindrance(loopback: Loopback) -> None:
    """Calls are made."""
    pytest.importorskip("redis")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{free.getsockname()[1]}/0"
    async with RedisCache(url) as store:
        assert await sent(loopback, store, {}, {}) == 2


async def test_without_redis_the_extra_is_named() -> None:
    """Where the package is not installed."""
    code = "import sys; sys.modules['redis'] = sys.modules['redis.asyncio'] = None\nfrom onellm import *\n"
    said = await python(f"{code}try: RedisCache()\nexcept MissingDependencyError as exc: print(exc)")
    assert 'pip install "onellm[redis]"' in said


def test_the_blocking_client_has_it(tmp_path: Path) -> None:
    """With the same stores; the code that answers runs in its own thread."""
    code = inspect.signature(OneLLM.__init__)
    assert {"answer_cache", "semantic_cache", "share"} <= set(code.parameters)
    assert not list(tmp_path.iterdir())


async def test_without_a_cache_nothing_of_it_is_imported() -> None:
    """A client that asks for none pays for none."""
    made = "import sys; before = set(sys.modules); from onellm import AsyncOneLLM; AsyncOneLLM(api_key='k'); "
    names = "['onellm.policy.cache', 'onellm.policy.sharing', 'onellm.policy.stores', 'sqlite3', 'redis']"
    found = f"[name for name in {names} if name in sys.modules.keys() - before]"  # what counts coverage brings its own
    assert (await python(f"{made}print({found})")).strip() == "[]"


# --- answers as bytes ---


def test_what_cannot_be_written_is_not_kept() -> None:
    """Half a character, and a number that is too large for the format."""
    codec = answer_codec.codec_of(OPERATIONS["create_chat_completion"])
    assert codec is not None
    whole: Any = codec.whole
    assert codec.encode(whole(raw=b"{}"))
    assert codec.encode(whole(id="\ud800")) is None
    assert codec.encode(whole(prompt_filter_results=[{"x": 1 << 70}])) is None
    assert codec.encode("not an answer") is None


def test_chunks_are_written_one_for_one() -> None:
    """And one that cannot be is none of them."""
    codec = answer_codec.codec_of(OPERATIONS["stream_chat_completion"])
    assert codec is not None
    chunk_type: Any = codec.chunk
    piece = chunk_type(raw=json.dumps(chunk({"content": "a"})).encode())
    written = codec.encode_chunks([piece, piece])
    assert written is not None
    assert codec.decode_chunks(written) == [piece, piece]
    assert codec.encode_chunks([piece, chunk_type(id="\ud800")]) is None


async def test_a_stream_by_the_loopback_is_one_request(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A text completion that is streamed is kept like a chat."""
    events = [
        {"id": "1", "model": "m", "choices": [{"index": 0, "text": text, "finish_reason": end}]}
        for text, end in (("Hi", None), ("!", "stop"))
    ]
    loopback.plays(streamed(*events))
    texts = []
    for _ in range(2):
        opened = await client.completions.create(model="m", prompt="Say hi", stream=True)
        async with opened as stream:
            texts.append([piece async for piece in stream.text()])
    assert texts == [["Hi", "!"]] * 2
    assert len(loopback.requests) == 1
