"""Circuit breakers: a model that fails again and again is left alone for a while."""

import threading
import time
from collections import deque
from collections.abc import Callable

from onellm.errors import (
    APIConnectionError,
    APITimeoutError,
    CircuitOpenError,
    DeadlineExceededError,
    InternalServerError,
    OneLLMError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
)
from onellm.types.execution import Breaker, CircuitName, CircuitState

_MOST = 4096  # models that are remembered, so that a service that makes up names does not grow


class Circuits:
    """A circuit for each model of each provider. Safe in any number of threads."""

    def __init__(self, breaker: Breaker, clock: Callable[[], float] = time.monotonic) -> None:
        self._breaker = breaker
        self._clock = clock
        self._circuits: dict[tuple[str, str], Circuit] = {}

    def of(self, provider: str, model: str) -> "Circuit":
        """The circuit of a model."""
        found = self._circuits.get((provider, model))
        if found is None:
            if len(self._circuits) >= _MOST:
                self._circuits.clear()
            made = Circuit(self._breaker, self._clock, provider, model)
            found = self._circuits.setdefault((provider, model), made)
        return found

    def states(self) -> dict[str, CircuitState]:
        """How each model is doing that has been asked."""
        return {f"{provider}/{model}": each.state() for (provider, model), each in list(self._circuits.items())}


class Circuit:
    """Closed: calls pass. Open, after too many failures: none does. Half open, after a while: one does, and decides."""

    def __init__(self, breaker: Breaker, clock: Callable[[], float], provider: str, model: str) -> None:
        self._breaker = breaker
        self._clock = clock
        self._provider = provider
        self._model = model
        self._lock = threading.Lock()
        self._failures = 0
        self._recent: deque[bool] = deque(maxlen=breaker.window)
        self._opened: float | None = None
        self._probing = False

    def state(self) -> CircuitState:
        """How it is now."""
        with self._lock:
            left = 0.0 if self._opened is None else max(0.0, self._opened + self._breaker.open_for - self._clock())
            name: CircuitName = "closed" if self._opened is None else "half_open" if self._probing else "open"
            return CircuitState(state=name, failures=self._failures, retry_in=left)

    def enter(self) -> bool:
        """Whether this call, which may be sent, is the one that decides. After it comes `leave`.

        Raises:
            CircuitOpenError: it may not.
        """
        with self._lock:
            if self._opened is None:
                return False
            left = self._opened + self._breaker.open_for - self._clock()
            if left <= 0 and not self._probing:
                self._probing = True
                return True
            times = f"{self._failures} times" if self._failures > 1 else "again"
        when = f"tried again in {left:.1f} s" if left > 0 else "one call is trying it"
        raise CircuitOpenError(
            f"not sent: it has failed {times}; {when}",
            provider=self._provider,
            model=self._model,
            retry_after=max(left, 0.0),
        )

    def leave(self, *, probe: bool, failed: bool | None) -> None:
        """A call has ended. failed is None where it says nothing: it was cancelled, or refused for what it asked."""
        with self._lock:
            if probe:
                self._probing = False
                if failed is None:
                    return  # the next one decides
            elif self._opened is not None:
                return  # sent before it opened
            if failed is None:
                return
            self._recent.append(failed)
            if not failed:
                self._failures = 0
                self._opened = None
                if probe:
                    self._recent.clear()
                return
            self._failures += 1
            if probe or self._too_many():
                self._opened = self._clock()

    def _too_many(self) -> bool:
        if self._failures >= self._breaker.failures:
            return True
        rate, recent = self._breaker.rate, self._recent
        return rate is not None and len(recent) == self._breaker.window and sum(recent) >= rate * len(recent)

    def counts(self, exc: OneLLMError, *, fair: bool) -> bool | None:
        """What an error says: a failure, or that the provider is there; None is neither.

        fair:  whether a call whose deadline passed had had time enough for an answer
        """
        if isinstance(exc, APITimeoutError) and exc.phase == "queue":
            return None  # it was never sent
        if isinstance(exc, DeadlineExceededError):
            return True if fair else None
        if isinstance(exc, QuotaExceededError):
            return None
        if isinstance(exc, RateLimitError):
            return True if self._breaker.rate_limits else None
        if isinstance(exc, APIConnectionError | InternalServerError | RequestTimeoutError):
            return True
        return False if exc.status_code is not None else None
