"""What comes beside an answer by HTTP: its headers and its status, of whole answers, streams, bytes and refusals."""

import asyncio
import copy
import gc
import pickle
from collections.abc import Callable, Mapping
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from loopback import Answer, Loopback, soon, streamed
from threaded import Provider
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM

from onellm import AsyncOneLLM, BadRequestError, Headers, Limits, MemoryCache, OneLLM, RateLimitError
from onellm.types.base import Answer as Received
from onellm.types.chat import ChatCompletion
from onellm.types.headers import as_head, headers_of, status_of

SAID = {
    "X-RateLimit-Remaining-Requests": "59",
    "openai-processing-ms": "312",
    "x-request-id": "req_1",
    "Set-Cookie": "__cf_bm=secret; HttpOnly",
}
VECTORS = {"object": "list", "model": "e", "data": [{"index": 0, "embedding": [0.5]}], "usage": {"total_tokens": 1}}
FILE = {"id": "file-1", "object": "file", "bytes": 2, "created_at": 1, "filename": "a", "purpose": "batch"}
MODEL = {"id": "m", "object": "model", "created": 1, "owned_by": "o"}


def check(answer: Any, status: int = 200) -> None:
    """It has what was sent, whatever the case, and no cookie."""
    assert answer.headers["x-ratelimit-remaining-requests"] == answer.headers["X-RATELIMIT-Remaining-Requests"] == "59"
    assert answer.headers["Openai-Processing-Ms"] == "312"
    assert "set-cookie" not in answer.headers
    assert "secret" not in repr(answer.headers)
    assert answer.status_code == status


# --- every kind of answer ---

WHOLE: dict[str, tuple[Any, Callable[[AsyncOneLLM], Any]]] = {
    "chat": (CHAT, lambda client: client.chat.completions.create(**ASK)),
    "parse": (
        {**CHAT, "choices": [{"index": 0, "message": {"content": "{}"}, "finish_reason": "stop"}]},
        lambda client: client.chat.completions.parse(**ASK, response_format=dict[str, int]),
    ),
    "embeddings": (VECTORS, lambda client: client.embeddings.create(model="e", input="a")),
    "images": ({"created": 1, "data": []}, lambda client: client.images.generate(model="i", prompt="a")),
    "transcription": ({"text": "a"}, lambda client: client.audio.transcriptions.create(model="w", file=b"RIFF")),
    "moderations": (
        {"id": "1", "model": "m", "results": [{"flagged": False}]},
        lambda client: client.moderations.create(input="a"),
    ),
    "file": (FILE, lambda client: client.files.retrieve("file-1")),
    "new file": (FILE, lambda client: client.files.create(file=b"{}", purpose="batch")),
    "files": ({"data": [FILE]}, lambda client: client.files.list().first()),
    "models": ({"data": [MODEL]}, lambda client: client.models.list().first()),
    "response": (
        {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": []},
        lambda client: client.responses.create(model="m", input="a"),
    ),
    "content": (b"bytes", lambda client: client.files.content("file-1")),
    "speech": (b"ID3", lambda client: client.audio.speech.create(model="t", input="a", voice="alloy")),
}


@pytest.mark.parametrize("kind", WHOLE)
async def test_an_answer_has_its_headers_and_status(kind: str, client: AsyncOneLLM, loopback: Loopback) -> None:
    """Of any operation, once it is there; of bytes, before they are read."""
    body, ask = WHOLE[kind]
    binary = isinstance(body, bytes)
    loopback.plays(Answer(chunks=[body], headers=SAID, content_type="audio/mpeg" if binary else "application/json"))
    answer = await ask(client)
    check(answer)
    if binary:
        assert await answer.read() == body
        check(answer)


async def test_the_items_of_a_list_have_those_of_the_list(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[{"data": [FILE, FILE]}], headers=SAID))
    async for file in client.files.list():
        check(file)


async def test_a_stream_has_them_from_its_beginning_and_its_whole_answer_too(
    client: AsyncOneLLM, loopback: Loopback
) -> None:
    """Not its chunks: there are many, and they came with none."""
    go_on = asyncio.Event()
    loopback.plays(streamed(*STREAM, headers=SAID, pause={2: go_on.wait}))
    stream: Any = await client.chat.completions.create(**ASK, stream=True)
    async with stream:
        check(stream)
        chunk = await soon(anext(stream))
        assert chunk.headers == {}
        assert chunk.status_code is None
        go_on.set()
        check(await stream.get_final_completion())
    check(stream)


@pytest.mark.parametrize(
    "settings",
    [{"stats": True}, {"answer_cache": MemoryCache()}, {"on_response": print}, {"limits": Limits(concurrency=1)}],
    ids=["counted", "kept", "hooks", "limited"],
)
async def test_what_stands_around_a_call_does_not_hide_them(settings: dict[str, Any], loopback: Loopback) -> None:
    """Whole, streamed, bytes."""
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", **settings) as client:
        loopback.plays(Answer(chunks=[CHAT], headers=SAID))
        check(await client.chat.completions.create(**ASK))
        loopback.plays(streamed(*STREAM, headers=SAID))
        stream: Any = await client.chat.completions.create(**ASK, stream=True)
        check(stream)
        check(await stream.get_final())
        loopback.plays(Answer(chunks=[b"ID3"], headers=SAID, content_type="audio/mpeg"))
        async with await client.audio.speech.create(model="t", input="a", voice="alloy") as speech:
            check(speech)


async def test_a_parsed_stream_has_them(client: AsyncOneLLM, loopback: Loopback) -> None:
    digits = [
        {**STREAM[1], "choices": [{"index": 0, "delta": {"content": '{"a": 1}'}, "finish_reason": None}]},
        STREAM[5],
    ]
    loopback.plays(streamed(*digits, headers=SAID))
    stream: Any = await client.chat.completions.parse(**ASK, response_format=dict[str, int], stream=True)
    check(stream)
    check(await stream.get_final())


async def test_a_stream_that_begins_anew_has_those_of_its_last_beginning(
    client: AsyncOneLLM, loopback: Loopback
) -> None:
    """What came before counts no more."""
    broken = streamed(*STREAM[:3], done=False, cut="close", headers={"x-try": "1"})
    loopback.plays(broken, streamed(*STREAM, headers={"x-try": "2"}))
    stream: Any = await client.chat.completions.create(**ASK, stream=True, on_interrupt="restart")
    assert stream.headers["x-try"] == "1"
    final = await stream.get_final_completion()
    assert stream.headers["x-try"] == final.headers["x-try"] == "2"


async def test_an_answer_of_several_requests_has_those_of_the_first(client: AsyncOneLLM, loopback: Loopback) -> None:
    """As it has its id."""

    def numbered(request: Any) -> Answer:
        first = "0" in request.json["input"]
        data = [{"index": place, "embedding": [0.5]} for place, _ in enumerate(request.json["input"])]
        return Answer(chunks=[{**VECTORS, "data": data}], headers={"x-part": "first" if first else "another"})

    loopback.chooses(numbered)
    reply = await client.embeddings.create(model="e", input=[str(number) for number in range(3000)])
    assert len(loopback.requests) == 2
    assert len(reply.data) == 3000
    assert reply.headers["x-part"] == "first"


async def test_a_success_may_have_another_status(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(status=201, chunks=[FILE], headers=SAID))
    check(await client.files.create(file=b"{}", purpose="batch"), 201)
    loopback.plays(Answer(status=202, chunks=[CHAT], headers=SAID))
    check(await client.chat.completions.create(**ASK), 202)


# --- where there are none ---


async def test_an_answer_from_a_cache_has_none(loopback: Loopback) -> None:
    """They were of a request that was made then; limits and times have gone on."""
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", answer_cache=MemoryCache()) as client:
        loopback.plays(Answer(chunks=[CHAT], headers=SAID), streamed(*STREAM, headers=SAID))
        check(await client.chat.completions.create(**ASK))
        again = await client.chat.completions.create(**ASK)
        assert again.cached is not None
        assert (dict(again.headers), again.status_code) == ({}, None)
        assert again.request_id == "req_1"
        stream: Any = await client.chat.completions.create(**ASK, stream=True)
        check(await stream.get_final())
        replayed: Any = await client.chat.completions.create(**ASK, stream=True)
        assert replayed.cached is not None
        assert (dict(replayed.headers), replayed.status_code) == ({}, None)


async def test_who_shares_a_request_has_its_headers(loopback: Loopback) -> None:
    may_come = asyncio.Event()
    loopback.plays(Answer(chunks=[VECTORS], headers=SAID, pause={0: may_come.wait}))
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", share=True) as client:
        tasks = [asyncio.create_task(client.embeddings.create(model="e", input="a")) for _ in range(3)]
        await soon(loopback.wait_for_requests(1))
        may_come.set()
        for reply in await soon(asyncio.gather(*tasks)):
            check(reply)
    assert len(loopback.requests) == 1


def test_what_did_not_come_by_http_has_none() -> None:
    made = ChatCompletion(choices=[])
    assert made.headers == {}
    assert made.status_code is None


async def test_the_results_of_a_pipeline_have_none(client: AsyncOneLLM, loopback: Loopback) -> None:
    """They are kept by the thousand, and headers are larger than most answers."""
    loopback.plays(Answer(chunks=[CHAT], headers=SAID))
    results = [result async for result in client.chat.completions.map(["one", "two"], model="m")]
    assert [result.response and result.response.request_id for result in results] == ["req_1", "req_1"]
    assert all(result.response and not result.response.headers for result in results)


# --- what they are not part of ---


async def test_they_are_no_part_of_what_an_answer_says(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Two answers that differ in headers alone are equal, look the same, and are written the same."""
    loopback.plays(Answer(chunks=[CHAT], headers=SAID), Answer(chunks=[CHAT], headers={"x-request-id": "req_1"}))
    one, other = [await client.chat.completions.create(**ASK) for _ in range(2)]
    assert one.headers != other.headers
    assert one == other
    assert repr(one) == repr(other)
    assert one.to_dict() == other.to_dict()
    assert one.model_dump() == other.model_dump()
    assert msgspec.json.encode(one) == msgspec.json.encode(other)
    assert "headers" not in one.model_extra


async def test_an_answer_is_copied_and_pickled_without_them(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Where it goes to another process, what its transport made stays here."""
    loopback.plays(Answer(chunks=[CHAT], headers=SAID))
    reply = await client.chat.completions.create(**ASK)
    for other in (copy.copy(reply), copy.deepcopy(reply), pickle.loads(pickle.dumps(reply))):  # noqa: S301 - our own bytes
        assert other == reply
        assert other.headers == {}
    check(reply)


async def test_an_answer_keeps_no_connection(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What it holds of the transport is the mapping: nothing that leads on to a socket or a loop."""
    loopback.plays(Answer(chunks=[CHAT], headers=SAID))
    reply = await client.chat.completions.create(**ASK)
    held: list[Any] = [reply.head]
    seen: set[int] = set()
    while held:
        one = held.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        assert not isinstance(one, aiohttp.ClientResponse | asyncio.AbstractEventLoop | asyncio.BaseTransport), one
        held += gc.get_referents(one)


async def test_no_other_attribute_can_be_set(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A name that is misspelled stays an error."""
    loopback.plays(Answer(chunks=[CHAT]))
    reply: Any = await client.chat.completions.create(**ASK)
    with pytest.raises(AttributeError):
        reply.choises = []


# --- the mapping itself ---


def test_headers_are_a_mapping_that_nobody_changes() -> None:
    headers = Headers({"X-One": "1", "x-two": "2"})
    assert (headers["x-ONE"], headers.get("X-Two"), headers.get("x-three", "-")) == ("1", "2", "-")
    assert "X-TWO" in headers
    assert list(headers) == ["x-one", "x-two"]
    assert headers == {"x-one": "1", "x-two": "2"} == dict(headers)
    assert repr(headers) == "Headers({'x-one': '1', 'x-two': '2'})"
    assert pickle.loads(pickle.dumps(headers)) == copy.deepcopy(headers) == headers  # noqa: S301 - our own bytes
    with pytest.raises(TypeError):
        cast("Any", headers)["x-one"] = "3"
    with pytest.raises(KeyError, match="x-three"):
        headers["x-three"]


async def test_a_header_that_came_twice_is_one(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[CHAT], headers={"Warning": '199 - "a"', "warning": '199 - "b"'}))
    reply = await client.chat.completions.create(**ASK)
    assert reply.headers["warning"] == '199 - "a", 199 - "b"'


@pytest.mark.parametrize("status", [200, 201])
def test_what_is_kept_is_what_the_transport_had(status: int) -> None:
    """With status 200, as nearly all have, it is its mapping and nothing else."""
    mapping: Mapping[str, str] = {"x-one": "1"}
    answer = Received()
    answer.head = as_head(status, mapping)
    assert (answer.head is mapping) == (status == 200)
    assert headers_of(answer) == {"x-one": "1"}
    assert status_of(answer) == status


# --- refusals, and the blocking side ---


async def test_a_refusal_has_them_in_the_same_form(client: AsyncOneLLM, loopback: Loopback) -> None:
    """As `openai`'s has them, too, and in a copy."""
    loopback.plays(Answer(status=400, chunks=[BAD_REQUEST], headers=SAID))
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(**ASK)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # noqa: S301 - our own bytes
        check(error, 400)
        check(error.response, 400)


async def test_an_error_in_a_stream_has_those_of_the_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    """As the same refusal would have without a stream, and as it has its id."""
    failed = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
    loopback.plays(streamed(STREAM[1], failed, headers=SAID))
    stream: Any = await client.chat.completions.create(**ASK, stream=True)
    with pytest.raises(RateLimitError) as caught:
        await stream.get_final()
    assert caught.value.request_id == "req_1"
    assert caught.value.headers == stream.headers
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "59"


def test_a_blocking_client_has_them() -> None:
    """Of whole answers, streams, pages and bytes."""
    provider = Provider()
    try:
        with OneLLM(api_key="k", base_url=f"{provider.loopback.url}/v1") as client:
            provider.loopback.plays(Answer(chunks=[CHAT], headers=SAID))
            check(client.chat.completions.create(**ASK))
            provider.loopback.plays(streamed(*STREAM, headers=SAID))
            with client.chat.completions.create(**ASK, stream=True) as stream:
                check(stream)
            provider.loopback.plays(Answer(chunks=[{"data": [FILE]}], headers=SAID))
            check(client.files.list())
            provider.loopback.plays(Answer(chunks=[b"bytes"], headers=SAID, content_type="audio/mpeg"))
            with client.files.content("file-1") as content:
                check(content)
    finally:
        provider.close()
