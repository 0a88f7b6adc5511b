"""Nothing is dropped in silence: what a native dialect is given it sends, says that it changed, or refuses.

An argument may go without a trace only where it asks for what the host does anyway.
"""

import json
from typing import Any

import pytest

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.bedrock.converse import Converse
from onellm.dialects.bedrock.messages import InvokeMessages
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.protocols import ChatDialect
from onellm.errors import InvalidRequestError, UnsupportedParameterError
from onellm.types.chat_params import NATIVE_OPTIONS, ChatParams, ChatRequest
from onellm.types.options import ModelOptions

DIALECTS: dict[str, ChatDialect] = {
    "anthropic": AnthropicMessages(),
    "bedrock": Converse(),
    "bedrock claude": InvokeMessages(),
    "cohere": CohereChat(),
    "google": GeminiChat(),
    "vertex": GeminiChat(publishers=True, tier_header="X-Tier", labels=True, store=False),
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}}
# A value or more of each argument that asks for something, with what it needs beside it.
ASKING: dict[str, list[Any]] = {
    "audio": [{"voice": "v", "format": "mp3"}],
    "cache": ["1h"],
    "frequency_penalty": [0.5],
    "function_call": ["auto"],
    "functions": [[{"name": "f"}]],
    "logit_bias": [{"1": 2}],
    "logprobs": [True],
    "max_completion_tokens": [6],
    "max_tokens": [5],
    "metadata": [{"a": "b"}],
    "modalities": [["text", "audio"]],
    "moderation": [{"model": "m"}],
    "n": [2],
    "parallel_tool_calls": [False],
    "prediction": [{"type": "content", "content": "x"}],
    "presence_penalty": [0.5],
    "prompt_cache_key": ["k"],
    "prompt_cache_options": [{"mode": "explicit"}],
    "prompt_cache_retention": ["24h"],
    "reasoning_effort": ["none", "minimal", "high", "max"],
    "response_format": [{"type": "json_object"}, SCHEMA],
    "safety_identifier": ["u"],
    "seed": [3],
    "service_tier": ["flex", "priority"],
    "stop": ["x", ["a", "b"]],
    "store": [True],
    "stream_options": [{"include_obfuscation": True}],
    "temperature": [0.3, 1.7],
    "tool_choice": ["none", "required", {"type": "function", "function": {"name": "f"}}],
    "tools": [[TOOL]],
    "top_logprobs": [2],
    "top_p": [0.5],
    "user": ["u"],
    "verbosity": ["low"],
    "web_search_options": [{}, {"search_context_size": "high"}],
}
WITH: dict[str, dict[str, Any]] = {
    "parallel_tool_calls": {"tools": [TOOL]},
    "tool_choice": {"tools": [TOOL]},
    "top_logprobs": {"logprobs": True},
}
CASES = [(name, value) for name, values in ASKING.items() for value in values]


def sent(dialect: ChatDialect, params: dict[str, Any]) -> tuple[Any, Any, list[str]]:
    """Body, headers and notes of a call."""
    messages = [{"role": "user", "content": "hi"}]
    request = ChatRequest(provider="p", model="m", messages=messages, params=params, adjustments=[])
    http = dialect.encode_request(request)
    return json.loads(http.body or b""), dict(http.headers), request.adjustments


def test_all_arguments_are_tried() -> None:
    """Those of all calls, and options of one API, are tested by themselves."""
    assert set(ChatParams.__annotations__) - set(ModelOptions.__annotations__) - NATIVE_OPTIONS == set(ASKING)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(CASES)])
def test_an_argument_leaves_a_trace(dialect: ChatDialect, name: str, value: Any) -> None:
    """It changes what is sent, or is in the answer's adjustments; or the call is refused, by the argument's name."""
    beside = WITH.get(name, {})
    try:
        without = sent(dialect, dict(beside))
    except UnsupportedParameterError:
        without = sent(dialect, {})
    refusal = ""
    given = without
    try:
        given = sent(dialect, {**beside, name: value})
    except UnsupportedParameterError as exc:
        refusal = str(exc)
    if refusal:
        assert name in refusal or (name == "top_logprobs" and "logprobs" in refusal)
        assert '; or pass on_unsupported="drop"' in refusal
    else:
        assert given != without


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_call_is_asked_for_where_there_are_no_tools(dialect: ChatDialect) -> None:
    """It is the caller's mistake, and no wish to be forgotten."""
    params = {"tool_choice": "required"}
    if isinstance(dialect, CohereChat):
        assert sent(dialect, params)[0]["tool_choice"] == "REQUIRED"  # its API says so
        return
    with pytest.raises((InvalidRequestError, UnsupportedParameterError), match="tool"):
        sent(dialect, params)
