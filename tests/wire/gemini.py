"""generateContent, embeddings and models as Google writes them.

https://ai.google.dev/api/generate-content, trimmed; shapes as recorded in real traffic.
"""

from collections.abc import Sequence
from typing import Any

from wire.chat_completions import dump, event

QUESTION = "What does the sensor say? Grüße, 你好 \u2028"
TEXT = 'It says "21 °C",\nand 你好 \U0001f600\u2028.'

_HEAD = {"modelVersion": "gemini-3.8-flash", "responseId": "r1"}
_USAGE = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 9,
    "thoughtsTokenCount": 8,
    "totalTokenCount": 29,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
}
_CALLS = [("fc1", {"city": "Zürich"}), ("fc2", {"city": "北京"})]
SIGNATURE = "Q2lRQjBlSFl2ZGFtcA=="
THOUGHT = "Plan: look it up."


def chunk(*parts: Any, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """The JSON of an answer, or of a chunk, with one candidate."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    if finish is not None:
        candidate["finishReason"] = finish
    return dump({"candidates": [candidate], "usageMetadata": _USAGE, **_HEAD, **more})


_THINKING = {"text": THOUGHT, "thought": True}
_SIGNED_CALLS = [
    {"functionCall": {"id": "fc1", "name": "weather", "args": _CALLS[0][1]}, "thoughtSignature": SIGNATURE},
    {"functionCall": {"id": "fc2", "name": "weather", "args": _CALLS[1][1]}},
]

ANSWER = chunk(_THINKING, {"text": TEXT}, finish="STOP")
STREAM = [
    event(chunk(_THINKING)),
    *(event(chunk({"text": TEXT[at : at + 3]})) for at in range(0, len(TEXT), 3)),
    event(chunk({"text": ""}, finish="STOP")),
]
TOOL_ANSWER = chunk(*_SIGNED_CALLS, finish="STOP")
REASONED = chunk(_THINKING, {"text": "I look."}, *_SIGNED_CALLS, finish="STOP")
SECRETS = (SIGNATURE, THOUGHT)
TOOL_STREAM = [*(event(chunk(part)) for part in _SIGNED_CALLS), event(chunk(finish="STOP"))]

UNKNOWN_EVENT = b': a comment\n\nevent: news\ndata: {"object":"news","items":[1,{"a":null}]}\n\n'
OVERLOADED_EVENT = event({"error": {"code": 503, "message": "The server is overloaded", "status": "UNAVAILABLE"}})


def refusal(message: str, code: str) -> bytes:
    """The body of an error status; the status in it is the one that is documented for the code."""
    return dump({"error": {"message": message, "status": code}})


def check_chat_body(body: Any, model: str, *, stream: bool) -> None:  # noqa: ARG001 - they stand in the path
    assert body["contents"] == [{"role": "user", "parts": [{"text": QUESTION}]}]
    assert "model" not in body
    assert "stream" not in body


VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -4.0], [1.5, 0.125, -8.0]]


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    return dump({"embeddings": [{"values": list(vector)} for vector in vectors]})


def predictions(vectors: Sequence[Sequence[float]]) -> bytes:
    return dump(
        {
            "predictions": [
                {"embeddings": {"values": list(vector), "statistics": {"token_count": 3, "truncated": False}}}
                for vector in vectors
            ],
            "metadata": {"billableCharacterCount": 3},
        }
    )


def check_embeddings_body(body: Any, model: str, texts: Sequence[str]) -> None:
    """The model stands beside each text."""
    assert body["requests"] == [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}} for text in texts]


def check_predictions_body(body: Any, model: str, texts: Sequence[str]) -> None:  # noqa: ARG001 - in the path
    assert body == {"instances": [{"content": text} for text in texts]}


MODEL_IDS = ["gemini-3.8-flash", "gemini-embedding-001"]


def _model(id_: str) -> dict[str, Any]:
    return {"name": f"models/{id_}", "displayName": id_, "inputTokenLimit": 1048576, "thinking": True}


def models(prefix: str = "") -> bytes:  # noqa: ARG001 - the names have one of their own
    return dump({"models": [_model(id_) for id_ in MODEL_IDS]})


def model(prefix: str = "") -> bytes:  # noqa: ARG001 - likewise
    return dump(_model(MODEL_IDS[0]))


def _published(id_: str) -> dict[str, Any]:
    return {"name": f"publishers/google/models/{id_}", "versionId": "default", "launchStage": "GA"}


def publisher_models(prefix: str = "") -> bytes:  # noqa: ARG001 - likewise
    return dump({"publisherModels": [_published(id_) for id_ in MODEL_IDS]})


def publisher_model(prefix: str = "") -> bytes:  # noqa: ARG001 - likewise
    return dump(_published(MODEL_IDS[0]))
