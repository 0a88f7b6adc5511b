"""Options of generateContent beyond OpenAI's shape. https://ai.google.dev/api/generate-content"""

from msgspec import Struct


class GoogleOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only generateContent takes: `create(..., google=GoogleOptions(top_k=5))`.

    top_k:            sample from this many tokens only
    thinking_budget:  tokens to think with: -1 leaves it to the model, 0 is none
    """

    top_k: int | None = None
    thinking_budget: int | None = None
