"""`chat.completions`. https://platform.openai.com/docs/api-reference/chat"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from typing_extensions import Unpack

from onellm.policy.retry import retry
from onellm.resources import validation
from onellm.resources.core import Core, Options
from onellm.resources.streams import AsyncChatCompletionStream
from onellm.types.chat import ChatCompletion, TokenCount
from onellm.types.chat_params import ChatParams, ChatRequest, MessageParam

if TYPE_CHECKING:
    from onellm.providers.protocols import ChatProvider, TokenCountProvider


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
    ) -> AsyncChatCompletionStream: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | AsyncChatCompletionStream: ...

    async def create(
        self,
        *,
        model: str,
        messages: Iterable[MessageParam],
        stream: bool | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | AsyncChatCompletionStream:
        """Answer a conversation, whole or with `stream=True` as it is written.

        model is "provider/model"; messages are dicts, message Structs, or messages that came out of an answer. The
        other arguments are those of OpenAI's Chat Completions, see `ChatParams`; None is the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        provider, request, options = self._prepare(model, messages, params)
        if stream:
            return AsyncChatCompletionStream(
                await retry(provider.stream_chat_completion, options.retry, request, options.call)
            )
        return await retry(provider.create_chat_completion, options.retry, request, options.call)

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
        return await retry(cast("TokenCountProvider", counter).count_tokens, options.retry, request, options.call)

    def _prepare(
        self, model: str, messages: Iterable[MessageParam], params: Mapping[str, Any], operation: str = "chat"
    ) -> "tuple[ChatProvider, ChatRequest, Options]":
        name, own_model = self._core.split(model)
        given = validation.params(params, ChatParams, "chat.completions.create")
        bound = self._core.require(name, operation)
        options = self._core.options(bound, given)
        request = ChatRequest(
            provider=name,
            model=own_model,
            messages=validation.messages(messages),
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        return cast("ChatProvider", bound.provider), request, options


class AsyncChat:
    """The chat namespace."""

    def __init__(self, core: Core) -> None:
        self.completions = AsyncChatCompletions(core)
