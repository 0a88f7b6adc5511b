"""Chat Completions, embeddings and models as OpenAI writes them.

https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming/streaming, trimmed.
"""

import base64
import json
from array import array
from collections.abc import Sequence
from typing import Any

QUESTION = "What does the sensor say? Grüße, 你好 \u2028"
TEXT = 'It says "21 °C",\nand 你好 \U0001f600\u2028.'

_HEAD = {"id": "chatcmpl-1", "created": 1741569952, "model": "gpt-5.4-mini-2026-03-17", "service_tier": "default"}
_USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 4,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def dump(value: Any) -> bytes:
    """JSON as hosts write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + (value if isinstance(value, bytes) else dump(value)) + b"\n\n"


def whole(
    message: dict[str, Any], finish: str | None = "stop", *, usage: Any = _USAGE, logprobs: Any = None, **more: Any
) -> bytes:
    """An answer with one choice."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "logprobs": logprobs,
        "finish_reason": finish,
    }
    return dump({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": usage, **more})


def chunk(delta: Any, finish: str | None = None, *, index: int = 0, logprobs: Any = None, **more: Any) -> bytes:
    """The event of one chunk with one choice."""
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return event({**_HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None, **more})


def usage_chunk(usage: Any = _USAGE) -> bytes:
    """The chunk that comes last where `stream_options` asks for usage."""
    return event({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": usage})


DONE = event(b"[DONE]")

ANSWER = whole({"content": TEXT, "refusal": None, "annotations": []})
STREAM = [
    chunk({"role": "assistant", "content": "", "refusal": None}),
    *(chunk({"content": TEXT[at : at + 3]}) for at in range(0, len(TEXT), 3)),
    chunk({}, "stop"),
    usage_chunk(),
    DONE,
]

_CALLS = [("call_a", "weather", '{"city": "Zürich"}'), ("call_b", "weather", '{"city": "北京"}')]

TOOL_ANSWER = whole(
    {
        "content": None,
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in _CALLS
        ],
    },
    "tool_calls",
)


def _call_chunks(index: int, id_: str, name: str, arguments: str) -> list[bytes]:
    first = {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [{"index": index, "function": {"arguments": arguments[at : at + 4]}} for at in range(0, len(arguments), 4)]
    return [chunk({"tool_calls": [piece]}) for piece in (first, *pieces)]


TOOL_STREAM = [
    chunk({"role": "assistant", "content": None}),
    *(piece for index, call in enumerate(_CALLS) for piece in _call_chunks(index, *call)),
    chunk({}, "tool_calls"),
    usage_chunk(),
    DONE,
]

UNKNOWN_EVENT = b': a comment\n\nevent: news\ndata: {"object":"chat.completion.news","items":[1,{"a":null}]}\n\n'
OVERLOADED_EVENT = event(
    {
        "error": {
            "message": "The server is overloaded",
            "type": "server_error",
            "param": None,
            "code": "overloaded_error",
        }
    }
)


def refusal(message: str, code: str) -> bytes:
    """The body of an error status."""
    return dump({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}})


def check_chat_body(body: Any, model: str, *, stream: bool) -> None:
    """A row may say more than this, but this it says."""
    assert body["model"] == model
    assert body["messages"] == [{"role": "user", "content": QUESTION}]
    assert body.get("stream", False) is stream


VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -4.0], [1.5, 0.125, -8.0]]


def embeddings(vectors: Sequence[Sequence[float]], *, base64_: bool = True, **more: Any) -> bytes:
    """An answer of these vectors, in base64 as they are asked for, or as floats."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(array("f", vector).tobytes()).decode() if base64_ else list(vector),
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return dump({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage, **more})


def check_embeddings_body(body: Any, model: str, texts: Sequence[str]) -> None:
    """Texts go as a list, the model by its own name."""
    assert body["model"] == model
    assert body["input"] == list(texts)


MODEL_IDS = ["gpt-5.4-mini", "vendor/text-embedding-3-small"]


def _model(id_: str, prefix: str) -> dict[str, Any]:
    return {"id": prefix + id_, "object": "model", "created": 1686935002, "owned_by": "openai", "context": 128000}


def models(prefix: str = "") -> bytes:
    """The list of models."""
    return dump({"object": "list", "data": [_model(id_, prefix) for id_ in MODEL_IDS]})


def model(prefix: str = "") -> bytes:
    """The first of them."""
    return dump(_model(MODEL_IDS[0], prefix))
