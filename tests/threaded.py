"""The scripted provider for blocking callers."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from loopback import Loopback

T = TypeVar("T")

SECONDS = 60  # what a hang takes to become a failure


class Provider:
    """A `Loopback` in a thread of its own."""

    def __init__(self) -> None:
        self.loopback = Loopback()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.do(self.loopback.__aenter__())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def arrived(self, count: int = 1) -> None:
        """Wait until so many requests have."""
        self.do(self.loopback.wait_for_requests(count))

    def gone(self, request: int = -1) -> None:
        """Wait until the client has closed the connection that a request came in on."""
        self.do(_wait(self.loopback.requests[request].gone))

    def close(self) -> None:
        self.do(self.loopback.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
