"""Anthropic's Messages by InvokeModel: for what its models take and Converse has no place for.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.anthropic.stream import MessageReducer
from onellm.dialects.base import HttpRequest
from onellm.dialects.bedrock import faults
from onellm.dialects.bedrock.converse import model_path
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.errors import APIStatusError, OneLLMError, ResponseDecodeError
from onellm.transport.eventstream import EventStreamDecoder, EventStreamError
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest


class _Chunk(Struct, gc=False):
    inside: bytes = msgspec.field(default=b"", name="bytes")  # msgspec decodes base64 by itself


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class InvokeMessages(AnthropicMessages, frozen=True, kw_only=True):
    """The Messages API in the body of InvokeModel: the model is in the path, version and betas are in the body."""

    model_in_body: bool = False
    stream_in_body: bool = False
    version_in_body: str = "bedrock-2023-05-31"
    betas_in_body: bool = True
    urls: bool = False
    server_side: bool = False
    web_search: str = ""

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        http = super().encode_request(request)
        return structs.replace(http, path=model_path(request.model, "invoke"))

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        http = super().encode_stream(request)
        return structs.replace(http, path=model_path(request.model, "invoke-with-response-stream"))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return faults.decode_error(status, headers, body, now=now)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> "InvokeReducer":  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride] - both satisfy the protocol
        inner = MessageReducer(request, self._codes)
        return InvokeReducer(inner, EventStreamDecoder(max_event_bytes=max_event_bytes))


class InvokeReducer:
    """Takes the events of Messages out of the frames around them."""

    def __init__(self, inner: MessageReducer, decoder: EventStreamDecoder) -> None:
        self._inner = inner
        self._decoder = decoder

    @property
    def error(self) -> OneLLMError | None:
        return self._inner.error

    @property
    def finished(self) -> bool:
        return self._inner.finished

    def feed(self, data: bytes) -> Sequence[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        inner = self._inner
        if inner.finished or inner.error is not None:
            return chunks
        try:
            for message in self._decoder.feed(data):
                headers: Mapping[str, Any] = message.headers
                if headers.get(":message-type") in ("exception", "error"):
                    raise faults.from_frame(message)
                if headers.get(":event-type") == "chunk":
                    inner.feed_chunk(_inside(message.payload), chunks.append)
            if self._decoder.error is not None and not inner.finished:
                inner.error = ResponseDecodeError(str(self._decoder.error))
        except EventStreamError as exc:
            inner.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            inner.error = exc
        return chunks

    def close(self) -> ChatCompletion:
        return self._inner.close()


def _inside(payload: bytes) -> bytes:
    try:
        return _decode_chunk(payload).inside
    except DECODE_ERRORS as exc:
        raise ResponseDecodeError(f"not a chunk of InvokeModel: {exc}", body=payload) from exc
