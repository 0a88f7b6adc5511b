"""`onellm chat`: one answer, or a conversation."""

import asyncio
import contextlib
import sys
from argparse import Namespace
from importlib import import_module
from typing import Any

from onellm import config as config_module
from onellm.cli.report import notice, printable, report
from onellm.cli.settings import choose_model
from onellm.client import AsyncOneLLM
from onellm.errors import OneLLMError
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import MessageParam


def run(arguments: Namespace) -> int:
    """Answer the prompt; without one, on a terminal, hold a conversation."""
    prompt = _prompt(arguments)
    model = choose_model(arguments.model, "chat", config_module.load())
    if prompt is None:
        return _Conversation(model, arguments).run()
    messages = _system(arguments)
    messages.append({"role": "user", "content": prompt})
    asyncio.run(_answer_once(model, messages, arguments))
    return 0


def _prompt(arguments: Namespace) -> str | None:
    """The prompt; None where a conversation is meant."""
    given: str | None = arguments.prompt
    if given is None and sys.stdin.isatty():
        if arguments.json:
            arguments.misused("--json needs a prompt")
        return None
    prompt = sys.stdin.read() if given in {None, "-"} else given
    if not prompt or not prompt.strip():
        arguments.misused("the prompt is empty")
    return prompt


def _system(arguments: Namespace) -> list[MessageParam]:
    return [{"role": "system", "content": arguments.system}] if arguments.system else []


async def _answer_once(model: str, messages: list[MessageParam], arguments: Namespace) -> None:
    async with AsyncOneLLM() as client:
        if arguments.json:
            reply = await _whole(client, model, messages, arguments)
            print(reply.model_dump_json(indent=2))
        else:
            await _answer(client, model, messages, arguments, [])


async def _answer(
    client: AsyncOneLLM, model: str, messages: list[MessageParam], arguments: Namespace, said: list[str]
) -> ChatCompletion:
    """Print an answer, as it comes unless that is not wanted; `said` keeps what has come of it."""
    if arguments.no_stream:
        reply = await _whole(client, model, messages, arguments)
        _say(_text(reply), said)
    else:
        async with await client.chat.completions.create(
            model=model,
            messages=messages,
            stream=True,
            max_tokens=arguments.max_tokens,
            temperature=arguments.temperature,
        ) as stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    _say(choice.delta.content or choice.delta.refusal or "", said)
            reply = await stream.get_final_completion()
    _end_line(said)
    if reply.choices and reply.choices[0].finish_reason == "length":
        notice("the answer was cut: it reached the longest that was allowed")
    return reply


async def _whole(client: AsyncOneLLM, model: str, messages: list[MessageParam], arguments: Namespace) -> ChatCompletion:
    return await client.chat.completions.create(
        model=model, messages=messages, max_tokens=arguments.max_tokens, temperature=arguments.temperature
    )


def _text(reply: ChatCompletion) -> str:
    message = reply.choices[0].message if reply.choices else None
    return (message.content or message.refusal or "") if message else ""


def _say(text: str, said: list[str]) -> None:
    if text:
        said.append(text)
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()


def _end_line(said: list[str]) -> None:
    if said and not said[-1].endswith("\n"):
        print(flush=True)


class _Conversation:
    """Questions from the terminal, answers to it, and the history of both.

    The event loop runs while an answer comes and rests while a question is typed, so that Ctrl-C means one thing
    at a time: an answer is cancelled, a question is not.
    """

    def __init__(self, model: str, arguments: Namespace) -> None:
        self._model = model
        self._arguments = arguments
        self._messages = _system(arguments)
        self._interrupted = False  # the last thing that happened was a Ctrl-C

    def run(self) -> int:
        with contextlib.suppress(ImportError):
            import_module("readline")  # gives input() its line editing, where there is one
        notice(f"{self._model}; /model X asks another, /reset forgets, /exit leaves, Ctrl-C stops an answer")
        with asyncio.Runner() as runner:
            client = AsyncOneLLM()
            try:
                while True:
                    try:
                        line = input("> ").strip()
                    except EOFError:
                        print()
                        return 0
                    except KeyboardInterrupt:
                        self._interrupt()
                        continue
                    self._interrupted = False
                    if line == "/exit":
                        return 0
                    if line.startswith("/"):
                        self._command(runner, client, line)
                    elif line:
                        self._turn(runner, client, line)
            finally:
                runner.run(client.aclose())

    def _interrupt(self) -> None:
        """Take note of a Ctrl-C; the second in a row leaves."""
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        print()
        notice("Ctrl-C again leaves")

    def _command(self, runner: asyncio.Runner, client: AsyncOneLLM, line: str) -> None:
        name, _, argument = line.partition(" ")
        argument = argument.strip()
        if name == "/reset" and not argument:
            self._messages = _system(self._arguments)
            notice("the conversation begins anew")
        elif name == "/model" and argument:
            try:
                runner.run(client.models.capabilities(argument))  # fails where there is no such provider
            except OneLLMError as exc:
                report(exc, debug=self._arguments.debug)
            else:
                self._model = argument
                notice(f"{argument} answers from now on")
        else:
            notice("the commands are /model provider/model, /reset and /exit")

    def _turn(self, runner: asyncio.Runner, client: AsyncOneLLM, question: str) -> None:
        """Ask and answer."""
        before = len(self._messages)
        self._messages.append({"role": "user", "content": question})
        said: list[str] = []
        over = False

        async def answer() -> ChatCompletion:
            nonlocal over
            try:
                await asyncio.sleep(0)  # the loop rested: let it see which connections were closed meanwhile
                return await _answer(client, self._model, self._messages, self._arguments, said)
            finally:
                over = True

        try:
            reply = runner.run(answer())
        except KeyboardInterrupt:
            if not over:  # the second, while the first was being seen to
                raise
            self._interrupt()
        except OneLLMError as exc:
            _end_line(said)
            report(exc, debug=self._arguments.debug)
            said.clear()
        else:
            if reply.choices:
                self._messages.append(reply.choices[0].message)
                return
        if said:  # what was said before it was stopped stays said
            stopped: Any = {"role": "assistant", "content": "".join(said)}
            self._messages.append(stopped)
        else:
            del self._messages[before:]
