"""What `openai`'s own client sends for files, batches and lists, and what we send for the same call."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from forms import fields, files
from loopback import Answer, Loopback, Recorded

from onellm import AsyncOneLLM

FILE = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
BATCH = {"id": "batch_1", "object": "batch", "status": "validating", "created_at": 1, "endpoint": "/v1/embeddings"}
LIST = {"object": "list", "data": [FILE], "has_more": False}

CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], Any]] = {
    "create": (
        "files.create",
        (),
        {
            "file": ("a.jsonl", b"{}\n", "application/jsonl"),
            "purpose": "batch",
            "expires_after": {"anchor": "created_at", "seconds": 3600},
        },
        FILE,
    ),
    "create plainly": ("files.create", (), {"file": ("ä b.pdf", b"%PDF-", "application/pdf"), "purpose": "x"}, FILE),
    "list": ("files.list", (), {"purpose": "batch", "limit": 5, "order": "asc", "after": "file-0"}, LIST),
    "list all": ("files.list", (), {}, LIST),
    "retrieve": ("files.retrieve", ("file-1/x?",), {}, FILE),
    "content": ("files.content", ("file-1",), {}, "text"),
    "delete": ("files.delete", ("file-1",), {}, {"id": "file-1", "object": "file", "deleted": True}),
    "create a batch": (
        "batches.create",
        (),
        {
            "input_file_id": "file-1",
            "endpoint": "/v1/embeddings",
            "completion_window": "24h",
            "metadata": {"a": "b"},
            "output_expires_after": {"anchor": "created_at", "seconds": 3600},
        },
        BATCH,
    ),
    "retrieve a batch": ("batches.retrieve", ("batch_1/x",), {}, BATCH),
    "cancel a batch": ("batches.cancel", ("batch_1",), {}, BATCH),
    "list batches": ("batches.list", (), {"limit": 5, "after": "batch_0"}, LIST),
    "models": ("models.list", (), {}, {"object": "list", "data": []}),
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


async def call(client: Any, name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    for step in name.split("."):
        client = getattr(client, step)
    return await client(*positional, **named)


def sent(request: Recorded) -> Any:
    """All but what one is free to choose: the boundary, the order of the fields and of the query."""
    path, _, query = request.target.partition("?")
    head = (
        request.method,
        path,
        sorted(query.split("&")),
        request.headers.get("accept") if "content" in request.target else None,
    )
    if request.headers.get("content-type", "").startswith("multipart/"):
        return head, sorted(fields(request)), files(request)
    return head, request.json if request.body else None


@pytest.mark.parametrize("name", CALLS)
async def test_the_same_call_sends_the_same(server: Loopback, name: str) -> None:
    """Method, path, query, fields and files with their names and types."""
    path, positional, named, answer = CALLS[name]
    server.plays(Answer(chunks=[answer]))
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as theirs:
        await call(theirs, path, positional, named)
    async with AsyncOneLLM(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as ours:
        reply = await call(ours, path, positional, named)
        if path == "files.content":
            assert await reply.read() == b"text"
    first, second = server.requests
    assert sent(second) == sent(first)


async def test_pages_are_asked_for_alike(server: Loopback) -> None:
    """The same items from the same requests."""
    pages = [
        Answer(chunks=[{"object": "list", "data": [FILE | {"id": each} for each in ids], "has_more": more}])
        for ids, more in ((["a", "b"], True), (["c"], True), ([], False))
    ]
    found: list[list[str]] = []
    for client in (
        openai.AsyncOpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0),
        AsyncOneLLM(api_key="k", base_url=f"{server.url}/v1", max_retries=0),
    ):
        server.plays(*pages)
        async with client as opened:
            listed: Any = opened.files.list(limit=2, purpose="batch")
            found.append([item.id async for item in listed])
    assert found == [["a", "b", "c"]] * 2
    targets = [request.target for request in server.requests]
    assert [sorted(target.partition("?")[2].split("&")) for target in targets[3:]] == [
        sorted(target.partition("?")[2].split("&")) for target in targets[:3]
    ]
