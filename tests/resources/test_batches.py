"""`client.batches` over a real socket: what is sent, and what comes of the answers."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import stamina
from forms import fields, files
from loopback import Answer, Loopback, Recorded

from onellm import AsyncOneLLM, BatchRequest, HttpOptions
from onellm.errors import (
    APIConnectionError,
    BadRequestError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    UnknownProviderError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion
from onellm.types.embeddings import CreateEmbeddingResponse
from onellm.types.moderations import ModerationCreateResponse

BATCH: dict[str, Any] = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "errors": None,
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "validating",
    "created_at": 1,
    "request_counts": {"total": 2, "completed": 0, "failed": 0},
    "metadata": {"a": "b"},
}
DONE = BATCH | {"status": "completed", "output_file_id": "file-out", "error_file_id": "file-err"}
FILE = {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "batch.jsonl", "purpose": "batch"}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
ASK = [{"role": "user", "content": "x"}]


def line(custom_id: str, body: Any = CHAT, status: int = 200, error: Any = None) -> bytes:
    response = None if body is None else {"status_code": status, "request_id": f"req_{custom_id}", "body": body}
    return json.dumps({"id": "b", "custom_id": custom_id, "response": response, "error": error}).encode() + b"\n"


class Host:
    """Keeps files and runs batches."""

    def __init__(self, loopback: Loopback) -> None:
        self.batch: dict[str, Any] = BATCH
        self.refuses: list[Answer] = []
        self.contents: dict[str, list[bytes]] = {"file-out": [], "file-err": []}
        self.cut = ""
        loopback.chooses(self.answer)

    def answer(self, request: Recorded) -> Answer:
        match request.method, request.path.removeprefix("/v1").strip("/").split("/"):
            case "POST", ["files", *_]:
                return Answer(chunks=[FILE])
            case "DELETE", ["files", name]:
                return Answer(chunks=[{"id": name, "deleted": True}])
            case "GET", ["files", name, "content"]:
                return Answer(chunks=self.contents[name], content_type="application/jsonl", cut=self.cut)
            case "POST", ["batches"] | ["batch", "jobs"] if self.refuses:
                return self.refuses.pop(0)
            case _:
                return Answer(chunks=[self.batch], headers={"x-request-id": "req_1"})


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
def host(server: Loopback) -> Host:
    return Host(server)


@pytest.fixture
async def bound(server: Loopback) -> AsyncIterator[AsyncOneLLM]:
    own = {"api_key": "k", "base_url": server.url}
    names = ("together", "mistral", "google-openai", "groq")
    with stamina.set_testing(True, attempts=100, cap=True):
        async with AsyncOneLLM(
            api_key="k",
            base_url=f"{server.url}/v1",
            providers=dict.fromkeys(names, own),
            http=HttpOptions(max_event_bytes=4096),
        ) as made:
            yield made


def sent_lines(request: Recorded) -> list[Any]:
    return [json.loads(each) for each in files(request)[0][3].splitlines()]


@pytest.mark.usefixtures("host")
async def test_a_batch_of_requests(server: Loopback, bound: AsyncOneLLM) -> None:
    """They go out as lines of a file, their models under the provider's own names; then the batch begins."""

    def requests() -> Iterator[Any]:
        yield BatchRequest(custom_id="a", body={"model": "openai/gpt-5.4-mini", "messages": ASK})
        yield {"custom_id": "b", "method": "POST", "url": "/x", "body": {"model": "gpt-5.4-mini", "messages": ASK}}

    batch = await bound.batches.create(requests=requests(), metadata={"a": "b"}, extra_body={"x": 1})
    upload, begin = server.requests
    assert (upload.path, fields(upload), files(upload)[0][:3]) == (
        "/v1/files",
        [("purpose", "batch")],
        ("file", "batch.jsonl", "application/jsonl"),
    )
    common = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-5.4-mini", "messages": ASK}}
    assert sent_lines(upload) == [{"custom_id": "a", **common}, {"custom_id": "b", **common}]
    assert (begin.method, begin.path) == ("POST", "/v1/batches")
    assert begin.json == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"a": "b"},
        "x": 1,
    }
    assert (batch.id, batch.status, batch.ended, batch.provider, batch.request_id) == (
        "batch_1",
        "validating",
        False,
        "openai",
        "req_1",
    )
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.metadata, batch.errors) == (2, {"a": "b"}, None)


async def test_a_batch_of_a_file(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """A file that is there already; its end and its list."""
    expires: Any = {"anchor": "created_at", "seconds": 3600}
    await bound.batches.create(input_file_id="file-9", endpoint="/v1/embeddings", output_expires_after=expires)
    assert server.requests[0].json == {
        "input_file_id": "file-9",
        "endpoint": "/v1/embeddings",
        "completion_window": "24h",
        "output_expires_after": expires,
    }
    host.batch = BATCH | {"status": "cancelling"}
    assert (await bound.batches.cancel("batch/1")).status == "cancelling"
    assert (server.requests[1].method, server.requests[1].target) == ("POST", "/v1/batches/batch%2F1/cancel")
    server.plays(
        Answer(chunks=[{"data": [BATCH, BATCH | {"id": "batch_2"}], "has_more": True}]), Answer(chunks=[{"data": []}])
    )
    assert [batch.id async for batch in bound.batches.list(limit=2)] == ["batch_1", "batch_2"]
    assert [request.query for request in server.requests[2:]] == [{"limit": "2"}, {"limit": "2", "after": "batch_2"}]


@pytest.mark.usefixtures("host")
async def test_a_large_batch_is_one_file(server: Loopback, bound: AsyncOneLLM) -> None:
    """More than is kept in memory: the requests are asked for one by one, and arrive whole and in order."""
    text = "x" * 1000
    body = {"model": "openai/m", "input": text}
    requests = (BatchRequest(custom_id=str(place), body=body) for place in range(10_000))  # 10 MB
    await bound.batches.create(requests=requests, endpoint="/v1/embeddings")
    assert [each["custom_id"] for each in sent_lines(server.requests[0])] == [str(place) for place in range(10_000)]


async def test_whose_a_batch_is(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """The first model says it, or `provider`, or `model`; a request without a model gets `model`."""
    body = {"messages": ASK}
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {"model": "groq/org/m"}, "org/m"),
        ({"provider": "groq"}, {"model": "org/m"}, "org/m"),
        ({"provider": "groq"}, {"model": "groq/m"}, "m"),
        ({"model": "groq/m"}, {}, "m"),
        ({"model": "groq/m"}, {"model": "other"}, "other"),
        ({"provider": "groq", "model": "m"}, {}, "m"),
    ]
    host.batch = BATCH
    for given, more, expected in cases:
        batch = await bound.batches.create(requests=[{"custom_id": "a", "body": body | more}], **given)
        assert batch.provider == "groq"
        upload, begin = server.requests[-2:]
        assert sent_lines(upload)[0]["body"]["model"] == expected
        assert "model" not in begin.json


async def test_mistakes(server: Loopback, bound: AsyncOneLLM) -> None:
    """Wrong arguments are refused here, and nothing is sent: not the file either."""

    def ask(model: str = "openai/m", custom_id: str = "a") -> Any:
        return {"custom_id": custom_id, "body": {"model": model}}

    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, InvalidRequestError, "requests or input_file_id"),
        ({"requests": [ask()], "input_file_id": "file-1"}, InvalidRequestError, "not both"),
        ({"requests": []}, InvalidRequestError, "requests is empty"),
        ({"requests": ask()}, InvalidRequestError, "must be a list"),
        ({"requests": [1]}, InvalidRequestError, r"requests\[0\] must be a dict"),
        ({"requests": [{"custom_id": "a"}]}, InvalidRequestError, r"requests\[0\].body must be a dict"),
        ({"requests": [ask(custom_id="")]}, InvalidRequestError, r"requests\[0\].custom_id must be a text"),
        ({"requests": [ask(), ask()]}, InvalidRequestError, r"requests\[1\].custom_id: 'a' is there already"),
        ({"requests": [ask() | {"messages": []}]}, InvalidRequestError, "no field 'messages'"),
        ({"requests": [{"custom_id": "a", "body": {}}]}, InvalidRequestError, "has no model"),
        ({"requests": [ask(), ask("groq/m", "b")]}, InvalidRequestError, r"requests\[1\]: a batch is of one provider"),
        ({"requests": [ask("org/m")]}, UnknownProviderError, "org"),
        ({"requests": [ask("mistral/m"), ask("mistral/n", "b")]}, InvalidRequestError, "one model for a batch"),
        ({"requests": [ask("mistral/m")], "completion_window": "soon"}, InvalidRequestError, "hours or days"),
        ({"requests": [ask("together/m")], "metadata": {"a": "b"}}, UnsupportedParameterError, "metadata"),
        ({"requests": [ask("google-openai/m")]}, UnsupportedFeatureError, "does not serve files"),
        ({"requests": [{"custom_id": "a", "body": {"model": "m", "x": {1j}}}]}, InvalidRequestError, "JSON"),
        ({"input_file_id": "f", "model": "openai/m"}, UnsupportedParameterError, "each request"),
        ({"input_file_id": "f", "endpoint": ""}, InvalidRequestError, "endpoint"),
        ({"input_file_id": "f", "metadta": {}}, InvalidRequestError, "did you mean metadata"),
    ]
    for given, error, words in wrong:
        with pytest.raises(error, match=words):
            await bound.batches.create(**given)
    with pytest.raises(InvalidRequestError, match="poll_interval"):
        await bound.batches.wait("batch_1", poll_interval=0)
    with pytest.raises(UnsupportedFeatureError, match="does not serve files"):
        bound.batches.results("batch_1", provider="google-openai")
    assert server.requests == []


async def test_a_batch_that_is_refused_leaves_no_file(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """Put off, it is tried again; refused, its file goes; where it may have begun, the file stays."""
    ask: Any = [{"custom_id": "a", "body": {"model": "m"}}]

    def answer(status: int) -> Answer:
        return Answer(status=status, chunks=[{"error": {"message": "no"}}])

    host.refuses = [answer(429)]
    await bound.batches.create(requests=ask)
    assert [request.path for request in server.requests] == ["/v1/files", "/v1/batches", "/v1/batches"]
    for refusals, error, steps in (
        ([answer(400)], BadRequestError, ["POST", "POST", "DELETE"]),
        ([answer(500)], InternalServerError, ["POST", "POST"]),
        ([Answer(length=9, cut="reset")], APIConnectionError, ["POST", "POST"]),
    ):
        server.requests.clear()
        host.refuses = refusals
        with pytest.raises(error):
            await bound.batches.create(requests=ask)
        assert [request.method for request in server.requests] == steps
    host.refuses = [answer(500), answer(500)]
    assert (await bound.batches.create(requests=ask, max_retries=2)).id == "batch_1"


async def test_waiting(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """Looks again after longer and longer waits until the batch has ended, however it has."""
    waited: list[float] = []
    states = iter(["validating", "in_progress", "finalizing", "completed"])

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        host.batch = BATCH | {"status": next(states)}

    bound.batches._sleep = sleep
    batch = await bound.batches.wait("batch_1")
    assert (batch.status, waited) == ("completed", [2.0, 3.0, 4.5, 6.75])
    assert [request.path for request in server.requests] == ["/v1/batches/batch_1"] * 5
    for status in ("failed", "expired", "cancelled"):
        host.batch = BATCH | {"status": status}
        assert (await bound.batches.wait("batch_1")).status == status
    host.batch = BATCH
    waited.clear()
    states = iter(["x"] * 9 + ["completed"])
    await bound.batches.wait("batch_1", poll_interval=20)
    assert waited == [20, 30, 45, *[60] * 7]
    host.batch = BATCH
    waited.clear()
    states = iter(["x", "completed"])
    await bound.batches.wait("batch_1", poll_interval=300)
    assert waited == [300, 300]


async def test_results(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """Each line, however it is cut, as the endpoint's own call would give or raise it; both files are read."""
    host.batch = DONE
    refusal = {"error": {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"}}
    output = line("a") + b"\n" + line("b", refusal, 400) + line("c", {"error": {"message": "slow"}}, 429)
    output += b"not json\n" + line("d", {"no": "answer"})
    failed = line("e", None, error={"code": "batch_expired", "message": "came too late"})
    host.contents = {
        "file-out": [output[place : place + 100] for place in range(0, len(output), 100)],
        "file-err": [failed.rstrip(b"\n")],
    }
    found = [result async for result in bound.batches.results("batch_1")]
    assert [result.custom_id for result in found] == ["a", "b", "c", "", "d", "e"]
    first = found[0].response
    assert isinstance(first, ChatCompletion)
    assert (first.choices[0].message.content, first.provider, first.request_id) == ("Hello", "openai", "req_a")
    assert (found[0].error, found[0].status_code, found[0].raw) == (None, 200, line("a").strip())
    assert all(result.response is None for result in found[1:])
    assert [type(result.error) for result in found[1:]] == [
        ContextLengthExceededError,
        RateLimitError,
        ResponseDecodeError,
        ResponseDecodeError,
        InternalServerError,
    ]
    assert str(found[1].error) == "openai: too long (400, context_length_exceeded, request req_b)"
    assert str(found[5].error) == "openai: came too late (200, batch_expired)"
    assert [request.path for request in server.requests] == [
        "/v1/batches/batch_1",
        "/v1/files/file-out/content",
        "/v1/files/file-err/content",
    ]


async def test_results_of_other_endpoints(bound: AsyncOneLLM, host: Host) -> None:
    """Vectors, judgements and texts as their own calls give them; what has no call is a dict."""
    vectors = {"data": [{"index": 0, "embedding": [0.5, 1.0]}, {"index": 1, "embedding": [0.0, 2.0]}], "model": "m"}
    judged = {"id": "modr-1", "model": "m", "results": [{"flagged": True, "categories": {}, "category_scores": {}}] * 2}
    written = {"id": "cmpl-1", "model": "m", "choices": [{"index": 0, "text": "and so on", "finish_reason": "stop"}]}
    read: dict[str, tuple[Any, Any]] = {
        "/v1/embeddings": (vectors, lambda reply: [list(item.embedding) for item in reply.data]),
        "/v1/moderations": (judged, lambda reply: [item.flagged for item in reply.results]),
        "/v1/completions": (written, lambda reply: reply.choices[0].text),
        "/v1/responses": ({"id": "resp_1", "output": []}, lambda reply: reply),
    }
    found: dict[str, Any] = {}
    for endpoint, (body, take) in read.items():
        host.batch = DONE | {"endpoint": endpoint, "error_file_id": ""}
        host.contents = {"file-out": [line("a", body)]}
        (result,) = [result async for result in bound.batches.results("batch_1")]
        assert result.error is None
        found[endpoint] = take(result.response)
        if endpoint == "/v1/embeddings":
            assert isinstance(result.response, CreateEmbeddingResponse)
        if endpoint == "/v1/moderations":
            assert isinstance(result.response, ModerationCreateResponse)
    assert found == {
        "/v1/embeddings": [[0.5, 1.0], [0.0, 2.0]],
        "/v1/moderations": [True, True],
        "/v1/completions": "and so on",
        "/v1/responses": {"id": "resp_1", "output": []},
    }
    host.contents = {"file-out": [line("a", [1])]}
    (result,) = [result async for result in bound.batches.results("batch_1")]
    assert isinstance(result.error, ResponseDecodeError)


async def test_results_that_are_not_there(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """A batch that runs, one that failed as a whole, one that is not known, and one that ended with nothing."""
    with pytest.raises(InvalidRequestError, match="batch_1 is validating: wait for it"):
        await anext(bound.batches.results("batch_1"))
    host.batch = BATCH | {
        "status": "failed",
        "errors": {"object": "list", "data": [{"code": "invalid_json", "line": 2, "message": "no JSON"}]},
    }
    with pytest.raises(BadRequestError, match="batch batch_1 failed: line 2: no JSON"):
        await anext(bound.batches.results("batch_1"))
    host.batch = BATCH | {"status": "expired"}
    assert [result async for result in bound.batches.results("batch_1")] == []
    server.plays(Answer(status=404, chunks=[{"error": {"message": "no such batch"}}]))
    with pytest.raises(NotFoundError):
        await anext(bound.batches.results("batch_2"))


async def test_results_that_break_off(bound: AsyncOneLLM, host: Host) -> None:
    """What came before is handed out; then an error, and not a short list. A line has a largest size."""
    host.batch = DONE
    host.cut = "close"
    host.contents["file-out"] = [line("a") + line("b")[:40]]
    results = bound.batches.results("batch_1")
    assert (await anext(results)).custom_id == "a"
    with pytest.raises(APIConnectionError, match="broke off"):
        await anext(results)
    host.cut = ""
    host.contents["file-out"] = [b"x" * 5000]
    with pytest.raises(ResponseDecodeError, match="longer than 4096 bytes"):
        await anext(bound.batches.results("batch_1"))


async def test_leaving_results_early_closes_the_connection(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """At once, with `async with`."""
    host.batch = DONE
    host.cut = "stall"
    host.contents["file-out"] = [line("a")]
    async with bound.batches.results("batch_1") as results:
        async for result in results:
            assert result.custom_id == "a"
            break
    await server.requests[-1].gone.wait()


async def test_a_host_with_jobs(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """One model and hours in the request, lines without a URL; states, counts and files under OpenAI's names."""
    host.batch = {
        "id": "job-1",
        "object": "batch",
        "input_files": ["file-1"],
        "endpoint": "/v1/chat/completions",
        "model": "mistral-small-latest",
        "output_file": "file-out",
        "error_file": None,
        "errors": [{"message": "bad line", "count": 2}],
        "status": "SUCCESS",
        "created_at": 1,
        "started_at": 2,
        "completed_at": 3,
        "total_requests": 3,
        "completed_requests": 3,
        "succeeded_requests": 1,
        "failed_requests": 2,
    }
    batch = await bound.batches.create(
        requests=[{"custom_id": "a", "body": {"model": "mistral/mistral-small-latest", "messages": ASK}}],
        completion_window="2d",
        metadata={"a": "b"},
    )
    (begin,) = server.requests
    assert begin.path == "/batch/jobs"
    assert begin.json == {
        "requests": [{"custom_id": "a", "body": {"messages": ASK}}],
        "endpoint": "/v1/chat/completions",
        "model": "mistral-small-latest",
        "timeout_hours": 48,
        "metadata": {"a": "b"},
    }
    assert (batch.status, batch.status_raw, batch.ended, batch.input_file_id) == (
        "completed",
        "SUCCESS",
        True,
        "file-1",
    )
    assert (batch.output_file_id, batch.error_file_id, batch.in_progress_at) == ("file-out", None, 2)
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (3, 1, 2)
    assert batch.errors is not None
    assert batch.errors.data[0].message == "bad line"
    host.contents["file-out"] = [line("a")]
    (result,) = [result async for result in bound.batches.results("job-1", provider="mistral")]
    assert isinstance(result.response, ChatCompletion)
    await bound.batches.create(input_file_id="file-1", model="mistral/m")
    assert (server.requests[-1].json["model"], server.requests[-1].json["timeout_hours"]) == ("m", 24)
    for theirs, ours in (
        ("QUEUED", "validating"),
        ("RUNNING", "in_progress"),
        ("FAILED", "failed"),
        ("TIMEOUT_EXCEEDED", "expired"),
        ("CANCELLATION_REQUESTED", "cancelling"),
        ("CANCELLED", "cancelled"),
    ):
        host.batch = host.batch | {"status": theirs}
        assert (await bound.batches.retrieve("job-1", provider="mistral")).status == ours
    server.plays(Answer(chunks=[{"data": [host.batch], "object": "list", "total": 1}]))
    assert [each.id async for each in bound.batches.list(provider="mistral", limit=5)] == ["job-1"]
    assert server.requests[-1].target == "/batch/jobs?page_size=5"


def job(**fields: Any) -> dict[str, Any]:
    """A batch whose requests came in the call."""
    plain = {"id": "job-1", "object": "batch", "input_files": [], "endpoint": "/v1/chat/completions", "model": "m"}
    return plain | {"status": "SUCCESS", "output_file": None, "error_file": None, "outputs": None} | fields


def question(number: int, text: str = "x") -> BatchRequest:
    body = {"model": "mistral/m", "messages": [{"role": "user", "content": text}]}
    return BatchRequest(custom_id=str(number), body=body)


async def test_requests_that_are_too_many_for_the_call(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """They go as a file, whole and in order: more than it takes in number, or than may be in memory."""
    host.batch = job(status="QUEUED", input_files=["file-1"])
    await bound.batches.create(requests=(question(number) for number in range(9_999)))
    (inline,) = server.requests
    assert len(inline.json["requests"]) == 9_999
    for requests in (
        [question(number) for number in range(10_001)],
        [question(number, "x" * (3 << 20)) for number in range(4)],
    ):
        server.requests.clear()
        await bound.batches.create(requests=requests)
        upload, begin = server.requests
        assert [each["custom_id"] for each in sent_lines(upload)] == [each.custom_id for each in requests]
        assert begin.json["input_files"] == ["file-1"]
        assert "requests" not in begin.json


async def test_results_that_stand_in_the_batch(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """Of requests that came in the call, where they are in no file; the batch is asked for with them."""
    outputs = [json.loads(line("a")), json.loads(line("b", {"message": "slow down"}, 429))]
    host.batch = job(outputs=outputs)
    found = [result async for result in bound.batches.results("job-1", provider="mistral")]
    assert [(result.custom_id, type(result.response or result.error)) for result in found] == [
        ("a", ChatCompletion),
        ("b", RateLimitError),
    ]
    assert [request.target for request in server.requests] == ["/batch/jobs/job-1", "/batch/jobs/job-1?inline=true"]
    host.batch = job(status="CANCELLED")
    assert [result async for result in bound.batches.results("job-1", provider="mistral")] == []
    host.batch = job(outputs="none")
    with pytest.raises(ResponseDecodeError, match="not a batch"):
        await anext(bound.batches.results("job-1", provider="mistral"))
    host.batch = job(output_file="file-out")
    host.contents["file-out"] = [line("a")]
    assert [result.custom_id async for result in bound.batches.results("job-1", provider="mistral")] == ["a"]
    assert server.requests[-1].path == "/files/file-out/content"


async def test_results_of_a_hosts_own_endpoints(bound: AsyncOneLLM, host: Host) -> None:
    """Documents that were read, conversations that were judged and what was filled in, as their own calls give them."""
    judged = {"id": "modr-1", "model": "m", "results": [{"categories": {"hate": True}, "category_scores": {}}]}
    read: dict[str, tuple[Any, Any]] = {
        "/v1/ocr": ({"model": "m", "pages": [{"index": 0, "markdown": "# Hi"}]}, lambda reply: reply.markdown),
        "/v1/chat/moderations": (judged, lambda reply: reply.results[0].flagged),
        "/v1/fim/completions": (CHAT, lambda reply: reply.choices[0].text),
    }
    found: dict[str, Any] = {}
    for endpoint, (body, take) in read.items():
        host.batch = job(endpoint=endpoint, outputs=[json.loads(line("a", body))])
        (result,) = [result async for result in bound.batches.results("job-1", provider="mistral")]
        assert result.error is None
        found[endpoint] = take(result.response)
    assert found == {"/v1/ocr": "# Hi", "/v1/chat/moderations": True, "/v1/fim/completions": "Hello"}


async def test_a_host_that_shouts(server: Loopback, bound: AsyncOneLLM, host: Host) -> None:
    """States in capitals, dates as texts, a new batch inside a job, a list that is a bare array."""
    job = {
        "id": "batch-1",
        "input_file_id": "file-1",
        "status": "IN_PROGRESS",
        "created_at": "2024-01-15T14:30:00Z",
        "endpoint": "/v1/chat/completions",
        "model_id": "org/m",
        "error": "it is bad",
    }
    host.batch = {"job": job, "warning": ""}
    batch = await bound.batches.create(requests=[{"custom_id": "a", "body": {"model": "together/org/m"}}])
    assert server.requests[1].json == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    assert (batch.id, batch.status, batch.status_raw, batch.created_at) == (
        "batch-1",
        "in_progress",
        "IN_PROGRESS",
        1705329000,
    )
    assert (batch.model, batch.errors and batch.errors.data[0].message) == ("org/m", "it is bad")
    server.plays(Answer(chunks=[[job | {"status": "COMPLETED"}]]))
    assert [each.status async for each in bound.batches.list(provider="together")] == ["completed"]
    server.plays(Answer(chunks=[{"nothing": 1}]))
    with pytest.raises(ResponseDecodeError, match="not a batch: it has no id"):
        await bound.batches.retrieve("batch-1", provider="together")
