"""An error that nobody has any more is gone, and all that it held: without the garbage collector.

Retries are left out: what makes them keeps exceptions in cycles of its own.
"""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hosts import Hosts
from loopback import Answer, Loopback, streamed
from wire.openai import ASK, CHAT, STREAM

from onellm import AsyncOneLLM, Hedge, OneLLMError

DOWN = Answer(status=500)
SILENT = Answer(head=False, cut="stall")
BROKEN = streamed(*STREAM[:3], done=False, cut="close")
ONE: dict[str, Any] = {**ASK, "model": "a/one", "max_retries": 0}

CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "fails": ({"a": DOWN}, {}),
    "all fail": ({"a": DOWN, "b": DOWN}, {"fallback_models": ["b/two"]}),
    "deadline": ({"a": SILENT}, {"deadline": 0.1}),
    "no time to wait": ({"a": Answer(status=429, headers={"Retry-After": "60"})}, {"deadline": 5}),
    "hedged": ({"a": [SILENT], "b": DOWN}, {"hedge": Hedge(after=0.02, to=["b/two"]), "deadline": 0.2}),
    "stream": ({"a": BROKEN}, {"stream": True, "fallback_models": ["b/two"]}),
    "restarts": ({"a": BROKEN}, {"stream": True, "on_interrupt": "restart"}),
}


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    async with Loopback() as server:
        yield Hosts(server)


@pytest.fixture(autouse=True)
def _without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def failing(client: AsyncOneLLM, options: dict[str, Any]) -> "weakref.ref[OneLLMError]":
    try:
        answer: Any = await client.chat.completions.create(**ONE, **options)
        async with answer:
            await answer.get_final_completion()
    except OneLLMError as exc:
        return weakref.ref(exc)
    raise AssertionError("it has an answer")


@pytest.mark.parametrize("name", CALLS)
async def test_an_error_leaves_nothing_behind(hosts: Hosts, name: str) -> None:
    answers, options = CALLS[name]
    hosts.play(**answers)
    async with AsyncOneLLM(providers=hosts.providers) as client:
        gone = await failing(client, options)
        for _ in range(5):  # tasks that were cancelled end
            await asyncio.sleep(0)
        assert gone() is None


async def test_an_answer_lets_go_of_what_waited_for_it(hosts: Hosts) -> None:
    """The errors that it keeps hold no frames."""
    hosts.play(a=DOWN, b=Answer(chunks=[CHAT]))
    async with AsyncOneLLM(providers=hosts.providers) as client:
        reply = await client.chat.completions.create(**ONE, fallback_models=["b/two"])
        assert reply.fallbacks[0].__traceback__ is None
        gone = weakref.ref(reply.fallbacks[0])
        del reply
        assert gone() is None
