"""What is said in a recording, whole and as it is heard. Needs OPENAI_API_KEY, or another provider's key and model.

python examples/transcription.py [RECORDING.wav]
"""

import asyncio
import io
import math
import struct
import sys
import wave
from pathlib import Path

from onellm import AsyncOneLLM

MODEL = "openai/gpt-transcribe"


def tone(seconds: float = 1.0, hertz: float = 440.0, rate: int = 16_000) -> bytes:
    """A WAV of one note, in which nobody says anything."""
    note = (round(8000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(int(seconds * rate)))
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", each) for each in note))
    return target.getvalue()


async def main() -> None:
    # A path is read piece by piece while it is sent. Hosts tell the format by the name.
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else ("note.wav", tone())
    async with AsyncOneLLM() as client:
        heard = await client.audio.transcriptions.create(model=MODEL, file=recording)
        print(f"whole: {heard.text}")

        async with await client.audio.transcriptions.create(model=MODEL, file=recording, stream=True) as stream:
            print("streamed: ", end="")
            async for text in stream.text():
                print(text, end="", flush=True)
            print()


asyncio.run(main())
