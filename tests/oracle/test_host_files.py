"""What hosts' own packages send for files and batches, and what we send for the same call. The extra is `oracle`."""

from importlib import import_module
from typing import Any

import pytest
from forms import fields, files
from loopback import Answer, Loopback, Recorded, sse, type_sse
from served import client_for

FILE = {
    "id": "7b3f3c1e-0d3c-4c58-a0c5-0a5c5a3b9b10",
    "object": "file",
    "bytes": 3,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "sample_type": "batch_request",
    "source": "upload",
}
JOB = {
    "id": "7b3f3c1e-0d3c-4c58-a0c5-0a5c5a3b9b10",
    "input_files": [FILE["id"]],
    "endpoint": "/v1/chat/completions",
    "errors": [],
    "status": "QUEUED",
    "created_at": 1,
    "total_requests": 1,
    "completed_requests": 0,
    "succeeded_requests": 0,
    "failed_requests": 0,
}


# Fields that a package adds by itself, each with what they say.
LEFT_OUT = {"visibility": "workspace, which is what the host does anyway"}
CARD = {"id": "m", "type": "base", "capabilities": {"completion_chat": True, "function_calling": False}}
# What the package asks of lists by itself, each as the host does it anyway.
USUAL = {"page": "0", "include_total": "true", "created_by_me": "false", "order_by": "-created"}


def sent(request: Recorded) -> Any:
    if request.headers.get("content-type", "").startswith("multipart/"):
        known = [field for field in sorted(fields(request)) if field[0] not in LEFT_OUT]
        return request.method, request.path, known, files(request)
    return request.method, request.path, request.json if request.body else None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_mistral() -> None:
    """A file, a batch of it, and the batch's end."""
    package = pytest.importorskip("mistralai.client", reason="needs the package mistralai (extra: oracle)")
    async with Loopback() as server:
        server.chooses(lambda request: Answer(chunks=[FILE if "/files" in request.path else JOB]))
        async with package.Mistral(api_key="k", server_url=server.url) as theirs:
            await theirs.files.upload_async(
                file={"file_name": "a.jsonl", "content": b"{}\n", "content_type": "application/jsonl"}, purpose="batch"
            )
            await theirs.batch.jobs.create_async(
                input_files=[FILE["id"]],
                endpoint="/v1/chat/completions",
                model="m",
                metadata={"a": "b"},
                timeout_hours=48,
            )
            await theirs.batch.jobs.cancel_async(job_id="job-1")
            await theirs.batch.jobs.get_async(job_id="job-1")
        count = len(server.requests)
        async with client_for("mistral", server) as ours:
            await ours.files.create(file=("a.jsonl", b"{}\n"), purpose="batch", provider="mistral")
            await ours.batches.create(
                input_file_id=str(FILE["id"]), model="mistral/m", metadata={"a": "b"}, completion_window="48h"
            )
            await ours.batches.cancel("job-1", provider="mistral")
            await ours.batches.retrieve("job-1", provider="mistral")
        theirs_sent, ours_sent = server.requests[:count], server.requests[count:]
    assert [sent(request) for request in ours_sent] == [sent(request) for request in theirs_sent]


@pytest.mark.parametrize(
    ("host", "client", "base"), [("groq", "AsyncGroq", "/openai/v1"), ("together", "AsyncTogether", "/v1")]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_batches(host: str, client: str, base: str) -> None:
    """A batch of a file, and its end."""
    pytest.importorskip(host, reason=f"needs the package {host} (extra: oracle)")
    package = import_module(host)
    call: dict[str, Any] = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    async with Loopback() as server:
        server.plays(Answer(chunks=[{"id": "batch_1", "status": "VALIDATING"}]))
        async with getattr(package, client)(api_key="k", base_url=server.url, max_retries=0) as theirs:
            await theirs.batches.create(**call)
            await theirs.batches.cancel("batch_1")
            await theirs.batches.retrieve("batch_1")
        async with client_for(host, server, base=base) as ours:
            await ours.batches.create(**call, provider=host)
            await ours.batches.cancel("batch_1", provider=host)
            await ours.batches.retrieve("batch_1", provider=host)
        requests = server.requests
    assert [sent(request) for request in requests[3:]] == [sent(request) for request in requests[:3]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_mistral_transcription() -> None:
    """Speakers, terms to expect, and the file itself; only what the package says of itself differs."""
    package = pytest.importorskip("mistralai.client", reason="needs the package mistralai (extra: oracle)")
    async with Loopback() as server:
        server.plays(Answer(chunks=[{"model": "m", "text": "Hi", "language": None, "usage": {}, "segments": []}]))
        async with package.Mistral(api_key="k", server_url=server.url) as theirs:
            await theirs.audio.transcriptions.complete_async(
                model="m",
                file={"file_name": "a.wav", "content": b"RIFF....WAVE", "content_type": "audio/wav"},
                diarize=True,
                timestamp_granularities=["segment"],
                context_bias=["Ho"],
                temperature=0.5,
                speaker_references={"Ann": "UklGRg=="},
            )
        async with client_for("mistral", server) as ours:
            await ours.audio.transcriptions.create(
                model="mistral/m",
                file=("a.wav", b"RIFF....WAVE"),
                response_format="diarized_json",
                keywords=["Ho"],
                temperature=0.5,
                known_speaker_names=["Ann"],
                known_speaker_references=["UklGRg=="],
            )
        theirs_sent, ours_sent = server.requests
    assert ours_sent.path == theirs_sent.path == "/v1/audio/transcriptions"
    assert files(ours_sent) == files(theirs_sent)
    assert sorted(fields(ours_sent)) == sorted(set(fields(theirs_sent)) - {("stream", "false")})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_mistral_inline_batch_and_the_rest() -> None:
    """Requests in the call and results in the batch, and everything else that is asked of files and batches."""
    package = pytest.importorskip("mistralai.client", reason="needs the package mistralai (extra: oracle)")
    requests: list[Any] = [{"custom_id": "a", "body": {"max_tokens": 2, "messages": []}}]
    signed = {"url": "https://files.example.com/f"}
    deleted = {"id": FILE["id"], "object": "file", "deleted": True}
    listed = {"data": [], "object": "list", "total": 0}

    def answers(request: Recorded) -> Answer:
        if request.method == "DELETE":
            return Answer(chunks=[deleted])
        if request.path in {"/v1/files", "/v1/batch/jobs"} and request.method == "GET":
            return Answer(chunks=[listed])
        if request.path.startswith("/v1/models"):
            return Answer(chunks=[CARD if request.path.endswith("/m") else {"object": "list", "data": [CARD]}])
        if request.path.endswith("/content"):
            return Answer(chunks=[b"{}"], content_type="application/octet-stream")
        file = {**FILE, "deleted": False}
        return Answer(chunks=[signed if "/url" in request.path else file if "/files" in request.path else JOB])

    done = {**JOB, "status": "SUCCESS", "outputs": []}
    async with Loopback() as server:
        server.chooses(answers)
        async with package.Mistral(api_key="k", server_url=server.url) as theirs:
            await theirs.batch.jobs.create_async(requests=requests, endpoint="/v1/chat/completions", model="m")
            await theirs.batch.jobs.get_async(job_id="job-1")
            await theirs.batch.jobs.get_async(job_id=JOB["id"], inline=True)
            await theirs.batch.jobs.list_async(page_size=5)
            await theirs.files.get_signed_url_async(file_id="file-1", expiry=2)
            await theirs.files.retrieve_async(file_id="file-1")
            await theirs.files.list_async(purpose="ocr", page_size=5)
            await theirs.files.download_async(file_id="file-1")
            await theirs.files.delete_async(file_id="file-1")
            await theirs.models.list_async()
            await theirs.models.retrieve_async(model_id="m")
        count = len(server.requests)
        async with client_for("mistral", server) as ours:
            ours_requests: list[Any] = [{**each, "body": {**each["body"], "model": "mistral/m"}} for each in requests]
            await ours.batches.create(requests=ours_requests, provider="mistral")
            server.chooses(lambda request: Answer(chunks=[done]) if "/batch" in request.path else answers(request))
            assert [each async for each in ours.batches.results("job-1", provider="mistral")] == []
            server.chooses(answers)
            await ours.batches.list(provider="mistral", limit=5)
            await ours.files.signed_url("file-1", expires_in=7200, provider="mistral")
            await ours.files.retrieve("file-1", provider="mistral")
            await ours.files.list(provider="mistral", purpose="ocr", limit=5)
            await (await ours.files.content("file-1", provider="mistral")).read()
            await ours.files.delete("file-1", provider="mistral")
            await ours.models.list(provider="mistral")
            assert (await ours.models.capabilities("mistral/m")).tools.source == "provider says"
    asked = [
        [(request.method, request.path, {**USUAL, **request.query}, request.json if request.body else None)]
        for request in server.requests
    ]
    assert asked[count:] == asked[:count]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_mistral_transcription_as_it_is_heard() -> None:
    """The streamed form of it, in a language that is known."""
    package = pytest.importorskip("mistralai.client", reason="needs the package mistralai (extra: oracle)")
    done = {"type": "transcription.done", "model": "m", "text": "Hi", "language": "en", "segments": [], "usage": {}}
    async with Loopback() as server:
        server.plays(Answer(chunks=sse(done), content_type=type_sse))
        async with package.Mistral(api_key="k", server_url=server.url) as theirs:
            await theirs.audio.transcriptions.stream_async(
                model="m",
                file={"file_name": "a.wav", "content": b"RIFF....WAVE", "content_type": "audio/wav"},
                language="en",
            )
        async with client_for("mistral", server) as ours:
            stream = await ours.audio.transcriptions.create(
                model="mistral/m", file=("a.wav", b"RIFF....WAVE"), language="en", stream=True
            )
            assert (await stream.get_final_transcription()).text == "Hi"
        theirs_sent, ours_sent = server.requests
    assert ours_sent.path == theirs_sent.path
    assert files(ours_sent) == files(theirs_sent)
    assert sorted(fields(ours_sent)) == sorted(set(fields(theirs_sent)) - {("diarize", "false")})
