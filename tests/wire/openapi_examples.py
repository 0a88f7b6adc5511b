"""Examples of answers from OpenAI's OpenAPI description, by operation.

github.com/openai/openai-openapi, openapi.yaml at 5780008 (`x-oaiMeta`): trimmed, and put right where the example is no
JSON ("...", trailing commas). Fields marked "not in the description" stand for what may be added to it one day. The
diarized transcript, usage of transcriptions and images, the completed upload, the batch, the model and the translation
are made after the description's schemas and not after examples of it.
"""

from typing import Any

_MESSAGE = {"role": "assistant", "content": "Hello there, how may I assist you today?"}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
_DETAILS = {"completion_tokens_details": {"reasoning_tokens": 0}}
_CHAT: dict[str, Any] = {
    "id": "chatcmpl-123",
    "object": "chat.completion",
    "created": 1677652288,
    "model": "gpt-4o-mini",
    "system_fingerprint": "fp_44709d6fcb",
    "choices": [{"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}],
    "usage": _USAGE | _DETAILS,
}
_HELLO = {"token": "Hello", "logprob": -0.31725305, "bytes": [72, 101, 108, 108, 111]}
_END = {"token": "<|end|>", "logprob": -10.953937, "bytes": None}
_CALL = {
    "id": "call_abc123",
    "type": "function",
    "function": {"name": "get_current_weather", "arguments": '{\n"location": "Boston, MA"\n}'},
}

CHAT: dict[str, dict[str, Any]] = {
    "default": _CHAT,
    "image input": _CHAT | {"usage": _USAGE},
    "functions": {
        **_CHAT,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, "tool_calls": [_CALL]},
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
    },
    "logprobs": {
        **_CHAT,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello! How can I assist you today?"},
                "logprobs": {"content": [{**_HELLO, "top_logprobs": [_HELLO, _END]}]},
                "finish_reason": "stop",
            }
        ],
        "system_fingerprint": None,
    },
    "not in the description": {
        **_CHAT,
        "choices": [{**_CHAT["choices"][0], "message": {**_MESSAGE, "mood": {"a": [1, None]}}, "weight": 0.5}],
        "usage": {**_USAGE, "energy": {"joules": 2}},
        "carbon": [{"g": 1}],
    },
}
_CHUNK: dict[str, Any] = {
    "id": "chatcmpl-123",
    "object": "chat.completion.chunk",
    "created": 1694268190,
    "model": "gpt-4o-mini",
    "system_fingerprint": "fp_44709d6fcb",
}
CHAT_STREAM: list[dict[str, Any]] = [
    {**_CHUNK, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
    for delta, finish in (({"role": "assistant", "content": ""}, None), ({"content": "Hello"}, None), ({}, "stop"))
]

COMPLETIONS: dict[str, dict[str, Any]] = {
    "no streaming": {
        "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
        "object": "text_completion",
        "created": 1589478378,
        "model": "gpt-3.5-turbo-instruct",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"text": "\n\nThis is indeed a test", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }
}
EMBEDDINGS: dict[str, dict[str, Any]] = {
    "embeddings": {
        "object": "list",
        "data": [{"object": "embedding", "embedding": [0.0023064255, -0.009327292, -0.0028842222], "index": 0}],
        "model": "text-embedding-ada-002",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
}
IMAGES: dict[str, dict[str, Any]] = {
    "image": {"created": 1589478378, "data": [{"url": "https://..."}, {"url": "https://..."}]},
    "with its usage": {
        "created": 1713833628,
        "data": [{"b64_json": "AA=="}],
        "background": "opaque",
        "output_format": "png",
        "quality": "high",
        "size": "1024x1024",
        "usage": {
            "total_tokens": 100,
            "input_tokens": 50,
            "output_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
    },
}
_BEACH = "The beach was a popular spot on a hot summer day."
TRANSCRIPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("json", {"text": "Imagine the wildest idea that you've ever had."}),
    "usage": (
        "json",
        {
            "text": "Imagine the wildest idea that you've ever had.",
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
                "output_tokens": 45,
                "total_tokens": 59,
            },
        },
    ),
    "word timestamps": (
        "verbose_json",
        {
            "task": "transcribe",
            "language": "english",
            "duration": 8.470000267028809,
            "text": _BEACH,
            "words": [{"word": "The", "start": 0.0, "end": 0.23999999463558197}],
        },
    ),
    "segment timestamps": (
        "verbose_json",
        {
            "task": "transcribe",
            "language": "english",
            "duration": 8.470000267028809,
            "text": _BEACH,
            "segments": [
                {
                    "id": 0,
                    "seek": 0,
                    "start": 0.0,
                    "end": 3.319999933242798,
                    "text": f" {_BEACH}",
                    "tokens": [50364, 440, 7534, 390, 50530],
                    "temperature": 0.0,
                    "avg_logprob": -0.2860786020755768,
                    "compression_ratio": 1.2363636493682861,
                    "no_speech_prob": 0.00985979475080967,
                }
            ],
        },
    ),
    "diarized": (
        "diarized_json",
        {
            "task": "transcribe",
            "duration": 27.4,
            "text": "Agent: Thanks for calling.",
            "segments": [
                {
                    "type": "transcript.text.segment",
                    "id": "seg_001",
                    "start": 0.0,
                    "end": 4.7,
                    "text": "Thanks for calling.",
                    "speaker": "agent",
                }
            ],
            "usage": {"type": "duration", "seconds": 27},
        },
    ),
}
TRANSLATIONS: dict[str, dict[str, Any]] = {
    "default": {"text": "Hello, my name is Wolfgang and I come from Germany."},
}
FILE: dict[str, Any] = {
    "id": "file-abc123",
    "object": "file",
    "bytes": 120000,
    "created_at": 1677610602,
    "filename": "mydata.jsonl",
    "purpose": "fine-tune",
}
FILE_DELETED = {"id": "file-abc123", "object": "file", "deleted": True}
UPLOAD: dict[str, Any] = {
    "id": "upload_abc123",
    "object": "upload",
    "bytes": 2147483648,
    "created_at": 1719184911,
    "filename": "training_examples.jsonl",
    "purpose": "fine-tune",
    "status": "pending",
    "expires_at": 1719127296,
}
UPLOAD_COMPLETED: dict[str, Any] = {
    **UPLOAD,
    "status": "completed",
    "file": {**FILE, "id": "file-xyz321", "bytes": 1147483648, "filename": "training_examples.jsonl"},
}
UPLOAD_PART = {
    "id": "part_def456",
    "object": "upload.part",
    "created_at": 1719185911,
    "upload_id": "upload_abc123",
}
MODEL: dict[str, Any] = {"id": "gpt-4o-mini", "object": "model", "created": 1686935002, "owned_by": "openai"}
BATCH: dict[str, Any] = {
    "id": "batch_abc123",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "errors": None,
    "input_file_id": "file-abc123",
    "completion_window": "24h",
    "status": "completed",
    "output_file_id": "file-cvaTdG",
    "error_file_id": "file-HOWS94",
    "created_at": 1711471533,
    "in_progress_at": 1711471538,
    "expires_at": 1711557933,
    "finalizing_at": 1711493133,
    "completed_at": 1711493163,
    "failed_at": None,
    "expired_at": None,
    "cancelling_at": None,
    "cancelled_at": None,
    "request_counts": {"total": 100, "completed": 95, "failed": 5},
    "metadata": {"customer_id": "user_123456789", "batch_description": "Nightly eval job"},
}
_CATEGORIES = ["sexual", "hate", "harassment", "self-harm", "sexual/minors", "hate/threatening", "violence/graphic"]
MODERATION: dict[str, Any] = {
    "id": "modr-0d9740456c391e43c445bf0f010940c7",
    "model": "omni-moderation-latest",
    "results": [
        {
            "flagged": True,
            "categories": {name: name == "harassment" for name in _CATEGORIES},
            "category_scores": dict.fromkeys(_CATEGORIES, 1.573112165348997e-06),
            "category_applied_input_types": {name: ["text", "image"] for name in _CATEGORIES},
        }
    ],
}
