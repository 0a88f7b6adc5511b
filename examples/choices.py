"""Several answers to one question, and how sure the model was. Needs OPENAI_API_KEY."""

import asyncio
import math

from onellm import AsyncOneLLM


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-4.1-mini",
            messages=[{"role": "user", "content": "Name a fruit, in one word"}],
            n=3,
            temperature=1.2,
            logprobs=True,
            top_logprobs=2,
        )
    for choice in reply.choices:
        print(f"{choice.index}: {choice.message.content} ({choice.finish_reason})")
        if choice.logprobs and choice.logprobs.content:
            for token in choice.logprobs.content:
                others = ", ".join(f"{other.token!r} {math.exp(other.logprob):.0%}" for other in token.top_logprobs)
                print(f"   {token.token!r} {math.exp(token.logprob):.0%} of: {others}")


asyncio.run(main())
