"""Converse, embeddings by InvokeModel and the list of models, in the shapes of Bedrock's API reference.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html; the padding `p` is as it is
seen on the wire.
"""

import json
from collections.abc import Sequence
from typing import Any

from wire.chat_completions import QUESTION, TEXT, VECTORS
from wire.eventstream import event, exception

__all__ = ["QUESTION", "TEXT", "VECTORS", "event", "exception"]

STREAM_TYPE = "application/vnd.amazon.eventstream"
_USAGE = {
    "inputTokens": 11,
    "outputTokens": 10,
    "totalTokens": 29,
    "cacheReadInputTokens": 8,
    "cacheWriteInputTokens": 0,
    "serverToolUsage": {},
}
_METRICS = {"latencyMs": 321}


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def whole(content: Sequence[Any], stop: str = "end_turn", **more: Any) -> bytes:
    """An answer of these blocks."""
    message = {"role": "assistant", "content": content}
    return dump({"metrics": _METRICS, "output": {"message": message}, "stopReason": stop, "usage": _USAGE, **more})


def delta(number: int, said: Any) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": number, "delta": said, "p": "abcdefgh"})


def start(number: int, said: Any) -> bytes:
    return event("contentBlockStart", {"contentBlockIndex": number, "start": said, "p": "ab"})


def stop(number: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": number, "p": "abc"})


BEGIN = event("messageStart", {"role": "assistant", "p": "abcd"})


def end(reason: str = "end_turn", **more: Any) -> list[bytes]:
    """What follows the last block."""
    return [
        event("messageStop", {"stopReason": reason, "p": "a"}),
        event("metadata", {"usage": _USAGE, "metrics": _METRICS, "p": "ab", **more}),
    ]


ANSWER = whole([{"text": TEXT}])
STREAM = [
    BEGIN,
    *(delta(0, {"text": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)),
    stop(0),
    *end(),
]

_CALLS = [("tooluse_a", "weather", '{"city":"Zürich"}'), ("tooluse_b", "weather", '{"city":"北京"}')]
TOOL_ANSWER = whole(
    [{"toolUse": {"toolUseId": id_, "name": name, "input": json.loads(given)}} for id_, name, given in _CALLS],
    "tool_use",
)

REASONED = whole(
    [
        {"reasoningContent": {"reasoningText": {"text": "Both, then.", "signature": "EqoBSIGNED=="}}},
        {"reasoningContent": {"redactedContent": "EmwKREDACTED=="}},
        {"text": "I look."},
        *({"toolUse": {"toolUseId": id_, "name": name, "input": json.loads(given)}} for id_, name, given in _CALLS),
    ],
    "tool_use",
)
SECRETS = ("EqoBSIGNED==", "EmwKREDACTED==", "Both, then.")


def tool_events(number: int, id_: str, name: str, given: str) -> list[bytes]:
    return [
        start(number, {"toolUse": {"toolUseId": id_, "name": name}}),
        *(delta(number, {"toolUse": {"input": given[at : at + 4]}}) for at in range(0, len(given), 4)),
        stop(number),
    ]


TOOL_STREAM = [
    BEGIN,
    *(piece for number, call in enumerate(_CALLS) for piece in tool_events(number, *call)),
    *end("tool_use"),
]
UNKNOWN_EVENT = event("newsOfNextYear", {"items": [1, {"a": None}], "contentBlockIndex": 7})
OVERLOADED_EVENT = exception("serviceUnavailableException", {"message": "The server is overloaded"})


def refusal(message: str, code: str) -> bytes:
    """The body of an error status; the code may stand in a header instead."""
    return dump({"__type": f"com.amazon.coral.service#{code}", "message": message})


def check_chat_body(body: Any, model: str, *, stream: bool) -> None:  # noqa: ARG001 - both stand in the path
    assert body == {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]}


EMBEDDING_MODEL = "cohere.embed-v4:0"


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    return dump({"id": "1", "texts": ["a"] * len(vectors), "embeddings": {"float": [list(one) for one in vectors]}})


def check_embeddings_body(body: Any, model: str, texts: Sequence[str]) -> None:  # noqa: ARG001 - it is in the path
    assert body == {"texts": list(texts), "input_type": "search_document"}


MODEL_IDS = ["amazon.nova-micro-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"]


def _model(id_: str) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{id_}"
    return {"modelId": id_, "modelArn": arn, "providerName": "Amazon", "modelLifecycle": {"status": "ACTIVE"}}


def models(prefix: str = "") -> bytes:  # noqa: ARG001 - the suite's
    return dump({"modelSummaries": [_model(id_) for id_ in MODEL_IDS]})


def model(prefix: str = "") -> bytes:  # noqa: ARG001 - the suite's
    return dump({"modelDetails": _model(MODEL_IDS[0])})
