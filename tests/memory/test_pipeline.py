"""What a pipeline holds does not grow with its inputs: the benchmark's client, with fewer inputs than there."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, run_python

MIB = 1 << 20


@pytest.fixture
def host() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.vector_host"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:  # noqa: S603 - ours
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        process.stdin.close()


@pytest.mark.parametrize("kept", [False, True], ids=["without a checkpoint", "with one"])
async def test_fifty_thousand_inputs_take_the_memory_of_ten_thousand(
    kept: bool, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a process of its own, which looks at every vector. With a million it is the same: `make bench`."""
    monkeypatch.chdir(ROOT)

    async def run(count: int) -> dict[str, Any]:
        more = ["--to", str(tmp_path / f"{count}.sqlite")] if kept else []
        ran = await run_python("-m", "benchmarks.pipeline", "--client", "onellm", host, "--count", str(count), *more)
        assert (ran.code, ran.err) == (0, "")
        found: dict[str, Any] = json.loads(ran.out)
        return found

    few, many = await asyncio.gather(run(10_000), run(50_000))
    assert (few["count"], many["count"]) == (10_000, 50_000)
    assert many["peak"] - few["peak"] < 50 * MIB
