"""The client: settings, providers and connections, wired together."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from typing_extensions import Unpack

from onellm import config as config_module
from onellm.errors import ConfigurationError
from onellm.policy.retry import RetryPolicy
from onellm.providers.base import Provider
from onellm.providers.registry import DEFAULT, Registry
from onellm.resources.core import Core
from onellm.types.limits import Limits
from onellm.types.options import (
    FallbackOn,
    Hedge,
    HttpOptions,
    LogLevel,
    ModelOptions,
    OnInterrupt,
    OnUnsupported,
    Timeouts,
    TokenCredential,
    TokenSource,
)
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from onellm.policy.stats import Ledger
    from onellm.resources.audio import AsyncAudio
    from onellm.resources.batches import AsyncBatches
    from onellm.resources.chat import AsyncChat
    from onellm.resources.completions import AsyncCompletions
    from onellm.resources.embeddings import AsyncEmbeddings
    from onellm.resources.files import AsyncFiles
    from onellm.resources.images import AsyncImages
    from onellm.resources.models import AsyncModels
    from onellm.resources.moderations import AsyncModerations
    from onellm.resources.ocr import AsyncOcr
    from onellm.resources.realtime import AsyncRealtime
    from onellm.resources.rerank import AsyncRerank
    from onellm.resources.responses import AsyncResponses
    from onellm.types.caching import CacheStore, SemanticCache
    from onellm.types.events import ErrorEvent, RequestEvent, ResponseEvent, RetryEvent
    from onellm.types.execution import Breaker, CircuitState, Route
    from onellm.types.preview import PreviewedRequest
    from onellm.types.stats import ClientStats, Drained
    from onellm.types.telemetry import Telemetry


class AsyncOneLLM:
    """One client for every provider; models are named "provider/model".

    Cheap to make and meant to be kept: it holds the connections. It works in any number of threads and event
    loops, one after another or at once, and in the child of a fork. Close it with `async with` or `aclose`.
    """

    def __init__(
        self,
        *,
        api_key: str | Secret | Sequence[str] | TokenSource | TokenCredential | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: float | Timeouts | None = None,
        max_retries: int | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_provider: str | None = None,
        providers: Mapping[str, Mapping[str, Any]] | None = None,
        on_unsupported: OnUnsupported | None = None,
        http: HttpOptions | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | None = None,
        fallback_models: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        fallback_on: Sequence[FallbackOn] | None = None,
        hedge: Hedge | None = None,
        on_interrupt: OnInterrupt | None = None,
        breaker: "Breaker | None" = None,
        routes: "Mapping[str, Route | Sequence[str]] | None" = None,
        on_request: "Callable[[RequestEvent], object] | None" = None,
        on_response: "Callable[[ResponseEvent], object] | None" = None,
        on_retry: "Callable[[RetryEvent], object] | None" = None,
        on_error: "Callable[[ErrorEvent], object] | None" = None,
        http_session: "ClientSession | None" = None,
        limits: Limits | Mapping[str, Limits] | None = None,
        answer_cache: "CacheStore | None" = None,
        semantic_cache: "SemanticCache | None" = None,
        share: bool | None = None,
        stats: bool | None = None,
        telemetry: "bool | Telemetry | None" = None,
        log: LogLevel | None = None,
    ) -> None:
        """Take settings; what is not given comes from the environment, then from `onellm.toml`.

        api_key, base_url, organization, project, default_headers:  the default provider's, as `openai`'s client has
            them; api_key may be a function, sync or async, that gives a token before each request, and for providers
            that take one a credential of `azure-identity`; or several keys, which are taken in turn; a `Secret` is a
            key that no `repr` shows
        timeout:          seconds for a whole call, or `Timeouts`
        max_retries:      how often a failed request is sent again; `retry` says more
        default_provider: whose models are named without "provider/"
        providers:        settings of the others: {"groq": {"api_key": …, "base_url": …, "headers": …, "options": …}}
        on_unsupported:   "raise", "warn" or "drop": what happens to an argument that a provider cannot express
        http:             proxies, TLS, sizes
        deadline:         seconds for each call and all that is tried for it, where the call gives none
        fallback_models:  models that are asked where another cannot answer: a list, for what writes text, or a list
            for each model, {"openai/gpt-5.4": ["anthropic/claude-sonnet-4-5"]}
        fallback_on:      "content_filter", "context_length": refusals for which another is asked, too
        hedge:            when another is asked because the first is late
        on_interrupt:     of a stream that breaks off after its first content: "raise" or "restart"
        breaker:          when a model that fails is left alone, and for how long
        routes:           models under one name: {"fast": ["groq/llama-3.3-70b", …]} or `Route`; "route/fast" is a model
        on_request, on_response, on_retry, on_error:  functions, sync or async, that are told; what one raises, the
            call raises
        http_session:     an `aiohttp.ClientSession` of your own; it is not closed, and works in its own loop only
        limits:           how fast calls may go out; those beyond it wait. `Limits` for each provider that has none of
            its own, or by provider and model: {"openai": Limits(…), "openai/gpt-5.4": Limits(…)}
        answer_cache:     where answers are kept and equal calls find them: `MemoryCache()`, `SQLiteCache(path)`,
            `RedisCache(url)`, or a `CacheStore` of your own. It is not the provider's cache of prompts, which is the
            `cache` argument of chats
        semantic_cache:   answers to questions that mean the same, too: `SemanticCache(model=…)`
        share:            whether equal calls that are under way together are one request: embeddings, moderations,
            rerankings, and texts with `temperature=0` or a `seed`; a call's own `share` decides for it
        stats:            whether calls are counted, for `stats()` and `drain()`
        telemetry:        spans and metrics of OpenTelemetry (`onellm[otel]`): True, or `Telemetry(…)`
        log:              what the logger `onellm` is told of calls: "info" is one record a call, "debug" each attempt,
            too, "content" also what is asked and answered; "off" is nothing

        Raises:
            ConfigurationError: a setting is wrong. Keys are looked at when their provider is first called.
        """
        config = config_module.load(
            default_provider=default_provider,
            timeout=timeout,
            max_retries=max_retries,
            on_unsupported=on_unsupported,
            deadline=deadline,
            log=log,
        )
        settings: dict[str, dict[str, Any]] = {}
        for name, values in (providers or {}).items():
            if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
                raise ConfigurationError(f"providers[{name!r}] must be a dict of settings", provider=name)
            settings[name] = dict(values)
        paced = config_module.limits(limits, settings, config.file)
        own = settings.setdefault(config.default_provider, {})
        given = {"api_key": api_key, "base_url": base_url}
        own.update({name: value for name, value in given.items() if value is not None})
        options = {"organization": organization, "project": project}
        if chosen := {name: value for name, value in options.items() if value is not None}:
            own["options"] = {**own.get("options", {}), **chosen}
        if default_headers:
            own["headers"] = {**own.get("headers", {}), **default_headers}
        hooks = _given(on_request=on_request, on_response=on_response, on_retry=on_retry, on_error=on_error)
        if retry is None:
            retry = RetryPolicy(max_retries=config.max_retries)
        elif max_retries is not None:
            raise ConfigurationError("give max_retries or retry, not both")
        self._core = Core(
            config=config,
            registry=Registry(DEFAULT),
            providers=settings,
            http=http or HttpOptions(),
            retry=retry,
            http_session=http_session,
            around=_given(
                fallback_models=fallback_models,
                fallback_on=fallback_on,
                hedge=hedge,
                on_interrupt=on_interrupt,
                breaker=breaker,
                routes=routes,
                hooks=hooks or None,
            ),
            limits=paced,
        )
        around = {"answer_cache": answer_cache, "semantic_cache": semantic_cache, "share": share, "stats": stats}
        if telemetry or config.log != "off" or any(each is not None and each is not False for each in around.values()):
            from onellm.resources.layers import add_layers  # noqa: PLC0415 - for clients that ask for some of it

            add_layers(
                self._core,
                answer_cache=answer_cache,
                semantic_cache=semantic_cache,
                share=share,
                stats=stats,
                telemetry=telemetry,
            )

    def with_options(self, **options: Unpack[ModelOptions]) -> Self:
        """This client with other defaults for the options of its calls: `client.with_options(timeout=5, share=True)`.

        It makes each call as if these stood in it, and what stands in the call itself goes before them; of
        `extra_headers`, `extra_query` and `extra_body` there is what stands in either. An option that a call does not
        take does not concern it. All else is this client's: connections, providers, keys, limits, caches, counts.

        Closing it does not close this one, whose connections they are; closing this one closes both.

        Raises:
            UsageError: an option is wrong, as a call with it would say.
        """
        from onellm.resources import validation  # noqa: PLC0415 - it brings the types of chats

        given = validation.params(cast("dict[str, Any]", options), ModelOptions, "with_options", beyond=_SETTINGS)
        client = type(self).__new__(type(self))
        vars(client).update(attributes(self))
        client._core = self._core.with_options(given)  # noqa: SLF001 - its own
        return client

    @cached_property
    def audio(self) -> "AsyncAudio":
        """Text as speech, and speech as text."""
        from onellm.resources.audio import AsyncAudio  # noqa: PLC0415 - for callers who use it

        return AsyncAudio(self._core)

    @cached_property
    def batches(self) -> "AsyncBatches":
        """Many requests as one, answered within hours at a lower price."""
        from onellm.resources.batches import AsyncBatches  # noqa: PLC0415 - for callers who use it

        return AsyncBatches(self._core)

    @cached_property
    def chat(self) -> "AsyncChat":
        """Conversations."""
        from onellm.resources.chat import AsyncChat  # noqa: PLC0415 - for callers who use it

        return AsyncChat(self._core)

    @cached_property
    def completions(self) -> "AsyncCompletions":
        """Texts continued, or filled in before a `suffix`."""
        from onellm.resources.completions import AsyncCompletions  # noqa: PLC0415 - for callers who use it

        return AsyncCompletions(self._core)

    @cached_property
    def embeddings(self) -> "AsyncEmbeddings":
        """Texts as vectors."""
        from onellm.resources.embeddings import AsyncEmbeddings  # noqa: PLC0415 - for callers who use it

        return AsyncEmbeddings(self._core)

    @cached_property
    def files(self) -> "AsyncFiles":
        """Files that a provider keeps."""
        from onellm.resources.files import AsyncFiles  # noqa: PLC0415 - for callers who use it

        return AsyncFiles(self._core)

    @cached_property
    def images(self) -> "AsyncImages":
        """Images from words and other images."""
        from onellm.resources.images import AsyncImages  # noqa: PLC0415 - for callers who use it

        return AsyncImages(self._core)

    @cached_property
    def models(self) -> "AsyncModels":
        """What models there are, and what they can do."""
        from onellm.resources.models import AsyncModels  # noqa: PLC0415 - for callers who use it

        return AsyncModels(self._core)

    @cached_property
    def moderations(self) -> "AsyncModerations":
        """Whether texts and images hold what a provider calls harmful."""
        from onellm.resources.moderations import AsyncModerations  # noqa: PLC0415 - for callers who use it

        return AsyncModerations(self._core)

    @cached_property
    def ocr(self) -> "AsyncOcr":
        """Documents and images as text."""
        from onellm.resources.ocr import AsyncOcr  # noqa: PLC0415 - for callers who use it

        return AsyncOcr(self._core)

    @cached_property
    def realtime(self) -> "AsyncRealtime":
        """Conversations by voice or text, while they happen."""
        from onellm.resources.realtime import AsyncRealtime  # noqa: PLC0415 - for callers who use it

        return AsyncRealtime(self._core)

    @cached_property
    def rerank(self) -> "AsyncRerank":
        """Documents in the order of their relevance."""
        from onellm.resources.rerank import AsyncRerank  # noqa: PLC0415 - for callers who use it

        return AsyncRerank(self._core)

    @cached_property
    def responses(self) -> "AsyncResponses":
        """Answers made of items: texts, thinking, calls of tools."""
        from onellm.resources.responses import AsyncResponses  # noqa: PLC0415 - for callers who use it

        return AsyncResponses(self._core)

    async def preview(self, operation: str, **arguments: Any) -> "PreviewedRequest":
        """The request that a call would send, keys hidden; nothing is sent, and no key is needed.

        operation names a method, such as "embeddings.create"; the arguments are its own. Where it sends several
        requests, this is the first. `chat.completions.preview` is the same with checked arguments.

        Raises:
            UsageError: the call is wrong, as making it would say.
        """
        from onellm.resources import preview  # noqa: PLC0415 - for callers who use it

        def call(core: Core) -> object:
            client = AsyncOneLLM.__new__(AsyncOneLLM)
            client._core = core  # noqa: SLF001 - its own
            return preview.method(client, operation)(**arguments)

        return await preview.preview(self._core, call)

    def circuits(self) -> "dict[str, CircuitState]":
        """How each model is doing that has been asked, by "provider/model"; empty without a `breaker`."""
        return self._core.binding().circuits()

    def stats(self) -> "ClientStats":
        """What the client has done and is doing, by model.

        Raises:
            ConfigurationError: it does not count; `AsyncOneLLM(stats=True)` does.
        """
        return self._ledger().stats()

    async def drain(self, timeout: float | None = None) -> "Drained":  # noqa: ASYNC109 - not to be cancelled at once
        """Make no new calls, and wait for those under way, streams included: `timeout` seconds at most.

        New calls raise `ClientClosedError` from here on. What is left is under way still; `aclose` ends it.

        Raises:
            ConfigurationError: the client does not count its calls; `AsyncOneLLM(stats=True)` does.
        """
        return await self._ledger().drain(timeout)

    def _ledger(self) -> "Ledger":
        if self._core.ledger is None:
            raise ConfigurationError("this client does not count its calls: make it with stats=True")
        return self._core.ledger

    def register(self, provider: Provider) -> None:
        """Add a provider to this client alone; `onellm.register_provider` adds one for all."""
        self._core.register(provider)

    async def aclose(self) -> None:
        """Close the connections. Calls after this raise `ClientClosedError`."""
        await self._core.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(default_provider={self._core.config.default_provider!r})"


_SETTINGS = "keys, hosts and other settings are given to a client when it is made"


def attributes(client: object) -> dict[str, Any]:
    """What a client holds, but for the namespaces that it made when they were first asked for."""
    kind = type(client)
    return {
        name: value
        for name, value in vars(client).items()
        if not isinstance(getattr(kind, name, None), cached_property)
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
