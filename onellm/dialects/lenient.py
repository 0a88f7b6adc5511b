"""Reading what is not quite as documented: the slow way, taken when the fast way has failed."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# JSON of any shape is walked here.

import re
from typing import Any, TypeVar

import msgspec

from onellm.errors import InvalidRequestError, ResponseDecodeError

T = TypeVar("T")

# Compiled where an answer needs it.
_PATH = r" - at `\$(.*)`$"
_STEP = r"\.([A-Za-z_]\w*)|\[(\d+)\]"
_MOST_REPAIRS = 64

# What msgspec raises for bytes that are no JSON, or not the JSON that was asked for. RecursionError: nested too deep.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_encode = msgspec.json.Encoder().encode


def encode_json(body: dict[str, Any]) -> bytes:
    """A request body.

    Raises:
        InvalidRequestError: it holds something that JSON cannot: a set of objects, half a surrogate pair.
    """
    try:
        return _encode(body)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"the request cannot be written as JSON: {exc}") from exc


def decode_json(body: bytes, what: str) -> Any:
    """Any JSON value.

    Raises:
        ResponseDecodeError: it is not JSON; `what` says what was expected.
    """
    try:
        return msgspec.json.decode(body)
    except DECODE_ERRORS as exc:
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
    """Remove what a validation error points at; False where that is the whole.

    A null goes from all items of the lists on the way to it: what is null in one is often null in each.
    """
    path = re.search(_PATH, error)
    steps: list[int | str] = (
        [int(index) if index else name for name, index in re.findall(_STEP, path[1])] if path else []
    )
    if not steps:
        return False
    try:
        found = value
        for step in steps[:-1]:
            found = found[step]
        wrong = found[steps[-1]]
        if wrong is None and isinstance(steps[-1], str):
            _take_out_nulls(value, steps)
        else:
            del found[steps[-1]]
    except LookupError:  # a field whose name on the wire holds a dot
        return False
    return True


def _take_out_nulls(value: Any, steps: "list[int | str]") -> None:
    step, *rest = steps
    if isinstance(step, int):
        for item in value if isinstance(value, list) else ():
            _take_out_nulls(item, rest)
    elif isinstance(value, dict) and step in value:
        if rest:
            _take_out_nulls(value[step], rest)
        elif value[step] is None:
            del value[step]
