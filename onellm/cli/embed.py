"""`onellm embed`: texts as vectors."""

import asyncio
import sys
from argparse import Namespace

from onellm import config as config_module
from onellm.cli.report import one_line
from onellm.cli.settings import choose_model
from onellm.client import AsyncOneLLM
from onellm.types.embeddings import CreateEmbeddingResponse

_SHOWN = 4  # numbers of a vector that are printed
_WIDTH = 40


def run(arguments: Namespace) -> int:
    """Print a line about each vector, or with --json the vectors."""
    texts = _texts(arguments)
    model = choose_model(arguments.model, "embeddings", config_module.load())
    reply = asyncio.run(_embed(model, texts))
    if arguments.json:
        print(reply.model_dump_json())
        return 0
    for text, item in zip(texts, reply.data, strict=True):
        vector = item.embedding
        shown = ", ".join(f"{number:.4f}" for number in vector[:_SHOWN])
        rest = ", …" if len(vector) > _SHOWN else ""
        print(f"{one_line(text, _WIDTH):{_WIDTH}}  {len(vector)} numbers  [{shown}{rest}]")
    return 0


def _texts(arguments: Namespace) -> list[str]:
    texts: list[str] = arguments.texts
    if texts == ["-"] or (not texts and not sys.stdin.isatty()):
        texts = [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
    if not texts:
        arguments.misused("give at least one text")
    return texts


async def _embed(model: str, texts: list[str]) -> CreateEmbeddingResponse:
    async with AsyncOneLLM() as client:
        return await client.embeddings.create(model=model, input=texts)
