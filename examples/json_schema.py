"""An answer that has a shape: JSON by a schema, decoded into a Struct. Needs OPENAI_API_KEY."""

import asyncio

import msgspec

from onellm import AsyncOneLLM


class Recipe(msgspec.Struct):
    name: str
    minutes: int
    ingredients: list[str]
    vegetarian: bool


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "minutes": {"type": "integer"},
        "ingredients": {"type": "array", "items": {"type": "string"}},
        "vegetarian": {"type": "boolean"},
    },
    "required": ["name", "minutes", "ingredients", "vegetarian"],
    "additionalProperties": False,
}


async def main() -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[{"role": "user", "content": "A quick recipe with chickpeas"}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "recipe", "schema": SCHEMA, "strict": True},
            },
        )
    message = reply.choices[0].message
    if message.refusal or message.content is None:
        print(f"no recipe: {message.refusal}")
        return
    recipe = msgspec.json.decode(message.content, type=Recipe)
    print(f"{recipe.name}: {len(recipe.ingredients)} ingredients, {recipe.minutes} minutes")


asyncio.run(main())
