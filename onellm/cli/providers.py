"""`onellm providers`: who there is."""

import os
from argparse import Namespace

from onellm import config as config_module
from onellm.cli.report import one_line
from onellm.cli.settings import find_provider, key_variables, provider_names
from onellm.cli.table import print_table
from onellm.config import Config
from onellm.providers.protocols import Provider, operations

_WIDTH = 80


def run(arguments: Namespace) -> int:  # noqa: ARG001 - it takes none
    """Print a table: name, operations, the variables that hold the key and whether one is set."""
    config = config_module.load()
    rows = [("provider", "serves", "key")]
    for name in provider_names(config):
        try:
            provider = find_provider(name, config)
        except Exception as exc:  # noqa: BLE001 - a package that cannot be loaded must not hide the others
            rows.append((name, "", one_line(f"cannot be loaded: {exc}", _WIDTH)))
        else:
            rows.append((name, " ".join(sorted(operations(provider))), _key(provider, config)))
    print_table(rows)
    return 0


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
