"""A model that thinks, calls tools and goes on: its signatures go back by themselves. Needs ANTHROPIC_API_KEY."""

import asyncio

from onellm import AnthropicOptions, AsyncOneLLM
from onellm.types.chat_params import MessageParam, ToolParam

MODEL = "anthropic/claude-sonnet-4-6"
WEATHER: ToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city, now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
OPTIONS = AnthropicOptions(thinking={"type": "adaptive"}, cache_control={"type": "ephemeral"}, default_max_tokens=8000)


async def main() -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "Is it warmer in Oslo or in Rome?"}]
    async with AsyncOneLLM() as client:
        while True:
            reply = await client.chat.completions.create(
                model=MODEL, messages=messages, tools=[WEATHER], anthropic=OPTIONS
            )
            message = reply.choices[0].message
            if message.reasoning:
                print("thinks:", message.reasoning)
            messages.append(message)  # thinking and signatures ride along in message.provider_data
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                print("calls:", call.function.name, call.function.arguments)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 °C"})
        print(message.content)
        if reply.usage and reply.usage.prompt_tokens_details:
            print(reply.usage.prompt_tokens_details.cached_tokens, "tokens of the prompt were cached")


asyncio.run(main())
