"""What is tried again, how often, and after how long; the server counts."""

import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate

import pytest
import stamina
from loopback import Answer, Loopback, soon, streamed
from process import python
from stamina.instrumentation import RetryDetails, set_on_retry_hooks
from wire.openai import ASK, BAD_REQUEST, CHAT, INVALID_KEY, NO_QUOTA, PIECES, RATE_LIMIT, SERVER_ERROR, STREAM

from onellm import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOneLLM,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    InvalidRequestError,
    OneLLMError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    RetryPolicy,
    Timeouts,
)
from onellm.errors import RequestTimeoutError
from onellm.policy import retry as retry_module
from onellm.policy.retry import retry

OK = Answer(chunks=[CHAT])
EXACT = RetryPolicy(max_retries=3, jitter=0.0)


def client_of(loopback: Loopback, policy: RetryPolicy | None = None) -> AsyncOneLLM:
    return AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", retry=policy)


# --- what is tried again ---


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, RequestTimeoutError),
        (409, ConflictError),
        (429, RateLimitError),
        (500, InternalServerError),
        (502, InternalServerError),
        (503, OverloadedError),
        (504, RequestTimeoutError),
        (529, OverloadedError),
    ],
)
async def test_passing_refusals_are_tried_again(
    client: AsyncOneLLM, loopback: Loopback, status: int, error: type[APIStatusError], stream: bool
) -> None:
    """The same request, byte for byte; after two retries the last refusal is raised."""
    refusal = Answer(status=status, chunks=[{"error": {"message": "later"}}])
    loopback.plays(refusal, streamed(*STREAM) if stream else OK)
    answer = await client.chat.completions.create(**ASK, stream=stream)
    if stream:
        await answer.aclose()  # type: ignore[union-attr]
    assert len(loopback.requests) == 2
    assert loopback.requests[0].body == loopback.requests[1].body
    loopback.plays(refusal)
    with pytest.raises(error, match="later") as caught:
        await client.chat.completions.create(**ASK, stream=stream)
    assert type(caught.value) is error
    assert caught.value.status_code == status
    assert len(loopback.requests) == 5


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, BAD_REQUEST, BadRequestError),
        (401, INVALID_KEY, AuthenticationError),
        (429, NO_QUOTA, QuotaExceededError),
        (402, {"error": {"message": "no credit"}}, QuotaExceededError),
        (418, {"error": {"message": "teapot"}}, APIStatusError),
    ],
)
async def test_other_refusals_are_one_request(
    client: AsyncOneLLM, loopback: Loopback, status: int, body: object, error: type[APIStatusError]
) -> None:
    """Whatever words the message has in it, and also where `Retry-After` stands beside it."""
    loopback.plays(Answer(status=status, chunks=[body], headers={"Retry-After": "1"}))
    with pytest.raises(error):
        await client.chat.completions.create(**ASK)
    assert len(loopback.requests) == 1


async def test_the_host_may_say_otherwise(client: AsyncOneLLM, loopback: Loopback) -> None:
    """`x-should-retry` goes before the status."""
    loopback.plays(Answer(status=400, chunks=[BAD_REQUEST], headers={"x-should-retry": "true"}), OK)
    await client.chat.completions.create(**ASK)
    assert len(loopback.requests) == 2
    loopback.plays(Answer(status=500, chunks=[SERVER_ERROR], headers={"X-Should-Retry": "false"}))
    with pytest.raises(InternalServerError):
        await client.chat.completions.create(**ASK)
    assert len(loopback.requests) == 3


@pytest.mark.parametrize("cut", ["reset", "close"])
async def test_connection_lost_before_the_head_is_tried_again(
    client: AsyncOneLLM, loopback: Loopback, cut: str
) -> None:
    """On a connection of its own."""
    loopback.plays(Answer(head=False, cut=cut), OK)
    assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]
    assert [request.connection for request in loopback.requests] == [1, 2]


async def test_body_that_breaks_off_is_tried_again(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Nothing of a whole answer is handed out before it is whole."""
    loopback.plays(Answer(chunks=['{"id"'], cut="reset"), OK)
    assert (await client.chat.completions.create(**ASK)).id == CHAT["id"]
    assert len(loopback.requests) == 2


async def test_stale_connection_is_not_the_callers_problem(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The host has closed the idle connection, seen or unseen, between two requests."""
    loopback.plays(OK)
    await client.chat.completions.create(**ASK)
    loopback.disconnect()
    await soon(loopback.wait_until_alone())
    await client.chat.completions.create(**ASK)
    loopback.plays(Answer(head=False, cut="close"), OK)  # closes just as the request arrives
    await client.chat.completions.create(**ASK)
    assert [request.connection for request in loopback.requests] == [1, 2, 2, 3]


async def test_nothing_is_tried_again_after_a_chunk(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What was handed out cannot be taken back."""
    loopback.plays(streamed(*STREAM[:2], done=False, cut="reset"))
    with pytest.raises(APIConnectionError):
        async with await client.chat.completions.create(**ASK, stream=True, max_retries=0) as stream:
            await stream.get_final_completion()
    assert len(loopback.requests) == 1


async def test_stream_cut_before_its_first_chunk_is_tried_again(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A head and a comment are not an answer."""
    loopback.plays(streamed(b": hello\n\n", done=False, cut="reset"), streamed(*STREAM))
    async with await client.chat.completions.create(**ASK, stream=True) as stream:
        assert [piece async for piece in stream.text()] == PIECES
    assert len(loopback.requests) == 2


@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (1, 2), (4, 5)])
async def test_max_retries_counts_attempts_after_the_first(
    client: AsyncOneLLM, loopback: Loopback, retries: int, requests: int
) -> None:
    """On the call, or on the client."""
    loopback.plays(Answer(status=500, chunks=[SERVER_ERROR]))
    with pytest.raises(InternalServerError):
        await client.chat.completions.create(**ASK, max_retries=retries)
    assert len(loopback.requests) == requests
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, max_retries=retries) as other:
        with pytest.raises(InternalServerError):
            await other.chat.completions.create(**ASK)
    assert len(loopback.requests) == 2 * requests


async def test_wrong_retry_settings_are_refused(client: AsyncOneLLM, loopback: Loopback) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequestError, match="max_retries"):
        await client.chat.completions.create(**ASK, max_retries=-1)
    with pytest.raises(ConfigurationError, match="not both"):
        AsyncOneLLM(api_key="k", max_retries=1, retry=RetryPolicy())
    assert loopback.requests == []


async def test_stamina_switched_off_is_no_retries(client: AsyncOneLLM, loopback: Loopback) -> None:
    """An application that turns stamina off means our retries too."""
    loopback.plays(Answer(status=500, chunks=[SERVER_ERROR]))
    stamina.set_active(False)
    try:
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(**ASK)
    finally:
        stamina.set_active(True)
    assert len(loopback.requests) == 1


# --- how long is waited ---


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "soon"}, 0.5),
        ({"Retry-After": "inf"}, 0.5),
        ({}, 0.5),
    ],
)
async def test_wait_is_the_hosts(
    loopback: Loopback, waits: list[float], headers: dict[str, str], seconds: float
) -> None:
    """Seconds or milliseconds; where the host names none, the policy's first wait."""
    loopback.plays(Answer(status=429, chunks=[RATE_LIMIT], headers=headers), OK)
    async with client_of(loopback, EXACT) as client:
        await client.chat.completions.create(**ASK)
    assert waits == [seconds]
    assert len(loopback.requests) == 2


async def test_wait_until_a_date(loopback: Loopback, waits: list[float]) -> None:
    """An HTTP date; one that is past is no wait."""
    now = time.time()
    dates = [formatdate(now + ahead, usegmt=True) for ahead in (20, -20)]
    loopback.plays(*[Answer(status=503, chunks=[RATE_LIMIT], headers={"Retry-After": date}) for date in dates], OK)
    async with client_of(loopback, EXACT) as client:
        await client.chat.completions.create(**ASK)
    assert 15 < waits[0] <= 20
    assert waits[1] == 0.0


async def test_waits_double_up_to_a_maximum(loopback: Loopback, waits: list[float]) -> None:
    """Without jitter: 0.5, 1, 2, …"""
    loopback.plays(*[Answer(status=500, chunks=[SERVER_ERROR])] * 5, OK)
    async with client_of(loopback, RetryPolicy(max_retries=5, jitter=0.0, maximum=3.0)) as client:
        await client.chat.completions.create(**ASK)
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


async def test_hosts_wait_is_spread_and_never_cut_short(loopback: Loopback, waits: list[float]) -> None:
    """Calls that were refused together do not come back together."""
    loopback.plays(*[Answer(status=429, chunks=[RATE_LIMIT], headers={"Retry-After": "2"})] * 20, OK)
    async with client_of(loopback, RetryPolicy(max_retries=20)) as client:
        await client.chat.completions.create(**ASK)
    assert len(waits) == 20
    assert all(2.0 <= wait <= 2.5 for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.parametrize("wait", ["3600", "1e9"])
async def test_longer_than_the_longest_wait_is_not_waited_for(
    loopback: Loopback, waits: list[float], wait: str
) -> None:
    """The caller gets the error at once, with the time in it."""
    loopback.plays(Answer(status=429, chunks=[RATE_LIMIT], headers={"Retry-After": wait}))
    async with client_of(loopback) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.chat.completions.create(**ASK)
    assert caught.value.retry_after == float(wait)
    assert waits == []
    assert len(loopback.requests) == 1


async def test_long_wait_on_a_later_attempt_ends_it(loopback: Loopback, waits: list[float]) -> None:
    """The bound holds for every attempt."""
    loopback.plays(*[Answer(status=429, chunks=[RATE_LIMIT], headers={"Retry-After": wait}) for wait in ("1", "999")])
    async with client_of(loopback, EXACT) as client:
        with pytest.raises(RateLimitError):
            await client.chat.completions.create(**ASK)
    assert waits == [1.0]
    assert len(loopback.requests) == 2


async def test_budget_ends_the_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts from the first attempt, whose own time is part of it, and covers the wait that the host asks for."""
    now = 0.0
    attempts: list[float] = []

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now

    monkeypatch.setattr(retry_module, "time", Clock)

    def failing(error: OneLLMError) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            nonlocal now
            attempts.append(now)
            now += 40.0
            raise error

        return call

    policy = RetryPolicy(max_retries=9, budget=100.0)
    with pytest.raises(OverloadedError):
        await retry(failing(OverloadedError("busy")), policy)
    assert attempts == [0.0, 40.0, 80.0]
    attempts.clear()
    with pytest.raises(OverloadedError):
        await retry(failing(OverloadedError("busy", retry_after=61.0)), policy)
    assert len(attempts) == 1


async def test_time_limits_other_than_the_total_are_tried_again(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A host that did not begin to answer may do so the next time."""
    loopback.plays(Answer(head=False, cut="stall"), OK)
    assert (await client.chat.completions.create(**ASK, timeout=Timeouts(first_byte=0.05))).id == CHAT["id"]
    assert len(loopback.requests) == 2
    loopback.plays(Answer(head=False, cut="stall"))
    with pytest.raises(APITimeoutError):
        await client.chat.completions.create(**ASK, timeout=Timeouts(first_byte=0.05))
    assert len(loopback.requests) == 5


# --- what it costs, and what is seen of it ---


async def test_other_exceptions_pass_at_once() -> None:
    """A fault that is not the provider's is not hidden by trying again, also when it comes later."""
    calls: list[int] = []

    async def call() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OverloadedError("busy")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await retry(call, RetryPolicy())
    assert len(calls) == 2


async def test_retries_are_seen_by_staminas_hooks(client: AsyncOneLLM, loopback: Loopback, key: str) -> None:
    """Each retry is told to whoever instruments stamina, with the error and without the key."""
    told: list[RetryDetails] = []
    set_on_retry_hooks([lambda details: told.append(details)])  # noqa: PLW0108 - stamina's type wants a function
    try:
        loopback.plays(Answer(status=500, chunks=[SERVER_ERROR]), OK)
        await client.chat.completions.create(**ASK)
    finally:
        set_on_retry_hooks(None)
    assert [(type(details.caused_by), details.retry_num) for details in told] == [(InternalServerError, 1)]
    assert key not in repr(told)


FIRST_ATTEMPT = """
import asyncio, sys
from onellm.policy.retry import RetryPolicy, retry

async def call():
    return "answer"

assert asyncio.run(retry(call, RetryPolicy())) == "answer"
assert not {"stamina", "tenacity"} & sys.modules.keys()
"""


async def test_first_attempt_does_not_import_stamina() -> None:
    """A call that succeeds pays nothing for retries."""
    await python(FIRST_ATTEMPT)
