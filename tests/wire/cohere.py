"""The v2 chat, embeddings and models as Cohere writes them.

https://docs.cohere.com/reference/chat, https://docs.cohere.com/docs/streaming and
https://docs.cohere.com/docs/tool-use-streaming, trimmed. How a gateway says inside a stream that it is overloaded is
not documented: here it sends the body that the status would have had.
"""

import json
from collections.abc import Sequence
from typing import Any

from wire.chat_completions import QUESTION, TEXT, dump

__all__ = ["QUESTION", "TEXT"]

USAGE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 12},
    "tokens": {"input_tokens": 71.0, "output_tokens": 23, "reasoning_tokens": 4},
    "cached_tokens": 16,
}
ID = "c14c80c3-18eb-4519-9460-6c92edd8cfb4"


def event(kind: str, **fields: Any) -> bytes:
    """One server-sent event, named as its `type`."""
    return f"event: {kind}\ndata: ".encode() + dump({"type": kind, **fields}) + b"\n\n"


def delta(kind: str, index: int | None, message: dict[str, Any], **more: Any) -> bytes:
    place = {} if index is None else {"index": index}
    return event(kind, **place, delta={"message": message}, **more)


START = event(
    "message-start",
    id=ID,
    delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
)
DONE = b"data: [DONE]\n\n"


def end(finish: str | None = "COMPLETE", *, usage: Any = USAGE, **more: Any) -> bytes:
    return event("message-end", delta={"finish_reason": finish, "usage": usage, **more})


def content(index: int, text: str, kind: str = "text", size: int = 3) -> list[bytes]:
    """The events of one item of the content."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        delta("content-start", index, {"content": {"type": kind, kind: ""}}),
        *(delta("content-delta", index, {"content": {kind: piece}}) for piece in pieces),
        event("content-end", index=index),
    ]


def plan(text: str) -> list[bytes]:
    return [delta("tool-plan-delta", None, {"tool_plan": text[at : at + 4]}) for at in range(0, len(text), 4)]


def call(index: int, id_: str, name: str, arguments: str) -> list[bytes]:
    """The events of one tool call."""
    first = {"id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [arguments[at : at + 4] for at in range(0, len(arguments), 4)]
    return [
        delta("tool-call-start", index, {"tool_calls": first}),
        *(delta("tool-call-delta", index, {"tool_calls": {"function": {"arguments": piece}}}) for piece in pieces),
        event("tool-call-end", index=index),
    ]


def citation(index: int, cited: dict[str, Any]) -> list[bytes]:
    return [delta("citation-start", index, {"citations": cited}), event("citation-end", index=index)]


def whole(message: dict[str, Any], finish: str | None = "COMPLETE", *, usage: Any = USAGE, **more: Any) -> bytes:
    """An answer that comes whole."""
    return dump(
        {"id": ID, "finish_reason": finish, "message": {"role": "assistant", **message}, "usage": usage, **more}
    )


def texts(*items: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": item} for item in items]


ANSWER = whole({"content": texts(TEXT)})
STREAM = [START, *content(0, TEXT), end(), DONE]

PLAN = "I will ask for the weather of both."
CALLS = [("weather_nsz5zm3w56q3", "weather", '{"city": "Zürich"}'), ("weather_9zq2", "weather", '{"city": "北京"}')]
TOOL_ANSWER = whole(
    {
        "tool_plan": PLAN,
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in CALLS
        ],
    },
    "TOOL_CALL",
)
REASONED = whole(
    {
        "content": [{"type": "thinking", "thinking": "Both, then."}],
        "tool_plan": PLAN,
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in CALLS
        ],
    },
    "TOOL_CALL",
)
SECRETS = ("Both, then.",)
TOOL_STREAM = [
    START,
    *plan(PLAN),
    *(piece for index, one in enumerate(CALLS) for piece in call(index, *one)),
    end("TOOL_CALL"),
    DONE,
]

UNKNOWN_EVENT = b": a comment\n\n" + event("debug", prompt="<BOS>") + event("news", index=0, delta={"items": [1, None]})
OVERLOADED_EVENT = b"data: " + dump({"id": ID, "message": "The server is overloaded", "status_code": 503}) + b"\n\n"


def refusal(message: str, code: str) -> bytes:  # noqa: ARG001 - it has no codes
    """The body of an error status."""
    return json.dumps({"id": ID, "message": message}).encode()


def check_chat_body(body: Any, model: str, *, stream: bool) -> None:
    """Nothing but what was asked."""
    asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    assert body == ({**asked, "stream": True} if stream else asked)


VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -4.0], [1.5, 0.125, -8.0]]


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    """An answer of these vectors."""
    billed = {"input_tokens": 5, "image_tokens": 0}
    return dump(
        {
            "id": ID,
            "embeddings": {"float": [list(vector) for vector in vectors]},
            "texts": ["…"] * len(vectors),
            "meta": {"api_version": {"version": "2"}, "billed_units": billed},
            "response_type": "embeddings_by_type",
        }
    )


def check_embeddings_body(body: Any, model: str, given: Sequence[str]) -> None:
    """What the vectors are for is always said."""
    assert body == {
        "model": model,
        "texts": list(given),
        "input_type": "search_document",
        "embedding_types": ["float"],
    }


MODEL_IDS = ["command-a-plus-05-2026", "embed-v4.0"]


def _model(id_: str) -> dict[str, Any]:
    return {
        "name": id_,
        "endpoints": ["chat"],
        "features": ["tools"],
        "finetuned": False,
        "context_length": 128000,
        "is_deprecated": False,
    }


def models(prefix: str = "") -> bytes:  # noqa: ARG001 - it has none
    """The list of models, on one page."""
    return dump({"models": [_model(id_) for id_ in MODEL_IDS]})


def model(prefix: str = "") -> bytes:  # noqa: ARG001 - likewise
    """The first of them."""
    return dump(_model(MODEL_IDS[0]))
