"""`onellm models`: what a provider has."""

import asyncio
from argparse import Namespace

from onellm import config
from onellm.cli.report import one_line
from onellm.cli.settings import find_provider
from onellm.client import AsyncOneLLM
from onellm.errors import UnsupportedFeatureError

_WIDTH = 200


def run(arguments: Namespace) -> int:
    """Print the names, as `--model` takes them, a page at a time."""
    try:
        asyncio.run(_print(arguments.provider))
    except UnsupportedFeatureError as exc:
        raise _without_list(exc.provider or "") from exc
    return 0


def _without_list(name: str) -> UnsupportedFeatureError:
    """What to do where a provider has no list."""
    docs = getattr(find_provider(name, config.load()), "docs", "")
    named = f"; they are named at {docs}" if docs else ""
    return UnsupportedFeatureError(f"{name} has no list of its models{named}: ask one as {name}/…")


async def _print(provider: str | None) -> None:
    async with AsyncOneLLM() as client:
        async for model in client.models.list(provider):
            print(one_line(f"{model.provider}/{model.id}", _WIDTH))
