"""What may pass is tried again: how often, how long, and how to see it. Needs OPENAI_API_KEY."""

import asyncio

from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from onellm import AsyncOneLLM, OneLLMError, RetryPolicy

# As late as the provider asks, but not for longer than 20 s a time, nor than a minute in all.
POLICY = RetryPolicy(max_retries=4, longest_wait=20, budget=60)


def tell(details: RetryDetails) -> None:
    print(f"again in {details.wait_for:.2f} s, after {details.caused_by}")


async def ask(client: AsyncOneLLM, question: str, max_retries: int | None = None) -> str | None:
    reply = await client.chat.completions.create(
        model="openai/gpt-5.4-mini",
        messages=[{"role": "user", "content": question}],
        max_retries=max_retries,
    )
    return reply.choices[0].message.content


async def main() -> None:
    set_on_retry_hooks([tell])  # stamina's, which makes the attempts; without this it logs them
    async with AsyncOneLLM(retry=POLICY) as client:
        print(await ask(client, "Is the line busy?"))
        try:
            print(await ask(client, "And now?", max_retries=0))  # on the call: never again
        except OneLLMError as exc:
            print(
                f"{type(exc).__name__}: {'may pass' if exc.retryable else 'will not pass'}, after {exc.retry_after} s"
            )


asyncio.run(main())
