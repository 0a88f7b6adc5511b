"""One end for all of a call: attempts, waits, fallbacks; the error says what it passed in. Needs OPENAI_API_KEY."""

import asyncio

from onellm import AsyncOneLLM, DeadlineExceededError


async def ask(client: AsyncOneLLM, question: str, deadline: float) -> None:
    try:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[{"role": "user", "content": question}],
            deadline=deadline,  # seconds; the client may have one for every call
        )
        print(reply.choices[0].message.content)
    except DeadlineExceededError as exc:
        print(f"{exc.phase}: {exc.__cause__ or exc}")


async def main() -> None:
    async with AsyncOneLLM() as client:
        await ask(client, "Hello", 20)
        await ask(client, "Tell a very long story", 0.5)  # no first byte in time
        await ask(client, "And now?", 2)  # refused, and asked to wait longer than there is time: said at once


asyncio.run(main())
