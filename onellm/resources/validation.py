"""Bad input becomes an error here, before anything is sent, with the path of the bad value."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct

from onellm.errors import InvalidRequestError
from onellm.types.chat import ChatCompletionMessage
from onellm.types.chat_params import Message, MessageParam, Part

_PART_TYPES = [str(part.__struct_config__.tag) for part in Part.__args__]
_ERROR = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN_TAG = re.compile(r"^Invalid value '(?P<tag>.*)'$")
_HEADER_BREAKERS = re.compile(r"[\r\n\0]")


def params(given: Mapping[str, Any], known: Any, call: str) -> dict[str, Any]:
    """The given arguments, checked against a TypedDict; those that are None are left out.

    Raises:
        InvalidRequestError: an argument does not exist, or its value does not fit.
    """
    names: dict[str, Any] = known.__annotations__
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = (
                f"; did you mean {near[0]}?"
                if near
                else "; what a provider takes beyond this goes into extra_body={...}"
            )
            raise InvalidRequestError(f"{call} has no argument {name!r}{hint}", param=name)
    checked = {name: value for name, value in given.items() if value is not None}
    try:
        msgspec.convert(checked, known)
    except msgspec.ValidationError as exc:
        raise _at("", exc) from None
    if (headers := checked.get("extra_headers")) is not None:
        for name, value in headers.items():
            if _HEADER_BREAKERS.search(name) or _HEADER_BREAKERS.search(value or ""):
                raise InvalidRequestError(f"extra_headers[{name!r}] holds a line end", param="extra_headers")
    return checked


def text(value: object, name: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(f"{name} must be a text that is not empty, not {_kind(value)}", param=name)
    return value


def choice(value: Any, known: Any, name: str, call: str) -> Any:
    """One of the values of a `Literal`, or None.

    Raises:
        InvalidRequestError: it is another; says which one is near.
    """
    values: tuple[str, ...] = get_args(known)
    if value is None or value in values:
        return value
    near = difflib.get_close_matches(str(value), values, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it is one of {', '.join(map(repr, values))}"
    raise InvalidRequestError(f"{call}: {name} cannot be {value!r}{hint}", param=name)


def messages(given: Iterable[MessageParam]) -> list[dict[str, Any]]:
    """A history as plain dicts in OpenAI's shape, checked; fields and part types that are not known stay in.

    Raises:
        InvalidRequestError: not a list, empty, a wrong role, a missing or a wrong field; says where.
    """
    if isinstance(given, str | bytes | Mapping | Struct):
        raise InvalidRequestError(f"messages must be a list of messages, not {_kind(given)}", param="messages")
    plain = [_plain(message, place) for place, message in enumerate(given)]
    if not plain:
        raise InvalidRequestError("messages is empty: give at least one message", param="messages")
    try:
        msgspec.convert(plain, list[Message])
    except msgspec.ValidationError as exc:
        _explain(plain, exc)
    return plain


def _plain(message: Any, place: int) -> dict[str, Any]:
    """One message as a dict; iterables in it become lists."""
    if isinstance(message, ChatCompletionMessage):
        plain = _from_answer(message)
    elif isinstance(message, Struct):
        plain = {key: value for key, value in msgspec.to_builtins(message).items() if value is not None}
    elif isinstance(message, Mapping):
        plain = message if isinstance(message, dict) else dict(message)
    else:
        raise InvalidRequestError(
            f"messages[{place}] must be a dict or a message, not {_kind(message)}", param="messages"
        )
    content = plain.get("content")
    if content is not None and not isinstance(content, str | list):
        plain = {**plain, "content": list(content)}
    return plain


def _from_answer(message: ChatCompletionMessage) -> dict[str, Any]:
    plain = message.to_dict()
    for call in plain.get("tool_calls") or ():
        if call["type"] == "custom":
            del call["function"]
    return plain


def _explain(plain: list[dict[str, Any]], exc: msgspec.ValidationError) -> None:
    """Raise for what is wrong; return where all that is wrong are content parts of a type that is not known here.

    Hosts have part types beyond OpenAI's (`video_url`, `document_url`): those pass. A near miss does not.
    """
    doubtful = [dict(message) for message in plain]
    while True:
        found = _ERROR.match(str(exc))
        assert found is not None  # noqa: S101 - the pattern matches any text
        tag = _UNKNOWN_TAG.match(found["what"])
        place = re.fullmatch(r"\[(\d+)\]\.content\[(\d+)\]\.type", found["path"] or "")
        if tag is None or place is None:
            raise _at("messages", exc) from None
        near = difflib.get_close_matches(tag["tag"], _PART_TYPES, 1, 0.7)
        if near:
            raise InvalidRequestError(
                f"messages{found['path']} is {tag['tag']!r}; did you mean {near[0]!r}?", param="messages"
            ) from None
        message = doubtful[int(place[1])]
        message["content"] = [part for index, part in enumerate(message["content"]) if index != int(place[2])]
        try:
            msgspec.convert(doubtful, list[Message])
        except msgspec.ValidationError as another:
            exc = another
        else:
            return


def _at(root: str, exc: msgspec.ValidationError) -> InvalidRequestError:
    """msgspec's words with our path: `messages[2].content[0].type: …`."""
    found = _ERROR.match(str(exc))
    assert found is not None  # noqa: S101 - the pattern matches any text
    path = (root + (found["path"] or "")).removeprefix(".").removesuffix("[...]")
    what = found["what"].replace("`", "")
    if path.endswith(".role"):
        what += "; a role is system, developer, user, assistant or tool"
    return InvalidRequestError(f"{path}: {what}" if path else what, param=re.split(r"[.\[]", path)[0] or None)


def _kind(value: object) -> str:
    return (
        "None" if value is None else f"an empty {type(value).__name__}" if value in ("", b"") else type(value).__name__
    )
