"""Responses without a socket: bytes in, values out."""

import copy
import json
import pickle
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import sse
from openai.types.responses import ResponseOutputItem as TheirItem
from openai.types.responses import ResponseStreamEvent as TheirEvent
from wire.responses import BEGUN, CALL, MESSAGE, NEW, REASONING, STREAM, WHOLE, named

from onellm import (
    BadRequestError,
    InternalServerError,
    OneLLMError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.dialects.openai.responses import OpenAIResponses
from onellm.providers.quirks import STATELESS
from onellm.types.pages import ListRequest
from onellm.types.response_events import (
    EVENTS,
    ResponseCompletedEvent,
    ResponseOutputItemDoneEvent,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
    ResponseUnknownEvent,
)
from onellm.types.response_items import (
    ITEMS,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseReasoningItem,
    ResponseUnknownItem,
)
from onellm.types.response_params import ResponseRequest, StoredResponseRequest
from onellm.types.responses import Response

DIALECT = OpenAIResponses()


def ask(given_input: Any = "Hi", **params: Any) -> ResponseRequest:
    return ResponseRequest(provider="here", model="m", input=given_input, params=params)


def fold(*pieces: bytes) -> tuple[list[ResponseStreamEvent], Response]:
    """The events that came out, and the whole."""
    reducer = DIALECT.reducer(ask(), max_event_bytes=1 << 20)
    return [event for piece in pieces for event in reducer.feed(piece)], reducer.close()


def decode(said: Any) -> Response:
    return DIALECT.decode_response(json.dumps(said, ensure_ascii=False).encode(), ask())


def variants(theirs: Any) -> dict[str, Any]:
    """The classes of a union of the official client's, by their `type`."""
    classes: tuple[Any, ...] = get_args(get_args(theirs)[0])
    return {cls.model_fields["type"].annotation.__args__[0]: cls for cls in classes}


class TestStream:
    @pytest.mark.parametrize("framed", [named(*STREAM), sse(*STREAM)], ids=["named", "unnamed, with [DONE]"])
    def test_whole_and_byte_by_byte(self, framed: list[bytes]) -> None:
        """However the bytes are cut, the same events come, and the folded stream is the whole answer."""
        data = b"".join(framed)
        at_once = fold(data)
        one_by_one = fold(*(data[place : place + 1] for place in range(len(data))))
        assert at_once == one_by_one
        assert [event.to_dict() for event in at_once[0]] == STREAM
        assert at_once[1].to_dict() == decode(WHOLE).to_dict() == WHOLE

    @given(cuts=st.lists(st.integers(0, 9000)))
    def test_where_the_bytes_are_cut_does_not_matter(self, cuts: list[int]) -> None:
        data = b"".join(named(*STREAM))
        places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
        assert fold(*(data[start:end] for start, end in pairwise(places))) == fold(data)

    def test_events_are_typed(self) -> None:
        """Deltas, items and responses by their classes; what is not known passes with its type and all it has."""
        events, _ = fold(*named(*STREAM))
        assert "".join(event.delta for event in events if isinstance(event, ResponseTextDeltaEvent)) == "Grüße, 🌊!"
        done = [event.item for event in events if isinstance(event, ResponseOutputItemDoneEvent)]
        assert [type(item) for item in done] == [ResponseReasoningItem, ResponseOutputMessage]
        (unknown,) = [event for event in events if isinstance(event, ResponseUnknownEvent)]
        assert (unknown.type, unknown.sequence_number) == ("response.telepathy.delta", 8)
        assert unknown.to_dict()["thought"] == "…"
        assert isinstance(events[-1], ResponseCompletedEvent)
        assert events[-1].response.output_text == "Grüße, 🌊!"

    @pytest.mark.parametrize("count", range(len(STREAM)))
    def test_stream_without_its_end_is_an_error(self, count: int) -> None:
        with pytest.raises(StreamInterruptedError):
            fold(*named(*STREAM[:count]))

    def test_done_is_no_end(self) -> None:
        """`[DONE]` after half a response says nothing of it."""
        with pytest.raises(StreamInterruptedError):
            fold(*sse(*STREAM[:4]))

    def test_incomplete_is_an_end(self) -> None:
        cut = WHOLE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        events, reply = fold(*named(STREAM[0], {"type": "response.incomplete", "response": cut}))
        assert events[-1].type == "response.incomplete"
        assert reply.incomplete_details is not None
        assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")

    @pytest.mark.parametrize(
        ("event", "error"),
        [
            ({"type": "error", "code": "rate_limit_exceeded", "message": "no", "param": None}, RateLimitError),
            ({"type": "error", "code": None, "message": "no"}, InternalServerError),
            ({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, BadRequestError),
            ({"error": {"code": 429, "message": "no"}}, RateLimitError),
            (
                {
                    "type": "response.failed",
                    "response": BEGUN | {"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}},
                },
                BadRequestError,
            ),
            (
                {
                    "type": "response.failed",
                    "response": BEGUN | {"status": "failed", "error": {"code": "server_error", "message": "no"}},
                },
                InternalServerError,
            ),
        ],
    )
    def test_error_is_raised_after_what_came_before(self, event: dict[str, Any], error: type[OneLLMError]) -> None:
        """By its code, as the status would have been; the events before it were handed out."""
        reducer = DIALECT.reducer(ask(), max_event_bytes=1 << 20)
        lines = [*named(STREAM[0]), *sse(event, done=False)]
        assert [each.type for each in reducer.feed(b"".join(lines))] == ["response.created"]
        with pytest.raises(error, match="no") as caught:
            reducer.close()
        assert type(caught.value) is error

    def test_failure_without_an_error_is_an_end(self) -> None:
        _, reply = fold(*named({"type": "response.failed", "response": BEGUN | {"status": "failed"}}))
        assert reply.status == "failed"

    @pytest.mark.parametrize("data", [b"data: {]\n\n", b'event: response.completed\ndata: {"response": {}}\n\n'])
    def test_nonsense_is_an_error(self, data: bytes) -> None:
        with pytest.raises((ResponseDecodeError, StreamInterruptedError)):
            fold(data)

    def test_event_that_grows_for_ever_is_an_error(self) -> None:
        reducer = DIALECT.reducer(ask(), max_event_bytes=100)
        assert reducer.feed(b"data: " + b"x" * 200) == []
        with pytest.raises(ResponseDecodeError):
            reducer.close()

    def test_what_a_small_host_leaves_out_is_absent(self) -> None:
        """No numbers, no indexes, no parts: llama.cpp's server sends so."""
        events, reply = fold(
            *named(
                {"type": "response.created", "response": {"id": "r", "status": "in_progress"}},
                {"type": "response.output_text.delta", "delta": "a"},
                {"type": "response.output_item.done", "item": None},
                {"type": "response.completed", "response": {"id": "r", "output": [MESSAGE], "usage": None}},
            )
        )
        assert [event.sequence_number for event in events] == [0, 0, 0, 0]
        assert reply.output_text == "Grüße, 🌊!"


class TestWhole:
    def test_items_by_their_types(self) -> None:
        """Known ones are typed, one of next year passes, and each keeps the bytes that it came as."""
        reply = decode(WHOLE)
        assert [type(item) for item in reply.output] == [
            ResponseReasoningItem,
            ResponseOutputMessage,
            ResponseFunctionToolCall,
            ResponseUnknownItem,
        ]
        assert [item.to_dict() for item in reply.output] == [REASONING, MESSAGE, CALL, NEW]
        assert [item.raw for item in reply.output] == [
            json.dumps(item, ensure_ascii=False).encode() for item in WHOLE["output"]
        ]
        assert reply.output[0].model_extra == {"never_heard_of": {"a": [1.5, None]}}
        assert (reply.output[3].type, reply.output[3].model_extra["thought"]) == ("telepathy_call", "…")
        assert reply.model_extra == {"billing": {"payer": "developer"}}
        assert (reply.metadata, reply.tools) == (WHOLE["metadata"], WHOLE["tools"])

    def test_usage_counts_as_everywhere(self) -> None:
        """The input with its cached tokens, the output with its thinking."""
        usage = decode(WHOLE).usage
        assert usage is not None
        assert usage.input_tokens_details is not None
        assert usage.output_tokens_details is not None
        assert (usage.input_tokens, usage.input_tokens_details.cached_tokens) == (36, 4)
        assert (usage.output_tokens, usage.output_tokens_details.reasoning_tokens) == (87, 12)

    @pytest.mark.parametrize(
        "change",
        [
            {"created_at": 1.5, "usage": {"input_tokens": 3.0, "output_tokens": None, "total_tokens": "3"}},
            {"output": None},
            {"usage": None, "status": None, "temperature": "warm", "error": "none"},
            {"output": [{"type": "message", "content": None}, None, 7, {"type": 3}, {}]},
            {"output": [{"type": "message", "content": [{"type": "output_text", "text": 5, "annotations": [None]}]}]},
            {"output": [{"type": "function_call", "arguments": {"a": 1}, "call_id": "c", "output": 3}]},
            {"output": [{"type": "function_call_output", "output": [{"type": "input_text", "text": "a"}]}]},
            {"output": [{"type": "reasoning", "summary": None, "content": "text"}]},
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_left_out(self, change: dict[str, Any]) -> None:
        """A wrong field is absent, and still stands in `to_dict()`; the rest is read."""
        reply = decode(WHOLE | change)
        assert (reply.id, reply.model) == ("resp_1", "gpt-5.4-mini")
        assert reply.to_dict() == WHOLE | change
        assert len(reply.output) == len((WHOLE | change)["output"] or [])

    def test_dumps_have_every_field(self) -> None:
        """Those that are None and those that are not known here, in items and parts, too; or all that are set."""
        reply = decode(WHOLE)
        assert [item.model_dump() for item in reply.output] == reply.model_dump()["output"]
        thought = reply.output[0].model_dump()
        assert (thought["status"], thought["never_heard_of"]) == (None, {"a": [1.5, None]})
        message = json.loads(reply.output[1].model_dump_json(exclude_none=True))
        assert message["content"][0]["text"] == "Grüße, 🌊!"
        assert "phase" not in message
        assert reply.output[1].model_dump()["content"][0]["refusal"] is None
        assert pickle.loads(pickle.dumps(reply)) == copy.deepcopy(reply) == reply  # noqa: S301 - our own

    @pytest.mark.parametrize("path", ["items", "deleted", "count"])
    def test_error_in_a_200_and_nonsense(self, path: str) -> None:
        """What is neither a list nor an object is an error of its own."""
        reads: dict[str, Any] = {
            "items": lambda body: DIALECT.decode_items(body, {}),
            "deleted": DIALECT.decode_deleted,
            "count": DIALECT.decode_count,
        }
        with pytest.raises(RateLimitError):
            reads[path](b'{"error": {"code": 429, "message": "slow"}}')
        with pytest.raises(ResponseDecodeError):
            reads[path](b"<html>")

    def test_deletion_may_be_said_by_the_status(self) -> None:
        assert DIALECT.decode_deleted(b"").deleted is True
        assert DIALECT.decode_deleted(b'{"message": "Response deleted successfully"}').deleted is True

    def test_items_are_read_only(self) -> None:
        """What was received goes back as it came: a change would be lost without a word."""
        item = decode(WHOLE).output[2]
        with pytest.raises(AttributeError):
            item.id = "other"  # type: ignore[misc] # the point  # pyright: ignore[reportAttributeAccessIssue]

    def test_failed_response_is_raised_when_made_and_given_when_kept(self) -> None:
        body = json.dumps(BEGUN | {"status": "failed", "error": {"code": "server_error", "message": "no"}}).encode()
        with pytest.raises(InternalServerError, match="no"):
            DIALECT.decode_response(body, ask())
        kept = DIALECT.decode_stored(body)
        assert kept.error is not None
        assert (kept.status, kept.error.code) == ("failed", "server_error")

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b'{"error": {"code": 429, "message": "slow"}}', RateLimitError),
            (b'{"choices": []}', ResponseDecodeError),
            (b"[]", ResponseDecodeError),
            (b"<html>", ResponseDecodeError),
        ],
    )
    def test_what_is_no_response_is_an_error(self, body: bytes, error: type[OneLLMError]) -> None:
        with pytest.raises(error):
            DIALECT.decode_response(body, ask())


class TestRequest:
    def test_body(self) -> None:
        http = DIALECT.encode_stream(ask([{"role": "user", "content": "Hi"}], store=False, tools=[]))
        assert json.loads(http.body or b"") == {
            "model": "m",
            "input": [{"role": "user", "content": "Hi"}],
            "store": False,
            "tools": [],
            "stream": True,
        }
        assert json.loads(DIALECT.encode_request(ask(None)).body or b"") == {"model": "m"}

    def test_host_that_keeps_nothing(self) -> None:
        """What needs a memory is refused; what it does unasked is left out in silence."""
        host = OpenAIResponses(keeps=False, refuses=STATELESS)
        for name in STATELESS:
            with pytest.raises(UnsupportedParameterError, match="keeps no responses") as caught:
                host.encode_request(ask(**{name: True}))
            assert caught.value.param == name
        request = ask(store=False, background=False)
        assert json.loads(host.encode_request(request).body or b"") == {"model": "m", "input": "Hi"}
        assert request.adjustments == []
        stored = StoredResponseRequest(provider="here", model="", response_id="r", params={})
        calls: list[Any] = [
            lambda: host.encode_retrieve(stored),
            lambda: host.encode_retrieve_stream(stored),
            lambda: host.encode_delete("r"),
            lambda: host.encode_cancel("r"),
            lambda: host.encode_items("r", ListRequest(provider="here", model="", params={})),
        ]
        for encode in calls:
            with pytest.raises(UnsupportedFeatureError, match="keeps no responses"):
                encode()

    def test_id_stays_in_its_place(self) -> None:
        assert DIALECT.encode_delete("a/../b?c").path == "responses/a%2F..%2Fb%3Fc"


def test_every_event_of_the_official_client_is_typed() -> None:
    """By `type`, with every field that theirs has; `error` is raised instead."""
    theirs = variants(TheirEvent)
    assert theirs.keys() - EVENTS.keys() == {"error"}
    for name, cls in theirs.items():
        if name != "error":
            assert EVENTS[name].__name__ == cls.__name__
            assert set(cls.model_fields) <= set(EVENTS[name].__struct_fields__), name


def test_every_item_of_the_official_client_is_typed() -> None:
    assert variants(TheirItem).keys() <= ITEMS.keys()
