"""When two calls are the same: a hash of all that may change the answer, and of nothing secret."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import msgspec

from onellm.policy.execution import Exchange
from onellm.types.request import Request

_VERSION = 1  # counted up when answers are written in another way
_SECRET = re.compile(r"key|token|secret|auth|cookie|password|signature|credential|^sig$", re.IGNORECASE)
# Headers that say which request it is, and not what is asked.
_IDENTITY = frozenset(
    {
        "idempotency-key",
        "traceparent",
        "tracestate",
        "baggage",
        "user-agent",
        "x-client-request-id",
        "x-correlation-id",
        "x-request-id",
    }
)
_NOT_ASKED = frozenset({"adjustments", "texts"})  # of a request: what comes of it, and what is known of it

_encode = msgspec.json.Encoder().encode


def request_key(exchange: Exchange, *more: object, leave_out: Mapping[str, Any] | None = None) -> str | None:
    """The name of what is asked: equal for equal calls.

    It is a hash of the operation, the provider and its address, the model, the request with all its arguments, and
    the caller's own fields, headers and query; keys, tokens and what else is called like a secret are not in it. None
    where a call has credentials of its own, or holds what cannot be written, such as a file.

    more:       what else tells calls apart
    leave_out:  fields of the request, with what stands in their place
    """
    request = exchange.request
    call = exchange.options.call
    headers, query = _own(call.headers), _own(call.query)
    if request is None or headers is None or query is None:
        return None
    settings = call.settings
    asked = [
        _VERSION,
        exchange.operation.method,
        exchange.provider,
        exchange.model,
        _without_user(settings.base_url),
        _open(settings.query),
        _open(settings.headers),
        _open(settings.options),
        _fields(request) if leave_out is None else {**_fields(request), **leave_out},
        headers,
        query,
        more,
    ]
    try:
        return sha256(_encode(asked)).hexdigest()
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError):
        return None


def _fields(request: Request) -> dict[str, Any]:
    fields = {name: getattr(request, name) for name in request.__struct_fields__ if name not in _NOT_ASKED}
    if params := fields.get("params"):  # in which order arguments are given is no difference; in a schema it may be
        fields["params"] = dict(sorted(params.items()))
    return fields


def _own(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a caller adds; None where a credential is among it: whose call it is then counts, and is not to be kept."""
    if not given:
        return {}
    kept = {name.lower(): value for name, value in given.items() if name.lower() not in _IDENTITY}
    return None if any(_SECRET.search(name) and value is not None for name, value in kept.items()) else kept


def _open(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the client without secrets and without what cannot be written."""
    return {
        name.lower(): value
        for name, value in settings.items()
        if isinstance(value, str | int | float | bool | list | dict)
        and not _SECRET.search(name)
        and name.lower() not in _IDENTITY
    }


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
