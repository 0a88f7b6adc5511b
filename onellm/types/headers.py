"""The headers of an answer, as callers see them."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

_COOKIES = ("set-cookie", "set-cookie2")
_OK = 200

Head: TypeAlias = Mapping[str, str] | tuple[int, Mapping[str, str]]
"""Status and headers as they are kept: of nearly all answers, whose status is 200, that is what their transport has."""


class Headers(Mapping[str, str]):
    """The headers of an answer: names in lower case, looked up in any, cookies left out.

    Those that came several times are one, with commas between.
    """

    __slots__ = ("_values",)

    def __init__(self, received: Mapping[str, str] = {}) -> None:
        self._values: dict[str, str] = {}
        for name, value in received.items():  # of a multidict a name may come again
            lower = name.lower()
            if lower not in _COOKIES:
                before = self._values.get(lower)
                self._values[lower] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"


def as_head(status: int, headers: Mapping[str, str]) -> Head:
    """Status and headers as they are kept."""
    return headers if status == _OK else (status, headers)


def head_of(answer: object) -> Head | None:
    """What an answer, or what it is read from, keeps; None where it did not come by HTTP."""
    return getattr(answer, "head", None)


def headers_of(answer: object) -> Headers:
    """The headers that came with an answer; empty where it did not come by HTTP."""
    head = head_of(answer)
    return Headers() if head is None else Headers(head[1] if isinstance(head, tuple) else head)


def status_of(answer: object) -> int | None:
    """The status that came with an answer; None where it did not come by HTTP."""
    head = head_of(answer)
    return None if head is None else head[0] if isinstance(head, tuple) else _OK
