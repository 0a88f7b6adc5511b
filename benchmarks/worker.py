"""A client in a process and an environment of its own, that does what it is told and says what it took.

    python -m benchmarks.worker CLIENT URL

A line of JSON in is a turn, a line of JSON out what came of it: `cpu`, seconds of this process in all its threads, and
`units`, the calls, chunks or vectors. Imports only what Python has, as it runs where OneLLM is not.
"""

import asyncio
import gc
import json
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks import decoders
from benchmarks.clients import CLIENTS, INPUTS, Client

Ran = dict[str, Any]


async def chat(client: Any, *, path: str, in_flight: int, each: int) -> int:
    async def one_after_another() -> None:
        for _ in range(each):
            await client.chat(path)

    if in_flight == 1:
        await one_after_another()
    else:
        await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return in_flight * each


async def stream(client: Any, *, path: str, streams: int, events: int, spread: float = 0.0, each: int = 1) -> int:
    """`spread` seconds between the streams, or all chunks come at the same time, and in one wake-up."""

    async def one(number: int) -> None:
        if spread:
            await asyncio.sleep(number * spread)
        for _ in range(each):
            _check(await client.stream(path), events)

    await asyncio.gather(*(one(number) for number in range(streams)))
    return streams * events * each


async def lateness(client: Any, *, path: str, streams: int, events: int) -> Ran:
    """Seconds from when a chunk was written to when the caller had it, of all chunks of all streams."""
    late: list[float] = []
    clock = time.monotonic

    def note(text: str) -> None:
        late.append(clock() - float(text))

    counts = await asyncio.gather(*(client.stream(path, note) for _ in range(streams)))
    for count in counts:
        _check(count, events)
    late.sort()
    return {"units": len(late), "p50": late[len(late) // 2], "p99": late[len(late) * 99 // 100], "latest": late[-1]}


async def memory(client: Any, *, path: str, streams: int, events: int) -> Ran:
    """What Python has allocated for each of many open streams, in the middle of their answers, in bytes."""
    await client.stream(path)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        middle = 0
        seen = 0

        def note(_text: str) -> None:
            nonlocal middle, seen
            seen += 1
            if seen == streams * events // 2:
                gc.collect()
                middle, _ = tracemalloc.get_traced_memory()

        await asyncio.gather(*(client.stream(path, note) for _ in range(streams)))
    finally:
        tracemalloc.stop()
    return {"units": streams, "bytes": (middle - before) / streams}


async def embeddings(client: Any, *, each: int) -> int:
    for _ in range(each):
        await client.embeddings()
    return each * len(INPUTS)


def chat_blocking(client: Any, *, path: str, each: int) -> int:
    for _ in range(each):
        client.chat_blocking(path)
    return each


def stream_blocking(client: Any, *, path: str, events: int) -> int:
    _check(client.stream_blocking(path), events)
    return events


def _check(count: int, events: int) -> None:
    if count != events:
        raise AssertionError(f"{count} chunks, not {events}")


ASYNC: dict[str, Callable[..., Coroutine[Any, Any, int | Ran]]] = {
    "chat": chat,
    "stream": stream,
    "lateness": lateness,
    "memory": memory,
    "embeddings": embeddings,
}
BLOCKING: dict[str, Callable[..., int]] = {"chat_blocking": chat_blocking, "stream_blocking": stream_blocking}
NEEDS = {"lateness": "stream", "memory": "stream"}


def turn(runner: "asyncio.Runner", client: Client | None, asked: Ran) -> Ran:
    do: str = asked.pop("do")
    if do == "decode":
        return decoders.turn(**asked)
    if not hasattr(client, NEEDS.get(do, do)):
        return {"lacks": do}
    gc.collect()
    start = time.process_time()
    if do in ASYNC:
        ran: Any = runner.run(ASYNC[do](client, **asked))
    else:
        ran = BLOCKING[do](client, **asked)
    spent = time.process_time() - start
    return {"cpu": spent, **(ran if isinstance(ran, dict) else {"units": ran})}


def main() -> None:
    name, url = sys.argv[1:]
    if hasattr(os, "sched_setaffinity") and len(cpus := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, cpus[1:])  # the server has the first: who shares a CPU with it is not left to chance
    out = sys.stdout
    sys.stdout = sys.stderr  # a library that prints is not taken for an answer
    made = CLIENTS.get(name)
    client = made(url) if made is not None else None
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            try:
                ran = turn(runner, client, json.loads(line))
            except Exception as exc:  # noqa: BLE001 - whatever a client raises is its result
                ran = {"error": f"{type(exc).__name__}: {exc}"[:300]}
            print(json.dumps(ran), file=out, flush=True)
        if client is not None:
            runner.run(client.close())


if __name__ == "__main__":
    main()
