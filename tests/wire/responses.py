"""Responses as OpenAI documents and sends them, shortened.

https://platform.openai.com/docs/api-reference/responses/object, https://platform.openai.com/docs/api-reference/responses-streaming
"""

import json
from typing import Any

REASONING: dict[str, Any] = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Add."}],
    "encrypted_content": "gAAAAABo==",
    "never_heard_of": {"a": [1.50, None]},
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [
        {
            "type": "output_text",
            "text": "Grüße, 🌊!",
            "annotations": [
                {"type": "url_citation", "url": "https://a.b", "title": "A", "start_index": 0, "end_index": 5}
            ],
            "logprobs": [],
        }
    ],
}
CALL: dict[str, Any] = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Rome"}',
}
NEW: dict[str, Any] = {"id": "new_1", "type": "telepathy_call", "thought": "…"}
USAGE: dict[str, Any] = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 123,
}
WHOLE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "model": "gpt-5.4-mini",
    "output": [REASONING, MESSAGE, CALL, NEW],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": "low", "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [{"type": "function", "name": "weather", "parameters": {}, "strict": True}],
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": USAGE,
    "metadata": {"type": "error"},
    "billing": {"payer": "developer"},
}
BEGUN = WHOLE | {"status": "in_progress", "output": [], "usage": None}
_PLACE = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": BEGUN},
    {"type": "response.in_progress", "response": BEGUN},
    {"type": "response.output_item.added", "output_index": 0, "item": REASONING},
    {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
    {"type": "response.output_item.added", "output_index": 1, "item": MESSAGE | {"content": []}},
    {
        "type": "response.content_part.added",
        **_PLACE,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {"type": "response.output_text.delta", **_PLACE, "delta": "Grüße, ", "logprobs": [], "obfuscation": "x"},
    {"type": "response.output_text.delta", **_PLACE, "delta": "🌊!", "logprobs": []},
    {"type": "response.telepathy.delta", "thought": "…"},
    {"type": "response.output_text.done", **_PLACE, "text": "Grüße, 🌊!", "logprobs": []},
    {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
    {"type": "response.completed", "response": WHOLE},
]
STREAM: list[dict[str, Any]] = [event | {"sequence_number": place} for place, event in enumerate(_EVENTS)]


def named(*events: dict[str, Any]) -> list[bytes]:
    """Events as OpenAI sends them: their type stands on a line of its own, too, and nothing comes after the last."""
    return [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]
