"""The engine's JSON, where it is touched at all: refusals, and embeddings in pieces."""

from typing import Any

import msgspec
from msgspec import Raw, Struct


class _Refusal(Struct):
    code: int = 500
    message: str = ""
    type: str = "server_error"


class _RefusalBody(Struct):
    error: _Refusal


class _EmbeddingsUsage(Struct):
    prompt_tokens: int = 0
    total_tokens: int = 0


class _EmbeddingsAnswer(Struct):
    data: list[dict[str, Raw]]
    usage: _EmbeddingsUsage


_decode_refusal = msgspec.json.Decoder(_RefusalBody).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_embeddings = msgspec.json.Decoder(_EmbeddingsAnswer).decode


class EngineError(RuntimeError):
    """The engine refused or broke off a request.

    status:   what llama-server would have answered over HTTP
    body:     `{"error":{"code":…,"message":…,"type":…}}`, as the engine gave it
    type:     the engine's own, such as "exceed_context_size_error", or one of ours: "engine_load_error",
              "engine_closed", "engine_forked", "engine_interrupted", "engine_overloaded"
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        try:
            refusal = _decode_refusal(body).error
        except msgspec.MsgspecError:
            refusal = _Refusal(message=body.decode(errors="replace"))
        self.body = body
        self.status = refusal.code
        self.message = refusal.message
        self.type = refusal.type

    def __str__(self) -> str:
        return f"{self.message} ({self.type}, status {self.status})"


def decode_fields(body: bytes) -> dict[str, Raw]:
    """The fields of a request, undecoded.

    Raises:
        EngineError: it is not a JSON object.
    """
    try:
        return _decode_fields(body)
    except msgspec.DecodeError as exc:
        raise engine_error(400, "invalid_request_error", f"the request is not a JSON object: {exc}") from exc


def split_inputs(raw: Raw | None, size: int) -> list[dict[str, list[Raw]]]:
    """The "input" in pieces of `size`; not cut where it is one text or one list of tokens."""
    if raw is None or not bytes(raw).startswith(b"["):
        return [{}]
    items = _decode_items(raw)
    if len(items) <= size or bytes(items[0])[:1] not in b'"[':
        return [{}]
    return [{"input": items[i : i + size]} for i in range(0, len(items), size)]


def join_answers(answers: list[bytes]) -> bytes:
    """One embeddings answer from several, in their order."""
    decoded = [_decode_embeddings(answer) for answer in answers]
    items = [item for answer in decoded for item in answer.data]
    usage = {
        "prompt_tokens": sum(answer.usage.prompt_tokens for answer in decoded),
        "total_tokens": sum(answer.usage.total_tokens for answer in decoded),
    }
    data: list[dict[str, Any]] = [{**item, "index": i} for i, item in enumerate(items)]
    return msgspec.json.encode({**_decode_fields(answers[0]), "usage": usage, "data": data})


def as_context_error(error: EngineError) -> EngineError:
    """For a text that is longer than the batch or the context, embeddings have only "server_error" (seen)."""
    too_long = ("too large to process", "larger than the max context size")
    if error.type == "server_error" and any(words in error.message for words in too_long):
        return engine_error(400, "exceed_context_size_error", error.message)
    return error


def is_error(answer: bytes) -> bool:
    return answer.startswith(b'{"error":')


def engine_error(status: int, kind: str, message: str) -> EngineError:
    """An error of ours in the engine's form."""
    return EngineError(msgspec.json.encode({"error": {"code": status, "message": message, "type": kind}}))
