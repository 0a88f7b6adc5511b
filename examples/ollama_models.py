"""A model fetched by Ollama, asked, and what it can do. Needs a server: `ollama serve`."""

import asyncio

from onellm import AsyncOneLLM, OllamaOptions

MODEL = "ollama/qwen3:4b"


async def main() -> None:
    async with AsyncOneLLM() as client:
        async with await client.models.pull(MODEL, stream=True) as pull:
            async for progress in pull:
                if progress.total and progress.completed:
                    print(f"{progress.status}: {progress.completed / progress.total:.0%}")
        shown = await client.models.retrieve(MODEL)
        print("it can:", ", ".join(shown.model_extra["capabilities"]))

        async with await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
            reasoning_effort="low",
            ollama=OllamaOptions(num_ctx=8192, keep_alive="10m"),
            stream=True,
        ) as stream:
            async for chunk in stream:
                print(chunk.choices[0].delta.reasoning or chunk.choices[0].delta.content or "", end="", flush=True)
            reply = await stream.get_final_completion()
        print()
        said = reply.model_extra
        print(f"{said['eval_count'] / said['eval_duration'] * 1e9:.0f} tokens a second")


asyncio.run(main())
