"""Real answers of Bedrock, read again: Converse and its stream, frames, errors, vectors, models, counts.

Of 101 exchanges 15 are left out: 13 whole answers by InvokeModel whose bodies are those of makers whose API is not
spoken here, and 2 of ApplyGuardrail, which is no operation of ours. Of 13 streams by InvokeModel the 5 of Messages are
folded, the others are read as frames only.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# botocore has no types.

import base64
import json
from collections import Counter
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.bedrock.converse import CountTokens
from onellm.dialects.bedrock.fold import FINISH
from onellm.dialects.bedrock.messages import InvokeMessages
from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import APIStatusError, AuthenticationError, BadRequestError, PermissionDeniedError
from onellm.providers.bedrock import PROVIDER
from onellm.transport.eventstream import EventStreamDecoder
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest
from onellm.types.rerank import RerankRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [exchange for exchange in exchanges() if exchange.provider == "bedrock"]


def kind(exchange: Exchange) -> str:
    """What is read of an exchange here."""
    operation = urlsplit(exchange.url).path.rpartition("/")[2]
    if exchange.status >= 400:
        return "error"
    if operation == "completions":
        return "openai stream" if exchange.kind == "chat_stream" else "openai"
    if operation == "invoke":
        return exchange.kind if exchange.kind in ("embeddings", "rerank") else "invoke"
    return operation


def of(*kinds: str) -> list[Exchange]:
    return [exchange for exchange in ALL if kind(exchange) in kinds]


def ids(exchange: Exchange) -> str:
    return exchange.id


def test_the_recordings_are_all_here() -> None:
    assert Counter(map(kind, ALL)) == {
        "converse": 31,
        "converse-stream": 11,
        "invoke": 17,
        "invoke-with-response-stream": 13,
        "embeddings": 7,
        "rerank": 1,
        "openai": 2,
        "openai stream": 3,
        "count-tokens": 1,
        "foundation-models": 2,
        "apply": 2,
        "error": 11,
    }


def request(exchange: Exchange) -> ChatRequest:
    model = unquote(urlsplit(exchange.url).path.split("/")[2])
    return ChatRequest(provider="bedrock", model=model, messages=[], params={"stream_options": {"include_usage": True}})


def check_message(reply: ChatCompletion, blocks: list[Any]) -> None:
    """What the blocks say, read a second time in the obvious way."""
    message = reply.choices[0].message
    cited = [block["citationsContent"] for block in blocks if "citationsContent" in block]
    texts = [
        block["text"]
        if "text" in block
        else "".join(piece["text"] for piece in block.get("citationsContent", {}).get("content", ()))
        for block in blocks
    ]
    assert (message.content or "") == "".join(texts)
    thoughts = [block["reasoningContent"] for block in blocks if "reasoningContent" in block]
    said = "".join(thought.get("reasoningText", {}).get("text", "") for thought in thoughts)
    assert (message.reasoning or "") == said
    calls = [block["toolUse"] for block in blocks if "toolUse" in block and "type" not in block["toolUse"]]
    assert [
        (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
    ] == [(call["toolUseId"], call["name"], call["input"]) for call in calls]
    sources = [one for each in cited for one in each["citations"]]
    assert [one.raw_citation for one in message.citations or ()] == sources
    for citation in message.citations or ():
        if citation.end_index is not None:
            text = (message.content or "")[citation.start_index : citation.end_index]
            assert text in texts
    signed = [
        thought for thought in thoughts if "redactedContent" in thought or "signature" in thought["reasoningText"]
    ]
    kept = message.provider_data.data["blocks"] if message.provider_data else []
    assert [block["reasoningContent"] for block in kept if "reasoningContent" in block] == signed


@pytest.mark.parametrize("exchange", of("converse"), ids=ids)
def test_a_whole_answer_says_what_it_says(exchange: Exchange) -> None:
    assert PROVIDER.chat is not None
    reply = PROVIDER.chat.decode_response(exchange.body, request(exchange))

    said = json.loads(exchange.body)
    check_message(reply, said["output"]["message"]["content"])
    choice = reply.choices[0]
    assert choice.finish_reason_raw == said["stopReason"]
    assert choice.finish_reason == FINISH[said["stopReason"]]
    usage = said["usage"]
    assert reply.usage is not None
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    assert reply.usage.prompt_tokens == usage["inputTokens"] + cached
    assert reply.usage.completion_tokens == usage["outputTokens"]
    assert reply.to_dict()["stopReason"] == said["stopReason"]


@pytest.mark.parametrize("exchange", of("converse-stream"), ids=ids)
def test_a_stream_folds_to_what_botocore_reads(exchange: Exchange) -> None:
    """Whole and byte by byte: the same chunks and the same answer."""
    chunks, reply = _fold(exchange, len(exchange.body))
    bytewise, again = _fold(exchange, 1)
    assert [chunk.to_dict() for chunk in chunks] == [chunk.to_dict() for chunk in bytewise]
    assert reply.to_dict() == again.to_dict()
    blocks, stop, usage = _naive(exchange.body)
    check_message(reply, blocks)
    assert reply.choices[0].finish_reason_raw == stop
    assert reply.usage is not None
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    assert reply.usage.total_tokens == usage["inputTokens"] + usage["outputTokens"] + cached
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == (reply.choices[0].message.content or "")


@pytest.mark.parametrize("exchange", of("converse-stream", "invoke-with-response-stream"), ids=ids)
def test_frames_are_those_that_botocore_reads(exchange: Exchange) -> None:
    eventstream = pytest.importorskip("botocore.eventstream")
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(exchange.body)
    theirs = [(dict(frame.headers), frame.payload) for frame in buffer]
    for size in (len(exchange.body), 7):
        decoder = EventStreamDecoder()
        ours = [
            (dict(frame.headers), frame.payload)
            for at in range(0, len(exchange.body), size)
            for frame in decoder.feed(exchange.body[at : at + size])
        ]
        decoder.close()
        assert ours == theirs
    assert theirs


CLASSES: dict[int, tuple[type[APIStatusError], ...]] = {
    400: (BadRequestError,),
    403: (PermissionDeniedError, AuthenticationError),
}


def of_messages(*kinds: str) -> list[Exchange]:
    """Those in the words of Anthropic's Messages."""
    return [e for e in of(*kinds) if isinstance(e.request, dict) and "anthropic_version" in e.request]


def test_messages_are_among_them() -> None:
    assert (len(of_messages("invoke")), len(of_messages("invoke-with-response-stream"))) == (4, 5)


@pytest.mark.parametrize("exchange", of_messages("invoke"), ids=ids)
def test_messages_by_invoke_model(exchange: Exchange) -> None:
    reply = InvokeMessages().decode_response(exchange.body, request(exchange))
    said = json.loads(exchange.body)
    message = reply.choices[0].message
    assert (message.content or "") == "".join(block.get("text", "") for block in said["content"])
    assert (message.reasoning or "") == "".join(block.get("thinking", "") for block in said["content"])
    calls = [(call.id, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    assert calls == [(block["id"], block["input"]) for block in said["content"] if block["type"] == "tool_use"]
    assert reply.choices[0].finish_reason_raw == said["stop_reason"]


@pytest.mark.parametrize("exchange", of_messages("invoke-with-response-stream"), ids=ids)
def test_streams_of_messages_by_invoke_model(exchange: Exchange) -> None:
    """Whole and byte by byte, with the text that their frames hold."""
    replies: list[ChatCompletion] = []
    for size in (len(exchange.body), 1):
        reducer = InvokeMessages().reducer(request(exchange), max_event_bytes=1 << 26)
        for at in range(0, len(exchange.body), size):
            reducer.feed(exchange.body[at : at + size])
        assert reducer.finished
        replies.append(reducer.close())
    assert replies[0].to_dict() == replies[1].to_dict()
    deltas = [
        json.loads(base64.b64decode(json.loads(frame.payload)["bytes"])).get("delta", {})
        for frame in EventStreamDecoder().feed(exchange.body)
    ]
    message = replies[0].choices[0].message
    assert (message.content or "") == "".join(delta.get("text", "") for delta in deltas)
    assert (message.reasoning or "") == "".join(delta.get("thinking", "") for delta in deltas)
    assert [call.function.arguments for call in message.tool_calls or ()] == [
        text for text in ["".join(delta.get("partial_json", "") for delta in deltas)] if text
    ]


@pytest.mark.parametrize("exchange", of("error"), ids=ids)
def test_errors_have_their_class(exchange: Exchange) -> None:
    """By the name in the header, where the recording has it."""
    assert PROVIDER.chat is not None
    error = PROVIDER.chat.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert isinstance(error, CLASSES[exchange.status])
    assert error.message
    assert not error.message.startswith("{\n")
    named = exchange.headers.get("x-amzn-errortype", "").partition(":")[0]
    if named:
        assert error.code == named
        wanted: dict[str, type[APIStatusError]] = {
            "ExpiredTokenException": AuthenticationError,
            "UnrecognizedClientException": AuthenticationError,
            "AccessDeniedException": PermissionDeniedError,
            "ValidationException": BadRequestError,
        }
        assert type(error) is wanted[named]
        assert error.request_id == exchange.headers["x-amzn-requestid"]


@pytest.mark.parametrize("exchange", of("embeddings"), ids=ids)
def test_vectors_and_bodies(exchange: Exchange) -> None:
    """Each family's vectors; and our body for the same call is theirs, but for what they chose."""
    dialect = PROVIDER.embeddings
    assert dialect is not None
    sent = exchange.request
    model = unquote(urlsplit(exchange.url).path.split("/")[2])
    single = sent.get("singleEmbeddingParams", {})
    texts = sent.get("texts") or [sent.get("inputText") or single["text"]["value"]]
    params: dict[str, Any] = {}
    wanted = sent.get("dimensions") or sent.get("output_dimension") or single.get("embeddingDimension")
    if wanted:
        params["dimensions"] = wanted
    if "texts" in sent:
        params["input_type"] = "query"
    asked = EmbeddingsRequest(provider="bedrock", model=model, input=texts, params=params)
    reply = dialect.decode_response(exchange.body, asked)
    said = json.loads(exchange.body)
    vectors = said.get("embeddings") or [said["embedding"]]
    vectors = vectors["float"] if isinstance(vectors, dict) else vectors
    first = vectors[0]["embedding"] if isinstance(vectors[0], dict) else vectors[0]
    assert list(reply.data[0].embedding) == pytest.approx(first)
    assert len(reply.data) == len(texts)
    ours = json.loads(dialect.encode_request(asked).body or b"")
    chosen = {"truncate": sent.get("truncate"), "normalize": sent.get("normalize")}
    for name, value in chosen.items():
        if value is not None:
            ours[name] = value
    if single:
        ours["singleEmbeddingParams"]["text"]["truncationMode"] = single["text"]["truncationMode"]
        ours.pop("schemaVersion")
    assert ours == sent


@pytest.mark.parametrize("exchange", of("rerank"), ids=ids)
def test_rerankings(exchange: Exchange) -> None:
    assert PROVIDER.rerank is not None
    sent = exchange.request
    asked = RerankRequest(
        provider="bedrock",
        model="cohere.rerank-v3-5:0",
        query=sent["query"],
        documents=sent["documents"],
        top_n=sent.get("top_n"),
    )
    assert json.loads(PROVIDER.rerank.encode_request(asked).body or b"") == sent
    reply = PROVIDER.rerank.decode_response(exchange.body, asked)
    assert [(one.index, one.relevance_score) for one in reply.results] == [
        (one["index"], one["relevance_score"]) for one in json.loads(exchange.body)["results"]
    ]


@pytest.mark.parametrize("exchange", of("foundation-models"), ids=ids)
def test_models_have_ids(exchange: Exchange) -> None:
    assert PROVIDER.models is not None
    found = PROVIDER.models.decode_list(exchange.body)
    said = json.loads(exchange.body)["modelSummaries"]
    assert [(one.id, one.owned_by) for one in found] == [(one["modelId"], one["providerName"]) for one in said]
    assert found[0].model_extra["modelArn"] == said[0]["modelArn"]


@pytest.mark.parametrize("exchange", of("count-tokens"), ids=ids)
def test_counts_of_tokens(exchange: Exchange) -> None:
    dialect = CountTokens()
    asked = request(exchange)
    asked.messages = [{"role": "user", "content": "Hello, world!"}]
    http = dialect.encode_request(asked)
    assert http.path == urlsplit(exchange.url).path[1:]
    ours = json.loads(http.body or b"")
    ours["input"]["converse"]["system"] = []
    assert ours == exchange.request
    assert dialect.decode_response(exchange.body, asked).input_tokens == 11


@pytest.mark.parametrize("exchange", of("openai", "openai stream"), ids=ids)
def test_the_front_that_speaks_openais_api(exchange: Exchange) -> None:
    dialect = OpenAIChat()
    if kind(exchange) == "openai":
        reply = dialect.decode_response(exchange.body, request(exchange))
    else:
        reducer = dialect.reducer(request(exchange), max_event_bytes=1 << 26)
        reducer.feed(exchange.body)
        reply = reducer.close()
    assert reply.choices[0].finish_reason in ("stop", "tool_calls", "length")


def _fold(exchange: Exchange, size: int) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    assert PROVIDER.chat is not None
    reducer = PROVIDER.chat.reducer(request(exchange), max_event_bytes=1 << 26)
    chunks: list[ChatCompletionChunk] = []
    for at in range(0, len(exchange.body), size):
        chunks += reducer.feed(exchange.body[at : at + size])
    assert reducer.finished
    return chunks, reducer.close()


def _naive(body: bytes) -> tuple[list[Any], str, Any]:  # noqa: C901, PLR0912 - an event a case
    """Blocks, stop reason and usage as botocore's frames give them."""
    eventstream = pytest.importorskip("botocore.eventstream")
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(body)
    blocks: dict[int, dict[str, Any]] = {}
    stop, usage = "", {}
    for frame in buffer:
        event = json.loads(frame.payload)
        block = blocks.setdefault(event["contentBlockIndex"], {}) if "contentBlockIndex" in event else {}
        match event:
            case {"start": {"toolUse": dict() as call}}:
                block["toolUse"] = {**call, "input": ""}
            case {"delta": {"text": text}}:
                block["text"] = block.get("text", "") + text
            case {"delta": {"toolUse": {"input": text}}}:
                block["toolUse"]["input"] += text
            case {"delta": {"reasoningContent": {"redactedContent": text}}}:
                block["reasoningContent"] = {"redactedContent": text}
            case {"delta": {"reasoningContent": dict() as thought}}:
                ((name, text),) = thought.items()
                said = block.setdefault("reasoningContent", {"reasoningText": {}})["reasoningText"]
                said[name] = said.get(name, "") + text
            case {"delta": {"citation": citation}}:
                block.setdefault("citations", []).append(citation)
            case {"stopReason": reason}:
                stop = reason
            case {"usage": counted}:
                usage = counted
            case _:
                pass
    found = [block for _, block in sorted(blocks.items())]
    for block in found:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
        if "citations" in block:
            content = [{"text": block.pop("text")}] if "text" in block else []
            block["citationsContent"] = {"citations": block.pop("citations"), "content": content}
    return found, stop, usage


def test_padding_and_base64_are_not_ours() -> None:
    """Redacted thinking stays the base64 it came as."""
    redacted = [
        block["reasoningContent"]["redactedContent"]
        for exchange in of("converse-stream")
        for block in _naive(exchange.body)[0]
        if "redactedContent" in block.get("reasoningContent", {})
    ]
    assert redacted
    assert all(base64.b64encode(base64.b64decode(one)).decode() == one for one in redacted)
