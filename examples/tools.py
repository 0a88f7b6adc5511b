"""A round of tools: the model asks for functions, gets what they give, and answers. Needs OPENAI_API_KEY."""

import asyncio
import json

from onellm import AsyncOneLLM
from onellm.types.chat_params import MessageParam, ToolParam

MODEL = "openai/gpt-5.4-mini"
WEATHER: ToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city, now",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


def weather(city: str) -> str:
    return f"12 degrees and rain in {city}"


async def main() -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "Do I need an umbrella in Rome, and in Oslo?"}]
    async with AsyncOneLLM() as client:
        for _ in range(5):  # a model may ask again when it has seen what came; not for ever
            reply = await client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
            message = reply.choices[0].message
            messages.append(message)  # it goes back in as it is, with whatever the provider put beside it
            if not message.tool_calls:
                print(message.content)
                break
            for call in message.tool_calls:
                found = weather(**json.loads(call.function.arguments))
                print(f"{call.function.name}({call.function.arguments}) -> {found}")
                messages.append({"role": "tool", "tool_call_id": call.id, "content": found})


asyncio.run(main())
