"""When a request may go out: what is counted, what a provider says, what its refusals mean.

Pure: the time is an argument, in seconds on a clock that only goes forward, and nothing waits here. `pacing` does.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf

from msgspec import Struct

from onellm.types.limits import Limits

OVERLOADED = frozenset({429, 498, 503, 529})
"""Statuses that mean too much at once."""

_SLACK = 0.02  # windows are taken to be so much longer: requests do not arrive as evenly as they go out
_LATE = 0.01  # seconds that a request may take to arrive, and what it is told to be older for it
_SCARCE = 0.2  # where less than this part is left, what is left is spread over the time until there is more
_REFUSED = 400


class Cost(Struct, frozen=True):
    """What a request takes of its limits."""

    tokens: float = 0.0
    requests: float = 1.0


class Bucket:
    """So many in any window, at a steady rate, some of them at once (GCRA).

    `depth` may go at once; together with what flows in during a window it is the limit, so that no window of that
    length holds more, wherever it begins. What costs more than the depth goes when the bucket is full, and what
    follows waits for all of it.
    """

    __slots__ = ("depth", "interval", "owed")

    def __init__(self, limit: float, window: float, burst: float) -> None:
        self.depth = max(min(limit, 1.0), limit * burst)
        self.interval = window * (1 + _SLACK) / (limit - self.depth + min(limit, 1.0))
        self.owed = -inf  # when all that was taken has been given back

    def ready_at(self, cost: float, now: float) -> float:
        """The first time at which so much may be taken; not before now."""
        return max(now, self.owed - (self.depth - min(cost, self.depth)) * self.interval)

    def take(self, cost: float, now: float) -> None:
        self.owed = max(self.owed, now) + cost * self.interval

    def give_back(self, cost: float) -> None:
        """What was taken was not used, or with a cost below 0 not enough was taken."""
        self.owed -= cost * self.interval


class Said(Struct, frozen=True):
    """What a provider says is left of one of its limits.

    quantity:   "requests" or "tokens"; "" where it does not follow from a request how much it takes
    limit:      the whole, where it says it
    remaining:  what is left
    reset:      seconds until it is whole again
    """

    quantity: str
    limit: float | None
    remaining: float
    reset: float


class Allowance:
    """What is left of a limit until it is whole again, as the provider said last."""

    __slots__ = ("limit", "next", "number", "remaining", "until")

    def __init__(self) -> None:
        self.limit: float | None = None
        self.remaining = inf
        self.until = -inf
        self.next = -inf
        self.number = -1  # of the request whose answer said so

    def learn(self, said: Said, number: int, sent_at: float, since: float) -> None:
        """Take what the answer to a request says, after `since` more has been taken since it was sent.

        The provider has counted when the request came: what it says is as old as that. Answers that overtook each
        other are told apart by the numbers of their requests.
        """
        if number < self.number:
            return
        self.number = number
        self.limit = said.limit
        self.remaining = said.remaining - since
        self.until = sent_at + said.reset * (1 + _SLACK) + _LATE

    def ready_at(self, cost: float, now: float) -> float:
        if now >= self.until:
            return now
        if self.remaining < cost or self.remaining <= 0:
            return self.until
        return max(now, self.next) if self._scarce() else now

    def take(self, cost: float, now: float) -> None:
        if now >= self.until:
            return
        if self._scarce() and self.remaining > 0:
            self.next = max(now, self.next) + (self.until - now) * cost / self.remaining
        self.remaining -= cost

    def _scarce(self) -> bool:
        return self.limit is not None and self.remaining < self.limit * _SCARCE


class Permit:
    """A request's turn, from when it may go out until it is over.

    number:  how many went before it through the same gate
    tokens:  how many tokens those took
    """

    __slots__ = ("at", "cost", "number", "tokens")

    def __init__(self, cost: Cost, number: int, tokens: float, at: float) -> None:
        self.cost = cost
        self.number = number
        self.tokens = tokens
        self.at = at


class Gate:
    """The limits of one key: a provider, or a model of it.

    `window` is how many may be under way at once now; it falls by half when the provider refuses for load, and grows
    by one for each window of answers.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.most = float(limits.concurrency) if limits.concurrency is not None else inf
        self.window = self.most
        self.under_way = 0
        self.sent = 0
        self.tokens = 0.0
        self.closed_until = -inf
        self._requests = bucket(limits.requests_per_minute, limits)
        self._tokens = bucket(limits.tokens_per_minute, limits)
        self._allowances: dict[str, Allowance] = {}
        self._cut_at = -1

    def ready_at(self, cost: Cost, now: float) -> float:
        """The first time at which a request may go out, as far as it is known; `inf` where one must end first."""
        if self.under_way and self.under_way + 1 > self.window:
            return inf
        at = max(now, self.closed_until)
        if self._requests is not None:
            at = max(at, self._requests.ready_at(cost.requests, now))
        if self._tokens is not None and cost.tokens:
            at = max(at, self._tokens.ready_at(cost.tokens, now))
        for name, allowance in self._allowances.items():
            at = max(at, allowance.ready_at(_of(cost, name), now))
        return at

    def take(self, cost: Cost, now: float) -> Permit:
        """Let a request out."""
        permit = Permit(cost, self.sent, self.tokens, now)
        self.under_way += 1
        self.sent += 1
        self.tokens += cost.tokens
        if self._requests is not None:
            self._requests.take(cost.requests, now)
        if self._tokens is not None:
            self._tokens.take(cost.tokens, now)
        for name, allowance in self._allowances.items():
            allowance.take(_of(cost, name), now)
        return permit

    def end(self) -> None:
        """A request is over."""
        self.under_way -= 1

    def unsent(self, permit: Permit) -> None:
        """A request that was let out was not sent after all; `end` comes beside."""
        if self._requests is not None:
            self._requests.give_back(permit.cost.requests)
        self.used(permit, 0.0)

    def used(self, permit: Permit, tokens: float) -> None:
        """How many tokens a request came to."""
        if self._tokens is not None:
            self._tokens.give_back(permit.cost.tokens - tokens)

    def answered(
        self, permit: Permit, status: int, headers: Mapping[str, str], now: float, clock: float
    ) -> float | None:
        """What the provider answered a request; `clock` is the Unix time. Gives the wait that it asks all to keep."""
        wait = None
        if self.limits.learn:
            self._learn(permit, headers, clock - (now - permit.at))
        if status in OVERLOADED:
            wait = retry_after(headers, clock) if self.limits.learn else None
            if wait is not None and wait > self.limits.longest_wait:
                wait = None
            if wait is not None:
                self.closed_until = max(self.closed_until, now + wait)
            # Those that went out before the last cut were refused for what it has cured.
            if self.limits.adaptive and permit.number >= self._cut_at:
                self.window = max(1.0, min(self.window, self.under_way) / 2)
                self._cut_at = self.sent
        elif status < _REFUSED and self.window < self.most and self.under_way >= self.window / 2:
            self.window = min(self.most, self.window + 1 / self.window)
        return wait

    def _learn(self, permit: Permit, headers: Mapping[str, str], sent: float) -> None:
        for name, said in read_allowances(headers, sent):
            if said.reset > self.limits.longest_wait:
                continue
            allowance = self._allowances.get(name)
            if allowance is None:
                allowance = self._allowances[name] = Allowance()
            tokens = self.tokens - permit.tokens - permit.cost.tokens
            requests = self.sent - permit.number - 1
            since = tokens if said.quantity == "tokens" else requests if said.quantity else 0
            allowance.learn(said, permit.number, permit.at, since)


def bucket(limit: float | None, limits: Limits) -> Bucket | None:
    """The bucket of one of the limits, where it is given."""
    return None if limit is None else Bucket(limit, limits.window, limits.burst)


def _of(cost: Cost, name: str) -> float:
    quantity = _NAMES[name]
    return cost.tokens if quantity == "tokens" else cost.requests if quantity else 0.0


# --- what answers say ---

# Each limit that hosts tell of, with what it counts, and its headers: the whole, what is left, when it is whole again.
# https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers (Azure, Groq and others have the same)
# https://docs.claude.com/en/api/rate-limits#response-headers
# https://inference-docs.cerebras.ai/support/rate-limits
_NAMES = {
    "requests": "requests",
    "tokens": "tokens",
    "tokens-minute": "tokens",
    "requests-minute": "requests",
    "": "requests",
    "draft": "requests",
    "anthropic-requests": "requests",
    "anthropic-tokens": "tokens",
    "anthropic-input-tokens": "tokens",
    "anthropic-output-tokens": "",
}


def _headers_of(name: str) -> tuple[str, str, str]:
    if name.startswith("anthropic-"):
        stem = f"anthropic-ratelimit-{name.removeprefix('anthropic-')}"
        return f"{stem}-limit", f"{stem}-remaining", f"{stem}-reset"
    stem = "ratelimit" if name == "draft" else "x-ratelimit"
    end = f"-{name}" if name not in ("", "draft") else ""
    return f"{stem}-limit{end}", f"{stem}-remaining{end}", f"{stem}-reset{end}"


_HEADERS = {name: _headers_of(name) for name in _NAMES}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_DURATION_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_UNIX_SECONDS = 1e9  # a number above it is a time and no duration
_UNIX_MILLISECONDS = 1e12


def read_allowances(headers: Mapping[str, str], clock: float) -> Iterator[tuple[str, Said]]:
    """What an answer says is left, by the name of the limit. What cannot be read is left out."""
    for name, (whole, left, reset) in _HEADERS.items():
        remaining = number(headers.get(left))
        if remaining is None or (seconds := duration(headers.get(reset), clock)) is None:
            continue
        yield name, Said(_NAMES[name], number(headers.get(whole)), remaining, seconds)


def number(text: str | None) -> float | None:
    """A number that is not below 0."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < inf else None


def duration(text: str | None, clock: float) -> float | None:
    """Seconds from now: from "12", "6m0s", "120ms", a Unix time, or a date as in RFC 3339; None where it is none."""
    if not text:
        return None
    if (value := number(text)) is not None:
        if value >= _UNIX_MILLISECONDS:
            value /= 1000
        return max(0.0, value - clock) if value >= _UNIX_SECONDS else value
    if (found := _DURATION.fullmatch(text)) is not None:
        return sum(float(part) * unit for part, unit in zip(found.groups(), _DURATION_UNITS, strict=True) if part)
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - clock)


def retry_after(headers: Mapping[str, str], clock: float) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After`, which is seconds or an HTTP date (RFC 9110 § 10.2.3)."""
    if (milliseconds := number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    if (seconds := number(text)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - clock)


# --- what a request takes ---

_BYTES_A_TOKEN = 4
_TOKENS_AN_IMAGE = 1000
_LARGE = 32 << 10
_ENCODED = re.compile(rb"[A-Za-z0-9+/=]{4096,}")


def estimate(body: object) -> float:
    """About how many tokens a request's body is: one for four bytes; for a picture or sound in it, a thousand."""
    if not isinstance(body, bytes):
        return 0.0
    size = len(body)
    media = 0
    if size > _LARGE:
        for found in _ENCODED.finditer(body):
            media += 1
            size -= found.end() - found.start()
    return size / _BYTES_A_TOKEN + media * _TOKENS_AN_IMAGE


def most_written(params: Mapping[str, object]) -> float:
    """How many tokens an answer may have, where the call says it."""
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        if isinstance(most := params.get(name), int):
            choices = params.get("n")
            return float(most * (choices if isinstance(choices, int) else 1))
    return 0.0
