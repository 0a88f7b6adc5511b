"""`onellm.image`, `audio` and `document`: parts of a message from whatever the caller has."""

import base64
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import unset_all
from loopback import Answer, Loopback

import onellm
from onellm import AsyncOneLLM, InvalidRequestError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
WAV = b"RIFF\x24\0\0\0WAVEfmt "
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3"
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/gif": b"GIF89a\1\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/heic": b"\0\0\0\x18ftypheic",
}
SOUNDS = {
    "wav": WAV,
    "mp3": b"ID3\4\0",
    "flac": b"fLaC\0",
    "ogg": b"OggS\0",
    "m4a": b"\0\0\0\x18ftypM4A ",
    "aac": b"\xff\xf1\x50",
    "webm": b"\x1a\x45\xdf\xa3",
}


def data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_known_by_its_bytes(kind: str, tmp_path: Path) -> None:
    """Whatever its name says: from bytes, a path, a path as text, and a data: URL of another type."""
    content = IMAGES[kind]
    path = tmp_path / "wrong.jpg"
    path.write_bytes(content)
    expected = {"type": "image_url", "image_url": {"url": data_url(kind, content)}}
    for source in (content, bytearray(content), memoryview(content), path, str(path), data_url("image/bmp", content)):
        assert onellm.image(source) == expected


@pytest.mark.parametrize("url", ["https://h.example/cat.png?x=1", "http://h.example/cat", "gs://bucket/cat.png"])
def test_an_address_is_passed_on(url: str) -> None:
    assert onellm.image(url, detail="low") == {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


@pytest.mark.parametrize("format_", SOUNDS)
def test_sound_is_known_by_its_bytes(format_: str, tmp_path: Path) -> None:
    content = SOUNDS[format_]
    path = tmp_path / "sound.bin"
    path.write_bytes(content)
    data = base64.b64encode(content).decode()
    expected = {"type": "input_audio", "input_audio": {"data": data, "format": format_}}
    assert onellm.audio(content) == onellm.audio(path) == onellm.audio(data_url("audio/x", content)) == expected


DOCUMENTS: dict[str, tuple[str, bytes, str]] = {
    "a pdf": ("report.pdf", PDF, "application/pdf"),
    "a pdf under another name": ("report.txt", PDF, "application/pdf"),
    "a table": ("table.csv", b"a,b\n1,2\n", "text/csv"),
    "a text": ("notes", "Grüße".encode(), "text/plain"),
    "a text that says to be a pdf": ("notes.pdf", b"Hello", "text/plain"),
    "a docx": (
        "letter.docx",
        b"PK\x03\x04\x14\0",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_is_known_by_its_bytes(case: str, tmp_path: Path) -> None:
    name, content, kind = DOCUMENTS[case]
    path = tmp_path / name
    path.write_bytes(content)
    expected = {"type": "file", "file": {"file_data": data_url(kind, content), "filename": name}}
    assert onellm.document(path) == onellm.document(content, filename=name) == expected


def test_a_document_without_a_name_gets_one() -> None:
    assert onellm.document(PDF)["file"].get("filename") == "document.pdf"
    assert onellm.document("data:,Hello")["file"] == {
        "file_data": data_url("text/plain", b"Hello"),
        "filename": "document.txt",
    }


def test_what_the_provider_keeps_is_named() -> None:
    assert onellm.document(file_id="file-1") == {"type": "file", "file": {"file_id": "file-1"}}
    assert onellm.document("gs://bucket/x.pdf") == {"type": "file", "file": {"file_id": "gs://bucket/x.pdf"}}
    assert onellm.image(file_id="file-1") == {"type": "file", "file": {"file_id": "file-1", "filename": "image.png"}}
    assert onellm.document("https://h.example/a/report.pdf?x=1")["file"] == {
        "file_data": "https://h.example/a/report.pdf?x=1",
        "filename": "report.pdf",
    }


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no such file": (lambda: onellm.image("/no/such/file.png"), r"image: '/no/such/file.png' cannot be read: No such"),
    "a folder": (lambda: onellm.document("/"), r"document: '/' cannot be read"),
    "no path": (lambda: onellm.image("a\0b"), r"image: 'a\\x00b' cannot be read"),
    "a document as an image": (lambda: onellm.image(PDF), r"image: its first bytes are those of application/pdf"),
    "a text as an image": (lambda: onellm.image(b"hello"), r"image: its first bytes are of no type"),
    "an image as sound": (lambda: onellm.audio(PNG), r"audio: its first bytes are those of image/png"),
    "an image as a document": (lambda: onellm.document(PNG), r"document: its first bytes are those of image/png"),
    "binary as a document": (lambda: onellm.document(b"\xff\0\1"), r"document: its first bytes are of no type"),
    "a zip as a document": (lambda: onellm.document(b"PK\x03\x04\0"), r"document: its first bytes are of no type"),
    "sound by its address": (lambda: onellm.audio("https://h.example/a.wav"), r"audio: a URL is not fetched here"),
    "nothing in it": (lambda: onellm.image(b""), r"image: it is empty"),
    "too many bytes": (lambda: onellm.image(PNG, max_bytes=4), r"image: 16 bytes is more than max_bytes=4"),
    "no data: URL": (lambda: onellm.image("data:image/png;base64"), r"image: not a data: URL: it has no comma"),
    "no base64": (lambda: onellm.image("data:image/png;base64,%%"), r"image: not a data: URL"),
    "two sources": (lambda: onellm.document(PDF, file_id="file-1"), r"give a source or a file_id, not both"),
    "an empty id": (lambda: onellm.document(file_id=""), r"file_id is empty"),
    "none at all": (onellm.document, r"document: give a path, bytes or a URL, not NoneType"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    call, words = WRONG[case]
    with pytest.raises(InvalidRequestError, match=words):
        call()


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    with pytest.raises(InvalidRequestError, match=r"more than max_bytes=1000; make it smaller, or upload it"):
        onellm.image(path, max_bytes=1000)


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[{"choices": [{"message": {"content": "A cat"}, "finish_reason": "stop"}]}]))
        yield loopback


async def test_the_parts_go_out_as_they_are(host: Loopback) -> None:
    parts: list[Any] = [onellm.image(PNG), onellm.audio(WAV), onellm.document(PDF)]
    async with AsyncOneLLM(api_key="k", base_url=host.url) as client:
        await client.chat.completions.create(model="openai/m", messages=[{"role": "user", "content": parts}])
    assert host.requests[0].json["messages"] == [{"role": "user", "content": parts}]


def test_they_are_loaded_when_they_are_asked_for() -> None:
    code = "import sys; from onellm import AsyncOneLLM; AsyncOneLLM(); print('onellm.resources.media' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert done.stdout.strip() == "False"
