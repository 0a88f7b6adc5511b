"""Real answers of Cohere, read again by the dialects of its row, and compared with what plain `json` says.

Left out are the exchanges of another API: v1's chat and generate, and one of its OpenAI-compatible endpoint; and
counting tokens of a text, which OneLLM has no call for. v1's refusals and rerankings have v2's shape, and are read.
"""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.cohere.chat import CohereChat
from onellm.errors import AuthenticationError, NotFoundError
from onellm.providers.cohere import PROVIDER
from onellm.types.audio import TranscriptionRequest
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest
from onellm.types.files import InputFile
from onellm.types.rerank import RerankRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [exchange for exchange in exchanges() if exchange.provider == "cohere"]


def part(kind: str, path: str = "") -> pytest.MarkDecorator:
    found = [e for e in ALL if e.kind == kind and urlsplit(e.url).path.endswith(path)]
    return pytest.mark.parametrize("exchange", found, ids=[e.id for e in found])


LEFT_OUT = {
    "/v1/chat": "v1",
    "/v1/generate": "v1",
    "/compatibility/v1/chat/completions": "OpenAI's",
    "/v1/tokenize": "",
}
CHAT = CohereChat()
REQUEST = ChatRequest(provider="cohere", model="m", messages=[], params={})


def test_the_recordings_are_all_here() -> None:
    """Each exchange is read below, or is of an API that is left out by name."""
    left = Counter(urlsplit(e.url).path for e in ALL if urlsplit(e.url).path in LEFT_OUT and e.kind != "error")
    read = Counter(e.kind for e in ALL if urlsplit(e.url).path not in LEFT_OUT or e.kind == "error")
    assert left == {"/v1/chat": 6, "/v1/generate": 10, "/compatibility/v1/chat/completions": 1, "/v1/tokenize": 1}
    assert read == {
        "chat": 33,
        "chat_stream": 21,
        "embeddings": 8,
        "rerank": 6,
        "error": 3,
        "models": 1,
        "audio_transcription": 1,
    }
    assert sum(left.values()) + sum(read.values()) == len(ALL) == 91


def check(reply: ChatCompletion, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> None:
    """What an answer says, read in the obvious way from a message in the shape of a whole one."""
    choice = reply.choices[0]
    got = choice.message
    content = message.get("content") or []
    texts = [item["text"] for item in content if item["type"] == "text"]
    thoughts = [item["thinking"] for item in content if item["type"] == "thinking"]
    plan = message.get("tool_plan") or ""
    assert got.content == ("".join(texts) if texts else None)
    assert got.reasoning == ("\n\n".join(filter(None, [plan, *thoughts])) or None)
    assert [(c.id, c.function.name, c.function.arguments) for c in got.tool_calls or ()] == [
        (c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls") or ()
    ]
    cited = message.get("citations") or []
    assert [c.raw_citation for c in got.citations or ()] == [c for c in cited for _ in c["sources"]]
    for citation in got.citations or ():
        assert got.content is not None
        assert citation.raw_citation is not None
        assert got.content[citation.start_index : citation.end_index] == citation.raw_citation["text"]
        assert citation.document in {source["id"] for source in citation.raw_citation["sources"]}
        assert citation.text
    kept = got.provider_data.data if got.provider_data else {}
    assert kept == {
        **({"content": content} if thoughts else {}),
        **({"tool_plan": plan} if plan else {}),
        **({"citations": cited} if cited else {}),
    }
    assert choice.finish_reason_raw == finish
    assert choice.finish_reason in {"stop", "length", "tool_calls"}
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == usage["tokens"]["input_tokens"]
    assert reply.usage.completion_tokens == usage["tokens"]["output_tokens"]
    details = reply.usage.prompt_tokens_details
    assert (details and details.cached_tokens) == usage.get("cached_tokens")
    thought = reply.usage.completion_tokens_details
    assert (thought and thought.reasoning_tokens) == usage["tokens"].get("reasoning_tokens")


@part("chat", "/v2/chat")
def test_answer_says_what_it_says(exchange: Exchange) -> None:
    said = json.loads(exchange.body)
    reply = CHAT.decode_response(exchange.body, REQUEST)
    assert reply.id == said["id"]
    check(reply, said["message"], said["finish_reason"], said["usage"])
    goes_back(reply.choices[0].message)


@part("chat_stream", "/v2/chat")
def test_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks; and the answer that they add up to."""
    folded: list[tuple[list[ChatCompletionChunk], ChatCompletion]] = []
    for size in (len(exchange.body), 1):
        reducer = CHAT.reducer(REQUEST, max_event_bytes=1 << 20)
        pieces = [exchange.body[at : at + size] for at in range(0, len(exchange.body), size)]
        folded.append(([chunk for piece in pieces for chunk in reducer.feed(piece)], reducer.close()))
    assert folded[0] == folded[1]
    chunks, reply = folded[0]
    message, end = added_up(exchange.body)
    check(reply, message, end["finish_reason"], end["usage"])
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert content == (reply.choices[0].message.content or "")
    assert "".join(chunk.choices[0].delta.reasoning or "" for chunk in chunks) == (
        reply.choices[0].message.reasoning or ""
    )
    assert chunks[-1].usage == reply.usage
    goes_back(reply.choices[0].message)


def added_up(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: C901 - an event a case
    """A stream's events as the message that would have come whole, and what its last event says."""
    message: dict[str, Any] = {"content": [], "tool_calls": [], "citations": [], "tool_plan": ""}
    end: dict[str, Any] = {}
    for line in body.splitlines():
        if not line.startswith(b"data:") or b"[DONE]" in line:
            continue
        event = json.loads(line[5:])
        said = event.get("delta", {}).get("message", {})
        match event["type"]:
            case "content-start":
                message["content"].append(said["content"])
            case "content-delta":
                for key, value in said["content"].items():
                    message["content"][event["index"]][key] += value
            case "tool-plan-delta":
                message["tool_plan"] += said["tool_plan"]
            case "tool-call-start":
                message["tool_calls"].append(said["tool_calls"])
            case "tool-call-delta":
                function = message["tool_calls"][event["index"]]["function"]
                function["arguments"] += said["tool_calls"]["function"]["arguments"]
            case "tool-call-end":
                function = message["tool_calls"][event["index"]]["function"]
                function["arguments"] = function["arguments"] or "{}"
            case "citation-start":
                message["citations"].append(said["citations"])
            case "message-end":
                end = event["delta"]
            case _:
                pass
    return message, end


def goes_back(message: ChatCompletionMessage) -> None:
    """Sent again to its provider with all that came; to another one without what is only its provider's."""
    history = [message.to_dict()]
    (sent,) = json.loads(CHAT.encode_request(asking("cohere", history)).body or b"")["messages"]
    kept = message.provider_data.data if message.provider_data else {}
    for name, value in kept.items():
        assert sent[name] == value
    (foreign,) = json.loads(CHAT.encode_request(asking("another", history)).body or b"")["messages"]
    assert foreign.keys() <= {"role", "content", "tool_calls"}


def asking(provider: str, history: list[dict[str, Any]]) -> ChatRequest:
    return ChatRequest(provider=provider, model="m", messages=history, params={})


@part("error")
def test_refusal_has_its_class(exchange: Exchange) -> None:
    error = CHAT.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert type(error) is {401: AuthenticationError, 404: NotFoundError}[exchange.status]
    assert error.message == json.loads(exchange.body)["message"]
    assert error.request_id == exchange.headers.get("x-debug-trace-id")


@part("embeddings", "/v2/embed")
def test_vectors(exchange: Exchange) -> None:
    dialect = PROVIDER.embeddings
    assert dialect is not None
    request = EmbeddingsRequest(provider="cohere", model="m", input=exchange.request["texts"], params={})
    reply = dialect.decode_response(exchange.body, request)
    said = json.loads(exchange.body)
    assert len(reply.data) == len(said["embeddings"]["float"])
    for item, vector in zip(reply.data, said["embeddings"]["float"], strict=True):
        assert item.embedding.tolist() == pytest.approx(vector, rel=1e-6)
    assert reply.usage.total_tokens == said["meta"]["billed_units"]["input_tokens"]


@part("rerank")
def test_reranking(exchange: Exchange) -> None:
    dialect = PROVIDER.rerank
    assert dialect is not None
    documents = exchange.request["documents"]
    reply = dialect.decode_response(
        exchange.body, RerankRequest(provider="cohere", model="m", query="q", documents=documents)
    )
    said = json.loads(exchange.body)
    assert [(r.index, r.relevance_score) for r in reply.results] == [
        (r["index"], r["relevance_score"]) for r in said["results"]
    ]
    assert reply.usage is not None
    assert reply.usage.search_units == said["meta"]["billed_units"]["search_units"]


@part("models")
def test_models(exchange: Exchange) -> None:
    dialect = PROVIDER.models
    assert dialect is not None
    (found,) = dialect.decode_list(exchange.body)
    (said,) = json.loads(exchange.body)["models"]
    assert (found.id, found.model_extra["endpoints"]) == (said["name"], said["endpoints"])


@part("audio_transcription")
def test_transcription(exchange: Exchange) -> None:
    dialect = PROVIDER.transcriptions
    assert dialect is not None
    file = InputFile(filename="a.wav", content_type="audio/wav", source=b"")
    request = TranscriptionRequest(provider="cohere", model="m", file=file, params={})
    assert dialect.decode_response(exchange.body, request).text == json.loads(exchange.body)["text"]
