"""The algorithm by itself: no clock but the one that the test gives, and nothing that waits."""

from email.utils import formatdate
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onellm import Limits
from onellm.policy.limits import (
    Allowance,
    Bucket,
    Cost,
    Gate,
    Permit,
    Said,
    duration,
    estimate,
    most_written,
    read_allowances,
    retry_after,
)

NOW = 1_800_000_000.0  # a Unix time
ONE = Cost()
idle = st.lists(st.floats(0, 30), max_size=400)


def sent_at(bucket: Bucket, costs: list[float], pauses: list[float]) -> list[float]:
    """When requests go out that each come a pause after the one before, and go as soon as they may."""
    now = 1000.0
    times: list[float] = []
    for place, cost in enumerate(costs):
        now = bucket.ready_at(cost, now + (pauses[place % len(pauses)] if pauses else 0.0))
        bucket.take(cost, now)
        times.append(now)
    return times


# --- buckets ---


@given(st.integers(1, 200), st.floats(0, 1), idle)
@settings(deadline=None)
def test_no_window_holds_more_than_the_limit(limit: int, burst: float, pauses: list[float]) -> None:
    """Wherever it begins, however long nothing was sent before, and whatever may go at once."""
    times = sent_at(Bucket(limit, 60.0, burst), [1.0] * (3 * limit + 50), pauses)
    for first, begin in enumerate(times):
        if first + limit < len(times):
            assert times[first + limit] - begin >= 60.0 - 1e-6


@given(st.floats(100, 10_000), st.floats(0, 0.5), st.lists(st.floats(0, 1), min_size=1, max_size=300), idle)
@settings(deadline=None)
def test_no_window_holds_more_tokens_than_the_limit(
    limit: float, burst: float, parts: list[float], pauses: list[float]
) -> None:
    """Requests that are larger than what may go at once make up for it afterwards: the excess is one request's."""
    bucket = Bucket(limit, 60.0, burst)
    costs = [part * limit / 4 for part in parts]
    times = sent_at(bucket, costs, pauses)
    allowed = limit + max(0.0, max(costs) - bucket.depth) + 1
    total = 0.0
    first = 0
    for time, cost in zip(times, costs, strict=True):
        total += cost
        while times[first] <= time - 60.0:
            total -= costs[first]
            first += 1
        assert total <= allowed + 1e-6


@given(st.integers(1, 10_000))
def test_nearly_all_of_the_limit_is_used(limit: int) -> None:
    """With the burst that is the default: at least 94 of a hundred, as long as enough wait."""
    bucket = Bucket(limit, 60.0, Limits().burst)
    assert 60.0 / bucket.interval >= 0.94 * limit


@given(st.integers(1, 100), st.floats(0, 1), idle, st.floats(0, 50))
def test_what_is_given_back_was_never_taken(limit: int, burst: float, pauses: list[float], cost: float) -> None:
    """The next one goes when it would have gone."""
    bucket = Bucket(limit, 60.0, burst)
    now = sent_at(bucket, [1.0] * 20, pauses)[-1]
    before = bucket.ready_at(1.0, now)
    at = bucket.ready_at(cost, now)
    if at == now and bucket.owed >= now:
        bucket.take(cost, now)
        bucket.give_back(cost)
        assert bucket.ready_at(1.0, now) == pytest.approx(before)


@given(st.floats(0.01, 1000), st.floats(0, 1), st.floats(0, 2000), st.floats(0, 1e6))
def test_a_time_that_was_named_is_the_time(limit: float, burst: float, cost: float, now: float) -> None:
    """Whoever waits until then is not told to wait on, and is not told a time that has gone by."""
    bucket = Bucket(limit, 60.0, burst)
    for _ in range(5):
        at = bucket.ready_at(cost, now)
        assert now <= at < inf
        assert bucket.ready_at(cost, at) == at
        bucket.take(cost, at)


# --- what a provider says ---


def test_what_is_left_is_spread_once_it_is_scarce() -> None:
    """Of a hundred, 10 are left for 20 seconds: one each two seconds. Then all of it is there again."""
    allowance = Allowance()
    allowance.learn(Said("requests", 100, 10, 20.0), 0, 0.0, 0)
    times: list[float] = []
    now = 0.0
    for _ in range(12):
        now = allowance.ready_at(1, now)
        allowance.take(1, now)
        times.append(now)
    assert times[:10] == pytest.approx([2.0 * place for place in range(10)], rel=0.03)
    assert times[10:] == pytest.approx([20.0, 20.0], rel=0.03)


def test_what_is_plenty_goes_at_once() -> None:
    """And where the whole is not known, what is left is."""
    for limit, left in ((100, 21), (None, 1)):
        allowance = Allowance()
        allowance.learn(Said("requests", limit, left, 20.0), 0, 0.0, 0)
        allowance.take(1, 0.0)
        assert allowance.ready_at(1, 0.0) == (0.0 if limit else allowance.until)


def test_what_was_sent_meanwhile_is_taken_off() -> None:
    """An answer tells of the time when its request came; older ones than the last heard tell nothing."""
    allowance = Allowance()
    allowance.learn(Said("requests", None, 5, 20.0), 7, 100.0, 5)
    assert allowance.ready_at(1, 101.0) == pytest.approx(120.0, rel=0.01)
    allowance.learn(Said("requests", None, 50, 20.0), 6, 99.0, 6)
    assert allowance.ready_at(1, 101.0) == pytest.approx(120.0, rel=0.01)
    allowance.learn(Said("requests", None, 6, 20.0), 8, 102.0, 4)
    assert allowance.ready_at(1, 103.0) == 103.0
    assert allowance.ready_at(3, 103.0) == pytest.approx(122.0, rel=0.01)


OPENAI = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:30Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "0",
    "anthropic-ratelimit-output-tokens-reset": "2027-01-15T08:00:10Z",
}
CEREBRAS = {
    "x-ratelimit-limit-tokens-minute": "30000",
    "x-ratelimit-remaining-tokens-minute": "23000",
    "x-ratelimit-reset-tokens-minute": "22.5",
}
PLAIN = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "3", "x-ratelimit-reset": str(int(NOW * 1000) + 4000)}


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        (OPENAI, {"requests": Said("requests", 60, 59, 1), "tokens": Said("tokens", 150_000, 149_984, 360)}),
        (
            ANTHROPIC,
            {"anthropic-requests": Said("requests", 50, 49, 30), "anthropic-output-tokens": Said("", 8000, 0, 10)},
        ),
        (CEREBRAS, {"tokens-minute": Said("tokens", 30_000, 23_000, 22.5)}),
        (PLAIN, {"": Said("requests", 20, 3, 4)}),
        ({"x-ratelimit-remaining-requests": "9"}, {}),
        ({"x-ratelimit-remaining-requests": "many", "x-ratelimit-reset-requests": "1s"}, {}),
        ({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "1s"}, {}),
        ({}, {}),
    ],
)
def test_headers_of_many_hosts(headers: dict[str, str], read: dict[str, Said]) -> None:
    """As their documentations have them; what is missing or no number is not heeded."""
    assert dict(read_allowances(headers, NOW)) == read


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12),
        ("12.5", 12.5),
        ("1s", 1),
        ("120ms", 0.12),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400),
        ("1m30ms", 60.03),
        (str(int(NOW) + 7), 7),
        (str(int(NOW) - 7), 0),
        ("2027-01-15T08:00:30+00:00", 30),
        ("2027-01-15T08:00:30", 30),
        ("2020-01-01T00:00:00Z", 0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_durations(text: str | None, seconds: float | None) -> None:
    """In all the forms that hosts have for them."""
    found = duration(text, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "3", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": formatdate(NOW + 5, usegmt=True)}, 5),
        ({"retry-after": formatdate(NOW - 5, usegmt=True)}, 0),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date."""
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40))
def test_no_words_of_a_host_are_an_error(text: str) -> None:
    """Whatever it says, it is a number of seconds or nothing."""
    for found in (duration(text, NOW), retry_after({"retry-after": text, "retry-after-ms": text}, NOW)):
        assert found is None or 0 <= found < inf


# --- gates ---


def test_a_gate_learns_from_the_answer() -> None:
    """And from a refusal's wait, which is heeded once and not for ever."""
    gate = Gate(Limits())
    permit = gate.take(Cost(100), 10.0)
    gate.answered(permit, 200, {"x-ratelimit-remaining-tokens": "50", "x-ratelimit-reset-tokens": "20s"}, 12.0, NOW)
    assert gate.ready_at(Cost(50), 12.0) == 12.0
    assert gate.ready_at(Cost(51), 12.0) == pytest.approx(30.0, rel=0.02)  # twenty seconds from when it was sent
    gate.answered(permit, 429, {"retry-after": "40"}, 12.0, NOW)
    gate.end()
    assert gate.ready_at(Cost(1), 12.0) == 52.0
    assert gate.ready_at(Cost(1), 53.0) == 53.0


def test_a_moment_in_time_is_not_moved_by_a_slow_answer() -> None:
    """Anthropic says when, not how long: sent at 10, answered at 15, whole again 30 seconds after that."""
    gate = Gate(Limits())
    permit = gate.take(ONE, 10.0)
    headers = ANTHROPIC | {"anthropic-ratelimit-requests-remaining": "0"}
    gate.answered(permit, 200, headers, 15.0, NOW)
    assert gate.ready_at(ONE, 15.0) == pytest.approx(45.0, rel=0.02)


def test_what_was_estimated_is_corrected() -> None:
    """What an answer took beyond the estimate is waited for, what it did not take is there again."""
    gate = Gate(Limits(tokens_per_minute=6000, burst=0.5))
    permit = gate.take(Cost(3000), 0.0)
    late = gate.ready_at(Cost(1000), 0.0)
    assert late > 15.0
    gate.used(permit, 1000)
    assert gate.ready_at(Cost(1000), 0.0) == 0.0
    gate.used(Permit(Cost(1000), 0, 0.0, 0.0), 3000)
    assert gate.ready_at(Cost(1000), 0.0) == pytest.approx(late)


def test_refusals_of_one_flight_are_one() -> None:
    """Ten under way, all refused: five, and not none. A refusal after that is another."""
    gate = Gate(Limits(concurrency=64))
    flight = [gate.take(ONE, 0.0) for _ in range(10)]
    for permit in flight:
        gate.answered(permit, 429, {}, 1.0, NOW)
        gate.end()
    assert gate.window == 5.0
    permit = gate.take(ONE, 2.0)
    gate.answered(permit, 529, {}, 2.0, NOW)
    assert gate.window == 1.0  # never less


@given(st.integers(1, 100), st.lists(st.sampled_from([200, 200, 200, 429, 503, 400]), max_size=300))
def test_concurrency_stays_between_one_and_its_limit(most: int, statuses: list[int]) -> None:
    """Whatever comes back, and somebody can always go once nobody is under way."""
    gate = Gate(Limits(concurrency=most))
    flight: list[Permit] = []
    for status in statuses:
        while gate.ready_at(ONE, 0.0) == 0.0:
            flight.append(gate.take(ONE, 0.0))
        assert len(flight) == gate.under_way <= most
        gate.answered(flight.pop(0), status, {}, 0.0, NOW)
        gate.end()
        assert 1.0 <= gate.window <= most
    while flight:
        flight.pop()
        gate.end()
    assert gate.ready_at(ONE, 0.0) == 0.0


def test_growth_is_one_for_each_window() -> None:
    """From 4 after a refusal: four answers and it is about 5. Who uses less than half of it has no need of more."""
    gate = Gate(Limits(concurrency=8))
    for permit in [gate.take(ONE, 0.0) for _ in range(8)]:
        gate.answered(permit, 429, {}, 0.0, NOW)
        gate.end()
    assert gate.window == 4.0
    permits = [gate.take(ONE, 1.0) for _ in range(4)]
    for permit in permits:
        gate.answered(permit, 200, {}, 1.0, NOW)
    assert 4.8 < gate.window <= 5.0
    for _ in permits:
        gate.end()
    before = gate.window
    gate.answered(gate.take(ONE, 2.0), 200, {}, 2.0, NOW)
    assert gate.window == before


def test_concurrency_without_a_limit_is_bounded_from_the_first_refusal() -> None:
    """To half of what was under way."""
    gate = Gate(Limits())
    permits = [gate.take(ONE, 0.0) for _ in range(100)]
    gate.answered(permits[0], 503, {}, 0.0, NOW)
    assert gate.window == 50.0
    fixed = Gate(Limits(adaptive=False))
    fixed.answered(fixed.take(ONE, 0.0), 503, {}, 0.0, NOW)
    assert fixed.window == inf


# --- what a request takes ---


def test_estimates() -> None:
    """Four bytes a token; a picture a thousand, however many bytes it has; what is no JSON nothing."""
    assert estimate(b"x" * 400) == 100
    assert estimate(b'{"text": "' + b"word " * 20_000 + b'"}') == pytest.approx(25_000, rel=0.01)
    assert estimate(b'{"url": "data:image/png;base64,' + b"A" * 4_000_000 + b'"}') == pytest.approx(1000, rel=0.1)
    assert estimate(None) == 0.0
    assert estimate(object()) == 0.0


@pytest.mark.parametrize(
    ("params", "tokens"),
    [
        ({"max_completion_tokens": 10, "max_tokens": 5}, 10),
        ({"max_tokens": 10, "n": 3}, 30),
        ({"max_output_tokens": 7}, 7),
        ({"temperature": 1}, 0),
    ],
)
def test_most_written(params: dict[str, object], tokens: float) -> None:
    """What a call allows its answer, for each of its choices."""
    assert most_written(params) == tokens
