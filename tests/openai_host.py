"""A small host of OpenAI's API, and of Messages, for the scripted provider: it answers, and says what it was asked."""

import base64
import json
from array import array
from typing import Any

from forms import fields
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

_MODELS = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in ("small", "org/large")]

_MESSAGE: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
_RESPONSE: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed"}

# Files, batches and responses are always the same ones.
_KEPT: dict[tuple[str, str], Any] = {
    ("POST", "batches"): _BATCH,
    ("GET", "batches/batch_1"): _BATCH | {"status": "completed", "output_file_id": "file-out"},
    ("POST", "files"): _FILE,
    ("GET", "files"): {"object": "list", "data": [_FILE], "has_more": False},
    ("GET", "files/file-1"): _FILE,
    ("GET", "files/file-out/content"): _RESULT,
    ("GET", "files/file-1/url"): {"url": "https://files.example.com/file-1?sig=1"},
    ("GET", "files/file-1/content"): b"Remember the milk.",
    ("GET", "responses/resp_1"): {**_RESPONSE, "output": []},
    ("GET", "responses/resp_1/input_items"): {"data": [{**_MESSAGE, "role": "user", "content": []}], "has_more": False},
    ("DELETE", "responses/resp_1"): {"id": "resp_1", "object": "response", "deleted": True},
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
    """What the host answers. A chat's answer is "You said: " and the last message, or what fits the asked form, or a
    call of the first tool; embeddings count characters.
    """
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
            return _completion(request.json)
        case "POST", "responses":
            return _response(request.json)
        case "POST", "moderations":
            return Answer(chunks=[{"id": "modr-1", "model": "m", "results": [*map(_judged, _listed(request.json))]}])
        case "POST", "chat/moderations":
            talk = " ".join(message["content"] for message in request.json["input"])
            return Answer(chunks=[{"id": "modr-2", "model": "m", "results": [_judged(talk.replace("Drown", "hurt"))]}])
        case "POST", "rerank":
            return Answer(chunks=[{"results": _ranked(request.json)}])
        case "POST", "ocr":
            return Answer(chunks=[_read(request.json)])
        case "POST", "audio/speech":
            return Answer(chunks=[b"RIFF", b"....WAVE"], content_type="audio/wav")
        case "POST", "audio/transcriptions" if ("stream", "true") in fields(request):
            events = [{"type": "transcript.text.delta", "delta": piece} for piece in ("Hello", " there.")]
            return Answer(
                chunks=sse(*events, {"type": "transcript.text.done", "text": "Hello there."}), content_type=type_sse
            )
        case "POST", "audio/transcriptions" | "audio/translations":
            return Answer(chunks=[{"text": "Hello there."}])
        case "POST", "images/generations" | "images/edits":
            return Answer(chunks=[{"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}]}])
        case "GET", "models":
            return Answer(chunks=[{"object": "list", "data": _MODELS}])
        case "GET", "models/small":
            return Answer(chunks=[_MODELS[0]])
        case method, path if (method, path) in _KEPT:
            return Answer(chunks=[_KEPT[method, path]])
        case _:
            return Answer(status=404, chunks=[{"error": {"message": "no such path", "type": "not_found_error"}}])


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """Two pages, or those that were asked for; what is said of the document where that was asked for."""
    pages = [{"index": index, "markdown": f"# Page {index}", "images": []} for index in body.get("pages", [0, 1])]
    said = {"document_annotation": '{"title": "Two pages"}'} if "document_annotation_format" in body else {}
    return {"model": "ocr", "pages": pages, "usage_info": {"pages_processed": len(pages)}, **said}


def _response(body: dict[str, Any]) -> Answer:
    """A call of the first tool, where it has not been answered; otherwise what was said last, given back."""
    asked: Any = body["input"]
    last = asked[-1] if isinstance(asked, list) else {"content": asked}
    if body.get("tools") and "call_id" not in last:
        name = body["tools"][0]["name"]
        item = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": name,
            "arguments": '{"city": "Rome"}',
        }
    else:
        text = f"You said: {last.get('output') or last['content']}"
        item = {**_MESSAGE, "content": [{"type": "output_text", "text": text, "annotations": []}]}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    whole = {**_RESPONSE, "model": body["model"], "output": [item], "usage": usage}
    if not body.get("stream"):
        return Answer(chunks=[whole])
    deltas = [
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": part["text"]}
        for part in item.get("content", ())
    ]
    events = [{"type": "response.created", "response": {**whole, "status": "in_progress"}}, *deltas]
    return Answer(chunks=sse(*events, {"type": "response.completed", "response": whole}), content_type=type_sse)


def chat_answer(body: dict[str, Any], text: str | None = None) -> Answer:
    """A chat's answer, streamed word by word where that was asked for."""
    words = (text or _said(body)).split(" ")
    pieces = [word if place == 0 else f" {word}" for place, word in enumerate(words)]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    finish = "length" if limit and limit < len(pieces) else "stop"
    pieces = pieces[:limit]
    head = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": 3, "completion_tokens": len(pieces), "total_tokens": 3 + len(pieces)}
    if not body.get("stream"):
        choices = [
            {"index": place, "finish_reason": finish, **_choice(body, "".join(pieces))}
            for place in range(body.get("n", 1))
        ]
        return Answer(chunks=[{**head, "object": "chat.completion", "choices": choices, "usage": usage}])
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces), {}]
    reasons = [None] * (len(deltas) - 1) + [finish]
    events = [
        {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in zip(deltas, reasons, strict=True)
    ]
    return Answer(chunks=sse(*events), content_type=type_sse)


def _said(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    asked = content if isinstance(content, str) else " ".join(part["text"] for part in content if "text" in part)
    form = body.get("response_format", {}).get("json_schema")
    return f"You said: {asked}" if form is None else json.dumps(_fitting(form["schema"]))


def _choice(body: dict[str, Any], text: str) -> dict[str, Any]:
    """The message of a whole answer, and what belongs beside it."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        function = body["tools"][0]["function"]
        arguments = json.dumps(_fitting(function["parameters"]))
        call = {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}
        return {"message": message | {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    if "audio" in body.get("modalities", ()):
        sound = base64.b64encode(b"RIFF....WAVE").decode()
        message |= {"content": None, "audio": {"id": "a_1", "data": sound, "expires_at": 9, "transcript": text}}
    if body.get("logprobs"):
        one = {"token": text, "logprob": 0.0, "bytes": [*text.encode()]}
        return {"message": message, "logprobs": {"content": [one | {"top_logprobs": [one]}]}}
    return {"message": message}


def _fitting(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> Any:  # noqa: PLR0911 - a kind a case
    """A value of a JSON schema."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    match schema:
        case {"$ref": str() as ref}:
            return _fitting(definitions[ref.rpartition("/")[2]], definitions)
        case {"anyOf": [first, *_]}:
            return _fitting(first, definitions)
        case {"enum": [first, *_]}:
            return first
        case {"type": "object", "properties": properties}:
            return {name: _fitting(own, definitions) for name, own in properties.items()}
        case {"type": "object"}:
            return {"Rome": _fitting(schema.get("additionalProperties", {"type": "null"}), definitions)}
        case {"type": "array", "items": items}:
            return [_fitting(items, definitions)]
        case _:
            return {"string": "Rome", "integer": 7, "number": 7.5, "boolean": True, "null": None}[schema["type"]]


def held_open(request: Recorded) -> Answer:
    """The first words of an answer, and then nothing."""
    answer = chat_answer(request.json)
    answer.chunks = list(answer.chunks)[:3]
    answer.cut = "stall"
    return answer


def _completion(body: dict[str, Any]) -> Answer:
    head = {"id": "cmpl-1", "object": "text_completion"}
    pieces = [" sum", "(numbers)"] if body.get("suffix") else [" there was", " a cat."]
    if not body.get("stream"):
        return Answer(chunks=[head | {"choices": [{"index": 0, "text": "".join(pieces), "finish_reason": "stop"}]}])
    ends = [None] * (len(pieces) - 1) + ["stop"]
    events = [
        head | {"choices": [{"index": 0, "text": piece, "finish_reason": end}]}
        for piece, end in zip(pieces, ends, strict=True)
    ]
    return Answer(chunks=sse(*events), content_type=type_sse)


def _listed(body: dict[str, Any]) -> list[Any]:
    return body["input"] if isinstance(body["input"], list) else [body["input"]]


def _judged(text: str) -> dict[str, Any]:
    found = "hurt" in text
    scores = {"hate": 0.02, "violence": 0.9 if found else 0.01}
    return {
        "flagged": found,
        "categories": {"hate": False, "violence": found},
        "category_scores": scores,
    }


def _ranked(body: dict[str, Any]) -> list[dict[str, Any]]:
    """By the share of the question's words that a document has."""
    words = set(body["query"].strip("?").split())
    scores = [len(words & set(document.strip(".").split())) / len(words) for document in body["documents"]]
    places = sorted(range(len(scores)), key=lambda place: -scores[place])[: body.get("top_n")]
    return [{"index": place, "relevance_score": scores[place]} for place in places]


def _embeddings(body: dict[str, Any]) -> Answer:
    texts = _listed(body)
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
    content: list[dict[str, Any]]
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
    if not body.get("stream"):
        return Answer(chunks=[message])
    (text,) = content  # no example streams calls
    events = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text["text"]}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    return Answer(chunks=sse(*events, done=False), content_type=type_sse)
