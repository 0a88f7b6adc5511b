"""What holds for every provider that is reached over HTTP: a new row is tested by being in the registry.

A provider that is no row is tested where `wire` has bytes for its class. Each is played the bytes of its dialect's
class, from `wire`, by a server on loopback. A test is skipped only by what the provider itself says it does not do.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from loopback import Answer, Loopback, Recorded, type_sse
from wire import PROVIDERS, ChatWire, EmbeddingsWire, ModelsWire, wire, wire_of

from onellm import AsyncOneLLM, RetryPolicy
from onellm.config import variables
from onellm.dialects.openai.messages import short_id
from onellm.errors import (
    APIConnectionError,
    BadRequestError,
    MissingKeyError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    UnsupportedFeatureError,
)
from onellm.providers.auth import BEARER, HeaderKey
from onellm.providers.base import ProviderSettings, ReadsBaseUrl
from onellm.providers.http import HttpProvider
from onellm.providers.registry import MODULES, get_provider, list_providers
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import EmbeddingsRequest
from onellm.types.secret import Secret

KEY = "sk-contract-0123456789"
MODEL = "vendor/model-1"
QUICK = RetryPolicy(max_retries=2, initial=0.001, maximum=0.001, jitter=0.0)


def http_rows() -> dict[str, Any]:
    """All of them, and what `wire` knows beside them; a module that is not there is another kind of provider's."""
    names = [name for name in list_providers() if name not in MODULES or find_spec(MODULES[name])]
    found = {name: get_provider(name) for name in names}
    return {name: row for name, row in found.items() if isinstance(row, HttpProvider) or type(row) in PROVIDERS}


ROWS = http_rows()
every_row = pytest.mark.parametrize("name", ROWS)


def serving(operation: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name, row in ROWS.items() if operation in row.operations])


@pytest.fixture(autouse=True)
def _nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, proxy or file of whoever runs the tests counts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    ours = {
        variable
        for row in ROWS.values()
        for named in (row.key_env, row.base_url_env, *row.option_env.values())
        for variable in variables(named)
    }
    for variable in os.environ:
        if variable in ours or variable.startswith("ONELLM_") or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


def connect(server: Loopback, name: str, **options: Any) -> AsyncOneLLM:
    """A client whose provider of that name is the server."""
    settings = {"api_key": KEY, "base_url": f"{server.url}/base/v9"}
    return AsyncOneLLM(providers={name: settings}, **{"retry": QUICK, **options})


def bytes_of(name: str) -> ChatWire:
    found: ChatWire = wire_of(ROWS[name], "chat")
    return found


def play(server: Loopback, name: str, *answers: Answer) -> None:
    """Play these to the calls that come, each to one."""
    talk = bytes_of(name).talk
    if talk is None:
        server.plays(*answers)
    else:
        talk.plays(server, answers)


def asked(server: Loopback, name: str) -> list[Recorded]:
    """The requests that what was played has answered."""
    talk = bytes_of(name).talk
    return server.requests if talk is None else talk.asked(server)


def ask(name: str, **params: Any) -> dict[str, Any]:
    question = {"role": "user", "content": bytes_of(name).question}
    return {"model": f"{name}/{MODEL}", "messages": [question], **params}


def streaming(name: str, *events: bytes, **how: Any) -> Answer:
    """An answer of these events, one write each; of the whole stream where none are given."""
    played = bytes_of(name)
    return Answer(chunks=events or played.stream, content_type=played.stream_type, **how)


def said(reply: ChatCompletion) -> dict[str, Any]:
    """What an answer says, without how it came. No annotations are [] in a whole answer, and nothing in a stream."""
    reply.raw = b""
    dumped = reply.model_dump()
    for choice in dumped["choices"]:
        choice["message"]["annotations"] = choice["message"]["annotations"] or None
    return dumped


async def collect(client: AsyncOneLLM, name: str, chunks: list[ChatCompletionChunk]) -> None:
    """Stream an answer into `chunks`, which then holds what came before an error."""
    async with await client.chat.completions.create(**ask(name), stream=True) as stream:
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401 - one by one


def base_path(name: str) -> str:
    """Where a row looks for its API under the base URL of `connect`."""
    row, path = ROWS[name], "/base/v9"
    if isinstance(row, HttpProvider) and isinstance(row, ReadsBaseUrl):
        url, options = row.read_base_url(f"http://127.0.0.1{path}")
        path = urlsplit(row.settle(ProviderSettings(api_key=Secret(KEY), base_url=url, options=options)).base_url).path
    return path


def check_head(request: Recorded, name: str, method: str, path: str) -> None:
    """Method, path and the key where the row says it goes, and in no other place."""
    assert (request.method, request.path) == (method, f"{base_path(name)}/{path}")
    auth = getattr(ROWS[name], "auth", BEARER)
    if isinstance(auth, HeaderKey):
        assert request.headers[auth.header.lower()] == auth.prefix + KEY
    carriers = [header for header, value in request.headers.items() if KEY in value]
    assert len(carriers) == 1
    assert KEY not in request.target
    assert KEY.encode() not in request.body


def chat_path(name: str, *, stream: bool) -> str:
    talk = bytes_of(name).talk
    if talk is not None:
        return talk.path(MODEL)
    dialect = ROWS[name].chat
    assert dialect is not None
    question = [{"role": "user", "content": "x"}]
    request = ChatRequest(provider=name, model=MODEL, messages=question, params={})
    found: str = (dialect.encode_stream(request) if stream else dialect.encode_request(request)).path
    return found


# --- chat -----------------------------------------------------------------------------------------------------------


@serving("chat")
async def test_the_request_that_goes_out(name: str, server: Loopback) -> None:
    """Path, key and body; the answer comes back with its provider and the provider's id of the request."""
    play(server, name, Answer(chunks=[bytes_of(name).answer], headers={"x-request-id": "req_1"}))
    async with connect(server, name) as client:
        reply = await client.chat.completions.create(**ask(name))
    (request,) = asked(server, name)
    check_head(request, name, "POST", chat_path(name, stream=False))
    assert request.headers["content-type"] == "application/json"
    bytes_of(name).check_body(request.json, MODEL, stream=False)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (bytes_of(name).text, "stop")
    assert (reply.provider, reply.request_id, reply.raw) == (name, "req_1", bytes_of(name).answer)


@serving("chat")
async def test_the_streamed_request_that_goes_out(name: str, server: Loopback) -> None:
    play(server, name, streaming(name, headers={"x-request-id": "req_1"}))
    chunks: list[ChatCompletionChunk] = []
    async with (
        connect(server, name) as client,
        await client.chat.completions.create(**ask(name), stream=True) as stream,
    ):
        chunks += [chunk async for chunk in stream]
        final = await stream.get_final_completion()
    (request,) = asked(server, name)
    check_head(request, name, "POST", chat_path(name, stream=True))
    bytes_of(name).check_body(request.json, MODEL, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == bytes_of(name).text
    assert {(chunk.provider, chunk.request_id) for chunk in chunks} == {(name, "req_1")}
    assert (final.provider, final.request_id) == (name, "req_1")


@serving("chat")
@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@pytest.mark.parametrize("cut", ["by event", "in one", "by byte"])
async def test_the_answer_equals_the_folded_stream(name: str, tools: bool, cut: str, server: Loopback) -> None:
    """Also with tool calls, and however the network cuts it."""
    if tools and not ROWS[name].function_calling_support:
        pytest.skip("it has no tools, it says")
    played = bytes_of(name)
    body, events = (played.tool_answer, played.tool_stream) if tools else (played.answer, played.stream)
    joined = b"".join(events)
    pieces = {"by event": events, "in one": [joined], "by byte": [joined[at : at + 1] for at in range(len(joined))]}[
        cut
    ]
    play(server, name, Answer(chunks=[body]), streaming(name, *pieces))
    async with connect(server, name) as client:
        whole = await client.chat.completions.create(**ask(name))
        async with await client.chat.completions.create(**ask(name), stream=True) as stream:
            folded = await stream.get_final_completion()
    assert said(folded) == said(whole)
    calls = whole.choices[0].message.tool_calls
    assert bool(calls) is tools
    assert [json.loads(call.function.arguments)["city"] for call in calls or ()] == (
        ["Zürich", "北京"] if tools else []
    )


@serving("chat")
async def test_a_message_that_came_out_goes_back_in(name: str, server: Loopback) -> None:
    """The second turn holds what the model said and what the tools gave, and no null and nothing only said outwards."""
    if not ROWS[name].function_calling_support:
        pytest.skip("it has no tools, it says")
    play(server, name, Answer(chunks=[bytes_of(name).tool_answer]), Answer(chunks=[bytes_of(name).answer]))
    async with connect(server, name) as client:
        first = await client.chat.completions.create(**ask(name))
        calls = first.choices[0].message.tool_calls or []
        results = [{"role": "tool", "tool_call_id": call.id, "content": "21 °C"} for call in calls]
        again = ask(name)
        again["messages"] += [first.choices[0].message, *results]
        second = await client.chat.completions.create(**again)
    sent = asked(server, name)[1].body.decode()
    length = getattr(ROWS[name].chat, "tool_id_length", None)
    ids = [call.id if length is None else short_id(call.id, length) for call in calls]
    assert all(sent.count(json.dumps(one)) == 2 for one in ids)  # in the call and in its result
    assert "finish_reason" not in sent
    assert "annotations" not in sent
    assert second.choices[0].message.content == bytes_of(name).text


@serving("chat")
@pytest.mark.parametrize("stream", [False, True])
async def test_429_is_retried_after_its_wait_then_raised(
    name: str, stream: bool, server: Loopback, waits: list[float]
) -> None:
    refusal = bytes_of(name).refusal("slow down", "rate_limit_exceeded")
    play(server, name, Answer(status=429, chunks=[refusal], headers={"Retry-After": "0.002", "x-request-id": "req_1"}))
    async with connect(server, name) as client:
        with pytest.raises(RateLimitError, match="slow down") as caught:
            await client.chat.completions.create(**ask(name), stream=stream)
    assert all(0.002 <= wait <= 0.0025 for wait in waits)
    assert len(waits) == 2
    assert len(asked(server, name)) == 3
    assert len({request.body for request in asked(server, name)}) == 1
    assert (caught.value.provider, caught.value.model, caught.value.status_code) == (name, MODEL, 429)
    assert (caught.value.retry_after, caught.value.request_id, caught.value.raw) == (0.002, "req_1", refusal)


@serving("chat")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_retry_that_succeeds(name: str, stream: bool, server: Loopback) -> None:
    busy = Answer(status=503, chunks=[bytes_of(name).refusal("busy", "x")])
    play(server, name, busy, streaming(name) if stream else Answer(chunks=[bytes_of(name).answer]))
    async with connect(server, name) as client:
        if stream:
            async with await client.chat.completions.create(**ask(name), stream=True) as opened:
                reply = await opened.get_final_completion()
        else:
            reply = await client.chat.completions.create(**ask(name))
    assert reply.choices[0].message.content == bytes_of(name).text
    assert len(asked(server, name)) == 2


@serving("chat")
@pytest.mark.parametrize("stream", [False, True])
async def test_400_is_sent_once(name: str, stream: bool, server: Loopback) -> None:
    """A bad request is one request, whatever words its message has in it."""
    refusal = bytes_of(name).refusal("rate limit, timeout, overloaded, try again", "unsupported_value")
    play(server, name, Answer(status=400, chunks=[refusal]))
    async with connect(server, name) as client:
        with pytest.raises(BadRequestError, match="try again") as caught:
            await client.chat.completions.create(**ask(name), stream=stream)
    assert len(asked(server, name)) == 1
    code = "unsupported_value" if bytes_of(name).has_codes else None
    assert (caught.value.provider, caught.value.model, caught.value.code) == (name, MODEL, code)


@serving("chat")
@pytest.mark.parametrize("cut", ["close", "eof", "reset"])
async def test_a_cut_stream_is_an_error(name: str, cut: str, server: Loopback) -> None:
    """Closed early, ended cleanly without its last event, or reset: never a short answer, and sent once."""
    events = bytes_of(name).stream[:3]
    play(server, name, streaming(name, *events, cut=cut))
    chunks: list[ChatCompletionChunk] = []
    async with connect(server, name) as client:
        with pytest.raises(StreamInterruptedError) as caught:
            await collect(client, name, chunks)
    assert len(chunks) <= 3
    assert (caught.value.provider, caught.value.model) == (name, MODEL)
    assert len(asked(server, name)) == 1


@serving("chat")
@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_an_answer_cut_short_is_an_error(name: str, cut: str, server: Loopback) -> None:
    """A whole answer that breaks off is asked for again, and then an error."""
    body = bytes_of(name).answer
    play(server, name, Answer(chunks=[body[:-20]], cut=cut))
    async with connect(server, name) as client:
        with pytest.raises(APIConnectionError):
            await client.chat.completions.create(**ask(name))
    assert len(asked(server, name)) == 3


@serving("chat")
async def test_an_error_event_inside_a_stream(name: str, server: Loopback) -> None:
    """What came before it is handed out; then it is what its status would have been; it is not retried."""
    played = bytes_of(name)
    play(server, name, streaming(name, *played.stream[:3], played.overloaded_event, *played.stream[3:]))
    chunks: list[ChatCompletionChunk] = []
    async with connect(server, name) as client:
        talk = played.talk
        error = OverloadedError if talk is None else talk.stream_error
        with pytest.raises(error, match="The server is overloaded") as caught:
            await collect(client, name, chunks)
    assert 0 < len(chunks) <= 3
    assert (caught.value.provider, caught.value.model) == (name, MODEL)
    assert len(asked(server, name)) == 1


@serving("chat")
async def test_an_error_event_before_any_chunk_is_retried(name: str, server: Loopback) -> None:
    """Nothing has reached the caller: it is as if the status had said it. A run that failed is not run again."""
    play(server, name, streaming(name, bytes_of(name).overloaded_event), streaming(name))
    if (talk := bytes_of(name).talk) is not None:
        async with connect(server, name) as client:
            with pytest.raises(talk.stream_error, match="The server is overloaded") as caught:
                await client.chat.completions.create(**ask(name), stream=True)
        assert (caught.value.provider, caught.value.model, len(asked(server, name))) == (name, MODEL, 1)
        return
    async with (
        connect(server, name) as client,
        await client.chat.completions.create(**ask(name), stream=True) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == bytes_of(name).text
    assert len(asked(server, name)) == 2


@serving("chat")
async def test_unknown_events_are_ignored(name: str, server: Loopback) -> None:
    played = bytes_of(name)
    head, *rest = played.stream
    play(
        server,
        name,
        streaming(name, head, *[piece for event in rest[:-1] for piece in (played.unknown_event, event)], rest[-1]),
    )
    async with (
        connect(server, name) as client,
        await client.chat.completions.create(**ask(name), stream=True) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == played.text


@serving("chat")
async def test_leaving_a_stream_closes_its_connection(name: str, server: Loopback) -> None:
    play(server, name, streaming(name, *bytes_of(name).stream[:3], cut="stall"))
    async with connect(server, name) as client:
        async with await client.chat.completions.create(**ask(name), stream=True) as stream:
            await anext(stream)
        talk = bytes_of(name).talk
        request = server.requests[0] if talk is None else talk.streamed(server)
        await asyncio.wait_for(request.gone.wait(), 5)


# --- keys and flags -------------------------------------------------------------------------------------------------


@every_row
async def test_a_missing_key_names_its_variable(name: str, server: Loopback) -> None:
    row = ROWS[name]
    if row.key_optional:
        pytest.skip("it needs no key, it says")
    async with AsyncOneLLM(providers={name: {"base_url": server.url}}) as client:
        with pytest.raises(MissingKeyError, match=row.key_env[0]) as caught:
            await client.models.list(name)
    assert caught.value.provider == name
    assert server.requests == []


@every_row
async def test_the_key_comes_from_its_variable(name: str, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the row's variables, by itself."""
    row = ROWS[name]
    if "models" not in row.operations:
        pytest.skip("it has no list of models to ask for, it says")
    played: ModelsWire = wire_of(row, "models")
    server.plays(Answer(chunks=[played.listing("")]))
    for variable in row.key_env:
        with monkeypatch.context() as patch:
            patch.setenv(variable, f"key-of-{variable}")
            async with AsyncOneLLM(providers={name: {"base_url": server.url}}) as client:
                await client.models.list(name)
        assert any(f"key-of-{variable}" in value for value in server.requests[-1].headers.values())


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
SCHEMA = {"name": "s", "schema": {"type": "object", "properties": {}, "additionalProperties": False}, "strict": True}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def part(content: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def add(call: dict[str, Any]) -> None:
        text = {"type": "text", "text": call["messages"][0]["content"]}
        call["messages"] = [{"role": "user", "content": [text, content]}]

    return add


def argument(**given: Any) -> Callable[[dict[str, Any]], None]:
    return lambda call: call.update(given)


# What each flag promises; and what of it must stand in the body, where all hosts write it alike.
PROMISES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "json_mode_support": (argument(response_format={"type": "json_object"}), "json"),
    "json_schema_support": (
        argument(response_format={"type": "json_schema", "json_schema": SCHEMA}),
        "additionalProperties",
    ),
    "vision_support": (part(IMAGE), "iVBORw0KGgo="),
    "audio_input_support": (part(SOUND), "UklGRg=="),
    "function_calling_support": (argument(tools=[TOOL]), '"f"'),
    "reasoning_support": (argument(reasoning_effort="low"), ""),
    "streaming_support": (argument(stream=True), ""),
}


@serving("chat")
@pytest.mark.parametrize("flag", PROMISES)
async def test_flags_agree_with_behaviour(name: str, flag: str, server: Loopback) -> None:
    """What a provider says it cannot, it refuses before anything is sent; what it says it can, it sends."""
    promise, trace = PROMISES[flag]
    call = ask(name)
    promise(call)
    whole = Answer(chunks=[bytes_of(name).answer])
    play(server, name, whole, streaming(name) if call.get("stream") else whole)
    said_so = ROWS[name].get_model_capabilities(MODEL)[flag]
    async with connect(server, name) as client:
        await client.chat.completions.create(**ask(name))
        if said_so:
            reply = await client.chat.completions.create(**call)
            if not isinstance(reply, ChatCompletion):
                await reply.get_final_completion()
            plain, promised = asked(server, name)
            assert trace in promised.body.decode()
            assert (promised.target, promised.body) != (plain.target, plain.body)
        else:
            with pytest.raises(UnsupportedFeatureError, match=name):
                await client.chat.completions.create(**call)
        assert len(asked(server, name)) == 1 + said_so


@every_row
@pytest.mark.parametrize("operation", ["chat", "embeddings", "models"])
async def test_what_is_not_served_is_refused(name: str, operation: str, server: Loopback) -> None:
    """It says who serves it; nothing is sent."""
    row = ROWS[name]
    assert row.get_model_capabilities(MODEL)[f"{operation}_support"] is (operation in row.operations)
    if operation in row.operations:
        pytest.skip("it serves it, it says")
    async with connect(server, name) as client:
        calls: dict[str, Callable[[], Any]] = {
            "chat": lambda: client.chat.completions.create(
                model=f"{name}/x", messages=[{"role": "user", "content": "x"}]
            ),
            "embeddings": lambda: client.embeddings.create(model=f"{name}/x", input="x"),
            "models": lambda: client.models.list(name),
        }
        with pytest.raises(UnsupportedFeatureError, match=f"{name} does not serve {operation}; .*openai.* does"):
            await calls[operation]()
    assert server.requests == []


# --- embeddings and models ------------------------------------------------------------------------------------------


@serving("embeddings")
async def test_embeddings(name: str, server: Loopback) -> None:
    """Path, key and body; the vectors as float32 in the order of the texts."""
    dialect = ROWS[name].embeddings
    assert dialect is not None
    played: EmbeddingsWire = wire(dialect)
    texts = ["a", "b", "c"][: dialect.max_inputs]
    vectors = played.vectors[: len(texts)]
    server.plays(Answer(chunks=[played.answer(vectors)], headers={"x-request-id": "req_1"}))
    async with connect(server, name) as client:
        reply = await client.embeddings.create(model=f"{name}/{played.model}", input=texts)
    (request,) = server.requests
    path = dialect.encode_request(EmbeddingsRequest(provider=name, model=played.model, input=texts, params={})).path
    check_head(request, name, "POST", path)
    played.check_body(request.json, played.model, texts)
    assert [list(item.embedding) for item in reply.data] == vectors
    assert [item.index for item in reply.data] == list(range(len(texts)))
    assert (reply.provider, reply.request_id) == (name, "req_1")


@serving("embeddings")
async def test_embeddings_refused(name: str, server: Loopback) -> None:
    model = wire(ROWS[name].embeddings).model
    server.plays(Answer(status=429, chunks=[b'{"error":{"message":"slow down"}}'], headers={"Retry-After": "0"}))
    async with connect(server, name) as client:
        with pytest.raises(RateLimitError, match="slow down") as caught:
            await client.embeddings.create(model=f"{name}/{model}", input="a")
    assert len(server.requests) == 3
    assert (caught.value.provider, caught.value.model) == (name, model)


@serving("models")
async def test_models(name: str, server: Loopback) -> None:
    """The list and one of it, under the ids that the calls take."""
    dialect = getattr(ROWS[name], "models", None)
    played: ModelsWire = wire_of(ROWS[name], "models")
    prefix = getattr(dialect, "prefix", "")
    server.plays(Answer(chunks=[played.listing(prefix)]), Answer(chunks=[played.single(prefix)]))
    async with connect(server, name) as client:
        listed = await client.models.list(name)
        assert (listed.has_more, listed.provider, len(listed)) == (False, name, len(played.ids))
        found = await client.models.retrieve(f"{name}/{played.ids[0]}")
    https = played.requests
    if not https:
        assert dialect is not None
        https = (dialect.encode_list(), dialect.encode_retrieve(played.ids[0]))
    for request, http in zip(server.requests, https, strict=True):
        check_head(request, name, http.method, http.path)
        assert request.body == (http.body or b"")
    assert [item.id for item in listed] == played.ids
    assert (found.id, found.provider) == (played.ids[0], name)


def test_there_is_something_to_test() -> None:
    assert "openai" in ROWS
    assert type_sse == bytes_of("openai").stream_type
