"""Answers from documents, with what each part of the answer rests on. Needs CO_API_KEY."""

import asyncio

from onellm import AsyncOneLLM, CohereOptions

LIBRARY = [
    "Cats sleep for most of the day.",
    "The Ruby language was made by Yukihiro Matsumoto in 1995.",
    "A ruby is a red gem.",
]
QUESTION = "Who made the Ruby language, and when?"


async def main() -> None:
    async with AsyncOneLLM() as client:
        best = await client.rerank.create(model="cohere/rerank-v3.5", query=QUESTION, documents=LIBRARY, top_n=2)
        found = CohereOptions(
            documents=[
                {"id": f"library-{result.index}", "data": {"title": "Library", "text": LIBRARY[result.index]}}
                for result in best.results
            ]
        )
        async with await client.chat.completions.create(
            model="cohere/command-a-03-2025",
            messages=[{"role": "user", "content": QUESTION}],
            cohere=found,
            stream=True,
        ) as stream:
            async for chunk in stream:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
            reply = await stream.get_final_completion()
    print()
    message = reply.choices[0].message
    for citation in message.citations or ():
        part = (message.content or "")[citation.start_index : citation.end_index]
        print(f'"{part}" rests on {citation.document}, {citation.title}: {citation.text}')


asyncio.run(main())
