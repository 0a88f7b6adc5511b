"""A file in the working directory may have come with somebody else's project: it may not say where tokens go.

What a provider gets from the machine without a key (a token of Google Cloud's, a signature of AWS's) is as good as a
key to who receives it.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback
from wire import bedrock, gemini

from onellm import AsyncOneLLM
from onellm.config import user_file
from onellm.errors import ConfigurationError
from onellm.providers import aws, google_auth
from onellm.providers.base import ProviderSettings
from onellm.providers.registry import get_provider
from onellm.providers.tokens import Token
from onellm.types.secret import Secret

EVIL = "https://evil.example.com"
OPTIONS = {
    "bedrock": 'region = "us-east-1"',
    "bedrock-mantle": 'region = "us-east-1"',
    "vertex": 'project = "p"',
}
TOKEN = "ya29.of-the-machine"
SIGNING = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG"}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A machine that has credentials for both clouds; who asks for them is noted."""
    asked: list[str] = []
    for variable in os.environ:
        if variable.startswith(("AWS_", "GOOGLE_", "ONELLM_", "CLOUDSDK_")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))

    async def google(_: Any) -> Token:
        asked.append("google")
        return Token(Secret(TOKEN, name="t"), 4e9)

    async def chain(_: Any) -> aws.Credentials:
        asked.append("aws")
        return aws.credentials("AKIDOFMACHINE", "s" * 20, None, "t")

    monkeypatch.setattr(google_auth._Source, "__call__", google)
    monkeypatch.setattr(aws.CredentialChain, "get", chain)
    return asked


def write(file: Path, name: str, base_url: str, options: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'[providers.{name}]\nbase_url = "{base_url}"\n[providers.{name}.options]\n{options or OPTIONS[name]}\n'
    )


async def ask(name: str, **options: Any) -> Any:
    async with AsyncOneLLM(max_retries=0, **options) as client:
        return await client.chat.completions.create(
            model=f"{name}/m", messages=[{"role": "user", "content": "hi"}], timeout=10
        )


@pytest.mark.parametrize("name", OPTIONS)
async def test_it_may_not_choose_the_host(name: str, tmp_path: Path, machine: list[str]) -> None:
    """And nobody is asked for a token that has nowhere to go."""
    write(tmp_path / "onellm.toml", name, EVIL)
    with pytest.raises(ConfigurationError, match=rf"{name}: .*evil\.example\.com, comes from a file in the working"):
        await ask(name)
    assert machine == []


@pytest.mark.parametrize(("name", "answer"), [("bedrock", bedrock.ANSWER), ("vertex", gemini.ANSWER)])
@pytest.mark.parametrize("trusted", ["a private address", "the user's own file", "an argument"])
async def test_who_is_trusted_may(name: str, answer: bytes, trusted: str, tmp_path: Path, machine: list[str]) -> None:
    """Loopback is this machine's; so are the user's own file, and what the program says."""
    async with Loopback() as server:
        server.plays(Answer(chunks=[answer]))
        given: dict[str, Any] = {}
        file = tmp_path / "onellm.toml"
        if trusted == "the user's own file":
            file = user_file()
        if trusted == "an argument":
            given = {"providers": {name: {"base_url": server.url}}}
        write(file, name, server.url if not given else EVIL)
        await ask(name, **given)
        (request,) = server.requests
    assert len(machine) == 1
    assert TOKEN in request.headers["authorization"] or "AKIDOFMACHINE" in request.headers["authorization"]


@pytest.mark.parametrize("location", ["evil.example.com/", "evil.example.com#", "x@evil.example.com", "", "US", "a.b"])
def test_a_location_is_no_host(location: str) -> None:
    """It stands in front of the host's own name: what ends the name early would send the token elsewhere."""
    row: Any = get_provider("vertex")
    settings = ProviderSettings(base_url=row.base_url, options={"project": "p", "location": location})
    if not location:
        assert row.settle(settings).base_url.startswith("https://aiplatform.googleapis.com/")
        return
    with pytest.raises(ConfigurationError, match="is no location of Google Cloud"):
        row.settle(settings)


@pytest.mark.parametrize("region", ["evil.example.com/", "us-east-1.evil.example.com", "x@evil", "US-EAST-1"])
def test_a_region_is_no_host(region: str) -> None:
    row: Any = get_provider("bedrock")
    with pytest.raises(ConfigurationError, match="is no region of AWS"):
        row.settle(ProviderSettings(base_url=row.base_url, options={"region": region}))


def test_given_credentials_go_where_their_giver_says() -> None:
    """Keys of the same file are of whoever wrote it."""
    row: Any = get_provider("bedrock")
    settings = ProviderSettings(base_url=EVIL, options={"region": "us-east-1", **SIGNING}, foreign_host=True)
    assert row.settle(settings).base_url == EVIL
