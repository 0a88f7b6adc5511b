"""Every recorded response, whole and streamed, read again and compared with what plain `json` says."""

import json
from typing import Any

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.openai.responses import OpenAIResponses
from onellm.errors import BadRequestError
from onellm.types.request import Request
from onellm.types.response_events import ResponseUnknownEvent
from onellm.types.response_items import ResponseUnknownItem
from onellm.types.responses import Response

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [e for e in exchanges() if e.operation == "responses"]
WHOLE = [e for e in ALL if e.status < 400 and "stream" not in e.tags]
STREAMS = [e for e in ALL if e.status < 400 and "stream" in e.tags]
REFUSALS = [e for e in ALL if e.status >= 400]
DIALECT = OpenAIResponses()
REQUEST = Request(provider="here", model="m")


def ids(exchange: Exchange) -> str:
    return exchange.id


def holds(dumped: Any, original: Any) -> bool:
    """Whether everything that was received is there, beside what was left out of it."""
    if isinstance(original, dict):
        return original.keys() <= dumped.keys() and all(holds(dumped[name], original[name]) for name in original)
    if isinstance(original, list):
        return len(dumped) == len(original) and all(map(holds, dumped, original))
    return bool(dumped == original)


def check(reply: Response, said: dict[str, Any]) -> None:
    """Field for field, and the items byte for byte."""
    assert reply.to_dict() == said
    assert reply.status == said["status"]
    assert [json.loads(item.raw) for item in reply.output] == said["output"]
    assert [item.type for item in reply.output] == [item["type"] for item in said["output"]]
    assert not [item for item in reply.output if isinstance(item, ResponseUnknownItem)]
    assert all(item.raw in reply.raw for item in reply.output)
    assert reply.output_text == "".join(
        part["text"]
        for item in said["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    assert reply.usage.output_tokens_details is not None
    assert (
        reply.usage.output_tokens_details.reasoning_tokens == said["usage"]["output_tokens_details"]["reasoning_tokens"]
    )
    for name in ("tools", "tool_choice", "text", "instructions", "metadata", "reasoning"):
        assert getattr(reply, name) == said.get(name)
    for item, original in zip(reply.output, said["output"], strict=True):
        assert holds(item.model_dump(), original)


def test_the_recordings_are_all_here() -> None:
    """The parts are not empty, so that the tests below cannot pass by having nothing to read."""
    assert (len(WHOLE), len(STREAMS), len(REFUSALS)) >= (60, 30, 4)


@pytest.mark.parametrize("exchange", WHOLE, ids=ids)
def test_response_says_what_it_says(exchange: Exchange) -> None:
    check(DIALECT.decode_response(exchange.body, REQUEST), json.loads(exchange.body))


@pytest.mark.parametrize("exchange", STREAMS, ids=ids)
def test_stream_says_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the same typed events, each with all its fields, and the response of the last."""
    folded: list[tuple[list[bytes], list[type]]] = []
    said = [
        json.loads(line[5:])
        for line in exchange.body.splitlines()
        if line.startswith(b"data:") and not line.endswith(b"[DONE]")
    ]
    for size in (len(exchange.body), 1):
        reducer = DIALECT.reducer(REQUEST, max_event_bytes=1 << 20)
        pieces = [exchange.body[start : start + size] for start in range(0, len(exchange.body), size)]
        events = [event for piece in pieces for event in reducer.feed(piece)]
        check(reducer.close(), said[-1]["response"])
        folded.append(([event.raw for event in events], [type(event) for event in events]))
        assert [event.to_dict() for event in events] == said
        assert [event.type for event in events] == [each["type"] for each in said]
        assert [event.sequence_number for event in events] == [each["sequence_number"] for each in said]
        unknown = {event.type for event in events if isinstance(event, ResponseUnknownEvent)}
        assert unknown <= {"response.reasoning_part.added", "response.reasoning_part.done"}
    assert folded[0] == folded[1]


@pytest.mark.parametrize("exchange", REFUSALS, ids=ids)
def test_refusal_is_an_error_with_its_code(exchange: Exchange) -> None:
    error = DIALECT.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert type(error) is BadRequestError
    assert error.code == json.loads(exchange.body)["error"]["code"]
