# GENERATED from onellm/resources/completions.py by onellm._sync.generate. Do not edit: run make sync.

"""`completions`. https://platform.openai.com/docs/api-reference/completions"""

from typing import Literal, overload

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm._sync.streams import CompletionStream
from onellm.resources.completions import AsyncCompletions
from onellm.resources.streams import AsyncCompletionStream
from onellm.types.completions import Completion, CompletionParams, Prompt


class Completions:
    """Texts continued, or filled in before a `suffix`."""

    def __init__(self, held: AsyncCompletions) -> None:
        self._async = held

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: Literal[False] | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion: ...

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: Literal[True],
        **params: Unpack[CompletionParams],
    ) -> CompletionStream: ...

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: bool | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion | CompletionStream: ...

    def create(
        self,
        *,
        model: str,
        prompt: Prompt | None,
        stream: bool | None = None,
        **params: Unpack[CompletionParams],
    ) -> Completion | CompletionStream:
        """Continue a text, whole or with `stream=True` as it is written; with `suffix` what stands between.

        model is "provider/model"; prompt is a text, token ids, or a list of either. The other arguments are those of
        OpenAI's text completions, see `CompletionParams`; None is the same as leaving out.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        reply = run(self._async.create(model=model, prompt=prompt, stream=stream, **params))
        if isinstance(reply, AsyncCompletionStream):
            return CompletionStream(reply)
        return reply
