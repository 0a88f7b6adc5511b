"""Requests of chats, as callers of a pipeline give them. Pure."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Requests of any shape are taken apart here, by checks that prove what they use.

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from onellm.errors import InvalidRequestError, OneLLMError
from onellm.types.options import ModelOptions
from onellm.types.pipelines import Id

# How a request is sent, and by whom it may be answered; not what it asks.
_HOW = frozenset(ModelOptions.__annotations__) - {"extra_body", "extra_query"}


class Request(Struct, frozen=True, kw_only=True):
    """One request: the arguments of `create`, or what is wrong with it.

    same:  what tells it from others, whichever way it is sent
    """

    index: int
    id: Id
    given: Any
    arguments: dict[str, Any]
    wrong: OneLLMError | None = None

    @property
    def same(self) -> dict[str, Any]:
        return same(self.arguments)


def same(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that an answer depends on."""
    return {name: value for name, value in arguments.items() if name not in _HOW and value is not None}


def request(given: Any, index: int, defaults: Mapping[str, Any]) -> Request:
    """A request with the defaults in it.

    Raises:
        InvalidRequestError: its id is no id.
    """
    own_id, asked = _split(given, index)
    try:
        own = _arguments(asked)
        if "custom_id" in own:  # as in a line of a batch's file
            own_id = _checked_id(own.pop("custom_id"), index)
        arguments = {**defaults, **own}
        if not arguments.get("model"):
            raise InvalidRequestError("the request has no model, and the call has none", param="model")  # noqa: TRY301
        if arguments.get("stream"):
            raise InvalidRequestError("a pipeline's answers are whole: leave out stream", param="stream")  # noqa: TRY301
    except InvalidRequestError as exc:
        return Request(index=index, id=own_id, given=asked, arguments={}, wrong=exc)
    return Request(index=index, id=own_id, given=asked, arguments=arguments)


def _split(given: Any, index: int) -> tuple[Id, Any]:
    """Id and request of what was given; a tuple of two messages is no pair."""
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str | int):  # noqa: PLR2004 - a pair
        return given[0], given[1]
    return index, given


def _checked_id(given: object, index: int) -> Id:
    if not isinstance(given, str | int):
        raise InvalidRequestError(
            f"requests[{index}]: an id is a text or a whole number, not {type(given).__name__}", param="requests"
        )
    return given


def _arguments(asked: Any) -> dict[str, Any]:
    if isinstance(asked, str):
        return {"messages": [{"role": "user", "content": asked}]}
    if isinstance(asked, Mapping):
        arguments = dict(asked)
        if "messages" not in arguments:
            raise InvalidRequestError("the request has no messages", param="messages")
        return arguments
    if isinstance(asked, list | tuple):
        return {"messages": list(asked)}
    raise InvalidRequestError(
        f"a request is a prompt, a list of messages or a dict, not {type(asked).__name__}", param="requests"
    )
