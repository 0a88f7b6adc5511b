"""What is sent for a Live session, frame by frame: its setup, its commands, and a history."""

import json
from typing import Any

import pytest
from live_sessions import LIVE, PICTURE, SOUND, WEATHER, asked, codec, message, says, sent, setup, words
from wire import gemini_live as wire
from wire.chat_completions import dump

from onellm import GoogleOptions, LiveOptions
from onellm.dialects.gemini.openapi import as_openapi
from onellm.dialects.gemini.realtime import GeminiLive
from onellm.errors import (
    InvalidRequestError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.types.google import SafetySetting, Speaker
from onellm.types.realtime import (
    AppendAudio,
    ClearAudio,
    CommitAudio,
    CreateResponse,
    RealtimeCommand,
    SendRaw,
    SendToolResult,
    TruncateAudio,
    UpdateSession,
)
from onellm.types.realtime_events import (
    ToolCallsCancelled,
)

# --- the setup --------------------------------------------------------------------------------------------------


def test_a_session_speaks_and_writes_down_both_sides_unless_told_otherwise() -> None:
    """Transcripts of what the model says are off by default there, and on here; handles are always asked for."""
    assert setup() == {
        "model": "models/gemini-live",
        "generationConfig": {"responseModalities": ["AUDIO"]},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "sessionResumption": {},
    }


def test_every_argument_has_its_place() -> None:
    """Voice, language, sampling, tools and instructions, under the API's names."""
    assert setup(
        instructions="Be brief.",
        voice="Kore",
        language="de-DE",
        output_modalities=["audio"],
        tools=[WEATHER, {"type": "google_search"}],
        max_output_tokens=100,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        reasoning_effort="low",
        input_transcription={"language": "de-DE"},
        turn_detection={
            "type": "server_vad",
            "sensitivity": "high",
            "prefix_padding_ms": 20,
            "silence_duration_ms": 100,
            "interrupt_response": False,
        },
        resume="handle",
    ) == {
        "model": "models/gemini-live",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "maxOutputTokens": 100,
            "temperature": 0.5,
            "topP": 0.9,
            "seed": 7,
            "thinkingConfig": {"thinkingLevel": "LOW"},
            "speechConfig": {
                "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
                "languageCode": "de-DE",
            },
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "get_weather",
                        "description": "Weather now.",
                        "parameters": {
                            "type": "object",
                            "properties": {"city": {"type": "string"}},
                            "required": ["city"],
                        },
                    }
                ]
            },
            {"googleSearch": {}},
        ],
        "inputAudioTranscription": {"languageCodes": ["de-DE"]},
        "outputAudioTranscription": {},
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
                "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
                "prefixPaddingMs": 20,
                "silenceDurationMs": 100,
            },
            "activityHandling": "NO_INTERRUPTION",
        },
        "sessionResumption": {"handle": "handle"},
    }


def test_options_of_the_api_have_their_place() -> None:
    """What only Gemini takes comes by `google`, and the session's own part of it by `live`."""
    found = setup(
        google=GoogleOptions(
            top_k=40,
            media_resolution="low",
            thinking_budget=0,
            include_thoughts=True,
            tools=({"googleSearch": {}},),
            safety_settings=(SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),),
            generation_config={"enableAffectiveDialog": True},
            labels={"team": "a"},
            live=LiveOptions(
                context_window_compression={"slidingWindow": {}},
                proactivity={"proactiveAudio": True},
                turn_coverage="TURN_INCLUDES_ALL_INPUT",
                initial_history=True,
                tool_behavior="non_blocking",
            ),
        ),
        tools=[WEATHER],
    )
    assert found["generationConfig"] == {
        "responseModalities": ["AUDIO"],
        "topK": 40,
        "thinkingConfig": {"thinkingBudget": 0, "includeThoughts": True},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "enableAffectiveDialog": True,
    }
    assert found["tools"][0]["functionDeclarations"][0]["behavior"] == "NON_BLOCKING"
    assert found["tools"][1] == {"googleSearch": {}}
    assert found["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert found["labels"] == {"team": "a"}
    assert found["contextWindowCompression"] == {"slidingWindow": {}}
    assert found["proactivity"] == {"proactiveAudio": True}
    assert found["realtimeInputConfig"] == {"turnCoverage": "TURN_INCLUDES_ALL_INPUT"}
    assert found["historyConfig"] == {"initialHistoryInClientContent": True}


def test_fields_of_the_callers_own_win_and_go_beside_ours() -> None:
    """`session` is merged into the setup; None takes a field of ours away."""
    found = setup(
        voice="Kore",
        session={
            "sessionResumption": None,
            "explicitVadSignal": True,
            "generationConfig": {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}},
        },
    )
    assert "sessionResumption" not in found
    assert found["explicitVadSignal"] is True
    assert found["generationConfig"]["responseModalities"] == ["AUDIO"]
    assert found["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"] == {"voiceName": "Puck"}


def test_a_session_in_text_asks_for_no_words_of_its_sound() -> None:
    """There is nothing to write down where nothing is spoken."""
    found = setup(output_modalities=["text"], input_transcription=False)
    assert found["generationConfig"] == {"responseModalities": ["TEXT"]}
    assert found.keys() == {"model", "generationConfig", "sessionResumption"}


def test_system_messages_at_the_head_are_instructions() -> None:
    """They stand in the setup, after the session's own, and not in the history."""
    history = [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": [words("Be brief.")]},
        {"role": "user", "content": "Hi"},
    ]
    found = codec(instructions="Be true.", messages=history)
    assert json.loads(found.open()[0])["setup"]["systemInstruction"] == {
        "parts": [{"text": "Be true."}, {"text": "Be kind."}, {"text": "Be brief."}]
    }
    assert json.loads(found.seed()[0]) == {
        "clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}], "turnComplete": False}
    }


def test_a_host_with_publishers_is_told_them() -> None:
    """Elsewhere the same models stand under their publisher."""
    dialect = GeminiLive(address="ws/somewhere", publishers=True)
    assert json.loads(codec(dialect).open()[0])["setup"]["model"] == "publishers/google/models/gemini-live"
    whole = "projects/p/locations/l/publishers/google/models/m"
    assert json.loads(dialect.codec(asked(model=whole)).open()[0])["setup"]["model"] == whole


def test_no_tools_are_named_where_none_may_be_called() -> None:
    """There is no choice of tools in a session but to leave them out."""
    assert "tools" not in setup(tools=[WEATHER], tool_choice="none")
    assert setup(tools=[WEATHER], tool_choice="auto")["tools"]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"noise_reduction": "near_field"}, "noise_reduction"),
        ({"speed": 1.2}, "speed"),
        ({"transcribe_only": True}, "transcribe_only"),
        ({"tools": [WEATHER], "tool_choice": "required"}, "tool_choice='required'"),
        ({"input_audio_format": "g711_ulaw"}, "input_audio_format='g711_ulaw'"),
        ({"output_audio_format": "g711_alaw"}, "output_audio_format='g711_alaw'"),
        ({"turn_detection": "semantic_vad"}, "turn_detection='semantic_vad'"),
        ({"turn_detection": {"type": "server_vad", "threshold": 0.5}}, "turn_detection.threshold"),
        ({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5}}, "turn_detection.idle_timeout_ms"),
        ({"turn_detection": {"type": "server_vad", "create_response": False}}, "turn_detection.create_response=False"),
        ({"input_transcription": {"model": "whisper-1"}}, "input_transcription.model"),
        ({"google": GoogleOptions(cached_content="cachedContents/a")}, "google.cached_content"),
        ({"google": GoogleOptions(speakers=(Speaker(name="a", voice="Puck"),) * 2)}, "google.speakers"),
    ],
)
def test_what_a_session_cannot_say_is_refused_or_left_out(params: dict[str, Any], named: str) -> None:
    """Each by its name; and dropped where that was asked for."""
    with pytest.raises(UnsupportedParameterError) as caught:
        codec(**params)
    assert caught.value.param == named
    relaxed = asked(**params)
    relaxed.on_unsupported = "drop"
    LIVE.codec(relaxed).open()
    assert any(named in note for note in relaxed.adjustments)


def test_a_session_answers_in_one_way() -> None:
    """Sound or text, not both."""
    with pytest.raises(InvalidRequestError, match="output_modalities"):
        codec(output_modalities=["audio", "text"])


def test_sensitivity_in_the_middle_is_the_hosts_own() -> None:
    """Only low and high have names there."""
    assert "realtimeInputConfig" not in setup(turn_detection={"type": "server_vad", "sensitivity": "medium"})
    assert "realtimeInputConfig" not in setup(turn_detection="server_vad")
    assert setup(turn_detection="none")["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}


def test_sound_at_the_callers_rate_is_sent_as_such() -> None:
    """Live takes any rate that the frame names: nothing is converted."""
    found = codec(input_rate=48_000)
    assert (found.facts.input_rate, found.facts.output_rate) == (48_000, 24_000)
    assert sent(found, AppendAudio(SOUND))[0]["realtimeInput"]["audio"]["mimeType"] == "audio/pcm;rate=48000"
    assert codec().facts.input_rate == 16_000


# --- schemas ----------------------------------------------------------------------------------------------------


def test_schemas_become_those_of_openapi() -> None:
    """References are put in, null becomes `nullable`, and what cannot be said is named."""
    removed: list[str] = []
    found = as_openapi(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "title": "Arguments",
            "additionalProperties": False,
            "properties": {
                "unit": {"type": ["string", "null"], "enum": ["C", "F", None]},
                "days": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
                "place": {"$ref": "#/$defs/Place", "description": "Where."},
                "level": {"enum": [1, 2], "type": "integer", "description": "How much."},
                "url": {"type": "string", "format": "uri"},
                "when": {"type": "string", "format": "date-time"},
                "either": {"type": ["string", "integer"]},
                "kind": {"const": "now"},
                "both": {"allOf": [{"type": "object"}, {"properties": {"a": {"type": "string"}}}]},
                "extra": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "required": ["place"],
            "$defs": {"Place": {"type": "object", "properties": {"near": {"$ref": "#/$defs/Place"}}}},
        },
        removed,
    )
    assert found == {
        "type": "object",
        "properties": {
            "unit": {"type": "string", "nullable": True, "enum": ["C", "F"]},
            "days": {"type": "integer", "minimum": 1, "nullable": True},
            "place": {"type": "object", "properties": {"near": {"type": "object"}}, "description": "Where."},
            "level": {"type": "integer", "description": "How much. (one of 1, 2)"},
            "url": {"type": "string"},
            "when": {"type": "string", "format": "date-time"},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "kind": {"type": "string", "enum": ["now"]},
            "both": {"type": "object", "properties": {"a": {"type": "string"}}},
            "extra": {"type": "object"},
        },
        "required": ["place"],
    }
    assert removed == [
        "properties.place.properties.near.$ref",
        "properties.url.format",
        "properties.extra.additionalProperties",
    ]


def test_what_is_left_out_of_a_schema_is_told() -> None:
    """It is among the adjustments of the session; a function without arguments declares none."""
    odd = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}}}
    request = asked(tools=[{"type": "function", "function": odd}, {"type": "function", "function": {"name": "g"}}])
    found = json.loads(LIVE.codec(request).open()[0])["setup"]["tools"][0]["functionDeclarations"]
    assert found[0]["parameters"] == {"type": "object", "properties": {"a": {"type": "string"}}}
    assert found[1] == {"name": "g"}
    assert any("properties.a.format" in note for note in request.adjustments)


# --- commands ---------------------------------------------------------------------------------------------------


def test_sound_is_sent_as_it_comes_and_its_end_is_said() -> None:
    """With voice detection, `commit` says that the microphone is off."""
    found = codec()
    assert sent(found, AppendAudio(SOUND)) == [
        {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AQACAA=="}}}
    ]
    assert sent(found, CommitAudio()) == [{"realtimeInput": {"audioStreamEnd": True}}]


def test_push_to_talk_begins_each_turn_before_its_first_sound() -> None:
    """`activityStart` once a turn, `activityEnd` at its end; a turn without sound cannot be ended."""
    found = codec(turn_detection="none")
    with pytest.raises(InvalidRequestError, match="no audio to commit"):
        found.encode(CommitAudio())
    for _ in range(2):
        first, second = sent(found, AppendAudio(SOUND)), sent(found, AppendAudio(SOUND))
        assert first == [{"realtimeInput": {"activityStart": {}}}, *second]
        assert second[0].keys() == {"realtimeInput"}
        assert sent(found, CommitAudio()) == [{"realtimeInput": {"activityEnd": {}}}]


def test_a_message_is_a_turn_that_is_answered_or_not() -> None:
    """Its text and images in their order, as content of the client's."""
    found = codec()
    assert sent(found, message(words("What is this?"), PICTURE)) == [
        {
            "clientContent": {
                "turns": [
                    {
                        "role": "user",
                        "parts": [
                            {"text": "What is this?"},
                            {"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}},
                        ],
                    }
                ],
                "turnComplete": True,
            }
        }
    ]
    assert sent(found, message(words("A dog."), role="assistant", respond=False)) == [
        {"clientContent": {"turns": [{"role": "model", "parts": [{"text": "A dog."}]}], "turnComplete": False}}
    ]


def test_an_image_alone_is_what_a_camera_sees() -> None:
    """A frame of video, which waits for no answer."""
    assert sent(codec(), message(PICTURE, respond=False)) == [
        {"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "AAAA"}}}
    ]


def test_text_may_be_sent_in_real_time() -> None:
    """For models that take content of the client's at the start alone."""
    found = codec(google=GoogleOptions(live=LiveOptions(realtime_text=True)))
    assert sent(found, message(words("Hi"), PICTURE)) == [
        {"realtimeInput": {"text": "Hi"}},
        {"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "AAAA"}}},
    ]
    with pytest.raises(UnsupportedFeatureError, match="realtime_text"):
        found.encode(message(words("Hi"), respond=False))


def test_a_tools_result_goes_back_under_its_calls_name_and_id() -> None:
    """An id that was made up does not go out; the result is an object, whatever it was."""
    found = codec(google=GoogleOptions(live=LiveOptions(tool_scheduling="interrupt")))
    says(found, wire.calls({"id": "fc_1", "name": "get_weather", "args": {}}, {"name": "now"}))
    assert sent(found, SendToolResult(call_id="fc_1", output='{"a": 1}')) == [
        {
            "toolResponse": {
                "functionResponses": [
                    {
                        "id": "fc_1",
                        "name": "get_weather",
                        "response": {"output": '{"a": 1}'},
                        "scheduling": "INTERRUPT",
                    }
                ]
            }
        }
    ]
    assert sent(found, SendToolResult(call_id="call_1", output="noon", respond=False)) == [
        {
            "toolResponse": {
                "functionResponses": [{"name": "now", "response": {"output": "noon"}, "scheduling": "SILENT"}]
            }
        }
    ]
    with pytest.raises(InvalidRequestError, match="call_1"):
        found.encode(SendToolResult(call_id="call_1", output="again"))


def test_a_result_that_nobody_waits_for_is_not_sent() -> None:
    """The model withdrew the call while the tool ran."""
    found = codec()
    says(found, wire.calls({"id": "a", "name": "f"}, {"id": "b", "name": "f"}))
    assert says(found, dump({"toolCallCancellation": {"ids": ["a"]}})) == [ToolCallsCancelled(call_ids=("a",))]
    assert sent(found, SendToolResult(call_id="a", output="late")) == []
    assert len(sent(found, SendToolResult(call_id="b", output="in time"))) == 1


def test_instructions_and_tools_can_change() -> None:
    """The rest of a session is settled when it begins."""
    found = codec()
    assert sent(found, UpdateSession({"instructions": "Be loud.", "tools": [WEATHER]})) == [
        {
            "contextUpdate": {
                "systemInstruction": {"parts": [{"text": "Be loud."}]},
                "tools": {
                    "tools": [
                        {
                            "functionDeclarations": [
                                {
                                    "name": "get_weather",
                                    "description": "Weather now.",
                                    "parameters": WEATHER["function"]["parameters"],
                                }
                            ]
                        }
                    ]
                },
            }
        }
    ]
    later = json.loads(found.resumed().open()[0])["setup"]
    assert later["systemInstruction"] == {"parts": [{"text": "Be loud."}]}
    assert later["tools"][0]["functionDeclarations"][0]["name"] == "get_weather"
    changes: list[dict[str, Any]] = [{"tool_choice": "none"}, {"tools": []}]
    for change in changes:
        assert sent(found, UpdateSession(change)) == [{"contextUpdate": {"tools": {"tools": []}}}]
    with pytest.raises(UnsupportedFeatureError, match="voice"):
        found.encode(UpdateSession({"voice": "Puck"}))


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (ClearAudio(), "clear"),
        (CreateResponse(), "send a message"),
        (CommitAudio(respond=False), "by itself"),
        (message({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}), "send_audio"),
    ],
)
def test_what_live_has_not_says_what_to_do(command: RealtimeCommand, hint: str) -> None:
    """Each is an error that names the way round."""
    found = codec()
    with pytest.raises(UnsupportedFeatureError, match=hint):
        found.encode(command)


def test_frames_of_the_callers_own_go_as_they_are() -> None:
    assert sent(codec(), SendRaw({"realtimeInput": {"text": "hi"}})) == [{"realtimeInput": {"text": "hi"}}]


def test_nothing_is_truncated_because_nothing_need_be() -> None:
    """Live plays by its own clock, and keeps no more than was heard."""
    found = codec()
    assert not found.facts.truncates
    assert sent(found, TruncateAudio(item_id="item_1", played_ms=10)) == []


# --- histories --------------------------------------------------------------------------------------------------


def test_calls_of_tools_in_a_history_are_told_as_text() -> None:
    """A session refuses calls that are not its own."""
    history = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        {"role": "assistant", "content": "It is sunny."},
        {"role": "assistant", "content": None, "audio": {"transcript": "Very."}},
    ]
    request = asked(messages=history)
    found = json.loads(LIVE.codec(request).seed()[0])["clientContent"]
    assert found == {
        "turns": [
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [{"text": '[called get_weather with {"city": "Rome"}]'}]},
            {"role": "user", "parts": [{"text": "[get_weather gave: sunny]"}]},
            {"role": "model", "parts": [{"text": "It is sunny."}, {"text": "Very."}]},
        ],
        "turnComplete": False,
    }
    assert any("as text" in note for note in request.adjustments)


def test_an_initial_history_is_ended_even_where_there_is_none() -> None:
    """With `initial_history` the server waits for its end before anything else."""
    options = GoogleOptions(live=LiveOptions(initial_history=True))
    found = codec(google=options, messages=[{"role": "user", "content": "Hi"}])
    assert json.loads(found.seed()[0])["clientContent"]["turnComplete"] is True
    assert [json.loads(frame) for frame in codec(google=options).seed()] == [{"clientContent": {"turnComplete": True}}]
    assert codec().seed() == ()
