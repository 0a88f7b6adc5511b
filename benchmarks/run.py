"""Claim: OneLLM costs little more than the least that its libraries cost, in CPU of the client.

    python -m benchmarks.run [--only chat|stream|import|embeddings|sync] [--rounds N]

The clients take turns in each round, in one process, against one server in a process of its own; a ratio is of two
turns of the same round. Other work on the machine moves the microseconds and hardly the ratios. Ends with status 1
where a budget is not met.
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

import onellm
from benchmarks import minimal, server
from onellm import AsyncOneLLM

KINDS = ("chat", "stream", "embeddings", "sync", "import")
KEY = "sk-benchmark"
MODEL = "gpt-5.4-mini"
MESSAGES: list[Any] = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "Why is the sky blue?"},
]
INPUTS = [f"text number {number}" for number in range(server.VECTORS)]
PACED_STREAMS = 50
SPREAD = server.PACE / PACED_STREAMS

Turn = Callable[[], Awaitable[object]]


class Case(Struct, kw_only=True):
    """One line of the table. A turn is `units` calls, chunks or vectors; budget is the highest ratio to minimal."""

    name: str
    units: int
    budget: float
    turns: dict[str, Turn]


class Clients:
    """The clients that are compared; openai's where it is installed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.minimal = minimal.session(KEY)
        paths = ("v1", "one", "burst", "packed", "paced")
        self.onellm = {path: AsyncOneLLM(api_key=KEY, base_url=f"{url}/{path}") for path in paths}
        self.openai: dict[str, Any] = {}
        if importlib.util.find_spec("openai") is not None:
            openai = importlib.import_module("openai")
            self.openai = {path: openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/{path}") for path in paths}

    async def aclose(self) -> None:
        await self.minimal.close()
        for client in self.onellm.values():
            await client.aclose()
        for client in self.openai.values():
            await client.close()


def chat_cases(clients: Clients) -> list[Case]:
    url = f"{clients.url}/v1"
    ours = clients.onellm["v1"].chat.completions
    calls: dict[str, Turn] = {
        "minimal": lambda: minimal.chat(clients.minimal, url, MODEL, MESSAGES),
        "onellm": lambda: ours.create(model=f"openai/{MODEL}", messages=MESSAGES),
    }
    if clients.openai:
        theirs = clients.openai["v1"].chat.completions
        calls["openai"] = lambda: theirs.create(model=MODEL, messages=MESSAGES)

    def case(name: str, budget: float, in_flight: int, each: int) -> Case:
        # openai's pool costs more the more calls are in flight, and does not end with a thousand.
        shown = {client: call for client, call in calls.items() if client != "openai" or in_flight <= 32}  # noqa: PLR2004
        turns = {client: _in_flight(call, in_flight, each) for client, call in shown.items()}
        return Case(name=name, units=in_flight * each, budget=budget, turns=turns)

    return [
        case("chat call, one at a time", 1.25, 1, 200),
        case("chat call, 32 in flight", 1.25, 32, 8),
        case("chat call, 256 in flight", 1.25, 256, 2),
        case("chat call, 1,000 in flight", 1.25, 1000, 2),
    ]


def _in_flight(call: Turn, in_flight: int, each: int) -> Turn:
    async def one_after_another() -> None:
        for _ in range(each):
            await call()

    async def together() -> None:
        await asyncio.gather(*(one_after_another() for _ in range(in_flight)))

    return one_after_another if in_flight == 1 else together


def stream_cases(clients: Clients) -> list[Case]:
    def case(name: str, budget: float, path: str, events: int, streams: int = 1) -> Case:
        url = f"{clients.url}/{path}"
        ours = clients.onellm[path].chat.completions

        async def of_minimal() -> int:
            return await minimal.stream(clients.minimal, url, MODEL, MESSAGES)

        async def of_onellm() -> int:
            count = 0
            async with await ours.create(model=f"openai/{MODEL}", messages=MESSAGES, stream=True) as stream:
                async for chunk in stream:
                    if chunk.choices[0].delta.content:
                        count += 1
            return count

        async def of_openai() -> int:
            count = 0
            theirs = clients.openai[path].chat.completions
            async with await theirs.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
                async for chunk in stream:
                    if chunk.choices[0].delta.content:
                        count += 1
            return count

        turns = {"minimal": of_minimal, "onellm": of_onellm, "openai": of_openai}
        if not clients.openai:
            del turns["openai"]
        wanted = {client: _streams(read, events, streams) for client, read in turns.items()}
        return Case(name=name, units=events * streams, budget=budget, turns=wanted)

    return [
        case("stream chunk, one a write", 1.4, "one", server.ONE_EVENTS),
        case("stream chunk, writes in a burst", 2.5, "burst", server.ONE_EVENTS),
        case(f"stream chunk, {server.EVENTS_A_WRITE} a write", 2.5, "packed", server.PACKED_EVENTS),
        case(f"stream chunk, {PACED_STREAMS} paced streams", 1.25, "paced", server.PACED_EVENTS, PACED_STREAMS),
    ]


def _streams(read: Callable[[], Awaitable[int]], events: int, streams: int) -> Turn:
    async def one(number: int) -> None:
        await asyncio.sleep(number * SPREAD)  # or all chunks come at the same time, and in one wake-up
        if (count := await read()) != events:
            raise AssertionError(f"{count} chunks, not {events}")

    async def together() -> None:
        await asyncio.gather(*(one(number) for number in range(streams)))

    return together


def embeddings_cases(clients: Clients) -> list[Case]:
    url = f"{clients.url}/v1"
    ours = clients.onellm["v1"].embeddings
    turns: dict[str, Turn] = {
        "minimal": lambda: minimal.embeddings(clients.minimal, url, MODEL, INPUTS),
        "onellm": lambda: ours.create(model=f"openai/{MODEL}", input=INPUTS),
    }
    if clients.openai:
        theirs = clients.openai["v1"].embeddings
        turns["openai"] = lambda: theirs.create(model=MODEL, input=INPUTS)
    each = {client: _in_flight(turn, 1, 4) for client, turn in turns.items()}
    return [Case(name=f"vector of {server.DIMENSIONS}, base64", units=4 * server.VECTORS, budget=1.2, turns=each)]


async def measure(case: Case, rounds: int) -> dict[str, list[float]]:
    """Seconds of CPU a unit, of each client in each round. The first round is not counted."""
    spent: dict[str, list[float]] = {client: [] for client in case.turns}
    order = list(case.turns.items())
    for _ in range(rounds + 1):
        order.reverse()
        for client, turn in order:
            gc.collect()
            start = time.process_time()
            await turn()
            spent[client].append((time.process_time() - start) / case.units)
    return {client: seconds[1:] for client, seconds in spent.items()}


async def run_async(url: str, kinds: list[str], rounds: int) -> bool:
    clients = Clients(url)
    gc.freeze()  # what was imported costs nobody a pass of the collector
    met = True
    try:
        makers = {"chat": chat_cases, "stream": stream_cases, "embeddings": embeddings_cases}
        for kind, make in makers.items():
            for case in make(clients) if kind in kinds else ():
                met &= show(case.name, case.budget, await measure(case, rounds))
    finally:
        await clients.aclose()
    return met


def run_sync(url: str, rounds: int) -> bool:
    """Blocking calls. Minimal's go to a loop in a thread, as a caller with several threads would send them."""
    blocking: Any = getattr(onellm, "OneLLM", None)
    if blocking is None:
        print("blocking chat call: this OneLLM has no blocking client")
        return True
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def open_session() -> Any:
        return minimal.session(KEY)

    http = asyncio.run_coroutine_threadsafe(open_session(), loop).result()

    def of_minimal() -> None:
        call = minimal.chat(http, f"{url}/v1", MODEL, MESSAGES)
        asyncio.run_coroutine_threadsafe(call, loop).result()

    calls: dict[str, tuple[Any, Callable[[], object]]] = {"minimal": (None, of_minimal)}
    ours = blocking(api_key=KEY, base_url=f"{url}/v1")
    calls["onellm"] = (ours, lambda: ours.chat.completions.create(model=f"openai/{MODEL}", messages=MESSAGES))
    if importlib.util.find_spec("openai") is not None:
        theirs = importlib.import_module("openai").OpenAI(api_key=KEY, base_url=f"{url}/v1")
        calls["openai"] = (theirs, lambda: theirs.chat.completions.create(model=MODEL, messages=MESSAGES))
    spent: dict[str, list[float]] = {client: [] for client in calls}
    for _ in range(rounds + 1):
        for client, (_client, call) in calls.items():
            gc.collect()
            start = time.process_time()
            for _ in range(100):
                call()
            spent[client].append((time.process_time() - start) / 100)
    asyncio.run_coroutine_threadsafe(http.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for client, _ in calls.values():
        if client is not None:
            client.close()
    return show("blocking chat call", 1.2, {client: seconds[1:] for client, seconds in spent.items()})


MOST_MODULES = 150
MOST_IMPORT_MS = 60.0


def run_import(rounds: int) -> bool:
    """CPU of a fresh interpreter, less that of one that imports nothing."""
    print(f"\n{'import, ms over a bare interpreter':36}{'median':>8}{'min':>8}{'max':>8}{'budget':>8}  modules")
    statements = {"import onellm": "onellm", "from onellm import AsyncOneLLM": "onellm"}
    if importlib.util.find_spec("openai") is not None:
        statements["import openai"] = ""
    spent: dict[str, list[float]] = {statement: [] for statement in statements}
    modules: dict[str, set[str]] = {}
    for _ in range(rounds + 1):
        bare, _names = _import("pass")
        for statement in statements:
            seconds, modules[statement] = _import(statement)
            spent[statement].append((seconds - bare) * 1e3)
    met = True
    for statement, ours in statements.items():
        ms, names = spent[statement][1:], modules[statement]
        line = f"{statement:36}{statistics.median(ms):8.1f}{min(ms):8.1f}{max(ms):8.1f}"
        if ours:
            fits = statistics.median(ms) <= MOST_IMPORT_MS and len(names) < MOST_MODULES and "aiohttp" not in names
            met &= fits
            aiohttp = "aiohttp" if "aiohttp" in names else "no aiohttp"
            print(f"{line}{MOST_IMPORT_MS:8.0f}  {len(names)} (below {MOST_MODULES}), {aiohttp}: {_word(met=fits)}")
        else:
            print(f"{line}{'':8}  {len(names)}")
    return met


def _import(statement: str) -> tuple[float, set[str]]:
    code = f"{statement}\nimport sys, time\nprint(time.process_time(), *sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environ)  # noqa: S603 - ourselves
    seconds, *names = done.stdout.split()
    return float(seconds), set(names)


def show_head() -> None:
    titles = "".join(f"{title:>9}" for title in ("minimal", "onellm", "ratio", "min", "max", "budget"))
    print(f"{'us of CPU, and ratios to minimal':36}{titles}  {'':8}{'openai':>9}")


def show(name: str, budget: float, spent: dict[str, list[float]]) -> bool:
    base = spent["minimal"]
    ratios = [ours / least for ours, least in zip(spent["onellm"], base, strict=True)]
    ratio = statistics.median(ratios)
    times = "".join(f"{statistics.median(spent[client]) * 1e6:9.1f}" for client in ("minimal", "onellm"))
    peer = [theirs / least for theirs, least in zip(spent.get("openai", ()), base, strict=False)]
    shown = f"{statistics.median(peer):9.1f}" if peer else f"{'-':>9}"
    met = ratio <= budget
    print(
        f"{name:36}{times}{ratio:9.2f}{min(ratios):9.2f}{max(ratios):9.2f}{budget:9.2f}  {_word(met=met):8}{shown}",
        flush=True,
    )
    return met


def _word(*, met: bool) -> str:
    return "met" if met else "NOT met"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="OneLLM against the least possible.")
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    kinds = [arguments.only] if arguments.only else list(KINDS)
    met = True
    if kinds != ["import"]:
        show_head()
        with server.running() as url:
            met &= asyncio.run(run_async(url, kinds, arguments.rounds))
            if "sync" in kinds:
                met &= run_sync(url, arguments.rounds)
    if "import" in kinds:
        met &= run_import(arguments.rounds)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
