"""Four time limits, on the client and on the call; the error says which ran out. Needs OPENAI_API_KEY."""

import asyncio

from onellm import APITimeoutError, AsyncOneLLM, Timeouts

# Seconds: for a connection, for the first byte of an answer, between two reads of a stream, for one whole attempt.
LIMITS = Timeouts(connect=5, first_byte=60, idle=20, total=120)


async def main() -> None:
    async with AsyncOneLLM(timeout=LIMITS) as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[{"role": "user", "content": "Hello"}],
            timeout=30,  # on the call: a number is the total
        )
        print(reply.choices[0].message.content)
        try:
            await client.chat.completions.create(
                model="openai/gpt-5.4-mini",
                messages=[{"role": "user", "content": "Tell a very long story"}],
                timeout=0.5,
            )
        except APITimeoutError as exc:
            print(f"{exc.phase} ran out: {exc}")


asyncio.run(main())
