"""Replicate over a real socket: what it does is a conversation of several requests, so that it has its own contract."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from loopback import Answer, Loopback, soon, type_sse
from replicate_host import INPUT, PICTURES, PIECES, PNG, USAGE, events, inputs, model, plays, prediction, sent

from onellm import AsyncOneLLM, Limits, RetryPolicy
from onellm.dialects.replicate.predictions import Predictions
from onellm.errors import (
    APITimeoutError,
    ConfigurationError,
    ConflictError,
    ContentFilterError,
    InternalServerError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnprocessableEntityError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.providers._prediction_run import Run
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.replicate import HOST, OWN_HOSTS, PROVIDER
from onellm.types.options import Timeouts
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from onellm.providers.protocols import Transport

KEY = "r8_contract0123456789"
QUICK = RetryPolicy(max_retries=2, initial=0.001, maximum=0.001, jitter=0.0)
ASK: dict[str, Any] = {"model": "replicate/acme/m", "messages": [{"role": "user", "content": "Rome?"}]}
TEXT = "".join(PIECES)
GET_MODEL, CREATE = "GET /v1/models/acme/m", "POST /v1/models/acme/m/predictions"
LOOK, CANCEL = "GET /v1/predictions/p1", "POST /v1/predictions/p1/cancel"


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


def connect(server: Loopback, **options: Any) -> AsyncOneLLM:
    settings = {"api_key": KEY, "base_url": server.url, "options": {"poll_interval": 0.0001}}
    return AsyncOneLLM(providers={"replicate": settings}, **{"retry": QUICK, **options})


async def test_a_chat_that_ends_while_it_is_waited_for(server: Loopback) -> None:
    """The description is read, then the run begun; text, usage, id and time come from the prediction."""
    plays(server, model(INPUT), prediction(server, "succeeded", PIECES, metrics=USAGE))
    async with connect(server) as client:
        reply = await client.chat.completions.create(
            **ask("Rome?", system="Be brief."), max_tokens=9, temperature=0.5, stop=["a", "b"], seed=1
        )
    assert sent(server) == [GET_MODEL, CREATE]
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert server.requests[1].headers["prefer"] == "wait"
    assert server.requests[1].json == {
        "input": {
            "prompt": "Rome?",
            "system_prompt": "Be brief.",
            "max_new_tokens": 9,
            "temperature": 0.5,
            "stop_sequences": "a,b",
            "seed": 1,
        }
    }
    assert reply.choices[0].message.content == TEXT
    assert (reply.choices[0].finish_reason, reply.choices[0].finish_reason_raw) == ("stop", "succeeded")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (7, 5, 12)
    assert (reply.id, reply.created, reply.provider, reply.request_id) == ("p1", 1767323045, "replicate", "r1")
    assert reply.adjustments == ("sent max_tokens as max_new_tokens",)
    assert reply.model_extra["status"] == "succeeded"


def ask(question: Any, *, system: str = "") -> dict[str, Any]:
    said = [{"role": "system", "content": system}] if system else []
    return {"model": "replicate/acme/m", "messages": [*said, {"role": "user", "content": question}]}


async def test_runs_wait_for_their_turn(server: Loopback) -> None:
    """Beginning one takes a turn; looking at it, and reading what the model takes, does not."""
    plays(server, model(INPUT), prediction(server, "starting"), [prediction(server, "succeeded", PIECES)])
    async with connect(server, limits=Limits(requests_per_minute=60)) as client:
        reply = await client.chat.completions.create(**ask("Rome?"))
        pacing = client._core._pacing
        assert pacing is not None
        pace = pacing._paces["replicate"]
        assert pace is not None
        gate = pace.pacer(client._core.bind("replicate").settings).line("acme/m").gate
    assert reply.choices[0].message.content == TEXT
    assert sent(server) == [GET_MODEL, CREATE, LOOK]
    assert (gate.sent, gate.under_way) == (1, 0)


async def test_a_run_is_looked_at_until_it_ends(server: Loopback) -> None:
    """Also past looks that fail in a way that may pass: the run is not begun, and paid for, once more."""
    looks: list[Any] = [
        prediction(server, "starting"),
        Answer(status=502, chunks=["<html>bad gateway</html>"], content_type="text/html"),
        prediction(server, "processing", PIECES[:1]),
        prediction(server, "succeeded", PIECES),
    ]
    plays(server, model(INPUT), prediction(server, "starting"), looks)
    async with connect(server) as client:
        reply = await client.chat.completions.create(**ASK)
    assert reply.choices[0].message.content == TEXT
    assert reply.usage is None
    assert sent(server) == [GET_MODEL, CREATE, LOOK, LOOK, LOOK, LOOK]


async def test_a_description_is_read_once_a_client(server: Loopback) -> None:
    """Also where many calls begin at once, and each version by itself."""
    plays(server, model(INPUT), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(5)))
        await client.chat.completions.create(**{**ASK, "model": "replicate/acme/m:abc"})
    assert sent(server).count(GET_MODEL) == 1
    assert sent(server).count(CREATE) == 5
    assert sent(server)[-2:] == ["GET /v1/models/acme/m/versions/abc", "POST /v1/predictions"]
    assert server.requests[-1].json["version"] == "abc"


async def test_a_model_that_is_not_official_is_run_by_its_newest_version(server: Loopback) -> None:
    """Models that the host does not keep ready itself have no predictions under their name."""
    plays(server, model(INPUT, is_official=False), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        await client.chat.completions.create(**ASK)
    assert sent(server)[1] == "POST /v1/predictions"
    assert server.requests[1].json["version"] == "f" * 64


async def test_the_streamed_answer_equals_the_whole(server: Loopback) -> None:
    """The stream's URL is read with the key, for it is of the same host; the counts are asked for at its end."""
    done = prediction(server, "succeeded", PIECES, metrics=USAGE, stream=True)
    plays(server, model(INPUT), prediction(server, "starting", stream=True), [done])
    async with connect(server) as client:
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            chunks = [chunk async for chunk in stream]
            folded = await stream.get_final_completion()
        plays(server, model(INPUT), done)
        whole = await client.chat.completions.create(**ASK)
    assert sent(server)[:4] == [GET_MODEL, CREATE, "GET /streams/p1", LOOK]
    create, opened = server.requests[1:3]
    assert create.json == {"input": {"prompt": "Rome?"}, "stream": True}
    assert "prefer" not in create.headers
    assert (opened.headers["accept"], opened.headers["authorization"]) == (type_sse, f"Bearer {KEY}")
    assert [chunk.choices[0].delta.content for chunk in chunks] == [*PIECES, None]
    assert (chunks[-1].choices[0].finish_reason, chunks[-1].usage) == ("stop", whole.usage)
    assert {(chunk.id, chunk.provider, chunk.request_id) for chunk in chunks} == {("p1", "replicate", "r1")}
    folded.raw = whole.raw = b""
    assert folded == whole


async def test_a_model_that_does_not_stream_gives_its_text_at_once(server: Loopback) -> None:
    looks = [prediction(server, "processing"), prediction(server, "succeeded", "Rome", metrics=USAGE)]
    plays(server, model(INPUT), prediction(server, "starting"), list(looks))
    async with connect(server) as client, await client.chat.completions.create(**ASK, stream=True) as stream:
        chunks = [chunk async for chunk in stream]
        final = await stream.get_final_completion()
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["Rome", None]
    assert final.choices[0].message.content == "Rome"
    assert final.usage == chunks[-1].usage


@pytest.mark.parametrize(
    "refused", [Answer(status=503, chunks=["busy"]), Answer(status=429), Answer(head=False, cut="reset")]
)
async def test_a_run_whose_stream_cannot_be_opened_now_is_looked_at(server: Loopback, refused: Answer) -> None:
    """It goes on, and is paid for: it is not begun again, and its text comes at once."""
    done = prediction(server, "succeeded", PIECES, metrics=USAGE)
    plays(server, model(INPUT), prediction(server, "starting", stream=True), [done], stream=refused)
    async with connect(server) as client, await client.chat.completions.create(**ASK, stream=True) as stream:
        chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == [TEXT, None]
    # A GET that a kept connection did not answer at all is sent once more, on a new one.
    assert [line for line in sent(server) if line != "GET /streams/p1"] == [GET_MODEL, CREATE, LOOK]


async def test_a_stream_that_is_refused_for_good_is_an_error(server: Loopback) -> None:
    """And the run is cancelled."""
    plays(server, model(INPUT), prediction(server, "starting", stream=True), stream=Answer(status=404, chunks=["gone"]))
    async with connect(server) as client:
        with pytest.raises(NotFoundError):
            await client.chat.completions.create(**ASK, stream=True)
    assert sent(server) == [GET_MODEL, CREATE, "GET /streams/p1", CANCEL]


@pytest.mark.parametrize("cut", ["close", "eof", "reset"])
async def test_a_cut_stream_is_an_error_and_the_run_is_cancelled(server: Loopback, cut: str) -> None:
    stream = Answer(chunks=events(*PIECES[:2], end=""), content_type=type_sse, cut=cut)
    plays(server, model(INPUT), prediction(server, "starting", stream=True), stream=stream)
    async with connect(server) as client:
        with pytest.raises(StreamInterruptedError):
            async with await client.chat.completions.create(**ASK, stream=True) as opened:
                async for _ in opened:
                    pass
        assert sent(server) == [GET_MODEL, CREATE, "GET /streams/p1", CANCEL]


@pytest.mark.parametrize(
    ("end", "error", "code"),
    [
        ('event: error\ndata: {"detail": "out of memory"}\n\n', InternalServerError, "failed"),
        ("event: error\ndata: flagged as sensitive (E005)\n\n", ContentFilterError, "E005"),
        ('event: done\ndata: {"reason": "canceled"}\n\n', ConflictError, "canceled"),
        ('event: done\ndata: {"reason": "error"}\n\n', InternalServerError, "failed"),
    ],
)
async def test_a_stream_that_says_that_the_run_failed(
    server: Loopback, end: str, error: type[Exception], code: str
) -> None:
    """What came before is handed out; the run has ended, so that nothing is cancelled, nor tried again."""
    stream = Answer(chunks=events("Rome", end=end), content_type=type_sse)
    plays(server, model(INPUT), prediction(server, "starting", stream=True), stream=stream)
    got: list[str | None] = []
    async with connect(server) as client:
        with pytest.raises(error) as caught:
            async with await client.chat.completions.create(**ASK, stream=True) as opened:
                got += [chunk.choices[0].delta.content async for chunk in opened]
    assert getattr(caught.value, "code", None) == code
    assert sent(server) == [GET_MODEL, CREATE, "GET /streams/p1"]


async def test_leaving_a_stream_cancels_the_run(server: Loopback) -> None:
    stalls = Answer(chunks=events("Rome", end=""), content_type=type_sse, cut="stall")
    plays(server, model(INPUT), prediction(server, "starting", stream=True), stream=stalls)
    async with connect(server) as client:
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            async for chunk in stream:
                assert chunk.choices[0].delta.content == "Rome"
                break
        await soon(server.wait_for_requests(4))
        assert sent(server)[-1] == CANCEL
        await soon(server.requests[2].gone.wait())


async def test_cancelling_a_call_cancels_the_run(server: Loopback) -> None:
    """Once the run is looked at; the caller's task ends when the host has heard of it."""
    looked = asyncio.Event()
    held = Answer(chunks=[b"", prediction(server, "processing")], pause={0: looked.set, 1: asyncio.Event().wait})
    plays(server, model(INPUT), prediction(server, "starting"), [pausing(held, looked)])
    async with connect(server) as client:
        call = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(server.wait_for_requests(3))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
        assert sent(server) == [GET_MODEL, CREATE, LOOK, CANCEL]


def pausing(answer: Answer, reached: asyncio.Event) -> Answer:
    async def hold() -> None:
        reached.set()
        await asyncio.Event().wait()

    answer.pause = {0: hold}
    return answer


async def test_cancelling_while_a_stream_is_read_cancels_the_run(server: Loopback) -> None:
    """The connection is closed, and the caller's task ends when the host has heard of it."""
    stalls = Answer(chunks=events("Rome", end=""), content_type=type_sse, cut="stall")
    plays(server, model(INPUT), prediction(server, "starting", stream=True), stream=stalls)
    first = asyncio.Event()

    async def read(client: AsyncOneLLM) -> None:
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            async for _ in stream:
                first.set()

    async with connect(server) as client:
        reading = asyncio.create_task(read(client))
        await soon(first.wait())
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(reading)
        assert sent(server) == [GET_MODEL, CREATE, "GET /streams/p1", CANCEL]
        await soon(server.requests[2].gone.wait())


async def test_cancelling_while_a_stream_is_opened_cancels_the_run(server: Loopback) -> None:
    """Before its first event: the run is known by then, and is not left running."""
    opened = asyncio.Event()
    held = pausing(Answer(chunks=events("Rome"), content_type=type_sse), opened)
    plays(server, model(INPUT), prediction(server, "starting", stream=True), stream=held)
    async with connect(server) as client:
        call = asyncio.create_task(client.chat.completions.create(**ASK, stream=True))
        await soon(opened.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
        assert sent(server) == [GET_MODEL, CREATE, "GET /streams/p1", CANCEL]


async def test_cancelling_between_two_looks_cancels_the_run(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is under way then; the wait is."""
    waiting = asyncio.Event()
    pause = Run._pause

    async def told(self: Run, seconds: float) -> None:
        waiting.set()
        await pause(self, seconds)

    monkeypatch.setattr(Run, "_pause", told)
    plays(server, model(INPUT), prediction(server, "starting"), [prediction(server, "processing")])
    settings = {"api_key": KEY, "base_url": server.url, "options": {"poll_interval": 3600}}
    async with AsyncOneLLM(providers={"replicate": settings}, timeout=7200) as client:
        call = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(waiting.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
        assert sent(server) == [GET_MODEL, CREATE, CANCEL]


async def test_cancelling_while_the_run_is_begun_cancels_it_when_its_id_is_known(server: Loopback) -> None:
    """The caller is let go at once; what the host answers later is not left running."""
    let_go = asyncio.Event()
    begun = Answer(status=201, chunks=[prediction(server, "processing")], pause={0: let_go.wait})
    plays(server, model(INPUT), begun)
    async with connect(server) as client:
        call = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(server.wait_for_requests(2))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
        assert sent(server) == [GET_MODEL, CREATE]
        let_go.set()
        await soon(server.wait_for_requests(3))
        assert sent(server)[-1] == CANCEL


async def test_the_calls_time_holds_for_all_its_requests(server: Loopback) -> None:
    """A run that does not end within it is cancelled, and not begun again; the host is asked to wait no longer."""
    plays(server, model(INPUT), prediction(server, "starting"), [prediction(server, "processing")])
    async with connect(server) as client:
        with pytest.raises(APITimeoutError) as caught:
            await client.chat.completions.create(**ASK, timeout=0.2)
    assert (caught.value.phase, caught.value.provider, caught.value.model) == ("total", "replicate", "acme/m")
    assert "prefer" not in server.requests[1].headers
    assert sent(server)[-1] == CANCEL
    assert sent(server).count(CREATE) == 1


async def test_the_host_waits_no_longer_than_the_call(server: Loopback) -> None:
    plays(server, model(INPUT), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        await client.chat.completions.create(**ASK, timeout=30)
    assert server.requests[1].headers["prefer"] in {"wait=27", "wait=28"}


@pytest.mark.parametrize(
    ("ended", "error", "code"),
    [
        ({"status": "failed", "error": "CUDA out of memory"}, InternalServerError, "failed"),
        ({"status": "failed", "error": "E1001: the model ran out of memory"}, InternalServerError, "E1001"),
        ({"status": "failed", "error": "The input was flagged as sensitive. (E005)"}, ContentFilterError, "E005"),
        ({"status": "failed", "error": None}, InternalServerError, "failed"),
        ({"status": "canceled"}, ConflictError, "canceled"),
        ({"status": "aborted"}, ConflictError, "aborted"),
    ],
)
async def test_a_run_that_failed(server: Loopback, ended: dict[str, Any], error: type[Exception], code: str) -> None:
    """Its HTTP status is 201: the class comes from the run's. It is not begun again."""
    plays(server, model(INPUT), {**prediction(server, "x"), **ended})
    async with connect(server) as client:
        with pytest.raises(error) as caught:
            await client.chat.completions.create(**ASK)
    assert getattr(caught.value, "code", None) == code
    assert (getattr(caught.value, "provider", ""), getattr(caught.value, "model", "")) == ("replicate", "acme/m")
    assert sent(server) == [GET_MODEL, CREATE]


@pytest.mark.parametrize(
    ("status", "error", "count"),
    [(402, QuotaExceededError, 1), (422, UnprocessableEntityError, 1), (429, RateLimitError, 3)],
)
async def test_refusals(server: Loopback, status: int, error: type[Exception], count: int, waits: list[float]) -> None:
    """A 422 is final, a 429 is tried again after its wait; the description is not read again."""
    body = {"title": "No", "detail": "said why", "status": status}
    refusal = Answer(
        status=status, chunks=[body], content_type="application/problem+json", headers={"Retry-After": "0.002"}
    )
    plays(server, model(INPUT), refusal)
    async with connect(server) as client:
        with pytest.raises(error, match="said why"):
            await client.chat.completions.create(**ASK)
    assert sent(server) == [GET_MODEL, *[CREATE] * count]
    assert len(waits) == count - 1


async def test_a_conversation_is_one_prompt_where_the_model_takes_no_messages(server: Loopback) -> None:
    plays(server, model({"prompt": {"type": "string"}}), prediction(server, "succeeded", "x"))
    talk: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rome?"},
        {"role": "assistant", "content": "Old."},
        {"role": "user", "content": [{"type": "text", "text": "And Oslo?"}]},
    ]
    async with connect(server) as client:
        reply = await client.chat.completions.create(model=ASK["model"], messages=talk)
    assert inputs(server) == {"prompt": "Be brief.\n\nUser: Rome?\n\nAssistant: Old.\n\nUser: And Oslo?\n\nAssistant:"}
    assert reply.adjustments == (
        "wrote the conversation as one prompt: this model takes no messages",
        "put the system message before the prompt: this model takes none",
    )


@pytest.mark.parametrize("kind", ["array", "string"])
async def test_a_conversation_is_messages_where_the_model_takes_them(server: Loopback, kind: str) -> None:
    """As a list, or as a text of JSON, as its description says."""
    takes = {"prompt": {"type": "string"}, "messages": {"type": kind}, "image_input": {"type": "array"}}
    plays(server, model(takes), prediction(server, "succeeded", "x"))
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    talk: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What?"}, picture]},
    ]
    async with connect(server) as client:
        await client.chat.completions.create(model=ASK["model"], messages=talk)
    told = inputs(server)
    assert told["image_input"] == ["https://example.com/a.png"]
    messages = told["messages"] if kind == "array" else json.loads(told["messages"])
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What?"}]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"n": 2}, "n"),
        ({"stop": "a,b"}, "stop"),
    ],
)
async def test_what_a_model_lacks_is_said(server: Loopback, given: dict[str, Any], param: str) -> None:
    """Nothing is run for it; and it is left out where the caller says so."""
    plays(server, model(INPUT), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        with pytest.raises(UnsupportedParameterError) as caught:
            await client.chat.completions.create(**ASK, **given)
        assert (caught.value.param, sent(server)) == (param, [GET_MODEL])
        reply = await client.chat.completions.create(**ASK, **given, on_unsupported="drop")
    assert inputs(server) == {"prompt": "Rome?"}
    assert any(param in note for note in reply.adjustments)


async def test_the_models_own_inputs(server: Loopback) -> None:
    """They go in by their names, and win; fields beside them are the prediction's."""
    plays(server, model({"question": {"type": "string"}}), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        with pytest.raises(UnsupportedFeatureError, match="question"):
            await client.chat.completions.create(**ASK)
        own = {"input": {"question": "Rome?"}, "webhook": "https://example.com/"}
        await client.chat.completions.create(**ASK, extra_body=own)
    assert server.requests[-1].json == own


async def test_a_deployment_is_run_by_its_own_name(server: Loopback) -> None:
    """What it takes is read of the version that it runs, once; which version that is stays its owner's choice."""
    plays(server, model(INPUT, is_official=False), prediction(server, "succeeded", PIECES))
    question = {**ASK, "model": "replicate/deployments/team/live"}
    async with connect(server) as client:
        reply = await client.chat.completions.create(**question, max_tokens=9)
        await client.chat.completions.create(**question)
    create = "POST /v1/deployments/team/live/predictions"
    described = ["GET /v1/deployments/team/live", f"GET /v1/models/acme/m/versions/{'e' * 64}"]
    assert sent(server) == [*described, create, create]
    assert server.requests[2].json == {"input": {"prompt": "Rome?", "max_new_tokens": 9}}
    assert reply.choices[0].message.content == TEXT


async def test_a_stream_of_a_deployment(server: Loopback) -> None:
    done = prediction(server, "succeeded", PIECES, metrics=USAGE, stream=True)
    plays(server, model(INPUT), prediction(server, "starting", stream=True), [done])
    question = {**ASK, "model": "replicate/deployments/team/live"}
    async with connect(server) as client, await client.chat.completions.create(**question, stream=True) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == TEXT
    assert sent(server)[2:] == ["POST /v1/deployments/team/live/predictions", "GET /streams/p1", LOOK]
    assert server.requests[2].json == {"input": {"prompt": "Rome?"}, "stream": True}


async def test_a_deployment_that_does_not_say_what_it_runs(server: Loopback) -> None:
    """Nothing is run."""
    server.plays(Answer(chunks=[{"owner": "team", "name": "live", "current_release": None}]))
    async with connect(server) as client:
        with pytest.raises(ResponseDecodeError, match="does not say which model") as caught:
            await client.chat.completions.create(**{**ASK, "model": "replicate/deployments/team/live"})
    assert (caught.value.provider, caught.value.model) == ("replicate", "deployments/team/live")
    assert len(server.requests) == 1


async def test_models_come_in_pages(server: Loopback) -> None:
    """Each is asked for when it is wanted, and of this host: of the next page's URL only the query is taken."""
    plays(server, model(INPUT), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        page = await client.models.list("replicate", extra_query={"sort_by": "model_created_at"})
        assert (len(page), page.has_more, page.next_page_info(), page.provider) == (
            2,
            True,
            {"cursor": "c2="},
            "replicate",
        )
        assert len(server.requests) == 1
        found = [each async for each in page]
    assert [each.id for each in found] == ["acme/m", "acme/n", "other/o"]
    assert [each.owned_by for each in found] == ["acme", "acme", "other"]
    assert [each.created for each in found] == [1767323045, 0, 0]
    assert {each.provider for each in found} == {"replicate"}
    assert found[0].model_extra["run_count"] == 7
    assert [request.query for request in server.requests] == [
        {"sort_by": "model_created_at"},
        {"sort_by": "model_created_at", "cursor": "c2="},
    ]
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}


async def test_a_cursor_of_the_callers_own_leads_on(server: Loopback) -> None:
    """It is of the first page that is asked for, and not of all."""
    pages: dict[str, Any] = {
        "c1": {"next": "https://api.replicate.com/v1/models?cursor=c2", "results": [{"owner": "a", "name": "b"}]},
        "c2": {"next": "https://api.replicate.com/v1/models?cursor=c2", "results": [{"owner": "c", "name": "d"}]},
    }
    server.chooses(lambda request: Answer(chunks=[pages[request.query["cursor"]]]))
    async with connect(server) as client:
        found = [each.id async for each in client.models.list("replicate", extra_query={"cursor": "c1"})]
    assert found == ["a/b", "c/d"]  # and a page that leads to itself is the last
    assert len(server.requests) == 2


@pytest.mark.parametrize("body", ['{"detail": "no"}', "[]", '{"results": null}', "<html>"])
async def test_what_is_no_list_of_models_is_said(server: Loopback, body: str) -> None:
    server.plays(Answer(chunks=[body]))
    async with connect(server) as client:
        with pytest.raises(ResponseDecodeError, match="list of models") as caught:
            await client.models.list("replicate")
    assert caught.value.provider == "replicate"


@pytest.mark.parametrize(
    ("name", "path", "owner"),
    [
        ("acme/m", "models/acme/m", "acme"),
        ("acme/m:abc", "models/acme/m/versions/abc", "acme"),
        ("deployments/team/live", "deployments/team/live", "team"),
    ],
)
async def test_a_model_a_version_and_a_deployment_are_retrieved(
    server: Loopback, name: str, path: str, owner: str
) -> None:
    """Under the name that the calls take, with all that the host says."""
    plays(server, model(INPUT), prediction(server, "succeeded", "x"))
    async with connect(server) as client:
        found = await client.models.retrieve(f"replicate/{name}")
    assert sent(server) == [f"GET /v1/{path}"]
    assert (found.id, found.owned_by, found.provider) == (name, owner, "replicate")
    assert found.model_extra[
        "current_release" if owner == "team" else "openapi_schema" if ":" in name else "latest_version"
    ]


async def test_a_model_that_is_not_there(server: Loopback) -> None:
    server.plays(Answer(status=404, chunks=[{"detail": "Not found.", "status": 404}]))
    async with connect(server) as client:
        with pytest.raises(NotFoundError, match="Not found") as caught:
            await client.models.retrieve("replicate/acme/gone")
    assert (caught.value.provider, caught.value.model) == ("replicate", "acme/gone")


@pytest.mark.parametrize("name", ["m", "a/b/c", "acme/m:1:2", "deployments/a/b:1", "deployments/a/b/c"])
async def test_a_name_of_another_form_is_said(server: Loopback, name: str) -> None:
    async with connect(server) as client:
        with pytest.raises(InvalidRequestError, match="owner/name"):
            await client.chat.completions.create(**{**ASK, "model": f"replicate/{name}"})
    assert not server.requests


async def test_images_by_url(server: Loopback) -> None:
    """A size is the ratio where the model has no other; the URLs come as they are, and nothing is fetched."""
    urls = [f"{server.url}/files/{number}.png" for number in (1, 2)]
    plays(server, model(PICTURES), prediction(server, "succeeded", urls))
    async with connect(server) as client:
        reply = await client.images.generate(
            model="replicate/acme/m", prompt="a cat", n=2, size="1536x1024", output_format="jpeg"
        )
    assert inputs(server) == {"prompt": "a cat", "num_outputs": 2, "aspect_ratio": "3:2", "output_format": "jpg"}
    assert [image.url for image in reply.data] == urls
    assert sent(server) == [GET_MODEL, CREATE]
    assert len(reply.adjustments) == 3


async def test_images_as_bytes(server: Loopback) -> None:
    """Files are fetched where the bytes are asked for; what stands in a data URL is not."""
    held = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    plays(server, model(PICTURES), prediction(server, "succeeded", [f"{server.url}/files/1.png", held]))
    async with connect(server) as client:
        reply = await client.images.generate(model="replicate/acme/m", prompt="a cat", response_format="b64_json")
    assert [(image.content, image.media_type) for image in reply.data] == [(PNG, "image/png")] * 2
    assert sent(server) == [GET_MODEL, CREATE, "GET /files/1.png"]


async def test_a_size_that_a_model_cannot_draw(server: Loopback) -> None:
    plays(server, model(PICTURES), prediction(server, "succeeded", "https://example.com/a.png"))
    async with connect(server) as client:
        with pytest.raises(UnsupportedParameterError, match="size"):
            await client.images.generate(model="replicate/acme/m", prompt="a cat", size="1000x10")
    assert sent(server) == [GET_MODEL]


async def test_speech_is_the_file(server: Loopback) -> None:
    takes = {"text": {"type": "string"}, "voice": {"type": "string", "enum": ["af_bella"]}, "speed": {"type": "number"}}
    plays(server, model(takes), prediction(server, "succeeded", f"{server.url}/files/a.wav"))
    async with connect(server) as client:
        reply = await client.audio.speech.create(model="replicate/acme/m", input="Hello", voice="af_bella", speed=1.5)
        assert (await reply.read(), reply.content_type, reply.provider) == (PNG, "image/png", "replicate")
        with pytest.raises(UnsupportedParameterError, match="af_bella"):
            await client.audio.speech.create(model="replicate/acme/m", input="Hello", voice="alloy")
    assert inputs(server) == {"text": "Hello", "voice": "af_bella", "speed": 1.5}


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://example.com/a", "ftp://x/y"])
async def test_a_file_elsewhere_is_not_fetched_in_the_clear(server: Loopback, url: str) -> None:
    plays(server, model({"text": {"type": "string"}}), prediction(server, "succeeded", [url]))
    async with connect(server) as client:
        with pytest.raises(ResponseDecodeError):
            await client.audio.speech.create(model="replicate/acme/m", input="Hello", voice=None)
    assert sent(server) == [GET_MODEL, CREATE]


async def test_a_stream_elsewhere_is_not_read_in_the_clear(server: Loopback) -> None:
    """The run is cancelled: nobody would read it."""
    async with Loopback() as other:
        elsewhere = prediction(server, "starting")
        elsewhere["urls"]["stream"] = f"{other.url}/streams/p1"
        plays(server, model(INPUT), elsewhere)
        async with connect(server) as client:
            with pytest.raises(ResponseDecodeError, match="not https"):
                await client.chat.completions.create(**ASK, stream=True)
        assert not other.requests
    assert sent(server)[-1] == CANCEL


class Recording:
    """A transport that notes where a request would go, and with what; it sends none."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    async def stream(self, _method: str, _url: str, **parts: Any) -> Any:
        self.headers = dict(parts["headers"])
        raise ResponseDecodeError("noted")

    async def request(self, _method: str, _url: str, **_parts: Any) -> Any:
        raise ResponseDecodeError("not asked for")

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize(
    ("base", "url", "with_key"),
    [
        ("https://api.replicate.com", "https://stream.replicate.com/v1/files/x", True),
        ("https://api.replicate.com", "https://streaming-api.svc.us.c.replicate.net/v1/streams/x", True),
        ("https://api.replicate.com", "https://replicate.delivery/xezq/out.png", False),
        ("https://api.replicate.com", "https://evilreplicate.com/x", False),
        ("https://api.replicate.com", "https://stream.replicate.com.evil.com/x", False),
        ("https://api.replicate.com", "https://user@evil.com/stream.replicate.com", False),
        ("https://proxy.example.com/r", "https://proxy.example.com/streams/x", True),
        ("https://proxy.example.com/r", "https://stream.replicate.com/v1/files/x", False),
    ],
)
async def test_the_key_goes_to_its_own_hosts_only(base: str, url: str, with_key: bool) -> None:
    """Those of the API, where the key is for it; behind a base URL of one's own, that host and no other."""
    transport = Recording()
    call = Call(
        transport=cast("Transport", transport),
        settings=ProviderSettings(api_key=Secret(KEY), base_url=base),
        timeouts=Timeouts(),
        max_event_bytes=1 << 20,
    )
    run = Run(HOST, Predictions(), call, 0.5, OWN_HOSTS)
    with pytest.raises(ResponseDecodeError, match="noted"):
        await run.open(url)
    assert (KEY in transport.headers.get("Authorization", "")) is with_key


async def test_a_transcription(server: Loopback) -> None:
    """A small file stands in the request; segments come where the model gives them."""
    takes = {"audio": {"type": "string", "format": "uri"}, "language": {"type": "string"}}
    output = {
        "transcription": "Hello",
        "detected_language": "en",
        "segments": [{"start": 0, "end": 1.5, "text": "Hello"}],
    }
    plays(server, model(takes), prediction(server, "succeeded", output))
    wav = b"RIFF\x24\x00\x00\x00WAVEfmt "
    async with connect(server) as client:
        plain = await client.audio.transcriptions.create(model="replicate/acme/m", file=("a.wav", wav), language="en")
        full = await client.audio.transcriptions.create(
            model="replicate/acme/m", file=("a.wav", wav), response_format="verbose_json"
        )
        with pytest.raises(UnsupportedParameterError, match="srt"):
            await client.audio.transcriptions.create(
                model="replicate/acme/m", file=("a.wav", wav), response_format="srt"
            )
    assert server.requests[1].json["input"] == {
        "audio": f"data:audio/wav;base64,{base64.b64encode(wav).decode()}",
        "language": "en",
    }
    assert (plain.text, full.text) == ("Hello", "Hello")
    assert full.to_dict()["segments"][0]["end"] == 1.5


async def test_a_large_recording_is_uploaded_first(server: Loopback) -> None:
    plays(server, model({"audio": {"type": "string"}}), prediction(server, "succeeded", {"text": "Hello"}))
    async with connect(server) as client:
        reply = await client.audio.transcriptions.create(model="replicate/acme/m", file=("a.wav", b"R" * 300_000))
    assert reply.text == "Hello"
    assert sent(server) == [GET_MODEL, "POST /v1/files", CREATE]
    assert server.requests[1].headers["content-type"].startswith("multipart/form-data; boundary=")
    assert inputs(server) == {"audio": f"{server.url}/v1/files/f1"}


def test_the_base_url_may_name_the_version() -> None:
    """Its own client's variable has none, and the documentation has it."""
    settings = PROVIDER.settle(ProviderSettings(base_url="https://api.replicate.com/v1"))
    assert settings.base_url == "https://api.replicate.com"
    with pytest.raises(ConfigurationError, match="poll_interval"):
        PROVIDER.settle(ProviderSettings(base_url="x", options={"poll_interval": "0"}))
