"""Answers of a type: what comes back is a Struct, checked, and grows while it is written.

OPENAI_API_KEY=… python examples/typed_answers.py [provider/model]
"""

import asyncio
import sys
from typing import Literal

from msgspec import Struct

from onellm import AsyncOneLLM, ResponseValidationError


class Ingredient(Struct):
    name: str
    grams: int


class Recipe(Struct):
    """A recipe for two."""

    title: str
    effort: Literal["low", "high"]
    ingredients: list[Ingredient]


async def main(model: str) -> None:
    async with AsyncOneLLM() as client:
        try:
            reply = await client.chat.completions.parse(
                model=model,
                messages=[{"role": "user", "content": "A quick recipe with chickpeas"}],
                response_format=Recipe,
                retries_on_invalid=1,
            )
        except ResponseValidationError as error:
            print(f"no recipe: {error}")
            return
        message = reply.choices[0].message
        if message.parsed is None:
            print(f"no recipe: {message.refusal}")
            return
        print(f"{message.parsed.title}: {len(message.parsed.ingredients)} ingredients, {message.parsed.effort} effort")

        async with await client.chat.completions.parse(
            model=model,
            messages=[{"role": "user", "content": "Three dishes from Lazio"}],
            response_format=list[str],
            stream=True,
        ) as stream:
            async for _ in stream:
                print(f"so far: {stream.partial()}", end="\r")
            final = await stream.get_final_completion()
        print(f"at last: {final.choices[0].message.parsed}")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "openai/gpt-5.4-mini"))
