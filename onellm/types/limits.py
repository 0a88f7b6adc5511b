"""How fast calls may go out."""

from msgspec import Struct

from onellm.errors import ConfigurationError


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider, or one of its models, may be asked at most. Calls beyond it wait for their turn.

    requests_per_minute:  requests, each attempt counted
    tokens_per_minute:    tokens of prompts and answers: estimated when a request goes out, corrected by its answer
    concurrency:          requests under way at once; a stream is under way until it is closed or has ended
    burst:       the part of a minute's limit that may go out at once, from 0 to 1. The steady rate is what is left, so
                 that no minute holds more than the limit, wherever it begins: 0.5 is half at once and half the rate
    adaptive:    lower the concurrency by half when the provider refuses for load (429, 498, 503, 529), and raise it
                 again step by step, up to `concurrency`; where that is not given, it is bounded from the first refusal
    learn:       heed what the provider says is left (`x-ratelimit-*`, `anthropic-ratelimit-*`) and how long to wait
                 (`Retry-After`), where that is more careful than the numbers here
    longest_wait:  seconds; a provider that says to wait longer is asked all the same, and its refusal says why
    window:      seconds that the provider counts over; the two limits "per minute" are then per so many seconds

    Raises:
        ConfigurationError: a number is out of its range.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int | None = None
    burst: float = 0.03
    adaptive: bool = True
    learn: bool = True
    longest_wait: float = 120.0
    window: float = 60.0

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency", "window"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"limits: {name} is {value!r}; give a number above 0")
        if not 0 <= self.burst <= 1:
            raise ConfigurationError(f"limits: burst is {self.burst!r}; give a part of the limit, from 0 to 1")
        if not self.longest_wait >= 0:
            raise ConfigurationError(f"limits: longest_wait is {self.longest_wait!r}; give seconds from 0")
