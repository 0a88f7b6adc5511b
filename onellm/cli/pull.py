"""`onellm pull`: a model fetched, with a bar on a terminal and a line a step elsewhere."""

import asyncio
import sys
from argparse import Namespace
from typing import TextIO

from onellm.cli.report import one_line
from onellm.client import AsyncOneLLM
from onellm.types.models import PullProgress

_BAR = 24
_WIDTH = 79
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def run(arguments: Namespace) -> int:
    """Fetch it; progress goes to standard error, the model's name to standard output when it is there."""
    asyncio.run(_pull(arguments.model))
    print(one_line(arguments.model, _WIDTH))
    return 0


async def _pull(model: str) -> None:
    shown = Progress(sys.stderr)
    async with AsyncOneLLM() as client, await client.models.pull(model, stream=True) as pull:
        try:
            async for progress in pull:
                shown.show(progress)
        finally:
            shown.close()


class Progress:
    """Shows how far a pull is: one line that is written over, or a line for each thing that is begun."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._over = out.isatty()
        self._status = ""
        self._line: str = ""

    def show(self, progress: PullProgress) -> None:
        status = one_line(progress.status, _WIDTH)
        if not self._over:
            if status != self._status:
                print(status, file=self._out, flush=True)
        else:
            if status != self._status:
                self._end_line()
            line = f"{status} {bar(progress)}".rstrip()
            if line != self._line:
                self._out.write("\r" + line.ljust(len(self._line)))
                self._out.flush()
                self._line = line
        self._status = status

    def close(self) -> None:
        """End the line that would be written over."""
        self._end_line()

    def _end_line(self) -> None:
        if self._line:
            print(file=self._out, flush=True)
            self._line = ""


def bar(progress: PullProgress) -> str:
    """How much of a layer is here, drawn and in numbers; "" where that is not said."""
    total, done = progress.total or 0, progress.completed or 0
    if total <= 0:
        return ""
    share = min(max(done / total, 0.0), 1.0)
    full = int(share * _BAR)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {share:4.0%} of {size(total)}"


def size(count: int) -> str:
    """Bytes in the largest unit that keeps a digit before the point."""
    amount, unit = float(count), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.{1 if unit else 0}f} {_UNITS[unit]}"
