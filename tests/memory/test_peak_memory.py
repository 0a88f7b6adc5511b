"""What calls with large bodies add to the peak of a process: the client alone in one, the host in another."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from process import python

MIB = 1 << 20
GIB = 1 << 30

CLIENT = """
import asyncio, os, resource, sys
from pathlib import Path
from onellm import AsyncOneLLM
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.files import OpenAIUploads
from onellm.providers.compatible import compatible

port, folder, *arguments = sys.argv[1:]

def peak():
    "Bytes. Not ru_maxrss where there is better: it begins with what the process had before exec, its parent's."
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

async def main():
    settings = {"api_key": "k", "base_url": f"http://127.0.0.1:{port}/v1"}
    async with AsyncOneLLM(providers={"openai": settings, "mine": settings}) as client:
        await client.files.create(file=b"a", purpose="batch")  # imports, a connection, buffers
        before = peak()
        print(await call(client))
        print(peak() - before)
"""

RUN = "\nasyncio.run(main())\n"

WHOLE = """
async def call(client):
    client.register(compatible("mine", uploads=OpenAIUploads(largest_whole=2 << 30)))
    file = await client.files.create(file=Path(folder, "sparse.jsonl"), purpose="batch", provider="mine")
    return file.bytes >= 1 << 30, file.filename
"""

PARTS = """
async def call(client):
    file = await client.files.create(file=Path(folder, "sparse.jsonl"), purpose="batch")
    return file.bytes >= 1 << 30, file.filename
"""

DOWNLOAD = """
async def call(client):
    content = await client.files.content("file-1")
    await content.write_to_file(Path(folder, "written"))
    return Path(folder, "written").stat().st_size == 1 << 30
"""

SPEECH = """
async def call(client):
    spoken = await client.audio.speech.create(model="openai/tts", voice="marin", input="A long story.")
    await spoken.write_to_file(Path(folder, "written"))
    return Path(folder, "written").stat().st_size == 1 << 30
"""

EMBEDDINGS = """
async def call(client):
    most, count = map(int, arguments)
    client.register(compatible("mine", embeddings=OpenAIEmbeddings(max_inputs=most)))
    reply = await client.embeddings.create(model="mine/m", input=[f"text {number}" for number in range(count)])
    assert [item.index for item in reply.data] == list(range(count))
    return {(type(item.embedding).__name__, item.embedding.itemsize, len(item.embedding)) for item in reply.data}
"""


@pytest.fixture
def port() -> Iterator[str]:
    """The host's."""
    script = str(Path(__file__).with_name("large_host.py"))
    command = [sys.executable, script, str(GIB), "1536"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:  # noqa: S603
        assert host.stdin is not None
        assert host.stdout is not None
        yield host.stdout.readline().strip()
        host.stdin.close()
        assert host.wait(30) == 0


@contextlib.contextmanager
def cleared(folder: Path) -> Iterator[Path]:
    """A folder whose large files do not stay."""
    with (folder / "sparse.jsonl").open("wb") as sparse:
        sparse.truncate(GIB)
    yield folder
    for file in folder.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("call", "gives"),
    [
        (WHOLE, "(True, '0 parts')"),
        (PARTS, "(True, '17 parts')"),  # of 64 MB
        (DOWNLOAD, "True"),
        (SPEECH, "True"),
    ],
    ids=["upload", "upload in parts", "download", "speech"],
)
async def test_a_gibibyte_adds_less_than_32_mib(call: str, gives: str, port: str, tmp_path: Path) -> None:
    """It passes through in pieces; on two cores in 2 to 3 seconds each way."""
    with cleared(tmp_path) as folder:
        printed = await python(CLIENT + call + RUN, port, str(folder), flags=("-W", "error"))
    result, added = printed.splitlines()
    assert result == gives
    assert int(added) < 32 * MIB


@pytest.mark.parametrize(("most", "connections"), [(2048, 5), (250, 8)], ids=["few requests", "many requests"])
async def test_embeddings_hold_their_vectors_and_a_body_for_each_connection(
    most: int, connections: int, port: str, tmp_path: Path
) -> None:
    """10,000 vectors: 59 MiB as float32, which are given back, 469 MiB as lists of floats.

    Beside them an answer's body (8 KiB of base64 a vector) for each connection, and one more: a body that is decoded
    is there as bytes too. The answers of 40 requests are not kept until the last has come: that would be 80 MiB.
    """
    count, vector = 10_000, 1536 * 4
    printed = await python(CLIENT + EMBEDDINGS + RUN, port, str(tmp_path), str(most), str(count), flags=("-W", "error"))
    result, added = printed.splitlines()
    assert result == "{('array', 4, 1536)}"
    body = most * vector * 4 // 3
    assert count * vector < int(added) < count * vector + (connections + 1) * body + 8 * MIB
