"""Reading what is not quite as documented: the slow way, taken when the fast way has failed."""

import re
from typing import Any, TypeVar

import msgspec

from onellm.errors import ResponseDecodeError

T = TypeVar("T")

_PATH = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_MOST_REPAIRS = 64


def decode_json(body: bytes, what: str) -> Any:
    """Any JSON value.

    Raises:
        ResponseDecodeError: it is not JSON; `what` says what was expected.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ResponseDecodeError(f"not {what}: {exc}", body=body) from exc


def convert(value: Any, to: type[T], what: str) -> T:
    """A JSON value as a received type, without the parts that do not fit: a null for a list, a text for a number.

    All fields of received types have defaults, so that what is taken out is absent, and still stands in `raw`.

    Raises:
        ResponseDecodeError: what remains is no object.
    """
    for _ in range(_MOST_REPAIRS):
        try:
            return msgspec.convert(value, to, strict=False)
        except msgspec.ValidationError as exc:
            if not _take_out(value, str(exc)):
                raise ResponseDecodeError(f"not {what}: {exc}", body=msgspec.json.encode(value)) from exc
    raise ResponseDecodeError(
        f"not {what}: more than {_MOST_REPAIRS} fields do not fit", body=msgspec.json.encode(value)
    )


def _take_out(value: Any, error: str) -> bool:
    """Remove what a validation error points at; False where that is the whole."""
    path = _PATH.search(error)
    steps = [int(index) if index else name for name, index in _STEP.findall(path[1])] if path else []
    if not steps:
        return False
    for step in steps[:-1]:
        value = value[step]
    del value[steps[-1]]
    return True
