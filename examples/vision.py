"""A question about an image. Needs OPENAI_API_KEY, or another provider's key and a model that sees.

python examples/vision.py [IMAGE.png]
"""

import asyncio
import struct
import sys
import zlib
from pathlib import Path

from onellm import AsyncOneLLM, image


def png(size: int = 64) -> bytes:
    """A red square on white."""
    edge, inside = range(size // 4, size * 3 // 4), b"\xff\x00\x00"
    rows = (
        b"\x00" + b"".join(inside if x in edge and y in edge else b"\xff\xff\xff" for x in range(size))
        for y in range(size)
    )
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


async def main(source: bytes | Path) -> None:
    async with AsyncOneLLM() as client:
        reply = await client.chat.completions.create(
            model="openai/gpt-5.4-mini",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is in this image?"},
                        image(source, detail="low"),  # an https URL does as well
                    ],
                }
            ],
        )
    print(reply.choices[0].message.content)


asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else png()))
