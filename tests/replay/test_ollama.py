"""Real answers of Ollama, read again by the dialects of its row, and compared with what plain `json` says.

Its OpenAI-compatible side is read as a host of one's own; what that has to say is tested with the compatible hosts,
so here it must decode, fold alike however it is cut, and refuse with the right class. Left out is the old endpoint
for one embedding, which OneLLM has no call for.
"""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.ollama.chat import OllamaChat
from onellm.dialects.ollama.embeddings import OllamaEmbeddings
from onellm.dialects.ollama.generate import OllamaCompletions
from onellm.dialects.protocols import ChatDialect
from onellm.errors import AuthenticationError, BadRequestError, NotFoundError
from onellm.providers.compatible import compatible
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import Completion, CompletionRequest
from onellm.types.embeddings import EmbeddingsRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [exchange for exchange in exchanges() if exchange.provider == "ollama"]
CHAT, COMPLETIONS, EMBEDDINGS = OllamaChat(), OllamaCompletions(), OllamaEmbeddings()
OPENAI = compatible("ollama-openai")
LINES = "framing:ndjson"
LEFT_OUT = "/api/embeddings"
REFUSED = {400: BadRequestError, 401: AuthenticationError, 404: NotFoundError}


def path(exchange: Exchange) -> str:
    return urlsplit(exchange.url).path


def part(kind: str, prefix: str) -> pytest.MarkDecorator:
    found = [e for e in ALL if e.kind == kind and path(e).startswith(prefix) and path(e) != LEFT_OUT]
    return pytest.mark.parametrize("exchange", found, ids=[e.id for e in found])


def request(exchange: Exchange) -> ChatRequest:
    model = str((exchange.request or {}).get("model", "m"))
    return ChatRequest(provider="ollama", model=model, messages=[], params={})


def test_the_recordings_are_all_here() -> None:
    """Each exchange is read below, or is of the one path that is left out."""
    assert Counter((e.kind, path(e)) for e in ALL) == {
        ("chat", "/api/chat"): 6,
        ("chat_stream", "/api/chat"): 10,
        ("completions", "/api/generate"): 7,
        ("embeddings", "/api/embed"): 6,
        ("embeddings", LEFT_OUT): 2,
        ("error", "/api/chat"): 1,
        ("chat", "/v1/chat/completions"): 32,
        ("chat_stream", "/v1/chat/completions"): 26,
        ("error", "/v1/chat/completions"): 5,
        ("models", "/v1/models"): 4,
    }
    assert len(ALL) == 99


def check(reply: ChatCompletion, message: dict[str, Any], end: dict[str, Any]) -> None:
    """What an answer says, read in the obvious way."""
    choice = reply.choices[0]
    got = choice.message
    calls = message.get("tool_calls") or []
    assert got.content == (message["content"] or (None if calls else ""))
    assert got.reasoning == (message.get("thinking") or None)
    assert [(c.function.name, json.loads(c.function.arguments)) for c in got.tool_calls or ()] == [
        (c["function"]["name"], c["function"]["arguments"]) for c in calls
    ]
    assert len({call.id for call in got.tool_calls or ()}) == len(calls)
    assert choice.finish_reason_raw == end.get("done_reason")
    assert choice.finish_reason == ("tool_calls" if calls else end.get("done_reason", "stop"))
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == end.get("prompt_eval_count", 0)
    assert reply.usage.completion_tokens == end.get("eval_count", 0)
    assert reply.model == end["model"]
    assert reply.created > 1_700_000_000
    assert reply.model_extra["total_duration"] == end["total_duration"]
    goes_back(reply)


def goes_back(reply: ChatCompletion) -> None:
    """Sent again with its calls, and to its own provider with what it thought."""
    message = reply.choices[0].message
    for provider in ("ollama", "another"):
        history = ChatRequest(provider=provider, model="m", messages=[message.to_dict()], params={})
        (sent,) = json.loads(CHAT.encode_request(history).body or b"")["messages"]
        assert sent["content"] == (message.content or "")
        assert sent.get("thinking") == (message.reasoning if provider == "ollama" else None)
        assert len(sent.get("tool_calls", [])) == len(message.tool_calls or ())


@part("chat", "/api/")
def test_answer_says_what_it_says(exchange: Exchange) -> None:
    said = json.loads(exchange.body)
    check(CHAT.decode_response(exchange.body, request(exchange)), said["message"], said)


@part("chat_stream", "/api/")
def test_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks; and the answer that they add up to."""
    chunks, reply = fold(CHAT, exchange)
    lines = [json.loads(line) for line in exchange.body.splitlines()]
    message = {
        "content": "".join(line["message"]["content"] for line in lines),
        "thinking": "".join(line["message"].get("thinking") or "" for line in lines),
        "tool_calls": [call for line in lines for call in line["message"].get("tool_calls") or ()],
    }
    check(reply, message, lines[-1])
    assert chunks[-1].usage == reply.usage
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == message["content"]


def fold(dialect: ChatDialect, exchange: Exchange) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    folded: list[tuple[list[ChatCompletionChunk], ChatCompletion]] = []
    for size in (len(exchange.body), 1):
        reducer = dialect.reducer(request(exchange), max_event_bytes=1 << 20)
        pieces = [exchange.body[at : at + size] for at in range(0, len(exchange.body), size)]
        folded.append(([chunk for piece in pieces for chunk in reducer.feed(piece)], reducer.close()))
    assert folded[0] == folded[1]
    return folded[0]


@part("completions", "/api/")
def test_text_completion_says_what_it_says(exchange: Exchange) -> None:
    """Whole, or as a stream that folds to the same however it is cut."""
    asked = CompletionRequest(provider="ollama", model="m", prompt="x", params={})
    lines = [json.loads(line) for line in exchange.body.splitlines()]
    if LINES in exchange.tags:
        folded: list[Completion] = []
        for size in (len(exchange.body), 1):
            reducer = COMPLETIONS.reducer(asked, max_event_bytes=1 << 20)
            for at in range(0, len(exchange.body), size):
                reducer.feed(exchange.body[at : at + size])
            folded.append(reducer.close())
        assert folded[0] == folded[1]
        reply = folded[0]
    else:
        reply = COMPLETIONS.decode_response(exchange.body, asked)
    assert reply.choices[0].text == "".join(line["response"] for line in lines)
    assert reply.choices[0].finish_reason == lines[-1].get("done_reason", "stop")
    assert reply.usage is not None
    assert reply.usage.completion_tokens == lines[-1]["eval_count"]


@part("embeddings", "/api/embed")
def test_vectors(exchange: Exchange) -> None:
    given = exchange.request["input"]
    texts = [given] if isinstance(given, str) else given
    reply = EMBEDDINGS.decode_response(
        exchange.body, EmbeddingsRequest(provider="ollama", model="m", input=texts, params={})
    )
    said = json.loads(exchange.body)
    assert len(reply.data) == len(said["embeddings"])
    for item, vector in zip(reply.data, said["embeddings"], strict=True):
        assert item.embedding.tolist() == pytest.approx(vector, rel=1e-6)
    assert reply.usage.total_tokens == said["prompt_eval_count"]


@part("error", "/")
def test_refusal_has_its_class(exchange: Exchange) -> None:
    dialect: ChatDialect | None = CHAT if path(exchange).startswith("/api") else OPENAI.chat
    assert dialect is not None
    error = dialect.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert type(error) is REFUSED[exchange.status]
    said = json.loads(exchange.body)["error"]
    assert error.message == (said if isinstance(said, str) else said["message"])


@part("chat", "/v1/")
def test_compatible_answer(exchange: Exchange) -> None:
    """Thinking comes in a field of its own, or between tags before the text: those of a host of one's own are read."""
    assert OPENAI.chat is not None
    reply = OPENAI.chat.decode_response(exchange.body, request(exchange))
    said = json.loads(exchange.body)["choices"][0]["message"]
    got = reply.choices[0].message
    thought, tag, text = str(said["content"] or "").partition("</think>")
    if tag:
        assert (got.content or "") == text.strip()
        assert got.reasoning == thought.removeprefix("<think>").strip()
    else:
        assert got.content == said["content"]
        assert got.reasoning == (said.get("reasoning") or None)
    assert [c.id for c in got.tool_calls or ()] == [c["id"] for c in said.get("tool_calls") or ()]


@part("chat_stream", "/v1/")
def test_compatible_stream(exchange: Exchange) -> None:
    assert OPENAI.chat is not None
    chunks, reply = fold(OPENAI.chat, exchange)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == (reply.choices[0].message.content or "")
    assert reply.choices[0].finish_reason in {"stop", "tool_calls", "length"}


@part("models", "/v1/")
def test_compatible_models(exchange: Exchange) -> None:
    assert OPENAI.models is not None
    found = OPENAI.models.decode_list(exchange.body)
    assert [model.id for model in found] == [model["id"] for model in json.loads(exchange.body)["data"] or ()]
