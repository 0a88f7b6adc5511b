"""Lists that come in pages, and what single objects of a host's account have in common."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import ErrorDecoder
from onellm.dialects.params import refuse, rename
from onellm.errors import InvalidRequestError, ResponseDecodeError
from onellm.types.base import Answer
from onellm.types.pages import Listing, ListRequest

A = TypeVar("A", bound=Answer)


class Paging(Struct, frozen=True, kw_only=True):
    """How a host's list comes in pages.

    style:    "after": the last id of a page asks for the next, as OpenAI has it; "page": pages have numbers from 0,
              and the answer says the `total`; "whole": there are no pages
    size:     with numbers, how many items a page has where the call does not say
    renames, refuses:  as in chat
    """

    style: Literal["after", "page", "whole"] = "after"
    size: int = 100
    renames: Mapping[str, str] = {}
    refuses: Mapping[str, str] = {}

    def encode(self, request: ListRequest) -> dict[str, str]:
        """The query of a list's page."""
        params = dict(request.params)
        refuse(params, self.refuses, request)
        rename(params, self.renames, request)
        return {name: str(value) for name, value in params.items()} | dict(request.next)

    def next(self, value: Any, data: list[str], query: Mapping[str, str]) -> dict[str, str]:
        """The query, beside the call's own, that asks for the page after this one. data: the ids of this one."""
        if not data or not isinstance(value, dict) or self.style == "whole":
            return {}
        if self.style == "after":
            last = data[-1]
            # A host that does not know `after` would give the same page for ever.
            return {"after": last} if value.get("has_more") is True and last and last != query.get("after") else {}
        page, size, total = int(query.get("page", 0)), int(query.get("page_size", self.size)), value.get("total")
        more = isinstance(total, int) and (page + 1) * size < total
        return {"page": str(page + 1)} if more else {}


CURSOR = Paging()


def at_id(path: str, given: str, action: str = "") -> str:
    """The path of one object.

    Raises:
        InvalidRequestError: an id that would lead elsewhere.
    """
    if given in {".", ".."}:
        raise InvalidRequestError(f"not an id: {given!r}", param="id")
    return f"{path}/{quote(given, safe='')}{action}"


def decode_list(  # noqa: PLR0917 - what the lists differ in
    body: bytes, what: str, dialect: ErrorDecoder, item: Callable[[Any], A], paging: Paging, query: Mapping[str, str]
) -> Listing[A]:
    """A page: its items under `data`, or a bare array.

    Raises:
        ResponseDecodeError: it is neither.
        APIStatusError: it is an error inside a 200.
    """
    value = decode_object(body, what, dialect)
    items: Any = value.get("data") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise ResponseDecodeError(f"not {what}", body=body[:2000])
    data = [item(each) for each in items]
    ids = [each["id"] if isinstance(each, dict) and isinstance(each.get("id"), str) else "" for each in items]
    return Listing(data=data, next=paging.next(value, ids, query), raw=body)


def decode_object(body: bytes, what: str, dialect: ErrorDecoder) -> Any:
    """The JSON of an answer that is no error.

    Raises:
        ResponseDecodeError: it is no JSON.
        APIStatusError: it is an error inside a 200.
    """
    value = lenient.decode_json(body, what)
    first = value[0] if isinstance(value, list) and value else value
    # What has an id is there, and says under `error` what became of it.
    if errors.is_error(value) and not (isinstance(first, dict) and first.get("id")):
        raise dialect.decode_error(200, {}, body, now=0.0)
    return value


def received(value: Any, to: type[A], what: str, *, raw: bytes | None = None) -> A:
    """A JSON value as one of our types, with its dates as Unix time and the bytes it came as."""
    raw = msgspec.json.encode(value) if raw is None else raw
    if isinstance(value, dict):
        value = {name: _time(each) if name.endswith("_at") else each for name, each in value.items()}
    found = lenient.convert(value, to, what)
    found.raw = raw
    return found


def _time(value: Any) -> Any:
    """Unix time for an ISO date; everything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
