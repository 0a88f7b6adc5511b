"""Forms over a real socket: what arrives, what is held in memory, what is sent again."""

import asyncio
import contextlib
import io
import os
import resource
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, Any

import pytest
from forms import parts
from loopback import Answer, Loopback

from onellm.errors import APIConnectionError, APITimeoutError, InvalidRequestError
from onellm.transport.http import HttpTransport
from onellm.types.files import Form, InputFile, Source, input_file
from onellm.types.options import HttpOptions, Timeouts

Post = Callable[..., Awaitable[Any]]


def form(source: Source, **fields: str) -> Form:
    file = InputFile(filename="a.wav", content_type="audio/wav", source=source)
    return Form(fields=tuple(fields.items()), files=(("file", file),))


async def post(server: Loopback, body: Form, timeouts: Timeouts | None = None) -> int:
    transport = HttpTransport(HttpOptions())
    try:
        answer = await transport.request(
            "POST", f"{server.url}/v1", headers={"Content-Type": "wrong"}, body=body, timeouts=timeouts or Timeouts()
        )
    finally:
        await transport.aclose()
    return answer.status


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


class Unseekable(io.RawIOBase):
    """A file like a pipe: it can be read once."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(size)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[b"{}"]))
        yield loopback


async def test_fields_then_files_with_length(server: Loopback) -> None:
    """A form of known size has a Content-Length, its fields come first, and each part is as RFC 7578 has it."""
    assert await post(server, form(b"RIFF", model="m", prompt="zwei\r\nZeilen")) == 200
    request = server.requests[0]
    assert int(request.headers["content-length"]) == len(request.body)
    assert "transfer-encoding" not in request.headers
    assert parts(request) == [
        ({"content-disposition": 'form-data; name="model"'}, b"m"),
        ({"content-disposition": 'form-data; name="prompt"'}, b"zwei\r\nZeilen"),
        (
            {
                "content-disposition": 'form-data; name="file"; filename="a.wav"',
                "content-type": "audio/wav",
            },
            b"RIFF",
        ),
    ]


async def test_names_are_utf8_and_escaped(server: Loopback) -> None:
    """File names go out in UTF-8, with quotes and line ends escaped as browsers do."""
    file = InputFile(filename='Gespräch "1"\r\n.wav', content_type="audio/wav", source=b"x", headers={"X-A": "b"})
    await post(server, Form(files=(("file", file),)))
    head = server.requests[0].body.partition(b"\r\n\r\n")[0].decode()
    assert 'filename="Gespräch %221%22%0D%0A.wav"' in head
    assert "X-A: b" in head


async def test_header_with_line_end_is_refused(server: Loopback) -> None:
    """A header of a part cannot smuggle in another one."""
    file = InputFile(filename="a", content_type="a\r\nX-Evil: 1", source=b"x")
    with pytest.raises(InvalidRequestError, match="line end"):
        await post(server, Form(files=(("file", file),)))
    assert server.requests == []


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 524_288, 1_500_000])
async def test_every_source_sends_its_bytes(server: Loopback, tmp_path: Path, size: int) -> None:
    """Bytes, paths, files, pipes and asynchronous pieces arrive whole, whatever their size."""
    content = os.urandom(size)
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with path.open("rb") as file:
        file.seek(min(size, 3))  # a file is sent from its start
        known: list[Source] = [content, bytearray(content), memoryview(content), path, file, io.BytesIO(content)]
        for source in known:
            await post(server, form(source))
    for unknown in (Unseekable(content), pieces(b"", content[:100], content[100:])):
        await post(server, form(input_file(unknown, "file").source))
    for request in server.requests:
        assert parts(request)[0][1] == content
    assert ["content-length" in request.headers for request in server.requests] == [True] * 6 + [False] * 2


async def test_missing_file_is_refused_before_anything_is_sent(server: Loopback, tmp_path: Path) -> None:
    """A path that is not there, a directory and a closed file are errors that name the argument."""
    closed = (tmp_path / "closed").open("wb")
    closed.close()
    for source in (tmp_path / "nothing.wav", tmp_path, closed):
        with pytest.raises(InvalidRequestError, match=r"^file: ") as caught:
            await post(server, form(source))
        assert caught.value.param == "file"
    assert server.connections == 0


async def test_text_where_bytes_are_needed(server: Loopback) -> None:
    """A source that turns out to give text is the caller's error, not a connection's."""

    async def texts() -> AsyncIterator[Any]:
        yield "text"

    with pytest.raises(InvalidRequestError, match="str where bytes are needed"):
        await post(server, form(input_file(texts(), "file").source))


async def test_failing_source_raises_its_own_error(server: Loopback) -> None:
    """What the caller's own iterator raises reaches the caller as it is."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        await post(server, form(input_file(failing(), "file").source))


async def test_file_that_shrinks_is_an_error(server: Loopback, tmp_path: Path) -> None:
    """A file that becomes shorter after its length was announced is a connection error, and may be tried again."""
    path = tmp_path / "a.wav"

    class Shrinking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 10)) if self.tell() < 10 else b""

    path.write_bytes(b"")
    with pytest.raises(APIConnectionError, match="shorter") as caught:
        await post(server, form(Shrinking(b"x" * 100)))
    assert caught.value.retryable


async def test_sources_that_can_be_read_again_are_sent_again(server: Loopback, tmp_path: Path) -> None:
    """The same form goes out twice alike; one with a source that is spent says that it cannot."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    for body in (form(path), form(io.BytesIO(b"RIFF")), form(b"RIFF")):
        for _ in range(2):
            await post(server, body)
        assert body.repeatable
    assert {parts(request)[0][1] for request in server.requests} == {b"RIFF"}
    for once in (pieces(b"x"), Unseekable(b"x")):
        body = form(input_file(once, "file").source)
        assert body.repeatable
        await post(server, body)
        assert not body.repeatable


async def test_files_are_closed_on_every_path(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent, refused while sending, reset, cancelled: the file that was opened is closed."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * 3_000_000)
    opened: list[IO[bytes]] = []

    def spy(*args: Any, **kwargs: Any) -> IO[bytes]:
        opened.append(open(*args, **kwargs))  # noqa: PTH123, SIM115 - what is looked at is whether it is closed
        return opened[-1]

    monkeypatch.setattr("onellm.transport.multipart.open", spy, raising=False)
    await post(server, form(path))
    server.plays(Answer(cut="reset"))
    with pytest.raises(APIConnectionError):
        await post(server, form(path))
    with path.open("r+b") as grown:
        grown.truncate(64 << 20)
    arrived, done = asyncio.Event(), asyncio.Event()

    async def read_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await done.wait()
        writer.close()

    async with await asyncio.start_server(read_little, "127.0.0.1", 0) as stuck:
        loopback = Loopback()
        loopback._server = stuck
        sending = asyncio.create_task(post(loopback, form(path)))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        done.set()
    assert [file.closed for file in opened] == [True, True, True]
    with pytest.raises(InvalidRequestError):
        await post(server, Form(files=(*form(path).files, *form(tmp_path / "nothing").files)))
    assert opened[-1].closed


async def test_answer_before_the_end_of_an_upload(tmp_path: Path) -> None:
    """A server that has seen enough may refuse while the file is still going out: that is the answer."""
    path = tmp_path / "a.wav"
    with path.open("wb") as grown:
        grown.truncate(64 << 20)
    done = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 20):
                pass
        writer.close()
        done.set()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        loopback = Loopback()
        loopback._server = server
        assert await post(loopback, form(path)) == 413
        await done.wait()


async def test_slow_upload_is_not_a_late_answer(server: Loopback) -> None:
    """Each piece that goes out begins the wait for the answer anew; a source that stalls runs into it."""
    paused = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(paused.wait(), 0.06)
            yield b"x" * 70_000

    assert await post(server, form(input_file(slow(), "file").source), Timeouts(first_byte=0.15)) == 200

    async def stalling() -> AsyncIterator[bytes]:
        yield b"x"
        await paused.wait()

    with pytest.raises(APITimeoutError, match="first_byte"):
        await post(server, form(input_file(stalling(), "file").source), Timeouts(first_byte=0.05))


async def test_large_file_is_never_in_memory() -> None:
    """256 MiB of a sparse file over loopback add less than 32 MiB to the process."""
    received = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while received < length:
            received += len(await reader.read(1 << 18))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    loopback = Loopback()
    with tempfile.TemporaryFile() as sparse:
        sparse.truncate(256 << 20)
        async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
            loopback._server = server
            await post(loopback, form(sparse))  # once before: imports, buffers
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            received = 0
            await post(loopback, form(sparse))
    assert received > 256 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
