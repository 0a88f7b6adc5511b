"""One call of a caller: who is asked for it, in which order, and what comes of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from msgspec import structs

from onellm.errors import DeadlineExceededError, OneLLMError, Phase
from onellm.policy.execute import Options, Whole
from onellm.policy.execution import Exchange, Execution, Target
from onellm.policy.fallback import all_failed, falls, one_reader, spent
from onellm.policy.hedge import first_answer
from onellm.policy.hooks import tell
from onellm.policy.moving import BegunStream, MovingStream, WatchedStream
from onellm.policy.operations import operation_of
from onellm.policy.retry import retry, retry_making
from onellm.providers.base import Call
from onellm.types.base import Answer
from onellm.types.events import ErrorEvent, RequestEvent, ResponseEvent, RetryEvent
from onellm.types.request import Request

_GRACE = 0.05  # seconds in which a provider that minds the deadline may say itself what it passed in


class LogicalCall:
    """One call of a caller. It is made once."""

    def __init__(
        self,
        execution: Execution,
        options: Options,
        method: Callable[..., Awaitable[Any]],
        arguments: tuple[Any, ...],
        *,
        making: bool | None,
        whole: Whole[Any] | None,
    ) -> None:
        self._execution = execution
        self._options = options
        self._making = making
        self._whole = whole
        self._operation = operation_of(method)
        self._request = next((each for each in arguments if isinstance(each, Request)), None)
        model = self._request.model if self._request is not None else ""
        self._first = Target(
            provider=options.provider, model=model, method=method, arguments=arguments, options=options
        )
        self._began = time.monotonic()
        self._until = options.call.timeouts.until
        self._attempts = 0
        self._errors: list[OneLLMError] = []
        self._restarts = max(1, options.retry.max_retries)
        self._answerer = self._first
        self._targets: list[str] = []
        self._moves = False
        self._hedge = execution.hedge
        self._exchange: Exchange | None = None

    # --- around all of it ---

    async def make(self) -> Any:
        """Make the call.

        Raises:
            FallbackError: several were asked, and all have failed.
            OneLLMError: the only one that was asked has failed.
        """
        go_on: Callable[[], Awaitable[Any]] = self._answer
        if self._execution.layers:
            self._exchange = exchange = Exchange(
                operation=self._operation,
                provider=self._first.provider,
                model=self._first.model,
                request=self._request,
                arguments=self._first.arguments,
                options=self._options,
            )
            for layer in reversed(self._execution.layers):
                go_on = partial(layer.around, exchange, go_on)
        if self._execution.hooks is None:
            return await go_on()
        try:
            answer = await go_on()
        except OneLLMError as exc:
            await self._tell_error(exc)
            raise
        if self._operation.answers == "events":
            return WatchedStream(answer, self._tell_answer, self._tell_error)
        await self._tell_answer(answer)
        return answer

    async def _answer(self) -> Any:
        first = self._first
        operation = self._operation
        execution = self._execution
        chosen = execution.fallback_models
        if chosen is None:
            chosen = tuple(execution.binder.fallbacks(first.provider, first.model, operation))
        self._targets = execution.binder.expand([first.name, *chosen]) if operation.moves else [first.name]
        if not operation.moves or one_reader(self._request):
            self._hedge = None
        restarts = operation.moves and execution.on_interrupt == "restart"
        self._moves = operation.answers == "events" and (len(self._targets) > 1 or self._hedge is not None or restarts)
        answer = await self._over_targets(0)
        if isinstance(answer, BegunStream):
            return MovingStream(answer, self._signed, self._again if restarts else None)
        return self._signed(answer) if isinstance(answer, Answer) else answer

    def _signed(self, answer: Any) -> Any:
        """The answer, with what it took to get it."""
        if self._errors:
            answer.fallbacks = tuple(self._errors)
        if self._answerer.notes:
            answer.adjustments = (*answer.adjustments, *self._answerer.notes)
        return answer

    # --- one after another ---

    async def _over_targets(self, start: int) -> Any:
        """The answer of the first that gives one, from that place on."""
        for place in range(start, len(self._targets)):
            try:
                self._answerer, answer = await self._at(place)
                if self._exchange is not None:
                    self._exchange.answered_by = self._answerer.name
            except OneLLMError as exc:
                if not self._falls(exc, place):
                    raise
                exc.__traceback__ = None  # it is kept, and would keep all that waited for it
                self._errors.append(exc)
                if place + 1 < len(self._targets):
                    await self._tell_retry(exc, 0.0, self._targets[place + 1])
            else:
                return answer
        raise all_failed(self._errors) from self._errors[-1]

    def _falls(self, exc: OneLLMError, place: int) -> bool:
        if len(self._targets) == 1 or spent(self._request):
            return False
        named = self._targets[0] == self._first.name
        if falls(exc, also_on=self._execution.fallback_on, place=place, chosen=named):
            return True
        for earlier in self._errors:
            exc.add_note(f"before it: {type(earlier).__name__}: {earlier}")
        return False

    def _at(self, place: int) -> Coroutine[Any, Any, tuple[Target, Any]]:
        hedge = self._hedge
        if place > 0 or hedge is None:
            return self._ask(self._targets[place])
        names = self._execution.binder.expand(list(hedge.to)) or [self._targets[place]]
        starts = [partial(self._ask, name) for name in (self._targets[place], *names)]
        return first_answer(starts, hedge.after, _close)

    async def _ask(self, name: str) -> tuple[Target, Any]:
        """The answer of one, tried again where it failed in a way that may pass."""
        target = self._first if name == self._first.name else self._bound(name)
        if self._whole is not None:
            options = structs.replace(target.options, execution=self._execution.inner())
            provider = getattr(target.method, "__self__", None)
            return target, await self._whole(provider, target.arguments[0], options)
        attempt = partial(self._attempt, target)
        policy, watcher = target.options.retry, _Watcher(self, target)
        if self._making is None:
            return target, await retry(attempt, policy, watcher=watcher)
        return target, await retry_making(attempt, policy, asked=not self._making, watcher=watcher)

    def _bound(self, name: str) -> Target:
        """Another than the first, asked for the same."""
        binder, operation = self._execution.binder, self._operation
        provider, provider_name, model, options = binder.bind_target(name, operation, self._options)
        adjustments: list[str] = []
        changed: dict[str, Any] = {"provider": provider_name, "model": model, "adjustments": adjustments}
        notes: tuple[str, ...] = ()
        if provider_name != self._first.provider and self._targets[0] == self._first.name:
            changed["extra_body"] = None
            call = self._options.call
            given = {"extra_body": call.body, "extra_headers": call.headers, "extra_query": call.query}
            notes = tuple(
                f"left out {name}: it was for {self._first.provider}" for name, value in given.items() if value
            )
        arguments = tuple(
            structs.replace(each, **changed) if isinstance(each, Request) else each for each in self._first.arguments
        )
        method = getattr(provider, operation.method)
        return Target(
            provider=provider_name, model=model, method=method, arguments=arguments, options=options, notes=notes
        )

    # --- one attempt ---

    async def _attempt(self, target: Target) -> Any:
        if self._until is not None and time.monotonic() >= self._until:
            raise self._late("queue", "the deadline passed before it was sent", target)
        circuits = self._execution.circuits
        if circuits is None:
            return await self._with_key(target)
        circuit = circuits.of(target.provider, target.model)
        probe = circuit.enter()
        failed: bool | None = None
        began = time.monotonic()
        try:
            answer = await self._with_key(target)
            failed = False
        except OneLLMError as exc:
            fair = self._until is None or time.monotonic() - began > (self._until - self._began) / 2
            failed = circuit.counts(exc, fair=fair)
            raise
        finally:
            circuit.leave(probe=probe, failed=failed)
        return answer

    async def _with_key(self, target: Target) -> Any:
        """One attempt, with a key that is not set aside; where it is refused for its key, at once with another."""
        ring = self._execution.binder.keys(target.provider)
        if ring is None:
            return await self._send(target, target.options.call)
        tried: list[int] = []
        place = ring.take()
        while place is not None:
            tried.append(place)
            try:
                return await self._send(target, structs.replace(target.options.call, settings=ring.settings(place)))
            except OneLLMError as exc:
                again = ring.refused(place, exc) and not spent(self._request)
                place = ring.take(tried) if again else None
                if place is None:
                    raise
                await self._tell_retry(exc, 0.0, target.name)
        raise AssertionError("unreachable: a ring gives a key where none was tried")

    async def _send(self, target: Target, call: Call) -> Any:
        self._attempts += 1
        if self._exchange is not None:
            self._exchange.requests = self._attempts
        hooks = self._execution.hooks
        if hooks is not None and hooks.on_request is not None:
            request = next((each for each in target.arguments if isinstance(each, Request)), None)
            await tell(hooks.on_request, RequestEvent(**self._about(target), request=request))
        began = time.monotonic()
        answer = await self._in_time(target, self._begin(target, call))
        if self._execution.latencies is not None:
            _note(self._execution.latencies, (target.provider, target.model), time.monotonic() - began)
        return answer

    async def _begin(self, target: Target, call: Call) -> Any:
        answer = await target.method(*target.arguments, call)
        if not self._moves:
            return answer
        begun = BegunStream(answer)
        await begun.begin()
        return begun

    async def _in_time(self, target: Target, doing: Coroutine[Any, Any, Any]) -> Any:
        """Await it, until shortly after the deadline: for providers that do not mind it themselves."""
        if self._until is None:
            return await doing
        scope = asyncio.timeout(self._until - time.monotonic() + _GRACE)
        try:
            async with scope:
                return await doing
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._late("total", "no whole answer before the deadline", target) from None
        finally:
            del scope  # it holds the task, which may hold the exception that holds this frame

    def _late(self, phase: Phase, message: str, target: Target) -> DeadlineExceededError:
        error = DeadlineExceededError(message, provider=target.provider, model=target.model or None)
        error.phase = phase
        return error

    # --- a stream that broke off ---

    async def _again(self, failed: OneLLMError) -> BegunStream | None:
        """The stream from its beginning, of the one that gave it or of one after it; None where that is no help."""
        named = next((place for place, name in enumerate(self._targets) if name == self._answerer.name), 0)
        if self._restarts < 1 or not falls(failed, also_on=(), place=0, chosen=True):
            return None
        self._restarts -= 1
        failed.__traceback__ = None
        self._errors.append(failed)
        await self._tell_retry(failed, 0.0, self._targets[named])
        begun: BegunStream = await self._over_targets(named)
        return begun

    # --- who is told ---

    async def again(self, target: Target, failed: OneLLMError, wait: float) -> None:
        """An attempt has failed, and another is due after a wait.

        Raises:
            DeadlineExceededError: there is no time for it.
        """
        if self._until is not None and time.monotonic() + wait >= self._until:
            message = f"no time before the deadline to wait {wait:.3g} s and try again, after: {failed}"
            raise self._late("retry_wait", message, target) from failed
        await self._tell_retry(failed, wait, target.name)

    def _about(self, target: Target) -> dict[str, Any]:
        return {
            "operation": self._operation.name,
            "provider": target.provider,
            "model": target.model,
            "stream": self._operation.answers != "whole",
            "attempt": self._attempts,
        }

    async def _tell_retry(self, failed: OneLLMError, wait: float, following: str) -> None:
        hooks = self._execution.hooks
        if hooks is not None and hooks.on_retry is not None:
            about = self._about(self._answerer)
            about["provider"], about["model"] = failed.provider or about["provider"], failed.model or about["model"]
            await tell(hooks.on_retry, RetryEvent(**about, error=failed, wait=wait, next=following))

    async def _tell_answer(self, answer: Any) -> None:
        hooks = self._execution.hooks
        if hooks is not None and hooks.on_response is not None:
            seconds = time.monotonic() - self._began
            await tell(hooks.on_response, ResponseEvent(**self._about(self._answerer), answer=answer, seconds=seconds))

    async def _tell_error(self, exc: OneLLMError) -> None:
        hooks = self._execution.hooks
        if hooks is not None and hooks.on_error is not None:
            about = self._about(self._first)
            about["provider"], about["model"] = exc.provider or about["provider"], exc.model or about["model"]
            seconds = time.monotonic() - self._began
            await tell(hooks.on_error, ErrorEvent(**about, error=exc, seconds=seconds))


def _close(answered: tuple[Target, Any]) -> None:
    """Close an answer that nobody will read, if it is one that is read as it comes."""
    close = getattr(answered[1], "close", None)
    if close is not None:
        close()


class _Watcher:
    """Hears of the attempts at one target."""

    def __init__(self, call: LogicalCall, target: Target) -> None:
        self._call = call
        self._target = target

    async def again(self, failed: OneLLMError, attempt: int, wait: float) -> None:  # noqa: ARG002 - of its Protocol
        """Tell the call."""
        await self._call.again(self._target, failed, wait)


_MOST_NOTED = 4096
_NEWEST = 0.3  # how much the newest counts among those before it


def _note(latencies: Any, key: tuple[str, str], seconds: float) -> None:
    before = latencies.get(key)
    if before is None and len(latencies) >= _MOST_NOTED:
        latencies.clear()
    latencies[key] = seconds if before is None else before + (seconds - before) * _NEWEST
