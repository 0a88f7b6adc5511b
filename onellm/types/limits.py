"""How fast calls may go out."""

from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct, structs

from onellm.errors import ConfigurationError


class RedisLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where limits are kept for many processes, on one machine or many.

    url:         of a Redis, or what speaks its protocol: redis://…, rediss://… (TLS), unix://…
    prefix:      what its keys begin with. They also hold the provider's name, the model's, and a digest of the base
                 URL and of the key: accounts do not share limits, and no secret is in Redis
    on_failure:  while Redis does not answer: "local" goes on with the limits that each process keeps by itself, and
                 says so once in the log (`onellm.limits`); "raise" fails the calls that would wait
    timeout:     seconds that Redis has to answer
    lease:       seconds after which a process that was killed, or lost its Redis, gives its places back
    """

    url: str
    prefix: str = "onellm:limits"
    on_failure: Literal["local", "raise"] = "local"
    timeout: float = 2.0
    lease: float = 30.0

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("redis", "rediss", "unix"):
            raise ConfigurationError("limits: shared takes redis://host:port/0, rediss://… or unix:///path")
        for name in ("timeout", "lease"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"limits: {name} is {getattr(self, name)!r}; give seconds above 0")

    @property
    def where(self) -> str:
        """The host or the path, for messages: the URL itself may hold a password."""
        parts = urlsplit(self.url)
        try:
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            port = ""
        return f"{parts.hostname}{port}" if parts.hostname else parts.path

    def __repr__(self) -> str:
        return f"RedisLimits({self.where!r}, prefix={self.prefix!r}, on_failure={self.on_failure!r})"


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
    shared:      where the limits are kept for many processes: "redis://…", or `RedisLimits`; needs `onellm[redis]`

    Raises:
        ConfigurationError: a number is out of its range.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int | None = None
    burst: float = 0.04
    adaptive: bool = True
    learn: bool = True
    longest_wait: float = 120.0
    window: float = 60.0
    shared: RedisLimits | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.shared, str):  # a repr of it then shows no password
            structs.force_setattr(self, "shared", RedisLimits(url=self.shared))
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency", "window"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"limits: {name} is {value!r}; give a number above 0")
        if not 0 <= self.burst <= 1:
            raise ConfigurationError(f"limits: burst is {self.burst!r}; give a part of the limit, from 0 to 1")
        if not self.longest_wait >= 0:
            raise ConfigurationError(f"limits: longest_wait is {self.longest_wait!r}; give seconds from 0")
