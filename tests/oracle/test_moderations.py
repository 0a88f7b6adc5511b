"""The same call by `openai`'s own client and by ours: what is sent and what is read."""

from typing import Any

import openai
import pytest
from loopback import Answer, Loopback
from served import KEY, client_for
from wire.moderations import OPENAI

CALLS: dict[str, dict[str, Any]] = {
    "text": {"input": "I want to kill them."},
    "texts": {"input": ["ü🌊"]},
    "parts": {
        "input": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ]
    },
    "extra": {"input": "a", "extra_body": {"k": 1}, "extra_query": {"q": "1"}, "extra_headers": {"X-Test": "t"}},
}


@pytest.mark.parametrize("model", [None, "omni-moderation-latest"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_same_request_and_same_answer(call: dict[str, Any], model: str | None) -> None:
    """The request is equal as JSON; every category can be read by the attribute that theirs has, and by its name."""
    async with (
        Loopback() as loopback,
        client_for("openai", loopback) as ours,
        openai.AsyncOpenAI(api_key=KEY, base_url=f"{loopback.url}/v1", max_retries=0) as theirs,
    ):
        loopback.plays(Answer(chunks=[OPENAI]))
        named: dict[str, Any] = {} if model is None else {"model": model}
        expected = await theirs.moderations.create(**call, **named)
        reply = await ours.moderations.create(**call, model=model and f"openai/{model}")
        one, other = loopback.requests
    assert (one.method, one.target, one.json) == (other.method, other.target, other.json)
    assert one.headers.get("x-test") == other.headers.get("x-test")
    assert reply.to_dict() == expected.to_dict()
    found, wanted = reply.results[0], expected.results[0]
    assert found.flagged == wanted.flagged
    for name, field in type(wanted.categories).model_fields.items():
        category = field.alias or name
        assert getattr(found.categories, name) == found.categories[category] == getattr(wanted.categories, name)
        assert getattr(found.category_scores, name) == getattr(wanted.category_scores, name)
        assert getattr(found.category_applied_input_types, name) == getattr(wanted.category_applied_input_types, name)
