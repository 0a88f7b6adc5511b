"""A text as spoken audio: written to a file as it comes, and in pieces. Needs OPENAI_API_KEY."""

import asyncio

from onellm import AsyncOneLLM

MODEL = "openai/gpt-4o-mini-tts"


async def main() -> None:
    async with AsyncOneLLM() as client:
        async with await client.audio.speech.create(
            model=MODEL,
            voice="marin",
            input="The quick brown fox jumps over the lazy dog.",
            instructions="Speak like a newsreader.",
            response_format="wav",
        ) as spoken:
            await spoken.write_to_file("fox.wav")
        print(f"fox.wav: {spoken.content_type}")

        # Piece by piece, for a loudspeaker: raw samples, 24,000 a second, 16 bits each.
        size = 0
        async with await client.audio.speech.create(
            model=MODEL, voice="marin", input="And back again.", response_format="pcm"
        ) as spoken:
            async for piece in spoken.iter_bytes():
                size += len(piece)
        print(f"{size} bytes in pieces")


asyncio.run(main())
