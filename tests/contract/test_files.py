"""Every row that keeps files, over a real socket."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback
from served import KEY, client_for, every_row, every_row_without

from onellm.errors import (
    BadRequestError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    UnsupportedFeatureError,
)
from onellm.providers.compatible import ROWS

FILE = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[FILE], headers={"x-request-id": "req_1"}))
        yield loopback


@every_row("files")
async def test_create(server: Loopback, name: str) -> None:
    """A file goes out as a form, at the host's path and with its key."""
    async with client_for(name, server) as client:
        made = await client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch", provider=name)
    dialect: Any = ROWS[name].files
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v1/{dialect.upload_path or dialect.path}")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert fields(request)[0] == ("purpose", dialect.purposes.get("batch", "batch"))
    assert files(request) == [("file", "a.jsonl", "application/jsonl", b"{}\n")]
    assert (made.id, made.provider, made.request_id) == ("file-1", name, "req_1")


@every_row("files")
async def test_one_file(server: Loopback, name: str) -> None:
    """What it is, what it holds, and its end."""
    async with client_for(name, server) as client:
        assert (await client.files.retrieve("file-1", provider=name)).filename == "a.jsonl"
        server.plays(Answer(chunks=[b"{}\n"], content_type="application/octet-stream"))
        assert await (await client.files.content("file-1", provider=name)).read() == b"{}\n"
        server.plays(Answer(chunks=[{"id": "file-1", "deleted": True}]))
        assert (await client.files.delete("file-1", provider=name)).deleted is True
    dialect: Any = ROWS[name].files
    path = f"/v1/{dialect.path}/file-1"
    assert [(request.method, request.path) for request in server.requests] == [
        ("GET", path),
        ("GET", f"{path}/content"),
        ("DELETE", path),
    ]


@every_row("files")
async def test_all_pages(server: Loopback, name: str) -> None:
    """The files of all pages, however the host counts them."""
    dialect: Any = ROWS[name].files
    pages = [
        Answer(chunks=[{"data": [FILE | {"id": each} for each in ids], "has_more": more, "total": 101}])
        for ids, more in ((["a", "b"], True), (["c"], False))
    ]
    server.plays(*pages)
    async with client_for(name, server) as client:
        found = [item.id async for item in client.files.list(provider=name)]
    queries = {"after": [{}, {"after": "b"}], "page": [{}, {"page": "1"}], "whole": [{}]}[dialect.paging.style]
    assert [request.query for request in server.requests] == queries
    assert found == (["a", "b"] if dialect.paging.style == "whole" else ["a", "b", "c"])


@every_row("files")
async def test_refusals(server: Loopback, name: str) -> None:
    """A 400 is final; a 429 is tried again."""
    with stamina.set_testing(True, attempts=100, cap=True):
        async with client_for(name, server, max_retries=1) as client:
            for status, error, count in ((400, BadRequestError, 1), (429, RateLimitError, 3)):
                server.plays(Answer(status=status, chunks=[{"error": {"message": "no"}}]))
                with pytest.raises(error) as caught:
                    await client.files.create(file=b"x", purpose="batch", provider=name)
                assert caught.value.provider == name
                assert len(server.requests) == count


@every_row_without("files")
async def test_what_is_not_served_is_refused(server: Loopback, name: str) -> None:
    """It says who serves it; nothing is sent."""
    async with client_for(name, server) as client:
        with pytest.raises(UnsupportedFeatureError, match=f"{name} does not serve files; .*openai.* does"):
            await client.files.create(file=b"x", purpose="batch", provider=name)
    assert server.requests == []


@every_row("file_urls")
async def test_a_url_of_a_file(server: Loopback, name: str) -> None:
    """It is asked for with the key, for as long as is said; a wrong time is an error before anything is sent."""
    server.plays(Answer(chunks=[{"url": "https://files.example.com/f?sig=x"}], headers={"x-request-id": "req_1"}))
    async with client_for(name, server) as client:
        found = await client.files.signed_url("file/1", expires_in=7200, provider=name)
        await client.files.signed_url("file/1", provider=name)
        for wrong in (3601, 1800, 3600 * 169):
            with pytest.raises(InvalidRequestError, match="expires_in: whole hours"):
                await client.files.signed_url("file/1", expires_in=wrong, provider=name)
        with pytest.raises(InvalidRequestError, match="expires_in"):
            await client.files.signed_url("file/1", expires_in=0, provider=name)
    assert (found.url, found.provider, found.request_id) == ("https://files.example.com/f?sig=x", name, "req_1")
    assert [(request.method, request.target) for request in server.requests] == [
        ("GET", "/v1/files/file%2F1/url?expiry=2"),
        ("GET", "/v1/files/file%2F1/url"),
    ]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@every_row("file_urls")
async def test_an_answer_without_a_url(server: Loopback, name: str) -> None:
    """It is an error, and not an empty address; so is a file that is not there."""
    server.plays(Answer(chunks=[{"url": ""}]), Answer(status=404, chunks=[{"message": "no such file"}]))
    async with client_for(name, server) as client:
        with pytest.raises(ResponseDecodeError, match="it has none"):
            await client.files.signed_url("file-1", provider=name)
        with pytest.raises(NotFoundError, match="no such file"):
            await client.files.signed_url("file-1", provider=name)


async def test_a_row_without_urls_of_files_says_who_gives_them(server: Loopback) -> None:
    async with client_for("openai", server) as client:
        with pytest.raises(UnsupportedFeatureError, match=r"file_urls.*mistral"):
            await client.files.signed_url("file-1")
    assert server.requests == []
