"""What a client asks for around its calls beside retries, and who its models and their stand-ins are.

Only clients that ask for some of it import this.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from onellm.errors import ConfigurationError
from onellm.policy.circuits import Circuits
from onellm.policy.execute import Options
from onellm.policy.execution import Execution, Layer
from onellm.policy.hooks import Hooks, both
from onellm.policy.keys import KeyRing
from onellm.policy.operations import Operation
from onellm.providers.base import Provider, ProviderSettings
from onellm.resources.routes import PREFIX, RouteProvider, chance, check, in_order
from onellm.types.execution import Breaker, CircuitState, Route
from onellm.types.options import FallbackOn, Hedge, OnInterrupt
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from onellm.resources.core import Core
    from onellm.types.events import RequestEvent, RetryEvent

_WRITES = ("chat", "completions", "responses")
_KEPT = ("answer_cache", "answer_cache_ttl", "share")
_GIVEN = ("deadline", "fallback_models", "fallback_on", "hedge", "on_interrupt", *_KEPT)


class Around(Struct, frozen=True, kw_only=True):
    """What a client asks for around its calls; see `AsyncOneLLM`."""

    fallback_models: Sequence[str] | Mapping[str, Sequence[str]] = ()
    fallback_on: Sequence[FallbackOn] = ()
    hedge: Hedge | None = None
    on_interrupt: OnInterrupt = "raise"
    breaker: Breaker | None = None
    routes: Mapping[str, Route | Sequence[str]] = {}
    hooks: Mapping[str, Any] = {}


class Binding:
    """A client's `policy.execution.Binder`."""

    def __init__(self, core: "Core", given: Mapping[str, Any]) -> None:
        """Take what the client was given.

        Raises:
            ConfigurationError, UnknownProviderError: a route or a fallback cannot work.
        """
        self._core = core
        self._given = bool(given)
        self._around = Around(**given)
        self._rings: dict[str, KeyRing] = {}
        self._latencies: dict[tuple[str, str], float] = {}
        in_file = core.config.file.content.routes if core.config.file else {}
        self.routes = {name: _route(name, route) for name, route in {**in_file, **self._around.routes}.items()}
        fallbacks = self._around.fallback_models
        lists = [*fallbacks.values()] if isinstance(fallbacks, Mapping) else [fallbacks]
        if any(isinstance(each, str) for each in lists):
            raise ConfigurationError("fallback_models: give a list of models, or one for each model")
        hedged = self._around.hedge.to if self._around.hedge is not None else ()
        self._check([*hedged, *(model for each in lists for model in each)])
        self._execution = self._made()

    def _check(self, models: Sequence[str]) -> None:
        """Look up who serves models: a name that is misspelled is no matter of luck."""
        for model in models:
            name, own = self._core.split(model)
            if name == PREFIX and self.routes:
                in_order(own, self.routes, self._latencies, chance)
            else:
                self._core.provider(name)

    def _made(self) -> Execution:
        around = self._around
        return Execution(
            binder=self,
            deadline=self._core.config.deadline,
            fallback_on=tuple(around.fallback_on),
            hedge=around.hedge,
            on_interrupt=around.on_interrupt,
            hooks=Hooks(**around.hooks) if around.hooks else None,
            circuits=Circuits(around.breaker) if around.breaker is not None else None,
            latencies=self._latencies if any(each.strategy == "latency" for each in self.routes.values()) else None,
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What stands around every call, from the outside in."""
        return self._execution.layers

    def add_layer(self, layer: Layer, *, innermost: bool = False) -> None:
        """Put a layer around every call from here on, outside of those that are there, or inside of them."""
        layers = (*self.layers, layer) if innermost else (layer, *self.layers)
        self._execution = structs.replace(self._execution, layers=layers)

    def add_hooks(
        self, on_request: "Callable[[RequestEvent], object]", on_retry: "Callable[[RetryEvent], object]"
    ) -> None:
        """Tell these, too, and before those that are told."""
        hooks = self._execution.hooks or Hooks()
        hooks = structs.replace(
            hooks, on_request=both(on_request, hooks.on_request), on_retry=both(on_retry, hooks.on_retry)
        )
        self._execution = structs.replace(self._execution, hooks=hooks)

    def execution(self, taken: Mapping[str, Any]) -> Execution | None:
        """What stands around a call, with the call's own options before the client's; None where that is nothing."""
        asked = {name: taken[name] for name in _GIVEN if name in taken}
        if not asked:
            usual = self._given or self.routes or self._rings or self._execution.layers or self._execution.deadline
            return self._execution if usual else None
        if any(name in asked for name in _KEPT):
            from onellm.resources.layers import check_asked  # noqa: PLC0415 - for callers who ask for it

            check_asked(self, asked)
        for name in ("fallback_models", "fallback_on"):
            if name in asked:
                asked[name] = tuple(asked[name])
        self._check([*asked.get("fallback_models", ()), *(asked["hedge"].to if "hedge" in asked else ())])
        return structs.replace(self._execution, **asked)

    def circuits(self) -> dict[str, CircuitState]:
        """How each model is doing, where there is a breaker."""
        circuits = self._execution.circuits
        return {} if circuits is None else circuits.states()

    # --- several keys ---

    def keys(self, provider: str) -> KeyRing | None:
        """The keys of a provider that has several."""
        return self._rings.get(provider)

    def keep_keys(self, provider: str, first: ProviderSettings, more: Sequence[Secret]) -> None:
        """Take the keys of a provider in turn."""
        others = [structs.replace(first, api_key=key, usual_headers=None, state={}) for key in more]
        self._rings[provider] = KeyRing([first, *others])

    def forget(self, provider: str) -> None:
        """Another provider has its name from now on."""
        self._rings.pop(provider, None)

    # --- others that may answer ---

    def fallbacks(self, provider: str, model: str, operation: Operation) -> Sequence[str]:
        """The models that the client asks after this one. A mere list is of models that write."""
        given = self._around.fallback_models
        if isinstance(given, Mapping):
            return given.get(f"{provider}/{model}", ())
        return given if operation.served in _WRITES else ()

    def expand(self, names: Sequence[str]) -> list[str]:
        """Models, each once, with those of a route in place of its name, in the order in which they are asked now."""
        found: list[str] = []
        for name in names:
            provider, slash, own = name.partition("/")
            if provider == PREFIX and self.routes:
                found += in_order(own, self.routes, self._latencies, chance)
            elif slash or self._core.is_bound(name):  # a call without a model goes by its provider's name alone
                found.append(name)
            else:
                found.append("/".join(self._core.split(name)))
        return list(dict.fromkeys(found))

    def bind_target(self, name: str, operation: Operation, options: Options) -> tuple[Provider, str, str, Options]:
        """Another provider for a call. What the caller added to the request goes to whom it was meant for alone."""
        own_provider, model = self._core.split(name)
        bound = self._core.require(own_provider, operation.served)
        base = self._core.options(bound, {})
        given = options.call
        call = structs.replace(base.call, timeouts=given.timeouts, priority=given.priority)
        if options.provider in (own_provider, PREFIX):
            call = structs.replace(call, headers=given.headers, query=given.query, body=given.body)
        changed = structs.replace(
            base, call=call, retry=options.retry, on_unsupported=options.on_unsupported, execution=options.execution
        )
        return bound.provider, own_provider, model, changed

    def route_provider(self) -> RouteProvider:
        """What stands where the provider of a route would."""
        return RouteProvider(self._members)

    def _members(self, route: str) -> list[tuple[Provider, str]]:
        models = in_order(route, self.routes, self._latencies, chance)
        return [(self._core.provider(name), own) for name, own in map(self._core.split, models)]


def _route(name: str, given: Route | Sequence[str]) -> Route:
    if isinstance(given, Route):
        route = given
    elif isinstance(given, str) or not given:
        raise ConfigurationError(f"route {name}: give a list of models, or a Route")
    else:
        route = Route(models=tuple(given))
    check(name, route)
    return route
