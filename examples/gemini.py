"""Gemini through its own API: it thinks, calls two functions at once, and goes on. Needs GOOGLE_API_KEY."""

import asyncio
import json
from typing import Any

from onellm import AsyncOneLLM, GoogleOptions

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


async def main() -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris and in Rome?"}]
    async with AsyncOneLLM() as client:
        while True:
            reply = await client.chat.completions.create(
                model="google/gemini-3.8-flash",
                messages=messages,
                tools=[TOOL],
                google=GoogleOptions(thinking_level="low", include_thoughts=True),
            )
            message = reply.choices[0].message
            messages.append(message)  # its signatures ride along
            if not message.tool_calls:
                break
            print("thought:", message.reasoning)
            for call in message.tool_calls:
                city = json.loads(call.function.arguments)["city"]
                print("asked for", city)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": f"sunny in {city}"})
        print(message.content)


asyncio.run(main())
