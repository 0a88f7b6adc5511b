"""Ollama's API: what goes out for each argument, and what its answers and streams become."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import ollama as wire

from onellm import OllamaOptions
from onellm.dialects.base import HttpRequest
from onellm.dialects.ollama.chat import OllamaChat
from onellm.dialects.ollama.embeddings import OllamaEmbeddings
from onellm.dialects.ollama.generate import OllamaCompletions
from onellm.dialects.ollama.models import OllamaModels, OllamaStore
from onellm.errors import (
    APIStatusError,
    InternalServerError,
    InvalidRequestError,
    NotFoundError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import CompletionRequest
from onellm.types.embeddings import EmbeddingsRequest
from onellm.types.models import PullRequest

CHAT, TEXTS, VECTORS, MODELS, STORE = (
    OllamaChat(),
    OllamaCompletions(),
    OllamaEmbeddings(),
    OllamaModels(),
    OllamaStore(),
)
HI = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": SCHEMA}}
CLOCK = {"type": "function", "function": {"name": "clock"}}


def asking(messages: list[dict[str, Any]] = HI, **params: Any) -> ChatRequest:
    more = {name: params.pop(name) for name in ("extra_body", "on_unsupported") if name in params}
    return ChatRequest(provider="ollama", model="m", messages=messages, params=params, adjustments=[], **more)


def body(http: HttpRequest) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(http.body or b"")
    return decoded


def sent(request: ChatRequest) -> dict[str, Any]:
    """What goes out beside model, messages and stream."""
    whole = body(CHAT.encode_request(request))
    assert whole.pop("stream") is False
    assert whole.pop("model") == "m"
    del whole["messages"]
    return whole


def history(*messages: dict[str, Any], provider: str = "ollama") -> list[dict[str, Any]]:
    request = msgspec.structs.replace(asking(list(messages)), provider=provider)
    found: list[dict[str, Any]] = body(CHAT.encode_request(request))["messages"]
    return found


# --- arguments ------------------------------------------------------------------------------------------------------


def test_it_is_always_said_whether_to_stream() -> None:
    """Unasked, the API streams."""
    assert body(CHAT.encode_request(asking()))["stream"] is False
    assert body(CHAT.encode_stream(asking()))["stream"] is True
    assert CHAT.encode_stream(asking()).path == "api/chat"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"temperature": 0, "top_p": 0.5, "seed": 7}, {"options": {"temperature": 0, "top_p": 0.5, "seed": 7}}),
        ({"max_tokens": 5}, {"options": {"num_predict": 5}}),
        ({"max_completion_tokens": 5}, {"options": {"num_predict": 5}}),
        ({"stop": "a"}, {"options": {"stop": ["a"]}}),
        ({"stop": ["a", "b"]}, {"options": {"stop": ["a", "b"]}}),
        (
            {"presence_penalty": 1, "frequency_penalty": -1},
            {"options": {"presence_penalty": 1, "frequency_penalty": -1}},
        ),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"logprobs": False}, {}),
        ({"n": 1, "parallel_tool_calls": True, "modalities": ["text"], "tool_choice": "auto"}, {}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"format": "json"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}},
            {"format": SCHEMA},
        ),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "s"}}}, {"format": "json"}),
        ({"tools": [TOOL]}, {"tools": [TOOL]}),
        (
            {"tools": [CLOCK]},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
                    }
                ]
            },
        ),
        ({"tools": [TOOL], "tool_choice": "none"}, {}),
        (
            {
                "tools": [TOOL, CLOCK],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
            },
            {"tools": [TOOL]},
        ),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "minimal"}, {"think": "low"}),
        ({"reasoning_effort": "medium"}, {"think": "medium"}),
        ({"reasoning_effort": "xhigh"}, {"think": "max"}),
        (
            {"ollama": OllamaOptions(think=True, keep_alive="5m", truncate=False, shift=False, num_ctx=8192, top_k=5)},
            {
                "think": True,
                "keep_alive": "5m",
                "truncate": False,
                "shift": False,
                "options": {"num_ctx": 8192, "top_k": 5},
            },
        ),
        ({"ollama": {"keep_alive": 0}, "temperature": 1}, {"keep_alive": 0, "options": {"temperature": 1}}),
        (
            {"temperature": 1, "extra_body": {"options": {"mirostat": 2}, "raw": True}},
            {"options": {"temperature": 1, "mirostat": 2}, "raw": True},
        ),
        ({"extra_body": {"options": {"mirostat": 2}}}, {"options": {"mirostat": 2}}),
    ],
)
def test_what_an_argument_becomes(params: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(asking(**params)) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"logit_bias": {"1": 1}},
        {"n": 2},
        {"user": "u"},
        {"modalities": ["audio"]},
        {"parallel_tool_calls": False},
        {"service_tier": "flex"},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
        {"tools": [{"type": "function", "function": {"name": "x", "strict": True}}]},
        {"cohere": {"k": 5}},
        {"stream_options": {"include_obfuscation": True}},
        {"an_argument_of_next_year": 1},
    ],
)
def test_what_it_cannot_say_is_refused_or_left_out(params: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError, match="ollama does not support"):
        CHAT.encode_request(asking(**params))
    dropped = asking(**params, on_unsupported="drop")
    assert sent(dropped).keys() <= {"tools"}
    assert any(note.startswith("left out") for note in dropped.adjustments)


def test_what_was_said_otherwise_is_told() -> None:
    request = asking(max_tokens=5, reasoning_effort="none", tools=[TOOL], tool_choice="none")
    CHAT.encode_request(request)
    assert request.adjustments == [
        "sent max_tokens as num_predict",
        "sent no tools for tool_choice='none'",
        "sent reasoning_effort='none' as think=False",
    ]


@pytest.mark.parametrize(
    "params",
    [
        {"max_tokens": 5, "max_completion_tokens": 5},
        {"reasoning_effort": "low", "ollama": OllamaOptions(think=False)},
        {"ollama": {"top_q": 5}},
        {"ollama": OllamaOptions(think="lots")},  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - callers err
    ],
)
def test_arguments_that_do_not_fit(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        CHAT.encode_request(asking(**params))


# --- messages -------------------------------------------------------------------------------------------------------


def test_contents_are_texts_with_images_beside_them() -> None:
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
        {"type": "text", "text": "this?"},
        {"type": "image_url", "image_url": "data:image/jpeg;base64,/9j/"},
    ]
    assert history({"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is\nthis?", "images": ["iVBORw0KGgo=", "/9j/"]},
    ]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, "fetches none"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}, "base64"),
        ({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, "input_audio"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file"),
    ],
)
def test_parts_that_it_does_not_take(part: dict[str, Any], why: str) -> None:
    content = [{"type": "text", "text": "Hi"}, part]
    with pytest.raises(UnsupportedParameterError, match=rf"messages\[0\]\.content\[1\].*{why}"):
        history({"role": "user", "content": content})
    request = asking([{"role": "user", "content": content}], on_unsupported="drop")
    assert body(CHAT.encode_request(request))["messages"] == HI


def call(id_: str, arguments: str, name: str = "weather") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_round_of_tools() -> None:
    """Arguments are objects there; a result has the name of what was called, found by the call's id."""
    turn = {"role": "assistant", "content": None, "tool_calls": [call("a", '{"city":"Rome"}'), call("b", "", "clock")]}
    results = [{"role": "tool", "tool_call_id": id_, "content": text} for id_, text in (("b", "noon"), ("a", "12 °C"))]
    assert history(turn, *results, {"role": "tool", "tool_call_id": "z", "content": "?"}) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "a", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
                {"id": "b", "function": {"name": "clock", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "noon", "tool_call_id": "b", "tool_name": "clock"},
        {"role": "tool", "content": "12 °C", "tool_call_id": "a", "tool_name": "weather"},
        {"role": "tool", "content": "?", "tool_call_id": "z"},
    ]


@pytest.mark.parametrize("arguments", ["{", "[1]", "5"])
def test_arguments_that_are_no_object_stand_in_one(arguments: str) -> None:
    """A model wrote them, and the conversation goes on."""
    (turn,) = history({"role": "assistant", "content": "", "tool_calls": [call("a", arguments)]})
    assert turn["tool_calls"][0]["function"]["arguments"] == {"INVALID_JSON": arguments}


def test_what_was_thought_goes_back_to_its_own_provider_only() -> None:
    kept = {"provider": "ollama", "data": {"thinking": "Hm."}}
    turn = {"role": "assistant", "content": "Hello", "reasoning": "Hm.", "provider_data": kept}
    assert history(turn) == [{"role": "assistant", "content": "Hello", "thinking": "Hm."}]
    assert history(turn, provider="another") == [{"role": "assistant", "content": "Hello"}]


def test_what_messages_cannot_say() -> None:
    for message in (
        {"role": "function", "name": "f", "content": "x"},
        {"role": "assistant", "content": "x", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": "x", "audio": {"id": "a"}},
        {"role": "assistant", "content": "x", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "c"}}]},
    ):
        with pytest.raises(UnsupportedParameterError):
            history(message)
    named = asking([{"role": "user", "content": "Hi", "name": "Ann"}, {"role": "assistant", "refusal": "No."}])
    assert body(CHAT.encode_request(named))["messages"] == [*HI, {"role": "assistant", "content": "No."}]
    assert named.adjustments == ["left the names of messages out"]


# --- answers --------------------------------------------------------------------------------------------------------


def fold(stream: bytes, size: int = 0) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    step = size or max(len(stream), 1)
    chunks = [chunk for at in range(0, len(stream), step) for chunk in reducer.feed(stream[at : at + step])]
    return chunks, reducer.close()


@given(st.lists(st.integers(0, len(b"".join(wire.TOOL_STREAM)))))
def test_where_the_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    stream = b"".join(wire.TOOL_STREAM)
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    edges = [0, *sorted(cuts), len(stream)]
    chunks = [chunk for a, b in pairwise(edges) for chunk in reducer.feed(stream[a:b])]
    assert (chunks, reducer.close()) == fold(stream)


def test_a_stream_and_a_whole_answer_say_the_same() -> None:
    """Thinking, calls with their own ids, the end, tokens; times stand in `model_extra` of both."""
    chunks, folded = fold(b"".join(wire.TOOL_STREAM))
    whole = CHAT.decode_response(wire.TOOL_ANSWER, asking())
    assert folded.choices == whole.choices
    choice = whole.choices[0]
    assert (choice.finish_reason, choice.finish_reason_raw, choice.message.content) == ("tool_calls", "stop", None)
    assert choice.message.reasoning == wire.THOUGHT
    assert [(c.id, c.function.arguments) for c in choice.message.tool_calls or ()] == [
        ("call_wx2k8a1b", '{"city":"Zürich"}'),
        ("call_9fz01mme", '{"city":"北京"}'),
    ]
    assert folded.usage == whole.usage == chunks[-1].usage
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (26, 12, 38)
    assert (whole.model, whole.created) == ("llama3.2", 1755697682)
    assert folded.model_extra.items() >= wire.TIMES.items()
    assert whole.model_extra.items() >= wire.TIMES.items()
    assert [chunk.choices[0].delta.role for chunk in chunks][:2] == ["assistant", None]


def test_calls_of_an_old_server_get_ids() -> None:
    """Each its own, the same in a stream and in a whole answer, and others in another turn."""
    calls = [{"function": {"name": "f", "arguments": {}}}, {"function": {"name": "f", "arguments": {}}}]
    _, folded = fold(wire.said(tool_calls=calls) + wire.end())
    whole = CHAT.decode_response(wire.whole({"tool_calls": calls}), asking())
    later = json.loads(wire.whole({"tool_calls": calls})) | {"created_at": "2026-01-01T00:00:00Z"}
    other = CHAT.decode_response(json.dumps(later).encode(), asking())
    ids = [[c.id for c in reply.choices[0].message.tool_calls or ()] for reply in (folded, whole, other)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4
    assert all(id_.startswith("call_") for id_ in ids[0])


@pytest.mark.parametrize(
    ("reason", "normal"), [("stop", "stop"), ("length", "length"), ("load", "stop"), ("new", "other"), (None, "stop")]
)
def test_how_it_ended(reason: str | None, normal: str) -> None:
    _, reply = fold(wire.said("Hi") + wire.end(reason))
    assert (reply.choices[0].finish_reason, reply.choices[0].finish_reason_raw) == (normal, reason)


def test_a_length_with_calls_stays_a_length() -> None:
    _, reply = fold(wire.said(tool_calls=wire.CALLS) + wire.end("length"))
    assert reply.choices[0].finish_reason == "length"


def test_counts_that_are_left_out_are_zero() -> None:
    _, reply = fold(wire.line(message={"content": ""}, done=True, done_reason="stop"))
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (0, 0)
    assert reply.choices[0].message.content == ""


def test_log_probabilities() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Yo", "logprob": -1.5}]}
    chunks, reply = fold(wire.line(message={"content": "Hi"}, logprobs=[token], done=False) + wire.end())
    found = reply.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert (found.content[0].logprob, found.content[0].bytes, found.content[0].top_logprobs[0].token) == (
        -0.5,
        [72, 105],
        "Yo",
    )
    assert chunks[0].choices[0].logprobs == found


def test_an_error_in_the_middle_is_raised_after_what_came() -> None:
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    chunks = reducer.feed(wire.said("Hi") + b'{"error":"an error was encountered while running the model"}\n')
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["Hi"]
    with pytest.raises(InternalServerError, match="while running the model"):
        reducer.close()
    assert isinstance(reducer.error, APIStatusError)


@pytest.mark.parametrize("stream", [b"", b"".join(wire.STREAM[:3]), b"".join(wire.STREAM)[:-30]])
def test_a_stream_without_its_last_line_was_cut(stream: bytes) -> None:
    with pytest.raises(StreamInterruptedError):
        fold(stream)


def test_a_last_line_without_its_line_end_counts() -> None:
    _, reply = fold(b"".join(wire.STREAM).rstrip(b"\n"))
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (wire.TEXT, "stop")


def test_a_last_line_without_its_line_end_may_be_an_error() -> None:
    with pytest.raises(InternalServerError, match="out of memory"):
        fold(wire.said("Hi") + b'{"error":"out of memory"}')


def test_nothing_is_read_after_the_last_line() -> None:
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    reducer.feed(b"".join(wire.STREAM) + wire.said("more"))
    assert reducer.finished
    assert reducer.feed(wire.said("more")) == []
    assert reducer.close().choices[0].message.content == wire.TEXT


@pytest.mark.parametrize("when", [None, "", "soon"])
def test_a_time_that_is_none(when: str | None) -> None:
    answer = json.loads(wire.ANSWER) | {"created_at": when}
    assert CHAT.decode_response(json.dumps(answer).encode(), asking()).created == 0


@pytest.mark.parametrize("line", [b"<html>\n", b"[1]\n", b'"text"\n'])
def test_lines_that_are_none(line: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        fold(wire.said("Hi") + line)


def test_a_line_that_is_too_large() -> None:
    reducer = CHAT.reducer(asking(), max_event_bytes=200)
    assert len(reducer.feed(wire.said("Hi") + b"x" * 300)) == 1
    with pytest.raises(ResponseDecodeError, match="max_event_bytes=200"):
        reducer.close()


def test_fields_of_another_type_are_left_in_raw() -> None:
    odd = wire.line(
        message={"content": "Hi", "thinking": None, "tool_calls": None}, done=True, eval_count="x", logprobs=None
    )
    _, reply = fold(odd)
    assert reply.choices[0].message.content == "Hi"
    assert reply.to_dict()["eval_count"] == "x"


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"message":{"content":"x"},"done":false}', b'{"done":true}'])
def test_a_whole_answer_that_is_none(answer: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        CHAT.decode_response(answer, asking())


def test_an_error_inside_a_200() -> None:
    with pytest.raises(InternalServerError, match="out of memory"):
        CHAT.decode_response(b'{"error":"out of memory"}', asking())


# --- text completions -----------------------------------------------------------------------------------------------


def continuing(prompt: Any = "Once", **params: Any) -> CompletionRequest:
    extra = params.pop("extra_body", None)
    return CompletionRequest(
        provider="ollama", model="m", prompt=prompt, params=params, extra_body=extra, adjustments=[]
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (continuing(), {"prompt": "Once"}),
        (continuing(["Once"]), {"prompt": "Once"}),
        (continuing(None), {"prompt": ""}),
        (
            continuing(suffix="end", max_tokens=3, stop="."),
            {"prompt": "Once", "suffix": "end", "options": {"num_predict": 3, "stop": ["."]}},
        ),
        (continuing(logprobs=2, n=1, echo=False), {"prompt": "Once", "logprobs": True, "top_logprobs": 2}),
        (continuing(logprobs=0), {"prompt": "Once", "logprobs": True}),
        (continuing(extra_body={"raw": True}), {"prompt": "Once", "raw": True}),
    ],
)
def test_text_completions_that_go_out(request_: CompletionRequest, expected: dict[str, Any]) -> None:
    http = TEXTS.encode_request(request_)
    assert (http.path, body(http)) == ("api/generate", {"model": "m", "stream": False, **expected})
    assert body(TEXTS.encode_stream(request_))["stream"] is True


@pytest.mark.parametrize(
    "request_",
    [
        continuing(["a", "b"]),
        continuing([1, 2]),
        continuing(n=2),
        continuing(echo=True),
        continuing(user="u"),
        continuing(new=1),
    ],
)
def test_text_completions_that_it_cannot(request_: CompletionRequest) -> None:
    with pytest.raises(UnsupportedParameterError):
        TEXTS.encode_request(request_)


def test_a_text_completion_whole_and_streamed() -> None:
    token = {"token": "upon", "logprob": -0.25, "top_logprobs": [{"token": "more", "logprob": -2.0}]}
    end = {"done": True, "done_reason": "length", **wire.COUNTS, **wire.TIMES}
    stream = wire.line(response="upon", logprobs=[token], done=False) + wire.line(response=" a", **end)
    reducer = TEXTS.reducer(continuing(), max_event_bytes=1 << 20)
    chunks = [chunk for at in range(len(stream)) for chunk in reducer.feed(stream[at : at + 1])]
    folded = reducer.close()
    whole = TEXTS.decode_response(wire.line(response="upon a", logprobs=[token], **end), continuing())
    assert folded.choices == whole.choices
    assert (folded.usage, folded.created, folded.model) == (whole.usage, whole.created, whole.model)
    assert [chunk.choices[0].text for chunk in chunks] == ["upon", " a"]
    choice = whole.choices[0]
    assert (choice.text, choice.finish_reason, choice.finish_reason_raw) == ("upon a", "length", "length")
    assert choice.logprobs is not None
    assert (choice.logprobs.tokens, choice.logprobs.top_logprobs) == (["upon"], [{"more": -2.0}])
    assert chunks[-1].usage == whole.usage
    assert folded.model_extra["eval_duration"] == 5877


def test_text_completions_that_fail() -> None:
    with pytest.raises(UnsupportedParameterError, match="include_obfuscation"):
        TEXTS.encode_request(continuing(stream_options={"include_obfuscation": True}))
    with pytest.raises(ResponseDecodeError, match="is not done"):
        TEXTS.decode_response(wire.line(response="a", done=False), continuing())
    reducer = TEXTS.reducer(continuing(), max_event_bytes=1 << 20)
    reducer.feed(wire.line(response="a", done=False))
    with pytest.raises(StreamInterruptedError):
        reducer.close()
    for answer, error in ((b'{"error":"x"}', InternalServerError), (b"{}", ResponseDecodeError)):
        with pytest.raises(error):
            TEXTS.decode_response(answer, continuing())
    assert type(TEXTS.decode_error(404, {}, b'{"error":"model \'m\' not found"}', now=0.0)) is NotFoundError


# --- embeddings -----------------------------------------------------------------------------------------------------


def embedding(*texts: str, single: bool = False, **params: Any) -> EmbeddingsRequest:
    return EmbeddingsRequest(provider="ollama", model="m", input=list(texts), single=single, params=params)


def test_embeddings_that_go_out() -> None:
    assert body(VECTORS.encode_request(embedding("a", "b", dimensions=3, encoding_format="base64"))) == {
        "model": "m",
        "input": ["a", "b"],
        "dimensions": 3,
    }
    request = msgspec.structs.replace(embedding("a", single=True), extra_body={"truncate": False})
    assert body(VECTORS.encode_request(request)) == {"model": "m", "input": "a", "truncate": False}
    for refused in (embedding("a", input_type="query"), embedding("a", user="u")):
        with pytest.raises(UnsupportedParameterError):
            VECTORS.encode_request(refused)
    with pytest.raises(UnsupportedParameterError, match="token ids"):
        VECTORS.encode_request(EmbeddingsRequest(provider="ollama", model="m", input=[[1, 2]], params={}))


def test_embeddings_that_come() -> None:
    reply = VECTORS.decode_response(wire.embeddings([[0.5, 1.0]]), embedding("a"))
    assert (reply.model, reply.usage.prompt_tokens, list(reply.data[0].embedding)) == ("llama3.2", 9, [0.5, 1.0])
    for answer in (b"{}", b"<", wire.embeddings([]), wire.embeddings([[]])):
        with pytest.raises(ResponseDecodeError):
            VECTORS.decode_response(answer, embedding("a"))
    with pytest.raises(InternalServerError, match="no embeddings for you"):
        VECTORS.decode_response(b'{"error":"no embeddings for you"}', embedding("a"))


# --- models ---------------------------------------------------------------------------------------------------------


def test_models_that_are_there() -> None:
    found = MODELS.decode_list(wire.models())
    assert [(model.id, model.created) for model in found] == [(id_, 1755697682) for id_ in wire.MODEL_IDS]
    assert found[0].model_extra["details"] == wire.DETAILS
    assert MODELS.decode_list(b'{"models":null}') == []


def test_a_model_says_what_it_can() -> None:
    assert body(MODELS.encode_retrieve("llama3.2")) == {"model": "llama3.2"}
    shown = MODELS.decode_retrieve(wire.model())
    assert shown.model_extra["capabilities"] == ["completion", "tools"]
    assert shown.model_extra["model_info"]["llama.context_length"] == 131072
    assert shown.created == 1755697682


def test_what_a_model_can_is_published() -> None:
    """What is not listed it has not; a server that lists nothing leaves it open."""
    found = MODELS.decode_capabilities(wire.model(), "llama3.2")
    assert found is not None
    assert (found.chat, found.tools, found.vision, found.reasoning, found.embeddings) == (
        True,
        True,
        False,
        False,
        False,
    )
    assert (found.json_schema, found.context_window, found.max_output_tokens) == (None, 131072, None)
    old = MODELS.decode_capabilities(b'{"details":{},"model_info":null}', "llama3.2")
    assert old is not None
    assert (old.chat, old.context_window) == (None, None)


@pytest.mark.parametrize("answer", [b"{}", b"[]", b'{"models":[{"size":1}]}', b"<html>"])
def test_what_is_no_model(answer: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        MODELS.decode_list(answer)
    with pytest.raises(ResponseDecodeError):
        MODELS.decode_retrieve(answer)


def test_models_refused_inside_a_200() -> None:
    for decode in (MODELS.decode_list, MODELS.decode_retrieve):
        with pytest.raises(InternalServerError, match="broken"):
            decode(b'{"error":"broken"}')


PULLING = PullRequest(provider="ollama", model="llama3.2", extra_body={"insecure": True})


def test_a_pull_and_its_progress() -> None:
    assert body(STORE.encode_stream(PULLING)) == {"model": "llama3.2", "stream": True, "insecure": True}
    assert body(STORE.encode_request(PULLING))["stream"] is False
    stream = b"".join(wire.PULL_STREAM)
    for size in (1, len(stream)):
        reducer = STORE.reducer(PULLING, max_event_bytes=1 << 20)
        found = [each for at in range(0, len(stream), size) for each in reducer.feed(stream[at : at + size])]
        assert [each.to_dict() for each in found] == wire.PULL
        assert (reducer.finished, reducer.close().status) == (True, "success")
    assert STORE.decode_response(b'{"status":"success"}', PULLING).status == "success"


def test_a_pull_that_fails() -> None:
    reducer = STORE.reducer(PULLING, max_event_bytes=1 << 20)
    reducer.feed(wire.PULL_STREAM[0] + b'{"error":"pull model manifest: file does not exist"}\n')
    with pytest.raises(InternalServerError, match="file does not exist"):
        reducer.close()
    cut = STORE.reducer(PULLING, max_event_bytes=1 << 20)
    cut.feed(b"".join(wire.PULL_STREAM[:-1]))
    with pytest.raises(StreamInterruptedError):
        cut.close()


def test_a_delete() -> None:
    http = STORE.encode_delete("llama3.2")
    assert (http.method, http.path, body(http)) == ("DELETE", "api/delete", {"model": "llama3.2"})
    assert STORE.decode_deleted(b"", "llama3.2").to_dict() == {"id": "llama3.2", "deleted": True, "object": "model"}
    with pytest.raises(InternalServerError):
        STORE.decode_deleted(b'{"error":"x"}', "llama3.2")
    assert type(STORE.decode_error(404, {}, b'{"error":"model \'m\' not found"}', now=0.0)) is NotFoundError
