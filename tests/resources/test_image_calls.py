"""`client.images` over a real socket: what is sent, and what comes of the answer."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM
from onellm.errors import (
    ContentFilterError,
    InternalServerError,
    InvalidRequestError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.types.images import Image, ImageCompletedEvent, ImagePartialEvent

PNG = b"\x89PNG\r\n\x1a\n-pixels"
B64 = base64.b64encode(PNG).decode()
MODEL = "gpt-image-2"
USAGE = {
    "input_tokens": 50,
    "output_tokens": 50,
    "total_tokens": 100,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
IMAGES: dict[str, Any] = {
    "created": 1713833628,
    "data": [{"b64_json": B64}],
    "background": "opaque",
    "output_format": "png",
    "size": "1024x1024",
    "quality": "high",
    "usage": USAGE,
}


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "b64_json": B64, "created_at": 1, "size": "1024x1024", "output_format": "png", **more}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[IMAGES]))
        yield loopback


@pytest.fixture
async def bound(server: Loopback) -> AsyncIterator[AsyncOneLLM]:
    own = {"api_key": "k", "base_url": server.url}
    with stamina.set_testing(True, attempts=100, cap=True):
        async with AsyncOneLLM(
            api_key="k", base_url=f"{server.url}/v1", providers={"together": own, "xai": own, "openrouter": own}
        ) as made:
            yield made


async def test_generate(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """A prompt goes out as JSON; an image that comes back can be decoded and saved."""
    reply = await bound.images.generate(
        model=MODEL, prompt="a cat", n=1, size="1536x1024", quality="high", extra_body={"seed": 1}
    )
    assert server.requests[0].path == "/v1/images/generations"
    assert server.requests[0].json == {
        "model": MODEL,
        "prompt": "a cat",
        "n": 1,
        "size": "1536x1024",
        "quality": "high",
        "seed": 1,
    }
    assert (reply.provider, reply.created, reply.size) == ("openai", 1713833628, "1024x1024")
    assert reply.usage is not None
    assert reply.usage.input_tokens_details is not None
    assert reply.usage.input_tokens_details.image_tokens == 40
    reply.data[0].save(tmp_path / "cat.png")
    reply.data[0].save(str(tmp_path / "cat2.png"))
    assert (tmp_path / "cat.png").read_bytes() == (tmp_path / "cat2.png").read_bytes() == PNG


def test_image_at_a_url_is_not_downloaded(tmp_path: Path) -> None:
    """Only a URL of the image itself, with its data in it, can be decoded."""
    assert Image(url=f"data:image/png;base64,{B64}").content == PNG
    for image in (Image(url="https://example.com/cat.png"), Image()):
        with pytest.raises(UnsupportedFeatureError, match="b64_json"):
            image.save(tmp_path / "cat.png")
    with pytest.raises(ResponseDecodeError):
        assert Image(b64_json="!").content
    assert list(tmp_path.iterdir()) == []


async def test_edit_is_a_form(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """One image goes out as `image`, several as `image[]`, the mask beside them; names carry extensions."""
    path = tmp_path / "lotion.png"
    path.write_bytes(PNG)
    await bound.images.edit(model=MODEL, image=PNG, mask=("mask.png", PNG), prompt="a hat", n=2)
    assert fields(server.requests[0]) == [("model", MODEL), ("prompt", "a hat"), ("n", "2")]
    assert files(server.requests[0]) == [
        ("image", "upload.png", "image/png", PNG),
        ("mask", "mask.png", "image/png", PNG),
    ]
    with path.open("rb") as opened:
        await bound.images.edit(
            model=MODEL,
            image=[path, opened, io.BytesIO(PNG)],
            prompt="a basket",
            input_fidelity="high",
            markup=PNG,
            svg={"model": "m", "reasoning": {"effort": "low"}},
        )
    assert fields(server.requests[1])[2:] == [
        ("input_fidelity", "high"),
        ("svg[model]", "m"),
        ("svg[reasoning][effort]", "low"),
    ]
    assert [(field, name) for field, name, _, _ in files(server.requests[1])] == [
        ("image[]", "lotion.png"),
        ("image[]", "lotion.png"),
        ("image[]", "upload.png"),
        ("markup", "upload.png"),
    ]
    assert {request.path for request in server.requests} == {"/v1/images/edits"}


async def test_variation(server: Loopback, bound: AsyncOneLLM) -> None:
    """A variation needs no prompt."""
    reply = await bound.images.create_variation(model="dall-e-2", image=PNG, n=2, size="256x256")
    assert reply.data[0].content == PNG
    assert server.requests[0].path == "/v1/images/variations"
    assert fields(server.requests[0]) == [("model", "dall-e-2"), ("n", "2"), ("size", "256x256")]


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
async def test_stream(server: Loopback, bound: AsyncOneLLM, kind: str) -> None:
    """Unfinished images come before finished ones; the folded answer has the finished."""
    events = [
        event(f"{kind}.partial_image", partial_image_index=0),
        {"type": f"{kind}.new"},
        event(f"{kind}.completed", usage=USAGE),
    ]
    server.plays(Answer(chunks=sse(*events, done=False), content_type=type_sse))
    ask: dict[str, Any] = {"model": MODEL, "prompt": "a cat", "partial_images": 2, "stream": True}
    generate = bound.images.generate
    if kind == "image_edit":
        ask["image"] = PNG
        generate = bound.images.edit  # type: ignore[assignment]
    async with await generate(**ask) as stream:
        first, last = [event async for event in stream]
        final = await stream.get_final_images()
    assert isinstance(first, ImagePartialEvent)
    assert isinstance(last, ImageCompletedEvent)
    assert (first.type, first.image.content, last.type) == (f"{kind}.partial_image", PNG, f"{kind}.completed")
    assert (final.data[0].content, final.provider) == (PNG, "openai")
    assert final.usage is not None
    assert final.usage.total_tokens == 100
    sent = dict(fields(server.requests[0])) if kind == "image_edit" else server.requests[0].json
    assert (str(sent["stream"]).lower(), str(sent["partial_images"])) == ("true", "2")


async def test_stream_that_ends_early(server: Loopback, bound: AsyncOneLLM) -> None:
    """A stream with fewer finished images than asked for, or with an error in it, is an error."""
    partial = event("image_generation.partial_image", partial_image_index=0)
    completed = event("image_generation.completed")
    server.plays(Answer(chunks=sse(partial, completed, done=False), content_type=type_sse))
    stream = await bound.images.generate(model=MODEL, prompt="a cat", n=2, stream=True)
    with pytest.raises(StreamInterruptedError):
        await stream.get_final_images()
    server.plays(
        Answer(
            chunks=sse(partial, {"type": "error", "error": {"code": "moderation_blocked", "message": "no"}}),
            content_type=type_sse,
        )
    )
    stream = await bound.images.generate(model=MODEL, prompt="a cat", stream=True)
    with pytest.raises(ContentFilterError):
        await stream.get_final_images()


async def test_host_that_does_not_stream(server: Loopback, bound: AsyncOneLLM) -> None:
    """A whole answer to a streamed call is finished images."""
    stream = await bound.images.generate(model=MODEL, prompt="a cat", stream=True)
    assert [event.type for event in [event async for event in stream]] == ["image_generation.completed"]
    assert (await stream.get_final_images()).data[0].content == PNG
    assert len(server.requests) == 1


async def test_edit_is_sent_again(server: Loopback, bound: AsyncOneLLM) -> None:
    """Images are sent again whole; one that can be read once makes the first error final."""
    server.plays(Answer(status=503, chunks=[{}]), Answer(chunks=[IMAGES]))
    await bound.images.edit(model=MODEL, image=[io.BytesIO(PNG), PNG], prompt="a hat")
    assert [len(files(request)) for request in server.requests] == [2, 2]

    async def once() -> AsyncIterator[bytes]:
        yield PNG

    server.plays(Answer(status=503, chunks=[{}]), Answer(chunks=[IMAGES]))
    with pytest.raises(InternalServerError):
        await bound.images.edit(model=MODEL, image=("a.png", once()), prompt="a hat")
    assert len(server.requests) == 3


async def test_edit_as_json(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """xAI takes images in JSON: files of any kind become data URLs, and even those read once can be sent again."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    async def once() -> AsyncIterator[bytes]:
        yield PNG[:4]
        yield PNG[4:]

    server.plays(Answer(status=503, chunks=[{}]), Answer(chunks=[{"data": [{"url": "https://example.com/a.jpg"}]}]))
    reply = await bound.images.edit(model="xai/grok-imagine", image=("a.png", once()), prompt="a hat")
    assert reply.data[0].url == "https://example.com/a.jpg"
    one = {"type": "image_url", "url": f"data:image/png;base64,{B64}"}
    assert [request.json for request in server.requests] == [
        {"model": "grok-imagine", "prompt": "a hat", "image": one}
    ] * 2
    await bound.images.edit(model="xai/grok-imagine", image=[path, PNG, io.BytesIO(PNG)], prompt="a hat")
    assert server.requests[-1].json["images"] == [one] * 3
    with pytest.raises(UnsupportedParameterError, match="mask"):
        await bound.images.edit(model="xai/grok-imagine", image=PNG, mask=PNG, prompt="a hat")
    with pytest.raises(InvalidRequestError, match=r"^image: "):
        await bound.images.edit(model="xai/grok-imagine", image=tmp_path / "nothing.png", prompt="a hat")


async def test_spellings(server: Loopback, bound: AsyncOneLLM) -> None:
    """b64_json is base64 at Together, and what OpenAI does unasked; OpenRouter has a path of its own."""
    await bound.images.generate(model="together/flux", prompt="a cat", response_format="b64_json", n=20)
    assert server.requests[-1].json == {"model": "flux", "prompt": "a cat", "response_format": "base64", "n": 20}
    reply = await bound.images.generate(model=MODEL, prompt="a cat", response_format="b64_json")
    assert server.requests[-1].json == {"model": MODEL, "prompt": "a cat"}
    assert "response_format" in reply.adjustments[0]
    with pytest.raises(UnsupportedParameterError, match="url"):
        await bound.images.generate(model=MODEL, prompt="a cat", response_format="url")
    server.plays(Answer(chunks=[{"data": [{"b64_json": B64, "media_type": "image/webp"}]}]))
    routed = await bound.images.generate(model="openrouter/google/nano", prompt="a cat")
    assert (server.requests[-1].path, routed.data[0].media_type) == ("/images", "image/webp")


async def test_answer_without_images(server: Loopback, bound: AsyncOneLLM) -> None:
    """An error inside a 200 is raised; so is an answer that has no data."""
    server.plays(Answer(chunks=[{"error": {"message": "blocked", "code": "content_policy_violation"}}]))
    with pytest.raises(ContentFilterError, match="blocked"):
        await bound.images.generate(model=MODEL, prompt="a cat")
    server.plays(Answer(chunks=[{"created": 1}]))
    with pytest.raises(ResponseDecodeError):
        await bound.images.generate(model=MODEL, prompt="a cat")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"size": "big"}, "size"),
        ({"size": "0x100"}, "size"),
        ({"size": "4096x1024"}, "size"),
        ({"size": "3840x3840"}, "size"),
        ({"size": "1600x500"}, "size"),
        ({"partial_images": 4}, "partial_images"),
        ({"output_compression": 101}, "output_compression"),
        ({"response_format": "png"}, "response_format"),
        ({"image": []}, "image"),
        ({"image": [PNG] * 17}, "image"),
        ({"image": "cat.png"}, "image"),
        ({"image": [PNG, b"RIFF....WAVE"]}, "image"),
        ({"image": ("a.gif", b"GIF89a")}, "image"),
        ({"mask": PNG, "markup": PNG}, "markup"),
        ({"image": Path("/nowhere/cat.png")}, "image"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda given: str(given)[:30],
)
async def test_wrong_arguments(server: Loopback, bound: AsyncOneLLM, wrong: dict[str, Any], param: str) -> None:
    """What is wrong is said with its argument's name, before anything is sent."""
    with pytest.raises(InvalidRequestError) as caught:
        await bound.images.edit(**{"model": MODEL, "image": PNG, "prompt": "a hat", **wrong})
    assert caught.value.param == param
    assert param in str(caught.value)
    assert server.connections == 0


async def test_leaving_a_stream_closes_it(server: Loopback, bound: AsyncOneLLM) -> None:
    """Leaving early ends the connection there and then."""
    never = asyncio.Event()
    partial = event("image_generation.partial_image")
    server.plays(Answer(chunks=sse(partial, partial, done=False), content_type=type_sse, pause={1: never.wait}))
    async with await bound.images.generate(model=MODEL, prompt="a cat", stream=True) as stream:
        assert isinstance(await anext(stream), ImagePartialEvent)
    await asyncio.wait_for(server.requests[0].gone.wait(), 5)
