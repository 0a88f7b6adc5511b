"""`onellm providers`: who there is, and what each can."""

import os
from argparse import Namespace

from onellm import config as config_module
from onellm.cli.facts import FLAGS, details, flags, letters, served
from onellm.cli.report import one_line
from onellm.cli.settings import find_provider, key_variables, provider_names
from onellm.cli.table import print_table
from onellm.config import Config
from onellm.providers.base import Provider

_WIDTH = 80


def run(arguments: Namespace) -> int:
    """Print a table: name, operations, flags, the variables that hold the key, whether one is set; or one in full."""
    config = config_module.load()
    if arguments.provider:
        _show(find_provider(arguments.provider, config), config)
    else:
        _list(config)
    return 0


def _list(config: Config) -> None:
    rows = [("provider", "serves", "can", "key")]
    for name in provider_names(config):
        try:
            provider = find_provider(name, config)
        except Exception as exc:  # noqa: BLE001 - a package that cannot be loaded must not hide the others
            rows.append((name, "", "", one_line(f"cannot be loaded: {exc}", _WIDTH)))
        else:
            rows.append((name, " ".join(served(provider)), letters(provider), _key(provider, config)))
    print_table(rows)
    print("can:", ", ".join(f"{letter} {words}" for letter, words in FLAGS.values()))


def _show(provider: Provider, config: Config) -> None:
    said = flags(provider)
    rows = [("provider", provider.name), ("serves", " ".join(served(provider)))]
    rows += [("can", ", ".join(words for flag, (_, words) in FLAGS.items() if said.get(flag)) or "no chat")]
    rows += [("set", _key(provider, config))]
    rows += [(about, text.replace("`", "")) for about, text in details(provider)]
    print_table(rows)


def _key(provider: Provider, config: Config) -> str:
    said = config.file.content.providers.get(provider.name) if config.file else None
    variables = key_variables(provider, config)
    for variable in variables:
        if os.environ.get(variable):
            return f"{variable} (set)"
    if config.file and said and said.api_key:
        return f"set in {config.file.path}"
    if not variables:
        return "needs none"
    optional = getattr(provider, "key_optional", False)
    return f"{' or '.join(variables)} ({'optional, ' if optional else ''}not set)"
