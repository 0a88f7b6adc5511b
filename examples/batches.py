"""Many requests as one, answered within a day for less. Needs OPENAI_API_KEY. Waits until all is answered."""

import asyncio
from collections.abc import Iterator

from onellm import AsyncOneLLM, BatchRequest
from onellm.types.chat import ChatCompletion

CITIES = ["Rome", "Oslo", "Lima"]


def requests() -> Iterator[BatchRequest]:
    """Taken one by one: there may be more than memory holds."""
    for city in CITIES:
        messages = [{"role": "user", "content": f"One sentence on {city}"}]
        yield BatchRequest(custom_id=city, body={"model": "openai/gpt-5.4-mini", "messages": messages})


async def main() -> None:
    async with AsyncOneLLM() as client:
        batch = await client.batches.create(requests=requests())
        print(f"{batch.id}: {batch.status}")
        batch = await client.batches.wait(batch.id)  # or keep the id, and come back tomorrow
        print(f"{batch.id}: {batch.status}")
        async with client.batches.results(batch.id) as results:
            async for result in results:  # in no order
                if result.error is not None:
                    print(f"{result.custom_id} failed: {result.error}")
                elif isinstance(result.response, ChatCompletion):
                    print(f"{result.custom_id}: {result.response.choices[0].message.content}")


asyncio.run(main())
