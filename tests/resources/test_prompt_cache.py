"""`cache=`: one word, and what each row makes of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from command_line import unset_all
from loopback import Answer, Loopback
from wire import bedrock, gemini, messages
from wire.openai import CHAT

from onellm import AsyncOneLLM, InvalidRequestError, UnsupportedParameterError
from onellm.dialects.openai.chat import OpenAIChat
from onellm.providers.compatible import ROWS

REPLY = {"id": "x", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
QUESTION: list[Any] = [{"role": "user", "content": "Hello"}]
MARK = {"cache_control": {"type": "ephemeral"}}
KINDS = {name: row.chat.caching for name, row in ROWS.items() if isinstance(row.chat, OpenAIChat)}


def of_kind(*kinds: str | None) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind in kinds])


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[REPLY]))
        yield loopback


async def send(host: Loopback, name: str, messages: list[Any] = QUESTION, **params: Any) -> tuple[Any, Any]:
    """The body that went out, and the answer."""
    settings = {"api_key": "sk-1", "base_url": f"{host.url}/v1"}
    async with AsyncOneLLM(providers={name: settings}, max_retries=0) as client:
        reply = await client.chat.completions.create(model=f"{name}/m", messages=messages, **params)
    return host.requests[-1].json, reply


@of_kind("automatic", "retention")
async def test_a_host_that_keeps_prompts_by_itself_is_told_nothing(name: str, host: Loopback) -> None:
    plain, _ = await send(host, name)
    asked, _ = await send(host, name, cache="on")
    assert asked == plain


@of_kind("automatic")
@pytest.mark.parametrize("cache", ["5m", "1h"])
async def test_how_long_is_up_to_such_a_host(name: str, cache: str, host: Loopback) -> None:
    with pytest.raises(UnsupportedParameterError, match="up to itself"):
        await send(host, name, cache=cache)
    assert not host.requests


@of_kind("automatic", "retention")
async def test_off_is_said_or_refused(name: str, host: Loopback) -> None:
    chat = ROWS[name].chat
    assert isinstance(chat, OpenAIChat)
    if chat.uncached:
        body, _ = await send(host, name, cache="off")
        assert {key: body[key] for key in chat.uncached} == chat.uncached
    else:
        with pytest.raises(UnsupportedParameterError, match="keeps prompts by itself"):
            await send(host, name, cache="off")
        assert not host.requests


@of_kind("retention")
@pytest.mark.parametrize(("cache", "retention"), [("5m", "in_memory"), ("1h", "24h")])
async def test_retention(name: str, cache: str, retention: str, host: Loopback) -> None:
    body, reply = await send(host, name, cache=cache)
    assert body["prompt_cache_retention"] == retention
    assert reply.adjustments == (f"sent cache={cache!r} as prompt_cache_retention={retention!r}",)
    assert "cache" not in body


async def test_two_words_for_one_thing_are_refused(host: Loopback) -> None:
    with pytest.raises(InvalidRequestError, match="not both"):
        await send(host, "openai", cache="1h", prompt_cache_retention="24h")
    assert not host.requests


@of_kind(None)
@pytest.mark.parametrize("cache", ["on", "5m", "1h"])
async def test_a_host_without_the_notion_refuses(name: str, cache: str, host: Loopback) -> None:
    with pytest.raises(UnsupportedParameterError, match="cache"):
        await send(host, name, cache=cache)
    assert not host.requests
    body, reply = await send(host, name, cache=cache, on_unsupported="drop")
    assert "cache" not in body
    assert any("cache" in note for note in reply.adjustments)


@of_kind(None, "marks")
async def test_off_changes_nothing_there(name: str, host: Loopback) -> None:
    assert (await send(host, name, cache="off"))[0] == (await send(host, name))[0]


@of_kind("marks")
async def test_marks_stand_after_the_instructions_and_at_the_end(name: str, host: Loopback) -> None:
    history = [
        {"role": "system", "content": "Be short."},
        {"role": "developer", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Yes"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://h.example/x.png"}},
            ],
        },
    ]
    body, _ = await send(host, name, history, cache="on")
    sent = body["messages"]
    assert sent[0] == history[0]
    assert sent[1]["content"] == [{"type": "text", "text": "One."}, {"type": "text", "text": "Two.", **MARK}]
    assert sent[2] == history[2]
    assert sent[4]["content"][0] == {"type": "text", "text": "What is this?", **MARK}
    assert "cache_control" not in str(history)


@of_kind("marks")
@pytest.mark.parametrize("cache", ["5m", "1h"])
async def test_marks_say_how_long(name: str, cache: str, host: Loopback) -> None:
    body, _ = await send(host, name, cache=cache)
    mark = {"type": "ephemeral", "ttl": cache}
    assert body["messages"][0]["content"] == [{"type": "text", "text": "Hello", "cache_control": mark}]


MARKED: dict[str, dict[str, Any]] = {
    "part": {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", **MARK}]}, *QUESTION]},
    "message": {"messages": [{"role": "user", "content": "x", **MARK}, *QUESTION]},
    "tool": {"messages": QUESTION, "tools": [{"type": "function", "function": {"name": "f"}, **MARK}]},
}


@of_kind("marks")
@pytest.mark.parametrize("where", MARKED)
async def test_the_caller_s_marks_are_the_only_ones(name: str, where: str, host: Loopback) -> None:
    plain, _ = await send(host, name, **MARKED[where])
    asked, _ = await send(host, name, **MARKED[where], cache="on")
    assert asked == plain
    assert str(asked).count("cache_control") == 1


# --- native APIs ---

MARKED_TEXT = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
CLAUDE = [{"role": "user", "content": [MARKED_TEXT]}]
POINT = {"cachePoint": {"type": "default", "ttl": "1h"}}
# A model, what it answers, and where and what its body says of an hour.
KEEPERS: dict[str, tuple[Any, str, Any]] = {
    "anthropic/m": (messages.ANSWER, "messages", CLAUDE),
    "vertex/anthropic/m": (messages.ANSWER, "messages", CLAUDE),
    "bedrock/m": (bedrock.ANSWER, "messages", [{"role": "user", "content": [{"text": "Hello"}, POINT]}]),
    "azure/m": (CHAT, "prompt_cache_retention", "24h"),
}


@pytest.mark.parametrize("model", KEEPERS)
async def test_native_apis_keep_a_prompt_for_an_hour(model: str, host: Loopback) -> None:
    answer, name, said = KEEPERS[model]
    host.plays(Answer(chunks=[answer]))
    settings = {"api_key": "sk-1", "base_url": host.url}
    async with AsyncOneLLM(providers={model.partition("/")[0]: settings}, max_retries=0) as client:
        await client.chat.completions.create(model=model, messages=QUESTION, cache="1h")
    body = host.requests[-1].json
    assert body[name] == said
    assert "cache" not in body


@pytest.mark.parametrize("name", ["google", "vertex"])
async def test_gemini_keeps_prompts_by_itself(name: str, host: Loopback) -> None:
    host.plays(Answer(chunks=[gemini.ANSWER]))
    settings = {"api_key": "sk-1", "base_url": host.url}
    async with AsyncOneLLM(providers={name: settings}, max_retries=0) as client:
        await client.chat.completions.create(model=f"{name}/m", messages=QUESTION, cache="on")
        assert host.requests[-1].json == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
        with pytest.raises(UnsupportedParameterError, match="up to itself"):
            await client.chat.completions.create(model=f"{name}/m", messages=QUESTION, cache="1h")
    assert len(host.requests) == 1


async def test_cohere_is_not_known_to_keep_prompts(host: Loopback) -> None:
    with pytest.raises(UnsupportedParameterError, match="not known to keep prompts"):
        await send(host, "cohere", cache="on")
    assert not host.requests


async def test_other_words_are_refused(host: Loopback) -> None:
    with pytest.raises(InvalidRequestError, match="cache"):
        await send(host, "openai", cache="always")
    assert not host.requests


def test_rows_of_each_kind_are_there() -> None:
    assert {"automatic", "retention", "marks", None} == set(KINDS.values())
