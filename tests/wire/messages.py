"""The Messages API as its inventor writes it.

https://platform.claude.com/docs/en/api/messages and …/build-with-claude/streaming, trimmed.
"""

from collections.abc import Sequence
from typing import Any

from wire.chat_completions import QUESTION, TEXT, dump

_CALLS = [("toolu_a", "weather", {"city": "Zürich"}), ("toolu_b", "weather", {"city": "北京"})]
USAGE = {
    "input_tokens": 11,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 8,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 10,
    "output_tokens_details": {"thinking_tokens": 4},
    "service_tier": "standard",
}


def event(value: dict[str, Any]) -> bytes:
    """One event, named as its type."""
    return b"event: " + str(value["type"]).encode() + b"\ndata: " + dump(value) + b"\n\n"


def whole(content: Sequence[dict[str, Any]], stop: str = "end_turn", **more: Any) -> bytes:
    """A message that came at once."""
    return dump({**_head(), "content": content, "stop_reason": stop, "stop_sequence": None, "usage": USAGE, **more})


def _head() -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6"}


def start(usage: Any = None) -> bytes:
    """The event that a stream begins with."""
    first = {**USAGE, "output_tokens": 1} if usage is None else usage
    message: dict[str, Any] = {**_head(), "content": [], "stop_reason": None, "stop_sequence": None, "usage": first}
    return event({"type": "message_start", "message": message})


def block(index: int, begin: dict[str, Any], *deltas: dict[str, Any]) -> list[bytes]:
    """The events of one block."""
    return [
        event({"type": "content_block_start", "index": index, "content_block": begin}),
        *(event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas),
        event({"type": "content_block_stop", "index": index}),
    ]


def text_block(index: int, text: str, size: int = 3) -> list[bytes]:
    """The events of a block of text, in pieces."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def tool_block(index: int, id_: str, name: str, arguments: str, size: int = 4) -> list[bytes]:
    """The events of a tool call, its arguments in pieces; the first is empty, as the API's is."""
    pieces = ["", *(arguments[at : at + size] for at in range(0, len(arguments), size))]
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block(index, {"type": "tool_use", "id": id_, "name": name, "input": {}}, *deltas)


def end(stop: str = "end_turn", usage: Any = None, **more: Any) -> list[bytes]:
    """The events that a stream ends with."""
    counted = {"output_tokens": USAGE["output_tokens"]} if usage is None else usage
    delta = {"stop_reason": stop, "stop_sequence": None, **more}
    return [event({"type": "message_delta", "delta": delta, "usage": counted}), event({"type": "message_stop"})]


PING = event({"type": "ping"})
ANSWER = whole([{"type": "text", "text": TEXT, "citations": None}])
STREAM = [start(), *text_block(0, TEXT)[:1], PING, *text_block(0, TEXT)[1:], *end()]
TOOL_ANSWER = whole(
    [{"type": "tool_use", "id": id_, "name": name, "input": given} for id_, name, given in _CALLS], "tool_use"
)
REASONED = whole(
    [
        {"type": "thinking", "thinking": "Both, then.", "signature": "EqoBSIGNED=="},
        {"type": "redacted_thinking", "data": "EmwKREDACTED=="},
        {"type": "text", "text": "I look."},
        *({"type": "tool_use", "id": id_, "name": name, "input": given} for id_, name, given in _CALLS),
    ],
    "tool_use",
)
SECRETS = ("EqoBSIGNED==", "EmwKREDACTED==", "Both, then.")
TOOL_STREAM = [
    start(),
    *(
        piece
        for index, (id_, name, given) in enumerate(_CALLS)
        for piece in tool_block(index, id_, name, dump(given).decode())
    ),
    *end("tool_use"),
]
UNKNOWN_EVENT = (
    b': a comment\n\nevent: news\ndata: {"type":"news","items":[1,{"a":null}]}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"hum","note":1}}\n\n'
)
OVERLOADED_EVENT = event(
    {"type": "error", "error": {"type": "overloaded_error", "message": "The server is overloaded"}}
)


def refusal(message: str, code: str) -> bytes:
    """The body of an error status."""
    error = {"type": "invalid_request_error", "message": message, "details": {"error_code": code}}
    return dump({"type": "error", "error": error, "request_id": "req_1"})


def check_body(body: Any, model: str, *, stream: bool) -> None:
    assert body["model"] == model
    assert body["messages"] == [{"role": "user", "content": QUESTION}]
    assert body["max_tokens"] == 32_000
    assert body.get("stream", False) is stream


MODEL_IDS = ["claude-opus-5-5", "claude-haiku-4-5"]


def _model(id_: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": id_,
        "display_name": id_,
        "created_at": "2026-02-05T00:00:00Z",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


def models(_: str = "") -> bytes:
    """The list of models, in one page."""
    data = [_model(id_) for id_ in MODEL_IDS]
    return dump({"data": data, "has_more": False, "first_id": MODEL_IDS[0], "last_id": MODEL_IDS[-1]})


def model(_: str = "") -> bytes:
    """The first of them."""
    return dump(_model(MODEL_IDS[0]))
