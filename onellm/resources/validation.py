"""Bad input becomes an error here, before anything is sent, with the path of the bad value."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct

from onellm.errors import InvalidRequestError
from onellm.types.chat import ChatCompletionMessage
from onellm.types.chat_params import Message, MessageParam, Part

_PART_TYPES = [str(part.__struct_config__.tag) for part in Part.__args__]
# Compiled when something is wrong: patterns for errors alone are not worth their time at every start.
_ERROR = r"(?s)^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$"
_UNKNOWN_TAG = r"^Invalid value '(?P<tag>.*)'$"
_TEXT_ROLES = ("system", "developer", "user", "assistant")  # whose messages need no more than a text
_HEADER_BREAKERS = r"[\r\n\0]"


class _History(Struct):
    """msgspec keeps what it works out of a Struct; `list[Message]` by itself it would work out in each call."""

    messages: list[Message]


def params(
    given: Mapping[str, Any],
    known: Any,
    call: str,
    beyond: str = "what a provider takes beyond this goes into extra_body={...}",
) -> dict[str, Any]:
    """The given arguments, checked against a TypedDict; those that are None are left out.

    beyond:  said of an argument that does not exist

    Raises:
        InvalidRequestError: an argument does not exist, or its value does not fit.
    """
    if not given:
        return {}
    names: dict[str, Any] = known.__annotations__
    for name in given:
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean {near}?" if near else beyond
            raise InvalidRequestError(f"{call} has no argument {name!r}; {hint}", param=name)
    checked = {name: value for name, value in given.items() if value is not None}
    try:
        msgspec.convert(checked, known)
    except msgspec.ValidationError as exc:
        raise _at(exc) from None
    if (headers := checked.get("extra_headers")) is not None:
        for name, value in headers.items():
            if re.search(_HEADER_BREAKERS, name) or re.search(_HEADER_BREAKERS, value or ""):
                raise InvalidRequestError(f"extra_headers[{name!r}] holds a line end", param="extra_headers")
    return checked


def text(value: object, name: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(
            f"{name} must be a text that is not empty, not {_kind(value)}", param=name.partition("[")[0]
        )
    return value


def choice(value: Any, known: Any, name: str, call: str) -> Any:
    """One of the values of a `Literal`, or None.

    Raises:
        InvalidRequestError: it is another; says which one is near.
    """
    values: tuple[str, ...] = get_args(known)
    if value is None or value in values:
        return value
    near = nearest(str(value), values)
    hint = f"; did you mean {near!r}?" if near else f"; it is one of {', '.join(map(repr, values))}"
    raise InvalidRequestError(f"{call}: {name} cannot be {value!r}{hint}", param=name)


def not_one(given: object, name: str, what: str) -> None:
    """Something to iterate over that is not itself a single thing.

    Raises:
        InvalidRequestError: it cannot be iterated over, or is a text, bytes or a dict.
    """
    if isinstance(given, str | bytes | Mapping | Struct) or not isinstance(given, Iterable | AsyncIterable):
        raise InvalidRequestError(f"{name} must be an iterable of {what}, not {_kind(given)}", param=name)


def on_error(given: object) -> None:
    """What a pipeline takes for its failures.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not callable(given) and given not in ("raise", "skip"):
        raise InvalidRequestError(
            f"on_error cannot be {given!r}; it is one of 'raise', 'skip', or a function", param="on_error"
        )


def message_list(given: Iterable[MessageParam]) -> list[Any]:
    """The messages as a list of their own.

    Raises:
        InvalidRequestError: they are none.
    """
    if type(given) is list:  # nearly all are; what follows asks abstract classes, at a microsecond
        return given.copy()
    if isinstance(given, str | bytes | Mapping | Struct) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise InvalidRequestError(f"messages must be a list of messages, not {_kind(given)}", param="messages")
    return list(given)


def messages(given: Iterable[MessageParam]) -> list[dict[str, Any]]:
    """A history as plain dicts in OpenAI's shape, checked; fields and part types that are not known stay in.

    Raises:
        InvalidRequestError: not a list, empty, a wrong role, a missing or a wrong field; says where.
    """
    return history(given)[0]


def history(given: Iterable[MessageParam]) -> tuple[list[dict[str, Any]], bool]:
    """`messages`, and whether each is a role and a text and nothing else: most are, and need no second look."""
    plain = message_list(given)
    for message in plain:
        if (
            type(message) is not dict
            or len(message) != 2  # noqa: PLR2004 - a role and a text
            or type(message.get("content")) is not str
            or message.get("role") not in _TEXT_ROLES
        ):
            _check(plain)
            return plain, False
    if not plain:
        raise InvalidRequestError("messages is empty: give at least one message", param="messages")
    return plain, True


def _check(plain: list[Any]) -> None:
    """Make plain what is not, in place, and see that it fits."""
    for place, message in enumerate(plain):
        if type(message) is not dict or type(message.get("content")) is not str or "tool_calls" in message:
            plain[place] = _plain(message, place)
    try:
        msgspec.convert({"messages": plain}, _History)
    except msgspec.ValidationError as exc:
        _explain(plain, exc)


def _plain(message: Any, place: int) -> dict[str, Any]:
    """One message as a dict; iterables in it become lists, Structs dicts."""
    if isinstance(message, dict):
        plain = message
    elif isinstance(message, ChatCompletionMessage):
        plain = message.to_dict()
    elif isinstance(message, Struct):
        plain = {key: value for key, value in msgspec.to_builtins(message).items() if value is not None}
    elif isinstance(message, Mapping):
        plain = dict(message)
    else:
        raise InvalidRequestError(
            f"messages[{place}] must be a dict or a message, not {_kind(message)}", param="messages"
        )
    for name in ("content", "tool_calls"):
        items = plain.get(name)
        if items is None or isinstance(items, str):
            continue
        if not isinstance(items, list) and (
            isinstance(items, bytes | Mapping | Struct) or not isinstance(items, Iterable)
        ):
            raise InvalidRequestError(f"messages[{place}].{name} must be a list, not {_kind(items)}", param="messages")
        if not isinstance(items, list) or any(isinstance(item, Struct) for item in items):
            plain = {**plain, name: [_builtin(item) for item in items]}
    return plain


def _builtin(item: Any) -> Any:
    return msgspec.to_builtins(item) if isinstance(item, Struct) else item


def _explain(plain: list[dict[str, Any]], exc: msgspec.ValidationError) -> None:
    """Raise for what is wrong; return where all that is wrong are content parts of a type that is not known here.

    Hosts have part types beyond OpenAI's (`video_url`, `document_url`): those pass. A near miss does not.
    """
    doubtful = [dict(message) for message in plain]
    while True:
        found = re.match(_ERROR, str(exc))
        assert found is not None  # noqa: S101 - the pattern matches any text
        tag = re.match(_UNKNOWN_TAG, found["what"])
        place = re.fullmatch(r"\.messages\[(\d+)\]\.content\[(\d+)\]\.type", found["path"] or "")
        if tag is None or place is None:
            raise _at(exc) from None
        if near := nearest(tag["tag"], _PART_TYPES, 0.7):
            raise InvalidRequestError(
                f"{found['path'].removeprefix('.')} is {tag['tag']!r}; did you mean {near!r}?", param="messages"
            ) from None
        message = doubtful[int(place[1])]
        message["content"] = [
            {"type": "text", "text": ""} if index == int(place[2]) else part
            for index, part in enumerate(message["content"])
        ]
        try:
            msgspec.convert({"messages": doubtful}, _History)
        except msgspec.ValidationError as another:
            exc = another
        else:
            return


def _at(exc: msgspec.ValidationError) -> InvalidRequestError:
    """msgspec's words with our path: `messages[2].content[0].type: …`."""
    found = re.match(_ERROR, str(exc))
    assert found is not None  # noqa: S101 - the pattern matches any text
    path = (found["path"] or "").removeprefix(".").removesuffix("[...]")
    what = found["what"].replace("`", "")
    if path.endswith(".role"):
        what += "; a role is system, developer, user, assistant or tool"
    return InvalidRequestError(f"{path}: {what}" if path else what, param=re.split(r"[.\[]", path)[0] or None)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like another, if one is."""
    import difflib  # noqa: PLC0415 - only for a message

    near = difflib.get_close_matches(name, list(known), 1, cutoff)
    return near[0] if near else None


def _kind(value: object) -> str:
    return (
        "None" if value is None else f"an empty {type(value).__name__}" if value in ("", b"") else type(value).__name__
    )
