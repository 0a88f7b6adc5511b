"""What the frames of a Live session say, one by one and in any order, and what its end means."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_sessions import LIVE, SOUND, USAGE, codec, message, says, sent, words
from msgspec import structs
from wire import gemini_live as wire
from wire.chat_completions import dump

from onellm.errors import (
    BadRequestError,
    InternalServerError,
    OneLLMError,
    QuotaExceededError,
    RequestTooLargeError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from onellm.types.realtime import (
    AppendAudio,
    CancelResponse,
    SendToolResult,
)
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    InputSpeechStarted,
    InputSpeechStopped,
    Interrupted,
    RealtimeEvent,
    RealtimeToolCall,
    RealtimeUsage,
    ResponseDone,
    ResponseStarted,
    SessionError,
    SessionExpiring,
    SessionReady,
    SessionResumable,
    TextDelta,
    TextDone,
    ToolCallReady,
    ToolCallsCancelled,
    TranscriptDelta,
    TranscriptDone,
    UnknownEvent,
)

# --- frames -----------------------------------------------------------------------------------------------------


def test_a_spoken_turn_from_the_first_word_to_the_bill() -> None:
    """Words of the user's come while the model speaks already; usage is in the end."""
    found = codec()
    assert says(
        found,
        wire.SETUP_COMPLETE,
        wire.heard("What is "),
        wire.sound(SOUND),
        wire.heard("new?"),
        wire.said("Not "),
        wire.sound(SOUND),
        wire.said("much."),
        wire.GENERATED,
        wire.TURN_COMPLETE,
    ) == [
        SessionReady(model="gemini-live"),
        TranscriptDelta(role="user", text="What is ", item_id="item_1"),
        ResponseStarted(response_id="resp_1"),
        AudioDelta(pcm=SOUND, response_id="resp_1", item_id="item_2"),
        TranscriptDelta(role="user", text="new?", item_id="item_1"),
        TranscriptDelta(role="assistant", text="Not ", response_id="resp_1", item_id="item_2"),
        AudioDelta(pcm=SOUND, response_id="resp_1", item_id="item_2"),
        TranscriptDelta(role="assistant", text="much.", response_id="resp_1", item_id="item_2"),
        AudioDone(response_id="resp_1", item_id="item_2"),
        TranscriptDone(role="user", text="What is new?", item_id="item_1"),
        TranscriptDone(role="assistant", text="Not much.", response_id="resp_1", item_id="item_2"),
        ResponseDone(response_id="resp_1", usage=USAGE),
    ]


def test_one_frame_may_say_everything_at_once() -> None:
    """The order is that of its meaning, whatever that of its keys: the end is last, and the bill is in it."""
    everything = {
        "serverContent": {
            "turnComplete": True,
            "generationComplete": True,
            "outputTranscription": {"text": "Hi."},
            "modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AQACAA=="}}]},
            "inputTranscription": {"text": "Hello", "finished": True},
            "groundingMetadata": {"webSearchQueries": ["hi"]},
            "interrupted": None,
        },
        "usageMetadata": {"promptTokenCount": 2, "responseTokenCount": 3},
        "goAway": {"timeLeft": "9.5s"},
        "sessionResumptionUpdate": {"newHandle": "h", "resumable": True},
        "somethingNew": {"a": 1},
    }
    assert says(codec(), dump(everything)) == [
        SessionResumable(handle="h"),
        SessionExpiring(time_left=9.5, handle="h"),
        TranscriptDelta(role="user", text="Hello", item_id="item_1"),
        TranscriptDone(role="user", text="Hello", item_id="item_1"),
        ResponseStarted(response_id="resp_1"),
        AudioDelta(pcm=SOUND, response_id="resp_1", item_id="item_2"),
        TranscriptDelta(role="assistant", text="Hi.", response_id="resp_1", item_id="item_2"),
        AudioDone(response_id="resp_1", item_id="item_2"),
        UnknownEvent(type="groundingMetadata"),
        UnknownEvent(type="somethingNew"),
        TranscriptDone(role="assistant", text="Hi.", response_id="resp_1", item_id="item_2"),
        ResponseDone(response_id="resp_1", usage=RealtimeUsage(input_tokens=2, output_tokens=3, total_tokens=5)),
    ]


def test_every_event_has_its_frame() -> None:
    """The frame as received, decoded when asked for."""
    (event,) = codec().decode(dump({"somethingNew": {"a": 1}}))
    assert event.to_dict() == {"somethingNew": {"a": 1}}


def test_an_answer_in_text() -> None:
    """Thoughts are told apart: they are no part of it."""
    thought = dump({"serverContent": {"modelTurn": {"parts": [{"text": "Hm.", "thought": True}]}}})
    assert says(codec(), thought, wire.text("It ", "is."), wire.GENERATED, wire.TURN_COMPLETE) == [
        UnknownEvent(type="thought"),
        ResponseStarted(response_id="resp_1"),
        TextDelta(text="It ", response_id="resp_1", item_id="item_1"),
        TextDelta(text="is.", response_id="resp_1", item_id="item_1"),
        TextDone(text="It is.", response_id="resp_1", item_id="item_1"),
        ResponseDone(response_id="resp_1", usage=USAGE),
    ]


def test_parts_of_another_kind_are_told_as_they_are() -> None:
    """Code that the model ran, or an image, is in the frame."""
    code = dump({"serverContent": {"modelTurn": {"parts": [{"executableCode": {"code": "1+1"}}]}}})
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    image = dump({"serverContent": {"modelTurn": {"parts": [picture]}}})
    assert says(codec(), code, image) == [UnknownEvent(type="modelTurn"), UnknownEvent(type="modelTurn")]


def test_barge_in_stops_the_answer() -> None:
    """`interrupted`, then the end without `generationComplete`; what the user says next is a turn of its own."""
    found = codec()
    says(found, wire.heard("Tell me a story"), wire.sound(SOUND), wire.said("Once "))
    assert says(found, wire.INTERRUPTED, wire.heard("Stop."), wire.said("upon"), wire.TURN_COMPLETE) == [
        TranscriptDone(role="user", text="Tell me a story", item_id="item_1"),
        Interrupted(response_id="resp_1", item_id="item_2"),
        TranscriptDelta(role="user", text="Stop.", item_id="item_3"),
        TranscriptDelta(role="assistant", text="upon", response_id="resp_1", item_id="item_2"),
        AudioDone(response_id="resp_1", item_id="item_2"),
        TranscriptDone(role="assistant", text="Once upon", response_id="resp_1", item_id="item_2"),
        ResponseDone(response_id="resp_1", status="cancelled", reason="turn_detected", usage=USAGE),
    ]
    assert says(found, wire.sound(SOUND), wire.TURN_COMPLETE)[0] == ResponseStarted(response_id="resp_2")


def test_an_interruption_of_silence_is_told_too() -> None:
    """What was generated is complete, and may still be playing."""
    assert says(codec(), wire.INTERRUPTED) == [Interrupted()]


def test_new_output_after_an_interruption_is_another_answer() -> None:
    """Even where the end of the first one does not come."""
    found = codec()
    says(found, wire.sound(SOUND), wire.INTERRUPTED)
    assert says(found, wire.sound(SOUND)) == [
        AudioDone(response_id="resp_1", item_id="item_1"),
        ResponseDone(response_id="resp_1", status="cancelled", reason="turn_detected"),
        ResponseStarted(response_id="resp_2"),
        AudioDelta(pcm=SOUND, response_id="resp_2", item_id="item_2"),
    ]


def test_a_call_of_a_tool_is_part_of_the_answer() -> None:
    """Arguments are JSON as they came; the answer goes on after the result, as another item."""
    found = codec()
    made = {"id": "fc_1", "name": "get_weather", "args": {"city": "Rome"}}
    assert says(found, wire.sound(SOUND), wire.GENERATED, wire.calls(made)) == [
        ResponseStarted(response_id="resp_1"),
        AudioDelta(pcm=SOUND, response_id="resp_1", item_id="item_1"),
        AudioDone(response_id="resp_1", item_id="item_1"),
        ToolCallReady(
            call=RealtimeToolCall(id="fc_1", name="get_weather", arguments='{"city":"Rome"}'), response_id="resp_1"
        ),
    ]
    found.encode(SendToolResult(call_id="fc_1", output="sunny"))
    assert says(found, wire.sound(SOUND), wire.TURN_COMPLETE) == [
        AudioDelta(pcm=SOUND, response_id="resp_1", item_id="item_2"),
        AudioDone(response_id="resp_1", item_id="item_2"),
        ResponseDone(response_id="resp_1", usage=USAGE),
    ]


def test_calls_without_ids_get_ids_of_their_own() -> None:
    """So that two calls of one function are two."""
    made = says(codec(), wire.calls({"name": "f"}, {"name": "f"}))
    calls = [event.call for event in made if isinstance(event, ToolCallReady)]
    assert [(call.id, call.has_id, call.arguments) for call in calls] == [
        ("call_1", False, "{}"),
        ("call_2", False, "{}"),
    ]


def test_a_cancelled_answer_says_nothing_more() -> None:
    """Live cannot stop: what it still sends is not told, but its end is."""
    found = codec()
    says(found, wire.sound(SOUND), wire.said("Once "))
    assert sent(found, CancelResponse(response_id="resp_9")) == []  # another one
    assert len(says(found, wire.sound(SOUND))) == 1
    assert sent(found, CancelResponse()) == []
    assert says(found, wire.sound(SOUND), wire.said("upon"), wire.text("a time")) == []
    assert says(found, wire.TURN_COMPLETE) == [
        AudioDone(response_id="resp_1", item_id="item_1"),
        TranscriptDone(role="assistant", text="Once ", response_id="resp_1", item_id="item_1"),
        ResponseDone(response_id="resp_1", status="cancelled", reason="client_cancelled", usage=USAGE),
    ]
    assert says(found, wire.sound(SOUND))[0] == ResponseStarted(response_id="resp_2")


def test_a_call_in_a_cancelled_answer_is_answered_for_the_caller() -> None:
    """The model would wait for it for ever."""
    found = codec()
    says(found, wire.sound(SOUND))
    found.encode(CancelResponse())
    assert says(found, wire.calls({"id": "a", "name": "f", "args": {}})) == []
    assert [json.loads(frame) for frame in found.due()] == [
        {
            "toolResponse": {
                "functionResponses": [{"id": "a", "name": "f", "response": {"error": "the answer was cancelled"}}]
            }
        }
    ]
    assert found.due() == []


def test_an_empty_answer_is_told_where_one_is_waited_for() -> None:
    """A model that may keep silent ends its turn all the same; an end of nothing is no answer."""
    found = codec()
    assert says(found, wire.TURN_COMPLETE) == [UnknownEvent(type="turnComplete")]
    found.encode(message(words("Hi")))
    assert says(found, dump({"serverContent": {"turnComplete": True}})) == [
        ResponseStarted(response_id="resp_1"),
        ResponseDone(response_id="resp_1", usage=USAGE),  # that of the turn of nothing, which nobody else has
    ]


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("PROHIBITED_INPUT_CONTENT", "incomplete", "content_filter"),
        ("GENERATED_AUDIO_SAFETY", "incomplete", "content_filter"),
        ("NEED_MORE_INPUT", "incomplete", "need_more_input"),
        ("MALFORMED_FUNCTION_CALL", "failed", "malformed_function_call"),
        ("SOMETHING_NEW", "incomplete", "something_new"),
    ],
)
def test_why_a_turn_is_over(reason: str, status: str, why: str) -> None:
    """The reason under the name that others have for it, and the host's own beside it."""
    frame = dump({"serverContent": {"turnComplete": True, "turnCompleteReason": reason}})
    done = says(codec(), frame)[-1]
    assert isinstance(done, ResponseDone)
    assert (done.status, done.reason, done.error) == (status, why, reason)


def test_a_turn_that_is_over_without_a_reason_is_complete() -> None:
    content = {
        "turnComplete": True,
        "turnCompleteReason": "TURN_COMPLETE_REASON_UNSPECIFIED",
        "interactionStatus": "IN_PROGRESS",
    }
    found = codec()
    says(found, wire.sound(SOUND))
    assert says(found, dump({"serverContent": content}))[-1] == ResponseDone(response_id="resp_1", more_expected=True)


def test_reports_of_one_answer_are_added_up() -> None:
    """One comes with a call of a tool, another at the end: each is a generation that is billed."""
    found = codec()
    says(found, wire.calls({"id": "a", "name": "f"}), dump({"usageMetadata": {"promptTokenCount": 1}}))
    done = says(found, wire.TURN_COMPLETE)[-1]
    assert isinstance(done, ResponseDone)
    assert done.usage == structs.replace(USAGE, input_tokens=70, total_tokens=250)


def test_speech_of_the_user_where_live_says_so() -> None:
    """Offsets are milliseconds here; both kinds of signal are the same event."""
    assert says(
        codec(),
        dump({"voiceActivity": {"voiceActivityType": "ACTIVITY_START", "audioOffset": "1.25s"}}),
        dump({"voiceActivity": {"voiceActivityType": "ACTIVITY_END", "audioOffset": "3s"}}),
        dump({"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}}),
        dump({"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_EOS"}}),
        dump({"voiceActivity": {"voiceActivityType": "SOMETHING_NEW"}}),
    ) == [
        InputSpeechStarted(offset_ms=1250),
        InputSpeechStopped(offset_ms=3000),
        InputSpeechStarted(),
        InputSpeechStopped(),
        UnknownEvent(type="voiceActivity"),
    ]


def test_speech_that_does_not_interrupt_says_so() -> None:
    """By the setup; or the sound of the model would be dropped though it speaks on."""
    session = codec(turn_detection={"type": "server_vad", "interrupt_response": False})
    started = dump({"voiceActivity": {"voiceActivityType": "ACTIVITY_START"}})
    assert says(session, started) == [InputSpeechStarted(interrupts=False)]


def test_an_error_in_a_frame_leaves_the_session() -> None:
    """It is rare: most errors are a close."""
    frame = dump({"error": {"code": 3, "message": "no such field", "status": "INVALID_ARGUMENT"}})
    assert says(codec(), frame) == [SessionError(message="no such field", code="3")]


def test_a_frame_that_is_none_is_an_error() -> None:
    with pytest.raises(ResponseDecodeError):
        codec().decode(b"<html>")
    with pytest.raises(ResponseDecodeError):
        codec().decode(b"[]")


def test_fields_that_do_not_fit_are_left_out() -> None:
    """A number for a text costs that field, and not the frame."""
    odd = {"serverContent": {"turnComplete": True, "outputTranscription": {"text": 7}}, "toolCall": None}
    found = codec()
    says(found, wire.sound(SOUND))
    assert isinstance(says(found, dump(odd))[-1], ResponseDone)


def test_sound_may_be_base64_of_either_alphabet() -> None:
    """The host's own package sends the one for addresses."""
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "-_8="}}
    frame = dump({"serverContent": {"modelTurn": {"parts": [part]}}})
    assert says(codec(), frame)[-1] == AudioDelta(pcm=b"\xfb\xff", response_id="resp_1", item_id="item_1")


# --- endings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "error", "reconnects"),
    [
        (1001, "", StreamInterruptedError, True),
        (1005, "", StreamInterruptedError, True),
        (1006, "", StreamInterruptedError, True),
        (1007, "API key expired. Please renew the API key.", BadRequestError, False),
        (1008, "models/x is not found for API version v1beta", BadRequestError, False),
        (1009, "", RequestTooLargeError, False),
        (1011, "Internal error encountered.", InternalServerError, True),
        (1011, "Deadline expired before operation could complete.", InternalServerError, True),
        (
            1011,
            "You exceeded your current quota, please check your plan and billing details.",
            QuotaExceededError,
            False,
        ),
        (1012, "", StreamInterruptedError, True),
        (4001, "a proxy's own", StreamInterruptedError, False),
    ],
)
def test_what_a_close_means(code: int, reason: str, error: type[OneLLMError], reconnects: bool) -> None:
    """The class comes from the code; of 1011 the reason alone tells a spent quota from a failure."""
    found = LIVE.ending(code, reason)
    assert type(found.error) is error
    assert found.error is not None
    assert (found.error.code, found.reconnects) == (str(code), reconnects)
    assert reason in found.error.message


def test_a_normal_close_is_in_order() -> None:
    found = LIVE.ending(1000, "")
    assert (found.error, found.reconnects) == (None, False)


def test_what_was_under_way_ends_with_the_connection() -> None:
    """One end for each beginning; results of calls that were waiting are not sent to the next connection."""
    found = codec()
    says(found, wire.heard("Hi"), wire.sound(SOUND), wire.said("He"), wire.calls({"id": "a", "name": "f"}))
    assert found.close() == [
        TranscriptDone(role="user", text="Hi", item_id="item_1"),
        AudioDone(response_id="resp_1", item_id="item_2"),
        TranscriptDone(role="assistant", text="He", response_id="resp_1", item_id="item_2"),
        ResponseDone(response_id="resp_1", status="cancelled", reason="connection_lost"),
        ToolCallsCancelled(call_ids=("a",)),
    ]
    assert found.close() == []
    assert found.resumed().encode(SendToolResult(call_id="a", output="late")) == ()


def test_a_session_goes_on_with_its_newest_handle() -> None:
    """Nothing is said again, ids go on from where they were, and push to talk begins anew."""
    found = codec(turn_detection="none", messages=[{"role": "user", "content": "Hi"}])
    found.encode(AppendAudio(SOUND))
    says(found, wire.handle("h1"), wire.sound(SOUND), wire.TURN_COMPLETE, wire.handle("h2"))
    not_now = dump({"sessionResumptionUpdate": {"resumable": False}})
    assert says(found, not_now) == [SessionResumable(handle=None)]
    assert says(found, wire.go_away("50s")) == [SessionExpiring(time_left=50.0, handle="h2")]
    again = found.resumed()
    assert again.facts.resumes == "session"
    assert json.loads(again.open()[0])["setup"]["sessionResumption"] == {"handle": "h2"}
    assert json.loads(found.open()[0])["setup"].keys() == json.loads(again.open()[0])["setup"].keys()
    assert again.seed() == ()
    assert len(again.encode(AppendAudio(SOUND))) == 2
    assert says(again, wire.sound(SOUND))[0] == ResponseStarted(response_id="resp_2")


def test_without_a_handle_the_conversation_is_said_again() -> None:
    """What both sides wrote and said, after the history that the session began with."""
    found = codec(messages=[{"role": "user", "content": "Hi"}])
    found.encode(message(words("How are you?")))
    says(found, wire.sound(SOUND), wire.said("Well."), wire.TURN_COMPLETE, wire.heard("Good."), wire.sound(SOUND))
    found.close()
    again = found.resumed()
    assert again.facts.resumes == "items"
    assert json.loads(again.open()[0])["setup"]["sessionResumption"] == {}
    assert json.loads(again.seed()[0])["clientContent"] == {
        "turns": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "user", "parts": [{"text": "How are you?"}]},
            {"role": "model", "parts": [{"text": "Well."}]},
            {"role": "user", "parts": [{"text": "Good."}]},
        ],
        "turnComplete": False,
    }


# --- whatever comes ---------------------------------------------------------------------------------------------

FRAMES = [
    wire.heard("a"),
    wire.heard("b", finished=True),
    wire.sound(SOUND),
    wire.said("c"),
    wire.text("d"),
    wire.GENERATED,
    wire.INTERRUPTED,
    wire.TURN_COMPLETE,
    wire.calls({"id": "x", "name": "f"}),
    wire.handle("h"),
    dump({"usageMetadata": {"promptTokenCount": 1}}),
    dump({"serverContent": {"turnComplete": True, "turnCompleteReason": "NEED_MORE_INPUT"}}),
]


@given(st.lists(st.one_of(st.sampled_from(FRAMES), st.just(None))))
def test_every_response_that_starts_is_done_once_and_nothing_of_it_comes_after(frames: list[bytes | None]) -> None:
    """In any order of frames, with answers cancelled anywhere (None)."""
    found = codec()
    events: list[RealtimeEvent] = []
    for frame in frames:
        if frame is None:
            found.encode(CancelResponse())
        else:
            events += found.decode(frame)
    events += found.close()
    open_: str | None = None
    seen: set[str] = set()
    closed_items: set[tuple[type, str | None]] = set()
    for event in events:
        id_: str | None = getattr(event, "response_id", None)
        match event:
            case ResponseStarted():
                assert open_ is None
                assert event.response_id not in seen
                open_ = event.response_id
                seen.add(open_)
            case ResponseDone():
                assert event.response_id == open_
                open_ = None
            case _ if id_ is not None:
                assert id_ == open_
            case _:
                pass
        if isinstance(event, AudioDone | TextDone | TranscriptDone):
            assert (type(event), event.item_id) not in closed_items
            closed_items.add((type(event), event.item_id))
        if isinstance(event, AudioDelta):
            assert (AudioDone, event.item_id) not in closed_items
        if isinstance(event, TranscriptDelta):
            assert (TranscriptDone, event.item_id) not in closed_items
    assert open_ is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "serverContent",
                        "modelTurn",
                        "parts",
                        "text",
                        "inlineData",
                        "data",
                        "toolCall",
                        "functionCalls",
                        "goAway",
                        "timeLeft",
                        "usageMetadata",
                        "turnComplete",
                        "interrupted",
                        "x",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_breaks_a_codec_but_as_an_error_of_ours(value: Any) -> None:
    """Whatever stands where, a frame is read or refused."""
    with contextlib.suppress(ResponseDecodeError):
        codec().decode(msgspec.json.encode(value))
