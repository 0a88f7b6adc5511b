"""What type checkers know of typed answers and runs: mypy reads this file with the rest of the tests.

The functions that are not called hold what is only checked. An ignored error must be there to be ignored: mypy warns of
one that is not. pyright is run on a snippet.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, assert_type

import pytest
from msgspec import Struct
from pydantic import BaseModel

from onellm import (
    AsyncOneLLM,
    AsyncParsedChatCompletionStream,
    AsyncToolRun,
    Headers,
    OneLLM,
    ParsedChatCompletion,
    ParsedChatCompletionStream,
    RunChunk,
    RunReply,
    RunToolCall,
    RunToolResult,
    ToolRun,
)
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import MessageParam

ROOT = Path(__file__).parents[2]
HELLO: list[MessageParam] = [{"role": "user", "content": "Hello"}]


class City(Struct):
    name: str


class Country(BaseModel):
    name: str


@dataclass
class River:
    name: str


class Lake(TypedDict):
    name: str


def look_up(word: str) -> str:
    return word


async def _asynchronous(client: AsyncOneLLM) -> None:
    parse = client.chat.completions.parse
    reply = await parse(model="m", messages=HELLO, response_format=City)
    assert_type(reply, ParsedChatCompletion[City])
    assert_type(reply.choices[0].message.parsed, City | None)
    pydantic = await parse(model="m", messages=HELLO, response_format=Country, retries_on_invalid=1)
    assert_type(pydantic.choices[0].message.parsed, Country | None)
    plain = await parse(model="m", messages=HELLO, response_format=River, stream=False)
    assert_type(plain.choices[0].message.parsed, River | None)
    typed = await parse(model="m", messages=HELLO, response_format=Lake)
    assert_type(typed.choices[0].message.parsed, Lake | None)
    listed = await parse(model="m", messages=HELLO, response_format=list[City], temperature=0)
    assert_type(listed.choices[0].message.parsed, list[City] | None)
    literal = await parse(model="m", messages=HELLO, response_format=Literal["a", "b"])
    assert_type(literal, ParsedChatCompletion[Any])  # PEP 747 would say more

    stream = await parse(model="m", messages=HELLO, response_format=City, stream=True)
    assert_type(stream, AsyncParsedChatCompletionStream[City])
    assert_type((await stream.get_final_completion()).choices[0].message.parsed, City | None)
    async for chunk in stream:
        assert_type(chunk, ChatCompletionChunk)

    run = client.chat.completions.run(model="m", messages=HELLO, tools=[look_up])
    assert_type(run, AsyncToolRun)
    assert_type(await run.result(), ChatCompletion)
    async for event in run:
        assert_type(event, RunChunk | RunReply | RunToolCall | RunToolResult)

    assert_type(client.with_options(timeout=5, extra_headers={"X-A": None}), AsyncOneLLM)
    assert_type((await client.files.list().first()).headers, Headers)
    assert_type(reply.headers.get("x-a"), str | None)


async def _misspelt(client: AsyncOneLLM) -> None:
    await client.chat.completions.parse(model="m", messages=HELLO, response_format=City, temperatur=1)  # type: ignore[call-overload] # misspelt
    await client.chat.completions.parse(model="m", messages=HELLO)  # type: ignore[call-overload] # lacks a type
    await client.chat.completions.parse(model="m", messages=HELLO, response_format=City, retries=1)  # type: ignore[call-overload] # misspelt
    client.chat.completions.run(model="m", messages=HELLO, tool=[look_up])  # type: ignore[call-arg] # misspelt
    client.chat.completions.run(model="m", messages=HELLO, tools=[look_up], on_tool_error="rise")  # type: ignore[arg-type] # misspelt
    client.with_options(timeuot=5)  # type: ignore[call-arg] # misspelt
    client.with_options(on_unsupported="rise")  # type: ignore[arg-type] # misspelt


def _blocking(client: OneLLM) -> None:
    assert_type(client.with_options(share=True).with_options(timeout=5), OneLLM)
    reply = client.chat.completions.parse(model="m", messages=HELLO, response_format=City)
    assert_type(reply, ParsedChatCompletion[City])
    assert_type(reply.choices[0].message.parsed, City | None)
    stream = client.chat.completions.parse(model="m", messages=HELLO, response_format=City, stream=True)
    assert_type(stream, ParsedChatCompletionStream[City])
    run = client.chat.completions.run(model="m", messages=HELLO, tools=[look_up])
    assert_type(run, ToolRun)
    assert_type(run.result(), ChatCompletion)
    for event in run:
        assert_type(event, RunChunk | RunReply | RunToolCall | RunToolResult)
    client.chat.completions.parse(model="m", messages=HELLO, response_format=City, temperatur=1)  # type: ignore[call-overload] # misspelt


SNIPPET = """
from msgspec import Struct
from onellm import AsyncOneLLM, OneLLM

class City(Struct):
    name: str

def look_up(word: str) -> str:
    return word

client = OneLLM()
reveal_type(client.chat.completions.parse(model="m", messages=[], response_format=City).choices[0].message.parsed)
reveal_type(client.chat.completions.parse(model="m", messages=[], response_format=list[City]).choices[0].message.parsed)
reveal_type(client.chat.completions.parse(model="m", messages=[], response_format=City, stream=True).get_final())
client.chat.completions.parse(model="m", messages=[], response_format=City, temperatur=1)
client.chat.completions.run(model="m", messages=[], tool=[look_up])

async def main() -> None:
    there = AsyncOneLLM()
    reveal_type((await there.chat.completions.parse(model="m", messages=[], response_format=City)).choices[0].message)
    await there.chat.completions.parse(model="m", messages=[], response_format=City, temperatur=1)
"""


@pytest.mark.skipif(shutil.which("pyright", path=str(Path(sys.executable).parent)) is None, reason="needs pyright")
def test_pyright_knows_them_too(tmp_path: Path) -> None:
    """The same types, and an error for each misspelt argument."""
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET, "utf-8")
    settings: dict[str, Any] = {"include": ["snippet.py"], "extraPaths": [str(ROOT)], "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    command = [str(Path(sys.executable).with_name("pyright")), "--pythonpath", sys.executable, "--outputjson"]
    ran = subprocess.run([*command, "-p", str(tmp_path)], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    said = [
        (one["severity"], one["range"]["start"]["line"], one["message"])
        for one in json.loads(ran.stdout)["generalDiagnostics"]
    ]
    revealed = [message.partition(" is ")[2].strip('"') for severity, _, message in said if severity == "information"]
    assert revealed == [
        "City | None",
        "list[City] | None",
        "ParsedChatCompletion[City]",
        "ParsedChatCompletionMessage[City]",
    ]
    lines = SNIPPET.splitlines()
    wrong = {lines[line].strip() for severity, line, _ in said if severity == "error"}
    assert wrong == {line.strip() for line in lines if "temperatur=" in line or "tool=" in line}
