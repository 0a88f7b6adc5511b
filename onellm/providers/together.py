"""Together AI: Chat Completions with log probabilities of its own shape.

https://docs.together.ai/reference/chat-completions-1
"""

from typing import Any

import msgspec

from onellm.dialects import lenient
from onellm.dialects.openai.chat import OpenAIChat
from onellm.types.chat import ChatCompletion, ChoiceLogprobs, TokenLogprob
from onellm.types.chat_params import ChatRequest


class TogetherChat(OpenAIChat, frozen=True, kw_only=True):
    """`logprobs` is a number of alternatives in the request, and lists side by side in the answer."""

    def encode_params(self, request: ChatRequest) -> dict[str, Any]:
        params = super().encode_params(request)
        if params.get("logprobs"):
            params["logprobs"] = max(1, params.pop("top_logprobs", 1))
            request.adjustments.append(f"sent logprobs and top_logprobs as logprobs={params['logprobs']}")
        else:
            params.pop("logprobs", None)
        return params

    def complete(self, reply: ChatCompletion, last: bytes, request: ChatRequest) -> None:
        super().complete(reply, last, request)
        if b'"token_logprobs"' not in last:
            return
        answer = lenient.convert(lenient.decode_json(last, "log probabilities"), _Answer, "log probabilities")
        for choice, wire in zip(reply.choices, answer.choices, strict=False):
            if wire.logprobs is not None and wire.logprobs.tokens:
                pairs = zip(wire.logprobs.tokens, wire.logprobs.token_logprobs, strict=False)
                content = [TokenLogprob(token=token, logprob=logprob or 0.0) for token, logprob in pairs]
                choice.logprobs = ChoiceLogprobs(content=content)


class _Logprobs(msgspec.Struct):
    tokens: list[str] = []
    token_logprobs: list[float | None] = []


class _Choice(msgspec.Struct):
    logprobs: _Logprobs | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []
