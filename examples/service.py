"""A service that counts its calls, and ends in order when it is told to. Needs OPENAI_API_KEY.

SIGTERM is what a container is sent before it is ended; here the service sends it to itself.
"""

import asyncio
import os
import signal

from onellm import AsyncOneLLM, ClientClosedError


async def ask(client: AsyncOneLLM, text: str) -> str | None:
    reply = await client.chat.completions.create(
        model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": text}]
    )
    return reply.choices[0].message.content


async def main() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)

    async with AsyncOneLLM(stats=True) as client:
        for reply in await asyncio.gather(*(ask(client, str(number)) for number in range(5))):
            print(reply)
        stats = client.stats()  # counts by model, too: stats.models["openai/gpt-5.4-mini"]
        print(f"answers: {stats.calls}, tokens: {stats.input_tokens + stats.output_tokens}")

        last = asyncio.create_task(ask(client, "and one more"))
        await asyncio.sleep(0)  # it has begun
        os.kill(os.getpid(), signal.SIGTERM)
        await told.wait()

        draining = asyncio.create_task(client.drain(timeout=30))
        await asyncio.sleep(0)
        try:
            await ask(client, "too late")
        except ClientClosedError as exc:
            print(f"no new calls: {exc}")
        report = await draining
        print(f"finished {report.finished}, left {len(report.left)}")
        print(f"the last: {await last}")


asyncio.run(main())
