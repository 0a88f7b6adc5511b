"""One client, and several manners of calling it that share its connections, limits and caches. Needs OPENAI_API_KEY."""

import asyncio

from onellm import APITimeoutError, AsyncOneLLM


async def ask(client: AsyncOneLLM, question: str) -> str | None:
    reply = await client.chat.completions.create(
        model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": question}]
    )
    return reply.choices[0].message.content


async def main() -> None:
    async with AsyncOneLLM(max_retries=4) as client:
        # For what a user waits for: soon or not at all. For one tenant: a header with each of these calls.
        quick = client.with_options(timeout=0.5, max_retries=0)
        tenant = client.with_options(extra_headers={"X-Tenant": "acme"}, priority=1)
        print(await ask(client, "Hello"))
        print(await ask(tenant, "Hello from acme"))
        print(await ask(tenant.with_options(extra_headers={"X-Trace": "42"}), "Hello, traced"))
        try:
            print(await ask(quick, "Tell a very long story"))
        except APITimeoutError as exc:
            print("too late:", exc.phase)


asyncio.run(main())
