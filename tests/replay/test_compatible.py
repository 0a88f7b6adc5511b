"""Real answers of compatible hosts, read again: each decodes, each stream folds to its text, each error has its class.

What an answer says is read a second time here, by plain `json` and in the obvious way, and compared.
"""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.protocols import ChatDialect, ChatReducer
from onellm.errors import CODE, STATUS, APIStatusError, InternalServerError, StreamInterruptedError
from onellm.providers import compatible
from onellm.providers.azure import PROVIDER as AZURE
from onellm.providers.http import HttpProvider
from onellm.providers.huggingface import PROVIDER as HUGGINGFACE
from onellm.types.chat import ChatCompletionChunk, ChatCompletionMessage
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ROWS = {**compatible.ROWS, AZURE.name: AZURE, HUGGINGFACE.name: HUGGINGFACE}
NATIVE = ("gemini", "gpustack")  # their lists of models were recorded in shapes of their own
ALL = [exchange for exchange in exchanges() if exchange.row in ROWS]
CHATS = [e for e in ALL if urlsplit(e.url).path.endswith("/chat/completions")]
WHOLE = [e for e in CHATS if e.kind == "chat" and e.status < 400]
STREAMS = [e for e in CHATS if e.kind == "chat_stream" and e.status < 400]
ERRORS = [e for e in ALL if e.kind == "error" and e.status >= 400]
EMBEDDINGS = [e for e in ALL if e.kind == "embeddings" and urlsplit(e.url).path.endswith("/embeddings")]
MODELS = [
    e for e in ALL if e.kind == "models" and urlsplit(e.url).path.endswith("/models") and e.provider not in NATIVE
]


def ids(exchange: Exchange) -> str:
    return exchange.id


def test_the_recordings_are_all_here() -> None:
    """The parts are not empty, so that the tests below cannot pass by having nothing to read."""
    counts = {"whole": len(WHOLE), "streams": len(STREAMS), "errors": len(ERRORS), "embeddings": len(EMBEDDINGS)}
    least = {"whole": 300, "streams": 250, "errors": 50, "embeddings": 20}
    assert all(counts[part] > least[part] for part in least), counts


@pytest.mark.parametrize("exchange", WHOLE, ids=ids)
def test_whole_answer_says_what_it_says(exchange: Exchange) -> None:
    reply = _dialect(exchange).decode_response(exchange.body, _request(exchange))

    said = json.loads(exchange.body)
    assert reply.id == (said.get("id") or "")
    assert len(reply.choices) == len(said["choices"])
    for choice, wire in zip(reply.choices, said["choices"], strict=True):
        _compare(
            choice.message, wire.get("message") or {}, tags=_tags(exchange)
        )  # Azure leaves it out where it filtered the answer
        assert choice.finish_reason_raw == (wire.get("finish_reason") or None)
        assert choice.finish_reason in FINISH
        assert choice.finish_reason != "other"
    if said.get("usage"):
        assert reply.usage is not None
        assert reply.usage.prompt_tokens == said["usage"]["prompt_tokens"]
        assert reply.usage.total_tokens == said["usage"]["total_tokens"]
    assert reply.to_dict().items() >= {**said, "choices": reply.to_dict()["choices"]}.items()


@pytest.mark.parametrize("exchange", STREAMS, ids=ids)
def test_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks, the same answer, and that of the naive reading."""
    dialect = _dialect(exchange)
    expected = _naive(exchange.body)
    chunks, reducer = _feed(dialect, exchange, len(exchange.body))
    again, bytewise = _feed(dialect, exchange, 1 if len(exchange.body) < 50_000 else 37)
    assert [chunk.raw for chunk in chunks] == [chunk.raw for chunk in again]
    if expected["error"] is not None:
        assert isinstance(reducer.error, APIStatusError)
        return
    if not expected["ended"]:
        with pytest.raises(StreamInterruptedError):
            reducer.close()
        return
    reply = reducer.close()
    assert reply.to_dict() == bytewise.close().to_dict()
    assert len(reply.choices) == len(expected["choices"])
    for choice in reply.choices:
        wire = expected["choices"][choice.index]
        message = choice.message
        content, thinking = _untagged(wire["content"], tags=_tags(exchange))
        assert (message.content or "") == content
        assert (message.reasoning or "") == wire["reasoning"] + thinking
        assert [_call(call) for call in message.tool_calls or []] == wire["calls"]
        assert choice.finish_reason_raw == wire["finish"]
    if expected["usage"] is not None:
        assert reply.usage is not None
        assert reply.usage.total_tokens == expected["usage"].get("total_tokens", 0)


@pytest.mark.parametrize("exchange", ERRORS, ids=ids)
def test_error_has_the_class_of_its_status_or_a_finer_one(exchange: Exchange) -> None:
    row = ROWS[exchange.row]
    dialect = row.chat
    assert dialect is not None
    error = dialect.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)

    assert error.status_code == exchange.status
    by_status = STATUS.get(exchange.status, InternalServerError if exchange.status >= 500 else APIStatusError)
    assert isinstance(error, by_status) or type(error) in (CODE.get(error.code or ""), CODE.get(error.type or "")), (
        type(error)
    )
    if exchange.body:
        assert error.message
        assert "without an explanation" not in error.message
        assert not error.message.startswith("{"), error.message


@pytest.mark.parametrize("exchange", EMBEDDINGS, ids=ids)
def test_embeddings_are_float32_in_order(exchange: Exchange) -> None:
    row = ROWS[exchange.row]
    if row.embeddings is None:
        pytest.skip(f"{row.name} has no embeddings on its row")
    given = exchange.request["input"] if isinstance(exchange.request, dict) else None
    said = json.loads(exchange.body)
    inputs = given if isinstance(given, list) else ["x"] * len(said["data"])
    if inputs and isinstance(inputs[0], int):
        inputs = [inputs]
    request = EmbeddingsRequest(provider=row.name, model="m", input=inputs, params={})
    if not all(isinstance(item["embedding"], str | list) for item in said["data"]):
        pytest.skip("the recording holds no vectors")
    reply = row.embeddings.decode_response(exchange.body, request)
    assert [item.index for item in reply.data] == list(range(len(said["data"])))
    for item, wire in zip(reply.data, said["data"], strict=True):
        if isinstance(wire["embedding"], list):
            assert len(item.embedding) == len(wire["embedding"])
            assert item.embedding[0] == pytest.approx(wire["embedding"][0], rel=1e-5)


@pytest.mark.parametrize("exchange", MODELS, ids=ids)
def test_models_have_ids(exchange: Exchange) -> None:
    row = ROWS[exchange.row]
    if row.models is None:
        pytest.skip(f"{row.name} has no list of models on its row")
    models = row.models.decode_list(exchange.body)
    assert models
    assert all(model.id and not model.id.startswith("models/") for model in models)


FINISH = {"stop", "length", "tool_calls", "content_filter", "function_call", "error", "other", None}


def _row(exchange: Exchange) -> HttpProvider:
    return ROWS[exchange.row]


def _dialect(exchange: Exchange) -> ChatDialect:
    dialect = _row(exchange).chat
    assert dialect is not None
    return dialect


def _request(exchange: Exchange) -> ChatRequest:
    # the caller asked for usage itself, so that every chunk is shown
    return ChatRequest(
        provider=exchange.row, model="m", messages=[], params={"stream_options": {"include_usage": True}}
    )


def _feed(dialect: ChatDialect, exchange: Exchange, size: int) -> tuple[list[ChatCompletionChunk], ChatReducer]:
    reducer = dialect.reducer(_request(exchange), max_event_bytes=64 << 20)
    chunks: list[ChatCompletionChunk] = []
    for start in range(0, len(exchange.body), size):
        chunks.extend(reducer.feed(exchange.body[start : start + size]))
        if reducer.finished or reducer.error:
            break
    return chunks, reducer


def _compare(message: ChatCompletionMessage, wire: dict[str, Any], *, tags: bool) -> None:
    content, thinking = _content(wire.get("content"))
    content, tagged = _untagged(content, tags=tags)
    assert (message.content or "") == content
    said = wire.get("reasoning") or wire.get("reasoning_content") or thinking
    assert (message.reasoning or "") == said + tagged
    assert [_call(call) for call in message.tool_calls or []] == [
        _wire_call(call) for call in wire.get("tool_calls") or []
    ]


def _content(value: Any) -> tuple[str, str]:
    """Text and thinking of a content that is a text, or a list of parts."""
    if not isinstance(value, list):
        return value or "", ""
    text = "".join(part["text"] for part in value if part["type"] == "text")
    thinking = "".join(
        piece["text"] for part in value if part["type"] == "thinking" for piece in part["thinking"] if "text" in piece
    )
    return text, thinking


def _tags(exchange: Exchange) -> bool:
    dialect = _dialect(exchange)
    return isinstance(dialect, OpenAIChat) and dialect.think_tags


def _untagged(text: str, *, tags: bool) -> tuple[str, str]:
    """Text and thinking of a text that may begin with tags, in one look at the whole."""
    found = re.match(r"\s*<think>\s*(.*?)\s*(?:</think>\s*|\Z)(.*)\Z", text, re.DOTALL) if tags else None
    return (found[2], found[1]) if found else (text, "")


def test_there_are_recordings_with_tags() -> None:
    """Whole and streamed, of several hosts; nothing of a tag is left where a row takes them apart."""
    tagged = [e for e in (*WHOLE, *STREAMS) if _tags(e) and (b"<think>" in e.body or b"u003cthink" in e.body)]
    assert {e.kind for e in tagged} == {"chat", "chat_stream"}
    assert len({e.provider for e in tagged}) >= 5
    assert len(tagged) >= 30
    for exchange in tagged:
        if exchange.kind == "chat":
            reply = _dialect(exchange).decode_response(exchange.body, _request(exchange))
            assert reply.choices[0].message.reasoning
            assert "think>" not in (reply.choices[0].message.content or "")


def _call(call: Any) -> tuple[str, str, str]:
    return call.id, call.function.name, call.function.arguments


def _wire_call(call: dict[str, Any]) -> tuple[str, str, str]:
    arguments = call["function"]["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)
    return call.get("id") or "", call["function"]["name"], text


def _naive(body: bytes) -> dict[str, Any]:
    """A stream as its text says, read event by event, for hosts that end lines with LF or CRLF."""
    choices: dict[int, dict[str, Any]] = {}
    usage: Any = None
    error: Any = None
    done = False
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        if not line.startswith(b"data:") or done:
            continue
        data = line[5:].strip()
        if data.startswith(b"[DONE]"):
            done = True
            continue
        event = json.loads(data)
        error = event.get("error") or error
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage") or usage
        for wire in event.get("choices") or []:
            choice = choices.setdefault(
                wire.get("index", 0), {"content": "", "reasoning": "", "calls": {}, "finish": None}
            )
            usage = usage or wire.get("usage")
            delta = wire.get("delta") or {}
            content, thinking = _content(delta.get("content"))
            choice["content"] += content
            choice["reasoning"] += delta.get("reasoning") or delta.get("reasoning_content") or thinking
            choice["finish"] = wire.get("finish_reason") or choice["finish"]
            for position, call in enumerate(delta.get("tool_calls") or []):
                held = choice["calls"]
                key: Any = call.get("index", position if call.get("id") else None)
                if key is None:
                    key = max(held, default=0)
                while key in held and call.get("id") and held[key]["id"] not in ("", call["id"]):
                    key += 100  # another call under the same index
                known = held.setdefault(key, {"id": "", "name": "", "arguments": ""})
                function = call.get("function") or {}
                known["id"] = known["id"] or call.get("id") or ""
                known["name"] = known["name"] or function.get("name") or ""
                piece = function.get("arguments") or ""
                known["arguments"] += piece if isinstance(piece, str) else json.dumps(piece, separators=(",", ":"))
    for choice in choices.values():
        choice["calls"] = [(call["id"], call["name"], call["arguments"]) for call in choice["calls"].values()]
    ended = done or (bool(choices) and all(choice["finish"] for choice in choices.values()))
    return {"choices": choices, "usage": usage, "error": error, "ended": ended}
