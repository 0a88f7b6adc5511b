"""How far a pipeline is, on standard error: a bar of tqdm's on a terminal, lines now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from onellm.cli.report import notice
from onellm.errors import MissingDependencyError
from onellm.types.chat import CompletionUsage
from onellm.types.pipelines import PipelineProgress
from onellm.types.prices import cost

_EVERY = 10.0  # seconds between two lines


class Shown:
    """Shows progress; `update` after each batch or answer, `close` at the end."""

    def __init__(
        self, progress: PipelineProgress, total: int | None, model: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._total = total
        self._provider, _, self._model = model.partition("/")
        self._clock = clock
        self._began = self._said = clock()
        self._priced = True
        self._bar: Any = None
        if sys.stderr.isatty():
            try:
                tqdm = import_module("tqdm")
            except ImportError:
                return
            self._bar = tqdm.tqdm(total=total, dynamic_ncols=True, file=sys.stderr)

    def update(self) -> None:
        """Show how far it is, if it is time to."""
        if self._bar is not None:
            self._bar.set_postfix_str(self._facts(), refresh=False)
            self._bar.update(self._progress.done - self._bar.n)
        elif self._clock() - self._said >= _EVERY:
            self._said = self._clock()
            notice(self.line())

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def line(self) -> str:
        """All of it, in one line."""
        done = self._progress.done
        of = f" of {self._total:,}" if self._total is not None else ""
        rate = self._rate()
        parts = [f"{done:,}{of} done", f"{rate:,.0f} a second" if rate else "", self._facts()]
        if rate and self._total is not None and done < self._total:
            minutes, seconds = divmod(round((self._total - done) / rate), 60)
            parts.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
        return ", ".join(part for part in parts if part)

    def _facts(self) -> str:
        progress = self._progress
        tokens = progress.prompt_tokens + progress.completion_tokens
        parts = [f"{tokens:,} tokens" if tokens else "", self._cost()]
        if progress.resumed:
            parts.append(f"{progress.resumed:,} from the checkpoint")
        if progress.failed:
            parts.append(f"{progress.failed:,} failed")
        return ", ".join(part for part in parts if part)

    def _rate(self) -> float:
        """What was done in this run, a second."""
        seconds = self._clock() - self._began
        return (self._progress.done - self._progress.resumed) / seconds if seconds > 0 else 0.0

    def _cost(self) -> str:
        if not self._priced:
            return ""
        usage = CompletionUsage(
            prompt_tokens=self._progress.prompt_tokens, completion_tokens=self._progress.completion_tokens
        )
        try:
            dollars = cost(self._provider, self._model, usage, created=0, tier=None)
        except MissingDependencyError:
            dollars = None
        self._priced = dollars is not None or not usage.prompt_tokens
        return f"${dollars:.4f}" if dollars is not None else ""
