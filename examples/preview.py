"""What a call would send to one provider and to another. Needs no key: nothing is sent."""

import asyncio

from onellm import AsyncOneLLM, UnsupportedParameterError


async def main() -> None:
    async with AsyncOneLLM() as client:
        for model in ("openai/gpt-5.4-mini", "mistral/mistral-small-latest", "deepseek/deepseek-chat"):
            shown = await client.chat.completions.preview(
                model=model,
                messages=[{"role": "user", "content": "Is it raining in Rome?"}],
                max_tokens=100,
                seed=7,
                on_unsupported="drop",
            )
            print(shown.method, shown.url, shown.headers["Authorization"])
            print("   ", {name: value for name, value in shown.json.items() if name != "messages"})
            for note in shown.adjustments:
                print("   ", note)
        try:
            await client.chat.completions.preview(
                model="perplexity/sonar", messages=[{"role": "user", "content": "Hello"}], parallel_tool_calls=True
            )
        except UnsupportedParameterError as exc:
            print(exc)


asyncio.run(main())
