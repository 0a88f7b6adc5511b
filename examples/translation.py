"""What is said in any language, as English text. Needs OPENAI_API_KEY, or another provider's key and model.

python examples/translation.py [RECORDING.wav]
"""

import io
import math
import struct
import sys
import wave
from pathlib import Path

from onellm import OneLLM


def tone(seconds: float = 1.0, hertz: float = 440.0, rate: int = 16_000) -> bytes:
    """A WAV of one note, in which nobody says anything."""
    note = (round(8000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(int(seconds * rate)))
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", each) for each in note))
    return target.getvalue()


with OneLLM() as client:
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else ("note.wav", tone())
    said = client.audio.translations.create(model="openai/whisper-1", file=recording)
    print(said.text)
