"""The codec of OpenAI's Realtime: frames in, events out, whatever comes in whatever order."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtime_server import (
    created,
    heard,
    of_response,
    response_created,
    response_done,
    shown,
    sound,
    tool_call,
    updated,
)

from onellm.dialects.openai.realtime import OpenAIRealtime
from onellm.dialects.openai.realtime_codec import OpenAIRealtimeCodec
from onellm.errors import ResponseDecodeError
from onellm.types.realtime import (
    AppendAudio,
    CancelResponse,
    CreateMessage,
    CreateResponse,
    RealtimeRequest,
    SendToolResult,
    TruncateAudio,
)
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    RealtimeEvent,
    ResponseDone,
    ResponseStarted,
    SessionClosed,
    TextDelta,
    TextDone,
    ToolCallDelta,
    ToolCallReady,
    ToolCallsCancelled,
    TranscriptDelta,
    TranscriptDone,
)

PCM = b"\x01\x00" * 1200
OF_A_RESPONSE = AudioDelta | AudioDone | TextDelta | TextDone | ToolCallDelta | ToolCallReady


def codec(dialect: OpenAIRealtime | None = None, **params: Any) -> OpenAIRealtimeCodec:
    made = (dialect or OpenAIRealtime()).codec(RealtimeRequest(provider="openai", model="gpt-realtime", params=params))
    made.open()
    return made


def read(codec: OpenAIRealtimeCodec, *events: Any) -> list[RealtimeEvent]:
    return [found for event in events for found in codec.decode(json.dumps(event).encode())]


def frames(sent: Any) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in sent]


def test_sound_goes_out_as_base64_with_an_id_of_its_own() -> None:
    made = codec()
    first, second = frames([*made.encode(AppendAudio(PCM)), *made.encode(AppendAudio(bytearray(b"\x00\x01")))])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - as callers have it
    assert first == {
        "type": "input_audio_buffer.append",
        "event_id": "event_2",
        "audio": base64.b64encode(PCM).decode(),
    }
    assert second["audio"] == "AAE="
    assert not made.encode(AppendAudio(b""))


def test_sound_that_is_too_much_for_one_frame_is_several() -> None:
    """15 MiB of base64 are taken at most."""
    pieces = frames(codec().encode(AppendAudio(bytes(20 << 20))))
    assert [len(base64.b64decode(piece["audio"])) for piece in pieces] == [8 << 20, 8 << 20, 4 << 20]


@pytest.mark.parametrize("unpadded", [False, True])
@pytest.mark.parametrize("late", [False, True], ids=["type first", "type last"])
def test_sound_is_read_wherever_its_type_stands(late: bool, unpadded: bool) -> None:
    """The usual frame is decoded in one pass; another one with more care, to the same bytes."""
    event = sound(PCM + b"\x01")
    if unpadded:
        event["delta"] = event["delta"].rstrip("=").replace("+", "-").replace("/", "_")
    if late:
        event = {"pad": "x" * 300, **{name: event[name] for name in sorted(event, key=lambda name: name == "type")}}
    made = codec()
    read(made, response_created())
    (found,) = read(made, event)
    assert isinstance(found, AudioDelta)
    assert (found.pcm, found.response_id, found.item_id) == (PCM + b"\x01", "resp_1", "item_1")
    assert found.to_dict() == event


@pytest.mark.parametrize("frame", [b"", b"{", b"[]", b"3", b'{"event_id":"x"}', b'{"type":null}', b"\xff\xfe"])
def test_what_is_no_event_is_an_error(frame: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        codec().decode(frame)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.done", "response": None},
        {"type": "response.done", "response": {"id": "r", "usage": {"input_tokens": "many"}, "output": "none"}},
        {"type": "error", "error": None},
        {"type": "error", "error": {"message": None}},
        {"type": "rate_limits.updated", "rate_limits": [{"name": None, "reset_seconds": 1}, {}]},
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 12.0},
        {"type": "conversation.item.added", "item": {"type": "message", "content": None}},
        {"type": "conversation.item.input_audio_transcription.failed", "error": None},
        {"type": "response.function_call_arguments.done", "arguments": "{}"},
        {"type": "response.output_audio.delta", "delta": None},
    ],
)
def test_fields_may_be_missing_null_or_of_another_kind(event: dict[str, Any]) -> None:
    read(codec(), event)


def test_names_of_the_beta_mean_the_same() -> None:
    old, new = codec(), codec()
    pairs = [
        ("text.delta", "output_text.delta", {"delta": "a"}),
        ("audio_transcript.delta", "output_audio_transcript.delta", {"delta": "b"}),
        ("audio_transcript.done", "output_audio_transcript.done", {"transcript": "b"}),
        ("audio.delta", "output_audio.delta", {"delta": "AAAA"}),
        ("audio.done", "output_audio.done", {}),
    ]
    for before, after, fields in pairs:
        ours = [shown(event) for event in read(old, of_response(before, **fields))]
        assert ours == [shown(event) for event in read(new, of_response(after, **fields))]
        assert ours[-1][0] != "UnknownEvent"


def test_a_host_that_announces_nothing_has_its_responses_begun_here() -> None:
    made = codec()
    assert [shown(event)[0] for event in read(made, sound(PCM), response_done(), sound(PCM))] == [
        "ResponseStarted", "AudioDelta", "ResponseDone"
    ]  # fmt: skip


def test_a_call_is_told_once() -> None:
    """It is whole in up to three frames; on some hosts only in the last, and its name only in the first."""
    events = read(codec(), response_created(), *tool_call("call_1", "f", '{"a":1}'), response_done())
    (ready,) = [event for event in events if isinstance(event, ToolCallReady)]
    assert (ready.call.id, ready.call.name, ready.call.arguments) == ("call_1", "f", '{"a":1}')
    item = {"id": "i", "type": "function_call", "name": "f", "call_id": "call_2", "arguments": "{}"}
    (late,) = [
        event
        for event in read(codec(), response_created(), response_done(output=[item]))
        if isinstance(event, ToolCallReady)
    ]
    assert late.call.id == "call_2"


def test_results_are_followed_by_one_wish_for_an_answer_when_the_response_has_ended() -> None:
    made = codec()
    read(made, response_created(), *tool_call("a", "f", "{}"), *tool_call("b", "f", "{}"))
    assert [frame["type"] for frame in frames(made.encode(SendToolResult("a", "1")))] == ["conversation.item.create"]
    assert not made.due()
    read(made, response_done())
    assert not made.due()
    last = frames(made.encode(SendToolResult("b", "2")))
    assert [frame["type"] for frame in last] == ["conversation.item.create", "response.create"]
    assert not made.due()


def test_refusals_for_another_answer_are_not_repeated_for_ever() -> None:
    made = codec()
    asked = frames(made.encode(CreateResponse()))
    found: list[RealtimeEvent] = []
    for _ in range(4):
        error = {"code": "conversation_already_has_active_response", "event_id": asked[-1]["event_id"]}
        found += read(made, {"type": "error", "error": error}, response_done(f"r{len(asked)}"))
        asked += frames(made.due())
    assert len(asked) == 4
    assert [shown(event)[0] for event in found].count("SessionError") == 1


def test_cutting_an_item_that_is_not_known_sends_nothing() -> None:
    assert not codec().encode(TruncateAudio("item_9", 10))


def test_what_was_sent_and_not_confirmed_is_said_again_too() -> None:
    """In the order of the conversation: an item of ours stands where it was said, once."""
    made = codec(messages=[{"role": "user", "content": "Before"}])
    made.seed()
    read(made, created(), updated())

    def named(name: str, role: str, text: str) -> dict[str, Any]:
        item = {"id": name, "type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}
        return {"type": "conversation.item.added", "item": item}

    read(made, named("i0", "user", "Before"))
    made.encode(CreateMessage("user", ({"type": "text", "text": "One"},)))
    read(made, named("i1", "user", "One"), named("i2", "assistant", "Two"))
    made.encode(CreateMessage("user", ({"type": "text", "text": "Three"},)))
    again = made.resumed()
    assert again is not None
    again.open()
    said = [frame["item"]["content"][0]["text"] for frame in frames(again.seed())]
    assert said == ["Before", "One", "Two", "Three"]


# --- whatever comes ---

NAMES = ("r1", "r2", "r3")
PIECES = [
    *[response_created(name) for name in NAMES],
    *[response_done(name) for name in NAMES],
    *[response_done(name, "cancelled", status_details={"reason": "turn_detected"}) for name in NAMES],
    *[sound(PCM[:8], name, f"item_{name}") for name in NAMES],
    *[of_response("output_text.delta", name, delta="x") for name in NAMES],
    *[of_response("output_audio_transcript.done", name, transcript="x") for name in NAMES],
    *[frame for name in NAMES for frame in tool_call(f"call_{name}", "f", "{}", name)],
    heard("speech_started"),
    heard("speech_stopped"),
    heard("committed"),
    {"type": "error", "error": {"code": "conversation_already_has_active_response", "event_id": "event_2"}},
    {"type": "brand.new"},
]


@pytest.mark.parametrize("dialect", [OpenAIRealtime(), OpenAIRealtime(loses_responses=True)], ids=["usual", "loses"])
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(["ask", "cancel", "result"])), max_size=40))
def test_these_always_hold(dialect: OpenAIRealtime, script: list[Any]) -> None:
    """Each response that started is done once, nothing of it comes after that, and a call is told once."""
    made = codec(dialect)
    events: list[RealtimeEvent] = []
    for step in script:
        match step:
            case "ask":
                made.encode(CreateResponse())
            case "cancel":
                made.encode(CancelResponse())
            case "result":
                made.encode(SendToolResult("call_r1", "x"))
            case _:
                events += read(made, step)
                made.due()
    events += made.close()
    assert not any(isinstance(event, SessionClosed) for event in events)
    started: list[str] = []
    done: list[str] = []
    for event in events:
        match event:
            case ResponseStarted(response_id=name):
                assert name not in started
                started.append(name)
            case ResponseDone(response_id=name):
                assert name in started
                assert name not in done
                done.append(name)
            case _ if isinstance(event, OF_A_RESPONSE):
                assert event.response_id in started
                assert event.response_id not in done
            case TranscriptDelta(role="assistant") | TranscriptDone(role="assistant"):
                assert event.response_id in started
                assert event.response_id not in done
            case _:
                pass
    assert sorted(started) == sorted(done)
    calls = [event.call.id for event in events if isinstance(event, ToolCallReady)]
    assert len(calls) == len(set(calls))
    withdrawn = [name for event in events if isinstance(event, ToolCallsCancelled) for name in event.call_ids]
    assert set(withdrawn) <= set(calls)
