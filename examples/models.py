"""What models there are, and what they can do. Needs OPENAI_API_KEY, or another provider's key."""

import asyncio

from onellm import AsyncOneLLM, NotFoundError


async def main() -> None:
    async with AsyncOneLLM() as client:
        models = await client.models.list("openai")
        print(f"{len(models)} models, the first: {models[0].id}")

        one = await client.models.retrieve(f"openai/{models[0].id}")
        print(f"{one.id} is owned by {one.owned_by}")
        try:
            await client.models.retrieve("openai/no-such-model")
        except NotFoundError as exc:
            print(exc)

        can = await client.models.capabilities(f"openai/{models[0].id}")
        print(f"tools: {can.tools}, images: {can.vision}, tokens: {can.context_window or 'unknown'}")
        if not can.audio_input:  # true only where it is known to be so
            print("sound: better not")


asyncio.run(main())
