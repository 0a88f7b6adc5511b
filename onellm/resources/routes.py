"""Routes: models under one name that can stand for each other."""

import random
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from onellm.errors import ConfigurationError, InvalidRequestError, UnsupportedFeatureError
from onellm.policy.operations import OPERATIONS
from onellm.providers.base import Call, Provider
from onellm.types.chat import CompletionUsage
from onellm.types.execution import Route
from onellm.types.request import Request

PREFIX = "route"
_MUCH = float("inf")
_SAMPLE = CompletionUsage(prompt_tokens=1000, completion_tokens=1000, total_tokens=2000)


def in_order(
    name: str, routes: Mapping[str, Route], latencies: Mapping[tuple[str, str], float], lot: Callable[[], float]
) -> list[str]:
    """The models of a route, in the order in which they are to be asked now.

    lot:  gives a number from 0 to 1

    Raises:
        InvalidRequestError: there is no such route.
        MissingDependencyError: its order is by cost, and there is no list of prices.
    """
    route = routes.get(name)
    if route is None:
        raise InvalidRequestError(f"there is no route {name!r}; there is {', '.join(sorted(routes))}", param="model")
    models = list(route.models)
    if route.strategy == "weights":
        weights = dict(zip(models, route.weights or [1.0] * len(models), strict=True))
        return sorted(models, key=lambda model: -(lot() ** (1 / weights[model])) if weights[model] > 0 else 1.0)
    if route.strategy == "latency":
        return sorted(models, key=lambda model: latencies.get(_split(model), -1.0))
    return sorted(models, key=_price) if route.strategy == "cost" else models


def check(name: str, route: Route) -> None:
    """Refuse what cannot work.

    Raises:
        ConfigurationError: weights that do not fit, or a model of no provider.
    """
    if not route.models or isinstance(route.models, str):
        raise ConfigurationError(f"route {name}: give a list of models")
    if route.weights and (len(route.weights) != len(route.models) or min(route.weights) < 0 or max(route.weights) <= 0):
        raise ConfigurationError(f"route {name}: give weights from 0, one for each of its {len(route.models)} models")
    for model in route.models:
        provider, slash, own = model.partition("/")
        if not slash or not own or not provider or provider == PREFIX:
            raise ConfigurationError(f'route {name}: {model!r} must be "provider/model"')


def chance() -> float:
    """A number from 0 to 1."""
    return random.random()  # noqa: S311 - no secret


def _split(model: str) -> tuple[str, str]:
    provider, _, own = model.partition("/")
    return provider, own


def _price(model: str) -> float:
    from onellm.types.prices import cost  # noqa: PLC0415 - for callers who use it

    provider, own = _split(model)
    found = cost(provider, own, _SAMPLE, created=0, tier=None)
    return _MUCH if found is None else float(found)


class RouteProvider:
    """What stands where a provider would: its calls are made by those that the route names."""

    name = PREFIX
    json_mode_support = vision_support = audio_input_support = streaming_support = True
    realtime_support = False
    function_calling_support = True
    operations = frozenset(row.served for row in OPERATIONS.values() if row.moves)

    def __init__(self, members: Callable[[str], list[tuple[Provider, str]]]) -> None:
        self._members = members

    def get_model_capabilities(self, model: str) -> dict[str, bool]:
        """What all of a route's models can do, as far as each says."""
        found = [provider.get_model_capabilities(own) for provider, own in self._members(model)]
        return {flag: all(flags[flag] for flags in found) for flag in found[0] if all(flag in flags for flags in found)}

    max_embedding_tokens = None

    def embedding_inputs(self, request: Request, call: Call) -> int:  # noqa: ARG002 - of its Protocol
        """The most that all of a route's models take at once."""
        each = [getattr(provider, "max_embedding_inputs", 1) for provider, _ in self._members(request.model)]
        return min(each)

    def __getattr__(self, name: str) -> Any:
        row = OPERATIONS.get(name)
        if row is None or not row.moves:
            raise AttributeError(f"a route has no {name}")

        def method(*_: object) -> NoReturn:
            raise UnsupportedFeatureError(f"a route does not serve {name} by itself", provider=PREFIX)

        method.__name__ = name
        return method
