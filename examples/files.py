"""Files that the provider keeps: sent, listed, brought back, deleted. Needs OPENAI_API_KEY."""

import asyncio
from pathlib import Path

from onellm import AsyncOneLLM

LINE = '{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": "a"}}\n'


async def main() -> None:
    source, copy = Path("requests.jsonl"), Path("copy.jsonl")
    await asyncio.to_thread(source.write_text, LINE)
    async with AsyncOneLLM() as client:
        sent = await client.files.create(file=source, purpose="batch")  # piece by piece, however large it is
        print(f"{sent.id}: {sent.filename}, {sent.bytes} bytes")
        try:
            async for file in client.files.list(purpose="batch"):  # all pages, each when it is wanted
                if file.id == sent.id:
                    print("it is in the list")
            content = await client.files.content(sent.id)
            await content.write_to_file(copy)
            print(f"written to {copy}")
        finally:
            gone = await client.files.delete(sent.id)
            print(f"deleted: {gone.deleted}")


asyncio.run(main())
