"""`embeddings.create`: any number of inputs, split, sent together, and joined in order."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from loopback import Answer, Loopback, Recorded
from wire.chat_completions import embeddings

from onellm import AsyncOneLLM, RetryPolicy
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.errors import BadRequestError, MissingKeyError
from onellm.providers.compatible import compatible

KEY = "sk-embeddings-0123456789"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with Loopback() as loopback:
        yield loopback


def connect(server: Loopback, **settings: object) -> AsyncOneLLM:
    """A client with a host that takes three inputs a request."""
    client = AsyncOneLLM(
        providers={"mine": {"api_key": KEY, "base_url": server.url, **settings}},
        retry=RetryPolicy(max_retries=2, initial=0.001, maximum=0.001, jitter=0.0),
    )
    client.register(compatible("mine", embeddings=OpenAIEmbeddings(max_inputs=3)))
    return client


def vector(request: Recorded) -> Answer:
    """Each input's number as its vector."""
    return Answer(chunks=[embeddings([[float(text)] for text in request.json["input"]])])


@pytest.mark.parametrize("count", [1, 3, 4, 31])
async def test_any_number_of_inputs_is_joined_in_order(count: int, server: Loopback) -> None:
    """As many requests as are needed, none with more than the host takes; usage is added up, indexes go on."""
    server.chooses(vector)
    async with connect(server) as client:
        reply = await client.embeddings.create(model="mine/e", input=[str(number) for number in range(count)])
    assert [list(item.embedding) for item in reply.data] == [[float(number)] for number in range(count)]
    assert [item.index for item in reply.data] == list(range(count))
    requests = -(-count // 3)
    assert sorted(len(request.json["input"]) for request in server.requests) == sorted(
        [3] * (count // 3) + ([count % 3] if count % 3 else [])
    )
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (5 * requests, 5 * requests)
    assert bool(reply.raw) is (requests == 1)
    assert reply.provider == "mine"
    assert reply.to_numpy().shape == (count, 1)


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [
        (["1" * 9] * 4, [3, 1]),  # 3 tokens each, 10 a request
        (["1" * 30, "2"], [1, 1]),  # 10 and 1
        (["2", "0" * 59 + "1", "3"], [1, 1, 1]),  # one that is too large by itself goes alone
        (["1"] * 7, [3, 3, 1]),  # the count decides
    ],
)
async def test_a_request_holds_no_more_tokens_than_the_host_takes(
    texts: list[str], sizes: list[int], server: Loopback
) -> None:
    """An estimate: a token for three bytes."""
    server.chooses(vector)
    async with connect(server) as client:
        client.register(compatible("mine", embeddings=OpenAIEmbeddings(max_inputs=3, max_tokens=10)))
        reply = await client.embeddings.create(model="mine/e", input=texts)
    assert [item.embedding[0] for item in reply.data] == pytest.approx([float(text) for text in texts])
    assert [item.index for item in reply.data] == list(range(len(texts)))
    assert sorted(len(request.json["input"]) for request in server.requests) == sorted(sizes)


async def test_a_part_that_is_refused_is_the_calls_error(server: Loopback) -> None:
    def choose(request: Recorded) -> Answer:
        if "4" in request.json["input"]:
            return Answer(status=400, chunks=[b'{"error":{"message":"no fours"}}'])
        return vector(request)

    server.chooses(choose)
    async with connect(server) as client:
        with pytest.raises(BadRequestError, match="no fours") as caught:
            await client.embeddings.create(model="mine/e", input=[str(number) for number in range(9)])
    assert (caught.value.provider, caught.value.model) == ("mine", "e")


async def test_a_part_that_fails_is_sent_again_alone(server: Loopback) -> None:
    failed: list[Recorded] = []

    def choose(request: Recorded) -> Answer:
        if "4" in request.json["input"] and not failed:
            failed.append(request)
            return Answer(status=503)
        return vector(request)

    server.chooses(choose)
    async with connect(server) as client:
        reply = await client.embeddings.create(model="mine/e", input=[str(number) for number in range(9)])
    assert [item.embedding[0] for item in reply.data] == list(range(9))
    assert len(server.requests) == 4


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_function_gives_a_key_for_each_request(asynchronous: bool, server: Loopback) -> None:
    """Sync or async, asked before each request, so that a token that ends is followed by a new one."""
    given: list[str] = []

    def token() -> str:
        given.append(f"token-{len(given)}")
        return given[-1]

    async def later() -> str:
        return token()

    server.chooses(vector)
    async with connect(server, api_key=later if asynchronous else token) as client:
        for _ in range(2):
            await client.embeddings.create(model="mine/e", input=["1"])
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer token-0", "Bearer token-1"]


async def test_no_key_is_sent_where_none_is_needed(server: Loopback) -> None:
    server.chooses(vector)
    async with connect(server, api_key=None) as client:
        await client.embeddings.create(model="mine/e", input=["1"])
    assert "authorization" not in server.requests[0].headers
    client = AsyncOneLLM(providers={"keyed": {"base_url": server.url}})
    client.register(compatible("keyed", key_env="KEYED_API_KEY"))
    with pytest.raises(MissingKeyError, match="KEYED_API_KEY"):
        await client.embeddings.create(model="keyed/e", input="1")
    assert len(server.requests) == 1
