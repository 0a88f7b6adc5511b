"""`onellm embed`: texts as vectors."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from onellm import config as config_module
from onellm.cli.report import one_line
from onellm.cli.settings import choose_model
from onellm.client import AsyncOneLLM
from onellm.types.embeddings import CreateEmbeddingResponse

_SHOWN = 4  # numbers of a vector that are printed
_WIDTH = 40
_TOGETHER = 8  # requests
_OF_FILES = ("field", "id_field", "input_format", "resume", "checkpoint", "dimensions", "batch_size", "concurrency")


def run(arguments: Namespace) -> int:
    """Print a line about each vector, or with --json the vectors; with --output embed a file into another."""
    if arguments.output:
        return _file(arguments)
    if unused := [f"--{name.replace('_', '-')}" for name in _OF_FILES if getattr(arguments, name)]:
        arguments.misused(f"{unused[0]} is for files: give --output, too")
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


def _file(arguments: Namespace) -> int:
    from onellm.cli.outputs import VECTORS  # noqa: PLC0415 - for files
    from onellm.cli.pipeline import Pipeline, Run  # noqa: PLC0415 - likewise
    from onellm.cli.rows import field_of  # noqa: PLC0415 - likewise

    if len(arguments.texts) != 1:
        arguments.misused("with --output, give one file of texts, or - for the lines of standard input")
    (arguments.source,) = arguments.texts
    if arguments.json:
        arguments.misused("--json prints vectors: name the --output with .jsonl")
    this = Run(arguments, choose_model(arguments.model, "embeddings", config_module.load()), VECTORS)

    def inputs(rows: Iterator[Any]) -> Iterator[Any]:
        for place, row in enumerate(rows):
            text = field_of(row, arguments.field or "text", place, arguments.source)
            own_id = field_of(row, arguments.id_field, place, arguments.source) if arguments.id_field else None
            yield text if own_id is None else (own_id if isinstance(own_id, int) else str(own_id), text)

    def begin(client: AsyncOneLLM, rows: Iterator[Any]) -> Pipeline:
        return client.embeddings.stream(
            inputs(rows),
            model=this.model,
            dimensions=arguments.dimensions,
            batch_size=arguments.batch_size,
            concurrency=arguments.concurrency or _TOGETHER,
            on_error=this.on_error,
            checkpoint=this.checkpoint,
        )

    return this.start(begin)


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
