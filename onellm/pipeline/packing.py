"""How much goes into one request: counts, tokens and bytes. Pure."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

TokenCounter: TypeAlias = Callable[[str], int]

_BYTES_A_TOKEN_ID = 7  # six digits and a comma


def measure(item: str | Sequence[int]) -> tuple[int, int]:
    """About as many tokens as an input can have, and about its bytes in a body.

    Of texts a token for three bytes: English has four, a Chinese character is 3.
    """
    if isinstance(item, str):
        size = len(item) if item.isascii() else len(item.encode())
        return (size + 2) // 3, size
    return len(item), len(item) * _BYTES_A_TOKEN_ID


class Packer:
    """Says where a request is full. An input that is too large by itself goes alone: its provider says so."""

    def __init__(self, *, items: int, tokens: int | None, size: int | None) -> None:
        """items, tokens, size: the most of each in one request; size is in bytes."""
        self.items = items
        self._most_tokens = tokens
        self._most_bytes = size
        self._count = self._tokens = self._bytes = 0

    def fits(self, tokens: int, size: int) -> bool:
        """Whether one more input fits into the request that is being filled."""
        return not self._count or (
            self._count < self.items
            and (self._most_tokens is None or self._tokens + tokens <= self._most_tokens)
            and (self._most_bytes is None or self._bytes + size <= self._most_bytes)
        )

    def add(self, tokens: int, size: int) -> None:
        self._count += 1
        self._tokens += tokens
        self._bytes += size

    def clear(self) -> None:
        """Begin the next request."""
        self._count = self._tokens = self._bytes = 0
