"""Responses: an answer made of items, that go back in as they are. Needs OPENAI_API_KEY, or another provider's."""

import asyncio
import json
from typing import Any

from onellm import AsyncOneLLM

MODEL = "openai/gpt-5.4-mini"
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def main() -> None:
    async with AsyncOneLLM() as client:
        turns: list[Any] = [{"role": "user", "content": "What is the weather in Rome?"}]
        reply = await client.responses.create(model=MODEL, input=turns, tools=[WEATHER], store=False)
        turns += reply.output  # thinking and calls of tools go back byte for byte
        for item in reply.output:
            if item.type == "function_call":
                city = json.loads(item.arguments)["city"]
                turns.append({"type": "function_call_output", "call_id": item.call_id, "output": f"21 °C in {city}"})

        # Leaving the inner `async with` closes the connection, also when only a part was read.
        async with await client.responses.create(
            model=MODEL, input=turns, tools=[WEATHER], store=False, stream=True
        ) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="", flush=True)
            whole = await stream.get_final_response()  # what it would have been without stream=True
        tokens = whole.usage.total_tokens if whole.usage else 0
        print(f"\n{whole.status}, {tokens} tokens")


asyncio.run(main())
