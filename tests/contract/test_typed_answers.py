"""Typed answers from every provider that has chat: asked for as its flags say, and read from its own bytes."""

import json
from typing import Any

import pytest
from loopback import Answer, Loopback
from msgspec import Struct
from test_every_provider import MODEL, ROWS, _nothing_of_ours, ask, asked, bytes_of, connect, play, serving, streaming

from onellm.errors import ResponseValidationError
from onellm.providers.llama_cpp import PROVIDER as LLAMA_CPP

__all__ = ["_nothing_of_ours"]  # a fixture


class Reading(Struct):
    """Its field's name stands in a body that has its schema."""

    city: str


VALUE = "Zürich \U0001f600"
IN_WORDS = "Answer with one JSON object"


def spoken(name: str, played: bytes, text: str) -> bytes:
    """The provider's answer, with another text in it."""
    old = bytes_of(name).text
    for ascii_only in (False, True):
        was = json.dumps(old, ensure_ascii=ascii_only).encode()
        if was in played:
            return played.replace(was, json.dumps(text, ensure_ascii=ascii_only).encode())
    raise LookupError(f"{name}: its answer does not hold its text as one JSON text")


def way(name: str) -> str:
    """How the row's flags say that it is asked."""
    flags = ROWS[name].get_model_capabilities(MODEL)
    for flag in ("json_schema_support", "json_mode_support", "function_calling_support"):
        if flags[flag]:
            return flag
    return "prompt"


def typed(name: str, **params: Any) -> dict[str, Any]:
    return ask(name, response_format=Reading, **params)


@serving("chat")
async def test_it_is_asked_as_the_flags_say(name: str, loopback: Loopback) -> None:
    """By its schema where it takes one, and then nothing is emulated; else by what stands in, which is told."""
    played, how = bytes_of(name), way(name)
    answer = (
        played.tool_answer
        if how == "function_calling_support"
        else spoken(name, played.answer, json.dumps({"city": VALUE}))
    )
    play(loopback, name, Answer(chunks=[answer]))
    async with connect(loopback, name) as client:
        reply = await client.chat.completions.parse(**typed(name))
        await client.chat.completions.parse(**typed(name))
        await client.chat.completions.create(**ask(name))
    first, second, plain = (request.body.decode() for request in asked(loopback, name))
    assert first == second, "a schema is not changed by the request that it goes into"
    assert '"city' in first.replace("\\", "")
    assert "city" not in plain
    assert (IN_WORDS in first) is (how in ("json_mode_support", "prompt"))
    emulated = [note for note in reply.adjustments if "form of the answer" in note]
    assert len(emulated) == (how != "json_schema_support")
    message = reply.choices[0].message
    assert message.parsed == Reading("Zürich" if how == "function_calling_support" else VALUE)
    assert json.loads(message.content or "") == {"city": message.parsed.city}
    assert (message.tool_calls, reply.choices[0].finish_reason, reply.provider) == (None, "stop", name)


@serving("chat")
@pytest.mark.parametrize("stream", [False, True])
async def test_what_does_not_fit_is_an_error_with_the_text(name: str, stream: bool, loopback: Loopback) -> None:
    """All of it, as the provider's own bytes had it."""
    play(loopback, name, streaming(name) if stream else Answer(chunks=[bytes_of(name).answer]))
    async with connect(loopback, name) as client:
        with pytest.raises(ResponseValidationError, match="the answer is no Reading: ") as caught:
            reply: Any = await client.chat.completions.parse(**typed(name), stream=stream)
            await reply.get_final_completion()
    assert caught.value.raw == bytes_of(name).text.encode()
    assert (caught.value.provider, caught.value.model is not None) == (name, True)
    assert len(asked(loopback, name)) == 1


@serving("chat")
async def test_the_model_is_shown_its_error(name: str, loopback: Loopback) -> None:
    """The second request has what the first answer said."""
    played = bytes_of(name)
    play(
        loopback,
        name,
        Answer(chunks=[spoken(name, played.answer, '{"city": 7}')]),
        Answer(chunks=[spoken(name, played.answer, '{"city": "Oslo"}')]),
    )
    async with connect(loopback, name) as client:
        reply = await client.chat.completions.parse(**typed(name), retries_on_invalid=1)
    assert reply.choices[0].message.parsed == Reading("Oslo")
    first, second = (request.body.decode() for request in asked(loopback, name))
    assert '{\\"city\\": 7}' not in first
    assert '{\\"city\\": 7}' in second
    assert "Expected str, got int" in second


def test_every_way_is_some_provider_s() -> None:
    """The tests above run over more than one of them; the others are tested with hosts made for it."""
    assert {way(name) for name, row in ROWS.items() if "chat" in row.operations} >= {
        "json_schema_support",
        "json_mode_support",
    }
    assert LLAMA_CPP.get_model_capabilities("any")["json_schema_support"]
