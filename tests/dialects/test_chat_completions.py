"""Chat Completions, whole and streamed: bytes in, values out.

Bytes come from OpenAI's reference and, where a comment says so, from recorded answers of other hosts, trimmed.
"""

import json
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.chat_completions import (
    ANSWER,
    DONE,
    OVERLOADED_EVENT,
    STREAM,
    TEXT,
    TOOL_ANSWER,
    TOOL_STREAM,
    UNKNOWN_EVENT,
    chunk,
    dump,
    event,
    usage_chunk,
    whole,
)

from onellm.dialects.openai.chat import FINISH, OpenAIChat
from onellm.dialects.openai.chat_stream import ChatStreamReducer
from onellm.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    OneLLMError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.resources import validation
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.options import OnUnsupported
from onellm.types.request import UnsupportedParameterWarning

DIALECT = OpenAIChat()


def asking(
    *messages: Any,
    provider: str = "here",
    extra_body: Any = None,
    on_unsupported: OnUnsupported = "raise",
    **params: Any,
) -> ChatRequest:
    return ChatRequest(
        provider=provider,
        model="vendor/model-1",
        messages=validation.messages(list(messages) or [{"role": "user", "content": "Hi"}]),
        params=params,
        extra_body=extra_body,
        on_unsupported=on_unsupported,
    )


def read(body: bytes, dialect: OpenAIChat = DIALECT, request: ChatRequest | None = None) -> ChatCompletion:
    return dialect.decode_response(body, request or asking())


def fold(
    pieces: Iterable[bytes], dialect: OpenAIChat = DIALECT, request: ChatRequest | None = None
) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    reducer = dialect.reducer(request or asking(), max_event_bytes=1 << 26)
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    return chunks, reducer.close()


def byte_by_byte(stream: Iterable[bytes]) -> Iterable[bytes]:
    data = b"".join(stream)
    return (data[at : at + 1] for at in range(len(data)))


def said(reply: ChatCompletion) -> dict[str, Any]:
    """What an answer says, without how it came. No annotations are [] in a whole answer, and nothing in a stream."""
    dumped = msgspec.structs.replace(reply, raw=b"").model_dump()
    for choice in dumped["choices"]:
        choice["message"]["annotations"] = choice["message"]["annotations"] or None
    return dumped


def delta_call(index: int = 0, id_: str | None = None, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": id_, "type": "function"} if id_ else {})


LOGPROBS = [
    {
        "token": "Hi",
        "logprob": -0.1,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Hi", "logprob": -0.1, "bytes": None}],
    },
    {"token": "!", "logprob": -1, "bytes": [33], "top_logprobs": []},
]
CITATION = {
    "type": "url_citation",
    "url_citation": {"url": "https://e.org", "title": "E", "start_index": 0, "end_index": 2},
}
DETAILS = [{"type": "reasoning.text", "text": "Hm", "signature": None}, {"type": "reasoning.encrypted", "data": "x"}]

# name: (whole answer, stream): the same answer in both forms
SAME: dict[str, tuple[bytes, list[bytes]]] = {
    "text": (ANSWER, STREAM),
    "tool calls": (TOOL_ANSWER, TOOL_STREAM),
    "a refusal": (
        whole({"content": None, "refusal": "I will not."}),
        [
            chunk({"role": "assistant", "content": None, "refusal": ""}),
            chunk({"refusal": "I will"}),
            chunk({"refusal": " not."}),
            chunk({}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "a custom tool": (
        whole(
            {
                "content": None,
                "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}],
            },
            "tool_calls",
        ),
        [
            chunk({"tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": ""}}]}),
            chunk({"tool_calls": [{"index": 0, "custom": {"input": "ls"}}]}),
            chunk({"tool_calls": [{"index": 0, "custom": {"input": " -l"}}]}),
            chunk({}, "tool_calls"),
            usage_chunk(),
            DONE,
        ],
    ),
    "a function call": (
        whole({"content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}}, "function_call"),
        [
            chunk({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}),
            chunk({"function_call": {"arguments": '{"a"'}}),
            chunk({"function_call": {"arguments": ":1}"}}),
            chunk({}, "function_call"),
            usage_chunk(),
            DONE,
        ],
    ),
    "sound": (
        whole({"content": None, "audio": {"id": "a1", "data": "AAECAw==", "expires_at": 7, "transcript": "Hi you"}}),
        [
            chunk({"role": "assistant", "audio": {"id": "a1", "transcript": "Hi"}}),
            chunk({"audio": {"data": "AAEC"}}),
            chunk({"audio": {"data": "Aw==", "transcript": " you"}}),
            chunk({"audio": {"expires_at": 7}}),
            chunk({}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "logprobs": (
        whole({"content": "Hi!"}, logprobs={"content": LOGPROBS, "refusal": None}),
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Hi"}, logprobs={"content": LOGPROBS[:1], "refusal": None}),
            chunk({"content": "!"}, logprobs={"content": LOGPROBS[1:], "refusal": None}),
            chunk({}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "logprobs of a refusal": (
        whole({"content": None, "refusal": "Hi!"}, logprobs={"content": None, "refusal": LOGPROBS}),
        [
            chunk({"refusal": "Hi"}, logprobs={"content": None, "refusal": LOGPROBS[:1]}),
            chunk({"refusal": "!"}, logprobs={"content": None, "refusal": LOGPROBS[1:]}),
            chunk({}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "reasoning": (
        whole({"content": "4", "reasoning": "2+2"}),
        [
            chunk({"role": "assistant", "reasoning": "2"}),
            chunk({"reasoning": "+2", "content": None}),
            chunk({"content": "4"}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "reasoning_content": (
        whole({"content": "4", "reasoning_content": "2+2"}),
        [
            chunk({"role": "assistant", "reasoning_content": "2"}),
            chunk({"reasoning_content": "+2"}),
            chunk({"content": "4", "reasoning_content": None}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "reasoning_details": (
        whole({"content": "4", "reasoning": "Hm", "reasoning_details": DETAILS}),
        [
            chunk({"reasoning": "Hm", "reasoning_details": DETAILS[:1]}),
            chunk({"reasoning_details": DETAILS[1:]}),
            chunk({"content": "4"}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "annotations": (
        whole({"content": "Hi", "annotations": [CITATION, CITATION]}),
        [
            chunk({"content": "Hi", "annotations": [CITATION]}),
            chunk({"annotations": [CITATION]}),
            chunk({}, "stop"),
            usage_chunk(),
            DONE,
        ],
    ),
    "several choices": (
        dump(
            {
                **json.loads(ANSWER),
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "ab"}, "finish_reason": "stop"},
                    {"index": 1, "message": {"role": "assistant", "content": "cd"}, "finish_reason": "length"},
                ],
            }
        ),
        [
            chunk({"content": "c"}, index=1),
            chunk({"content": "a"}),
            chunk({"content": "b"}, "stop"),
            chunk({"content": "d"}, "length", index=1),
            usage_chunk(),
            DONE,
        ],
    ),
    "a finish reason of the host's own": (
        whole({"content": "x"}, "eos"),
        [chunk({"content": "x"}), chunk({}, "eos"), usage_chunk(), DONE],
    ),
    "a finish reason that nobody knows": (
        whole({"content": "x"}, "tired"),
        [chunk({"content": "x"}, "tired"), usage_chunk(), DONE],
    ),
    "an empty finish reason after a call": (
        whole(
            {
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            "",
        ),
        [chunk({"tool_calls": [delta_call(0, "a", "f", "{}")]}, ""), chunk({}, ""), usage_chunk(), DONE],
    ),
    "usage in the last chunk with a choice": (
        whole({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
        [
            chunk({"content": "x"}),
            chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
            DONE,
        ],
    ),
    "usage that grows": (
        whole({"content": "xy"}, usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
        [
            chunk({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}),
            chunk({"content": "y"}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
            DONE,
        ],
    ),
    "no usage, no [DONE]": (whole({"content": "x"}, usage=None), [chunk({"content": "x"}), chunk({}, "stop")]),
    "a first chunk that is empty": (  # a content filter's verdict on the prompt
        whole({"content": "x"}, usage=None),
        [
            event({"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}),
            chunk({"content": "x"}, "stop"),
            DONE,
        ],
    ),
    "roles and finish reasons repeated": (
        whole({"content": "xy"}, usage=None),
        [
            chunk({"role": "assistant", "content": "x"}, ""),
            chunk({"role": "assistant", "content": "y"}, "stop"),
            chunk({"role": "assistant", "content": ""}, "stop"),
            DONE,
        ],
    ),
    "odd choices between": (
        whole({"content": "xy"}, usage=None),
        [
            chunk({"content": "x"}),
            event({"id": "i", "choices": None}),
            event({"id": "i"}),
            event({"choices": []}),
            event({"choices": [{"index": 0, "delta": None}]}),
            event({"choices": [{"index": 0}]}),
            event({"choices": [{"delta": {"content": None, "tool_calls": None, "role": None}}]}),
            chunk({"content": "y"}, "stop"),
            DONE,
        ],
    ),
    "floats for ints": (
        whole({"content": "xy"}, usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
        [
            event(
                {
                    "id": "chatcmpl-1",
                    "created": 1741569952.0,
                    "model": "gpt-5.4-mini-2026-03-17",
                    "service_tier": "default",
                    "choices": [{"index": 0.0, "delta": {"content": "x"}}],
                }
            ),
            chunk(
                {"content": "y"}, "stop", usage={"prompt_tokens": 1.0, "completion_tokens": 2.0, "total_tokens": 3.0}
            ),
            DONE,
        ],
    ),
    "unknown events and comments": (
        ANSWER,
        [
            UNKNOWN_EVENT.join(STREAM[:4]),
            b": ping\r\n\r\n",
            b"event: ping\ndata: now\n\n",
            b"data:\n\n",
            b"data: {}\n\n",
            *STREAM[4:-1],
            DONE,
        ],
    ),
    "line ends and spaces": (ANSWER, [b"".join(STREAM).replace(b"\n", b"\r\n").replace(b"data: ", b"data:")]),
    "a last event without its blank line": (ANSWER, [*STREAM[:-1], DONE[:-1]]),
}
same = pytest.mark.parametrize(("body", "stream"), SAME.values(), ids=SAME)


@same
def test_the_folded_stream_is_the_whole_answer(body: bytes, stream: list[bytes]) -> None:
    """Streamed or not, the answer is the same to the last field; and the cuts of the network change nothing."""
    expected = said(read(body))
    chunks, final = fold(stream)
    assert said(final) == expected
    one, of_one = fold([b"".join(stream)])
    bytewise, of_bytes = fold(byte_by_byte(stream))
    assert said(of_one) == said(of_bytes) == expected
    assert one == bytewise == chunks


@given(st.sampled_from(sorted(SAME)), st.data())
def test_where_the_stream_is_cut_does_not_matter(name: str, data: st.DataObject) -> None:
    body, stream = SAME[name]
    joined = b"".join(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(joined)), max_size=12)))
    pieces = [joined[a:b] for a, b in zip([0, *cuts], [*cuts, len(joined)], strict=True)]
    chunks, final = fold(pieces)
    assert said(final) == said(read(body))
    assert chunks == fold(stream)[0]


def test_what_a_whole_answer_says() -> None:
    reply = read(ANSWER)
    assert reply.choices[0].message.content == TEXT
    assert (reply.choices[0].finish_reason, reply.choices[0].finish_reason_raw) == ("stop", "stop")
    assert (reply.id, reply.model, reply.created) == ("chatcmpl-1", "gpt-5.4-mini-2026-03-17", 1741569952)
    assert reply.usage is not None
    assert (reply.usage.total_tokens, reply.service_tier) == (29, "default")
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 8
    assert reply.raw == ANSWER


def test_what_the_chunks_say() -> None:
    chunks, _ = fold(STREAM)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert [event([]).replace(b"[]", chunk.raw) for chunk in chunks] == STREAM[:-2]
    calls = [call for chunk in fold(TOOL_STREAM)[0] for call in chunk.choices[0].delta.tool_calls or ()]
    assert (
        "".join(call.function.arguments or "" for call in calls if call.function and call.index == 1)
        == '{"city": "北京"}'
    )


def test_the_usage_chunk_is_shown_to_those_who_asked() -> None:
    """OpenAI's last chunk has usage and no choices, which breaks `chunk.choices[0]`: it comes because we ask for it."""
    assert all(chunk.choices for chunk in fold(STREAM)[0])
    chunks, final = fold(STREAM, request=asking(stream_options={"include_usage": True}))
    assert (chunks[-1].choices, chunks[-1].usage) == ([], final.usage)


def test_what_is_said_once_of_the_whole_is_kept_from_the_first_that_says_it() -> None:
    """Also where the first chunk is silent; the service tier and the usage are the last ones."""
    one = chunk({"content": "x"}, id="", system_fingerprint=None, service_tier="auto")
    two = chunk({"content": "y"}, system_fingerprint="fp_1", id="a", model="m-1")
    three = chunk({}, "stop", system_fingerprint="fp_2", id="b", model="m-2", service_tier="flex")
    final = fold([one, two, three])[1]
    assert (final.id, final.model, final.system_fingerprint) == ("a", "gpt-5.4-mini-2026-03-17", "fp_1")
    assert final.service_tier == "flex"


@pytest.mark.parametrize(("raw", "normal"), [*FINISH.items(), ("tired", "other"), (None, None), ("", None)])
def test_finish_reasons(raw: str | None, normal: str | None) -> None:
    """OpenAI's words, with the host's own beside them, in an answer, a chunk and a folded stream."""
    reply = read(whole({"content": "x"}, raw)).choices[0]
    chunks, final = fold([chunk({"content": "x"}, raw), DONE])
    for choice in (reply, chunks[0].choices[0], final.choices[0]):
        assert (choice.finish_reason, choice.finish_reason_raw) == (normal, raw or None)


def test_a_hosts_own_finish_reasons_go_first() -> None:
    dialect = OpenAIChat(finish={"stop": "length", "tired": "error"})
    assert read(whole({}, "stop"), dialect).choices[0].finish_reason == "length"
    assert fold([chunk({}, "tired")], dialect)[1].choices[0].finish_reason == "error"


# --- ends and errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(len(STREAM) - 3))
def test_a_cut_stream_is_an_error(length: int) -> None:
    """Without a finish reason or [DONE], what has come may be cut short."""
    with pytest.raises(StreamInterruptedError) as caught:
        fold(STREAM[:length])
    assert (caught.value.provider, caught.value.model) == ("here", "vendor/model-1")


def test_a_stream_cut_in_an_event_is_an_error() -> None:
    joined = b"".join(STREAM[:-3])
    with pytest.raises(StreamInterruptedError):
        fold([joined, STREAM[-3][:-5]])


def test_every_choice_must_have_ended() -> None:
    with pytest.raises(StreamInterruptedError):
        fold([chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk({}, "stop")])


def test_an_empty_finish_reason_ends_nothing() -> None:
    """Hosts say "" with every chunk: a stream that is cut after a tool call's first piece is not whole."""
    with pytest.raises(StreamInterruptedError):
        fold([chunk({"tool_calls": [delta_call(0, "a", "f", '{"x')]}, "")])


def test_done_alone_is_no_answer() -> None:
    with pytest.raises(StreamInterruptedError):
        fold([DONE])


def test_nothing_is_read_after_the_end() -> None:
    reducer = DIALECT.reducer(asking(), max_event_bytes=1 << 20)
    assert len(reducer.feed(b"".join([*STREAM, *STREAM]))) == len(STREAM) - 2
    assert reducer.finished
    assert reducer.feed(b"".join(STREAM)) == []
    assert reducer.close().choices[0].message.content == TEXT
    assert reducer.close().choices[0].message.content == TEXT


ERROR_EVENTS: dict[str, tuple[bytes, type[APIStatusError], str]] = {
    "an error chunk": (OVERLOADED_EVENT, OverloadedError, "The server is overloaded"),
    # groq, recorded
    "event: error": (
        (
            b'event: error\ndata: {"error":{"message":"no tool","type":"invalid_request_error",'
            b'"code":"tool_use_failed","failed_generation":"","status_code":400}}\n\n'
        ),
        BadRequestError,
        "no tool",
    ),
    "event: error in plain text": (b"event: error\ndata: it broke\n\n", InternalServerError, "it broke"),
    # huggingface, recorded
    "text": (b'data: {"error":"too many","error_type":"validation"}\n\n', InternalServerError, "too many"),
    # openrouter, recorded: among the fields of a chunk
    "in a chunk": (
        chunk({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"}),
        InternalServerError,
        "Provider disconnected",
    ),
    "with a number": (event({"error": {"code": 429, "message": "slow down"}}), RateLimitError, "slow down"),
    "with a status beside it": (event({"error": {"message": "long"}, "status_code": 400}), BadRequestError, "long"),
    "in an array": (event([{"error": {"code": 429, "message": "slow"}}]), RateLimitError, "slow"),
    "flat": (event({"object": "error", "message": "bad", "code": 400}), BadRequestError, "bad"),
    "base_resp": (
        event({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate"}}),
        InternalServerError,
        "rate",
    ),
}


@pytest.mark.parametrize(("bad", "cls", "message"), ERROR_EVENTS.values(), ids=ERROR_EVENTS)
@pytest.mark.parametrize("split", [False, True])
def test_an_error_inside_a_stream(bad: bytes, cls: type[APIStatusError], message: str, split: bool) -> None:
    """The chunks before it are handed out, then it is raised, as its status would have been; the rest is not read."""
    stream = [*STREAM[:3], bad, *STREAM[3:]]
    reducer = DIALECT.reducer(asking(), max_event_bytes=1 << 20)
    pieces = byte_by_byte(stream) if split else [b"".join(stream)]
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    assert chunks == fold(STREAM)[0][:3]
    assert reducer.error is not None
    with pytest.raises(cls) as caught:
        reducer.close()
    assert type(caught.value) is cls
    assert caught.value.message == message


@pytest.mark.parametrize(("bad", "cls", "message"), ERROR_EVENTS.values(), ids=ERROR_EVENTS)
def test_an_error_inside_a_whole_200(bad: bytes, cls: type[APIStatusError], message: str) -> None:
    body = bad.partition(b"data: ")[2].strip()
    if not body.startswith((b"{", b"[")):
        cls, message = ResponseDecodeError, "not a chat completion: JSON is malformed"  # type: ignore[assignment]
    with pytest.raises(cls) as caught:
        read(body)
    assert caught.value.message.startswith(message)
    assert caught.value.raw == body


@pytest.mark.parametrize("value", [None, "", {}, [], False, 0])
def test_an_error_that_says_nothing_is_none(value: object) -> None:
    reply = json.loads(ANSWER)
    assert read(dump({**reply, "error": value})).choices[0].message.content == TEXT
    assert fold([chunk({"content": "x"}, "stop", error=value)])[1].choices[0].message.content == "x"


def test_error_is_also_a_word() -> None:
    """What the model writes is no error, whatever it writes."""
    text = '{"error": {"message": "x", "code": 500}} data: {"error": 1}'
    arguments = {"tool_calls": [delta_call(0, "a", "f", text)]}
    assert read(whole({"content": text})).choices[0].message.content == text
    _, final = fold([chunk({"content": text}), chunk(arguments, "stop"), DONE])
    assert final.choices[0].message.content == text
    assert final.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls[0].function.arguments == text


def test_a_hosts_own_error_codes() -> None:
    dialect = OpenAIChat(codes={"1113": QuotaExceededError})
    bad = {"error": {"code": "1113", "message": "no balance"}}
    with pytest.raises(QuotaExceededError):
        read(dump(bad), dialect)
    with pytest.raises(QuotaExceededError):
        fold([event(bad)], dialect)
    assert type(dialect.decode_error(429, {}, dump(bad), now=0.0)) is QuotaExceededError


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", b'{"error":', b'{"error":1,}', b"[]", b"5", b'{"id":"x"}', b"[" * 100_000, b"\xff"],
)
def test_what_is_no_chat_completion(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError, match="not a chat completion") as caught:
        read(body)
    assert caught.value.raw == body


@pytest.mark.parametrize("data", [b"{", b"nonsense", b"[1]", b"5", b'{"x":' * 90_000])
def test_what_is_no_chunk(data: bytes) -> None:
    """It ends the stream with an error, after the chunks before it."""
    reducer = DIALECT.reducer(asking(), max_event_bytes=1 << 20)
    assert len(reducer.feed(b"".join([*STREAM[:2], b"data: " + data + b"\n\n", *STREAM[2:]]))) == 2
    with pytest.raises(ResponseDecodeError):
        reducer.close()


def test_an_event_that_is_too_large() -> None:
    reducer = DIALECT.reducer(asking(), max_event_bytes=1000)
    large = chunk({"content": "x" * 1000})
    assert len(reducer.feed(STREAM[0] + large)) == 1
    reducer.feed(b"")
    with pytest.raises(ResponseDecodeError, match="max_event_bytes=1000"):
        reducer.close()


def test_a_whole_answer_without_choices() -> None:
    assert read(dump({"id": "x", "choices": None})).choices == []
    assert read(dump({"id": "x", "choices": []})).choices == []


def test_content_in_parts_is_read_as_text_and_thinking() -> None:
    """Mistral's reasoning models answer so: https://docs.mistral.ai/capabilities/reasoning"""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    content = [thinking, {"type": "text", "text": "x"}, {"type": "reference", "reference_ids": [1]}, "y"]
    reply = read(whole({"content": content}))
    assert (reply.choices[0].message.content, reply.choices[0].message.reasoning) == ("xy", "hm")
    assert reply.to_dict()["choices"][0]["message"]["content"] == content
    folded = fold([chunk({"content": [thinking]}), chunk({"content": content[1:]}, "stop")])[1]
    assert (folded.choices[0].message.content, folded.choices[0].message.reasoning) == ("xy", "hm")


def test_content_of_another_kind_is_left_out_and_stands_in_raw() -> None:
    body = whole({"content": {"answer": "x"}})
    reply = read(body)
    assert reply.choices[0].message.content is None
    assert reply.raw == body
    assert reply.to_dict()["choices"][0]["message"]["content"] == {"answer": "x"}


pieces = st.lists(
    st.sampled_from([*STREAM, *TOOL_STREAM, UNKNOWN_EVENT, OVERLOADED_EVENT, b"data: {", b"\n\n", b"\xff"])
)


@given(pieces, st.data())
def test_anything_may_come(stream: list[bytes], data: st.DataObject) -> None:
    """Chunks or our own errors, and the same ones wherever the bytes are cut."""

    def outcome(cuts: Iterable[bytes]) -> object:
        try:
            return fold(cuts)
        except OneLLMError as exc:
            return type(exc), str(exc)

    joined = b"".join(stream)
    at = data.draw(st.integers(0, len(joined)))
    assert outcome([joined]) == outcome([joined[:at], joined[at:]]) == outcome(byte_by_byte(stream))


# --- cost ---------------------------------------------------------------------------------------------------------


def cost(stream: list[bytes]) -> float:
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        fold(stream)
        best = min(best, time.process_time() - before)
    return best


def deltas(count: int) -> list[bytes]:
    return [*[chunk({"content": "token "})] * count, chunk({}, "stop"), DONE]


def argument(size: int) -> list[bytes]:
    first = chunk({"tool_calls": [delta_call(0, "a", "f")]})
    return [
        first,
        *[chunk({"tool_calls": [delta_call(0, arguments="x" * 100)]})] * (size // 100),
        chunk({}, "stop"),
        DONE,
    ]


def test_many_deltas_fold_in_linear_time() -> None:
    """Eight times the deltas cost about eight times as much, not sixty-four."""
    assert fold(deltas(20_000))[1].choices[0].message.content == "token " * 20_000
    assert cost(deltas(20_000)) < 20 * cost(deltas(2500))


def test_a_large_tool_argument_folds_in_linear_time() -> None:
    calls = fold(argument(2 << 20))[1].choices[0].message.tool_calls
    assert calls is not None
    assert len(calls[0].function.arguments) == (2 << 20) // 100 * 100
    assert cost(argument(2 << 20)) < 20 * cost(argument(1 << 18))


# --- requests -----------------------------------------------------------------------------------------------------


def sent(request: ChatRequest, dialect: OpenAIChat = DIALECT, *, stream: bool = False) -> Any:
    http = dialect.encode_stream(request) if stream else dialect.encode_request(request)
    assert (http.method, http.path, http.headers, http.query) == ("POST", dialect.path, {}, {})
    assert http.body is not None
    return json.loads(http.body)


HI = {"role": "user", "content": "Hi"}


def test_a_request_holds_what_was_given_and_nothing_else() -> None:
    assert sent(asking()) == {"model": "vendor/model-1", "messages": [HI]}
    assert sent(asking(temperature=0, n=2, extra_body={"top_k": 5, "n": 3})) == {
        "model": "vendor/model-1",
        "messages": [HI],
        "temperature": 0,
        "n": 3,
        "top_k": 5,
    }
    assert DIALECT.encode_request(asking()).path == "chat/completions"


def test_a_stream_asks_for_its_usage() -> None:
    assert sent(asking(), stream=True)["stream_options"] == {"include_usage": True}
    assert sent(asking(stream_options={"include_usage": False}), stream=True)["stream_options"] == {
        "include_usage": False
    }
    plain = sent(asking(), OpenAIChat(stream_usage=False), stream=True)
    assert (plain["stream"], "stream_options" in plain) == (True, False)


def test_the_token_limit_goes_under_the_hosts_name() -> None:
    request = asking(max_tokens=5, seed=1)
    body = sent(request, OpenAIChat(renames={"max_tokens": "max_completion_tokens"}))
    assert (body["max_completion_tokens"], "max_tokens" in body, body["seed"]) == (5, False, 1)
    assert request.adjustments == ["sent max_tokens as max_completion_tokens"]
    assert (
        sent(asking(max_completion_tokens=6), OpenAIChat(renames={"max_completion_tokens": "max_tokens"}))["max_tokens"]
        == 6
    )
    assert sent(asking(max_tokens=5, max_completion_tokens=6))["max_tokens"] == 5


def test_two_token_limits_are_one_too_many() -> None:
    """Where the host has one name for it, one of them would be dropped in silence."""
    with pytest.raises(InvalidRequestError, match="not both"):
        sent(asking(max_tokens=5, max_completion_tokens=6), OpenAIChat(renames={"max_completion_tokens": "max_tokens"}))


JSON = {"type": "json_object"}
TOOL = {"type": "function", "function": {"name": "f"}}
IMAGE = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}]}
SOUND = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}
# name: (a dialect without it, a request that wants it, the parameter in the error, what is sent when it is dropped)
LACKS: dict[str, tuple[OpenAIChat, dict[str, Any], str, dict[str, Any]]] = {
    "json mode": (
        OpenAIChat(response_formats=frozenset({"text"})),
        {"response_format": JSON},
        'response_format {"type": "json_object"}',
        {},
    ),
    "tools": (OpenAIChat(tools=False), {"tools": [TOOL]}, "tools", {}),
    "a tool choice": (OpenAIChat(tools=False), {"tool_choice": "none"}, "tool_choice", {}),
    "functions": (OpenAIChat(tools=False), {"functions": [{"name": "f"}]}, "functions", {}),
    "reasoning": (OpenAIChat(reasoning=False), {"reasoning_effort": "low"}, "reasoning_effort", {}),
    "vision": (
        OpenAIChat(vision=False),
        {"messages": [HI, IMAGE]},
        "messages[1].content[1]",
        {"messages": [HI, {"role": "user", "content": IMAGE["content"][:1]}]},
    ),
    "audio": (
        OpenAIChat(audio_input=False),
        {"messages": [SOUND, HI]},
        "messages[0].content[0]",
        {"messages": [{"role": "user", "content": []}, HI]},
    ),
}


@pytest.mark.parametrize(("dialect", "wanted", "param", "left"), LACKS.values(), ids=LACKS)
def test_what_the_host_lacks_is_refused_or_left_out_aloud(
    dialect: OpenAIChat, wanted: dict[str, Any], param: str, left: dict[str, Any]
) -> None:
    def request(on_unsupported: OnUnsupported) -> ChatRequest:
        given = {key: value for key, value in wanted.items() if key != "messages"}
        return asking(*wanted.get("messages", []), on_unsupported=on_unsupported, **given)

    with pytest.raises(UnsupportedParameterError, match="here does not support") as caught:
        sent(request("raise"), dialect)
    assert caught.value.param == param
    dropped = request("drop")
    assert sent(dropped, dialect) == {"model": "vendor/model-1", "messages": [HI], **left}
    assert [note.startswith(f"left out {param}: ") for note in dropped.adjustments] == [True]
    with pytest.warns(UnsupportedParameterWarning, match="left out"):
        sent(request("warn"), dialect)
    full = {"model": "vendor/model-1", "messages": [HI], **wanted}
    assert sent(request("raise")) == full


def test_what_json_cannot_say_is_the_callers_error() -> None:
    for extra in ({"x": object()}, {"x": "\ud800"}):
        with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
            sent(asking(extra_body=extra))


# --- a message that came out goes back in -------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "content": "x",
    "refusal": None,
    "annotations": [CITATION],
    "reasoning": "Hm",
    "reasoning_content": "Hm",
    "reasoning_details": DETAILS,
    "citations": [{"url": "https://e.org"}],
    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


@pytest.mark.parametrize("form", ["message", "model_dump", "to_dict"])
def test_a_message_goes_back_in_without_what_is_only_said_outwards(form: str) -> None:
    message = read(whole(FULL)).choices[0].message
    given = message if form == "message" else getattr(message, form)()
    assert sent(asking(HI, given))["messages"][1] == {
        "role": "assistant",
        "content": "x",
        "tool_calls": FULL["tool_calls"],
    }


@pytest.mark.parametrize("form", ["message", "model_dump", "to_dict"])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_a_host_wants_back_goes_to_it_alone(form: str, streamed: bool) -> None:
    dialect = OpenAIChat(replay=("reasoning_details", "reasoning_content"))
    request = asking(provider="there")
    if streamed:
        message = (
            fold([chunk(FULL | {"tool_calls": [delta_call(0, "a", "f", "{}")]}, "stop")], dialect, request)[1]
            .choices[0]
            .message
        )
    else:
        message = read(whole(FULL), dialect, request).choices[0].message
    given = message if form == "message" else getattr(message, form)()
    plain = {"role": "assistant", "content": "x", "tool_calls": FULL["tool_calls"]}
    back = sent(asking(HI, given, provider="there"), dialect)["messages"][1]
    assert back == plain | {"reasoning_details": DETAILS, "reasoning_content": "Hm"}
    assert sent(asking(HI, given, provider="elsewhere"), dialect)["messages"][1] == plain


def test_a_signature_in_a_call_goes_to_its_host_alone() -> None:
    signed = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"s": 1}}
    body = whole({"content": None, "tool_calls": [signed]})
    message = read(body, request=asking(provider="there")).choices[0].message
    assert sent(asking(message, provider="there"))["messages"][0]["tool_calls"] == [signed]
    bare = {key: value for key, value in signed.items() if key != "extra_content"}
    assert sent(asking(message, provider="elsewhere"))["messages"][0]["tool_calls"] == [bare]
    by_hand = {"role": "assistant", "content": None, "tool_calls": [signed]}
    assert sent(asking(by_hand))["messages"] == [by_hand]


@pytest.mark.parametrize("form", ["message", "model_dump", "to_dict"])
def test_custom_calls_go_back_in(form: str) -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    message = read(whole({"content": None, "tool_calls": [call]})).choices[0].message
    given = message if form == "message" else getattr(message, form)()
    assert sent(asking(given))["messages"] == [{"role": "assistant", "content": None, "tool_calls": [call]}]


def test_sound_goes_back_in_by_its_id() -> None:
    body = whole({"content": None, "audio": {"id": "a1", "data": "AA==", "expires_at": 7, "transcript": "Hi"}})
    message = read(body).choices[0].message
    assert sent(asking(message))["messages"] == [{"role": "assistant", "content": None, "audio": {"id": "a1"}}]


def test_an_empty_list_of_calls_is_left_out() -> None:
    """Several hosts refuse `tool_calls: []` in a history."""
    given = {"role": "assistant", "content": "x", "tool_calls": []}
    assert sent(asking(given))["messages"] == [{"role": "assistant", "content": "x"}]


def test_the_callers_messages_are_not_touched() -> None:
    given = [HI, {"role": "assistant", "content": None, "tool_calls": list(FULL["tool_calls"]), "reasoning": "x"}]
    before = json.dumps(given)
    sent(asking(*given))
    sent(asking(IMAGE, *given, on_unsupported="drop"), OpenAIChat(vision=False))
    assert json.dumps(given) == before


def test_unknown_fields_of_a_message_are_sent() -> None:
    given = {"role": "user", "content": "x", "cache_control": {"type": "ephemeral"}}
    assert sent(asking(given))["messages"] == [given]


def test_a_stream_without_sse_is_folded_by_its_chunks() -> None:
    reducer = ChatStreamReducer(DIALECT, asking())
    chunks: list[ChatCompletionChunk] = []
    reducer.feed_chunk(
        dump({"id": "x", "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}), chunks.append
    )
    assert (len(chunks), reducer.close().choices[0].message.content) == (1, "a")


def test_a_stream_without_its_second_choice_is_cut() -> None:
    """Without `[DONE]` the end of all the choices that were asked for is the end, and not of those that have begun."""
    first = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    reducer = DIALECT.reducer(asking(n=2), max_event_bytes=1 << 20)
    reducer.feed(first)
    with pytest.raises(StreamInterruptedError):
        reducer.close()
    reducer = DIALECT.reducer(asking(n=2), max_event_bytes=1 << 20)
    reducer.feed(first + first.replace(b'"index":0', b'"index":1'))
    assert len(reducer.close().choices) == 2
