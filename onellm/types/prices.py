"""What an answer cost, by the price list that the package `genai-prices` holds; nothing is fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from onellm.errors import MissingDependencyError
from onellm.types.chat import CompletionUsage

if TYPE_CHECKING:
    from decimal import Decimal

    from onellm.types.embeddings import EmbeddingUsage

# What the price list calls a provider, where the names differ. Under a name that it does not have nothing is known.
PROVIDERS = {
    "anthropic-aws": "aws",
    "azure-foundry": "azure",
    "bedrock": "aws",
    "gemini": "google",
    "google-openai": "google",
    "moonshot": "moonshotai",
    "vertex": "google",
    "xai": "x-ai",
}


# What an answer says of its tier where it had the usual price; another tier has another, which is not known here.
_USUAL_TIERS = (None, "", "auto", "default", "standard")


def cost(
    provider: str, model: str, usage: CompletionUsage | EmbeddingUsage | None, *, created: float, tier: str | None
) -> Decimal | None:
    """US dollars by the list; None where it lacks the model or one of the prices, or nothing was counted.

    created is Unix time, 0 where it is not known: prices change.

    Raises:
        MissingDependencyError: `genai-prices` is not installed.
    """
    try:
        from genai_prices import Usage, calc_price  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingDependencyError('cost() needs a price list: pip install "onellm[prices]"') from exc
    if usage is None or tier not in _USUAL_TIERS:
        return None
    tokens = _tokens(usage)
    when = datetime.fromtimestamp(created, UTC) if created else None
    try:
        found = calc_price(
            Usage(**tokens), model, provider_id=PROVIDERS.get(provider, provider), genai_request_timestamp=when
        )
    except (LookupError, ValueError):  # neither listed, nor a count that adds up
        return None
    for kind in ("input", "output"):
        if tokens.get(f"{kind}_tokens") and getattr(found.model_price, f"{kind}_mtok", None) is None:
            return None
    return found.total_price or None  # a list that has no prices for a model adds up to nothing


def _tokens(usage: CompletionUsage | EmbeddingUsage) -> dict[str, int]:
    """The counts under the list's names. Its input has cached tokens in it, as ours has."""
    tokens = {"input_tokens": usage.prompt_tokens}
    if isinstance(usage, CompletionUsage):
        tokens["output_tokens"] = usage.completion_tokens
        prompt, answer = usage.prompt_tokens_details, usage.completion_tokens_details
        if prompt is not None:
            tokens["cache_read_tokens"] = min(prompt.cached_tokens or 0, usage.prompt_tokens)
            tokens["cache_write_tokens"] = prompt.cache_write_tokens or 0
            tokens["input_audio_tokens"] = prompt.audio_tokens or 0
        if answer is not None:
            tokens["output_audio_tokens"] = answer.audio_tokens or 0
    return {name: count for name, count in tokens.items() if count}
