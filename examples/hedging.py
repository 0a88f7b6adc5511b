"""A second request when the first is late; who answers first wins. Needs OPENAI_API_KEY and MISTRAL_API_KEY."""

import asyncio

from onellm import AsyncOneLLM, Hedge


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[{"role": "user", "content": "Is the line slow?"}],
            hedge=Hedge(after=0.5, to=["mistral/mistral-small-latest"]),
        )
        print(f"{reply.provider}: {reply.choices[0].message.content}")


asyncio.run(main())
