"""Answers to questions that mean the same, by the vectors of an embedding model."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, streamed
from process import python
from wire.openai import ASK, CHAT, STREAM

from onellm import AsyncOneLLM, MemoryCache, SemanticCache, UnknownProviderError

pytest.importorskip("numpy")

NEAR = {"Where is Paris?": [1.0, 0.0], "Where's Paris?": [0.99, 0.05], "Where is Rome?": [0.6, 0.8]}


def play(loopback: Loopback, *, embeddings: int = 200) -> None:
    """Vectors as above, and a new answer to each chat."""

    def choose(request: Recorded) -> Answer:
        if request.path.endswith("/embeddings"):
            text = request.json["input"]
            vector = NEAR[text if isinstance(text, str) else text[0]]
            body = {"object": "list", "data": [{"index": 0, "embedding": vector}], "model": "e", "usage": {}}
            return Answer(status=embeddings, chunks=[body])
        if request.json.get("stream"):
            return streamed(*STREAM)
        return Answer(chunks=[{**CHAT, "id": str(len(loopback.requests))}])

    loopback.chooses(choose)


def said(text: str, system: str = "Be kind.") -> dict[str, Any]:
    return {**ASK, "messages": [{"role": "system", "content": system}, {"role": "user", "content": text}]}


def chats(loopback: Loopback) -> int:
    return sum(request.path.endswith("/chat/completions") for request in loopback.requests)


def client_of(loopback: Loopback, **settings: Any) -> AsyncOneLLM:
    cache = SemanticCache(**{"model": "openai/e", "threshold": 0.95, **settings})
    return AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", semantic_cache=cache, max_retries=0)


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    play(loopback)
    async with client_of(loopback) as bound:
        yield bound


async def test_a_question_that_means_the_same_has_the_same_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The answer says how near the question was."""
    first = await client.chat.completions.create(**said("Where is Paris?"))
    second = await client.chat.completions.create(**said("Where's Paris?"))
    assert chats(loopback) == 1
    assert second.id == first.id
    assert second.cached is not None
    assert second.cached.similarity == pytest.approx(0.9987, abs=1e-3)


async def test_another_question_is_asked(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Below the threshold."""
    for text in ("Where is Paris?", "Where is Rome?"):
        assert (await client.chat.completions.create(**said(text))).cached is None
    assert chats(loopback) == 2


@pytest.mark.parametrize(
    "other",
    [
        said("Where's Paris?", system="Be rude."),
        {**said("Where's Paris?"), "model": "other"},
        {**said("Where's Paris?"), "temperature": 0.5},
    ],
    ids=["system", "model", "params"],
)
async def test_all_but_the_question_must_be_equal(
    client: AsyncOneLLM, loopback: Loopback, other: dict[str, Any]
) -> None:
    """What was said before, who is asked, and how."""
    await client.chat.completions.create(**said("Where is Paris?"))
    assert (await client.chat.completions.create(**other)).cached is None
    assert chats(loopback) == 2


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PARTS = [{"role": "user", "content": [{"type": "text", "text": "Where is Paris?"}]}]


@pytest.mark.parametrize("more", [{"tools": [TOOL]}, {"messages": PARTS}, {"answer_cache": False}])
async def test_others_than_plain_questions_go_past_it(
    client: AsyncOneLLM, loopback: Loopback, more: dict[str, Any]
) -> None:
    """Chats with tools, and with other than text; nothing is embedded for them."""
    for _ in range(2):
        assert (await client.chat.completions.create(**{**said("Where is Paris?"), **more})).cached is None
    assert len(loopback.requests) == chats(loopback) == 2


async def test_streams_are_found_by_meaning_too(client: AsyncOneLLM, loopback: Loopback) -> None:
    """And replayed."""
    for text in ("Where is Paris?", "Where's Paris?"):
        opened = await client.chat.completions.create(**said(text), stream=True)
        async with opened as stream:
            assert "".join([piece async for piece in stream.text()]) == "Good day to you."
            cached = stream.cached
    assert chats(loopback) == 1
    assert cached is not None


async def test_an_embedding_that_fails_is_no_hindrance(loopback: Loopback) -> None:
    """The call is made."""
    play(loopback, embeddings=500)
    async with client_of(loopback) as client:
        assert (await client.chat.completions.create(**said("Where is Paris?"))).cached is None
    assert chats(loopback) == 1


async def test_it_is_bounded(loopback: Loopback) -> None:
    """What was asked for longest ago goes first."""
    play(loopback)
    async with client_of(loopback, max_entries=1) as client:
        for text in ("Where is Paris?", "Where is Rome?", "Where is Paris?"):
            assert (await client.chat.completions.create(**said(text))).cached is None
    async with client_of(loopback, max_bytes=100) as client:
        for _ in range(2):
            assert (await client.chat.completions.create(**said("Where is Paris?"))).cached is None


async def test_what_is_too_old_is_asked_again(loopback: Loopback) -> None:
    """And forgotten."""
    play(loopback)
    async with client_of(loopback, ttl=1e-9) as client:
        for _ in range(2):
            assert (await client.chat.completions.create(**said("Where is Paris?"))).cached is None
    assert chats(loopback) == 2


async def test_it_goes_with_the_exact_cache(loopback: Loopback) -> None:
    """The exact one is asked first, and costs no embedding; vectors are kept by it as well."""
    play(loopback)
    settings: dict[str, Any] = {"answer_cache": MemoryCache(), "semantic_cache": SemanticCache(model="openai/e")}
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", **settings) as client:
        await client.chat.completions.create(**said("Where is Paris?"))
        sent = len(loopback.requests)
        exact = await client.chat.completions.create(**said("Where is Paris?"))
        assert len(loopback.requests) == sent
        near = await client.chat.completions.create(**said("Where's Paris?"))
    assert exact.cached is not None
    assert exact.cached.similarity is None
    assert near.cached is not None
    assert near.cached.similarity is not None
    assert chats(loopback) == 1


def test_a_model_of_no_provider_is_known_at_once() -> None:
    """When the client is made."""
    with pytest.raises(UnknownProviderError):
        AsyncOneLLM(api_key="k", semantic_cache=SemanticCache(model="nobody/e"))


async def test_without_numpy_the_extra_is_named() -> None:
    """Where it is not installed."""
    code = "import sys; sys.modules['numpy'] = None\nfrom onellm import *\n"
    made = "AsyncOneLLM(api_key='k', semantic_cache=SemanticCache(model='openai/e'))"
    said = await python(f"{code}try: {made}\nexcept MissingDependencyError as exc: print(exc)")
    assert 'pip install "onellm[numpy]"' in said
