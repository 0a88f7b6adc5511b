"""Sound as it comes: samples of 16 bits, one channel, without a header. https://ai.google.dev/gemini-api/docs/speech-generation"""

import re
import struct

_RATE = re.compile(r"rate=(\d+)")
_USUAL_RATE = 24000


def as_wav(samples: bytes, mime_type: str) -> bytes:
    """The samples as a wav file; what is one already stays as it is."""
    if samples.startswith(b"RIFF"):
        return samples
    found = _RATE.search(mime_type)
    rate = int(found[1]) if found else _USUAL_RATE
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples))
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + len(samples)) + b"WAVE" + chunks + samples
