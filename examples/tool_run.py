"""Tools: Python functions that the model may call, called until it has its answer.

OPENAI_API_KEY=… python examples/tool_run.py [provider/model]
"""

import asyncio
import sys
from typing import Literal

from onellm import AsyncOneLLM, RunReply, RunToolCall, RunToolResult

FORECASTS = {"Rome": "sunny, 24 °C", "Oslo": "rain, 8 °C"}


async def weather(city: str, day: Literal["today", "tomorrow"] = "today") -> str:
    """The weather of a city.

    Args:
        city: its English name
        day: which day
    """
    return f"{FORECASTS.get(city, 'unknown')} {day}"


async def main(model: str) -> None:
    async with (
        AsyncOneLLM() as client,
        client.chat.completions.run(
            model=model,
            messages=[{"role": "user", "content": "Where is it warmer tomorrow: in Rome or in Oslo?"}],
            tools=[weather],
        ) as run,
    ):
        async for event in run:
            match event:
                case RunToolCall(call=call):
                    print(f"-> {call.function.name}({call.function.arguments})")
                case RunToolResult(content=told):
                    print(f"<- {told}")
                case RunReply(reply=reply) if content := reply.choices[0].message.content:
                    print(content)
                case _:
                    pass
        print(f"{run.usage.total_tokens} tokens")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "openai/gpt-5.4-mini"))
