"""`client.files` over a real socket: what is sent, what comes of the answer, and what is held in memory."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback, Recorded, soon

from onellm import AsyncOneLLM
from onellm.errors import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    InternalServerError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ResponseDecodeError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.resources import uploads
from onellm.types.options import Timeouts

FILE: dict[str, Any] = {
    "id": "file-1",
    "object": "file",
    "bytes": 3,
    "created_at": 1,
    "expires_at": 7201,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}


def page(*names: str, more: bool = False, **extra: Any) -> Answer:
    return Answer(
        chunks=[{"object": "list", "data": [FILE | {"id": name} for name in names], "has_more": more, **extra}]
    )


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[FILE], headers={"x-request-id": "req_1"}))
        yield loopback


@pytest.fixture
async def bound(server: Loopback) -> AsyncIterator[AsyncOneLLM]:
    own = {"api_key": "k", "base_url": server.url}
    with stamina.set_testing(True, attempts=100, cap=True):
        async with AsyncOneLLM(
            api_key="k", base_url=f"{server.url}/v1", providers={"together": own, "mistral": own, "deepseek": own}
        ) as made:
            yield made


async def test_create(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """A file goes out as a form with its name; what the provider says of it comes back."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n")
    made = await bound.files.create(
        file=path, purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}, extra_body={"x": 1}
    )
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/files")
    assert fields(request) == [
        ("purpose", "batch"),
        ("expires_after[anchor]", "created_at"),
        ("expires_after[seconds]", "3600"),
        ("x", "1"),
    ]
    assert files(request) == [("file", "a.jsonl", "application/jsonl", b"{}\n")]
    assert int(request.headers["content-length"]) == len(request.body)
    assert (made.id, made.bytes, made.expires_at, made.filename) == ("file-1", 3, 7201, "a.jsonl")
    assert (made.provider, made.request_id) == ("openai", "req_1")


async def test_one_file_and_its_end(server: Loopback, bound: AsyncOneLLM) -> None:
    """Retrieve and delete by id; an id cannot lead to another path."""
    assert (await bound.files.retrieve("file-1")).status == "processed"
    server.plays(Answer(chunks=[{"id": "file-1", "object": "file", "deleted": True}]))
    gone = await bound.files.delete("file/1?")
    assert (gone.id, gone.deleted) == ("file-1", True)
    assert [(request.method, request.target) for request in server.requests] == [
        ("GET", "/v1/files/file-1"),
        ("DELETE", "/v1/files/file%2F1%3F"),
    ]
    for wrong in ("..", "."):
        with pytest.raises(InvalidRequestError, match="not an id"):
            await bound.files.delete(wrong)
    with pytest.raises(InvalidRequestError, match="file_id must be a text"):
        await bound.files.retrieve("")
    server.plays(Answer(status=404, chunks=[{"error": {"message": "no such file"}}]))
    with pytest.raises(NotFoundError, match="openai: no such file"):
        await bound.files.retrieve("file-2")
    assert len(server.requests) == 3


async def test_content(server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """Bytes as they come: read, in pieces, or into a file."""
    server.plays(Answer(chunks=[b'{"a":1}\n', b'{"b":2}\n'], content_type="application/json"))
    reply = await bound.files.content("file-1")
    assert await reply.read() == b'{"a":1}\n{"b":2}\n'
    assert (server.requests[0].path, server.requests[0].headers["accept"]) == (
        "/v1/files/file-1/content",
        "application/binary",
    )
    target = tmp_path / "out.jsonl"
    await (await bound.files.content("file-1")).write_to_file(target)
    assert target.read_bytes() == b'{"a":1}\n{"b":2}\n'
    server.plays(Answer(chunks=[b"abc"], cut="reset"))
    with pytest.raises(APIConnectionError):
        await (await bound.files.content("file-1", max_retries=0)).write_to_file(tmp_path / "cut")
    assert not (tmp_path / "cut").exists()


async def test_the_pages_of_a_list(server: Loopback, bound: AsyncOneLLM) -> None:
    """Items of all pages, each page asked for by the last id of the one before, with the call's own arguments."""
    server.plays(page("a", "b", more=True), page("c"))
    found = [item.id async for item in bound.files.list(purpose="batch", limit=2, order="asc", extra_query={"x": True})]
    assert found == ["a", "b", "c"]
    query = {"purpose": "batch", "limit": "2", "order": "asc", "x": "true"}
    assert [request.query for request in server.requests] == [query, query | {"after": "b"}]


async def test_pages_are_asked_for_when_they_are_wanted(server: Loopback, bound: AsyncOneLLM) -> None:
    """Nothing is sent before a page is wanted; a page by itself is a sequence."""
    pages = bound.files.list(after="z")
    assert server.requests == []
    server.plays(page("a", "b", more=True), page("c"))
    first = await pages
    assert ([item.id for item in first], len(first), first[1].id, [i.id for i in first[:1]]) == (
        ["a", "b"],
        2,
        "b",
        ["a"],
    )
    assert (first.has_more, first.has_next_page(), first.next_page_info()) == (True, True, {"after": "b"})
    assert first.provider == first.data[0].provider == "openai"
    items = aiter(first)
    assert [(await anext(items)).id, (await anext(items)).id] == ["a", "b"]
    assert len(server.requests) == 1
    assert (await anext(items)).id == "c"
    assert [request.query for request in server.requests] == [{"after": "z"}, {"after": "b"}]
    second = await first.get_next_page()
    assert (second.has_more, second.next_page_info()) == (False, None)
    with pytest.raises(InvalidRequestError, match="last page"):
        await second.get_next_page()
    server.plays(page("a", more=True), page())
    assert [len(each) async for each in bound.files.list().iter_pages()] == [1, 0]


async def test_a_list_that_does_not_advance_ends(server: Loopback, bound: AsyncOneLLM) -> None:
    """A host that ignores `after` gives its page twice, not for ever; one without `has_more` gives it once."""
    server.plays(page("a", more=True))
    assert [item.id async for item in bound.files.list()] == ["a", "a"]
    server.plays(Answer(chunks=[{"data": [FILE]}]))
    assert len([item async for item in bound.files.list()]) == 1
    server.plays(Answer(chunks=[{"data": "none"}]))
    with pytest.raises(ResponseDecodeError, match="not a list of files"):
        await bound.files.list()


async def test_pages_with_numbers(server: Loopback, bound: AsyncOneLLM) -> None:
    """Where pages have numbers they are counted up to the total."""
    server.plays(page("a", "b", total=3), page("c", total=3))
    assert [item.id async for item in bound.files.list(provider="mistral", limit=2)] == ["a", "b", "c"]
    assert [request.query for request in server.requests] == [{"page_size": "2"}, {"page_size": "2", "page": "1"}]
    with pytest.raises(UnsupportedParameterError, match="after"):
        await bound.files.list(provider="mistral", after="x")


async def test_a_list_that_comes_whole(server: Loopback, bound: AsyncOneLLM) -> None:
    """It is one page, and a limit cannot be said; dates are Unix time whatever they are sent as."""
    server.plays(Answer(chunks=[{"data": [FILE | {"created_at": "2025-11-22T10:00:00Z"}]}]))
    (item,) = await bound.files.list(provider="together")
    assert (item.created_at, item.to_dict()["created_at"]) == (1763805600, "2025-11-22T10:00:00Z")
    with pytest.raises(UnsupportedParameterError, match="limit"):
        await bound.files.list(provider="together", limit=1)
    left = await bound.files.list(provider="together", limit=1, on_unsupported="drop")
    assert left.adjustments == ("left out limit: its list comes whole",)
    assert server.requests[-1].query == {}


async def test_a_host_with_a_path_and_words_of_its_own(server: Loopback, bound: AsyncOneLLM) -> None:
    """The purpose under the host's name, the file's name and type in fields."""
    made = await bound.files.create(file=("a.jsonl", b"{}"), purpose="batch", provider="together")
    assert server.requests[0].path == "/files/upload"
    assert fields(server.requests[0]) == [("purpose", "batch-api"), ("file_name", "a.jsonl"), ("file_type", "jsonl")]
    assert made.adjustments == ("sent purpose='batch' as 'batch-api'",)
    with pytest.raises(UnsupportedParameterError, match="expires_after"):
        await bound.files.create(
            file=b"{}", purpose="batch", provider="together", expires_after={"anchor": "created_at", "seconds": 3600}
        )


async def test_mistakes(server: Loopback, bound: AsyncOneLLM) -> None:
    """Wrong arguments are refused here."""
    expires = {"anchor": "created_at", "seconds": 1}
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"file": "a.txt"}, InvalidRequestError, "pathlib.Path"),
        ({"purpose": ""}, InvalidRequestError, "purpose"),
        ({"expires_after": expires}, InvalidRequestError, "expires_after"),
        ({"part_size": 0}, InvalidRequestError, "part_size"),
        ({"part_size": 1 << 30}, InvalidRequestError, "at most 64000000"),
        ({"file": io_pipe(), "part_size": 1}, InvalidRequestError, "read once"),
        ({"part_size": 1, "provider": "mistral"}, UnsupportedFeatureError, "openai does"),
        ({"provider": "deepseek"}, UnsupportedFeatureError, "does not serve files"),
        ({"file": Path("nowhere")}, InvalidRequestError, "nowhere"),
    ]
    for given, error, words in wrong:
        with pytest.raises(error, match=words):
            await bound.files.create(**{"file": b"x", "purpose": "batch"} | given)
    assert server.requests == []


def io_pipe() -> Any:
    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

    return Pipe()


async def test_what_is_put_off_is_sent_again(server: Loopback, bound: AsyncOneLLM) -> None:
    """A 429 and a 503 say that nothing was kept."""
    busy = [Answer(status=status, chunks=[{"error": {"message": "later"}}]) for status in (429, 503)]
    server.plays(*busy, Answer(chunks=[FILE]))
    assert (await bound.files.create(file=b"abc", purpose="batch")).id == "file-1"
    assert [files(request)[0][3] for request in server.requests] == [b"abc"] * 3
    server.plays(busy[0])
    with pytest.raises(RateLimitError):
        await bound.files.create(file=b"abc", purpose="batch", max_retries=0)


@pytest.mark.parametrize("how", ["reset", "close", "stall", "500"])
async def test_an_upload_of_unknown_outcome_is_not_sent_again(how: str, server: Loopback, bound: AsyncOneLLM) -> None:
    """A lost connection, a time limit and a failure inside are final, unless the call asks for more attempts."""
    answer = Answer(status=500, chunks=[{"error": {"message": "x"}}]) if how == "500" else Answer(length=9, cut=how)
    error = {"stall": APITimeoutError, "500": InternalServerError}.get(how, APIConnectionError)
    server.plays(answer)
    limits = Timeouts(first_byte=0.2, idle=0.2)
    with pytest.raises(error) as caught:
        await bound.files.create(file=b"abc", purpose="batch", timeout=limits)
    assert len(server.requests) == 1
    assert caught.value.retryable is False
    with pytest.raises(error):
        await bound.files.create(file=b"abc", purpose="batch", max_retries=1, timeout=limits)
    assert len(server.requests) == 3


async def test_what_was_never_sent_is_tried_again() -> None:
    """Without a connection there is no doubt of the outcome."""
    async with Loopback() as loopback:
        url = loopback.url
    with stamina.set_testing(True, attempts=100, cap=True):
        async with AsyncOneLLM(api_key="k", base_url=url) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.files.create(file=b"abc", purpose="batch")
    assert (caught.value.unsent, caught.value.retryable) == (True, True)


# --- parts ----------------------------------------------------------------------------------------------------------


class Host:
    """Takes a file in parts, and puts it together in the order that it is told."""

    def __init__(self, loopback: Loopback) -> None:
        self.parts: dict[str, bytes] = {}
        self.whole = b""
        self.fails: dict[bytes, Answer] = {}
        self.log: list[str] = []
        self.cancels = Answer(chunks=[{"id": "upload_1", "object": "upload", "status": "cancelled"}])
        loopback.chooses(self.answer)

    def answer(self, request: Recorded) -> Answer:
        step = request.path.rpartition("/")[2]
        self.log.append(step)
        upload: dict[str, Any] = {"id": "upload_1", "object": "upload", "status": "pending", "bytes": 0}
        if step == "parts":
            content = files(request)[0][3]
            if content in self.fails:
                return self.fails.pop(content)
            name = f"part_{len(self.parts)}"
            self.parts[name] = content
            return Answer(chunks=[{"id": name, "object": "upload.part", "created_at": 1, "upload_id": "upload_1"}])
        if step == "cancel":
            return self.cancels
        if step == "complete":
            self.whole = b"".join(self.parts[name] for name in request.json["part_ids"])
            upload |= {"status": "completed", "file": FILE | {"bytes": len(self.whole)}}
        return Answer(chunks=[upload])


CONTENT = bytes(range(256)) * 40


@pytest.mark.parametrize("kind", ["bytes", "path", "file"])
async def test_parts(kind: str, server: Loopback, bound: AsyncOneLLM, tmp_path: Path) -> None:
    """A file in parts, whatever it comes from; a part that is put off is sent again; their order is the file's."""
    host = Host(server)
    host.fails[CONTENT[1000:2000]] = Answer(status=503, chunks=[{"error": {"message": "later"}}])
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        source: Any = {"bytes": CONTENT, "path": path, "file": opened}[kind]
        made = await bound.files.create(
            file=("a.pdf", source),
            purpose="user_data",
            part_size=1000,
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
    assert (host.whole, made.bytes, made.provider) == (CONTENT, len(CONTENT), "openai")
    assert server.requests[0].json == {
        "bytes": len(CONTENT),
        "filename": "a.pdf",
        "mime_type": "application/pdf",
        "purpose": "user_data",
        "expires_after": {"anchor": "created_at", "seconds": 3600},
    }
    assert host.log == ["uploads", *["parts"] * 12, "complete"]


async def test_a_part_that_fails_cancels_the_upload(server: Loopback, bound: AsyncOneLLM) -> None:
    """The caller gets the failure of the part."""
    host = Host(server)
    host.fails[CONTENT[:5000]] = Answer(status=400, chunks=[{"error": {"message": "bad part"}}])
    with pytest.raises(BadRequestError, match="bad part"):
        await bound.files.create(file=CONTENT, purpose="batch", part_size=5000)
    assert host.log[-1] == "cancel"
    assert "complete" not in host.log


def stalled(server: Loopback) -> Host:
    """A host that never answers the first part."""
    host = Host(server)
    host.fails[CONTENT[:5000]] = Answer(cut="stall", head=False)
    return host


async def test_a_cancelled_upload_is_cancelled_at_the_provider_too(server: Loopback, bound: AsyncOneLLM) -> None:
    """Before the cancellation goes on; the parts that were under way are broken off."""
    host = stalled(server)
    sending = asyncio.create_task(bound.files.create(file=CONTENT, purpose="batch", part_size=5000))
    await soon(server.wait_for_requests(4))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(sending)
    assert host.log == ["uploads", "parts", "parts", "parts", "cancel"]
    last = server.requests[-1]
    assert (last.method, last.path, last.headers["authorization"]) == (
        "POST",
        "/v1/uploads/upload_1/cancel",
        "Bearer k",
    )
    part = next(request for request in server.requests[1:] if CONTENT[:5000] in request.body)
    await soon(part.gone.wait())


async def test_a_provider_that_does_not_hear_of_it_holds_nobody_up(
    server: Loopback, bound: AsyncOneLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation goes on when the time for it is over."""
    monkeypatch.setattr(uploads, "_TELLING", 0.05)
    host = stalled(server)
    host.cancels = Answer(cut="stall", head=False)
    sending = asyncio.create_task(bound.files.create(file=CONTENT, purpose="batch", part_size=5000))
    await soon(server.wait_for_requests(4))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(sending)
    assert host.log[-1] == "cancel"
    await soon(server.requests[-1].gone.wait())


async def test_who_cancels_again_does_not_wait(server: Loopback, bound: AsyncOneLLM) -> None:
    """And the provider is told all the same."""
    host = stalled(server)
    go_on = asyncio.Event()
    host.cancels.pause = {0: go_on.wait}
    sending = asyncio.create_task(bound.files.create(file=CONTENT, purpose="batch", part_size=5000))
    await soon(server.wait_for_requests(4))
    sending.cancel()
    await soon(server.wait_for_requests(5))
    (telling,) = uploads._under_way
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(sending)
    assert not telling.done()
    go_on.set()
    await soon(telling)
    assert host.log[-1] == "cancel"
    assert not server.requests[-1].gone.is_set()


async def test_a_large_file_goes_in_parts_by_itself(server: Loopback, bound: AsyncOneLLM) -> None:
    """Above what OpenAI takes at once; here seen by its first request, which is refused."""
    server.plays(Answer(status=503, chunks=[{"error": {"message": "not now"}}]))
    with tempfile.TemporaryFile() as sparse:
        sparse.truncate(512_000_001)
        with pytest.raises(OverloadedError):
            await bound.files.create(file=("a.jsonl", sparse), purpose="batch", max_retries=0)
    assert (server.requests[0].path, server.requests[0].json["bytes"]) == ("/v1/uploads", 512_000_001)
