"""`onellm models`: what a provider has."""

import asyncio
from argparse import Namespace

from onellm.cli.report import one_line
from onellm.client import AsyncOneLLM
from onellm.types.models import ModelInfo

_WIDTH = 200


def run(arguments: Namespace) -> int:
    """Print the names, as `--model` takes them."""
    for model in asyncio.run(_list(arguments.provider)):
        print(one_line(f"{model.provider}/{model.id}", _WIDTH))
    return 0


async def _list(provider: str | None) -> list[ModelInfo]:
    async with AsyncOneLLM() as client:
        return [model async for model in client.models.list(provider)]
