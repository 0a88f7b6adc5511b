# GENERATED from onellm/client.py by onellm._sync.generate. Do not edit: run make sync.

"""The client: settings, providers and connections, wired together."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import Unpack

from onellm._sync.audio import Audio
from onellm._sync.batches import Batches
from onellm._sync.chat import Chat
from onellm._sync.completions import Completions
from onellm._sync.embeddings import Embeddings
from onellm._sync.files import Files
from onellm._sync.images import Images
from onellm._sync.models import Models
from onellm._sync.moderations import Moderations
from onellm._sync.ocr import Ocr
from onellm._sync.portal import run
from onellm._sync.realtime import Realtime
from onellm._sync.rerank import Rerank
from onellm._sync.responses import Responses
from onellm.client import AsyncOneLLM, attributes
from onellm.policy.retry import RetryPolicy
from onellm.providers.base import Provider
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
    from collections.abc import Callable

    from onellm.types.caching import CacheStore, SemanticCache
    from onellm.types.events import ErrorEvent, RequestEvent, ResponseEvent, RetryEvent
    from onellm.types.execution import Breaker, CircuitState, Route
    from onellm.types.preview import PreviewedRequest
    from onellm.types.stats import ClientStats, Drained
    from onellm.types.telemetry import Telemetry


class OneLLM:
    """One client for every provider; models are named "provider/model".

    Cheap to make and meant to be kept: it holds the connections. It works in any number of threads and event
    loops, one after another or at once, and in the child of a fork. Close it with `with` or `close`.
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
        self._hold(
            AsyncOneLLM(
                api_key=api_key,
                base_url=base_url,
                organization=organization,
                project=project,
                timeout=timeout,
                max_retries=max_retries,
                default_headers=default_headers,
                default_provider=default_provider,
                providers=providers,
                on_unsupported=on_unsupported,
                http=http,
                retry=retry,
                deadline=deadline,
                fallback_models=fallback_models,
                fallback_on=fallback_on,
                hedge=hedge,
                on_interrupt=on_interrupt,
                breaker=breaker,
                routes=routes,
                on_request=on_request,
                on_response=on_response,
                on_retry=on_retry,
                on_error=on_error,
                limits=limits,
                answer_cache=answer_cache,
                semantic_cache=semantic_cache,
                share=share,
                stats=stats,
                telemetry=telemetry,
                log=log,
            )
        )

    def _hold(self, held: AsyncOneLLM) -> None:
        self._async = held

    @classmethod
    def _around(cls, held: AsyncOneLLM) -> Self:
        twin = cls.__new__(cls)
        twin._hold(held)  # noqa: SLF001 - its own
        return twin

    def _like(self, held: AsyncOneLLM) -> Self:
        twin = self._around(held)
        vars(twin).update(attributes(self) | vars(twin))
        return twin

    def with_options(self, **options: Unpack[ModelOptions]) -> Self:
        """This client with other defaults for the options of its calls: `client.with_options(timeout=5, share=True)`.

        It makes each call as if these stood in it, and what stands in the call itself goes before them; of
        `extra_headers`, `extra_query` and `extra_body` there is what stands in either. An option that a call does not
        take does not concern it. All else is this client's: connections, providers, keys, limits, caches, counts.

        Closing it does not close this one, whose connections they are; closing this one closes both.

        Raises:
            UsageError: an option is wrong, as a call with it would say.
        """
        return self._like(self._async.with_options(**options))

    @cached_property
    def audio(self) -> "Audio":
        """Text as speech, and speech as text."""
        return Audio(self._async.audio)

    @cached_property
    def batches(self) -> "Batches":
        """Many requests as one, answered within hours at a lower price."""
        return Batches(self._async.batches)

    @cached_property
    def chat(self) -> "Chat":
        """Conversations."""
        return Chat(self._async.chat)

    @cached_property
    def completions(self) -> "Completions":
        """Texts continued, or filled in before a `suffix`."""
        return Completions(self._async.completions)

    @cached_property
    def embeddings(self) -> "Embeddings":
        """Texts as vectors."""
        return Embeddings(self._async.embeddings)

    @cached_property
    def files(self) -> "Files":
        """Files that a provider keeps."""
        return Files(self._async.files)

    @cached_property
    def images(self) -> "Images":
        """Images from words and other images."""
        return Images(self._async.images)

    @cached_property
    def models(self) -> "Models":
        """What models there are, and what they can do."""
        return Models(self._async.models)

    @cached_property
    def moderations(self) -> "Moderations":
        """Whether texts and images hold what a provider calls harmful."""
        return Moderations(self._async.moderations)

    @cached_property
    def ocr(self) -> "Ocr":
        """Documents and images as text."""
        return Ocr(self._async.ocr)

    @cached_property
    def realtime(self) -> "Realtime":
        """Conversations by voice or text, while they happen."""
        return Realtime(self._async.realtime)

    @cached_property
    def rerank(self) -> "Rerank":
        """Documents in the order of their relevance."""
        return Rerank(self._async.rerank)

    @cached_property
    def responses(self) -> "Responses":
        """Answers made of items: texts, thinking, calls of tools."""
        return Responses(self._async.responses)

    def preview(self, operation: str, **arguments: Any) -> "PreviewedRequest":
        """The request that a call would send, keys hidden; nothing is sent, and no key is needed.

        operation names a method, such as "embeddings.create"; the arguments are its own. Where it sends several
        requests, this is the first. `chat.completions.preview` is the same with checked arguments.

        Raises:
            UsageError: the call is wrong, as making it would say.
        """
        return run(self._async.preview(operation, **arguments))

    def circuits(self) -> "dict[str, CircuitState]":
        """How each model is doing that has been asked, by "provider/model"; empty without a `breaker`."""
        return self._async.circuits()

    def stats(self) -> "ClientStats":
        """What the client has done and is doing, by model.

        Raises:
            ConfigurationError: it does not count; `OneLLM(stats=True)` does.
        """
        return self._async.stats()

    def drain(self, timeout: float | None = None) -> "Drained":
        """Make no new calls, and wait for those under way, streams included: `timeout` seconds at most.

        New calls raise `ClientClosedError` from here on. What is left is under way still; `close` ends it.

        Raises:
            ConfigurationError: the client does not count its calls; `OneLLM(stats=True)` does.
        """
        return run(self._async.drain(timeout))

    def register(self, provider: Provider) -> None:
        """Add a provider to this client alone; `onellm.register_provider` adds one for all."""
        self._async.register(provider)

    def close(self) -> None:
        """Close the connections. Calls after this raise `ClientClosedError`."""
        run(self._async.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))

    def __repr__(self) -> str:
        return repr(self._async).removeprefix("Async")
