"""Claim: a pipeline is as fast as a host lets it, and a million inputs take no more memory than ten thousand.

    python -m benchmarks.pipeline [--count 1000000] [--checkpoint]

One host in a process of its own, and each client in one of its own: OneLLM, and aiohttp alone, which sends bodies that
are made already and drops the answers. The host answers at once, where it is the client's CPU that counts, or after
0.15 seconds, as fast ones do. Ends with status 1 where a budget is not met.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from benchmarks import vector_host
from onellm import AsyncOneLLM

FEW = 10_000
MOST_MIB = 50  # more than few inputs take
MOST_RATIO = 1.2  # of the wall time of aiohttp alone, with the host that takes its time
REQUEST = 2048
TOGETHER = 8


class Ran(Struct):
    """What a client has taken; peak in bytes."""

    seconds: float
    cpu: float
    peak: int
    count: int


def texts(count: int) -> Iterator[str]:
    return (f"text number {number}" for number in range(count))


def peak() -> int:
    """Bytes. Not ru_maxrss where there is better: it begins with what the process had before exec, its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


async def of_onellm(url: str, count: int, checkpoint: str | None) -> int:
    """Each vector is looked at: the right ones come, in order."""
    expected = 0
    async with AsyncOneLLM(api_key="k", base_url=url) as client:
        more = {"checkpoint": checkpoint} if checkpoint else {}
        async with client.embeddings.stream(texts(count), model="m", concurrency=TOGETHER, **more) as stream:  # type: ignore[arg-type]
            async for start, ids, vectors in stream:
                if start != expected or ids != list(range(start, start + len(ids))):
                    raise AssertionError(f"a batch begins at {start}, not at {expected}")
                numbers = vectors[:, 0].astype(int) + vectors[:, 1].astype(int) * (1 << 20)
                if numbers.tolist() != ids:
                    raise AssertionError(f"the vectors from {start} on are others'")
                expected += len(ids)
    return expected


async def of_aiohttp(url: str, count: int) -> int:
    all_texts = list(texts(count))
    bodies = [
        msgspec.json.encode({"model": "m", "input": all_texts[start : start + REQUEST], "encoding_format": "base64"})
        for start in range(0, count, REQUEST)
    ]
    bodies.reverse()
    del all_texts
    started[:] = [time.perf_counter(), time.process_time()]
    async with aiohttp.ClientSession() as session:

        async def send() -> None:
            while bodies:
                async with session.post(f"{url}/embeddings", data=bodies.pop()) as answer:
                    await answer.read()

        await asyncio.gather(*(send() for _ in range(TOGETHER)))
    return count


started = [0.0, 0.0]


def client(name: str, url: str, count: int, checkpoint: str | None) -> Ran:
    """One client, in this process."""
    started[:] = [time.perf_counter(), time.process_time()]
    done = asyncio.run(of_onellm(url, count, checkpoint) if name == "onellm" else of_aiohttp(url, count))
    seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    return Ran(seconds=seconds, cpu=cpu, peak=peak(), count=done)


def run(name: str, url: str, count: int, checkpoint: str | None = None) -> Ran:
    """One client, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.pipeline", "--client", name, url, "--count", str(count)]
    if checkpoint:
        command += ["--to", checkpoint]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, check=False, cwd=root)  # noqa: S603 - ourselves
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return msgspec.json.decode(done.stdout, type=Ran)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--checkpoint", action="store_true", help="keep one")
    parser.add_argument("--client", nargs=2, metavar=("NAME", "URL"), help=argparse.SUPPRESS)
    parser.add_argument("--to", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        name, url = given.client
        print(json.dumps(msgspec.to_builtins(client(name, url, given.count, given.to))))
        return 0
    with vector_host.running() as url, tempfile.TemporaryDirectory() as folder:

        def onellm(path: str, count: int) -> Ran:
            kept = f"{folder}/{path}-{count}.sqlite" if given.checkpoint else None
            return run("onellm", f"{url}/{path}", count, kept)

        few = onellm("v1", FEW)
        lines = {
            f"onellm, {FEW:,}": few,
            f"onellm, {given.count:,}": (many := onellm("v1", given.count)),
            f"aiohttp alone, {given.count:,}": run("aiohttp", f"{url}/v1", given.count),
            f"onellm, {given.count:,}, paced": (paced := onellm("paced", given.count)),
            f"aiohttp alone, {given.count:,}, paced": (alone := run("aiohttp", f"{url}/paced", given.count)),
        }
    print(f"{'':34}{'seconds':>9}{'CPU':>8}{'inputs/s':>10}{'peak MiB':>10}")
    for name, ran in lines.items():
        print(f"{name:34}{ran.seconds:9.2f}{ran.cpu:8.2f}{ran.count / ran.seconds:10,.0f}{ran.peak / 2**20:10.1f}")
    ratio, added = paced.seconds / alone.seconds, (max(many.peak, paced.peak) - few.peak) / 2**20
    met = ratio <= MOST_RATIO and added <= MOST_MIB
    print(f"paced, {ratio:.2f} of aiohttp's time (budget {MOST_RATIO}); {added:+.1f} MiB (budget {MOST_MIB})")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
