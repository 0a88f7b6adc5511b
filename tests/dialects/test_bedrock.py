"""Converse: what goes out, and how streams are folded, where the contract and the official client do not look."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Answer, Loopback
from wire import bedrock
from wire.bedrock import BEGIN, delta, end, event, exception, start, stop, tool_events, whole
from wire.eventstream import frame

from onellm import AsyncOneLLM
from onellm.dialects.bedrock.content import Names
from onellm.dialects.bedrock.converse import Converse, CountTokens, foundation_model
from onellm.dialects.bedrock.faults import CODES
from onellm.dialects.bedrock.models import FoundationModels
from onellm.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    OverloadedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.types.bedrock import BedrockOptions, Guardrail
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.options import OnUnsupported

DIALECT = Converse()
HI: dict[str, Any] = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "call 1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call 1", "content": "ok"}


def request(messages: list[Any] | None = None, on_unsupported: OnUnsupported = "raise", **params: Any) -> ChatRequest:
    return ChatRequest(
        provider="bedrock",
        model="m",
        messages=messages or [HI],
        params=params,
        on_unsupported=on_unsupported,
        adjustments=[],
    )


def sent(asked: ChatRequest, *, stream: bool = False) -> Any:
    return json.loads((DIALECT.encode_stream if stream else DIALECT.encode_request)(asked).body or b"")


# --- requests ---


def test_a_system_message_between_others() -> None:
    """Goes as the user's text, and the answer says so; as itself where the model takes it."""
    messages = [HI, {"role": "system", "content": "Be brief."}]
    asked = request(messages)
    assert sent(asked)["messages"] == [{"role": "user", "content": [{"text": "Hi"}, {"text": "Be brief."}]}]
    assert "as the user's text" in asked.adjustments[0]
    own = sent(request(messages, bedrock=BedrockOptions(system_role=True)))
    assert own["messages"][1] == {"role": "system", "content": [{"text": "Be brief."}]}


@pytest.mark.parametrize(("cache", "ttl"), [("on", {}), ("5m", {"ttl": "5m"}), ("1h", {"ttl": "1h"})])
def test_cache_puts_points_after_the_system_text_and_the_last_message(cache: str, ttl: dict[str, str]) -> None:
    """Tools stand before the system text, so that its point holds for them."""
    point = {"cachePoint": {"type": "default", **ttl}}
    body = sent(request([{"role": "system", "content": "Be brief."}, HI], tools=[TOOL], cache=cache))
    assert body["system"] == [{"text": "Be brief."}, point]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hi"}, point]}]
    assert "cachePoint" not in str(body["toolConfig"])
    assert sent(request([HI], cache=cache))["messages"] == body["messages"]


def test_no_cache_point_stands_right_after_a_document() -> None:
    part = {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}}
    body = sent(request([{"role": "user", "content": [{"type": "text", "text": "Read"}, part]}], cache="on"))
    [content] = [message["content"] for message in body["messages"]]
    assert [next(iter(block)) for block in content] == ["text", "cachePoint", "document"]


POINT = {"type": "cachePoint", "cachePoint": {"type": "default"}}


@pytest.mark.parametrize(
    ("content", "params"),
    [
        ([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}], {}),
        ([{"type": "text", "text": "x"}, POINT, {"type": "text", "text": "y"}], {}),
        ("x", {"tools": [TOOL, POINT]}),
        ("x", {"bedrock": BedrockOptions(cache_points=("messages",))}),
    ],
)
def test_points_of_the_caller_are_the_only_ones(content: Any, params: dict[str, Any]) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": content}]
    asked = sent(request(messages, cache="1h", **params))
    assert asked == sent(request(messages, **params))
    assert str(asked).count("cachePoint") == 1


def test_cache_off_puts_none() -> None:
    asked = request([HI], cache="off")
    assert sent(asked) == sent(request([HI]))
    assert asked.adjustments == []


def test_what_the_list_says_of_a_model() -> None:
    """Of the model behind an inference profile; odd values say nothing, and one that is not there has nothing."""
    items = [
        {"modelId": "a.e", "outputModalities": ["EMBEDDING"], "converse": {"maxTokensMaximum": "9"}},
        {"modelId": "a.m", "inputModalities": 5, "outputModalities": ["TEXT"], "explicitPromptCaching": None},
    ]
    body = json.dumps({"modelSummaries": items}).encode()
    read = FoundationModels().decode_capabilities
    embedding, odd = read(body, "a.e"), read(body, "us.a.m")
    assert embedding is not None
    assert odd is not None
    assert (embedding.chat, embedding.embeddings, embedding.max_output_tokens) == (False, True, None)
    assert (odd.chat, odd.embeddings, odd.vision, odd.streaming, odd.prompt_caching) == (None, False, None, None, None)
    assert read(body, "a.other") is None
    for wrong in (b"[]", b"{}"):
        with pytest.raises(ResponseDecodeError):
            read(wrong, "a.e")


def test_what_is_adjusted_is_said() -> None:
    """Nothing is changed in silence."""
    asked = request(
        [
            {"role": "user", "content": " ", "name": "ann"},
            {"role": "assistant", "content": ""},
            {**CALLED, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "[1"}}]},
            {**RESULT, "content": ""},
        ],
        temperature=1.5,
    )
    body = sent(asked)
    call = body["messages"][1]["content"][0]["toolUse"]
    assert call["input"] == {"arguments": "[1"}
    assert len(call["toolUseId"]) == 64  # "call 1" has a space, which is not taken
    assert body["messages"][0]["content"] == [{"text": "."}]
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "."}]}}
    ]
    assert len(asked.adjustments) == 6, asked.adjustments


def test_arguments_go_back_as_the_model_wrote_them() -> None:
    body = DIALECT.encode_request(request([HI, CALLED, RESULT], tools=[TOOL])).body or b""
    assert b'"input":{"a": 1.0}' in body


def test_options_for_models_that_insist() -> None:
    options = BedrockOptions(tool_id_length=9, tool_status=False)
    body = sent(request([HI, CALLED, {**RESULT, "is_error": True}], tools=[TOOL], bedrock=options))
    use, result = body["messages"][1]["content"][0]["toolUse"], body["messages"][2]["content"][0]["toolResult"]
    assert use["toolUseId"] == result["toolUseId"]
    assert len(use["toolUseId"]) == 9
    assert "status" not in result


def test_a_guardrail_of_a_stream() -> None:
    """How it looks at a stream is said only of one."""
    options = BedrockOptions(guardrail=Guardrail(identifier="g", version="DRAFT", stream="async"))
    assert sent(request(bedrock=options), stream=True)["guardrailConfig"]["streamProcessingMode"] == "async"
    assert "streamProcessingMode" not in sent(request(bedrock=options))["guardrailConfig"]


def test_tools_that_are_allowed() -> None:
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
    }
    other = {"type": "function", "function": {"name": "g"}}
    config = sent(request(tools=[TOOL, other], tool_choice=choice))["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["f"]
    assert config["toolChoice"] == {"any": {}}


def test_extra_body_wins() -> None:
    asked = request()
    asked.extra_body = {"requestMetadata": {"a": "b"}, "messages": []}
    assert sent(asked) == {"messages": [], "requestMetadata": {"a": "b"}}


def test_the_callers_dicts_stay_as_they_are() -> None:
    fields = {"output_config": {"format": "x"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "x"}]}]
    options = BedrockOptions(fields=fields, effort_field="output_config.effort", cache_points=("messages",))
    first = sent(request(messages, reasoning_effort="low", bedrock=options))
    assert first == sent(request(messages, reasoning_effort="low", bedrock=options))
    assert fields == {"output_config": {"format": "x"}}


UNSUPPORTED: dict[str, dict[str, Any]] = {
    "seed": {"seed": 1},
    "n": {"n": 2},
    "user": {"user": "u"},
    "logprobs": {"logprobs": True},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "verbosity": {"verbosity": "low"},
    "modalities": {"modalities": ["audio"]},
    "json_object": {"response_format": {"type": "json_object"}},
    "parallel_tool_calls=False": {"tools": [TOOL], "parallel_tool_calls": False},
    "custom tools": {"tools": [{"type": "custom", "custom": {"name": "sh"}}]},
    "tool_choice": {"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "sh"}}},
    'tool_choice="none"': {"messages": [HI, CALLED, RESULT], "tools": [TOOL], "tool_choice": "none"},
    "functions": {"functions": [{"name": "f"}]},
    "it fetches nothing": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}]}]
    },
    "detail": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}}
                ],
            }
        ]
    },
    "file_id": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
    "format='amr'": {
        "messages": [
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "amr"}}]}
        ]
    },
    "takes no hologram": {"messages": [{"role": "user", "content": [{"type": "hologram"}]}]},
    "an API before tools": {"messages": [HI, {"role": "function", "name": "f", "content": "1"}]},
    "messages[1].audio": {"messages": [HI, {"role": "assistant", "content": "a", "audio": {"id": "1"}}]},
    "it is for hosts that speak that API": {"anthropic": {}},
}


@pytest.mark.parametrize("says", UNSUPPORTED)
def test_what_it_cannot_express_is_refused(says: str) -> None:
    """And left out where the caller relaxes it, which the answer then says."""
    with pytest.raises(UnsupportedParameterError) as caught:
        sent(request(**UNSUPPORTED[says]))
    assert says in str(caught.value)
    relaxed = request(on_unsupported="drop", **UNSUPPORTED[says])
    sent(relaxed)
    assert any(says in note for note in relaxed.adjustments)


INVALID: dict[str, dict[str, Any]] = {
    "only system": {"messages": [{"role": "system", "content": "x"}]},
    "both limits": {"max_tokens": 1, "max_completion_tokens": 2},
    "options of another type": {"bedrock": {"no": 1}},
    "a format that does not exist": {
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AA=="}}]}
        ]
    },
    "a mark of another kind": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "forever"}}]}]
    },
}


@pytest.mark.parametrize("name", INVALID)
def test_what_is_wrong_is_said(name: str) -> None:
    with pytest.raises(InvalidRequestError):
        sent(request(**INVALID[name]))


def test_for_claude_fields_say_what_converse_cannot() -> None:
    """No tool, and one at a time."""
    none = BedrockOptions(fields={"tool_choice": {"type": "none"}})
    body = sent(request([HI, CALLED, RESULT], tools=[TOOL], tool_choice="none", bedrock=none))
    assert (body["additionalModelRequestFields"], "toolChoice" in body["toolConfig"]) == (none.fields, False)
    single = BedrockOptions(fields={"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}})
    assert sent(request(tools=[TOOL], parallel_tool_calls=False, bedrock=single))["additionalModelRequestFields"]


@given(st.lists(st.text(max_size=260), max_size=6))
def test_names_of_documents(names: list[str]) -> None:
    """Each is used once, and of the letters and the length that are taken."""
    used = Names()
    given_ = [used.name(name) for name in names]
    assert len(set(given_)) == len(given_)
    for name in given_:
        assert 1 <= len(name) <= 200
        assert name == " ".join(name.split())
        assert all(letter.isascii() and (letter.isalnum() or letter in "-()[] ") for letter in name)


def test_the_model_behind_an_id() -> None:
    assert foundation_model("us-gov.anthropic.claude-x-v1:0") == "anthropic.claude-x-v1:0"
    assert foundation_model("arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0") == "cohere.embed-v4:0"
    assert foundation_model("arn:aws:bedrock:us-east-1:1:inference-profile/eu.cohere.embed-v4:0") == "cohere.embed-v4:0"
    assert foundation_model("useful.model") == "useful.model"


# --- answers ---

_EVERYTHING: list[Any] = [
    {"reasoningContent": {"reasoningText": {"text": "Hm, so.", "signature": "EqQB/+=="}}},
    {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
    {"text": "Let me see. "},
    {"toolUse": {"toolUseId": "s1", "name": "grounding", "input": {"q": 1}, "type": "server_tool_use"}},
    {"toolResult": {"toolUseId": "s1", "type": "r", "status": "success", "content": [{"text": "[HIDDEN]"}]}},
    {
        "citationsContent": {
            "content": [{"text": "It is so."}],
            "citations": [
                {
                    "title": "t",
                    "sourceContent": [{"text": "So it is."}],
                    "location": {"documentChar": {"documentIndex": 2, "start": 0, "end": 9}},
                }
            ],
        }
    },
    {"citationsContent": {"citations": [{"location": {"web": {"url": "https://x.org", "domain": "x.org"}}}]}},
    {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"a": [1, None]}}},
    {"toolUse": {"toolUseId": "c2", "name": "g", "input": {}}},
]
_EVENTS = [
    BEGIN,
    delta(0, {"reasoningContent": {"text": "Hm, "}}),
    delta(0, {"reasoningContent": {"text": "so."}}),
    delta(0, {"reasoningContent": {"signature": "EqQB/+=="}}),
    stop(0),
    delta(1, {"reasoningContent": {"redactedContent": "c2VjcmV0"}}),
    stop(1),
    delta(2, {"text": "Let me "}),
    delta(2, {"text": ""}),
    delta(2, {"text": "see. "}),
    stop(2),
    start(3, {"toolUse": {"toolUseId": "s1", "name": "grounding", "type": "server_tool_use"}}),
    delta(3, {"toolUse": {"input": '{"q":1}'}}),
    stop(3),
    start(4, {"toolResult": {"toolUseId": "s1", "type": "r", "status": "success"}}),
    delta(4, {"toolResult": [{"text": "[HID"}]}),
    delta(4, {"toolResult": [{"text": "DEN]"}]}),
    stop(4),
    delta(5, {"citation": _EVERYTHING[5]["citationsContent"]["citations"][0]}),
    delta(5, {"text": "It is "}),
    delta(5, {"text": "so."}),
    stop(5),
    delta(6, {"citation": _EVERYTHING[6]["citationsContent"]["citations"][0]}),
    stop(6),
    *tool_events(7, "c1", "f", '{"a":[1,null]}'),
    start(8, {"toolUse": {"toolUseId": "c2", "name": "g"}}),
    stop(8),
    *end("tool_use", serviceTier={"type": "flex"}, trace={"guardrail": {}}),
]
_WHOLE = whole(_EVERYTHING, "tool_use", serviceTier={"type": "flex"}, trace={"guardrail": {}})


def fold(*pieces: bytes, **params: Any) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    reducer = DIALECT.reducer(request(**params), max_event_bytes=1 << 20)
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    return chunks, reducer.close()


def _without_raw(reply: ChatCompletion) -> Any:
    reply.raw = b""
    return reply.model_dump()


def test_every_kind_of_block_whole_and_streamed() -> None:
    """The folded stream is the whole answer; what the service ran itself is no call of the caller's."""
    chunks, folded = fold(*_EVENTS)
    reply = DIALECT.decode_response(_WHOLE, request())
    assert reply.model_extra["trace"] == folded.model_extra["trace"] == {"guardrail": {}}
    assert _without_raw(folded) == _without_raw(reply)
    message = reply.choices[0].message
    assert (message.content, message.reasoning) == ("Let me see. It is so.", "Hm, so.")
    assert reply.service_tier == "flex"
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    assert calls == [("c1", "f", '{"a":[1,null]}'), ("c2", "g", "{}")]
    assert message.citations is not None
    cited, web = message.citations
    assert (message.content or "")[cited.start_index : cited.end_index] == "It is so."
    assert (cited.document, cited.title, cited.text) == (2, "t", "So it is.")
    assert (web.url, web.start_index) == ("https://x.org", None)
    indexes = [call.index for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert indexes == sorted(indexes)
    assert set(indexes) == {0, 1}
    pieces = "".join(
        call.function.arguments or ""
        for chunk in chunks
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
        if call.function and call.index == 1
    )
    assert pieces == "{}"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_what_came_out_goes_back_in_byte_for_byte() -> None:
    """Thinking with its signatures, redacted thinking, server tools and citations, in their places, to its provider."""
    message = DIALECT.decode_response(_WHOLE, request()).choices[0].message.to_dict()
    results = [{"role": "tool", "tool_call_id": id_, "content": "1"} for id_ in ("c1", "c2")]
    body = sent(request([HI, message, *results], tools=[TOOL]))
    assert body["messages"][1]["content"] == _EVERYTHING
    foreign = request([HI, message, *results], tools=[TOOL])
    foreign.provider = "another"
    assert [next(iter(block)) for block in sent(foreign)["messages"][1]["content"]] == ["text", "toolUse", "toolUse"]


def test_unsigned_thinking_does_not_go_back() -> None:
    """Models that sign none refuse it."""
    reply = DIALECT.decode_response(
        whole([{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Yes"}]), request()
    )
    assert reply.choices[0].message.reasoning == "Hm."
    assert reply.choices[0].message.provider_data is None


@settings(max_examples=60)
@given(st.lists(st.integers(0, sum(map(len, _EVENTS))), max_size=10))
def test_where_the_stream_is_cut_does_not_matter(places: list[int]) -> None:
    joined = b"".join(_EVENTS)
    edges = [0, *sorted(places), len(joined)]
    pieces = [joined[edge : edges[at + 1]] for at, edge in enumerate(edges[:-1])]
    assert [chunk.to_dict() for chunk in fold(*pieces)[0]] == [chunk.to_dict() for chunk in fold(joined)[0]]
    assert fold(*pieces)[1].to_dict() == fold(joined)[1].to_dict()


def test_usage_is_shown_to_those_who_ask() -> None:
    """As one chunk without choices; cached tokens count as the prompt's."""
    assert all(chunk.usage is None for chunk in fold(*bedrock.STREAM)[0])
    chunks, reply = fold(*bedrock.STREAM, stream_options={"include_usage": True})
    assert (chunks[-1].usage, chunks[-1].choices) == (reply.usage, [])
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (19, 10, 29)
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 8


def test_a_stream_without_its_usage_is_whole() -> None:
    """The end is messageStop; what comes after it may be lost."""
    _, reply = fold(*bedrock.STREAM[:-1])
    assert (reply.choices[0].message.content, reply.usage) == (bedrock.TEXT, None)
    with pytest.raises(StreamInterruptedError):
        fold(*bedrock.STREAM[:-2])


FAULTS: dict[str, type[APIStatusError]] = {
    "throttlingException": RateLimitError,
    "validationException": BadRequestError,
    "modelStreamErrorException": InternalServerError,
    "serviceUnavailableException": OverloadedError,
    "internalServerException": InternalServerError,
    "modelTimeoutException": RequestTimeoutError,
    "exceptionOfNextYear": InternalServerError,
}


@pytest.mark.parametrize("name", FAULTS)
def test_exceptions_inside_a_stream(name: str) -> None:
    """Each is what it would have been before the stream; what came before it is handed out."""
    reducer = DIALECT.reducer(request(), max_event_bytes=1 << 20)
    assert len(reducer.feed(BEGIN + exception(name, {"message": "so it is", "p": "x"}))) == 1
    error = reducer.error
    assert type(error) is FAULTS[name]
    assert (error.message, error.code) == ("so it is", name[0].upper() + name[1:])
    with pytest.raises(FAULTS[name]):
        reducer.close()
    assert reducer.feed(BEGIN) == []


def test_an_error_frame() -> None:
    head = {":message-type": "error", ":error-code": "ThrottlingException", ":error-message": "slow down"}
    with pytest.raises(RateLimitError, match="slow down"):
        fold(frame(head, b""))


def test_a_stream_that_was_changed() -> None:
    changed = bytearray(bedrock.STREAM[1])
    changed[-10] ^= 1
    with pytest.raises(ResponseDecodeError, match="checksum"):
        fold(BEGIN, bytes(changed))
    with pytest.raises(ResponseDecodeError, match="checksum"):
        fold(BEGIN + bytes(changed))


@pytest.mark.parametrize(
    "payload",
    [
        {"contentBlockIndex": 0, "delta": {"text": None}},
        {"contentBlockIndex": 0, "delta": None},
        {"contentBlockIndex": 0.0, "delta": {"text": 5}},
        {"contentBlockIndex": 0},
        {"contentBlockIndex": 0, "delta": {"news": 1}},
    ],
)
def test_odd_deltas_are_no_end(payload: Any) -> None:
    assert fold(BEGIN, event("contentBlockDelta", payload), *bedrock.STREAM[1:])[1].choices[0].message.content


def test_odd_answers() -> None:
    """An error inside a 200, something else altogether, and nothing in it."""
    with pytest.raises(APIStatusError, match="no"):
        DIALECT.decode_response(b'{"__type":"x#ThrottlingException","message":"no"}', request())
    for body in (b"{}", b"[]", b"<html>"):
        with pytest.raises(ResponseDecodeError):
            DIALECT.decode_response(body, request())
        with pytest.raises(ResponseDecodeError):
            CountTokens().decode_response(body, request())
    reply = DIALECT.decode_response(b'{"output":{"message":null},"stopReason":"brand_new"}', request())
    assert (reply.choices[0].finish_reason, reply.choices[0].finish_reason_raw) == ("other", "brand_new")


@pytest.mark.parametrize("code", CODES)
def test_errors_by_header_and_by_body(code: str) -> None:
    """The name stands in a header before a colon, or in the body after a hash; it goes before the status."""
    head = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/", "x-amzn-requestid": "r-1"}
    error = DIALECT.decode_error(424, head, b'{"Message":"so"}', now=0.0)
    assert (type(error), error.code, error.message, error.request_id) == (CODES[code], code, "so", "r-1")
    error = DIALECT.decode_error(424, {}, b'{"__type":"com.amazon.coral#%b","message":"so"}' % code.encode(), now=0.0)
    assert (type(error), error.code) == (CODES[code], code)


# --- what is not chat ---


def connect(server: Loopback, **options: Any) -> AsyncOneLLM:
    own = {"base_url": server.url, "api_key": "k", "options": options}
    return AsyncOneLLM(providers={"bedrock": own}, max_retries=0)


VECTOR = {"embedding": [0.5, -1.0], "inputTextTokenCount": 3}
FAMILIES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "titan": ("amazon.titan-embed-text-v2:0", {"inputText": "a", "dimensions": 2}, VECTOR),
    "titan-image": (
        "amazon.titan-embed-image-v1",
        {"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 2}},
        VECTOR,
    ),
    "cohere": (
        "us.cohere.embed-v4:0",
        {"texts": ["a"], "input_type": "search_query", "output_dimension": 2},
        {"embeddings": [[0.5, -1.0]]},
    ),
    "nova": (
        "amazon.nova-2-multimodal-embeddings-v1:0",
        {
            "schemaVersion": "nova-multimodal-embed-v1",
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "GENERIC_RETRIEVAL",
                "embeddingDimension": 2,
                "text": {"truncationMode": "NONE", "value": "a"},
            },
        },
        {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5, -1.0]}]},
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("own", [False, True], ids=["by its id", "by the option"])
async def test_embeddings_of_each_family(family: str, own: bool, loopback: Loopback) -> None:
    """The body is the family's, which the id says, or the option for an ARN that does not."""
    model, body, answer = FAMILIES[family]
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    loopback.plays(Answer(chunks=[answer], headers={"x-amzn-bedrock-input-token-count": "4"}))
    async with connect(loopback, families={arn: family}) as client:
        purpose: dict[str, Any] = {} if family.startswith("titan") else {"input_type": "query"}
        reply = await client.embeddings.create(
            model=f"bedrock/{arn if own else model}", input="a", dimensions=2, **purpose
        )
    (asked,) = loopback.requests
    assert asked.json == body
    assert asked.path.endswith("/invoke")
    assert list(reply.data[0].embedding) == [0.5, -1.0]
    assert reply.usage.prompt_tokens == 4


async def test_many_texts(loopback: Loopback) -> None:
    """Models that take one get one, each in a request of its own; the order stays and tokens are added up."""
    loopback.chooses(
        lambda asked: Answer(
            chunks=[{"embedding": [float(asked.json["inputText"])], "inputTextTokenCount": 3}]
            if "inputText" in asked.json
            else [{"embeddings": {"float": [[float(text)] for text in asked.json["texts"]]}}]
        )
    )
    texts = [str(number) for number in range(1, 100)]
    async with connect(loopback) as client:
        reply = await client.embeddings.create(model="bedrock/amazon.titan-embed-text-v1", input=texts[:5])
        assert [list(item.embedding) for item in reply.data] == [[1.0], [2.0], [3.0], [4.0], [5.0]]
        assert reply.usage.total_tokens == 15
        assert len(loopback.requests) == 5
        more = await client.embeddings.create(model="bedrock/cohere.embed-english-v3", input=texts)
    assert [item.embedding[0] for item in more.data] == [float(text) for text in texts]
    assert sorted(len(asked.json["texts"]) for asked in loopback.requests[5:]) == [3, 96]


async def test_embeddings_that_cannot_be(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[{"embeddings": []}]))
    async with connect(loopback) as client:
        with pytest.raises(InvalidRequestError, match="families"):
            await client.embeddings.create(model="bedrock/vendor.new", input="a")
        with pytest.raises(InvalidRequestError, match="token ids"):
            await client.embeddings.create(model="bedrock/cohere.embed-v4:0", input=[1, 2])
        with pytest.raises(UnsupportedParameterError, match="dimensions"):
            await client.embeddings.create(model="bedrock/amazon.titan-embed-text-v1", input="a", dimensions=4)
        with pytest.raises(UnsupportedParameterError, match="input_type"):
            await client.embeddings.create(model="bedrock/cohere.embed-v4:0", input="a", input_type="similarity")
        assert loopback.requests == []
        with pytest.raises(ResponseDecodeError, match="no vectors"):
            await client.embeddings.create(model="bedrock/cohere.embed-v4:0", input="a")


async def test_rerankings(loopback: Loopback) -> None:
    """What only one maker's models want in the body, only they get."""
    loopback.plays(Answer(chunks=[{"results": [{"index": 1, "relevance_score": 0.5}]}]))
    async with connect(loopback) as client:
        for model in ("cohere.rerank-v3-5:0", "amazon.rerank-v1:0"):
            reply = await client.rerank.create(model=f"bedrock/{model}", query="q", documents=["a", "b"], top_n=1)
            assert [item.index for item in reply.results] == [1]
    first, second = loopback.requests
    usual = {"query": "q", "documents": ["a", "b"], "top_n": 1}
    assert first.path == "/model/cohere.rerank-v3-5%3A0/invoke"
    assert (first.json, second.json) == ({**usual, "api_version": 2}, usual)
