"""The command line in this process, in one of its own, and on a terminal."""

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from command_line import ON_TERMINAL, Ran, Terminal, unset_all
from loopback import Loopback
from model_files import Host
from openai_host import openai_host

from onellm.cli import main


@pytest.fixture
async def host() -> AsyncIterator[Loopback]:
    """A host of OpenAI's API."""
    async with Loopback() as loopback:
        loopback.chooses(openai_host)
        yield loopback


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing is configured, and a folder to work in."""
    return unset_all(monkeypatch, tmp_path)


@pytest.fixture
def openai_set(nothing_set: Path, monkeypatch: pytest.MonkeyPatch, host: Loopback) -> Path:
    """A machine on which OpenAI is configured, and is the host."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{host.url}/v1")
    return nothing_set


@pytest.fixture
def onellm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[Ran]]:
    """Runs a command in a thread of this process."""

    async def run(*argv: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = await asyncio.to_thread(main, argv)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
async def files() -> AsyncIterator[Host]:
    async with Loopback() as loopback:
        host = Host(loopback)
        loopback.chooses(host)
        yield host


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[asyncio.subprocess.Process]]]:
    """Starts a command in a process of its own, with pipes."""
    started: list[asyncio.subprocess.Process] = []

    async def run(*argv: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "onellm", *argv, stdin=pipe, stdout=pipe, stderr=pipe
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.fixture
async def terminal() -> AsyncIterator[Callable[..., Awaitable[Terminal]]]:
    """Starts a command on a terminal of its own."""
    pty = pytest.importorskip("pty", reason="no terminals here")
    termios = pytest.importorskip("termios", reason="no terminals here")
    started: list[tuple[Terminal, asyncio.subprocess.Process]] = []

    async def run(*argv: str) -> Terminal:
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 200))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ON_TERMINAL, *argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        opened = Terminal(master, process)
        started.append((opened, process))
        return opened

    yield run
    for opened, process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        opened.close()
