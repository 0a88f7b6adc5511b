"""What `onellm embed` and `onellm map` share: files in and out, a checkpoint, progress, and how they end."""

import asyncio
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, Self

from onellm.cli import INTERRUPTED
from onellm.cli.outputs import Output
from onellm.cli.progress import Shown
from onellm.cli.report import notice, one_line
from onellm.cli.rows import Input, find_input
from onellm.client import AsyncOneLLM
from onellm.errors import CheckpointError, ConfigurationError
from onellm.types.pipelines import PipelineFailure, PipelineProgress

_SHOWN = 5  # failures that are told of one by one
_WIDTH = 200


class Pipeline(Protocol):
    """What gives results, one after another."""

    @property
    def progress(self) -> PipelineProgress: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Any: ...
    async def aclose(self) -> None: ...


class Run:
    """One run, from a file to a file."""

    def __init__(self, arguments: Namespace, model: str, sheets: dict[str, Any]) -> None:
        self.model = model
        self.source: Input = find_input(arguments.source, arguments.input_format)
        self._output = Path(arguments.output)
        self._sheets = sheets
        self._resume: bool = arguments.resume
        self._own_checkpoint = arguments.checkpoint is None
        self.checkpoint = Path(arguments.checkpoint or f"{arguments.output}.checkpoint")
        self._on_error: str = arguments.on_error
        self._progress = PipelineProgress()
        self._total: int | None = None
        self._told = 0
        self._began_anew = True

    @property
    def on_error(self) -> Any:
        """What becomes of failures: they are told of, but for the many."""
        return "raise" if self._on_error == "raise" else self._tell

    def start(self, begin: Callable[[AsyncOneLLM, Iterator[Any]], Pipeline]) -> int:
        """Run it; gives the exit code.

        begin:  makes the pipeline of a client and the rows of the source

        Raises:
            ConfigurationError: a checkpoint is there, and it was not said what to do with it.
        """
        if self._is_finished():
            notice(f"{self._output} is finished; delete it to begin anew")
            return 0
        self._total = self.source.count()
        self._began_anew = not self.checkpoint.exists()
        try:
            asyncio.run(self._run(begin))
        except KeyboardInterrupt:
            self._say_how_to_go_on("stopped")
            return INTERRUPTED
        except CheckpointError:  # it may be in use by another
            raise
        except BaseException:
            self._say_how_to_go_on("ended")
            raise
        if self._own_checkpoint:
            self._drop_checkpoint()
        return 1 if self._progress.failed else 0

    def _drop_checkpoint(self) -> None:
        for name in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.checkpoint}{name}").unlink()

    def _is_finished(self) -> bool:
        if not self.checkpoint.exists():
            return self._resume and self._output.exists()
        if not self._resume:
            raise ConfigurationError(
                f"{self.checkpoint} is there, of a run that did not end: --resume goes on with it; delete it to begin "
                "anew"
            )
        return False

    async def _run(self, begin: Callable[[AsyncOneLLM, Iterator[Any]], Pipeline]) -> None:
        async with AsyncOneLLM() as client:
            with Output(self._output, self._sheets) as output:
                pipeline = begin(client, self.source.rows())
                self._progress = pipeline.progress
                shown = Shown(self._progress, self._total, self.model)
                try:
                    async for given in pipeline:
                        await asyncio.to_thread(output.sheet.write, given)
                        shown.update()
                    await asyncio.to_thread(output.finish)
                finally:
                    shown.close()
                    await pipeline.aclose()
                notice(f"{self._output}: {shown.line()}")

    def _tell(self, failure: PipelineFailure) -> None:
        self._told += 1
        if self._told <= _SHOWN:
            notice(one_line(f"[{failure.index}] {failure.id}: {failure.error}", _WIDTH))
        elif self._told == _SHOWN + 1:
            notice(
                f"more failed; {self._output} has all errors at their places"
                if self._output.suffix != ".npy"
                else "more failed"
            )

    def _say_how_to_go_on(self, what: str) -> None:
        if not self.checkpoint.exists():
            return
        from onellm.pipeline.checkpoint import is_empty  # noqa: PLC0415 - imports sqlite3

        if self._own_checkpoint and self._began_anew and is_empty(self.checkpoint):
            self._drop_checkpoint()  # in the way of the command that is put right
        else:
            of = f" of {self._total:,}" if self._total is not None else ""
            notice(f"{what} after {self._progress.done:,}{of}; the same command with --resume goes on from there")
