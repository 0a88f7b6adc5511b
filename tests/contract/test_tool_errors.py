"""A tool that failed, in every provider's words: said where the wire has a word for it, nowhere as an unknown field."""

import json
from typing import Any

import pytest

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.bedrock.converse import Converse
from onellm.dialects.gemini.chat import GeminiChat
from onellm.providers.http import HttpProvider
from onellm.providers.registry import get_provider, list_providers
from onellm.types.chat_params import ChatRequest

CALL = {"id": "callabcd1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "x"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "callabcd1", "content": "no such city", "is_error": True},
]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
# How each format says it; all others leave it to the text.
WORDS: dict[type, Any] = {
    AnthropicMessages: ("is_error", True),
    Converse: ("status", "error"),
    GeminiChat: ("response", {"error": "no such city"}),
}
ROWS = {
    name: row
    for name in list_providers()
    if isinstance(row := get_provider(name), HttpProvider) and row.chat is not None and row.chat.tools
}


def fields(value: Any) -> list[tuple[str, Any]]:
    """Every field of JSON, however deep."""
    if isinstance(value, dict):
        return [*value.items(), *(pair for item in value.values() for pair in fields(item))]
    return [pair for item in value for pair in fields(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", ROWS)
def test_a_failed_tool(name: str) -> None:
    dialect = ROWS[name].chat
    assert dialect is not None
    request = ChatRequest(provider=name, model="m", messages=HISTORY, params={"tools": [TOOL]})
    sent = fields(json.loads(dialect.encode_request(request).body or b""))
    word = next((word for kind, word in WORDS.items() if isinstance(dialect, kind)), None)
    if word is not None:
        assert word in sent
    else:
        assert "is_error" not in dict(sent)
    assert "no such city" in str(sent)
