"""`onellm config`: each setting, and where it comes from."""

import os
from argparse import Namespace
from urllib.parse import urlsplit

from onellm import config as config_module
from onellm.cli.report import one_line
from onellm.cli.settings import default_model, find_provider, is_configured, provider_names, resolve
from onellm.cli.table import print_table
from onellm.config import ENVIRONMENT, Config, Resolved, Setting
from onellm.errors import OneLLMError

_WIDTH = 200


def run(arguments: Namespace) -> int:  # noqa: ARG001 - it takes none
    """Print the settings of a client that is given no arguments."""
    config = config_module.load()
    settings = [_file(config), *_client(config)]
    for name in provider_names(config):
        settings += _provider(name, config)
    print_table(
        [
            ("setting", "value", "from"),
            *((setting.name, one_line(setting.value or "none", _WIDTH), setting.source) for setting in settings),
        ]
    )
    return 0


def _file(config: Config) -> Setting:
    if config.file is None:
        return Setting(name="file", value="none", source=f"{config_module.user_file()} would be read")
    if os.environ.get("ONELLM_CONFIG"):
        source = "ONELLM_CONFIG"
    else:
        source = "the user's own" if config.file.trusted else "the working directory"
    return Setting(name="file", value=str(config.file.path), source=source)


def _client(config: Config) -> list[Setting]:
    limits = config.timeouts
    times = {"connect": limits.connect, "first_byte": limits.first_byte, "idle": limits.idle, "total": limits.total}
    values = {
        "timeout": ", ".join(f"{name} {'none' if limit is None else f'{limit:g} s'}" for name, limit in times.items()),
        "default_provider": config.default_provider,
        "max_retries": str(config.max_retries),
        "deadline": "none" if config.deadline is None else f"{config.deadline:g} s",
        "on_unsupported": config.on_unsupported,
        "log": config.log,
    }
    settings = [
        Setting(name=name, value=value, source=_source(config.sources[name], ENVIRONMENT[name]))
        for name, value in values.items()
    ]
    for operation in ("chat", "embeddings"):
        try:
            settings.append(default_model(operation, config))
        except OneLLMError as exc:
            settings.append(_failed(f"{operation} model", exc))
    return settings


def _source(source: str, variable: str) -> str:
    return variable if source == "environment" else source


def _provider(name: str, config: Config) -> list[Setting]:
    """What is set for one provider; nothing for one of which nothing is said."""
    try:
        provider = find_provider(name, config)
        if not is_configured(provider, config):
            return []
        resolved = resolve(provider, config, key_optional=True)
    except (OneLLMError, ImportError) as exc:
        return [_failed(name, exc)]
    return [] if resolved is None else _resolved(name, resolved)


def _failed(name: str, exc: Exception) -> Setting:
    return Setting(name=name, value=f"error: {exc}", source="")


def _resolved(name: str, resolved: Resolved) -> list[Setting]:
    settings = [
        Setting(name=f"{name}.base_url", value=resolved.base_url, source=resolved.base_url_source),
        Setting(name=f"{name}.api_key", value="***" if resolved.api_key else "none", source=resolved.key_source),
    ]
    hidden = {"headers": resolved.headers, "options": resolved.options}
    settings += [
        Setting(name=f"{name}.{kind}.{key}", value="***", source="set")
        for kind, values in hidden.items()
        for key in values
    ]
    if resolved.proxy:
        parts = urlsplit(resolved.proxy)
        settings.append(Setting(name=f"{name}.proxy", value=f"{parts.scheme}://{parts.hostname or ''}", source="set"))
    return settings
