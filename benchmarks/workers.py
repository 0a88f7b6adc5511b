"""The processes of the clients, and turns that they take one after another."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import environments

SECONDS = 90.0  # for one turn

Ran = dict[str, Any]


class FailedError(Exception):
    """A client did not do what it was asked; says why in a line."""


class Worker:
    """A client in its own process, started when it is first asked."""

    def __init__(self, name: str, python: Path, url: str) -> None:
        self._command = [str(python), "-m", "benchmarks.worker", name, url]
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def ask(self, turn: Mapping[str, Any], seconds: float = SECONDS) -> Ran:
        """What came of a turn.

        Raises:
            FailedError: an exception, or no end of it; the next turn has a new process.
        """
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        process.stdin.write(json.dumps(turn) + "\n")
        process.stdin.flush()
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.stop(at_once=True)
            raise FailedError(f"no end within {seconds:.0f} s") from None
        if not line:
            self.stop(at_once=True)
            raise FailedError("its process ended")
        ran: Ran = json.loads(line)
        if "lacks" in ran:
            raise FailedError("has no such call")
        if "error" in ran:
            self.stop(at_once=True)
            raise FailedError(ran["error"])
        return ran

    def _start(self) -> "subprocess.Popen[str]":
        process = self._process = subprocess.Popen(  # noqa: S603 - ourselves
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=environments.ROOT,
            env=environments.clean(),
        )
        lines = self._lines = queue.Queue()

        def read() -> None:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            for line in process.stdout:
                lines.put(line)
            lines.put("")

        threading.Thread(target=read, daemon=True).start()
        return process

    def stop(self, *, at_once: bool = False) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        if at_once:
            process.kill()
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 - pipes were asked for
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Interleaved:
    """Turns of several clients in rounds: what else the machine does is spread over all of them."""

    def __init__(self, workers: Mapping[str, Worker]) -> None:
        self._workers = workers

    def run(
        self, turns: Mapping[str, tuple[str, Mapping[str, Any], int]]
    ) -> "tuple[dict[str, list[Ran]], dict[str, str]]":
        """What each client's turns took, by name: whose worker, what it is asked, and in how many rounds.

        A client's first turn does not count. Those that fail take part no more; the second dict has their reasons.
        """
        ran: dict[str, list[Ran]] = {name: [] for name in turns}
        failed: dict[str, str] = {}
        order = list(turns)
        for number in range(max(rounds for _, _, rounds in turns.values()) + 1):
            order.reverse()
            for name in order:
                worker, turn, rounds = turns[name]
                if number > rounds or name in failed:
                    continue
                begun = time.monotonic()
                try:
                    ran[name].append(self._workers[worker].ask(turn))
                except FailedError as exc:
                    failed[name] = str(exc)
                    ran[name] = []
                    print(f"  {name}: {exc} ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)
        return {name: each[1:] for name, each in ran.items() if each[1:]}, failed
