"""An answer as it is written. Needs OPENAI_API_KEY, or another provider's key and model."""

import asyncio

from onellm import AsyncOneLLM


async def main() -> None:
    async with AsyncOneLLM() as client:
        # Leaving the inner `async with` closes the connection, also when only a part was read.
        async with await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[{"role": "user", "content": "Count from one to ten in words"}],
            stream=True,
        ) as stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    print(choice.delta.content or "", end="", flush=True)
            whole = await stream.get_final_completion()  # what it would have been without stream=True
        print(f"\nended by {whole.choices[0].finish_reason}")


asyncio.run(main())
