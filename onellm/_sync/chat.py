# GENERATED from onellm/resources/chat.py by onellm._sync.generate. Do not edit: run make sync.

"""`chat.completions`. https://platform.openai.com/docs/api-reference/chat"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, overload

from typing_extensions import Unpack

from onellm._sync.parsing import ParsedChatCompletionStream
from onellm._sync.pipelines import ChatMap
from onellm._sync.portal import run
from onellm._sync.runs import ToolRun
from onellm._sync.streams import ChatCompletionStream
from onellm.resources.chat import AsyncChat, AsyncChatCompletions, T
from onellm.resources.parsing import AsyncParsedChatCompletionStream
from onellm.resources.streams import AsyncChatCompletionStream
from onellm.types.chat import ChatCompletion, TokenCount
from onellm.types.chat_params import ChatParams, MessageParam, ParseParams

if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    from onellm.resources.runs import OnToolError
    from onellm.types.parsed import ParsedChatCompletion
    from onellm.types.pipelines import ChatRequestParam, OnError
    from onellm.types.preview import PreviewedRequest


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
    ) -> "ChatCompletionStream": ...

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> "ChatCompletion | ChatCompletionStream": ...

    def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> "ChatCompletion | ChatCompletionStream":
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

    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: type[T],
        retries_on_invalid: int = 0,
        stream: Literal[False] | None = None,
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletion[T]": ...

    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: type[T],
        retries_on_invalid: int = 0,
        stream: Literal[True],
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletionStream[T]": ...

    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: Literal[False] | None = None,
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletion[Any]": ...

    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: Literal[True],
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletionStream[Any]": ...

    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: bool | None = None,
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletion[Any] | ParsedChatCompletionStream[Any]": ...

    def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: bool | None = None,
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletion[Any] | ParsedChatCompletionStream[Any]":
        """Answer a conversation in the form of a type: `reply.choices[0].message.parsed` is one of it.

        response_format is a Struct, a dataclass, a TypedDict, a pydantic model, `list[...]`, a union, a `Literal`, or
        any other type that msgspec knows; `dict` is any JSON object. The provider holds the model to its schema; where
        it takes none, what stands in for it is in `reply.adjustments`. With `stream=True`, `stream.partial()` is the
        value as far as it has come.

        retries_on_invalid:  how often a model whose answer does not fit is shown what is wrong, and asked again

        Raises:
            ResponseValidationError: the answer does not fit; says where, and its `raw` is the text.
            OneLLMError: as `create` does.
        """
        reply = run(
            self._async.parse(
                model=model,
                messages=messages,
                response_format=response_format,
                retries_on_invalid=retries_on_invalid,
                stream=stream,
                **params,
            )
        )
        if isinstance(reply, AsyncParsedChatCompletionStream):
            return ParsedChatCompletionStream(reply)
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

    def map(
        self,
        requests: "Iterable[ChatRequestParam]",
        *,
        model: str | None = None,
        mode: Literal["requests", "batch"] = "requests",
        batch_size: int = 10000,
        concurrency: int | None = None,
        ordered: bool = True,
        on_error: "OnError" = "raise",
        checkpoint: "str | PathLike[str] | None" = None,
        **params: Unpack[ChatParams],
    ) -> "ChatMap":
        """Answer any number of requests, one result after another: `result.response`, or `result.error`.

        requests:  prompts, lists of messages, or dicts of `create`'s arguments; by themselves or as (id, request), and
            dicts may have a `custom_id`. Any iterable, async or not; it is read as it is wanted.
        model, params:  what all requests have that do not say otherwise
        mode:  "batch" sends them through the provider's own batches, which cost less and take hours. The results are
            the same; so is the checkpoint, and with one, a batch that was begun is found again.
        batch_size:  the most requests of one such batch; it is of one model
        concurrency:  requests under way together, 16 where it is not given; or batches, of which it is 2
        ordered:  False gives results as they come
        on_error:  "raise" ends with the error of the first request that fails, "skip" goes on, and results have their
            errors; a function is told of each failure
        checkpoint:  a file for what is done. The same call with the same file goes on where an earlier one stopped.

        Raises, as results are asked for:
            APIError: a request failed; with "skip" only what no other request could change, such as a key.
            CheckpointError: the checkpoint is of other requests or parameters, or is in use.
        """
        return ChatMap(
            self._async.map(
                requests,
                model=model,
                mode=mode,
                batch_size=batch_size,
                concurrency=concurrency,
                ordered=ordered,
                on_error=on_error,
                checkpoint=checkpoint,
                **params,
            )
        )

    def preview(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> "PreviewedRequest":
        """The request that `create` would send with these arguments, keys hidden; nothing is sent.

        Raises:
            UsageError: the call is wrong; a missing key is no hindrance.
        """
        return run(self._async.preview(model=model, messages=messages, stream=stream, **params))

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
