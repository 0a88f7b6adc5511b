"""Another model where the first cannot answer, and models under one name. Needs OPENAI_API_KEY, MISTRAL_API_KEY."""

import asyncio

from onellm import AsyncOneLLM, Breaker, FallbackError, Route

FAST = Route(models=["mistral/mistral-small-latest", "openai/gpt-5.4-mini"], strategy="latency")


async def main() -> None:
    # A model that fails five times in a row is left alone for half a minute.
    async with AsyncOneLLM(routes={"fast": FAST}, breaker=Breaker(failures=5, open_for=30)) as client:
        reply = await client.chat.completions.create(
            model="openai/no-such-model",
            messages=[{"role": "user", "content": "Who answers?"}],
            fallback_models=["mistral/mistral-small-latest"],
        )
        print(f"{reply.choices[0].message.content} ({reply.provider})")
        for error in reply.fallbacks:
            print("before it:", error)

        reply = await client.chat.completions.create(
            model="route/fast", messages=[{"role": "user", "content": "Who is quick?"}]
        )
        print(reply.choices[0].message.content)

        try:
            await client.chat.completions.create(
                model="openai/no-such-model",
                messages=[{"role": "user", "content": "Hello"}],
                fallback_models=["mistral/no-such-model"],
            )
        except FallbackError as exc:
            print("all failed:", *(f"{error.provider} {error.status_code}" for error in exc.errors))
        for model, circuit in client.circuits().items():
            print(f"{model}: {circuit.state}")


asyncio.run(main())
