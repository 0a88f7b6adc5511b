"""Calls wait for their turn; the server counts."""

import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from typing import Any

import pytest
from limited_host import LimitedHost
from loopback import Answer, Loopback, Recorded, soon, streamed
from process import python
from wire.openai import ASK, CHAT, STREAM

from onellm import (
    APITimeoutError,
    AsyncOneLLM,
    BadRequestError,
    Breaker,
    ConfigurationError,
    DeadlineExceededError,
    InvalidRequestError,
    Limits,
    RateLimitError,
    RetryPolicy,
    StreamInterruptedError,
    Timeouts,
)
from onellm.policy.limits import Cost, Gate
from onellm.policy.turns import Pacer

REFUSAL = {"error": {"message": "slow down"}}


def client_of(loopback: Loopback, limits: Any, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", limits=limits, **settings)


def pacer_of(client: AsyncOneLLM) -> Pacer:
    assert client._core._pacing is not None
    pace = client._core._pacing._paces["openai"]
    assert pace is not None
    return pace.pacer(client._core.bind("openai").settings)


def gate_of(client: AsyncOneLLM) -> Gate:
    return pacer_of(client).line(ASK["model"]).gate


def said(text: str) -> dict[str, Any]:
    return {**ASK, "messages": [{"role": "user", "content": text}]}


def text_of(request: Recorded) -> str:
    text: str = request.json["messages"][-1]["content"]
    return text


class Held:
    """Answers that come when the test says so, and how many requests are under way at the host."""

    def __init__(self, answer: Any = CHAT) -> None:
        self.answer = answer
        self.doors: list[asyncio.Event] = []

    def __call__(self, _: Recorded) -> Answer:
        door = asyncio.Event()
        self.doors.append(door)
        return Answer(chunks=[self.answer], pause={0: door.wait})

    def open(self, count: int = 1) -> None:
        shut = [door for door in self.doors if not door.is_set()]
        for door in shut[:count]:
            door.set()


async def refused(waits: list[float]) -> None:
    """Until a call that was refused would wait for its retry."""
    while not waits:  # noqa: ASYNC110 - a list has no event
        await asyncio.sleep(0)


async def waiting(client: AsyncOneLLM, count: int) -> None:
    """Until so many wait for a turn."""
    pacer = pacer_of(client)
    while sum(line.waiting for line in pacer._lines.values()) != count:  # noqa: ASYNC110 - it has no event for tests
        await asyncio.sleep(0)


# --- rates ---


def kept(rates: list[tuple[int, float]]) -> bool:
    """Whether the last run of a thousand calls had few refused, and nearly the host's own rate."""
    return bool(rates) and rates[-1][0] <= 10 and rates[-1][1] >= 0.9


async def test_calls_go_out_at_nearly_the_hosts_own_rate(loopback: Loopback) -> None:
    """At least nine tenths of what the host allows, and at most one in a hundred refused; its minute has 4 seconds.

    In one of three runs: a machine that stands still for a tenth of a second is no fault of the limits.
    """
    rates: list[tuple[int, float]] = []
    while not kept(rates) and len(rates) < 3:
        host = LimitedHost(CHAT, 600, 4.0)
        loopback.chooses(host)
        async with client_of(loopback, Limits(requests_per_minute=600, window=4.0)) as client:
            await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(1000)))
        assert host.answered == 1000
        rates.append((host.refused, host.rate / (600 / 4.0)))
    assert kept(rates), rates


async def test_tokens_are_counted_with_the_answers(loopback: Loopback) -> None:
    """The prompt by its bytes, the answer by what the call allows it; where the answer does not say what it took."""
    loopback.plays(Answer(chunks=[CHAT | {"usage": None}]))
    async with client_of(loopback, Limits(tokens_per_minute=10_000, burst=0.1, window=1.0)) as client:
        began = time.monotonic()
        await asyncio.gather(*(client.chat.completions.create(**ASK, max_tokens=980) for _ in range(5)))
        took = time.monotonic() - began
    # A thousand at once, and nine thousand a second after that: four more of a thousand each.
    assert 0.4 <= took < 2


@pytest.mark.parametrize("stream", [False, True])
async def test_estimates_are_corrected_by_answers(loopback: Loopback, stream: bool) -> None:
    """What the answer says it took is what was taken: 29 tokens and not a thousand, streamed or not."""
    loopback.plays(streamed(*STREAM) if stream else Answer(chunks=[CHAT]))
    async with client_of(loopback, Limits(tokens_per_minute=10_000, burst=0.1)) as client:
        for _ in range(5):
            answer: Any = await soon(client.chat.completions.create(**ASK, max_tokens=980, stream=stream))
            if stream:
                await answer.get_final_completion()


async def test_what_was_refused_took_no_tokens(loopback: Loopback) -> None:
    """The next one need not wait for them."""
    loopback.plays(*[Answer(status=400, chunks=[REFUSAL])] * 5, Answer(chunks=[CHAT]))
    async with client_of(loopback, Limits(tokens_per_minute=10_000, burst=0.1)) as client:
        for _ in range(5):
            with pytest.raises(BadRequestError):
                await soon(client.chat.completions.create(**ASK, max_tokens=980))


async def test_a_request_larger_than_the_limit_goes_alone(loopback: Loopback) -> None:
    """When the bucket is full: whether it is too large is for the provider to say."""
    loopback.plays(Answer(chunks=[CHAT | {"usage": None}]))
    async with client_of(loopback, Limits(tokens_per_minute=100, window=0.1)) as client:
        await client.chat.completions.create(**ASK, max_tokens=500)
        began = time.monotonic()
        await client.chat.completions.create(**ASK)
    assert time.monotonic() - began >= 0.4


async def test_limits_of_provider_and_model_both_hold(loopback: Loopback) -> None:
    """A model's own for it alone; the provider's for all of its models, which take of one whole."""
    held = Held()
    loopback.chooses(held)
    limits = {"openai": Limits(concurrency=3), "openai/small": Limits(concurrency=1)}
    async with client_of(loopback, limits) as client:
        ask = {"messages": ASK["messages"]}
        models = ["openai/small", "openai/small", "openai/large", "openai/large", "openai/large"]
        tasks = [asyncio.create_task(client.chat.completions.create(model=model, **ask)) for model in models]
        await soon(loopback.wait_for_requests(3))
        await waiting(client, 2)
        # The second for the small model does not stand in the way of those for the large one.
        assert [request.json["model"] for request in loopback.requests] == ["small", "large", "large"]
        for sent in range(3, 6):
            held.open()
            await soon(loopback.wait_for_requests(min(sent + 1, 5)))
        held.open(9)
        await asyncio.gather(*tasks)
    assert Counter(request.json["model"] for request in loopback.requests) == {"small": 2, "large": 3}


async def test_providers_do_not_share_limits_given_for_all(loopback: Loopback) -> None:
    """One `Limits` is a whole for each."""
    held = Held()
    loopback.chooses(held)
    mine = {"mine": {"base_url": f"{loopback.url}/v1"}, "ours": {"base_url": f"{loopback.url}/v1"}}
    for settings in mine.values():
        settings["api_key"] = "k"
    async with client_of(loopback, Limits(concurrency=1), providers=mine) as client:
        asks = [client.chat.completions.create(**{**ASK, "model": f"{name}/m"}) for name in ("mine", "ours", "mine")]
        tasks = [asyncio.create_task(ask) for ask in asks]
        await soon(loopback.wait_for_requests(2))
        assert len(held.doors) == 2
        held.open(2)
        await soon(loopback.wait_for_requests(3))
        held.open(1)
        await asyncio.gather(*tasks)


# --- concurrency ---


async def test_no_more_than_so_many_at_once(loopback: Loopback) -> None:
    """In the order of their coming."""
    held = Held()
    loopback.chooses(held)
    async with client_of(loopback, Limits(concurrency=2)) as client:
        tasks = [asyncio.create_task(client.chat.completions.create(**said(str(i)))) for i in range(6)]
        for sent in range(2, 6):
            await soon(loopback.wait_for_requests(sent))
            await waiting(client, 6 - sent)
            assert len(loopback.requests) == sent
            held.open()
        await soon(loopback.wait_for_requests(6))
        held.open(9)
        await asyncio.gather(*tasks)
    assert [text_of(request) for request in loopback.requests[2:]] == ["2", "3", "4", "5"]


@pytest.mark.parametrize("leave", ["read", "close", "break", "cancel", "lose", "cut"])
async def test_a_stream_is_under_way_until_it_ends(loopback: Loopback, leave: str) -> None:
    """However it ends, the next one's turn comes."""
    forever: dict[int, Any] = {} if leave in ("read", "cut") else {2: asyncio.Event().wait}
    first = streamed(*STREAM[:2], done=False, cut="close") if leave == "cut" else streamed(*STREAM, pause=forever)
    loopback.plays(first, streamed(*STREAM))
    async with client_of(loopback, Limits(concurrency=1), max_retries=0) as client:
        stream: Any = await client.chat.completions.create(**ASK, stream=True)
        await stream.__anext__()
        following = asyncio.create_task(client.chat.completions.create(**ASK, stream=True))
        await waiting(client, 1)
        assert len(loopback.requests) == 1
        match leave:
            case "read":
                await stream.get_final_completion()
            case "close":
                await stream.aclose()
            case "break":
                async with stream:
                    async for _ in stream:
                        break
            case "cancel":
                reading = asyncio.create_task(stream.get_final_completion())
                await asyncio.sleep(0)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                del reading
            case "cut":
                with pytest.raises(StreamInterruptedError):
                    await stream.get_final_completion()
            case _:
                pass
        del stream
        gc.collect()
        second: Any = await soon(following)
        await second.get_final_completion()
        assert gate_of(client).under_way == 0


async def test_whatever_ends_a_request_ends_its_turn(loopback: Loopback) -> None:
    """Refusals, lost connections, time limits, cancelled calls."""
    answers = [
        Answer(status=400, chunks=[REFUSAL]),
        Answer(head=False, cut="reset"),
        Answer(chunks=["{"], cut="reset"),
        Answer(head=False, cut="stall"),
        Answer(chunks=[CHAT]),
    ]
    loopback.plays(*answers)
    async with client_of(loopback, Limits(concurrency=1), max_retries=0) as client:
        for _ in answers[:-2]:
            with pytest.raises(Exception, match=r"."):
                await client.chat.completions.create(**ASK)
        stalled = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(4))
        stalled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalled
        await client.chat.completions.create(**ASK)
        assert gate_of(client).under_way == 0


async def test_cancelled_waiters_leave_nothing(loopback: Loopback) -> None:
    """Neither a place in the line nor a turn, also where it comes at the moment of the cancelling."""
    held = Held()
    loopback.chooses(held)
    async with client_of(loopback, Limits(concurrency=1)) as client:
        first = asyncio.create_task(client.chat.completions.create(**said("first")))
        await soon(loopback.wait_for_requests(1))
        tasks = [asyncio.create_task(client.chat.completions.create(**said(str(i)))) for i in range(100)]
        await waiting(client, 100)
        for task in tasks[:99]:
            task.cancel()
        await asyncio.wait(tasks[:99])
        assert all(task.cancelled() for task in tasks[:99])
        await waiting(client, 1)
        held.open()
        await first  # the turn of the last has come, and it has not yet heard of it
        tasks[99].cancel()
        await asyncio.wait(tasks[99:])
        held.open(9)
        last = asyncio.create_task(client.chat.completions.create(**said("last")))
        while not last.done():
            held.open(9)
            await asyncio.sleep(0)
        assert gate_of(client).under_way == 0
        assert not pacer_of(client)._alarms
    assert {text_of(request) for request in loopback.requests} <= {"first", "99", "last"}


async def test_a_turn_that_was_not_used_is_given_back(loopback: Loopback) -> None:
    """Where the request could not be made after all."""

    def key() -> str:
        raise RuntimeError("no token")

    async with AsyncOneLLM(api_key=key, base_url=loopback.url, limits=Limits(requests_per_minute=1)) as client:
        for _ in range(3):
            with pytest.raises(Exception, match="no token"):
                await client.chat.completions.create(**ASK)
        gate = gate_of(client)
        assert gate.under_way == 0


# --- who is first ---


async def order(client: AsyncOneLLM, loopback: Loopback, priorities: list[int]) -> list[int]:
    """In which order calls go out that wait together, one at a time, by their places."""
    held = Held()
    loopback.chooses(held)
    tasks = [asyncio.create_task(client.chat.completions.create(**said("first")))]
    await soon(loopback.wait_for_requests(1))
    for place, priority in enumerate(priorities):
        tasks.append(asyncio.create_task(client.chat.completions.create(**said(str(place)), priority=priority)))
        await waiting(client, place + 1)
    for sent in range(len(priorities)):
        held.open()
        await soon(loopback.wait_for_requests(sent + 2))
    held.open()
    await asyncio.gather(*tasks)
    return [int(text_of(request)) for request in loopback.requests[1:]]


async def test_higher_priorities_go_first(loopback: Loopback) -> None:
    """Among equals, who came first."""
    async with client_of(loopback, Limits(concurrency=1)) as client:
        assert await order(client, loopback, [0, 1, -1, 1, 0]) == [1, 3, 0, 4, 2]


async def test_every_eighth_turn_is_the_oldests(loopback: Loopback) -> None:
    """However many of a higher priority there are, the lowest gets its turn."""
    async with client_of(loopback, Limits(concurrency=1)) as client:
        went = await order(client, loopback, [0, 0, *[9] * 20])
        assert went.index(0) == 6  # the turn of the first of all was the first
        assert went.index(1) == 14
        assert [place for place in went if place > 1] == list(range(2, 22))


async def test_a_priority_is_a_number(client: AsyncOneLLM, loopback: Loopback) -> None:
    """And where there are no limits it changes nothing: not a byte of what is sent."""
    loopback.plays(Answer(chunks=[CHAT]))
    await client.chat.completions.create(**ASK)
    await client.chat.completions.create(**ASK, priority=5)
    assert loopback.requests[0].body == loopback.requests[1].body
    with pytest.raises(InvalidRequestError, match="priority"):
        await client.chat.completions.create(**ASK, priority="high")  # type: ignore[call-overload]


# --- time ---


async def test_waiting_for_a_turn_takes_of_the_calls_time(loopback: Loopback) -> None:
    """And the error says where the time went; it is not tried again."""
    held = Held()
    loopback.chooses(held)
    async with client_of(loopback, Limits(concurrency=1), max_retries=5) as client:
        first = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(1))
        with pytest.raises(APITimeoutError, match=r"no turn .* within 0.05 s \(queue\)") as caught:
            await client.chat.completions.create(**ASK, timeout=0.05)
        assert (caught.value.phase, caught.value.unsent, caught.value.retryable) == ("queue", True, False)
        assert caught.value.model == ASK["model"]
        second = asyncio.create_task(client.chat.completions.create(**ASK, timeout=Timeouts(total=0.3)))
        await waiting(client, 1)
        await asyncio.sleep(0.15)
        began = time.monotonic()
        held.open()
        await first
        with pytest.raises(APITimeoutError) as caught:
            await second
        assert caught.value.phase == "total"
        assert time.monotonic() - began < 0.25  # not 0.3: what it waited is gone
        assert gate_of(client).under_way == 0
    assert len(loopback.requests) == 2


async def test_waiting_for_a_turn_ends_at_the_deadline(loopback: Loopback) -> None:
    """With the error of deadlines, which names the queue. The provider was not asked: its breaker stays closed."""
    held = Held()
    loopback.chooses(held)
    async with client_of(loopback, Limits(concurrency=1), breaker=Breaker(failures=1)) as client:
        first = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(1))
        limits: list[dict[str, Any]] = [{"deadline": 0.05}, {"timeout": 0.05}]
        for limit in limits:
            with pytest.raises(APITimeoutError, match="no turn") as caught:
                await client.chat.completions.create(**ASK, **limit)
            assert caught.value.phase == "queue"
            assert isinstance(caught.value, DeadlineExceededError) is ("deadline" in limit)
        held.open()
        await first
        last = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(2))
        held.open()
        await last


async def test_each_key_has_the_limits_for_itself(loopback: Loopback) -> None:
    """Two keys, one request at once each: two requests at once, one with each key."""
    held = Held()
    loopback.chooses(held)
    limits = Limits(concurrency=1)
    async with AsyncOneLLM(api_key=["one", "two"], base_url=f"{loopback.url}/v1", limits=limits) as client:
        tasks = [asyncio.create_task(client.chat.completions.create(**ASK)) for _ in range(3)]
        await soon(loopback.wait_for_requests(2))
        assert {request.headers["authorization"] for request in loopback.requests} == {"Bearer one", "Bearer two"}
        held.open(2)
        await soon(loopback.wait_for_requests(3))
        held.open()
        await asyncio.gather(*tasks)


# --- what providers say ---


async def test_retry_after_holds_all_back(loopback: Loopback, waits: list[float]) -> None:
    """A refusal's wait is that of every call to the model, not only of the one that was refused."""
    later = Answer(status=429, chunks=[REFUSAL], headers={"retry-after-ms": "300"})
    loopback.plays(later, Answer(chunks=[CHAT]))
    async with client_of(loopback, Limits()) as client:
        first = asyncio.create_task(client.chat.completions.create(**ASK))
        await refused(waits)
        began = time.monotonic()
        await client.chat.completions.create(**ASK)
        assert 0.2 < time.monotonic() - began < 5
        await client.chat.completions.create(**{**ASK, "model": "openai/another"})
        await first


async def test_another_model_is_not_held_back(loopback: Loopback, waits: list[float]) -> None:
    """Providers limit models one by one."""
    loopback.plays(Answer(status=429, chunks=[REFUSAL], headers={"Retry-After": "60"}), Answer(chunks=[CHAT]))
    async with client_of(loopback, Limits()) as client:
        first = asyncio.create_task(client.chat.completions.create(**ASK))
        await refused(waits)
        await soon(client.chat.completions.create(**{**ASK, "model": "openai/another"}))
        first.cancel()
        await asyncio.wait([first])


@pytest.mark.parametrize(
    ("limits", "wait"), [(Limits(longest_wait=30), "31"), (Limits(learn=False), "1"), (Limits(), "soon")]
)
async def test_a_wait_that_is_too_long_is_the_callers(loopback: Loopback, limits: Limits, wait: str) -> None:
    """Or is not to be heeded, or is none: the next call is sent, and told the same."""
    loopback.plays(Answer(status=429, chunks=[REFUSAL], headers={"Retry-After": wait}))
    async with client_of(loopback, limits, max_retries=0) as client:
        for _ in range(2):
            with pytest.raises(RateLimitError):
                await soon(client.chat.completions.create(**ASK))
    assert len(loopback.requests) == 2


async def test_what_is_left_is_not_exceeded(loopback: Loopback) -> None:
    """With no number of ours: the host's headers are enough after the first answers."""
    host = LimitedHost(CHAT, 20, 0.5)
    loopback.chooses(host)
    async with client_of(loopback, Limits()) as client:
        for _ in range(50):
            await client.chat.completions.create(**ASK)
    assert host.refused == 0
    assert host.answered == 50


async def test_a_storm_of_refusals_lowers_the_concurrency(loopback: Loopback) -> None:
    """A host that takes four at once, and says nothing but 429: nothing is lost, and few are refused in the end."""
    under_way = most = 0
    statuses: list[int] = []

    def choose(_: Recorded) -> Answer:
        nonlocal under_way, most
        if under_way >= 4:
            statuses.append(429)
            return Answer(status=429, chunks=[REFUSAL])
        under_way += 1
        most = max(most, under_way)
        statuses.append(200)

        async def work() -> None:
            nonlocal under_way
            await asyncio.sleep(0.005)
            under_way -= 1

        return Answer(chunks=[CHAT], pause={0: work})

    loopback.chooses(choose)
    retry = RetryPolicy(max_retries=1000)
    async with client_of(loopback, Limits(concurrency=64), retry=retry) as client:
        replies = await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(400)))
        gate = gate_of(client)
        assert gate.window <= 8
        assert gate.under_way == 0
    assert len(replies) == statuses.count(200) == 400
    assert statuses[-200:].count(429) <= 60


async def test_concurrency_comes_back(loopback: Loopback) -> None:
    """One more for each window of answers, up to the limit."""
    loopback.plays(*[Answer(status=503, chunks=[REFUSAL])] * 3, Answer(chunks=[CHAT]))
    async with client_of(loopback, Limits(concurrency=4), max_retries=0) as client:
        await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(3)), return_exceptions=True)
        gate = gate_of(client)
        assert gate.window == 1.5  # three were under way, and refused together
        await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(40)))
        assert gate.window == 4.0


# --- what it costs, and where it works ---


async def test_a_thousand_waiters_cost_little() -> None:
    """One timer for all of them beside their own limits, and a few steps each to come and to go."""
    pacer = Pacer(Limits(concurrency=1), {})
    turn = await pacer.turn("m", Cost(), 0, None)
    calls: Counter[str] = Counter()

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call" and "onellm" in frame.f_code.co_filename and "policy" in frame.f_code.co_filename:
            calls[frame.f_code.co_qualname] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:

        async def take() -> None:
            (await pacer.turn("m", Cost(), 0, 60.0)).end()

        tasks = [asyncio.create_task(take()) for _ in range(1000)]
        await asyncio.sleep(0)
        assert len(pacer._alarms) == 1
        turn.end()
        await asyncio.gather(*tasks)
    finally:
        sys.setprofile(before)
    assert sum(calls.values()) <= 60 * 1000, calls
    assert pacer.line("m").waiting == 0


async def test_threads_share_the_limits_of_a_client() -> None:
    """Each with an event loop of its own; turns pass from one to the other."""
    pacer = Pacer(Limits(concurrency=2), {})
    under_way = 0
    most = 0
    lock = threading.Lock()
    done: list[int] = []

    async def use(count: int) -> None:
        nonlocal under_way, most

        async def one() -> None:
            nonlocal under_way, most
            turn = await pacer.turn("m", Cost(), 0, 30.0)
            with lock:
                under_way += 1
                most = max(most, under_way)
            await asyncio.sleep(0)
            with lock:
                under_way -= 1
            turn.end()
            done.append(1)

        await asyncio.gather(*(one() for _ in range(count)))

    threads = [threading.Thread(target=asyncio.run, args=(use(200),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    await use(200)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert (len(done), most) == (800, 2)
    assert pacer.line("m").gate.under_way == 0


def test_a_loop_that_ends_leaves_no_turn_taken() -> None:
    """Closed under those that wait and those that were under way, without a word to them."""
    pacer = Pacer(Limits(concurrency=1), {})

    async def take() -> None:
        turn = await pacer.turn("m", Cost(), 0, 30.0)
        await asyncio.Event().wait()
        turn.end()

    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(take()) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    del tasks, task
    gc.collect()

    async def again() -> None:
        (await pacer.turn("m", Cost(), 0, 5.0)).end()

    asyncio.run(again())
    assert pacer.line("m").gate.under_way == 0


FORKED = """
import asyncio, gc, os, sys
from onellm import AsyncOneLLM, Limits

client = AsyncOneLLM(api_key="k", base_url=sys.argv[1], limits=Limits(concurrency=1))
ask = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
stream = asyncio.run(client.chat.completions.create(**ask, stream=True))  # its turn is the parent's
if (child := os.fork()) == 0:
    replies = asyncio.run(client.chat.completions.create(**ask, timeout=10))
    stream = None
    gc.collect()
    pace = client._core._pacing._paces["openai"]
    under_way = pace.pacer(client._core.bind("openai").settings).line("m").gate.under_way
    os._exit(under_way)
assert os.waitpid(child, 0)[1] == 0
asyncio.run(stream.aclose())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
async def test_the_child_of_a_fork_has_turns_of_its_own(loopback: Loopback) -> None:
    """It does not wait for what its parent has under way, and does not end it either."""
    loopback.plays(streamed(*STREAM, pause={2: asyncio.Event().wait}), Answer(chunks=[CHAT]))
    assert await python(FORKED, f"{loopback.url}/v1", flags=("-W", "error")) == ""
    assert len(loopback.requests) == 2


async def test_blocking_calls_wait_for_their_turn(loopback: Loopback) -> None:
    """In any number of threads, through one client."""
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from onellm import Limits, OneLLM

with OneLLM(api_key="k", base_url=sys.argv[1], limits=Limits(concurrency=2)) as client, ThreadPoolExecutor(8) as pool:
    ask = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    calls = [pool.submit(client.chat.completions.create, **ask, priority=number % 3) for number in range(24)]
    assert all(call.result().choices for call in calls)
"""
    under_way = most = 0

    def choose(_: Recorded) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)

        async def work() -> None:
            nonlocal under_way
            await asyncio.sleep(0.005)
            under_way -= 1

        return Answer(chunks=[CHAT], pause={0: work})

    loopback.chooses(choose)
    assert await python(code, f"{loopback.url}/v1", flags=("-W", "error")) == ""
    assert (len(loopback.requests), most) == (24, 2)


async def test_who_has_no_limits_pays_nothing() -> None:
    """Neither an import nor a step on the way of a request; a client with limits imports no Redis."""
    code = """
import sys
from onellm import AsyncOneLLM, Limits
client = AsyncOneLLM(api_key="k")
core = client._core
options = core.options(core.bind("openai"), {})
assert options.call.pace is None and options.call.transport is core.transport
assert "onellm.policy.pacing" not in sys.modules
AsyncOneLLM(api_key="k", limits={"openai": Limits(concurrency=1)})
assert "onellm.policy.pacing" in sys.modules and "redis" not in sys.modules
"""
    assert await python(code) == ""


# --- settings ---


async def test_limits_come_from_all_places(loopback: Loopback, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`limits` before `providers`, both before the file."""
    file = tmp_path / "onellm.toml"
    file.write_text(
        '[limits."openai/small"]\nconcurrency = 1\n[providers.openai.limits]\nconcurrency = 2\n'
        "[providers.groq.limits]\nconcurrency = 3\n[providers.mistral.limits]\nconcurrency = 4\n"
    )
    monkeypatch.setenv("ONELLM_CONFIG", str(file))
    providers = {"groq": {"limits": {"concurrency": 5}}, "mistral": {"limits": Limits(concurrency=6)}}
    async with client_of(loopback, {"mistral": Limits(concurrency=7)}, providers=providers) as client:
        pacing = client._core._pacing
        assert pacing is not None
        found = {name: limits.concurrency for name, limits in pacing._limits.items()}
    assert found == {"openai/small": 1, "openai": 2, "groq": 5, "mistral": 7}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (5, "limits: give Limits"),
        ({"openai": 5}, r"limits\['openai'\]: Expected `object`"),
        ({"openai": {"rpm": 5}}, "unknown field `rpm`"),
        ({"openai": {"concurrency": 0}}, "concurrency is 0; give a number above 0"),
    ],
)
def test_limits_that_are_none_are_refused(limits: Any, words: str) -> None:
    """When the client is made, and with the place."""
    with pytest.raises(ConfigurationError, match=words):
        AsyncOneLLM(api_key="k", limits=limits)


@pytest.mark.parametrize("wrong", [{"burst": 2}, {"requests_per_minute": -1}, {"window": 0}, {"longest_wait": -1}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    """By `Limits` itself."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Limits(**wrong)


async def test_a_provider_in_the_process_has_no_limits() -> None:
    """What is not paced is not said to be."""
    async with AsyncOneLLM(limits={"llama_cpp": Limits(concurrency=1)}) as client:
        with pytest.raises(ConfigurationError, match="llama_cpp is not reached over the network"):
            await client.chat.completions.create(**{**ASK, "model": "llama_cpp/m"})


async def test_previews_do_not_wait(loopback: Loopback) -> None:
    """Nothing is sent."""
    held = Held()
    loopback.chooses(held)
    async with client_of(loopback, Limits(concurrency=1)) as client:
        first = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(1))
        await soon(client.chat.completions.preview(**ASK))
        held.open()
        await first
