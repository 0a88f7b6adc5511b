"""`ocr` over a real socket, with every row that serves it."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback
from served import KEY, client_for, every_row, every_row_without, only_request
from wire.ocr import CALL, WHOLE

from onellm import (
    AsyncOneLLM,
    BadRequestError,
    InvalidRequestError,
    RateLimitError,
    ResponseDecodeError,
    UnsupportedFeatureError,
)

PDF = b"%PDF-1.7\n..."
PNG = b"\x89PNG\r\n\x1a\n...."
AS_PDF = f"data:application/pdf;base64,{base64.b64encode(PDF).decode()}"
AS_PNG = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
URL = "https://example.com/a.pdf"


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with Loopback() as server:
        server.plays(Answer(chunks=[WHOLE], headers={"mistral-correlation-id": "r1"}))
        yield server


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    async with client_for("mistral", loopback) as bound:
        yield bound


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@every_row("ocr")
async def test_request_and_answer(name: str, loopback: Loopback) -> None:
    """Everything that was said goes out under its name, and comes back typed."""
    async with client_for(name, loopback) as client:
        reply = await client.ocr.create(model=f"{name}/reader", include_blocks=True, **CALL)
    request = only_request(loopback)
    assert (request.method, request.path) == ("POST", "/v1/ocr")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"model": "reader", "include_blocks": True, **CALL}
    assert reply.provider == name
    assert [page.index for page in reply.pages] == [0, 2]
    assert reply.markdown == "# A paper\n\n![img-0.jpeg](img-0.jpeg)\n\nThe end."
    assert reply.annotation == {"title": "A paper"}
    first = reply.pages[0]
    assert first.images[0].content == b"\xff\xd8\xff\xe0"
    assert (first.images[0].bottom_right_y, first.header, first.footer) == (220, "Journal", None)
    assert first.tables is not None
    assert (first.tables[0].format, first.tables[0].content) == ("html", "<table></table>")
    assert first.dimensions is not None
    assert first.dimensions.width == 1700
    assert first.blocks is not None
    assert (first.blocks[0].type, first.blocks[0].content) == ("title", "A paper")
    assert reply.usage_info is not None
    assert (reply.usage_info.pages_processed, reply.usage_info.doc_size_bytes) == (2, 306115)


@every_row("ocr")
async def test_429_is_tried_again_and_400_is_not(name: str, loopback: Loopback) -> None:
    """What the host asks to wait stands in the error; a bad request is one request."""
    loopback.plays(Answer(status=429, chunks=[{"message": "slow down"}], headers={"retry-after": "0"}))
    async with client_for(name, loopback, max_retries=1) as client:
        with pytest.raises(RateLimitError) as limited:
            await client.ocr.create(model=f"{name}/m", document=("a.pdf", PDF))
        assert (limited.value.retry_after, len(loopback.requests)) == (0.0, 2)
        assert loopback.requests[0].body == loopback.requests[1].body
        loopback.plays(Answer(status=400, chunks=[{"object": "error", "message": "rate limit?", "code": "1"}]))
        with pytest.raises(BadRequestError) as refused:
            await client.ocr.create(model=f"{name}/m", document=URL)
    assert (refused.value.provider, refused.value.model, len(loopback.requests)) == (name, "m", 3)


@every_row_without("ocr")
async def test_row_without_it_says_who_serves_it(name: str, loopback: Loopback) -> None:
    async with client_for(name, loopback) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"ocr.*mistral"):
            await client.ocr.create(model=f"{name}/m", document=URL)
    assert loopback.requests == []


DOCUMENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "url": (URL, {"type": "document_url", "document_url": URL}),
    "url of an image": ("https://x/a.JPG?b=c.pdf", {"type": "image_url", "image_url": "https://x/a.JPG?b=c.pdf"}),
    "data url": (AS_PDF, {"type": "document_url", "document_url": AS_PDF}),
    "data url of an image": (AS_PNG, {"type": "image_url", "image_url": AS_PNG}),
    "stored": ({"type": "file", "file_id": "f-1"}, {"type": "file", "file_id": "f-1"}),
    "image with a detail": (
        {"type": "image_url", "image_url": {"url": "https://x", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://x", "detail": "high"}},
    ),
    "a field that is newer": (
        {"type": "document_url", "document_url": URL, "password": "p"},
        {"type": "document_url", "document_url": URL, "password": "p"},
    ),
    "bytes": (PDF, {"type": "document_url", "document_url": AS_PDF}),
    "bytes of an image": (PNG, {"type": "image_url", "image_url": AS_PNG}),
    "open file": (io.BytesIO(PNG), {"type": "image_url", "image_url": AS_PNG}),
    "named": (
        ("scan.pdf", PDF),
        {"type": "document_url", "document_url": AS_PDF, "document_name": "scan.pdf"},
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
async def test_a_document_is_a_url_a_file_or_what_the_host_keeps(
    case: str, client: AsyncOneLLM, loopback: Loopback
) -> None:
    given, sent = DOCUMENTS[case]
    await client.ocr.create(model="mistral/m", document=given)
    assert only_request(loopback).json == {"model": "m", "document": sent}


async def test_a_path_is_read_and_named(client: AsyncOneLLM, loopback: Loopback, tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(PDF)
    await client.ocr.create(model="mistral/m", document=path)
    assert only_request(loopback).json["document"] == {
        "type": "document_url",
        "document_url": AS_PDF,
        "document_name": "paper.pdf",
    }


async def test_what_can_be_read_once_is_kept_for_another_attempt(client: AsyncOneLLM, loopback: Loopback) -> None:
    """An answer of 500 asks for it again, and pieces that have come cannot come twice."""
    loopback.plays(Answer(status=500, headers={"retry-after-ms": "1"}), Answer(chunks=[WHOLE]))
    await client.ocr.create(model="mistral/m", document=("a.pdf", _pieces(PDF[:4], PDF[4:])), max_retries=1)
    assert [request.json["document"]["document_url"] for request in loopback.requests] == [AS_PDF] * 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"document": "paper.pdf"}, r"pathlib.Path\('paper.pdf'\)"),
        ({"document": {"type": "pdf"}}, "document.type: one of document_url"),
        ({"document": {"type": "file"}}, "file_id"),
        ({"document": b"what is this"}, r"cannot be told; give \(filename, content\)"),
        ({"document": 5}, "document: give bytes, a path"),
        ({"document": Path("nowhere.pdf")}, "cannot be read"),
        ({"pages": [-1]}, "pages"),
        ({"table_format": "latex"}, "table_format"),
        ({"document_annotation_format": {"type": "json_object"}}, "document_annotation_format"),
        ({"page": 1}, "did you mean pages"),
    ],
)
async def test_a_bad_value_is_named_and_nothing_is_sent(
    client: AsyncOneLLM, loopback: Loopback, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        await client.ocr.create(**{"model": "mistral/m", "document": URL, **wrong})
    assert loopback.requests == []


async def test_a_file_that_is_too_large_is_refused(loopback: Loopback) -> None:
    """It stands whole in the request: the bound of bodies is its bound too."""
    from onellm import HttpOptions  # noqa: PLC0415 - of this test alone

    async with client_for("mistral", loopback, http=HttpOptions(max_body_bytes=8)) as client:
        with pytest.raises(InvalidRequestError, match="larger than 8 bytes"):
            await client.ocr.create(model="mistral/m", document=PDF)
    assert loopback.requests == []


async def test_nulls_and_what_is_unknown_are_no_failure(client: AsyncOneLLM, loopback: Loopback) -> None:
    page = {"index": 0.0, "markdown": "a", "images": None, "dimensions": {"dpi": None}, "mood": "blue"}
    loopback.plays(Answer(chunks=[{"pages": [page], "model": None, "usage_info": None}]))
    reply = await client.ocr.create(model="mistral/m", document=URL)
    assert (reply.markdown, reply.pages[0].images, reply.annotation) == ("a", [], None)
    assert reply.to_dict()["pages"][0]["mood"] == "blue"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>pages</html>", b'{"pages": 5}'])
async def test_what_is_no_document_is_an_error(client: AsyncOneLLM, loopback: Loopback, body: bytes) -> None:
    loopback.plays(Answer(chunks=[body]))
    if body == b'{"pages": 5}':  # the field does not fit and is left out: nothing was read
        assert (await client.ocr.create(model="mistral/m", document=URL)).pages == []
        return
    with pytest.raises(ResponseDecodeError):
        await client.ocr.create(model="mistral/m", document=URL)


async def test_an_image_without_its_bytes_says_how_to_get_them(client: AsyncOneLLM, loopback: Loopback) -> None:
    image = {"id": "img-0.jpeg", "image_base64": None}
    loopback.plays(Answer(chunks=[{"pages": [{"index": 0, "markdown": "", "images": [image]}]}]))
    reply = await client.ocr.create(model="mistral/m", document=URL)
    with pytest.raises(ValueError, match="include_image_base64=True"):
        _ = reply.pages[0].images[0].content
