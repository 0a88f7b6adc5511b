"""Options of the v2 chat beyond OpenAI's shape. https://docs.cohere.com/reference/chat"""

from msgspec import Struct


class CohereOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only Cohere's v2 chat takes: `create(..., cohere=CohereOptions(k=5))`.

    k:  sample from this many tokens only
    """

    k: int | None = None
