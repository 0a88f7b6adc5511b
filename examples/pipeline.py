"""Thousands of inputs, read as they are wanted, with a checkpoint. Needs OPENAI_API_KEY; writes run.sqlite."""

import asyncio
from collections.abc import Iterator

from onellm import AsyncOneLLM, PipelineFailure

EMBEDS = "openai/text-embedding-3-small"
ANSWERS = "openai/gpt-5.4-mini"


EMPTY = 7  # a document that no model takes


def documents() -> Iterator[tuple[str, str]]:
    """From a file or a database as well, and more than memory holds."""
    for number in range(4000):
        yield f"doc-{number}", "" if number == EMPTY else f"What document number {number} says"


def told(failure: PipelineFailure) -> None:
    print(f"{failure.id} failed: {failure.error.message}")


async def main() -> None:
    async with AsyncOneLLM() as client:
        # Stopped at any moment, the same call goes on where it was: what is in run.sqlite is not paid for again.
        vectors = client.embeddings.stream(
            documents(), model=EMBEDS, batch_size=1000, on_error=told, checkpoint="run.sqlite"
        )
        async with vectors:
            async for start, ids, matrix in vectors:  # in order; matrix is float32, (len(ids), dimensions)
                print(f"{start:5} {ids[0]} … {ids[-1]}: {matrix.shape}")
        print(f"{vectors.progress.done} done, {vectors.progress.failed} failed, {vectors.progress.requests} requests")

        # Chats likewise. mode="batch" sends them through the provider's own batches, for less and within a day.
        cities = ["Rome", "Oslo", "Lima"]
        answers = client.chat.completions.map(
            ((city, f"One sentence on {city}") for city in cities), model=ANSWERS, on_error="skip", concurrency=50
        )
        async with answers:
            async for result in answers:
                print(f"{result.id}: {result.response.choices[0].message.content if result.response else result.error}")


asyncio.run(main())
