"""Real answers of the Messages API, read again: each decodes, each stream folds to its text, each error has its class.

What an answer says is read a second time here, by plain `json` and in the obvious way, and compared.
"""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.anthropic.batches import AnthropicBatches
from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.anthropic.counts import AnthropicTokenCount
from onellm.dialects.anthropic.files import AnthropicFiles
from onellm.dialects.anthropic.models import AnthropicModels
from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import STATUS
from onellm.types.chat import ChatCompletionChunk
from onellm.types.chat_params import ChatRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

DIALECT = AnthropicMessages()
ALL = [exchange for exchange in exchanges() if exchange.provider == "anthropic"]
CHATS = [e for e in ALL if urlsplit(e.url).path.endswith("/v1/messages")]
WHOLE = [e for e in CHATS if e.kind == "chat"]
STREAMS = [e for e in CHATS if e.kind == "chat_stream"]
ERRORS = [e for e in ALL if e.kind == "error"]
COUNTS = [e for e in ALL if e.url.partition("?")[0].endswith("/count_tokens") and e.kind == "other"]
FILES = [e for e in ALL if e.kind == "files"]
BATCHES = [e for e in ALL if e.kind == "batch"]
MODELS = [e for e in ALL if e.kind == "models"]
# Its older text completions are not served here; its compatible chat is another dialect's.
ELSEWHERE = [e for e in ALL if e.kind == "completions" or e.url.endswith("/chat/completions")]


def ids(exchange: Exchange) -> str:
    return exchange.id


def asking(**params: Any) -> ChatRequest:
    return ChatRequest(
        provider="p", model="m", messages=[{"role": "user", "content": "x"}], params=params, adjustments=[]
    )


def test_every_recording_is_read_by_one_of_these() -> None:
    parts = [WHOLE, STREAMS, ERRORS, COUNTS, FILES, BATCHES, MODELS, ELSEWHERE]
    read = {exchange.id for part in parts for exchange in part}
    assert read == {exchange.id for exchange in ALL}
    assert [len(part) for part in parts] == [30, 27, 14, 3, 9, 4, 3, 6]


def _text(blocks: list[dict[str, Any]]) -> str:
    return "".join(block["text"] for block in blocks if block["type"] == "text")


def _thinking(blocks: list[dict[str, Any]]) -> str:
    return "".join(block["thinking"] for block in blocks if block["type"] == "thinking")


@pytest.mark.parametrize("exchange", WHOLE, ids=ids)
def test_whole_answer_says_what_it_says(exchange: Exchange) -> None:
    """Also when it goes back in: each block that OpenAI's shape cannot say is sent as it was received."""
    reply = DIALECT.decode_response(exchange.body, asking())
    said = json.loads(exchange.body)
    choice, usage = reply.choices[0], said["usage"]
    message = choice.message
    assert (reply.id, reply.model) == (said["id"], said["model"])
    assert (message.content or "", message.reasoning or "") == (_text(said["content"]), _thinking(said["content"]))
    assert [
        (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
    ] == [(block["id"], block["name"], block["input"]) for block in said["content"] if block["type"] == "tool_use"]
    assert len(message.citations or ()) == sum(len(block.get("citations") or ()) for block in said["content"])
    for citation in message.citations or ():
        assert message.content
        assert message.content[citation.start_index : citation.end_index]
    assert choice.finish_reason_raw == said["stop_reason"]
    assert choice.finish_reason != "other"
    assert reply.usage is not None
    cached = (usage.get("cache_read_input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    assert reply.usage.prompt_tokens == usage["input_tokens"] + cached
    assert reply.usage.completion_tokens == usage["output_tokens"]
    _goes_back(message.to_dict(), said["content"])


def _goes_back(message: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    blocks = [block for block in blocks if block.get("text") != ""]
    if not blocks:
        return
    request = asking()
    request.messages.append(message)
    sent = json.loads(DIALECT.encode_request(request).body or b"")["messages"][1]["content"]
    if message.get("provider_data"):
        assert sent == blocks
        assert json.dumps(sent) == json.dumps(blocks)  # the order of fields, too
    else:
        said = [block for block in blocks if block["type"] != "text"]
        kept = [] if isinstance(sent, str) else [block for block in sent if block["type"] != "text"]
        assert kept == [{key: block[key] for key in ("type", "id", "name", "input")} for block in said]
    request.provider = "another"
    elsewhere = (OpenAIChat().encode_request(request).body or b"").decode()
    assert "signature" not in elsewhere
    assert "encrypted_content" not in elsewhere


@pytest.mark.parametrize("exchange", STREAMS, ids=ids)
def test_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks, the same answer, and that of the naive reading."""
    expected = _naive(exchange.body)
    chunks, reducer = _feed(exchange.body, len(exchange.body))
    again, bytewise = _feed(exchange.body, 1)
    assert [chunk.raw for chunk in chunks] == [chunk.raw for chunk in again]
    reply = reducer.close()
    assert reply.to_dict() == bytewise.close().to_dict()
    message = reply.choices[0].message
    assert (message.content or "", message.reasoning or "") == (
        _text(expected["blocks"]),
        _thinking(expected["blocks"]),
    )
    assert [
        (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
    ] == [(block["id"], block["name"], block["input"]) for block in expected["blocks"] if block["type"] == "tool_use"]
    assert len(message.citations or ()) == sum(len(block.get("citations") or ()) for block in expected["blocks"])
    assert reply.choices[0].finish_reason_raw == expected["stop"]
    assert reply.usage is not None
    assert reply.usage.completion_tokens == expected["output_tokens"]
    _goes_back(message.to_dict(), expected["blocks"])


@pytest.mark.parametrize("exchange", ERRORS, ids=ids)
def test_error_has_the_class_of_its_status(exchange: Exchange) -> None:
    error = DIALECT.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    said = json.loads(exchange.body)
    assert type(error) is STATUS[exchange.status]
    assert (error.type, error.message) == (said["error"]["type"], said["error"]["message"])
    if "request-id" in exchange.headers:
        assert error.request_id == exchange.headers["request-id"]


@pytest.mark.parametrize("exchange", COUNTS, ids=ids)
def test_counts(exchange: Exchange) -> None:
    count = AnthropicTokenCount().decode_response(exchange.body, asking())
    assert count.input_tokens == json.loads(exchange.body)["input_tokens"] > 0


@pytest.mark.parametrize("exchange", MODELS, ids=ids)
def test_models(exchange: Exchange) -> None:
    said = json.loads(exchange.body)
    models = AnthropicModels().decode_list(exchange.body)
    assert [model.id for model in models] == [item["id"] for item in said["data"]]
    assert all(model.created > 0 for model in models)
    assert AnthropicModels().decode_next(exchange.body) == (said["last_id"] if said["has_more"] else "")


@pytest.mark.parametrize("exchange", FILES, ids=ids)
def test_files(exchange: Exchange) -> None:
    said = json.loads(exchange.body)
    if said["type"] == "file_deleted":
        assert AnthropicFiles().decode_deleted(exchange.body).deleted is True
        return
    file = AnthropicFiles().decode_file(exchange.body)
    assert (file.id, file.bytes, file.filename) == (said["id"], said["size_bytes"], said["filename"])
    assert file.created_at > 0


@pytest.mark.parametrize("exchange", BATCHES, ids=ids)
def test_batches(exchange: Exchange) -> None:
    if exchange.url.endswith("/results"):
        lines = [AnthropicBatches().decode_line(line) for line in exchange.body.splitlines()]
        assert [line.custom_id for line in lines] == [
            json.loads(line)["custom_id"] for line in exchange.body.splitlines()
        ]
        assert all(DIALECT.decode_response(line.body, asking()).choices[0].message.content for line in lines)
        return
    said = json.loads(exchange.body)
    batch = AnthropicBatches().decode_batch(exchange.body)
    assert (batch.id, batch.status_raw) == (said["id"], said["processing_status"])
    assert batch.ended == (said["processing_status"] == "ended")


def _feed(body: bytes, size: int) -> tuple[list[ChatCompletionChunk], Any]:
    reducer = DIALECT.reducer(asking(stream_options={"include_usage": True}), max_event_bytes=64 << 20)
    chunks: list[ChatCompletionChunk] = []
    for start in range(0, len(body), size):
        chunks.extend(reducer.feed(body[start : start + size]))
    return chunks, reducer


def _naive(body: bytes) -> dict[str, Any]:  # noqa: C901, PLR0912 - an event a case
    """A stream as its text says, read event by event. Two recordings hold several streams: the first of them counts."""
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, str] = {}
    found: dict[str, Any] = {}
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        if not line.startswith(b"data:"):
            continue
        event = json.loads(line[5:])
        delta = event.get("delta") or {}
        match event["type"]:
            case "message_start":
                found["output_tokens"] = event["message"]["usage"]["output_tokens"]
            case "content_block_start":
                blocks[event["index"]] = event["content_block"]
            case "content_block_delta":
                block = blocks[event["index"]]
                for field in ("text", "thinking", "signature"):
                    if field in delta:
                        block[field] = block.get(field, "") + delta[field]
                if "citation" in delta:
                    block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
                pieces[event["index"]] = pieces.get(event["index"], "") + delta.get("partial_json", "")
            case "content_block_stop":
                if pieces.get(event["index"]):
                    blocks[event["index"]]["input"] = json.loads(pieces[event["index"]])
            case "message_delta":
                found["stop"] = delta["stop_reason"]
                found["output_tokens"] = event["usage"]["output_tokens"]
            case "message_stop":
                break
            case _:
                pass
    return found | {"blocks": [blocks[index] for index in sorted(blocks)]}


# Real turns that think and call: alone, in parallel, and as a stream.
TURNS = ("anthropic-73e30638dfea", "anthropic-cc108a135ac8", "anthropic-a0b5a8489d23")


def test_a_conversation_of_three_turns_takes_its_signatures_along() -> None:
    """Each turn goes back as it was received, thinking first; a provider of another API gets the plain conversation."""
    request = asking()
    received: list[list[dict[str, Any]]] = []
    for exchange in (next(e for e in ALL if e.id == turn) for turn in TURNS):
        if exchange.kind == "chat_stream":
            reply = _feed(exchange.body, 64)[1].close()
            blocks = _naive(exchange.body)["blocks"]
        else:
            reply = DIALECT.decode_response(exchange.body, asking())
            blocks = json.loads(exchange.body)["content"]
        received.append(blocks)
        message = reply.choices[0].message.to_dict()
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": "42"} for call in message.get("tool_calls") or ()
        ]
        request.messages += [message, *results, {"role": "user", "content": "Go on."}]
    signatures = [block["signature"] for blocks in received for block in blocks if block["type"] == "thinking"]
    calls = [sum(block["type"] == "tool_use" for block in blocks) for blocks in received]
    assert len(signatures) >= 2
    assert max(calls) >= 2

    sent = json.loads(DIALECT.encode_request(request).body or b"")["messages"]
    turns = [turn["content"] for turn in sent if turn["role"] == "assistant"]
    for turn, blocks in zip(turns, received, strict=True):
        assert turn == [_as_sent(block, blocks) for block in blocks]
    for turn, following in zip(sent[1::2], sent[2::2], strict=True):
        called = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        if called:  # else what follows is the user's text
            assert [block.get("tool_use_id") for block in following["content"]][: len(called)] == called

    request.provider = "another"
    elsewhere = OpenAIChat().encode_request(request).body or b""
    assert not any(signature[:40].encode() in elsewhere for signature in signatures)
    roles = {"role", "content", "tool_calls", "tool_call_id"}
    assert all(message.keys() <= roles for message in json.loads(elsewhere)["messages"])


def _as_sent(block: dict[str, Any], blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """A block of a turn that is nothing but text and calls has the fields that OpenAI's shape says, too."""
    plain = all(each["type"] in {"text", "tool_use"} for each in blocks)
    said = ("type", "text") if block["type"] == "text" else ("type", "id", "name", "input")
    return {key: block[key] for key in said} if plain else block
