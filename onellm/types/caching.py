"""What is said of answers that were kept, and what keeps them."""

from typing import Annotated, Protocol

from msgspec import Meta, Struct


class CacheHit(Struct, frozen=True, kw_only=True, gc=False):
    """Where an answer comes from that nobody was asked for.

    age:         seconds since it was given
    similarity:  how near the question was to the one that it was given to, where it was found by meaning
    """

    age: float
    similarity: float | None = None


class CacheStore(Protocol):
    """What keeps answers: bytes under names. Bring your own by these two methods.

    Names are hashes, 64 letters; values are opaque. A store may forget what it likes, whenever it likes.
    """

    async def get(self, key: str) -> bytes | None:
        """What is kept under a name; None where nothing is, or no longer.

        Raises:
            CacheUnavailableError: the store cannot be reached; the call is then made as if nothing were kept.
        """
        ...

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Keep it for so many seconds; None is the store's own measure.

        Raises:
            CacheUnavailableError: the store cannot be reached; nothing is kept.
        """
        ...


class SemanticCache(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers to questions that mean the same, as an embedding model sees it. It may be wrong: see docs/caching.md.

    Only chats of text without tools. All but the last user message must be equal; that one is compared.

    model:        the embedding model, "provider/model"; each chat that is not kept exactly costs an embedding
    threshold:    the cosine from which two questions count as the same
    ttl:          seconds for which an answer counts; None is for ever
    max_entries:  how many answers are kept in memory; the ones that were asked for longest ago go first
    max_bytes:    how large they may be together, vectors included
    """

    model: str
    threshold: Annotated[float, Meta(gt=0, le=1)] = 0.95
    ttl: Annotated[float, Meta(gt=0)] | None = 3600.0
    max_entries: Annotated[int, Meta(ge=1)] = 1000
    max_bytes: Annotated[int, Meta(ge=1)] = 64 << 20
