"""A conversation with reasoning and calls made together, as each native provider answers it, goes on with anyone.

To the provider that it came from its blocks go back as they came, signatures and all; to every other one what it can
read, and nothing that was meant for the first alone. Over a socket, so that what is sent is what is looked at.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback
from wire import bedrock, cohere, gemini, messages, wire

from onellm import AsyncOneLLM, RetryPolicy
from onellm.config import variables
from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.bedrock.converse import Converse
from onellm.dialects.bedrock.messages import InvokeMessages
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.protocols import ChatDialect
from onellm.providers.http import HttpProvider
from onellm.providers.registry import get_provider, list_providers
from onellm.types.anthropic import AnthropicOptions
from onellm.types.chat import ChatCompletionMessage
from onellm.types.chat_params import ChatRequest

MODEL = "vendor/model-1"
CLAUDE = "anthropic/claude-sonnet-4-6"
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
ROWS: dict[str, HttpProvider] = {
    name: row
    for name in list_providers()
    if isinstance(row := get_provider(name), HttpProvider) and row.chat is not None
}


def ways() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Who can be asked: the provider, its model, and the arguments that choose its API. Two of them have two APIs."""
    found: dict[str, tuple[str, str, dict[str, Any]]] = {name: (name, MODEL, {}) for name in ROWS}
    found["vertex claude"] = ("vertex", CLAUDE, {})
    found["bedrock claude"] = ("bedrock", "us.anthropic.claude-sonnet-4-6", {"anthropic": AnthropicOptions()})
    return found


WAYS = ways()
NATIVE = ("anthropic", "bedrock", "bedrock claude", "cohere", "google", "vertex", "vertex claude")


def dialect_of(way: str) -> ChatDialect:
    name, model, params = WAYS[way]
    row: Any = ROWS[name]
    if params:
        return row.messages  # type: ignore[no-any-return]
    return row.claude if model == CLAUDE else row.chat  # type: ignore[no-any-return]


# --- what a dialect's answers and requests hold -------------------------------------------------------------------

_PLAYED: dict[type, Any] = {
    AnthropicMessages: messages,
    Converse: bedrock,
    InvokeMessages: messages,
    CohereChat: cohere,
    GeminiChat: gemini,
}
# Ids as each API takes them, where it says so.
_FIT: dict[type, str] = {
    AnthropicMessages: r"[a-zA-Z0-9_-]+",
    Converse: r"[a-zA-Z0-9_.:-]{1,64}",
    InvokeMessages: r"[a-zA-Z0-9_-]+",
}


def of_class(table: dict[type, Any], dialect: object, default: Any = None) -> Any:
    return next((table[cls] for cls in type(dialect).__mro__ if cls in table), default)


def turn_said(answer: dict[str, Any]) -> Any:
    """The model's turn in an answer, as it is to go back."""
    match answer:
        case {"output": {"message": {"content": blocks}}} | {"candidates": [{"content": {"parts": blocks}}]}:
            return blocks
        case {"message": message}:
            return message
        case _:
            return answer["content"]


def turn_sent(body: dict[str, Any], place: int) -> Any:
    """The turn at a place of a request."""
    if "contents" in body:
        return body["contents"][place]["parts"]
    turn = body["messages"][place]
    return turn if "tool_calls" in turn else turn["content"]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def tool_ids(body: Any) -> tuple[list[Any], list[Any]]:
    """The ids of the calls, and of the results, in a request of any dialect."""
    calls: list[Any] = []
    results: list[Any] = []
    for each in walk(body):
        match each:
            case {"toolUse": {"toolUseId": id_}}:
                calls.append(id_)
            case {"toolResult": {"toolUseId": id_}} | {"type": "tool_result", "tool_use_id": id_}:
                results.append(id_)
            case {"type": "tool_use", "id": id_} | {"function": _, "id": id_} | {"functionCall": {"id": id_}}:
                calls.append(id_)
            case {"role": "tool", "tool_call_id": id_} | {"functionResponse": {"id": id_}}:
                results.append(id_)
            case _:
                pass
    return calls, results


# --- the conversations --------------------------------------------------------------------------------------------


def answered(way: str, body: bytes) -> ChatCompletionMessage:
    """The message that a provider's answer is."""
    name, model, params = WAYS[way]
    request = ChatRequest(provider=name, model=model, messages=[], params=params, adjustments=[])
    return dialect_of(way).decode_response(body, request).choices[0].message


def conversation(*turns: Any) -> list[Any]:
    """Three turns of the user's, with the model's two between them: calls made together, then a text."""
    calls, text = turns
    made = calls["tool_calls"] if isinstance(calls, dict) else calls.tool_calls
    ids = [call["id"] if isinstance(call, dict) else call.id for call in made]
    assert len(ids) == 2
    return [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "How is it in Zürich and 北京?"},
        calls,
        *({"role": "tool", "tool_call_id": id_, "content": f"{at}1 °C"} for at, id_ in enumerate(ids, 1)),
        text,
        {"role": "user", "content": "And tomorrow?"},
    ]


def by_hand(*ids: str) -> list[Any]:
    """The same, written as plain dicts in OpenAI's shape, with the empty fields that its answers have."""
    calls = [
        {"id": id_, "type": "function", "function": {"name": "weather", "arguments": '{"city": "X"}'}} for id_ in ids
    ]
    empty: dict[str, Any] = {"refusal": None, "annotations": [], "audio": None, "function_call": None}
    return conversation(
        {"role": "assistant", "content": None, "tool_calls": calls, **empty},
        {"role": "assistant", "content": "11 and 21 °C.", "tool_calls": None, **empty},
    )


HANDS = {
    "usual ids": ("call_2gKb6J3mZ0x", "call_9aTq"),
    "ids with dots and colons": ("functions.weather:0", "functions.weather:1"),
    "ids alike in their first 80 letters": (f"call_{'x' * 80}|fc_1", f"call_{'x' * 80}|fc_2"),
}


@pytest.fixture(autouse=True)
def _nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    ours = {
        variable
        for row in ROWS.values()
        for named in (row.key_env, row.base_url_env, *row.option_env.values())
        for variable in variables(named)
    }
    for variable in os.environ:
        if variable in ours or variable.startswith("ONELLM_") or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


async def sent_to(way: str, history: list[Any], server: Loopback) -> Any:
    """The body that a provider is sent for a history."""
    name, model, params = WAYS[way]
    played = wire(dialect_of(way))
    server.plays(Answer(chunks=[played.answer]))
    given: dict[str, Any] = {"tools": [TOOL]} if dialect_of(way).tools else {}
    settings = {"api_key": "sk-histories-0123456789", "base_url": f"{server.url}/base/v9"}
    async with AsyncOneLLM(providers={name: settings}, retry=RetryPolicy(max_retries=0)) as client:
        reply = await client.chat.completions.create(model=f"{name}/{model}", messages=history, **given, **params)
    assert reply.choices[0].message.content == played.text
    return server.requests[-1].json


def check_ids(way: str, body: Any) -> None:
    """Each result has the id of its call, the two differ, and the API takes them."""
    calls, results = tool_ids(body)
    assert calls == results
    assert len(set(calls)) == 2
    dialect = dialect_of(way)
    form = of_class(_FIT, dialect, r".+")
    if isinstance(dialect, OpenAIChat) and dialect.tool_id_length:
        form = rf"[a-zA-Z0-9]{{{dialect.tool_id_length}}}"
    assert all(re.fullmatch(form, id_) for id_ in calls)


@pytest.mark.parametrize("way", NATIVE)
@pytest.mark.parametrize("form", ["message", "dict"])
async def test_an_answer_goes_back_as_it_came(way: str, form: str, server: Loopback) -> None:
    """Every block, thinking and its signatures among them, in the order in which it came; as a Struct or as a dict."""
    played = of_class(_PLAYED, dialect_of(way))
    first = answered(way, played.REASONED)
    second = answered(way, played.ANSWER)
    turns = [first, second] if form == "message" else [json.loads(json.dumps(m.to_dict())) for m in (first, second)]
    body = await sent_to(way, conversation(*turns), server)
    place = 1 if isinstance(dialect_of(way), AnthropicMessages | Converse | GeminiChat) else 2
    assert turn_sent(body, place) == turn_said(json.loads(played.REASONED))
    check_ids(way, body)
    text = json.dumps(body, ensure_ascii=False)
    assert all(secret in text for secret in played.SECRETS)


@pytest.mark.parametrize("way", NATIVE)
@pytest.mark.parametrize("change", ["text", "calls"])
async def test_what_the_caller_changed_is_what_is_sent(way: str, change: str, server: Loopback) -> None:
    """A text that was edited and a call that was taken out stay so, whatever the blocks were that came."""
    played = of_class(_PLAYED, dialect_of(way))
    turn = answered(way, played.REASONED).to_dict()
    history = conversation(turn, answered(way, played.ANSWER))
    if change == "text":
        turn["content"] = "I ask for both."
    else:
        turn["tool_calls"] = turn["tool_calls"][:1]
        del history[4]
    body = await sent_to(way, history, server)
    calls, results = tool_ids(body)
    assert calls == results
    assert len(calls) == (2 if change == "text" else 1)
    if change == "text":
        text = json.dumps(body, ensure_ascii=False)
        assert "I ask for both." in text
        assert "I look." not in text


@pytest.mark.parametrize("source", NATIVE)
@pytest.mark.parametrize("target", WAYS)
async def test_another_provider_gets_what_it_can_read(source: str, target: str, server: Loopback) -> None:
    """No signature and no thought of another's, and nothing under a name that only we have."""
    if source == target:
        pytest.skip("the same way: the test above")
    played = of_class(_PLAYED, dialect_of(source))
    history = conversation(answered(source, played.REASONED), answered(source, played.ANSWER))
    body = await sent_to(target, history, server)
    text = json.dumps(body, ensure_ascii=False)
    assert not [secret for secret in (*played.SECRETS, "provider_data") if secret in text]
    assert "Zürich" in text
    assert "21 °C" in text
    check_ids(target, body)


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("target", WAYS)
async def test_a_history_written_by_hand_goes_to_anyone(hand: str, target: str, server: Loopback) -> None:
    """Whatever the ids look like that another provider gave its calls."""
    body = await sent_to(target, by_hand(*HANDS[hand]), server)
    check_ids(target, body)
    assert "11 and 21 °C." in json.dumps(body, ensure_ascii=False)
