"""What a client may have around its calls, put together: caches, sharing, counts, traces, logs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onellm.errors import InvalidRequestError
from onellm.resources.core import Core

if TYPE_CHECKING:
    from onellm.resources.binding import Binding
    from onellm.types.caching import CacheStore, SemanticCache
    from onellm.types.telemetry import Telemetry


def add_layers(
    core: Core,
    *,
    answer_cache: "CacheStore | None",
    semantic_cache: "SemanticCache | None",
    share: bool | None,
    stats: bool | None,
    telemetry: "bool | Telemetry | None",
) -> None:
    """Put around the calls of a client what it asks for: the nearest to the provider first.

    Raises:
        MissingDependencyError: an extra is not installed.
    """
    if stats:
        from onellm.policy.stats import Ledger, Spending  # noqa: PLC0415 - for clients that have it

        core.ledger = Ledger()
        core.binding().add_hooks(core.ledger.sent, core.ledger.failed)
        core.add_layer(Spending(core.ledger))
    if semantic_cache is not None:
        from onellm.policy.semantic import SemanticCaching  # noqa: PLC0415 - likewise

        core.add_layer(SemanticCaching(semantic_cache, _embedder(core, semantic_cache.model)))
    if answer_cache is not None:
        from onellm.policy.cache import Caching  # noqa: PLC0415 - likewise

        core.add_layer(Caching(answer_cache))
    if share:
        from onellm.policy.sharing import Sharing  # noqa: PLC0415 - likewise

        core.add_layer(Sharing(unasked=True))
    if core.config.log != "off":
        from onellm.policy import logs  # noqa: PLC0415 - likewise

        logs.set_up(core.config.log)
        if core.config.log != "info":
            core.binding().add_hooks(logs.sent, logs.failed)
        core.add_layer(logs.Logging(content=core.config.log == "content"))
    if telemetry:
        from onellm.policy.telemetry import Tracing  # noqa: PLC0415 - likewise; imports OpenTelemetry
        from onellm.types.telemetry import Telemetry  # noqa: PLC0415 - likewise

        core.add_layer(Tracing(Telemetry() if telemetry is True else telemetry))
    if core.ledger is not None:
        core.add_layer(core.ledger)


def check_asked(binding: "Binding", asked: Mapping[str, Any]) -> None:
    """Refuse what a call asks of a cache that is not there; sharing begins when it is first asked for.

    Raises:
        InvalidRequestError: the client has no cache.
    """
    if asked.get("answer_cache") or asked.get("answer_cache_ttl") is not None:
        from onellm.policy.cache import Caching  # noqa: PLC0415 - for callers who ask for it
        from onellm.policy.semantic import SemanticCaching  # noqa: PLC0415 - likewise

        if not any(isinstance(layer, Caching | SemanticCaching) for layer in binding.layers):
            raise InvalidRequestError(
                "answer_cache: this client keeps no answers; give it one, AsyncOneLLM(answer_cache=MemoryCache())",
                param="answer_cache",
            )
    if asked.get("share"):
        from onellm.policy.sharing import Sharing  # noqa: PLC0415 - likewise

        if not any(isinstance(layer, Sharing) for layer in binding.layers):
            binding.add_layer(Sharing(), innermost=True)


def _embedder(core: Core, model: str) -> Callable[[str], Awaitable[Sequence[float]]]:
    import weakref  # noqa: PLC0415 - for clients that ask for it

    from onellm.resources.embeddings import AsyncEmbeddings  # noqa: PLC0415 - likewise

    core.provider(core.split(model)[0])  # a name that is misspelled is known now
    inside = weakref.ref(core)  # or the client, which holds this, would be held by it

    async def embed(text: str) -> Sequence[float]:
        found = inside()
        assert found is not None  # noqa: S101 - the call that asks is one of its own
        reply = await AsyncEmbeddings(found).create(model=model, input=text)
        return reply.data[0].embedding

    return embed
