"""A model with inputs of its own: which they are is read from its description. Needs REPLICATE_API_TOKEN."""

import asyncio

from onellm import AsyncOneLLM


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="replicate/meta/meta-llama-3-8b-instruct",
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
            max_tokens=100,
            extra_body={"input": {"top_k": 20}},
        )
    print(reply.choices[0].message.content)
    print("; ".join(reply.adjustments))


asyncio.run(main())
