"""A host of your own that speaks OpenAI's API: vLLM, llama.cpp's server, a proxy, …

MINE_BASE_URL=http://127.0.0.1:8000/v1 python examples/own_host.py
"""

import asyncio
import os

from onellm import AsyncOneLLM

# The same in a file: see docs/configuration.md.
MINE = {
    "base_url": os.environ.get("MINE_BASE_URL", "http://127.0.0.1:8000/v1"),
    "key_env": "MINE_API_KEY",  # may be unset: not every host wants a key
    "headers": {"X-Team": "search"},
}


async def main() -> None:
    async with AsyncOneLLM(providers={"mine": MINE}) as client:
        models = await client.models.list("mine")
        print("models:", ", ".join(model.id for model in models))
        reply = await client.chat.completions.create(
            model=f"mine/{models[0].id}",
            messages=[{"role": "user", "content": "Who are you?"}],
            max_tokens=50,
            extra_body={"top_k": 20},  # what the host takes beyond OpenAI's arguments
        )
        print(reply.choices[0].message.content)


asyncio.run(main())
