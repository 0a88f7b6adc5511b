"""What received chat types can do beside holding what came."""

import pytest

from onellm import ResponseValidationError
from onellm.types.chat import CompletionTokensDetails, CompletionUsage, Function, PromptTokensDetails


def test_the_arguments_of_a_call_are_a_text_and_values() -> None:
    called = Function(name="weather", arguments='{"city": "Zürich", "days": [1, 2]}')
    assert called.parsed_arguments == {"city": "Zürich", "days": [1, 2]}
    assert called.arguments == '{"city": "Zürich", "days": [1, 2]}'
    assert called.model_dump() == {"name": "weather", "arguments": called.arguments}


def test_a_call_without_arguments_has_none() -> None:
    assert Function(name="now").parsed_arguments == {}


@pytest.mark.parametrize("written", ['{"city": "Zür', "[1]", "null", "city=Rome", '{"a": ' + "[" * 100_000, '{"\ud83d'])
def test_arguments_that_are_no_object_say_so(written: str) -> None:
    """The error has what the model wrote."""
    with pytest.raises(ResponseValidationError, match="the arguments of weather are no object: ") as caught:
        _ = Function(name="weather", arguments=written).parsed_arguments
    assert caught.value.raw == written.encode(errors="surrogatepass")


def test_usage_adds_up() -> None:
    """Also its parts; what neither says stays unknown."""
    one = CompletionUsage(
        prompt_tokens=1, completion_tokens=2, total_tokens=3, prompt_tokens_details=PromptTokensDetails(cached_tokens=1)
    )
    other = CompletionUsage(
        prompt_tokens=10,
        completion_tokens=20,
        total_tokens=30,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=5, audio_tokens=2),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=7),
    )
    assert one + other == CompletionUsage(
        prompt_tokens=11,
        completion_tokens=22,
        total_tokens=33,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=6, audio_tokens=2),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=7),
    )
    assert one + CompletionUsage() == one
