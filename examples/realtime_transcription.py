"""What is said in a recording, word by word: a session that writes down what it hears and answers nothing.

OPENAI_API_KEY=… python examples/realtime_transcription.py recording.wav
"""

import asyncio
import sys

from onellm import AsyncOneLLM, SessionError, TranscriptDelta, TranscriptDone, WavReader


async def main(path: str) -> None:
    with WavReader(path) as recording:
        async with (
            AsyncOneLLM() as client,
            client.realtime.connect(
                model="openai/gpt-4o-mini-transcribe",
                transcribe_only=True,
                turn_detection="none",  # of a microphone, let the provider find the turns: leave this and commit() out
                input_rate=recording.rate,
            ) as session,
        ):
            for pcm in recording.pieces():
                await session.send_audio(pcm)
            await session.commit()
            async for event in session:
                match event:
                    case TranscriptDelta(text=text):
                        print(text, end="", flush=True)
                    case TranscriptDone(error=str(why)) | SessionError(message=why):
                        sys.exit(f"nothing was written down: {why}")
                    case TranscriptDone():
                        print()
                        break
                    case _:
                        pass


asyncio.run(main(sys.argv[1]))
