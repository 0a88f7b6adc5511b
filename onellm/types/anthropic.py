"""Options of the Messages API beyond OpenAI's shape. https://docs.anthropic.com/en/api/messages"""

from msgspec import Struct


class AnthropicOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only the Messages API takes: `create(..., anthropic=AnthropicOptions(top_k=5))`.

    version:  the `anthropic-version` header
    betas:    values of the `anthropic-beta` header
    top_k:    sample from this many tokens only
    """

    version: str | None = None
    betas: tuple[str, ...] = ()
    top_k: int | None = None
