# GENERATED from onellm/resources/runs.py by onellm._sync.generate. Do not edit: run make sync.

"""`chat.completions.run`: a conversation with tools, carried to its end."""

from types import TracebackType
from typing import Any, Self

from onellm._sync.portal import run
from onellm.resources.runs import AsyncToolRun
from onellm.types.chat import ChatCompletion, CompletionUsage
from onellm.types.runs import RunEvent


class ToolRun:
    """A run: what happens in it with `for`, its last answer with `run.result()`.

    Left early in `with`, or cancelled, it ends the request or the functions that are under way; a function that
    is not `async` runs in a thread, which no one can end.
    """

    def __init__(self, held: AsyncToolRun) -> None:
        self._async = held

    @property
    def messages(self) -> list[Any]:
        """The conversation as far as it has come: what was given, the answers, and what the functions said."""
        return self._async.messages

    @property
    def usage(self) -> CompletionUsage:
        """The tokens of all turns together."""
        return self._async.usage

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> RunEvent:
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def result(self) -> ChatCompletion:
        """The last answer: the first one without calls, or with a call of a tool that is no function of yours.

        Raises:
            MaxTurnsError: the model still calls tools after `max_turns` answers; its `messages` are the conversation.
            OneLLMError: as `create` does.
        """
        return run(self._async.result())

    def close(self) -> None:
        """End the run now."""
        run(self._async.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))
