"""Another model where the first cannot answer: for which errors, in which order, and what is said of it."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hosts import Hosts
from loopback import Answer, Loopback, Recorded, soon, streamed
from threaded import Provider
from wire.chat_completions import embeddings
from wire.openai import (
    ASK,
    BAD_REQUEST,
    CHAT,
    CONTEXT_LENGTH,
    INVALID_KEY,
    MODEL_NOT_FOUND,
    NO_QUOTA,
    PIECES,
    STREAM,
    chunk,
)

from onellm import (
    AnthropicOptions,
    APIConnectionError,
    AsyncOneLLM,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    FallbackError,
    InternalServerError,
    InvalidRequestError,
    MissingKeyError,
    NotFoundError,
    OneLLM,
    QuotaExceededError,
    RateLimitError,
    Route,
    StreamInterruptedError,
    UnknownProviderError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)

OK = Answer(chunks=[CHAT])
DOWN = Answer(status=500, chunks=[{"error": {"message": "down"}}])
FILTERED = Answer(status=400, chunks=[{"error": {"message": "no", "code": "content_filter"}}])
TO_B: dict[str, Any] = {**ASK, "model": "a/one", "fallback_models": ["b/two"], "max_retries": 0}
TO_C: dict[str, Any] = {**TO_B, "fallback_models": ["b/two", "c/three"]}
WORDS = [chunk({"role": "assistant"}), chunk({"content": "Bon"}), chunk({"content": "jour"}), chunk({}, "stop")]


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    async with Loopback() as server:
        yield Hosts(server)


@pytest.fixture
async def client(hosts: Hosts) -> AsyncIterator[AsyncOneLLM]:
    async with AsyncOneLLM(providers=hosts.providers) as bound:
        yield bound


# --- which errors ---


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (DOWN, InternalServerError),
        (Answer(status=429), RateLimitError),
        (Answer(status=429, chunks=[NO_QUOTA]), QuotaExceededError),
        (Answer(status=401, chunks=[INVALID_KEY]), AuthenticationError),
        (Answer(status=404, chunks=[MODEL_NOT_FOUND]), NotFoundError),
        (Answer(head=False, cut="reset"), APIConnectionError),
    ],
    ids=["500", "429", "quota", "401", "404", "reset"],
)
async def test_what_lies_with_the_provider_goes_to_the_next(
    client: AsyncOneLLM, hosts: Hosts, answer: Answer, error: type[Exception], stream: bool
) -> None:
    """The same is asked of the next, under its name of the model, with its key and nothing of the first's."""
    hosts.play(a=answer, b=streamed(*WORDS) if stream else OK)
    reply: Any = await client.chat.completions.create(**TO_B, stream=stream)
    if stream:
        reply = await reply.get_final_completion()
    assert hosts.asked == "ab"
    first, second = hosts.requests
    assert {**first.json, "model": "two"} == second.json
    assert second.headers["authorization"] == "Bearer key-of-b"
    assert second.headers["x-of"] == "b"
    assert reply.provider == "b"
    assert [type(exc) for exc in reply.fallbacks] == [error]
    assert reply.fallbacks[0].provider == "a"


async def test_the_first_that_answers_has_no_fallbacks(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=OK)
    reply = await client.chat.completions.create(**TO_B)
    assert (reply.provider, reply.fallbacks, hosts.asked) == ("a", (), "a")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=400, chunks=[BAD_REQUEST]), BadRequestError),
        (Answer(status=400, chunks=[CONTEXT_LENGTH]), ContextLengthExceededError),
        (FILTERED, ContentFilterError),
    ],
    ids=["bad", "long", "filtered"],
)
async def test_what_lies_with_the_request_goes_nowhere(
    client: AsyncOneLLM, hosts: Hosts, answer: Answer, error: type[Exception]
) -> None:
    hosts.play(a=answer)
    with pytest.raises(error):
        await client.chat.completions.create(**TO_B)
    assert hosts.asked == "a"


@pytest.mark.parametrize(
    ("answer", "name"),
    [(Answer(status=400, chunks=[CONTEXT_LENGTH]), "context_length"), (FILTERED, "content_filter")],
    ids=["long", "filtered"],
)
async def test_two_refusals_go_on_where_that_is_wanted(
    client: AsyncOneLLM, hosts: Hosts, answer: Answer, name: Any
) -> None:
    """Another model may take more tokens, and another host judge otherwise: whether that is tried is said."""
    hosts.play(a=answer, b=OK)
    assert (await client.chat.completions.create(**TO_B, fallback_on=[name])).provider == "b"


async def test_a_call_that_is_wrong_is_wrong_at_once(client: AsyncOneLLM, hosts: Hosts) -> None:
    """What the first cannot express is the caller's to know, and is not tried elsewhere."""
    hosts.play(a=DOWN, b=OK)
    with pytest.raises(InvalidRequestError):
        await client.chat.completions.create(**TO_B, temperature=-1)
    with pytest.raises(UnsupportedParameterError):
        await client.chat.completions.create(**TO_B, anthropic=AnthropicOptions(top_k=1))
    assert hosts.asked == ""


async def test_retries_come_before_the_next(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=DOWN, b=[DOWN, OK])
    reply = await client.chat.completions.create(**{**TO_B, "max_retries": 2})
    assert hosts.asked == "aaabb"
    assert len(reply.fallbacks) == 1


# --- the next ones ---


async def test_all_have_failed(client: AsyncOneLLM, hosts: Hosts) -> None:
    """One error that has each of them, with a line for each; it waits as long as the one who waits least."""
    hosts.play(
        a=Answer(status=429, headers={"Retry-After": "9"}), b=Answer(status=503, headers={"Retry-After": "4"}), c=DOWN
    )
    with pytest.raises(FallbackError) as caught:
        await client.chat.completions.create(**TO_C)
    error = caught.value
    assert [exc.provider for exc in error.errors] == ["a", "b", "c"]
    assert error.__cause__ is error.errors[-1]
    assert error.retry_after == 4
    lines = str(error).splitlines()
    assert len(lines) == 4
    assert lines[1].strip().startswith("RateLimitError: a/one: ")
    assert "key-of" not in str(error)
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert [str(exc) for exc in twin.errors] == [str(exc) for exc in error.errors]


async def test_what_a_fallback_cannot_do_goes_to_the_one_after(client: AsyncOneLLM, hosts: Hosts) -> None:
    """A refusal of the request, too: the first was not asked whether it is right."""
    hosts.play(a=DOWN, b=Answer(status=400, chunks=[BAD_REQUEST]), c=OK)
    reply = await client.chat.completions.create(**TO_C)
    assert reply.provider == "c"
    assert [type(exc) for exc in reply.fallbacks] == [InternalServerError, BadRequestError]


async def test_a_fallback_without_a_key_or_the_operation(
    client: AsyncOneLLM, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found only when it is wanted, as another machine may have the key; both are kept."""
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    hosts.play(a=DOWN, c=Answer(chunks=[embeddings([[1.0]])]))
    models = ["groq/x", "anthropic/y", "c/three"]
    reply = await client.embeddings.create(model="a/one", input="x", fallback_models=models, max_retries=0)
    assert [type(exc) for exc in reply.fallbacks] == [InternalServerError, MissingKeyError, UnsupportedFeatureError]
    assert (reply.provider, hosts.asked) == ("c", "ac")


@pytest.mark.parametrize("models", [["nobody/x"], [""], ["a/"], "b/two"])
async def test_a_misspelled_fallback_is_an_error_before_it_is_needed(
    client: AsyncOneLLM, hosts: Hosts, models: Any
) -> None:
    hosts.play(a=OK)
    with pytest.raises((UnknownProviderError, InvalidRequestError)):
        await client.chat.completions.create(**{**TO_B, "fallback_models": models})
    assert hosts.asked == ""


async def test_what_was_meant_for_the_first_stays_with_it(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Headers may hold a key, and a body's own fields mean nothing elsewhere. The answer says that they were left."""
    hosts.play(a=DOWN, b=OK)
    extra: dict[str, Any] = {
        "extra_headers": {"Authorization": "Bearer mine"},
        "extra_body": {"own": 1},
        "extra_query": {"v": "1"},
    }
    reply = await client.chat.completions.create(**TO_B, **extra)
    first, second = hosts.requests
    assert (first.headers["authorization"], first.json["own"], first.query) == ("Bearer mine", 1, {"v": "1"})
    assert (second.headers["authorization"], "own" in second.json, second.query) == ("Bearer key-of-b", False, {})
    assert [note.split(":")[0] for note in reply.adjustments] == [
        "left out extra_body",
        "left out extra_headers",
        "left out extra_query",
    ]
    hosts.play(a=[DOWN, OK])
    same = {**TO_B, "fallback_models": ["a/another"]}
    reply = await client.chat.completions.create(**same, **extra)
    assert hosts.requests[-1].json["own"] == 1
    assert not reply.adjustments


async def test_a_file_that_was_read_is_not_sent_elsewhere(client: AsyncOneLLM, hosts: Hosts) -> None:
    """A source that gives its bytes once has given them; another file goes on."""

    async def once() -> AsyncIterator[bytes]:
        yield b"RIFF"

    hosts.play(a=DOWN, b=Answer(chunks=[{"text": "hi"}]))
    call: Any = {"model": "a/one", "fallback_models": ["b/two"], "max_retries": 0}
    with pytest.raises(InternalServerError):
        await client.audio.transcriptions.create(file=("a.wav", once()), **call)
    assert hosts.asked == "a"
    reply = await client.audio.transcriptions.create(file=("a.wav", b"RIFF"), **call)
    assert (reply.text, hosts.asked) == ("hi", "aab")


async def test_embeddings_are_of_one_model(client: AsyncOneLLM, hosts: Hosts) -> None:
    """A call that takes several requests moves as a whole: vectors of two models cannot be compared."""
    seen: list[int] = []

    def vectors(request: Recorded) -> Answer:
        seen.append(len(request.json["input"]))
        if request.path.startswith("/a") and len(seen) > 1:
            return DOWN
        return Answer(chunks=[embeddings([[float(text)] for text in request.json["input"]])])

    hosts.server.chooses(vectors)
    inputs = [str(number) for number in range(3000)]
    reply = await client.embeddings.create(model="a/one", input=inputs, fallback_models=["b/two"], max_retries=0)
    assert reply.provider == "b"
    assert [item.embedding[0] for item in reply.data] == [float(text) for text in inputs]
    assert len(reply.fallbacks) == 1


@pytest.mark.parametrize("model", ["a/one", "route/fast"])
async def test_batches_of_a_stream_move_each_by_itself(
    hosts: Hosts, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the next takes less at once, a batch goes to it in parts."""
    monkeypatch.setenv("CO_API_KEY", "k")

    def vectors(request: Recorded) -> Answer:
        if request.path.startswith("/a"):
            return DOWN
        texts = request.json["texts"]
        assert len(texts) <= 96
        return Answer(chunks=[{"id": "1", "embeddings": {"float": [[float(text)] for text in texts]}, "meta": {}}])

    hosts.server.chooses(vectors)
    providers: Any = {**hosts.providers, "cohere": {"base_url": f"{hosts.server.url}/cohere"}}
    routes = {"fast": ["a/one", "cohere/two"]}
    async with AsyncOneLLM(providers=providers, max_retries=0, routes=routes) as client:
        inputs = [str(number) for number in range(400)]
        more: Any = {"fallback_models": ["cohere/two"]} if model == "a/one" else {}
        stream = client.embeddings.stream(inputs, model=model, batch_size=200, **more)
        got = [vector[0] async for batch in stream for vector in batch.vectors]
    assert got == [float(text) for text in inputs]
    assert hosts.asked.count("a") == 2


async def test_the_deadline_is_for_all(client: AsyncOneLLM, hosts: Hosts) -> None:
    """A fallback has what is left. When nothing is, the error is the deadline's, with a note of those before it."""
    hosts.play(a=DOWN, b=Answer(head=False, cut="stall"), c=OK)
    with pytest.raises(DeadlineExceededError) as caught:
        await soon(client.chat.completions.create(**TO_C, deadline=0.2))
    assert (caught.value.provider, caught.value.phase) == ("b", "first_byte")
    assert "InternalServerError: a/one" in caught.value.__notes__[0]
    assert hosts.asked == "ab"


async def test_the_answer_goes_into_json(client: AsyncOneLLM, hosts: Hosts) -> None:
    """What is kept beside an answer is no part of it."""
    hosts.play(a=DOWN, b=OK)
    reply = await client.chat.completions.create(**TO_B)
    assert msgspec.json.decode(reply.model_dump_json())["id"] == CHAT["id"]
    assert "fallbacks" not in reply.to_dict()


# --- the client's ---


async def test_the_clients_list_is_for_what_writes(hosts: Hosts) -> None:
    """A list of chat models would be of no use to embeddings; the call's own goes before it, also where it is empty."""
    hosts.play(a=DOWN, b=OK)
    ask = {**ASK, "model": "a/one"}
    async with AsyncOneLLM(providers=hosts.providers, max_retries=0, fallback_models=["b/two"]) as client:
        assert (await client.chat.completions.create(**ask)).provider == "b"
        with pytest.raises(InternalServerError):
            await client.embeddings.create(model="a/one", input="x")
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(**ask, fallback_models=[])


async def test_the_client_may_have_a_list_for_each_model(hosts: Hosts) -> None:
    hosts.play(a=DOWN, b=Answer(chunks=[embeddings([[1.0]])]))
    models = {"a/one": ["b/two"]}
    async with AsyncOneLLM(providers=hosts.providers, max_retries=0, fallback_models=models) as client:
        assert (await client.embeddings.create(model="a/one", input="x")).provider == "b"
        with pytest.raises(InternalServerError):
            await client.embeddings.create(model="a/other", input="x")


def test_the_clients_models_are_looked_at_at_once() -> None:
    with pytest.raises(UnknownProviderError):
        AsyncOneLLM(fallback_models=["nobody/x"])
    with pytest.raises(ConfigurationError, match="fallback_models"):
        AsyncOneLLM(fallback_models="b/two")


# --- routes ---


def routed(hosts: Hosts, route: Route | list[str], **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers=hosts.providers, max_retries=0, routes={"fast": route}, **settings)


async def test_a_route_is_a_model(hosts: Hosts) -> None:
    """Its models are asked in their order, streamed or not, and for whatever they serve."""
    hosts.play(a=DOWN, b=[OK, streamed(*STREAM), Answer(chunks=[embeddings([[1.0]])])])
    async with routed(hosts, ["a/one", "b/two"]) as client:
        ask = {**ASK, "model": "route/fast"}
        assert (await client.chat.completions.create(**ask)).provider == "b"
        stream: Any = await client.chat.completions.create(**ask, stream=True)
        assert [piece async for piece in stream.text()] == PIECES
        assert (await client.embeddings.create(model="route/fast", input="x")).provider == "b"
    assert hosts.asked == "ababab"
    assert {request.json["model"] for request in hosts.requests} == {"one", "two"}


async def test_a_route_of_the_file(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "onellm.toml"
    path.write_text('[routes.fast]\nmodels = ["a/one", "b/two"]\nstrategy = "order"\n')
    monkeypatch.setenv("ONELLM_CONFIG", str(path))
    hosts.play(a=DOWN, b=OK)
    async with AsyncOneLLM(providers=hosts.providers, max_retries=0) as client:
        assert (await client.chat.completions.create(**{**ASK, "model": "route/fast"})).provider == "b"


async def test_a_preview_of_a_route_is_of_its_first(hosts: Hosts) -> None:
    async with routed(hosts, ["b/two", "a/one"]) as client:
        preview = await client.chat.completions.preview(**{**ASK, "model": "route/fast"})
    assert (preview.provider, preview.model) == ("b", "two")
    assert not hosts.requests


async def test_a_file_s_route_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "onellm.toml"
    monkeypatch.setenv("ONELLM_CONFIG", str(path))
    for wrong in ('strategy = "fastest"\nmodels = ["a/b"]', "models = 5", 'models = ["b"]', 'modles = ["a/b"]'):
        path.write_text(f"[routes.fast]\n{wrong}\n")
        with pytest.raises(ConfigurationError, match=r"fast|routes"):
            AsyncOneLLM()


async def test_a_route_as_a_fallback(hosts: Hosts) -> None:
    """Each model is asked once, though it be named twice."""
    hosts.play(a=DOWN, b=DOWN, c=OK)
    async with routed(hosts, ["b/two", "a/one", "c/three"]) as client:
        reply = await client.chat.completions.create(**{**ASK, "model": "a/one", "fallback_models": ["route/fast"]})
    assert (reply.provider, hosts.asked) == ("c", "abc")


async def test_what_one_of_a_route_cannot_do_another_may(hosts: Hosts) -> None:
    """None of them was chosen for this call. What is wrong with the request is still wrong."""
    hosts.play(b=OK, a=Answer(status=400, chunks=[BAD_REQUEST]))
    async with routed(hosts, ["anthropic/x", "b/two"]) as client:
        assert (await client.chat.completions.create(**{**ASK, "model": "route/fast"})).provider == "b"
    async with routed(hosts, ["a/one", "b/two"]) as client:
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(**{**ASK, "model": "route/fast"})


async def test_the_quickest_of_a_route_is_first(hosts: Hosts) -> None:
    """Each is asked once; from then on the one that was quicker, until it is not."""
    hosts.play(a=OK, b=OK)
    async with routed(hosts, Route(models=["a/one", "b/two"], strategy="latency")) as client:
        ask = {**ASK, "model": "route/fast"}
        for _ in range(2):
            await client.chat.completions.create(**ask)
        assert hosts.asked == "ab"
        client._core.binding()._latencies |= {("a", "one"): 2.0, ("b", "two"): 1.0}
        await client.chat.completions.create(**ask)
        client._core.binding()._latencies |= {("a", "one"): 0.5, ("b", "two"): 1.0}
        await client.chat.completions.create(**ask)
    assert hosts.asked == "abba"


async def test_the_lot_of_a_route_follows_its_weights(hosts: Hosts) -> None:
    """A model of weight 0 is asked only where no other can answer."""
    hosts.play(a=OK, b=OK, c=OK)
    route = Route(models=["a/one", "b/two", "c/three"], strategy="weights", weights=[3, 1, 0])
    async with routed(hosts, route) as client:
        for _ in range(200):
            await client.chat.completions.create(**{**ASK, "model": "route/fast"})
    counts = {name: hosts.asked.count(name) for name in "abc"}
    assert counts["c"] == 0
    assert counts["a"] + counts["b"] == 200
    assert 110 < counts["a"] < 185


async def test_the_cheapest_of_a_route_is_first(hosts: Hosts) -> None:
    """By the list of prices; what it lacks comes last."""
    pytest.importorskip("genai_prices")
    models = ["a/one", "openai/gpt-4o", "openai/gpt-4o-mini"]
    async with routed(hosts, Route(models=models, strategy="cost")) as client:
        assert client._core.binding().expand(["route/fast"]) == ["openai/gpt-4o-mini", "openai/gpt-4o", "a/one"]


@pytest.mark.parametrize(
    "route",
    [
        [],
        "a/one",
        ["one"],
        ["a/"],
        ["route/x"],
        Route(models=["a/x"], weights=[1, 2]),
        Route(models=["a/x"], weights=[0]),
    ],
)
def test_what_is_no_route(hosts: Hosts, route: Any) -> None:
    with pytest.raises(ConfigurationError):
        routed(hosts, route)


async def test_an_unknown_route(hosts: Hosts) -> None:
    async with routed(hosts, ["a/one"]) as client:
        with pytest.raises(InvalidRequestError, match="no route 'slow'; there is fast"):
            await client.chat.completions.create(**{**ASK, "model": "route/slow"})
        with pytest.raises(UnsupportedFeatureError):
            await client.models.retrieve("route/fast")


async def test_a_route_can_do_what_all_of_its_models_can(hosts: Hosts) -> None:
    async with routed(hosts, ["a/one", "openai/x"]) as client:
        flags = client._core.bind("route").provider.get_model_capabilities("fast")
        each = [client._core.provider(name).get_model_capabilities("m") for name in ("a", "openai")]
    assert flags["vision_support"] == all(flag["vision_support"] for flag in each)


# --- streams ---


@pytest.mark.parametrize(
    ("began", "error"),
    [([], APIConnectionError), ([chunk({"role": "assistant"})], StreamInterruptedError)],
    ids=["nothing", "role"],
)
async def test_a_stream_that_breaks_off_before_content_goes_on_elsewhere(
    client: AsyncOneLLM, hosts: Hosts, began: list[Any], error: type[Exception]
) -> None:
    """A role is nothing that a caller has to take back, and is not handed out before there is more."""
    hosts.play(a=streamed(*began, done=False, cut="close"), b=streamed(*WORDS))
    stream: Any = await client.chat.completions.create(**TO_B, stream=True)
    chunks = [each async for each in stream]
    assert {each.provider for each in chunks} == {"b"}
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == "Bonjour"
    final = await stream.get_final_completion()
    assert [type(exc) for exc in final.fallbacks] == [error]
    assert stream.restarts == 0


async def test_a_stream_that_breaks_off_after_content_is_an_error(client: AsyncOneLLM, hosts: Hosts) -> None:
    """The caller has some of it, and another answer would not go on there."""
    hosts.play(a=streamed(*STREAM[:3], done=False, cut="close"), b=streamed(*WORDS))
    stream: Any = await client.chat.completions.create(**TO_B, stream=True)
    with pytest.raises(StreamInterruptedError):
        await stream.get_final_completion()
    assert hosts.asked == "a"


async def test_an_error_inside_a_stream_before_content(client: AsyncOneLLM, hosts: Hosts) -> None:
    overloaded = {"error": {"message": "busy", "code": "overloaded_error"}}
    hosts.play(a=streamed(chunk({"role": "assistant"}), overloaded), b=streamed(*WORDS))
    stream: Any = await client.chat.completions.create(**TO_B, stream=True)
    assert (await stream.get_final_completion()).choices[0].message.content == "Bonjour"


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_stream_begins_anew_where_that_is_wanted(client: AsyncOneLLM, hosts: Hosts, elsewhere: bool) -> None:
    """With whoever gave it, and then with the next; `restarts` says that what came before counts no more."""
    broken = streamed(*STREAM[:3], done=False, cut="close")
    hosts.play(a=[broken, DOWN if elsewhere else streamed(*WORDS)], b=streamed(*WORDS))
    call = TO_B if elsewhere else {**ASK, "model": "a/one", "max_retries": 0}
    stream: Any = await client.chat.completions.create(**call, stream=True, on_interrupt="restart")
    texts: dict[int, str] = {}
    async for piece in stream.text():
        texts[stream.restarts] = texts.get(stream.restarts, "") + piece
    assert texts[1] == "Bonjour"
    assert PIECES[0] in texts[0]
    final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Bonjour"
    assert final.provider == ("b" if elsewhere else "a")
    assert isinstance(final.fallbacks[0], StreamInterruptedError)


async def test_restarts_come_to_an_end(client: AsyncOneLLM, hosts: Hosts) -> None:
    """As many as there are retries, and one where there is none."""
    hosts.play(a=streamed(*STREAM[:3], done=False, cut="close"))
    ask = {**ASK, "model": "a/one", "max_retries": 2}
    stream: Any = await client.chat.completions.create(**ask, stream=True, on_interrupt="restart")
    with pytest.raises(StreamInterruptedError):
        await stream.get_final_completion()
    assert stream.restarts == 2
    assert hosts.asked == "aaa"


@pytest.mark.parametrize("call", ["parse", "run"])
async def test_what_is_made_of_chunks_does_not_begin_anew(hosts: Hosts, call: str) -> None:
    """Half of a value, or a call of a tool, could not be taken back; the client's wish is not theirs."""

    def weather() -> str:
        """The weather."""
        return "rain"

    hosts.play(a=streamed(*STREAM[:3], done=False, cut="close"))
    async with AsyncOneLLM(providers=hosts.providers, on_interrupt="restart") as client:
        methods = client.chat.completions
        ask: Any = {**ASK, "model": "a/one", "stream": True}

        async def through(**more: Any) -> None:
            if call == "parse":
                await (await methods.parse(**ask, response_format=dict, **more)).get_final()
            else:
                async with methods.run(**ask, tools=[weather], **more) as run:
                    async for _ in run:
                        pass

        with pytest.raises(InvalidRequestError, match="on_interrupt"):
            await through(on_interrupt="restart")
        with pytest.raises(StreamInterruptedError):
            await through()
    assert hosts.asked == "a"


async def test_closing_a_stream_closes_the_one_it_reads_from(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=DOWN, b=streamed(*WORDS, pause={2: asyncio.Event().wait}))
    stream: Any = await client.chat.completions.create(**TO_B, stream=True)
    async with stream:
        await anext(stream)
    await soon(hosts.requests[1].gone.wait())


async def test_closing_a_stream_while_it_begins_anew(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Also from another thread, where nobody waits for it: the new connection is closed as soon as it is there."""
    opened = asyncio.Event()
    pause: Any = {0: opened.wait, 2: asyncio.Event().wait}
    hosts.play(a=[streamed(*STREAM[:3], done=False, cut="close"), streamed(*WORDS, pause=pause)])
    ask = {**ASK, "model": "a/one"}
    stream: Any = await client.chat.completions.create(**ask, stream=True, on_interrupt="restart")
    reading = asyncio.create_task(stream.get_final_completion())
    await soon(hosts.server.wait_for_requests(2))
    stream.close_now()
    opened.set()
    with pytest.raises(StreamInterruptedError):
        await soon(reading)
    await soon(hosts.requests[1].gone.wait())


async def test_texts_and_their_ids(client: AsyncOneLLM, hosts: Hosts) -> None:
    """A completion's first text is content; the id is that of who answers."""
    begun = {"id": "1", "choices": [{"index": 0, "text": "", "finish_reason": None}]}
    text = {"id": "1", "choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}
    hosts.play(a=streamed(begun, done=False, cut="close"), b=streamed(begun, text, headers={"x-request-id": "of-b"}))
    async with await client.completions.create(
        model="a/one", prompt="x", stream=True, fallback_models=["b/two"], max_retries=0
    ) as stream:
        assert [piece async for piece in stream.text()] == ["Hi"]
        assert stream.request_id == "of-b"


async def test_a_fallback_of_the_default_provider(hosts: Hosts) -> None:
    """A model without a provider is the default one's, as everywhere."""
    hosts.play(a=DOWN, b=OK)
    async with AsyncOneLLM(providers=hosts.providers, max_retries=0, default_provider="b") as client:
        reply = await client.chat.completions.create(**{**ASK, "model": "a/one", "fallback_models": ["two", "b/two"]})
    assert (reply.provider, len(reply.fallbacks)) == ("b", 1)


async def test_cancelling_a_fallback_closes_its_connection(client: AsyncOneLLM, hosts: Hosts) -> None:
    hosts.play(a=DOWN, b=Answer(head=False, cut="stall"))
    call = asyncio.create_task(client.chat.completions.create(**TO_B))
    await soon(hosts.server.wait_for_requests(2))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await soon(hosts.requests[1].gone.wait())


async def test_responses_fall_back_before_their_first_text(client: AsyncOneLLM, hosts: Hosts) -> None:
    """Announcements are no content either."""
    created = {"type": "response.created", "sequence_number": 0, "response": {"id": "r", "status": "in_progress"}}
    done = {
        "type": "response.completed",
        "sequence_number": 2,
        "response": {"id": "r", "status": "completed", "output": []},
    }
    delta = {"type": "response.output_text.delta", "sequence_number": 1, "delta": "Hi"}
    hosts.play(a=streamed(created, done=False, cut="close"), b=streamed(created, delta, done, done=False))
    stream: Any = await client.responses.create(
        model="a/one", input="x", stream=True, fallback_models=["b/two"], max_retries=0
    )
    assert [piece async for piece in stream.text()] == ["Hi"]


def test_a_blocking_client_falls_back_and_restarts() -> None:
    """In one thread of the caller's, streams too."""
    provider = Provider()
    try:
        hosts = Hosts(provider.loopback)
        hosts.play(a=[DOWN, streamed(*STREAM[:3], done=False, cut="close"), DOWN], b=[OK, streamed(*WORDS)])
        with OneLLM(providers=hosts.providers) as client:
            reply = client.chat.completions.create(**TO_B)
            assert (reply.provider, len(reply.fallbacks)) == ("b", 1)
            texts: dict[int, str] = {}
            with client.chat.completions.create(**TO_B, stream=True, on_interrupt="restart") as stream:
                for piece in stream.text():
                    texts[stream.restarts] = texts.get(stream.restarts, "") + piece
                assert len(stream.get_final_completion().fallbacks) == 2
        assert texts[1] == "Bonjour"
    finally:
        provider.close()
