"""A small host of OpenAI's API, and of Messages, for the scripted provider: it answers, and says what it was asked."""

import base64
from array import array
from typing import Any

from loopback import Answer, Recorded, sse, type_sse

_FILE: dict[str, Any] = {"id": "file-1", "object": "file", "bytes": 18, "created_at": 1, "filename": "notes.txt"}
_BATCH: dict[str, Any] = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "status": "validating",
}
_SAID = {"index": 0, "message": {"role": "assistant", "content": "You said: Rome"}, "finish_reason": "stop"}
_RESULT = {
    "custom_id": "Rome",
    "response": {"status_code": 200, "body": {"id": "1", "choices": [_SAID]}},
    "error": None,
}

# Files and batches are always the same ones.
_KEPT: dict[tuple[str, str], Any] = {
    ("POST", "batches"): _BATCH,
    ("GET", "batches/batch_1"): _BATCH | {"status": "completed", "output_file_id": "file-out"},
    ("POST", "files"): _FILE,
    ("GET", "files"): {"object": "list", "data": [_FILE], "has_more": False},
    ("GET", "files/file-out/content"): _RESULT,
    ("GET", "files/file-1/content"): b"Remember the milk.",
    ("DELETE", "files/file-1"): {"id": "file-1", "object": "file", "deleted": True},
}


def _gemini_answer(body: Any) -> Answer:
    """Two calls where there is a tool that was not called yet; else what was said, or what the calls gave."""
    parts = body["contents"][-1]["parts"]
    results = [part["functionResponse"]["response"]["output"] for part in parts if "functionResponse" in part]
    said: list[Any] = [{"text": "Let me think.", "thought": True}]
    if "tools" in body and not results:
        said += [{"functionCall": {"name": "weather", "args": {"city": city}}} for city in ("Paris", "Rome")]
        said[1]["thoughtSignature"] = "c2ln"
    else:
        if results:
            assert body["contents"][1]["parts"][1]["thoughtSignature"] == "c2ln"
        said.append({"text": f"You said: {', '.join(results) or parts[0]['text']}"})
    candidate = {"content": {"role": "model", "parts": said}, "finishReason": "STOP"}
    return Answer(chunks=[{"candidates": [candidate], "responseId": "r1", "modelVersion": "m"}])


def openai_host(request: Recorded) -> Answer:  # noqa: C901, PLR0911, PLR0912 - an operation a case
    """What the host answers. A chat's answer is "You said: " and the last message; embeddings count characters."""
    match request.method, request.path.rpartition("/v1/")[2]:
        case "POST", "messages":
            return _message(request.json)
        case "POST", "chat/completions" if request.json["model"] == "no-such-model":
            error = {"message": "The model does not exist", "type": "invalid_request_error", "code": "model_not_found"}
            return Answer(status=404, chunks=[{"error": error}])
        case "POST", "chat/completions":
            return chat_answer(request.json)
        case "POST", path if path.endswith(":generateContent"):
            return _gemini_answer(request.json)
        case "POST", "embeddings":
            return _embeddings(request.json)
        case "POST", "completions":
            choice = {"index": 0, "text": " there was a cat.", "finish_reason": "stop"}
            return Answer(chunks=[{"id": "cmpl-1", "object": "text_completion", "choices": [choice]}])
        case "POST", "moderations":
            result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01}}
            return Answer(chunks=[{"id": "modr-1", "model": "m", "results": [result]}])
        case "POST", "rerank":
            results = [{"index": place, "relevance_score": 0.5} for place in range(len(request.json["documents"]))]
            return Answer(chunks=[{"results": results}])
        case "POST", "audio/speech":
            return Answer(chunks=[b"RIFF....WAVE"], content_type="audio/wav")
        case "POST", "audio/transcriptions" | "audio/translations":
            return Answer(chunks=[{"text": "Hello there."}])
        case "POST", "images/generations":
            return Answer(chunks=[{"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}]}])
        case "GET", "models":
            data = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in ("small", "org/large")]
            return Answer(chunks=[{"object": "list", "data": data}])
        case method, path if (method, path) in _KEPT:
            return Answer(chunks=[_KEPT[method, path]])
        case _:
            return Answer(status=404, chunks=[{"error": {"message": "no such path", "type": "not_found_error"}}])


def chat_answer(body: dict[str, Any], text: str | None = None) -> Answer:
    """A chat's answer, streamed word by word where that was asked for."""
    words = (text or f"You said: {body['messages'][-1]['content']}").split(" ")
    pieces = [word if place == 0 else f" {word}" for place, word in enumerate(words)]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    finish = "length" if limit and limit < len(pieces) else "stop"
    pieces = pieces[:limit]
    head = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": 3, "completion_tokens": len(pieces), "total_tokens": 3 + len(pieces)}
    if not body.get("stream"):
        message = {"role": "assistant", "content": "".join(pieces)}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return Answer(chunks=[{**head, "object": "chat.completion", "choices": [choice], "usage": usage}])
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces), {}]
    reasons = [None] * (len(deltas) - 1) + [finish]
    events = [
        {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in zip(deltas, reasons, strict=True)
    ]
    return Answer(chunks=sse(*events), content_type=type_sse)


def held_open(request: Recorded) -> Answer:
    """The first words of an answer, and then nothing."""
    answer = chat_answer(request.json)
    answer.chunks = list(answer.chunks)[:3]
    answer.cut = "stall"
    return answer


def _embeddings(body: dict[str, Any]) -> Answer:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data: list[dict[str, Any]] = []
    for place, text in enumerate(texts):
        vector = array("f", [len(text), 0.5, -0.25, 0.125, 1.0])
        value = base64.b64encode(vector).decode() if body.get("encoding_format") == "base64" else vector.tolist()
        data.append({"object": "embedding", "index": place, "embedding": value})
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return Answer(chunks=[{"object": "list", "data": data, "model": body["model"], "usage": usage}])


def _message(body: Any) -> Answer:
    """Of the Messages API: thinking and two calls where there are tools and no results yet, else what was asked."""
    thinking = {"type": "thinking", "thinking": "I need both.", "signature": "EqQB"}
    calls = [
        {"type": "tool_use", "id": f"toolu_{city}", "name": "weather", "input": {"city": city}}
        for city in ("Oslo", "Rome")
    ]
    asked = body["messages"][-1]["content"]
    if "tools" in body and isinstance(asked, str):
        content, stop = [thinking, *calls], "tool_use"
    else:
        said = asked if isinstance(asked, str) else asked[-1].get("content", "")
        content, stop = [{"type": "text", "text": f"You said: {said}"}], "end_turn"
    usage = {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 7}
    message = {"id": "msg_1", "model": body["model"], "content": content, "stop_reason": stop, "usage": usage}
    return Answer(chunks=[message])
