"""Texts as vectors, any number in one call. Needs OPENAI_API_KEY, or another provider's key and model."""

import asyncio
import math
from collections.abc import Sequence

from onellm import AsyncOneLLM

TEXTS = ["The cat sits outside", "A kitten is outdoors", "The stock market fell today"]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.embeddings.create(model="openai/text-embedding-3-small", input=TEXTS)
    first = reply.data[0].embedding  # float32, without a Python object a number; reply.to_numpy() is the matrix
    print(f"{len(reply.data)} vectors of {len(first)} numbers, {reply.usage.total_tokens} tokens")
    for text, item in zip(TEXTS[1:], reply.data[1:], strict=True):
        print(f"{cosine(first, item.embedding):.3f}  {TEXTS[0]} / {text}")


asyncio.run(main())
