"""One question, one answer. Needs OPENAI_API_KEY, or another provider's key and model."""

import asyncio

from onellm import AsyncOneLLM


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[
                {"role": "system", "content": "Answer in one sentence."},
                {"role": "user", "content": "Why is the sky blue?"},
            ],
        )
        message = reply.choices[0].message
        print(message.content)
        if reply.usage:
            print(f"{reply.usage.total_tokens} tokens, answered by {reply.provider}, {reply.model}")

        # A message that came out goes back in.
        again = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[
                {"role": "user", "content": "Why is the sky blue?"},
                message,
                {"role": "user", "content": "And why is it red in the evening?"},
            ],
        )
        print(again.choices[0].message.content)


asyncio.run(main())
