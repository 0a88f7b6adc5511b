"""Limits kept in Redis, for many processes: one script takes them all in one step, by the clock of Redis itself.

A key has two entries: a hash of what is owed to its buckets and until when it is closed, and a sorted set of who is
under way, each until its lease runs out. Processes renew their leases; one that was killed does not, and its places
are free again. What the algorithm means is said in `limits`.

One difference: here a bucket lets a large request go as soon as it owes nothing beyond its depth. A request of one
process could otherwise wait for ever for a bucket that small ones of others keep from filling.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from onellm.errors import APIConnectionError, OneLLMError
from onellm.policy.limits import Bucket, bucket
from onellm.policy.turns import Ask
from onellm.types.limits import Limits, RedisLimits

# KEYS: two for each limit. ARGV[1] is a `_Said` in JSON; times are microseconds. What is given back is the wait of
# each ask: 0 where it may go, -1 where somebody must end first.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local said = cjson.decode(ARGV[1])
local states, changed = {}, {}

local function state(place)
  if not states[place] then
    local owed = redis.call('HMGET', KEYS[2 * place - 1], 'r', 't', 'closed')
    states[place] = {r = tonumber(owed[1]) or 0, t = tonumber(owed[2]) or 0, closed = tonumber(owed[3]) or 0}
  end
  return states[place]
end

local function take(place, kind, cost)
  local rule = said.rules[place][kind]
  if rule and cost ~= 0 then
    local owed = state(place)
    owed[kind] = math.max(owed[kind], cost > 0 and now or 0) + cost * rule[2]
    changed[place] = true
  end
end

for _, ended in ipairs(said.ended) do
  for _, place in ipairs(ended.places) do redis.call('ZREM', KEYS[2 * place], ended.id) end
end
for _, change in ipairs(said.changes) do
  for _, place in ipairs(change.places) do
    take(place, 'r', change.requests)
    take(place, 't', change.tokens)
  end
end
for _, closing in ipairs(said.closed) do
  local owed = state(closing.place)
  owed.closed = math.max(owed.closed, now + closing.wait)
  changed[closing.place] = true
end

local function lease(place, id)
  redis.call('ZADD', KEYS[2 * place], string.format('%.0f', now + said.lease), id)
  redis.call('PEXPIRE', KEYS[2 * place], math.ceil(said.lease / 1000) * 2)
end

for _, kept in ipairs(said.kept) do
  for _, place in ipairs(kept.places) do
    if said.rules[place].most then lease(place, kept.id) end
  end
end

local waits, blocked = {}, {}
for number, ask in ipairs(said.asks) do
  local wait = 0
  for _, place in ipairs(ask.places) do
    local rule, owed = said.rules[place], state(place)
    if blocked[place] then wait = math.max(wait, blocked[place]) end
    if wait ~= -1 then
      local at = math.max(now, owed.closed)
      if rule.r then at = math.max(at, owed.r - (rule.r[1] - math.min(ask.requests, rule.r[1])) * rule.r[2]) end
      if rule.t and ask.tokens > 0 then at = math.max(at, owed.t - rule.t[1] * rule.t[2]) end
      wait = math.max(wait, math.ceil(at - now))
      if wait > 0 then blocked[place] = wait end
    end
    if rule.most and (blocked[place] == -1 or wait == 0) then
      redis.call('ZREMRANGEBYSCORE', KEYS[2 * place], '-inf', string.format('%.0f', now))
      if redis.call('ZCARD', KEYS[2 * place]) >= rule.most then
        wait = -1
        blocked[place] = -1
      end
    end
    if wait ~= 0 then break end
  end
  if wait == 0 then
    for _, place in ipairs(ask.places) do
      take(place, 'r', ask.requests)
      take(place, 't', ask.tokens)
      if said.rules[place].most then lease(place, ask.id) end
    end
  end
  waits[number] = wait
end

for place in pairs(changed) do
  local owed = states[place]
  local last = math.max(owed.r, owed.t, owed.closed)
  if last > now then
    redis.call('HSET', KEYS[2 * place - 1], 'r', string.format('%.0f', owed.r), 't', string.format('%.0f', owed.t),
      'closed', string.format('%.0f', owed.closed))
    redis.call('PEXPIRE', KEYS[2 * place - 1], math.ceil((last - now) / 1000) + 1000)
  else
    redis.call('DEL', KEYS[2 * place - 1])
  end
end
return waits
"""

_FIRST_LOOK, _LAST_LOOK = 0.005, 0.1  # seconds between looks where somebody of another process must end first
_MOST_WORDS = 200  # letters of what Redis, or the way to it, says
_RENEWALS = 3  # in the time of a lease

logger = logging.getLogger("onellm.limits")


class _Said:
    """What is told and asked in one step. Limits are named by their places in `keys`, which count from 1."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.ended: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.closed: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.asks: list[dict[str, Any]] = []

    def place(self, key: str) -> int:
        return self.places.setdefault(key, len(self.places) + 1)

    def of(self, ask: Ask) -> dict[str, Any]:
        return {"id": ask.id, "places": [self.place(key) for key in ask.keys]}


class RedisRemote:
    """The limits of one provider, kept in Redis; for one event loop. A `Remote`."""

    def __init__(
        self, place: RedisLimits, name: str, limits: Mapping[str, Limits], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._place = place
        self._stem = f"{place.prefix}:{{{name}}}"  # what is in braces keeps the keys together in a cluster
        self._loop = loop
        self._limits = limits
        self._rules: dict[str, dict[str, Any]] = {}
        self._next = _Said()
        self._heard: Callable[[Sequence[float] | OneLLMError | None], None] | None = None
        self._under_way: dict[str, Ask] = {}
        self._look = _FIRST_LOOK
        self._lost = False
        self._closing = False
        self._sending: asyncio.Task[None] | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._keeper: AsyncGenerator[None, None] | None = None
        self._script: Callable[..., Awaitable[Any]] | None = None

    # --- what a pacer calls, from whichever thread ends a turn ---

    def ask(self, asks: Sequence[Ask], heard: Callable[[Sequence[float] | OneLLMError | None], None]) -> None:
        self._do(self._ask, asks, heard)

    def ended(self, ask: Ask) -> None:
        self._do(self._ended, ask)

    def corrected(self, ask: Ask, requests: float, tokens: float) -> None:
        self._do(self._corrected, ask, requests, tokens)

    def closed(self, key: str, seconds: float) -> None:
        self._do(self._closed, key, seconds)

    def _do(self, what: Callable[..., None], *given: Any) -> None:
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 - documented for library authors
            what(*given)
        else:
            with contextlib.suppress(RuntimeError):  # closed: what is left there is left to the leases
                self._loop.call_soon_threadsafe(what, *given)

    # --- in its loop ---

    def _ask(self, asks: Sequence[Ask], heard: Callable[[Sequence[float] | OneLLMError | None], None]) -> None:
        said = self._next
        said.asks = [{**said.of(ask), "requests": ask.cost.requests, "tokens": ask.cost.tokens} for ask in asks]
        self._under_way |= {ask.id: ask for ask in asks if self._leased(ask)}
        self._heard = heard
        self._send()

    def _ended(self, ask: Ask) -> None:
        if self._under_way.pop(ask.id, None) is not None:
            self._next.ended.append(self._next.of(ask))
            self._send()

    def _corrected(self, ask: Ask, requests: float, tokens: float) -> None:
        if not (requests or tokens) or not any(self._rule(key).keys() & {"r", "t"} for key in ask.keys):
            return
        self._next.changes.append({**self._next.of(ask), "requests": requests, "tokens": tokens})
        self._send()

    def _closed(self, key: str, seconds: float) -> None:
        self._next.closed.append({"place": self._next.place(key), "wait": seconds * 1e6})
        self._send()

    def _send(self) -> None:
        if self._sending is None and not self._closing:
            self._sending = self._loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send what there is to say, until there is no more. What is said meanwhile goes together."""
        try:
            while self._next.places:
                said, self._next = self._next, _Said()
                heard, self._heard = self._heard, None
                try:
                    waits = await self._say(said)
                except BaseException as exc:  # whatever it is, who waits hears of it
                    self._fails(exc, said)
                    if heard is not None:
                        heard(self._no_answer(exc))
                    if not isinstance(exc, Exception):
                        raise
                else:
                    self._lost = False
                    if heard is not None:
                        heard(self._heard_of(said, waits))
        finally:
            self._sending = None
            self._renew_later()

    async def _say(self, said: _Said) -> list[int]:
        script = self._script or await self._open()
        keys = [f"{self._stem}:{key}{end}" for key in said.places for end in ("", ":under-way")]
        message = msgspec.json.encode(
            {
                "rules": [self._rule(key) for key in said.places],
                "lease": self._place.lease * 1e6,
                "ended": said.ended,
                "changes": said.changes,
                "closed": said.closed,
                "kept": said.kept,
                "asks": said.asks,
            }
        )
        async with asyncio.timeout(self._place.timeout):
            waits: list[int] = await script(keys=keys, args=[message])
        return waits

    def _heard_of(self, said: _Said, waits: Sequence[int]) -> list[float]:
        found: list[float] = []
        for ask, wait in zip(said.asks, waits, strict=True):
            if wait == 0:
                self._look = _FIRST_LOOK
            else:
                self._under_way.pop(ask["id"], None)
            found.append(self._look if wait < 0 else wait / 1e6)
        if any(wait < 0 for wait in waits):
            self._look = min(self._look * 2, _LAST_LOOK)
        return found

    def _fails(self, exc: BaseException, said: _Said) -> None:
        for ask in said.asks:
            self._under_way.pop(ask["id"], None)
        if not self._lost and isinstance(exc, Exception):
            self._lost = True
            goes_on = "each process keeps its limits by itself" if self._place.on_failure == "local" else "calls fail"
            logger.warning("limits in Redis at %s: %s; meanwhile %s", self._place.where, _words(exc), goes_on)

    def _no_answer(self, exc: BaseException) -> OneLLMError | None:
        if self._place.on_failure == "local":
            return None
        error = APIConnectionError(
            f"the limits of this call are in Redis at {self._place.where}: {_words(exc)}; "
            'RedisLimits(on_failure="local") goes on without'
        )
        error.unsent = True
        return error

    def _rule(self, key: str) -> dict[str, Any]:
        rule = self._rules.get(key)
        if rule is None:
            limits = self._limits.get(key)
            rule = dict[str, Any]()
            if limits is not None and limits.shared is not None:
                buckets = {"r": limits.requests_per_minute, "t": limits.tokens_per_minute}
                made = {name: bucket(limit, limits) for name, limit in buckets.items()}
                rule |= {name: _as_rule(each) for name, each in made.items() if each is not None}
                if limits.concurrency is not None:
                    rule["most"] = limits.concurrency
            self._rules[key] = rule
        return rule

    def _leased(self, ask: Ask) -> bool:
        return any("most" in self._rule(key) for key in ask.keys)

    # --- leases ---

    def _renew_later(self) -> None:
        if self._renewal is None and self._under_way and not self._loop.is_closed():
            self._renewal = self._loop.call_later(self._place.lease / _RENEWALS, self._renew)

    def _renew(self) -> None:
        self._renewal = None
        said = self._next
        said.kept = [said.of(ask) for ask in self._under_way.values()]
        if said.kept:
            self._send()

    # --- the connection ---

    async def _open(self) -> Callable[..., Awaitable[Any]]:
        place = self._place
        redis: Any = Redis
        connection = redis.from_url(place.url, socket_timeout=place.timeout, socket_connect_timeout=place.timeout)
        # A loop that ends in good order closes what it has open: it knows this generator from here on.
        self._keeper = self._keep(connection)
        await self._keeper.__anext__()
        script: Callable[..., Awaitable[Any]] = connection.register_script(_SCRIPT)
        self._script = script
        return script

    async def _keep(self, connection: Any) -> AsyncGenerator[None, None]:
        """Hold the connection; at the end give back what is still under way, and close it."""
        try:
            yield
        finally:
            self._closing = True
            if self._renewal is not None:
                self._renewal.cancel()
            said = self._next
            said.ended += [said.of(ask) for ask in self._under_way.values()]
            self._under_way.clear()
            if said.places:
                with contextlib.suppress(Exception):  # what is not said is left to the leases
                    await self._say(said)
            await connection.aclose()

    async def aclose(self) -> None:
        """Give back what is still under way, and close the connection."""
        if self._sending is not None:
            await asyncio.wait([self._sending])
        if self._keeper is not None:
            await self._keeper.aclose()


def _words(exc: BaseException) -> str:
    return f"{type(exc).__name__} {exc}"[:_MOST_WORDS].strip()


def _as_rule(made: Bucket) -> list[float]:
    return [made.depth, made.interval * 1e6]
