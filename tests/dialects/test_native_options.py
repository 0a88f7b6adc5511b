"""Options of one native API: checked where they are read, refused by the others."""

from typing import Any

import msgspec
import pytest
from loopback import Answer, Loopback
from wire import chat_completions

from onellm import AnthropicOptions, AsyncOneLLM, CohereOptions
from onellm.dialects.params import native_options
from onellm.errors import InvalidRequestError, UnsupportedParameterError
from onellm.types.chat_params import ChatRequest


def asking(**params: Any) -> ChatRequest:
    return ChatRequest(provider="p", model="m", messages=[{"role": "user", "content": "x"}], params=params)


def test_options_of_a_call() -> None:
    given = AnthropicOptions(top_k=5)
    assert native_options(asking(anthropic=given), "anthropic", AnthropicOptions) == given
    assert native_options(asking(anthropic={"top_k": 5}), "anthropic", AnthropicOptions) == given
    assert native_options(asking(), "anthropic", AnthropicOptions) == AnthropicOptions()


@pytest.mark.parametrize("wrong", [{"top_q": 5}, {"top_k": "five"}, AnthropicOptions(top_k="five"), 5, CohereOptions()])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - callers err
def test_options_that_do_not_fit_are_named(wrong: Any) -> None:
    if isinstance(wrong, CohereOptions):
        wrong = msgspec.structs.replace(wrong, k=1)
    with pytest.raises(InvalidRequestError, match=r"^anthropic must be AnthropicOptions\(\.\.\.\): ") as caught:
        native_options(asking(anthropic=wrong), "anthropic", AnthropicOptions)
    assert caught.value.param == "anthropic"


async def test_a_host_of_another_api_refuses_them(loopback: Loopback, client: AsyncOneLLM) -> None:
    """They are not sent as a field that the host does not know; where the call says so, they are left out and named."""
    loopback.plays(Answer(chunks=[chat_completions.ANSWER]))
    with pytest.raises(UnsupportedParameterError, match="hosts that speak that API") as caught:
        await client.chat.completions.create(
            model="openai/m", messages=[{"role": "user", "content": "x"}], anthropic=AnthropicOptions(top_k=1)
        )
    assert caught.value.param == "anthropic"
    reply = await client.chat.completions.create(
        model="openai/m",
        messages=[{"role": "user", "content": "x"}],
        anthropic=AnthropicOptions(top_k=1),
        on_unsupported="drop",
    )
    assert reply.adjustments == ("left out anthropic: it is for hosts that speak that API",)
    (request,) = loopback.requests
    assert set(request.json) == {"model", "messages"}
