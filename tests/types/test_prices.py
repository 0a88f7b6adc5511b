"""`reply.cost()`: US dollars by the list, None where it says nothing."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from onellm import MissingDependencyError
from onellm.types.chat import ChatCompletion, CompletionTokensDetails, CompletionUsage, PromptTokensDetails
from onellm.types.completions import Completion
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingUsage

prices = pytest.importorskip("genai_prices", reason="needs the extra 'prices'")

THEN = 1_735_689_600  # 2025-01-01: prices of that day do not change any more


def reply(provider: str, model: str, prompt: int = 1000, completion: int = 100, **more: Any) -> ChatCompletion:
    usage = CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        if name in more:
            setattr(usage, name, more.pop(name))
    return ChatCompletion(provider=provider, model=model, created=THEN, usage=usage, **more)


def test_a_known_model() -> None:
    """2.5 and 10 dollars for a million tokens in and out."""
    assert reply("openai", "gpt-4o-2024-08-06").cost() == Decimal("0.0035")


def test_cached_tokens_cost_less() -> None:
    """They are part of the prompt: 400 of the 1000 at 1.25 dollars a million."""
    cached = PromptTokensDetails(cached_tokens=400)
    assert reply("openai", "gpt-4o-2024-08-06", prompt_tokens_details=cached).cost() == Decimal("0.003")


def test_reasoning_is_part_of_the_answer() -> None:
    thought = CompletionTokensDetails(reasoning_tokens=60)
    assert reply("openai", "gpt-4o-2024-08-06", completion_tokens_details=thought).cost() == Decimal("0.0035")


@pytest.mark.parametrize(
    ("provider", "listed", "model"),
    [
        ("google", "google", "gemini-2.0-flash"),
        ("google-openai", "google", "gemini-2.0-flash"),
        ("vertex", "google", "gemini-2.0-flash"),
        ("xai", "x-ai", "grok-3"),
        ("anthropic", "anthropic", "claude-3-5-sonnet-20241022"),
        ("bedrock", "aws", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("groq", "groq", "llama-3.3-70b-versatile"),
        ("mistral", "mistral", "mistral-large-latest"),
        ("moonshot", "moonshotai", "kimi-k2-0711-preview"),
    ],
)
def test_providers_have_other_names_in_the_list(provider: str, listed: str, model: str) -> None:
    used = prices.Usage(input_tokens=1000, output_tokens=100)
    whole = reply(provider, model)
    whole.created = 0
    expected = prices.calc_price(used, model, provider_id=listed).total_price
    assert expected > 0
    assert whole.cost() == expected


@pytest.mark.parametrize(
    "unknown",
    [
        reply("openai", "no-such-model"),
        reply("vllm", "gpt-4o"),  # another's price says nothing of a server of one's own
        reply("", "gpt-4o"),
        reply("openai", ""),
        reply("openrouter", "deepseek/deepseek-r1:free"),  # listed, without a price
        reply("openai", "gpt-4o", 0, 0),
        reply("openai", "gpt-4o", service_tier="flex"),
        ChatCompletion(provider="openai", model="gpt-4o"),
    ],
    ids=lambda unknown: f"{unknown.provider}-{unknown.model}-{unknown.service_tier}",
)
def test_what_is_not_known_is_none_and_never_zero(unknown: ChatCompletion) -> None:
    assert unknown.cost() is None


def test_more_cached_tokens_than_prompt() -> None:
    """Some hosts count so: all of it was cached, at most."""
    odd = PromptTokensDetails(cached_tokens=5000)
    assert reply("openai", "gpt-4o-2024-08-06", 1000, 0, prompt_tokens_details=odd).cost() == Decimal("0.00125")


def test_embeddings_and_completions() -> None:
    vectors = CreateEmbeddingResponse(
        provider="openai", model="text-embedding-3-small", usage=EmbeddingUsage(prompt_tokens=1000, total_tokens=1000)
    )
    assert vectors.cost() == Decimal("0.00002")
    assert CreateEmbeddingResponse(provider="openai", model="text-embedding-3-small").cost() is None
    text = Completion(provider="openai", model="gpt-3.5-turbo-instruct", created=THEN)
    assert text.cost() is None
    text.usage = CompletionUsage(prompt_tokens=1000, completion_tokens=0, total_tokens=1000)
    assert text.cost() == Decimal("0.0015")


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "onellm\[prices\]"'):
        reply("openai", "gpt-4o").cost()


def test_nothing_of_it_is_loaded_before() -> None:
    code = "import sys, onellm.types.chat, onellm.types.embeddings; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert done.stdout.strip() == "False"
