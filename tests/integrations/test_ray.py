"""Actors of a real Ray on this machine, and a real Redis. Ray has processes, and warnings, of its own."""

import asyncio
import itertools
import json
import os
import select
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ROOT, require, run_python, unset_all
from loopback import Answer, Loopback, Recorded
from openai_host import openai_host
from redis_host import needs_redis, running_redis

HIDDEN = "sk-hidden-0123456789"
MARK = "ONELLM_TEST_OF_RAY"


def processes(mark: str) -> dict[int, str]:
    """The command lines, by their ids, of processes that have the mark in their environment."""
    found: dict[int, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:  # it has ended, or is another's
            continue
    return found


def ends(process: int, within: float) -> bool:
    """Whether a process ends in so many seconds."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


def written(folder: Path, text: str) -> tuple[set[str], list[Path]]:
    """The names of all files in a folder, and those files that hold a text."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.name for file in files}, [file for file in files if text.encode() in file.read_bytes()]


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A machine on which nothing is configured, and what Ray's processes are known by. They must end with the test."""
    if sys.platform != "linux":
        pytest.skip("looks for processes in /proc")
    require("ray", "pyarrow", "pandas")
    unset_all(monkeypatch, tmp_path)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_enable_export_api_write", "1")  # all that it would tell a dashboard goes into files
    mark = f"{MARK}={os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv(*mark.split("=", 1))
    yield mark
    assert not [command for process, command in processes(mark).items() if not ends(process, 20)]


async def test_rows_go_through_the_actors_once_and_in_order(
    marked: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of three with a client of its own. An error says what it is, and the key is in no file of Ray's."""
    assert processes(marked) == {}
    monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url}/v1")
    monkeypatch.setenv("HIDDEN_KEY", HIDDEN)

    def host(request: Recorded) -> Answer:
        refused = {"error": {"message": "not that", "type": "invalid_request_error"}}
        return Answer(status=400, chunks=[refused]) if b'"bad"' in request.body else openai_host(request)

    loopback.chooses(host)
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # the path of a socket in it must be short
        ran = await run_python(str(ROOT / "tests" / "integrations" / "on_ray.py"), folder)
        assert ran.code == 0, ran.err
        names, shown = written(Path(folder), HIDDEN)
    assert "event_EXPORT_DATASET_METADATA.log" in names
    assert shown == []
    assert HIDDEN not in ran.err
    said = json.loads(ran.out.splitlines()[-1])
    assert said["ids"] == list(range(60))
    assert said["lengths"] == [number + 1 for number in range(60)]
    assert said["kind"] == "float32 (5,)"
    assert len(said["processes"]) == 3
    assert said["answers"] == [["You said: one", 3], ["You said: two", 3]]
    assert "onellm.errors.BadRequestError: openai/m: inputs[0]: not that (400)" in said["failed"]
    assert {request.headers["authorization"] for request in loopback.requests} == {f"Bearer {HIDDEN}"}
    sent = [
        text for request in loopback.requests if request.path.endswith("embeddings") for text in request.json["input"]
    ]
    assert sorted(sent) == sorted(["bad", *("x" * (number + 1) for number in range(60))])
    async with asyncio.timeout(20):
        await loopback.wait_until_alone()


@needs_redis
async def test_the_example_keeps_one_limit_for_all_workers(
    marked: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row is written once, with its vector; no stretch of time holds more requests than burst and rate allow."""
    assert processes(marked) == {}
    came: list[float] = []

    def host(request: Recorded) -> Answer:
        came.append(time.monotonic())
        return openai_host(request)

    loopback.chooses(host)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url}/v1")
    async with running_redis() as redis:
        monkeypatch.setenv("REDIS_URL", redis.url)
        ran = await run_python(str(ROOT / "examples" / "ray_embeddings.py"))
    assert (ran.code, ran.out) == (0, "1200 rows, 0 failed, fixed_size_list<element: float>[5]\n"), ran.err
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    rows = pq.read_table("vectors").to_pylist()
    assert sorted(row["id"] for row in rows) == list(range(1200))
    assert all(row["text"] == f"What document number {row['id']} says" for row in rows)
    assert all(row["embedding"] == [len(row["text"]), 0.5, -0.25, 0.125, 1.0] for row in rows)
    assert len(loopback.requests) == 1200 / 20
    for (first, begin), (last, end) in itertools.combinations(enumerate(came), 2):
        late = 3  # requests that waited on their way
        assert last - first + 1 <= 24 + (end - begin) * 9.4 + 1 + late
    assert came[-1] - came[0] < 1.5 * (60 - 24) / 9.4
