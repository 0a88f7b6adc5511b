"""What a hop to the loop thread costs, and what an item of a stream costs when a read brings many."""
# A script, which is in no package and whose purpose is to print:
# ruff: noqa: INP001, T201

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING

from onellm._sync import portal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

HOPS = 2_000
BATCH = 1_000
BATCHES = 200
ROUNDS = 9


async def empty() -> None:
    pass


async def give_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def per_hop(bridge: Callable[[Coroutine[None, None, None]], None]) -> float:
    start = time.perf_counter()
    for _ in range(HOPS):
        bridge(empty())
    return (time.perf_counter() - start) / HOPS * 1e6


def per_item() -> float:
    """Microseconds an item, the hops included: one for each BATCH items."""
    batches = iter([[None] * BATCH] * BATCHES)

    async def next_batch() -> list[None]:
        return next(batches, [])

    start = time.perf_counter()
    for _ in portal.iterate(next_batch):
        pass
    return (time.perf_counter() - start) / (BATCH * BATCHES) * 1e6


def main() -> None:
    loop = portal.run(give_loop())
    rows: dict[str, Callable[[], float]] = {
        "run, a hop": lambda: per_hop(portal.run),
        "run_coroutine_threadsafe, a hop": lambda: per_hop(
            lambda coro: asyncio.run_coroutine_threadsafe(coro, loop).result()
        ),
        f"iterate, an item (of {BATCH} a hop)": per_item,
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):  # in turns, so that a slow moment of the machine is slow for all
        for name, measure in rows.items():
            times[name].append(measure())
    print(f"Python {sys.version.split()[0]}{'':24} best us   median us")
    for name, values in times.items():
        print(f"{name:36} {min(values):8.3f}    {statistics.median(values):8.3f}")


if __name__ == "__main__":
    main()
