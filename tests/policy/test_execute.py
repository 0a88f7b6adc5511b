"""The seam that every call goes through: what layers see of it, and that without any it is nothing."""

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback, streamed
from process import python
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM

import onellm
from onellm import AsyncOneLLM, BadRequestError, OneLLMError, StreamInterruptedError
from onellm.policy.execution import Exchange
from onellm.policy.moving import WatchedStream
from onellm.policy.operations import operation_of
from onellm.policy.retry import retry
from onellm.providers import protocols

OK = Answer(chunks=[CHAT])


class Notes:
    """A layer that writes down what it sees."""

    def __init__(self, name: str, seen: list[tuple[str, Any]]) -> None:
        self._name = name
        self.seen = seen

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        self.seen.append((f"{self._name} asked", exchange))
        try:
            answer = await go_on()
        except BaseException as exc:
            self.seen.append((f"{self._name} failed", exc))
            raise
        self.seen.append((f"{self._name} answered", answer))
        return answer


async def test_a_layer_sees_the_call_and_its_answer(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What is called, who is asked, the request, and the very answer that the caller gets."""
    loopback.plays(OK)
    seen: list[tuple[str, Any]] = []
    client._core.add_layer(Notes("it", seen))
    reply = await client.chat.completions.create(**ASK)
    (_, exchange), (_, answer) = seen
    assert (exchange.operation.name, exchange.operation.answers) == ("chat.completions.create", "whole")
    assert (exchange.provider, exchange.model) == ("openai", "gpt-5.4-mini")
    assert exchange.request.messages == ASK["messages"]
    assert answer is reply


async def test_a_layer_sees_who_answered(client: AsyncOneLLM, loopback: Loopback) -> None:
    """And how many requests it took."""
    loopback.plays(Answer(status=500), Answer(status=404), OK)
    seen: list[tuple[str, Any]] = []
    client._core.add_layer(Notes("it", seen))
    await client.chat.completions.create(**ASK, fallback_models=["openai/other"])
    assert (seen[0][1].requests, seen[0][1].answered_by) == (3, "openai/other")


async def test_a_watched_stream_has_one_end(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Its answer, its error, or that it was left: whichever comes first, and nothing after it."""
    ends: list[str] = []

    class Watch:
        async def around(self, _: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
            async def ended(final: Any) -> None:
                ends.append(final.id)

            async def failed(exc: OneLLMError) -> None:
                ends.append(type(exc).__name__)

            return WatchedStream(await go_on(), ended, failed, lambda: ends.append("left"))

    client._core.add_layer(Watch())
    for answer, end in (
        (streamed(*STREAM), CHAT["id"]),
        (streamed(*STREAM[:3], done=False, cut="close"), "StreamInterruptedError"),
    ):
        loopback.plays(answer)
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            with contextlib.suppress(StreamInterruptedError):
                await stream.get_final_completion()
        assert ends.pop() == end
        assert not ends
    loopback.plays(streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        await anext(stream)
    assert ends == ["left"]


async def test_layers_stand_around_each_other(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The one that was added last sees a call first and its answer last."""
    loopback.plays(OK)
    seen: list[tuple[str, Any]] = []
    client._core.add_layer(Notes("inner", seen))
    client._core.add_layer(Notes("outer", seen))
    await client.chat.completions.create(**ASK)
    assert [what for what, _ in seen] == ["outer asked", "inner asked", "inner answered", "outer answered"]


async def test_a_layer_sees_the_error_and_not_the_retries(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A call is one, however often it is tried."""
    loopback.plays(Answer(status=500), Answer(status=400, chunks=[BAD_REQUEST]))
    seen: list[tuple[str, Any]] = []
    client._core.add_layer(Notes("it", seen))
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(**ASK)
    assert len(loopback.requests) == 2
    assert [what for what, _ in seen] == ["it asked", "it failed"]
    assert seen[1][1] is caught.value


async def test_a_layer_sees_a_stream_that_has_begun(client: AsyncOneLLM, loopback: Loopback) -> None:
    """And may put another in its place."""
    loopback.plays(streamed(*STREAM))
    seen: list[tuple[str, Any]] = []
    client._core.add_layer(Notes("it", seen))
    opened = await client.chat.completions.create(**ASK, stream=True)
    (_, exchange), (_, source) = seen
    assert exchange.operation.answers == "events"
    assert await source.read()
    await opened.aclose()


async def test_a_layer_may_answer_by_itself(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Then nothing is sent."""
    loopback.plays(OK)
    kept = await client.chat.completions.create(**ASK)

    class Kept:
        async def around(self, *_: object) -> Any:
            return kept

    client._core.add_layer(Kept())
    assert await client.chat.completions.create(**ASK) is kept
    assert len(loopback.requests) == 1


async def test_a_preview_goes_through_no_layer(client: AsyncOneLLM) -> None:
    """What watches calls is not told of one that is not made."""
    seen: list[tuple[str, Any]] = []
    client._core.add_layer(Notes("it", seen))
    assert (await client.chat.completions.preview(**ASK)).model == "gpt-5.4-mini"
    assert not seen


async def test_without_any_a_call_is_the_retry(client: AsyncOneLLM) -> None:
    """No coroutine, and no module, stands between."""
    _, request, options = client.chat.completions._prepare("openai/m", ASK["messages"], {})
    sent = options.send(client._core.bind("openai").provider.create_chat_completion, request)  # type: ignore[attr-defined]
    assert sent.cr_code is retry.__code__  # type: ignore[attr-defined]
    sent.close()


async def test_without_any_nothing_of_it_is_imported() -> None:
    """A client that asks for nothing pays for nothing."""
    made = "import sys; from onellm import AsyncOneLLM; AsyncOneLLM(api_key='k'); "
    assert (await python(made + "print('onellm.policy.execution' in sys.modules)")).strip() == "False"


def provider_methods() -> set[str]:
    """What the Protocols of providers await."""
    return {
        name
        for protocol in protocols.PROTOCOLS.values()
        for name, member in vars(protocol).items()
        if inspect.iscoroutinefunction(member)
    }


@pytest.mark.parametrize("name", sorted(provider_methods() - {"cancel_upload"}))
def test_every_method_of_providers_has_a_name_for_callers(name: str) -> None:
    """A layer is told of "files.list", and never of "list_files". An upload is cancelled by ours alone."""

    async def method() -> None:
        """Stands for a provider's."""

    method.__name__ = name
    operation = operation_of(method)
    assert operation.method == name
    assert operation.name != name


def test_no_resource_goes_past_the_seam() -> None:
    """A call that was made otherwise would have no deadline, no fallback, and nothing would see it.

    The connection of a realtime session is no call: it lasts, and has its own limits.
    """
    resources = Path(onellm.__file__).parent / "resources"
    past = [path.name for path in resources.glob("*.py") if "retry(" in path.read_text()]
    assert past == ["realtime_line.py"]
