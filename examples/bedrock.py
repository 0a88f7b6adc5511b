"""Claude on Amazon Bedrock: thinking, a tool, and the thinking sent back.

Needs AWS_REGION, and AWS_BEARER_TOKEN_BEDROCK or AWS credentials (pip install "onellm[bedrock]").
"""

import asyncio
import json
from typing import Any

from onellm import AsyncOneLLM
from onellm.types.bedrock import BedrockOptions

MODEL = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
THINKING = BedrockOptions(fields={"thinking": {"type": "enabled", "budget_tokens": 1024}}, cache_points=("tools",))


async def main() -> None:
    async with AsyncOneLLM() as client:
        messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
        reply = await client.chat.completions.create(
            model=MODEL, messages=messages, tools=[WEATHER], max_tokens=2048, bedrock=THINKING
        )
        message = reply.choices[0].message
        messages.append(message)  # with the signature of its thinking, which Bedrock wants back
        for call in message.tool_calls or ():
            city = json.loads(call.function.arguments)["city"]
            print(f"{call.function.name} of {city}")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 °C, clear"})

        async with await client.chat.completions.create(
            model=MODEL, messages=messages, tools=[WEATHER], max_tokens=2048, bedrock=THINKING, stream=True
        ) as stream:
            async for chunk in stream:
                print(chunk.choices[0].delta.content or "", end="")
        final = await stream.get_final_completion()
        print(f"\n{final.usage.prompt_tokens if final.usage else 0} tokens in")


asyncio.run(main())
