"""Real answers that call tools, sent on: to their own provider with their signatures, to the others without.

Whole answers and streams; errors, and answers without calls, are read elsewhere.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.bedrock.converse import Converse
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.protocols import ChatDialect
from onellm.types.chat import ChatCompletionMessage
from onellm.types.chat_params import ChatRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

NATIVE: dict[str, ChatDialect] = {
    "anthropic": AnthropicMessages(),
    "bedrock": Converse(),
    "cohere": CohereChat(),
    "gemini": GeminiChat(),
    "vertexai": GeminiChat(publishers=True),
}
OTHERS: dict[str, ChatDialect] = {**NATIVE, "compatible": OpenAIChat(replay=("reasoning", "reasoning_content"))}
_PATHS = (
    "/v1/messages",
    ":generateContent",
    ":streamGenerateContent?alt=sse",
    "/v2/chat",
    "/converse",
    "/converse-stream",
)
_SIGNATURES = frozenset({"signature", "thoughtSignature", "thought_signature", "redactedContent", "encrypted_content"})


def answers() -> list[Exchange]:
    """Those that may have a call in them."""
    return [
        each
        for each in exchanges()
        if each.provider in NATIVE
        and each.kind in ("chat", "chat_stream")
        and each.status == 200
        and each.url.endswith(_PATHS)
        and any(word in each.body for word in (b"tool_use", b"functionCall", b"tool_calls", b"toolUse"))
    ]


def signatures(value: Any) -> Iterator[str]:
    match value:
        case {"type": "redacted_thinking", "data": str() as signed}:
            yield signed
        case dict():
            for name, inner in value.items():
                if name in _SIGNATURES and isinstance(inner, str) and inner:
                    yield inner
                else:
                    yield from signatures(inner)
        case list():
            for inner in value:
                yield from signatures(inner)
        case _:
            pass


def message_of(exchange: Exchange) -> ChatCompletionMessage:
    """The message that was answered."""
    dialect = NATIVE[exchange.provider]
    asked = ChatRequest(provider=exchange.provider, model="m", messages=[], params={})
    if exchange.kind == "chat":
        return dialect.decode_response(exchange.body, asked).choices[0].message
    reducer = dialect.reducer(asked, max_event_bytes=1 << 24)
    reducer.feed(exchange.body)
    return reducer.close().choices[0].message


MESSAGES = {exchange.id: (exchange.provider, message_of(exchange)) for exchange in answers()}
MESSAGES = {name: found for name, found in MESSAGES.items() if found[1].tool_calls}


def sent(dialect: ChatDialect, provider: str, message: ChatCompletionMessage) -> str:
    """What goes out when the calls of an answer have been made."""
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Go on."},
        message.to_dict(),
        *({"role": "tool", "tool_call_id": call.id, "content": "done"} for call in message.tool_calls or ()),
        {"role": "user", "content": "And now?"},
    ]
    request = ChatRequest(provider=provider, model="m", messages=history, params={}, adjustments=[])
    http = dialect.encode_request(request)
    assert not [note for note in request.adjustments if "was changed" in note]
    return (http.body or b"").decode()


@pytest.mark.parametrize(("provider", "message"), MESSAGES.values(), ids=MESSAGES)
def test_signatures_go_back_to_whom_they_are_from_and_to_nobody_else(
    provider: str, message: ChatCompletionMessage
) -> None:
    found = set(signatures(message.to_dict()))
    assert set(signatures(json.loads(sent(NATIVE[provider], provider, message)))) >= found
    for name, dialect in OTHERS.items():
        if name != provider:
            body = sent(dialect, name, message)
            assert not [each for each in found if each in body], name
            assert "provider_data" not in body


WHOLE = [each for each in answers() if each.kind == "chat" and each.id in MESSAGES]


@pytest.mark.parametrize("exchange", WHOLE, ids=lambda exchange: exchange.id)
def test_no_signature_is_lost_in_reading(exchange: Exchange) -> None:
    """Those of the body are all in the message."""
    kept = set(signatures(MESSAGES[exchange.id][1].to_dict()))
    assert kept >= set(signatures(json.loads(exchange.body)))


def test_how_many_there_are() -> None:
    """Nothing is left out in silence: by provider the answers with calls, those with more than one, and the signed."""
    counted: dict[str, list[int]] = {}
    for provider, message in MESSAGES.values():
        found = counted.setdefault(provider, [0, 0, 0])
        found[0] += 1
        found[1] += len(message.tool_calls or ()) > 1
        found[2] += any(signatures(message.to_dict()))
    assert counted == COUNTS


COUNTS = {
    "anthropic": [7, 5, 0],
    "bedrock": [3, 1, 1],
    "cohere": [16, 6, 0],
    "gemini": [9, 3, 6],
    "vertexai": [14, 7, 14],
}
