"""Lists that come in pages: the first page, or the items of all."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from onellm.errors import InvalidRequestError
from onellm.types.headers import Headers, headers_of, status_of
from onellm.types.pages import Listing

T = TypeVar("T")


class AsyncPage(Generic[T]):
    """One page of a list. `len` and `[…]` are over its own items, `async for` goes on into the next pages.

    data:         its items
    has_more:     whether a page follows
    provider:     the name of the provider that answered
    request_id:   the provider's id of the request, where it sends one
    raw:          the body as received
    adjustments:  what was renamed or left out of the request for this provider
    """

    def __init__(self, listing: Listing[T], fetch: Callable[[Mapping[str, str]], Awaitable[Listing[T]]]) -> None:
        self.data: list[T] = listing.data
        self.provider: str = listing.provider
        self.request_id: str | None = listing.request_id
        self.raw: bytes = listing.raw
        self.adjustments: tuple[str, ...] = listing.adjustments
        self._listing = listing
        self._fetch = fetch

    @property
    def headers(self) -> Headers:
        """The headers of the HTTP answer."""
        return headers_of(self._listing)

    @property
    def status_code(self) -> int | None:
        """The status of the HTTP answer; None where there are no `headers`."""
        return status_of(self._listing)

    @property
    def has_more(self) -> bool:
        """Whether a page follows."""
        return bool(self._listing.next)

    def has_next_page(self) -> bool:
        """Whether a page follows."""
        return self.has_more

    def next_page_info(self) -> dict[str, str] | None:
        """The query that asks for the next page; None where this is the last."""
        return dict(self._listing.next) or None

    async def get_next_page(self) -> "AsyncPage[T]":
        """The page that follows.

        Raises:
            InvalidRequestError: this is the last.
            APIConnectionError, APIStatusError: no answer, or a refusal.
        """
        if not self._listing.next:
            raise InvalidRequestError("this is the last page; has_next_page() says whether one follows")
        return AsyncPage(await self._fetch(self._listing.next), self._fetch)

    async def iter_pages(self) -> AsyncIterator["AsyncPage[T]"]:
        """This page and all that follow, each asked for when it is wanted."""
        page = self
        yield page
        while page.has_more:
            page = await page.get_next_page()
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.iter_pages():
            for item in page.data:
                yield item

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        return self.data[place]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={self.data!r}, has_more={self.has_more})"


class AsyncPages(Generic[T]):
    """A list that has not been asked for yet: take its first page, or iterate over the items of all.

    Further pages are asked for when their first item is wanted.
    """

    def __init__(self, fetch: Callable[[Mapping[str, str]], Awaitable[Listing[T]]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, Any, AsyncPage[T]]:
        return self.first().__await__()

    async def first(self) -> AsyncPage[T]:
        """The first page.

        Raises:
            APIConnectionError, APIStatusError: no answer, or a refusal.
        """
        return AsyncPage(await self._fetch({}), self._fetch)

    async def iter_pages(self) -> AsyncIterator[AsyncPage[T]]:
        """All pages, each asked for when it is wanted."""
        async for page in (await self.first()).iter_pages():
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for item in await self.first():
            yield item
