"""Audio and image dialects and files without a socket: bytes in, values out."""

import io
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm.dialects.form import encode_fields
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.dialects.openai.images import OpenAIImages
from onellm.errors import InvalidRequestError, ResponseDecodeError
from onellm.providers.compatible import ROWS
from onellm.types.audio import TranscriptionRequest, TranscriptionVerbose
from onellm.types.files import InputFile, OneShot, input_file, sniff
from onellm.types.images import ImageRequest

FILE = InputFile(filename="a.wav", content_type="audio/wav", source=b"RIFF")
HEADS = {
    "wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "mp3": b"ID3\x04",
    "flac": b"fLaC\x00",
    "ogg": b"OggS\x00",
    "m4a": b"\x00\x00\x00\x20ftypM4A \x00",
    "mp4": b"\x00\x00\x00\x20ftypisom\x00",
    "webm": b"\x1a\x45\xdf\xa3\x01",
    "png": b"\x89PNG\r\n\x1a\n\x00",
    "jpg": b"\xff\xd8\xff\xe0",
    "gif": b"GIF89a",
    "aac": b"\xff\xf1\x50",
}


def ask(**more: Any) -> TranscriptionRequest:
    return TranscriptionRequest(provider="p", model="m", file=FILE, params={}, **more)


@pytest.mark.parametrize("extension", HEADS)
def test_formats_are_told_by_their_first_bytes(extension: str) -> None:
    """Audio and images without a name get the one that their bytes stand for; a file object is left at its start."""
    head = HEADS[extension]
    assert sniff(head) == extension
    assert input_file(head, "file").filename == f"upload.{extension}"
    opened = io.BytesIO(head)
    opened.seek(3)
    assert input_file(opened, "file").filename == f"upload.{extension}"
    assert opened.tell() == 0


def test_names_and_types_of_files(tmp_path: Path) -> None:
    """A name comes from the tuple, the path or the open file; a type from the tuple or the name."""
    path = tmp_path / "Talk.MP3"
    path.write_bytes(b"ID3")
    found = input_file(path, "file", kind="audio")
    assert (found.filename, found.content_type, found.extension) == ("Talk.MP3", "audio/mpeg", "mp3")
    with path.open("rb") as opened:
        assert input_file(opened, "file").filename == "Talk.MP3"
        assert input_file((None, opened), "file").filename == "Talk.MP3"
    given = input_file(("notes.txt", b"x", "audio/wav", {"X-A": "b"}), "file", kind="audio")
    assert (given.content_type, given.headers) == ("audio/wav", {"X-A": "b"})
    unknown = input_file(b"what is this", "file", kind="audio")
    assert (unknown.filename, unknown.content_type) == ("upload", "application/octet-stream")
    assert input_file(("talk", HEADS["wav"]), "file", kind="audio").filename == "talk.wav"
    assert input_file(("talk", HEADS["wav"]), "file").filename == "talk"  # a file of any kind keeps its name
    with tempfile.TemporaryFile() as nameless:
        nameless.write(HEADS["flac"])
        assert input_file(nameless, "file").filename == "upload.flac"
    assert input_file(unknown, "file") is unknown


def test_what_can_be_read_once() -> None:
    """A source without a way back is wrapped, and says once it has begun."""

    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

    source = input_file(Pipe(), "file").source
    assert isinstance(source, OneShot)
    assert not source.begun
    with pytest.raises(InvalidRequestError, match=r"pathlib\.Path\('a\.wav'\)"):
        input_file("a.wav", "file")


def test_fields_of_a_form() -> None:
    """Lists are `a[]`, objects `a[b]`, bools are words, None is left out."""
    params = {"a": [1, "x"], "b": {"c": {"d": 0.5}}, "e": True, "f": None, "g": False}
    assert encode_fields(params) == (
        ("a[]", "1"),
        ("a[]", "x"),
        ("b[c][d]", "0.5"),
        ("e", "true"),
        ("g", "false"),
    )
    assert encode_fields({"a": [1, 2]}, brackets=False) == (("a", "1"), ("a", "2"))


def test_hosts_of_single_models() -> None:
    """Fireworks keeps each audio model at a host of its own, outside its base URL."""
    dialect: Any = ROWS["fireworks"].transcriptions
    at = dialect.encode_request(ask()).hosted_at
    turbo = ask()
    turbo.model = "whisper-v3-turbo"
    assert at.endswith(".fireworks.ai/v1/audio/transcriptions")
    assert dialect.encode_request(turbo).hosted_at.startswith("https://audio-turbo.")


def test_words_under_another_name() -> None:
    """xAI has the word in `text`."""
    body = b'{"text": "Hi", "duration": 1, "words": [{"text": "Hi", "start": 0, "end": 0.5}]}'
    reply = OpenAITranscriptions().decode_response(body, ask(format="verbose_json"))
    assert isinstance(reply, TranscriptionVerbose)
    assert reply.words is not None
    assert [(word.word, word.end) for word in reply.words] == [("Hi", 0.5)]


def test_fields_that_do_not_fit() -> None:
    """null, texts for numbers and objects for texts cost the field and not the answer."""
    body = b'{"text": "Hi", "duration": null, "language": {}, "segments": [{"id": "s1", "start": "0.5", "tokens": {}}]}'
    reply = OpenAITranscriptions().decode_response(body, ask(format="verbose_json"))
    assert isinstance(reply, TranscriptionVerbose)
    assert (reply.text, reply.duration, reply.segments and reply.segments[0].start) == ("Hi", 0.0, 0.5)
    for wrong in (b"", b"[]", b'"text"', b"<html>text</html>", b'{"text"'):
        with pytest.raises(ResponseDecodeError):
            OpenAITranscriptions().decode_response(wrong, ask())
        with pytest.raises(ResponseDecodeError):
            OpenAIImages().decode_response(wrong, ImageRequest(provider="p", model="m", params={}))


def stream(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


STREAM = b": ping\n\n" + stream(
    {"type": "transcript.text.delta", "delta": "Grüße"},
    {"type": "transcript.text.new"},
    {"type": "transcript.text.delta", "delta": " an alle"},
    {"type": "transcript.text.done", "text": "Grüße an alle", "usage": {"type": "tokens", "total_tokens": 3}},
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_where_the_chunks_are_cut_does_not_matter(cuts: list[int]) -> None:
    """A stream folds to the same events and the same whole, however it is cut."""
    places = [0, *sorted(cuts), len(STREAM)]
    reducer = OpenAITranscriptions().reducer(ask(), max_event_bytes=1 << 20)
    events = [event for start, end in pairwise(places) for event in reducer.feed(STREAM[start:end])]
    assert [event.type.rpartition(".")[2] for event in events] == ["delta", "delta", "done"]
    assert reducer.finished
    assert reducer.close().text == "Grüße an alle"


def test_event_that_is_too_large() -> None:
    """An event larger than allowed is an error, and not memory."""
    reducer = OpenAITranscriptions().reducer(ask(), max_event_bytes=100)
    reducer.feed(b"data: " + b"x" * 200)
    with pytest.raises(ResponseDecodeError):
        reducer.close()


def test_event_that_is_no_json() -> None:
    """What is not JSON in a stream is an error."""
    reducer = OpenAIImages().reducer(ImageRequest(provider="p", model="m", params={}), max_event_bytes=100)
    reducer.feed(b"data: {nonsense\n\n")
    with pytest.raises(ResponseDecodeError):
        reducer.close()
