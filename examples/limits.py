"""Many calls, no faster than the provider allows; one that cannot wait goes first. Needs OPENAI_API_KEY."""

import asyncio

from onellm import AsyncOneLLM, Limits

# As your account has them; `shared="redis://…"` keeps them for many processes together.
LIMITS = {"openai": Limits(requests_per_minute=500, tokens_per_minute=200_000, concurrency=4)}


async def ask(client: AsyncOneLLM, question: str, priority: int = 0) -> str | None:
    reply = await client.chat.completions.create(
        model="openai/gpt-5.4-mini",
        messages=[{"role": "user", "content": question}],
        max_tokens=200,  # what an answer may have counts, until it says what it took
        priority=priority,
    )
    return reply.choices[0].message.content


async def main() -> None:
    async with AsyncOneLLM(limits=LIMITS) as client:
        backlog = [asyncio.create_task(ask(client, f"Name river {number}")) for number in range(1, 31)]
        await asyncio.wait(backlog, return_when=asyncio.FIRST_COMPLETED)
        print(await ask(client, "Is anybody there?", priority=10))
        print(f"{sum(not task.done() for task in backlog)} of {len(backlog)} still to come")
        answers = await asyncio.gather(*backlog)
        print(f"{len(answers)} answers, the last: {answers[-1]}")


asyncio.run(main())
