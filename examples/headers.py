"""What comes beside an answer by HTTP: headers and status, of whole answers and of streams. Needs OPENAI_API_KEY."""

import asyncio

from onellm import APIStatusError, AsyncOneLLM


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": "Hello"}]
        )
        print(reply.choices[0].message.content)
        print(reply.status_code, reply.headers["Content-Type"])
        print("requests left:", reply.headers.get("x-ratelimit-remaining-requests", "not said"))

        async with await client.chat.completions.create(
            model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": "And again"}], stream=True
        ) as stream:
            print(stream.status_code, stream.headers["Content-Type"])  # there before the first word is
            print("".join([piece async for piece in stream.text()]))

        try:
            await client.models.retrieve("openai/no-such-model")
        except APIStatusError as exc:
            print(exc.status_code, exc.headers["Content-Type"])


asyncio.run(main())
