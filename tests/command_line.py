"""What the tests of the command line run it with: a process's results, and a terminal."""

import asyncio
import contextlib
import itertools
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Where the terminal becomes the program's own, so that Ctrl-C on it is a signal.
ON_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from onellm.cli import main
sys.exit(main())
"""


def unset_all(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Make this a machine on which nothing is configured; gives a folder in `folder`, now the working directory."""
    for name in list(os.environ):
        if name.startswith(("ONELLM_", "OPENAI_", "AZURE_", "OLLAMA_")) or name.lower().endswith(
            ("_proxy", "_api_key")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TERM", "dumb")
    working = folder / "work"
    working.mkdir()
    monkeypatch.chdir(working)
    return working


async def run_python(*argv: str) -> "Ran":
    """Run Python in a process of its own, with this environment."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(240):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(process.returncode or 0, out.decode(), err.decode())


def require(*modules: str) -> None:
    """Skip where a module is not installed. Those are not imported, for not all of them can be."""
    for module in modules:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


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
        """Type Ctrl-C, with the program waiting for a line, until it has printed `text`.

        Once is enough for a person. At a test's speed CPython can miss it in two ways: a signal that comes after the
        prompt was printed and before it waits for a key is seen with the next one; and a signal drops what was typed,
        so that readline may wait for a key that was announced and is gone, until there is another.
        """
        async with asyncio.timeout(60):
            for key in itertools.cycle("\x03 "):
                self.type(key)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        while text not in self._unread:
                            self._came.clear()
                            await self._came.wait()
                    break
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
