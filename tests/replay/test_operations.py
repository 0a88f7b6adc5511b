"""Real answers to text completions, rerankings and moderations, read again and compared with what plain `json` says."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.ocr import Ocr
from onellm.dialects.openai.moderations import OpenAIModerations
from onellm.dialects.rerank import Rerank
from onellm.providers import compatible
from onellm.providers.azure import PROVIDER as AZURE
from onellm.types.completions import Completion, CompletionRequest
from onellm.types.moderations import ModerationRequest
from onellm.types.ocr import OcrRequest
from onellm.types.rerank import RerankRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ROWS = {**compatible.ROWS, AZURE.name: AZURE}
OTHER = ("portkey", "writer")  # APIs of their own at paths that end in the same word
GOOD = [e for e in exchanges() if e.status < 400 and e.row in {*ROWS, "cohere", "voyageai"} and e.provider not in OTHER]
COMPLETIONS = [e for e in GOOD if e.kind == "completions" and urlsplit(e.url).path.endswith("/completions")]
WHOLE = [e for e in COMPLETIONS if "stream" not in e.tags]
STREAMS = [e for e in COMPLETIONS if "stream" in e.tags]
RERANKS = [e for e in GOOD if e.kind == "rerank"]
MODERATIONS = [e for e in GOOD if e.kind == "moderation" and e.provider == "openai"]

READ = [e for e in GOOD if urlsplit(e.url).path.endswith("/ocr")]


def ids(exchange: Exchange) -> str:
    return exchange.id


def test_the_recordings_are_all_here() -> None:
    """The parts are not empty, so that the tests below cannot pass by having nothing to read."""
    counts = [len(part) for part in (WHOLE, STREAMS, RERANKS, MODERATIONS, READ)]
    assert all(found >= least for found, least in zip(counts, (15, 5, 10, 4, 1), strict=True)), counts


def _request(exchange: Exchange) -> CompletionRequest:
    body = exchange.request if isinstance(exchange.request, dict) else {}
    params = {"n": body["n"]} if body.get("n") else {}
    return CompletionRequest(
        provider=exchange.row, model="m", prompt=body.get("prompt") or "", params={**params, "stream_options": {}}
    )


def _says(reply: Completion) -> list[tuple[int, str, str | None]]:
    return [(choice.index, choice.text, choice.finish_reason_raw) for choice in reply.choices]


@pytest.mark.parametrize("exchange", WHOLE, ids=ids)
def test_completion_says_what_it_says(exchange: Exchange) -> None:
    dialect = ROWS[exchange.row].completions
    assert dialect is not None
    reply = dialect.decode_response(exchange.body, _request(exchange))
    said = json.loads(exchange.body)
    assert _says(reply) == [(c["index"], c["text"], c["finish_reason"]) for c in said["choices"]]
    assert {choice.finish_reason for choice in reply.choices} <= {"stop", "length"}
    assert len(reply.choices) == _request(exchange).expected_choices
    assert reply.usage is not None
    assert reply.usage.total_tokens == said["usage"]["total_tokens"]


@pytest.mark.parametrize("exchange", STREAMS, ids=ids)
def test_completion_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks, and the text that their pieces make."""
    dialect = ROWS[exchange.row].completions
    assert dialect is not None
    folded: list[tuple[list[bytes], Completion]] = []
    for size in (len(exchange.body), 1):
        reducer = dialect.reducer(_request(exchange), max_event_bytes=1 << 20)
        pieces = [exchange.body[start : start + size] for start in range(0, len(exchange.body), size)]
        folded.append(([chunk.raw for piece in pieces for chunk in reducer.feed(piece)], reducer.close()))
    assert folded[0] == folded[1]
    events: list[Any] = [
        json.loads(line[5:])
        for line in exchange.body.splitlines()
        if line.startswith(b"data:") and b"[DONE]" not in line
    ]
    reply = folded[0][1]
    for choice in reply.choices:
        mine = [c for event in events for c in event["choices"] or [] if c["index"] == choice.index]
        assert choice.text == "".join(c["text"] for c in mine)
        assert choice.finish_reason_raw == next(c["finish_reason"] for c in reversed(mine) if c["finish_reason"])
    usage = next((event["usage"] for event in reversed(events) if event.get("usage")), None)
    assert (usage and usage["total_tokens"]) == (reply.usage and reply.usage.total_tokens)


@pytest.mark.parametrize("exchange", RERANKS, ids=ids)
def test_reranking_says_what_it_says(exchange: Exchange) -> None:
    said = json.loads(exchange.body)
    items = said["results"] if "results" in said else said["data"]
    sent = exchange.request["documents"] if exchange.request else ["x"] * (1 + max(i["index"] for i in items))
    request = RerankRequest(provider="here", model="m", query="q", documents=sent, return_documents=True)
    reply = Rerank().decode_response(exchange.body, request)
    assert sorted((item.index, item.relevance_score) for item in reply.results) == sorted(
        (item["index"], item["relevance_score"]) for item in items
    )
    scores = [item.relevance_score for item in reply.results]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("exchange", MODERATIONS, ids=ids)
def test_moderation_says_what_it_says(exchange: Exchange) -> None:
    request = ModerationRequest(provider="openai", model="m", input=exchange.request["input"])
    assert OpenAIModerations().decode_response(exchange.body, request).to_dict() == json.loads(exchange.body)


@pytest.mark.parametrize("exchange", READ, ids=ids)
def test_document_says_what_it_says(exchange: Exchange) -> None:
    request = OcrRequest(provider="mistral", model="m", document={}, params={})
    reply = Ocr().decode_response(exchange.body, request)
    said = json.loads(exchange.body)
    assert reply.to_dict() == said | {"pages": [{"images": [], **page} for page in said["pages"]]}
    assert reply.markdown == "\n\n".join(page["markdown"] for page in said["pages"])
    assert reply.usage_info is not None
    assert reply.usage_info.pages_processed == len(reply.pages)
