"""`chat.completions`. https://platform.openai.com/docs/api-reference/chat"""

import time
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError, OneLLMError, UnsupportedParameterError
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.types.chat import ChatCompletion, TokenCount
from onellm.types.chat_params import ChatParams, ChatRequest, MessageParam, ParseParams

if TYPE_CHECKING:
    from os import PathLike

    from onellm.policy.execute import Options
    from onellm.providers.protocols import ChatProvider, TokenCountProvider
    from onellm.resources.parsing import AsyncParsedChatCompletionStream
    from onellm.resources.pipelines import AsyncChatMap
    from onellm.resources.runs import AsyncToolRun, OnToolError
    from onellm.resources.streams import AsyncChatCompletionStream
    from onellm.types.chat_params import AnyTool
    from onellm.types.parsed import ParsedChatCompletion
    from onellm.types.pipelines import ChatRequestParam, OnError
    from onellm.types.preview import PreviewedRequest

T = TypeVar("T")

_REQUESTS = 16  # of a map, under way together
_BATCHES = 2


class AsyncChatCompletions:
    """Answers to a conversation."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: Literal[False] | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: Literal[True],
        **params: Unpack[ChatParams],
    ) -> "AsyncChatCompletionStream": ...

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> "ChatCompletion | AsyncChatCompletionStream": ...

    async def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> "ChatCompletion | AsyncChatCompletionStream":
        """Answer a conversation, whole or with `stream=True` as it is written.

        model is "provider/model"; messages are dicts, message Structs, or messages that came out of an answer. The
        other arguments are those of OpenAI's Chat Completions, see `ChatParams`; None is the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        provider, request, options = self._prepare(model, messages, params)
        try:
            if stream:
                from onellm.resources.streams import AsyncChatCompletionStream  # noqa: PLC0415 - for callers who use it

                return AsyncChatCompletionStream(await options.send(provider.stream_chat_completion, request))
            if options.execution is not None:
                return await options.send(provider.create_chat_completion, request)
            began = time.monotonic()
            try:  # what nearly all calls are is not handed on
                return await provider.create_chat_completion(request, options.call)
            except OneLLMError as exc:
                failed = exc
            try:
                return await options.send_again(failed, began, provider.create_chat_completion, request)
            finally:
                del failed  # or the exception holds this frame, and the frame the exception
        except UnsupportedParameterError as exc:
            self._core.say_who_can(exc)
            raise

    @overload
    async def parse(
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
    async def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: type[T],
        retries_on_invalid: int = 0,
        stream: Literal[True],
        **params: Unpack[ParseParams],
    ) -> "AsyncParsedChatCompletionStream[T]": ...

    @overload
    async def parse(
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
    async def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: Literal[True],
        **params: Unpack[ParseParams],
    ) -> "AsyncParsedChatCompletionStream[Any]": ...

    @overload
    async def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: bool | None = None,
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletion[Any] | AsyncParsedChatCompletionStream[Any]": ...

    async def parse(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        response_format: object,
        retries_on_invalid: int = 0,
        stream: bool | None = None,
        **params: Unpack[ParseParams],
    ) -> "ParsedChatCompletion[Any] | AsyncParsedChatCompletionStream[Any]":
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
        from onellm.resources import parsing  # noqa: PLC0415 - for callers who use it
        from onellm.types.answer_types import answer_type, is_answer_type  # noqa: PLC0415 - for callers who use it

        if not is_answer_type(response_format):
            raise InvalidRequestError(
                "response_format: give a type; a dict of OpenAI's is for create()", param="response_format"
            )
        if stream and retries_on_invalid:
            raise InvalidRequestError(
                "retries_on_invalid: a stream cannot be taken back; leave out stream", param="retries_on_invalid"
            )
        given: dict[str, Any] = dict(params)
        if stream:
            _no_restart(given, "parse")
        name, own_model = self._core.split(model)
        flags = self._core.require(name, "chat").provider.get_model_capabilities(own_model)
        plan = parsing.Plan(answer_type(response_format), flags, given)

        left = self._core.time_left(given)

        async def ask(messages: list[Any], params: dict[str, Any]) -> ChatCompletion:
            params = {**params, "deadline": left()}
            return cast("ChatCompletion", await self.create(model=model, messages=messages, **params))

        async def open_stream(messages: list[Any], params: dict[str, Any]) -> "AsyncChatCompletionStream":
            opened: AsyncChatCompletionStream = await self.create(model=model, messages=messages, stream=True, **params)
            return opened

        history = validation.message_list(messages)
        if stream:
            return await parsing.open_parsed(plan, open_stream, history, given)
        return await parsing.parse(plan, ask, history, given, retries_on_invalid)

    def run(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        max_turns: int = 10,
        on_tool_error: "OnToolError" = "return",
        **params: Unpack[ChatParams],
    ) -> "AsyncToolRun":
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
        from onellm.resources.runs import AsyncToolRun  # noqa: PLC0415 - for callers who use it
        from onellm.types.functions import as_tool  # noqa: PLC0415 - for callers who use it

        if max_turns < 1:
            raise InvalidRequestError("max_turns: give at least 1", param="max_turns")
        if (params.get("n") or 1) > 1:
            raise InvalidRequestError("n: a run goes on from one answer", param="n")
        tools = [as_tool(tool, place) for place, tool in enumerate(params.get("tools") or ())]
        if not tools:
            raise InvalidRequestError("tools: give at least one; without tools, create() is the same", param="tools")
        params["tools"] = cast("list[AnyTool]", tools)
        if stream:
            _no_restart(cast("dict[str, Any]", params), "run")
        history = validation.message_list(messages)
        self._prepare(model, history, params)

        async def complete(messages: list[Any]) -> ChatCompletion:
            reply: ChatCompletion = await self.create(model=model, messages=messages, **params)
            return reply

        async def open_stream(messages: list[Any]) -> "AsyncChatCompletionStream":
            opened: AsyncChatCompletionStream = await self.create(model=model, messages=messages, stream=True, **params)
            return opened

        return AsyncToolRun(
            history,
            tools,
            complete=complete,
            stream=open_stream if stream else None,
            max_turns=max_turns,
            on_tool_error=on_tool_error,
        )

    def map(
        self,
        requests: "Iterable[ChatRequestParam] | AsyncIterable[ChatRequestParam]",
        *,
        model: str | None = None,
        mode: Literal["requests", "batch"] = "requests",
        batch_size: int = 10_000,
        concurrency: int | None = None,
        ordered: bool = True,
        on_error: "OnError" = "raise",
        checkpoint: "str | PathLike[str] | None" = None,
        **params: Unpack[ChatParams],
    ) -> "AsyncChatMap":
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
        validation.not_one(requests, "requests", "requests")
        validation.on_error(on_error)
        validation.choice(mode, Literal["requests", "batch"], "mode", "chat.completions.map")
        for name, value in {"batch_size": batch_size, "concurrency": concurrency}.items():
            if value is not None and value < 1:
                raise InvalidRequestError(f"{name}: give at least 1", param=name)
        defaults: dict[str, Any] = dict(params)
        if defaults.get("tools"):
            defaults["tools"] = _schemas(defaults["tools"])
        defaults = validation.params(defaults, ChatParams, "chat.completions.map")
        usual = self._core.merged(defaults)  # what is asked is the client's to say, too, and tells checkpoints apart
        defaults |= {name: usual[name] for name in ("extra_body", "extra_query") if name in usual}
        if model is not None:
            self._core.require(self._core.split(model)[0], "chat" if mode == "requests" else "batches")
            defaults["model"] = model
        from onellm.pipeline.chat import ChatPipeline  # noqa: PLC0415 - for callers who use it
        from onellm.pipeline.requests import same  # noqa: PLC0415 - likewise
        from onellm.resources.mapping import ProviderBatches  # noqa: PLC0415 - likewise
        from onellm.resources.pipelines import AsyncChatMap  # noqa: PLC0415 - likewise

        kept = None
        if checkpoint is not None:
            from onellm.pipeline.checkpoint import Checkpoint  # noqa: PLC0415 - imports sqlite3

            kept = Checkpoint(checkpoint, {"call": "chat.completions.map", **same(defaults)})

        async def ask(arguments: dict[str, Any]) -> ChatCompletion:
            reply = cast("ChatCompletion", await self.create(**arguments))
            reply.head = None  # results are kept by the thousand, and headers are larger than most answers
            return reply

        in_batches = mode == "batch"
        return AsyncChatMap(
            ChatPipeline(
                requests,
                ask,
                defaults=defaults,
                batches=ProviderBatches(self._core, self.preview) if in_batches else None,
                together=concurrency or (_BATCHES if in_batches else _REQUESTS),
                most=batch_size,
                ordered=ordered,
                on_error=on_error,
                checkpoint=kept,
            )
        )

    async def preview(
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
        from onellm.resources.preview import preview  # noqa: PLC0415 - for callers who use it

        return await preview(
            self._core,
            lambda core: AsyncChatCompletions(core).create(model=model, messages=messages, stream=stream, **params),
        )

    async def count_tokens(
        self, *, model: str, messages: Iterable[MessageParam], **params: Unpack[ChatParams]
    ) -> TokenCount:
        """How many tokens the prompt of a call has, as its provider counts them; nothing is generated.

        Give the call's other arguments, too: tools, response_format and thinking count.

        Raises:
            UsageError: the call is wrong, or the provider does not count; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        counter, request, options = self._prepare(model, messages, params, "token_counts")
        return await options.send(cast("TokenCountProvider", counter).count_tokens, request)

    def _prepare(
        self, model: str, messages: Iterable[MessageParam], params: Mapping[str, Any], operation: str = "chat"
    ) -> "tuple[ChatProvider, ChatRequest, Options]":
        given: dict[str, Any] = {}
        if params:
            if params.get("tools"):
                params = {**params, "tools": _schemas(params["tools"])}
            given = validation.params(params, ChatParams, "chat.completions.create")
        plan = self._core.plan(model, operation, given)
        options = plan.options
        history, texts = validation.history(messages)
        request = ChatRequest(
            provider=plan.name,
            model=plan.model,
            messages=history,
            params=given,
            texts=texts,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        provider: Any = plan.bound.provider  # one that serves the operation
        return provider, request, options


def _no_restart(params: dict[str, Any], call: str) -> None:
    """Let a stream that breaks off be an error: what was made of its chunks could not be taken back."""
    if params.get("on_interrupt") == "restart":
        raise InvalidRequestError(f'{call}: on_interrupt="restart" goes with create() alone', param="on_interrupt")
    params["on_interrupt"] = "raise"


def _schemas(tools: object) -> object:
    """The tools with functions as schemas; what is no list of tools is left to be refused."""
    if not isinstance(tools, list | tuple):
        return tools
    given = cast("Sequence[object]", tools)
    if all(type(tool) is dict for tool in given):
        return given
    from onellm.types.functions import FunctionTool, as_tool  # noqa: PLC0415 - for callers who give functions

    found = [as_tool(tool, place) for place, tool in enumerate(given)]
    names = [tool.name for tool in found if isinstance(tool, FunctionTool)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidRequestError(
            f"tools: two functions are called {min(twice)}; FunctionTool(function, name=...) gives another name",
            param="tools",
        )
    return [tool.param() if isinstance(tool, FunctionTool) else tool for tool in found]


class AsyncChat:
    """The chat namespace."""

    def __init__(self, core: Core) -> None:
        self.completions = AsyncChatCompletions(core)
