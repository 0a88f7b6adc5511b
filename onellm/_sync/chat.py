# GENERATED from onellm/resources/chat.py by onellm._sync.generate. Do not edit: run make sync.

"""`chat.completions`. https://platform.openai.com/docs/api-reference/chat"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, overload

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm._sync.runs import ToolRun
from onellm._sync.streams import ChatCompletionStream
from onellm.resources.chat import AsyncChat, AsyncChatCompletions
from onellm.resources.streams import AsyncChatCompletionStream
from onellm.types.chat import ChatCompletion, TokenCount
from onellm.types.chat_params import ChatParams, MessageParam

if TYPE_CHECKING:
    from onellm.resources.runs import OnToolError


class ChatCompletions:
    """Answers to a conversation."""

    def __init__(self, held: AsyncChatCompletions) -> None:
        self._async = held

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: Literal[False] | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion: ...

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: Literal[True],
        **params: Unpack[ChatParams],
    ) -> ChatCompletionStream: ...

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | ChatCompletionStream: ...

    def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | ChatCompletionStream:
        """Answer a conversation, whole or with `stream=True` as it is written.

        model is "provider/model"; messages are dicts, message Structs, or messages that came out of an answer. The
        other arguments are those of OpenAI's Chat Completions, see `ChatParams`; None is the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(self._async.create(model=model, messages=messages, stream=stream, **params))
        if isinstance(reply, AsyncChatCompletionStream):
            return ChatCompletionStream(reply)
        return reply

    def run(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        max_turns: int = 10,
        on_tool_error: "OnToolError" = "return",
        **params: Unpack[ChatParams],
    ) -> "ToolRun":
        """Carry a conversation with tools to its end: what the model calls is called, and it is told what came of it.

        `tools` are Python functions, sync or async; those of one turn run together. A tool that is given as a schema
        ends the run when it is called: its answer is yours to give.

        stream:         whether answers come in chunks, too
        max_turns:      how often the model may answer
        on_tool_error:  "return" tells the model of what a function raises, or of arguments that do not fit; "raise"
            ends the run with it

        Raises:
            UsageError: the call is wrong; nothing was sent.
        """
        return ToolRun(
            self._async.run(
                model=model,
                messages=messages,
                stream=stream,
                max_turns=max_turns,
                on_tool_error=on_tool_error,
                **params,
            )
        )

    def count_tokens(self, *, model: str, messages: Iterable[MessageParam], **params: Unpack[ChatParams]) -> TokenCount:
        """How many tokens the prompt of a call has, as its provider counts them; nothing is generated.

        Give the call's other arguments, too: tools, response_format and thinking count.

        Raises:
            UsageError: the call is wrong, or the provider does not count; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.count_tokens(model=model, messages=messages, **params))


class Chat:
    """The chat namespace."""

    def __init__(self, held: AsyncChat) -> None:
        self._async = held
        self.completions = ChatCompletions(held.completions)
