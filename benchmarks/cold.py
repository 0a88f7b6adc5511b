"""A program whose only purpose is one answer.

`python -m benchmarks.cold CLIENT URL` prints "cpu" and what all of it took: seconds of CPU, from the interpreter's own
start to the answer.
"""

import asyncio
import sys
import time
from typing import Any

from benchmarks.clients import CLIENTS


async def ask(client: Any) -> None:
    await client.chat("v1")


if __name__ == "__main__":
    name, url = sys.argv[1:]
    asked = CLIENTS[name](url)

    async def main() -> None:
        await ask(asked)
        print("cpu", time.process_time(), flush=True)
        await asked.close()

    asyncio.run(main())
