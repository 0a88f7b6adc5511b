"""What can go wrong, sorted by what to do about it. Needs OPENAI_API_KEY, or another provider's key and model."""

import asyncio

from onellm import (
    APIConnectionError,
    APIStatusError,
    AsyncOneLLM,
    ContextLengthExceededError,
    OneLLMError,
    RateLimitError,
    UsageError,
)


async def ask(client: AsyncOneLLM, model: str, question: str) -> str:
    try:
        reply = await client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question}],
            max_retries=1,
        )
    except UsageError as exc:  # the call is wrong, or a key is missing: nothing was sent
        return f"fix the call: {exc}"
    except ContextLengthExceededError as exc:  # a BadRequestError that callers often act on
        return f"shorten the prompt: {exc}"
    except RateLimitError as exc:  # it was tried again, as often as max_retries says
        return f"come back in {exc.retry_after or 60:g} s: {exc}"
    except APIStatusError as exc:  # the provider answered and refused
        return f"refused with {exc.status_code}, {exc.code}, request {exc.request_id}: {exc.message}"
    except APIConnectionError as exc:  # no whole answer arrived
        return f"is the network up? {exc}"
    return reply.choices[0].message.content or ""


async def main() -> None:
    async with AsyncOneLLM() as client:
        print(await ask(client, "openai/gpt-5.4-mini", "Hello"))
        print(await ask(client, "openai/gpt-5.4-mini", ""))
        print(await ask(client, "opnai/gpt-5.4-mini", "Hello"))
        print(await ask(client, "openai/no-such-model", "Hello"))
        try:
            await client.chat.completions.create(model="openai/gpt-5.4-mini", messages=[])
        except OneLLMError as exc:  # the root of them all
            print(type(exc).__name__, exc)


asyncio.run(main())
