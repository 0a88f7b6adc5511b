"""`completions`. https://platform.openai.com/docs/api-reference/completions"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# What callers give may be anything: it is taken apart here, by checks that prove what they use.

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.resources.streams import AsyncAnswerStream
from onellm.types.completions import Completion, CompletionArguments, CompletionParams, CompletionRequest, Prompt

if TYPE_CHECKING:
    from onellm.policy.execute import Options
    from onellm.providers.protocols import CompletionProvider


class AsyncCompletionStream(AsyncAnswerStream[Completion, Completion]):
    """A streamed text completion, to be used like a streamed chat answer. Chunks have the shape of the whole."""

    async def text(self) -> AsyncIterator[str]:
        """The pieces of the first choice's text."""
        async for chunk in self:
            for choice in chunk.choices:
                if choice.index == 0 and choice.text:
                    yield choice.text

    async def get_final_completion(self) -> Completion:
        """`get_final` under the name that the streams of chats have for it."""
        return await self.get_final()


class AsyncCompletions:
    """Texts continued, or filled in before a `suffix`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @overload
    async def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: Literal[False] | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: Literal[True],
        **params: Unpack[CompletionParams],
    ) -> AsyncCompletionStream: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: bool | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion | AsyncCompletionStream: ...

    async def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: bool | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion | AsyncCompletionStream:
        """Continue a text, whole or with `stream=True` as it is written; with `suffix` what stands between.

        model is "provider/model"; prompt is a text, token ids, or a list of either. The other arguments are those of
        OpenAI's text completions, see `CompletionParams`; None is the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        provider, request, options = self._prepare(model, prompt, cast("dict[str, Any]", params))
        if stream:
            return AsyncCompletionStream(await options.send(provider.stream_completion, request))
        return await options.send(provider.create_completion, request)

    def _prepare(
        self, model: str, prompt: Prompt | None, params: dict[str, Any]
    ) -> "tuple[CompletionProvider, CompletionRequest, Options]":
        name, own_model = self._core.split(model)
        plain = prompt if prompt is None or isinstance(prompt, str) else _listed(prompt)
        given = validation.params({**params, "prompt": plain}, CompletionArguments, "completions.create")
        given.pop("prompt", None)
        bound = self._core.require(name, "completions")
        options = self._core.options(bound, given)
        request = CompletionRequest(
            provider=name,
            model=own_model,
            prompt=plain,
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        return cast("CompletionProvider", bound.provider), request, options


def _listed(prompt: Any) -> list[Any]:
    """A list of prompts, all of one kind; what the kind is, is checked with the other arguments."""
    if not isinstance(prompt, Iterable) or isinstance(prompt, bytes | bytearray | Mapping):
        raise InvalidRequestError(
            f"prompt must be a text, token ids, or a list of either, not {type(prompt).__name__}", param="prompt"
        )
    items: list[Any] = [list(item) if isinstance(item, tuple) else item for item in prompt]
    if not items or [] in items:
        raise InvalidRequestError("prompt is empty: give at least one text or token", param="prompt")
    if len({type(item) for item in items}) > 1:
        raise InvalidRequestError("prompt mixes texts and tokens: give a list of one kind", param="prompt")
    return items
