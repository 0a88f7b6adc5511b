"""A host that counts requests and tokens in windows, as providers do, and says so in its headers."""

import time
from typing import Any

from loopback import Answer, Recorded

_REFUSAL = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}


class LimitedHost:
    """So many requests in each window of so many seconds; what is beyond is refused, with OpenAI's headers."""

    def __init__(self, answer: Any, limit: int, window: float) -> None:
        self.answer = answer
        self.limit = limit
        self.window = window
        self.refused = 0
        self.answered = 0
        self.first = self.last = 0.0
        self._ends = 0.0
        self._left = 0

    @property
    def rate(self) -> float:
        """Answers a second, from the first to the last."""
        return self.answered / (self.last - self.first)

    def __call__(self, _: Recorded) -> Answer:
        now = time.monotonic()
        if now >= self._ends:
            self._ends = now + self.window
            self._left = self.limit
        reset = self._ends - now
        headers = {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(max(0, self._left - 1)),
            "x-ratelimit-reset-requests": f"{reset * 1000:.0f}ms",
        }
        if not self._left:
            self.refused += 1
            return Answer(status=429, chunks=[_REFUSAL], headers={"retry-after-ms": f"{reset * 1000:.0f}", **headers})
        self._left -= 1
        self.answered += 1
        self.first, self.last = self.first or now, now
        return Answer(chunks=[self.answer], headers=headers)
