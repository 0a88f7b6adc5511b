"""A conversation by sound: a WAV goes in, a WAV and its words come out. Needs OPENAI_API_KEY.

python examples/audio_chat.py [QUESTION.wav]
"""

import asyncio
import base64
import io
import math
import struct
import sys
import wave
from pathlib import Path

from onellm import AsyncOneLLM


def tone(seconds: float = 0.5, hertz: float = 440.0, rate: int = 16_000) -> bytes:
    """A WAV of one note."""
    note = (round(8000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(int(seconds * rate)))
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", each) for each in note))
    return target.getvalue()


async def main(sound: bytes) -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-audio",
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What do you hear?"},
                        {
                            "type": "input_audio",
                            "input_audio": {"data": base64.b64encode(sound).decode(), "format": "wav"},
                        },
                    ],
                }
            ],
        )
    audio = reply.choices[0].message.audio
    if audio is None:
        print(reply.choices[0].message.content)
        return
    spoken = base64.b64decode(audio.data)
    await asyncio.to_thread(Path("answer.wav").write_bytes, spoken)
    print(f"{audio.transcript} ({len(spoken)} bytes in answer.wav)")


asyncio.run(main(Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else tone()))
