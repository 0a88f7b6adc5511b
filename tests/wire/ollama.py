"""The chat, text completions, embeddings and models as Ollama writes them.

https://github.com/ollama/ollama/blob/main/docs/api.md, trimmed. An error inside a stream has a text alone there; the
status beside it, as a gateway says it, stands for what would have been a 503.
"""

import json
from collections.abc import Sequence
from typing import Any

from wire.chat_completions import QUESTION, TEXT, dump

__all__ = ["QUESTION", "TEXT"]

MODEL = "llama3.2"
WHEN = "2025-08-20T13:48:02.294374123Z"
STREAM_TYPE = "application/x-ndjson"
TIMES = {
    "total_duration": 142639084,
    "load_duration": 44742834,
    "prompt_eval_duration": 38787583,
    "eval_duration": 5877,
}
COUNTS = {"prompt_eval_count": 26, "eval_count": 12}


def line(**fields: Any) -> bytes:
    """One line of a stream."""
    return dump({"model": MODEL, "created_at": WHEN, **fields}) + b"\n"


def said(content: str = "", **more: Any) -> bytes:
    """A line that adds to the message."""
    return line(message={"role": "assistant", "content": content, **more}, done=False)


def end(reason: str | None = "stop", **more: Any) -> bytes:
    why = {} if reason is None else {"done_reason": reason}
    return line(message={"role": "assistant", "content": ""}, done=True, **why, **TIMES, **COUNTS, **more)


def whole(message: dict[str, Any], reason: str = "stop", **more: Any) -> bytes:
    """An answer that comes whole."""
    told = {"message": {"role": "assistant", "content": "", **message}, "done": True, "done_reason": reason}
    return dump({"model": MODEL, "created_at": WHEN, **told, **TIMES, **COUNTS, **more})


def pieces(text: str, size: int = 3) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


ANSWER = whole({"content": TEXT})
STREAM = [*map(said, pieces(TEXT)), end()]

THOUGHT = "Both cities, then."
CALLS = [
    {"id": "call_wx2k8a1b", "function": {"index": 0, "name": "weather", "arguments": {"city": "Zürich"}}},
    {"id": "call_9fz01mme", "function": {"index": 1, "name": "weather", "arguments": {"city": "北京"}}},
]
TOOL_ANSWER = whole({"thinking": THOUGHT, "tool_calls": CALLS})
TOOL_STREAM = [
    *(said(thinking=piece) for piece in pieces(THOUGHT)),
    *(said(tool_calls=[call]) for call in CALLS),
    end(),
]
UNKNOWN_EVENT = b"\n" + line(news=[1, None], done=False) + b"\r\n"
OVERLOADED_EVENT = dump({"error": "The server is overloaded", "status": 503}) + b"\n"


def refusal(message: str, code: str) -> bytes:  # noqa: ARG001 - it has no codes
    """The body of an error status."""
    return json.dumps({"error": message}).encode()


def check_chat_body(body: Any, model: str, *, stream: bool) -> None:
    """Nothing but what was asked, and whether it is to be streamed, which it would be unasked."""
    assert body == {"model": model, "messages": [{"role": "user", "content": QUESTION}], "stream": stream}


VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -4.0], [1.5, 0.125, -8.0]]


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    """An answer of these vectors."""
    return dump(
        {
            "model": MODEL,
            "embeddings": [list(vector) for vector in vectors],
            "total_duration": 25770000,
            "load_duration": 8437500,
            "prompt_eval_count": 9,
        }
    )


def check_embeddings_body(body: Any, model: str, given: Sequence[str]) -> None:
    assert body == {"model": model, "input": list(given)}


MODEL_IDS = ["llama3.2:latest", "qwen3:14b"]
DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "3.2B",
    "quantization_level": "Q4_K_M",
}


def models(prefix: str = "") -> bytes:  # noqa: ARG001 - it has none
    """The list of models."""
    found = [
        {"name": id_, "model": id_, "modified_at": WHEN, "size": 2019393189, "digest": "a80c4f17", "details": DETAILS}
        for id_ in MODEL_IDS
    ]
    return dump({"models": found})


def model(prefix: str = "") -> bytes:  # noqa: ARG001 - likewise
    """The first of them, which is not named again."""
    return dump(
        {
            "modelfile": "FROM llama3.2",
            "parameters": "num_keep 24",
            "template": "{{ .Prompt }}",
            "details": DETAILS,
            "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
            "capabilities": ["completion", "tools"],
            "modified_at": WHEN,
        }
    )


LAYER = "sha256:dde5aa3fc5ffc17176b5e8bdc82f587b24b2678c6c66101bf7da77af9f7ccdff"
PULL: list[dict[str, Any]] = [
    {"status": "pulling manifest"},
    {"status": "pulling dde5aa3fc5ff", "digest": LAYER, "total": 2019377376},
    {"status": "pulling dde5aa3fc5ff", "digest": LAYER, "total": 2019377376, "completed": 1009688688},
    {"status": "pulling dde5aa3fc5ff", "digest": LAYER, "total": 2019377376, "completed": 2019377376},
    {"status": "verifying sha256 digest"},
    {"status": "writing manifest"},
    {"status": "success"},
]
PULL_STREAM = [dump(progress) + b"\n" for progress in PULL]
