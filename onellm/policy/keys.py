"""Several keys of one provider: taken in turn, those that are refused set aside."""

import threading
import time
from collections.abc import Callable, Sequence

from onellm.errors import AuthenticationError, OneLLMError, QuotaExceededError, RateLimitError
from onellm.providers.base import ProviderSettings

_REFUSED = 300.0  # seconds in which a key that was refused, or has no quota left, is not taken
_LIMITED = 1.0  # the same for one that asked too often, where the provider does not say how long


class KeyRing:
    """The settings of one provider, one for each key. Safe in any number of threads."""

    def __init__(self, settings: Sequence[ProviderSettings], clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = tuple(settings)
        self._clock = clock
        self._lock = threading.Lock()
        self._rests = [0.0] * len(self._settings)
        self._next = 0

    def __len__(self) -> int:
        return len(self._settings)

    def __repr__(self) -> str:  # keys stay out
        return f"KeyRing({len(self)} keys, {self.resting} set aside)"

    @property
    def resting(self) -> int:
        """How many keys are set aside."""
        now = self._clock()
        return sum(until > now for until in self._rests)

    def take(self, tried: Sequence[int] = ()) -> int | None:
        """The place of the next key that is not set aside; None where there is none but those that were tried.

        Where all are set aside and none was tried, it is the one that has been for longest.
        """
        with self._lock:
            now = self._clock()
            count = len(self._settings)
            for step in range(count):
                place = (self._next + step) % count
                if place not in tried and self._rests[place] <= now:
                    self._next = (place + 1) % count
                    return place
            return None if tried else min(range(count), key=self._rests.__getitem__)

    def settings(self, place: int) -> ProviderSettings:
        """What is sent with a key."""
        return self._settings[place]

    def refused(self, place: int, exc: OneLLMError) -> bool:
        """Whether an error is that of the key: it is set aside then."""
        if isinstance(exc, AuthenticationError | QuotaExceededError):
            rest = max(_REFUSED, exc.retry_after or 0.0)
        elif isinstance(exc, RateLimitError):
            rest = exc.retry_after or _LIMITED
        else:
            return False
        with self._lock:
            self._rests[place] = self._clock() + rest
        return True
