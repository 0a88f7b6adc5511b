"""Every row that serves images, over a real socket."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM
from onellm.errors import BadRequestError, RateLimitError, StreamInterruptedError
from onellm.providers.compatible import ROWS

PNG = b"\x89PNG\r\n\x1a\n-pixels"
B64 = base64.b64encode(PNG).decode()


def rows(operation: str) -> list[str]:
    return sorted(name for name, row in ROWS.items() if operation in row.operations)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[{"created": 1, "data": [{"b64_json": B64}]}]))
        yield loopback


def client(server: Loopback, name: str, **more: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": "sk-contract", "base_url": f"{server.url}/base"}}, **more)


@pytest.mark.parametrize("name", rows("images"))
async def test_generate(server: Loopback, name: str) -> None:
    """A prompt goes out as JSON at the host's path, with its key; an image comes back."""
    async with client(server, name) as bound:
        reply = await bound.images.generate(prompt="a cat", model=f"{name}/m", n=1)
    assert (reply.provider, reply.data[0].content) == (name, PNG)
    dialect: Any = ROWS[name].images
    request = server.requests[0]
    assert (request.path, request.headers["authorization"]) == (f"/base/{dialect.path}", "Bearer sk-contract")
    assert request.json == {"model": "m", "prompt": "a cat", "n": 1}


@pytest.mark.parametrize("name", rows("images"))
async def test_stream(server: Loopback, name: str) -> None:
    """The folded stream has the finished image; without it the stream is cut."""
    events = [
        {"type": "image_generation.partial_image", "b64_json": B64, "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": B64},
    ]
    async with client(server, name) as bound:
        server.plays(Answer(chunks=sse(*events, done=False), content_type=type_sse))
        stream = await bound.images.generate(prompt="a cat", model=f"{name}/m", stream=True)
        assert (await stream.get_final_images()).data[0].content == PNG
        assert server.requests[-1].json["stream"] is True
        server.plays(Answer(chunks=sse(*events[:1]), content_type=type_sse))
        stream = await bound.images.generate(prompt="a cat", model=f"{name}/m", stream=True)
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_images()


@pytest.mark.parametrize("name", rows("images"))
async def test_refusals(server: Loopback, name: str) -> None:
    """A 400 is final; a 429 is tried again."""
    with stamina.set_testing(True, attempts=100, cap=True):
        async with client(server, name, max_retries=1) as bound:
            for status, error, count in ((400, BadRequestError, 1), (429, RateLimitError, 3)):
                server.plays(Answer(status=status, chunks=[{"error": {"message": "no"}}]))
                with pytest.raises(error):
                    await bound.images.generate(prompt="a cat", model=f"{name}/m")
                assert len(server.requests) == count


@pytest.mark.parametrize("name", rows("image_edits"))
async def test_edit(server: Loopback, name: str) -> None:
    """Images go out in a form, or in JSON where the host wants them so."""
    async with client(server, name) as bound:
        reply = await bound.images.edit(prompt="a hat", image=[("a.png", PNG), PNG], model=f"{name}/m")
    assert reply.data[0].content == PNG
    dialect: Any = ROWS[name].image_edits
    request = server.requests[0]
    assert request.path == f"/base/{dialect.path}"
    if dialect.inline:
        assert [image["url"] for image in request.json["images"]] == [f"data:image/png;base64,{B64}"] * 2
    else:
        assert fields(request) == [("model", "m"), ("prompt", "a hat")]
        assert files(request) == [
            ("image[]", "a.png", "image/png", PNG),
            ("image[]", "upload.png", "image/png", PNG),
        ]


@pytest.mark.parametrize("name", rows("image_variations"))
async def test_variation(server: Loopback, name: str) -> None:
    """One image goes out, without a prompt."""
    async with client(server, name) as bound:
        reply = await bound.images.create_variation(image=PNG, model=f"{name}/m")
    assert reply.data[0].content == PNG
    assert fields(server.requests[0]) == [("model", "m")]
    assert files(server.requests[0]) == [("image", "upload.png", "image/png", PNG)]
