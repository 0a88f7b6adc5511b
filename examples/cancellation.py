"""Stop what is under way: the connection is closed at once, and the provider stops writing. Needs OPENAI_API_KEY."""

import asyncio

from onellm import AsyncOneLLM


async def tell(client: AsyncOneLLM, said: list[str], begun: asyncio.Event) -> None:
    async with await client.chat.completions.create(
        model="openai/gpt-5.4-mini",
        messages=[{"role": "user", "content": "Tell a very long story"}],
        stream=True,
    ) as stream:
        async for text in stream.text():
            said.append(text)
            begun.set()


async def main() -> None:
    said: list[str] = []
    begun = asyncio.Event()
    async with AsyncOneLLM() as client:
        # Somebody lost interest: cancel the task.
        task = asyncio.create_task(tell(client, said, begun))
        task.add_done_callback(lambda _: begun.set())  # also where it fails
        await begun.wait()
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        print(f"{type(outcome).__name__}, after {''.join(said)!r}")

        # Time is up for whatever is inside.
        try:
            async with asyncio.timeout(1.5):
                await tell(client, said, begun)
        except TimeoutError:
            print("out of time")


asyncio.run(main())
