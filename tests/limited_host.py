"""A host that counts requests and tokens in windows, as providers do, and says so in its headers."""

import time
from collections import deque
from typing import Any

from loopback import Answer, Recorded

_REFUSAL = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}


class LimitedHost:
    """So many requests in any window of so many seconds; what is beyond is refused, with OpenAI's headers.

    with_headers:  whether it says what is left, and how long to wait
    """

    def __init__(self, answer: Any, limit: int, window: float, *, with_headers: bool = True) -> None:
        self.answer = answer
        self.limit = limit
        self.window = window
        self.with_headers = with_headers
        self.refused = 0
        self.at: deque[float] = deque()
        self.answered: list[float] = []

    def __call__(self, _: Recorded) -> Answer:
        now = time.monotonic()
        while self.at and now - self.at[0] >= self.window:
            self.at.popleft()
        reset = self.at[0] + self.window - now if self.at else 0.0
        if len(self.at) >= self.limit:
            self.refused += 1
            headers = {"retry-after-ms": f"{reset * 1000:.0f}", **self._headers(0, reset)} if self.with_headers else {}
            return Answer(status=429, chunks=[_REFUSAL], headers=headers)
        self.at.append(now)
        self.answered.append(now)
        left = self.limit - len(self.at)
        return Answer(chunks=[self.answer], headers=self._headers(left, reset) if self.with_headers else {})

    def _headers(self, left: int, reset: float) -> dict[str, str]:
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": f"{reset * 1000:.0f}ms",
        }
