"""What a client may be told about its calls, beside the calls themselves."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

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

    models: Annotated[Sequence[str], Meta(min_length=1)]
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

    failures: Annotated[int, Meta(ge=1)] = 5
    rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    window: Annotated[int, Meta(ge=1)] = 20
    open_for: Annotated[float, Meta(gt=0)] = 30.0
    rate_limits: bool = False


class CircuitState(Struct, frozen=True, kw_only=True):
    """How a model of a provider is doing.

    state:     "closed": it is asked. "open": it is not. "half_open": one call is trying
    failures:  in a row
    retry_in:  seconds until it is tried again; 0 where it is asked
    """

    state: CircuitName
    failures: int
    retry_in: float
