"""Names to providers. Built-in modules are imported when one of their names is asked for."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from onellm.errors import ConfigurationError, UnknownProviderError
from onellm.providers.base import Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# Providers with a module of their own; every other built-in one is a row of `compatible`.
MODULES = {
    "anthropic": "onellm.providers.anthropic",
    "azure": "onellm.providers.azure",
    "bedrock": "onellm.providers.bedrock",
    "bedrock-mantle": "onellm.providers.bedrock_mantle",
    "cohere": "onellm.providers.cohere",
    "google": "onellm.providers.google",
    "huggingface": "onellm.providers.huggingface",
    "llama_cpp": "onellm.providers.llama_cpp",
    "ollama": "onellm.providers.ollama",
    "openai": "onellm.providers.openai",
    "replicate": "onellm.providers.replicate",
    "tei-embed": "onellm.providers.tei_embed",
    "tgi-generate": "onellm.providers.tgi_generate",
    "vertex": "onellm.providers.vertex",
}
_ROWS = "onellm.providers.compatible"
ENTRY_POINTS = "onellm.providers"


class Registry:
    """Looks providers up by name: registered ones first, then built-in ones, then those of installed packages."""

    def __init__(self, parent: "Registry | None" = None) -> None:
        self._parent = parent
        self._providers: dict[str, Provider] = {}

    def register(self, provider: Provider) -> None:
        """Add a provider, or replace one of the same name.

        Raises:
            ConfigurationError: it lacks a part of the Provider protocol, or its name holds a slash.
        """
        _check(provider)
        self._providers[provider.name] = provider

    def get(self, name: str) -> Provider:
        """The provider of that name.

        Raises:
            UnknownProviderError: there is none; says which names are near.
        """
        found = self._find(name)
        if found is None:
            import difflib  # noqa: PLC0415 - only for a message

            near = difflib.get_close_matches(name.casefold(), list(self), 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(self)}."
            raise UnknownProviderError(f"no provider {name!r}: {hint} A model is named provider/model.")
        return found

    def __iter__(self) -> Iterator[str]:
        """All names, sorted."""
        names = set(self._providers) | (set(self._parent) if self._parent else {*built_in(), *_installed()})
        return iter(sorted(names))

    def _find(self, name: str) -> Provider | None:
        if name in self._providers:
            return self._providers[name]
        if self._parent is not None:
            return self._parent._find(name)  # noqa: SLF001 - the same class
        module = MODULES.get(name)
        if module is not None:
            found: Provider | None = import_module(module).PROVIDER
        else:
            found = import_module(_ROWS).ROWS.get(name)
            if found is None and (entry := _installed().get(name)) is not None:
                found = _load(entry)
        if found is not None:
            self._providers[name] = found
        return found


DEFAULT = Registry()
"""The process-wide registry; a client's own looks here after itself."""


def list_providers() -> list[str]:
    """The names of all providers that every client knows, sorted."""
    return list(DEFAULT)


def get_provider(name: str) -> Provider:
    """A provider by name, with its capability flags.

    Raises:
        UnknownProviderError: there is none; says which names are near.
    """
    return DEFAULT.get(name)


def register_provider(provider: Provider) -> None:
    """Add a provider for every client in this process, or replace one of the same name.

    Raises:
        ConfigurationError: it lacks a part of the Provider protocol.
    """
    DEFAULT.register(provider)


_PARTS = (
    "name",
    "json_mode_support",
    "vision_support",
    "audio_input_support",
    "streaming_support",
    "realtime_support",
    "function_calling_support",
    "get_model_capabilities",
)


def _check(provider: object) -> None:
    if not isinstance(provider, Provider):
        missing = [name for name in _PARTS if not hasattr(provider, name)]
        raise ConfigurationError(f"{type(provider).__name__} is no provider: it lacks {', '.join(missing)}")
    if not isinstance(provider.name, str) or not provider.name or "/" in provider.name:  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise ConfigurationError(f"{provider.name!r} is no provider's name: it must be a word without a slash")


def _load(entry: "EntryPoint") -> Provider:
    """The provider that an installed package names.

    Raises:
        ConfigurationError: it cannot be imported, or is none.
    """
    package = entry.dist.name if entry.dist else "a package"
    try:
        found: Provider = entry.load()
        _check(found)
    except (ImportError, AttributeError, ConfigurationError) as exc:
        raise ConfigurationError(f"the provider {entry.name!r} that {package} brings: {exc}") from exc
    return found


def built_in() -> list[str]:
    """The names of the providers that OneLLM brings, sorted."""
    return sorted({*MODULES, *import_module(_ROWS).ROWS})


def _installed() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads the disk: only for names that are not ours

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
