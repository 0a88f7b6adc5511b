"""One page of a list, as a provider gives it."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from msgspec import field

from onellm.types.base import Answer
from onellm.types.request import Request

T = TypeVar("T")


class Listing(Answer, Generic[T], kw_only=True):
    """Some items of a list, and how to ask for those that follow.

    next:  the query that asks for the next page; empty where this is the last
    """

    data: list[T] = field(default_factory=list[T])
    next: dict[str, str] = field(default_factory=dict[str, str])


class ListRequest(Request, kw_only=True):
    """A validated call for a list.

    next:  what the page before says of this one; it goes before the arguments of the same name
    """

    params: dict[str, Any]
    next: Mapping[str, str] = {}
