"""The Python of the README and the docs runs, their TOML is a configuration, and their links lead somewhere."""

import re
import textwrap
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cohere_host import cohere_host
from command_line import ROOT, require, run_python, unset_all
from live_host import either
from loopback import Answer, Loopback, Recorded
from ollama_host import ollama_host
from openai_host import openai_host

from onellm.config import read_file

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def blocks(language: str) -> dict[str, str]:
    """The code blocks of a language, each by its page and number."""
    return {
        f"{page.stem}-{number}": code
        for page in PAGES
        for number, (kind, code) in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
        if kind == language
    }


def any_host(request: Recorded) -> Answer:
    """The host whose path it is."""
    if request.path.startswith("/api/"):
        return ollama_host(request)
    return cohere_host(request) if request.path.startswith("/v2/") else openai_host(request)


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    """The providers that the pages name, all of them on loopback."""
    folder = unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        loopback.chooses(any_host)
        loopback.talks = either
        monkeypatch.setenv("CO_API_KEY", "co-1")
        monkeypatch.setenv("OLLAMA_HOST", loopback.url)
        monkeypatch.setenv("CO_API_URL", loopback.url)
        url = f"{loopback.url}/v1"
        file = folder / "named.toml"
        file.write_text(
            "".join(
                f'[providers.{name}]\nbase_url = "{url}"\n'
                for name in ("openai", "groq", "together", "azure", "google", "mistral")
            )
        )
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", loopback.url)
        monkeypatch.setenv("ONELLM_CONFIG", str(file))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("GROQ_API_KEY", "gsk-1")
        monkeypatch.setenv("MISTRAL_API_KEY", "m-1")
        monkeypatch.setenv("TOGETHER_API_KEY", "t-1")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a-1")
        monkeypatch.setenv("GOOGLE_API_KEY", "g-1")
        yield loopback


@pytest.mark.parametrize("code", blocks("python").values(), ids=blocks("python"))
async def test_python_runs(code: str, host: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands on the page, and quietly; an answer that it prints is printed."""
    if re.search(r"\bOneLLM\b", code):
        require("onellm._sync.client")
    if on_ray := "import ray\n" in code:
        require("ray", "pyarrow")
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # or it writes a token into the home
    ran = await run_python("-W", "always::ResourceWarning", "-c", textwrap.dedent(code))
    assert (ran.code, on_ray or ran.err) == (0, on_ray or "")  # Ray tells of its cluster
    if host.requests and "message.content)" in code:
        assert "You said: " in ran.out


@pytest.mark.usefixtures("host")
async def test_the_readme_asks_each_provider_with_its_own_key(host: Loopback) -> None:
    first, second, *_ = (code for name, code in blocks("python").items() if name.startswith("README"))
    for code in (first, second):
        await run_python("-c", code)
    keys = [("authorization", "Bearer sk-1")] * 2 + [("x-api-key", "sk-ant-1")] * 2
    for request, (header, key) in zip(host.requests, keys, strict=True):
        assert {name: value for name, value in request.headers.items() if name in dict(keys)} == {header: key}
    assert [bool(request.json.get("stream")) for request in host.requests] == [False, True] * 2


@pytest.mark.parametrize("code", blocks("toml").values(), ids=blocks("toml"))
def test_toml_is_a_configuration(code: str, tmp_path: Path) -> None:
    if code.startswith("# pyproject.toml"):
        assert "project" in tomllib.loads(code)
        return
    file = tmp_path / "onellm.toml"
    file.write_text(code, "utf-8")
    assert read_file(file, trusted=True).content.providers["mine"].base_url == "https://llm.example.com/v1"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_tree_of_errors_is_the_code_s() -> None:
    """The page has it as `onellm/errors.py` draws it."""
    source = (ROOT / "onellm" / "errors.py").read_text("utf-8")
    tree = textwrap.dedent(source[source.index("    OneLLMError\n") : source.index("\nNames are")])
    assert tree.strip() in (ROOT / "docs" / "errors.md").read_text("utf-8")
