"""Texts as vectors, any number in one call. Needs OPENAI_API_KEY, or another provider's key, and onellm[numpy]."""

import asyncio

import numpy as np

from onellm import AsyncOneLLM

MODEL = "openai/text-embedding-3-small"
TEXTS = ["The cat sits outside", "A kitten is outdoors", "The stock market fell today"]


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.embeddings.create(model=MODEL, input=TEXTS)
        vectors = reply.to_numpy()  # (texts, dimensions), float32; without numpy each embedding is a sequence of floats
        print(f"{vectors.shape} {vectors.dtype}, {reply.usage.total_tokens} tokens")
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for text, cosine in zip(TEXTS[1:], vectors[1:] @ vectors[0], strict=True):
            print(f"{cosine:.3f}  {TEXTS[0]} / {text}")

        # More than the provider takes at once: sent as several requests, some together, joined in order.
        many = await client.embeddings.create(model=MODEL, input=[f"text number {number}" for number in range(3000)])
        print(f"{many.to_numpy().shape}, {many.usage.total_tokens} tokens")


asyncio.run(main())
