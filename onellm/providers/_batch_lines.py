"""A line of a batch's results, read by the dialect that reads the same answer of the endpoint's own call."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from onellm.dialects import lenient
from onellm.dialects.base import BatchLine, ErrorDecoder
from onellm.errors import OneLLMError, ResponseDecodeError
from onellm.types.base import Answer
from onellm.types.batches import Batch, BatchAnswer, BatchResult
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import CompletionRequest
from onellm.types.embeddings import EmbeddingsRequest
from onellm.types.moderations import ModerationRequest

if TYPE_CHECKING:
    from onellm.dialects.protocols import BatchDialect
    from onellm.providers.http import HttpProvider

_REFUSED = 300


# What an answer says that it is, and whose answers are that: for batches that do not say their endpoint.
_ENDPOINTS = {"chat.completion": "/chat/completions", "text_completion": "/completions", "list": "/embeddings"}


class _Counted(Struct, gc=False):
    """What an answer is and how much it holds: the question is not at hand."""

    object: str = ""
    data: list[msgspec.Raw] = []
    results: list[msgspec.Raw] = []


_counted = msgspec.json.Decoder(_Counted)


def read_line(row: "HttpProvider", dialect: "BatchDialect", line: bytes, batch: Batch) -> BatchResult:
    """What came of one request. A line that cannot be read is an error of that line."""
    custom_id, status, found_id = "", None, None
    response: BatchAnswer | None = None
    error: OneLLMError | None = None
    try:
        wire = dialect.decode_line(line)
        custom_id, status, found_id = wire.custom_id, wire.status, wire.request_id
        response = _response(row, dialect, wire, batch)
    except OneLLMError as exc:
        exc.provider = exc.provider or row.name
        exc.request_id = exc.request_id or found_id
        error = exc.with_traceback(None)
    if isinstance(response, Answer):
        response.provider, response.request_id = row.name, found_id
    return BatchResult(
        custom_id=custom_id, response=response, error=error, status_code=status, request_id=found_id, raw=line
    )


def _response(row: "HttpProvider", dialect: "BatchDialect", wire: BatchLine, batch: Batch) -> BatchAnswer:
    endpoint = batch.endpoint or _ENDPOINTS.get(_count(wire.body).object, "")
    reads, decode = _reader(row, endpoint, batch.model or "")
    decoder = reads or dialect
    if wire.error:
        raise decoder.decode_error(wire.status or 200, {}, b'{"error":' + wire.error + b"}", now=0.0)
    if wire.status is not None and wire.status >= _REFUSED:
        raise decoder.decode_error(wire.status, {}, wire.body, now=0.0)
    if not wire.body:
        raise ResponseDecodeError("the line has neither a response nor an error")
    return decode(wire.body)


def _reader(
    row: "HttpProvider", endpoint: str, model: str
) -> tuple[ErrorDecoder | None, Callable[[bytes], BatchAnswer]]:
    """What reads the answers of a batch's endpoint."""
    name = row.name
    path = endpoint.rstrip("/")
    if path.endswith("/chat/completions") and (chat := row.chat) is not None:
        question = ChatRequest(provider=name, model=model, messages=[], params={})
        return chat, lambda body: chat.decode_response(body, question)
    if path.endswith("/embeddings") and (embeddings := row.embeddings) is not None:
        return embeddings, lambda body: embeddings.decode_response(
            body, EmbeddingsRequest(provider=name, model=model, input=[""] * len(_count(body).data), params={})
        )
    if path.endswith("/moderations") and (moderations := row.moderations) is not None:
        return moderations, lambda body: moderations.decode_response(
            body, _moderation(name, model, len(_count(body).results))
        )
    if path.endswith("/completions") and (completions := row.completions) is not None:
        prompt = CompletionRequest(provider=name, model=model, prompt="", params={})
        return completions, lambda body: completions.decode_response(body, prompt)
    if path.endswith("/ocr") and (ocr := row.ocr) is not None:
        from onellm.types.ocr import OcrRequest  # noqa: PLC0415 - loaded where it is served

        asked = OcrRequest(provider=name, model=model, document={}, params={})
        return ocr, lambda body: ocr.decode_response(body, asked)
    return None, _plain


def _moderation(name: str, model: str, results: int) -> ModerationRequest:
    return ModerationRequest(provider=name, model=model, input=[""] * max(1, results))


def _count(body: bytes) -> _Counted:
    try:
        return _counted.decode(body)
    except lenient.DECODE_ERRORS:
        return _Counted()


def _plain(body: bytes) -> BatchAnswer:
    value = lenient.decode_json(body, "a response")
    if not isinstance(value, dict):
        raise ResponseDecodeError("the response is no object", body=body[:2000])
    return value  # pyright: ignore[reportUnknownVariableType] - JSON
