"""What all tests share: a scripted provider, a client bound to it, and a process without the machine's settings."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stamina
from loopback import Loopback
from realtime_server import RealtimeServer

from onellm import AsyncOneLLM

KEY = "sk-test-0123456789abcdef"

# A shell that starts a command in the background makes it deaf to Ctrl-C, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, proxy or file of whoever runs the tests takes part in them."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or name.upper().startswith(("ANTHROPIC_", "AZURE_", "OPENAI_", "ONELLM_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def _retries_do_not_sleep() -> Iterator[None]:
    """Retries are made at once. How many there are stays the policy's: `cap` takes the smaller number."""
    with stamina.set_testing(True, attempts=1_000_000, cap=True):
        yield


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds that retries would have slept, worked out as in production."""
    asked: list[float] = []

    async def note(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("stamina._core._smart_sleep", note)
    stamina.set_testing(False)
    yield asked
    stamina.set_testing(True, attempts=1_000_000, cap=True)


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    """A scripted provider on 127.0.0.1."""
    async with Loopback() as server:
        yield server


@pytest.fixture
def key() -> str:
    """The key that `client` sends."""
    return KEY


@pytest.fixture
async def client(loopback: Loopback) -> AsyncIterator[AsyncOneLLM]:
    """A client whose default provider, openai, is the loopback."""
    async with AsyncOneLLM(api_key=KEY, base_url=f"{loopback.url}/v1") as bound:
        yield bound


@pytest.fixture
async def realtime() -> AsyncIterator[RealtimeServer]:
    """A scripted WebSocket server on 127.0.0.1."""
    async with RealtimeServer() as server:
        yield server


@pytest.fixture
async def caller(realtime: RealtimeServer) -> AsyncIterator[AsyncOneLLM]:
    """A client whose default provider, openai, is the scripted WebSocket server."""
    async with AsyncOneLLM(api_key=KEY, base_url=f"{realtime.url}/v1") as bound:
        yield bound
