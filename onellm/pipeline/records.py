"""What a checkpoint holds: results of inputs, as bytes. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from onellm import errors
from onellm.errors import OneLLMError


class Span(Struct, frozen=True):
    """Inputs that are done: from where, how many, and a digest of them."""

    start: int
    count: int
    digest: bytes


class Record(Struct, frozen=True, kw_only=True):
    """What came of the inputs of a span."""

    span: Span
    body: bytes
    notes: bytes = b""


def digest(ids: Sequence[object], inputs: Sequence[object]) -> bytes:
    """What tells inputs from others."""
    try:
        text = encode_json([ids, inputs])
    except ValueError:  # half a surrogate pair; what holds one is never sent, but it has its place
        text = repr((ids, inputs)).encode(errors="surrogatepass")
    return blake2b(text, digest_size=16).digest()


def _named(value: object) -> str:
    """What JSON has no form for: a function by its name, which the next process has too, anything else by its repr."""
    name = getattr(value, "__qualname__", None)
    return f"{getattr(value, '__module__', '')}.{name}" if isinstance(name, str) else repr(value)


encode_json = msgspec.json.Encoder(enc_hook=_named, order="sorted").encode
"""The same bytes for equal values."""


class _Failed(Struct, omit_defaults=True):
    row: int
    kind: str
    message: str
    provider: str | None = None
    model: str | None = None
    status_code: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None


_decode = msgspec.json.Decoder(list[_Failed]).decode
_COPIED = ("provider", "model", "status_code", "code", "type", "param", "request_id")


def encode_failures(failed: Mapping[int, OneLLMError]) -> bytes:
    """Errors by their rows."""
    if not failed:
        return b""
    return msgspec.json.encode(
        [
            _Failed(row, type(exc).__name__, exc.message, *(getattr(exc, name) for name in _COPIED))
            for row, exc in failed.items()
        ]
    )


def decode_failures(notes: bytes) -> dict[int, OneLLMError]:
    """What `encode_failures` was given, without the bodies of answers."""
    found: dict[int, OneLLMError] = {}
    for one in _decode(notes) if notes else ():
        kind = getattr(errors, one.kind, OneLLMError)
        if not isinstance(kind, type) or not issubclass(kind, OneLLMError):
            kind = OneLLMError
        found[one.row] = kind(one.message, **{name: getattr(one, name) for name in _COPIED})
    return found
