"""Inputs of embeddings, as callers give them. Pure."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Inputs of any shape are taken apart here, by checks that prove what they use.

from collections.abc import Sequence
from typing import Any

from onellm.errors import InvalidRequestError
from onellm.types.pipelines import Id


def split(given: Any, place: int) -> tuple[Id, Any]:
    """Id and input of what was given."""
    if isinstance(given, tuple) and len(given) == 2 and not isinstance(given[1], int):  # noqa: PLR2004 - a pair
        item_id, item = given
        if not isinstance(item_id, str | int):
            raise InvalidRequestError(
                f"inputs[{place}]: an id is a text or a whole number, not {type(item_id).__name__}", param="inputs"
            )
        return item_id, item
    return place, given


def wrong(item: Any) -> InvalidRequestError | None:
    """What no provider takes of an input, found before it spoils the request of others; None is nothing."""
    if isinstance(item, str):
        if item and (item.isascii() or _is_whole(item)):
            return None
        what = "the text holds half of a surrogate pair" if item else "the text is empty"
        return InvalidRequestError(what, param="inputs")
    if (
        isinstance(item, Sequence)
        and not isinstance(item, bytes)
        and item
        and all(isinstance(token, int) for token in item)
    ):
        return None
    what = f"an input is a text or a list of token ids, not {type(item).__name__}"
    return InvalidRequestError(what, param="inputs")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def key(item: Any) -> Any:
    """What equal inputs have in common."""
    return item if isinstance(item, str) else tuple(item)
