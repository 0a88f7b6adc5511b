"""What every received type can do."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from typing import Any

import msgspec
from msgspec import Struct, structs

from onellm.errors import OneLLMError
from onellm.types.caching import CacheHit
from onellm.types.headers import Head, Headers, headers_of, status_of

# The names under which our own fields would stand on the wire: no provider has these keys, so a provider's
# own `provider` or `raw` cannot end up in ours (OpenRouter sends a `provider`).
_OURS = "onellm."


class Model(Struct, kw_only=True, gc=False, repr_omit_defaults=True):
    """A received object. Absent, null and unknown fields all decode.

    gc=False: these hold no cycles, and a service that keeps thousands of them should not pay for tracing them.
    """

    def to_dict(self) -> dict[str, Any]:
        """The object as plain Python values, without the fields that are None."""
        return _fields(self, keep_none=False)

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """The object as plain Python values, fields that are None included, as `openai`'s models give it."""
        return _fields(self, keep_none=not exclude_none)

    def model_dump_json(self, *, indent: int | None = None, exclude_none: bool = False) -> str:
        """The object as JSON text."""
        text = msgspec.json.encode(self.model_dump(exclude_none=exclude_none))
        return (msgspec.json.format(text, indent=indent) if indent is not None else text).decode()


class _Received:
    """What is known of an answer beside its fields, and so takes no part in comparing, encoding and copying it.

    head:  its status and headers, where it came by HTTP
    """

    __slots__ = ("head",)

    head: Head | None


class Answer(Model, _Received, kw_only=True, gc=False):
    """A received object that is a whole answer, or a chunk of one.

    provider:     the name of the provider that answered
    request_id:   the provider's id of the request, where it sends one
    raw:          the body, or the chunk's event data, as received
    adjustments:  what was renamed, emulated or left out of the request for this provider
    fallbacks:    what the models raised that were asked before, where this one is a fallback
    cached:       where it comes from a cache of the client: how old it is; None where the provider was asked
    """

    provider: str = msgspec.field(default="", name=_OURS + "provider")
    request_id: str | None = msgspec.field(default=None, name=_OURS + "request_id")
    raw: bytes = msgspec.field(default=b"", name=_OURS + "raw")
    adjustments: tuple[str, ...] = msgspec.field(default=(), name=_OURS + "adjustments")
    fallbacks: tuple[OneLLMError, ...] = msgspec.field(default=(), name=_OURS + "fallbacks")
    cached: CacheHit | None = msgspec.field(default=None, name=_OURS + "cached")

    def __repr__(self) -> str:
        shown = ((field.name, getattr(self, field.name), field.default) for field in structs.fields(self))
        fields = (f"{name}={value!r}" for name, value, default in shown if name != "raw" and value != default)
        return f"{type(self).__name__}({', '.join(fields)})"

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer: what is left of rate limits, ids, times.

        They are not part of what the answer says: not of `==`, of `to_dict()`, nor of a copy. Empty for a chunk, whose
        stream has them, for what comes from a cache or a file, and where there was no HTTP.
        """
        return headers_of(self)

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return status_of(self)

    @property
    def model_extra(self) -> dict[str, Any]:
        """The top-level fields of the body that this type does not name, decoded when asked for."""
        received = _object(self.raw)
        return {key: value for key, value in received.items() if key not in self.__struct_encode_fields__}

    def to_dict(self) -> dict[str, Any]:
        """What was received, unknown fields included, with the normalised fields beside it."""
        merged: dict[str, Any] = _merge(_object(self.raw), _fields(self, keep_none=False))
        return merged

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """Every field as it is here, and the unknown ones that were received."""
        merged: dict[str, Any] = extend(
            _fields(self, keep_none=not exclude_none), _object(self.raw), keep_none=not exclude_none
        )
        return merged


def _object(raw: bytes) -> dict[str, Any]:
    value = msgspec.json.decode(raw) if raw else None
    return value if isinstance(value, dict) else {}


def _dump(value: object, *, keep_none: bool) -> Any:
    if isinstance(value, Model):
        return value.model_dump(exclude_none=not keep_none)
    if isinstance(value, Struct):
        return _fields(value, keep_none=keep_none)
    if isinstance(value, list):
        return [_dump(item, keep_none=keep_none) for item in value]
    return msgspec.to_builtins(value)


def _fields(value: Struct, *, keep_none: bool) -> dict[str, Any]:
    pairs = (
        (field.name, getattr(value, field.name))
        for field in structs.fields(value)
        if not field.encode_name.startswith(_OURS)
    )
    return {name: _dump(item, keep_none=keep_none) for name, item in pairs if keep_none or item is not None}


def _merge(received: Any, ours: Any) -> Any:
    """What was received wins; what we added stands beside it."""
    if isinstance(received, dict) and isinstance(ours, dict):
        return received | {
            key: _merge(received[key], value) if received.get(key) is not None else value for key, value in ours.items()
        }
    if isinstance(received, list) and isinstance(ours, list):
        return [_merge(*pair) for pair in zip(received, ours, strict=False)] + received[len(ours) :]
    return received


def extend(ours: Any, received: Any, *, keep_none: bool) -> Any:
    """Ours wins; what was received and has no field of ours stands beside it."""
    if isinstance(ours, dict) and isinstance(received, dict):
        extra = {key: value for key, value in received.items() if key not in ours and (keep_none or value is not None)}
        return {key: extend(value, received.get(key), keep_none=keep_none) for key, value in ours.items()} | extra
    if isinstance(ours, list) and isinstance(received, list) and len(ours) == len(received):
        return [extend(*pair, keep_none=keep_none) for pair in zip(ours, received, strict=True)]
    return ours
