"""Text completions as hosts send them; the shapes are those of recorded answers, shortened."""

from typing import Any

WHOLE: dict[str, Any] = {
    "id": "cmpl-8wq42D1Socatcl1rCmgYZOFX7dFZw",
    "object": "text_completion",
    "created": 1709033850,
    "model": "davinci-002",
    "choices": [{"text": " blue, ünd 🌊.\n", "index": 0, "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 16, "total_tokens": 24},
}


def chunk(*texts: str, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk, with one choice for each text."""
    choices = [
        {"text": text, "index": index, "logprobs": None, "finish_reason": finish} for index, text in enumerate(texts)
    ]
    return {**{key: WHOLE[key] for key in ("id", "object", "created", "model")}, "choices": choices, **fields}


STREAM = [
    chunk(" blue,"),
    chunk(" ünd 🌊"),
    chunk(".\n"),
    chunk("", finish="length"),
    {**chunk(), "usage": WHOLE["usage"]},
]

# Mistral's answer to `fim/completions`, by its SDK's FIMCompletionResponse.
FIM_WHOLE: dict[str, Any] = {
    "id": "447e3e0d457e42e98248b5d2ef52a2a3",
    "object": "chat.completion",
    "created": 1759496862,
    "model": "codestral-2508",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "return a + b\n", "tool_calls": None, "prefix": False},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 8, "completion_tokens": 91, "total_tokens": 99},
}


def fim_chunk(content: str, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        **{key: FIM_WHOLE[key] for key in ("id", "created", "model")},
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}],
        **fields,
    }


FIM_STREAM = [
    fim_chunk(""),
    fim_chunk("return a"),
    fim_chunk(" + b\n"),
    fim_chunk("", "stop", usage=FIM_WHOLE["usage"]),
]
