"""Python scripts in a process of their own, for what shows only when a process ends, forks or starts."""

import asyncio
import os
import sys

STRICT = ("-X", "dev", "-W", "error")


async def python(script: str, *arguments: str, flags: tuple[str, ...] = STRICT) -> str:
    """What a script prints. It must succeed in time, with nothing on stderr; warnings are errors by default."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *flags,
        "-c",
        script,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        printed, complained = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert complained.decode() == ""
    assert process.returncode == 0
    return printed.decode()
