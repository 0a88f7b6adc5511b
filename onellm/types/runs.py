"""What happens while a conversation with tools is carried to its end."""

from typing import Any, TypeAlias

from msgspec import Struct

from onellm.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageToolCall


class RunChunk(Struct, frozen=True, kw_only=True, tag="chunk"):
    """A piece of the answer that is being written; only where the run streams. Turns count from 1."""

    turn: int
    chunk: ChatCompletionChunk


class RunReply(Struct, frozen=True, kw_only=True, tag="reply"):
    """The model has answered: with calls of tools, or for good."""

    turn: int
    reply: ChatCompletion


class RunToolCall(Struct, frozen=True, kw_only=True, tag="tool_call"):
    """A function begins, with the arguments that the model wrote."""

    turn: int
    call: ChatCompletionMessageToolCall


class RunToolResult(Struct, frozen=True, kw_only=True, tag="tool_result"):
    """A function has ended.

    content:  what the model is told: a text, or content parts
    value:    what the function returned; None where it raised
    error:    what it raised, or what was wrong with its arguments
    """

    turn: int
    call: ChatCompletionMessageToolCall
    content: str | list[dict[str, Any]]
    value: Any = None
    error: Exception | None = None


RunEvent: TypeAlias = RunChunk | RunReply | RunToolCall | RunToolResult
