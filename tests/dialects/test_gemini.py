"""generateContent, byte for byte: what is sent for a call, and what an answer says, whole and in pieces."""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import gemini
from wire.chat_completions import dump, event

from onellm import GoogleOptions, document
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.gemini.contents import NO_SIGNATURE
from onellm.dialects.gemini.models import GeminiModels, PublisherModels
from onellm.dialects.gemini.schema import clean
from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import (
    InvalidRequestError,
    OverloadedError,
    QuotaExceededError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest
from onellm.types.google import Speaker

CHAT = GeminiChat()
CLOUD = GeminiChat(publishers=True, file_uri="", needs_mime_type=True, labels=True, store=False)
ASK = {"role": "user", "content": "Weather?"}


def asking(*messages: Any, **params: Any) -> ChatRequest:
    return ChatRequest(provider="p", model="m", messages=list(messages) or [ASK], params=params, adjustments=[])


def sent(request: ChatRequest, dialect: GeminiChat = CHAT) -> Any:
    body = dialect.encode_request(request).body
    assert body is not None
    return json.loads(body)


def folded(*pieces: bytes, **params: Any) -> ChatCompletion:
    reducer = CHAT.reducer(asking(**params), max_event_bytes=1 << 20)
    for piece in pieces:
        reducer.feed(piece)
    return reducer.close()


# --- requests -------------------------------------------------------------------------------------------------------


def test_turns() -> None:
    """Leading system messages are the instruction; a later one is the user's; neighbours of one role are one turn."""
    request = asking(
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Hi", "name": "ann"},
        {"role": "user", "content": "there"},
        {"role": "assistant", "content": "Hello."},
        {"role": "system", "content": "Now in French."},
        {"role": "user", "content": "And?"},
    )
    assert sent(request) == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"text": "there"}]},
            {"role": "model", "parts": [{"text": "Hello."}]},
            {"role": "user", "parts": [{"text": "Now in French."}, {"text": "And?"}]},
        ],
    }
    assert request.adjustments == [
        "sent messages[5], a later system message, as the user's",
        "left the names of messages out",
    ]


def test_only_a_system_message_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="at least one that is not a system message"):
        sent(asking({"role": "system", "content": "x"}))


CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}


def test_a_history_of_another_provider() -> None:
    """Its first call of a turn has the signature that stands for none; its own provider's data is left out."""
    second = {**CALL, "id": "c2"}
    made = {
        "role": "assistant",
        "content": None,
        "tool_calls": [CALL, second],
        "provider_data": {"provider": "other", "data": {"parts": [{"text": "not ours"}]}},
    }
    request = asking(
        ASK,
        made,
        {"role": "tool", "tool_call_id": "c1", "content": '{"$ref":"x"}'},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "rain"}]},
    )
    function = {"name": "weather", "args": {"city": "Paris"}}
    assert sent(request)["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "c1", **function}, "thoughtSignature": NO_SIGNATURE},
                {"functionCall": {"id": "c2", **function}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "weather", "response": {"output": '{"$ref":"x"}'}}},
                {"functionResponse": {"id": "c2", "name": "weather", "response": {"output": "rain"}}},
            ],
        },
    ]
    assert base64.b64decode(NO_SIGNATURE) == b"skip_thought_signature_validator"


def test_a_signature_that_the_caller_kept_on_the_call() -> None:
    call = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
    request = asking(ASK, {"role": "assistant", "tool_calls": [call]})
    assert sent(request)["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"messages\[1\].tool_call_id: no earlier message has a call 'c9'"):
        sent(asking(ASK, {"role": "tool", "tool_call_id": "c9", "content": "x"}))


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(InvalidRequestError, match=r"messages\[1\].tool_calls\[0\]: the arguments"):
        sent(asking(ASK, {"role": "assistant", "tool_calls": [call]}))


PARTS: dict[str, tuple[dict[str, Any], Any]] = {
    "an address with its type": (
        {"type": "image_url", "image_url": {"url": "https://x.org/a.png?b=.c"}},
        {"fileData": {"fileUri": "https://x.org/a.png?b=.c", "mimeType": "image/png"}},
    ),
    "an address without one": (
        {"type": "video_url", "video_url": {"url": "https://youtu.be/abc"}, "video_metadata": {"fps": 2}},
        {"fileData": {"fileUri": "https://youtu.be/abc"}, "videoMetadata": {"fps": 2}},
    ),
    "a bucket": (
        {"type": "file", "file": {"file_id": "gs://b/a.pdf"}},
        {"fileData": {"fileUri": "gs://b/a.pdf", "mimeType": "application/pdf"}},
    ),
    "a file of the host": (
        {"type": "file", "file": {"file_id": "files/abc", "filename": "a.mp4"}},
        {
            "fileData": {
                "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
                "mimeType": "video/mp4",
            }
        },
    ),
    "base64 and a name": (
        {"type": "file", "file": {"file_data": "QUJD", "filename": "a.txt"}},
        {"inlineData": {"mimeType": "text/plain", "data": "QUJD"}},
    ),
    "an address as a file's content": (
        {"type": "file", "file": {"file_data": "https://x.org/a?b=c", "filename": "a.pdf"}},
        {"fileData": {"fileUri": "https://x.org/a?b=c", "mimeType": "application/pdf"}},
    ),
    "a document at an address": (
        dict(document("https://x.org/report.pdf")),
        {"fileData": {"fileUri": "https://x.org/report.pdf", "mimeType": "application/pdf"}},
    ),
    "samples": (
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "pcm16"}},
        {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "QUJD"}},
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts(case: str) -> None:
    part, wire = PARTS[case]
    assert sent(asking({"role": "user", "content": [part]}))["contents"][0]["parts"] == [wire]


def test_parts_that_a_place_cannot_take() -> None:
    """In the cloud an address needs its type, and there are no files of its own."""
    for part, words in (
        ({"type": "image_url", "image_url": {"url": "https://x.org/a"}}, "say what stands at"),
        ({"type": "file", "file": {"file_id": "files/abc"}}, "keeps no files"),
    ):
        with pytest.raises(InvalidRequestError, match=words):
            sent(asking({"role": "user", "content": [part]}), CLOUD)
    with pytest.raises(InvalidRequestError, match="must be data:<type>;base64"):
        sent(
            asking({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64"}}]})
        )
    with pytest.raises(UnsupportedParameterError, match=r"messages\[0\].content\[0\]"):
        sent(asking({"role": "user", "content": [{"type": "hologram"}]}))


@pytest.mark.parametrize(
    "content", ["%PDF-1.7 garbage", "data:application/pdf;base64,%PDF-1.7", "data:application/pdf"]
)
def test_a_file_that_is_no_base64_is_refused(content: str) -> None:
    part = {"type": "file", "file": {"file_data": content, "filename": "a.pdf"}}
    with pytest.raises(InvalidRequestError, match=r"messages\[0\].content\[0\].file: file_data must be base64"):
        sent(asking({"role": "user", "content": [part]}))


def test_base64_of_either_alphabet_goes_as_it_is() -> None:
    for data in ("QUJ+/w==", "QUJ-_w==", "QUJD\nQUJD\n", ""):
        part = {"type": "file", "file": {"file_data": data, "filename": "a.txt"}}
        [wire] = sent(asking({"role": "user", "content": [part]}))["contents"][0]["parts"]
        assert wire == {"inlineData": {"mimeType": "text/plain", "data": data}}


@pytest.mark.parametrize("dialect", [CHAT, CLOUD])
def test_it_keeps_prompts_by_itself(dialect: GeminiChat) -> None:
    """`cache="on"` says nothing; how long, and whether at all, is not the caller's to say."""
    assert sent(asking(cache="on"), dialect) == sent(asking(), dialect)
    for cache, words in (("off", "by itself"), ("5m", "up to itself"), ("1h", "up to itself")):
        with pytest.raises(UnsupportedParameterError, match=words):
            sent(asking(cache=cache), dialect)


def test_what_it_publishes_of_a_model() -> None:
    """Odd values say nothing, and an error is none of the model's facts; the cloud publishes nothing."""
    read = GeminiModels().decode_capabilities
    found = read(
        dump({"name": "models/e", "supportedGenerationMethods": ["embedContent"], "inputTokenLimit": 2048}), "e"
    )
    assert found is not None
    assert (found.chat, found.embeddings, found.reasoning) == (False, True, None)
    assert (found.context_window, found.max_output_tokens) == (2048, None)
    odd = read(
        dump({"supportedGenerationMethods": 5, "inputTokenLimit": "9", "outputTokenLimit": True, "thinking": 1}), "e"
    )
    assert odd is not None
    assert (odd.chat, odd.embeddings, odd.reasoning, odd.context_window, odd.max_output_tokens) == (None,) * 5
    with pytest.raises(ResponseDecodeError, match="not a model"):
        read(dump({"error": {"code": 404, "message": "gone"}}), "e")
    assert PublisherModels().encode_capabilities("e") is None


REFUSED: dict[str, dict[str, Any]] = {
    "user": {"user": "ann"},
    "logit_bias": {"logit_bias": {"1": 2}},
    "parallel_tool_calls": {"parallel_tool_calls": False},
    "verbosity": {"verbosity": "low"},
    "metadata": {"metadata": {"a": "b"}},
    "anthropic": {"anthropic": {"top_k": 1}},
    "audio.format": {"audio": {"voice": "Kore", "format": "mp3"}},
    "tool_choice": {"tool_choice": "required"},
    "unheard_of": {"unheard_of": 1},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_cannot_say_is_refused_or_named(case: str) -> None:
    with pytest.raises(UnsupportedParameterError, match=case):
        sent(asking(**REFUSED[case]))
    relaxed = msgspec.structs.replace(asking(**REFUSED[case]), on_unsupported="drop")
    assert set(sent(relaxed)) <= {"contents", "generationConfig"}
    assert any(case in note for note in relaxed.adjustments)


def test_what_differs_in_the_cloud() -> None:
    dialect = GeminiChat(publishers=True, tier_header="X-Tier", labels=True, store=False)
    request = asking(metadata={"a": "b"}, service_tier="flex", store=False, google=GoogleOptions(labels={"c": "d"}))
    http = dialect.encode_request(request)
    assert (http.path, http.headers) == ("publishers/google/models/m:generateContent", {"X-Tier": "flex"})
    assert sent(request, dialect)["labels"] == {"a": "b", "c": "d"}
    assert sent(asking(service_tier="default", store=True)) == {
        "contents": [{"role": "user", "parts": [{"text": "Weather?"}]}],
        "serviceTier": "standard",
        "store": True,
    }


def test_thinking() -> None:
    """An effort is a level, or a budget where that is asked for; two ways at once are refused."""

    def thinking(**params: Any) -> Any:
        return sent(asking(**params))["generationConfig"]["thinkingConfig"]

    assert thinking(reasoning_effort="none") == {"thinkingLevel": "MINIMAL"}
    assert thinking(reasoning_effort="high") == {"thinkingLevel": "HIGH", "includeThoughts": True}
    old = GoogleOptions(effort_as_budget=True)
    assert thinking(reasoning_effort="medium", google=old) == {"thinkingBudget": 8192, "includeThoughts": True}
    assert thinking(google={"thinking_level": "low"}) == {"thinkingLevel": "LOW"}
    with pytest.raises(InvalidRequestError, match=r"give one of reasoning_effort and google\.thinking_budget"):
        thinking(reasoning_effort="low", google=GoogleOptions(thinking_budget=1))


def test_tools() -> None:
    """One object for all functions, one for each built-in tool; strict ones are checked by the host."""
    functions = [
        {
            "type": "function",
            "function": {"name": name, "parameters": {"type": "object", "properties": {}}, "strict": True},
        }
        for name in ("a", "b")
    ]
    body = sent(asking(tools=[*functions, {"type": "google_search"}]))
    assert body["tools"] == [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}, {"googleSearch": {}}]
    assert body["toolConfig"] == {
        "functionCallingConfig": {"mode": "VALIDATED"},
        "includeServerSideToolInvocations": True,
    }
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": functions[:1]}}
    assert sent(asking(tools=functions, tool_choice=allowed))["toolConfig"]["functionCallingConfig"] == {
        "mode": "ANY",
        "allowedFunctionNames": ["a"],
    }


def test_two_speakers() -> None:
    pair = (Speaker(name="Ann", voice="Kore"), Speaker(name="Bob", voice="Puck"))
    config = sent(asking(modalities=["audio"], google=GoogleOptions(speakers=pair)))["generationConfig"]
    voices = config["speechConfig"]["multiSpeakerVoiceConfig"]["speakerVoiceConfigs"]
    assert [voice["speaker"] for voice in voices] == ["Ann", "Bob"]


def test_schemas_are_cleaned_and_say_so() -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "pattern": "^a", "minLength": 1},
            "kind": {"const": "a"},
            "other": {"$ref": "#/definitions/o", "description": "d"},
        },
        "definitions": {"o": {"allOf": [{"type": "object", "required": ["x"]}, {"required": ["y"]}]}},
    }
    removed: list[str] = []
    assert clean(schema, removed) == {
        "type": "object",
        "properties": {
            "pattern": {"type": "string"},
            "kind": {"enum": ["a"]},
            "other": {"$ref": "#/$defs/o"},
        },
        "$defs": {"o": {"type": "object", "required": ["x", "y"]}},
    }
    assert removed == [
        "$schema",
        "properties.pattern.pattern",
        "properties.pattern.minLength",
        "properties.other.description",
    ]
    request = asking(response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}})
    sent(request)
    assert "properties.pattern.pattern" in request.adjustments[0]


# --- answers --------------------------------------------------------------------------------------------------------


def test_the_documented_stream() -> None:
    """Thoughts, a signed call, and an empty text at the end, which is no piece of content."""
    calls = {
        "functionCall": {"id": "fc1", "name": "get_weather", "args": {"city": "Paris"}},
        "thoughtSignature": "Q2lR",
    }
    pieces = [
        event(gemini.chunk({"text": "Plan: look it up.", "thought": True})),
        event(gemini.chunk(calls)),
        event(gemini.chunk({"text": ""}, finish="STOP")),
    ]
    reducer = CHAT.reducer(asking(), max_event_bytes=1 << 20)
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    assert [chunk.choices[0].delta.content for chunk in chunks] == [None, None, None]
    reply = reducer.close()
    choice = reply.choices[0]
    assert (choice.finish_reason, choice.finish_reason_raw) == ("tool_calls", "STOP")
    assert (choice.message.content, choice.message.reasoning) == (None, "Plan: look it up.")
    assert (reply.id, reply.model) == ("r1", "gemini-3.8-flash")
    assert reply.usage is not None
    assert reply.usage.completion_tokens_details is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (12, 17)
    assert reply.usage.completion_tokens_details.reasoning_tokens == 8
    assert choice.message.provider_data is not None
    assert choice.message.provider_data.data == {
        "parts": [{"text": "Plan: look it up.", "thought": True}, calls, {"text": ""}]
    }


@pytest.mark.parametrize("stream", [gemini.STREAM, gemini.TOOL_STREAM])
@given(data=st.data())
def test_where_a_stream_is_cut_does_not_matter(stream: list[bytes], data: st.DataObject) -> None:
    body = b"".join(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert folded(*pieces).to_dict() == folded(body).to_dict()


def test_texts_in_pieces_go_back_as_one_and_signed_ones_as_they_came() -> None:
    signed = {"text": "c", "thoughtSignature": "cw=="}
    pieces = [*({"text": text} for text in "ab"), signed, {"text": "d"}, {"text": "", "thoughtSignature": "ZQ=="}]
    reply = folded(*(event(gemini.chunk(part)) for part in pieces), event(gemini.chunk(finish="STOP")))
    kept = reply.choices[0].message.provider_data
    assert kept is not None
    assert kept.data["parts"] == [{"text": "ab"}, *pieces[2:]]
    assert reply.choices[0].message.content == "abcd"


def test_a_conversation_sends_signatures_back_in_their_own_parts() -> None:
    """Parallel calls of which one is signed, and no ids: they come back as they came, to this provider alone."""
    parts: list[dict[str, Any]] = [
        {"text": "Both.", "thought": True},
        {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
    ]
    message = CHAT.decode_response(gemini.chunk(*parts, finish="STOP"), asking()).choices[0].message
    calls = message.tool_calls or []
    assert len({call.id for call in calls}) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls]
    back = sent(asking(ASK, message.to_dict(), *results))["contents"]
    assert back[1] == {"role": "model", "parts": parts}
    response = {"functionResponse": {"name": "weather", "response": {"output": "sun"}}}
    assert back[2] == {"role": "user", "parts": [response, response]}
    other = msgspec.structs.replace(asking(ASK, message.to_dict(), *results), provider="openai")
    elsewhere = (OpenAIChat().encode_request(other).body or b"").decode()
    assert "c2ln" not in elsewhere
    assert "Both." not in elsewhere
    assert elsewhere.count(calls[0].id) == 2


def test_a_prompt_that_was_blocked() -> None:
    body = dump({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}})
    for reply in (CHAT.decode_response(body, asking(n=2)), folded(event(body), n=2)):
        assert [choice.finish_reason for choice in reply.choices] == ["content_filter"]
        assert reply.choices[0].finish_reason_raw == "PROHIBITED_CONTENT"
        assert reply.choices[0].message.content is None
        assert reply.usage is not None
        assert reply.usage.prompt_tokens == 3


def test_an_answer_without_content() -> None:
    """Thinking may take all the tokens that there are."""
    body = dump({"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}]})
    assert CHAT.decode_response(body, asking()).choices[0].finish_reason == "length"


def test_two_choices() -> None:
    """A stream that lacks one of them, or its end, is cut."""
    pieces = [
        event(gemini.chunk({"text": text}, finish=end, index=index))
        for index, text, end in ((0, "a", None), (1, "b", None), (0, "c", "STOP"), (1, "d", "SAFETY"))
    ]
    reply = folded(*pieces, n=2)
    assert [choice.message.content for choice in reply.choices] == ["ac", "bd"]
    assert [choice.finish_reason for choice in reply.choices] == ["stop", "content_filter"]
    for cut in (pieces[:3], pieces[:1], [pieces[0], pieces[2]]):
        with pytest.raises(StreamInterruptedError):
            folded(*cut, n=2)


def test_sources_are_found_by_characters() -> None:
    """Offsets on the wire count bytes."""
    text = "Größe: 5 m. 你好 ok"
    start, end = len("Größe: 5 m. ".encode()), len("Größe: 5 m. 你好".encode())
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b", "title": "B"}}],
        "groundingSupports": [
            {"segment": {"startIndex": start, "endIndex": end, "text": "你好"}, "groundingChunkIndices": [0]}
        ],
    }
    recited = {"citationSources": [{"endIndex": len("Größe".encode()), "uri": "https://c"}]}
    candidate = {
        "content": {"parts": [{"text": text}]},
        "finishReason": "STOP",
        "groundingMetadata": grounding,
        "citationMetadata": recited,
    }
    body = dump({"candidates": [candidate]})
    for reply in (CHAT.decode_response(body, asking()), folded(event(body))):
        message = reply.choices[0].message
        assert [(each.url, each.start_index, each.end_index) for each in message.citations or ()] == [
            ("https://a", 12, 14),
            ("https://b", None, None),
            ("https://c", 0, 5),
        ]
        assert text[12:14] == "你好"
        assert [each.url_citation.title for each in message.annotations or () if each.url_citation] == ["A", "B", ""]


def test_images_and_sound_that_come_out() -> None:
    """An image goes back with its message; samples do not. A sketch that was thought is not shown."""
    image = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}, "thoughtSignature": "cw=="}
    sketch = {"inlineData": {"mimeType": "image/png", "data": "WFla"}, "thought": True}
    message = (
        CHAT.decode_response(gemini.chunk(sketch, {"text": "Here"}, image, finish="STOP"), asking()).choices[0].message
    )
    assert [each.content for each in message.images or ()] == [b"ABC"]
    assert sent(asking(ASK, message.to_dict()))["contents"][1]["parts"] == [{"text": "Here"}, image]
    pieces = [
        event(gemini.chunk({"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=16000", "data": data}}))
        for data in ("QUI=", "Q0Q=")
    ]
    said = (
        folded(*pieces, event(gemini.chunk(finish="STOP")), audio={"voice": "Kore", "format": "wav"}).choices[0].message
    )
    assert said.audio is not None
    sound = base64.b64decode(said.audio.data)
    assert (sound[:4], sound[8:12], sound[24:28], sound[44:]) == (
        b"RIFF",
        b"WAVE",
        (16000).to_bytes(4, "little"),
        b"ABCD",
    )
    assert said.provider_data is None


def test_logprobs() -> None:
    found = {
        "chosenCandidates": [{"token": "é", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e"}]}],
    }
    candidate = {"content": {"parts": [{"text": "é"}]}, "finishReason": "STOP", "logprobsResult": found}
    logprobs = CHAT.decode_response(dump({"candidates": [candidate]}), asking()).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert (logprobs.content[0].token, logprobs.content[0].logprob, logprobs.content[0].bytes) == (
        "é",
        -0.5,
        [195, 169],
    )
    assert [top.token for top in logprobs.content[0].top_logprobs] == ["é", "e"]


OVERLOADED = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
INSIDE: dict[str, Callable[[], bytes]] = {
    "an event": lambda: event(OVERLOADED),
    "an event with a list": lambda: event([OVERLOADED]),
    "bare, over several lines": lambda: json.dumps(OVERLOADED, indent=2).encode(),
    "bare, with a blank line after it": lambda: json.dumps([OVERLOADED], indent=2).encode() + b"\n\n",
}


@pytest.mark.parametrize("case", INSIDE)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_errors_inside_a_stream(case: str, size: int) -> None:
    body = gemini.STREAM[0] + INSIDE[case]()
    with pytest.raises(OverloadedError, match="busy"):
        folded(*(body[at : at + size] for at in range(0, len(body), size)))


def test_a_quota_of_a_day_is_spent() -> None:
    """It is not tried again; one of a minute is, after its wait."""
    for quota, spent in (("GenerateRequestsPerDayPerProject", True), ("GenerateRequestsPerMinute", False)):
        details = [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"},
        ]
        body = dump({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": details}})
        error = CHAT.decode_error(429, {}, body, now=0.0)
        assert isinstance(error, QuotaExceededError) is spent
        assert error.retryable is not spent
        assert error.retry_after == 34.4
