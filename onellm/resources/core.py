"""What the resources of one client share: settings, providers, connections."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct, field, structs

from onellm import config as config_module
from onellm.config import Config
from onellm.errors import (
    ClientClosedError,
    ConfigurationError,
    InvalidRequestError,
    UnknownProviderError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.policy.execute import Options
from onellm.policy.retry import RetryPolicy
from onellm.providers.base import Call, Configurable, Provider, ProviderSettings, ReadsBaseUrl, Settles, operations
from onellm.providers.registry import Registry
from onellm.types.limits import Limits
from onellm.types.options import HttpOptions, Timeouts

if TYPE_CHECKING:
    from onellm.policy.execution import Execution, Layer
    from onellm.policy.pacing import Pacing
    from onellm.policy.stats import Ledger
    from onellm.providers.protocols import Pace, Response, ResponseStream, Socket, Transport
    from onellm.resources.binding import Binding
    from onellm.types.secret import Secret

_AROUND = (
    *("deadline", "fallback_models", "fallback_on", "hedge", "on_interrupt"),
    *("answer_cache", "answer_cache_ttl", "share"),
)
_JOINED = ("extra_body", "extra_headers", "extra_query")  # those of a call and of its client
_KEPT = (*_JOINED, "priority", *_AROUND)  # as they are given, by `with_options`
_OPTIONS = ("timeout", "max_retries", "on_unsupported", *_KEPT)
_OPTION_NAMES = frozenset(_OPTIONS)


class Bound(Struct, frozen=True):
    """A provider with this client's settings for it. `mark` is its own: what is worked out from it is kept by that."""

    provider: Provider
    settings: ProviderSettings
    operations: frozenset[str]
    mark: object = field(default_factory=object)


class Plan(Struct, frozen=True):
    """Who is asked in a call, by its name and the provider's own id of the model, and with which options."""

    bound: Bound
    name: str
    model: str
    options: Options


class Core:
    """The inside of a client; resources hold it, so that they and the client make no cycle."""

    def __init__(
        self,
        *,
        config: Config,
        registry: Registry,
        providers: Mapping[str, Mapping[str, Any]],
        http: HttpOptions,
        retry: RetryPolicy,
        http_session: Any = None,
        around: Mapping[str, Any] = {},
        limits: Mapping[str, Limits] | None = None,
    ) -> None:
        self.config = config
        self.registry = registry
        self._arguments = providers
        self._http = http
        self._retry = retry
        self._http_session = http_session
        self._defaults: dict[str, Any] = {}
        self._whose: Core | None = None
        self._closed = False
        self._transport: Transport | None = None
        self._transports: dict[str, Transport] = {}
        self._bound: dict[str, Bound] = {}
        self._usual: dict[object, Options] = {}  # by `Bound.mark`
        self._models: dict[str, tuple[str, str]] = {}
        self._plans: dict[tuple[str, str], Plan] = {}
        self._around = dict(around)
        self._bindings: dict[str, Binding] = {}
        self.ledger: Ledger | None = None
        if around or config.deadline is not None or (config.file and config.file.content.routes):
            self.binding()
        self._pacing: Pacing | None = None
        if limits:
            from onellm.policy import pacing  # noqa: PLC0415 - for those who have limits

            self._pacing = pacing.Pacing(limits)

    @property
    def transport(self) -> "Transport":
        """What sends requests; made, and the HTTP library imported, when first asked for."""
        if self._transport is None:
            made = self._transports.get("http")
            if made is None:
                from onellm.transport.http import HttpTransport  # noqa: PLC0415 - imports aiohttp

                # Two threads may come here at once: setdefault is one step, and one of the two is dropped unused.
                made = self._transports.setdefault("http", HttpTransport(self._http, self._http_session))
            self._transport = made
        return self._transport

    def with_options(self, given: dict[str, Any]) -> "Core":
        """The inside of a client with other defaults for what goes with a call. All else is shared with this one.

        Raises:
            UsageError: one of them cannot be; says what a call with it would say.
        """
        config = structs.replace(
            self.config,
            timeouts=_timeouts(given.get("timeout"), self.config.timeouts),
            deadline=given.get("deadline", self.config.deadline),
            on_unsupported=given.get("on_unsupported", self.config.on_unsupported),
        )
        retry = _with_retries(self._retry, given.get("max_retries"))
        kept = {name: given[name] for name in _KEPT if name in given}
        kept |= {name: dict(kept[name]) for name in _JOINED if name in kept}  # what is done to them later is no matter
        defaults = _merged(self._defaults, kept)
        self.execution(defaults)  # what is wrong with it is known now
        return self._with(config=config, _retry=retry, _defaults=defaults)

    def _with(self, **changed: Any) -> "Core":
        core = type(self).__new__(type(self))
        vars(core).update({**vars(self), "_whose": self._whose or self, "_usual": {}, "_plans": {}, **changed})
        return core

    def without(self, *names: str) -> "Core":
        """This, or where it has defaults for some of these options the same without them."""
        if not any(name in self._defaults for name in names):
            return self
        return self._with(_defaults={name: value for name, value in self._defaults.items() if name not in names})

    def merged(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What goes with a call that gives these options, but for times, retries and what is unsupported."""
        return _merged(self._defaults, given)

    def register(self, provider: Provider) -> None:
        """Add a provider to this client; one that was used under its name before is forgotten."""
        self.registry.register(provider)
        if (bound := self._bound.pop(provider.name, None)) is not None:
            self._usual.pop(bound.mark, None)
        if self._binding is not None:
            self._binding.forget(provider.name)
        if self._pacing is not None:
            self._pacing.forget(provider.name)

    def add_layer(self, layer: "Layer") -> None:
        """Put a layer around every call from here on, outside of those that are there."""
        self.binding().add_layer(layer)
        self._usual.clear()

    def binding(self) -> "Binding":
        """What the client asks for around its calls; made when first asked for."""
        made = self._binding
        if made is None:
            from onellm.resources.binding import Binding  # noqa: PLC0415 - for callers who ask for some of it

            # Two threads may come here at once: setdefault is one step, and one of the two is dropped unused.
            made = self._bindings.setdefault("one", Binding(self._whose or self, self._around))
        return made

    @property
    def _binding(self) -> "Binding | None":
        """What is asked for around calls, once something is: one for a client and those made of it."""
        return self._bindings.get("one")

    def split(self, model: object) -> tuple[str, str]:
        """ "groq/llama-3.3-70b" into provider and the provider's own id; without a slash, the default provider's.

        Raises:
            InvalidRequestError: no text, or nothing before or after the slash.
        """
        found = self._models.get(model) if isinstance(model, str) else None
        if found is None:
            if not isinstance(model, str) or not model:
                raise InvalidRequestError('model must be a text such as "openai/gpt-5.4-mini"', param="model")
            name, slash, own = model.partition("/")
            found = (name, own) if slash else (self.config.default_provider, model)
            if not found[0] or not found[1]:
                raise InvalidRequestError(f'model {model!r} must be "provider/model"', param="model")
            if len(self._models) < _MOST_MODELS:
                self._models[model] = found
        return found

    def bind(self, name: str) -> Bound:
        """A provider with its settings, resolved once a client.

        Raises:
            UnknownProviderError, MissingKeyError, ConfigurationError: as they say.
        """
        bound = self._bound.get(name)
        if bound is None:
            provider = self.provider(name)
            bound = self._bound[name] = Bound(provider, self._settings(provider), operations(provider))
        return bound

    def provider(self, name: str) -> Provider:
        """A provider by name; one that only the configuration knows, by its base URL, speaks OpenAI's API."""
        if name == "route" and self._binding is not None and self._binding.routes:
            return self._binding.route_provider()
        try:
            return self.registry.get(name)
        except UnknownProviderError:
            in_file = self.config.file.content.providers.get(name) if self.config.file else None
            if not self._arguments.get(name, {}).get("base_url") and not (in_file and in_file.base_url):
                raise
        from onellm.providers.compatible import compatible  # noqa: PLC0415 - only for hosts of the user's own

        return compatible(name)

    def require(self, name: str, operation: str) -> Bound:
        """A provider that serves an operation.

        Raises:
            UnsupportedFeatureError: it does not; names providers that do.
        """
        bound = self._bound.get(name) or self.bind(name)
        if operation not in bound.operations:
            others = [other for other in self.registry if self._serves(other, operation)]
            raise UnsupportedFeatureError(
                f"{name} does not serve {operation}; {', '.join(others) or 'no provider'} does", provider=name
            )
        return bound

    def _serves(self, name: str, operation: str) -> bool:
        try:
            return operation in operations(self.registry.get(name))
        except (ImportError, ConfigurationError):
            return False  # what cannot be imported here is no help

    def say_who_can(self, exc: UnsupportedParameterError) -> None:
        """Add to an error which providers have what this one is known to lack."""
        flag = exc.feature or _FEATURES.get((exc.param or "").partition("[")[0])
        if flag is None or exc.provider is None or self._has(exc.provider, flag) is not False:
            return
        others = [name for name in self.registry if self._has(name, flag)]
        if others:
            more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
            exc.message += f". These can, some of their models at least: {', '.join(others[:_MOST_NAMED])}{more}"
            exc.args = (exc.message,)

    def _has(self, name: str, flag: str) -> bool | None:
        try:
            return self.registry.get(name).get_model_capabilities("").get(flag)
        except (ImportError, ConfigurationError, UnknownProviderError):
            return None  # what cannot be imported here is no help

    def plan(self, model: str, operation: str, given: dict[str, Any]) -> Plan:
        """`split`, `require` and `options` in one, which for nearly all calls was worked out by an earlier one.

        Raises:
            UsageError: as they do.
        """
        if type(model) is str and (not given or _OPTION_NAMES.isdisjoint(given)):
            plan = self._plans.get((model, operation))
            if (
                plan is not None
                and self._bound.get(plan.name) is plan.bound
                and self._usual.get(plan.bound.mark) is plan.options
            ):
                return plan
        name, own_model = self.split(model)
        bound = self.require(name, operation)
        options = self.options(bound, given)
        plan = Plan(bound, name, own_model, options)
        if self._usual.get(bound.mark) is options and len(self._plans) < _MOST_MODELS:
            self._plans[model, operation] = plan
        return plan

    def options(self, bound: Bound, given: dict[str, Any]) -> Options:
        """Take the call's options out of its arguments."""
        taken = {name: given.pop(name) for name in _OPTIONS if name in given} if given else None
        if not taken and (usual := self._usual.get(bound.mark)) is not None:
            return usual
        if self._closed:
            raise ClientClosedError("this client is closed; the one that it was made of may be open")
        usually = not taken
        taken = _merged(self._defaults, taken or {}) if self._defaults else taken or {}
        options = Options(
            provider=bound.provider.name,
            call=Call(
                transport=self.transport if isinstance(bound.provider, Configurable) else _Late(self),
                settings=bound.settings,
                timeouts=_timeouts(taken.get("timeout"), self.config.timeouts),
                max_event_bytes=self._http.max_event_bytes,
                max_body_bytes=self._http.max_body_bytes,
                headers=taken.get("extra_headers"),
                query=taken.get("extra_query"),
                body=taken.get("extra_body"),
                pace=None if self._pacing is None else self._pace(self._pacing.of(bound.provider.name)),
                priority=taken.get("priority", 0),
            ),
            retry=_with_retries(self._retry, taken.get("max_retries")),
            on_unsupported=taken.get("on_unsupported", self.config.on_unsupported),
            extra_body=taken.get("extra_body"),
            execution=self.execution(taken),
        )
        if usually:  # nearly all calls give none: what they share is made once
            self._usual[bound.mark] = options
        return options

    def _pace(self, pace: "Pace | None") -> "Pace | None":
        return pace if pace is None or self.ledger is None else self.ledger.pace(pace)

    def execution(self, taken: Mapping[str, Any]) -> "Execution | None":
        """What stands around a call beside retries, where anything does."""
        if self._binding is None and not any(name in taken for name in _AROUND):
            return None
        return self.binding().execution(taken)

    def is_bound(self, name: str) -> bool:
        """Whether a provider of that name has been called."""
        return name in self._bound

    def time_left(self, given: Mapping[str, Any]) -> Callable[[], float | None]:
        """What is left of the deadline that a call gives, or the client, at any time from now on."""
        whole = given.get("deadline")
        whole = self.config.deadline if whole is None else whole
        if not isinstance(whole, int | float) or isinstance(whole, bool) or whole <= 0:
            return lambda: whole  # none, or one that the call refuses
        ends = time.monotonic() + whole
        return lambda: max(ends - time.monotonic(), _HARDLY_ANY)

    async def aclose(self) -> None:
        """Close the connections; where they are another's, take no more calls."""
        if self._whose is not None:
            self._closed = True
            self._usual.clear()
            return
        if (transport := self._transports.get("http")) is not None:
            await transport.aclose()
        if self._pacing is not None:
            await self._pacing.aclose()

    def _settings(self, provider: Provider) -> ProviderSettings:
        arguments = self._arguments.get(provider.name, {})
        if not isinstance(provider, Configurable):
            if self._pacing is not None and self._pacing.names(provider.name):
                raise ConfigurationError(
                    f"{provider.name} is not reached over the network and has no limits", provider=provider.name
                )
            return ProviderSettings(options=config_module.resolve_options(provider.name, arguments, self.config.file))
        resolved = config_module.resolve_provider(
            provider.name,
            base_url=provider.base_url,
            base_url_env=provider.base_url_env,
            key_env=provider.key_env,
            key_optional=provider.key_optional,
            option_env=provider.option_env,
            takes_credential=getattr(provider, "takes_credential", False),
            read_base_url=provider.read_base_url if isinstance(provider, ReadsBaseUrl) else None,
            arguments=arguments,
            file=self.config.file,
        )
        headers = dict(resolved.headers)
        known: Mapping[str, str] = getattr(provider, "option_headers", {})
        for option, value in resolved.options.items():
            if option in known:
                headers[known[option]] = str(value)
        proxy = resolved.proxy if resolved.proxy is not None else self._http.proxy
        if proxy is None:
            proxy = environment_proxy(resolved.base_url)
        if proxy:
            config_module.check_proxy(proxy, provider.name)
        settings = ProviderSettings(
            api_key=resolved.api_key,
            base_url=resolved.base_url,
            headers=headers,
            options=resolved.options,
            proxy=proxy or None,
            key_source=resolved.key_source,
            credential=resolved.credential,
            foreign_host=resolved.foreign_host,
        )
        settled = provider.settle(settings) if isinstance(provider, Settles) else settings
        if resolved.more_keys:
            self._keep_keys(provider.name, settled, resolved.more_keys)
        return settled

    def _keep_keys(self, name: str, settings: ProviderSettings, more: "Sequence[Secret]") -> None:
        self.binding().keep_keys(name, settings, more)


class _Late:
    """A transport for a provider that may well need none: made, and the HTTP library imported, when it is used."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def request(self, method: str, url: str, **parts: Any) -> "Response":
        return await self._core.transport.request(method, url, **parts)

    async def stream(self, method: str, url: str, **parts: Any) -> "ResponseStream":
        return await self._core.transport.stream(method, url, **parts)

    async def connect(self, url: str, **parts: Any) -> "Socket":
        return await self._core.transport.connect(url, **parts)

    async def aclose(self) -> None:
        await self._core.aclose()


_HARDLY_ANY = 1e-6  # seconds: a deadline that has passed
_MOST_NAMED = 8
# Which flag of a provider stands for an argument that it does not take.
_FEATURES = {
    **dict.fromkeys(
        ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"), "function_calling_support"
    ),
    "reasoning_effort": "reasoning_support",
    'response_format {"type": "json_object"}': "json_mode_support",
    'response_format {"type": "json_schema"}': "json_schema_support",
}
_MOST_MODELS = 4096  # names that are remembered, so that a service that makes them up does not grow


def _timeouts(given: float | Timeouts | None, default: Timeouts) -> Timeouts:
    return default if given is None else config_module.timeouts(given, default)


def _with_retries(policy: RetryPolicy, retries: int | None) -> RetryPolicy:
    if retries is None:
        return policy
    if retries < 0:
        raise InvalidRequestError(f"max_retries: give a whole number from 0, not {retries}", param="max_retries")
    return structs.replace(policy, max_retries=retries)


def _merged(defaults: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call, or of a client: those that are given, and of dicts what is in either."""
    merged = {**defaults, **given}
    for name in _JOINED:
        if name in defaults and name in given:
            kept, own = defaults[name], given[name]
            if name == "extra_headers":  # whose names are the same in any case
                names = {header.lower() for header in own}
                kept = {header: value for header, value in kept.items() if header.lower() not in names}
            merged[name] = {**kept, **own}
    return merged


def environment_proxy(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY give a URL; looked up once a provider, not once a call."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - costs an import

    parts = urlsplit(url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy  # as curl takes it
