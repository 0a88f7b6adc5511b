"""`chat.completions.run`: a conversation with tools, carried to its end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from onellm.errors import MaxTurnsError, OneLLMError, ResponseDecodeError, ResponseValidationError
from onellm.resources.calling import call_function, said
from onellm.resources.streams import AsyncChatCompletionStream
from onellm.types.chat import ChatCompletion, ChatCompletionMessageToolCall, CompletionUsage
from onellm.types.functions import FunctionTool
from onellm.types.runs import RunChunk, RunEvent, RunReply, RunToolCall, RunToolResult

OnToolError: TypeAlias = Literal["return", "raise"]
"""What becomes of an exception in a function: the model is told of it, or the run ends with it."""

Complete: TypeAlias = Callable[[list[Any]], Awaitable[ChatCompletion]]
Stream: TypeAlias = Callable[[list[Any]], Awaitable[AsyncChatCompletionStream]]


class AsyncToolRun:
    """A run: what happens in it with `async for`, its last answer with `await run.result()`.

    Left early in `async with`, or cancelled, it ends the request or the functions that are under way; a function that
    is not `async` runs in a thread, which no one can end.
    """

    def __init__(
        self,
        messages: list[Any],
        tools: Sequence[FunctionTool | Mapping[str, Any]],
        *,
        complete: Complete,
        stream: Stream | None,
        max_turns: int,
        on_tool_error: OnToolError,
    ) -> None:
        self._messages = messages
        self._functions = {tool.name: tool for tool in tools if isinstance(tool, FunctionTool)}
        self._schemas = {name for tool in tools if not isinstance(tool, FunctionTool) and (name := _name(tool))}
        self._complete = complete
        self._stream = stream
        self._max_turns = max_turns
        self._on_tool_error: OnToolError = on_tool_error
        self._reply: ChatCompletion | None = None
        self._usage = CompletionUsage()
        self._events = self._run()

    @property
    def messages(self) -> list[Any]:
        """The conversation as far as it has come: what was given, the answers, and what the functions said."""
        return self._messages

    @property
    def usage(self) -> CompletionUsage:
        """The tokens of all turns together."""
        return self._usage

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RunEvent:
        return await anext(self._events)

    async def result(self) -> ChatCompletion:
        """The last answer: the first one without calls, or with a call of a tool that is no function of yours.

        Raises:
            MaxTurnsError: the model still calls tools after `max_turns` answers; its `messages` are the conversation.
            OneLLMError: as `create` does.
        """
        try:
            async for _ in self._events:
                pass
        finally:
            await self._events.aclose()
        if self._reply is None:
            raise OneLLMError("the run was ended before its last answer")
        return self._reply

    async def aclose(self) -> None:
        """End the run now."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self) -> AsyncGenerator[RunEvent, None]:
        open_stream = self._stream
        for turn in range(1, self._max_turns + 1):
            if open_stream is None:
                reply = await self._complete(self._messages)
            else:
                async with await open_stream(self._messages) as stream:
                    async for chunk in stream:
                        yield RunChunk(turn=turn, chunk=chunk)
                    reply = await stream.get_final_completion()
            if reply.usage is not None:
                self._usage += reply.usage
            if not reply.choices:
                raise ResponseDecodeError("the answer has no choice to go on from")
            choice = reply.choices[0]
            self._messages.append(choice.message)
            calls = choice.message.tool_calls or []
            if (not calls and not choice.unfinished) or any(map(self._is_foreign, calls)):
                self._reply = reply
            yield RunReply(turn=turn, reply=reply)
            if self._reply is not None:
                return
            results = self._call_all(turn, calls)
            try:
                async for event in results:
                    yield event
            finally:
                await results.aclose()
        raise MaxTurnsError(
            f"the model still calls tools after max_turns={self._max_turns} answers: give more; "
            "the run's `messages` are the conversation so far"
        )

    def _is_foreign(self, call: ChatCompletionMessageToolCall) -> bool:
        """Whether a call is of a tool that was given as a schema: the caller's to answer."""
        return call.type != "function" or call.function.name in self._schemas

    async def _call_all(self, turn: int, calls: list[ChatCompletionMessageToolCall]) -> AsyncGenerator[RunEvent, None]:
        """Call the functions together; what they said goes into the messages in the order of the calls."""
        said: dict[int, RunToolResult] = {}
        places: dict[asyncio.Task[RunToolResult], int] = {}
        try:
            for place, call in enumerate(calls):
                places[asyncio.create_task(self._call(turn, call))] = place
                yield RunToolCall(turn=turn, call=call)
            pending = set(places)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=places.__getitem__):
                    result = said[places[task]] = task.result()
                    if result.error is not None and self._on_tool_error == "raise":
                        raise result.error
                    yield result
        finally:
            for task in places:
                task.cancel()
            await asyncio.gather(*places, return_exceptions=True)
        self._messages.extend(_message(said[place]) for place in sorted(said))

    async def _call(self, turn: int, call: ChatCompletionMessageToolCall) -> RunToolResult:
        """Call one function. What it raises is its result; cancelling it is not."""
        value = error = None
        try:
            value = await self._outcome(call)
            content = said(value)
        except Exception as exc:  # noqa: BLE001 - whatever a function raises, the model or the caller is told
            error = exc
            shown = exc.message if isinstance(exc, OneLLMError) else f"{type(exc).__name__}: {exc}"
            content = f"Error: {shown}"
        return RunToolResult(turn=turn, call=call, content=content, value=value, error=error)

    async def _outcome(self, call: ChatCompletionMessageToolCall) -> Any:
        tool = self._functions.get(call.function.name)
        if tool is None:
            known = ", ".join(sorted(self._functions))
            raise ResponseValidationError(f"there is no tool {call.function.name!r}; there is {known}")
        positional, named = tool.arguments(call.function.arguments)
        return await call_function(tool.function, positional, named)


def _message(result: RunToolResult) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "tool", "tool_call_id": result.call.id, "content": result.content}
    return message if result.error is None else {**message, "is_error": True}


def _name(tool: Mapping[str, Any]) -> str | None:
    match tool:
        case {"type": "function", "function": {"name": str() as name}}:
            return name
        case _:
            return None
