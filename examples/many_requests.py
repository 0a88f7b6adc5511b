"""Hundreds of requests at once, through one client. Needs OPENAI_API_KEY, or another provider's key and model."""

import asyncio
import time

from onellm import AsyncOneLLM, OneLLMError, RetryPolicy

REQUESTS = 300
AT_ONCE = 100  # what the provider's rate limit allows, and no more


async def main() -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    # A request that fails in a way that may pass is sent again, as late as the provider asks.
    async with AsyncOneLLM(retry=RetryPolicy(max_retries=5)) as client:

        async def ask(number: int) -> str | None:
            async with gate:
                reply = await client.chat.completions.create(
                    model="openai/gpt-5.4-mini",
                    messages=[{"role": "user", "content": f"Is {number} prime? Say yes or no"}],
                    timeout=60,
                )
            return reply.choices[0].message.content

        began = time.perf_counter()
        replies = await asyncio.gather(*(ask(number) for number in range(REQUESTS)), return_exceptions=True)
        seconds = time.perf_counter() - began

    failed = [reply for reply in replies if isinstance(reply, BaseException)]
    print(f"{len(replies) - len(failed)} answers and {len(failed)} failures in {seconds:.1f} s")
    for failure in failed:
        if not isinstance(failure, OneLLMError):
            raise failure
    if failed:
        print(f"the first failure: {failed[0]}")


asyncio.run(main())
