"""`client.audio` over a real socket: what is sent, and what comes of the answer."""

import asyncio
import base64
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM, get_provider
from onellm.errors import (
    APIConnectionError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.types.audio import (
    SpeechAudioDeltaEvent,
    SpeechAudioDoneEvent,
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
MODEL = "gpt-4o-transcribe"
USAGE = {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19}
VERBOSE = {
    "task": "transcribe",
    "language": "english",
    "duration": "8.47",  # a text, as whisper-1 has sent it
    "text": "Hello there.",
    "segments": [
        {"id": 0, "seek": 0, "start": 0.0, "end": 3.32, "text": "Hello there.", "tokens": [50364], "temperature": 0.0}
    ],
    "words": [{"word": "Hello", "start": 0, "end": 0.5}],
    "usage": {"type": "duration", "seconds": 9},
}
DIARIZED = {
    "task": "transcribe",
    "duration": 3.0,
    "text": "Hi. Ho.",
    "segments": [
        {"type": "transcript.text.segment", "id": "seg_1", "start": 0, "end": 1.5, "speaker": "A", "text": "Hi."}
    ],
}
EVENTS: list[dict[str, Any]] = [
    {"type": "transcript.text.delta", "delta": "Hello ", "logprobs": [{"token": "Hello", "logprob": -0.1}]},
    {"type": "transcript.text.new", "what": "is not known yet"},
    {"type": "transcript.text.delta", "delta": "there."},
    {"type": "transcript.text.done", "text": "Hello there.", "usage": USAGE},
]


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
async def bound(server: Loopback) -> AsyncIterator[AsyncOneLLM]:
    own = {"api_key": "k", "base_url": server.url}
    with stamina.set_testing(True, attempts=100, cap=True):
        async with AsyncOneLLM(
            api_key="k", base_url=f"{server.url}/v1", providers={"mistral": own, "groq": own, "openrouter": own}
        ) as made:
            yield made


async def test_transcription_is_a_form(server: Loopback, bound: AsyncOneLLM) -> None:
    """The file has its name and type; lists are repeated as name[], objects as a[b], and the answer is typed."""
    server.plays(Answer(chunks=[{"text": "Hello", "usage": USAGE, "new": 1}], headers={"x-request-id": "req_1"}))
    reply = await bound.audio.transcriptions.create(
        file=("speech.wav", WAV),
        model=MODEL,
        language="en",
        temperature=0.2,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
        extra_body={"shiny": True},
    )
    assert isinstance(reply, Transcription)
    assert (reply.text, reply.provider, reply.request_id) == ("Hello", "openai", "req_1")
    assert reply.usage is not None
    assert (reply.usage.type, reply.usage.total_tokens) == ("tokens", 19)
    assert reply.model_extra == {"new": 1}
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/audio/transcriptions")
    assert fields(request) == [
        ("model", MODEL),
        ("language", "en"),
        ("temperature", "0.2"),
        ("include[]", "logprobs"),
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.5"),
        ("shiny", "true"),
    ]
    assert files(request) == [("file", "speech.wav", "audio/wav", WAV)]


async def test_each_format_has_its_type(server: Loopback, bound: AsyncOneLLM) -> None:
    """JSON formats give Structs, text formats plain texts as they came."""
    server.plays(Answer(chunks=[VERBOSE]))
    verbose = await bound.audio.transcriptions.create(
        file=WAV, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert isinstance(verbose, TranscriptionVerbose)
    assert verbose.duration == 8.47
    assert verbose.words is not None
    assert verbose.words[0].word == "Hello"
    assert verbose.segments is not None
    assert verbose.segments[0].tokens == [50364]
    assert ("timestamp_granularities[]", "segment") in fields(server.requests[0])
    server.plays(Answer(chunks=[DIARIZED]))
    diarized = await bound.audio.transcriptions.create(file=WAV, model=MODEL, response_format="diarized_json")
    assert isinstance(diarized, TranscriptionDiarized)
    assert diarized.segments[0].speaker == "A"
    server.plays(Answer(chunks=["1\n00:00:00,000 --> 00:00:01,000\nHallå\n\n"], content_type="text/plain"))
    srt = await bound.audio.transcriptions.create(file=WAV, model="whisper-1", response_format="srt")
    assert srt == "1\n00:00:00,000 --> 00:00:01,000\nHallå\n\n"
    server.plays(Answer(chunks=[{"text": "Hello"}]))  # a host that knows no text format
    assert await bound.audio.transcriptions.create(file=WAV, model="whisper-1", response_format="text") == "Hello"
    assert [dict(fields(request)).get("response_format") for request in server.requests] == [
        "verbose_json",
        "diarized_json",
        "srt",
        "text",
    ]


async def test_translation(server: Loopback, bound: AsyncOneLLM) -> None:
    """Translations have a path and types of their own."""
    server.plays(Answer(chunks=[{"text": "Hello"}]))
    assert isinstance(await bound.audio.translations.create(file=WAV, model="whisper-1", prompt="p"), Translation)
    server.plays(Answer(chunks=[VERBOSE]))
    verbose = await bound.audio.translations.create(file=WAV, model="whisper-1", response_format="verbose_json")
    assert isinstance(verbose, TranslationVerbose)
    assert (verbose.text, verbose.language) == ("Hello there.", "english")
    server.plays(Answer(chunks=["WEBVTT\n"], content_type="text/plain"))
    assert await bound.audio.translations.create(file=WAV, model="whisper-1", response_format="vtt") == "WEBVTT\n"
    assert {request.path for request in server.requests} == {"/v1/audio/translations"}
    assert fields(server.requests[0]) == [("model", "whisper-1"), ("prompt", "p")]


async def test_stream(server: Loopback, bound: AsyncOneLLM) -> None:
    """Events come typed, unknown ones are left out, and the folded answer is that of a whole call."""
    server.plays(Answer(chunks=sse(*EVENTS, done=False), content_type=type_sse))
    async with await bound.audio.transcriptions.create(file=WAV, model=MODEL, stream=True) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_transcription()
    assert [type(event) for event in events] == [
        TranscriptionTextDeltaEvent,
        TranscriptionTextDeltaEvent,
        TranscriptionTextDoneEvent,
    ]
    assert isinstance(events[0], TranscriptionTextDeltaEvent)
    assert events[0].logprobs is not None
    assert (final.text, final.provider) == ("Hello there.", "openai")
    assert final.usage is not None
    assert final.usage.output_tokens == 5
    assert ("stream", "true") in fields(server.requests[0])
    stream = await bound.audio.transcriptions.create(file=WAV, model=MODEL, stream=True)
    assert [piece async for piece in stream.text()] == ["Hello ", "there."]


async def test_diarized_stream_folds_segments(server: Loopback, bound: AsyncOneLLM) -> None:
    """The whole of a diarized stream has its segments."""
    server.plays(
        Answer(
            chunks=sse(
                {"type": "transcript.text.segment", "id": "s1", "start": 0, "end": 2, "speaker": "A", "text": "Hi."},
                {"type": "transcript.text.done", "text": "Hi."},
            ),
            content_type=type_sse,
        )
    )
    stream = await bound.audio.transcriptions.create(
        file=WAV, model=MODEL, response_format="diarized_json", stream=True
    )
    first = await anext(stream)
    assert isinstance(first, TranscriptionTextSegmentEvent)
    final = await stream.get_final_transcription()
    assert isinstance(final, TranscriptionDiarized)
    assert [(segment.speaker, segment.text) for segment in final.segments] == [("A", "Hi.")]


async def test_chunks_in_the_shape_of_chat(server: Loopback, bound: AsyncOneLLM) -> None:
    """vLLM streams deltas as chat does, and ends with [DONE]: the events are the same."""
    server.plays(
        Answer(
            chunks=sse(*({"choices": [{"delta": {"content": piece}}]} for piece in ("Hel", "lo"))),
            content_type=type_sse,
        )
    )
    stream = await bound.audio.transcriptions.create(file=WAV, model=MODEL, stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert (await stream.get_final_transcription()).text == "Hello"


async def test_model_that_does_not_stream(server: Loopback, bound: AsyncOneLLM) -> None:
    """whisper-1 ignores `stream` and answers whole: that is one last event."""
    server.plays(Answer(chunks=[{"text": "Hello", "usage": {"type": "duration", "seconds": 3}}]))
    stream = await bound.audio.transcriptions.create(file=WAV, model="whisper-1", stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == ["transcript.text.done"]
    final = await stream.get_final_transcription()
    assert (final.text, final.usage and final.usage.seconds) == ("Hello", 3)


@pytest.mark.parametrize("cut", ["", "close", "reset"])
async def test_cut_stream_is_an_error(server: Loopback, bound: AsyncOneLLM, cut: str) -> None:
    """A stream without its last event is never a short answer."""
    server.plays(Answer(chunks=sse(*EVENTS[:3], done=False), content_type=type_sse, cut=cut))
    stream = await bound.audio.transcriptions.create(file=WAV, model=MODEL, stream=True)
    with pytest.raises(APIConnectionError) as caught:
        await stream.get_final_transcription()
    assert cut or isinstance(caught.value, StreamInterruptedError)


async def test_error_in_a_stream(server: Loopback, bound: AsyncOneLLM) -> None:
    """An error event is the exception that its status would have been."""
    error = {"error": {"message": "no", "code": "server_error"}}
    server.plays(Answer(chunks=sse(EVENTS[0], error, done=False), content_type=type_sse))
    stream = await bound.audio.transcriptions.create(file=WAV, model=MODEL, stream=True)
    with pytest.raises(InternalServerError, match="no"):
        await stream.get_final_transcription()


async def test_upload_is_sent_again(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """A file that can be read again is sent again whole; one that cannot makes the first error final."""
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    fails, works = Answer(status=500, chunks=[{}]), Answer(chunks=[{"text": "ok"}])
    for source in (path, io.BytesIO(WAV), WAV):
        server.plays(fails, works)
        assert (await bound.audio.transcriptions.create(file=("a.wav", source), model=MODEL)).text == "ok"
    assert [files(request)[0][3] for request in server.requests] == [WAV] * 6

    async def once() -> AsyncIterator[bytes]:
        yield WAV

    server.plays(fails, works)
    with pytest.raises(InternalServerError):
        await bound.audio.transcriptions.create(file=("a.wav", once()), model=MODEL)
    assert len(server.requests) == 7


async def test_early_refusal_of_an_upload(server: Loopback, bound: AsyncOneLLM) -> None:
    """A body that looks like an error is one, whatever its status; a body without a text is no transcription."""
    server.plays(Answer(chunks=[{"error": {"message": "bad audio", "type": "invalid_request_error"}}]))
    for chosen in ("json", "text"):
        with pytest.raises(BadRequestError, match="bad audio"):
            await bound.audio.transcriptions.create(file=WAV, model=MODEL, response_format=chosen)
    server.plays(Answer(chunks=[{"task": "x"}]))
    with pytest.raises(ResponseDecodeError, match="no text"):
        await bound.audio.translations.create(file=WAV, model=MODEL)
    server.plays(Answer(chunks=[b"\xff\xfe"], content_type="text/plain"))
    with pytest.raises(ResponseDecodeError):
        await bound.audio.translations.create(file=WAV, model=MODEL, response_format="text")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"file": "speech.wav"}, "file"),
        ({"file": 3}, "file"),
        ({"file": io.StringIO("x")}, "file"),
        ({"file": ("notes.txt", b"hello")}, "file"),
        ({"file": b"\x89PNG\r\n\x1a\n"}, "file"),
        ({"file": ("a.amr", b"x")}, "file"),
        ({"file": ("a", b"x", "audio/wav", {}, 1)}, "file"),
        ({"file": Path("/nowhere/speech.wav")}, "file"),
        ({"response_format": "jsno"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"temperature": 2}, "temperature"),
        ({"lang": "en"}, "lang"),
    ],
    ids=str,
)
async def test_wrong_arguments(server: Loopback, bound: AsyncOneLLM, wrong: dict[str, Any], param: str) -> None:
    """What is wrong is said with its argument's name, before anything is sent."""
    with pytest.raises(InvalidRequestError) as caught:
        await bound.audio.transcriptions.create(**{"file": WAV, "model": MODEL, **wrong})
    assert caught.value.param == param
    assert param in str(caught.value)
    assert server.connections == 0


async def test_host_without_a_format(bound: AsyncOneLLM) -> None:
    """A format that a host lacks is refused; relaxed, the call goes out without it."""
    with pytest.raises(UnsupportedParameterError, match="srt"):
        await bound.audio.transcriptions.create(file=WAV, model="groq/whisper", response_format="srt")
    assert "translations" not in get_provider("mistral").operations  # type: ignore[attr-defined]


async def test_lists_without_brackets(server: Loopback, bound: AsyncOneLLM) -> None:
    """Mistral takes no response_format, names lists plainly, counts as in chat and has events of its own names."""
    server.plays(
        Answer(
            chunks=[{"text": "Hi", "usage": {"prompt_tokens": 4, "completion_tokens": 2, "prompt_audio_seconds": 7}}]
        )
    )
    reply = await bound.audio.transcriptions.create(
        file=WAV, model="mistral/voxtral", response_format="verbose_json", timestamp_granularities=["segment"]
    )
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.seconds) == (4, 2, 7)
    assert fields(server.requests[0]) == [("model", "voxtral"), ("timestamp_granularities", "segment")]
    server.plays(
        Answer(
            chunks=sse(
                {"type": "transcription.language", "audio_language": "en"},
                {"type": "transcription.text.delta", "text": "Hi"},
                {"type": "transcription.done", "text": "Hi", "usage": {"prompt_tokens": 1}},
            ),
            content_type=type_sse,
        )
    )
    stream = await bound.audio.transcriptions.create(file=WAV, model="mistral/voxtral", stream=True)
    assert (await stream.get_final_transcription()).text == "Hi"


async def test_speakers_that_are_known(server: Loopback, bound: AsyncOneLLM) -> None:
    """Mistral takes them as pairs in JSON, and tells speakers apart with them; a sound without a name is an error."""
    server.plays(Answer(chunks=[{"text": "Hi", "segments": []}]))
    ask: dict[str, Any] = {"file": WAV, "model": "mistral/voxtral", "known_speaker_references": ["data:,a", "data:,b"]}
    await bound.audio.transcriptions.create(**ask, known_speaker_names=["Ann", "Bob"])
    with pytest.raises(InvalidRequestError, match="as many names as sounds"):
        await bound.audio.transcriptions.create(**ask, known_speaker_names=["Ann"])
    (request,) = server.requests
    assert fields(request) == [
        ("model", "voxtral"),
        ("diarize", "true"),
        ("speaker_references", '{"Ann":"data:,a","Bob":"data:,b"}'),
    ]


async def test_speakers_are_asked_for_under_the_hosts_own_names(server: Loopback, bound: AsyncOneLLM) -> None:
    """Mistral has no format for them: what the format stands for is sent, and what comes has OpenAI's shape."""
    said = {"text": "Hi. Ho.", "start": 0.1, "end": 3.6, "speaker_id": "speaker_1", "type": "transcription_segment"}
    server.plays(Answer(chunks=[{"text": "Hi. Ho.", "language": None, "segments": [said]}]))
    reply = await bound.audio.transcriptions.create(
        file=WAV, model="mistral/voxtral", response_format="diarized_json", keywords=["Ho", "Hi"]
    )
    assert fields(server.requests[0]) == [
        ("model", "voxtral"),
        ("diarize", "true"),
        ("timestamp_granularities", "segment"),
        ("context_bias", "Ho"),
        ("context_bias", "Hi"),
    ]
    assert (reply.duration, reply.segments[0].speaker, reply.segments[0].id) == (3.6, "speaker_1", "0")
    verbose = await bound.audio.transcriptions.create(file=WAV, model="mistral/voxtral", response_format="verbose_json")
    assert fields(server.requests[1]) == [("model", "voxtral"), ("timestamp_granularities", "segment")]
    assert verbose.segments is not None
    assert (verbose.segments[0].speaker, verbose.segments[0].end, verbose.language) == ("speaker_1", 3.6, "")
    spoken = {"type": "transcription.segment", **{key: said[key] for key in ("text", "start", "end", "speaker_id")}}
    server.plays(Answer(chunks=sse(spoken, {"type": "transcription.done", "text": "Hi. Ho."}), content_type=type_sse))
    stream = await bound.audio.transcriptions.create(
        file=WAV, model="mistral/voxtral", response_format="diarized_json", stream=True
    )
    whole = await stream.get_final_transcription()
    assert isinstance(whole, TranscriptionDiarized)
    assert (whole.segments[0].speaker, whole.duration) == ("speaker_1", 3.6)
    assert ("diarize", "true") in fields(server.requests[2])


# --- speech ---


async def test_speech_is_read_as_it_comes(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """The answer is open: all at once, in pieces, or into a file."""
    server.plays(Answer(chunks=[b"ID3", b"audio", b"!"], content_type="audio/mpeg", headers={"x-request-id": "r"}))

    async def speak() -> Any:
        return await bound.audio.speech.create(model="gpt-4o-mini-tts", input="Hello", voice="alloy", speed=1.5)

    reply = await speak()
    assert (reply.content_type, reply.request_id, reply.provider) == ("audio/mpeg", "r", "openai")
    with pytest.raises(InvalidRequestError, match="read"):
        assert reply.content
    assert await reply.read() == await reply.read() == reply.content == b"ID3audio!"
    assert b"".join([piece async for piece in (await speak()).iter_bytes()]) == b"ID3audio!"
    assert [piece async for piece in (await speak()).iter_bytes(4)] == [b"ID3a", b"udio", b"!"]
    for name in ("write_to_file", "stream_to_file"):
        async with await speak() as reply:
            await getattr(reply, name)(tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"ID3audio!"
    with pytest.raises(InvalidRequestError, match="already"):
        await reply.read()
    assert server.requests[0].path == "/v1/audio/speech"
    assert server.requests[0].json == {"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy", "speed": 1.5}
    assert server.connections == 1


async def test_speech_begins_before_it_ends(server: Loopback, bound: AsyncOneLLM) -> None:
    """The first piece is there before the last has been sent; leaving closes the connection."""
    never = asyncio.Event()
    server.plays(Answer(chunks=[b"ID3", b"rest"], content_type="audio/mpeg", pause={1: never.wait}))
    async with await bound.audio.speech.create(model="tts-1", input="Hello", voice={"id": "voice_1"}) as reply:
        async for piece in reply.iter_bytes():
            assert piece == b"ID3"
            break
    await asyncio.wait_for(server.requests[0].gone.wait(), 5)
    assert server.requests[0].json["voice"] == {"id": "voice_1"}


async def test_cut_speech_is_an_error(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """Audio that breaks off is an error, and leaves no file."""
    server.plays(Answer(chunks=[b"ID3"], content_type="audio/mpeg", cut="close"))
    for read in ("read", "write_to_file"):
        reply = await bound.audio.speech.create(model="tts-1", input="Hello", voice="alloy")
        with pytest.raises(APIConnectionError) as caught:
            await (reply.read() if read == "read" else reply.write_to_file(tmp_path / "a.mp3"))
        assert caught.value.model == "tts-1"
    assert not os.listdir(tmp_path)  # noqa: PTH208 - a path would block in its own way


async def test_speech_events(server: Loopback, bound: AsyncOneLLM) -> None:
    """`stream_format="sse"` gives the audio in pieces, and the usage at the end."""
    events = [
        {"type": "speech.audio.delta", "audio": base64.b64encode(b"one").decode()},
        {"type": "speech.audio.delta", "audio": base64.b64encode(b"two").decode()},
        {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}},
    ]
    server.plays(Answer(chunks=sse(*events, done=False), content_type=type_sse))
    ask: dict[str, Any] = {"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy", "stream_format": "sse"}
    async with await bound.audio.speech.create(**ask) as stream:
        got = [event async for event in stream]
    assert [event.audio for event in got if isinstance(event, SpeechAudioDeltaEvent)] == [b"one", b"two"]
    last = got[-1]
    assert isinstance(last, SpeechAudioDoneEvent)
    assert last.usage is not None
    assert last.usage.total_tokens == 3
    assert server.requests[0].json["stream_format"] == "sse"
    stream = await bound.audio.speech.create(**ask)
    assert [piece async for piece in stream.audio()] == [b"one", b"two"]
    server.plays(Answer(chunks=sse(*events[:2], done=False), content_type=type_sse))
    stream = await bound.audio.speech.create(**ask)
    with pytest.raises(StreamInterruptedError):
        assert [event async for event in stream]
    server.plays(Answer(chunks=[b"ID3"], content_type="audio/mpeg"))
    with pytest.raises(UnsupportedFeatureError, match="audio/mpeg"):
        await bound.audio.speech.create(**ask)


async def test_speech_as_json(server: Loopback, bound: AsyncOneLLM) -> None:
    """Mistral answers with base64 in JSON and calls the voice voice_id: what comes out are bytes all the same."""
    server.plays(Answer(chunks=[{"audio_data": base64.b64encode(b"ID3").decode()}]))
    reply = await bound.audio.speech.create(model="mistral/voxtral-tts", input="Hi", voice="v")
    assert (await reply.read(), reply.content_type, reply.content_length) == (b"ID3", "audio/mpeg", 3)
    assert server.requests[0].json == {"model": "voxtral-tts", "input": "Hi", "voice_id": "v"}
    server.plays(
        Answer(
            chunks=sse(
                {"type": "speech.audio.delta", "audio_data": base64.b64encode(b"ID3").decode()},
                {"type": "speech.audio.done", "usage": {"prompt_tokens": 1, "total_tokens": 3}},
            ),
            content_type=type_sse,
        )
    )
    stream = await bound.audio.speech.create(model="mistral/voxtral-tts", input="Hi", voice=None, stream_format="sse")
    assert [piece async for piece in stream.audio()] == [b"ID3"]
    assert server.requests[1].json == {"model": "voxtral-tts", "input": "Hi", "stream": True}
    server.plays(Answer(chunks=[{"other": 1}]))
    with pytest.raises(ResponseDecodeError, match="audio_data"):
        await bound.audio.speech.create(model="mistral/voxtral-tts", input="Hi", voice="v")


async def test_default_format_is_the_same_everywhere(server: Loopback, bound: AsyncOneLLM) -> None:
    """OpenRouter's own default is pcm: mp3 is asked for, unless the caller asks otherwise."""
    server.plays(Answer(chunks=[b"ID3"], content_type="audio/mpeg"))
    for given, sent in ((None, "mp3"), ("pcm", "pcm")):
        reply = await bound.audio.speech.create(
            model="openrouter/openai/tts", input="Hi", voice="v", response_format=given
        )
        await reply.aclose()
        assert server.requests[-1].json["response_format"] == sent


async def test_error_in_place_of_audio(server: Loopback, bound: AsyncOneLLM) -> None:
    """A refusal is an exception, also inside a 200, and a failure before the first byte is tried again."""
    error = {"error": {"message": "no such voice", "type": "invalid_request_error"}}
    ask: dict[str, Any] = {"model": "tts-1", "input": "Hi", "voice": "v"}
    for status in (400, 200):
        server.plays(Answer(status=status, chunks=[error]))
        with pytest.raises(BadRequestError, match="no such voice"):
            await bound.audio.speech.create(**ask)
    server.plays(Answer(content_type="audio/mpeg", cut="reset"), Answer(chunks=[b"ok"], content_type="audio/mpeg"))
    assert await (await bound.audio.speech.create(**ask)).read() == b"ok"
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": "x" * 4097}, "input"),
        ({"voice": ""}, "voice"),
        ({"speed": 9}, "speed"),
        ({"stream_format": "ssee"}, "stream_format"),
        ({"model": ""}, "model"),
    ],
    ids=lambda given: json.dumps(given)[:30],
)
async def test_wrong_speech(server: Loopback, bound: AsyncOneLLM, wrong: dict[str, Any], param: str) -> None:
    """What is wrong is said with its argument's name, before anything is sent."""
    with pytest.raises(InvalidRequestError) as caught:
        await bound.audio.speech.create(**{"input": "Hi", "model": "tts-1", "voice": "alloy", **wrong})
    assert caught.value.param == param
    with pytest.raises(UnsupportedParameterError, match="mulaw"):
        await bound.audio.speech.create(input="Hi", model="tts-1", voice="alloy", response_format="mulaw")
    assert server.connections == 0
