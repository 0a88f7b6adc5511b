"""Circuit breakers: when they open, whom they let try, and when they close again."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from hosts import Hosts
from loopback import Answer, Loopback, Recorded, soon, streamed
from wire.openai import ASK, BAD_REQUEST, CHAT, INVALID_KEY, NO_QUOTA, STREAM

from onellm import (
    APIConnectionError,
    APITimeoutError,
    AsyncOneLLM,
    Breaker,
    CircuitOpenError,
    ConfigurationError,
    DeadlineExceededError,
    FallbackError,
    InternalServerError,
    OneLLMError,
    RateLimitError,
)
from onellm.policy.circuits import Circuits

if TYPE_CHECKING:
    from onellm.types.chat import ChatCompletion

OK = Answer(chunks=[CHAT])
DOWN = Answer(status=500)
ONE: dict[str, Any] = {**ASK, "model": "a/one"}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    async with Loopback() as server:
        yield Hosts(server)


def with_breaker(hosts: Hosts, breaker: Breaker, clock: Clock, **settings: Any) -> AsyncOneLLM:
    """A client whose circuits go by a clock of the test's."""
    client = AsyncOneLLM(providers=hosts.providers, breaker=breaker, **{"max_retries": 0, **settings})
    execution = client._core.execution({})
    assert execution is not None
    assert execution.circuits is not None
    execution.circuits._clock = clock
    return client


async def fails(client: AsyncOneLLM, **changed: Any) -> OneLLMError:
    with pytest.raises(OneLLMError) as caught:
        await soon(client.chat.completions.create(**{**ONE, **changed}))
    return caught.value


# --- opening and closing ---


async def test_it_opens_half_opens_and_closes(hosts: Hosts) -> None:
    """Nothing is sent while it is open; then one call tries, and what comes of it decides."""
    clock = Clock()
    async with with_breaker(hosts, Breaker(failures=3, open_for=30), clock) as client:
        hosts.play(a=DOWN)
        for _ in range(3):
            assert client.circuits().get("a/one") is None or client.circuits()["a/one"].state == "closed"
            assert type(await fails(client)) is InternalServerError
        assert (client.circuits()["a/one"].state, client.circuits()["a/one"].retry_in) == ("open", 30)
        error = await fails(client)
        assert type(error) is CircuitOpenError
        assert (error.provider, error.model, error.retry_after) == ("a", "one", 30)
        assert len(hosts.requests) == 3
        clock.now += 31
        assert type(await fails(client)) is InternalServerError
        assert type(await fails(client)) is CircuitOpenError
        assert len(hosts.requests) == 4
        clock.now += 31
        hosts.play(a=OK)
        await client.chat.completions.create(**ONE)
        assert client.circuits()["a/one"] == type(client.circuits()["a/one"])(state="closed", failures=0, retry_in=0)
        await client.chat.completions.create(**ONE)
        assert len(hosts.requests) == 6


async def test_one_call_tries_at_a_time(hosts: Hosts) -> None:
    """The others are refused meanwhile. One that is cancelled decides nothing, and the next may try."""
    clock = Clock()
    async with with_breaker(hosts, Breaker(failures=1, open_for=5), clock) as client:
        hosts.play(a=[DOWN, Answer(head=False, cut="stall"), OK])
        await fails(client)
        clock.now += 6
        probe = asyncio.create_task(client.chat.completions.create(**ONE))
        await soon(hosts.server.wait_for_requests(2))
        assert client.circuits()["a/one"].state == "half_open"
        assert "one call is trying it" in str(await fails(client))
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        await client.chat.completions.create(**ONE)
        assert client.circuits()["a/one"].state == "closed"


async def test_each_model_has_its_own(hosts: Hosts) -> None:
    async with with_breaker(hosts, Breaker(failures=1), Clock()) as client:
        hosts.play(a=[DOWN, OK])
        await fails(client)
        await client.chat.completions.create(**{**ASK, "model": "a/other"})
        assert {name: each.state for name, each in client.circuits().items()} == {
            "a/one": "open",
            "a/other": "closed",
        }


async def test_retries_stop_where_it_opens(hosts: Hosts) -> None:
    """What is tried again counts each time."""
    async with with_breaker(hosts, Breaker(failures=2), Clock(), max_retries=5) as client:
        hosts.play(a=DOWN)
        assert type(await fails(client)) is CircuitOpenError
        assert len(hosts.requests) == 2


async def test_a_part_of_all_calls_may_open_it(hosts: Hosts) -> None:
    """Of the last four: failures that are never two in a row would not."""
    async with with_breaker(hosts, Breaker(failures=99, rate=0.5, window=4), Clock()) as client:
        hosts.play(a=[OK, DOWN, OK, OK, OK, DOWN])
        for good in (True, False, True, True, True, False):
            await (client.chat.completions.create(**ONE) if good else fails(client))
            assert client.circuits()["a/one"].state == "closed"
        await fails(client)
        assert client.circuits()["a/one"].state == "open"


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (DOWN, True),
        (Answer(status=503), True),
        (Answer(status=408), True),
        (Answer(head=False, cut="reset"), True),
        (Answer(status=400, chunks=[BAD_REQUEST]), False),
        (Answer(status=401, chunks=[INVALID_KEY]), False),
        (Answer(status=429), False),
        (Answer(status=429, chunks=[NO_QUOTA]), False),
    ],
    ids=["500", "503", "408", "reset", "400", "401", "429", "quota"],
)
async def test_what_counts(hosts: Hosts, answer: Answer, opens: bool) -> None:
    """What fails in the provider, and not what it refuses."""
    async with with_breaker(hosts, Breaker(failures=1), Clock()) as client:
        hosts.play(a=answer)
        await fails(client)
        assert client.circuits()["a/one"].state == ("open" if opens else "closed")


async def test_rate_limits_count_where_that_is_wanted(hosts: Hosts) -> None:
    async with with_breaker(hosts, Breaker(failures=1, rate_limits=True), Clock()) as client:
        hosts.play(a=Answer(status=429))
        assert type(await fails(client)) is RateLimitError
        assert client.circuits()["a/one"].state == "open"


async def test_a_refusal_shows_that_it_is_there(hosts: Hosts) -> None:
    """A 400 between failures begins the count anew."""
    async with with_breaker(hosts, Breaker(failures=2), Clock()) as client:
        hosts.play(a=[DOWN, Answer(status=400, chunks=[BAD_REQUEST]), DOWN])
        for _ in range(3):
            await fails(client)
        assert client.circuits()["a/one"].state == "closed"


async def test_a_deadline_counts_where_there_was_time(hosts: Hosts) -> None:
    """A fallback that has a few moments left and does not answer in them has not failed."""
    async with with_breaker(hosts, Breaker(failures=1), Clock()) as client:
        hosts.play(
            a=Answer(head=False, cut="stall"),
            b=Answer(status=500, pause={0: lambda: asyncio.sleep(0.7)}, chunks=["{}"]),
            c=Answer(head=False, cut="stall"),
        )
        assert type(await fails(client, deadline=0.1)) is DeadlineExceededError
        assert client.circuits()["a/one"].state == "open"
        error = await fails(client, model="b/two", fallback_models=["c/three"], deadline=1.0)
        assert type(error) is DeadlineExceededError
        assert error.provider == "c"
        assert client.circuits()["c/three"].state == "closed"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_open_one_goes_to_the_fallback_at_once(hosts: Hosts, stream: bool) -> None:
    async with with_breaker(hosts, Breaker(failures=1), Clock()) as client:
        hosts.play(a=DOWN, b=streamed(*STREAM) if stream else OK)
        for _ in range(2):
            reply: Any = await client.chat.completions.create(**ONE, fallback_models=["b/two"], stream=stream)
            reply = await reply.get_final_completion() if stream else reply
        assert hosts.asked == "abb"
        assert type(reply.fallbacks[0]) is CircuitOpenError


# --- a schedule of faults ---


async def test_a_provider_that_dies_and_comes_back(hosts: Hosts) -> None:
    """Many calls at once, none lost, none doubled: each gets one answer, from the one that was up. While it is dead
    it is asked no more than a few times."""
    clock = Clock()
    async with with_breaker(hosts, Breaker(failures=5, open_for=10), clock, fallback_models=["b/two"]) as client:

        async def wave() -> list[str]:
            replies = await asyncio.gather(*(client.chat.completions.create(**ONE) for _ in range(40)))
            return [reply.provider for reply in replies]

        hosts.play(a=OK, b=OK)
        assert set(await wave()) == {"a"}
        hosts.play(a=Answer(head=False, cut="reset"))
        assert set(await wave()) == {"b"}
        asked = hosts.asked.count("a")
        assert client.circuits()["a/one"].state == "open"
        assert set(await wave()) == {"b"}
        assert hosts.asked.count("a") == asked
        clock.now += 11
        assert set(await wave()) == {"b"}
        assert hosts.asked.count("a") == asked + 1
        clock.now += 11
        hosts.play(a=OK)
        assert (await client.chat.completions.create(**ONE)).provider == "a"
        assert client.circuits()["a/one"].state == "closed"
        assert set(await wave()) == {"a"}
        assert hosts.asked.count("b") == 120


async def test_a_storm_of_429s_loses_nothing_and_doubles_nothing(hosts: Hosts) -> None:
    """Three of four requests are refused, by two hosts: each call is answered once, and with its own answer."""
    served: Counter[str] = Counter()

    def storm(request: Recorded) -> Answer:
        if len(hosts.requests) % 4:
            return Answer(status=429, headers={"Retry-After": "0.01"})
        asked = request.json["messages"][-1]["content"]
        served[asked] += 1
        return Answer(chunks=[{**CHAT, "id": asked}])

    hosts.server.chooses(storm)
    numbers = [str(number) for number in range(100)]
    settings: dict[str, Any] = {"max_retries": 20, "fallback_models": ["b/two"]}
    async with with_breaker(hosts, Breaker(failures=3), Clock(), **settings) as client:

        async def ask(number: str) -> str:
            ask = {**ONE, "messages": [{"role": "user", "content": number}]}
            reply: ChatCompletion = await client.chat.completions.create(**ask)
            return reply.id

        assert await asyncio.gather(*map(ask, numbers)) == numbers
        assert client.circuits()["a/one"].state == "closed"
    assert served == Counter(numbers)


@pytest.mark.parametrize("seed", range(5))
async def test_a_schedule_of_faults_loses_nothing_and_doubles_nothing(hosts: Hosts, seed: int) -> None:
    """Hosts that refuse, reset, break off, say nonsense and fail, at random: each call has one answer, its own, or an
    error that has one of each model that was asked; and a host has answered as often as calls have answers of it.
    """
    lot = random.Random(seed)  # noqa: S311 - no secret
    given: Counter[str] = Counter()

    def faults(request: Recorded) -> Answer:
        fault = lot.randrange(8)
        asked = request.json["messages"][-1]["content"]
        match fault:
            case 0:
                return Answer(status=429, headers={"Retry-After": "0.001"})
            case 1:
                return Answer(head=False, cut="reset")
            case 2:
                return Answer(status=503)
            case 3:
                return Answer(chunks=["{"], cut="close")
            case 4:
                return Answer(chunks=["<html>"])
            case _:
                given[asked] += 1
                return Answer(chunks=[{**CHAT, "id": asked}])

    hosts.server.chooses(faults)
    settings: dict[str, Any] = {"max_retries": 2, "fallback_models": ["b/two", "c/three"]}
    async with with_breaker(hosts, Breaker(failures=4, open_for=1e-9), Clock(), **settings) as client:

        async def ask(number: str) -> str:
            ask = {**ONE, "messages": [{"role": "user", "content": number}]}
            try:
                reply: ChatCompletion = await client.chat.completions.create(**ask)
            except FallbackError as exc:
                return f"failed: {[each.provider for each in exc.errors]}"
            return reply.id

        numbers = [str(number) for number in range(80)]
        results = await asyncio.gather(*map(ask, numbers))
    answered = [number for number, result in zip(numbers, results, strict=True) if result == number]
    assert set(results) - set(answered) <= {"failed: ['a', 'b', 'c']"}
    assert len(answered) > 30
    assert given == Counter(answered)


async def test_waiting_for_a_turn_is_no_failure() -> None:
    """A request that never went out says nothing of who would have had it."""
    circuit = Circuits(Breaker(failures=1)).of("a", "one")
    for error in (APITimeoutError("no turn"), DeadlineExceededError("no turn")):
        error.phase = "queue"
        assert circuit.counts(error, fair=True) is None


async def test_both_are_dead(hosts: Hosts) -> None:
    """Then nothing is sent, and the error says of each when it is tried."""
    async with with_breaker(hosts, Breaker(failures=1), Clock()) as client:
        hosts.play(a=DOWN, b=DOWN)
        await fails(client, fallback_models=["b/two"])
        error = await fails(client, fallback_models=["b/two"])
        assert isinstance(error, FallbackError)
        assert [type(exc) for exc in error.errors] == [CircuitOpenError] * 2
        assert error.retry_after == 30
        assert hosts.asked == "ab"


def test_names_that_are_made_up_do_not_fill_the_memory() -> None:
    circuits = Circuits(Breaker())
    for number in range(5000):
        circuits.of("a", str(number)).leave(probe=False, failed=True)
    assert len(circuits.states()) <= 4096


async def test_without_a_breaker_there_are_no_circuits(client: AsyncOneLLM) -> None:
    assert client.circuits() == {}


async def test_a_lost_connection_is_named(hosts: Hosts) -> None:
    """The circuit says nothing before it opens: the error is what happened."""
    async with with_breaker(hosts, Breaker(failures=1), Clock()) as client:
        hosts.play(a=Answer(head=False, cut="reset"))
        assert type(await fails(client)) is APIConnectionError


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"rate": 0}, {"rate": 1.5}, {"open_for": 0}, {"window": 0}])
def test_what_is_no_breaker(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="breaker"):
        Breaker(**wrong)
