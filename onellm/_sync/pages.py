# GENERATED from onellm/resources/pages.py by onellm._sync.generate. Do not edit: run make sync.

"""Lists that come in pages: the first page, or the items of all."""

from collections.abc import Iterator
from typing import Generic, overload

from onellm._sync.iteration import each
from onellm._sync.portal import run
from onellm.resources.pages import AsyncPage, T
from onellm.types.headers import Headers


class Page(Generic[T]):
    """One page of a list. `len` and `[…]` are over its own items, `for` goes on into the next pages.

    data:         its items
    has_more:     whether a page follows
    provider:     the name of the provider that answered
    request_id:   the provider's id of the request, where it sends one
    raw:          the body as received
    adjustments:  what was renamed or left out of the request for this provider
    """

    def __init__(self, held: AsyncPage[T]) -> None:
        self._async = held

    @property
    def data(self) -> list[T]:
        return self._async.data

    @property
    def provider(self) -> str:
        return self._async.provider

    @property
    def request_id(self) -> str | None:
        return self._async.request_id

    @property
    def raw(self) -> bytes:
        return self._async.raw

    @property
    def adjustments(self) -> tuple[str, ...]:
        return self._async.adjustments

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer."""
        return self._async.headers

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return self._async.status_code

    @property
    def has_more(self) -> bool:
        """Whether a page follows."""
        return self._async.has_more

    def has_next_page(self) -> bool:
        """Whether a page follows."""
        return self._async.has_next_page()

    def next_page_info(self) -> dict[str, str] | None:
        """The query that asks for the next page; None where this is the last."""
        return self._async.next_page_info()

    def get_next_page(self) -> "Page[T]":
        """The page that follows.

        Raises:
            InvalidRequestError: this is the last.
            APIConnectionError, APIStatusError: no answer, or a refusal.
        """
        return Page(run(self._async.get_next_page()))

    def iter_pages(self) -> Iterator["Page[T]"]:
        """This page and all that follow, each asked for when it is wanted."""
        reply = each(self._async.iter_pages())
        return map(Page, reply)

    def __iter__(self) -> Iterator[T]:
        for page in self.iter_pages():
            yield from page.data

    def __len__(self) -> int:
        return self._async.__len__()

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        return self._async.__getitem__(place)

    def __repr__(self) -> str:
        return repr(self._async).removeprefix("Async")
