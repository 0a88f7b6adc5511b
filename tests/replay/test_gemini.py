"""Real answers of generateContent and its neighbours, in both places, read again.

What an answer says is read a second time here, by plain `json` and in the obvious way, and compared.
"""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.gemini.stream import FINISH
from onellm.dialects.protocols import ChatReducer
from onellm.errors import (
    STATUS,
    APIStatusError,
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
)
from onellm.providers.http import HttpProvider
from onellm.providers.registry import get_provider
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

NAMES = {"gemini": "google", "vertexai": "vertex"}
ALL = [exchange for exchange in exchanges() if exchange.provider in NAMES]


def kind(exchange: Exchange) -> str:
    """What it is to us; the rest is what we do not ask for."""
    path = urlsplit(exchange.url).path
    method = path.rpartition(":")[2] if ":" in path else path.rpartition("/")[2]
    if method == "streamGenerateContent" and "alt=sse" not in exchange.url:
        return "a stream without alt=sse, which is an array: we ask for events"
    if exchange.status >= 400:
        return "error"
    if method in {"rawPredict", "streamRawPredict"}:
        return "Claude, read by its own dialect"
    if "/batches/" in path:
        return "batch"
    return {
        "generateContent": "whole",
        "streamGenerateContent": "error" if exchange.body.lstrip().startswith(b"{") else "stream",
        "countTokens": "count",
        "models": "models",
        "batchEmbedContents": "embeddings",
        "embedContent": "embeddings",
        "predict": "embeddings",
        "files": "file",
    }.get(method, "another operation: caches, interactions, stores, videos")


BY_KIND: dict[str, list[Exchange]] = {}
for each in ALL:
    BY_KIND.setdefault(kind(each), []).append(each)


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("exchange", BY_KIND.get(name, []), ids=lambda exchange: exchange.id)


def row(exchange: Exchange) -> HttpProvider:
    found = get_provider(NAMES[exchange.provider])
    assert isinstance(found, HttpProvider)
    return found


def request(exchange: Exchange) -> ChatRequest:
    return ChatRequest(provider=NAMES[exchange.provider], model="m", messages=[], params={})


def test_how_many_of_each() -> None:
    """Nothing is left out in silence."""
    assert Counter({name: len(found) for name, found in BY_KIND.items()}) == COUNTS
    assert sum(COUNTS.values()) == 102 + 95


COUNTS: Counter[str] = Counter(
    {
        "Claude, read by its own dialect": 12,
        "a stream without alt=sse, which is an array: we ask for events": 9,
        "another operation: caches, interactions, stores, videos": 10,
        "batch": 2,
        "count": 3,
        "embeddings": 18,
        "error": 11,
        "file": 2,
        "models": 6,
        "stream": 55,
        "whole": 69,
    }
)


def feed(exchange: Exchange, size: int) -> tuple[list[ChatCompletionChunk], ChatReducer]:
    dialect = row(exchange).chat
    assert dialect is not None
    reducer = dialect.reducer(request(exchange), max_event_bytes=64 << 20)
    chunks: list[ChatCompletionChunk] = []
    for start in range(0, len(exchange.body), size):
        chunks.extend(reducer.feed(exchange.body[start : start + size]))
    return chunks, reducer


def check(reply: ChatCompletion, said: list[dict[str, Any]]) -> None:
    """An answer against the chunks that it came in, read naively; all of these have one candidate."""
    parts: list[dict[str, Any]] = []
    finish: Any = None
    usage: dict[str, Any] = {}
    for chunk in said:
        usage = chunk.get("usageMetadata") or usage
        for candidate in chunk.get("candidates") or []:
            parts += (candidate.get("content") or {}).get("parts") or []
            finish = candidate.get("finishReason") or finish
    message = reply.choices[0].message
    assert (message.content or "") == "".join(part.get("text", "") for part in parts if not part.get("thought"))
    assert (message.reasoning or "") == "".join(part.get("text", "") for part in parts if part.get("thought"))
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    if not any("partialArgs" in call for call in calls):
        assert [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []] == [
            (call["name"], call.get("args") or {}) for call in calls
        ]
    ids = [call.id for call in message.tool_calls or []]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    if finish is not None:
        assert reply.choices[0].finish_reason_raw == str(finish)
        normal = FINISH[str(finish)]
        assert reply.choices[0].finish_reason == ("tool_calls" if calls and normal == "stop" else normal)
    if usage:
        assert reply.usage is not None
        assert reply.usage.total_tokens == usage["totalTokenCount"]
        assert reply.usage.prompt_tokens + reply.usage.completion_tokens == reply.usage.total_tokens
    if any("partialArgs" in call for call in calls):
        return  # see below
    signed = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
    kept = message.provider_data.data["parts"] if message.provider_data is not None else []
    assert [part["thoughtSignature"] for part in kept if "thoughtSignature" in part] == signed
    assert [part for part in kept if "functionCall" in part] == [part for part in parts if "functionCall" in part]


@of("whole")
def test_whole_answer_says_what_it_says(exchange: Exchange) -> None:
    dialect = row(exchange).chat
    assert dialect is not None
    said = json.loads(exchange.body)
    reply = dialect.decode_response(exchange.body, request(exchange))
    if not said.get("candidates"):
        assert reply.choices[0].finish_reason == "content_filter"
        assert reply.choices[0].finish_reason_raw == said["promptFeedback"]["blockReason"]
        return
    check(reply, [said])
    assert reply.raw == exchange.body


@of("stream")
def test_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks, the same answer, and that of the naive reading."""
    chunks, reducer = feed(exchange, len(exchange.body))
    again, bytewise = feed(exchange, 1 if len(exchange.body) < 50_000 else 37)
    assert [chunk.to_dict() for chunk in chunks] == [chunk.to_dict() for chunk in again]
    blocks = exchange.body.replace(b"\r\n", b"\n").split(b"\n\n")
    said = [json.loads(block[5:]) for block in blocks if block.startswith(b"data:")]
    reply = reducer.close()
    assert reply.to_dict() == bytewise.close().to_dict()
    check(reply, said)


def test_a_call_whose_arguments_come_value_by_value() -> None:
    """One call, whole, with its signature; as if it had come in one part."""
    (exchange,) = [each for each in BY_KIND["stream"] if b"partialArgs" in each.body]
    chunks, reducer = feed(exchange, 1000)
    message = reducer.close().choices[0].message
    (call,) = message.tool_calls or []
    recipe = json.loads(call.function.arguments)["recipe"]
    assert (call.function.name, recipe["name"], len(recipe["steps"])) == ("cookRecipe", "Lasagna", 10)
    assert recipe["ingredients"][9] == {"amount": "1/2 tsp", "name": "Pepper"}
    assert recipe["steps"][4] == "In a 9x13 baking dish, spread a thin layer of meat sauce."
    assert message.provider_data is not None
    (part,) = message.provider_data.data["parts"]
    assert part["functionCall"] == {"name": "cookRecipe", "args": {"recipe": recipe}}
    assert part["thoughtSignature"].startswith("CmIBjz1rX0OQ")
    assert sum(len(chunk.choices[0].delta.tool_calls or []) for chunk in chunks) == 1


@of("stream")
def test_stream_is_the_whole_answer_in_pieces(exchange: Exchange) -> None:
    """All of a stream's parts in one body say the same, citations and all."""
    dialect = row(exchange).chat
    assert dialect is not None
    _, reducer = feed(exchange, 1000)
    blocks = exchange.body.replace(b"\r\n", b"\n").split(b"\n\n")
    said = [json.loads(block[5:]) for block in blocks if block.startswith(b"data:")]
    whole: dict[str, Any] = {}
    parts: list[Any] = []
    candidate: dict[str, Any] = {}
    for chunk in said:
        whole |= chunk
        for found in chunk.get("candidates") or []:
            parts += (found.get("content") or {}).get("parts") or []
            candidate |= found
    whole["candidates"] = [candidate | {"content": {"role": "model", "parts": parts}}]
    reply = dialect.decode_response(json.dumps(whole).encode(), request(exchange))
    assert [choice.to_dict() for choice in reply.choices] == [choice.to_dict() for choice in reducer.close().choices]


@of("error")
def test_error_has_the_class_of_its_status_or_a_finer_one(exchange: Exchange) -> None:
    dialect = row(exchange).chat
    assert dialect is not None
    error = dialect.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    said = json.loads(exchange.body)
    said = (said[0] if isinstance(said, list) else said)["error"]
    by_status = STATUS.get(said["code"], APIStatusError)
    if "API_KEY_INVALID" in exchange.body.decode():
        by_status = AuthenticationError
    assert type(error) is by_status
    assert error.message == said["message"]
    if type(error) is RateLimitError:
        assert error.retry_after == 48.0


@of("error")
def test_the_same_error_in_place_of_a_stream(exchange: Exchange) -> None:
    """Bare JSON over several lines, after a chunk of an answer: the error that its status would have been."""
    dialect = row(exchange).chat
    assert dialect is not None
    status = dialect.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    begun = b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}\n\n'
    for size in (1, 1 << 20):
        reducer = dialect.reducer(request(exchange), max_event_bytes=1 << 20)
        body = begun + exchange.body
        chunks = [chunk for at in range(0, len(body), size) for chunk in reducer.feed(body[at : at + size])]
        assert len(chunks) == 1
        with pytest.raises(type(status)) as caught:
            reducer.close()
        assert caught.value.message == status.message


@of("embeddings")
def test_embeddings_are_float32_in_order(exchange: Exchange) -> None:
    dialect = row(exchange).embeddings
    assert dialect is not None
    said = json.loads(exchange.body)
    vectors = [
        *(each["embeddings"]["values"] for each in said.get("predictions", ())),
        *(each["values"] for each in said.get("embeddings", ())),
        *([said["embedding"]["values"]] if "embedding" in said else ()),
    ]
    asked = EmbeddingsRequest(provider="p", model="m", input=["x"] * len(vectors), params={})
    reply = dialect.decode_response(exchange.body, asked)
    assert [list(item.embedding) for item in reply.data] == [pytest.approx(vector, rel=1e-6) for vector in vectors]


@of("count")
def test_counts(exchange: Exchange) -> None:
    dialect = row(exchange).token_counts
    assert dialect is not None
    counted = dialect.decode_response(exchange.body, request(exchange))
    assert counted.input_tokens == json.loads(exchange.body)["totalTokens"] > 0


@of("models")
def test_models_have_ids(exchange: Exchange) -> None:
    dialect = row(exchange).models
    assert dialect is not None
    models = dialect.decode_list(exchange.body)
    said = json.loads(exchange.body)
    names = [item["name"].rpartition("/")[2] for item in said.get("models") or said.get("publisherModels") or ()]
    assert [model.id for model in models] == names


@of("file")
def test_files_have_names(exchange: Exchange) -> None:
    dialect = row(exchange).files
    assert dialect is not None
    made = dialect.decode_file(exchange.body)
    assert made.id == json.loads(exchange.body)["file"]["name"]
    assert made.bytes > 0
    assert made.created_at > 1_700_000_000


def test_a_model_that_is_not_there() -> None:
    """A 404 inside what should have been a stream, too."""
    found = [e for e in BY_KIND["error"] if e.status == 404]
    dialect = row(found[0]).chat
    assert dialect is not None
    classes = {type(dialect.decode_error(e.status, e.headers, e.body, now=0.0)) for e in found}
    assert classes == {NotFoundError}


@of("batch")
def test_batch(exchange: Exchange) -> None:
    """How far it is; and once it has ended its results, which are the answers of calls."""
    said = json.loads(exchange.body)
    found = row(exchange)
    dialect: Any = found.batches
    batch = dialect.decode_batch(exchange.body)
    assert (batch.id, batch.status_raw) == (said["name"], said["metadata"]["state"])
    assert batch.request_counts.total == 2
    assert batch.metadata == {"display_name": said["metadata"]["displayName"]}
    assert batch.ended == ("response" in said)
    if not batch.ended:
        with pytest.raises(ResponseDecodeError, match="no results"):
            dialect.split_results(exchange.body)
        return
    results = [found.read_batch_line(line, batch) for line in dialect.split_results(exchange.body).splitlines()]
    answers = said["response"]["inlinedResponses"]["inlinedResponses"]
    assert [each.custom_id for each in results] == [answer["metadata"]["custom_id"] for answer in answers]
    for result, answer in zip(results, answers, strict=True):
        assert isinstance(result.response, ChatCompletion)
        check(result.response, [answer["response"]])
