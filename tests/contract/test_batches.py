"""Every row that runs batches, over a real socket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stamina
from forms import files
from loopback import Answer, Loopback, Recorded
from served import KEY, client_for, every_row, every_row_without

from onellm.dialects.base import InlineBatchDialect
from onellm.errors import BadRequestError, RateLimitError, UnsupportedFeatureError
from onellm.providers.compatible import ROWS
from onellm.types.chat import ChatCompletion

BATCH = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "status": "completed", "created_at": 1}
OUT = {"output_file_id": "file-out", "output_file": "file-out"}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
CHAT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE]}
LINE = {"custom_id": "a", "response": {"status_code": 200, "body": CHAT}, "error": None}


def host(request: Recorded) -> Answer:
    if request.path.endswith("/content"):
        return Answer(chunks=[json.dumps(LINE)], content_type="application/octet-stream")
    return Answer(chunks=[{"id": "file-1"} if "/files" in request.path else BATCH | OUT])


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.chooses(host)
        yield loopback


@every_row("batches")
async def test_create(server: Loopback, name: str) -> None:
    """Requests go up as a file, and the batch is begun with it, or with them, at the host's paths and with its key."""
    row = ROWS[name]
    dialect: Any = row.batches
    requests: Any = [{"custom_id": "a", "body": {"model": f"{name}/m", "messages": []}}]
    async with client_for(name, server) as client:
        if row.files is None:
            with pytest.raises(UnsupportedFeatureError, match="does not serve files"):
                await client.batches.create(requests=requests)
            batch = await client.batches.create(input_file_id="file-1", provider=name)
        else:
            batch = await client.batches.create(requests=requests)
            if isinstance(dialect, InlineBatchDialect):
                (line,) = server.requests[0].json["requests"]
            else:
                (line,) = [json.loads(each) for each in files(server.requests.pop(0))[0][3].splitlines()]
            assert (line["custom_id"], line.get("method")) == ("a", "POST" if dialect.lines_have_url else None)
            assert line["body"] == ({} if dialect.one_model else {"model": "m"}) | {"messages": []}
    (begin,) = server.requests
    assert (begin.method, begin.path) == ("POST", f"/v1/{dialect.path}")
    assert begin.headers["authorization"] == f"Bearer {KEY}"
    assert begin.json["endpoint"] == "/v1/chat/completions"
    assert isinstance(dialect, InlineBatchDialect) or "file-1" in begin.body.decode()
    assert (batch.id, batch.provider, batch.output_file_id) == ("batch_1", name, "file-out")


@every_row("batches")
async def test_one_batch_and_its_results(server: Loopback, name: str) -> None:
    """How far it is, its end, and what came of its requests."""
    dialect: Any = ROWS[name].batches
    async with client_for(name, server) as client:
        assert (await client.batches.wait("batch_1", provider=name)).id == "batch_1"
        assert (await client.batches.cancel("batch_1", provider=name)).id == "batch_1"
        path = f"/v1/{dialect.path}/batch_1"
        assert [(request.method, request.path) for request in server.requests] == [
            ("GET", path),
            ("POST", f"{path}/cancel"),
        ]
        if "files" not in ROWS[name].operations:
            return
        (result,) = [result async for result in client.batches.results("batch_1", provider=name)]
    assert isinstance(result.response, ChatCompletion)
    assert (result.custom_id, result.response.choices[0].message.content) == ("a", "Hello")
    assert result.response.provider == name


@every_row("batches")
async def test_list(server: Loopback, name: str) -> None:
    """The batches of all pages, however the host counts them."""
    dialect: Any = ROWS[name].batches
    pages = [
        Answer(chunks=[{"data": [BATCH | {"id": each}], "has_more": more, "total": 101}])
        for each, more in (("a", True), ("b", False))
    ]
    server.plays(*pages)
    async with client_for(name, server) as client:
        found = [batch.id async for batch in client.batches.list(provider=name)]
    queries = {"after": [{}, {"after": "a"}], "page": [{}, {"page": "1"}], "whole": [{}]}[dialect.paging.style]
    assert [request.query for request in server.requests] == queries
    assert found == (["a"] if dialect.paging.style == "whole" else ["a", "b"])


@every_row("batches")
async def test_refusals(server: Loopback, name: str) -> None:
    """A 400 is final; a 429 is tried again."""
    with stamina.set_testing(True, attempts=100, cap=True):
        async with client_for(name, server, max_retries=1) as client:
            for status, error, count in ((400, BadRequestError, 1), (429, RateLimitError, 3)):
                server.plays(Answer(status=status, chunks=[{"error": {"message": "no"}}]))
                with pytest.raises(error) as caught:
                    await client.batches.create(input_file_id="file-1", provider=name)
                assert caught.value.provider == name
                assert len(server.requests) == count


@every_row_without("batches")
async def test_what_is_not_served_is_refused(server: Loopback, name: str) -> None:
    """It says who serves it; nothing is sent."""
    async with client_for(name, server) as client:
        with pytest.raises(UnsupportedFeatureError, match=f"{name} does not serve batches; .*openai.* does"):
            await client.batches.create(input_file_id="file-1", provider=name)
    assert server.requests == []
