"""Whose turn it is: interruptions, functions, answers that wait for one another, other ways of hearing."""

import asyncio
from typing import Any

import pytest
from loopback import soon
from realtime_server import (
    Peer,
    RealtimeServer,
    created,
    heard,
    names,
    of_response,
    ready,
    response_created,
    response_done,
    shown,
    sound,
    tool_call,
    until,
    updated,
)

from onellm import (
    AsyncOneLLM,
    AudioDelta,
    InputSpeechStarted,
    Interrupted,
    ResponseDone,
    ResponseStarted,
    SessionError,
    SessionReady,
    SessionUpdated,
    ToolCallReady,
    ToolResultSent,
    TranscriptDelta,
)
from onellm.errors import BadRequestError, InvalidRequestError, UnsupportedFeatureError, UnsupportedParameterError

MODEL = "openai/gpt-realtime"
PCM = b"\x01\x00" * 2400  # 100 ms


# --- interruptions ---


async def test_speech_stops_the_sound_within_one_event(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """When the user speaks, queued sound of the answer is gone, and what still comes of it stays in."""
    sent = asyncio.Event()

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created(), *[sound(PCM) for _ in range(50)])
        peer.send(heard("speech_started", audio_start_ms=10), *[sound(PCM) for _ in range(50)])
        peer.send(
            of_response("output_audio.done"),
            response_done(status="cancelled", status_details={"reason": "turn_detected"}),
        )
        peer.send(response_created("resp_2"), sound(b"next", "resp_2", "item_2"), response_done("resp_2"))
        peer.ping(b"all read")
        assert await peer.pong() == b"all read"  # the client has read all that came before
        sent.set()

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await until(session, AudioDelta)  # one piece is being played
        await soon(sent.wait())
        events = await until(session, ResponseDone, ResponseDone)
    after = events[names(events).index("InputSpeechStarted") :]
    assert [shown(event) for event in after] == [
        ("InputSpeechStarted", "item_id='item_u'", "offset_ms=10", "interrupts=True"),
        ("Interrupted", "response_id='resp_1'", "item_id='item_1'"),
        ("ResponseDone", "response_id='resp_1'", "status='cancelled'", "reason='turn_detected'", "more_expected=False"),
        ("ResponseStarted", "response_id='resp_2'"),
        ("AudioDelta", "pcm=b'next'", "response_id='resp_2'", "item_id='item_2'"),
        ("ResponseDone", "response_id='resp_2'", "status='completed'", "more_expected=False"),
    ]


async def test_interrupt_cancels_and_says_what_was_heard(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """`interrupt(played_ms)`: the answer is cancelled, its item cut at what was played, or at its end."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        for number in (1, 2):
            name, item = f"resp_{number}", f"item_{number}"
            peer.send(response_created(name), sound(PCM, name, item), sound(PCM, name, item))
            await peer.expect("response.cancel", "conversation.item.truncate")
            peer.send(
                sound(PCM, name, item), response_done(name, "cancelled", status_details={"reason": "client_cancelled"})
            )

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await until(session, AudioDelta, AudioDelta)
        await session.interrupt(played_ms=130)
        first = await until(session, ResponseDone)
        await until(session, AudioDelta, AudioDelta)
        await session.interrupt(played_ms=5_000)
        await until(session, ResponseDone)
    assert names(first) == ["ResponseDone"]
    assert isinstance(first[0], ResponseDone)
    assert (first[0].status, first[0].reason) == ("cancelled", "client_cancelled")
    cut = [{**event, "event_id": ""} for event in realtime.peer.received if event["type"].startswith(("resp", "conv"))]
    truncate = {"type": "conversation.item.truncate", "event_id": "", "content_index": 0}
    assert cut == [
        {"type": "response.cancel", "event_id": "", "response_id": "resp_1"},
        {**truncate, "item_id": "item_1", "audio_end_ms": 130},
        {"type": "response.cancel", "event_id": "", "response_id": "resp_2"},
        {**truncate, "item_id": "item_2", "audio_end_ms": 200},
    ]


async def test_sound_of_an_ended_answer_is_dropped_when_the_user_speaks(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    """Sound comes faster than it is played: an answer may be over while most of it waits in the queue."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created(), *[sound(PCM) for _ in range(20)], response_done(), heard("speech_started"))
        peer.ping()
        await peer.pong()
        sent.set()

    sent = asyncio.Event()
    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await soon(sent.wait())
        events = await until(session, Interrupted)
    assert names(events) == ["SessionReady", "ResponseStarted", "ResponseDone", "InputSpeechStarted", "Interrupted"]


async def test_nothing_to_interrupt_sends_nothing(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Cancelling nothing would be an error of the host's."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.clear")
        peer.send(heard("speech_started"))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await session.interrupt(played_ms=10)
        await session.clear()
        await until(session, InputSpeechStarted)
    assert [event["type"] for event in realtime.peer.received] == ["session.update", "input_audio_buffer.clear"]


async def test_an_answer_that_has_not_begun_is_cancelled_when_it_does(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("conversation.item.create", "response.create", "input_audio_buffer.clear")
        peer.send(response_created(), sound(PCM))
        await peer.expect("response.cancel")
        peer.send(sound(PCM), response_done(status="cancelled", status_details={"reason": "client_cancelled"}))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await session.send_text("Hi")
        await session.interrupt()
        await session.clear()
        events = await until(session, ResponseDone)
    assert names(events) == ["SessionReady", "ResponseStarted", "ResponseDone"]


# --- one answer at a time ---


async def test_answers_wait_for_the_one_under_way(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """What is said during an answer goes out at once; one answer to all of it is asked for when that one has ended."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("conversation.item.create", "response.create")
        await peer.expect("conversation.item.create", "conversation.item.create")
        peer.send(response_created(), response_done())
        await peer.expect("response.create")
        peer.send(response_created("resp_2"), response_done("resp_2"))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        for text in ("One", "Two", "Three"):
            await session.send_text(text)
        await until(session, ResponseDone, ResponseDone)
    kinds = [event["type"] for event in realtime.peer.received]
    assert kinds.count("response.create") == 2


async def test_an_answer_that_is_refused_for_another_is_asked_for_again(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    """The host may begin one by itself at that moment: the wish is kept until it has ended."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        asked = await peer.expect("conversation.item.create", "response.create")
        error = {
            "type": "invalid_request_error",
            "code": "conversation_already_has_active_response",
            "message": "Conversation already has an active response",
            "event_id": asked["event_id"],
        }
        peer.send({"type": "error", "event_id": "ev", "error": error}, response_created(), response_done())
        again = await peer.expect("response.create")
        assert again["event_id"] != asked["event_id"]
        peer.send(response_created("resp_2"), response_done("resp_2"))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await session.send_text("Hi")
        events = await until(session, ResponseDone, ResponseDone)
    assert names(events) == ["SessionReady", *["ResponseStarted", "ResponseDone"] * 2]


async def test_an_answer_beside_the_conversation_does_not_wait(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created())
        asked = await peer.expect("response.create")
        assert asked["response"] == {"conversation": "none", "instructions": "Classify."}
        peer.send(response_created("aside", conversation_id=None), response_done("aside"))
        await peer.expect("conversation.item.create")
        peer.send(response_done())
        await peer.expect("response.create")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await until(session, ResponseStarted)
        await session.respond(conversation="none", instructions="Classify.")
        done = (await until(session, ResponseDone))[-1]
        assert isinstance(done, ResponseDone)
        assert done.response_id == "aside"
        await session.send_text("Go on")
        await until(session, ResponseDone)


# --- functions ---


async def test_functions_are_called_beside_the_sound(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Two calls of one answer run together while sound comes; their results go out, then one wish for an answer."""
    both = asyncio.Barrier(2)
    asked: list[str] = []

    async def get_weather(city: str) -> dict[str, Any]:
        """The weather in a city."""
        asked.append(city)
        await both.wait()
        return {"city": city, "sky": "clear"}

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created(), *tool_call("call_1", "get_weather", '{"city": "Rome"}'), sound(PCM))
        peer.send(*tool_call("call_2", "get_weather", '{"city": "Oslo"}'))
        first = await peer.expect("conversation.item.create")
        second = await peer.expect("conversation.item.create")
        assert {first["item"]["call_id"], second["item"]["call_id"]} == {"call_1", "call_2"}
        peer.send(sound(PCM), response_done())
        await peer.expect("response.create")
        peer.send(response_created("resp_2"), response_done("resp_2"))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, tools=[get_weather]) as session:
        events = await until(session, ResponseDone, ResponseDone)
    assert sorted(asked) == ["Oslo", "Rome"]
    told = {event.call.id: event.output for event in events if isinstance(event, ToolResultSent)}
    assert told == {"call_1": '{"city":"Rome","sky":"clear"}', "call_2": '{"city":"Oslo","sky":"clear"}'}
    assert sum(isinstance(event, AudioDelta) for event in events) == 2
    assert names(events).count("ToolCallReady") == 2
    assert realtime.peer.received[0]["session"]["tools"] == [
        {
            "type": "function",
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        }
    ]
    assert [event["type"] for event in realtime.peer.received].count("response.create") == 1


async def test_what_a_function_raises_the_model_is_told(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    def fails(number: int) -> str:
        raise ValueError(f"no {number}")

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created(), *tool_call("call_1", "fails", '{"number": 7}'))
        peer.send(*tool_call("call_2", "fails", '{"number": "seven"}'), response_done())
        outputs = [(await peer.expect("conversation.item.create"))["item"]["output"] for _ in range(2)]
        assert "Error: ValueError: no 7" in outputs
        assert any(output.startswith("Error: the arguments of fails do not fit") for output in outputs)
        await peer.expect("response.create")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, tools=[fails]) as session:
        events = await until(session, ToolResultSent, ToolResultSent)
        assert all(event.error is not None for event in events if isinstance(event, ToolResultSent))


async def test_calls_are_handed_over_where_that_is_asked_for(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """With `run_tools=False` nothing is called; the answer waits for the results of all calls."""

    def never(text: str) -> str:
        raise AssertionError(text)

    async def script(peer: Peer) -> None:
        await ready(peer)
        calls = tool_call("call_1", "never", '{"text": "a"}') + tool_call("call_2", "never", '{"text": "b"}')
        peer.send(response_created(), *calls, response_done())
        await peer.expect("conversation.item.create", "conversation.item.create", "response.create")
        peer.send(response_created("resp_2"), response_done("resp_2"))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, tools=[never], run_tools=False) as session:
        events = await until(session, ResponseDone)
        calls = [event.call for event in events if isinstance(event, ToolCallReady)]
        assert [(call.id, call.name, call.arguments) for call in calls] == [
            ("call_1", "never", '{"text": "a"}'),
            ("call_2", "never", '{"text": "b"}'),
        ]
        for call in calls:
            await session.send_tool_result(call.id, {"said": call.id})
        await until(session, ResponseDone)
    outputs = [event["item"]["output"] for event in realtime.peer.received if "item" in event]
    assert outputs == ['{"said":"call_1"}', '{"said":"call_2"}']


async def test_a_function_that_runs_is_cancelled_with_the_session(
    realtime: RealtimeServer, caller: AsyncOneLLM
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        """Takes long."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created(), *tool_call("call_1", "slow", ""))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, tools=[slow]) as session:
        await soon(begun.wait())
        assert not session.closed
    assert cancelled.is_set()


# --- the session's settings ---


async def test_push_to_talk(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Without turn detection a turn is committed and an answer asked for; committing alone asks for none."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append", "input_audio_buffer.commit", "response.create")
        peer.send(response_created(), response_done())
        await peer.expect("input_audio_buffer.commit", "input_audio_buffer.clear")

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL, turn_detection="none", input_transcription=False) as session:
        await session.send_audio(PCM)
        await session.commit()
        await until(session, ResponseDone)
        await session.commit(respond=False)
        await session.clear()
    await soon(realtime.peer.gone.wait())
    assert realtime.peer.received[0]["session"] == {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


async def test_every_argument_has_its_place(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    realtime.plays(ready)
    async with caller.realtime.connect(
        model=MODEL,
        instructions="Be kind.",
        voice="marin",
        output_modalities=["audio", "text"],
        input_audio_format="g711_ulaw",
        output_audio_format="g711_alaw",
        input_transcription={"model": "gpt-live-transcribe", "language": "de", "prompt": "names"},
        turn_detection={
            "type": "server_vad",
            "sensitivity": "high",
            "silence_duration_ms": 300,
            "idle_timeout_ms": 5000,
        },
        noise_reduction="near_field",
        tool_choice="required",
        max_output_tokens=300,
        reasoning_effort="low",
        speed=1.25,
        session={"truncation": "disabled", "audio": {"output": {"voice": {"id": "voice_9"}}}},
    ) as session:
        await until(session, SessionReady)
        assert (session.input_rate, session.output_rate) == (8_000, 8_000)
        assert (session.provider, session.model, session.session_id) == ("openai", "gpt-realtime", "sess_1")
    assert realtime.peer.received[0]["session"] == {
        "type": "realtime",
        "instructions": "Be kind.",
        "output_modalities": ["audio"],
        "tool_choice": "required",
        "max_output_tokens": 300,
        "reasoning": {"effort": "low"},
        "truncation": "disabled",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "gpt-live-transcribe", "language": "de", "prompt": "names"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.3,
                    "silence_duration_ms": 300,
                    "idle_timeout_ms": 5000,
                },
                "noise_reduction": {"type": "near_field"},
            },
            "output": {"format": {"type": "audio/pcma"}, "voice": {"id": "voice_9"}, "speed": 1.25},
        },
    }


async def test_a_session_that_only_writes_down(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """Its model is that of the transcription, and stands in the session and not in the URL."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append", "input_audio_buffer.commit")
        kind = "conversation.item.input_audio_transcription.delta"
        peer.send({"type": kind, "event_id": "ev", "item_id": "item_u", "delta": "Hello"})

    realtime.plays(script)
    async with caller.realtime.connect(
        model="openai/gpt-live-transcribe", transcribe_only=True, turn_detection="none"
    ) as session:
        await session.send_audio(PCM)
        await session.commit()
        events = await until(session, TranscriptDelta)
        with pytest.raises(UnsupportedFeatureError):
            await session.respond()
    assert isinstance(events[-1], TranscriptDelta)
    assert (events[-1].role, events[-1].text) == ("user", "Hello")
    assert realtime.peer.query == {"intent": "transcription"}
    assert realtime.peer.received[0]["session"] == {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "gpt-live-transcribe"}, "turn_detection": None}},
    }
    with pytest.raises(UnsupportedParameterError, match="voice"):
        await caller.realtime.connect(model="openai/gpt-live-transcribe", transcribe_only=True, voice="marin")


async def test_what_was_said_before_goes_out_as_items(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}

    realtime.plays(ready)
    image = "data:image/png;base64,iVBORw0KGgo="
    async with caller.realtime.connect(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "What time?"}, {"type": "image_url", "image_url": {"url": image}}],
            },
            {"role": "assistant", "content": "A moment.", "tool_calls": [call]},  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
            {"role": "assistant", "content": "Noon."},
        ],
    ) as session:
        await until(session, SessionReady)
    await soon(realtime.peer.gone.wait())
    items = [event["item"] for event in realtime.peer.received[1:]]
    assert items == [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "What time?"}, {"type": "input_image", "image_url": image}],
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A moment."}]},
        {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "noon"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Noon."}]},
    ]


async def test_messages_images_updates_and_raw_events(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect(
            "conversation.item.create", "conversation.item.create", "session.update", "output_audio_buffer.clear"
        )
        peer.send(updated(instructions="New"))

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await session.send_message("Earlier", role="assistant")
        await session.send_image(b"\xff\xd8", text="Look")
        await session.update(instructions="New", input_transcription=False, turn_detection="semantic_vad")
        await session.send_raw({"type": "output_audio_buffer.clear"})
        with pytest.raises(InvalidRequestError, match="messages"):
            await session.update(messages=[])
        events = await until(session, SessionUpdated)
    assert names(events) == ["SessionReady", "SessionUpdated"]
    first, second, third, fourth = realtime.peer.received[1:]
    assert first["item"] == {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Earlier"}],
    }
    image = "data:image/jpeg;base64,/9g="
    assert second["item"]["content"] == [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": image},
    ]
    assert third["session"] == {
        "type": "realtime",
        "instructions": "New",
        "audio": {"input": {"transcription": None, "turn_detection": {"type": "semantic_vad"}}},
    }
    assert fourth == {"event_id": "event_5", "type": "output_audio_buffer.clear"}


async def test_errors_inside_a_session_are_events(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    """The session goes on; the event names the frame that was refused."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        refused = await peer.expect("input_audio_buffer.commit")
        error = {
            "type": "invalid_request_error",
            "code": "input_audio_buffer_commit_empty",
            "message": "buffer too small",
            "param": None,
            "event_id": refused["event_id"],
        }
        peer.send({"type": "error", "event_id": "ev", "error": error}, {"type": "brand.new", "x": 1})

    realtime.plays(script)
    async with caller.realtime.connect(model=MODEL) as session:
        await session.commit(respond=False)
        error = (await until(session, SessionError))[-1]
        assert isinstance(error, SessionError)
        assert (error.code, error.event_id, error.type) == (
            "input_audio_buffer_commit_empty",
            "event_2",
            "invalid_request_error",
        )
        event = await soon(anext(session))
        assert (shown(event), event.to_dict()) == (("UnknownEvent", "type='brand.new'"), {"type": "brand.new", "x": 1})


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"temperature": 0.5}, "temperature"),
        ({"resume": "handle"}, "resume"),
        ({"voise": "marin"}, "voise"),
        ({"turn_detection": "loud"}, "turn_detection"),
        ({"tools": [3]}, "tools"),
        ({"input_audio_format": "g711_ulaw", "input_rate": 24_000}, "input_rate"),
    ],
)
async def test_what_cannot_be_said_is_refused_before_anything_is_sent(
    realtime: RealtimeServer, caller: AsyncOneLLM, params: dict[str, Any], named: str
) -> None:
    with pytest.raises((InvalidRequestError, UnsupportedParameterError), match=named):
        await caller.realtime.connect(model=MODEL, **params)
    assert not realtime.requests


async def test_an_error_before_the_session_is_ready_is_raised(realtime: RealtimeServer, caller: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        peer.send(created())
        await peer.expect("session.update")
        error = {
            "type": "invalid_request_error",
            "code": "unknown_parameter",
            "message": "no such voice",
            "param": "voice",
        }
        peer.send({"type": "error", "event_id": "ev", "error": error})

    realtime.plays(script)
    with pytest.raises(BadRequestError, match="no such voice") as caught:
        await caller.realtime.connect(model=MODEL, voice="nobody")
    assert (caught.value.code, caught.value.param, caught.value.provider) == ("unknown_parameter", "voice", "openai")
    assert len(realtime.requests) == 1
    await soon(realtime.peer.gone.wait())
