"""Whether an answer with status 200 is an error all the same, from its bytes: most are none, and not decoded for it."""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from onellm.dialects.lenient import DECODE_ERRORS


class _BaseResp(Struct):
    status_code: int = 0


class _MaybeError(Struct):
    error: Raw = Raw(b"null")  # of any type, null included: a union with None would take nothing else
    base_resp: _BaseResp | None = None


_decode_maybe_error: Callable[[bytes], _MaybeError | list[_MaybeError]]
_decode_maybe_error = msgspec.json.Decoder(_MaybeError | list[_MaybeError]).decode
_NO_ERROR = frozenset({b"null", b"false", b'""', b"{}", b"[]", b"0"})


def is_error(data: bytes, *, base_resp: bool = False) -> bool:
    """Whether JSON that has an "error" somewhere is one."""
    try:
        found = _decode_maybe_error(data)
    except DECODE_ERRORS:
        return False
    if isinstance(found, list):
        found = found[0] if found else _MaybeError()
    failed = base_resp and found.base_resp is not None and found.base_resp.status_code != 0
    return bytes(found.error) not in _NO_ERROR or failed
