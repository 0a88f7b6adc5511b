"""Vectors and an image by Hugging Face's own service. Needs HF_TOKEN."""

import asyncio

from onellm import AsyncOneLLM


async def main() -> None:
    async with AsyncOneLLM() as client:
        vectors = await client.embeddings.create(
            model="huggingface/sentence-transformers/all-MiniLM-L6-v2", input=["A cat.", "A kitten."]
        )
        print(len(vectors.data), "vectors of", len(vectors.data[0].embedding), "numbers")
        images = await client.images.generate(
            model="huggingface/black-forest-labs/FLUX.1-schnell", prompt="A cat", size="512x512"
        )
    print(images.data[0].media_type, len(images.data[0].content), "bytes")


asyncio.run(main())
