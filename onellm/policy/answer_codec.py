"""Answers as bytes, from which an equal answer is made again: for caches, and for callers who share one.

What is written is our types, and not the provider's body: so it needs no dialect, and holds what was worked out of
headers and of several requests. What cannot be written (a number that is too large, half a character) is not kept.
"""

from array import array
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import msgspec
from msgspec import Struct

from onellm.policy.operations import Operation
from onellm.types.base import Answer

# Where the types are: a call of one kind imports no other.
_TYPES = {
    "create_chat_completion": ("onellm.types.chat", "ChatCompletion", ""),
    "stream_chat_completion": ("onellm.types.chat", "ChatCompletion", "ChatCompletionChunk"),
    "create_completion": ("onellm.types.completions", "Completion", ""),
    "stream_completion": ("onellm.types.completions", "Completion", "Completion"),
    "create_embeddings": ("onellm.types.embeddings", "CreateEmbeddingResponse", ""),
    "create_moderation": ("onellm.types.moderations", "ModerationCreateResponse", ""),
    "create_rerank": ("onellm.types.rerank", "RerankResponse", ""),
}


class Codec(Struct, frozen=True, kw_only=True):
    """The types of an operation's answers, and how they are read."""

    whole: type[Answer]
    decode_whole: Callable[[bytes], Any]
    chunk: type[Answer] | None = None
    decode_chunk: Callable[[bytes], Any] | None = None

    def encode(self, answer: object) -> bytes | None:
        """An answer as bytes; None for what is not of the type, or cannot be written."""
        return encode(answer, self.whole)

    def decode(self, written: bytes) -> Any:
        """An answer equal to the one that was written.

        Raises:
            msgspec.DecodeError: these bytes are none, or were written by another version.
        """
        return self.decode_whole(written)

    def encode_chunks(self, chunks: Sequence[object]) -> list[bytes] | None:
        """Chunks of a stream as bytes, one for one; None where one cannot be written."""
        assert self.chunk is not None  # noqa: S101 - asked of streams alone
        written = [encode(chunk, self.chunk) for chunk in chunks]
        return None if None in written else written  # type: ignore[return-value] # so none is None

    def decode_chunks(self, written: Sequence[bytes]) -> list[Any]:
        """The chunks again.

        Raises:
            msgspec.DecodeError: as `decode`.
        """
        assert self.decode_chunk is not None  # noqa: S101 - as above
        return [self.decode_chunk(chunk) for chunk in written]


def codec_of(operation: Operation) -> Codec | None:
    """How answers of an operation are written; None where they are not."""
    found = _codecs.get(operation.method)
    if found is None and operation.method in _TYPES:
        module, whole, chunk = _TYPES[operation.method]
        types = import_module(module)
        whole_type = getattr(types, whole)
        found = Codec(whole=whole_type, decode_whole=_decoder(whole_type))
        if chunk:
            chunk_type = getattr(types, chunk)
            found = Codec(
                whole=whole_type,
                decode_whole=found.decode_whole,
                chunk=chunk_type,
                decode_chunk=_decoder(chunk_type),
            )
        _codecs[operation.method] = found
    return found


def encode(answer: object, expected: type[Answer]) -> bytes | None:
    """An answer as bytes; None for what is not of exactly this type, or cannot be written."""
    if type(answer) is not expected:
        return None
    try:
        return _encode(answer)
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError):
        return None


_codecs: dict[str, Codec] = {}


def _decoder(answer: type[Answer]) -> Callable[[bytes], Any]:
    return msgspec.msgpack.Decoder(answer, dec_hook=_from_written).decode


def _to_written(value: Any) -> object:
    if getattr(value, "typecode", "") == "f":  # an array of float32
        return memoryview(value)
    raise NotImplementedError(type(value).__name__)  # as msgspec asks of such a hook


def _from_written(expected: type, value: Any) -> Any:
    kind: type = getattr(expected, "__origin__", expected)
    if kind is array:
        floats = array("f")
        floats.frombytes(value)
        return floats
    if dict in kind.__mro__:  # ours with attributes; what is in it is plain
        return kind(value)
    raise NotImplementedError(expected.__name__)  # likewise


_encode = msgspec.msgpack.Encoder(enc_hook=_to_written).encode
