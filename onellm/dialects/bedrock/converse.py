"""Converse: one chat API for the models of many makers, behind Amazon Bedrock.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html
"""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.bedrock import encode, faults
from onellm.dialects.bedrock.fold import MessageFold, WireUsage
from onellm.dialects.bedrock.reducer import ConverseReducer
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.chat import ChatCompletion, TokenCount
from onellm.types.chat_params import ChatRequest


class _Call(Struct, gc=False):
    toolUseId: str = ""  # noqa: N815 - Converse's names, here and below
    name: str = ""
    input: Raw = Raw(b"{}")
    type: str | None = None


class _ReasoningText(Struct, gc=False):
    text: str | None = None
    signature: str | None = None


class _Reasoning(Struct, gc=False):
    reasoningText: _ReasoningText | None = None  # noqa: N815
    redactedContent: str | None = None  # noqa: N815


class _Text(Struct, gc=False):
    text: str | None = None


class _Cited(Struct, gc=False):
    content: list[_Text] | None = None
    citations: list[dict[str, Any]] | None = None


class _Block(Struct, gc=False):
    """Any block: one of these is there."""

    text: str | None = None
    toolUse: _Call | None = None  # noqa: N815
    reasoningContent: _Reasoning | None = None  # noqa: N815
    citationsContent: _Cited | None = None  # noqa: N815
    toolResult: dict[str, Any] | None = None  # noqa: N815
    image: dict[str, Any] | None = None


class _Message(Struct, gc=False):
    content: list[_Block] | None = None


class _Output(Struct, gc=False):
    message: _Message | None = None


class _Tier(Struct, gc=False):
    type: str | None = None


class _Answer(Struct):
    output: _Output | None = None
    stopReason: str | None = None  # noqa: N815
    usage: WireUsage | None = None
    serviceTier: _Tier | None = None  # noqa: N815


class _Count(Struct):
    inputTokens: int | None = None  # noqa: N815


_decode = msgspec.json.Decoder(_Answer, strict=False).decode
_decode_count = msgspec.json.Decoder(_Count, strict=False).decode


def model_path(model: str, operation: str) -> str:
    """The path of a model's operation: the id, which may be an ARN, is one segment."""
    return f"model/{quote(model, safe='')}/{operation}"


class Converse(Struct, frozen=True, kw_only=True):
    """Chat by Converse and ConverseStream."""

    response_formats: frozenset[str] = frozenset({"text", "json_schema"})
    tools: bool = True
    vision: bool = True
    audio_input: bool = True
    reasoning: bool = True

    @property
    def caching(self) -> Literal["marks"]:
        """As `OpenAIChat.caching` has it."""
        return "marks"

    @property
    def native_options(self) -> frozenset[str]:
        return frozenset({"bedrock"})

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        body = encode.body(request, stream=False)
        return HttpRequest(path=model_path(request.model, "converse"), body=encode_json(body))

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        body = encode.body(request, stream=True)
        return HttpRequest(path=model_path(request.model, "converse-stream"), body=encode_json(body))

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        try:
            wire = _decode(body)
        except DECODE_ERRORS:
            wire = lenient.convert(lenient.decode_json(body, "an answer of Converse"), _Answer, "an answer of Converse")
        if wire.output is None:
            raise faults.not_an_answer(body, "an answer of Converse: it has no output")
        fold = MessageFold()
        message = wire.output.message or _Message()
        for number, block in enumerate(message.content or ()):
            _add(fold, number, block)
        fold.finish_raw = wire.stopReason
        fold.usage = None if wire.usage is None else wire.usage.ours()
        fold.service_tier = None if wire.serviceTier is None else wire.serviceTier.type
        reply = fold.whole(provider=request.provider, model=request.model)
        reply.raw = body
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return faults.decode_error(status, headers, body, now=now)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> ConverseReducer:
        return ConverseReducer(request, max_event_bytes=max_event_bytes)


def _add(fold: MessageFold, number: int, block: _Block) -> None:
    """One whole block, as a stream would have brought it."""
    if block.text is not None:
        fold.texts(number).append(block.text)
    elif (call := block.toolUse) is not None:
        fold.call(number, call.toolUseId, call.name, call.type)
        fold.block(number).input.append(bytes(call.input).decode())
    elif (thought := block.reasoningContent) is not None:
        said = thought.reasoningText or _ReasoningText()
        fold.reason(number, said.text, said.signature, thought.redactedContent)
    elif (cited := block.citationsContent) is not None:
        fold.texts(number).extend(piece.text for piece in cited.content or () if piece.text)
        fold.block(number).citations.extend(cited.citations or ())
    elif block.toolResult is not None:
        begun = {name: value for name, value in block.toolResult.items() if name != "content"}
        fold.result(number, begun)
        fold.result_content(number, block.toolResult.get("content"))
    elif block.image is not None:
        fold.image(number, block.image)


# The regions that stand before the id of a model's inference profile.
GEOGRAPHIES = ("us.", "eu.", "apac.", "jp.", "au.", "ca.", "in.", "us-gov.", "global.")


def foundation_model(model: str) -> str:
    """The id of the model behind an inference profile or an ARN, as far as it says it."""
    own = model.rpartition("/")[2] if model.startswith("arn:") else model
    prefix = next((prefix for prefix in GEOGRAPHIES if own.startswith(prefix)), "")
    return own.removeprefix(prefix)


class CountTokens(Struct, frozen=True, kw_only=True):
    """How many tokens a call of Converse would have. It takes no inference profiles, so their model is asked.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
    """

    _COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        body = encode.body(request, stream=False)
        counted = {name: body[name] for name in self._COUNTED if name in body}
        model = request.model
        if not model.startswith("arn:") and (model := foundation_model(model)) != request.model:
            request.adjustments.append(f"asked {model}, as inference profiles do not count")
        return HttpRequest(path=model_path(model, "count-tokens"), body=encode_json({"input": {"converse": counted}}))

    def decode_response(self, body: bytes, request: ChatRequest) -> TokenCount:  # noqa: ARG002 - the seam's
        try:
            wire = _decode_count(body)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a count of tokens: {exc}", body=body) from exc
        if wire.inputTokens is None:
            raise faults.not_an_answer(body, "a count of tokens: it has no inputTokens")
        return TokenCount(input_tokens=wire.inputTokens, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return faults.decode_error(status, headers, body, now=now)
