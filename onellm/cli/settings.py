"""What the configuration says to the command line: which model, which providers, which keys."""

import os
from collections.abc import Iterator
from typing import Literal

from onellm.cli.report import notice
from onellm.config import ENVIRONMENT, Config, Resolved, Setting, resolve_provider, variables
from onellm.errors import ConfigurationError, MissingKeyError, UnknownProviderError
from onellm.providers.base import Configurable, Provider, ReadsBaseUrl
from onellm.providers.registry import DEFAULT

# What is asked where a provider is configured and no model is.
_MODELS = {
    ("chat", "openai"): "openai/gpt-5.4-mini",
    ("embeddings", "openai"): "openai/text-embedding-3-small",
    ("chat", "llama_cpp"): "llama_cpp/smollm2",
    ("embeddings", "llama_cpp"): "llama_cpp/smollm2",
}
_EMBEDDED = "llama_cpp/smollm2"
_NO_KEY = "no key"

Operation = Literal["chat", "embeddings"]


def choose_model(named: str | None, operation: Operation, config: Config) -> str:
    """The model to ask: the named one, or the default. Where the embedded one stands in, standard error says so.

    Raises:
        ConfigurationError: none is named, and the default provider has no model that could be meant.
    """
    if named:
        return named
    default = default_model(operation, config)
    if not default.value:
        name = config.default_provider
        raise ConfigurationError(
            f"name a model, --model {name}/…, or set {ENVIRONMENT[default.name]}, or {default.name} in onellm.toml; "
            f"`onellm models {name}` lists them"
        )
    if default.value == _EMBEDDED and default.source.startswith(_NO_KEY):
        notice(f"{default.source}: the embedded model {_EMBEDDED} answers; set the key, or name a --model")
    return default.value


def default_model(operation: Operation, config: Config) -> Setting:
    """The model that is asked where none is named, and why it is that one; "" where there is none.

    It is the configured one, or one of the default provider's, or where that has no key the embedded one.
    """
    name = "chat_model" if operation == "chat" else "embedding_model"
    if configured := config.chat_model if operation == "chat" else config.embedding_model:
        source = config.sources[name]
        return Setting(name=name, value=configured, source=ENVIRONMENT[name] if source == "environment" else source)
    provider = find_provider(config.default_provider, config)
    try:
        resolve(provider, config)
    except MissingKeyError:
        variables = " or ".join(key_variables(provider, config))
        return Setting(name=name, value=_EMBEDDED, source=f"{_NO_KEY} for {provider.name} ({variables})")
    return Setting(name=name, value=_MODELS.get((operation, provider.name), ""), source="default")


def provider_names(config: Config) -> Iterator[str]:
    """All providers' names, sorted; those that only the configuration file knows among them."""
    in_file = config.file.content.providers if config.file else {}
    yield from sorted({*DEFAULT, *in_file})


def find_provider(name: str, config: Config) -> Provider:
    """A provider by name; one that only the configuration file knows, by its base URL, speaks OpenAI's API."""
    try:
        return DEFAULT.get(name)
    except UnknownProviderError:
        if not config.file or not (said := config.file.content.providers.get(name)) or not said.base_url:
            raise
    from onellm.providers.compatible import compatible  # noqa: PLC0415 - only for hosts of the user's own

    return compatible(name)


def key_variables(provider: Provider, config: Config) -> tuple[str, ...]:
    """The variables that a provider's key is looked for in."""
    in_file = config.file.content.providers.get(provider.name) if config.file else None
    if in_file is not None and in_file.key_env:
        return (in_file.key_env,)
    return provider.key_env if isinstance(provider, Configurable) else ()


def resolve(provider: Provider, config: Config, *, key_optional: bool = False) -> Resolved | None:
    """A provider's settings as a client finds them; None for one that runs in the process.

    Raises:
        MissingKeyError: it needs a key, and there is none.
        ConfigurationError: a setting is wrong.
    """
    if not isinstance(provider, Configurable):
        return None
    return resolve_provider(
        provider.name,
        base_url=provider.base_url,
        base_url_env=provider.base_url_env,
        key_env=provider.key_env,
        key_optional=key_optional or provider.key_optional,
        option_env=provider.option_env,
        read_base_url=provider.read_base_url if isinstance(provider, ReadsBaseUrl) else None,
        file=config.file,
    )


def is_configured(provider: Provider, config: Config) -> bool:
    """Whether the environment or the file says anything of a provider."""
    if config.file is not None and provider.name in config.file.content.providers:
        return True
    if not isinstance(provider, Configurable):
        return False
    of_options = (variable for named in provider.option_env.values() for variable in variables(named))
    known = (*provider.key_env, *provider.base_url_env, *of_options)
    return any(os.environ.get(variable) for variable in known)
