"""What a client may be told about its calls, beside the calls themselves."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from onellm.errors import ConfigurationError

Strategy = Literal["order", "weights", "latency", "cost"]
CircuitName = Literal["closed", "open", "half_open"]


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that can stand for each other; "route/fast" names the one that is called fast.

    models:    named "provider/model"; who cannot answer is followed by the next
    strategy:  which is asked first. "order": as they are listed. "weights": by lot. "latency": the one that has been
               the quickest here, where each has been asked once. "cost": the cheapest, by the list of
               `onellm[prices]`; models that it lacks come last
    weights:   one for each model; equal where there are none
    """

    models: Sequence[str]
    strategy: Strategy = "order"
    weights: Sequence[float] = ()


class Breaker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a model of a provider is set aside, and for how long.

    Connections that fail, time limits and failures inside the provider count, and refusals of the request do not.

    failures:     so many in a row
    rate:         or this part of the last `window` calls, such as 0.5; None is never
    window:       how many calls `rate` is of
    open_for:     seconds in which nothing is sent; after them one call may try, and decides
    rate_limits:  whether a 429 counts, too
    """

    failures: int = 5
    rate: float | None = None
    window: int = 20
    open_for: float = 30.0
    rate_limits: bool = False

    def __post_init__(self) -> None:
        if self.failures < 1 or self.window < 1:
            raise ConfigurationError("breaker: failures and window are at least 1")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ConfigurationError(f"breaker: rate is {self.rate!r}; give a part of all calls, such as 0.5")
        if not self.open_for > 0:
            raise ConfigurationError(f"breaker: open_for is {self.open_for!r}; give seconds above 0")


class CircuitState(Struct, frozen=True, kw_only=True):
    """How a model of a provider is doing.

    state:     "closed": it is asked. "open": it is not. "half_open": one call is trying
    failures:  in a row
    retry_in:  seconds until it is tried again; 0 where it is asked
    """

    state: CircuitName
    failures: int
    retry_in: float
