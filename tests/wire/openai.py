"""Chat Completions, in the shapes of OpenAI's documentation.

https://platform.openai.com/docs/api-reference/chat/object, …/chat-streaming/streaming and
https://platform.openai.com/docs/guides/error-codes
"""

from typing import Any

ASK: dict[str, Any] = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello"}]}

USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}

CHAT: dict[str, Any] = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-5.4-mini-2026-03-05",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Good day to you.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
    "service_tier": "default",
    "system_fingerprint": "fp_44709d6fcb",
}


def chunk(delta: dict[str, Any], finish: str | None = None, **changed: Any) -> dict[str, Any]:
    """One chunk of the answer above."""
    return {
        "id": CHAT["id"],
        "object": "chat.completion.chunk",
        "created": CHAT["created"],
        "model": CHAT["model"],
        "service_tier": "default",
        "system_fingerprint": CHAT["system_fingerprint"],
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        **changed,
    }


# The same answer as it is streamed with `stream_options: {"include_usage": true}`.
PIECES = ["Good ", "day ", "to ", "you."]
STREAM: list[dict[str, Any]] = [
    chunk({"role": "assistant", "content": "", "refusal": None}),
    *(chunk({"content": piece}) for piece in PIECES),
    chunk({}, "stop"),
    chunk({}, choices=[], usage=USAGE),
]


def _error(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


BAD_REQUEST = _error("Invalid value: 'robot'.", "invalid_request_error", "invalid_value", "messages[0].role")
INVALID_KEY = _error("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
MODEL_NOT_FOUND = _error("The model `gpt-9` does not exist.", "invalid_request_error", "model_not_found")
CONTEXT_LENGTH = _error(
    "This model's maximum context length is 128000 tokens.",
    "invalid_request_error",
    "context_length_exceeded",
    "messages",
)
RATE_LIMIT = _error("Rate limit reached for requests", "requests", "rate_limit_exceeded")
NO_QUOTA = _error(
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota",
    "insufficient_quota",
)
SERVER_ERROR = _error("The server had an error while processing your request.", "server_error")
