"""`onellm chat` without a prompt, on a terminal: a conversation."""

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from command_line import Terminal
from loopback import Answer, Loopback
from openai_host import held_open, openai_host

from onellm.cli.chat import _Conversation

Open = Callable[..., Awaitable[Terminal]]
CTRL_C = "\x03"

pytestmark = pytest.mark.usefixtures("openai_set")


async def test_the_history_is_kept_and_forgotten(terminal: Open, host: Loopback) -> None:
    """Each question goes with all that was said; /reset forgets it, but not the system prompt."""
    opened = await terminal("chat", "--system", "Be brief")
    await opened.expect("> ")
    for question in ("one", "", "two", "/reset", "three"):
        opened.type(f"{question}\n")
        await opened.expect("> ")
    opened.type("/exit\n")
    assert await opened.wait() == 0
    system = {"role": "system", "content": "Be brief"}
    first = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "You said: one"}]
    assert [request.json["messages"] for request in host.requests] == [
        [system, first[0]],
        [system, *first, {"role": "user", "content": "two"}],
        [system, {"role": "user", "content": "three"}],
    ]


async def test_answers_are_printed(terminal: Open) -> None:
    """The first line names the model and the commands. Control characters of an answer do not reach the terminal."""
    opened = await terminal("chat", "-m", "openai/x")
    banner = await opened.expect("> ")
    assert banner.startswith("onellm: openai/x; /model X asks another")
    opened.type("a\x16\x1b[31mb\n")  # Ctrl-V takes the next key as it is
    await opened.expect("You said: a[31mb\r\n")
    assert await opened.leave() == 0


async def test_the_model_can_be_changed(terminal: Open, host: Loopback) -> None:
    """/model takes effect with the next question; one of a provider that is not known is refused at once."""
    opened = await terminal("chat")
    await opened.expect("> ")
    opened.type("/model nowhere/x\n")
    await opened.expect("onellm: no provider 'nowhere'")
    await opened.expect("> ")
    opened.type("/model openai/another\n")
    await opened.expect("onellm: openai/another answers from now on")
    await opened.expect("> ")
    opened.type("/what\n")
    await opened.expect("onellm: the commands are /model provider/model, /reset and /exit")
    await opened.expect("> ")
    opened.type("Hi\n")
    await opened.expect("You said: Hi")
    assert await opened.leave() == 0
    assert [request.json["model"] for request in host.requests] == ["another"]


async def test_an_error_does_not_end_it(terminal: Open, host: Loopback) -> None:
    """The question that failed is not part of the history."""
    host.plays(Answer(status=400, chunks=[{"error": {"message": "too blue"}}]))
    opened = await terminal("chat")
    await opened.expect("> ")
    opened.type("bad\n")
    await opened.expect("too blue (400)")
    await opened.expect("> ")
    host.chooses(openai_host)
    opened.type("good\n")
    await opened.expect("You said: good")
    assert await opened.leave() == 0
    assert host.requests[-1].json["messages"] == [{"role": "user", "content": "good"}]


async def test_an_answer_without_choices_is_not_part_of_the_history(terminal: Open, host: Loopback) -> None:
    host.plays(Answer(chunks=[{"id": "1", "object": "chat.completion", "choices": []}]))
    opened = await terminal("chat", "--no-stream")
    await opened.expect("> ")
    opened.type("nothing\n")
    await opened.expect("> ")
    host.chooses(openai_host)
    opened.type("good\n")
    await opened.expect("You said: good")
    assert await opened.leave() == 0
    assert host.requests[-1].json["messages"] == [{"role": "user", "content": "good"}]


async def test_ctrl_c_stops_the_answer_and_not_the_conversation(terminal: Open, host: Loopback) -> None:
    """The provider sees the connection close; what had been said is part of the history."""
    host.chooses(held_open)
    opened = await terminal("chat")
    await opened.expect("> ")
    opened.type("Hi\n")
    await opened.expect("You said:")
    opened.type(CTRL_C)
    await opened.expect("onellm: Ctrl-C again leaves")
    async with asyncio.timeout(10):
        await host.requests[0].gone.wait()
    await opened.expect("> ")
    host.chooses(openai_host)
    opened.type("Go on\n")
    await opened.expect("You said: Go on")
    assert await opened.leave() == 0
    assert host.requests[1].json["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "You said:"},
        {"role": "user", "content": "Go on"},
    ]


async def test_ctrl_c_twice_leaves(terminal: Open) -> None:
    """Also where something was typed between; a line that was sent begins the count anew."""
    opened = await terminal("chat")
    await opened.expect("> ")
    opened.type("half a quest")
    await opened.expect("half a quest")
    await opened.interrupt("onellm: Ctrl-C again leaves")
    await opened.expect("> ")
    opened.type("\n")
    await opened.expect("> ")
    await opened.interrupt("onellm: Ctrl-C again leaves")
    await opened.expect("> ")
    await opened.interrupt("\r\n")
    assert await opened.wait() == 130


async def test_json_needs_a_prompt(terminal: Open) -> None:
    opened = await terminal("chat", "--json")
    await opened.expect("error: --json needs a prompt")
    assert await opened.wait() == 2


def test_a_second_ctrl_c_while_an_answer_is_being_stopped_leaves() -> None:
    """asyncio then raises at once, with the answer still under way."""

    class Runner:
        def run(self, answer: Coroutine[Any, Any, Any]) -> None:
            answer.close()
            raise KeyboardInterrupt

    conversation = _Conversation("openai/x", Namespace(system=None))
    runner: Any = Runner()
    client: Any = None
    with pytest.raises(KeyboardInterrupt):
        conversation._turn(runner, client, "Hi")
