"""Each namespace of the blocking client: what is sent, and what comes of the answer."""

import base64
from pathlib import Path
from typing import Any

import pytest
from forms import fields, files
from loopback import Answer, streamed
from threaded import Provider
from wire import completions as completions_wire
from wire.moderations import OPENAI as MODERATION
from wire.ocr import WHOLE as PAGES
from wire.rerank import ANSWERS as RERANKED
from wire.rerank import DOCUMENTS, QUERY
from wire.responses import STREAM as RESPONSE_STREAM
from wire.responses import WHOLE as RESPONSE

from onellm import (
    APIConnectionError,
    BinaryResponse,
    CompletionStream,
    ImageStream,
    InvalidRequestError,
    OneLLM,
    ResponseStream,
    SpeechResponse,
    SpeechStream,
    TranscriptionStream,
)

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
PNG = b"\x89PNG\r\n\x1a\n"
B64 = base64.b64encode(PNG).decode()
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
TRANSCRIBED = [
    {"type": "transcript.text.delta", "delta": "Hello"},
    {"type": "transcript.text.delta", "delta": " there."},
    {"type": "transcript.text.done", "text": "Hello there."},
]
SPOKEN = [
    {"type": "speech.audio.delta", "audio": base64.b64encode(b"one").decode()},
    {"type": "speech.audio.delta", "audio": base64.b64encode(b"two").decode()},
    {"type": "speech.audio.done", "usage": USAGE},
]
DRAWN = {"b64_json": B64, "created_at": 1, "size": "1024x1024", "quality": "low", "output_format": "png"}
DRAWING = [
    {"type": "image_generation.partial_image", "partial_image_index": 0, **DRAWN},
    {"type": "image_generation.completed", "usage": USAGE, **DRAWN},
]
AUDIO = Answer(chunks=[b"ID3", b"-and-", b"more"], content_type="audio/mpeg")


def test_completions(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(chunks=[completions_wire.WHOLE]))
    reply = client.completions.create(model="m", prompt="Once", max_tokens=5)
    assert reply.choices[0].text == completions_wire.WHOLE["choices"][0]["text"]
    (request,) = provider.loopback.requests
    assert (request.path, request.json) == ("/v1/completions", {"model": "m", "prompt": "Once", "max_tokens": 5})


def test_streamed_completions(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(streamed(completions_wire.chunk("Once "), completions_wire.chunk("more", "stop")))
    with client.completions.create(model="m", prompt="Say", stream=True) as stream:
        assert isinstance(stream, CompletionStream)
        assert list(stream.text()) == ["Once ", "more"]
        assert stream.get_final_completion().choices[0].text == "Once more"
    assert provider.loopback.requests[0].json["stream"] is True


@pytest.mark.parametrize("kind", ["transcriptions", "translations"])
def test_transcriptions_and_translations(provider: Provider, client: OneLLM, kind: str) -> None:
    """A file goes out as a form; a format that is text comes back as a str."""
    provider.loopback.plays(Answer(chunks=[{"text": "Hello"}]), Answer(chunks=[b"Hi\n"], content_type="text/plain"))
    create: Any = getattr(client.audio, kind).create
    assert create(model="whisper-1", file=("a.wav", WAV), temperature=0.5).text == "Hello"
    first = provider.loopback.requests[0]
    assert first.path == f"/v1/audio/{kind}"
    assert set(fields(first)) >= {("model", "whisper-1"), ("temperature", "0.5")}
    assert files(first) == [("file", "a.wav", "audio/wav", WAV)]
    text = create(model="whisper-1", file=("a.wav", WAV), response_format="text")
    assert type(text) is str
    assert text.strip() == "Hi"


def test_streamed_transcriptions(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(streamed(*TRANSCRIBED, done=False))
    with client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", WAV), stream=True) as stream:
        assert isinstance(stream, TranscriptionStream)
        assert list(stream.text()) == ["Hello", " there."]
        assert stream.get_final_transcription().text == "Hello there."
    assert ("stream", "true") in fields(provider.loopback.requests[0])


def test_speech_is_read_whole(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(AUDIO)
    with client.audio.speech.create(model="tts-1", input="Hello", voice="alloy") as reply:
        assert isinstance(reply, SpeechResponse)
        assert (reply.provider, reply.content_type, reply.adjustments) == ("openai", "audio/mpeg", ())
        with pytest.raises(InvalidRequestError, match=r"call `read\(\)` first"):
            _ = reply.content
        assert reply.read() == reply.read() == reply.content == b"ID3-and-more"
        assert b"".join(reply.iter_bytes()) == b"ID3-and-more"
    assert repr(reply).startswith("SpeechResponse(provider='openai', content_type='audio/mpeg'")
    request = provider.loopback.requests[0]
    assert request.path == "/v1/audio/speech"
    assert {name: request.json[name] for name in ("model", "input", "voice")} == {
        "model": "tts-1",
        "input": "Hello",
        "voice": "alloy",
    }


def test_speech_in_pieces_and_in_a_file(provider: Provider, client: OneLLM, tmp_path: Path) -> None:
    provider.loopback.plays(AUDIO)
    ask: dict[str, Any] = {"model": "tts-1", "input": "Hello", "voice": "alloy"}
    pieces = client.audio.speech.create(**ask).iter_bytes(chunk_size=5)
    assert list(pieces) == [b"ID3-a", b"nd-mo", b"re"]
    client.audio.speech.create(**ask).write_to_file(tmp_path / "hello.mp3")
    client.audio.speech.create(**ask).stream_to_file(str(tmp_path / "again.mp3"))
    assert [(tmp_path / name).read_bytes() for name in ("hello.mp3", "again.mp3")] == [b"ID3-and-more"] * 2


@pytest.mark.parametrize("how", ["leave", "close", "close_now", "break", "forget"])
def test_leaving_speech_closes_the_connection(provider: Provider, client: OneLLM, how: str) -> None:
    provider.loopback.plays(Answer(chunks=[b"ID3"], content_type="audio/mpeg", cut="stall"))
    reply = client.audio.speech.create(model="tts-1", input="Hello", voice="alloy")
    if how == "leave":
        with reply:
            pass
    elif how == "break":
        for piece in reply.iter_bytes():
            assert piece == b"ID3"
            break
    elif how == "forget":
        del reply
    else:
        getattr(reply, how)()
    provider.gone()


def test_cut_speech_is_an_error_and_leaves_no_file(provider: Provider, client: OneLLM, tmp_path: Path) -> None:
    provider.loopback.plays(Answer(chunks=[b"ID3"], content_type="audio/mpeg", length=100, cut="close"))
    reply = client.audio.speech.create(model="tts-1", input="Hello", voice="alloy", max_retries=0)
    with pytest.raises(APIConnectionError):
        reply.write_to_file(tmp_path / "hello.mp3")
    assert list(tmp_path.glob("*.mp3")) == []


def test_speech_as_events(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(streamed(*SPOKEN, done=False))
    with client.audio.speech.create(model="tts-2", input="Hi", voice="alloy", stream_format="sse") as stream:
        assert isinstance(stream, SpeechStream)
        assert list(stream.audio()) == [b"one", b"two"]
        usage = stream.get_final().usage
    assert usage is not None
    assert usage.total_tokens == 3
    assert provider.loopback.requests[0].json["stream_format"] == "sse"


def test_images(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(chunks=[{"created": 1, "data": [{"b64_json": B64}]}]))
    made = client.images.generate(model="gpt-image-1", prompt="a cat", n=1)
    changed = client.images.edit(model="gpt-image-1", image=("cat.png", PNG), prompt="a hat")
    varied = client.images.create_variation(model="dall-e-2", image=("cat.png", PNG))
    assert [reply.data[0].content for reply in (made, changed, varied)] == [PNG] * 3
    first, second, third = provider.loopback.requests
    assert (first.path, first.json["prompt"], first.json["n"]) == ("/v1/images/generations", "a cat", 1)
    assert (second.path, files(second)) == ("/v1/images/edits", [("image", "cat.png", "image/png", PNG)])
    assert (third.path, fields(third)) == ("/v1/images/variations", [("model", "dall-e-2")])


def test_streamed_images(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(streamed(*DRAWING, done=False))
    with client.images.generate(model="gpt-image-1", prompt="a cat", partial_images=1, stream=True) as stream:
        assert isinstance(stream, ImageStream)
        assert [event.type for event in stream] == [event["type"] for event in DRAWING]
        assert stream.get_final_images().data[0].content == PNG
    assert provider.loopback.requests[0].json["stream"] is True


def test_moderations(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(chunks=[MODERATION]))
    assert client.moderations.create(model="omni-moderation-latest", input="I want to kill them.").results[0].flagged
    (request,) = provider.loopback.requests
    assert (request.path, request.json["input"]) == ("/v1/moderations", "I want to kill them.")


def test_rerank(provider: Provider) -> None:
    provider.loopback.plays(Answer(chunks=[RERANKED["cohere-like"]]))
    row = {"api_key": "k", "base_url": f"{provider.loopback.url}/v1"}
    with OneLLM(providers={"openrouter": row}) as client:
        reply = client.rerank.create(model="openrouter/voyageai/rerank", query=QUERY, documents=DOCUMENTS)
    assert reply.results[0].index == 1
    (request,) = provider.loopback.requests
    assert (request.json["query"], request.json["documents"]) == (QUERY, DOCUMENTS)


def test_ocr(provider: Provider) -> None:
    provider.loopback.plays(Answer(chunks=[PAGES]))
    row = {"api_key": "k", "base_url": f"{provider.loopback.url}/v1"}
    with OneLLM(providers={"mistral": row}) as client:
        reply = client.ocr.create(model="mistral/mistral-ocr-latest", document="https://x/a.pdf", pages=[0])
    assert reply.pages[0].index == 0
    (request,) = provider.loopback.requests
    assert (request.path, request.json["pages"]) == ("/v1/ocr", [0])


def test_a_binary_answer_is_of_its_own_class() -> None:
    """What `files.content` gives and what speech is have the same methods."""
    names = {name for name in dir(BinaryResponse) if not name.startswith("_")}
    assert {name for name in dir(SpeechResponse) if not name.startswith("_")} == names


def test_responses(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(chunks=[RESPONSE]))
    reply = client.responses.create(model="m", input="Hi")
    assert reply.output_text == "Grüße, 🌊!"
    assert client.responses.retrieve("resp_1").to_dict() == RESPONSE
    provider.loopback.plays(Answer(chunks=[{"data": [reply.output[1].to_dict()], "has_more": False}]))
    assert [item.id for item in client.responses.input_items.list("resp_1")] == ["msg_1"]
    assert [(request.method, request.path) for request in provider.loopback.requests] == [
        ("POST", "/v1/responses"),
        ("GET", "/v1/responses/resp_1"),
        ("GET", "/v1/responses/resp_1/input_items"),
    ]


def test_streamed_responses(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(streamed(*RESPONSE_STREAM))
    with client.responses.create(model="m", input="Hi", stream=True) as stream:
        assert isinstance(stream, ResponseStream)
        assert "".join(stream.text()) == "Grüße, 🌊!"
        assert stream.get_final_response().id == "resp_1"
