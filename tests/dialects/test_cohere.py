"""The v2 chat: what is sent, what is refused, and how its events fold, whole, byte by byte and at any cut."""

import base64
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import cohere as wire
from wire.chat_completions import dump

from onellm import CohereOptions
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.cohere.embeddings import CohereEmbeddings
from onellm.dialects.cohere.models import CohereModels
from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import (
    APIStatusError,
    InternalServerError,
    InvalidRequestError,
    OneLLMError,
    OverloadedError,
    RequestTimeoutError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest

if TYPE_CHECKING:
    from onellm.types.cohere import CohereThinking

CHAT = CohereChat()
ASK = [{"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]


def asking(messages: Any = ASK, *, drop: bool = False, provider: str = "cohere", **params: Any) -> ChatRequest:
    return ChatRequest(
        provider=provider,
        model="m",
        messages=messages,
        params=params,
        on_unsupported="drop" if drop else "raise",
        adjustments=[],
    )


def sent(request: Any, dialect: Any = CHAT) -> Any:
    return json.loads(dialect.encode_request(request).body)


def fold(*pieces: bytes) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    return chunks, reducer.close()


# --- the request ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", ["on", "5m", "1h"])
def test_cache_is_refused(cache: str) -> None:
    with pytest.raises(UnsupportedParameterError, match="not known to keep prompts"):
        sent(asking(cache=cache))
    left_out = asking(cache=cache, drop=True)
    assert sent(left_out) == sent(asking())
    assert left_out.adjustments == ["left out cache: it is not known to keep prompts"]


def test_cache_off_asks_for_nothing() -> None:
    asked = asking(cache="off")
    assert sent(asked) == sent(asking())
    assert asked.adjustments == []


def test_what_it_publishes_of_a_model() -> None:
    """Odd values say nothing, and an error is no model."""
    read = CohereModels().decode_capabilities
    found = read(b'{"name": "e", "endpoints": ["embed", "classify"], "features": null, "context_length": 512.0}', "e")
    assert found is not None
    assert (found.chat, found.embeddings, found.tools, found.context_window) == (False, True, None, 512)
    odd = read(b'{"name": "e", "endpoints": "chat", "features": ["odd", 5], "context_length": true}', "e")
    assert odd is not None
    assert (odd.chat, odd.embeddings, odd.tools, odd.vision, odd.context_window) == (None,) * 5
    with pytest.raises(APIStatusError, match="gone"):
        read(b'{"message": "gone"}', "e")
    with pytest.raises(ResponseDecodeError, match="not a model"):
        read(b"[]", "e")


@pytest.mark.parametrize(
    ("params", "said", "adjusted"),
    [
        ({"temperature": 1.5}, {"temperature": 1}, "sent temperature=1.5 as 1: it goes from 0 to 1"),
        ({"top_p": 1}, {"p": 0.99}, "sent p=1 as 0.99: it goes from 0.01 to 0.99"),
        ({"presence_penalty": 2}, {"presence_penalty": 1}, "sent presence_penalty=2 as 1: it goes from 0 to 1"),
        ({"stop": "x"}, {"stop_sequences": ["x"]}, "sent stop as stop_sequences"),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}, "sent max_completion_tokens as max_tokens"),
        (
            {"reasoning_effort": "high"},
            {"thinking": {"type": "enabled", "token_budget": 16384}},
            "sent reasoning_effort='high' as a budget of 16384 tokens",
        ),
        (
            {"reasoning_effort": "none"},
            {"thinking": {"type": "disabled"}},
            "sent reasoning_effort='none' as thinking that is disabled",
        ),
    ],
)
def test_what_is_sent_otherwise_is_said(params: dict[str, Any], said: dict[str, Any], adjusted: str) -> None:
    request = asking(**params)
    assert sent(request) == {"model": "m", "messages": ASK, **said}
    assert adjusted in request.adjustments


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({name: value}, name)
        for name, value in {
            "n": 2,
            "user": "u",
            "logit_bias": {"1": 1},
            "top_logprobs": 2,
            "parallel_tool_calls": False,
            "service_tier": "flex",
            "store": True,
            "metadata": {"a": "b"},
            "functions": [{"name": "f"}],
            "modalities": ["text", "audio"],
            "web_search_options": {},
            "verbosity": "low",
        }.items()
    ]
    + [
        ({"presence_penalty": -0.5}, "presence_penalty=-0.5"),
        ({"seed": -1}, "seed=-1"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0]"),
        ({"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "tool_choice="),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"anthropic": {"top_k": 1}}, "anthropic"),
        ({"response_format": {"type": "json_object"}, "cohere": {"documents": ["x"]}}, "response_format"),
        ({"stop": list("abcdef")}, "stop"),
    ],
)
def test_what_it_cannot_express_is_refused_or_left_out(params: dict[str, Any], param: str) -> None:
    """Nothing is dropped in silence; where the call allows it, the answer says what was left out."""
    with pytest.raises(UnsupportedParameterError) as caught:
        sent(asking(**params))
    assert (caught.value.param or "").startswith(param)
    request = asking(drop=True, **params)
    body = sent(request)
    assert not {"n", "user", "logit_bias", "tool_choice", "response_format", "seed"} & body.keys()
    assert any(note.startswith(f"left out {param}") for note in request.adjustments)


def test_what_it_does_anyway_is_not_sent() -> None:
    """Nor is it an adjustment."""
    request = asking(
        n=1,
        logprobs=False,
        parallel_tool_calls=True,
        store=False,
        modalities=["text"],
        top_logprobs=0,
        tool_choice="auto",
        stream_options={"include_usage": True},
        frequency_penalty=0,
    )
    assert sent(request) == {"model": "m", "messages": ASK, "frequency_penalty": 0}
    assert request.adjustments == []


def test_only_the_tools_that_may_be_called_are_sent() -> None:
    plain = {"type": "object", "properties": {}}
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOLS[1]]}}
    body = sent(asking(tools=TOOLS, tool_choice=choice))
    assert body["tools"] == [{"type": "function", "function": {"name": "b", "parameters": plain}}]
    assert body["tool_choice"] == "REQUIRED"
    choice["allowed_tools"] = {"mode": "auto", "tools": [TOOLS[0]]}
    body = sent(asking(tools=TOOLS, tool_choice=choice))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["a"]
    assert "tool_choice" not in body
    with pytest.raises(InvalidRequestError, match="tool_choice names c: not in tools"):
        sent(asking(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "c"}}))


def test_strict_is_one_switch_for_all_tools() -> None:
    """That it now holds for the others too is said; the caller's own word goes before it."""
    tools = [{"type": "function", "function": {"name": "a", "strict": True}}, TOOLS[1]]
    request = asking(tools=tools)
    assert sent(request)["strict_tools"] is True
    assert request.adjustments == ["sent strict as strict_tools, which holds for every tool"]
    assert sent(asking(tools=tools, cohere=CohereOptions(strict_tools=False)))["strict_tools"] is False


def test_thinking_is_said_once() -> None:
    thinking: CohereThinking = {"type": "enabled", "token_budget": 10}
    with pytest.raises(InvalidRequestError, match="not both"):
        sent(asking(reasoning_effort="low", cohere=CohereOptions(thinking=thinking)))


@pytest.mark.parametrize(
    "wrong",
    [{"k": 501}, {"citation_mode": "SLOW"}, {"documents": [{"id": "x"}]}, {"thinking": {"token_budget": 5}}, {"q": 1}],
)
def test_options_that_do_not_fit_are_named(wrong: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^cohere must be CohereOptions"):
        sent(asking(cohere=wrong))


# --- the history ----------------------------------------------------------------------------------------------------


def test_roles_names_and_files() -> None:
    """developer is system, names have no field, and a file of text is a document."""
    data = "data:text/plain;base64," + base64.b64encode("Grüße".encode()).decode()
    messages = [
        {"role": "developer", "content": "Be brief.", "name": "boss"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": "https://example.com/a.png"},
                {"type": "file", "file": {"file_data": data, "filename": "a.txt"}},
            ],
        },
    ]
    request = asking(messages)
    assert sent(request) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                ],
            },
        ],
        "documents": [{"data": {"title": "a.txt", "text": "Grüße"}}],
    }
    assert request.adjustments == [
        "sent developer messages as system messages",
        "left the names of messages out",
        "sent the file a.txt as a document",
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64,%"}}]},
        {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": "original"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "c", "input": ""}}]},
        {"role": "assistant", "content": "x", "function_call": {"name": "f", "arguments": ""}},
        {"role": "function", "name": "f", "content": "x"},
    ],
)
def test_what_a_history_cannot_hold_is_refused_with_its_place(message: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        sent(asking([*ASK, message]))
    assert (caught.value.param or "").startswith("messages[1]")
    request = asking([*ASK, message], drop=True)
    assert sent(request)["messages"][0] == ASK[0]
    assert request.adjustments[0].startswith("left out messages[1]")


def test_empty_texts_and_arguments_of_calls() -> None:
    """An empty text beside calls is left out, as the API takes none; arguments are never empty."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    messages = [{"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "assistant", "refusal": "No."}]
    first, second = sent(asking(messages))["messages"]
    assert first == {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert second == {"role": "assistant", "content": "No."}


# --- the answer -----------------------------------------------------------------------------------------------------

DOCUMENT = {"id": "doc:0", "title": "Ruby", "url": "https://example.com", "text": "Ruby was made by Matz."}
CITED = {
    "start": 3,
    "end": 7,
    "text": "Matz",
    "sources": [
        {"type": "document", "id": "doc:0", "document": DOCUMENT},
        {"type": "tool", "id": "c:0", "tool_output": {"content": "Matz made it"}},
    ],
    "type": "TEXT_CONTENT",
    "content_index": 2,
}
CITED_THOUGHT = {**CITED, "type": "THINKING_CONTENT", "content_index": 0, "sources": []}
LOGPROBS = [{"text": "It", "token_ids": [1, 2], "logprobs": [-0.25, -0.5]}]
RICH_MESSAGE = {
    "tool_plan": "I will look.",
    "content": [
        {"type": "thinking", "thinking": "Hm, Ruby."},
        {"type": "text", "text": "😀 "},
        {"type": "text", "text": "By Matz."},
    ],
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    "citations": [CITED, CITED_THOUGHT],
}
RICH = wire.whole(RICH_MESSAGE)
RICH_STREAM = [
    wire.START,
    *wire.plan("I will look."),
    *wire.content(0, "Hm, Ruby.", "thinking"),
    *wire.content(1, "😀 "),
    *wire.content(2, "By Matz."),
    *wire.citation(0, CITED),
    *wire.citation(1, CITED_THOUGHT),
    *wire.call(0, "c", "f", ""),
    wire.end(),
    wire.DONE,
]
CASES = {
    "text": (wire.ANSWER, wire.STREAM),
    "tools": (wire.TOOL_ANSWER, wire.TOOL_STREAM),
    "rich": (RICH, RICH_STREAM),
    "empty": (wire.whole({"content": [{"type": "text", "text": ""}]}), [wire.START, *wire.content(0, ""), wire.end()]),
    "nothing": (wire.whole({"content": None}), [wire.START, wire.end()]),
}


@pytest.mark.parametrize(("body", "events"), CASES.values(), ids=CASES)
def test_whole_and_byte_by_byte(body: bytes, events: list[bytes]) -> None:
    """The answer that comes whole is the folded stream, and the chunks do not depend on the cuts."""
    stream = b"".join(events)
    whole = CHAT.decode_response(body, asking())
    assert whole.raw == body
    whole.raw = b""
    chunks, folded = fold(stream)
    assert folded == whole
    assert fold(*(stream[at : at + 1] for at in range(len(stream)))) == (chunks, folded)


@given(st.sampled_from(sorted(CASES)), st.lists(st.integers(0, 4000)))
def test_where_the_chunks_are_cut_does_not_matter(case: str, cuts: list[int]) -> None:
    stream = b"".join(CASES[case][1])
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    assert fold(*(stream[a:b] for a, b in pairwise(places))) == fold(stream)


def test_what_an_answer_says() -> None:
    reply = CHAT.decode_response(RICH, asking())
    message = reply.choices[0].message
    assert (reply.id, reply.model) == (wire.ID, "m")
    assert message.content == "😀 By Matz."
    assert message.reasoning == "I will look.\n\nHm, Ruby."
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ()] == [("c", "f", "{}")]
    first, second, third = message.citations or []
    assert (first.title, first.url, first.text, first.document) == (
        "Ruby",
        "https://example.com",
        "Ruby was made by Matz.",
        "doc:0",
    )
    assert (second.text, second.document, second.raw_citation) == ("Matz made it", "c:0", CITED)
    assert message.content[first.start_index : first.end_index] == "Matz"
    assert (third.start_index, third.end_index, third.raw_citation) == (None, None, CITED_THOUGHT)
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (71, 23, 94)
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 16
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 4
    assert reply.to_dict()["usage"]["billed_units"] == wire.USAGE["billed_units"]


def test_chunks_have_what_the_answer_has() -> None:
    chunks, reply = fold(*RICH_STREAM)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    message = reply.choices[0].message
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == message.content
    assert "".join(delta.reasoning or "" for delta in deltas) == message.reasoning
    assert [citation for delta in deltas for citation in delta.citations or ()] == message.citations
    pieces = [call for delta in deltas for call in delta.tool_calls or ()]
    assert "".join((piece.function and piece.function.arguments) or "" for piece in pieces) == "{}"
    assert (chunks[-1].choices[0].finish_reason, chunks[-1].usage) == ("stop", reply.usage)


def test_log_probabilities() -> None:
    """An entry may stand for several tokens."""
    whole = CHAT.decode_response(wire.whole({"content": wire.texts("It")}, logprobs=LOGPROBS), asking())
    piece = wire.delta("content-delta", 0, {"content": {"text": "It"}}, logprobs=LOGPROBS[0])
    chunks, folded = fold(wire.START, piece, wire.end())
    for found in (whole.choices[0].logprobs, folded.choices[0].logprobs, chunks[1].choices[0].logprobs):
        assert found is not None
        assert [(token.token, token.logprob) for token in found.content or ()] == [("It", -0.75)]


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("NEWS", "other"),
    ],
)
def test_ends(raw: str, finish: str) -> None:
    for reply in (
        CHAT.decode_response(wire.whole({"content": wire.texts("x")}, raw), asking()),
        fold(*wire.STREAM[:3], wire.end(raw))[1],
    ):
        assert (reply.choices[0].finish_reason, reply.choices[0].finish_reason_raw) == (finish, raw)


@pytest.mark.parametrize(("raw", "cls"), [("ERROR", InternalServerError), ("TIMEOUT", RequestTimeoutError)])
def test_an_end_that_is_a_failure(raw: str, cls: type[APIStatusError]) -> None:
    """It is what the status would have been, with the provider's words; what came before it was handed out."""
    end = wire.end(raw, error="the model broke")
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    assert len(reducer.feed(b"".join([wire.START, *wire.content(0, "Hi"), end]))) == 2
    with pytest.raises(cls, match="the model broke") as caught:
        reducer.close()
    assert (caught.value.code, caught.value.retryable) == (raw, True)
    assert caught.value.raw in end
    with pytest.raises(cls, match=f"ended with {raw}"):
        CHAT.decode_response(wire.whole({"content": wire.texts("x")}, raw), asking())


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (b'{"id": "x", "message": "busy", "status_code": 503}', OverloadedError),
        (b'{"id": "x"}', ResponseDecodeError),
        (b'{"id": "x", "message": {"role": "assistant"}, "finish_reason": null}', ResponseDecodeError),
        (b"[]", ResponseDecodeError),
        (b"<html>", ResponseDecodeError),
        (b'{"error": {"message": "busy", "code": 503}}', OverloadedError),
    ],
)
def test_what_is_no_answer(body: bytes, cls: type[OneLLMError]) -> None:
    with pytest.raises(cls):
        CHAT.decode_response(body, asking())


@pytest.mark.parametrize("last", [b"", wire.end(None), wire.DONE], ids=["nothing", "an end of null", "done"])
def test_a_stream_without_its_end_is_cut(last: bytes) -> None:
    """`[DONE]` alone ends nothing: the event before it says how."""
    with pytest.raises(StreamInterruptedError):
        fold(wire.START, *wire.content(0, "Hi"), last)


def test_odd_shapes_are_read() -> None:
    """A content that is a text, fields of null, numbers with a fraction."""
    body = wire.whole({"content": "Hi", "tool_calls": None, "citations": [{"sources": "none"}]}, usage={})
    reply = CHAT.decode_response(body, asking())
    assert reply.choices[0].message.content == "Hi"
    events = [wire.START, wire.delta("content-delta", None, {"content": {"text": "Hi"}}), wire.event("content-end")]
    bad = wire.event("content-delta", index="x", delta={"message": {"content": {"text": "!"}}})
    usage = {"billed_units": {"input_tokens": 2.0, "output_tokens": None}}
    reply = fold(*events, bad, wire.end(usage=usage))[1]
    assert reply.choices[0].message.content == "Hi!"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (2, 2)


# --- what goes back -------------------------------------------------------------------------------------------------


def test_a_message_goes_back_as_it_came() -> None:
    """To the same provider with thinking, plan and citations; to others with its text and calls alone."""
    message = CHAT.decode_response(RICH, asking()).choices[0].message.to_dict()
    result = {"role": "tool", "tool_call_id": "c", "content": "42"}
    assert sent(asking([*ASK, message, result]))["messages"][1] == {"role": "assistant", **RICH_MESSAGE}
    calls = RICH_MESSAGE["tool_calls"]
    plain = {"role": "assistant", "content": "😀 By Matz.", "tool_calls": calls}
    assert sent(asking([*ASK, message, result], provider="other"))["messages"][1] == plain
    foreign = sent(asking([*ASK, message, result], provider="openai"), OpenAIChat())
    assert foreign["messages"][1:] == [plain, result]


def test_a_text_that_was_changed_goes_back_changed() -> None:
    message = CHAT.decode_response(RICH, asking()).choices[0].message.to_dict()
    message["content"] = "By Yukihiro."
    assert sent(asking([message]))["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "Hm, Ruby."},
        {"type": "text", "text": "By Yukihiro."},
    ]


def test_what_came_from_elsewhere_is_left_out() -> None:
    """Signatures and reasoning of others are not sent."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"s": "x"}}
    message = {
        "role": "assistant",
        "content": "Hi",
        "reasoning": "hm",
        "reasoning_content": "hm",
        "tool_calls": [call],
        "provider_data": {"provider": "deepseek", "data": {"reasoning_content": "hm"}},
    }
    (found,) = sent(asking([message]))["messages"]
    del call["extra_content"]
    assert found == {"role": "assistant", "content": "Hi", "tool_calls": [call]}


# --- embeddings -----------------------------------------------------------------------------------------------------

EMBED = CohereEmbeddings()


def embedding(*inputs: Any, drop: bool = False, **params: Any) -> EmbeddingsRequest:
    return EmbeddingsRequest(
        provider="cohere",
        model="m",
        input=list(inputs),
        params=params,
        on_unsupported="drop" if drop else "raise",
        adjustments=[],
    )


def test_what_vectors_are_for_is_always_said() -> None:
    """Where the call does not say it, the answer says what was sent."""
    request = embedding("a", encoding_format="float")
    assert sent(request, EMBED) == {
        "model": "m",
        "input_type": "search_document",
        "texts": ["a"],
        "embedding_types": ["float"],
    }
    assert request.adjustments == [
        "sent input_type='search_document', which it must have: give 'query' for a search's text"
    ]
    assert sent(embedding("a", input_type="query"), EMBED)["input_type"] == "search_query"


@pytest.mark.parametrize("params", [{"input_type": "similarity"}, {"user": "u"}])
def test_arguments_of_embeddings_that_it_lacks(params: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError):
        EMBED.encode_request(embedding("a", **params))
    request = embedding("a", drop=True, **params)
    assert sent(request, EMBED)["input_type"] == "search_document"
    assert request.adjustments[0].startswith("left out ")


def test_token_ids_are_refused_whatever_the_call_allows() -> None:
    with pytest.raises(UnsupportedParameterError, match="give texts"):
        EMBED.encode_request(embedding([1, 2], drop=True))


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (dump({"embeddings": {"float": [[1.0], [2.0]]}}), ResponseDecodeError),
        (dump({"embeddings": {"float": [[]]}}), ResponseDecodeError),
        (dump({"embeddings": {"int8": [[1]]}}), ResponseDecodeError),
        (dump({"message": "busy", "status_code": 503}), OverloadedError),
        (b"[", ResponseDecodeError),
    ],
)
def test_what_is_no_embeddings_answer(body: bytes, cls: type[OneLLMError]) -> None:
    with pytest.raises(cls):
        EMBED.decode_response(body, embedding("a"))
