"""The command line in this process, in one of its own, and on a terminal."""

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from onellm.cli import main
from tests.loopback import Loopback
from tests.openai_host import openai_host

ROOT = Path(__file__).parents[2]

# Where the terminal becomes the program's own, so that Ctrl-C on it is a signal.
ON_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from onellm.cli import main
sys.exit(main())
"""


@dataclass
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Terminal:
    """A program on a terminal: what it prints is expected, what is typed is sent."""

    def __init__(self, master: int, process: asyncio.subprocess.Process) -> None:
        self._master = master
        self._process = process
        self._unread = ""
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    async def expect(self, text: str) -> str:
        """Wait until the program has printed `text`; gives what came before it since the last time."""
        try:
            async with asyncio.timeout(30):
                while text not in self._unread:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"no {text!r} in {self._unread!r}") from None
        before, _, self._unread = self._unread.partition(text)
        return before

    async def interrupt(self, text: str) -> None:
        """Type Ctrl-C until the program, which is waiting for a line, has printed `text`.

        Once is enough for a person. CPython misses a signal that comes after the prompt was printed and before it
        waits for a key, until the next one.
        """
        while text not in self._unread:
            self._came.clear()
            self.type("\x03")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while text not in self._unread:
                        await self._came.wait()
                        self._came.clear()
        await self.expect(text)

    async def leave(self) -> int:
        """Wait for the prompt and type Ctrl-D; gives the exit code."""
        await self.expect("> ")
        self.type("\x04")
        return await self.wait()

    async def wait(self) -> int:
        async with asyncio.timeout(30):
            return await self._process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self._unread += data.decode()
        self._came.set()


@pytest.fixture
async def host() -> AsyncIterator[Loopback]:
    """A host of OpenAI's API."""
    async with Loopback() as loopback:
        loopback.chooses(openai_host)
        yield loopback


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing is configured, and a folder to work in."""
    for name in list(os.environ):
        if name.startswith(("ONELLM_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TERM", "dumb")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


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
    started: list[tuple[Terminal, asyncio.subprocess.Process]] = []

    async def run(*argv: str) -> Terminal:
        master, slave = pty.openpty()
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
