"""Equal calls as one request, and answers that are kept in a file. Needs OPENAI_API_KEY."""

import asyncio
import tempfile
from pathlib import Path

from onellm import AsyncOneLLM, SQLiteCache

MODEL = "openai/gpt-5.4-mini"


async def main(folder: Path) -> None:
    async with (
        SQLiteCache(folder / "answers.sqlite", ttl=3600) as store,
        AsyncOneLLM(answer_cache=store, share=True) as client,
    ):

        async def ask(text: str, *, refresh: bool = False) -> None:
            reply = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": text}],
                temperature=0,
                answer_cache="refresh" if refresh else True,
            )
            source = f"kept for {reply.cached.age:.0f} s" if reply.cached else "new"
            print(f"{reply.choices[0].message.content} ({source})")

        await asyncio.gather(ask("Name a river"), ask("Name a river"))  # under way together: one request
        await ask("Name a river")  # kept
        await ask("Name a river", refresh=True)  # asked anew

        # A stream is kept when it has ended, and replayed as it was.
        for _ in range(2):
            opened = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Name a sea"}], stream=True
            )
            async with opened as stream:
                print("".join([piece async for piece in stream.text()]), "(kept)" if stream.cached else "(new)")


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(Path(folder)))
