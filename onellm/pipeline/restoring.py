"""Inputs that a checkpoint has the results of, told from the others while they are read."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from onellm.errors import CheckpointError
from onellm.pipeline.records import Span, digest
from onellm.types.pipelines import Id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from onellm.pipeline.checkpoint import Checkpoint

_ANOTHER = "give another file, or delete it to begin anew"


class Restored(Struct, frozen=True):
    """Inputs in a row whose results are in the checkpoint."""

    span: Span
    ids: list[Id]
    inputs: list[Any]


class Restoring:
    """What was done before, input by input. Without a checkpoint nothing was."""

    def __init__(self, checkpoint: "Checkpoint | None", name: str) -> None:
        """name: what the inputs are called in messages."""
        self._checkpoint = checkpoint
        self._name = name
        self._spans: AsyncGenerator[Span, None] | None = None
        self._span: Span | None = None
        self._ids: list[Id] = []
        self._inputs: list[Any] = []

    async def open(self) -> None:
        """Open the checkpoint.

        Raises:
            CheckpointError: it is of another run, or cannot be used.
        """
        if self._checkpoint is not None:
            await self._checkpoint.open()
            self._spans = self._checkpoint.spans()
            await self.go_on()

    def has(self, place: int) -> bool:
        """Whether the input at this place is done; places are asked for one after another."""
        return self._span is not None and place >= self._span.start

    def take(self, item_id: Id, item: Any) -> Restored | None:
        """Take an input that is done; with the last of its span, all of it. `go_on` then.

        Raises:
            CheckpointError: they are not the inputs that the checkpoint is of.
        """
        span = self._span
        assert span is not None  # noqa: S101 - `has` said so
        self._ids.append(item_id)
        self._inputs.append(item)
        if len(self._ids) < span.count:
            return None
        if digest(self._ids, self._inputs) != span.digest:
            last = span.start + span.count - 1
            raise CheckpointError(
                f"the checkpoint is of other {self._name}: it has results for [{span.start}] to [{last}], and these "
                f"differ; {_ANOTHER}"
            )
        restored = Restored(span, self._ids, self._inputs)
        self._ids, self._inputs = [], []
        return restored

    async def go_on(self) -> None:
        """Look for the next span."""
        if self._spans is not None:
            self._span = await anext(self._spans, None)

    def end(self, count: int) -> None:
        """Be told that there are no more inputs.

        Raises:
            CheckpointError: it has results of more.
        """
        if self._span is not None:
            last = self._span.start + self._span.count - 1
            raise CheckpointError(
                f"the checkpoint is of other {self._name}: it has results up to [{last}] at least, and these are only "
                f"{count}; {_ANOTHER}"
            )
